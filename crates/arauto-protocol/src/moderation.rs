//! [`Moderation`]: requests of operators that disconnect or ban users.

use std::{fmt, time::Duration};

use super::{
    look::Looks,
    message::NO_DATA,
    name::{Name, NameError, NameKey},
    network::{BadPrefix, Network},
    operation::Operation,
};

/// Longest duration of a ban that has one. A ban without a duration is permanent.
const MAX_BAN_TIME: Duration = Duration::from_hours(24 * 3650);

/// Most characters of a reason; the rest is cut.
pub const MAX_REASON_CHARS: usize = 200;

/// A request of an operator.
///
/// ```
/// use arauto_protocol::{Asker, Kind, Moderation, Name, Operation, Request};
///
/// let ana = Name::parse("ana", 489)?;
/// let asker = Asker { name: &ana, kind: Kind::Line, limit: 1024 };
/// let read = Request::read(b"/ban 192.0.2.9/24 1h being rude", &asker);
/// let Request::Moderate(moderation) = read else { panic!("not a request of an operator") };
/// assert_eq!(moderation.operation(), Operation::Ban);
///
/// let Moderation::Ban { target, span, reason } = *moderation else { panic!("not a ban") };
/// assert_eq!((target.to_string(), &*reason), ("192.0.2.0/24".to_owned(), "being rude"));
/// assert_eq!(span.map(|span| span.as_secs()), Some(3600));
/// # Ok::<(), arauto_protocol::NameError>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Moderation {
    /// Ends a session. Its name is free at once, and the client may return.
    Kick {
        /// The name of the session.
        whom: NameKey,
        /// The name as it was typed, to quote it if no client has it.
        typed: Box<str>,
        /// The operator's reason; may be empty.
        reason: Box<str>,
    },
    /// Ends all sessions that the target matches, and refuses new ones.
    Ban {
        /// The name or the addresses to ban.
        target: Target,
        /// Duration of the ban; permanent if `None`.
        span: Option<Duration>,
        /// The operator's reason; may be empty.
        reason: Box<str>,
    },
    /// Lifts a ban.
    Unban(Target),
    /// Lists the bans.
    ListBans,
}

/// A fault in a request of an operator. Its text is sent to the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModerationError {
    /// The request needs a target and has none.
    #[error("DESTINATION is missing: who is meant? Type: {}", .0.typed())]
    NoTarget(Operation),
    /// The target is an address with an invalid prefix length.
    #[error(transparent)]
    Network(#[from] BadPrefix),
    /// The target is neither an address nor a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// This duration of a ban is malformed, shorter than 1 s or longer than 3650 days.
    #[error(
        "{0} is no time for a ban. One is from 1s to 3650d, such as 30m, 12h or 7d; without one it has no end"
    )]
    Span(Box<str>),
}

impl Moderation {
    /// The operation that makes this request.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self {
            Self::Kick { .. } => Operation::Kick,
            Self::Ban { .. } => Operation::Ban,
            Self::Unban(_) => Operation::Unban,
            Self::ListBans => Operation::ListBans,
        }
    }
}

/// The target of a ban: either a name or addresses, not both.
///
/// ```
/// use arauto_protocol::Target;
///
/// assert!(matches!(Target::parse("bob", 489), Ok(Target::Name { .. })));
/// assert!(matches!(Target::parse("192.0.2.7", 489), Ok(Target::Network(_))));
/// assert_eq!(Target::parse("server", 489).unwrap_err().to_string(), "The name server is reserved");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Target {
    /// A name, with all that compare equal to it or look like it.
    Name {
        /// The key for comparison.
        key: NameKey,
        /// The name as it was typed.
        shown: Box<str>,
        /// The looks of the name. Computed here because that is slow and would delay the registry.
        looks: Looks,
    },
    /// An address or a network.
    Network(Network),
}

impl Target {
    /// Parses a name or an address. A text that could be either is an address. A name has at most `name_bytes` bytes.
    ///
    /// # Errors
    /// If the text is neither, or the address has an invalid prefix length.
    pub fn parse(text: &str, name_bytes: usize) -> Result<Self, ModerationError> {
        if let Some(network) = Network::parse(text.trim()) {
            return Ok(Self::Network(network?));
        }
        let name = Name::parse(text, name_bytes)?;
        Ok(Self::Name { key: name.key().clone(), shown: name.as_str().into(), looks: name.looks() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { shown, .. } => f.write_str(shown),
            Self::Network(network) => network.fmt(f),
        }
    }
}

/// The reason in DATA, cut to [`MAX_REASON_CHARS`]; empty if there is none.
#[must_use]
pub fn reason(data: &str) -> Box<str> {
    let data = data.trim();
    if data == NO_DATA {
        return Box::default();
    }
    match data.char_indices().nth(MAX_REASON_CHARS) {
        None => data.into(),
        Some((end, _)) => format!("{}…", &data[..end]).into(),
    }
}

/// The duration and the reason in DATA: `1h being rude`, `being rude`, or neither.
///
/// ```
/// use arauto_protocol::moderation::span_and_reason;
/// use std::time::Duration;
///
/// assert_eq!(span_and_reason("30m twice"), Ok((Some(Duration::from_secs(1800)), "twice".into())));
/// assert_eq!(span_and_reason("being rude"), Ok((None, "being rude".into())));
/// assert!(span_and_reason("9999d").is_err());
/// ```
///
/// # Errors
/// [`ModerationError::Span`], if DATA begins with a duration that no ban may have.
pub fn span_and_reason(data: &str) -> Result<(Option<Duration>, Box<str>), ModerationError> {
    let (first, rest) = data.trim().split_once(' ').unwrap_or((data.trim(), ""));
    let looks_like_a_time =
        first.starts_with(|c: char| c.is_ascii_digit()) && first.ends_with(|c: char| c.is_ascii_alphabetic());
    match humantime::parse_duration(first) {
        Ok(span) if span >= Duration::from_secs(1) && span <= MAX_BAN_TIME => Ok((Some(span), reason(rest))),
        Err(_) if !looks_like_a_time => Ok((None, reason(data))),
        Ok(_) | Err(_) => Err(ModerationError::Span(first.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_come_before_the_reason() {
        let hours = |hours| Some(Duration::from_hours(hours));
        for (data, span, said) in [
            ("no data", None, ""),
            ("", None, ""),
            ("1h", hours(1), ""),
            ("1d being rude", hours(24), "being rude"),
            ("1h30m  twice ", Some(Duration::from_mins(90)), "twice"),
            ("being rude for 1h", None, "being rude for 1h"),
            ("5 times warned", None, "5 times warned"),
            ("3650d", hours(24 * 3650), ""),
        ] {
            assert_eq!(span_and_reason(data), Ok((span, said.into())), "{data}");
        }
        for data in ["0s", "1ms x", "3651d", "99999999999999999999d", "5x rude"] {
            let first = data.split(' ').next().unwrap();
            let why = span_and_reason(data).unwrap_err().to_string();
            assert!(why.starts_with(&format!("{first} is no time")), "{data}");
        }
    }

    #[test]
    fn a_long_reason_is_cut() {
        assert_eq!(reason(&"é".repeat(200)).chars().count(), 200);
        assert_eq!(reason(&"é".repeat(201)), format!("{}…", "é".repeat(200)).into());
    }

    #[test]
    fn what_reads_as_an_address_is_one() {
        assert_eq!(Target::parse("bob", 489).unwrap().to_string(), "bob");
        assert_eq!(Target::parse(" 192.0.2.9/24", 489).unwrap().to_string(), "192.0.2.0/24");
        let why = |text| Target::parse(text, 489).unwrap_err().to_string();
        assert!(why("192.0.2.9/99").starts_with("Behind the /"));
        assert_eq!(why("server"), "The name server is reserved");
    }
}
