//! [`Connection`]: requests and their answers, and the datagrams between them.

use std::{collections::VecDeque, time::Duration};

use futures_util::{SinkExt, StreamExt};
use rtsp_types::{
    Data, Message, Method, Request, Response, StatusCode, Url, Version,
    headers::{CSEQ, HeaderName, PUBLIC, SESSION, USER_AGENT},
};
use tokio::{
    io::{ReadHalf, split},
    sync::mpsc,
    task::AbortHandle,
    time::{Instant, timeout_at},
};
use tokio_util::codec::{FramedRead, FramedWrite};

use super::{Failure, codec::Codec};
use crate::client::dial::Stream;

/// How long a server may take to answer.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Messages that were not written yet.
const QUEUED: usize = 64;
/// Datagrams that came while an answer was waited for. The first are as dispensable as any.
const KEPT: usize = 64;

/// One connection to a server.
pub(super) struct Connection {
    reader: FramedRead<ReadHalf<Box<dyn Stream>>, Codec>,
    /// To the task that writes.
    writer: mpsc::Sender<Message<Vec<u8>>>,
    writing: AbortHandle,
    sequence: u32,
    /// What the server calls the session, once there is one.
    pub(super) session: Option<String>,
    kept: VecDeque<Came>,
}

/// What came without being an answer to what was waited for.
#[derive(Debug)]
pub(super) enum Came {
    /// A datagram on this channel.
    Data(u8, Vec<u8>),
    /// An answer to the request with this number, and what it says.
    Answer(u32, StatusCode),
    /// The end.
    Closed,
}

impl Connection {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        let (reader, writer) = split(stream);
        let (to_writer, mut queue) = mpsc::channel::<Message<Vec<u8>>>(QUEUED);
        // A task of its own: a server that takes nothing for a while is read from all the same.
        let writing = tokio::spawn(async move {
            let mut writer = FramedWrite::new(writer, Codec);
            while let Some(message) = queue.recv().await {
                if writer.send(message).await.is_err() {
                    return;
                }
            }
        });
        Self {
            reader: FramedRead::new(reader, Codec),
            writer: to_writer,
            writing: writing.abort_handle(),
            sequence: 0,
            session: None,
            kept: VecDeque::new(),
        }
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, &str)],
        body: Vec<u8>,
    ) -> Result<Response<Vec<u8>>, Failure> {
        let name = name(&method);
        let request = self.request(method, url, headers, body);
        let (asked, until) = (self.sequence, Instant::now() + ANSWER_WITHIN);
        let silence = |_| Failure::Silence { method: name };
        timeout_at(until, self.send(request.into())).await.map_err(silence)??;
        loop {
            let message = timeout_at(until, self.reader.next()).await.map_err(silence)?;
            match message.ok_or(Failure::Closed)?? {
                Message::Response(response) if sequence(&response) == Some(asked) => {
                    let status = response.status();
                    if status.is_success() {
                        return Ok(response);
                    }
                    let reason = response.reason_phrase().to_owned();
                    return Err(Failure::Refused { method: name, status: status.into(), reason });
                }
                Message::Data(data) if self.kept.len() < KEPT => {
                    self.kept.push_back(Came::Data(data.channel_id(), data.into_body()));
                }
                Message::Request(request) => self.answer(&request),
                Message::Data(_) | Message::Response(_) => {}
            }
        }
    }

    /// Asks, if there is room for it. Gives the number of the request; its answer is [`Came::Answer`].
    pub(super) fn ask_later(&mut self, method: Method, url: &Url) -> Option<u32> {
        let request = self.request(method, url, &[], Vec::new());
        self.writer.try_send(request.into()).ok().map(|()| self.sequence)
    }

    fn request(
        &mut self,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, &str)],
        body: Vec<u8>,
    ) -> Request<Vec<u8>> {
        self.sequence += 1;
        let mut request = Request::builder(method, Version::V1_0)
            .request_uri(url.clone())
            .header(CSEQ, self.sequence.to_string())
            .header(USER_AGENT, concat!("arauto/", env!("CARGO_PKG_VERSION")));
        if let Some(session) = &self.session {
            request = request.header(SESSION, session.as_str());
        }
        for (name, value) in headers {
            request = request.header(name.clone(), *value);
        }
        request.build(body)
    }

    /// The next that comes. Dropped before it is done, it loses nothing.
    pub(super) async fn next(&mut self) -> Result<Came, Failure> {
        if let Some(kept) = self.kept.pop_front() {
            return Ok(kept);
        }
        loop {
            match self.reader.next().await.transpose()? {
                None => return Ok(Came::Closed),
                Some(Message::Data(data)) => return Ok(Came::Data(data.channel_id(), data.into_body())),
                Some(Message::Request(request)) => self.answer(&request),
                Some(Message::Response(response)) => {
                    if let Some(sequence) = sequence(&response) {
                        return Ok(Came::Answer(sequence, response.status()));
                    }
                }
            }
        }
    }

    /// Sends a datagram on this channel. Waits while the server takes nothing.
    pub(super) async fn send_data(&self, channel: u8, packet: &[u8]) -> Result<(), Failure> {
        self.send(Data::new(channel, packet.to_vec()).into()).await
    }

    async fn send(&self, message: Message<Vec<u8>>) -> Result<(), Failure> {
        self.writer.send(message).await.map_err(|_| Failure::Closed)
    }

    /// A server may ask whether one is still there. It gets an answer, if there is room.
    fn answer(&self, request: &Request<Vec<u8>>) {
        let status = match request.method() {
            Method::Options | Method::GetParameter | Method::SetParameter => StatusCode::Ok,
            _ => StatusCode::NotImplemented,
        };
        let mut response = Response::builder(Version::V1_0, status);
        if let Some(sequence) = request.header(&CSEQ) {
            response = response.header(CSEQ, sequence.as_str());
        }
        let response = response.header(PUBLIC, "OPTIONS, GET_PARAMETER, SET_PARAMETER").build(Vec::new());
        let _ = self.writer.try_send(response.into());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It may wait for a server that never takes anything again.
        self.writing.abort();
    }
}

/// To which request a response is the answer.
fn sequence(response: &Response<Vec<u8>>) -> Option<u32> {
    response.header(&CSEQ)?.as_str().trim().parse().ok()
}

fn name(method: &Method) -> &'static str {
    match method {
        Method::Options => "OPTIONS",
        Method::Describe => "DESCRIBE",
        Method::Announce => "ANNOUNCE",
        Method::Setup => "SETUP",
        Method::Play => "PLAY",
        Method::Record => "RECORD",
        Method::Teardown => "TEARDOWN",
        Method::GetParameter => "GET_PARAMETER",
        _ => "a request",
    }
}
