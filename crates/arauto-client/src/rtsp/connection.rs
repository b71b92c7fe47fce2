//! [`RtspConnection`]: sends RTSP requests and receives their answers and the interleaved datagrams.

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

use super::{RtspError, codec::Codec};
use crate::dial::Stream;

/// Time that a server has to answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Capacity of the write queue, in messages.
const QUEUE_CAPACITY: usize = 64;
/// Maximum number of datagrams kept while an answer is awaited. Later ones are dropped; any datagram is as
/// dispensable as another.
const MAX_KEPT: usize = 64;

/// An RTSP connection to a server.
pub(super) struct RtspConnection {
    reader: FramedRead<ReadHalf<Box<dyn Stream>>, Codec>,
    /// Queue of the writing task.
    writer: mpsc::Sender<Message<Vec<u8>>>,
    writing: AbortHandle,
    sequence: u32,
    /// Session identifier, once the server has assigned one.
    pub(super) session: Option<String>,
    kept: VecDeque<Came>,
}

/// An item received other than the awaited answer.
#[derive(Debug)]
pub(super) enum Came {
    /// A datagram on this channel.
    Data(u8, Vec<u8>),
    /// The number of an answered request, and the status of the answer.
    Answer(u32, StatusCode),
    /// The server ended the connection.
    Closed,
}

impl RtspConnection {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        let (reader, writer) = split(stream);
        let (to_writer, mut queue) = mpsc::channel::<Message<Vec<u8>>>(QUEUE_CAPACITY);
        // Writing has a task of its own, because reading must go on while the server takes nothing.
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

    /// Sends a request, and waits for its answer.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, &str)],
        body: Vec<u8>,
    ) -> Result<Response<Vec<u8>>, RtspError> {
        let name = name(&method);
        let request = self.request(method, url, headers, body);
        let (asked, until) = (self.sequence, Instant::now() + ANSWER_TIMEOUT);
        let silence = |_| RtspError::Silence { method: name };
        timeout_at(until, self.send(request.into())).await.map_err(silence)??;
        loop {
            let message = timeout_at(until, self.reader.next()).await.map_err(silence)?;
            match message.ok_or(RtspError::Closed)?? {
                Message::Response(response) if sequence(&response) == Some(asked) => {
                    let status = response.status();
                    if status.is_success() {
                        return Ok(response);
                    }
                    let reason = response.reason_phrase().to_owned();
                    return Err(RtspError::Refused { method: name, status: status.into(), reason });
                }
                Message::Data(data) if self.kept.len() < MAX_KEPT => {
                    self.kept.push_back(Came::Data(data.channel_id(), data.into_body()));
                }
                Message::Request(request) => self.answer(&request),
                Message::Data(_) | Message::Response(_) => {}
            }
        }
    }

    /// Sends a request if the write queue has room. Returns its number; the answer arrives as [`Came::Answer`].
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

    /// Returns the next item. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Came, RtspError> {
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
    pub(super) async fn send_data(&self, channel: u8, packet: &[u8]) -> Result<(), RtspError> {
        self.send(Data::new(channel, packet.to_vec()).into()).await
    }

    async fn send(&self, message: Message<Vec<u8>>) -> Result<(), RtspError> {
        self.writer.send(message).await.map_err(|_| RtspError::Closed)
    }

    /// Answers a server's request, by which it may check that the client is alive. Drops the answer if the write
    /// queue is full.
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

impl Drop for RtspConnection {
    fn drop(&mut self) {
        // The task may be waiting for a server that never reads again.
        self.writing.abort();
    }
}

/// Returns the number of the request that a response answers.
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
