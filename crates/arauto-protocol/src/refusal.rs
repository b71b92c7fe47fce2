//! [`Refusal`]: why the server does not carry out a line of a client that has a name.

/// Why a line is not carried out. The texts are in `reply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The line is not a message.
    NoMessage,
    /// The message exceeds the limit, as received or when written in full.
    TooLong,
    /// The line did not end, or not in time.
    Unfinished,
    /// SENDER is another name.
    NotYourName,
    /// No operation or short form has this name.
    UnknownOperation,
    /// A part of the request is missing or invalid.
    Incomplete,
    /// The sender is not allowed to request this.
    NotAllowed,
    /// The sender exceeds the flood limits.
    TooFast,
    /// No user has the name in DESTINATION.
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

    /// The kind's name in metrics.
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
