//! [`Prober`]: determines which files of a list are audio, as far as the time for one list allows. Without the feature
//! `audio`, no file is.

use std::path::Path;
#[cfg(feature = "audio")]
use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use super::tree::Seen;
#[cfg(feature = "audio")]
use super::{audio, sound, tree};

/// Time limit for examining audio files for one list. If it does not suffice for all files, [`Prober::is_done`] returns
/// `false`, and the next list knows more.
#[cfg(feature = "audio")]
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Type and duration of an audio file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    /// MIME type.
    pub kind: &'static str,
    /// Duration in seconds, if it can be known without reading the whole file.
    pub seconds: Option<u64>,
}

/// Examines files, and knows the results until the files change.
#[cfg(feature = "audio")]
#[derive(Debug)]
pub struct Prober {
    /// Time limit for one list.
    pub(super) within: Duration,
    deadline: Instant,
    /// Results for the files of the list that is made now. A result is valid while the file does not change.
    pub(super) known: HashMap<Vec<u8>, (Seen, Option<Sound>)>,
    /// Results for the files of the list before.
    last: HashMap<Vec<u8>, (Seen, Option<Sound>)>,
    /// Number of audio files that were not fully examined for lack of time.
    unheard: usize,
}

#[cfg(feature = "audio")]
impl Default for Prober {
    fn default() -> Self {
        Self {
            within: PROBE_TIMEOUT,
            deadline: Instant::now(),
            known: HashMap::new(),
            last: HashMap::new(),
            unheard: 0,
        }
    }
}

#[cfg(feature = "audio")]
impl Prober {
    /// Begins a list.
    pub fn begin(&mut self) {
        self.deadline = Instant::now() + self.within;
        self.last = std::mem::take(&mut self.known);
        self.unheard = 0;
    }

    /// Examines the file that the list has at `path`, below `folder`. `None`: it is not audio, or broken, or there was
    /// no time.
    pub fn probe(&mut self, folder: &Path, path: &[u8], seen: Seen) -> Option<Sound> {
        if !tree::extension(path).is_some_and(|extension| sound::may_be(&extension)) {
            return None;
        }
        let sound = match self.last.get(path) {
            Some((before, sound)) if *before == seen => *sound,
            _ if Instant::now() >= self.deadline => {
                self.unheard += 1;
                return None;
            }
            _ => {
                let file = tree::open_seen(folder, path, seen).ok()?;
                // Files come from anywhere. A file that makes the reader panic counts as broken audio.
                let probed = catch_unwind(AssertUnwindSafe(|| audio::probe(file, seen.bytes, self.deadline)));
                let sound = probed.unwrap_or(None);
                if Instant::now() >= self.deadline {
                    // The result may be incomplete because of the deadline, so it is not kept.
                    self.unheard += 1;
                    return sound;
                }
                sound
            }
        };
        self.known.insert(path.to_vec(), (seen, sound));
        sound
    }

    /// Ends a list: forgets the files that are gone.
    pub fn end(&mut self) {
        self.last.clear();
    }

    /// Whether there was time to examine all audio files of the last list.
    pub fn is_done(&self) -> bool {
        self.unheard == 0
    }
}

/// Knows no audio.
#[cfg(not(feature = "audio"))]
#[derive(Debug, Default)]
pub struct Prober {}

#[cfg(not(feature = "audio"))]
#[allow(clippy::unused_self, reason = "the one with audio has a state")]
impl Prober {
    pub fn begin(&mut self) {}

    pub fn probe(&mut self, _: &Path, _: &[u8], _: Seen) -> Option<Sound> {
        None
    }

    pub fn end(&mut self) {}

    pub fn is_done(&self) -> bool {
        true
    }
}
