//! Tests of the monitoring address: answers, refusals, timeouts, and the limit of connections.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
};

use super::{ask, figures, get};
use crate::{
    cli::arauto,
    harness::{DEADLINE, TestServer, process::Process, wait_until},
};

/// Returns the lines of an answer's head, sorted, with the headers that every answer has.
fn head(status: &str, length: usize, more: &str, content_type: &str) -> Vec<String> {
    let mut lines: Vec<String> = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{more}content-type: {content_type}\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\n\
         content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n\
         cross-origin-resource-policy: same-origin\r\n"
    )
    .lines()
    .map(str::to_owned)
    .collect();
    // The order of headers does not matter.
    lines[1..].sort();
    lines
}

fn sorted(head: &str) -> Vec<String> {
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    lines[1..].sort();
    lines
}

const TEXT: &str = "text/plain; charset=utf-8";

#[test]
fn each_address_answers_as_it_is_to() {
    let server = TestServer::start();
    let address = server.monitoring_address();
    let nothing =
        "There is nothing at this address. There are /metrics, /stats, /healthz, /readyz and /nodes.\n";
    let no_method = "Only GET and HEAD are answered here.\n";
    let no_name = "This server does not go by the name in the address. Use its IP address, or add the name to web.hosts.\n";
    let no_origin = "A page from another server may not talk to this one. If a proxy is between, have it pass on the browser's Host \
                     header, with its port. For nginx: proxy_set_header Host $http_host;\n";
    // The server listens for a moment before it reports that it is ready.
    wait_until("the server to be ready", || get(address, "/readyz").body == "ready\n");
    let own = format!("Host: {address}\r\n");
    for (request, headers, status, more, body) in [
        ("GET /healthz", own.as_str(), "200 OK", "", "ok\n"),
        ("GET /readyz", &own, "200 OK", "", "ready\n"),
        ("GET /readyz?verbose", &own, "200 OK", "", "ready\n"),
        ("GET /", &own, "404 Not Found", "", nothing),
        ("GET /metrics/", &own, "404 Not Found", "", nothing),
        ("POST /nothing", &own, "404 Not Found", "", nothing),
        ("POST /metrics", &own, "405 Method Not Allowed", "allow: GET, HEAD\r\n", no_method),
        ("DELETE /healthz", &own, "405 Method Not Allowed", "allow: GET, HEAD\r\n", no_method),
        ("GET /metrics", "Host: evil.example:1281\r\n", "403 Forbidden", "", no_name),
        (
            "GET /healthz",
            "Host: localhost\r\nOrigin: http://evil.example\r\n",
            "403 Forbidden",
            "",
            no_origin,
        ),
        ("GET /healthz", "Host: localhost:1281\r\n", "200 OK", "", "ok\n"),
    ] {
        let answer = ask(address, &format!("{request} HTTP/1.1\r\n{headers}\r\n"));
        assert_eq!(sorted(&answer.head), head(status, body.len(), more, TEXT), "{request} {headers}");
        assert_eq!(answer.body, body, "{request} {headers}");
    }
    // The health check of a balancer sends no Host header.
    let answer = ask(address, "GET /readyz HTTP/1.0\r\n\r\n");
    assert_eq!((answer.head.lines().next(), answer.body.as_str()), (Some("HTTP/1.0 200 OK"), "ready\n"));
    let answer = ask(address, &format!("HEAD /healthz HTTP/1.1\r\n{own}\r\n"));
    assert_eq!((sorted(&answer.head), answer.body.as_str()), (head("200 OK", 3, "", TEXT), ""));
}

#[test]
fn figures_come_in_the_form_that_is_asked_for() {
    let server = TestServer::start();
    let address = server.monitoring_address();
    let scrape = |accept: &str| {
        let answer = ask(address, &format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n{accept}\r\n"));
        let found =
            answer.head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap().to_owned();
        (found, answer.body)
    };
    let (content_type, classic) = scrape("");
    assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert!(classic.contains("\n# TYPE arauto_joins_total counter\narauto_joins_total 0\n"), "{classic}");
    let (content_type, open) = scrape(
        "Accept: application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.1\r\n",
    );
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(open.contains("\n# TYPE arauto_joins counter\narauto_joins_total 0\n"), "{open}");
    assert!(open.ends_with("\n# EOF\n"), "{open}");
    let answer = get(address, "/stats");
    assert!(answer.head.contains("\r\ncontent-type: application/json\r\n"), "{}", answer.head);
    let build = format!(
        "arauto_build_info{{version=\"{}\",os=\"{}\",architecture=\"{}\"}} 1\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    assert!(classic.contains(&build) && open.contains(&build), "{classic}");
}

#[test]
fn while_the_server_drains_it_is_alive_and_not_ready() {
    let mut process = Process::serve(&[
        ("ARAUTO_SERVER_DRAIN_TIMEOUT", "10m"),
        ("ARAUTO_LIMITS_OUTBOX_BYTES", "1000000000"),
    ]);
    let address = process.monitoring_address();
    // The client does not read, and more is queued for it than any socket holds.
    let jammed = process.join("jammed");
    let mut sender = process.join("sender");
    let line = format!("sender | jammed | private_message | {}\n", "x".repeat(900));
    for _ in 0..16 * 1024 {
        sender.send_bytes(line.as_bytes());
    }
    sender.expect_nothing_before_an_echo("sender");
    assert_eq!(get(address, "/readyz").body, "ready\n");
    process.signal("TERM");
    process.logged("closing");
    wait_until("the server to drain", || get(address, "/readyz").body == "draining\n");
    assert!(get(address, "/readyz").head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    assert_eq!(get(address, "/healthz").body, "ok\n");
    let seen = figures(address);
    assert_eq!((seen["arauto_ready"], seen["arauto_members"]), (0, 0));
    // A connection without a request does not keep the server from ending.
    let _idle = TcpStream::connect(address).unwrap();
    drop((jammed, sender));
    assert_eq!(process.ended().code(), Some(0));
}

/// Copy of `server::monitoring::MOST`.
const MOST: usize = 16;

#[test]
fn who_is_slow_is_cut() {
    let server = TestServer::start();
    let mut slow = TcpStream::connect(server.monitoring_address()).unwrap();
    slow.set_read_timeout(Some(DEADLINE)).unwrap();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap();
    let mut told = String::new();
    slow.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{told:?}");
}

#[test]
fn who_asks_is_answered_at_once_while_silent_connections_hold_all_places() {
    let server = TestServer::start();
    let address = server.monitoring_address();
    let connect = || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    };
    let mut silent: Vec<TcpStream> = (0..MOST).map(|_| connect()).collect();
    // A request head without an end does not count as a request either.
    silent[0].write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    assert_eq!(get(address, "/healthz").body, "ok\n");
    let last_words = |mut stream: TcpStream| {
        let mut told = Vec::new();
        // If the server has not read all that was sent, the end may be a reset.
        let _ = stream.read_to_end(&mut told);
        String::from_utf8(told).unwrap()
    };
    let told: Vec<String> = silent.into_iter().map(last_words).collect();
    // The first connection gave way; the others had all their time.
    assert_eq!(told[0], "");
    assert!(told[1..].iter().all(|told| told.starts_with("HTTP/1.1 408 Request Timeout\r\n")), "{told:?}");
}

#[test]
fn only_so_many_are_served_at_a_time_and_nobody_else_is_disturbed() {
    let process = Process::serve(&[]);
    let address = process.monitoring_address();
    let mut alan = process.join("alan");
    let folder = format!("/proc/{}/fd", process.id());
    let open_files = || fs::read_dir(&folder).unwrap().count();
    let before = open_files();
    // The connections stay silent and wait, some in the server and the others in the kernel.
    let idle: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
    wait_until("idle connections to be taken", || open_files() >= before + MOST);
    alan.expect_nothing_before_an_echo("alan");
    // The server may have accepted one more connection, which has no place yet.
    assert!(open_files() <= before + MOST + 1, "{} {before}", open_files());
    drop(idle);
    let scrapes: Vec<_> = (0..64).map(|_| std::thread::spawn(move || get(address, "/metrics"))).collect();
    let mut most = 0;
    while !scrapes.iter().all(std::thread::JoinHandle::is_finished) {
        alan.expect_nothing_before_an_echo("alan");
        most = most.max(open_files());
    }
    for scrape in scrapes {
        let answer = scrape.join().unwrap();
        assert!(answer.head.starts_with("HTTP/1.1 200 OK\r\n") && answer.body.ends_with('\n'), "{answer:?}");
    }
    // To count its open files, the server opens the folder of descriptors.
    assert!(most <= before + MOST + 4, "{most} {before}");
}

#[test]
fn it_can_be_turned_off() {
    let mut process = Process::serve(&[("ARAUTO_MONITORING_LISTEN", "")]);
    process.signal("TERM");
    assert_eq!(process.ended().code(), Some(0));
    assert!(!process.whole_log().contains("monitoring"));
}

#[test]
fn a_taken_address_is_an_error_unless_it_is_the_default() {
    // If this fails, another program has the address.
    let _default = TcpListener::bind("127.0.0.1:1281");
    let mut process = Process::serve(&[("ARAUTO_MONITORING_LISTEN", "127.0.0.1:1281")]);
    process.join("alan");
    process.signal("TERM");
    process.ended();
    let log = process.whole_log();
    assert!(
        log.contains("monitoring disabled: its default address is in use; set monitoring.listen"),
        "{log}"
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = arauto(["serve", "--listen", "127.0.0.1:0"]);
    command.envs([
        ("ARAUTO_WEB_LISTEN", ""),
        ("ARAUTO_MEDIA_LISTEN", ""),
        ("ARAUTO_MONITORING_LISTEN", &address),
    ]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "arauto: cannot listen on {address}: Address already in use (os error 98); another program listens there: end it, or choose another address (--listen, or the configuration)\n"
        )
    );
}

#[test]
fn a_request_that_is_too_long_or_none_is_refused() {
    let server = TestServer::start();
    let address = server.monitoring_address();
    assert!(ask(address, "nonsense\r\n\r\n").head.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    assert!(too_long(address), "it takes whatever comes");
    assert_eq!(get(address, "/healthz").body, "ok\n");
}

/// Sends a head that does not end. Returns whether the server closed the connection.
fn too_long(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
    let line = format!("X-{}: {}\r\n", "a".repeat(100), "b".repeat(900));
    for _ in 0..10_000 {
        match stream.write_all(line.as_bytes()) {
            Ok(()) => {}
            Err(error) => {
                return matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
            }
        }
    }
    false
}
