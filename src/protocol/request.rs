//! What a line asks for: [`introduction`] reads the answer to the name request, [`Request::read`] all that follows.

use super::{
    kind::Kind,
    line::{CheckedData, Line},
    message::{self, Message, NAME, NO_DATA},
    moderation::{self, Moderation, Target},
    name::{self, Name, NameKey},
    operation::Operation,
    password,
    refusal::Refusal,
    reply,
    short_form::{self, NoShortForm},
};

/// What the report's clients write as OPERATION when their user typed none they know.
const UNKNOWN_OPERATION: &str = "Unknown operation";

/// Who asks, and what the server allows.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The name the connection was given.
    pub name: &'a Name,
    /// How the connection frames its messages.
    pub kind: Kind,
    /// The most bytes a message may have (`limits.message_bytes`).
    pub limit: usize,
}

/// What is asked of the server, its texts already in their final words where they need nobody else's.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// To the asker alone: an echo, or the limits.
    Answer(Line),
    /// To the asker alone: why nothing else is done, in words.
    Refuse(Refusal, Line),
    /// To everyone, the asker too.
    Broadcast(Line),
    /// To everyone but the asker.
    BroadcastNotMe(Line),
    /// To one user, if somebody bears the name.
    Direct(Direct),
    /// To hear a file of one user's; or why that user does not play what is asked for, see [`Direct::cannot`].
    Play(Direct),
    /// What is played.
    ListStreams,
    /// To end what is played.
    Stop {
        /// DATA is the file. Nobody has to be named but by operators.
        what: Direct,
        /// Whether the asker is one, which is not known here.
        by_operator: bool,
    },
    /// Who is connected.
    ListClients,
    /// The operations; those of operators only for operators.
    Help {
        /// Whether the asker is one, which is not known here.
        for_operator: bool,
    },
    /// What only operators may ask for.
    Moderate(Box<Moderation>),
    /// Leave.
    Exit,
    /// End the server.
    CloseServer,
}

/// A message for one user.
#[derive(Debug, PartialEq, Eq)]
pub struct Direct {
    /// [`Operation::PrivateMessage`], [`Operation::ListFiles`], [`Operation::Play`] or [`Operation::Stop`].
    pub operation: Operation,
    /// Whom it is for.
    pub to: NameKey,
    /// The same as it was typed, to be quoted if nobody bears it.
    pub typed: Box<str>,
    /// DATA.
    pub data: CheckedData,
}

/// How DATA of `play` begins where it is no file but why there will be none.
const CANNOT: &str = "cannot:";

impl Direct {
    fn new(operation: Operation, typed: &str, data: &str) -> Self {
        Self { operation, to: NameKey::of(typed), typed: typed.into(), data: CheckedData::lossy(data) }
    }

    /// The message written out for its receiver.
    ///
    /// # Errors
    /// Where it would pass the limit: the refusal for its sender.
    pub fn forwarded(&self, limit: usize, from: &Name, to: &Name) -> Result<Line, Line> {
        let Self { operation, data, .. } = self;
        let message =
            Message { sender: from.as_str(), destination: to.as_str(), operation: operation.wire(), data };
        fits(limit, from, &message).map(|()| Line::between(from, to, *operation, data))
    }

    /// Why a file is not played, where that is what DATA says.
    #[must_use]
    pub fn cannot(&self) -> Option<&str> {
        self.data.strip_prefix(CANNOT).map(str::trim)
    }
}

/// Why a connection's answer to the name request gives it no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoName {
    /// It was no answer to the name request at all.
    NotAName,
    /// It was a name that breaks a rule.
    Invalid,
}

/// Reads the answer to the name request: a `name` message, or just a name.
///
/// # Errors
/// The refusal in words.
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

/// Judges a name that nobody typed, such as a certificate's.
///
/// # Errors
/// The refusal in words.
pub fn certified(name: &str, limit: usize) -> Result<Name, Line> {
    Name::parse(name, name::max_bytes(limit)).map_err(|why| reply::name_invalid(limit, name, &why))
}

impl Request {
    /// What is asked for, unless it is refused.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        Some(match self {
            // An echo's SENDER is the asker's name, and "server" is no user's.
            Self::Answer(line) if line.message().sender == reply::SERVER => Operation::Limits,
            Self::Answer(_) => Operation::Echo,
            Self::Refuse(..) => return None,
            Self::Broadcast(_) => Operation::Broadcast,
            Self::BroadcastNotMe(_) => Operation::BroadcastNotMe,
            Self::Direct(direct) | Self::Play(direct) | Self::Stop { what: direct, .. } => direct.operation,
            Self::ListStreams => Operation::ListStreams,
            Self::ListClients => Operation::ListClients,
            Self::Help { .. } => Operation::Help,
            Self::Moderate(moderation) => moderation.operation(),
            Self::Exit => Operation::Exit,
            Self::CloseServer => Operation::CloseServer,
        })
    }

    /// Reads one line of someone who has a name. A line that is refused becomes a [`Request::Refuse`] that says why.
    #[must_use]
    pub fn read(line: &[u8], asker: &Asker<'_>) -> Self {
        let Asker { name, limit, .. } = *asker;
        let read = message::text(line).and_then(|text| match text.strip_prefix('/') {
            Some(short) if !is_message(text) => {
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
            // Not quoted, because of what it holds.
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
            Operation::Help => Self::Help { for_operator: false },
            Operation::Limits => Self::Answer(reply::limits(limit, name)),
            Operation::Kick | Operation::Ban | Operation::Unban | Operation::ListBans => {
                match moderation(operation, destination, data, limit) {
                    Ok(moderation) => Self::Moderate(Box::new(moderation)),
                    Err(why) => Self::Refuse(Refusal::Incomplete, reply::error_message(limit, name, &why)),
                }
            }
            Operation::Exit => Self::Exit,
            Operation::CloseServer => Self::CloseServer,
        }
    }
}

/// What an operator asks for, if it is one.
///
/// # Errors
/// What is wrong with it, in words.
fn moderation(
    operation: Operation,
    destination: &str,
    data: &str,
    limit: usize,
) -> Result<Moderation, String> {
    if destination.is_empty() && operation != Operation::ListBans {
        let example = operation.typed();
        return Err(format!("DESTINATION is missing: who is meant? Type: {example}"));
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

/// A user's message written out for the users that `to` names.
///
/// # Errors
/// Where it would pass the limit: the refusal for its sender.
fn forwarded(limit: usize, from: &Name, to: &str, operation: Operation, data: &str) -> Result<Line, Line> {
    let message = Message { sender: from.as_str(), destination: to, operation: operation.wire(), data };
    fits(limit, from, &message).map(|()| Line::lossy(&message))
}

fn fits(limit: usize, from: &Name, message: &Message<'_>) -> Result<(), Line> {
    let bytes = message.encoded_len();
    if bytes > limit { Err(reply::message_too_long(limit, from, bytes)) } else { Ok(()) }
}

/// Whether a line that begins with `/` is a whole message after all, from someone whose name does.
fn is_message(text: &str) -> bool {
    let word = text[1..].split(' ').next().unwrap_or_default();
    Operation::from_short(word).is_none()
        && Message::parse(text).is_ok_and(|message| Operation::from_wire(message.operation).is_some())
}

#[cfg(test)]
mod tests;
