//! Audio streams by HTTP, for browsers and for clients that UDP does not reach.
//!
//! A listener stays longer than a page takes to load, so it has a place of its own: see [`MAX_LISTENERS`]. The relay
//! keeps a bounded part of what a listener does not take, leaves out the rest, and disconnects it after [`MAX_PAUSE`].

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use actix::Recipient;
use actix_http::{
    Method, Request, Response, StatusCode,
    body::{BodySize, BoxBody, MessageBody, None as NoBody},
    header,
};
use arauto_rtsp::{Key, StreamId};
use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::subscribe::{Subscribe, SubscribeError, Subscription};
use crate::{
    server::common::peer::Peer,
    web::{self, words},
};

/// Connections that may listen at once, beside those that ask for the page. Each is an open file. If its client does
/// not read, 32 KiB wait here and up to the bound of [`Subscription::bytes`] in the relay, until the connection is
/// closed.
pub const MAX_LISTENERS: usize = 1024;

/// Gives HTTP access to the streams.
#[derive(Clone)]
pub struct HttpAudio {
    /// Takes the requests to listen.
    pub subscribe: Recipient<Subscribe>,
    /// A permit for each connection that may listen.
    pub places: Arc<Semaphore>,
}

impl HttpAudio {
    /// Gives access to the streams of this relay, for all workers together.
    pub fn new(subscribe: Recipient<Subscribe>) -> Self {
        Self { subscribe, places: Arc::new(Semaphore::new(MAX_LISTENERS)) }
    }
}

/// Signals that a connection listens from now on. The HTTP library keeps it among the data of the connection.
#[derive(Clone, Debug, Default)]
pub struct Listens {
    /// Notified when the connection starts to listen.
    pub notify: Arc<Notify>,
    /// Set from then on.
    pub flag: Arc<AtomicBool>,
}

/// Time after which a listener is removed that takes none of its audio, or that listens by UDP and sends nothing. A
/// paused player, which need not have sent PAUSE, misses the audio meanwhile, and keeps its connection.
pub const MAX_PAUSE: Duration = Duration::from_mins(10);

/// Returns the stream that a path names: four hexadecimal digits.
pub fn stream_at(path: &str) -> Option<StreamId> {
    let digits = path.strip_prefix('/')?;
    let is_id = digits.len() == 4 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| digits.parse().ok())?
}

/// Responds to a request for a stream.
pub async fn respond(
    request: &Request,
    stream: StreamId,
    http_audio: Option<HttpAudio>,
) -> Response<BoxBody> {
    if web::is_read(request.method()) {
        answer(request, stream, http_audio).await.unwrap_or_else(|refusal| refusal)
    } else {
        web::refuse_method()
    }
}

/// Answers with the whole stream from now on, whatever range of it is asked for.
async fn answer(
    request: &Request,
    stream: StreamId,
    http_audio: Option<HttpAudio>,
) -> Result<Response<BoxBody>, Response<BoxBody>> {
    let key = key(request).ok_or_else(|| refusal(SubscribeError::Unknown))?;
    let HttpAudio { subscribe, places } = http_audio.ok_or_else(|| refusal(SubscribeError::Unknown))?;
    let full = |_| unavailable("As many listen by HTTP as may. Try again when somebody has stopped.\n");
    let place = places.try_acquire_owned().map_err(full)?;
    let from = *request.conn_data::<Peer>().ok_or_else(|| refusal(SubscribeError::Unknown))?;
    let (answer, answered) = oneshot::channel();
    subscribe.do_send(Subscribe { stream, key, from, answer });
    let Subscription { content_type, bytes } =
        answered.await.map_err(|_| unavailable("The server ends.\n"))?.map_err(refusal)?;
    let mut response = Response::build(StatusCode::OK);
    response
        .content_type(content_type)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::ACCEPT_RANGES, "none"))
        .force_close();
    if request.method() == Method::HEAD {
        return Ok(response.body(NoBody::new()).map_into_boxed_body());
    }
    if let Some(Listens { notify, flag }) = request.conn_data::<Listens>() {
        flag.store(true, Ordering::Relaxed);
        notify.notify_one();
    }
    Ok(response.body(Body { bytes, _place: place }).map_into_boxed_body())
}

/// Returns the key in the address of a request.
fn key(request: &Request) -> Option<Key> {
    request.uri().query()?.split('&').find_map(|part| part.strip_prefix("key="))?.parse().ok()
}

fn refusal(why: SubscribeError) -> Response<BoxBody> {
    match why {
        SubscribeError::Unknown => words(
            StatusCode::NOT_FOUND,
            "Nothing is played at this address, or not any more, or not for you. Ask for it: /play ana song.mp3\n",
        ),
        SubscribeError::NotYet => unavailable("This is not played yet. Try again in a moment.\n"),
        SubscribeError::Full => {
            unavailable("As many listen to this as may. Try again when somebody has stopped.\n")
        }
        SubscribeError::Banned => words(StatusCode::FORBIDDEN, "An operator keeps your address out.\n"),
        SubscribeError::AddressFull => {
            unavailable("As many listen from your address as may. Try again when one of them has stopped.\n")
        }
        SubscribeError::KeyFull => unavailable(
            "As many listen with this address as may. Stop one of them, or ask for an address of your own: \
             /play ana song.mp3\n",
        ),
    }
}

fn unavailable(why: &'static str) -> Response<BoxBody> {
    words(StatusCode::SERVICE_UNAVAILABLE, why)
}

/// Response body that consists of a stream's bytes as they come.
struct Body {
    bytes: mpsc::Receiver<Bytes>,
    /// The listener's place.
    _place: OwnedSemaphorePermit,
}

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        // An empty chunk would end the response, so it is skipped.
        loop {
            match self.bytes.poll_recv(cx) {
                Poll::Ready(Some(bytes)) if bytes.is_empty() => {}
                polled => return polled.map(|bytes| bytes.map(Ok)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
