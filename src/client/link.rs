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
    again::{self, Retry},
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
    /// The server ended (`server closed`). It may come back: a connection is made again after a while.
    Closed {
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
    /// The server does not let this one in, or ended the connection by a `connection_error`.
    #[error("{0}")]
    NotLetIn(String),
    /// An operator kicked or banned this user; the server's words.
    #[error("{0}")]
    SentAway(String),
    /// `exit` was confirmed.
    #[error("left")]
    Left,
    /// The server ended before it gave the name.
    #[error("the server closed")]
    ServerClosed,
}

/// How one connection ended.
enum Ending {
    Over(End),
    /// After the name was given: see [`again::Ending`]. Why, in words.
    After(again::Ending, String),
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
    was_joined: bool,
    retry: Retry,
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
            was_joined: false,
            retry: Retry::default(),
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
        loop {
            self.tell(Event::Connecting).await?;
            let ending = match self.dialer.dial().await {
                Err(error) if !self.was_joined => return self.tell(Event::Ended(error.into())).await,
                Err(error) => Ending::Cut(error.to_string()),
                Ok(stream) => self.converse(wire::halves(stream)).await?,
            };
            let event = self.event_of(ending);
            let retry_in = match &event {
                Event::Cut { retry_in, .. } | Event::Closed { retry_in } => *retry_in,
                _ => return self.tell(event).await,
            };
            self.tell(event).await?;
            tokio::select! {
                () = sleep(retry_in) => {}
                () = self.events.closed() => return Err(Unheard),
            }
        }
    }

    /// What to tell of the end of a connection: [`Event::Ended`] if no other is made.
    fn event_of(&mut self, ending: Ending) -> Event {
        let (ending, why) = match ending {
            Ending::LetsNobodyIn if !self.was_joined => return Event::Ended(LetsNobodyIn.into()),
            Ending::Over(End::NotLetIn(why)) if self.was_joined => {
                return match self.retry.after_refusal(&why) {
                    Some(retry_in) => Event::Cut { why, retry_in },
                    None => Event::Ended(End::NotLetIn(why)),
                };
            }
            Ending::Over(End::ServerClosed) if self.was_joined => (again::Ending::Closed, String::new()),
            Ending::Over(end) => return Event::Ended(end),
            Ending::LetsNobodyIn => (again::Ending::Cut, LetsNobodyIn.to_string()),
            Ending::Cut(why) => (again::Ending::Cut, why),
            Ending::After(ending, why) => (ending, why),
        };
        match (self.retry.after(&ending), ending) {
            (Some(retry_in), again::Ending::Closed) => Event::Closed { retry_in },
            (Some(retry_in), _) => Event::Cut { why, retry_in },
            (None, again::Ending::SentAway(why)) => Event::Ended(End::SentAway(why)),
            (None, _) => Event::Ended(End::NotLetIn(why)),
        }
    }

    async fn tell(&self, event: Event) -> Result<(), Unheard> {
        self.events.send(event).await.map_err(|_| Unheard)
    }

    /// One connection, from its name request to its end.
    async fn converse(
        &mut self,
        (mut receiver, mut sender): (wire::Receiver, wire::Sender),
    ) -> Result<Ending, Unheard> {
        if let Err(ending) = self.join(&mut receiver, &mut sender).await? {
            return Ok(ending);
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
        let mut last_words = again::Ending::default();
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
                        Err(Ending::Cut(why)) => return Ok(Ending::After(last_words, why)),
                        Err(ending) => return Ok(ending),
                    };
                    if let Some(limits) = self.limits(&item) {
                        if let Some(limit) = limits.message_bytes {
                            self.tell(Event::MessageBytes(limit)).await?;
                        }
                        continue;
                    }
                    if let Item::Message(message) = &item {
                        last_words.heard(message);
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

    /// Drops what was given for the connection before this one. It was reported as not known to have arrived, and must not
    /// be sent behind the user's back.
    fn forget_commands(&mut self) {
        self.held.clear();
        while self.commands.try_recv().is_ok() {}
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
                    if self.was_joined {
                        self.forget_commands();
                    }
                    self.was_joined = true;
                    self.retry.joined();
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
