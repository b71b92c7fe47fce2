//! Tests with OpenBSD's netcat.

use arauto::server::Ended;
use arauto_needs::needs;

use super::program::Program;
use crate::harness::{NAME_REQUEST, TestServer, confirmation};

/// Starts a netcat and reads the name request.
fn connect(server: &TestServer) -> Program {
    let mut nc = Program::start("nc", &["127.0.0.1", &server.port()]);
    nc.expect_line(NAME_REQUEST);
    nc
}

/// Starts a netcat and types a name, which the server confirms.
pub fn join(server: &TestServer, name: &str) -> Program {
    let mut nc = connect(server);
    nc.ask(name, &confirmation(name));
    nc
}

/// Runs `printf INPUT | nc -N`: all input at once, then its end.
fn pipe_into(server: &TestServer, input: &str) -> Program {
    let mut nc = Program::start("nc", &["-N", "127.0.0.1", &server.port()]);
    nc.type_keys(input);
    nc.end_input();
    nc.expect_line(NAME_REQUEST);
    nc
}

/// Checks that the server has closed the connection: until then, a netcat whose input has ended does not end.
#[track_caller]
pub fn expect_closed(mut nc: Program) {
    nc.end_input();
    nc.expect_success();
}

#[needs("nc")]
#[test]
fn two_people_chat_and_one_closes_the_server() {
    let server = TestServer::start();
    let mut alan = join(&server, "alan");
    let mut bob = join(&server, "bob");

    alan.ask("/all good morning", "alan | all clients | broadcast | good morning");
    bob.expect_line("alan | all clients | broadcast | good morning");
    bob.type_line("/msg alan só para ti");
    alan.expect_line("bob | alan | private_message | só para ti");
    alan.type_line("alan | bob | private_message | a | b");
    bob.expect_line("alan | bob | private_message | a | b");
    alan.ask("/list", "server | alan | list_clients | clients connected: alan , bob");

    bob.ask("/exit", "server | bob | exit | client disconnected");
    expect_closed(bob);
    alan.ask("/list", "server | alan | list_clients | clients connected: alan");
    let mut bob = join(&server, "bob");
    bob.type_line("/others I am back");
    alan.expect_line("bob | all clients | broadcast_not_me | I am back");

    alan.ask(
        "alan | server | close_server | close server",
        "server | all clients | broadcast | server closed",
    );
    bob.expect_line("server | all clients | broadcast | server closed");
    expect_closed(alan);
    expect_closed(bob);
    assert_eq!(server.ended().unwrap(), Ended::Closed);
}

#[needs("nc")]
#[test]
fn a_taken_name_ends_the_second_to_want_it() {
    let server = TestServer::start();
    let mut alan = join(&server, "alan");
    let mut second = connect(&server);
    second.ask(
        "alan",
        "server | new_client: alan | connection_error | This username is already taken. \
         You need to connect again and use another one",
    );
    expect_closed(second);
    alan.ask("/echo still here", "alan | alan | echo | still here");
}

#[needs("nc")]
#[test]
fn a_script_that_ends_its_input_is_answered_before_the_connection_ends() {
    let server = TestServer::start();
    let mut alan = pipe_into(&server, "alan\n/list\n");
    alan.expect_line(&confirmation("alan"));
    alan.expect_line("server | alan | list_clients | clients connected: alan");
    alan.expect_success();
}

#[needs("nc")]
#[test]
fn a_last_line_without_a_newline_is_not_carried_out_and_said_so() {
    let server = TestServer::start();
    let mut bob = join(&server, "bob");
    let mut alan = pipe_into(&server, "alan\n/list\n/all unfinished");
    alan.expect_line(&confirmation("alan"));
    alan.expect_line("server | alan | list_clients | clients connected: bob , alan");
    alan.expect_line(
        "server | alan | error_message | Your last line was not sent: it does not end with a newline",
    );
    alan.expect_success();
    bob.ask("/echo nothing came", "bob | bob | echo | nothing came");
}

#[needs("nc")]
#[test]
fn a_name_without_a_newline_is_refused_with_why() {
    let server = TestServer::start();
    let mut alan = pipe_into(&server, "alan");
    alan.expect_line(
        "server | client | connection_error | A name was asked for, but the line does not end with a newline",
    );
    alan.expect_success();
}
