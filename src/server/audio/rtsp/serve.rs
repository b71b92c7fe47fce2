//! Serves one RTSP connection in one task, which reads, passes requests to the session, and writes.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use arauto_rtsp::input::{Incoming, Input};
use slog::{Logger, debug};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::yield_now,
    time::{Instant, timeout_at},
};

use super::{
    super::{
        connection_limiter::Standing,
        outgoing::{End, Outgoing},
    },
    MAX_PAUSE, SESSION_TIMEOUT, response,
    session::{Progress, Role, RtspSession},
    stream_access::StreamAccess,
};
use crate::server::{common::stream_stats::StreamEnd, net::connection::see_out};

/// Time limit for a TLS handshake, for a connection to start playing or publishing, and for a request to be complete.
pub const SETUP_TIMEOUT: Duration = Duration::from_secs(20);

/// Time that queued output may wait while the client takes no byte of it. For a listener [`MAX_PAUSE`] holds instead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time from the end of a stream until the connection of a listener that has not sent TEARDOWN is closed. `GStreamer`
/// plays what it has buffered first, and reports an error if the connection is closed before its TEARDOWN is answered.
const TEARDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Time from a TEARDOWN that ended a stream, or came after its end, until the server closes the connection itself.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Size of the read buffer, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// Requests and datagrams processed before the task yields: of any connection, and of a connection without a valid key.
const MAX_REQUESTS_PER_TURN: usize = 64;
const MAX_REQUESTS_WITHOUT_KEY: usize = 4;

/// The event that ends a wait.
enum Step {
    Read,
    /// The client sends nothing more.
    Closed,
    Wrote,
    /// The connection is to end.
    Ending,
}

/// Serves a connection until its end. Calls `stands` with its current standing before each wait.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    outgoing: Rc<Outgoing>,
    mut access: StreamAccess,
    mut stands: impl FnMut(Standing),
    log: &Logger,
) {
    let Ok(number) = getrandom::u64() else { return };
    let mut talk = Talk {
        session: RtspSession::new(number),
        input: Input::default(),
        outgoing,
        begun: Instant::now(),
        asked: Instant::now(),
        midway: None,
        written: Instant::now(),
        over: None,
        torn_down: None,
    };
    let why = loop {
        while talk.answer_some(&mut access) {
            // The bytes of one read can be a thousand datagrams, each for a thousand listeners.
            yield_now().await;
        }
        stands(talk.standing());
        let deadline = talk.deadline();
        let step = poll_fn(|cx| talk.step(&mut stream, cx));
        let step = match deadline {
            Some(deadline) => timeout_at(deadline, step).await,
            None => Ok(step.await),
        };
        match step {
            Ok(Ok(Step::Read)) => {}
            Ok(Ok(Step::Wrote)) => talk.written = Instant::now(),
            Ok(Ok(Step::Ending)) => {
                talk.over.get_or_insert_with(Instant::now);
            }
            Ok(Ok(Step::Closed)) => break "closed",
            Ok(Err(error)) => {
                debug!(log, "audio connection broken"; "error" => %error);
                break "broken";
            }
            Err(_late) => break "timeout",
        }
        if talk.is_done() {
            break "done";
        }
    };
    access.part(StreamEnd::Gone);
    debug!(log, "audio connection ended"; "why" => why, "how" => ?talk.outgoing.ending());
    // Reads the rest of the input: closing with unread input would discard output that the client has not read yet.
    see_out(stream, &[]).await;
}

struct Talk {
    session: RtspSession,
    input: Input,
    outgoing: Rc<Outgoing>,
    begun: Instant,
    /// When the last request was answered.
    asked: Instant,
    /// Since when a request or datagram has been incomplete.
    midway: Option<Instant>,
    /// When the last output was written, or the queue was last empty.
    written: Instant,
    /// Since when the stream has been over.
    over: Option<Instant>,
    /// When the last TEARDOWN was answered.
    torn_down: Option<Instant>,
}

impl Talk {
    /// Processes complete requests and datagrams while the output queue has room. Returns whether to yield and call
    /// again.
    fn answer_some(&mut self, access: &mut StreamAccess) -> bool {
        let is_known = self.session.has_shown_key();
        let mut turns = if is_known { MAX_REQUESTS_PER_TURN } else { MAX_REQUESTS_WITHOUT_KEY };
        while self.outgoing.has_room() && !self.is_ending_now() {
            if turns == 0 {
                return true;
            }
            turns -= 1;
            let next = self.input.next_incoming();
            if !matches!(next, Ok(None)) {
                self.midway = None;
            }
            match next {
                Ok(None) => break,
                Ok(Some(Incoming::Datagram(channel, bytes))) => access.hear(channel, &bytes),
                Ok(Some(Incoming::Request(request))) => {
                    let was_beginning = self.session.progress() == Progress::Beginning;
                    let had_role = self.session.role().is_some();
                    let answer = self.session.answer(&request, access);
                    self.outgoing.answer(answer.bytes);
                    if answer.is_last {
                        self.outgoing.end(End::Now);
                    }
                    self.asked = Instant::now();
                    if !was_beginning && self.session.progress() == Progress::Beginning {
                        self.begun = self.asked;
                    }
                    if had_role && self.session.role().is_none() {
                        self.torn_down = Some(self.asked);
                    }
                }
                Err(why) => {
                    self.outgoing.answer(response::not_understood(why));
                    self.outgoing.end(End::Now);
                }
            }
        }
        if self.input.is_midway() {
            self.midway.get_or_insert_with(Instant::now);
        } else {
            self.midway = None;
        }
        if self.outgoing.is_empty() {
            self.written = Instant::now();
        }
        false
    }

    fn standing(&self) -> Standing {
        match (self.over, self.session.role()) {
            (Some(_), _) => Standing::Closing,
            (None, Some(_)) => Standing::SetUp,
            (None, None) if self.session.has_shown_key() => Standing::Authenticated,
            (None, None) => Standing::Unauthenticated,
        }
    }

    /// When a connection whose stream has ended is closed.
    fn close_at(&self) -> Option<Instant> {
        let over = self.over?;
        Some(match self.session.role() {
            Some(Role::Listener) => over + TEARDOWN_TIMEOUT,
            // The publisher did not end its stream itself, so it has to stop sending.
            Some(Role::Publisher) => over,
            None => {
                (over + TEARDOWN_TIMEOUT).min(self.torn_down.map_or(over, |at| at.max(over)) + CLOSE_TIMEOUT)
            }
        })
    }

    fn is_ending_now(&self) -> bool {
        self.outgoing.ending() == Some(End::Now)
    }

    /// Whether the connection can be closed.
    fn is_done(&self) -> bool {
        match self.outgoing.ending() {
            None | Some(End::Over) => false,
            Some(End::Now) => self.outgoing.is_empty(),
        }
    }

    /// When the connection times out. A client that publishes or plays may stay silent on its connection indefinitely.
    fn deadline(&self) -> Option<Instant> {
        let idle = match self.session.progress() {
            Progress::Running => None,
            Progress::Paused => Some(self.asked + SESSION_TIMEOUT),
            Progress::Beginning => Some(self.begun + SETUP_TIMEOUT),
        };
        let midway = self.midway.map(|since| since + SETUP_TIMEOUT);
        // A paused player takes nothing until it resumes, and often sends nothing.
        let is_listening = self.session.role() == Some(Role::Listener) && self.over.is_none();
        let slowness = if is_listening { MAX_PAUSE } else { WRITE_TIMEOUT };
        let slow = (!self.outgoing.is_empty()).then(|| self.written + slowness);
        [idle, midway, slow, self.close_at()].into_iter().flatten().min()
    }

    fn step(
        &mut self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Step>> {
        self.outgoing.listen(cx);
        if self.outgoing.ending().is_some() && (self.over.is_none() || self.is_done()) {
            return Poll::Ready(Ok(Step::Ending));
        }
        if let Some(front) = self.outgoing.front() {
            if let Poll::Ready(written) = Pin::new(&mut *stream).poll_write(cx, &front) {
                let written = written?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.outgoing.written(written);
                return Poll::Ready(Ok(Step::Wrote));
            }
        } else if let Poll::Ready(Err(error)) = Pin::new(&mut *stream).poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        // A client that does not take responses is not read from.
        if !self.outgoing.has_room() {
            return Poll::Pending;
        }
        // The buffer is on the stack, so an idle connection holds no read buffer.
        let mut room = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut room);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Ok(Step::Closed));
        }
        self.input.extend(buffer.filled());
        Poll::Ready(Ok(Step::Read))
    }
}

#[cfg(test)]
mod tests;
