//! Tests of the task that waits for the socket, and when it gives up.

use super::*;

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
        let (outbox, wire) = outbox_with_gap(Kind::Unframed, 20, 4 * GRACE, &[]);
        let shared = shared(&["one", "two", "three"]);
        at_once(|cx| outbox.borrow_mut().send_shared(&shared, cx)).unwrap();
        assert_eq!(outbox.borrow_mut().take_level_change(), Some(FillLevel::Full));
        assert!(outbox.borrow_mut().wants_flush_task());
        while flush_task(&outbox).await.unwrap() != Flushed::All {
            assert!(outbox.borrow().is_open() && !outbox.borrow().watermark.is_full());
        }
        assert_eq!(wire.borrow().writes.len(), 3);
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
