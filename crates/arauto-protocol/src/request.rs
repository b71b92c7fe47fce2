//! Reads requests: [`introduction`] parses the answer to the name request, [`Request::read`] all later lines.

use super::{
    kind::Kind,
    line::{CheckedData, Line},
    message::{self, Message, NAME, NO_DATA},
    moderation::{self, Moderation, ModerationError, Target},
    name::{self, Name, NameKey},
    operation::Operation,
    password,
    refusal::Refusal,
    reply,
    short_form::{self, NoShortForm},
};

/// OPERATION that the clients of the report send when their user typed an operation that they do not know.
const UNKNOWN_OPERATION: &str = "Unknown operation";

/// The client that sent a line, with the limits for it.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The client's name.
    pub name: &'a Name,
    /// The framing of the client's messages.
    pub kind: Kind,
    /// Most bytes of a message (`limits.message_bytes`).
    pub limit: usize,
}

/// A client's request. Its texts are final if they do not depend on other clients.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Sends an answer to the sender: an echo, or the limits.
    Answer(Line),
    /// Refuses the line and sends the reason to its sender.
    Refuse(Refusal, Line),
    /// Sends a line to all clients, including the sender.
    Broadcast(Line),
    /// Sends a line to all clients except the sender.
    BroadcastNotMe(Line),
    /// Sends a message to a user, if a client has the name.
    Direct(Direct),
    /// Asks a user to play a file; or tells a user that asked why the file is not played, see [`Direct::cannot`].
    Play(Direct),
    /// Lists the streams.
    ListStreams,
    /// Ends a stream.
    Stop {
        /// DATA is the file. DESTINATION is its publisher, which an operator must give if several users play the file.
        what: Direct,
        /// Whether the sender is an operator. Not known when the line is parsed, and set later.
        by_operator: bool,
    },
    /// Lists the connected clients.
    ListClients,
    /// Lists the connected clients, and sends who joins and leaves from then on.
    Watch,
    /// Sends no more of who joins and leaves.
    Unwatch,
    /// Begins each line for the sender with its number and time, or no longer does.
    Tags(bool),
    /// Lists the operations; those for operators only for operators.
    Help {
        /// Whether the sender is an operator. Not known when the line is parsed, and set later.
        for_operator: bool,
    },
    /// A request that only operators may make.
    Moderate(Box<Moderation>),
    /// Leaves the server.
    Exit,
    /// Closes the server.
    CloseServer,
}

/// A message to one user.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Direct {
    /// [`Operation::PrivateMessage`], [`Operation::ListFiles`], [`Operation::Play`] or [`Operation::Stop`].
    pub operation: Operation,
    /// The receiver's name.
    pub to: NameKey,
    /// The receiver's name as it was typed, to quote it if no client has it.
    pub typed: Box<str>,
    /// DATA of the message.
    pub data: CheckedData,
}

/// Prefix of DATA in a `play` message that does not name a file but says why none will be played.
const CANNOT: &str = "cannot:";

impl Direct {
    fn new(operation: Operation, typed: &str, data: &str) -> Self {
        Self { operation, to: NameKey::of(typed), typed: typed.into(), data: CheckedData::lossy(data) }
    }

    /// The message encoded for its receiver.
    ///
    /// # Errors
    /// A refusal for the sender, if the message would exceed the limit.
    pub fn forwarded(&self, limit: usize, from: &Name, to: &Name) -> Result<Line, Line> {
        let Self { operation, data, .. } = self;
        let message =
            Message { sender: from.as_str(), destination: to.as_str(), operation: operation.wire(), data };
        fits(limit, from, &message).map(|()| Line::between(from, to, *operation, data))
    }

    /// The reason why a file is not played, if DATA is one.
    #[must_use]
    pub fn cannot(&self) -> Option<&str> {
        self.data.strip_prefix(CANNOT).map(str::trim)
    }
}

/// Why the answer to the name request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoName {
    /// The line is not an answer to the name request.
    NotAName,
    /// The name breaks a rule.
    Invalid,
}

/// Parses the answer to the name request: a `name` message, or just a name.
///
/// ```
/// use arauto_protocol::request::{NoName, introduction};
///
/// for line in ["bob | server | name | bob", "bob"] {
///     assert!(introduction(line.as_bytes(), 1024).is_ok_and(|name| name.as_str() == "bob"));
/// }
/// let (why, reply) = introduction(b"bob|", 1024).unwrap_err();
/// assert_eq!(why, NoName::NotAName);
/// assert!(reply.text().starts_with("server | client | connection_error | A name was asked for, but "));
/// ```
///
/// # Errors
/// The kind of the refusal, and its text.
pub fn introduction(line: &[u8], limit: usize) -> Result<Name, (NoName, Line)> {
    let not_a_name = |refusal: Line| Err((NoName::NotAName, refusal));
    if password::is_one(line) {
        return not_a_name(reply::name_before_password(limit));
    }
    let text = match message::text(line) {
        Ok(text) => text,
        Err(why) => return not_a_name(reply::name_malformed(limit, why)),
    };
    let typed = if text.contains('|') {
        match Message::parse(text) {
            Ok(Message { operation: NAME, data: message::NO_DATA, .. }) => {
                return not_a_name(reply::name_left_out(limit));
            }
            Ok(Message { operation: NAME, data, .. }) => data,
            Ok(_) => return not_a_name(reply::name_comes_first(limit)),
            Err(why) => return not_a_name(reply::name_malformed(limit, why)),
        }
    } else if text.starts_with('/') {
        return not_a_name(reply::name_comes_first(limit));
    } else {
        text
    };
    certified(typed, limit).map_err(|refusal| (NoName::Invalid, refusal))
}

/// Validates a name that was not typed, such as a client certificate's.
///
/// # Errors
/// The text of the refusal.
pub fn certified(name: &str, limit: usize) -> Result<Name, Line> {
    Name::parse(name, name::max_bytes(limit)).map_err(|why| reply::name_invalid(limit, name, &why))
}

impl Request {
    /// The operation requested. `None` if the request is refused.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        Some(match self {
            // An echo has its sender's name as SENDER, and no user is called "server".
            Self::Answer(line) if line.message().sender == reply::SERVER => Operation::Limits,
            Self::Answer(_) => Operation::Echo,
            Self::Refuse(..) => return None,
            Self::Broadcast(_) => Operation::Broadcast,
            Self::BroadcastNotMe(_) => Operation::BroadcastNotMe,
            Self::Direct(direct) | Self::Play(direct) | Self::Stop { what: direct, .. } => direct.operation,
            Self::ListStreams => Operation::ListStreams,
            Self::ListClients => Operation::ListClients,
            Self::Watch => Operation::Watch,
            Self::Unwatch => Operation::Unwatch,
            Self::Tags(_) => Operation::Tags,
            Self::Help { .. } => Operation::Help,
            Self::Moderate(moderation) => moderation.operation(),
            Self::Exit => Operation::Exit,
            Self::CloseServer => Operation::CloseServer,
        })
    }

    /// Parses a line of a client that has a name. A line that is refused becomes a [`Request::Refuse`] with the reason.
    ///
    /// ```
    /// use arauto_protocol::{Asker, Kind, Name, Refusal, Request};
    ///
    /// let alan = Name::parse("alan", 489)?;
    /// let asker = Asker { name: &alan, kind: Kind::Line, limit: 1024 };
    ///
    /// let Request::Broadcast(line) = Request::read(b"/all hi", &asker) else { panic!("not a broadcast") };
    /// assert_eq!(line.text(), "alan | all clients | broadcast | hi");
    ///
    /// let read = Request::read(b"bob | server | list_clients", &asker);
    /// assert!(matches!(read, Request::Refuse(Refusal::NotYourName, _)));
    /// # Ok::<(), arauto_protocol::NameError>(())
    /// ```
    #[must_use]
    pub fn read(line: &[u8], asker: &Asker<'_>) -> Self {
        let Asker { name, limit, .. } = *asker;
        let read = message::text(line).and_then(|text| match text.strip_prefix('/') {
            Some(short) if !is_message(text, name) => {
                message::refuse_controls(text, 0)?;
                message::refuse_hidden(text)?;
                Ok(Self::from_short_form(short, asker))
            }
            _ => {
                let message = Message::parse(text)?;
                message::refuse_hidden(text)?;
                Ok(Self::from_message(&message, asker))
            }
        });
        read.unwrap_or_else(|why| {
            // The line is not quoted, because it may hold a password.
            if password::is_one(line) {
                return Self::Refuse(Refusal::NoMessage, reply::no_password_asked(limit, name));
            }
            Self::Refuse(
                Refusal::NoMessage,
                reply::no_message(limit, name, &String::from_utf8_lossy(line), why),
            )
        })
    }

    fn from_message(message: &Message<'_>, asker: &Asker<'_>) -> Self {
        let Asker { name, kind, limit } = *asker;
        if !message.sender.is_empty()
            && message.sender != name.as_str()
            && NameKey::of(message.sender) != *name.key()
        {
            return Self::Refuse(Refusal::NotYourName, reply::not_your_name(limit, name, message.sender));
        }
        if message.operation == UNKNOWN_OPERATION {
            return Self::Refuse(
                Refusal::UnknownOperation,
                reply::unknown_operation(limit, name, message.data, false),
            );
        }
        match Operation::from_wire(message.operation) {
            Some(operation) => Self::of(operation, message.destination, message.data, asker),
            None if message.operation.eq_ignore_ascii_case(password::PASSWORD) => {
                Self::Refuse(Refusal::NoMessage, reply::no_password_asked(limit, name))
            }
            None => Self::Refuse(
                Refusal::UnknownOperation,
                reply::unknown_operation(limit, name, message.operation, kind != Kind::Unframed),
            ),
        }
    }

    fn from_short_form(short: &str, asker: &Asker<'_>) -> Self {
        let Asker { name, limit, .. } = *asker;
        match short_form::parse(short) {
            Ok(short) => Self::of(short.operation, short.destination, short.data, asker),
            Err(NoShortForm::Unknown(word)) => {
                Self::Refuse(Refusal::UnknownOperation, reply::no_short_form(limit, name, word))
            }
            Err(NoShortForm::Incomplete(operation, missing)) => Self::Refuse(
                Refusal::Incomplete,
                reply::short_form_incomplete(limit, name, operation, missing),
            ),
            Err(NoShortForm::NotAlone(operation)) => {
                Self::Refuse(Refusal::Incomplete, reply::short_form_not_alone(limit, name, operation))
            }
        }
    }

    fn of(operation: Operation, destination: &str, data: &str, asker: &Asker<'_>) -> Self {
        let Asker { name, limit, .. } = *asker;
        let written = |destination: &str, into: fn(Line) -> Self| match forwarded(
            limit,
            name,
            destination,
            operation,
            data,
        ) {
            Ok(line) => into(line),
            Err(refusal) => Self::Refuse(Refusal::TooLong, refusal),
        };
        match operation {
            Operation::Echo => written(name.as_str(), Self::Answer),
            Operation::Broadcast => written(reply::ALL_CLIENTS, Self::Broadcast),
            Operation::BroadcastNotMe => written(reply::ALL_CLIENTS, Self::BroadcastNotMe),
            Operation::ListFiles if destination.is_empty() => {
                Self::Refuse(Refusal::Incomplete, reply::name_not_informed(name))
            }
            Operation::PrivateMessage | Operation::ListFiles => {
                Self::Direct(Direct::new(operation, destination, data))
            }
            Operation::Play if destination.is_empty() => {
                Self::Refuse(Refusal::Incomplete, reply::nobody_to_play(limit, name))
            }
            Operation::Play | Operation::Stop if data.is_empty() || data == NO_DATA => {
                Self::Refuse(Refusal::Incomplete, reply::no_file_named(limit, name, operation))
            }
            Operation::Play => Self::Play(Direct::new(operation, destination, data)),
            Operation::Stop => {
                Self::Stop { what: Direct::new(operation, destination, data), by_operator: false }
            }
            Operation::ListStreams => Self::ListStreams,
            Operation::Publish => {
                Self::Refuse(Refusal::NotAllowed, reply::only_the_server_publishes(limit, name))
            }
            Operation::ListClients => Self::ListClients,
            Operation::Watch => Self::Watch,
            Operation::Unwatch => Self::Unwatch,
            Operation::Tags if asker.kind == Kind::Unframed => {
                Self::Refuse(Refusal::NotAllowed, reply::tags_need_line_endings(limit, name))
            }
            Operation::Tags => match data.trim() {
                "on" => Self::Tags(true),
                "off" => Self::Tags(false),
                _ => Self::Refuse(Refusal::Incomplete, reply::tags_on_or_off(limit, name)),
            },
            Operation::Help => Self::Help { for_operator: false },
            Operation::Limits => Self::Answer(reply::limits(limit, name)),
            Operation::Kick | Operation::Ban | Operation::Unban | Operation::ListBans => {
                match moderation(operation, destination, data, limit) {
                    Ok(moderation) => Self::Moderate(Box::new(moderation)),
                    Err(why) => {
                        Self::Refuse(Refusal::Incomplete, reply::error_message(limit, name, &why.to_string()))
                    }
                }
            }
            Operation::Exit => Self::Exit,
            Operation::CloseServer => Self::CloseServer,
        }
    }
}

/// The operator's request that `operation` stands for.
///
/// # Errors
/// If the request has no target or a faulty one, or a faulty duration.
fn moderation(
    operation: Operation,
    destination: &str,
    data: &str,
    limit: usize,
) -> Result<Moderation, ModerationError> {
    if destination.is_empty() && operation != Operation::ListBans {
        return Err(ModerationError::NoTarget(operation));
    }
    let target = || Target::parse(destination, name::max_bytes(limit));
    Ok(match operation {
        Operation::Kick => Moderation::Kick {
            whom: NameKey::of(destination),
            typed: destination.into(),
            reason: moderation::reason(data),
        },
        Operation::Ban => {
            let target = target()?;
            let (span, reason) = moderation::span_and_reason(data)?;
            Moderation::Ban { target, span, reason }
        }
        Operation::Unban => Moderation::Unban(target()?),
        _ => Moderation::ListBans,
    })
}

/// A user's message, encoded for the users that `to` names.
///
/// # Errors
/// A refusal for the sender, if the message would exceed the limit.
fn forwarded(limit: usize, from: &Name, to: &str, operation: Operation, data: &str) -> Result<Line, Line> {
    let message = Message { sender: from.as_str(), destination: to, operation: operation.wire(), data };
    fits(limit, from, &message).map(|()| Line::lossy(&message))
}

fn fits(limit: usize, from: &Name, message: &Message<'_>) -> Result<(), Line> {
    let bytes = message.encoded_len();
    if bytes > limit { Err(reply::message_too_long(limit, from, bytes)) } else { Ok(()) }
}

/// Whether a line that begins with `/` is a whole message of the client `from`. If its name begins as a short form does,
/// its messages do so too: SENDER decides.
fn is_message(text: &str, from: &Name) -> bool {
    if from.as_str().starts_with('/')
        && Message::parse(text).is_ok_and(|message| NameKey::of(message.sender) == *from.key())
    {
        return true;
    }
    let word = text[1..].split(' ').next().unwrap_or_default();
    Operation::from_short(word).is_none()
        && Message::parse(text).is_ok_and(|message| Operation::from_wire(message.operation).is_some())
}

#[cfg(test)]
mod tests;
