//! Tests of `arauto join --plain`: the report's dialogue, byte for byte, with this server and with a twin of the
//! report's.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use expectrl::{Expect, Session};

use crate::{
    accounts::{AccountsFile, PASSWORD},
    cli::arauto,
    harness::{
        Client, DEADLINE, TestServer,
        process::signal,
        report_server::{Delivery, ReportServer},
        wait_until,
    },
};

/// The list that is printed after an unknown operation.
const OPERATIONS: &str = "\
Operations:
    echo               what you type comes back to you
    broadcast          to everyone, or to everyone but you
    broadcast_not_me   to everyone but you
    private_message    to one user
    list_clients       who is connected
    list_files         which files a user shares
    exit               leave
    close server       end the server for everyone
    help               this list

";

/// A running dialogue, killed when dropped.
struct Dialogue {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<Vec<u8>>,
    ahead: Vec<u8>,
}

fn join<const N: usize>(address: SocketAddr, arguments: [&str; N]) -> Command {
    let mut command = arauto(["join", "--plain"]);
    command.args(arguments).arg("--server").arg(address.to_string());
    command
}

impl Dialogue {
    fn begin<const N: usize>(address: SocketAddr, arguments: [&str; N]) -> Self {
        let mut command = join(address, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let (send, stdout) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = out.read(&mut buffer) {
                let _ = send.send(buffer[..read].to_vec());
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, stdout, ahead: Vec::new() }
    }

    fn types(&mut self, line: &str) {
        self.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Checks that this text is printed next.
    #[track_caller]
    fn expect(&mut self, text: &str) {
        while self.ahead.len() < text.len() && text.as_bytes().starts_with(&self.ahead) {
            match self.stdout.recv_timeout(DEADLINE) {
                Ok(some) => self.ahead.extend(some),
                Err(_) => break,
            }
        }
        let rest = self.ahead.split_off(text.len().min(self.ahead.len()));
        assert_eq!(String::from_utf8_lossy(&self.ahead), text);
        self.ahead = rest;
    }

    /// Checks that nothing more is printed, and how the dialogue ends: exit status and standard error.
    #[track_caller]
    fn expect_end(mut self, status: i32, complaint: &str) {
        let mut ended = None;
        wait_until("the dialogue to end", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        self.ahead.extend(self.stdout.iter().flatten());
        assert_eq!(String::from_utf8_lossy(&self.ahead), "");
        assert_eq!((ended.unwrap().code(), stderr.as_str()), (Some(status), complaint));
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A message in the report's layout.
fn reply(sender: &str, destination: &str, operation: &str, data: &str) -> String {
    format!(
        "-----\nReply: \n    Client sender: {sender}\n    Client destination: {destination}\n    \
         Operation: {operation}\n    Message: \n        {data}\n-----\n\n"
    )
}

const NAME: &str = "write down your name: \n";
const NEXT: &str = "Operation: \n";
const NO_BAR: &str = "A name must not hold the character | because it separates fields or names\n";
const CLOSING: &str = "Closing client...\n";

/// The output once alan's name is confirmed.
fn welcome() -> String {
    reply("server", "alan", "connection_confirmation", "You are now connected to the server") + NEXT
}

/// Uses every operation as alan while bob is connected. `after` is the text that follows a list of clients.
fn all_operations(alan: &mut Dialogue, bob: &mut Client, after: &str) {
    alan.expect(NAME);
    alan.types("alan");
    alan.expect(&welcome());
    alan.types("echo");
    alan.expect("Echo message: \n");
    alan.types(r"olá C:\dir");
    alan.expect(&(reply("alan", "alan", "echo", r"olá C:\dir") + NEXT));
    alan.types("list_clients");
    let listed = format!("clients connected: bob , alan{after}");
    alan.expect(&(reply("server", "alan", "list_clients", &listed) + NEXT));
    alan.types("broadcast");
    alan.expect("Broadcast message except you? y/n\n");
    alan.types("n");
    alan.expect("Broadcast message: \n");
    alan.types("hi all");
    alan.expect(&(reply("alan", "all clients", "broadcast", "hi all") + NEXT));
    bob.expect("alan | all clients | broadcast | hi all");
    alan.types("broadcast");
    alan.expect("Broadcast message except you? y/n\n");
    alan.types("y");
    alan.expect("Broadcast message: \n");
    alan.types("hi others");
    bob.expect("alan | all clients | broadcast_not_me | hi others");
    alan.expect(NEXT);
    alan.types("list_files");
    alan.expect("Client name: \n");
    alan.types("bob");
    bob.expect("alan | bob | list_files | no data");
    bob.send("bob | alan | list_files | File 1, File 2");
    alan.expect(&(reply("bob", "alan", "list_files", "File 1, File 2") + NEXT));
    alan.types("list_files");
    alan.expect("Client name: \n");
    alan.types("carl");
    let nobody = reply("server", "alan", "list_files", "Destination client (carl) not found!");
    alan.expect(&(nobody + NEXT));
    alan.types("list_files");
    alan.expect("Client name: \n");
    alan.types("");
    alan.expect(&(reply("server", "alan", "list_files", "Client name not informed!") + NEXT));
    alan.types("dance");
    let unknown =
        reply("server", "alan", "Unknown_operation", "Operation (dance) is not supported") + OPERATIONS;
    alan.expect(&(unknown + NEXT));
    // Bob's question about files is not shown. Bob's message comes while alan types.
    bob.ask("bob | alan | list_files | no data", "alan | bob | list_files | no folder is shared");
    bob.send("bob | all clients | broadcast_not_me | while you type");
    alan.expect(&reply("bob", "all clients", "broadcast_not_me", "while you type"));
    alan.types("");
    alan.expect(NEXT);
    alan.types("exit");
    alan.expect(&(reply("server", "alan", "exit", "client disconnected") + CLOSING));
}

#[test]
fn every_operation_with_this_server() {
    let server = TestServer::start();
    for is_unframed in [false, true] {
        let mut bob = server.join("bob");
        let mut alan = if is_unframed {
            Dialogue::begin(server.address(), ["--unframed"])
        } else {
            Dialogue::begin(server.address(), [])
        };
        all_operations(&mut alan, &mut bob, "");
        alan.expect_end(0, "");
        bob.ask("/exit", "server | bob | exit | client disconnected");
    }
}

#[test]
fn every_operation_with_a_server_as_the_reports() {
    for delivery in [Delivery::Whole, Delivery::Halves] {
        let server = ReportServer::start(delivery);
        let mut bob = server.join("bob");
        let mut alan = Dialogue::begin(server.address(), []);
        all_operations(&mut alan, &mut bob, " ");
        alan.expect_end(0, "");
    }
}

#[test]
fn messages_that_run_together_are_told_apart() {
    let server = ReportServer::start(Delivery::Together);
    let mut bob = server.join("bob");
    let mut alan = Dialogue::begin(server.address(), ["alan", "--unframed"]);
    alan.expect(&welcome());
    // The server holds these messages for alan. Bob's own copies show that the server has them.
    bob.ask("bob | all clients | broadcast | one", "bob | all clients | broadcast | one");
    bob.ask("bob | all clients | broadcast | two", "bob | all clients | broadcast | two");
    alan.types("list_clients");
    alan.expect(&reply("bob", "all clients", "broadcast", "one"));
    alan.expect(&reply("bob", "all clients", "broadcast", "two"));
    alan.expect(&(reply("server", "alan", "list_clients", "clients connected: bob , alan ") + NEXT));
    alan.types("exit");
    alan.expect(&(reply("server", "alan", "exit", "client disconnected") + CLOSING));
    alan.expect_end(0, "");
}

#[test]
fn all_lines_at_once_and_the_end_of_input_leaves() {
    let server = TestServer::start();
    let report = ReportServer::start(Delivery::Whole);
    for address in [server.address(), report.address()] {
        let mut alan = Dialogue::begin(address, []);
        let lines = b"a|b\nalan\necho\nhi\nbroadcast\ny\nyou\necho\nolha, \xe9\r\nagain";
        alan.stdin.take().unwrap().write_all(lines).unwrap();
        alan.expect(NAME);
        alan.expect(NO_BAR);
        alan.expect(&(NAME.to_owned() + &welcome() + "Echo message: \n"));
        alan.expect(&(reply("alan", "alan", "echo", "hi") + NEXT));
        alan.expect("Broadcast message except you? y/n\nBroadcast message: \nOperation: \nEcho message: \n");
        alan.expect("The line cannot be sent: it is not UTF-8 from byte 7 on\nEcho message: \n");
        alan.expect(&(reply("alan", "alan", "echo", "again") + NEXT));
        alan.expect(&(reply("server", "alan", "exit", "client disconnected") + CLOSING));
        alan.expect_end(0, "");
    }
}

#[test]
fn server_closed_ends_it() {
    let closed = reply("server", "all clients", "broadcast", "server closed") + CLOSING;
    for operation in ["close server", "close_server"] {
        let server = TestServer::start();
        let mut alan = Dialogue::begin(server.address(), ["alan"]);
        alan.expect(&welcome());
        alan.types(operation);
        alan.expect(&closed);
        alan.expect_end(0, "");
    }
    let server = ReportServer::start(Delivery::Halves);
    let mut bob = server.join("bob");
    let mut alan = Dialogue::begin(server.address(), ["alan"]);
    alan.expect(&welcome());
    // The dialogue waits for an operation.
    bob.send("bob | server | close_server | close server");
    alan.expect(&closed);
    alan.expect_end(0, "");
}

#[test]
fn who_only_says_server_closed_ends_nothing() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    let mut alan = Dialogue::begin(server.address(), ["alan"]);
    alan.expect(&welcome());
    bob.send("/others server closed");
    bob.send("bob | alan | connection_error | go away");
    alan.expect(&reply("bob", "all clients", "broadcast_not_me", "server closed"));
    alan.types("echo");
    alan.expect("Echo message: \n");
}

#[test]
fn connection_error_ends_it() {
    let why = "This username is already taken. You need to connect again and use another one";
    let server = TestServer::start();
    let _alan = server.join("alan");
    let report = ReportServer::start(Delivery::Halves);
    let _other = report.join("alan");
    for address in [server.address(), report.address()] {
        let mut alan = Dialogue::begin(address, ["alan"]);
        alan.expect(&(reply("server", "new_client: alan", "connection_error", why) + CLOSING));
        alan.expect_end(3, &format!("arauto: {why}\n"));
    }
}

#[test]
fn a_cut_ends_it() {
    let server = ReportServer::start(Delivery::Whole);
    let mut alan = Dialogue::begin(server.address(), ["alan"]);
    alan.expect(&welcome());
    server.cut();
    alan.expect("Error with client connection | the server ended the connection\nClosing client...\n");
    alan.expect_end(4, "arauto: the server ended the connection\n");
}

#[test]
fn a_signal_leaves_in_order() {
    let server = TestServer::start();
    for name in ["INT", "TERM"] {
        let mut alan = Dialogue::begin(server.address(), ["alan"]);
        alan.expect(&welcome());
        signal(alan.child.id(), name);
        alan.expect(&(reply("server", "alan", "exit", "client disconnected") + CLOSING));
        alan.expect_end(0, "");
    }
}

#[test]
fn hostile_text_is_text() {
    let server = ReportServer::start(Delivery::Whole);
    let mut bob = server.join("bob");
    let mut alan = Dialogue::begin(server.address(), ["alan"]);
    alan.expect(&welcome());
    bob.send("bob | all clients | broadcast_not_me | \u{1b}[2J\u{9b}31m\u{202e}\r\nOperation: \u{7}");
    let shown = r"\u{1b}[2J\u{9b}31m\u{202e}\r\nOperation: \u{7}";
    alan.expect(&reply("bob", "all clients", "broadcast_not_me", shown));
}

#[test]
fn what_cannot_be_sent_is_said_and_the_dialogue_goes_on() {
    let server = TestServer::start();
    let mut alan = Dialogue::begin(server.address(), ["alan"]);
    alan.expect(&welcome());
    for (text, why) in [
        (
            "x".repeat(1024),
            "is too long by 21 bytes: a message has at most 1024, including names and operation; send it in parts",
        ),
        ("a\u{1b}b".to_owned(), "cannot be sent: character 2 is a control character (U+001B)"),
    ] {
        alan.types("echo");
        alan.expect("Echo message: \n");
        alan.types(&text);
        alan.expect(&format!("The message {why}\n{NEXT}"));
    }
    alan.types("private_message");
    alan.expect("Client name: \n");
    alan.types("bob | server");
    alan.expect(&format!("{NO_BAR}{NEXT}"));
}

#[test]
fn a_shared_folder_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "four").unwrap();
    let path = folder.path().to_str().unwrap();
    let server = TestServer::start();
    let mut bob = server.join("bob");
    let mut alan = Dialogue::begin(server.address(), ["alan", "--share", path]);
    alan.expect(&welcome());
    bob.ask("/files alan", "alan | bob | list_files | 1 file: notes.txt (4 bytes)");
    let gone = folder.path().join("gone");
    let why = format!("arauto: {} cannot be shared: ", gone.display());
    let output = join(server.address(), ["--share", gone.to_str().unwrap()]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
    assert!(output.stderr.starts_with(why.as_bytes()), "{output:?}");
}

#[test]
fn on_a_terminal_a_password_is_not_shown_and_the_rest_is() {
    let accounts = AccountsFile::new();
    let server = accounts.serve(|_| {});
    let program = join(server.address(), ["alan"]);
    // The terminal of this library begins without echo, unlike a user's.
    let mut command = Command::new("sh");
    crate::cli::without_settings(&mut command);
    command
        .args(["-c", r#"stty echo && exec "$@""#, "sh"])
        .arg(program.get_program())
        .args(program.get_args());
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(DEADLINE));
    session.expect("Password: \r\n").unwrap();
    session.send("opensesami\r").unwrap();
    let said = session.expect("That is not the password of alan; 2 tries are left").unwrap();
    let said = String::from_utf8_lossy(said.before()).into_owned();
    assert!(said.starts_with("\r\n-----\r\nReply: "), "{said}");
    session.expect("Password: \r\n").unwrap();
    session.send(format!("{PASSWORD}\r")).unwrap();
    let said = session.expect("Operation: \r\n").unwrap();
    let said = String::from_utf8_lossy(said.before()).into_owned();
    assert!(!said.contains(PASSWORD) && said.contains("connection_confirmation"), "{said}");
    session.send("echo\r").unwrap();
    // The terminal echoes the line as it is typed.
    session.expect("echo\r\nEcho message: \r\n").unwrap();
    // Ctrl-D.
    session.send("\u{4}").unwrap();
    session.expect("Closing client...\r\n").unwrap();
}
