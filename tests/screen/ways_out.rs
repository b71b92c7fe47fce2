//! Tests of how the full screen ends and connects again: because of the server, the user or the system.

use std::{
    io::Write,
    net::TcpListener,
    time::{Duration, Instant},
};

use super::{join, joined};
use crate::{
    accounts::AccountsFile,
    cli::arauto,
    harness::{
        Client, TestServer,
        terminal::{CTRL_C, CTRL_D, CTRL_U, ENTER, ESC, Terminal, UP},
        wait_until,
    },
};

/// Checks that the terminal is as before: no alternate screen, no bracketed paste, a visible cursor, no focus reports,
/// lines that wrap.
fn is_given_back(terminal: &Terminal) {
    terminal.look(|screen| {
        assert!(!screen.alternate_screen());
        assert!(!screen.bracketed_paste());
        assert!(!screen.hide_cursor());
    });
    let bytes = terminal.bytes();
    let last = |sequence: &[u8]| bytes.windows(sequence.len()).rposition(|part| part == sequence);
    assert!(last(b"\x1b[?1004l") > last(b"\x1b[?1004h"), "focus is reported no more");
    assert!(last(b"\x1b[?7h") > last(b"\x1b[?7l"), "lines wrap again");
}

/// A server whose connections the test accepts and breaks.
struct Puppet {
    listener: TcpListener,
}

impl Puppet {
    fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    fn join(&self, name: &str) -> Terminal {
        let address = self.listener.local_addr().unwrap().to_string();
        Terminal::run(arauto(["join", name, "--server", &address]), 80, 24)
    }

    /// Accepts the next connection, asks for its name, and checks that the name is this.
    fn accept(&self, name: &str) -> Client {
        let mut client = Client::from_stream(self.listener.accept().unwrap().0);
        client.send("server | client | name | no data");
        client.expect(&format!("{name} | server | name | {name}"));
        client
    }

    fn confirm(client: &mut Client, name: &str) {
        client.send(&format!(
            "server | {name} | connection_confirmation | You are now connected to the server"
        ));
    }
}

#[test]
fn after_a_cut_it_connects_again_under_the_same_name() {
    let puppet = Puppet::new();
    let mut rui = puppet.join("rui");
    let mut first = puppet.accept("rui");
    Puppet::confirm(&mut first, "rui");
    rui.shows("You are rui");
    rui.type_in("half");
    drop(first);
    rui.shows(" ! The connection broke: ");
    let second = puppet.accept("rui");
    drop(second);
    rui.shows_in_row_from_below(1, "no connection; again in ");
    rui.type_in(ENTER);
    rui.shows("Not sent: there is no connection. Enter sends it once there is");
    let mut third = puppet.accept("rui");
    Puppet::confirm(&mut third, "rui");
    third.expect("rui | server | limits | no data");
    third.expect("rui | server | watch | no data");
    rui.shows_in_row_from_below(1, "rui @ ");
    rui.enter(" a line");
    third.line();
    third.expect("rui | all clients | broadcast | half a line");
    third.send("server | rui | connection_error | you were kicked by ana");
    rui.shows(" ! The server sent you away: you were kicked by ana");
    rui.shows("Enter tries again, Esc leaves.");
    rui.type_in(ESC);
    assert_eq!(rui.ended(), 3);
    assert!(rui.look(|screen| screen.contents().contains("arauto: you were kicked by ana")));
    is_given_back(&rui);
}

#[test]
fn after_a_cut_the_password_is_given_again_and_that_is_said() {
    let puppet = Puppet::new();
    let mut alan = puppet.join("alan");
    let mut first = puppet.accept("alan");
    first.send("server | alan | password | no data");
    alan.shows_in_row_from_below(2, "Password of alan:");
    alan.enter("opensesame");
    first.expect("alan | server | password | opensesame");
    Puppet::confirm(&mut first, "alan");
    alan.shows("You are alan on ");
    drop(first);
    let mut second = puppet.accept("alan");
    second.send("server | alan | password | no data");
    second.expect("alan | server | password | opensesame");
    Puppet::confirm(&mut second, "alan");
    alan.shows(" again. The client");
}

#[test]
fn a_name_that_is_refused_is_asked_for_again() {
    let server = TestServer::start();
    let _ana = server.join("ana");
    let mut rui = Terminal::run(join(&server, "ana"), 80, 24);
    rui.shows(" ! This username is already taken.");
    rui.shows_in_row_from_below(2, "Your name: ana");
    for separator in [",", "|"] {
        rui.enter(separator);
        rui.shows(&format!(" ! A name must not hold the character {separator}"));
    }
    rui.type_in(CTRL_U);
    rui.enter("rui");
    rui.shows("You are rui");
    rui.type_in(CTRL_D);
    assert_eq!(rui.ended(), 0);
    is_given_back(&rui);

    let mut nameless = Terminal::run(arauto(["join", "--server", &server.address().to_string()]), 80, 24);
    nameless.shows_in_row_from_below(2, "Your name:");
    nameless.enter("eva");
    nameless.shows("You are eva");
}

#[test]
fn a_server_that_comes_back_is_joined_again() {
    let puppet = Puppet::new();
    let mut rui = puppet.join("rui");
    let mut first = puppet.accept("rui");
    Puppet::confirm(&mut first, "rui");
    rui.shows("You are rui");
    let closed_at = Instant::now();
    first.send("server | all clients | broadcast | server closed");
    drop(first);
    rui.shows(" ! The server closed. ");
    rui.type_in("half a line");
    let mut second = puppet.accept("rui");
    let after = closed_at.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(31)).contains(&after), "{after:?}");
    Puppet::confirm(&mut second, "rui");
    rui.shows_in_row_from_below(1, "rui @ ");
    rui.shows_in_row_from_below(2, "> half a line");
}

#[test]
fn who_is_kicked_stays_out_until_enter() {
    let puppet = Puppet::new();
    let mut rui = puppet.join("rui");
    let mut first = puppet.accept("rui");
    Puppet::confirm(&mut first, "rui");
    rui.shows("You are rui");
    first.send("server | rui | error_message | You were disconnected by ana: being rude");
    drop(first);
    rui.shows(" ! You were disconnected by ana: being rude");
    rui.shows(" - You stay out until you press Enter.");
    rui.shows_in_row_from_below(2, "Enter tries again, Esc leaves.");
    // After a cut, the client would have connected again by now.
    puppet.listener.set_nonblocking(true).unwrap();
    let since = Instant::now();
    wait_until("a second to pass", || since.elapsed() > Duration::from_secs(1));
    assert!(puppet.listener.accept().is_err(), "nobody came back");
    puppet.listener.set_nonblocking(false).unwrap();
    rui.type_in(ENTER);
    let mut second = puppet.accept("rui");
    Puppet::confirm(&mut second, "rui");
    rui.shows_in_row_from_below(1, "rui @ ");
}

#[test]
fn a_server_that_closes_may_be_left_while_it_is_tried_again() {
    let server = TestServer::start();
    let mut rui = joined(&server, "rui");
    server.stop();
    rui.shows(" ! The server closed. ");
    rui.shows_in_row_from_below(1, "no connection; again in ");
    rui.type_in(CTRL_C);
    assert_eq!(rui.ended(), 0);
    assert!(rui.look(|screen| screen.contents().contains("The server closed.")));
    is_given_back(&rui);
}

#[test]
fn without_a_server_it_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut rui = Terminal::run(arauto(["join", "rui", "--server", &free]), 80, 24);
    assert_eq!(rui.ended(), 4);
    assert!(rui.look(|screen| screen.contents().contains(&format!("arauto: cannot connect to {free}: "))));
    is_given_back(&rui);
}

#[test]
fn ctrl_c_puts_the_line_away_first() {
    let server = TestServer::start();
    let mut rui = joined(&server, "rui");
    rui.type_in("half");
    rui.type_in(CTRL_C);
    rui.shows("Ctrl-C again leaves; Up brings the text back");
    rui.type_in(CTRL_C);
    assert_eq!(rui.ended(), 0);
    is_given_back(&rui);
}

#[test]
fn signals_end_it_in_order() {
    let server = TestServer::start();
    for (name, signal) in [("rui", "TERM"), ("ana", "INT"), ("eva", "HUP")] {
        let mut terminal = joined(&server, name);
        terminal.signal(signal);
        assert_eq!(terminal.ended(), 0, "{signal}");
        is_given_back(&terminal);
    }
}

#[test]
fn a_panic_is_reported_on_a_terminal_that_was_given_back() {
    if std::env::var_os(PANICS).is_some() {
        panic_on_a_full_screen();
    }
    // Runs this test alone, on a terminal.
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let this = "screen::ways_out::a_panic_is_reported_on_a_terminal_that_was_given_back";
    command.args(["--exact", this, "--nocapture"]).env(PANICS, "1").env("RUST_BACKTRACE", "0");
    let mut terminal = Terminal::run(command, 80, 24);
    assert_ne!(terminal.ended(), 0);
    assert!(terminal.look(|screen| screen.contents().contains("a fault of the program")));
    is_given_back(&terminal);
}

/// Variable by which a test tells itself to panic.
const PANICS: &str = "ARAUTO_TEST_PANICS";

fn panic_on_a_full_screen() {
    let screen = arauto_tui::terminal::Screen::take().unwrap();
    let _ = std::io::stdout().flush();
    let size = screen.size();
    panic!("a fault of the program, on {size:?}");
}

#[test]
fn a_password_is_asked_for_on_the_screen() {
    let accounts = AccountsFile::new();
    let server = accounts.serve(|_| {});
    let mut alan = Terminal::run(join(&server, "alan"), 80, 24);
    alan.shows_in_row_from_below(2, "Password of alan:");
    alan.enter("XXXX");
    alan.shows(" ! ");
    alan.shows_in_row_from_below(2, "Password of alan:");
    alan.type_in("opensesame");
    alan.shows_in_row_from_below(2, "Password of alan: ••••••••••");
    alan.type_in(ENTER);
    alan.shows("You are alan");
    alan.type_in(UP);
    alan.enter("hi");
    alan.shows("   alan: hi");
    let written = String::from_utf8(alan.bytes()).unwrap();
    for part in ["XX", "open", "sesame"] {
        assert!(!written.contains(part), "{part:?} was written to the terminal");
    }
}
