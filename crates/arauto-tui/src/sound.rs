//! State of audio: [`Listening`], files of others that are heard here, and [`Playing`], files that are played to
//! others.

use std::{
    cmp::Reverse,
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{answers::not_found, clock::Now};
use arauto_client::{
    audio::{
        play::{PlaybackProgress, Stage, Volume, words},
        publish::{OnAir, PermissionRequest},
    },
    display_name::is_same,
    files::Clock,
};

/// Maximum number of requested files without an answer.
pub(super) const MAX_ASKED: usize = 8;
/// Age at which a request expires: its file is not played any more. The server answers sooner unless configured
/// otherwise.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// The server's text if a user cannot reach its audio, before and after that user's name.
const UNREACHABLE: (&str, &str) = (
    "The server does not listen for audio at the address where ",
    " reached it. Its operator has to add that to media.listen, or set media.public_host",
);
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

impl Asked {
    /// Whether a refusal by the server names this request, by the texts of docs/protocol.md, section Streams.
    fn is_named(&self, why: &str) -> bool {
        let unreachable = || why.strip_prefix(UNREACHABLE.0)?.strip_suffix(UNREACHABLE.1);
        if let Some(name) = not_found(why).or_else(unreachable) {
            return is_same(name, &self.of);
        }
        // Names and files may hold all other characters of the text, so their border is known from the file alone.
        let file = format!(": {} does not play: ", self.file);
        why.match_indices(&file).any(|(border, _)| is_same(&why[..border], &self.of))
    }
}

/// The stream that is heard.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) of: String,
    pub(super) file: String,
    pub(super) progress: PlaybackProgress,
}

impl Listening {
    /// Progress of the stream that is heard, in words: the longest text first, the last for narrow screens. Empty if
    /// nothing is heard.
    pub(super) fn shown(&self) -> Vec<String> {
        let Some(Current { of, file, progress }) = &self.current else { return Vec::new() };
        let line = words::line(progress);
        if progress.stage != Stage::Playing {
            return vec![format!("{of}: {file} {line}"), line, "no audio yet".to_owned()];
        }
        let place = words::place(progress);
        vec![
            format!("{of}: {file} {line}"),
            format!("{of}: {file} {place}"),
            format!("{file} {place}"),
            place,
            words::position(progress),
        ]
    }

    /// Audio files of this user, as they are typed.
    pub(super) fn files_of(&self, name: &str) -> &[String] {
        let same = |(of, _): &&(String, Vec<String>)| is_same(of, name);
        self.known.iter().rev().find(same).map_or(&[], |(_, files)| files)
    }

    /// Removes and returns the request that `of` answers: of those to that user, the one whose file has the highest
    /// `rank`, and of several the first.
    pub(super) fn answered(&mut self, of: &str, rank: impl Fn(&str) -> usize, now: Now) -> Option<Asked> {
        self.asked.retain(|asked| now.at < asked.at + REQUEST_TIMEOUT);
        let to_user = self.asked.iter().enumerate().filter(|(_, asked)| is_same(&asked.of, of));
        let (at, _) = to_user.min_by_key(|(_, asked)| Reverse(rank(&asked.file)))?;
        self.asked.remove(at)
    }

    /// Removes the request that a refusal by the server is about: the first that the refusal names, or else the last.
    pub(super) fn refused(&mut self, why: &str) {
        let named = self.asked.iter().position(|asked| asked.is_named(why));
        self.asked.remove(named.unwrap_or(self.asked.len().saturating_sub(1)));
    }
}

/// Files that are played to others.
#[derive(Debug, Default)]
pub(super) struct Playing {
    /// Questions for the user's yes or no, the oldest first. At most as many as a publisher asks at once.
    pub(super) asked: Vec<PermissionRequest>,
    pub(super) on_air: Vec<OnAir>,
}

impl Playing {
    /// The oldest question, in words: the longest text first. The last begins with the keys. Empty if there is none.
    pub(super) fn question(&self) -> Vec<String> {
        let Some(PermissionRequest { by, file, .. }) = self.asked.first() else { return Vec::new() };
        vec![
            format!("{by} wants to hear {file}: y or n, and Enter?"),
            format!("y/n and Enter: {by} wants {file}"),
        ]
    }

    /// Progress of all files that are played, in words: the longest text first, the last for narrow screens. Empty if
    /// none is played.
    pub(super) fn shown(&self) -> Vec<String> {
        match &self.on_air[..] {
            [] => Vec::new(),
            [OnAir { file, elapsed, length, is_paused, .. }] => {
                let of = length.map(|length| format!(" of {}", Clock(length.as_secs()))).unwrap_or_default();
                let state = if *is_paused { "paused" } else { "playing" };
                let elapsed = Clock(elapsed.as_secs());
                vec![
                    format!("{state} {file} {elapsed}{of}"),
                    format!("{state} {elapsed}{of}"),
                    format!("{state} {elapsed}"),
                ]
            }
            several => {
                let paused = several.iter().filter(|one| one.is_paused).count();
                let playing = format!("playing {} files", several.len());
                let but = if paused > 0 { format!(", {paused} paused") } else { String::new() };
                vec![format!("{playing}{but}"), playing]
            }
        }
    }
}
