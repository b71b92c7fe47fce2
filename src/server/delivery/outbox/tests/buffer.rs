//! Tests of what is queued, how it is written, and what it weighs.

use proptest::prelude::*;

use super::*;

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
fn a_dropped_buffer_keeps_the_rest_of_the_message_that_was_begun() {
    in_paused_time(async {
        let text = |buffer: &Buffer| buffer.single().map(|piece| String::from_utf8_lossy(piece).into_owned());
        for (kind, written, kept) in [
            (Kind::Line, 0, None),
            (Kind::Line, 1, Some("ne\n")),
            (Kind::Line, 8, None),
            (Kind::Line, 9, Some("ast\n")),
            (Kind::Unframed, 1, Some("ne\ntwo\n")),
        ] {
            let mut buffer = Buffer::new(false);
            buffer.set_kind(kind);
            for piece in ["one\ntwo\n", "last\n"] {
                buffer.push(Piece::own(Bytes::from_static(piece.as_bytes())));
            }
            let queued = buffer.len();
            buffer.consume(written, Instant::now());
            buffer.drop_unsent();
            assert_eq!(text(&buffer).as_deref(), kept);
            assert_eq!(written + buffer.len() + buffer.lost(), queued);
        }
    });
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
