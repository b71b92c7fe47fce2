//! [`Link`]: a conversation that connects, joins, and reconnects under the same name after a cut.
//!
//! A link is a task that takes [`Command`]s and sends [`Event`]s. Both queues are bounded: if the owner does not take
//! events in time, TCP slows the server down; if it gives commands faster than they can be sent, it waits.

mod join;

use std::{collections::VecDeque, io, time::Duration};

use arauto_protocol::Line;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::sleep,
};
use zeroize::Zeroizing;

use super::{
    again::{self, Retry, is_elsewhere},
    decoder::Item,
    dial::{Dialer, NoConnection},
    joining::LetsNobodyIn,
    limits::{self, Limits},
    meaning::Meaning,
    wire,
};

/// Capacity of the event queue.
const EVENT_CAPACITY: usize = 256;
/// Capacity of the command queue.
const COMMAND_CAPACITY: usize = 64;

/// A request to a conversation.
#[derive(Debug)]
pub enum Command {
    /// Send this message once joined.
    Send(Line),
    /// The password that [`Event::PasswordWanted`] asked for.
    Password(Zeroizing<String>),
}

impl From<Line> for Command {
    fn from(line: Line) -> Self {
        Self::Send(line)
    }
}

/// An event of a conversation.
#[derive(Debug)]
pub enum Event {
    /// A connection attempt begins: the first, or one after a cut.
    Connecting,
    /// The name belongs to an account. The conversation waits for [`Command::Password`].
    PasswordWanted {
        /// Name of the account.
        name: String,
        /// The server's words about the last password, if one was tried.
        complaint: Option<String>,
    },
    /// The server confirmed the name.
    Joined {
        /// The name as the server spells it.
        name: String,
        /// Host and port of the server, one of the addresses that the user gave.
        server: String,
        /// Whether the conversation gave by itself the password that was right for an earlier connection.
        with_kept_password: bool,
    },
    /// The server's message limit, in bytes.
    MessageBytes(usize),
    /// The server sent a message, or a line that is not one.
    Received(Item),
    /// The connection broke. The conversation reconnects.
    Cut {
        /// Reason.
        why: String,
        /// Wait before the next attempt.
        retry_in: Duration,
    },
    /// The server shut down (`server closed`). It may come back, so the conversation reconnects.
    Closed {
        /// Wait before the next attempt.
        retry_in: Duration,
    },
    /// The conversation is over and does not reconnect. No event follows.
    Ended(End),
}

/// Why a conversation is over.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// No connection was ever made.
    #[error(transparent)]
    NoConnection(#[from] NoConnection),
    /// A connection was made, but the server neither confirmed nor refused the name.
    #[error(transparent)]
    LetsNobodyIn(#[from] LetsNobodyIn),
    /// The server refused the name, or ended the connection by a `connection_error`.
    #[error("{0}")]
    NotLetIn(String),
    /// An operator kicked or banned this user. Holds the server's words.
    #[error("{0}")]
    SentAway(String),
    /// The server confirmed `exit`.
    #[error("left")]
    Left,
    /// The server shut down before it confirmed the name.
    #[error("the server closed")]
    ServerClosed,
}

/// How one connection ended.
enum Ending {
    Over(End),
    /// The connection ended after the name was confirmed; with the reason in words.
    After(again::ConnectionEnd, String),
    Cut(String),
    /// The server neither confirmed nor refused the name in time.
    LetsNobodyIn,
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Self::Cut(error.to_string())
    }
}

/// The task of one conversation.
pub struct Link {
    dialer: Dialer,
    name: String,
    /// The last password that the server accepted, for the next connection.
    password: Option<Zeroizing<String>>,
    /// Messages given while a password was awaited; at most [`COMMAND_CAPACITY`].
    held: VecDeque<Line>,
    was_joined: bool,
    /// How many servers have refused the name before one was joined.
    elsewhere: usize,
    retry: Retry,
    /// The server has been asked for its limits and has not answered yet.
    asks_limits: bool,
    commands: Receiver<Command>,
    events: Sender<Event>,
}

/// The receiver of events was dropped.
struct Unheard;

impl Link {
    /// Starts a conversation under this name. Dropping the receiver of events ends it.
    #[must_use]
    pub fn spawn(dialer: Dialer, name: &str) -> (Sender<Command>, Receiver<Event>) {
        let (to_link, commands) = channel(COMMAND_CAPACITY);
        let (events, from_link) = channel(EVENT_CAPACITY);
        let link = Self {
            dialer,
            name: name.to_owned(),
            password: None,
            held: VecDeque::new(),
            was_joined: false,
            elsewhere: 0,
            retry: Retry::default(),
            asks_limits: false,
            commands,
            events,
        };
        tokio::spawn(async move {
            // The error only means that the owner has dropped the receiver of events.
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
            if self.goes_elsewhere(&ending) {
                continue;
            }
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

    /// Whether to try the next address at once: this server has lost its cluster, and no server was joined yet. Tries
    /// each address once.
    fn goes_elsewhere(&mut self, ending: &Ending) -> bool {
        let Ending::Over(End::NotLetIn(why)) = ending else { return false };
        if self.was_joined || !is_elsewhere(why) {
            return false;
        }
        self.elsewhere += 1;
        self.elsewhere < self.dialer.address_count()
    }

    /// Returns the event to send for the end of a connection: [`Event::Ended`] if the conversation does not
    /// reconnect.
    fn event_of(&mut self, ending: Ending) -> Event {
        let (ending, why) = match ending {
            Ending::LetsNobodyIn if !self.was_joined => return Event::Ended(LetsNobodyIn.into()),
            Ending::Over(End::NotLetIn(why)) if self.was_joined => {
                return match self.retry.after_refusal(&why) {
                    Some(retry_in) => Event::Cut { why, retry_in },
                    None => Event::Ended(End::NotLetIn(why)),
                };
            }
            Ending::Over(End::ServerClosed) if self.was_joined => {
                (again::ConnectionEnd::Closed, String::new())
            }
            Ending::Over(end) => return Event::Ended(end),
            Ending::LetsNobodyIn => (again::ConnectionEnd::Cut, LetsNobodyIn.to_string()),
            Ending::Cut(why) => (again::ConnectionEnd::Cut, why),
            Ending::After(ending, why) => (ending, why),
        };
        match (self.retry.after(&ending), ending) {
            (Some(retry_in), again::ConnectionEnd::Closed) => Event::Closed { retry_in },
            (Some(retry_in), _) => Event::Cut { why, retry_in },
            (None, again::ConnectionEnd::SentAway(why)) => Event::Ended(End::SentAway(why)),
            (None, _) => Event::Ended(End::NotLetIn(why)),
        }
    }

    async fn tell(&self, event: Event) -> Result<(), Unheard> {
        self.events.send(event).await.map_err(|_| Unheard)
    }

    /// Runs one connection, from the name request to its end.
    async fn converse(
        &mut self,
        (mut receiver, mut sender): (wire::Receiver, wire::Sender),
    ) -> Result<Ending, Unheard> {
        if let Err(ending) = self.join(&mut receiver, &mut sender).await? {
            return Ok(ending);
        }
        // Writing has a task of its own, because reading must go on while the server takes nothing.
        let (outgoing, mut queue) = channel::<Line>(1);
        let writer = tokio::spawn(async move {
            while let Some(line) = queue.recv().await {
                sender.send(&line).await?;
            }
            Ok::<_, io::Error>(())
        });
        // A server without line endings is not Arauto, and does not know the request.
        self.asks_limits = !receiver.is_unframed();
        if self.asks_limits {
            let _ = outgoing.try_send(limits::request(&self.name));
        }
        let ending = self.exchange(&mut receiver, &outgoing).await;
        // Lines still in the writer are lost with the connection; those already sent may be lost, too.
        writer.abort();
        ending
    }

    async fn exchange(
        &mut self,
        receiver: &mut wire::Receiver,
        outgoing: &Sender<Line>,
    ) -> Result<Ending, Unheard> {
        let mut last_words = again::ConnectionEnd::default();
        loop {
            let (commands, held) = (&mut self.commands, &mut self.held);
            let next_to_send = async {
                // The order matters: a command is taken only once there is room to send it.
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
                    // The password is no longer wanted: the server confirmed the name without it.
                    (Ok(_), Some(Command::Password(_))) => {}
                    (_, None) => return Err(Unheard),
                    (Err(_), _) => return Ok(Ending::Cut("the connection broke while sending".to_owned())),
                },
                () = self.events.closed() => return Err(Unheard),
            }
        }
    }

    /// Returns the server's limits if this item is the answer to the request for them.
    fn limits(&mut self, item: &Item) -> Option<Limits> {
        let Item::Message(message) = item else { return None };
        let answer = if self.asks_limits { limits::answer(message) } else { None };
        self.asks_limits &= answer.is_none();
        answer
    }
}

/// Returns the item that was read, or how the connection ended.
fn came(item: io::Result<Option<Item>>) -> Result<Item, Ending> {
    item?.ok_or_else(|| Ending::Cut("the server ended the connection".to_owned()))
}

/// Returns how the conversation ends, if this item is the last.
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
