//! [`Publisher`]: a task that plays files to other clients when the server asks for it and the user allows it.
//!
//! Limits on what a server, or clients through it, can cause: files of the shared folder are sent to that server only,
//! each at playback speed, and at most [`MAX_AT_ONCE`] at a time. Nothing is sent to another machine (see `rtsp`).
//! Refusals are rate-limited, so that requests cannot make this client flood the server.

mod task;

use std::time::Duration;

use arauto_protocol::Line;
use tokio::sync::mpsc::{Sender, channel};

use self::task::PublisherTask;
use crate::{dial::Dialer, files::Opener};

/// Maximum number of files played at once, including those for which the user is being asked.
pub const MAX_AT_ONCE: usize = 4;
/// Time that the user has to answer. Servers wait 10 s by default.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(8);
/// Capacity of the queue of requests to the task.
const MAX_NOTES: usize = 32;

/// Whether the user is asked before a file is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// The user is not asked.
    Never,
    /// The user is asked.
    First,
    /// The user would have to be asked but cannot be: nothing is played.
    Impossible,
}

/// An event to display or a message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Send this to the server.
    Send(Line),
    /// Ask the user whether this may be played. [`Publisher::answer`] must follow within [`ASK_TIMEOUT`].
    Asked(PermissionRequest),
    /// The question with this number was answered or has expired.
    Settled(u64),
    /// Playback of a file began.
    Began(OnAir),
    /// A file was not played, for this reason.
    Refused {
        /// The client that asked for it.
        by: String,
        /// Name of the file as `list_files` writes it.
        file: String,
        /// Reason, in words fit for printing.
        why: String,
        /// Number of refusals since the last event of this kind that were not reported.
        others: usize,
    },
    /// Progress of all files that are played.
    Playing(Vec<OnAir>),
    /// Playback of a file ended.
    Over {
        /// Name of the file as `list_files` writes it.
        file: String,
        /// Reason, in words fit for printing, if it is not the end of the file.
        why: Option<String>,
    },
    /// A command has no effect, because this file is not played, or no file at all.
    NotPlayed(Option<String>),
    /// A request cannot be carried out, for this reason.
    CannotDo(String),
}

/// A question to the user whether a file may be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionRequest {
    /// Number of the question, for the answer.
    pub number: u64,
    /// The client that asks for the file.
    pub by: String,
    /// Name of the file as `list_files` writes it.
    pub file: String,
}

/// A file that is being played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnAir {
    /// Name of the file as `list_files` writes it.
    pub file: String,
    /// The client that asked for it first.
    pub by: String,
    /// How much of it was sent.
    pub elapsed: Duration,
    /// Its length, if known.
    pub length: Option<Duration>,
    /// Whether it is paused.
    pub is_paused: bool,
}

/// A request of the user about files that are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishCommand {
    /// Pause; if paused, resume.
    Pause,
    /// Stop.
    Stop,
}

/// Error: the queue of requests to the task is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_NOTES} requests are waiting already")]
pub struct TooMuch;

/// Handle of the task that plays files to others. Dropping the last clone ends the task and all playback.
#[derive(Clone, Debug)]
pub struct Publisher {
    notes: Sender<Note>,
}

#[derive(Debug)]
enum Note {
    Summoned { own: String, by: String, data: String },
    Answered { number: u64, may: bool },
    Commanded { command: PublishCommand, file: Option<String> },
}

impl Publisher {
    /// Starts a task that plays files of `folder`, if any, to the server that `dialer` connects to. Events go to
    /// `news`. While `news` is full, the task handles nothing else, but playback continues.
    #[must_use]
    pub fn spawn(folder: Option<Opener>, asking: Asking, dialer: Dialer, news: Sender<News>) -> Self {
        let (notes, taken) = channel(MAX_NOTES);
        let (began, beginnings) = channel(MAX_AT_ONCE);
        let task = PublisherTask::new(folder, asking, dialer, news, began);
        // The task ends when all handles, or the receiver of `news`, are dropped.
        tokio::spawn(task.run(taken, beginnings));
        Self { notes }
    }

    /// Handles the server's request to the client named `own`: `by` wants to hear a file. `data` states which file, and
    /// where to send it.
    ///
    /// # Errors
    /// If the queue is full. The request is then ignored.
    pub fn summoned(&self, own: &str, by: &str, data: &str) -> Result<(), TooMuch> {
        let [own, by, data] = [own, by, data].map(str::to_owned);
        self.note(Note::Summoned { own, by, data })
    }

    /// Passes on the user's answer to [`News::Asked`].
    ///
    /// # Errors
    /// If the queue is full. The question remains open.
    pub fn answer(&self, number: u64, may: bool) -> Result<(), TooMuch> {
        self.note(Note::Answered { number, may })
    }

    /// Applies a command to the file of this name, or to all files that are played.
    ///
    /// # Errors
    /// If the queue is full. The command is then ignored.
    pub fn command(&self, command: PublishCommand, file: Option<&str>) -> Result<(), TooMuch> {
        self.note(Note::Commanded { command, file: file.map(str::to_owned) })
    }

    fn note(&self, note: Note) -> Result<(), TooMuch> {
        // The channel is closed if the task panicked; nothing can be played then either.
        self.notes.try_send(note).map_err(|_| TooMuch)
    }
}

#[cfg(test)]
mod tests;
