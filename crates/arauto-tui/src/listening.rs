//! Files of others that are heard here: requests, offers, and how they are shown.

use arauto_protocol::Offer;
use arauto_protocol::{Message, Operation};

use super::{
    app::{App, Effect},
    clock::Now,
    sentences::{sentence, without_codes},
    sound::{Asked, Current, MAX_ASKED, MAX_FILES, MAX_PEOPLE},
};
use arauto_client::{
    audio::play::{
        PlaybackCommand, PlaybackError, PlaybackProgress, Played, Stage, StreamEnd, Volume, words,
    },
    files::{Entry, Quoted},
};

/// A typed request that the client itself carries out.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Volume(Option<Volume>),
    Stop,
    /// The line holds no valid volume. Holds a hint for the user.
    Unclear(String),
}

impl App {
    /// Remembers the audio files that `of` shares.
    pub(super) fn know_files(&mut self, of: &str, entries: &[Entry]) {
        let is_audio = |entry: &&Entry| entry.kind.as_ref().is_some_and(|kind| kind.starts_with("audio/"));
        let files = entries.iter().filter(is_audio).take(MAX_FILES);
        let files = files.map(|entry| Quoted(&entry.name).to_string()).collect();
        let known = &mut self.listening.known;
        known.retain(|(name, _)| name != of);
        known.push_back((of.to_owned(), files));
        known.drain(..known.len().saturating_sub(MAX_PEOPLE));
    }

    /// Takes a message that was sent, which may request a file.
    pub(super) fn note_asked(&mut self, message: &Message<'_>, now: Now) {
        if message.operation == Operation::Play.wire() {
            let asked = &mut self.listening.asked;
            let (of, file) = (message.destination.to_owned(), message.data.to_owned());
            asked.push_back(Asked { of, file, at: now.at });
            asked.drain(..asked.len().saturating_sub(MAX_ASKED));
        }
    }

    /// Takes the offer of a file. Only requested files are played, so that no user can make another's machine sound.
    pub(super) fn offered(&mut self, by: &str, offer: &Offer<'_>, now: Now) {
        if self.listening.answered(by, |file| usize::from(file == offer.file), now).is_none() {
            self.note(now, &format!("{by} plays {}, which you did not ask for", offer.file));
            return;
        }
        let effect = Effect::Listen { address: offer.rtsp.to_owned(), volume: self.listening.volume };
        if self.leave_effect(effect) {
            self.note(
                now,
                &format!("{by} plays {}. /stop stops it, /volume 50 sets the volume.", offer.file),
            );
            let (of, file) = (by.to_owned(), offer.file.to_owned());
            self.listening.current = Some(Current { of, file, progress: PlaybackProgress::default() });
        } else {
            self.error(now, &format!("{by} plays {}, but too many requests are waiting", offer.file));
        }
    }

    /// Takes a refusal by the server.
    pub(super) fn not_played(&mut self, operation: &str, why: &str) {
        if operation == Operation::Play.wire() {
            self.listening.refused(why);
        }
    }

    /// Takes the answer of a user who does not play a requested file.
    pub(super) fn not_offered(&mut self, by: &str, why: &str, now: Now) {
        let why = &without_codes(why.strip_prefix("cannot: ").unwrap_or(why));
        // Most answers name the file, because several may be requested. The server ends the request by the same rule:
        // the longest file that the answer contains.
        let rank = |file: &str| if why.contains(file) { file.len() } else { 0 };
        let asked = self.listening.answered(by, rank, now);
        let named = |file: &str| why.strip_prefix(file).and_then(|why| why.strip_prefix(": "));
        self.error(
            now,
            &match asked {
                Some(Asked { file, .. }) => {
                    format!("{by} does not play {file}: {}", named(&file).unwrap_or(why))
                }
                None => format!("{by} does not play what is asked for: {why}"),
            },
        );
    }

    /// Takes the progress of the stream.
    pub fn hears(&mut self, progress: PlaybackProgress, now: Now) {
        let Some(current) = &mut self.listening.current else { return };
        let fell_back = progress.fell_back && !current.progress.fell_back;
        current.progress = progress;
        if fell_back {
            self.note(now, &format!("{}.", sentence(words::FELL_BACK)));
        }
    }

    /// Shows how the stream ended: at its end, or why it broke off.
    pub fn heard(&mut self, over: Result<Played, PlaybackError>, now: Now) {
        let Some(Current { of, file, progress }) = self.listening.current.take() else { return };
        match over {
            // A BYE by UDP may be lost, so a stream that was cut at its end counts as whole.
            Ok(Played { ending: StreamEnd::Cut, .. }) if !words::is_whole(&progress) => {
                let place = words::place(&progress);
                let text = format!(
                    "{file} of {of} broke off at {place}: the server closed the connection that carried it"
                );
                self.error(now, &text);
            }
            Ok(_) => {
                let lost = words::remark(&progress).map(|lost| format!(" ({lost})")).unwrap_or_default();
                let to = if words::is_short(&progress) {
                    format!(" up to {}", words::place(&progress))
                } else {
                    String::new()
                };
                self.note(now, &format!("You heard {file} of {of}{to}{lost}."));
            }
            Err(why) if progress.stage == Stage::Playing => {
                let place = words::place(&progress);
                self.error(
                    now,
                    &format!("{file} of {of} broke off at {place}: {}", without_codes(&why.to_string())),
                );
            }
            Err(why) => {
                let why = without_codes(&why.to_string());
                self.error(now, &format!("{file} of {of} is not heard: {why}"));
            }
        }
    }

    /// Carries out a typed line that is about the stream or the volume. Returns whether it is.
    pub(super) fn listens(&mut self, now: Now) -> bool {
        match wish(self.line.text()) {
            Some(Wish::Volume(Some(volume))) => {
                self.listening.volume = volume;
                self.leave_effect(Effect::Hear(PlaybackCommand::Volume(volume)));
                self.note(now, &format!("The volume is {volume}."));
            }
            Some(Wish::Volume(None)) => {
                let volume = self.listening.volume;
                self.note(now, &format!("The volume is {volume}. /volume 50 changes it."));
            }
            Some(Wish::Stop) if self.listening.current.is_some() => {
                self.leave_effect(Effect::Hear(PlaybackCommand::Stop));
            }
            Some(Wish::Unclear(hint)) => {
                self.hint = Some(hint);
                return true;
            }
            _ => return false,
        }
        self.line.take();
        true
    }
}

/// Reads `/volume 50`, `/volume` and `/stop`.
fn wish(line: &str) -> Option<Wish> {
    let line = line.strip_prefix('/')?.trim_end();
    let (word, rest) = line.split_once(' ').map_or((line, ""), |(word, rest)| (word, rest.trim()));
    match (word.to_ascii_lowercase().as_str(), rest) {
        ("volume", "") => Some(Wish::Volume(None)),
        ("volume", volume) => Some(match volume.parse() {
            Ok(volume) => Wish::Volume(Some(volume)),
            Err(why) => Wish::Unclear(format!("{}. Type: /volume 50", sentence(&why.to_string()))),
        }),
        ("stop", "") => Some(Wish::Stop),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes() {
        for (line, meant) in [
            ("/volume 30", Some(Wish::Volume(Some("30".parse().unwrap())))),
            ("/Volume", Some(Wish::Volume(None))),
            ("/stop ", Some(Wish::Stop)),
            (
                "/volume x",
                Some(Wish::Unclear("A volume is a number from 0 to 100. Type: /volume 50".to_owned())),
            ),
            ("/stop song.mp3", None),
            ("/stopp", None),
            ("volume 3", None),
        ] {
            assert_eq!(wish(line), meant, "{line}");
        }
    }
}
