//! Tests of `arauto send`, `listen`, `files` and `list`: output, messages and exit status.

mod listen;

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use arauto_needs::needs;
use serde_json::Value;

use crate::{
    cli::arauto,
    harness::{
        TestServer,
        fake_server::FakeServer,
        process::signal,
        report_server::{Delivery, ReportServer},
        wait_until,
    },
};

/// The program, with the server's address.
fn client<const N: usize>(server: &TestServer, arguments: [&str; N]) -> Command {
    let mut command = arauto(arguments);
    command.arg("--server").arg(server.address().to_string());
    command.stdin(Stdio::null());
    command
}

/// Returns status, standard output and standard error.
fn outcome(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Runs a command to its end. A client that never ends is caught by the time limit of the test runner.
#[track_caller]
fn run(command: &mut Command) -> (i32, String, String) {
    outcome(&command.output().unwrap())
}

/// The outcome of a success without messages on standard error.
fn done(stdout: &str) -> (i32, String, String) {
    (0, stdout.to_owned(), String::new())
}

fn failed(status: i32, stderr: &str) -> (i32, String, String) {
    (status, String::new(), format!("arauto: {stderr}\n"))
}

/// Runs a command with this standard input.
fn run_with_input(command: &mut Command, input: &[u8]) -> (i32, String, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), input).unwrap();
    run(command.stdin(fs::File::open(file.path()).unwrap()))
}

/// A running `arauto listen` that has joined.
struct Listener {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Listener {
    fn start(command: &mut Command) -> Self {
        command.arg("--verbose").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.starts_with("arauto: joined as "), "{line:?}");
        Self { child, stderr }
    }

    fn stdout(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.child.stdout.take().unwrap())
    }

    #[track_caller]
    fn ended(mut self) -> (i32, String, String) {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        if let Some(mut out) = self.child.stdout.take() {
            out.read_to_string(&mut stdout).unwrap();
        }
        self.stderr.read_to_string(&mut stderr).unwrap();
        let mut status = None;
        wait_until("the listener to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        (status.unwrap().code().unwrap(), stdout, stderr)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_text_to_one_to_all_and_to_others() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    for (to, expected) in [
        (["--to", "bob"].as_slice(), "ana | bob | private_message | olá | you"),
        (&["--all"], "ana | all clients | broadcast | olá | you"),
        (&["--others"], "ana | all clients | broadcast_not_me | olá | you"),
    ] {
        assert_eq!(run(client(&server, ["send", "--as", "ana", "olá | you"]).args(to)), done(""));
        bob.expect(expected);
    }
}

#[test]
fn each_line_of_standard_input_is_a_message() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    for dash in [None, Some("-")] {
        let mut send = client(&server, ["send", "--as", "ana", "--to", "bob"]);
        assert_eq!(run_with_input(send.args(dash), b"one\n\ntwo\r\n /three"), done(""));
        for text in ["one", "two", " /three"] {
            bob.expect(&format!("ana | bob | private_message | {text}"));
        }
    }
}

#[test]
fn what_cannot_be_sent_is_refused_by_its_line_and_what_was_before_is_sent() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    let room = 1024 - "ana | bob | private_message | ".len();
    let fits = "é".repeat(room / 2);
    for (line, why) in [
        (
            format!("{fits}xyz").into_bytes(),
            format!(
                "is too long by {} bytes: a message has at most 1024, including names and operation; send it in parts",
                3 - room % 2
            ),
        ),
        (
            vec![b'x'; 500_000],
            "is too long: it has more than 131072 bytes, and a message at most 1024; send it in \
                                parts"
                .to_owned(),
        ),
        (b"a\x1b[2J".to_vec(), "cannot be sent: character 2 is a control character (U+001B)".to_owned()),
        (b"ol\xe1".to_vec(), "cannot be sent: it is not UTF-8 from byte 3 on".to_owned()),
    ] {
        let input = [fits.as_bytes(), b"\n\n", &line, b"\nlater\n"].concat();
        let mut send = client(&server, ["send", "--as", "ana", "--to", "bob"]);
        let why = format!("line 3 of standard input {why}; this line and the lines after it were not sent");
        assert_eq!(run_with_input(&mut send, &input), failed(1, &why));
        bob.expect(&format!("ana | bob | private_message | {fits}"));
        bob.expect_nothing_before_an_echo("bob");
    }
    for (text, why) in [
        ("", "TEXT is empty"),
        ("one\ntwo", "TEXT cannot be sent: character 4 is a control character (U+000A)"),
    ] {
        assert_eq!(run(&mut client(&server, ["send", "--as", "ana", "--all", text])), failed(2, why));
    }
    bob.expect_nothing_before_an_echo("bob");
}

#[test]
fn a_name_that_nobody_bears_is_a_refusal() {
    let server = TestServer::start();
    let mut send = client(&server, ["send", "--as", "ana", "--to", "bob", "hi"]);
    assert_eq!(run(&mut send), failed(3, "Destination client (bob) not found!"));
    let ana = server.join("ana");
    let mut send = client(&server, ["send", "--as", "ana", "--all", "hi"]);
    let taken = "This username is already taken. You need to connect again and use another one";
    assert_eq!(run(&mut send), failed(3, taken));
    drop(ana);
}

#[test]
fn the_first_refusal_ends_sending() {
    let server = TestServer::start();
    let mut send = client(&server, ["send", "--as", "ana", "--to", "bob"]);
    let mut child = send.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"hi\n").unwrap();
    // The program ends although its input has not ended.
    let output = child.wait_with_output().unwrap();
    assert_eq!(outcome(&output), failed(3, "Destination client (bob) not found!"));
    drop(input);
}

#[test]
fn flood_control_is_a_failure() {
    let server = TestServer::with(|config| {
        config.flood.loopback = true;
        config.flood.message_rate = 1;
        config.flood.message_burst = 2;
    });
    let mut bob = server.join("bob");
    let mut send = client(&server, ["send", "--as", "ana", "--to", "bob"]);
    let (status, stdout, stderr) = run_with_input(&mut send, b"1\n2\n3\n4\n5\n");
    assert_eq!((status, stdout.as_str()), (3, ""), "{stderr}");
    let why =
        "arauto: Your message was not sent: you may send 1 messages a second, 2 at once. Try again in 1 s";
    assert!(stderr.starts_with(why), "{stderr}");
    bob.expect("ana | bob | private_message | 1");
}

#[test]
fn no_connection_is_told_apart() {
    let server = TestServer::start();
    let address = server.address();
    server.stop();
    server.ended().unwrap();
    for arguments in [
        ["send", "--as", "ana", "--all", "hi"].as_slice(),
        &["listen", "--as", "ana"],
        &["files", "bob"],
        &["list"],
    ] {
        let mut command = arauto([]);
        command.args(arguments).arg("--server").arg(address.to_string());
        let why = format!(
            "cannot connect to {address}: Connection refused (os error 111); no server listens there: is it running (arauto serve), and is this its port?"
        );
        assert_eq!(run(&mut command), failed(4, &why));
    }
}

#[test]
fn a_command_line_that_cannot_be_meant_is_status_2() {
    for (arguments, why) in [
        (["send", "--as", "ana", "hi"].as_slice(), "<--to <NAME>|--all|--others>"),
        (&["send", "--as", "ana", "--all", "--others", "hi"], "cannot be used with"),
        (&["send", "--all", "hi"], "--as <NAME>"),
        (&["send", "--as", "a|b", "--all", "hi"], "A name must not hold the character |"),
        (&["send", "--as", "ana", "--to", "server", "hi"], "The name server is reserved"),
        (&["listen", "--as", "ana", "--count", "0"], "--count <N>"),
        (&["listen"], "--as <NAME>"),
        (&["files"], "<NAME>"),
        (&["files", "bob", "--timeout", "0s"], "a time is a number and a unit"),
    ] {
        let (status, stdout, stderr) = run(arauto([]).args(arguments));
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains(why), "{arguments:?}: {stderr}");
    }
}

#[test]
fn what_is_received_is_printed_as_it_comes() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    let mut listener = Listener::start(&mut client(&server, ["listen", "--as", "ana", "--count", "3"]));
    let mut stdout = listener.stdout();
    let mut read = || {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        line
    };
    bob.send("/msg ana just you | really \\");
    assert_eq!(read(), "bob | ana | private_message | just you | really \\\n");
    bob.send("/others hi");
    assert_eq!(read(), "bob | all clients | broadcast_not_me | hi\n");
    bob.ask("/files ana", "ana | bob | list_files | no folder is shared");
    bob.ask("/all the third", "bob | all clients | broadcast | the third");
    assert_eq!(read(), "bob | all clients | broadcast | the third\n");
    assert_eq!(read(), "");
    assert_eq!(listener.ended(), done(""));
    // The client left in order: the name is free once it has ended.
    server.join("ana");
}

#[test]
fn json_lines_have_these_fields() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    let arguments = ["listen", "--as", "ana", "--json", "--from", "BOB", "--count", "2"];
    let listener = Listener::start(&mut client(&server, arguments));
    server.join("carl").ask("/all not from bob", "carl | all clients | broadcast | not from bob");
    bob.send("/msg ana \"a\" 👩\u{200d}💻");
    bob.send("/all b");
    let (status, stdout, stderr) = listener.ended();
    assert_eq!((status, stderr.as_str()), (0, ""));
    let lines: Vec<&str> = stdout.lines().collect();
    let [first, second] = lines[..] else { panic!("{stdout}") };
    let (time, rest) = first.strip_prefix("{\"time\":\"").unwrap().split_once('"').unwrap();
    humantime::parse_rfc3339(time).unwrap();
    let expected = r#","from":"bob","to":"ana","operation":"private_message","data":"\"a\" 👩\u200d💻"}"#;
    assert_eq!(rest, expected);
    let second: Value = serde_json::from_str(second).unwrap();
    assert_eq!(second["operation"], "broadcast");
    assert_eq!(second["data"], "b");
}

#[test]
fn listening_ends_with_the_server() {
    let closed = "server | all clients | broadcast | server closed\n";
    for (count, expected) in [
        (None, (4, closed.to_owned(), "arauto: the server closed\n".to_owned())),
        (Some("1"), done(closed)),
        (Some("2"), (4, closed.to_owned(), "arauto: the server closed\n".to_owned())),
    ] {
        let server = TestServer::start();
        let mut listen = client(&server, ["listen", "--as", "ana"]);
        if let Some(count) = count {
            listen.args(["--count", count]);
        }
        let listener = Listener::start(&mut listen);
        server.stop();
        assert_eq!(listener.ended(), expected, "{count:?}");
    }
}

#[test]
fn a_signal_ends_listening_in_order() {
    for name in ["INT", "TERM"] {
        let server = TestServer::start();
        let listener = Listener::start(&mut client(&server, ["listen", "--as", "ana"]));
        let mut bob = server.join("bob");
        bob.ask("/all hi", "bob | all clients | broadcast | hi");
        signal(listener.child.id(), name);
        assert_eq!(listener.ended(), done("bob | all clients | broadcast | hi\n"), "{name}");
        server.join("ana");
    }
}

#[test]
fn nobody_who_reads_is_a_quiet_end() {
    let server = TestServer::start();
    let mut listener = Listener::start(&mut client(&server, ["listen", "--as", "ana"]));
    // The program notices that its reader is gone without a message to print.
    drop(listener.stdout());
    assert_eq!(listener.ended(), done(""));

    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let _bob = server.join("bob");
    for command in ["list", "list --json"] {
        let mut list = arauto([]);
        list.args(command.split(' ')).arg("--server").arg(server.address().to_string());
        assert_eq!(run(list.stdout(writer.try_clone().unwrap())), done(""), "{command}");
    }
}

#[test]
fn who_is_connected() {
    let server = TestServer::start();
    let (_ana, _rui) = (server.join("ana"), server.join("rui \"r\""));
    assert_eq!(run(&mut client(&server, ["list"])), done("ana\nrui \"r\"\n"));
    let json = "{\"name\":\"ana\"}\n{\"name\":\"rui \\\"r\\\"\"}\n";
    assert_eq!(run(&mut client(&server, ["list", "--json"])), done(json));
}

#[test]
fn files_of_someone() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    let ask = client(&server, ["files", "bob", "--as", "ana"]).stdout(Stdio::piped()).spawn().unwrap();
    bob.expect("ana | bob | list_files | no data");
    // A list from another client is not taken for bob's.
    let mut eve = server.join("eve");
    eve.send("eve | ana | list_files | 1 file: stolen.mp3 (7 bytes)");
    eve.ask("/echo sent", "eve | eve | echo | sent");
    bob.send("bob | ana | list_files | notes.txt");
    assert_eq!(outcome(&ask.wait_with_output().unwrap()), done("notes.txt\n"));

    let mut list = client(&server, ["files", "bob", "--as", "ana", "--json"]);
    let ask = list.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    bob.expect("ana | bob | list_files | no data");
    bob.send("bob | ana | list_files | files 1 to 2 of 3: a.txt (1 byte), \"b\\n\" (2 bytes)");
    bob.send(
        "bob | ana | list_files | files 3 to 3 of 3: c.mp3 (3 bytes, 0:07, audio/mpeg); 1 file is not listed",
    );
    let json = r#"{"name":"a.txt","quoted":"a.txt","bytes":1}
{"name":"b\n","quoted":"\"b\\n\"","bytes":2}
{"name":"c.mp3","quoted":"c.mp3","bytes":3,"seconds":7,"type":"audio/mpeg"}
"#;
    let told = "arauto: 1 file is not listed\n";
    assert_eq!(outcome(&ask.wait_with_output().unwrap()), (0, json.to_owned(), told.to_owned()));

    let mut part = client(&server, ["files", "bob", "--as", "ana", "--timeout", "1s"]);
    let ask = part.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    bob.expect("ana | bob | list_files | no data");
    bob.send("bob | ana | list_files | files 1 to 1 of 3: a.txt (1 byte)");
    let told = "arauto: 2 files of the list of bob did not arrive\n";
    let (got, told) = ("a.txt (1 byte)\n".to_owned(), told.to_owned());
    assert_eq!(outcome(&ask.wait_with_output().unwrap()), (3, got, told));

    let listener = Listener::start(&mut client(&server, ["listen", "--as", "eva"]));
    let none = (0, String::new(), "arauto: eva shares no folder\n".to_owned());
    assert_eq!(run(&mut client(&server, ["files", "eva"])), none);
    drop(listener);

    let mut nobody = client(&server, ["files", "carl"]);
    assert_eq!(run(&mut nobody), failed(3, "Destination client (carl) not found!"));
    let mut silent = client(&server, ["files", "bob", "--timeout", "50ms"]);
    assert_eq!(run(&mut silent), failed(3, "no answer from bob within 50ms"));
}

#[test]
fn a_server_without_line_endings_is_found_out() {
    for delivery in [Delivery::Whole, Delivery::Halves] {
        let server = ReportServer::start(delivery);
        let mut bob = server.join("bob");
        let client = |arguments: &[&str]| {
            let mut command = arauto([]);
            command.args(arguments).arg("--server").arg(server.address().to_string()).stdin(Stdio::null());
            command
        };
        assert_eq!(run(&mut client(&["list"])), done("bob\n"));
        let mut send = client(&["send", "--as", "ana", "--all"]);
        assert_eq!(run_with_input(&mut send, b"one\ntwo\n"), done(""));
        bob.expect("ana | all clients | broadcast | one");
        bob.expect("ana | all clients | broadcast | two");
        let ask = client(&["files", "bob", "--as", "ana"]).stdout(Stdio::piped()).spawn().unwrap();
        bob.expect("ana | bob | list_files | no data");
        bob.send("bob | ana | list_files | notes.txt");
        assert_eq!(outcome(&ask.wait_with_output().unwrap()), done("notes.txt\n"));
        assert_eq!(run(&mut client(&["files", "carl"])), failed(3, "Destination client (carl) not found!"));
        let listener = Listener::start(&mut client(&["listen", "--as", "ana", "--count", "2"]));
        for text in ["one", "two"] {
            let said = format!("bob | all clients | broadcast | {text}");
            bob.ask(&said, &said);
        }
        let heard = "bob | all clients | broadcast | one\nbob | all clients | broadcast | two\n";
        assert_eq!(listener.ended(), done(heard));
    }
}

/// Runs a script in a shell that has `arauto` and `SERVER`.
fn shell(server: &TestServer, script: &str) -> (i32, String, String) {
    let mut shell = Command::new("sh");
    crate::cli::without_settings(&mut shell);
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_arauto");
    let script = format!("set -e\narauto() {{ \"{program}\" \"$@\" --server \"$SERVER\"; }}\n{script}");
    shell.args(["-c", &script]).current_dir(&folder).env("SERVER", server.address().to_string());
    run(shell.stdin(Stdio::null()))
}

#[needs("sh")]
#[test]
fn two_pipelines_talk() {
    let server = TestServer::start();
    // b adds the numbers that it receives, and sends the sum to c. The named pipes tell when b and c listen.
    let script = r"
mkfifo b-listens c-listens
arauto listen --as c --verbose --count 1 2>c-listens | sed 's/.* //' >sum &
read joined <c-listens
(arauto listen --as b --verbose --count 3 2>b-listens \
    | awk -F ' [|] ' '{ sum += $4 } END { print sum }' | arauto send --as adder --to c -) &
read joined <b-listens
seq 3 | arauto send --as a --to b -
wait
cat sum
";
    assert_eq!(shell(&server, script), done("6\n"));
}

#[needs("sh")]
#[test]
fn one_line_is_enough_for_head() {
    let server = TestServer::start();
    let script = r"
mkfifo listens
arauto listen --as b --verbose 2>listens | head -1 >first &
read joined <listens
seq 3 | arauto send --as a --all -
wait
cat first
";
    assert_eq!(shell(&server, script), done("a | all clients | broadcast | 1\n"));
}

#[test]
fn a_hundred_thousand_lines_lose_nothing() {
    const LINES: usize = 100_000;
    let server = TestServer::start();
    let count = LINES.to_string();
    let mut listener = Listener::start(&mut client(&server, ["listen", "--as", "b", "--count", &count]));
    let stdout = listener.stdout();
    let mut send = client(&server, ["send", "--as", "a", "--all"]);
    let mut child = send.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = io::BufWriter::new(child.stdin.take().unwrap());
    let writing = std::thread::spawn(move || {
        for number in 0..LINES {
            writeln!(input, "{number}").unwrap();
        }
    });
    let mut received = 0;
    for line in stdout.lines() {
        assert_eq!(line.unwrap(), format!("a | all clients | broadcast | {received}"));
        received += 1;
    }
    assert_eq!(received, LINES);
    writing.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(listener.ended(), done(""));
}

#[test]
fn lines_that_cannot_be_sent_are_skipped_or_escaped_and_counted() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    let room = 1024 - "ana | bob | private_message | ".len();
    let (long, endless) = ("y".repeat(room + 5), "z".repeat(200_000));
    let input = [
        &b"one\na\x1b[2J\nol\xe1\n"[..],
        long.as_bytes(),
        b"\n",
        endless.as_bytes(),
        "\nsee\u{202e}\nlast\n".as_bytes(),
    ]
    .concat();
    let what = "the first is line 2 of standard input, which cannot be sent: character 2 is a control character (U+001B)";
    for (how, sent, said) in [
        (
            "skip",
            vec!["one".to_owned(), "last".to_owned()],
            format!("arauto: 5 lines were not sent; {what}\n"),
        ),
        (
            "escape",
            vec![
                "one".to_owned(),
                "a\\u{1b}[2J".to_owned(),
                "ol\\xe1".to_owned(),
                format!("{}…", "y".repeat(room - 3)),
                format!("{}…", "z".repeat(room - 3)),
                "see\\u{202e}".to_owned(),
                "last".to_owned(),
            ],
            format!("arauto: 5 lines were sent with escapes; {what}\n"),
        ),
    ] {
        let mut send = client(&server, ["send", "--as", "ana", "--to", "bob", "--on-bad-line", how, "-"]);
        assert_eq!(run_with_input(&mut send, &input), (0, String::new(), said));
        for text in sent {
            bob.expect(&format!("ana | bob | private_message | {text}"));
        }
        bob.expect_nothing_before_an_echo("bob");
    }
}

#[test]
fn the_servers_limit_is_asked_for_and_kept() {
    let long = "x".repeat(3000);
    let server = TestServer::with(|config| config.limits.message_bytes = 8192);
    let mut bob = server.join("bob");
    assert_eq!(run(&mut client(&server, ["send", "--as", "ana", "--to", "bob", &long])), done(""));
    bob.expect(&format!("ana | bob | private_message | {long}"));
    let mut send = client(&server, ["send", "--as", "ana", "--to", "bob"]);
    assert_eq!(run_with_input(&mut send, format!("{long}\n").as_bytes()), done(""));
    bob.expect(&format!("ana | bob | private_message | {long}"));
    let why = "TEXT is too long by 838 bytes: a message has at most 8192, including names and operation; send it in parts";
    let too_long = "x".repeat(9000);
    assert_eq!(run(&mut client(&server, ["send", "--as", "ana", "--to", "bob", &too_long])), failed(2, why));

    let server = TestServer::with(|config| config.limits.message_bytes = 256);
    let mut send = client(&server, ["send", "--as", "ana", "--all"]);
    let why = "line 1 of standard input is too long by 276 bytes: a message has at most 256, including names and operation; \
               send it in parts; this line and the lines after it were not sent";
    assert_eq!(run_with_input(&mut send, "y".repeat(500).as_bytes()), failed(1, why));
}

#[test]
fn names_of_a_list_are_told_apart_whatever_blanks_are_around_the_comma() {
    let server = FakeServer::start(|mut peer| {
        let name = peer.welcome();
        peer.line();
        peer.say(&format!(
            "server | {name} | list_clients | clients connected: l1 ,scr , Ana Maria ,{name} "
        ));
        peer.say(&format!("{name} | {name} | echo | no data"));
        peer.until_the_end();
    });
    let list = |json: &[&str]| {
        let mut list = arauto(["list", "--server", &server.address().to_string()]);
        run(list.args(json).stdin(Stdio::null()))
    };
    assert_eq!(list(&[]), done("l1\nscr\nAna Maria\n"));
    assert_eq!(list(&["--json"]), done("{\"name\":\"l1\"}\n{\"name\":\"scr\"}\n{\"name\":\"Ana Maria\"}\n"));
}
