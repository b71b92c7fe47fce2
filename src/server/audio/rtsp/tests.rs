//! Tests the responses of a session byte for byte, with [`FakeBackend`] in place of the streams.

use arauto_rtsp::input::{Incoming, Input};

use super::{
    backend::StreamRefusal,
    fake::{FakeBackend, LISTEN, PUBLISH},
    session::{Progress, RtspSession},
    transport::Transport,
};

struct Talk {
    session: RtspSession,
    backend: FakeBackend,
    /// Requests so far.
    count: u32,
}

impl Talk {
    fn new() -> Self {
        Self { session: RtspSession::new(0xab), backend: FakeBackend::default(), count: 0 }
    }

    fn url(key: &str) -> String {
        format!("rtsp://127.0.0.1:1554/7f3a?key={key}")
    }

    /// Sends a request, and returns the response without its `CSeq`.
    fn ask(&mut self, key: &str, method: &str, more: &str, body: &str) -> String {
        self.count += 1;
        let request = format!(
            "{method} {} RTSP/1.0\r\nCSeq: {}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            Self::url(key),
            self.count,
            body.len()
        );
        let (answer, _) = self.send(&request);
        let number = format!("CSeq: {}\r\n", self.count);
        assert!(answer.contains(&number), "{answer}");
        answer.replacen(&number, "", 1)
    }

    fn is_running(&self) -> bool {
        self.session.progress() == Progress::Running
    }

    fn send(&mut self, request: &str) -> (String, bool) {
        let mut input = Input::default();
        input.extend(request.as_bytes());
        let Ok(Some(Incoming::Request(request))) = input.next_incoming() else {
            panic!("no request: {request}")
        };
        let answer = self.session.answer(&request, &mut self.backend);
        (String::from_utf8(answer.bytes).unwrap(), answer.is_last)
    }
}

const SDP: &str =
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 14\r\n";
const IS_SDP: &str = "Content-Type: application/sdp\r\n";
const FRAMES: &str = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
const NOT_NOW: &str = "RTSP/1.0 455 Method Not Valid In This State\r\n\r\n";
const SESSION: &str = "Session: 00000000000000ab;timeout=60\r\n";

#[test]
fn a_publisher() {
    let mut talk = Talk::new();
    let options = talk.ask(PUBLISH, "OPTIONS", "", "");
    assert!(
        options.starts_with("RTSP/1.0 200 OK\r\nPublic: OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY"),
        "{options}"
    );
    assert_eq!(talk.ask(PUBLISH, "RECORD", "", ""), NOT_NOW);
    assert_eq!(talk.ask(PUBLISH, "ANNOUNCE", IS_SDP, SDP), "RTSP/1.0 200 OK\r\n\r\n");
    assert_eq!(talk.ask(PUBLISH, "RECORD", "", ""), NOT_NOW);
    assert_eq!(talk.ask(PUBLISH, "ANNOUNCE", IS_SDP, SDP), NOT_NOW);
    assert_eq!(
        talk.ask(PUBLISH, "SETUP", FRAMES, ""),
        format!(
            "RTSP/1.0 200 OK\r\n{SESSION}Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record\r\n\r\n"
        )
    );
    assert_eq!(talk.ask(PUBLISH, "PLAY", "", ""), NOT_NOW);
    assert_eq!(talk.ask(PUBLISH, "RECORD", "", ""), format!("RTSP/1.0 200 OK\r\n{SESSION}\r\n"));
    assert!(talk.backend.is_recording && talk.is_running());
    assert_eq!(talk.ask(PUBLISH, "SETUP", FRAMES, ""), NOT_NOW);
    // A publisher that pauses may resume.
    assert_eq!(talk.ask(PUBLISH, "PAUSE", "", ""), format!("RTSP/1.0 200 OK\r\n{SESSION}\r\n"));
    assert!(!talk.backend.is_recording && !talk.is_running());
    talk.ask(PUBLISH, "RECORD", "", "");
    assert!(talk.backend.is_recording && talk.is_running());
    assert_eq!(talk.ask(PUBLISH, "TEARDOWN", "", ""), "RTSP/1.0 200 OK\r\n\r\n");
    assert!(!talk.backend.is_announced && !talk.is_running());
}

#[test]
fn a_picture_beside_the_sound_is_passed_over() {
    let cover = format!("{SDP}a=control:streamid=0\r\nm=video 0 RTP/AVP 26\r\na=control:streamid=1\r\n");
    let mut talk = Talk::new();
    assert_eq!(talk.ask(PUBLISH, "ANNOUNCE", IS_SDP, &cover), "RTSP/1.0 200 OK\r\n\r\n");
    let set_up = |talk: &mut Talk, part: &str, transport: &str| {
        let url = Talk::url(PUBLISH);
        talk.send(&format!("SETUP {url}/{part} RTSP/1.0\r\nCSeq: 9\r\nTransport: {transport}\r\n\r\n")).0
    };
    let udp = "RTP/AVP/UDP;unicast;client_port=6000-6001;mode=record";
    assert_eq!(
        set_up(&mut talk, "streamid=1", udp),
        format!(
            "RTSP/1.0 200 OK\r\nCSeq: 9\r\n{SESSION}Transport: RTP/AVP;unicast;client_port=6000-6001;\
             server_port=30002-30003;mode=record\r\n\r\n"
        )
    );
    // The audio part is not set up yet.
    assert_eq!(talk.ask(PUBLISH, "RECORD", "", ""), NOT_NOW);
    let answer = set_up(&mut talk, "streamid=0", "RTP/AVP/UDP;unicast;client_port=5000-5001;mode=record");
    assert!(answer.contains(";server_port=30000-30001;"), "{answer}");
    assert_eq!(talk.backend.publisher, Some(Transport::Udp { rtp: 5000, rtcp: 5001 }));
    assert_eq!(talk.ask(PUBLISH, "RECORD", "", ""), format!("RTSP/1.0 200 OK\r\n{SESSION}\r\n"));
    // Two audio parts, or none, are rejected in spite of the other part.
    for (first, second) in [("audio", "audio"), ("video", "video")] {
        let sdp = cover.replace("m=audio", &format!("m={first}")).replace("m=video", &format!("m={second}"));
        let answer = Talk::new().ask(PUBLISH, "ANNOUNCE", IS_SDP, &sdp);
        assert_eq!(answer, "RTSP/1.0 415 Unsupported Media Type\r\n\r\n");
    }
}

#[test]
fn a_listener() {
    let mut talk = Talk::new();
    assert_eq!(talk.ask(LISTEN, "PLAY", "", ""), NOT_NOW);
    let url = Talk::url(LISTEN);
    assert_eq!(
        talk.ask(LISTEN, "DESCRIBE", "Accept: application/sdp\r\n", ""),
        format!(
            "RTSP/1.0 200 OK\r\nContent-Base: {url}\r\nContent-Length: 5\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"
        )
    );
    // The key of an earlier request is used.
    let bare = url.split('?').next().unwrap();
    let transport = "RTP/AVP;unicast;client_port=5000-5001";
    let (answer, _) =
        talk.send(&format!("SETUP {bare} RTSP/1.0\r\nCSeq: 9\r\nTransport: {transport}\r\n\r\n"));
    assert!(answer.contains(";server_port=30000-30001;ssrc=00000007;"), "{answer}");
    assert_eq!(talk.backend.listener, Some(Transport::Udp { rtp: 5000, rtcp: 5001 }));
    assert_eq!(
        talk.ask(LISTEN, "PLAY", "Session: 00000000000000ab\r\n", ""),
        format!(
            "RTSP/1.0 200 OK\r\nRange: npt=72.300-\r\nRTP-Info: url={url};seq=1;rtptime=2\r\n{SESSION}\r\n"
        )
    );
    assert_eq!(talk.ask(LISTEN, "GET_PARAMETER", "", ""), format!("RTSP/1.0 200 OK\r\n{SESSION}\r\n"));
    assert_eq!(talk.ask(LISTEN, "ANNOUNCE", IS_SDP, SDP), NOT_NOW);
    assert_eq!(talk.ask(LISTEN, "PAUSE", "", ""), format!("RTSP/1.0 200 OK\r\n{SESSION}\r\n"));
    assert!(!talk.backend.is_playing && !talk.is_running());
    talk.ask(LISTEN, "PLAY", "", "");
    assert!(talk.backend.is_playing && talk.is_running());
}

#[test]
fn errors_by_the_rfc() {
    for (method, more, body, status) in [
        ("GET_PARAMETER", "", "packets_received\r\n", "451 Parameter Not Understood"),
        ("DESCRIBE", "Accept: text/html\r\n", "", "406 Not Acceptable"),
        ("ANNOUNCE", "Content-Type: text/plain\r\n", SDP, "415 Unsupported Media Type"),
        ("ANNOUNCE", IS_SDP, "hello", "415 Unsupported Media Type"),
        ("SETUP", "", "", "400 Bad Request"),
        ("SETUP", "Transport: RTP/AVP;multicast\r\n", "", "461 Unsupported Transport"),
        ("TEARDOWN", "", "", "454 Session Not Found"),
        ("PLAY", "Session: 1\r\n", "", "454 Session Not Found"),
        ("PLAY", "Require: implicit-play\r\n", "", "551 Option Not Supported"),
        ("FETCH", "", "", "501 Not Implemented"),
        ("REDIRECT", "", "", "405 Method Not Allowed"),
    ] {
        let mut talk = Talk::new();
        let key = if method == "ANNOUNCE" { PUBLISH } else { LISTEN };
        let answer = talk.ask(key, method, more, body);
        assert_eq!(answer.lines().next().unwrap(), format!("RTSP/1.0 {status}"), "{method} {more}");
        // Only status 405 lists the methods.
        assert_eq!(answer.contains("Allow: OPTIONS, DESCRIBE, "), status.starts_with("405"), "{answer}");
    }
    for (refusal, status) in [
        (StreamRefusal::Full, "453 Not Enough Bandwidth"),
        (StreamRefusal::NoPorts, "503 Service Unavailable"),
        (StreamRefusal::BadPorts, "461 Unsupported Transport"),
        (StreamRefusal::Taken, "455 Method Not Valid In This State"),
        (StreamRefusal::Unknown, "404 Not Found"),
    ] {
        let mut talk = Talk::new();
        talk.backend.refuses = Some(refusal);
        assert_eq!(talk.ask(LISTEN, "SETUP", FRAMES, ""), format!("RTSP/1.0 {status}\r\n\r\n"));
    }
    let mut talk = Talk::new();
    assert_eq!(talk.send("OPTIONS * RTSP/1.0\r\n\r\n").0, "RTSP/1.0 400 Bad Request\r\n\r\n");
}

#[test]
fn who_asks_much_and_shows_no_key_is_sent_away() {
    let options = "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n";
    let mut talk = Talk::new();
    for _ in 1..16 {
        assert!(!talk.send(options).1);
    }
    let (answer, is_last) = talk.send(options);
    assert!(is_last && answer.contains("\r\nConnection: close\r\n"), "{answer}");
    // A valid key in any request lifts the limit.
    let mut talk = Talk::new();
    talk.ask(LISTEN, "OPTIONS", "", "");
    for _ in 0..100 {
        assert!(!talk.send(options).1);
    }
}

#[test]
fn three_wrong_keys_are_the_end() {
    let mut talk = Talk::new();
    let wrong = format!("DESCRIBE {} RTSP/1.0\r\nCSeq: 1\r\n\r\n", Talk::url(PUBLISH));
    assert!(!talk.send(&wrong).1 && !talk.send(&wrong).1);
    let (answer, is_last) = talk.send(&wrong);
    assert_eq!((&*answer, is_last), ("RTSP/1.0 403 Forbidden\r\nConnection: close\r\nCSeq: 1\r\n\r\n", true));
}
