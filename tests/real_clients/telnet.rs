//! Tests with telnet: through a pipe, and at a terminal, where telnet negotiates options and sends keys.

use arauto_needs::needs;

use super::{nc, program::Program};
use crate::harness::{NAME_REQUEST, TestServer, confirmation};

/// Last line of telnet's own before it shows what the server sends.
const CONNECTED: &str = "Escape character is '^]'.\n";
const PROMPT: &str = "telnet> ";
/// Ctrl-], which opens telnet's own prompt.
const ESCAPE: &str = "\x1d";
const CTRL_C: &str = "\x03";
const ENTER: &str = "\r";

#[needs("telnet", "nc")]
#[test]
fn a_telnet_without_a_terminal_chats_with_a_netcat() {
    let server = TestServer::start();
    let mut bob = nc::join(&server, "bob");
    let mut alan = Program::start("telnet", &["127.0.0.1", &server.port()]);
    alan.skip_past(CONNECTED);
    alan.expect_line(NAME_REQUEST);
    alan.ask("alan", &confirmation("alan"));

    alan.ask("/all good morning", "alan | all clients | broadcast | good morning");
    bob.expect_line("alan | all clients | broadcast | good morning");
    bob.type_line("/msg alan hi");
    alan.expect_line("bob | alan | private_message | hi");
    alan.ask("/list", "server | alan | list_clients | clients connected: bob , alan");

    alan.ask("/exit", "server | alan | exit | client disconnected");
    alan.expect_line("Connection closed by foreign host.");
    // Not every telnet ends with success here.
    alan.end();
    bob.ask("/list", "server | bob | list_clients | clients connected: bob");
}

/// Starts telnet at a terminal, up to its own prompt.
fn sit_down() -> Program {
    let mut telnet = Program::python("tests/clients/terminal.py", &["telnet"]);
    telnet.skip_past(PROMPT);
    telnet
}

/// Gives telnet itself a command. Only to be used once telnet has shown the last output of the server: on its way back
/// from the prompt it would overlook the key.
fn tell_telnet(telnet: &mut Program, command: &str) {
    telnet.type_keys(ESCAPE);
    telnet.skip_past(PROMPT);
    telnet.type_keys(&format!("{command}{ENTER}"));
}

/// A line from the server as a terminal shows it.
fn shown(line: &str) -> String {
    format!("{line}\r\n")
}

#[needs("telnet", "nc", "python3")]
#[test]
fn a_telnet_at_a_terminal_negotiates_edits_and_interrupts() {
    let server = TestServer::start();
    let mut bob = nc::join(&server, "bob");
    let mut alan = sit_down();
    alan.type_keys(&format!("toggle options{ENTER}"));
    alan.skip_past(PROMPT);
    alan.type_keys(&format!("open 127.0.0.1 {}{ENTER}", server.port()));
    alan.skip_past(&shown(NAME_REQUEST));

    // telnet asks the server to echo. The server has to refuse, or telnet would show nothing of what is typed.
    tell_telnet(&mut alan, "mode character");
    alan.skip_past("SENT DO ECHO");
    alan.skip_past("RCVD WONT SUPPRESS GO AHEAD");
    alan.skip_past("RCVD WONT ECHO");

    // Many backspace keys send Ctrl-H. This terminal takes only DEL for a backspace, so the server has to handle
    // Ctrl-H.
    alan.type_keys(&format!("alx\x08an{ENTER}"));
    alan.skip_past(&shown(&confirmation("alan")));

    // Going to the prompt sends what was typed so far, so the server has to discard it.
    alan.type_keys("/all oops");
    tell_telnet(&mut alan, "send el");
    alan.type_keys(&format!("/echo line{ENTER}"));
    alan.skip_past(&shown("alan | alan | echo | line"));
    alan.type_keys("/echo keyx");
    tell_telnet(&mut alan, "send ec");
    alan.type_keys(&format!("s{ENTER}"));
    alan.skip_past(&shown("alan | alan | echo | keys"));
    tell_telnet(&mut alan, "send ayt");
    alan.skip_past(&shown("server | client | echo | yes"));

    // telnet discards all output until its timing mark is answered.
    alan.type_keys(CTRL_C);
    alan.skip_past("SENT IAC IP");
    alan.skip_past("RCVD WONT TIMING MARK");

    alan.type_keys(&format!("/all good morning{ENTER}"));
    alan.skip_past(&shown("alan | all clients | broadcast | good morning"));
    bob.expect_line("alan | all clients | broadcast | good morning");
    bob.type_line("/msg alan hi");
    alan.skip_past(&shown("bob | alan | private_message | hi"));

    alan.type_keys(&format!("/exit{ENTER}"));
    alan.skip_past(&shown("server | alan | exit | client disconnected"));
    alan.skip_past(&shown("Connection closed by foreign host."));
}
