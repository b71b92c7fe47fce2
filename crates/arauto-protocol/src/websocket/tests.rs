use proptest::prelude::*;

use super::*;

const LIMIT: usize = 64;

/// A client's frame with this first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..=125 => bytes.push(MASKED | u8::try_from(length).unwrap()),
        length => {
            bytes.push(MASKED + 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

fn text(payload: &[u8]) -> Vec<u8> {
    frame(FIN | TEXT, payload)
}

fn line(text: &str) -> Frame {
    Frame::Line(text.as_bytes().into())
}

/// Decodes bytes that arrive in reads of these sizes; a last read takes the rest.
fn decode(bytes: &[u8], reads: &[usize]) -> (Vec<Frame>, Vec<u8>) {
    let mut decoder = WebSocket::default();
    let (mut frames, mut src, mut left) = (Vec::new(), BytesMut::new(), bytes);
    for read in reads.iter().copied().chain([usize::MAX]) {
        let (now, later) = left.split_at(read.min(left.len()));
        src.extend_from_slice(now);
        left = later;
        while let Some(frame) = decoder.next(&mut src, LIMIT) {
            frames.push(frame);
        }
        // Control frames may be longer than the short messages allowed here.
        let most = (LIMIT + 2).max(125) + HEADER_BYTES;
        assert!(src.len() < most, "{} bytes kept", src.len());
    }
    (frames, decoder.take_replies())
}

#[test]
fn a_text_frame_is_a_message() {
    // The example of section 5.7.
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode(&hello, &[]).0, [line("Hello")]);
}

#[test]
fn a_server_does_not_mask() {
    let mut sent = BytesMut::new();
    put_text(&mut sent, b"Hello");
    assert_eq!(sent[..], [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    assert_eq!(close_frame(1000)[..], [0x88, 0x02, 0x03, 0xe8]);
    for length in [0, 125, 126, 65_535, 65_536] {
        let mut sent = BytesMut::new();
        put_text(&mut sent, &vec![b'x'; length]);
        assert_eq!(frame_len(&sent), sent.len());
    }
}

#[test]
fn a_line_ending_at_the_end_does_not_count_and_an_empty_message_is_none() {
    let bytes = [text(b"a\r\n"), text(b"\n"), text(b""), text(b"b\n")].concat();
    assert_eq!(decode(&bytes, &[]).0, [line("a"), line("b")]);
    assert_eq!(decode(&text(&[b'x'; LIMIT]), &[]).0, [line(&"x".repeat(LIMIT))]);
    let ended = [&[b'x'; LIMIT][..], b"\r\n"].concat();
    assert_eq!(decode(&text(&ended), &[]).0, [line(&"x".repeat(LIMIT))]);
}

#[test]
fn pieces_make_a_message_and_a_ping_may_come_between() {
    let bytes =
        [frame(TEXT, b"a\xc3"), frame(FIN | PING, b"ping"), frame(CONTINUATION, b"\xa7"), frame(FIN, b"o")]
            .concat();
    assert_eq!(decode(&bytes, &[]), (vec![line("a\u{e7}o")], [&[0x8a, 4][..], b"ping"].concat()));
}

#[test]
fn what_is_too_long_is_dropped_to_its_end_and_said_once() {
    let long = text(&[b'x'; 5000]);
    let pieces = [frame(TEXT, &[b'x'; 60]), frame(CONTINUATION, &[b'x'; 60]), frame(FIN, b"x")].concat();
    let just = text(&[b'x'; LIMIT + 1]);
    for bytes in [long, pieces, just] {
        let bytes = [bytes, text(b"after")].concat();
        assert_eq!(decode(&bytes, &[]).0, [Frame::TooLong, line("after")]);
    }
}

#[test]
fn a_frame_said_to_be_huge_takes_no_memory() {
    let mut bytes = vec![FIN | TEXT, MASKED | 127];
    bytes.extend((u64::MAX >> 1).to_be_bytes());
    bytes.extend(vec![0; MASK_BYTES + 100_000]);
    assert_eq!(decode(&bytes, &[20, 30_000]).0, []);
    bytes[2] = 0x80;
    assert_eq!(decode(&bytes, &[]).0, [Frame::Breach(Breach::Unknown)]);
}

#[test]
fn a_control_frame_may_be_longer_than_a_message() {
    let ping = frame(FIN | PING, &[b'x'; 125]);
    assert_eq!(decode(&ping, &[100]).1[..2], [0x8a, 125]);
}

#[test]
fn a_close_frame_is_the_end() {
    let bytes = [frame(FIN | CLOSE, &1000_u16.to_be_bytes()), text(b"after")].concat();
    assert_eq!(decode(&bytes, &[]).0, [Frame::Goodbye]);
}

#[test]
fn a_close_frame_has_nothing_or_a_code_that_may_be_sent_and_text() {
    let read = |payload: &[u8]| decode(&[frame(FIN | CLOSE, payload), text(b"after")].concat(), &[]).0;
    assert_eq!(read(b""), [Frame::Goodbye]);
    assert_eq!(read("\u{3}\u{0}x".as_bytes()), [Frame::Breach(Breach::CloseCode)]);
    assert_eq!(read(&[&[0x03, 0xe8][..], "até logo".as_bytes()].concat()), [Frame::Goodbye]);
    let with_code = |code: u16| read(&code.to_be_bytes());
    for code in
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    {
        assert_eq!(with_code(code), [Frame::Goodbye], "{code}");
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        assert_eq!(with_code(code), [Frame::Breach(Breach::CloseCode)], "{code}");
    }
}

#[test]
fn each_breach_is_found_and_nothing_is_read_after_it() {
    let mut unmasked = text(b"a");
    unmasked[1] &= LENGTH;
    for (bytes, breach) in [
        (unmasked, Breach::Unmasked),
        (frame(FIN | 0x40 | TEXT, b"a"), Breach::Reserved),
        (frame(FIN | 3, b"a"), Breach::Unknown),
        (frame(FIN + 11, b"a"), Breach::Unknown),
        (frame(PING, b"a"), Breach::Control),
        (frame(FIN | CLOSE, &[0; 126]), Breach::Control),
        (frame(FIN, b"a"), Breach::Fragment),
        ([frame(TEXT, b"a"), text(b"b")].concat(), Breach::Fragment),
        (frame(FIN | BINARY, b"a"), Breach::Binary),
        (text(b"\xff"), Breach::NotUtf8),
        (frame(FIN | CLOSE, b"\x03"), Breach::CloseCode),
        (frame(FIN | CLOSE, b"\x03\xe8\xff"), Breach::CloseNotUtf8),
    ] {
        let bytes = [bytes, text(b"after")].concat();
        assert_eq!(decode(&bytes, &[]).0, [Frame::Breach(breach)]);
    }
}

#[test]
fn an_answer_to_a_ping_is_no_sign_of_somebody() {
    let mut decoder = WebSocket::default();
    for (bytes, heard) in
        [(frame(FIN | PONG, b""), false), (text(b""), true), (frame(FIN | PONG, b""), false)]
    {
        assert_eq!(decoder.next(&mut BytesMut::from(&bytes[..]), LIMIT), None);
        assert_eq!(decoder.take_heard(), heard);
    }
}

#[test]
fn a_message_is_begun_until_its_last_piece_has_come() {
    let mut decoder = WebSocket::default();
    let mut src = BytesMut::from(&frame(TEXT, b"a")[..]);
    assert_eq!(decoder.next(&mut src, LIMIT), None);
    assert!(decoder.is_mid_message());
    src.extend_from_slice(&frame(FIN, b"b"));
    assert_eq!(decoder.next(&mut src, LIMIT), Some(line("ab")));
    assert!(!decoder.is_mid_message());
    src.extend_from_slice(&[frame(TEXT, b"a"), text(b"b")].concat());
    assert_eq!(decoder.next(&mut src, LIMIT), Some(Frame::Breach(Breach::Fragment)));
    assert!(!decoder.is_mid_message());
    let mut decoder = WebSocket::default();
    assert_eq!(decoder.abandon(&mut src), Frame::Breach(Breach::Overdue));
    src.extend_from_slice(&text(b"after"));
    assert_eq!(decoder.next(&mut src, LIMIT), None);
}

proptest! {
    #[test]
    fn cuts_make_no_difference(
        messages in prop::collection::vec(("[a-zç|]{0,100}", prop::collection::vec(0..50_usize, 0..3)), 0..6),
        reads in prop::collection::vec(1..40_usize, 0..60),
    ) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (message, cuts) in &messages {
            let (mut left, mut opcode) = (message.as_bytes(), TEXT);
            for cut in cuts {
                let (piece, rest) = left.split_at((*cut).min(left.len()));
                bytes.extend(frame(opcode, piece));
                (left, opcode) = (rest, CONTINUATION);
            }
            bytes.extend(frame(FIN | opcode, left));
            match message.len() {
                0 => {}
                1..=LIMIT => expected.push(line(message)),
                _ => expected.push(Frame::TooLong),
            }
        }
        prop_assert_eq!(decode(&bytes, &reads).0, expected);
    }

    #[test]
    fn anything_is_read_without_panic(bytes: Vec<u8>, reads in prop::collection::vec(1..10_usize, 0..10)) {
        decode(&bytes, &reads);
    }
}
