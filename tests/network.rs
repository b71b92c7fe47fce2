//! What only a network between two machines shows, in network namespaces of the test's own.
//!
//! Needs root and `ip`; elsewhere these tests say so and pass.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use crate::{
    cli::without_settings,
    harness::{DEADLINE, NAME_REQUEST, confirmation, has_tool, process::Process, wait_until},
};

const SERVER: &str = "192.0.2.1";
const FARAWAY: &str = "192.0.2.2";

/// Two machines with a cable between them, gone when dropped.
struct Cable {
    server: String,
    faraway: String,
}

impl Cable {
    /// `None` where namespaces cannot be made.
    fn lay() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !has_tool("ip") || !has_tool("tc") || !has_tool("nc") {
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |end: &str| format!("arauto-{}-{number}-{end}", std::process::id());
        let cable = Self { server: name("s"), faraway: name("f") };
        if !ip(&["netns", "add", &cable.server]) {
            eprintln!("left out: no network namespaces without root");
            return None;
        }
        assert!(ip(&["netns", "add", &cable.faraway]));
        assert!(ip(&[
            "link",
            "add",
            "cable",
            "netns",
            &cable.server,
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            &cable.faraway
        ]));
        for (namespace, address) in [(&cable.server, SERVER), (&cable.faraway, FARAWAY)] {
            assert!(ip(&["-n", namespace, "address", "add", &format!("{address}/30"), "dev", "cable"]));
            assert!(ip(&["-n", namespace, "link", "set", "lo", "up"]));
            assert!(ip(&["-n", namespace, "link", "set", "cable", "up"]));
        }
        Some(cable)
    }

    fn serve(&self, settings: &[(&str, &str)]) -> Process {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.server, env!("CARGO_BIN_EXE_arauto"), "serve"]);
        without_settings(&mut command);
        command.envs(settings.iter().copied());
        Process::run(command, &[("ARAUTO_SERVER_LISTEN", &format!("{SERVER}:0"))])
    }

    /// From here on nothing crosses, and nobody is told.
    fn cut(&self) {
        assert!(ip(&["-n", &self.faraway, "link", "set", "cable", "down"]));
    }

    /// Whether what the faraway machine sends is lost.
    fn lose_answers(&self, lost: bool) {
        let verb = if lost { "add" } else { "delete" };
        let arguments = ["-n", &self.faraway, "qdisc", verb, "dev", "cable", "root", "blackhole"];
        assert!(Command::new("tc").args(arguments).status().unwrap().success());
    }

    /// Waits until the faraway machine has acknowledged all.
    fn settle(&self) {
        wait_until("all to be acknowledged", || self.asked().is_some_and(|(timer, _)| timer == "02"));
    }

    /// The server's row of the only connection from the faraway machine: its timer, and how many questions are
    /// unanswered.
    fn asked(&self) -> Option<(String, u32)> {
        let arguments = ["netns", "exec", &self.server, "cat", "/proc/net/tcp"];
        let table = Command::new("ip").args(arguments).output().unwrap().stdout;
        let table = String::from_utf8(table).unwrap();
        let rows = table.lines().map(|row| row.split_ascii_whitespace().collect::<Vec<_>>());
        // 192.0.2.2, as the kernel writes it on a little-endian machine.
        let row = rows.into_iter().find(|row| row[2].starts_with("020200C0:"))?;
        Some((row[5][..2].to_owned(), row[8].parse().unwrap()))
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // What is not there any more need not be deleted.
        ip(&["netns", "delete", &self.server]);
        ip(&["netns", "delete", &self.faraway]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).stderr(Stdio::null()).status().unwrap().success()
}

/// A netcat on one of the two machines, killed when dropped.
struct Netcat {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Netcat {
    /// One that has read the name request.
    fn on(namespace: &str, process: &Process) -> Self {
        let netcat = Self::start(namespace, process);
        netcat.expect(NAME_REQUEST);
        netcat
    }

    fn start(namespace: &str, process: &Process) -> Self {
        let port = process.address().port().to_string();
        let mut child = Command::new("ip")
            .args(["netns", "exec", namespace, "nc", SERVER, &port])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                if send.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        Self { child, stdin, lines }
    }

    fn join(namespace: &str, process: &Process, name: &str) -> Self {
        let mut netcat = Self::on(namespace, process);
        netcat.send(name);
        netcat.expect(&confirmation(name));
        netcat
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.child.id())).status();
        assert!(sent.unwrap().success());
    }

    fn send(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).unwrap()
    }

    #[track_caller]
    fn expect(&self, line: &str) {
        assert_eq!(self.line(), line);
    }
}

impl Drop for Netcat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn taken(name: &str) -> String {
    format!(
        "server | new_client: {name} | connection_error | This username is already taken. You need to connect again and \
         use another one"
    )
}

/// How long the contract allows from a clash to the name's next owner.
const WITHIN: Duration = Duration::from_secs(3);

#[test]
fn a_name_whose_bearer_is_cut_off_is_given_to_the_next_within_3_s() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let mut next = Netcat::on(&cable.server, &process);
    let _bearer = Netcat::join(&cable.faraway, &process, "alan");
    cable.settle();
    cable.cut();
    let asked = Instant::now();
    // The bearer was heard of within the last second. What is sent before the name is given is carried out once it is.
    next.send("alan\n/echo at last");
    next.expect(&confirmation("alan"));
    assert!(asked.elapsed() < WITHIN, "{:?}", asked.elapsed());
    next.expect("alan | alan | echo | at last");
    next.send("/list");
    next.expect("server | alan | list_clients | clients connected: alan");
}

#[test]
fn the_same_after_more_than_a_second_of_silence() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let _bearer = Netcat::join(&cable.faraway, &process, "alan");
    cable.settle();
    be_silent();
    cable.cut();
    let mut next = Netcat::on(&cable.server, &process);
    let asked = Instant::now();
    next.send("alan");
    next.expect(&confirmation("alan"));
    assert!(asked.elapsed() < WITHIN, "{:?}", asked.elapsed());
}

/// Until the kernel asks at once when it is to ask those who were silent for a second.
fn be_silent() {
    let since = Instant::now();
    wait_until("a second of silence", || since.elapsed() > Duration::from_millis(1100));
}

/// Does something between two questions of the kernel, which are a second apart. Where this machine was too slow for
/// that, it is done once more, on another cable.
fn between_questions(attempt: impl Fn(&Cable) -> bool) {
    for _ in 0..5 {
        let Some(cable) = Cable::lay() else { return };
        if attempt(&cable) {
            return;
        }
    }
    panic!("five times, this machine took a second for what takes milliseconds");
}

#[test]
fn one_lost_answer_costs_nobody_his_name() {
    for is_silent_before in [true, false] {
        between_questions(|cable| {
            let process = cable.serve(&[]);
            let mut next = Netcat::on(&cable.server, &process);
            let mut bearer = Netcat::join(&cable.faraway, &process, "alan");
            cable.settle();
            if is_silent_before {
                be_silent();
            }
            cable.lose_answers(true);
            next.send("alan");
            wait_until("a question", || cable.asked().is_some_and(|(_, asked)| asked > 0));
            let asked = Instant::now();
            cable.lose_answers(false);
            if asked.elapsed() > Duration::from_millis(700) {
                return false;
            }
            next.expect(&taken("alan"));
            bearer.send("/echo still here");
            bearer.expect("alan | alan | echo | still here");
            true
        });
    }
}

#[test]
fn a_dead_bearer_to_whom_something_is_sent_while_he_is_asked_is_found_out_all_the_same() {
    between_questions(|cable| {
        let process = cable.serve(&[]);
        let mut bob = Netcat::join(&cable.server, &process, "bob");
        let mut next = Netcat::on(&cable.server, &process);
        let _bearer = Netcat::join(&cable.faraway, &process, "alan");
        cable.settle();
        cable.cut();
        let began = Instant::now();
        next.send("alan");
        wait_until("a question", || cable.asked().is_some_and(|(_, asked)| asked > 0));
        // From here on the kernel does not ask any more, but repeats this.
        bob.send("/others hi");
        if began.elapsed() > Duration::from_millis(1300) {
            return false;
        }
        next.expect(&confirmation("alan"));
        assert!(began.elapsed() < WITHIN, "{:?}", began.elapsed());
        true
    });
}

#[test]
fn one_who_did_not_read_and_is_gone_since_loses_his_name_in_the_end() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[("ARAUTO_LIMITS_OUTBOX_BYTES", "64000000")]);
    let mut bob = Netcat::join(&cable.server, &process, "bob");
    let bearer = Netcat::join(&cable.faraway, &process, "alan");
    bearer.signal("STOP");
    for _ in 0..16 * 1024 {
        bob.send(&format!("/msg alan {}", "x".repeat(900)));
    }
    // The kernel asks whether there is room again, ever more rarely: no question may fall into the time of one probe.
    wait_until("no room", || cable.asked().is_some_and(|(timer, _)| timer == "04"));
    cable.cut();
    wait_until("the name to be free", || {
        let mut next = Netcat::on(&cable.server, &process);
        next.send("alan");
        next.line() == confirmation("alan")
    });
}

#[test]
fn the_same_with_something_unacknowledged_on_the_way() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let _bearer = Netcat::join(&cable.faraway, &process, "alan");
    let mut bob = Netcat::join(&cable.server, &process, "bob");
    cable.cut();
    bob.send("/others hi");
    let mut next = Netcat::on(&cable.server, &process);
    let asked = Instant::now();
    next.send("alan");
    next.expect(&confirmation("alan"));
    assert!(asked.elapsed() < WITHIN, "{:?}", asked.elapsed());
}

#[test]
fn a_name_whose_bearer_answers_stays_his() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let mut bearer = Netcat::join(&cable.faraway, &process, "alan");
    let mut next = Netcat::on(&cable.server, &process);
    next.send("alan\n/others boo");
    next.expect(&taken("alan"));
    bearer.send("/echo still here");
    bearer.expect("alan | alan | echo | still here");
}

#[test]
fn one_who_does_not_read_but_answers_keeps_his_name() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[("ARAUTO_LIMITS_OUTBOX_BYTES", "64000000")]);
    // Stopped, it reads nothing; its kernel answers for it that there is no room.
    let bearer = Netcat::join(&cable.faraway, &process, "alan");
    bearer.signal("STOP");
    let mut bob = Netcat::join(&cable.server, &process, "bob");
    for _ in 0..16 * 1024 {
        bob.send(&format!("/msg alan {}", "x".repeat(900)));
    }
    bob.send("/echo sent");
    bob.expect("bob | bob | echo | sent");
    let mut next = Netcat::on(&cable.server, &process);
    next.send("alan");
    next.expect(&taken("alan"));
    bob.send("/list");
    bob.expect("server | bob | list_clients | clients connected: alan , bob");
}

#[test]
fn a_name_is_given_when_all_who_look_like_it_are_cut_off() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let _bearers = ["lan", "ian"].map(|name| Netcat::join(&cable.faraway, &process, name));
    cable.cut();
    let mut next = Netcat::on(&cable.server, &process);
    let asked = Instant::now();
    // A capital I looks like the one name, and is a letter of the other.
    next.send("IAN\n/echo at last");
    next.expect(&confirmation("IAN"));
    assert!(asked.elapsed() < WITHIN, "{:?}", asked.elapsed());
    next.expect("IAN | IAN | echo | at last");
}

#[test]
fn two_whom_one_bearer_keeps_from_different_names_both_get_theirs() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let mut bearer = Netcat::join(&cable.faraway, &process, "lan");
    // Ian looks like lan, LAN is the same name, and Ian is not LAN.
    let [mut one, other] = ["Ian", "LAN"].map(|name| {
        let mut next = Netcat::on(&cable.server, &process);
        next.send(name);
        next
    });
    bearer.send("/exit");
    bearer.expect("server | lan | exit | client disconnected");
    one.expect(&confirmation("Ian"));
    other.expect(&confirmation("LAN"));
    one.send("/msg lan hi");
    other.expect("Ian | LAN | private_message | hi");
}

#[test]
fn many_who_want_a_name_and_leave_at_once_are_passed_on_one_by_one() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let mut bearer = Netcat::join(&cable.faraway, &process, "alan");
    let mut waiting: Vec<Netcat> = (0..12).map(|_| Netcat::on(&cable.server, &process)).collect();
    for next in &mut waiting {
        next.send("alan\n/exit");
    }
    bearer.send("/exit");
    bearer.expect("server | alan | exit | client disconnected");
    // Eight may wait; of the others, those who came before the name was free are refused at once.
    let mut given = 0;
    for next in &waiting {
        let answer = next.line();
        if answer != taken("alan") {
            assert_eq!(answer, confirmation("alan"));
            next.expect("server | alan | exit | client disconnected");
            given += 1;
        }
    }
    assert!(given >= 8, "{given}");
    Netcat::join(&cable.server, &process, "alan");
}

#[test]
fn flood_control_holds_for_other_machines() {
    let Some(cable) = Cable::lay() else { return };
    let settings = [
        ("ARAUTO_FLOOD_MESSAGE_RATE", "1"),
        ("ARAUTO_FLOOD_MESSAGE_BURST", "1"),
        ("ARAUTO_FLOOD_SESSIONS_PER_ADDRESS", "1"),
    ];
    let process = cable.serve(&settings);
    let mut near = Netcat::join(&cable.server, &process, "near");
    let mut faraway = Netcat::join(&cable.faraway, &process, "faraway");
    near.send("/echo one\n/echo two\n/echo three");
    for word in ["one", "two", "three"] {
        near.expect(&format!("near | near | echo | {word}"));
    }
    faraway.send("/echo one\n/echo two");
    faraway.expect("faraway | faraway | echo | one");
    faraway.expect(
        "server | faraway | error_message | Your message was not sent: you may send 1 messages a second, 1 at once. Try again \
         in 1 s",
    );
    let full = Netcat::start(&cable.faraway, &process);
    full.expect(
        "server | client | connection_error | Your address has 1 connections, which is the most. Close one and connect again",
    );
    Netcat::join(&cable.server, &process, "another");
}

#[test]
fn only_who_is_on_the_servers_machine_may_close_it() {
    let Some(cable) = Cable::lay() else { return };
    let mut process = cable.serve(&[]);
    let mut faraway = Netcat::join(&cable.faraway, &process, "faraway");
    faraway.send("/close");
    faraway.expect(
        "server | faraway | error_message | Only someone connected from the server's own machine may close it",
    );
    let mut near = Netcat::join(&cable.server, &process, "near");
    near.send("/close");
    near.expect("server | all clients | broadcast | server closed");
    faraway.expect("server | all clients | broadcast | server closed");
    drop((near, faraway));
    assert_eq!(process.ended().code(), Some(0));
}
