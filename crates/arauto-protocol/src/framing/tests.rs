use proptest::{collection::vec, prelude::*};

use super::*;

const LIMIT: usize = 64;

/// All frames of a stream that arrives in these reads and then ends.
fn frames(reads: &[&[u8]]) -> (Vec<Frame>, Kind) {
    let mut decoder = FrameDecoder::new(LIMIT);
    let mut src = BytesMut::new();
    let mut frames = Vec::new();
    for read in reads {
        src.extend_from_slice(read);
        while let Some(frame) = decoder.decode(&mut src).unwrap() {
            frames.push(frame);
        }
        decoder.read_done(&src);
    }
    while let Some(frame) = decoder.decode_eof(&mut src).unwrap() {
        frames.push(frame);
    }
    (frames, decoder.kind())
}

fn line(text: &str) -> Frame {
    Frame::Line(text.into())
}

#[test]
fn every_line_ending() {
    let sent = b"\n\r\none\ntwo\r\nthree\r\0\r\n\nfour\n";
    assert_eq!(frames(&[sent]).0, [line("one"), line("two"), line("three"), line("four")]);
}

#[test]
fn a_byte_order_mark_is_dropped_at_the_start_only() {
    assert_eq!(frames(&[b"\xef\xbb", b"\xbfalan\n\xef\xbb\xbfbob\n"]).0, [line("alan"), line("\u{feff}bob")]);
}

#[test]
fn a_nul_alone_ends_nothing() {
    assert_eq!(frames(&[b"a\0b\n"]).0, [line("a\0b")]);
}

#[test]
fn lines_at_and_over_the_limit() {
    let fits = "x".repeat(LIMIT);
    let sent = format!("{fits}\r\n{fits}x\n{fits}{fits}{fits}\r\0ok\n");
    assert_eq!(frames(&[sent.as_bytes()]).0, [line(&fits), Frame::TooLong, Frame::TooLong, line("ok")]);
}

#[test]
fn the_end_of_the_stream_in_a_line() {
    assert_eq!(frames(&[b"one\ntw"]).0, [line("one"), Frame::Unfinished]);
    assert_eq!(frames(&[b"one\n"]).0, [line("one")]);
    assert_eq!(frames(&[b"\xff\xfd\x01tw"]).0, [Frame::Unfinished]);
}

#[test]
fn other_protocols_are_known_by_their_first_bytes() {
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(300));
    for http in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &long] {
        assert_eq!(frames(&[http.as_bytes()]).0, [Frame::Http], "{http}");
    }
    assert_eq!(frames(&[b"\x16", b"\x03\x01\x02\x00\x01\x00\n\n"]).0, [Frame::Tls]);
    assert_eq!(frames(&[b"alan\nGET / HTTP/1.1\r\n"]).0, [line("alan"), line("GET / HTTP/1.1")]);
}

#[test]
fn telnet_from_the_first_iac_on() {
    let (seen, kind) = frames(&[b"alan\r\nal\xff\xfb\x18x\x7fan\r\0"]);
    assert_eq!((seen, kind), (vec![line("alan"), line("alan")], Kind::Telnet));
}

const INTRODUCTION: &[u8] = b"alan | server | name | alan";

/// A decoder that read the introduction in one read, followed by silence.
fn unframed() -> (FrameDecoder, BytesMut) {
    let mut decoder = FrameDecoder::new(LIMIT);
    let mut src = BytesMut::from(INTRODUCTION);
    assert_eq!(decoder.decode(&mut src).unwrap(), None);
    assert!(decoder.read_done(&src));
    assert_eq!(decoder.silence(&mut src), Some(Frame::Line(INTRODUCTION.into())));
    assert_eq!(decoder.kind(), Kind::Unframed);
    (decoder, src)
}

#[test]
fn unframed_only_after_silence_on_one_read() {
    unframed();
    for reads in [[&INTRODUCTION[..5], &INTRODUCTION[5..]], [INTRODUCTION, b"\n"], [b"ala", b"n"]] {
        let mut decoder = FrameDecoder::new(LIMIT);
        let mut src = BytesMut::new();
        let mut awaits_silence = false;
        for read in reads {
            src.extend_from_slice(read);
            while decoder.decode(&mut src).unwrap().is_some() {}
            awaits_silence = decoder.read_done(&src);
        }
        assert!(!awaits_silence, "{reads:?}");
        assert_eq!(decoder.kind(), Kind::Line);
    }
}

#[test]
fn unframed_messages_are_reads() {
    let (mut decoder, mut src) = unframed();
    let mut read = |bytes: &[u8]| {
        src.extend_from_slice(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = decoder.decode(&mut src).unwrap() {
            frames.push(frame);
        }
        let mut waits = false;
        while decoder.read_done(&src) {
            waits = true;
            frames.extend(decoder.silence(&mut src));
        }
        (frames, waits)
    };
    assert_eq!(read(b"alan | alan | echo | hi"), (vec![line("alan | alan | echo | hi")], false));
    assert_eq!(read(b"alan | server | exit"), (vec![line("alan | server | exit")], true));
    assert_eq!(read(b"/list"), (vec![line("/list")], false));
    assert_eq!(
        read(b"a | b | echo | x\na | b | echo | y"),
        (vec![line("a | b | echo | x"), line("a | b | echo | y")], false)
    );
    assert_eq!(read(&[b'|'; LIMIT + 1]), (vec![Frame::TooLong], false));
    assert_eq!(read(&[b'|'; 3 * LIMIT]), (vec![Frame::TooLong], true));
    assert_eq!(
        read(b"alan | alan | echo | \xff"),
        (vec![Frame::Line(b"alan | alan | echo | \xff"[..].into())], false)
    );
}

/// A decoder whose second line was abandoned after `begun`.
fn abandoned(first: &[u8], begun: &[u8]) -> (FrameDecoder, BytesMut) {
    let mut decoder = FrameDecoder::new(LIMIT);
    let mut src = BytesMut::from(first);
    assert_eq!(decoder.decode(&mut src).unwrap(), Some(line("alan")));
    decoder.read_done(&src);
    assert_eq!(decoder.unfinished_line(&src), None);
    src.extend_from_slice(begun);
    assert_eq!(decoder.decode(&mut src).unwrap(), None);
    assert!(decoder.unfinished_line(&src).is_some());
    assert_eq!(decoder.abandon(&mut src), Frame::Overdue);
    assert_eq!(decoder.unfinished_line(&src), None);
    (decoder, src)
}

#[test]
fn an_abandoned_line_is_dropped_to_its_end_and_no_further() {
    let long = [b'x'; 3 * LIMIT];
    for first in [&b"alan\n"[..], b"al\xff\xf1an\r\n"] {
        for begun in [&b"half"[..], b"half\r", b"\r", &long] {
            for rest in
                [&b"\n"[..], b"x\n", b"\r\n", b"\r\0", &[&long[..], b"\n"].concat(), b"y\xff\xf1z\r\n"]
            {
                let (mut decoder, mut src) = abandoned(first, begun);
                src.extend_from_slice(rest);
                src.extend_from_slice(b"next\nha");
                let said = (first, begun, rest);
                assert_eq!(decoder.decode(&mut src).unwrap(), Some(line("next")), "{said:?}");
                assert_eq!(decoder.decode(&mut src).unwrap(), None, "{said:?}");
                assert!(decoder.unfinished_line(&src).is_some(), "{said:?}");
                assert_eq!(decoder.decode_eof(&mut src).unwrap(), Some(Frame::Unfinished), "{said:?}");
            }
            let (mut decoder, mut src) = abandoned(first, begun);
            assert_eq!(decoder.decode_eof(&mut src).unwrap(), None, "said already: {first:?} {begun:?}");
        }
    }
}

#[test]
fn an_abandoned_unframed_message_ends_with_silence() {
    let (mut decoder, mut src) = unframed();
    src.extend_from_slice(b"alan | alan");
    assert_eq!(decoder.decode(&mut src).unwrap(), None);
    assert!(decoder.unfinished_line(&src).is_some());
    decoder.abandon(&mut src);
    src.extend_from_slice(b" | echo | hi");
    assert_eq!(decoder.decode(&mut src).unwrap(), None);
    assert!(decoder.read_done(&src));
    assert_eq!(decoder.silence(&mut src), None);
    src.extend_from_slice(b"/list");
    assert_eq!(decoder.decode(&mut src).unwrap(), Some(line("/list")));
}

#[test]
fn an_unframed_client_whose_read_ends_with_a_line_ending_is_a_line_client() {
    for reads in [
        &[&b"\r\n"[..]][..],
        &[b"\n"],
        &[b"\r", b"\n"],
        &[b"alan | alan | echo | hi\r\n"],
        &[b"/list", b"\r\n"],
        &[b"\r\nalan | alan | echo | hi", b"\r\n"],
    ] {
        let (mut decoder, mut src) = unframed();
        let mut seen = Vec::new();
        for read in reads {
            assert_eq!(decoder.kind(), Kind::Unframed, "{reads:?}");
            src.extend_from_slice(read);
            while let Some(frame) = decoder.decode(&mut src).unwrap() {
                seen.push(frame);
            }
            if decoder.read_done(&src) {
                seen.extend(decoder.silence(&mut src));
            }
        }
        assert_eq!(decoder.kind(), Kind::Line, "{reads:?}");
        assert!(
            seen.iter().all(|frame| [line("alan | alan | echo | hi"), line("/list")].contains(frame)),
            "{seen:?}"
        );
        // From here on, only a line ending ends a message.
        src.extend_from_slice(b"alan | alan | echo | ho");
        assert_eq!(decoder.decode(&mut src).unwrap(), None);
        assert!(!decoder.read_done(&src));
        src.extend_from_slice(b"\r\n");
        assert_eq!(decoder.decode(&mut src).unwrap(), Some(line("alan | alan | echo | ho")));
    }
    // A line ending inside DATA does not change the kind.
    let (mut decoder, mut src) = unframed();
    src.extend_from_slice(b"alan | alan | echo | two\nlines");
    while decoder.decode(&mut src).unwrap().is_some() {}
    assert!(decoder.read_done(&src));
    assert_eq!(decoder.kind(), Kind::Unframed);
}

#[test]
fn the_first_line_is_not_timed_and_each_other_has_its_own_number() {
    let mut decoder = FrameDecoder::new(LIMIT);
    let mut src = BytesMut::from(&b"al"[..]);
    let mut numbers = Vec::new();
    for more in [&b"an"[..], b"\n", b"o", b"ne", b"\nt", b"wo\n\n", b"t"] {
        src.extend_from_slice(more);
        while decoder.decode(&mut src).unwrap().is_some() {}
        numbers.push(decoder.unfinished_line(&src));
    }
    assert_eq!(numbers, [None, None, Some(1), Some(1), Some(2), None, Some(4)]);
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..12),
        "[a-z |]{0,80}".prop_map(String::into_bytes),
        prop::sample::select(vec![
            &b"\n"[..],
            b"\r\n",
            b"\r\0",
            b"\r",
            b"\0",
            b"\xef\xbb\xbf",
            b"\xff\xfd\x01",
            b"\xff\xf4",
            b"\xff\xff",
            b"\xff\xfa\x18x\xff\xf0",
            b"\x08",
            b"\x7f",
            b"GET / HTTP/1.1",
            b"\x16\x03\x01",
            "é".as_bytes(),
        ])
        .prop_map(<[u8]>::to_vec),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn cuts_change_nothing(pieces in vec(piece(), 0..12), cuts in vec(any::<prop::sample::Index>(), 0..20)) {
        let sent = pieces.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(sent.len() + 1)).collect();
        cuts.extend([0, sent.len()]);
        cuts.sort_unstable();
        let reads: Vec<&[u8]> = cuts.windows(2).map(|cut| &sent[cut[0]..cut[1]]).collect();
        let bytes: Vec<&[u8]> = sent.chunks(1).collect();
        let whole = frames(&[&sent]);
        prop_assert_eq!(&frames(&reads), &whole);
        prop_assert_eq!(&frames(&bytes), &whole);
        for frame in whole.0 {
            if let Frame::Line(line) = frame {
                prop_assert!(!line.is_empty() && line.len() <= LIMIT);
            }
        }
    }
}
