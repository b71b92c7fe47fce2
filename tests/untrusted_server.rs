//! Tests of the client's commands with arguments that would be two messages, and with hostile servers.

use std::{
    fs,
    process::{Command, Output, Stdio},
    sync::mpsc,
};

use crate::{
    cli::arauto,
    harness::{DEADLINE, fake_server::FakeServer},
};

/// The program, with the server's address.
fn client(server: &FakeServer, arguments: &[&str]) -> Command {
    let mut command = arauto([]);
    command.args(arguments).arg("--server").arg(server.address().to_string()).stdin(Stdio::null());
    command
}

/// Returns status, standard output and standard error.
fn outcome(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn an_argument_is_never_a_second_message() {
    let server = FakeServer::start(|mut peer| {
        peer.welcome();
        peer.until_the_end();
    });
    let long = format!("dj/{}", "x".repeat(1024));
    for arguments in [
        &["play", "dj/x\n/close"][..],
        &["play", "dj/x\rdj | server | exit | x"],
        &["play", "dj/x\u{85}y"],
        &["play", "dj/x\u{7f}"],
        &["play", "dj/x", "--as", "a\nb"],
        &["play", "d\nj/x"],
        &["play", "d|j/x"],
        &["play", &long],
        &["play", &long, "--as", "ana"],
        &["send", "--as", "ana", "--all", "hi\n/close"],
        &["send", "--as", "ana", "--all", "hi\r"],
        &["send", "--as", "ana\n/close", "--all", "hi"],
        &["send", "--as", "ana", "--to", "bob\n/close", "hi"],
        &["send", "--as", "ana", "--to", "bob | exit", "hi"],
        &["files", "bob\n/close"],
        &["files", "bob", "--as", "ana\n/close"],
        &["list", "--as", "ana\n/close"],
        &["listen", "--as", "ana\n/close"],
        &["join", "--plain", "ana\n/close"],
    ] {
        let (status, stdout, stderr) = outcome(&client(&server, arguments).output().unwrap());
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(!stderr.trim().is_empty(), "{arguments:?}");
    }
    let mut named = client(&server, &["join", "--plain"]);
    named.env("ARAUTO_CLIENT_NAME", "ana\n/close");
    assert_eq!(outcome(&named.output().unwrap()).0, 2);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "open\rsesame").unwrap();
    let mut password = client(&server, &["list", "--as", "ana"]);
    password.arg("--password-file").arg(file.path());
    assert_eq!(outcome(&password.output().unwrap()).0, 1);
    assert_eq!(server.connections(), 0);
}

#[test]
fn an_argument_is_one_message_as_it_is() {
    let server = FakeServer::start(|mut peer| {
        let name = peer.welcome();
        peer.line();
        peer.say(&format!("server | {name} | play | no"));
        peer.until_the_end();
    });
    let play = client(&server, &["play", "dj/a | b\tc.mp3", "--as", "ana", "--output", "/dev/null"])
        .output()
        .unwrap();
    assert_eq!(outcome(&play).0, 3, "{play:?}");
    let sent = "ana | server | name | ana\nana | dj | play | a | b\tc.mp3\n";
    assert_eq!(server.heard(|heard| heard.len() >= sent.len()), sent);
}

#[test]
fn what_an_argument_must_not_hold_is_said() {
    let server = FakeServer::start(|_| {});
    for (arguments, why) in [
        (&["play", "dj/x\n/close"][..], "FILE cannot be sent: character 2 is a control character (U+000A)"),
        (
            &["send", "--as", "ana", "--all", "a\u{9b}b"],
            "TEXT cannot be sent: character 2 is a control character (U+009B)",
        ),
    ] {
        let said = outcome(&client(&server, arguments).output().unwrap());
        assert_eq!(said, (2, String::new(), format!("arauto: {why}\n")));
    }
}

/// Maximum number of bytes that a server can send before the client is gone: what the client keeps, what waits in
/// sockets, and what it reads and drops at up to 200 MB/s during the 2 s in which it waits for the answer to its
/// `exit`. A client that does not give up takes more within its timeout of a minute.
const MAX_TAKEN: u64 = 512 * 1024 * 1024;

/// Starts a server that sends these lines without end after the client's first request. The receiver gets the number of
/// bytes that the client took.
fn flooding(line: impl Fn(u64) -> String + Send + Sync + 'static) -> (FakeServer, mpsc::Receiver<u64>) {
    let (tell, taken) = mpsc::channel();
    let server = FakeServer::start(move |mut peer| {
        let name = peer.welcome();
        peer.request(&name);
        let _ = tell.send(peer.flood(&line));
    });
    (server, taken)
}

#[test]
fn a_list_of_clients_without_end_is_given_up() {
    let (server, taken) = flooding(|number| {
        format!("server | x | list_clients | clients connected: user {number} , {}", "x".repeat(900))
    });
    let said = outcome(&client(&server, &["list"]).output().unwrap());
    assert_eq!(
        said,
        (3, String::new(), "arauto: the server's list of clients is longer than any valid one\n".to_owned())
    );
    let taken = taken.recv_timeout(DEADLINE).unwrap();
    assert!(taken < MAX_TAKEN, "{taken} bytes");
}

#[test]
fn what_is_no_answer_is_not_waited_for_beyond_the_time() {
    for line in [
        // Messages of other clients.
        "bob | all clients | broadcast | hi",
        // An empty list.
        "server | x | list_clients | clients connected: ",
        "server | x | help | /help: help (help)",
        "server | all clients | joined | bob",
        "server | x | watch | clients connected, 1 to 1 of 2: bob",
        "server | x | list_streams | ana: a.mp3, 1 listening, 00:01",
        "no message",
    ] {
        let (server, _taken) = flooding(|_| line.to_owned());
        let (status, stdout, stderr) =
            outcome(&client(&server, &["list", "--timeout", "1s"]).output().unwrap());
        let why = "arauto: no answer from the server within 1s\n";
        assert_eq!((status, stdout.as_str(), stderr.as_str()), (3, "", why), "{line}");
    }
}

#[test]
fn a_line_without_end_is_not_waited_for_beyond_the_time() {
    let server = FakeServer::start(|mut peer| {
        let name = peer.welcome();
        peer.request(&name);
        while peer.write(&[b'x'; 4096]) {}
    });
    let (status, _, stderr) = outcome(&client(&server, &["list", "--timeout", "1s"]).output().unwrap());
    assert_eq!((status, stderr.as_str()), (3, "arauto: no answer from the server within 1s\n"));
}

#[test]
fn joining_counts_as_well() {
    let server = FakeServer::start(|mut peer| {
        peer.say("server | client | name | no data");
        peer.until_the_end();
    });
    for arguments in [&["list", "--timeout", "1s"][..], &["files", "bob", "--timeout", "1s"]] {
        let (status, _, stderr) = outcome(&client(&server, arguments).output().unwrap());
        assert_eq!((status, stderr.as_str()), (3, "arauto: no answer from the server within 1s\n"));
    }
}

#[test]
fn parts_of_a_list_of_files_without_end_have_the_time_of_the_whole() {
    let (server, _taken) =
        flooding(|number| format!("bob | x | list_files | files 1 to 1 of {}: a (1 byte)", 2 + number % 2));
    let files = client(&server, &["files", "bob", "--timeout", "1s"]).output().unwrap();
    let (status, stdout, stderr) = outcome(&files);
    assert_eq!((status, stdout.as_str()), (3, "a (1 byte)\n"), "{stderr}");

    let name = "n".repeat(900);
    let (server, taken) = flooding(move |number| {
        format!("bob | x | list_files | files {0} to {0} of 1000000: {name}{number} (1 byte)", number + 1)
    });
    let (status, _, stderr) =
        outcome(&client(&server, &["files", "bob", "--timeout", "1m"]).output().unwrap());
    assert_eq!(status, 3, "{stderr}");
    let taken = taken.recv_timeout(DEADLINE).unwrap();
    assert!(taken < MAX_TAKEN, "{taken} bytes");
}

#[test]
fn echoes_without_end_confirm_nothing() {
    let (server, _taken) = flooding(|_| "ana | ana | echo | at work".to_owned());
    let send = client(&server, &["send", "--as", "ana", "--all", "--timeout", "1s", "hi"]).output().unwrap();
    let why =
        "arauto: the server confirmed nothing for 1s (--timeout): the messages may not have been delivered\n";
    assert_eq!(outcome(&send), (5, String::new(), why.to_owned()));
}

#[test]
fn requests_without_end_are_not_answered_without_end() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "open sesame").unwrap();
    let shown = file.path().display().to_string();
    for (request, why) in [
        ("server | client | name | no data", "The server asks for the name again and again".to_owned()),
        (
            "server | ana | password | no data",
            format!("the password in {shown} is refused: The server asks for the password again"),
        ),
    ] {
        for command in [
            &["list", "--as", "ana"][..],
            &["send", "--as", "ana", "--all", "hi"],
            &["join", "--plain", "ana"],
        ] {
            let server = FakeServer::start(move |mut peer| {
                peer.flood(|_| request.to_owned());
            });
            let mut command = client(&server, command);
            command.arg("--password-file").arg(file.path());
            let (status, _, stderr) = outcome(&command.output().unwrap());
            assert_eq!(status, 3, "{stderr}");
            assert!(stderr.ends_with(&format!("arauto: {why}\n")), "{stderr}");
        }
    }
}
