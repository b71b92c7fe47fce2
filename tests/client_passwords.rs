//! Tests of the client with names that have a password.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use expectrl::{Expect, Session};
use tempfile::TempDir;

use crate::{
    accounts::{AccountsFile, PASSWORD},
    cli::{arauto, stdout},
    harness::{DEADLINE, TestServer},
};

/// `arauto list` as alan, who has an account.
fn list(server: &TestServer, arguments: &[&str]) -> Command {
    let mut command = arauto(["list", "--as", "ALAN", "--server", &server.address().to_string()]);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Makes a file with this content that only its owner can read.
fn file(content: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    (folder, path)
}

#[track_caller]
fn complaint(command: &mut Command, status: i32) -> String {
    let Output { status: ended, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!((ended.code(), stdout.as_slice()), (Some(status), &b""[..]), "{said}");
    said
}

#[test]
fn the_first_line_of_a_file_is_the_password() {
    let accounts = AccountsFile::new();
    let server = accounts.serve(|_| {});
    let _carol = server.join("carol");
    let (_folder, path) = file(&format!("{PASSWORD}\nand something else\n"));
    assert_eq!(stdout(&mut list(&server, &["--password-file", path.to_str().unwrap()])), "carol\n");
    // The file is ignored if the server asks for no password.
    let mut dave = arauto(["list", "--as", "dave", "--server", &server.address().to_string()]);
    assert_eq!(stdout(dave.args(["--password-file", path.to_str().unwrap()])), "carol\n");
}

#[test]
fn a_wrong_password_and_none_are_refusals() {
    let accounts = AccountsFile::new();
    let server = accounts.serve(|_| {});
    let (_folder, path) = file("opensesami\n");
    assert_eq!(
        complaint(&mut list(&server, &["--password-file", path.to_str().unwrap()]), 3),
        format!(
            "arauto: the password in {} is refused: That is not the password of alan; 2 tries are left\n",
            path.display()
        )
    );
    assert_eq!(
        complaint(&mut list(&server, &[]), 3),
        "arauto: alan has a password, and none was given: name a file that holds it with --password-file\n"
    );
}

#[test]
fn a_file_that_cannot_be_used_or_that_everybody_can_read_is_told() {
    let accounts = AccountsFile::new();
    let server = accounts.serve(|_| {});
    let (folder, path) = file(PASSWORD);
    let missing = folder.path().join("missing\u{1b}");
    assert_eq!(
        complaint(&mut list(&server, &["--password-file", missing.to_str().unwrap()]), 1),
        format!(
            "arauto: password_file: cannot read {}/missing\\u{{1b}}: No such file or directory (os error 2)\n",
            folder.path().display()
        )
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
    let output = list(&server, &["--password-file", path.to_str().unwrap()]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "arauto: warning: every local user can read the password in {}; run chmod o= on it\n",
            path.display()
        )
    );
}

#[test]
fn a_terminal_is_asked_and_shows_nothing_of_what_is_typed() {
    let accounts = AccountsFile::new();
    let server = accounts.serve(|_| {});
    let _carol = server.join("carol");
    let mut command = arauto(["list", "--as", "alan", "--server", &server.address().to_string()]);
    command.env_remove("ARAUTO_CONFIG");
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(DEADLINE));
    session.expect("Password of alan: ").unwrap();
    session.send("opensesami\r").unwrap();
    let said = session.expect("That is not the password of alan; 2 tries are left").unwrap();
    assert_eq!(String::from_utf8_lossy(said.before()), "\r\n");
    session.expect("Password of alan: ").unwrap();
    session.send(format!("{PASSWORD}\r")).unwrap();
    let said = session.expect("carol\r\n").unwrap();
    assert_eq!(String::from_utf8_lossy(said.before()), "\r\n");
}
