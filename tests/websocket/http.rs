//! Tests of the page's address: its answers to HTTP requests.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use socket2::SockRef;

use super::{HANDSHAKE, answer, send};
use crate::harness::{Client, TestServer, process::Process, wait_until};

/// Returns the head and the body of an answer. Checks the length that the head states.
fn parts(answer: &str) -> (&str, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length = format!("content-length: {}", body.len());
    assert!(head.lines().any(|line| line == length), "{head}");
    (head, body)
}

#[test]
fn the_page_comes_with_headers_that_keep_strangers_out() {
    let server = TestServer::start();
    let answer =
        answer(server.web_address(), "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let (head, body) = parts(&answer);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(body.starts_with("<!doctype html>"), "{body}");
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "x-frame-options: DENY",
        "referrer-policy: no-referrer",
        "cache-control: no-cache",
    ] {
        assert!(head.contains(&format!("\r\n{header}")), "{header}: {head}");
    }
    assert!(!head.contains("cookie"), "{head}");
}

#[test]
fn what_is_not_there_and_what_is_not_done_is_said() {
    let server = TestServer::start();
    let ask = |line: &str| {
        answer(
            server.web_address(),
            &format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        )
    };
    let missing = ask("GET /../../etc/passwd");
    let (head, body) = parts(&missing);
    assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
    assert_eq!(body, "There is nothing at this address. The page is at /, its WebSocket at /tr2.\n");
    for line in ["POST /", "DELETE /x", "OPTIONS /"] {
        let refused = ask(line);
        let (head, body) = parts(&refused);
        assert!(head.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{head}");
        assert!(head.contains("\r\nallow: GET, HEAD"), "{head}");
        assert_eq!(body, "Only GET and HEAD are answered here.\n");
    }
    assert!(ask("nonsense").starts_with("HTTP/1.1 400 Bad Request\r\n"));
}

#[test]
fn only_the_page_from_here_gets_a_websocket() {
    let server = TestServer::start();
    let address = server.web_address();
    let ask = |host: &str, more: &str| {
        answer_head(address, &format!("GET /tr2 HTTP/1.1\r\nHost: {host}\r\n{more}{HANDSHAKE}\r\n"))
    };
    let host = address.to_string();
    assert_eq!(ask(&host, &format!("Origin: http://{host}\r\n")), "HTTP/1.1 101 Switching Protocols");
    assert_eq!(ask(&host, ""), "HTTP/1.1 101 Switching Protocols");
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(ask(&host, &format!("Origin: {origin}\r\n")), "HTTP/1.1 403 Forbidden");
    }
    // The name of another site that was made to resolve to this server.
    assert_eq!(ask("evil.example:1280", "Origin: http://evil.example:1280\r\n"), "HTTP/1.1 403 Forbidden");
    let refusal = answer(address, &format!("GET /tr2 HTTP/1.1\r\nHost: evil.example\r\n{HANDSHAKE}\r\n"));
    assert_eq!(
        parts(&refusal).1,
        "This server does not go by the name in the address. Use its IP address, or add the name to web.hosts.\n"
    );
}

#[test]
fn a_name_of_the_settings_is_this_server() {
    let server = TestServer::with(|config| config.web.hosts = vec!["lab.example".to_owned()]);
    let request =
        format!("GET /tr2 HTTP/1.1\r\nHost: lab.example\r\nOrigin: https://lab.example\r\n{HANDSHAKE}\r\n");
    assert_eq!(answer_head(server.web_address(), &request), "HTTP/1.1 101 Switching Protocols");
}

#[test]
fn a_handshake_that_is_none_is_refused() {
    let server = TestServer::start();
    let address = server.web_address();
    let ask = |line: &str, headers: &str| {
        answer_head(address, &format!("{line}\r\nHost: {address}\r\n{headers}\r\n"))
    };
    assert_eq!(ask("GET /other HTTP/1.1", HANDSHAKE), "HTTP/1.1 404 Not Found");
    assert_eq!(ask("POST /tr2 HTTP/1.1", HANDSHAKE), "HTTP/1.1 405 Method Not Allowed");
    let old = HANDSHAKE.replace("13", "8");
    assert!(ask("GET /tr2 HTTP/1.1", &old).starts_with("HTTP/1.1 426 "));
    assert_eq!(ask("POST /tr2 HTTP/1.1", ""), "HTTP/1.1 405 Method Not Allowed");
}

#[test]
fn a_request_that_asks_for_no_websocket_is_told_what_a_proxy_has_to_pass_on() {
    let server = TestServer::start();
    let address = server.web_address();
    // The rest of a handshake behind a proxy that passes on neither Upgrade nor Connection.
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    for headers in ["", key] {
        let request = format!("GET /tr2 HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n");
        let answer = answer(address, &request);
        let (head, body) = parts(&answer);
        assert!(head.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{head}");
        assert!(head.contains("\r\nupgrade: websocket"), "{head}");
        assert_eq!(
            body,
            "This is the address of a WebSocket, and this request asks for none. If a proxy is between, have it pass on \
             the request to upgrade. For nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
             proxy_set_header Connection \"upgrade\";\n"
        );
    }
}

#[test]
fn files_are_given_to_pages_of_any_origin_and_the_websocket_is_not() {
    let server = TestServer::start();
    let address = server.web_address();
    let ask = |line: &str, host: &str, origin: &str| {
        let head =
            format!("{line} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nConnection: close\r\n\r\n");
        answer(address, &head)
    };
    for origin in ["https://chat.example:8443", "null"] {
        for path in ["/", "/app.js", "/style.css"] {
            let file = ask(&format!("GET {path}"), "localhost", origin);
            assert!(file.starts_with("HTTP/1.1 200 OK\r\n"), "{file}");
        }
        // With this request, the page asks why it got no WebSocket.
        let refusal = ask("POST /tr2", "localhost", origin);
        let (head, body) = parts(&refusal);
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
        assert_eq!(
            body,
            "A page from another server may not talk to this one. If a proxy is between, have it pass on the browser's \
             Host header, with its port. For nginx: proxy_set_header Host $http_host;\n"
        );
    }
    assert!(ask("POST /tr2", "localhost:80", "http://localhost").starts_with("HTTP/1.1 405 "));
    assert!(ask("GET /app.js", "", "null").starts_with("HTTP/1.1 403 "), "no name is no name of this server");
}

#[test]
fn a_port_that_a_proxy_has_removed_from_the_host_is_not_missed() {
    let server = TestServer::with(|config| config.web.hosts = vec!["lab.example".to_owned()]);
    let ask = |host: &str, origin: &str| {
        let request = format!("GET /tr2 HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n{HANDSHAKE}\r\n");
        answer_head(server.web_address(), &request)
    };
    assert_eq!(ask("lab.example", "https://lab.example:8443"), "HTTP/1.1 101 Switching Protocols");
    assert_eq!(ask("lab.example:1280", "https://lab.example:8443"), "HTTP/1.1 403 Forbidden");
    assert_eq!(ask("lab.example", "https://evil.example:8443"), "HTTP/1.1 403 Forbidden");
}

#[test]
fn the_subprotocol_is_chosen_where_it_is_offered() {
    let server = TestServer::start();
    let address = server.web_address();
    let ask = |offers: &str| {
        let mut client = Client::to(address);
        client.send_bytes(
            format!("GET /tr2 HTTP/1.1\r\nHost: {address}\r\n{offers}{HANDSHAKE}\r\n").as_bytes(),
        );
        super::head(&mut client)
    };
    for offers in [
        "Sec-WebSocket-Protocol: tr2\r\n",
        "Sec-WebSocket-Protocol: chat, tr2\r\n",
        "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: tr2\r\n",
    ] {
        let head = ask(offers);
        assert!(
            head.starts_with("HTTP/1.1 101 ") && head.contains("\r\nsec-websocket-protocol: tr2\r\n"),
            "{head}"
        );
    }
    for offers in ["", "Sec-WebSocket-Protocol: chat\r\n", "Sec-WebSocket-Protocol: TR2x\r\n"] {
        let head = ask(offers);
        assert!(head.starts_with("HTTP/1.1 101 ") && !head.contains("sec-websocket-protocol"), "{head}");
    }
}

#[test]
fn a_head_without_end_is_cut() {
    let server = TestServer::start();
    let client = Client::to(server.web_address());
    assert!(send(&client, b"GET / HTTP/1.1\r\nHost: localhost\r\n"));
    let began = Instant::now();
    // The server reads little more than 128 KiB of a head.
    while send(&client, b"X-More: and more and more and more and more and more\r\n") {
        assert!(began.elapsed() < Duration::from_secs(20), "it is still read");
    }
}

/// A browser's script sees nothing of an answer that is not a handshake, so the server sends the message in a frame.
#[test]
fn a_full_server_says_so_through_the_websocket() {
    let server = TestServer::with(|config| config.limits.max_sessions = 1);
    let _alan = server.join("alan");
    let page = answer(server.web_address(), "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    let mut client = super::shake_hands(server.web_address());
    let told =
        "server | client | connection_error | The server is full: it serves 1 at most. Try again later";
    client.expect_bytes(&[&[0x81, u8::try_from(told.len()).unwrap()], told.as_bytes()].concat());
    client.expect_bytes(&[0x88, 2, 0x03, 0xf5]);
    client.expect_closed();
}

#[test]
fn a_name_that_is_not_this_servers_is_told_on_the_page() {
    let server = TestServer::start();
    let refusal =
        answer(server.web_address(), "GET / HTTP/1.1\r\nHost: lab.example\r\nConnection: close\r\n\r\n");
    let (head, body) = parts(&refusal);
    assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
    assert!(body.contains("add the name to web.hosts"), "{body}");
}

/// The server does not take all requests at once that come before the first is answered: it would hold some thousands
/// of them in memory.
#[test]
fn who_asks_much_and_reads_nothing_costs_little_and_is_cut() {
    let process = Process::serve(&[]);
    let before = process.resident_kib();
    let requests = b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n".repeat(8000);
    let mut clients: Vec<_> = (0..20)
        .map(|_| {
            let client = Client::to(process.web_address());
            SockRef::from(client.stream()).set_recv_buffer_size(4096).unwrap();
            client.stream().set_nonblocking(true).unwrap();
            // As much as the system takes.
            let _ = client.stream().write(&requests);
            client
        })
        .collect();
    // A new client is served meanwhile, and the others are disconnected.
    let page =
        answer(process.web_address(), "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    let mut most = before;
    wait_until("all to be cut", || {
        most = most.max(process.resident_kib());
        clients.retain(is_open);
        clients.is_empty()
    });
    assert!(most < before + 16 * 1024, "{before} KiB became {most}");
}

/// Returns whether a connection still takes bytes, or has no room for them at the moment.
fn is_open(client: &Client) -> bool {
    // A single byte is sent whole or not at all.
    match client.stream().write_all(b"x") {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

#[test]
fn bad_requests_put_no_errors_into_the_log() {
    let mut process = Process::serve(&[]);
    for request in ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nA\u{1}: b\r\n\r\n"] {
        let refused = answer(process.web_address(), request);
        assert!(refused.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{refused}");
    }
    process.signal("TERM");
    assert!(process.ended().success());
    let log = process.whole_log();
    assert!(!log.contains("\"level\":\"error\"") && !log.contains("request parse"), "{log}");
}

#[test]
fn sixty_browsers_behind_one_address_all_come_in() {
    let server = TestServer::with(|config| config.flood.loopback = true);
    let idle: Vec<_> = (0..60 * 6)
        .map(|_| {
            let mut client = Client::to(server.web_address());
            client.send_bytes(b"GET /app.js HTTP/1.1\r\nHost: localhost\r\n\r\n");
            assert!(super::head(&mut client).starts_with("HTTP/1.1 200 OK\r\n"));
            client
        })
        .collect();
    let browsers: Vec<_> =
        (0..60).map(|number| server.join_by_websocket(&format!("pupil {number}"))).collect();
    assert_eq!((idle.len(), browsers.len()), (360, 60));
}

/// Sends a request. Returns the first line of the answer.
fn answer_head(address: std::net::SocketAddr, request: &str) -> String {
    let mut client = Client::to(address);
    client.send_bytes(request.as_bytes());
    super::head(&mut client).lines().next().unwrap().to_owned()
}
