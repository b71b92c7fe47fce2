//! Tests that figures change exactly as a conversation requires.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
};

use serde_json::Value;

use super::{figures, get};
use crate::harness::{
    Client, DEADLINE, TestServer, confirmation,
    tls::{Issuer, Trust},
    wait_until,
};

/// A monitoring address, and the figures at the last look.
struct Watch {
    address: SocketAddr,
    before: BTreeMap<String, i64>,
}

impl Watch {
    fn of(server: &TestServer) -> Self {
        let address = server.monitoring_address();
        wait_until("the server to be ready", || figures(address)["arauto_ready"] == 1);
        Self { address, before: figures(address) }
    }

    /// Waits until exactly these figures have changed since the last look, by these amounts.
    #[track_caller]
    fn moved(&mut self, expected: &[(&str, i64)]) {
        self.comes_to(&with(BTreeMap::new(), expected));
    }

    #[track_caller]
    fn comes_to(&mut self, expected: &BTreeMap<String, i64>) {
        let end = std::time::Instant::now() + DEADLINE;
        loop {
            let now = figures(self.address);
            let differences =
                now.iter().map(|(name, n)| (name.clone(), n - self.before.get(name).unwrap_or(&0)));
            let moved: BTreeMap<_, _> =
                differences.filter(|(name, by)| *by != 0 && is_certain(name)).collect();
            if moved == *expected {
                self.before = now;
                return;
            }
            assert!(std::time::Instant::now() < end, "moved: {moved:#?}\nexpected: {expected:#?}");
        }
    }

    /// Waits for the effect of one received line: `to` messages with the bytes of `told`, and the changes in `more`.
    #[track_caller]
    fn one_line(&mut self, line: &str, to: i64, told: &str, more: &[(&str, i64)]) {
        let (typed, bytes) = (count(line.len()), count(told.len()) + 1);
        let expected: BTreeMap<String, i64> = [
            ("arauto_received_messages_total", 1),
            ("arauto_received_bytes_total", typed),
            ("arauto_delivered_messages_total", to),
            ("arauto_delivered_bytes_total", to * bytes),
            ("arauto_batch_messages_count", 1),
            ("arauto_batch_messages_sum", 1),
            ("arauto_batch_bytes_count", 1),
            ("arauto_batch_bytes_sum", bytes),
        ]
        .map(|(name, by)| (name.to_owned(), by))
        .into();
        self.comes_to(&with(expected, more));
    }
}

/// Whether a figure does not depend on time and on the machine.
fn is_certain(name: &str) -> bool {
    !(name.starts_with("process_")
        || name.contains("_bucket{")
        || name == "arauto_fan_out_seconds_sum"
        || name == "arauto_batch_largest_bytes"
        || name == "arauto_outbox_fullest_bytes")
}

const LINE: &str = r#"arauto_sessions{kind="line",encrypted="no"}"#;
const TELNET: &str = r#"arauto_sessions{kind="telnet",encrypted="no"}"#;
const UNFRAMED: &str = r#"arauto_sessions{kind="unframed",encrypted="no"}"#;
const WEBSOCKET: &str = r#"arauto_sessions{kind="websocket",encrypted="no"}"#;
const CONNECTIONS: &str = r#"arauto_connections_total{protocol="tr2",encrypted="no"}"#;
const HTTP_CONNECTIONS: &str = r#"arauto_connections_total{protocol="http",encrypted="no"}"#;
const JOINS: &str = "arauto_joins_total";
const MEMBERS: &str = "arauto_members";
const FAN_OUTS: &str = "arauto_fan_out_seconds_count";

fn operation(name: &str) -> String {
    format!("arauto_operations_total{{operation=\"{name}\"}}")
}

fn end(reason: &str) -> String {
    format!("arauto_ends_total{{reason=\"{reason}\"}}")
}

fn refusal(reason: &str) -> String {
    format!("arauto_refusals_total{{reason=\"{reason}\"}}")
}

#[test]
fn what_is_said_is_counted() {
    let server = TestServer::start();
    let mut watch = Watch::of(&server);
    let joined = |kind, connections| [(kind, 1), (connections, 1), (JOINS, 1), (MEMBERS, 1)];

    let mut alan = server.join("alan");
    watch.one_line("alan", 1, &confirmation("alan"), &joined(LINE, CONNECTIONS));
    let mut bob = server.join_by_telnet("bob");
    watch.one_line("bob", 1, &confirmation("bob"), &joined(TELNET, CONNECTIONS));
    let mut carl = server.join_unframed("carl");
    watch.one_line("carl | server | name | carl", 1, &confirmation("carl"), &joined(UNFRAMED, CONNECTIONS));
    let mut dora = WebSocket::join(server.web_address(), "dora");
    watch.one_line("dora", 1, &confirmation("dora"), &joined(WEBSOCKET, HTTP_CONNECTIONS));

    let told = "alan | all clients | broadcast | hi";
    alan.ask("/all hi", told);
    for client in [&mut bob, &mut carl] {
        client.expect(told);
    }
    dora.expect(told);
    watch.one_line("/all hi", 4, told, &[(&operation("broadcast"), 1), (FAN_OUTS, 1)]);

    let told = "dora | all clients | broadcast_not_me | hi";
    dora.send("/others hi");
    for client in [&mut alan, &mut bob, &mut carl] {
        client.expect(told);
    }
    watch.one_line("/others hi", 3, told, &[(&operation("broadcast_not_me"), 1), (FAN_OUTS, 1)]);

    let told = "bob | alan | private_message | hi";
    bob.send("/msg alan hi");
    alan.expect(told);
    watch.one_line("/msg alan hi", 1, told, &[(&operation("private_message"), 1)]);

    // A line that is refused when it is read counts as no operation. A request that cannot be carried out counts.
    let told = "server | alan | private_message | Destination client (ann) not found!";
    alan.ask("/msg ann hi", told);
    let counted = [(&*operation("private_message"), 1), (&*refusal("not_found"), 1)];
    watch.one_line("/msg ann hi", 1, told, &counted);
    alan.send("what?");
    let told = alan.line();
    watch.one_line("what?", 1, &told, &[(&refusal("no_message"), 1)]);
    alan.send("/kick bob");
    let told = alan.line();
    watch.one_line("/kick bob", 1, &told, &[(&refusal("not_allowed"), 1)]);
    alan.send("/list");
    let told = alan.line();
    watch.one_line("/list", 1, &told, &[(&operation("list_clients"), 1)]);

    the_figures_are_the_same_as_json(watch.address);
    all_leave(&mut watch, &server, alan, bob, carl, dora);
}

/// All clients leave, each for a different reason. Two more clients are refused.
fn all_leave(
    watch: &mut Watch,
    server: &TestServer,
    mut alan: Client,
    mut bob: Client,
    carl: Client,
    mut dora: WebSocket,
) {
    let told = "server | bob | exit | client disconnected";
    bob.ask("/exit", told);
    bob.expect_closed();
    let counted = [(&*operation("exit"), 1), (&*end("exit"), 1), (TELNET, -1), (MEMBERS, -1)];
    watch.one_line("/exit", 1, told, &counted);

    let mut other = server.connect();
    other.send("alan");
    let told = other.line();
    other.expect_closed();
    watch.one_line("alan", 1, &told, &[(CONNECTIONS, 1), (&end("name_taken"), 1)]);
    let mut nobody = server.connect();
    nobody.send("/all hi");
    let told = nobody.line();
    nobody.expect_closed();
    watch.one_line("/all hi", 1, &told, &[(CONNECTIONS, 1), (&end("not_a_name"), 1)]);

    dora.close();
    let counted: BTreeMap<String, i64> =
        [(end("closed_by_client"), 1), (WEBSOCKET.to_owned(), -1), (MEMBERS.to_owned(), -1)].into();
    // The close frame counts as received, although it is no message.
    watch.comes_to(&with(counted.clone(), &[("arauto_received_messages_total", 1)]));
    drop(carl);
    watch.comes_to(
        &[(end("closed_by_client"), 1), (UNFRAMED.to_owned(), -1), (MEMBERS.to_owned(), -1)].into(),
    );
    // Dropping the connection resets it, which counts as a broken connection.
    socket2::SockRef::from(alan.stream()).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    alan.expect_nothing_before_an_echo("alan");
    let echo = "alan | alan | echo | ?";
    watch.one_line(echo, 1, echo, &[(&operation("echo"), 1)]);
    drop(alan);
    watch.comes_to(&[(end("connection_broken"), 1), (LINE.to_owned(), -1), (MEMBERS.to_owned(), -1)].into());
    watch.moved(&[]);
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap()
}

fn with(mut counted: BTreeMap<String, i64>, more: &[(&str, i64)]) -> BTreeMap<String, i64> {
    counted.extend(more.iter().map(|(name, by)| ((*name).to_owned(), *by)));
    counted
}

fn the_figures_are_the_same_as_json(address: SocketAddr) {
    let stats: Value = serde_json::from_str(&get(address, "/stats").body).unwrap();
    let seen = figures(address);
    let mut compared = 0;
    for (name, figure) in &seen {
        let (family, labels) = name.split_once('{').unwrap_or((name, ""));
        if family.starts_with("process_") || family.ends_with("_bucket") || family == "arauto_build_info" {
            continue;
        }
        let histogram = ["_sum", "_count"].iter().find_map(|part| {
            Some((
                family.strip_suffix(part).filter(|family| stats[family].get("buckets").is_some())?,
                &part[1..],
            ))
        });
        let found = match histogram {
            Some((family, part)) => &stats[family][part],
            None => labels.split('"').skip(1).step_by(2).fold(&stats[family], |at, label| &at[label]),
        };
        let found = found.as_i64().or_else(|| found.to_string().strip_suffix(".0")?.parse().ok());
        assert_eq!(found, Some(*figure), "{name}");
        compared += 1;
    }
    assert!(compared > 70, "{compared}");
    assert_eq!(stats["arauto_build_info"]["version"], env!("CARGO_PKG_VERSION"));
    for (family, figure) in stats.as_object().unwrap() {
        let is_whole = !family.starts_with("process_");
        assert!(!is_whole || seen.keys().any(|name| name.starts_with(family.as_str())), "{family}: {figure}");
    }
}

#[test]
fn encrypted_sessions_are_apart() {
    let issuer = Issuer::new();
    let files = issuer.issue("server", "localhost");
    let server = TestServer::with(|config| files.serve(config));
    let mut watch = Watch::of(&server);
    let mut eve = Trust::of(&issuer).join(server.tls_address(), "eve");
    let (sessions, connections) = (
        r#"arauto_sessions{kind="line",encrypted="yes"}"#,
        r#"arauto_connections_total{protocol="tr2",encrypted="yes"}"#,
    );
    let joined = [(sessions, 1), (connections, 1), (JOINS, 1), (MEMBERS, 1)];
    watch.one_line("eve", 1, &confirmation("eve"), &joined);
    let told = "server | eve | exit | client disconnected";
    eve.ask("/exit", told);
    let counted = [(&*operation("exit"), 1), (&*end("exit"), 1), (sessions, -1), (MEMBERS, -1)];
    watch.one_line("/exit", 1, told, &counted);
    // A handshake that stalls counts as pending until it is given up.
    let silent = TcpStream::connect(server.tls_address()).unwrap();
    let under_way = r#"arauto_connections_pending{stage="tls_handshake"}"#;
    watch.moved(&[(under_way, 1), (connections, 1)]);
    drop(silent);
    watch.comes_to(&[(under_way.to_owned(), -1), (end("tls_handshake_failed"), 1)].into());
    let visitor = TcpStream::connect(server.web_address()).unwrap();
    let under_way = r#"arauto_connections_pending{stage="http"}"#;
    watch.moved(&[(under_way, 1), (HTTP_CONNECTIONS, 1)]);
    drop(visitor);
    watch.comes_to(&[(under_way.to_owned(), -1)].into());
}

#[test]
fn a_server_that_is_full_says_so() {
    let server = TestServer::with(|config| config.limits.max_sessions = 1);
    let mut watch = Watch::of(&server);
    assert_eq!(watch.before["arauto_max_sessions"], 1);
    let _alan = server.join("alan");
    watch.one_line(
        "alan",
        1,
        &confirmation("alan"),
        &[(LINE, 1), (CONNECTIONS, 1), (JOINS, 1), (MEMBERS, 1)],
    );
    let mut late = server.connect_silently();
    late.line();
    late.expect_closed();
    watch.moved(&[(CONNECTIONS, 1), (&end("server_full"), 1)]);
}

#[test]
fn receivers_that_do_not_keep_up_show() {
    let server = TestServer::with(|config| {
        config.limits.outbox_bytes = 16 * 1024;
        config.limits.slow_reader_grace = std::time::Duration::from_mins(5);
    });
    let address = server.monitoring_address();
    let paused = server.join("paused");
    let mut sender = server.join("sender");
    let text = "x".repeat(900);
    wait_until("a full outbox that holds a sender back", || {
        sender.send(&format!("/msg paused {text}"));
        let seen = figures(address);
        seen["arauto_outbox_full_total"] >= 1 && seen["arauto_senders_held_back_total"] >= 1
    });
    let seen = figures(address);
    assert!(seen["arauto_outbox_fullest_bytes"] > seen["arauto_outbox_limit_bytes"], "{seen:#?}");
    drop(paused);
}

/// A WebSocket client (RFC 6455) with as much as these tests need.
struct WebSocket(TcpStream);

impl WebSocket {
    fn join(address: SocketAddr, name: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let request = format!(
            "GET /tr2 HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", head.escape_ascii());
        let mut this = Self(stream);
        this.expect("server | client | name | no data");
        this.send(name);
        this.expect(&confirmation(name));
        this
    }

    /// Sends a text frame, masked with zeros.
    fn send(&mut self, text: &str) {
        let length = u8::try_from(text.len()).unwrap();
        self.0.write_all(&[&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()).unwrap();
    }

    #[track_caller]
    fn expect(&mut self, text: &str) {
        let expected = [&[0x81, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let mut got = vec![0; expected.len()];
        self.0.read_exact(&mut got).unwrap();
        assert_eq!(got.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    fn close(&mut self) {
        self.0.write_all(&[0x88, 0x80, 0, 0, 0, 0]).unwrap();
        self.0.shutdown(Shutdown::Write).unwrap();
    }
}
