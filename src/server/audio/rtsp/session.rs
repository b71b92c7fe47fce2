//! [`RtspSession`]: the state of one connection's RTSP session, and its responses to requests. Without IO.

use arauto_rtsp::{Description, Key, StreamId};
use rtsp_types::{Request, Response, StatusCode, headers};

use super::{
    SESSION_TIMEOUT,
    backend::{Start, StreamBackend, StreamRefusal},
    request::{self, Ask, ParsedRequest},
    response::{Answer, encode, ok, plain, with_body},
    target::StreamTarget,
    transport::Transport,
};

/// Wrong keys or unknown streams after which a connection is closed.
const MAX_WRONG: u8 = 3;

/// Requests without a valid key after which a connection is closed. Programs name the key in each request, or send one
/// or two OPTIONS before.
const MAX_WITHOUT_KEY: u8 = 16;

/// The supported methods, for OPTIONS and for status 405.
const METHODS: &str =
    "OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY, PAUSE, RECORD, GET_PARAMETER, SET_PARAMETER, TEARDOWN";

/// The role of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The client announced a stream.
    Publisher,
    /// The client set up a stream to listen to.
    Listener,
}

/// The progress of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The client has not started playing or publishing.
    Beginning,
    /// The client plays or publishes.
    Running,
    /// The client has sent PAUSE.
    Paused,
}

/// The session of one connection, which has at most one.
#[derive(Debug)]
pub struct RtspSession {
    id: String,
    of: Option<(Role, StreamId)>,
    /// The last valid stream and key, for clients that omit the key in later requests.
    key: Option<(StreamId, Key)>,
    is_set_up: bool,
    /// `a=control` of the announced parts that are not relayed.
    passed_over: Vec<String>,
    /// Whether such a part has been set up.
    is_passed_over_set_up: bool,
    progress: Progress,
    wrong: u8,
    has_shown_key: bool,
    /// Requests before the client showed a key.
    without_key: u8,
}

impl RtspSession {
    /// A session without requests so far. `number` is random and becomes the session's identifier.
    pub fn new(number: u64) -> Self {
        Self {
            id: format!("{number:016x}"),
            of: None,
            key: None,
            is_set_up: false,
            passed_over: Vec::new(),
            is_passed_over_set_up: false,
            progress: Progress::Beginning,
            wrong: 0,
            has_shown_key: false,
            without_key: 0,
        }
    }

    /// Whether a request, whatever it asked, contained a key that authorizes publishing or listening.
    pub fn has_shown_key(&self) -> bool {
        self.has_shown_key
    }

    /// The progress of the session.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The role of the session, once the client has announced or set up a stream.
    pub fn role(&self) -> Option<Role> {
        self.of.map(|(role, _)| role)
    }

    /// Answers a request.
    pub fn answer(&mut self, request: &Request<Vec<u8>>, backend: &mut impl StreamBackend) -> Answer {
        let sequence = request::sequence(request).map(str::to_owned);
        backend.keep_alive();
        let answer = request::read(request).and_then(|asked| {
            self.note_key(&asked, backend);
            self.carry_out(&asked, backend)
        });
        let mut response = match answer {
            Ok(response) => response,
            Err(status) => plain(status),
        };
        if !self.has_shown_key {
            self.without_key = self.without_key.saturating_add(1);
        }
        let is_last = self.wrong >= MAX_WRONG || self.without_key >= MAX_WITHOUT_KEY;
        if let Some(sequence) = sequence {
            response.insert_header(headers::CSEQ, sequence);
        }
        if (self.is_set_up || self.is_passed_over_set_up) && response.status().is_success() {
            let timeout = SESSION_TIMEOUT.as_secs();
            response.insert_header(headers::SESSION, format!("{};timeout={timeout}", self.id));
        }
        if matches!(response.status(), StatusCode::MethodNotAllowed) {
            response.insert_header(headers::ALLOW, METHODS);
        }
        if is_last {
            response.insert_header(headers::CONNECTION, "close");
        }
        Answer { bytes: encode(&response), is_last }
    }

    fn note_key(&mut self, asked: &ParsedRequest, backend: &mut impl StreamBackend) {
        if let Some(StreamTarget { stream, key: Some(key) }) = &asked.target {
            self.has_shown_key |= backend.knows(*stream, key);
        }
    }

    fn carry_out(
        &mut self,
        asked: &ParsedRequest,
        backend: &mut impl StreamBackend,
    ) -> Result<Response<Vec<u8>>, StatusCode> {
        if asked.session.as_ref().is_some_and(|session| *session != self.id) {
            return Err(StatusCode::SessionNotFound);
        }
        match &asked.what {
            Ask::Options => {
                let mut response = ok();
                response.insert_header(headers::PUBLIC, METHODS);
                Ok(response)
            }
            Ask::KeepAlive => Ok(ok()),
            Ask::Describe => self.describe(asked, backend),
            Ask::Announce(sdp) => self.announce(asked, sdp, backend),
            Ask::SetUp(transport) => self.set_up(asked, transport, backend),
            Ask::Play => self.play(asked, backend),
            Ask::Record => {
                self.expect(Role::Publisher)?;
                backend.record().map_err(|refusal| self.status(refusal))?;
                self.progress = Progress::Running;
                Ok(ok())
            }
            Ask::Pause => {
                self.of.filter(|_| self.is_set_up).ok_or(StatusCode::MethodNotValidInThisState)?;
                backend.pause();
                if self.progress == Progress::Running {
                    self.progress = Progress::Paused;
                }
                Ok(ok())
            }
            Ask::Teardown => {
                if self.of.is_none() {
                    return Err(StatusCode::SessionNotFound);
                }
                backend.leave();
                (self.of, self.is_set_up, self.progress) = (None, false, Progress::Beginning);
                (self.passed_over, self.is_passed_over_set_up) = (Vec::new(), false);
                Ok(ok())
            }
        }
    }

    fn describe(
        &mut self,
        asked: &ParsedRequest,
        backend: &mut impl StreamBackend,
    ) -> Result<Response<Vec<u8>>, StatusCode> {
        let (stream, key) = self.authorize(asked)?;
        let sdp = backend.describe(stream, &key).map_err(|refusal| self.status(refusal))?;
        let mut response = with_body(StatusCode::Ok, sdp);
        response.insert_header(headers::CONTENT_TYPE, "application/sdp");
        response.insert_header(headers::CONTENT_BASE, asked.uri.clone());
        self.key = Some((stream, key));
        Ok(response)
    }

    fn announce(
        &mut self,
        asked: &ParsedRequest,
        sdp: &[u8],
        backend: &mut impl StreamBackend,
    ) -> Result<Response<Vec<u8>>, StatusCode> {
        if self.of.is_some() {
            return Err(StatusCode::MethodNotValidInThisState);
        }
        let (stream, key) = self.authorize(asked)?;
        let description = Description::parse(sdp).map_err(|_| StatusCode::UnsupportedMediaType)?;
        let passed_over = description.passed_over.clone();
        backend.announce(stream, &key, description).map_err(|refusal| self.status(refusal))?;
        self.passed_over = passed_over;
        self.of = Some((Role::Publisher, stream));
        self.key = Some((stream, key));
        Ok(ok())
    }

    fn set_up(
        &mut self,
        asked: &ParsedRequest,
        transport: &str,
        backend: &mut impl StreamBackend,
    ) -> Result<Response<Vec<u8>>, StatusCode> {
        let (stream, key) = self.authorize(asked)?;
        if self.progress == Progress::Running {
            return Err(StatusCode::MethodNotValidInThisState);
        }
        let way =
            Transport::choose(transport, backend.peer_info()).ok_or(StatusCode::UnsupportedTransport)?;
        let is_passed_over = self.is_passed_over(&asked.uri);
        let given = match self.of {
            Some((_, other)) if other != stream => return Err(StatusCode::AggregateOperationNotAllowed),
            Some((Role::Publisher, _)) if is_passed_over => backend.set_up_passed_over(way),
            Some((Role::Publisher, _)) => backend.set_up_publisher(way),
            _ => backend.set_up_listener(stream, &key, way),
        };
        let given = given.map_err(|refusal| self.status(refusal))?;
        self.of.get_or_insert((Role::Listener, stream));
        self.key = Some((stream, key));
        self.is_set_up |= !is_passed_over;
        self.is_passed_over_set_up |= is_passed_over;
        let mut response = ok();
        response.insert_header(headers::TRANSPORT, given.to_string());
        Ok(response)
    }

    /// Whether the address in a SETUP is that of a part that is not relayed. Programs append `a=control` to the address
    /// that they announced.
    fn is_passed_over(&self, uri: &str) -> bool {
        let is_it = |control: &String| {
            uri.strip_suffix(control).is_some_and(|base| base.is_empty() || base.ends_with('/'))
        };
        self.passed_over.iter().any(is_it)
    }

    fn play(
        &mut self,
        asked: &ParsedRequest,
        backend: &mut impl StreamBackend,
    ) -> Result<Response<Vec<u8>>, StatusCode> {
        self.expect(Role::Listener)?;
        let Start { elapsed, next } = backend.play().map_err(|refusal| self.status(refusal))?;
        self.progress = Progress::Running;
        let mut response = ok();
        // A listener joins at the current position. The response gives it, so that the player can show it.
        response.insert_header(headers::RANGE, format!("npt={:.3}-", elapsed.as_secs_f64()));
        if let Some((sequence, timestamp)) = next {
            let info = format!("url={};seq={sequence};rtptime={timestamp}", asked.uri);
            response.insert_header(headers::RTP_INFO, info);
        }
        Ok(response)
    }

    /// Returns the request's stream and its key, or the key of an earlier request.
    fn authorize(&mut self, asked: &ParsedRequest) -> Result<(StreamId, Key), StatusCode> {
        let target = asked.target.as_ref().ok_or_else(|| self.status(StreamRefusal::Unknown))?;
        let known = self.key.filter(|(stream, _)| *stream == target.stream).map(|(_, key)| key);
        let key = target.key.or(known).ok_or_else(|| self.status(StreamRefusal::WrongKey))?;
        Ok((target.stream, key))
    }

    /// Checks that the session has this role and is set up.
    fn expect(&self, role: Role) -> Result<(), StatusCode> {
        match self.of {
            Some((of, _)) if self.is_set_up && of == role => Ok(()),
            _ => Err(StatusCode::MethodNotValidInThisState),
        }
    }

    fn status(&mut self, refusal: StreamRefusal) -> StatusCode {
        if matches!(refusal, StreamRefusal::Unknown | StreamRefusal::WrongKey) {
            self.wrong += 1;
        }
        match refusal {
            StreamRefusal::Unknown => StatusCode::NotFound,
            StreamRefusal::WrongKey | StreamRefusal::Banned => StatusCode::Forbidden,
            StreamRefusal::Taken => StatusCode::MethodNotValidInThisState,
            StreamRefusal::Full => StatusCode::NotEnoughBandwidth,
            StreamRefusal::NoPorts => StatusCode::ServiceUnavailable,
            StreamRefusal::BadPorts => StatusCode::UnsupportedTransport,
        }
    }
}
