//! What is known of sound: [`Listening`], what one hears of others, and [`Playing`], what one plays to them.

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

/// The most files that are asked for and not answered.
pub(super) const MOST_ASKED: usize = 8;
/// What was asked for longer ago is not heard any more. The server gives an answer sooner, unless told otherwise.
const ASKED_FOR: Duration = Duration::from_mins(1);
/// Of so many people it is known what they have to be heard.
pub(super) const MOST_PEOPLE: usize = 16;
/// So many files of each.
pub(super) const MOST_FILES: usize = 500;

/// What is known of what one hears.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// What was asked for and not answered, the latest last.
    pub(super) asked: VecDeque<Asked>,
    pub(super) current: Option<Current>,
    pub(super) volume: Volume,
    /// Who has which audio files, by the last list of each; the latest last.
    pub(super) known: VecDeque<(String, Vec<String>)>,
}

/// A file that was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) of: String,
    pub(super) file: String,
    pub(super) at: Instant,
}

/// What is heard.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) of: String,
    pub(super) file: String,
    pub(super) progress: Progress,
}

impl Listening {
    /// How far what is heard is, in words.
    pub(super) fn shown(&self) -> Option<String> {
        let Current { of, file, progress } = self.current.as_ref()?;
        Some(format!("{of}: {file} {}", words::line(progress)))
    }

    /// Which audio files this one has, as they are typed.
    pub(super) fn files_of(&self, name: &str) -> &[String] {
        let same = |(of, _): &&(String, Vec<String>)| of.to_lowercase() == name.to_lowercase();
        self.known.iter().rev().find(same).map_or(&[], |(_, files)| files)
    }

    /// What this one was asked for and answers now: if it may be any of several, `file` says which; else it is the first.
    pub(super) fn answered(&mut self, of: &str, file: impl Fn(&str) -> bool, now: Now) -> Option<Asked> {
        self.asked.retain(|asked| now.at < asked.at + ASKED_FOR);
        let same = |asked: &Asked| asked.of.to_lowercase() == of.to_lowercase();
        let at = self.asked.iter().position(|asked| same(asked) && file(&asked.file));
        self.asked.remove(at.or_else(|| self.asked.iter().position(same))?)
    }
}

/// What is known of what one plays.
#[derive(Debug, Default)]
pub(super) struct Playing {
    /// What one is to say yes or no to, the oldest first. No more than a publisher asks at once.
    pub(super) asked: Vec<Question>,
    pub(super) on_air: Vec<OnAir>,
}

impl Playing {
    /// What is asked now, in words.
    pub(super) fn question(&self) -> Option<String> {
        let Question { by, file, .. } = self.asked.first()?;
        Some(format!("{by} wants to hear {file}: y or n, and Enter?"))
    }

    /// How far everything is, in words.
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
