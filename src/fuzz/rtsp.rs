//! RTSP connections: each request gets one RTSP response, in an order in which streams can be set up; interleaved
//! datagrams are decoded intact; at most one request is buffered.

use arauto_rtsp::description;
use arauto_rtsp::input::{Incoming, Input, MAX_HEAD};

use super::{Run, Target, choice, inputs::Random};
use crate::server::rtsp::{FakeBackend, Progress, RtspSession, not_understood};

pub(super) const TARGET: Target = Target {
    name: "rtsp",
    start: || -> Run { Box::new(judge) },
    choices: 4,
    is_text: false,
    words: &[
        b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",
        b"DESCRIBE ",
        b"ANNOUNCE ",
        b"SETUP ",
        b"PLAY ",
        b"RECORD ",
        b"PAUSE ",
        b"TEARDOWN ",
        b"GET_PARAMETER ",
        b"rtsp://h/7f3a?key=00112233445566778899aabbccddeeff RTSP/1.0\r\nCSeq: 2\r\n",
        b"rtsp://h/7f3a?key=ffeeddccbbaa99887766554433221100 RTSP/1.0\r\nCSeq: 3\r\n",
        b"rtsp://h/7f3a?key=ffeeddccbbaa99887766554433221100/streamid=0 RTSP/1.0\r\nCSeq: 3\r\n",
        b"Content-Type: application/sdp\r\nContent-Length: 92\r\n\r\nv=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 14\r\n",
        b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
        b"Transport: RTP/AVP;unicast;client_port=5000-5001\r\n",
        b";destination=192.0.2.1",
        b"Session: 00000000000000ab\r\n",
        b"Content-Length: 18446744073709551615\r\n",
        b"Require: x\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"$\0\0\x04abcd",
        b"$\x01\xff\xff",
        b"RTSP/1.0 200 OK\r\n",
        b"GET / HTTP/1.1\r\n",
    ],
};

fn judge(bytes: &[u8]) {
    let (seed, bytes) = choice::<4>(bytes);
    let whole = read(&[bytes]);
    let mut random = Random::new(u32::from_be_bytes(seed).into());
    let mut cuts = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (cut, after) = rest.split_at(1 + random.below(rest.len().min(40)));
        cuts.push(cut);
        rest = after;
    }
    assert_eq!(read(&cuts), whole, "the same whatever the cuts");
}

/// The responses, and the datagrams received.
fn read(cuts: &[&[u8]]) -> (Vec<u8>, Vec<(u8, Vec<u8>)>) {
    let (mut input, mut session, mut backend) =
        (Input::default(), RtspSession::new(0xab), FakeBackend::default());
    let (mut answers, mut datagrams) = (Vec::new(), Vec::new());
    for cut in cuts {
        input.extend(cut);
        loop {
            match input.next_incoming() {
                Ok(None) => break,
                Ok(Some(Incoming::Datagram(channel, bytes))) => datagrams.push((channel, bytes.to_vec())),
                Ok(Some(Incoming::Request(request))) => {
                    let answer = session.answer(&request, &mut backend);
                    judge_answer(&answer.bytes);
                    answers.extend(answer.bytes);
                    let is_running = backend.is_playing || backend.is_recording;
                    assert_eq!(
                        session.progress() == Progress::Running,
                        is_running,
                        "both know whether sound goes"
                    );
                    if answer.is_last {
                        return (answers, datagrams);
                    }
                }
                Err(why) => {
                    answers.extend(not_understood(why));
                    return (answers, datagrams);
                }
            }
        }
        let kept = input.buffered();
        assert!(kept <= MAX_HEAD + description::MAX_BYTES + cut.len(), "{kept} bytes are kept");
    }
    (answers, datagrams)
}

fn judge_answer(bytes: &[u8]) {
    let parsed = rtsp_types::Message::<Vec<u8>>::parse(bytes);
    let Ok((rtsp_types::Message::Response(_), length)) = parsed else {
        panic!("no answer: {}", bytes.escape_ascii())
    };
    assert_eq!(length, bytes.len(), "one answer: {}", bytes.escape_ascii());
}
