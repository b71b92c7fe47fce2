//! The client's commands against text that would be two messages, and against servers that mean harm.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use crate::{cli::arauto, harness::fake_server::FakeServer};

/// The program, told where the server is.
fn client(server: &FakeServer, arguments: &[&str]) -> Command {
    let mut command = arauto([]);
    command.args(arguments).arg("--server").arg(server.address().to_string()).stdin(Stdio::null());
    command
}

/// Status, standard output, standard error.
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
