//! [`Failure`]: why an errand came to nothing.

use std::{io, time::Duration};

use super::{backlog::MAX_BYTES, ending::Broken};
use crate::client::{audio::play::NoSink, dial::NoConnection, joining::LetsNobodyIn, rtsp, text::Unfit};

/// Why an errand came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no connection.
    #[error(transparent)]
    NoConnection(#[from] NoConnection),
    /// There was one, and it broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The server ended it without a word.
    #[error("the server ended the connection")]
    Ended,
    /// It accepted the connection, and no name was asked for or confirmed.
    #[error(transparent)]
    NotLetIn(#[from] LetsNobodyIn),
    /// The server says no.
    #[error("{0}")]
    Refused(String),
    /// The server ended.
    #[error("the server closed")]
    ServerClosed,
    /// The name is an account's.
    #[error("{0} has a password, and none was given: name a file that holds it with --password-file")]
    PasswordMissing(String),
    /// The password that was given is another.
    #[error("the password in {file} is refused: {complaint}")]
    PasswordWrong {
        /// Where it was read from.
        file: String,
        /// What the server says of it.
        complaint: String,
    },
    /// The peer's answer is longer than any true one.
    #[error("{what} has no end")]
    Endless {
        /// Names the answer.
        what: &'static str,
    },
    /// The user or server that was asked did not answer in time.
    #[error("no answer from {who} within {}", humantime::format_duration(*.within))]
    NoAnswer {
        /// Whom.
        who: String,
        /// How long was waited.
        within: Duration,
    },
    /// The server took nothing more of what was to be sent.
    #[error(
        "the server took nothing for {} (--timeout): what was sent last may not have been carried out",
        humantime::format_duration(*.within)
    )]
    NotTaken {
        /// How long was waited.
        within: Duration,
    },
    /// The server took all, and did not say that it was done with it.
    #[error(
        "the server confirmed nothing for {} (--timeout): what was sent may not have been carried out",
        humantime::format_duration(*.within)
    )]
    NotConfirmed {
        /// How long was waited.
        within: Duration,
    },
    /// An argument of the command line cannot be sent.
    #[error("{what} {why}")]
    Argument {
        /// Which, as the help calls it.
        what: &'static str,
        /// Why.
        why: Unfit,
    },
    /// A password cannot be sent.
    #[error("the password of {name} {why}")]
    PasswordUnfit {
        /// The account.
        name: String,
        /// The reason.
        why: Unfit,
    },
    /// A line of standard input cannot be sent.
    #[error("line {number} of standard input {why}; it and what follows was not sent")]
    Line {
        /// Which, counted from 1.
        number: u64,
        /// Why.
        why: Unfit,
    },
    /// There is no stream, or it broke.
    #[error(transparent)]
    Stream(rtsp::Failure),
    /// A stream ended before its file did.
    #[error("{stream} {place}: {why}")]
    BrokeOff {
        /// Its publisher and file, such as `ana: song.mp3`.
        stream: String,
        /// The place in the file, in words.
        place: String,
        /// The reason.
        why: Box<Broken>,
    },
    /// Nothing takes the sound.
    #[error(transparent)]
    Sound(NoSink),
    /// The server ended the connection because nothing was read of it, as whoever reads standard output did not read either.
    #[error(
        "standard output was not read while {} MiB waited for that, and the connection ended: {words}",
        MAX_BYTES / 1024 / 1024
    )]
    Unread {
        /// The server's last words, or how the connection ended.
        words: String,
    },
    /// Standard input failed.
    #[error("standard input: {0}")]
    Input(io::Error),
    /// Standard output failed.
    #[error("standard output: {0}")]
    Output(io::Error),
}
