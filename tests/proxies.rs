//! Tests of local connections that come from a proxy: no rights of local users, and no limits by address.

use std::net::TcpStream;

use arauto::config::{Allow, LocalConnections};
use tungstenite::client::IntoClientRequest;

use crate::{
    accounts::{AccountsFile, PASSWORD, not_let_in, password_request},
    harness::{
        Client, DEADLINE, NAME_REQUEST, TestServer, confirmation,
        process::Process,
        tls::{Issuer, Trust},
        web::WebClient,
    },
};

const ONLY_LOCALS: &str =
    "server | alan | error_message | Only someone connected from the server's own machine may close it";

const IN_THE_OPEN: &str = "alan has a password, and it would cross the network for all to read. Connect by TLS, or from \
                           the server's own machine";

fn proxied(change: impl FnOnce(&mut arauto::config::Config)) -> TestServer {
    TestServer::with(|config| {
        config.server.local_connections = LocalConnections::Proxied;
        change(config);
    })
}

#[test]
fn a_proxys_clients_may_not_close_the_server() {
    let server = || proxied(|config| config.close_server.allow = Allow::Loopback);
    server().join("alan").ask("/close", ONLY_LOCALS);
    // A server of its own: the other may not have noticed yet that the first alan is gone.
    server().join_by_websocket("alan").ask("/close", ONLY_LOCALS);
}

#[test]
fn a_proxys_clients_are_held_to_flood_control_but_not_by_address() {
    let server = proxied(|config| {
        config.flood.message_rate = 1;
        config.flood.message_burst = 1;
        (config.flood.sessions_per_address, config.flood.joins_per_minute) = (1, 1);
    });
    // All clients have the proxy's address.
    let _others = ["bob", "carl", "dora"].map(|name| server.join(name));
    let mut alan = server.join("alan");
    alan.send_bytes(b"/echo one\n/echo two\n");
    alan.expect("alan | alan | echo | one");
    alan.expect(
        "server | alan | error_message | Your message was not sent: you may send 1 messages a second, 1 at once. Try again in 1 s",
    );
}

#[test]
fn limits_by_address_hold_for_a_proxy_where_they_are_asked_for() {
    let server = proxied(|config| {
        config.flood.loopback = true;
        config.flood.sessions_per_address = 1;
    });
    let _alan = server.join("alan");
    let mut bob = server.connect_silently();
    let told = bob.line();
    assert!(told.starts_with("server | client | connection_error | "), "{told}");
}

#[test]
fn a_password_through_a_proxy_is_in_the_open_unless_the_proxy_is_reached_by_tls() {
    let (file, issuer) = (AccountsFile::new(), Issuer::new());
    let files = issuer.issue("server", "a server");
    let server = file.serve(|config| {
        files.serve(config);
        config.server.local_connections = LocalConnections::Proxied;
    });
    let mut alan = server.connect();
    alan.ask("alan", &not_let_in("alan", IN_THE_OPEN));
    alan.expect_closed();
    // TLS all the way to the server is accepted as without a proxy.
    let mut alan = Trust::of(&issuer).connect(server.tls_address());
    alan.ask("alan", &password_request("alan"));
    alan.ask(PASSWORD, &confirmation("alan"));

    let server = file.serve(|config| config.server.local_connections = LocalConnections::TlsProxied);
    let mut alan = server.connect();
    alan.ask("alan", &password_request("alan"));
    alan.ask(PASSWORD, &confirmation("alan"));
}

#[test]
fn wrong_passwords_through_a_proxy_lock_no_other_account() {
    let file = AccountsFile::new();
    let server = file.serve(|config| config.server.local_connections = LocalConnections::TlsProxied);
    let try_as_alan = || {
        let mut client = server.connect();
        client.ask("alan", &password_request("alan"));
        client.send("wrong");
        client.line()
    };
    for _ in 0..10 {
        assert_eq!(
            try_as_alan(),
            "server | alan | error_message | That is not the password of alan; 2 tries are left"
        );
    }
    let refused = not_let_in("alan", "Too many wrong passwords came from your address. Try again in ");
    assert!(try_as_alan().starts_with(&refused));
    let mut bob = server.connect();
    bob.ask("bob", &password_request("bob"));
    bob.ask(PASSWORD, &confirmation("bob"));
}

/// Opens a WebSocket whose handshake has these headers.
fn passed_on(process: &Process, headers: &[(&'static str, &str)]) -> WebClient {
    let address = process.web_address();
    let mut request = format!("ws://{address}/tr2").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    WebClient::asking(stream, request)
}

#[test]
fn a_web_proxy_is_recognized_by_the_headers_it_adds_and_warned_of() {
    let process = Process::serve(&[]);
    process.logged(
        "connections from this machine are trusted as local users; if a proxy here forwards remote clients, set server.local_connections",
    );
    let mut alan = passed_on(&process, &[("x-forwarded-for", "192.0.2.1")]);
    alan.ask("alan", &confirmation("alan"));
    process.logged(
        "a proxy on this machine forwards connections of remote clients; set server.local_connections to \"proxied\", or to \"tls_proxied\" if clients reach it only by TLS",
    );
    alan.ask("/close", ONLY_LOCALS);
    // A local user may still close the server.
    let mut bob = Client::to(process.address());
    bob.expect(NAME_REQUEST);
    bob.ask("bob", &confirmation("bob"));
    bob.ask("/close", "server | all clients | broadcast | server closed");
}

#[test]
fn a_web_proxy_that_adds_no_header_is_recognized_by_the_page_that_asks() {
    let process = Process::serve(&[("ARAUTO_WEB_HOSTS", "chat.example")]);
    let through = [("host", "chat.example"), ("origin", "https://chat.example")];
    let mut alan = passed_on(&process, &through);
    alan.ask("alan", &confirmation("alan"));
    alan.ask("/close", ONLY_LOCALS);
}

#[test]
fn a_web_proxy_says_by_itself_that_it_was_reached_by_tls() {
    let file = AccountsFile::new();
    let process = Process::serve(&[("ARAUTO_ACCOUNTS_FILE", file.path().to_str().unwrap())]);
    let through = ("x-forwarded-for", "192.0.2.1");
    let mut alan = passed_on(&process, &[through]);
    alan.ask("alan", &not_let_in("alan", IN_THE_OPEN));
    let mut alan = passed_on(&process, &[through, ("x-forwarded-proto", "https")]);
    alan.ask("alan", &password_request("alan"));
    alan.ask(PASSWORD, &confirmation("alan"));
}

#[test]
fn what_local_connections_are_is_said_at_the_start() {
    let process = Process::serve(&[("ARAUTO_SERVER_LOCAL_CONNECTIONS", "proxied")]);
    process
        .logged("connections from this machine come from a proxy; limits per address do not apply to them");
    let process = Process::serve(&[("ARAUTO_WEB_HOSTS", "chat.example")]);
    let warned = process.logged(
        "web.hosts is set but web.listen is loopback only; if a proxy forwards requests here, set server.local_connections",
    );
    assert_eq!(warned["level"], "warn");
}
