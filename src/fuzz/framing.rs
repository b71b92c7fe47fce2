//! Decoding of bytes to frames: the result does not depend on how reads are cut, and at most one line is buffered.

use arauto_protocol::{Frame, FrameDecoder, Kind};
use bytes::BytesMut;
use tokio_util::codec::Decoder;

use super::{Run, Target, choice, inputs::Random};

pub(super) const TARGET: Target = Target {
    name: "framing",
    start: || -> Run { Box::new(judge) },
    choices: 5,
    is_text: false,
    words: &[
        b"\n",
        b"\r\n",
        b"\r\0",
        b"\r",
        b"\0",
        b"\xef\xbb\xbf",
        b"alan",
        b"alan | server | name | alan",
        b"alan | alan | echo | hi",
        b"a | server | exit",
        b"/list",
        b"|||",
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01",
        b"\xff\xfd\x01",
        b"\xff\xfb\x18",
        b"\xff\xf4",
        b"\xff\xf6",
        b"\xff\xf7",
        b"\xff\xf8",
        b"\xff\xff",
        b"\xff\xfa\x18",
        b"\xff\xf0",
        b"\x08",
        b"\x7f",
        "é".as_bytes(),
        b"0123456789012345678901234567890123456789012345678901234567890123",
    ],
};

fn judge(bytes: &[u8]) {
    judge_cuts(bytes, read);
}

/// Decodes reads, with this maximum message length. Given a random generator, abandons unfinished messages between
/// reads at random.
pub(super) type ReadParts<T> = fn(&[&[u8]], usize, Option<Random>) -> T;

/// Checks that the result does not depend on the cuts.
pub(super) fn judge_cuts<T: PartialEq + std::fmt::Debug>(bytes: &[u8], read: ReadParts<T>) {
    let ([limit, s, e, e2, d], sent) = choice(bytes);
    let limit = [64, 100, 350, 1024][usize::from(limit % 4)];
    let mut random = Random::new(u64::from(u32::from_le_bytes([s, e, e2, d])));

    let whole = read(&[sent], limit, None);
    assert_eq!(read(&cut(sent, &mut random), limit, None), whole, "cut by chance");
    assert_eq!(read(&sent.chunks(1).collect::<Vec<_>>(), limit, None), whole, "byte by byte");
    // If messages are abandoned between reads, the cuts matter, but the bounds still hold.
    read(&cut(sent, &mut random), limit, Some(random));
}

/// Cuts the input into reads at random places.
fn cut<'a>(sent: &'a [u8], random: &mut Random) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = (0..random.below(8)).map(|_| random.below(sent.len() + 1)).collect();
    cuts.extend([0, sent.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &sent[cut[0]..cut[1]]).collect()
}

/// Decodes these reads. Given a random generator, lets silence follow some of them, or abandons a line.
fn read(reads: &[&[u8]], limit: usize, mut silences: Option<Random>) -> (Vec<Frame>, Kind) {
    let (mut decoder, mut src, mut frames) = (FrameDecoder::new(limit), BytesMut::new(), Vec::new());
    for bytes in reads {
        if bytes.is_empty() {
            continue;
        }
        src.extend_from_slice(bytes);
        let take = |decoder: &mut FrameDecoder, src: &mut BytesMut| decoder.decode(src).expect("no error");
        while let Some(frame) = take(&mut decoder, &mut src) {
            frames.push(frame);
        }
        assert!(src.len() <= limit + 1, "{} bytes are kept for a limit of {limit}", src.len());
        let replies = decoder.take_replies();
        assert!(replies.len() <= 3 * bytes.len() + 40, "{} bytes of replies", replies.len());
        if decoder.read_done(&src)
            && let Some(random) = &mut silences
            && random.below(2) == 0
        {
            frames.extend(decoder.silence(&mut src));
            assert!(src.is_empty(), "silence ends a message");
        }
        if decoder.unfinished_line(&src).is_some()
            && let Some(random) = &mut silences
            && random.below(4) == 0
        {
            frames.push(decoder.abandon(&mut src));
            assert!(src.len() <= 1, "of a line that is given up a carriage return is kept at most");
            assert_eq!(decoder.unfinished_line(&src), None, "a line is given up once");
        }
    }
    while let Some(frame) = decoder.decode_eof(&mut src).expect("no error") {
        frames.push(frame);
    }
    assert!(src.is_empty(), "nothing is kept past the end");
    for frame in &frames {
        if let Frame::Line(line) = frame {
            assert!(!line.is_empty() && line.len() <= limit, "a line of {} bytes", line.len());
        }
    }
    (frames, decoder.kind())
}
