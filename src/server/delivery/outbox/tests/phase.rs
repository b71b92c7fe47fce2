//! Tests of eviction, failure and the end of the session.

use super::*;

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
