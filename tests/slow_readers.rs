//! Tests with receivers that read slowly, in several ways, and of how long all others wait for them.
//!
//! The server counts how long its broadcasts waited (`arauto_broadcast_wait_seconds_total`). Tests judge by this
//! figure, and so by the server's bound and not by the speed of this machine.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use arauto::config::Config;
use arauto_needs::needs;

use crate::harness::{
    Client, DEADLINE, NAME_REQUEST, TestServer,
    cable::{Cable, Netcat, SERVER, dial},
    confirmation, wait_until,
};

/// The window of the contract for the wait of broadcasts.
const WINDOW: Duration = Duration::from_secs(10);

/// Time that a timer, and a thread that waits for a processor, may add to a wait.
const SLACK: Duration = Duration::from_millis(500);

/// How a receiver reads: at most `bytes` at once, then a pause.
#[derive(Clone, Copy, Debug)]
struct Habit {
    bytes: usize,
    pause: Duration,
    is_unframed: bool,
}

const NEVER: Habit = Habit { bytes: 0, pause: Duration::from_millis(50), is_unframed: false };
const FOUR_BYTES: Habit = Habit { bytes: 4, pause: Duration::from_secs(1), is_unframed: false };
const CRUMBS: Habit = Habit { bytes: 2_000, pause: Duration::from_millis(200), is_unframed: false };
const TEN_KILOBYTES: Habit = Habit { bytes: 1_000, pause: Duration::from_millis(100), is_unframed: false };
/// Reads all that it is sent. Without line endings, that is at most 20 messages a second.
const UNFRAMED: Habit = Habit { bytes: 64 * 1024, pause: Duration::from_millis(1), is_unframed: true };

const HABITS: [Habit; 5] = [NEVER, FOUR_BYTES, CRUMBS, TEN_KILOBYTES, UNFRAMED];

/// A receiver that reads slowly until it is told to read everything.
struct SlowReader {
    hurries: Arc<AtomicBool>,
    reading: JoinHandle<Vec<u8>>,
}

impl SlowReader {
    fn join(namespace: Option<&str>, address: SocketAddr, name: &str, habit: Habit) -> Self {
        let stream = dial(namespace, address, Some(4096)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut client = Client::from_stream(stream.try_clone().unwrap());
        client.expect(NAME_REQUEST);
        if habit.is_unframed {
            client.ending = "";
            client.send(&format!("{name} | server | name | {name}"));
        } else {
            client.send(name);
        }
        client.expect(&confirmation(name));
        let hurries = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&hurries);
        let reading = std::thread::spawn(move || read_by_habit(stream, habit, &told));
        Self { hurries, reading }
    }

    /// Makes the receiver read everything. Returns the last message that it was sent.
    fn last_words(self) -> String {
        self.hurries.store(true, Ordering::Relaxed);
        self.reading.thread().unpark();
        let heard = String::from_utf8(self.reading.join().unwrap()).unwrap();
        let start = heard.rfind("server | ").unwrap_or_else(|| panic!("no last words in {heard:?}"));
        heard[start..].trim_end_matches('\n').to_owned()
    }
}

/// Reads to the end. Returns the last KiB.
fn read_by_habit(mut stream: TcpStream, habit: Habit, hurries: &AtomicBool) -> Vec<u8> {
    let mut last = VecDeque::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let is_hurrying = hurries.load(Ordering::Relaxed);
        let room = if is_hurrying { buffer.len() } else { habit.bytes };
        if room > 0 {
            match stream.read(&mut buffer[..room]) {
                Ok(0) => return last.into(),
                Ok(read) => last.extend(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("{error} in place of the end"),
            }
            last.drain(..last.len().saturating_sub(1024));
        }
        if !is_hurrying {
            std::thread::park_timeout(habit.pause);
        }
    }
}

/// The figures of a server, requested from its own machine.
struct Figures {
    namespace: Option<String>,
    address: SocketAddr,
    /// Total time that broadcasts had waited, and when the server was asked.
    waits: Vec<(Instant, Duration)>,
}

impl Figures {
    fn of(namespace: Option<&str>, address: SocketAddr) -> Self {
        Self { namespace: namespace.map(str::to_owned), address, waits: Vec::new() }
    }

    fn ask(&mut self) -> String {
        let mut stream = dial(self.namespace.as_deref(), self.address, None).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let waited: f64 = figure(&answer, "arauto_broadcast_wait_seconds_total");
        self.waits.push((Instant::now(), Duration::from_secs_f64(waited)));
        answer
    }

    /// Returns how many sessions ended for this reason.
    fn ended(&mut self, reason: &str) -> f64 {
        figure(&self.ask(), &format!("arauto_ends_total{{reason=\"{reason}\"}}"))
    }

    /// Checks that broadcasts waited for at most `limit` in every window between two requests.
    #[track_caller]
    fn expect_waits_within(&self, limit: Duration) {
        for (place, (from, before)) in self.waits.iter().enumerate() {
            for (to, after) in self.waits[place..].iter().take_while(|(to, _)| *to - *from <= WINDOW) {
                let waited = after.saturating_sub(*before);
                assert!(waited <= limit + SLACK, "broadcasts waited {waited:?} of {:?}", *to - *from);
            }
        }
    }
}

fn figure(figures: &str, name: &str) -> f64 {
    let row = figures.lines().find_map(|line| line.strip_prefix(name));
    row.unwrap_or_else(|| panic!("no {name} in {figures}")).trim().parse().unwrap()
}

/// The sender's last message.
const OVER: &str = "sender | all clients | broadcast_not_me | over\n";

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A client that broadcasts without pause until the conversation ends, and a bystander that hears all of it.
struct Conversation {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Duration>>,
}

impl Conversation {
    fn begin(mut sender: Client, bystander: Client) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let text = "x".repeat(200);
        let message = format!("sender | all clients | broadcast_not_me | {text}\n");
        let sending = std::thread::spawn(move || {
            let lines = format!("/others {text}\n").repeat(16);
            while !told.load(Ordering::Relaxed) {
                sender.send_bytes(lines.as_bytes());
            }
            sender.send("/others over");
            Duration::ZERO
        });
        // Returns the longest time without a message.
        let hearing = std::thread::spawn(move || {
            let (mut longest, mut last) = (Duration::ZERO, Instant::now());
            let (mut buffer, mut unread) = (vec![0; 64 * 1024], Vec::new());
            loop {
                let read = bystander.stream().read(&mut buffer).expect("something to hear");
                assert!(read > 0, "the bystander was disconnected after {:?}", text_of(&unread));
                (longest, last) = (longest.max(last.elapsed()), Instant::now());
                unread.extend_from_slice(&buffer[..read]);
                let whole = unread.len() / message.len() * message.len();
                for heard in unread.drain(..whole).as_slice().chunks(message.len()) {
                    assert!(heard == message.as_bytes(), "{:?}", text_of(heard));
                }
                if unread == OVER.as_bytes() {
                    return longest;
                }
            }
        });
        Self { is_over, threads: vec![sending, hearing] }
    }

    /// Ends the conversation. Returns the longest time that the bystander heard nothing.
    fn end(self) -> Duration {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
    }
}

/// Settings with which slow readers are disconnected by `limits.slow_reader_wait`, not by `limits.slow_reader_grace`.
fn settings(wait: Duration) -> impl FnOnce(&mut Config) {
    move |config| {
        config.limits.slow_reader_grace = 10 * DEADLINE;
        config.limits.slow_reader_wait = wait;
        config.monitoring.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    }
}

fn last_words(name: &str, wait: &str) -> String {
    format!(
        "server | {name} | error_message | You were disconnected: you read too slowly. Slow readers delayed broadcasts by \
         {wait} within 10s, and more than 1048576 bytes for you were unread"
    )
}

#[test]
fn however_slowly_a_receiver_reads_it_is_cut_and_told_why_when_broadcasts_have_waited_long_enough() {
    let wait = Duration::from_millis(300);
    for habit in HABITS {
        let server = TestServer::with(settings(wait));
        let mut figures = Figures::of(None, server.monitoring_address());
        let slow = SlowReader::join(None, server.address(), "slow", habit);
        let conversation = Conversation::begin(server.join("sender"), server.join("bystander"));
        wait_until("the slow reader to be cut", || figures.ended("slow_reader") > 0.0);
        assert_eq!(slow.last_words(), last_words("slow", "300ms"), "{habit:?}");
        // The name is free at once.
        server.join("slow");
        conversation.end();
        figures.ask();
        figures.expect_waits_within(wait);
    }
}

#[test]
fn a_hundred_slow_receivers_delay_the_others_no_longer_than_one() {
    let wait = Duration::from_secs(1);
    let server = TestServer::with(settings(wait));
    let mut figures = Figures::of(None, server.monitoring_address());
    let slow: Vec<SlowReader> = (0..100)
        .map(|number| {
            SlowReader::join(None, server.address(), &format!("slow {number}"), HABITS[number % HABITS.len()])
        })
        .collect();
    let conversation = Conversation::begin(server.join("sender"), server.join("bystander"));
    wait_until("all of them to be cut", || {
        figures.ended("slow_reader") + figures.ended("outbox_full") >= 100.0
    });
    conversation.end();
    figures.ask();
    figures.expect_waits_within(wait);
    // Most of them were disconnected by the budget. The others had twice the limit unread while the budget was spent.
    for (number, slow) in slow.into_iter().enumerate() {
        let (heard, name) = (slow.last_words(), format!("slow {number}"));
        let full = format!(
            "server | {name} | error_message | You were disconnected: more than 1048576 bytes for you were waiting unread"
        );
        assert!(heard == last_words(&name, "1s") || heard == full, "{heard}");
    }
}

#[test]
fn slow_receivers_that_come_again_and_again_delay_the_others_no_longer() {
    let wait = Duration::from_millis(400);
    let server = TestServer::with(settings(wait));
    let mut figures = Figures::of(None, server.monitoring_address());
    let conversation = Conversation::begin(server.join("sender"), server.join("bystander"));
    let began = Instant::now();
    let mut generations = Vec::new();
    // Longer than a window, so that the budget is available a second time.
    while began.elapsed() < WINDOW + Duration::from_secs(1) {
        let name = format!("slow {}", generations.len());
        generations.push(SlowReader::join(None, server.address(), &name, CRUMBS));
        let cut = f64::from(u32::try_from(generations.len()).unwrap());
        wait_until("it to be cut", || figures.ended("slow_reader") + figures.ended("outbox_full") >= cut);
    }
    conversation.end();
    figures.expect_waits_within(wait);
    assert!(generations.len() > 2, "{}", generations.len());
}

#[test]
fn who_is_full_without_a_broadcast_is_not_cut_however_long_private_messages_wait() {
    let server = TestServer::with(|config| {
        settings(Duration::ZERO)(config);
        config.limits.outbox_bytes = 64 * 1024;
    });
    let mut figures = Figures::of(None, server.monitoring_address());
    let mut paused = server.join("paused");
    let mut sender = server.join("sender");
    let messages = 4 * 1024;
    let sending = std::thread::spawn(move || {
        for number in 0..messages {
            sender.send(&format!("/msg paused {number} {}", "x".repeat(900)));
        }
        sender.expect_nothing_before_an_echo("sender");
    });
    wait_until("the sender to be held back", || {
        figure(&figures.ask(), "arauto_senders_held_back_total") > 0.0
    });
    for number in 0..messages {
        paused.expect(&format!("sender | paused | private_message | {number} {}", "x".repeat(900)));
    }
    sending.join().unwrap();
    paused.expect_nothing_before_an_echo("paused");
    figures.ask();
    figures.expect_waits_within(Duration::ZERO);
}

#[test]
fn all_outboxes_together_are_bounded() {
    let server = TestServer::with(|config| {
        settings(Duration::from_secs(10))(config);
        config.limits.outboxes_bytes = 512 * 1024;
    });
    let mut figures = Figures::of(None, server.monitoring_address());
    let mut sender = server.join("sender");
    let mut bystander = server.join("bystander");
    // Short messages, and far fewer than would fill any outbox: what keeps them in order takes as much memory as their
    // text.
    let mut slow = Vec::new();
    while figures.ended("outbox_full") < 1.0 {
        let name = format!("slow{:02}", slow.len());
        slow.push(SlowReader::join(None, server.address(), &name, NEVER));
        let line = format!("/msg {name} {}\n", "x".repeat(80));
        sender.send_bytes(line.repeat(600).as_bytes());
        sender.expect_nothing_before_an_echo("sender");
        assert!(slow.len() < 20, "20 outboxes with 120 KB each are there");
    }
    // Data queued for a disconnected client is freed a moment after its end was counted.
    wait_until("the memory to be freed", || {
        figure(&figures.ask(), "arauto_outboxes_bytes") <= f64::from(512 * 1024)
    });
    assert!(figure(&figures.ask(), "arauto_outbox_full_total") < 1.0);
    sender.send("/msg bystander hi");
    bystander.expect("sender | bystander | private_message | hi");
    sender.send("/list");
    let here = sender.line();
    let gone: Vec<_> = (0..slow.len()).filter(|number| !here.contains(&format!("slow{number:02}"))).collect();
    assert!(!gone.is_empty() && gone.len() < slow.len(), "{here}");
    for (number, slow) in slow.into_iter().enumerate() {
        if !gone.contains(&number) {
            // The receiver reads until the server ends.
            slow.hurries.store(true, Ordering::Relaxed);
            continue;
        }
        assert_eq!(
            slow.last_words(),
            format!(
                "server | slow{number:02} | error_message | You were disconnected: unread messages for all clients passed \
                 524288 bytes, and yours were among the largest and oldest"
            )
        );
    }
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn sessions_of_another_machine_that_fill_an_unframed_client_delay_nobody_for_long() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[("ARAUTO_LIMITS_OUTBOX_BYTES", "65536")]);
    let address: SocketAddr = format!("{SERVER}:{}", process.address().port()).parse().unwrap();
    let mut figures = Figures::of(Some(&cable.server), process.monitoring_address());
    let victim = SlowReader::join(Some(&cable.faraway), address, "victim", UNFRAMED);
    let mut attackers: Vec<Netcat> =
        (0..3).map(|number| Netcat::join(&cable.faraway, &process, &format!("attacker {number}"))).collect();
    // They join before: the victim empties its outbox within seconds.
    let mut near = Netcat::join(&cable.server, &process, "near");
    let bystander = Netcat::join(&cable.server, &process, "bystander");
    let line = format!("/msg victim {}\n", "x".repeat(900));
    for attacker in &mut attackers {
        // Within what a session may send at once.
        attacker.send(&line.repeat(100));
    }
    wait_until("the client to be full", || figure(&figures.ask(), "arauto_outbox_full_total") > 0.0);
    near.send("/others hi");
    bystander.expect("near | all clients | broadcast_not_me | hi");
    figures.ask();
    figures.expect_waits_within(Duration::from_secs(2));
    assert_eq!(
        victim.last_words(),
        "server | victim | error_message | You were disconnected: you read too slowly. Slow readers delayed broadcasts by 2s \
         within 10s, and more than 65536 bytes for you were unread"
    );
}
