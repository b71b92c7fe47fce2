//! [`Link`]: a conversation that goes on. It connects, joins, and connects again after a cut, under the same name.
//!
//! It runs as a task; [`Command`]s go in, [`Event`]s come out. Both queues are bounded: whoever does not take events in
//! time has the server slowed down by TCP, and whoever gives commands faster than they can be sent waits.

use std::{collections::VecDeque, future::pending, io, time::Duration};

use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{Instant, sleep, sleep_until, timeout},
};
use zeroize::Zeroizing;

use super::{
    decoder::Item,
    dial::{Dialer, NoConnection},
    joining::{JOIN_WITHIN, Joining, LetsNobodyIn, Step},
    limits::{self, Limits},
    meaning::Meaning,
    wire,
};
use crate::protocol::Line;

/// Events that were not taken yet.
const EVENTS: usize = 256;
/// Commands that were not sent yet.
const COMMANDS: usize = 64;
/// The first wait before connecting again; it doubles with each attempt that fails.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What a conversation is asked for.
#[derive(Debug)]
pub enum Command {
    /// Send this, once joined.
    Send(Line),
    /// The password that was asked for.
    Password(Zeroizing<String>),
}

impl From<Line> for Command {
    fn from(line: Line) -> Self {
        Self::Send(line)
    }
}

/// What happens in a conversation.
#[derive(Debug)]
pub enum Event {
    /// A connection is being made: the first, or one after a cut.
    Connecting,
    /// The name is an account's. [`Command::Password`] is waited for.
    PasswordWanted {
        /// The account.
        name: String,
        /// What the server said of the last one, if one was tried.
        complaint: Option<String>,
    },
    /// The server confirmed the name.
    Joined {
        /// As the server spells it.
        name: String,
    },
    /// The server takes messages of at most so many bytes.
    MessageBytes(usize),
    /// Something came.
    Received(Item),
    /// The connection broke. It is made again after a while.
    Cut {
        /// Why.
        why: String,
        /// When.
        retry_in: Duration,
    },
    /// It is over, and is not begun again. The last event.
    Ended(End),
}

/// Why a conversation is over.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// There never was a connection.
    #[error(transparent)]
    NoConnection(#[from] NoConnection),
    /// There was one, and nobody was let in.
    #[error(transparent)]
    LetsNobodyIn(#[from] LetsNobodyIn),
    /// The server does not let this one in, or sent it away (`connection_error`).
    #[error("{0}")]
    NotLetIn(String),
    /// `exit` was confirmed.
    #[error("left")]
    Left,
    /// The server ended.
    #[error("the server closed")]
    ServerClosed,
}

/// How one connection ended.
enum Ending {
    Over(End),
    Cut(String),
    /// Nobody was let in.
    LetsNobodyIn,
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Self::Cut(error.to_string())
    }
}

/// A conversation under way, as a task.
pub struct Link {
    dialer: Dialer,
    name: String,
    /// A password that was right, for the next connection.
    password: Option<Zeroizing<String>>,
    /// Messages that were given while a password was waited for. No more than [`COMMANDS`].
    held: VecDeque<Line>,
    /// The server was asked for its limits and has not answered yet.
    asks_limits: bool,
    commands: Receiver<Command>,
    events: Sender<Event>,
}

/// Nobody takes events any more.
struct Unheard;

impl Link {
    /// Begins a conversation under this name. Dropping the receiver ends it.
    #[must_use]
    pub fn begin(dialer: Dialer, name: &str) -> (Sender<Command>, Receiver<Event>) {
        let (to_link, commands) = channel(COMMANDS);
        let (events, from_link) = channel(EVENTS);
        let link = Self {
            dialer,
            name: name.to_owned(),
            password: None,
            held: VecDeque::new(),
            asks_limits: false,
            commands,
            events,
        };
        tokio::spawn(async move {
            // Unheard means that whoever began it is gone.
            let _ = link.run().await;
        });
        (to_link, from_link)
    }

    async fn run(mut self) -> Result<(), Unheard> {
        let (mut was_joined, mut wait) = (false, FIRST_WAIT);
        loop {
            self.tell(Event::Connecting).await?;
            let mut joined = false;
            let why = match self.dialer.dial().await {
                Err(error) if !was_joined => return self.tell(Event::Ended(error.into())).await,
                Err(error) => error.to_string(),
                Ok(stream) => match self.converse(wire::halves(stream), &mut joined).await? {
                    Ending::Over(end) => return self.tell(Event::Ended(end)).await,
                    Ending::LetsNobodyIn if !was_joined => {
                        return self.tell(Event::Ended(LetsNobodyIn.into())).await;
                    }
                    Ending::LetsNobodyIn => LetsNobodyIn.to_string(),
                    Ending::Cut(why) => why,
                },
            };
            was_joined |= joined;
            if joined {
                wait = FIRST_WAIT;
            }
            self.tell(Event::Cut { why, retry_in: wait }).await?;
            tokio::select! {
                () = sleep(wait) => {}
                () = self.events.closed() => return Err(Unheard),
            }
            wait = (2 * wait).min(LONGEST_WAIT);
        }
    }

    async fn tell(&self, event: Event) -> Result<(), Unheard> {
        self.events.send(event).await.map_err(|_| Unheard)
    }

    /// One connection, from its name request to its end.
    async fn converse(
        &mut self,
        (mut receiver, mut sender): (wire::Receiver, wire::Sender),
        joined: &mut bool,
    ) -> Result<Ending, Unheard> {
        match self.join(&mut receiver, &mut sender).await? {
            Ok(()) => *joined = true,
            Err(ending) => return Ok(ending),
        }
        // Writing has a task of its own: a server that takes nothing for a while must be read from all the same.
        let (outgoing, mut queue) = channel::<Line>(1);
        let writer = tokio::spawn(async move {
            while let Some(line) = queue.recv().await {
                sender.send(&line).await?;
            }
            Ok::<_, io::Error>(())
        });
        // A server without line endings is none of this project's, and knows no such question.
        self.asks_limits = !receiver.is_unframed();
        if self.asks_limits {
            let _ = outgoing.try_send(limits::request(&self.name));
        }
        let ending = self.exchange(&mut receiver, &outgoing).await;
        // What it was given and did not send is lost with the connection, as is what it did send.
        writer.abort();
        ending
    }

    async fn exchange(
        &mut self,
        receiver: &mut wire::Receiver,
        outgoing: &Sender<Line>,
    ) -> Result<Ending, Unheard> {
        loop {
            let (commands, held) = (&mut self.commands, &mut self.held);
            let next_to_send = async {
                // In this order: a command that was taken is sent.
                let place = outgoing.reserve().await;
                let command = match held.pop_front() {
                    Some(message) => Some(Command::Send(message)),
                    None => commands.recv().await,
                };
                (place, command)
            };
            tokio::select! {
                item = receiver.next() => {
                    let item = match came(item) {
                        Ok(item) => item,
                        Err(ending) => return Ok(ending),
                    };
                    if let Some(limits) = self.limits(&item) {
                        if let Some(limit) = limits.message_bytes {
                            self.tell(Event::MessageBytes(limit)).await?;
                        }
                        continue;
                    }
                    let end = end_of(&item);
                    self.tell(Event::Received(item)).await?;
                    if let Some(end) = end {
                        return Ok(Ending::Over(end));
                    }
                }
                (place, command) = next_to_send => match (place, command) {
                    (Ok(place), Some(Command::Send(message))) => place.send(message),
                    // Asked for before it was confirmed without one.
                    (Ok(_), Some(Command::Password(_))) => {}
                    (_, None) => return Err(Unheard),
                    (Err(_), _) => return Ok(Ending::Cut("the connection broke while sending".to_owned())),
                },
                () = self.events.closed() => return Err(Unheard),
            }
        }
    }

    /// Reads the answer to the request for the server's limits, if this item is that.
    fn limits(&mut self, item: &Item) -> Option<Limits> {
        let Item::Message(message) = item else { return None };
        let answer = if self.asks_limits { limits::answer(message) } else { None };
        self.asks_limits &= answer.is_none();
        answer
    }

    /// The one that was right before, or else the one that is set.
    fn known_password(&mut self) -> Option<Zeroizing<String>> {
        self.password.take().or_else(|| self.dialer.password().map(|set| set.text().clone()))
    }

    /// Takes the name. Outer error: nobody listens any more; inner: it did not come to that.
    async fn join(
        &mut self,
        receiver: &mut wire::Receiver,
        sender: &mut wire::Sender,
    ) -> Result<Result<(), Ending>, Unheard> {
        let mut joining = Joining::new(&self.name);
        // Whether one is waited for; the last one that was given, here.
        let (mut wants_password, mut given) = (false, None);
        // Not for one who thinks of a password.
        let mut until = Instant::now() + JOIN_WITHIN;
        loop {
            // A server that goes away while someone thinks of a password is to be noticed.
            let item = tokio::select! {
                item = receiver.next() => item,
                password = password_or_hold(&mut self.commands, &mut self.held), if wants_password => {
                    let password = password?;
                    let line = match joining.password(&password) {
                        Ok(line) => line,
                        Err(why) => {
                            let complaint = Some(format!("The password {why}"));
                            let name = joining.name().to_owned();
                            self.tell(Event::PasswordWanted { name, complaint }).await?;
                            continue;
                        }
                    };
                    wants_password = false;
                    until = Instant::now() + JOIN_WITHIN;
                    if let Err(ending) = give(sender, &line).await {
                        return Ok(Err(ending));
                    }
                    given = Some(password);
                    continue;
                }
                () = sleep_until(until), if !wants_password => return Ok(Err(Ending::LetsNobodyIn)),
                () = self.events.closed() => return Err(Unheard),
            };
            let item = match came(item) {
                Ok(item) => item,
                Err(ending) => return Ok(Err(ending)),
            };
            let Item::Message(message) = item else {
                self.tell(Event::Received(item)).await?;
                continue;
            };
            let sent = match joining.take(message) {
                Step::Introduce => {
                    receiver.call_me(joining.name());
                    match joining.introduction() {
                        Ok(line) => give(sender, &line).await,
                        Err(why) => Err(Ending::Over(End::NotLetIn(format!("The name {why}")))),
                    }
                }
                Step::AskPassword { complaint } => {
                    // A file's password has no control characters, so it can be sent.
                    let known = self.known_password().filter(|_| given.is_none());
                    if let Some((password, Ok(line))) = known.map(|known| {
                        let line = joining.password(&known);
                        (known, line)
                    }) {
                        given = Some(password);
                        give(sender, &line).await
                    } else {
                        wants_password = true;
                        let name = joining.name().to_owned();
                        self.tell(Event::PasswordWanted { name, complaint }).await?;
                        Ok(())
                    }
                }
                Step::Joined(name) => {
                    self.name.clone_from(&name);
                    self.password = given.or(self.password.take());
                    self.tell(Event::Joined { name }).await?;
                    return Ok(Ok(()));
                }
                Step::Refused(why) => return Ok(Err(Ending::Over(End::NotLetIn(why)))),
                Step::ServerClosed => return Ok(Err(Ending::Over(End::ServerClosed))),
                Step::Wait => Ok(()),
            };
            if let Err(ending) = sent {
                return Ok(Err(ending));
            }
        }
    }
}

/// The next password that is given. Messages that are given before it are held until they can be sent; when there are
/// too many, no more is taken. Dropped before it is done, it loses nothing.
async fn password_or_hold(
    commands: &mut Receiver<Command>,
    held: &mut VecDeque<Line>,
) -> Result<Zeroizing<String>, Unheard> {
    while held.len() < COMMANDS {
        match commands.recv().await {
            Some(Command::Password(password)) => return Ok(password),
            Some(Command::Send(message)) => held.push_back(message),
            None => return Err(Unheard),
        }
    }
    pending().await
}

/// Sends what is asked for on joining. A server that does not even take that lets nobody in.
async fn give(sender: &mut wire::Sender, line: &Line) -> Result<(), Ending> {
    Ok(timeout(JOIN_WITHIN, sender.send(line)).await.map_err(|_| Ending::LetsNobodyIn)??)
}

/// What was read, or how the connection ended.
fn came(item: io::Result<Option<Item>>) -> Result<Item, Ending> {
    item?.ok_or_else(|| Ending::Cut("the server ended the connection".to_owned()))
}

/// Whether this message is the last.
fn end_of(item: &Item) -> Option<End> {
    let Item::Message(received) = item else { return None };
    match received.meaning() {
        Meaning::NotLetIn(why) => Some(End::NotLetIn(why.to_owned())),
        Meaning::Left => Some(End::Left),
        Meaning::ServerClosed => Some(End::ServerClosed),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
