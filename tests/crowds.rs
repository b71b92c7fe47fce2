//! Tests with crowds of clients, hostile or idle, while other clients go on.
//!
//! A usual run has some hundreds of clients. `ARAUTO_CROWDS=full` has as many as `docs/reliability.md` states; that
//! takes minutes and nearly 20,000 open files.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use socket2::SockRef;

use crate::harness::{Client, NAME_REQUEST, confirmation, process::Process, wait_until};

fn is_full() -> bool {
    std::env::var_os("ARAUTO_CROWDS").is_some_and(|value| value == "full")
}

fn crowd(usual: usize, full: usize) -> usize {
    if is_full() { full } else { usual }
}

/// Returns the number of clients at once. The system has to allow as many open files.
fn at_once(usual: usize, full: usize) -> usize {
    let size = crowd(usual, full);
    let files = size as u64 + 200;
    let allowed = rlimit::increase_nofile_limit(files).unwrap();
    assert!(allowed >= files, "{size} clients need {files} open files, and {allowed} are allowed");
    size
}

/// Checks that the memory of a crowd goes back to the system, except for what the first use of the program costs.
fn memory_returns(process: &Process, what: &str, before: u64, most: u64) {
    const ONCE_KIB: u64 = 5 * 1024;
    wait_until("memory to return", || process.resident_kib() <= before + ONCE_KIB);
    let after = process.resident_kib();
    eprintln!("{what}: {before} KiB before, {most} KiB with them, {after} KiB after");
}

/// Waits until `bystander` is the only client.
fn expect_alone(bystander: &mut Client, name: &str) {
    let alone = format!("server | {name} | list_clients | clients connected: {name}");
    wait_until("the others to be gone", || {
        bystander.send("/list");
        let mut names = bystander.line();
        let is_alone = names == alone;
        // A long list comes in several messages. The echo comes after the last.
        bystander.send("/echo end of list");
        while names != format!("{name} | {name} | echo | end of list") {
            names = bystander.line();
        }
        is_alone
    });
}

/// A client that sends a byte now and then and reads all that it is sent.
struct Slow {
    stream: TcpStream,
    said: Vec<u8>,
    is_over: bool,
}

impl Slow {
    fn new(stream: TcpStream) -> Self {
        stream.set_nonblocking(true).unwrap();
        Self { stream, said: Vec::new(), is_over: false }
    }

    /// Reads all that has arrived, and sends one byte.
    fn step(&mut self) {
        self.read();
        if !self.is_over {
            // Fails if the server has just closed the connection.
            let _ = self.stream.write(b"x");
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; 4096];
        while !self.is_over {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.is_over = true,
                Ok(read) => self.said.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&self.said)),
            }
        }
    }
}

#[test]
fn a_crowd_that_sends_a_byte_now_and_then_is_given_up_and_disturbs_nobody() {
    let size = at_once(300, 5000);
    let (name_timeout, line_timeout, pause) = if is_full() {
        ("12s", "6s", Duration::from_secs(1))
    } else {
        ("2s", "1s", Duration::from_millis(20))
    };
    let process = Process::serve(&[
        ("ARAUTO_LIMITS_NAME_TIMEOUT", name_timeout),
        ("ARAUTO_LIMITS_LINE_TIMEOUT", line_timeout),
    ]);
    let mut bob = process.join("bob");
    let before = process.resident_kib();
    // Half of the clients have names and never end their next line. The others never end the line with the name.
    let mut named: Vec<_> = (0..size / 2)
        .map(|number| Slow::new(process.join(&format!("slow {number}")).stream().try_clone().unwrap()))
        .collect();
    let mut nameless: Vec<_> =
        (0..size / 2).map(|_| Slow::new(TcpStream::connect(process.address()).unwrap())).collect();
    let overdue = |number: usize| {
        format!(
            "server | slow {number} | error_message | Your line was dropped: its end did not come within {line_timeout}. What \
             follows up to its end is ignored; end it with Enter and type the line again\n"
        )
    };
    wait_until("all to be given up", || {
        let began = Instant::now();
        named.iter_mut().chain(&mut nameless).for_each(Slow::step);
        bob.expect_nothing_before_an_echo("bob");
        wait_until("the next byte", || began.elapsed() >= pause);
        named.iter().all(|slow| !slow.said.is_empty()) && nameless.iter().all(|slow| slow.is_over)
    });
    let most = process.resident_kib();
    let refused = format!(
        "{NAME_REQUEST}\nserver | client | connection_error | No name came within {name_timeout}. Connect again and type your \
         name and Enter\n"
    );
    for slow in &nameless {
        assert_eq!(String::from_utf8_lossy(&slow.said), refused);
    }
    // Each client with a name was told once, however much it has sent since. After a newline its session works again.
    for slow in &mut named {
        slow.stream.set_nonblocking(false).unwrap();
        slow.stream.write_all(b"\n/exit\n").unwrap();
        slow.stream.set_read_timeout(Some(crate::harness::DEADLINE)).unwrap();
    }
    for (number, slow) in named.iter_mut().enumerate() {
        slow.read();
        let goodbye = format!("server | slow {number} | exit | client disconnected\n");
        assert_eq!(String::from_utf8_lossy(&slow.said), overdue(number) + &goodbye);
    }
    drop((named, nameless));
    expect_alone(&mut bob, "bob");
    memory_returns(&process, &format!("{size} slow clients"), before, most);
}

#[test]
fn a_crowd_that_does_nothing_disturbs_nobody_and_leaves_nothing_behind() {
    idle_crowd(at_once(500, 19_000));
}

/// A small crowd takes no more memory than the first use of the program costs. This one would show an allocator that
/// keeps it.
#[test]
#[ignore = "slow: 8,000 clients"]
fn a_large_crowd_leaves_nothing_behind() {
    idle_crowd(at_once(8_000, 8_000));
}

fn idle_crowd(size: usize) {
    let process = Process::serve(&[("ARAUTO_LIMITS_MAX_SESSIONS", "20000")]);
    let mut bob = process.join("bob");
    let before = process.resident_kib();
    let mut idle: Vec<_> = (0..size).map(|number| process.join(&format!("idle {number}"))).collect();
    bob.send("/others still there?");
    for client in &mut idle {
        client.expect("bob | all clients | broadcast_not_me | still there?");
    }
    bob.expect_nothing_before_an_echo("bob");
    let most = process.resident_kib();
    drop(idle);
    expect_alone(&mut bob, "bob");
    memory_returns(&process, &format!("{size} idle clients"), before, most);
}

#[test]
fn a_storm_of_joins_and_leaves_disturbs_nobody_and_leaves_nothing_behind() {
    const STREAMS: usize = 4;
    let rounds = crowd(600, 40_000) / STREAMS;
    let process = Process::serve(&[]);
    let mut bob = process.join("bob");
    let before = process.resident_kib();
    let address = process.address();
    let storms: Vec<_> = (0..STREAMS)
        .map(|stream| {
            std::thread::spawn(move || {
                for round in 0..rounds {
                    let mut client = Client::to(address);
                    if round % 5 == 0 {
                        // Sends its name and requests without waiting for the name request.
                        client.send(&format!("storm {stream} {round}\n/list\n/msg bob hi"));
                        continue;
                    }
                    let name = format!("storm {stream} {round}");
                    client.expect(NAME_REQUEST);
                    client.ask(&name, &confirmation(&name));
                    match round % 5 {
                        1 => client.ask("/exit", &format!("server | {name} | exit | client disconnected")),
                        2 => SockRef::from(client.stream()).set_linger(Some(Duration::ZERO)).unwrap(),
                        3 => client.stream().shutdown(Shutdown::Write).unwrap(),
                        _ => client.send_bytes(b"/others half a li"),
                    }
                }
            })
        })
        .collect();
    while storms.iter().any(|storm| !storm.is_finished()) {
        bob.send("/echo through the storm");
        // Clients that do not wait may have sent a message to bob before they left.
        loop {
            let line = bob.line();
            if line == "bob | bob | echo | through the storm" {
                break;
            }
            assert!(line.starts_with("storm ") && line.ends_with(" | bob | private_message | hi"), "{line}");
        }
    }
    let most = process.resident_kib();
    for storm in storms {
        storm.join().unwrap();
    }
    // Messages still on their way arrive before the answer to the list.
    wait_until("the others to be gone", || {
        bob.send("/list");
        loop {
            let line = bob.line();
            if let Some((_, names)) = line.split_once("clients connected: ") {
                return names == "bob";
            }
        }
    });
    memory_returns(&process, &format!("{} that came and went", rounds * STREAMS), before, most);
}
