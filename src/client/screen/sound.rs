//! What is known of sound: [`Listening`], what one hears of others, and [`Playing`], what one plays to them.

use std::collections::VecDeque;

use crate::client::{
    audio::{
        play::{Progress, Volume, words},
        publish::{OnAir, Question},
    },
    files::Clock,
};

/// The most files that are asked for and not answered.
pub(super) const MOST_ASKED: usize = 8;
/// Of so many people it is known what they have to be heard.
pub(super) const MOST_PEOPLE: usize = 16;
/// So many files of each.
pub(super) const MOST_FILES: usize = 500;

/// What is known of what one hears.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// Whose files were asked for, the latest last.
    pub(super) asked: VecDeque<String>,
    pub(super) current: Option<Current>,
    pub(super) volume: Volume,
    /// Who has which audio files, by the last list of each; the latest last.
    pub(super) known: VecDeque<(String, Vec<String>)>,
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

    /// Whether something was asked for of this one, once for each time.
    pub(super) fn is_asked(&mut self, of: &str) -> bool {
        let same = |asked: &String| asked.to_lowercase() == of.to_lowercase();
        let at = self.asked.iter().position(same);
        at.is_some_and(|at| self.asked.remove(at).is_some())
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
