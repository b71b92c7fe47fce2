//! Tests of WebSockets: the usual sessions in another framing, and the messages about wrong use.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    process::Command,
};

use arauto_needs::needs;
use tungstenite::{Bytes, Message};

use crate::harness::{
    Client, NAME_REQUEST, TestServer, confirmation,
    tls::{Issuer, Trust},
    wait_until,
    web::WebClient,
};

#[cfg(feature = "page")]
mod http;

/// The example of RFC 6455, section 1.2: the headers of the handshake, and the answer to their key.
const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Connects and does the handshake, byte by byte.
fn shake_hands(address: SocketAddr) -> Client {
    let mut client = Client::to(address);
    client.send_bytes(format!("GET /tr2 HTTP/1.1\r\nHost: {address}\r\n{HANDSHAKE}\r\n").as_bytes());
    let head = head(&mut client);
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert!(head.contains(&format!("sec-websocket-accept: {ACCEPT}\r\n")), "{head}");
    client
}

/// Reads an answer up to the empty line.
fn head(client: &mut Client) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte);
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// A masked text frame.
fn frame(text: &str) -> Vec<u8> {
    let mask = *b"mask";
    let mut bytes = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), mask[0], mask[1], mask[2], mask[3]];
    bytes.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

#[test]
fn every_byte_of_a_conversation() {
    let server = TestServer::start();
    let mut client = shake_hands(server.web_address());
    let sent = |text: &str| [&[0x81, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    client.expect_bytes(&sent(NAME_REQUEST));
    // In pieces that hold parts of several frames.
    let bytes = [frame("alan"), frame("/echo hi"), frame("/exit")].concat();
    for piece in bytes.chunks(7) {
        client.send_bytes(piece);
    }
    client.expect_bytes(&sent(&confirmation("alan")));
    client.expect_bytes(&sent("alan | alan | echo | hi"));
    client.expect_bytes(&sent("server | alan | exit | client disconnected"));
    client.expect_bytes(&[0x88, 2, 0x03, 0xe8]);
    client.expect_closed();
}

#[test]
fn what_comes_with_the_handshake_is_read() {
    let server = TestServer::start();
    let mut client = Client::to(server.web_address());
    let handshake = format!("GET /tr2 HTTP/1.1\r\nHost: {}\r\n{HANDSHAKE}\r\n", server.web_address());
    client.send_bytes(&[handshake.as_bytes(), &frame("alan")].concat());
    head(&mut client);
    client.expect_bytes(
        &[&[0x81, u8::try_from(NAME_REQUEST.len()).unwrap()], NAME_REQUEST.as_bytes()].concat(),
    );
    client.expect_bytes(&[0x81, u8::try_from(confirmation("alan").len()).unwrap()]);
    client.expect_bytes(confirmation("alan").as_bytes());
}

#[test]
fn all_kinds_of_client_are_one_company() {
    let server = TestServer::start();
    let mut web = server.join_by_websocket("web");
    let mut line = server.join("line");
    let mut telnet = server.join_by_telnet("telnet");
    let mut unframed = server.join_unframed("unframed");
    web.send("/all olá");
    let said = "web | all clients | broadcast | olá";
    web.expect(said);
    line.expect(said);
    telnet.expect(said);
    unframed.expect(said);
    line.send("line | all clients | broadcast_not_me | hi");
    web.expect("line | all clients | broadcast_not_me | hi");
    telnet.send("/msg web psst");
    web.expect("telnet | web | private_message | psst");
    web.ask("/list", "server | web | list_clients | clients connected: web , line , telnet , unframed");
}

#[test]
fn many_broadcasts_are_one_write_and_still_a_frame_each() {
    let server = TestServer::start();
    let (mut web, mut other) = (server.join_by_websocket("web"), server.join_by_websocket("other"));
    let mut sender = server.join("sender");
    // Below and above the largest length that 7 bits can hold.
    let texts: Vec<_> = (0..200).map(|n| "x".repeat(n)).collect();
    let lines: Vec<_> = texts.iter().map(|text| format!("/others n{text}\n")).collect();
    sender.send_bytes(lines.concat().as_bytes());
    web.send("/others mine");
    let mut mine = 0;
    for text in &texts {
        let expected = format!("sender | all clients | broadcast_not_me | n{text}");
        web.expect(&expected);
        match other.line() {
            line if line == expected => {}
            line => {
                assert_eq!(line, "web | all clients | broadcast_not_me | mine");
                mine += 1;
                other.expect(&expected);
            }
        }
    }
    if mine == 0 {
        other.expect("web | all clients | broadcast_not_me | mine");
    }
}

#[test]
fn a_message_of_64_kib_has_a_length_of_8_bytes() {
    let server = TestServer::with(|config| config.limits.message_bytes = 64 * 1024);
    let mut web = server.join_by_websocket("w");
    let text = "x".repeat(64 * 1024 - "w | w | echo | ".len());
    web.ask(&format!("/echo {text}"), &format!("w | w | echo | {text}"));
}

#[test]
fn what_is_too_long_is_dropped_and_said() {
    let server = TestServer::start();
    let mut web = server.join_by_websocket("web");
    web.ask(
        &"x".repeat(100_000),
        "server | web | error_message | Your line was dropped: a message has at most 1024 bytes. Send it in parts",
    );
    web.ask("/echo still here", "web | web | echo | still here");
}

#[test]
fn pings_are_answered_and_pieces_put_together() {
    let server = TestServer::start();
    let mut web = server.join_by_websocket("web");
    web.send_frame(Message::Ping(Bytes::from_static(b"there?")));
    assert_eq!(web.frame(), Message::Pong(Bytes::from_static(b"there?")));
    let mut client = shake_hands(server.web_address());
    client.expect_bytes(
        &[&[0x81, u8::try_from(NAME_REQUEST.len()).unwrap()], NAME_REQUEST.as_bytes()].concat(),
    );
    let (mut first, mut last) = (frame("al"), frame("an"));
    (first[0], last[0]) = (0x01, 0x80);
    client.send_bytes(&[first, last].concat());
    client.expect_bytes(&[0x81, u8::try_from(confirmation("alan").len()).unwrap()]);
    client.expect_bytes(confirmation("alan").as_bytes());
}

#[test]
fn whoever_uses_it_wrongly_is_told_how_and_closed() {
    let server = TestServer::start();
    let mut web = server.join_by_websocket("web");
    web.send("/echo before");
    web.send_frame(Message::Binary(Bytes::from_static(b"/echo x")));
    web.expect("web | web | echo | before");
    web.expect("server | web | error_message | You were disconnected: your WebSocket sent a binary frame; messages are text");
    web.expect_closed(1003);
    let mut nobody = shake_hands(server.web_address());
    nobody.expect_bytes(
        &[&[0x81, u8::try_from(NAME_REQUEST.len()).unwrap()], NAME_REQUEST.as_bytes()].concat(),
    );
    // A frame that is not masked.
    nobody.send_bytes(b"\x81\x04alan");
    let told = "server | client | connection_error | You were disconnected: your WebSocket sent a frame that is not masked";
    nobody.expect_bytes(&[0x81, u8::try_from(told.len()).unwrap()]);
    nobody.expect_bytes(told.as_bytes());
    nobody.expect_bytes(&[0x88, 2, 0x03, 0xea]);
    nobody.expect_closed();
}

/// Wrong uses, byte by byte: the message, and the code of the close frame (RFC 6455, section 7.4.1).
#[test]
fn each_wrong_use_is_closed_with_its_code() {
    let server = TestServer::start();
    let sent = |text: &str| {
        let length = u8::try_from(text.len()).unwrap();
        let length = if length < 126 { vec![length] } else { vec![126, 0, length] };
        [&[0x81], &*length, text.as_bytes()].concat()
    };
    let mask = |first: u8, payload: &[u8]| {
        let mut bytes = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
        bytes.extend(payload);
        bytes
    };
    for (bytes, words, code) in [
        (mask(0xc1, b"hi"), "sent a frame of an extension that was not agreed on", 1002_u16),
        (mask(0x83, b"hi"), "sent a frame of a kind that there is not", 1002),
        (mask(0x09, b"hi"), "sent a control frame that is in pieces or too long", 1002),
        (mask(0x80, b"hi"), "sent the pieces of a message in the wrong order", 1002),
        (mask(0x82, b"hi"), "sent a binary frame; messages are text", 1003),
        (mask(0x81, b"ol\xe1"), "sent text that is not UTF-8", 1007),
        (mask(0x88, b"\x03"), "sent a close frame whose code is none that may be sent", 1002),
        (mask(0x88, b"\x03\xed"), "sent a close frame whose code is none that may be sent", 1002),
        (mask(0x88, b"\x03\xe8ol\xe1"), "sent a close frame whose reason is not UTF-8", 1007),
    ] {
        let mut client = shake_hands(server.web_address());
        client.expect_bytes(&sent(NAME_REQUEST));
        client.send_bytes(&bytes);
        let why =
            format!("server | client | connection_error | You were disconnected: your WebSocket {words}");
        client.expect_bytes(&sent(&why));
        client.expect_bytes(&[&[0x88, 2][..], &code.to_be_bytes()].concat());
        client.expect_closed();
    }
    // Close frames with and without a reason.
    for payload in [b"".as_slice(), b"\x03\xe8", b"\x0f\xa0bye"] {
        let mut client = shake_hands(server.web_address());
        client.expect_bytes(&sent(NAME_REQUEST));
        client.send_bytes(&mask(0x88, payload));
        client.expect_bytes(&[0x88, 2, 0x03, 0xe8]);
        client.expect_closed();
    }
}

#[test]
fn a_close_frame_is_answered_and_the_name_free() {
    let server = TestServer::start();
    let mut web = server.join_by_websocket("web");
    web.send_frame(Message::Close(None));
    web.expect_closed(1000);
    server.join_by_websocket("web");
}

#[test]
fn a_name_that_is_taken_is_refused_as_anywhere() {
    let server = TestServer::start();
    let _alan = server.join("alan");
    let mut web = WebClient::connect(server.web_address());
    web.ask(
        "alan",
        "server | new_client: alan | connection_error | This username is already taken. You need to connect again and use \
         another one",
    );
    web.expect_closed(1008);
}

#[test]
fn the_server_says_when_it_ends() {
    let server = TestServer::start();
    let mut web = server.join_by_websocket("web");
    server.stop();
    web.expect("server | all clients | broadcast | server closed");
    web.expect_closed(1001);
    server.ended().unwrap();
}

#[test]
fn one_that_does_not_read_is_cut_after_a_whole_frame_and_told_why() {
    let server = TestServer::with(|config| config.limits.outbox_bytes = 64 * 1024);
    let mut jammed = server.join_by_websocket("jammed");
    let (mut bystander, mut sender) = (server.join("bystander"), server.join("sender"));
    let text = "x".repeat(900);
    let heard = format!("sender | all clients | broadcast_not_me | {text}");
    for _ in 0..256 {
        for _ in 0..64 {
            sender.send(&format!("/others {text}"));
            bystander.expect(&heard);
        }
        sender.send("/list");
        if !sender.line().contains("jammed") {
            break;
        }
    }
    let last = loop {
        let line = jammed.line();
        if line != heard {
            break line;
        }
    };
    assert_eq!(
        last,
        "server | jammed | error_message | You were disconnected: more than 65536 bytes for you were waiting unread"
    );
    jammed.expect_closed(1008);
}

#[test]
fn over_tls_with_the_certificate_of_the_other_listener() {
    let issuer = Issuer::new();
    let files = issuer.issue("server", "localhost");
    let server = TestServer::with(|config| {
        files.serve(config);
        config.web.tls_listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    });
    let stream = Trust::of(&issuer).connect_silently(server.secure_web_address()).into_stream();
    let mut web = WebClient::over(stream, &format!("wss://{}/tr2", server.secure_web_address()));
    web.ask("alan", &confirmation("alan"));
    let mut line = server.join("line");
    line.send("/others hi");
    web.expect("line | all clients | broadcast_not_me | hi");
    web.send_frame(Message::Close(None));
    web.expect_closed(1000);
}

/// Runs the example in docs/protocol.md, which uses a client from PyPI (Debian's python3-websockets).
#[needs("/usr/bin/python3", "/usr/lib/python3/dist-packages/websockets")]
#[test]
fn the_example_of_the_documents_works() {
    let docs = include_str!("../docs/protocol.md");
    let example = docs.split("```python\n").skip(1).find(|part| part.contains("websockets")).unwrap();
    let example = example.split("```").next().unwrap();
    let server = TestServer::start();
    let mut alan = server.join("alan");
    let url = format!("ws://{}/tr2", server.web_address());
    let script = example.replace("ws://127.0.0.1:1280/tr2", &url);
    assert_ne!(script, example);
    let child = Command::new("/usr/bin/python3")
        .args(["-c", &script])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    alan.expect("bob | all clients | broadcast_not_me | hello from a WebSocket");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("{NAME_REQUEST}\n{}\n", confirmation("bob"))
    );
}

#[cfg(feature = "page")]
#[test]
fn connections_that_come_and_go_leave_nothing() {
    let server = TestServer::with(|config| config.limits.max_sessions = 20);
    for round in 0..200 {
        let mut client = Client::to(server.web_address());
        match round % 4 {
            0 => {}
            1 => client.send_bytes(b"GET /tr2 HTTP/1.1\r\n"),
            2 => client.send_bytes(b"\x16\x03\x01\x02"),
            _ => drop(shake_hands(server.web_address())),
        }
        // There are so few places that each has to be given back.
        wait_until("a place", || {
            let mut probe = Client::to(server.web_address());
            probe.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            head(&mut probe).starts_with("HTTP/1.1 200 OK")
        });
    }
}

/// Sends a request and reads the answer to its end.
fn answer(address: SocketAddr, request: &str) -> String {
    let mut client = Client::to(address);
    client.send_bytes(request.as_bytes());
    let mut answer = String::new();
    client.stream().read_to_string(&mut answer).unwrap();
    answer
}

/// Sends bytes. Returns whether the connection took them.
fn send(client: &Client, bytes: &[u8]) -> bool {
    client.stream().write_all(bytes).is_ok()
}
