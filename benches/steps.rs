//! Measures the steps of a broadcast through the server, to locate a regression seen in `fan_out`.
//!
//! Each step stands beside the least that could do the same, so the times in a group divide into ratios. The kernel
//! takes part only in `send`; elsewhere bytes go to a [`Sink`].

use std::{
    hint::black_box,
    io::{self, Read},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix::{
    Addr,
    dev::channel::{AddressReceiver, channel},
};
use arauto::server::steps::{
    Batch, Bounds, Outbox, SendHalf, Session, SessionId, SessionPermit, SessionRef, SharedBatch, Subscriber,
    SubscriberTable, Unanswered, at_once, split,
};
use arauto_protocol::{Kind, Line, Operation, Tag, reply};
use bytes::{BufMut, BytesMut};
use criterion::{Criterion, Throughput};
use tokio::{io::AsyncWrite, runtime, sync::Semaphore};

mod common;

/// Number of messages or receivers in a step.
const MANY: u32 = 1_000;

const MESSAGE_BYTES: usize = 64;

/// Default of `limits.outbox_bytes`.
const OUTBOX_BYTES: usize = 1024 * 1024;

fn main() {
    let mut criterion = common::criterion();
    batch(&mut criterion);
    courier(&mut criterion);
    outbox(&mut criterion);
    send(&mut criterion);
    criterion.final_summary();
}

/// Registry: collects the messages sent in one drain of its mailbox.
fn batch(criterion: &mut Criterion) {
    let line = message();
    let mut group = criterion.benchmark_group("batch/1000_broadcasts");
    group.throughput(Throughput::Elements(u64::from(MANY)));
    group.bench_function("floor_copy", |bencher| {
        bencher.iter(|| {
            let mut bytes = BytesMut::new();
            for _ in 0..MANY {
                bytes.put_slice(black_box(line.as_bytes()));
            }
            bytes.freeze()
        });
    });
    let mut batch = Batch::new(1);
    for (id, except) in [("all", None), ("not_me", Some(session_ref(0)))] {
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                for _ in 0..MANY {
                    batch.broadcast(black_box(&line), TAG, except);
                }
                batch.take(None, |_| true).count()
            });
        });
    }
    group.finish();
}

/// Courier: the loop over its subscribers.
fn courier(criterion: &mut Criterion) {
    let mut room = Room::new(MANY);
    let shared = shared();
    let sinks: Vec<Box<dyn SendHalf>> = (0..MANY).map(|_| Box::new(Sink) as Box<dyn SendHalf>).collect();
    let mut group = criterion.benchmark_group("courier/1000_receivers");
    group.throughput(Throughput::Elements(u64::from(MANY)));
    group.bench_function("floor_call", |bencher| {
        let lines = shared.all_lines(Kind::Line, false);
        bencher.iter(|| sinks.iter().filter(|sink| sink.try_send(black_box(lines)).is_ok()).count());
    });
    group.bench_function("broadcast", |bencher| {
        bencher.iter(|| at_once(|cx| room.subscribers.deliver(black_box(&shared), &[], cx)));
    });
    group.bench_function("own_lines", |bencher| {
        let mut batch = Batch::new(1);
        for number in 0..MANY {
            batch.tell(session_ref(number), message());
        }
        let (_, shared, edits) = batch.take(None, |_| true).next().expect("a batch");
        bencher.iter(|| at_once(|cx| room.subscribers.deliver(black_box(&shared), &edits, cx)));
    });
    group.finish();
}

/// Outbox: lines that could not be sent at once are queued, and then written together.
fn outbox(criterion: &mut Criterion) {
    let line = message();
    let mut group = criterion.benchmark_group("outbox/1000_lines_queued");
    group.throughput(Throughput::Elements(u64::from(MANY)));
    group.bench_function("floor_queue", |bencher| {
        bencher.iter(|| {
            let mut queue = std::collections::VecDeque::new();
            for _ in 0..MANY {
                queue.push_back(black_box(&line).clone());
            }
            queue.len()
        });
    });
    group.bench_function("put_and_write", |bencher| {
        let mut outbox = new_outbox(Sink);
        bencher.iter(|| {
            for _ in 0..MANY {
                outbox.put(black_box(&line));
            }
            at_once(|cx| outbox.write_now(cx)).expect("a sink takes all");
        });
    });
    group.finish();
}

/// Outbox to socket: sends one message on a connection, and reads it at the other end.
fn send(criterion: &mut Criterion) {
    let runtime = runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let _inside = runtime.enter();
    let shared = shared();
    let lines = shared.all_lines(Kind::Line, false);
    let mut read = vec![0; lines.len()];
    let mut group = criterion.benchmark_group("send/1_message");
    group.throughput(Throughput::Elements(1));
    group.bench_function("floor_write", |bencher| {
        let (near, mut far) = common::connection();
        bencher.iter(|| {
            io::Write::write_all(&mut (&near), lines).expect("a socket that takes a line");
            far.read_exact(&mut read).expect("the line");
        });
    });
    group.bench_function("outbox", |bencher| {
        let (near, mut far) = common::connection();
        near.set_nonblocking(true).expect("a socket");
        let (_reading, writing) = split(tokio::net::TcpStream::from_std(near).expect("a reactor"));
        let mut outbox = new_outbox(writing);
        bencher.iter(|| {
            at_once(|cx| outbox.send_shared(&shared, cx)).expect("a socket that takes a line");
            far.read_exact(&mut read).expect("the line");
        });
    });
    group.finish();
}

/// The number and time of a broadcast.
const TAG: Tag = Tag { id: Some(812), millis: 1_796_155_262_123 };

fn message() -> Line {
    common::line("alan", reply::ALL_CLIENTS, Operation::Broadcast, MESSAGE_BYTES)
}

/// A batch of one broadcast.
fn shared() -> Arc<SharedBatch> {
    let mut batch = Batch::new(1);
    batch.broadcast(&message(), TAG, None);
    batch.take(None, |_| true).next().expect("a batch").1
}

fn session_ref(slot: u32) -> SessionRef {
    SessionRef { id: SessionId(u64::from(slot) + 1), courier: 0, slot }
}

fn new_outbox(writer: impl SendHalf) -> Outbox {
    let bounds = Bounds { limit: OUTBOX_BYTES, grace: Duration::ZERO, gap: Duration::ZERO };
    Outbox::new(Box::new(writer), Rc::new(bounds), permit())
}

fn permit() -> Rc<SessionPermit> {
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("the only permit");
    Rc::new(SessionPermit::with_place(place, None))
}

/// Subscribers that all receive broadcasts, and whose connections lead nowhere.
struct Room {
    subscribers: SubscriberTable,
    /// Nothing is sent to the mailboxes, but a closed mailbox would behave differently from a real one.
    _mailboxes: Vec<AddressReceiver<Session>>,
}

impl Room {
    fn new(members: u32) -> Self {
        let mut subscribers = SubscriberTable::default();
        let mut mailboxes = Vec::new();
        let mut batch = Batch::new(1);
        for slot in 0..members {
            let (sender, mailbox) = channel(1);
            subscribers.add(Subscriber::new(
                session_ref(slot),
                Addr::new(sender),
                new_outbox(Sink),
                Rc::new(|_| ()),
            ));
            mailboxes.push(mailbox);
            batch.enter(session_ref(slot));
        }
        let (_, shared, edits) = batch.take(None, |_| true).next().expect("a batch");
        at_once(|cx| subscribers.deliver(&shared, &edits, cx));
        Self { subscribers, _mailboxes: mailboxes }
    }
}

/// A connection that discards all data.
struct Sink;

impl SendHalf for Sink {
    fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
    }

    fn begin_probe(&self) -> io::Result<()> {
        Ok(())
    }

    fn end_probe(&self) -> Unanswered {
        Box::new(|| false)
    }
}

impl AsyncWrite for Sink {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(black_box(bytes).len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(black_box(slices).iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
