//! [`Refusal`]: the kinds of reasons for which a line of someone who has a name is not carried out.

/// Why a line is not carried out. The words are in `reply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no message.
    NoMessage,
    /// It passes the message limit, as it was sent or written in full.
    TooLong,
    /// Its end did not come, or not in time.
    Unfinished,
    /// SENDER is someone else.
    NotYourName,
    /// Nothing has this name.
    UnknownOperation,
    /// Something is missing in it, or is not what it has to be.
    Incomplete,
    /// Its sender may not ask for this.
    NotAllowed,
    /// Its sender sends too much.
    TooFast,
    /// Nobody bears the name that it is for.
    NotFound,
}

impl Refusal {
    /// All kinds, in the order of the enum.
    pub const ALL: [Self; 9] = [
        Self::NoMessage,
        Self::TooLong,
        Self::Unfinished,
        Self::NotYourName,
        Self::UnknownOperation,
        Self::Incomplete,
        Self::NotAllowed,
        Self::TooFast,
        Self::NotFound,
    ];

    /// How the counters spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoMessage => "no message",
            Self::TooLong => "too long",
            Self::Unfinished => "unfinished",
            Self::NotYourName => "not your name",
            Self::UnknownOperation => "unknown operation",
            Self::Incomplete => "incomplete",
            Self::NotAllowed => "not allowed",
            Self::TooFast => "too fast",
            Self::NotFound => "not found",
        }
    }
}
