//! Tests of the client in `examples/`, which has to be right, because users copy it.

use arauto::server::Ended;
use arauto_needs::needs;

use super::{nc, program::Program};
use crate::harness::TestServer;

/// Starts the example and reads up to the name request.
fn connect(server: &TestServer, name: &str) -> Program {
    let mut chat = Program::python("examples/chat.py", &[name, "127.0.0.1", &server.port()]);
    chat.expect_line("server (name): no data");
    chat
}

fn join(server: &TestServer, name: &str) -> Program {
    let mut chat = connect(server, name);
    chat.expect_line("server (connection_confirmation): You are now connected to the server");
    chat
}

#[needs("python3", "nc")]
#[test]
fn it_chats_with_a_netcat_and_leaves_when_its_input_ends() {
    let server = TestServer::start();
    let mut alan = join(&server, "alan");
    let mut bob = nc::join(&server, "bob");
    // Enter alone sends nothing.
    alan.ask("\nolá | todos", "alan (broadcast): olá | todos");
    bob.expect_line("alan | all clients | broadcast | olá | todos");
    bob.type_line("/msg alan a | b");
    alan.expect_line("bob (private_message): a | b");

    alan.type_line("/list");
    alan.end_input();
    alan.expect_line("server (list_clients): clients connected: alan , bob");
    alan.expect_success();
    bob.ask("/list", "server | bob | list_clients | clients connected: bob");
}

#[needs("python3")]
#[test]
fn it_ends_when_the_server_ends_the_connection() {
    let server = TestServer::start();
    let mut alan = join(&server, "alan");
    let mut second = connect(&server, "alan");
    second.expect_line(
        "server (connection_error): This username is already taken. You need to connect again and use another one",
    );
    second.expect_success();
    alan.ask("/close", "server (broadcast): server closed");
    alan.expect_success();
    assert_eq!(server.ended().unwrap(), Ended::Closed);
}

#[test]
fn a_student_reads_it_whole() {
    let source = include_str!("../../examples/chat.py");
    assert!(source.lines().count() <= 40);
}
