//! Tests of the fill level.

use super::*;

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
fn far_more_than_the_limit_is_trouble() {
    let (outbox, _wire) = outbox(Kind::Line, 20, &[0; 100]);
    let mut outbox = outbox.borrow_mut();
    at_once(|cx| outbox.send_line(&line("one"), cx)).unwrap();
    at_once(|cx| outbox.send_line(&line("two"), cx)).unwrap();
    let full = loop {
        if let Err(full) = at_once(|cx| outbox.send_line(&line("three"), cx)) {
            break full;
        }
        assert!(outbox.queued() < 100);
    };
    assert!(matches!(full, OutboxError::Full), "{full:?}");
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

#[test]
fn a_level_that_rises_and_falls_is_told_at_four_different_fills() {
    in_paused_time(async {
        let mut watermark = Watermark::new(Rc::new(Bounds { limit: 160, grace: GRACE, gap: GAP }));
        for (queued, is_rise, told) in [
            (80, true, None),
            (81, true, Some(FillLevel::High)),
            (160, true, None),
            (161, true, Some(FillLevel::Full)),
            (151, false, None),
            (150, false, Some(FillLevel::High)),
            (41, false, None),
            (40, false, Some(FillLevel::Low)),
        ] {
            if is_rise {
                assert_eq!(watermark.rise(queued).unwrap(), told == Some(FillLevel::Full));
            } else {
                watermark.fall(queued, Instant::now());
            }
            assert_eq!(watermark.take_change(), told, "{queued}");
        }
        assert!(watermark.rise(320).unwrap());
        assert_eq!(watermark.stuck_at(None), Some(Instant::now() + GRACE));
        assert!(matches!(watermark.rise(321), Err(OutboxError::Full)));
    });
}
