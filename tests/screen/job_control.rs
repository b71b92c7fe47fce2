//! Tests of `arauto join` in a shell with job control, which stops and continues it.

use std::process::Command;

use arauto_needs::needs;

use super::say;
use crate::{
    cli::without_settings,
    harness::{Client, TestServer, process::signal, terminal::Terminal, wait_until},
};

const CTRL_Z: &str = "\x1a";

/// The prompt of the shell. No other line of the tests is the same.
const PROMPT: &str = "ready> ";

/// A shell on a terminal, with `arauto join rui` in its foreground and half a line typed; and another client, eva.
struct Shell {
    terminal: Terminal,
    eva: Client,
    _server: TestServer,
}

impl Shell {
    fn with_rui() -> Self {
        let server = TestServer::start();
        let eva = server.join("eva");
        let mut command = Command::new("bash");
        command.args(["--norc", "--noprofile", "-i"]).env("PS1", PROMPT).env("INPUTRC", "/dev/null");
        without_settings(&mut command);
        let mut terminal = Terminal::run(command, 80, 24);
        terminal.shows(PROMPT);
        let program = env!("CARGO_BIN_EXE_arauto");
        terminal.enter(&format!("{program} join rui --server {}", server.address()));
        terminal.shows("You are rui on ");
        terminal.type_in("half");
        terminal.shows_in_row_from_below(2, "> half");
        Self { terminal, eva, _server: server }
    }

    /// Returns the process that the shell has started.
    fn job(&self) -> u32 {
        let shell = self.terminal.process();
        let children = format!("/proc/{shell}/task/{shell}/children");
        std::fs::read_to_string(children).unwrap().trim().parse().unwrap()
    }

    /// Waits until the shell has the terminal again, and runs a command in it.
    #[track_caller]
    fn has_terminal(&mut self, word: &str) {
        self.terminal.wait_for("a new prompt", |screen| {
            let (row, column) = screen.cursor_position();
            let line = screen.rows(0, 80).nth(row.into()).unwrap_or_default();
            usize::from(column) == PROMPT.len() && line.trim_end() == PROMPT.trim_end()
        });
        // The output differs from the typed line, so the echo of the line does not match.
        self.terminal.enter(&format!("echo {word}-$((40+2))"));
        self.terminal.shows(&format!("{word}-42"));
    }

    /// Checks that the conversation is drawn anew and takes keys.
    #[track_caller]
    fn is_back(&mut self) {
        self.terminal.shows_in_row_from_below(1, "rui @ ");
        self.terminal.shows_in_row_from_below(2, "> half");
        self.terminal.shows("You are rui on ");
        assert!(self.terminal.look(|screen| screen.alternate_screen() && screen.bracketed_paste()));
        self.terminal.enter(" a line");
        self.eva.expect("rui | all clients | broadcast | half a line");
        self.terminal.shows("   rui: half a line");
        self.terminal.type_in("half");
        self.terminal.shows_in_row_from_below(2, "> half");
    }
}

#[needs("bash")]
#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let mut shell = Shell::with_rui();
    for word in ["one", "two"] {
        shell.terminal.type_in(CTRL_Z);
        shell.has_terminal(word);
        assert!(!shell.terminal.look(vt100::Screen::alternate_screen));
        say(&mut shell.eva, &format!("while {word}"));
        shell.terminal.enter("fg");
        shell.terminal.shows(&format!("eva → others: while {word}"));
        shell.is_back();
    }
    shell.terminal.type_in("\x15/exit\r");
    shell.has_terminal("left");
    assert!(!shell.terminal.look(vt100::Screen::alternate_screen));
}

#[needs("bash")]
#[test]
fn after_a_stop_that_cannot_be_caught_fg_draws_it_anew() {
    let mut shell = Shell::with_rui();
    for word in ["one", "two"] {
        signal(shell.job(), "STOP");
        shell.has_terminal(word);
        shell.terminal.enter("fg");
        shell.is_back();
    }
}

#[needs("bash")]
#[test]
fn in_the_background_it_goes_on_and_leaves_the_terminal_alone() {
    let mut shell = Shell::with_rui();
    for (word, stop) in [("one", true), ("two", false)] {
        if stop {
            signal(shell.job(), "STOP");
        } else {
            shell.terminal.type_in(CTRL_Z);
        }
        shell.has_terminal(word);
        shell.terminal.enter("kill -CONT %1");
        // The program is running again: it answers a request for its files.
        shell.eva.send("/files rui");
        assert!(shell.eva.line().starts_with("rui | eva | list_files | "));
        say(&mut shell.eva, &format!("while {word}"));
        shell.terminal.enter("echo alone-$((50+2))");
        shell.terminal.shows("alone-52");
        shell.terminal.enter("fg");
        shell.terminal.shows(&format!("eva → others: while {word}"));
        shell.is_back();
    }
    // Keys typed for the shell do not stop the program.
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", shell.job())).unwrap();
    wait_until("the program to run", || !state().contains(") T "));
}

/// SIGTTOU would stop a background process that gives the terminal back, and nothing continues it if its shell ends.
#[needs("bash")]
#[test]
fn in_the_background_a_signal_ends_it_and_not_the_terminal() {
    let mut shell = Shell::with_rui();
    signal(shell.job(), "STOP");
    shell.has_terminal("stopped");
    shell.terminal.enter("bg");
    shell.eva.send("/files rui");
    assert!(shell.eva.line().starts_with("rui | eva | list_files | "));
    let process = format!("/proc/{}", shell.job());
    signal(shell.job(), "TERM");
    wait_until("the program to end", || !std::path::Path::new(&process).exists());
    shell.has_terminal("ended");
}
