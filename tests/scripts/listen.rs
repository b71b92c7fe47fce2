//! Tests of `arauto listen`: how it ends, messages that wait for its pipe, and connecting again after a cut.

use std::{
    io::{self, BufRead},
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{Listener, client, done, run};
use crate::{
    accounts::{AccountsFile, log_in},
    cli::arauto,
    harness::{Client, TestServer, fake_server::FakeServer, process::signal},
};

#[test]
fn each_end_of_listening_has_its_status() {
    // The server's message to a client that an operator has disconnected.
    let words = "You were disconnected by alan: being rude";
    for (last, status, said) in [
        (Some("server | all clients | broadcast | server closed"), 4, "the server closed".to_owned()),
        (None, 4, "the server ended the connection".to_owned()),
        (Some(&*format!("server | ana | error_message | {words}")), 3, words.to_owned()),
        (Some("server | ana | connection_error | no more"), 3, "no more".to_owned()),
    ] {
        let line = last.map(str::to_owned);
        let server = FakeServer::start(move |mut peer| {
            peer.welcome();
            if let Some(line) = &line {
                peer.say(line);
            }
        });
        let mut listen = arauto(["listen", "--as", "ana", "--server", &server.address().to_string()]);
        let (got, _, stderr) = run(listen.stdin(Stdio::null()));
        assert_eq!((got, stderr), (status, format!("arauto: {said}\n")), "{last:?}");
    }
}

#[test]
fn an_operators_kick_ends_listening_with_its_reason() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut operator = log_in(&server, "alan");
    let listener = Listener::start(&mut client(&server, ["listen", "--as", "ana", "--reconnect"]));
    operator.send("/kick ana being rude");
    let words = "You were disconnected by alan: being rude";
    let line = format!("server | ana | error_message | {words}\n");
    assert_eq!(listener.ended(), (3, line, format!("arauto: {words}\n")));
}

/// Number of messages in a burst that is not read from the pipe, and their length in bytes.
const BURST: (usize, usize) = (20_000, 500);

#[test]
fn listening_goes_on_while_its_pipe_waits() {
    let server = TestServer::with(|config| config.limits.outbox_bytes = 64 * 1024);
    let mut bob = server.join("bob");
    let mut listener = Listener::start(&mut client(&server, ["listen", "--as", "ana", "--count", "20001"]));
    // The pipe holds 64 KiB and is not read. The client still reads 10 MB from the server.
    let (messages, bytes) = BURST;
    let text = "x".repeat(bytes);
    for _ in 0..messages {
        bob.send(&format!("/msg ana {text}"));
    }
    bob.send("/msg ana the end");
    bob.expect_nothing_before_an_echo("bob");
    let mut lines = listener.stdout().lines();
    for _ in 0..messages {
        assert_eq!(lines.next().unwrap().unwrap(), format!("bob | ana | private_message | {text}"));
    }
    assert_eq!(lines.next().unwrap().unwrap(), "bob | ana | private_message | the end");
    assert_eq!(listener.ended(), done(""));
}

#[test]
fn what_waits_for_a_pipe_is_bounded_and_the_cut_is_explained() {
    let why = "You were disconnected: more than 1048576 bytes for you were waiting unread";
    let server = FakeServer::start(move |mut peer| {
        peer.welcome();
        // Like a server that holds 1 MiB for a client and ends the connection of a client that takes nothing for a
        // while.
        peer.shut_out(&format!("bob | ana | private_message | {}", "x".repeat(60_000)));
        peer.say(&format!("server | ana | error_message | {why}"));
    });
    let mut listen = arauto(["listen", "--as", "ana", "--server", &server.address().to_string()]);
    let mut listener = Listener::start(listen.stdin(Stdio::null()));
    let taken = server.refused();
    assert!((48 << 20..96 << 20).contains(&taken), "{taken} bytes");
    let _ = io::copy(&mut listener.stdout(), &mut io::sink());
    let (status, _, stderr) = listener.ended();
    let said = format!(
        "arauto: standard output was not read while 64 MiB waited for it, and the connection ended: {why}\n"
    );
    assert_eq!((status, stderr), (1, said));
}

#[test]
fn listening_connects_again_after_a_cut() {
    let round = AtomicUsize::new(0);
    let server = FakeServer::start(move |mut peer| {
        let name = peer.welcome();
        let round = round.fetch_add(1, Ordering::Relaxed);
        peer.say(&format!("bob | {name} | private_message | {round}"));
        if round == 2 {
            peer.until_the_end();
        }
    });
    let address = server.address().to_string();
    let mut listen = arauto(["listen", "--as", "ana", "--reconnect", "--count", "3", "--server", &address]);
    let listener = Listener::start(listen.stdin(Stdio::null()));
    let (status, stdout, stderr) = listener.ended();
    let messages = [0, 1, 2].map(|round| format!("bob | ana | private_message | {round}\n")).concat();
    assert_eq!((status, stdout), (0, messages), "{stderr}");
    assert_eq!(
        stderr.matches("the server ended the connection; connecting again in ").count(),
        2,
        "{stderr}"
    );
    assert_eq!(stderr.matches("joined as ana").count(), 2, "{stderr}");
}

#[test]
fn many_who_ask_a_listener_for_files_are_answered_at_a_pace() {
    let server = TestServer::with(|config| {
        config.flood.loopback = true;
        config.flood.message_burst = 210;
        config.flood.message_rate = 50;
    });
    let listener = Listener::start(&mut client(&server, ["listen", "--as", "ana"]));
    let mut askers: Vec<Client> = (0..3).map(|number| server.join(&format!("asker-{number}"))).collect();
    for _ in 0..100 {
        for (number, asker) in askers.iter_mut().enumerate() {
            asker.ask("/files ana", &format!("ana | asker-{number} | list_files | no folder is shared"));
        }
    }
    signal(listener.child.id(), "INT");
    assert_eq!(listener.ended(), done(""));
}
