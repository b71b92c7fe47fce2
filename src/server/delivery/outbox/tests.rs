use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arauto_protocol::Message;
use proptest::prelude::*;
use tokio::{sync::Semaphore, time::advance};

use super::{super::batch::Batch, *};
use crate::server::net::{connection::Unanswered, sock_diag::NotTaken};

mod flush;

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
    let wire = Rc::new(RefCell::new(Wire { takes: takes.iter().copied().collect(), ..Wire::default() }));
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let bounds = Rc::new(Bounds { limit, grace: GRACE, gap: GAP });
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
        batch.broadcast(&line(data), None);
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

#[test]
fn what_is_not_queued_is_one_write() {
    let (outbox, wire) = outbox(Kind::Line, 1000, &[]);
    let shared = shared(&["one", "two", "three"]);
    at_once(|cx| outbox.borrow_mut().send_shared(&shared, cx)).unwrap();
    assert_eq!(wire.borrow().writes.len(), 1);
    assert_eq!(wire.borrow().text(), "a | b | echo | one\na | b | echo | two\na | b | echo | three\n");
    assert!(!outbox.borrow_mut().wants_flush_task());
}

#[test]
fn an_unframed_client_gets_one_message_a_write_at_the_gap() {
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Unframed, 1000, &[]);
        let began = Instant::now();
        let shared = shared(&["one", "two"]);
        at_once(|cx| outbox.borrow_mut().send_shared(&shared, cx)).unwrap();
        outbox.borrow_mut().put(&line("three"));
        write_all(&outbox, &wire).await;
        advance(GAP / 2).await;
        outbox.borrow_mut().put(&line("four"));
        write_all(&outbox, &wire).await;
        advance(GAP * 9).await;
        outbox.borrow_mut().put(&line("five"));
        write_all(&outbox, &wire).await;
        let written: Vec<_> = wire
            .borrow()
            .writes
            .iter()
            .map(|(at, bytes)| ((*at - began).as_millis(), String::from_utf8_lossy(bytes).into_owned()))
            .collect();
        let expected = [(0, "one"), (50, "two"), (100, "three"), (150, "four"), (600, "five")];
        // The paused clock moves in whole milliseconds, rounded up.
        assert_eq!(written.len(), expected.len());
        for ((at, text), (due, data)) in written.iter().zip(expected) {
            assert_eq!(text, &format!("a | b | echo | {data}"));
            assert!((due..=due + 5).contains(at), "{data} at {at}, not {due}");
        }
        assert!(written.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 50), "{written:?}");
    });
}

#[test]
fn what_an_unframed_client_got_and_is_to_get_is_ended_when_it_turns_out_to_be_a_line_client() {
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Unframed, 1000, &[]);
        let shared = shared(&["one", "two"]);
        at_once(|cx| outbox.borrow_mut().send_shared(&shared, cx)).unwrap();
        assert_eq!(wire.borrow().text(), "a | b | echo | one");
        outbox.borrow_mut().set_kind(Kind::Line);
        assert_eq!(outbox.borrow().queued(), "\na | b | echo | two\n".len());
        outbox.borrow_mut().put(&line("three"));
        write_all(&outbox, &wire).await;
        assert_eq!(wire.borrow().text(), "a | b | echo | one\na | b | echo | two\na | b | echo | three\n");
    });
    // In the middle of a message, only that message gets a newline; before the first message, none is added.
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Unframed, 1000, &[5]);
        outbox.borrow_mut().put(&line("one"));
        at_once(|cx| outbox.borrow_mut().write_now(cx)).unwrap();
        outbox.borrow_mut().set_kind(Kind::Line);
        write_all(&outbox, &wire).await;
        assert_eq!(wire.borrow().text(), "a | b | echo | one\n");
    });
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Unframed, 1000, &[]);
        outbox.borrow_mut().set_kind(Kind::Line);
        outbox.borrow_mut().put(&line("one"));
        write_all(&outbox, &wire).await;
        assert_eq!(wire.borrow().text(), "a | b | echo | one\n");
    });
}

#[test]
fn the_memory_of_what_is_queued_is_counted_with_what_each_piece_takes() {
    in_paused_time(async {
        let total = Arc::new(AtomicU64::new(7));
        let (outbox, wire) = outbox(Kind::Line, 1000, &[0; 100]);
        outbox.borrow_mut().count_into(Arc::clone(&total));
        for _ in 0..3 {
            at_once(|cx| outbox.borrow_mut().send_line(&line("one"), cx)).unwrap();
        }
        let lines = 3 * ("a | b | echo | one\n".len() + 96);
        assert_eq!(total.load(Ordering::Relaxed), 7 + lines as u64);
        // A batch is shared: only its entry in the queue counts.
        let shared = shared(&["two", "three"]);
        at_once(|cx| outbox.borrow_mut().send_shared(&shared, cx)).unwrap();
        assert_eq!(total.load(Ordering::Relaxed), 7 + lines as u64 + 96);
        advance(Duration::from_secs(9)).await;
        let weight = outbox.borrow().weight(Instant::now());
        assert_eq!(weight, (lines + 96, Duration::from_secs(9)));
        // The wire takes one whole piece and a part of the next.
        wire.borrow_mut().takes = [19, 1].into_iter().chain([0; 100]).collect();
        at_once(|cx| outbox.borrow_mut().write_now(cx)).unwrap();
        let weight = outbox.borrow().weight(Instant::now());
        assert_eq!(weight, (2 * lines / 3 + 96, Duration::ZERO));
        assert!(outbox.borrow_mut().evict());
        assert_eq!(total.load(Ordering::Relaxed), 7 + 18 + 96);
        drop(outbox);
        assert_eq!(total.load(Ordering::Relaxed), 7);
    });
}

#[test]
fn a_part_of_a_batch_that_was_copied_for_one_outbox_counts_with_its_bytes() {
    let texts: Vec<String> = (0..100).map(|number| format!("{number:04}")).collect();
    let shared = shared(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let line = "a | b | echo | 0000\n".len();
    // For all but one message, a line client shares the batch. A telnet client and a WebSocket have other bytes.
    for (kind, range, bytes) in [
        (Kind::Line, 0..100, 96),
        (Kind::Line, 1..100, 96),
        (Kind::Line, 1..11, 10 * line + 96),
        (Kind::Unframed, 1..11, 10 * (line - 1 + 96)),
        (Kind::Telnet, 0..100, 96),
        (Kind::Telnet, 1..100, 99 * (line + 1) + 96),
        (Kind::WebSocket, 0..100, 100 * 96),
        (Kind::WebSocket, 1..100, 99 * (line + 1 + 96)),
    ] {
        let total = Arc::<AtomicU64>::default();
        let (outbox, _) = outbox(kind, 1024 * 1024, &[0; 100]);
        outbox.borrow_mut().count_into(Arc::clone(&total));
        outbox.borrow_mut().put_shared(&shared, range.clone());
        assert_eq!(total.load(Ordering::Relaxed), bytes as u64, "{kind:?} {range:?}");
    }
}

#[test]
fn more_than_the_limit_is_full_until_a_little_is_gone_and_half_is_busy_until_a_quarter_is_left() {
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Line, 40, &[0, 20, 0, 0]);
        let shared = shared(&["one", "two", "three"]);
        at_once(|cx| outbox.borrow_mut().send_shared(&shared, cx)).unwrap();
        // When polled again, the socket took 20 of 59 bytes, so the rest is below the limit.
        assert_eq!(outbox.borrow_mut().take_level_change(), Some(FillLevel::High));
        at_once(|cx| outbox.borrow_mut().send_line(&line("four"), cx)).unwrap();
        assert_eq!(outbox.borrow_mut().take_level_change(), Some(FillLevel::Full));
        assert_eq!(outbox.borrow_mut().take_level_change(), None);
        assert!(outbox.borrow_mut().wants_flush_task());
        // At 59 bytes it is full. At 39 it still is: less than a sixteenth of the limit is free. At 37 it is high, at
        // 10 low.
        wire.borrow_mut().takes.extend([20, 2, 17, 10]);
        assert_eq!(flush_task(&outbox).await.unwrap(), Flushed::Change(FillLevel::High));
        assert_eq!(outbox.borrow().queued(), 37);
        assert_eq!(flush_task(&outbox).await.unwrap(), Flushed::Change(FillLevel::Low));
        assert_eq!(outbox.borrow().queued(), 10);
        assert_eq!(flush_task(&outbox).await.unwrap(), Flushed::All);
    });
}

#[test]
fn one_that_is_full_and_takes_nothing_is_stuck_after_the_grace() {
    in_paused_time(async {
        let (outbox, _wire) = outbox(Kind::Line, 10, &[0; 100]);
        at_once(|cx| outbox.borrow_mut().send_shared(&shared(&["one"]), cx)).unwrap();
        assert!(outbox.borrow_mut().wants_flush_task());
        let began = Instant::now();
        assert_eq!(flush_task(&outbox).await.unwrap(), Flushed::Stuck);
        assert_eq!(began.elapsed(), GRACE);
    });
}

#[test]
fn one_that_takes_something_now_and_then_is_not_stuck() {
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Line, 40, &[0; 100]);
        let shared = shared(&["one", "two", "three", "four"]);
        at_once(|cx| outbox.borrow_mut().send_shared(&shared, cx)).unwrap();
        assert_eq!(outbox.borrow_mut().take_level_change(), Some(FillLevel::Full));
        assert!(outbox.borrow_mut().wants_flush_task());
        let trickle = async {
            loop {
                tokio::time::sleep(Duration::from_millis(240)).await;
                wire.borrow_mut().takes = [10].into_iter().chain([0; 100]).collect();
                if let Some(waker) = wire.borrow_mut().blocked.take() {
                    waker.wake();
                }
            }
        };
        tokio::select! {
            flushed = flush_task(&outbox) => assert_eq!(flushed.unwrap(), Flushed::Change(FillLevel::High)),
            () = trickle => {}
        }
        let taken: Vec<usize> = wire.borrow().writes.iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(taken, [10; 5]);
    });
}

#[test]
fn one_whose_other_end_acknowledges_what_the_kernel_holds_is_not_stuck() {
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Line, 10, &[0; 100]);
        wire.borrow_mut().not_taken = Some(NotTaken { unacknowledged: 50_000, unread: 0 });
        at_once(|cx| outbox.borrow_mut().send_shared(&shared(&["one"]), cx)).unwrap();
        assert!(outbox.borrow_mut().wants_flush_task());
        let began = Instant::now();
        // A slow line acknowledges 1,000 bytes every half grace period, five times.
        let line = async {
            for _ in 0..5 {
                tokio::time::sleep(GRACE / 2).await;
                wire.borrow_mut().not_taken.as_mut().unwrap().unacknowledged -= 1000;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            flushed = flush_task(&outbox) => assert_eq!(flushed.unwrap(), Flushed::Stuck),
            () = line => {}
        }
        // The last progress is seen at the end of the third grace period; none is seen in the fourth.
        assert_eq!(began.elapsed(), 4 * GRACE);
    });
}

#[test]
fn one_that_becomes_full_while_its_task_waits_is_stuck_in_time() {
    in_paused_time(async {
        let (outbox, _wire) = outbox(Kind::Line, 20, &[0; 100]);
        at_once(|cx| outbox.borrow_mut().send_line(&line("one"), cx)).unwrap();
        assert!(outbox.borrow_mut().wants_flush_task());
        let fill = async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            at_once(|cx| outbox.borrow_mut().send_line(&line("two, and more"), cx)).unwrap();
            std::future::pending::<()>().await;
        };
        let began = Instant::now();
        tokio::select! {
            flushed = flush_task(&outbox) => assert_eq!(flushed.unwrap(), Flushed::Stuck),
            () = fill => {}
        }
        assert_eq!(began.elapsed().as_millis() / 10, 925);
    });
}

#[test]
fn an_unframed_client_is_not_stuck_by_the_pause_that_it_is_given() {
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Unframed, 20, &[]);
        Rc::make_mut(&mut outbox.borrow_mut().bounds).gap = 4 * GRACE;
        let shared = shared(&["one", "two", "three"]);
        at_once(|cx| outbox.borrow_mut().send_shared(&shared, cx)).unwrap();
        assert_eq!(outbox.borrow_mut().take_level_change(), Some(FillLevel::Full));
        assert!(outbox.borrow_mut().wants_flush_task());
        while flush_task(&outbox).await.unwrap() != Flushed::All {
            assert!(!outbox.borrow().is_evicted() && !outbox.borrow().watermark.is_full());
        }
        assert_eq!(wire.borrow().writes.len(), 3);
    });
}

#[test]
fn far_more_than_the_limit_is_trouble() {
    let (outbox, _wire) = outbox(Kind::Line, 20, &[0; 100]);
    let mut outbox = outbox.borrow_mut();
    at_once(|cx| outbox.send_line(&line("one"), cx)).unwrap();
    at_once(|cx| outbox.send_line(&line("two"), cx)).unwrap();
    let full = loop {
        if let Err(full) = at_once(|cx| outbox.send_line(&line("three"), cx)) {
            break full;
        }
        assert!(outbox.queued < 100);
    };
    assert!(matches!(full, OutboxError::Full), "{full:?}");
}

#[test]
fn a_jammed_one_ends_the_message_that_was_begun_and_takes_its_last_words() {
    let (outbox, wire) = outbox(Kind::Line, 40, &[7, 0, 0]);
    let shared = shared(&["one", "two", "three"]);
    at_once(|cx| outbox.borrow_mut().send_shared(&shared, cx)).unwrap();
    let mut outbox = outbox.borrow_mut();
    assert!(outbox.evict());
    assert!(!outbox.evict());
    outbox.put(&line("too late"));
    at_once(|cx| outbox.send_shared(&shared, cx)).unwrap();
    outbox.put_last_words(&line("last"));
    wire.borrow_mut().takes.clear();
    at_once(|cx| outbox.write_now(cx)).unwrap();
    assert_eq!(wire.borrow().text(), "a | b | echo | one\na | b | echo | last\n");
}

#[test]
fn last_words_may_come_after_the_queue_was_dropped_and_its_task_has_woken() {
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Unframed, 20, &[]);
        at_once(|cx| outbox.borrow_mut().send_line(&line("one"), cx)).unwrap();
        let shared = shared(&["two", "three"]);
        at_once(|cx| outbox.borrow_mut().send_shared(&shared, cx)).unwrap();
        assert!(outbox.borrow_mut().wants_flush_task());
        // The task waits for the gap when the queue is dropped.
        let mut flushing = Box::pin(flush_task(&outbox));
        assert!((&mut flushing).now_or_never().is_none());
        outbox.borrow_mut().evict();
        advance(GAP).await;
        flushing.await.unwrap();
        outbox.borrow_mut().put_last_words(&line("last"));
        at_once(|cx| outbox.borrow_mut().write_now(cx)).unwrap();
        assert_eq!(wire.borrow().text(), "a | b | echo | onea | b | echo | last");
    });
}

#[test]
fn a_failing_write_is_told_once_and_drops_the_rest() {
    let (outbox, wire) = outbox(Kind::Line, 1000, &[]);
    wire.borrow_mut().broken = true;
    let mut outbox = outbox.borrow_mut();
    outbox.put(&line("one"));
    let broken = at_once(|cx| outbox.write_now(cx));
    assert!(matches!(broken, Err(OutboxError::Broken(_))), "{broken:?}");
    outbox.put(&line("two"));
    at_once(|cx| outbox.write_now(cx)).unwrap();
    assert!(!outbox.wants_flush_task());
}

#[test]
fn closing_writes_what_is_queued_then_shuts() {
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Unframed, 1000, &[]);
        outbox.borrow_mut().put(&line("one"));
        outbox.borrow_mut().put(&line("two"));
        outbox.borrow_mut().close(1000, Instant::now() + Duration::from_secs(3));
        outbox.borrow_mut().put(&line("after the end"));
        write_all(&outbox, &wire).await;
        assert_eq!(wire.borrow().text(), "a | b | echo | onea | b | echo | two");
        assert!(wire.borrow().shut);
    });
}

#[test]
fn closing_reaches_a_session_whose_data_path_is_jammed() {
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Line, 1000, &[0; 100]);
        outbox.borrow_mut().put(&line("one"));
        at_once(|cx| outbox.borrow_mut().write_now(cx)).unwrap();
        assert!(outbox.borrow_mut().wants_flush_task());
        // The task waits for the socket without a deadline when the session ends.
        let close = async {
            outbox.borrow_mut().close(1000, Instant::now() + Duration::from_secs(3));
            std::future::pending::<()>().await;
        };
        let began = Instant::now();
        tokio::select! {
            biased;
            outcome = flush_task(&outbox) => assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut),
            () = close => {}
        }
        assert_eq!(began.elapsed().as_secs(), 3);
        assert!(outbox.borrow().writer().is_none() && !wire.borrow().shut);
    });
}

#[test]
fn what_is_put_in_while_a_task_waits_for_the_socket_does_not_take_its_place() {
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Line, 1000, &[0, 0]);
        outbox.borrow_mut().put(&line("one"));
        at_once(|cx| outbox.borrow_mut().write_now(cx)).unwrap();
        assert!(outbox.borrow_mut().wants_flush_task());
        let more = async {
            outbox.borrow_mut().put(&line("two"));
            at_once(|cx| outbox.borrow_mut().write_now(cx)).unwrap();
            let shared = shared(&["three"]);
            at_once(|cx| outbox.borrow_mut().send_shared(&shared, cx)).unwrap();
            // The socket has room again and wakes the task that polled it last.
            wire.borrow_mut().blocked.take().unwrap().wake();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            flushed = flush_task(&outbox) => assert_eq!(flushed.unwrap(), Flushed::All),
            () = more => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => panic!("nobody went on writing"),
        }
        assert_eq!(wire.borrow().text(), "a | b | echo | one\na | b | echo | two\na | b | echo | three\n");
    });
}

#[test]
fn near_the_deadline_an_unframed_client_gets_the_last_word() {
    in_paused_time(async {
        let (outbox, wire) = outbox(Kind::Unframed, 100_000, &[]);
        for number in 0..100 {
            outbox.borrow_mut().put(&line(&number.to_string()));
        }
        outbox.borrow_mut().put(&line("server closed"));
        outbox.borrow_mut().close(1000, Instant::now() + Duration::from_secs(1));
        write_all(&outbox, &wire).await;
        let wire = wire.borrow();
        let texts: Vec<_> = wire.writes.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect();
        assert_eq!(texts.last().unwrap(), "a | b | echo | server closed");
        assert!((15..=21).contains(&texts.len()), "{}", texts.len());
        assert!(wire.shut);
        assert!(outbox.borrow().lost() > 0);
    });
}

#[test]
fn one_long_delivery_into_an_empty_outbox_is_excused() {
    let (outbox, _) = outbox(Kind::Line, 100, &[10, 0, 0, 0, 10, 0]);
    let mut outbox = outbox.borrow_mut();
    for _ in 0..10 {
        outbox.put(&line("one answer of many lines"));
    }
    outbox.exempt_reply();
    at_once(|cx| outbox.write_now(cx)).unwrap();
    outbox.put(&line("a little more"));
    at_once(|cx| outbox.write_now(cx)).unwrap();
    for _ in 0..2 {
        outbox.put(&line("and more, unread all the while"));
    }
    assert_eq!(outbox.take_level_change(), None);
    at_once(|cx| outbox.write_now(cx)).unwrap();
    assert_eq!(outbox.take_level_change(), Some(FillLevel::Full));
}

proptest! {
    #[test]
    fn however_little_the_socket_takes_the_bytes_are_the_same(
        puts in prop::collection::vec((any::<bool>(), "[a-z]{0,20}"), 1..20),
        takes in prop::collection::vec(0..30_usize, 0..60),
        telnet in any::<bool>(),
    ) {
        let kind = if telnet { Kind::Telnet } else { Kind::Line };
        let mut expected = String::new();
        in_paused_time(async {
            let (outbox, wire) = outbox(kind, 100_000, &takes);
            for (alone, data) in &puts {
                if *alone {
                    at_once(|cx| outbox.borrow_mut().send_line(&line(data), cx)).unwrap();
                } else {
                    let shared = shared(&[data, data]);
                    at_once(|cx| outbox.borrow_mut().send_shared(&shared, cx)).unwrap();
                }
                let text = format!("a | b | echo | {data}{}", std::str::from_utf8(kind.ending()).unwrap());
                expected.push_str(&text.repeat(if *alone { 1 } else { 2 }));
            }
            write_all(&outbox, &wire).await;
            assert_eq!(wire.borrow().text(), expected);
        });
    }
}
