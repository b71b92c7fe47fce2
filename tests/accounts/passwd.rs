//! Tests of `arauto passwd`, from a pipe and at a terminal.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use arauto::accounts::{AccountsFile, Secret};
use arauto_needs::needs;

use crate::{cli::arauto, real_clients::program::Program};

const PASSWORD: &str = "ópen \"sesame\" | 1";

/// Runs the program with `input` as its standard input.
pub fn piped<const N: usize>(arguments: [&str; N], input: &str) -> Output {
    let mut command = arauto(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Fails if the program refuses the name, because it does not read then.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Checks that the file holds exactly one account, with this name, password and right.
#[track_caller]
fn expect_account(file: &str, name: &str, password: &str, operator: bool) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("accounts.toml");
    std::fs::write(&path, file).unwrap();
    let accounts = AccountsFile::load(&path, 489).unwrap();
    assert_eq!(accounts.len(), 1, "{file}");
    let account = accounts.find(&arauto_protocol::NameKey::of(name)).unwrap();
    assert_eq!((account.name.as_str(), account.operator), (name, operator));
    assert!(account.hash.matches(&Secret::typed(password.as_bytes()).unwrap()).unwrap());
    assert!(!file.contains(password), "{file}");
}

#[test]
fn a_line_of_a_pipe_becomes_an_entry_that_the_server_reads() {
    for (name, operator) in [("alan", false), ("Ana \"the \\ boss\"", true)] {
        let output = if operator {
            piped(["passwd", "--operator", name], &format!("{PASSWORD}\nmore\n"))
        } else {
            piped(["passwd", name], &format!("{PASSWORD}\n"))
        };
        let said = (output.status.code(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(said, (Some(0), String::new()));
        expect_account(&String::from_utf8(output.stdout).unwrap(), name, PASSWORD, operator);
    }
}

#[test]
fn what_cannot_be_an_account_is_refused_in_words() {
    for (name, input, why) in [
        ("server", "opensesame\n", "The name server is reserved"),
        ("a|b", "opensesame\n", "A name must not hold the character | because it separates fields or names"),
        ("alan", "", "no password was given: type one, or give it as one line of standard input"),
        ("alan", "seven c\n", "a password has at least 8 characters"),
        ("alan", "with\ttab\n", "a password holds no control characters, tabs among them"),
    ] {
        let output = piped(["passwd", name], input);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{name}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("arauto: {why}\n"));
    }
}

/// Runs `passwd` on a terminal whose settings `stty` shows before and after.
fn at_a_terminal() -> Program {
    let passwd = format!("stty -a; '{}' passwd alan; echo status $?; stty -a", env!("CARGO_BIN_EXE_arauto"));
    let mut program = Program::python("tests/clients/terminal.py", &["sh", "-c", &passwd]);
    program.skip_past(" echo ");
    program.skip_past("Password: ");
    program
}

#[needs("python3")]
#[test]
fn nothing_is_shown_of_what_is_typed_at_a_terminal() {
    let mut program = at_a_terminal();
    program.type_keys("opensesamee\x7f\r");
    program.expect_line("\r");
    program.skip_past("Repeat the password: ");
    program.type_keys("oops\x15opensesame\r");
    program.expect_line("\r");
    let mut file = String::new();
    loop {
        let line = program.line();
        if line.starts_with("status ") {
            assert_eq!(line, "status 0\r");
            break;
        }
        file += &line.replace('\r', "\n");
    }
    expect_account(&file, "alan", "opensesame", false);
    // The terminal echoes typed text again.
    program.skip_past(" echo ");
}

#[needs("python3")]
#[test]
fn a_slip_or_a_change_of_mind_at_a_terminal_makes_no_entry() {
    for (keys, said) in [
        (&["opensesame\r", "opensesami\r"][..], "arauto: the two passwords differ\r"),
        (&["opense\x03"], "arauto: interrupted\r"),
        (&["short\r"], "arauto: a password has at least 8 characters\r"),
    ] {
        let mut program = at_a_terminal();
        program.type_keys(keys[0]);
        program.expect_line("\r");
        if let Some(again) = keys.get(1) {
            program.skip_past("Repeat the password: ");
            program.type_keys(again);
            program.expect_line("\r");
        }
        program.expect_line(said);
        program.expect_line("status 1\r");
        program.skip_past(" echo ");
    }
}
