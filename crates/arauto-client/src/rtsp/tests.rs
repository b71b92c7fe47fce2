//! Tests against a server whose every message is scripted.

use std::{net::Ipv4Addr, time::Duration};

use arauto_rtsp::{Description, Format};
use rtsp_types::Url;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::UdpSocket,
    time::{Instant, timeout},
};

use super::{
    session::{Opened, PUNCH_RTCP, PUNCH_RTP},
    *,
};
use crate::{
    dial::Dialer,
    ports::PortSet,
    tls::{Tls, TlsOptions},
};

const URL: &str = "rtsp://h:1554/7f3a?key=00";
const WITHIN: Duration = Duration::from_secs(20);

/// The server's end of a connection.
pub(crate) struct Server(pub DuplexStream);

impl Server {
    /// Expects a request with these headers, and answers it. `method` includes the address if that is not `URL`.
    pub async fn answers(&mut self, method: &str, number: u32, headers: &str, body: &str, answer: &str) {
        self.hears(method, number, headers, body).await;
        self.says(&format!("RTSP/1.0 {answer}").replacen("\r\n", &format!("\r\nCSeq: {number}\r\n"), 1))
            .await;
    }

    pub async fn hears(&mut self, method: &str, number: u32, headers: &str, body: &str) {
        let line = if method.contains(' ') { method.to_owned() } else { format!("{method} {URL}") };
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let mut lines: Vec<_> = [&length, &format!("CSeq: {number}\r\n"), headers]
            .iter()
            .flat_map(|lines| lines.split_inclusive("\r\n").map(str::to_owned))
            .chain([format!("User-Agent: arauto/{}\r\n", env!("CARGO_PKG_VERSION"))])
            .collect();
        lines.sort_by_key(|line| line.to_ascii_lowercase());
        let expected = format!("{line} RTSP/1.0\r\n{}\r\n{body}", lines.concat());
        let mut heard = vec![0; expected.len()];
        let whole = timeout(WITHIN, self.0.read_exact(&mut heard)).await;
        let heard = String::from_utf8_lossy(&heard).into_owned();
        assert!(matches!(whole, Ok(Ok(_))), "{heard}");
        assert_eq!(heard, expected);
    }

    pub async fn says(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
    }

    /// Reads up to the end of a request's headers.
    async fn hears_head(&mut self) -> String {
        let mut heard = String::new();
        while !heard.ends_with("\r\n\r\n") {
            heard.push(timeout(WITHIN, self.0.read_u8()).await.unwrap().unwrap().into());
        }
        heard
    }

    async fn hears_bytes(&mut self, expected: &[u8]) {
        let mut heard = vec![0; expected.len()];
        timeout(WITHIN, self.0.read_exact(&mut heard)).await.unwrap().unwrap();
        assert_eq!(heard, expected);
    }
}

fn opened() -> (Opened, Server) {
    let (ours, theirs) = duplex(256);
    let here = (Ipv4Addr::LOCALHOST, 40_000).into();
    (Opened::new(Box::new(ours), Url::parse(URL).unwrap(), here, here), Server(theirs))
}

fn description() -> Description {
    Description::new(Format::Mp3, "a song.mp3", None)
}

fn sdp() -> String {
    String::from_utf8(description().to_sdp(Ipv4Addr::LOCALHOST.into(), 40_000)).unwrap()
}

const RECORD_TCP: &str = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record\r\n";
const ANNOUNCED: &str = "Content-Type: application/sdp\r\n";
const AGREED_TCP: &str =
    "200 OK\r\nSession: 12;timeout=20\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record\r\n\r\n";
const OK: &str = "200 OK\r\n\r\n";

/// Sets a session up, including RECORD, that sends `description` by UDP to these ports of this machine.
pub(crate) async fn publishing_to(ports: (u16, u16), description: &Description) -> (StreamSession, Server) {
    let (opened, mut server) = opened();
    let client = StreamSession::publish_on(opened, description, Transport::Udp);
    let script = async {
        let sdp = description.to_sdp(Ipv4Addr::LOCALHOST.into(), 40_000);
        server.answers("ANNOUNCE", 1, ANNOUNCED, std::str::from_utf8(&sdp).unwrap(), OK).await;
        server.hears_head().await;
        let (rtp, rtcp) = ports;
        let agreed = format!("Session: 12\r\nTransport: RTP/AVP;server_port={rtp}-{rtcp}\r\n\r\n");
        server.says(format!("RTSP/1.0 200 OK\r\nCSeq: 2\r\n{agreed}")).await;
        server.answers("RECORD", 3, "Range: npt=0-\r\nSession: 12\r\n", "", OK).await;
    };
    let (session, ()) = tokio::join!(client, script);
    (session.unwrap(), server)
}

/// Sets a session up, including RECORD, that is interleaved and has a timeout of 20 s.
pub(crate) async fn publishing() -> (StreamSession, Server) {
    let (opened, mut server) = opened();
    let description = description();
    let client = StreamSession::publish_on(opened, &description, Transport::Interleaved);
    let script = async {
        server.answers("ANNOUNCE", 1, ANNOUNCED, &sdp(), OK).await;
        server.answers("SETUP", 2, RECORD_TCP, "", AGREED_TCP).await;
        server.answers("RECORD", 3, "Range: npt=0-\r\nSession: 12\r\n", "", OK).await;
    };
    let (session, ()) = tokio::join!(client, script);
    (session.unwrap(), server)
}

#[tokio::test]
async fn published_between_the_messages() {
    let (mut session, mut server) = publishing().await;
    assert_eq!(session.way(), Transport::Interleaved);
    session.send_rtp(b"rtp").await.unwrap();
    session.send_rtcp(b"rtcp!").await.unwrap();
    server.hears_bytes(b"$\x00\x00\x03rtp$\x01\x00\x05rtcp!").await;
    server.says(b"$\x01\x00\x02rr$\x07\x00\x01?$\x00\x00\x00").await;
    assert_eq!(session.next().await.unwrap(), RtspEvent::Rtcp(b"rr".to_vec()));
    assert_eq!(session.next().await.unwrap(), RtspEvent::Rtp(Vec::new()));
    // A server may send requests, too.
    server.says("OPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\nTEARDOWN * RTSP/1.0\r\nCSeq: 10\r\n\r\n").await;
    let script = async {
        let public = "Public: OPTIONS, GET_PARAMETER, SET_PARAMETER\r\n\r\n";
        server.hears_bytes(format!("RTSP/1.0 200 Ok\r\nCSeq: 9\r\n{public}").as_bytes()).await;
        server.hears_bytes(format!("RTSP/1.0 501 Not Implemented\r\nCSeq: 10\r\n{public}").as_bytes()).await;
    };
    tokio::select! {
        event = session.next() => panic!("{event:?}"),
        () = script => {}
    }
    let script = server.answers("TEARDOWN", 4, "Session: 12\r\n", "", OK);
    tokio::join!(session.end(), script);
    assert_eq!(server.0.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn kept_alive() {
    let (mut session, mut server) = publishing().await;
    let start = Instant::now();
    let script = async {
        server.answers("GET_PARAMETER", 4, "Session: 12\r\n", "", OK).await;
        assert_eq!(start.elapsed().as_secs(), 10);
        // A server that does not know the method is still alive.
        server.answers("GET_PARAMETER", 5, "Session: 12\r\n", "", "501 Not Implemented\r\n\r\n").await;
        assert_eq!(start.elapsed().as_secs(), 20);
        server.answers("GET_PARAMETER", 6, "Session: 12\r\n", "", "454 Session Not Found\r\n\r\n").await;
    };
    let (end, ()) = tokio::join!(session.next(), script);
    assert_eq!(end.unwrap_err().to_string(), "the server refused GET_PARAMETER: 454 the session is over");
}

#[tokio::test(start_paused = true)]
async fn given_up_where_nobody_answers() {
    let (mut session, mut server) = publishing().await;
    let script = server.hears("GET_PARAMETER", 4, "Session: 12\r\n", "");
    let (end, ()) = tokio::join!(session.next(), script);
    assert_eq!(end.unwrap_err().to_string(), "the server did not answer GET_PARAMETER within 10 s");
}

#[tokio::test]
async fn published_in_datagrams() {
    let (opened, mut server) = opened();
    let [rtp, rtcp, stranger] =
        [(); 3].map(|()| std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let [rtp, rtcp, stranger] = [rtp, rtcp, stranger].map(|socket| {
        socket.set_nonblocking(true).unwrap();
        UdpSocket::from_std(socket).unwrap()
    });
    let ports = (rtp.local_addr().unwrap().port(), rtcp.local_addr().unwrap().port());
    let description = description();
    let client = StreamSession::publish_on(opened, &description, Transport::Udp);
    let script = async {
        server.answers("ANNOUNCE", 1, ANNOUNCED, &sdp(), OK).await;
        let asked = "Transport: RTP/AVP;unicast;client_port=";
        // The client's ports are not known in advance.
        let head = format!("SETUP {URL} RTSP/1.0\r\nCSeq: 2\r\n{asked}");
        server.hears_bytes(head.as_bytes()).await;
        let rest = format!("-00000;mode=record\r\nUser-Agent: arauto/{}\r\n\r\n", env!("CARGO_PKG_VERSION"));
        let heard = server.hears_head().await;
        let (ours, _) = heard.split_once(';').unwrap();
        let (first, second) = ours.split_once('-').unwrap();
        let (first, second): (u16, u16) = (first.parse().unwrap(), second.parse().unwrap());
        assert_eq!((first % 2, second), (0, first + 1));
        assert_eq!(heard, rest.replace("-00000", &format!("{first}-{second}")));
        let agreed = format!(
            "RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 12\r\nTransport: RTP/AVP;unicast;server_port={}-{}\r\n\r\n",
            ports.0, ports.1
        );
        server.says(agreed).await;
        server.answers("RECORD", 3, "Range: npt=0-\r\nSession: 12\r\n", "", OK).await;
        (first, second)
    };
    let (session, (first, second)) = tokio::join!(client, script);
    let mut session = session.unwrap();
    assert_eq!(session.way(), Transport::Udp);
    session.send_rtp(b"rtp").await.unwrap();
    session.send_rtcp(b"rtcp").await.unwrap();
    let mut buffer = [0; 100];
    for (socket, port, packets) in
        [(&rtp, first, [&PUNCH_RTP[..], b"rtp"]), (&rtcp, second, [&PUNCH_RTCP[..], b"rtcp"])]
    {
        for packet in packets {
            let (length, from) = timeout(WITHIN, socket.recv_from(&mut buffer)).await.unwrap().unwrap();
            assert_eq!((&buffer[..length], from.port()), (packet, port));
        }
    }
    // The first datagram is from another sender, the second from the server.
    stranger.send_to(b"forged", (Ipv4Addr::LOCALHOST, second)).await.unwrap();
    rtcp.send_to(b"rr", (Ipv4Addr::LOCALHOST, second)).await.unwrap();
    assert_eq!(timeout(WITHIN, session.next()).await.unwrap().unwrap(), RtspEvent::Rtcp(b"rr".to_vec()));
    // Datagrams to a closed port are lost without an error.
    drop((rtp, rtcp));
    for _ in 0..3 {
        session.send_rtp(b"rtp").await.unwrap();
        session.send_rtcp(b"rtcp").await.unwrap();
    }
    drop(server);
    assert_eq!(timeout(WITHIN, session.next()).await.unwrap().unwrap(), RtspEvent::Closed);
}

/// A server refuses if it does not support UDP, or has no ports left for it.
#[tokio::test]
async fn between_the_messages_where_datagrams_are_refused() {
    for refusal in ["461 Unsupported transport", "503 Service Unavailable"] {
        let (opened, mut server) = opened();
        let description = description();
        let client = StreamSession::publish_on(opened, &description, Transport::Udp);
        let script = async {
            server.answers("ANNOUNCE", 1, ANNOUNCED, &sdp(), OK).await;
            server.hears_head().await;
            server.says(format!("RTSP/1.0 {refusal}\r\nCSeq: 2\r\n\r\n")).await;
            server.answers("SETUP", 3, RECORD_TCP, "", AGREED_TCP).await;
            server.answers("RECORD", 4, "Range: npt=0-\r\nSession: 12\r\n", "", OK).await;
        };
        let (session, ()) = tokio::join!(client, script);
        assert_eq!(session.unwrap().way(), Transport::Interleaved);
    }
}

/// A hostile server may name any port; the client connects only to those allowed.
#[tokio::test]
async fn only_to_ports_that_are_for_audio() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let dialer = Dialer::new("127.0.0.1:1".parse().unwrap()).with_audio("554, 1554".parse().unwrap(), false);
    let address = format!("rtsp://192.0.2.1:{port}/7f3a?key=00");
    let refused = format!(
        "the server names port {port} for audio, but audio.ports in client.toml allows only 554, 1554"
    );
    let published = StreamSession::publish(&dialer, &address, &description(), Transport::Udp).await;
    assert_eq!(published.err().unwrap().to_string(), refused);
    let played = StreamSession::play(&dialer, &address, Transport::Udp).await;
    assert_eq!(played.err().unwrap().to_string(), refused);
    assert!(timeout(Duration::from_millis(1), listener.accept()).await.is_err());
    // The client does connect to an allowed port.
    let dialer = dialer.with_audio(PortSet::all(), false);
    let (_, called) = tokio::join!(
        timeout(Duration::from_secs(1), StreamSession::play(&dialer, &address, Transport::Udp)),
        async {
            drop(listener.accept().await.unwrap());
        }
    );
    assert_eq!(called, ());
}

#[tokio::test]
async fn no_key_crosses_a_network_in_the_open_where_the_server_was_joined_by_tls() {
    let tls = || Tls::new(&TlsOptions { insecure: true, ..TlsOptions::default() }).unwrap();
    let address = "rtsp://192.0.2.1:1554/7f3a?key=00";
    let target = "192.0.2.1:1234";
    let dialer = Dialer::new(target.parse().unwrap());
    assert!(dialer.may_be_plain());
    let encrypted = dialer.with_tls(tls());
    for failure in [
        StreamSession::publish(&encrypted, address, &description(), Transport::Udp).await.err(),
        StreamSession::play(&encrypted, address, Transport::Udp).await.err(),
    ] {
        let said = failure.unwrap().to_string();
        assert_eq!(
            said,
            "the connection to the server uses TLS, but the server offers the audio unencrypted, which would expose its key on \
             the network. The server's operator has to set media.tls_listen. audio.allow_plain = true in client.toml allows this"
        );
    }
    assert!(encrypted.with_audio(PortSet::all(), true).may_be_plain());
    // An unencrypted connection within this machine cannot be read on the network.
    assert!(Dialer::new("localhost".parse().unwrap()).with_tls(tls()).may_be_plain());
}

#[tokio::test]
async fn listened_to() {
    let (opened, mut server) = opened();
    let client = StreamSession::play_on(opened, Transport::Interleaved);
    let announced = Description { control: Some("audio".to_owned()), ..description() };
    let sdp = String::from_utf8(announced.to_sdp(Ipv4Addr::LOCALHOST.into(), 1)).unwrap();
    let script = async {
        let described = format!(
            "200 OK\r\nContent-Base: rtsp://h:1554/7f3a/\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        server.answers("DESCRIBE", 1, "Accept: application/sdp\r\n", "", &described).await;
        let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
        let agreed = "200 OK\r\nSession: 12\r\nTransport: RTP/AVP/TCP;unicast;interleaved=4-5\r\n\r\n";
        server.answers("SETUP rtsp://h:1554/7f3a/audio", 2, transport, "", agreed).await;
        server.hears("PLAY", 3, "Session: 12\r\n", "").await;
        server.says(b"$\x04\x00\x01aRTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n$\x04\x00\x01b").await;
    };
    let (played, ()) = tokio::join!(client, script);
    let (description, mut session) = played.unwrap();
    assert_eq!(description, announced);
    assert_eq!(session.next().await.unwrap(), RtspEvent::Rtp(b"a".to_vec()));
    assert_eq!(session.next().await.unwrap(), RtspEvent::Rtp(b"b".to_vec()));
    drop(server);
    assert_eq!(session.next().await.unwrap(), RtspEvent::Closed);
}

#[tokio::test(start_paused = true)]
async fn refused_in_words() {
    let long = "x".repeat(70_000);
    let no_sdp = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 2\r\n\r\nhi";
    for (said, why) in [
        ("RTSP/1.0 404 Not\x1bFound\r\nCSeq: 1\r\n\r\n", "the server refused DESCRIBE: 404 Not\\u{1b}Found"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "the server violates RTSP: that is no message"),
        (&long, "the server violates RTSP: a message is too long"),
        (&format!("RTSP/1.0 200 {long}"), "the server violates RTSP: a message is too long"),
        (
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 99999999999\r\n\r\n",
            "the server violates RTSP: a message is too long",
        ),
        (no_sdp, "the stream that the server describes cannot be played: that is no SDP"),
        ("RTSP/1.0 200 OK\r\nCSeq: 7\r\n\r\n", "the server did not answer DESCRIBE within 10 s"),
        ("", "the server did not answer DESCRIBE within 10 s"),
    ] {
        let (opened, mut server) = opened();
        let client = StreamSession::play_on(opened, Transport::Udp);
        let script = async {
            server.hears("DESCRIBE", 1, "Accept: application/sdp\r\n", "").await;
            // The client stops reading once it has read enough to fail.
            let _ = server.0.write_all(said.as_bytes()).await;
            std::future::pending::<()>().await;
        };
        let failure = tokio::select! {
            played = client => played.err().expect(said),
            () = script => unreachable!(),
        };
        assert_eq!(failure.to_string(), why);
    }
    let (opened, server) = opened();
    drop(server);
    let failure = StreamSession::play_on(opened, Transport::Udp).await.err().unwrap();
    assert_eq!(failure.to_string(), "the server ended the connection");
}

#[tokio::test]
async fn agreements_that_are_none() {
    for (answer, why) in [
        ("200 OK\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n", "SETUP was answered without a session"),
        ("200 OK\r\nSession: 12\r\n\r\n", "SETUP was answered without a transport"),
        (
            "200 OK\r\nSession: 12\r\nTransport: RTP/AVP;server_port=1-2\r\n\r\n",
            "SETUP was answered without a transport",
        ),
    ] {
        let (opened, mut server) = opened();
        let description = description();
        let client = StreamSession::publish_on(opened, &description, Transport::Interleaved);
        let script = async {
            server.answers("ANNOUNCE", 1, ANNOUNCED, &sdp(), OK).await;
            server.answers("SETUP", 2, RECORD_TCP, "", answer).await;
        };
        let (session, ()) = tokio::join!(client, script);
        let said = session.err().unwrap().to_string();
        assert_eq!(said, format!("the server violates RTSP: {why}"));
    }
}

#[tokio::test]
async fn addresses_that_are_none() {
    let dialer = crate::dial::Dialer::new("127.0.0.1:1".parse().unwrap());
    for address in ["", "7f3a", "http://127.0.0.1/7f3a", "rtsp://127.0.0.1:99999/"] {
        let failure = StreamSession::play(&dialer, address, Transport::Udp).await.err().unwrap();
        assert_eq!(failure.to_string(), "this is not an rtsp:// or rtsps:// address", "{address}");
    }
    // The client connects to the server that was joined, whatever host the address names.
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let failure = StreamSession::play(&dialer, &format!("rtsp://192.0.2.1:{port}/7f3a"), Transport::Udp)
        .await
        .err()
        .unwrap();
    assert!(failure.to_string().starts_with(&format!("cannot connect to 127.0.0.1:{port}: ")), "{failure}");
}
