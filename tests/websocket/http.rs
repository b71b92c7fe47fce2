//! What the page's address answers to HTTP.

use std::time::{Duration, Instant};

use super::{HANDSHAKE, answer, send};
use crate::harness::{Client, TestServer};

/// The body behind a head that says how long it is.
fn parts(answer: &str) -> (&str, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length = format!("content-length: {}", body.len());
    assert!(head.lines().any(|line| line == length), "{head}");
    (head, body)
}

#[test]
fn the_page_comes_with_headers_that_keep_strangers_out() {
    let server = TestServer::start();
    let answer = answer(server.web_address(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let (head, body) = parts(&answer);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(body.starts_with("<!doctype html>"), "{body}");
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
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
        answer(server.web_address(), &format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
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
    // A name that was made to point here.
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
    assert_eq!(ask("GET /tr2 HTTP/1.1", ""), "HTTP/1.1 404 Not Found");
}

#[test]
fn a_head_without_end_is_cut() {
    let server = TestServer::start();
    let client = Client::to(server.web_address());
    assert!(send(&client, b"GET / HTTP/1.1\r\nHost: x\r\n"));
    let began = Instant::now();
    // 128 KiB and a little are all that is read of a head.
    while send(&client, b"X-More: and more and more and more and more and more\r\n") {
        assert!(began.elapsed() < Duration::from_secs(20), "it is still read");
    }
}

#[test]
fn a_full_server_says_so_to_a_browser() {
    let server = TestServer::with(|config| config.limits.max_sessions = 1);
    let _alan = server.join("alan");
    let refusal = answer(server.web_address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = parts(&refusal);
    assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
    assert_eq!(body, "The server is full: it serves 1 at most. Try again later\n");
}

/// The first line of an answer.
fn answer_head(address: std::net::SocketAddr, request: &str) -> String {
    let mut client = Client::to(address);
    client.send_bytes(request.as_bytes());
    super::head(&mut client).lines().next().unwrap().to_owned()
}
