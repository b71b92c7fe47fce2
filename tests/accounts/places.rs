//! Tests of the places that are reserved for accounts when all others are taken.

use super::{AccountsFile, HASH, PASSWORD, asked, log_in, moderation::connect_from, password_request};
use crate::harness::{Client, NAME_REQUEST, TestServer, confirmation, wait_until};

const FULL: &str =
    "server | client | connection_error | The server is full: it serves 4 at most. Try again later";

/// Starts a server with four places, two of them reserved, and two clients without an account on the others.
fn full(file: &AccountsFile) -> (TestServer, [Client; 2]) {
    let server = file.serve(|config| (config.limits.max_sessions, config.limits.reserved_sessions) = (4, 2));
    let strangers = ["carl", "dora"].map(|name| server.join(name));
    (server, strangers)
}

#[test]
fn the_last_places_are_for_accounts() {
    let file = AccountsFile::new();
    file.write(&format!(
        "{}[[accounts]]\nname = 'dave'\nhash = '{HASH}'\n",
        std::fs::read_to_string(file.path()).unwrap()
    ));
    let (server, _strangers) = full(&file);
    let mut eva = server.connect();
    eva.ask("eva", FULL);
    eva.expect_closed();
    // Giving the name of an account is not enough.
    let mut guesser = asked(&server, "alan");
    guesser
        .ask("wrong", "server | alan | error_message | That is not the password of alan; 2 tries are left");
    guesser.expect(&password_request("alan"));
    let _bob = log_in(&server, "bob");
    // The last place is reserved for operators.
    let mut dave = asked(&server, "dave");
    dave.ask(PASSWORD, FULL);
    dave.expect_closed();
    let mut alan = log_in(&server, "alan");
    // No place is left, even for an account's owner.
    let mut late = server.connect_silently();
    late.expect(FULL);
    late.expect_closed();
    // The guesser was asked for the password while a place was free, but gives the right one too late.
    guesser.ask(PASSWORD, FULL);
    guesser.expect_closed();
    alan.ask("/exit", "server | alan | exit | client disconnected");
    alan.expect_closed();
    // The place is free once the server has closed the session.
    wait_until("a free place", || server.connect_silently().line() == NAME_REQUEST);
    log_in(&server, "alan");
}

#[test]
fn silent_connections_keep_no_owner_out() {
    let file = AccountsFile::new();
    let (server, _strangers) = full(&file);
    let mut silent: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    let mut alan = log_in(&server, "alan");
    // Of 100 connections on trial, the oldest 36 have given way: one address may hold 64.
    for client in &mut silent[..36] {
        client.expect(FULL);
        client.expect_closed();
    }
    alan.expect_nothing_before_an_echo("alan");
}

#[test]
fn connections_of_other_addresses_displace_no_owner() {
    let file = AccountsFile::new();
    let (server, _strangers) = full(&file);
    let mut alan = connect_from("127.0.0.2", server.address());
    alan.expect(NAME_REQUEST);
    alan.ask("alan", &password_request("alan"));
    // More connections than the 256 permits for connections on trial.
    let mut silent: Vec<Client> = (0..300).map(|_| server.connect()).collect();
    silent[0].expect(FULL);
    alan.ask(PASSWORD, &confirmation("alan"));
    let mut bob = connect_from("127.0.0.3", server.address());
    bob.expect(NAME_REQUEST);
}

#[test]
fn a_websocket_is_let_in_in_the_same_way() {
    let file = AccountsFile::new();
    let (server, _strangers) = full(&file);
    let mut eva = crate::harness::web::WebClient::connect(server.web_address());
    eva.ask("eva", FULL);
    let mut alan = crate::harness::web::WebClient::connect(server.web_address());
    alan.ask("alan", &password_request("alan"));
    alan.ask(PASSWORD, &confirmation("alan"));
}

#[test]
fn nothing_is_kept_where_there_are_no_accounts() {
    let server = TestServer::with(|config| config.limits.max_sessions = 4);
    let _all = ["ana", "bob", "carl", "dora"].map(|name| server.join(name));
    let mut late = server.connect_silently();
    late.expect(FULL);
    late.expect_closed();
}

#[test]
fn the_end_is_told_to_who_is_on_trial() {
    let file = AccountsFile::new();
    let (server, mut strangers) = full(&file);
    let mut waiting = Client::to(server.address());
    waiting.expect(NAME_REQUEST);
    server.stop();
    for client in strangers.iter_mut().chain([&mut waiting]) {
        client.expect("server | all clients | broadcast | server closed");
        client.expect_closed();
    }
}
