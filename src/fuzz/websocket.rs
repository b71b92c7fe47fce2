//! WebSocket frames: messages do not depend on how reads are cut, and at most one message and a header are buffered.

use arauto_protocol::{Frame, FrameDecoder};
use bytes::BytesMut;
use tokio_util::codec::Decoder;

use super::{Run, Target, framing::judge_cuts, inputs::Random};

pub(super) const TARGET: Target = Target {
    name: "websocket",
    start: || -> Run { Box::new(judge) },
    choices: 5,
    is_text: false,
    words: &[
        b"\x81\x84\0\0\0\0alan",
        b"\x81\x80\0\0\0\0",
        b"\x01\x82\0\0\0\0al",
        b"\x80\x82\0\0\0\0an",
        b"\0\x81\0\0\0\0|",
        b"\x81\xfe\x00\x80\0\0\0\0",
        b"\x81\xff\0\0\0\0\0\x01\0\0\0\0\0\0",
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
        b"\x89\x81\0\0\0\0!",
        b"\x8a\x80\0\0\0\0",
        b"\x88\x82\0\0\0\0\x03\xe8",
        b"\x88\x83\0\0\0\0\x03\xe8\xff",
        b"\x88\x81\0\0\0\0\x03",
        b"\x82\x80\0\0\0\0",
        b"\x81\x01a",
        b"\xc1\x80\0\0\0\0",
        "é".as_bytes(),
        b"\n",
        b"0123456789012345678901234567890123456789012345678901234567890123",
    ],
};

/// Length of the longest header of a client's frame.
const HEADER: usize = 14;

fn judge(bytes: &[u8]) {
    judge_cuts(bytes, read);
}

/// Decodes these reads to frames and answers to pings. Given a random generator, abandons unfinished messages after
/// some reads.
fn read(reads: &[&[u8]], limit: usize, mut chance: Option<Random>) -> (Vec<Frame>, Vec<u8>) {
    let (mut decoder, mut src) = (FrameDecoder::for_websocket(limit), BytesMut::new());
    let (mut frames, mut replies) = (Vec::new(), Vec::new());
    for bytes in reads {
        src.extend_from_slice(bytes);
        while let Some(frame) = decoder.decode(&mut src).expect("no error") {
            frames.push(frame);
        }
        // A control frame may be longer than a short message.
        let most = (limit + 2).max(125) + HEADER;
        assert!(src.len() < most, "{} bytes are kept for a limit of {limit}", src.len());
        let answers = decoder.take_replies();
        assert!(answers.len() <= bytes.len() + HEADER + 125, "{} bytes of answers", answers.len());
        replies.extend(answers);
        assert!(!decoder.read_done(&src), "silence means nothing");
        if decoder.unfinished_line(&src).is_some()
            && let Some(random) = &mut chance
            && random.below(4) == 0
        {
            frames.push(decoder.abandon(&mut src));
        }
    }
    while let Some(frame) = decoder.decode_eof(&mut src).expect("no error") {
        frames.push(frame);
    }
    assert!(src.is_empty(), "nothing is kept past the end");
    let is_end = |frame: &Frame| matches!(frame, Frame::Goodbye | Frame::Breach(_));
    assert!(frames.iter().rev().skip(1).all(|frame| !is_end(frame)), "nothing follows the end: {frames:?}");
    for frame in &frames {
        if let Frame::Line(line) = frame {
            assert!(!line.is_empty() && line.len() <= limit, "a message of {} bytes", line.len());
            assert!(std::str::from_utf8(line).is_ok(), "a message is text");
        }
    }
    (frames, replies)
}
