//! [`ScriptError`]: why a one-shot command failed.

use std::{io, time::Duration};

use super::backlog::MAX_BYTES;
#[cfg(feature = "audio")]
use super::ending::BrokenStream;
#[cfg(feature = "audio")]
use crate::{audio::play::NoSink, rtsp};
use crate::{dial::NoConnection, joining::LetsNobodyIn, text::Unfit};

/// Why a one-shot command failed.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// No connection could be made.
    #[error(transparent)]
    NoConnection(#[from] NoConnection),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The server ended the connection without a message.
    #[error("the server ended the connection")]
    Ended,
    /// The server accepted the connection, and did not ask for a name or did not confirm it.
    #[error(transparent)]
    NotLetIn(#[from] LetsNobodyIn),
    /// The server refused the client or its request, for this reason.
    #[error("{0}")]
    Refused(String),
    /// The server closed.
    #[error("the server closed")]
    ServerClosed,
    /// The name is an account's, and no password was given.
    #[error("{0} has a password, and none was given: name a file that holds it with --password-file")]
    PasswordMissing(String),
    /// The server refused the given password.
    #[error("the password in {file} is refused: {complaint}")]
    PasswordWrong {
        /// File from which the password was read.
        file: String,
        /// The server's complaint.
        complaint: String,
    },
    /// The peer's answer is longer than any valid one.
    #[error("{what} is longer than any valid one")]
    Endless {
        /// Name of the answer.
        what: &'static str,
    },
    /// The user or server that was asked did not answer in time.
    #[error("no answer from {who} within {}", humantime::format_duration(*.within))]
    NoAnswer {
        /// The user or the server.
        who: String,
        /// Time that was waited.
        within: Duration,
    },
    /// The server accepted no more of the data to be sent.
    #[error(
        "the server read nothing for {} (--timeout): the last messages may not have been delivered",
        humantime::format_duration(*.within)
    )]
    NotTaken {
        /// Time that was waited.
        within: Duration,
    },
    /// The server accepted all data, and did not confirm that it was carried out.
    #[error(
        "the server confirmed nothing for {} (--timeout): the messages may not have been delivered",
        humantime::format_duration(*.within)
    )]
    NotConfirmed {
        /// Time that was waited.
        within: Duration,
    },
    /// An argument of the command line cannot be sent.
    #[error("{what} {why}")]
    Argument {
        /// Name of the argument, as the help shows it.
        what: &'static str,
        /// The reason.
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
    #[error("line {number} of standard input {why}; this line and the lines after it were not sent")]
    Line {
        /// Number of the line, counted from 1.
        number: u64,
        /// The reason.
        why: Unfit,
    },
    /// The stream could not be set up, or broke.
    #[cfg(feature = "audio")]
    #[error(transparent)]
    Stream(rtsp::RtspError),
    /// A stream ended before its file did.
    #[cfg(feature = "audio")]
    #[error("{stream} {place}: {why}")]
    BrokeOff {
        /// Its publisher and file, such as `ana: song.mp3`.
        stream: String,
        /// The place in the file, in words.
        place: String,
        /// The reason.
        why: Box<BrokenStream>,
    },
    /// The audio output cannot be opened, or failed.
    #[cfg(feature = "audio")]
    #[error(transparent)]
    Sound(NoSink),
    /// The server ended the connection because this client read nothing from it, while standard output was not read.
    #[error(
        "standard output was not read while {} MiB waited for it, and the connection ended: {words}",
        MAX_BYTES / 1024 / 1024
    )]
    Unread {
        /// The server's last message, or how the connection ended.
        words: String,
    },
    /// Standard input failed.
    #[error("standard input: {0}")]
    Input(io::Error),
    /// Standard output failed.
    #[error("standard output: {0}")]
    Output(io::Error),
}
