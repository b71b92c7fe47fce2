//! Tests of login, byte for byte: each kind of client, each answer, each refusal.

use std::time::Duration;

use arauto_needs::needs;

use super::{AccountsFile, PASSWORD, asked, log_in, not_let_in, password_request};
use crate::{
    harness::confirmation,
    real_clients::{nc, program::Program},
};

const PASSWORD_FIRST: &str = "A password is asked for before anything else. Type: alan | server | password | and the \
                              password behind it, or, once it is asked for, just the password";

#[test]
fn an_accounts_name_is_given_for_its_password() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    for (name, answer) in [
        ("alan", "opensesame"),
        ("alan | server | name | alan", "alan | server | password | opensesame"),
        // Confirmed as the account spells the name, whatever the client typed.
        ("ALAN", "|| password |opensesame"),
    ] {
        let mut alan = server.connect();
        alan.ask(name, &password_request("alan"));
        alan.ask(answer, &confirmation("alan"));
        alan.ask("/list", "server | alan | list_clients | clients connected: alan");
        alan.ask("/exit", "server | alan | exit | client disconnected");
        alan.expect_closed();
    }
    // Names without an account need no password.
    server.join("carl").expect_nothing_before_an_echo("carl");
}

#[test]
fn a_telnet_client_is_asked_not_to_show_it() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut alan = server.connect();
    alan.send_bytes(b"\xff\xfb\x18alan\r\n");
    // IAC DONT TERMINAL-TYPE refuses the client's option. IAC WILL ECHO then makes the client stop showing typed text.
    alan.expect_bytes(b"\xff\xfe\x18\xff\xfb\x01server | alan | password | no data\r\n");
    // The client agrees with DO ECHO, which the server does not refuse.
    alan.send_bytes(b"\xff\xfd\x01wrong one\r\n");
    alan.expect_bytes(b"\xff\xfc\x01\r\n");
    alan.expect_bytes(
        b"server | alan | error_message | That is not the password of alan; 2 tries are left\r\n",
    );
    alan.expect_bytes(b"\xff\xfb\x01server | alan | password | no data\r\n");
    alan.send_bytes(b"\xff\xfe\x01\xff\xfd\x01opensesamee\x7f\r\n");
    alan.expect_bytes(b"\xff\xfc\x01\r\n");
    alan.ending = "\r\n";
    alan.expect(&confirmation("alan"));
    // After login the server refuses ECHO again, like every other option.
    alan.send_bytes(b"\xff\xfd\x01");
    alan.expect_bytes(b"\xff\xfc\x01");
    alan.expect_nothing_before_an_echo("alan");
}

#[test]
fn an_unframed_client_answers_as_it_answered_for_its_name() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    for answer in ["alan | server | password | opensesame", "opensesame"] {
        let mut alan = server.connect();
        alan.ending = "";
        alan.send("alan | server | name | alan");
        assert_eq!(alan.recv(), password_request("alan"));
        alan.send("alan | server | password | wrong");
        assert_eq!(
            alan.recv(),
            "server | alan | error_message | That is not the password of alan; 2 tries are left"
        );
        assert_eq!(alan.recv(), password_request("alan"));
        alan.send(answer);
        assert_eq!(alan.recv(), confirmation("alan"));
        alan.ask("alan | server | exit | client alan closed", "server | alan | exit | client disconnected");
        alan.expect_closed();
    }
}

#[test]
fn three_wrong_ones_and_out() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut alan = asked(&server, "alan");
    for left in ["2 tries are left", "1 try is left"] {
        alan.ask(
            "alan | server | password | opensesami",
            &format!("server | alan | error_message | That is not the password of alan; {left}"),
        );
        alan.expect(&password_request("alan"));
    }
    alan.ask(
        "Opensesame",
        &not_let_in("alan", "That is not the password of alan. You need to connect again"),
    );
    alan.expect_closed();
    log_in(&server, "alan");
}

#[test]
fn what_was_sent_along_with_the_name_is_no_password_by_accident() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    for along in ["opensesame", "/all hi", "hi there", "alan | all clients | broadcast | hi"] {
        let mut alan = server.connect();
        alan.send_bytes(format!("alan\n{along}\n").as_bytes());
        alan.expect(&password_request("alan"));
        alan.expect(&not_let_in("alan", PASSWORD_FIRST));
        alan.expect_closed();
    }
}

#[test]
fn a_script_says_it_all_at_once_and_is_answered_to_the_end() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut alan = server.connect();
    alan.send_bytes(
        b"alan\nalan | server | password | wrong\nalan | server | password | opensesame\n/echo one\n/echo two\n/echo thr",
    );
    alan.finish_sending();
    alan.expect(&password_request("alan"));
    alan.expect("server | alan | error_message | That is not the password of alan; 2 tries are left");
    alan.expect(&password_request("alan"));
    alan.expect(&confirmation("alan"));
    alan.expect("alan | alan | echo | one");
    alan.expect("alan | alan | echo | two");
    alan.expect(
        "server | alan | error_message | Your last line was not sent: it does not end with a newline",
    );
    alan.expect_closed();
}

#[test]
fn anything_but_a_password_is_refused_and_closed() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let no_password = "That cannot be a password: one is a line of UTF-8 without control characters, and not longer than a message";
    for (sent, why) in [
        (&b"/exit\n"[..], PASSWORD_FIRST),
        (b"alan | all clients | broadcast | hi\n", PASSWORD_FIRST),
        (b"alan | server | password\n", PASSWORD_FIRST),
        (b"caf\xe9\n", no_password),
        (b"alan | server | password | tab\tinside\n", no_password),
        (&[&[b'x'; 2000][..], b"\n"].concat(), no_password),
    ] {
        let mut alan = asked(&server, "alan");
        alan.send_bytes(sent);
        alan.expect(&not_let_in("alan", why));
        alan.expect_closed();
    }
    let mut alan = asked(&server, "alan");
    alan.send_bytes(b"opensesame");
    alan.finish_sending();
    alan.expect(&not_let_in("alan", no_password));
    alan.expect_closed();
}

#[test]
fn who_does_not_answer_is_told_and_closed() {
    let file = AccountsFile::new();
    let server = file.serve(|config| config.limits.name_timeout = Duration::from_millis(500));
    let mut alan = asked(&server, "alan");
    alan.expect(&not_let_in("alan", "No password came within 500ms. Connect again and type it and Enter"));
    alan.expect_closed();
    let mut alan = asked(&server, "alan");
    alan.send("wrong");
    alan.expect("server | alan | error_message | That is not the password of alan; 2 tries are left");
    alan.expect(&password_request("alan"));
    alan.expect(&not_let_in("alan", "No password came within 500ms. Connect again and type it and Enter"));
    alan.expect_closed();
}

#[test]
fn a_name_that_its_owner_bears_is_taken() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut alan = log_in(&server, "alan");
    let mut again = asked(&server, "alan");
    again.ask(
        PASSWORD,
        &not_let_in("alan", "This username is already taken. You need to connect again and use another one"),
    );
    again.expect_closed();
    alan.expect_nothing_before_an_echo("alan");
}

#[test]
fn a_name_that_looks_like_an_accounts_is_refused_even_while_its_owner_is_away() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    for (typed, why) in [
        ("\u{430}lan", "\u{430}lan has Cyrillic \u{430}; it looks like alan, who has an account"),
        ("aIan", "aIan looks like alan, who has an account: I looks like l"),
    ] {
        let mut other = server.connect();
        other
            .ask(typed, &not_let_in(typed, &format!("{why}. You need to connect again and use another one")));
        other.expect_closed();
    }
    log_in(&server, "alan");
}

#[test]
fn where_accounts_are_required_nobody_else_enters() {
    let file = AccountsFile::new();
    let server = file.serve(|config| config.accounts.required = true);
    let mut carl = server.connect();
    carl.ask(
        "carl",
        &not_let_in(
            "carl",
            "Only people with an account may enter, and carl is none. Ask who runs this server for one",
        ),
    );
    carl.expect_closed();
    log_in(&server, "bob").expect_nothing_before_an_echo("bob");
}

#[test]
fn an_address_may_give_ten_wrong_ones_and_then_not_even_the_right_one() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut bob = log_in(&server, "bob");
    for _ in 0..3 {
        let mut alan = asked(&server, "alan");
        for _ in 0..2 {
            alan.send("wrong");
            alan.line();
            alan.expect(&password_request("alan"));
        }
        alan.ask("wrong", &not_let_in("alan", "That is not the password of alan. You need to connect again"));
    }
    let mut alan = asked(&server, "alan");
    alan.send("wrong");
    alan.line();
    alan.expect(&password_request("alan"));
    alan.send(PASSWORD);
    let refusal = alan.line();
    let wait = refusal
        .strip_prefix(&not_let_in("alan", "Too many wrong passwords came from your address. Try again in "));
    let wait = humantime::parse_duration(wait.expect(&refusal)).unwrap();
    assert!(wait <= Duration::from_mins(10), "{wait:?}");
    alan.expect_closed();
    // A joined session stays, and names without a password are still given.
    bob.expect_nothing_before_an_echo("bob");
    server.join("carl");
}

#[test]
fn a_password_message_that_nobody_asked_for_reaches_nobody() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut carl = server.join("carl");
    for line in
        ["carl | server | password | opensesame", "|bob|Password|opensesame", "a | b | password | \u{1b}"]
    {
        carl.ask(
            line,
            "server | carl | error_message | No password is asked for now; nobody was shown your line",
        );
    }
    let mut early = server.connect();
    early.ask(
        "alan | server | password | opensesame",
        "server | client | connection_error | A name is asked for before a password. Type just your name: bob",
    );
    early.expect_closed();
}

#[needs("nc")]
#[test]
fn a_person_at_netcat_just_types_it() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut alan = Program::start("nc", &["127.0.0.1", &server.port()]);
    alan.expect_line("server | client | name | no data");
    alan.ask("alan", &password_request("alan"));
    alan.ask("oops", "server | alan | error_message | That is not the password of alan; 2 tries are left");
    alan.expect_line(&password_request("alan"));
    alan.ask(PASSWORD, &confirmation("alan"));
    alan.ask("/echo in", "alan | alan | echo | in");
    alan.ask("/exit", "server | alan | exit | client disconnected");
    nc::expect_closed(alan);
}
