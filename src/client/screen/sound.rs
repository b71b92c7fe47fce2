//! State of audio: [`Listening`], files of others that are heard here, and [`Playing`], files that are played to
//! others.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::clock::Now;
use crate::client::{
    audio::{
        play::{Progress, Volume, words},
        publish::{OnAir, Question},
    },
    files::Clock,
};

/// Maximum number of requested files without an answer.
pub(super) const MAX_ASKED: usize = 8;
/// Age at which a request expires: its file is not played any more. The server answers sooner unless configured
/// otherwise.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// Maximum number of users whose audio files are remembered.
pub(super) const MAX_PEOPLE: usize = 16;
/// Maximum number of remembered files per user.
pub(super) const MAX_FILES: usize = 500;

/// Files of others that are heard here.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// Requests without an answer, the latest last.
    pub(super) asked: VecDeque<Asked>,
    pub(super) current: Option<Current>,
    pub(super) volume: Volume,
    /// Audio files of each user, by the user's last list; the latest list is last.
    pub(super) known: VecDeque<(String, Vec<String>)>,
}

/// A requested file.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) of: String,
    pub(super) file: String,
    pub(super) at: Instant,
}

/// The stream that is heard.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) of: String,
    pub(super) file: String,
    pub(super) progress: Progress,
}

impl Listening {
    /// Progress of the stream that is heard, in words.
    pub(super) fn shown(&self) -> Option<String> {
        let Current { of, file, progress } = self.current.as_ref()?;
        Some(format!("{of}: {file} {}", words::line(progress)))
    }

    /// Audio files of this user, as they are typed.
    pub(super) fn files_of(&self, name: &str) -> &[String] {
        let same = |(of, _): &&(String, Vec<String>)| of.to_lowercase() == name.to_lowercase();
        self.known.iter().rev().find(same).map_or(&[], |(_, files)| files)
    }

    /// Removes and returns the request that `of` answers: the first for which `file` is true, or else the first to
    /// that user.
    pub(super) fn answered(&mut self, of: &str, file: impl Fn(&str) -> bool, now: Now) -> Option<Asked> {
        self.asked.retain(|asked| now.at < asked.at + REQUEST_TIMEOUT);
        let same = |asked: &Asked| asked.of.to_lowercase() == of.to_lowercase();
        let at = self.asked.iter().position(|asked| same(asked) && file(&asked.file));
        self.asked.remove(at.or_else(|| self.asked.iter().position(same))?)
    }
}

/// Files that are played to others.
#[derive(Debug, Default)]
pub(super) struct Playing {
    /// Questions for the user's yes or no, the oldest first. At most as many as a publisher asks at once.
    pub(super) asked: Vec<Question>,
    pub(super) on_air: Vec<OnAir>,
}

impl Playing {
    /// The oldest question, in words.
    pub(super) fn question(&self) -> Option<String> {
        let Question { by, file, .. } = self.asked.first()?;
        Some(format!("{by} wants to hear {file}: y or n, and Enter?"))
    }

    /// Progress of all files that are played, in words.
    pub(super) fn shown(&self) -> Option<String> {
        match &self.on_air[..] {
            [] => None,
            [OnAir { file, elapsed, length, is_paused, .. }] => {
                let of = length.map(|length| format!(" of {}", Clock(length.as_secs()))).unwrap_or_default();
                let state = if *is_paused { "paused" } else { "playing" };
                Some(format!("{state} {file} {}{of}", Clock(elapsed.as_secs())))
            }
            several => {
                let paused = several.iter().filter(|one| one.is_paused).count();
                let but = if paused > 0 { format!(", {paused} paused") } else { String::new() };
                Some(format!("playing {} files{but}", several.len()))
            }
        }
    }
}
