//! Tests with a server that stops answering without closing connections: the network is gone, or the process is
//! stopped. Every command that stays connected says so within 30 s.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use arauto_needs::needs;

use crate::{
    cli::{arauto, without_settings},
    harness::{
        cable::Cable,
        process::Process,
        terminal::{CTRL_C, Terminal},
    },
};

/// Maximum time until a command says that the server is gone.
const SEEN_TIMEOUT: Duration = Duration::from_secs(30);

/// A running command that stays connected, without a terminal. Killed when dropped.
struct Connected {
    child: Child,
    /// Receives all that the command printed, once the command has ended.
    ended: Receiver<String>,
}

impl Connected {
    /// Runs a command. If `joined` is given, waits until the command prints it.
    fn run(mut command: Command, input: &str, joined: Option<&str>) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(input.as_bytes()).unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        if let Some(joined) = joined {
            let mut line = String::new();
            stderr.read_line(&mut line).unwrap();
            assert_eq!(line, joined);
        }
        let (send, ended) = channel();
        std::thread::spawn(move || {
            let mut said = String::new();
            // The end of standard error is the end of the program.
            let _ = stderr.read_to_string(&mut said);
            let mut printed = String::new();
            let _ = stdout.read_to_string(&mut printed);
            let _ = send.send(said + &printed);
        });
        Self { child, ended }
    }

    /// Waits for the end of the command. Returns what it printed, and its exit status.
    #[track_caller]
    fn ended(&mut self, since: Instant) -> (String, i32) {
        let left = SEEN_TIMEOUT.saturating_sub(since.elapsed());
        let said = self.ended.recv_timeout(left).expect("an end within 30 s");
        eprintln!("after {:?}: {said}", since.elapsed());
        (said, self.child.wait().unwrap().code().unwrap())
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `arauto listen`, `arauto send -`, `arauto join --plain` and the full screen, all connected to one server.
struct All {
    commands: Vec<Connected>,
    screen: Terminal,
}

impl All {
    fn connect(server: SocketAddr, arauto: impl Fn(&[&str]) -> Command) -> Self {
        let address = server.to_string();
        let screen = Terminal::run(arauto(&["join", "rui", "--server", &address]), 80, 24);
        screen.shows("You are rui on ");
        let listen = arauto(&["listen", "--as", "ana", "--verbose", "--server", &address]);
        let listen = Connected::run(listen, "", Some("arauto: joined as ana\n"));
        let send = arauto(&["send", "--as", "eva", "--all", "--server", &address, "-"]);
        let send = Connected::run(send, "before\n", None);
        screen.shows("eva: before");
        let plain = arauto(&["join", "zoe", "--plain", "--server", &address]);
        let plain = Connected::run(plain, "", None);
        screen.shows("zoe joined");
        Self { commands: vec![listen, send, plain], screen }
    }

    /// Checks that all commands and the screen report a server that has not answered since `since`.
    fn see_it(&mut self, since: Instant) {
        self.screen.type_in("\x15did this arrive?\r");
        self.screen.shows(" … rui: did this arrive?");
        self.screen.shows("no answer for ");
        for command in &mut self.commands {
            let (said, status) = command.ended(since);
            assert!(said.contains("no answer"), "{said}");
            assert_eq!(status, 4, "{said}");
        }
        let left = SEEN_TIMEOUT.saturating_sub(since.elapsed());
        self.screen.wait_within(left, "the cut", |screen| {
            screen.contents().contains("The connection broke: no answer")
        });
        eprintln!("the screen: after {:?}", since.elapsed());
        self.screen.shows(" ! Not known whether this arrived: did this arrive?");
        self.screen.shows(" ? rui: did this arrive?");
    }
}

#[needs("root", "ip", "tc", "nc")]
#[test]
#[ignore = "slow: waits for the clients' own timeouts, up to 30 s"]
fn a_network_that_goes_away_is_seen_within_30_s() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let mut all = All::connect(process.address(), |arguments| {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &cable.faraway, env!("CARGO_BIN_EXE_arauto")]).args(arguments);
        without_settings(&mut command);
        command
    });
    cable.cut();
    let since = Instant::now();
    // The kernel retransmits data sent into the cut, and then sends no more keepalive probes.
    all.commands[1].child.stdin.as_mut().unwrap().write_all(b"into the void\n").unwrap();
    all.see_it(since);
    cable.mend();
    all.screen.wait_within(SEEN_TIMEOUT, "another connection", |screen| {
        screen.contents().matches("You are rui on ").count() == 2
    });
    all.screen.type_in("again\r");
    all.screen.shows("   rui: again");
}

#[test]
#[ignore = "slow: waits for the clients' own timeouts, up to 30 s"]
fn a_server_that_is_stopped_is_seen_within_30_s() {
    let mut process = Process::serve(&[]);
    let mut all = All::connect(process.address(), |arguments| {
        let mut command = arauto([]);
        command.args(arguments);
        command
    });
    process.signal("STOP");
    all.see_it(Instant::now());
    process.signal("CONT");
    all.screen.wait_within(SEEN_TIMEOUT, "another connection", |screen| {
        screen.contents().matches("You are rui on ").count() == 2
    });
    all.screen.type_in(CTRL_C);
    assert_eq!(all.screen.ended(), 0);
    process.signal("TERM");
    assert_eq!(process.ended().code(), Some(0));
}

#[test]
#[ignore = "slow: waits for the clients' own timeouts, up to 30 s"]
fn a_silent_server_that_answers_an_echo_is_kept() {
    let process = Process::serve(&[]);
    let address = process.address().to_string();
    let listen = arauto(["listen", "--as", "ana", "--verbose", "--server", &address]);
    let mut listen = Connected::run(listen, "", Some("arauto: joined as ana\n"));
    let since = Instant::now();
    assert!(listen.ended.recv_timeout(SEEN_TIMEOUT).is_err(), "{:?}", since.elapsed());
    let mut rui = process.join("rui");
    rui.send("/msg ana hi");
    rui.expect_nothing_before_an_echo("rui");
    process.signal("TERM");
    let (said, status) = listen.ended(Instant::now());
    let heard = "rui | ana | private_message | hi\nserver | all clients | broadcast | server closed\n";
    assert_eq!((said, status), (format!("arauto: the server closed\n{heard}"), 4));
}
