//! Sessions: up to three connections send anything in any cuts, beside a bystander that must not be disturbed.
//!
//! Bytes that never occur in UTF-8 are not sent but control what happens next (see [`Step`]); all others are sent
//! unchanged. Time is tokio's paused clock: when no task can run, it advances to the next timer.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use actix_rt::System;
use arauto_protocol::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf},
    sync::{
        Notify,
        mpsc::{UnboundedReceiver, unbounded_channel},
    },
    time::{sleep, timeout},
};

use super::{Run, Target, choice, is_harmless};
use crate::{
    config::Config,
    server::{
        common::close::CloseReason,
        pair::{Pair, Pipe, SupervisorEvent},
    },
};

pub(super) const TARGET: Target = Target {
    name: "session",
    start: || -> Run {
        let system = System::new();
        let mut room = system.block_on(async {
            tokio::time::pause();
            Room::open().await
        });
        Box::new(move |bytes| system.block_on(room.judge(bytes)))
    },
    choices: 4,
    is_text: false,
    words: &[
        b"\n",
        b"\n",
        b"\r\n",
        b"\r\0",
        b"\r",
        b"\xf5",
        b"\xf6",
        b"\xf7",
        b"\xf8",
        b"\xf9",
        b"\xfa",
        b"alan\n",
        b"alan\n",
        b"bob\n",
        b"bystander\n",
        b"\xf7bob\n",
        b"\xf7alan\n",
        "аlan\n".as_bytes(),
        "\u{202e}\n".as_bytes(),
        b"alan | server | name | alan",
        b"\xf6",
        b"/all hi\n",
        b"/others hi\n",
        b"/msg bob hi\n",
        b"/msg bystander hi\n",
        b"/list\n",
        b"/files bystander\n",
        b"/help\n",
        b"/echo \x1b[2J\n",
        b"\xf7",
        b"\xf7",
        b"\xf7",
        b"\xf7\xf5/all hi\n",
        b"\xf7\xf7/list\n",
        b"\xf9/help\n/help\n/help\n/help\n/help\n/help\n/help\n/help\n/help\n/help\n/help\n/help\n",
        b"\xf9/help\n/help\n/help\n/help\n/help\n/help\n/help\n/help\n/help\n/help\n/help\n/help\n\xfa\xfa",
        b"\xf9\xf7\xf5/all 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\n",
        b"/all\n/all\n/all\n/all\n/all\n/all\n/all\n/all\n/all\n/all\n/all\n/all\n/all\n/all\n/all\n/all\n/all\n",
        b"/exit\n",
        b"/close\n",
        b"alan | all clients | broadcast | hi",
        b"server | all clients | broadcast | server closed\n",
        b"bystander | all clients | broadcast | hi\n",
        b" | bystander | private_message | hi\n",
        b"|||",
        b"GET / HTTP/1.1\n",
        b"\x16\x03\x01",
        b"\xff\xfd\x01",
        b"\xff\xf6",
        b"\xff\xf4",
        b"\x08",
        b"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    ],
};

/// `limits.message_bytes`: small enough to be reached, and large enough for every text of the contract.
const LIMIT: usize = 400;

/// First bytes of a connection. Without them, most inputs would never get a name.
const INTRODUCTIONS: [&[u8]; 8] = [
    b"",
    b"alan\n",
    b"bob\n",
    b"carla | server | name | carla",
    b"\xff\xfd\x01dora\r\n",
    "\u{430}lan\n".as_bytes(),
    "Jos\u{e9} Lu\u{ed}s\n".as_bytes(),
    b"/eva | x | name | /eva\n",
];

/// Timeout on the paused clock, longer than every timeout of the server.
const FOREVER: Duration = Duration::from_hours(1);

const BYSTANDER: &str = "bystander";

/// The action for a byte that is not sent.
enum Step {
    /// The server takes what was sent so far.
    Cut,
    /// Silence from which the server concludes that a client is unframed.
    Silence,
    /// Continue with the next of the three connections.
    Switch,
    /// This connection sends no more.
    Finish,
    /// This connection stops reading, or resumes.
    TurnReading,
    /// Wait until a clash of names is decided.
    Wait,
}

impl Step {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0xf5 => Self::Cut,
            0xf6 => Self::Silence,
            0xf7 => Self::Switch,
            0xf8 => Self::Finish,
            0xf9 => Self::TurnReading,
            0xfa => Self::Wait,
            _ => return None,
        })
    }
}

/// The server, and a client that only listens.
struct Room {
    pair: Pair,
    events: UnboundedReceiver<SupervisorEvent>,
    bystander: Client,
    /// Number of connections made so far, without the bystander's.
    made: u64,
}

impl Room {
    async fn open() -> Self {
        let mut config = Config::default();
        config.limits.message_bytes = LIMIT;
        config.limits.inflight_bytes = 1024;
        config.limits.outbox_bytes = 4096;
        config.flood.message_burst = 20;
        config.flood.refusals = 5;
        let (notify, events) = unbounded_channel();
        let pair = Pair::start(&config, &notify);
        let mut bystander = Client::of(Pipe::to(&pair.courier, 0, 64 * 1024));
        bystander.send(format!("{BYSTANDER}\n").as_bytes()).await;
        bystander.ears.until("a name for the bystander", |heard| heard.ends_with(b"\n")).await;
        bystander.ears.take();
        Self { pair, events, bystander, made: 0 }
    }

    async fn judge(&mut self, bytes: &[u8]) {
        let ([room, ways @ ..], mut rest) = choice::<4>(bytes);
        let room = [16, 64, 1024, 64 * 1024][usize::from(room % 4)];
        let mut clients: [Option<Client>; 3] = [None, None, None];
        let mut current = 0;
        while let Some(first) = rest.first() {
            if clients[current].is_none() {
                self.made += 1;
                let mut client = Client::of(Pipe::to(&self.pair.courier, self.made, room));
                client.send(INTRODUCTIONS[usize::from(ways[current]) % INTRODUCTIONS.len()]).await;
                // A silence, so that a client that sent no line ending is unframed.
                sleep(Duration::from_millis(60)).await;
                clients[current] = Some(client);
            }
            let Some(client) = &mut clients[current] else { unreachable!("made above") };
            if let Some(step) = Step::of(*first) {
                rest = &rest[1..];
                match step {
                    Step::Cut => sleep(Duration::from_millis(1)).await,
                    Step::Silence => sleep(Duration::from_millis(60)).await,
                    Step::Switch => current = (current + 1) % clients.len(),
                    Step::Finish => client.finish().await,
                    Step::TurnReading => client.ears.turn(),
                    Step::Wait => sleep(Duration::from_secs(3)).await,
                }
            } else {
                let end = rest.iter().position(|byte| Step::of(*byte).is_some()).unwrap_or(rest.len());
                client.send(&rest[..end]).await;
                rest = &rest[end..];
            }
        }
        let mut confirmed = Some(vec!["server".to_owned(), BYSTANDER.to_owned()]);
        for mut client in clients.into_iter().flatten() {
            client.ears.open();
            client.finish().await;
            client.ears.until("the end of a session", |_| false).await;
            let may_be_cut = client.ears.was_closed.get();
            let names = check_heard(&client.ears.take(), may_be_cut);
            if names.is_empty() && may_be_cut {
                // The client may have a name without having read the confirmation.
                confirmed = None;
            }
            if let Some(confirmed) = &mut confirmed {
                confirmed.extend(names);
            }
        }
        // The bystander is subject to flood control, so its budget is refilled even if no time has passed.
        sleep(Duration::from_millis(60)).await;
        self.check_bystander(confirmed.as_deref()).await;
        self.check_ends().await;
    }

    /// Checks that the bystander is still served, and has received only messages of clients that were connected.
    async fn check_bystander(&mut self, confirmed: Option<&[String]>) {
        let echo = format!("{BYSTANDER} | {BYSTANDER} | echo | {}\n", self.made);
        self.bystander.send(format!("/echo {}\n", self.made).as_bytes()).await;
        let ears = &self.bystander.ears;
        ears.until("an echo for the bystander", |heard| heard.ends_with(echo.as_bytes())).await;
        assert!(!ears.ended.get(), "the bystander was cut");
        for line in String::from_utf8(ears.take()).expect("UTF-8").lines() {
            assert!(line.len() <= LIMIT, "{} bytes: {line}", line.len());
            assert!(is_harmless(line), "{line:?}");
            let message = Message::parse(line).expect("a message");
            if let Some(confirmed) = confirmed {
                assert!(confirmed.iter().any(|name| name == message.sender), "{line} among {confirmed:?}");
            }
        }
    }

    /// Checks that every session has ended once, none by a fault, and that the actors are alive.
    async fn check_ends(&mut self) {
        let metrics = &self.pair.metrics;
        let ended = || CloseReason::ALL.into_iter().map(|reason| metrics.ended(reason)).sum::<u64>();
        for _ in 0..100 {
            if ended() == self.made {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(ended(), self.made, "{metrics:?}");
        assert_eq!(metrics.ended(CloseReason::Fault), 0, "{metrics:?}");
        assert!(self.events.try_recv().is_err(), "an actor died");
        assert!(self.pair.registry.connected() && self.pair.courier.connected());
    }
}

/// Checks what a client received, and returns the names confirmed in it. The server may close the connection of a
/// client that does not read in the middle of a message, or even of a character.
fn check_heard(heard: &[u8], may_be_cut: bool) -> Vec<String> {
    let mut plain = Vec::with_capacity(heard.len());
    let mut bytes = heard.iter();
    while let Some(byte) = bytes.next() {
        if *byte == 0xff {
            // Telnet refusals have three bytes.
            bytes.nth(1);
        } else {
            plain.push(*byte);
        }
    }
    if may_be_cut {
        if let Err(error) = std::str::from_utf8(&plain)
            && error.error_len().is_none()
        {
            plain.truncate(error.valid_up_to());
        }
        if plain.ends_with(b"\r") {
            plain.pop();
        }
    }
    let text = String::from_utf8(plain).expect("UTF-8, but for telnet's refusals");
    assert!(is_harmless(&text.replace("\r\n", "").replace('\n', "")), "{text:?}");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // No message to an unframed client ends with a newline; the last line to other clients may be cut.
    for line in lines.iter().filter_map(|line| line.strip_suffix('\n')) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        assert!(line.len() <= LIMIT, "{} bytes: {line}", line.len());
        Message::parse(line).expect("a message");
    }
    let mut parts: Vec<&str> = text.split(" | connection_confirmation | ").collect();
    // The text after the last confirmation, or all text if there is none.
    parts.pop();
    parts.iter().filter_map(|before| Some(before.rsplit_once("server | ")?.1.to_owned())).collect()
}

/// The client's end of a connection.
struct Client {
    /// `None` once the client sends no more.
    writer: Option<WriteHalf<DuplexStream>>,
    ears: Ears,
}

impl Client {
    fn of(Pipe { reader, writer }: Pipe) -> Self {
        let ears = Ears::default();
        actix_rt::spawn(ears.clone().hear(reader));
        Self { writer: Some(writer), ears }
    }

    async fn send(&mut self, bytes: &[u8]) {
        let Some(writer) = &mut self.writer else { return };
        let sent = timeout(FOREVER, writer.write_all(bytes)).await;
        if sent.expect("what is sent is read, or the connection cut").is_err() {
            self.writer = None;
        }
    }

    async fn finish(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            // The server may have closed the connection.
            let _ = writer.shutdown().await;
        }
    }
}

/// Data that a client has received.
#[derive(Clone, Default)]
struct Ears {
    heard: Rc<RefCell<Vec<u8>>>,
    closed: Rc<Cell<bool>>,
    /// Reading was paused at some time.
    was_closed: Rc<Cell<bool>>,
    /// The end of the stream was reached.
    ended: Rc<Cell<bool>>,
    changed: Rc<Notify>,
    opened: Rc<Notify>,
}

impl Ears {
    async fn hear(self, mut reader: ReadHalf<DuplexStream>) {
        let mut buffer = [0; 4096];
        loop {
            while self.closed.get() {
                self.opened.notified().await;
            }
            match reader.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(read) => self.heard.borrow_mut().extend_from_slice(&buffer[..read]),
            }
            self.changed.notify_one();
        }
        self.ended.set(true);
        self.changed.notify_one();
    }

    fn turn(&self) {
        self.closed.set(!self.closed.get());
        self.was_closed.set(true);
        self.opened.notify_one();
    }

    fn open(&self) {
        self.closed.set(false);
        self.opened.notify_one();
    }

    fn take(&self) -> Vec<u8> {
        self.heard.take()
    }

    /// Waits until the predicate holds, or until the stream ends.
    async fn until(&self, what: &str, is_so: impl Fn(&[u8]) -> bool) {
        let wait = async {
            while !self.ended.get() && !is_so(&self.heard.borrow()) {
                self.changed.notified().await;
            }
        };
        assert!(timeout(FOREVER, wait).await.is_ok(), "waited in vain for {what}");
    }
}
