use std::{cell::RefCell, collections::VecDeque, future::poll_fn, pin::Pin, sync::atomic::Ordering};

use arauto_protocol::{Message, Tag};
use futures_util::FutureExt;
use tokio::{io::AsyncWrite, sync::Semaphore, time::advance};

use super::{super::batch::Batch, *};
use crate::server::net::{connection::Unanswered, sock_diag::NotTaken};

mod buffer;
mod flush_task;
mod phase;
mod watermark;
mod writer;

const GAP: Duration = Duration::from_millis(50);
const GRACE: Duration = Duration::from_millis(250);

/// The peer of a socket: records what it receives and when, and limits how much it takes.
#[derive(Default)]
struct Wire {
    writes: Vec<(Instant, Vec<u8>)>,
    /// Bytes that each of the next writes takes; 0 means "would block". After the last entry a write takes
    /// everything.
    takes: VecDeque<usize>,
    broken: bool,
    shut: bool,
    /// Bytes that the kernel reports as not taken by the peer, if it reports any.
    not_taken: Option<NotTaken>,
    blocked: Option<Waker>,
}

/// The sending half that writes to a [`Wire`].
struct Half(Rc<RefCell<Wire>>);

impl Wire {
    fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        let taken = self.takes.pop_front().unwrap_or(usize::MAX).min(bytes.len());
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.writes.push((Instant::now(), bytes[..taken].to_vec()));
        Ok(taken)
    }
}

impl AsyncWrite for Half {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.0.borrow_mut();
        match wire.take(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wire.blocked = Some(cx.waker().clone());
                Poll::Pending
            }
            taken => Poll::Ready(taken),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().shut = true;
        Poll::Ready(Ok(()))
    }
}

impl SendHalf for Half {
    fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().take(bytes)
    }

    fn not_taken(&self) -> Option<NotTaken> {
        self.0.borrow().not_taken
    }

    fn begin_probe(&self) -> io::Result<()> {
        Ok(())
    }

    fn end_probe(&self) -> Unanswered {
        Box::new(|| false)
    }
}

impl Wire {
    fn text(&self) -> String {
        self.writes.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect()
    }
}

fn outbox(kind: Kind, limit: usize, takes: &[usize]) -> (Rc<RefCell<Outbox>>, Rc<RefCell<Wire>>) {
    outbox_with_gap(kind, limit, GAP, takes)
}

fn outbox_with_gap(
    kind: Kind,
    limit: usize,
    gap: Duration,
    takes: &[usize],
) -> (Rc<RefCell<Outbox>>, Rc<RefCell<Wire>>) {
    let wire = Rc::new(RefCell::new(Wire { takes: takes.iter().copied().collect(), ..Wire::default() }));
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let bounds = Rc::new(Bounds { limit, grace: GRACE, gap });
    let mut outbox = Outbox::new(
        Box::new(Half(Rc::clone(&wire))),
        bounds,
        Rc::new(SessionPermit::with_place(place, None)),
    );
    outbox.set_kind(kind);
    (Rc::new(RefCell::new(outbox)), wire)
}

fn line(data: &str) -> Line {
    Line::lossy(&Message { sender: "a", destination: "b", operation: "echo", data })
}

fn shared(data: &[&str]) -> Arc<SharedBatch> {
    let mut batch = Batch::new(1);
    for data in data {
        batch.broadcast(&line(data), Tag { id: Some(1), millis: 0 }, None);
    }
    batch.take(None, |_| true).next().unwrap().1
}

/// Runs a test on a paused clock, which moves only when the test advances it or when all tasks wait.
fn in_paused_time(run: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        // The timeout is in paused time: if nothing can make progress, it fires at once.
        .block_on(async { tokio::time::timeout(Duration::from_hours(1), run).await.expect("an end") });
}

/// Writes what the wire takes at once, then the rest as the wire takes it.
async fn write_all(outbox: &Rc<RefCell<Outbox>>, wire: &Rc<RefCell<Wire>>) {
    at_once(|cx| outbox.borrow_mut().write_now(cx)).unwrap();
    while outbox.borrow_mut().wants_flush_task() {
        let flushing = flush_task(outbox);
        tokio::pin!(flushing);
        // A wire that blocked is ready again at once.
        let wake = poll_fn(|_| {
            if let Some(waker) = wire.borrow_mut().blocked.take() {
                waker.wake();
            }
            Poll::<()>::Pending
        });
        tokio::select! {
            biased;
            done = &mut flushing => assert_ne!(done.unwrap(), Flushed::Stuck),
            () = wake => {}
        }
    }
}
