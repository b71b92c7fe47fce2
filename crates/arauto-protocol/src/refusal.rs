//! [`Refusal`]: why the server does not carry out a line of a client that has a name.

crate::named_enum! {
    /// Why a line is not carried out. The texts are in `reply`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Refusal {
        /// The line is not a message.
        NoMessage = "no message",
        /// The message exceeds the limit, as received or when written in full.
        TooLong = "too long",
        /// The line did not end, or not in time.
        Unfinished = "unfinished",
        /// SENDER is another name.
        NotYourName = "not your name",
        /// No operation or short form has this name.
        UnknownOperation = "unknown operation",
        /// A part of the request is missing or invalid.
        Incomplete = "incomplete",
        /// The sender is not allowed to request this.
        NotAllowed = "not allowed",
        /// The sender exceeds the flood limits.
        TooFast = "too fast",
        /// No user has the name in DESTINATION.
        NotFound = "not found",
    }
}
