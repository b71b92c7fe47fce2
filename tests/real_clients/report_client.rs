//! Tests with a twin of the report's client: no line endings, one `recv(1024)` taken for one message, strict
//! comparisons.

use arauto::server::Ended;
use arauto_needs::needs;

use super::{nc, program::Program};
use crate::harness::TestServer;

const FILES: &str = "['File 1', 'File 2', 'File 3']";

/// Starts a twin, types a name, and reads up to the name request.
fn introduce(server: &TestServer, name: &str) -> Program {
    let mut twin = Program::python("tests/clients/report_client.py", &[&server.port()]);
    twin.type_line(name);
    // Before the client has sent anything, the server cannot know that it uses no line endings.
    expect(&mut twin, ["server", "client", "name", "no data\n"]);
    twin
}

fn join(server: &TestServer, name: &str) -> Program {
    let mut twin = introduce(server, name);
    expect(&mut twin, ["server", name, "connection_confirmation", "You are now connected to the server"]);
    twin
}

/// Checks that the twin receives exactly these fields next.
#[track_caller]
fn expect(twin: &mut Program, fields: [&str; 4]) {
    twin.expect_line(&serde_json::to_string(&fields).unwrap());
}

/// Types what the menu asks for, and checks that the twin receives these fields next.
#[track_caller]
fn ask(twin: &mut Program, lines: &[&str], fields: [&str; 4]) {
    twin.type_line(&lines.join("\n"));
    expect(twin, fields);
}

/// Checks that the twin takes what it received for the end, and succeeds.
#[track_caller]
fn expect_to_close(mut twin: Program) {
    twin.expect_line("closing client...");
    twin.expect_success();
}

#[needs("python3")]
#[test]
fn each_operation_of_its_menu() {
    let server = TestServer::start();
    let mut alan = join(&server, "alan");
    ask(&mut alan, &["echo", "olá"], ["alan", "alan", "echo", "olá"]);
    ask(&mut alan, &["broadcast", "n", "hi"], ["alan", "all clients", "broadcast", "hi"]);
    ask(&mut alan, &["dance"], ["server", "alan", "Unknown_operation", "Operation (dance) is not supported"]);
    ask(&mut alan, &["list clients"], ["server", "alan", "list_clients", "clients connected: alan"]);
    ask(&mut alan, &["list files", ""], ["server", "alan", "list_files", "Client name not informed!"]);
    ask(
        &mut alan,
        &["list files", "bob"],
        ["server", "alan", "list_files", "Destination client (bob) not found!"],
    );
    ask(&mut alan, &["exit"], ["server", "alan", "exit", "client disconnected"]);
    expect_to_close(alan);
    // The name is free again.
    join(&server, "alan");
}

#[needs("python3", "nc")]
#[test]
fn a_twin_and_a_netcat_talk_to_each_other() {
    let server = TestServer::start();
    let mut alan = join(&server, "alan");
    let mut bob = nc::join(&server, "bob");

    bob.ask("/all good morning", "bob | all clients | broadcast | good morning");
    expect(&mut alan, ["bob", "all clients", "broadcast", "good morning"]);
    bob.type_line("/msg alan just you");
    expect(&mut alan, ["bob", "alan", "private_message", "just you"]);

    ask(&mut alan, &["broadcast", "n", "hi bob"], ["alan", "all clients", "broadcast", "hi bob"]);
    bob.expect_line("alan | all clients | broadcast | hi bob");
    alan.type_line("broadcast\ny\nhi others");
    bob.expect_line("alan | all clients | broadcast_not_me | hi others");
    ask(&mut alan, &["echo", "nothing came"], ["alan", "alan", "echo", "nothing came"]);

    bob.type_line("/files alan");
    expect(&mut alan, ["bob", "alan", "list_files", "no data"]);
    bob.expect_line(&format!("alan | bob | list_files | {FILES}"));
    alan.type_line("list files\nbob");
    bob.expect_line("alan | bob | list_files | no data");
    bob.type_line("bob | alan | list_files | notes.txt");
    expect(&mut alan, ["bob", "alan", "list_files", "notes.txt"]);
}

#[needs("python3")]
#[test]
fn one_twin_gets_the_files_of_another() {
    let server = TestServer::start();
    let mut alan = join(&server, "alan");
    let mut bob = join(&server, "bob");
    ask(&mut alan, &["list files", "bob"], ["bob", "alan", "list_files", FILES]);
    expect(&mut bob, ["alan", "bob", "list_files", "no data"]);
    ask(&mut bob, &["list files", "alan"], ["alan", "bob", "list_files", FILES]);
    expect(&mut alan, ["bob", "alan", "list_files", "no data"]);
}

#[needs("python3")]
#[test]
fn a_twin_with_a_taken_name_closes() {
    let server = TestServer::start();
    let mut alan = join(&server, "alan");
    let mut second = introduce(&server, "alan");
    expect(
        &mut second,
        [
            "server",
            "new_client: alan",
            "connection_error",
            "This username is already taken. You need to connect again and use another one",
        ],
    );
    expect_to_close(second);
    ask(&mut alan, &["list clients"], ["server", "alan", "list_clients", "clients connected: alan"]);
}

#[needs("python3", "nc")]
#[test]
fn a_twin_closes_the_server_for_everyone() {
    const SERVER_CLOSED: [&str; 4] = ["server", "all clients", "broadcast", "server closed"];
    let server = TestServer::start();
    let mut alan = join(&server, "alan");
    let mut bob = join(&server, "bob");
    let mut carl = nc::join(&server, "carl");
    ask(&mut alan, &["close server"], SERVER_CLOSED);
    expect_to_close(alan);
    expect(&mut bob, SERVER_CLOSED);
    expect_to_close(bob);
    carl.expect_line("server | all clients | broadcast | server closed");
    nc::expect_closed(carl);
    assert_eq!(server.ended().unwrap(), Ended::Closed);
}
