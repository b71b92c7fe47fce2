//! [`verdict`]: whether a stream that is over was played to its end, and if not, why.

use super::Failure;
use crate::client::audio::play::{Ending, Progress, Stage, words};

/// What the control connection said while a stream was played.
#[derive(Debug, Default)]
pub(super) struct Word {
    /// The server said that the stream ended (`stop`), and with which reason, if with any.
    pub ended: Option<Option<String>>,
    /// The control connection ended, and why. The stream may outlive it.
    pub lost: Option<Failure>,
}

impl Word {
    /// Whether nothing more is to be expected from the control connection.
    pub fn is_final(&self) -> bool {
        self.ended.is_some() || self.lost.is_some()
    }

    /// Takes DATA of a `stop` message, if it is about this file of this publisher.
    pub fn take(&mut self, data: &str, publisher: &str, file: &str) {
        let rest = data.strip_prefix(publisher).and_then(|rest| rest.strip_prefix(": "));
        let rest = rest.and_then(|rest| rest.strip_prefix(file)).and_then(|rest| rest.strip_prefix(" ended"));
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(": ")) {
            let why = rest.strip_prefix(": ").map(str::to_owned);
            self.ended.get_or_insert(why);
        }
    }
}

/// Why a stream broke off.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The server or the publisher ended it.
    #[error("{0}")]
    Ended(String),
    /// The control connection ended, and the stream with it.
    #[error(transparent)]
    Lost(Box<Failure>),
    /// The RTSP connection was closed although the stream goes on.
    #[error("the connection that carried it was closed")]
    Cut,
    /// The RTSP connection failed.
    #[error(transparent)]
    Stream(crate::client::rtsp::Failure),
}

/// What came of a stream that ended in this way. `publisher` is named where it ended its own stream too early.
///
/// # Errors
/// If less was played than the whole file, as far as that can be known.
pub(super) fn verdict(
    ending: Ending,
    progress: &Progress,
    word: Word,
    publisher: &str,
) -> Result<(), Broken> {
    let is_short = words::is_short(progress) || progress.stage != Stage::Playing;
    match (ending, word) {
        (Ending::Stopped, _) => Ok(()),
        (_, Word { ended: Some(Some(why)), .. }) => Err(Broken::Ended(why)),
        (_, Word { ended: Some(None), .. }) if is_short => {
            Err(Broken::Ended(format!("{publisher} ended it")))
        }
        (_, Word { ended: Some(None), .. }) => Ok(()),
        (_, Word { lost: Some(why @ Failure::ServerClosed), .. }) => Err(Broken::Lost(Box::new(why))),
        (Ending::Over, _) if !is_short => Ok(()),
        (_, Word { lost: Some(why), .. }) => Err(Broken::Lost(Box::new(why))),
        (Ending::Over, _) => Err(Broken::Ended("the server ended it".to_owned())),
        (Ending::Cut, _) => Err(Broken::Cut),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::audio::play::playout::Figures;

    fn progress(played: u64, length: Option<u64>) -> Progress {
        let figures = Figures { played: Duration::from_secs(played), ..Figures::default() };
        Progress {
            stage: Stage::Playing,
            from: Some(Duration::ZERO),
            figures,
            length: length.map(Duration::from_secs),
            ..Progress::default()
        }
    }

    fn said(ending: Ending, progress: &Progress, word: Word) -> String {
        verdict(ending, progress, word, "ana").map_or_else(|why| why.to_string(), |()| "played".to_owned())
    }

    #[test]
    fn words_about_another_stream_are_passed_over() {
        for (data, ended) in [
            ("ana: a song.mp3 ended", Some(None)),
            ("ana: a song.mp3 ended: ana has left", Some(Some("ana has left"))),
            ("ana: a song.mp3 ended early", None),
            ("ana: another.mp3 ended", None),
            ("bob: a song.mp3 ended", None),
        ] {
            let mut word = Word::default();
            word.take(data, "ana", "a song.mp3");
            assert_eq!(word.ended.as_ref().map(Option::as_deref), ended, "{data}");
        }
        // The first counts: what follows is about the next stream of that name.
        let mut word = Word::default();
        word.take("ana: a ended", "ana", "a");
        word.take("ana: a ended: ana has left", "ana", "a");
        assert_eq!(word.ended, Some(None));
    }

    #[test]
    fn each_end_has_its_verdict() {
        let (whole, early, unknown) = (progress(218, Some(220)), progress(12, Some(220)), progress(12, None));
        let ended = |why: Option<&str>| Word { ended: Some(why.map(str::to_owned)), lost: None };
        let lost = |lost| Word { ended: None, lost: Some(lost) };
        for (ending, progress, word, expected) in [
            (Ending::Stopped, &early, Word::default(), "played"),
            (Ending::Over, &whole, ended(None), "played"),
            (Ending::Over, &unknown, ended(None), "played"),
            // Where the listener joined is not known: it may have been late.
            (Ending::Over, &Progress { from: None, ..early.clone() }, ended(None), "played"),
            // A BYE by UDP may be lost.
            (Ending::Cut, &whole, ended(None), "played"),
            (Ending::Over, &early, ended(None), "ana ended it"),
            (Ending::Over, &whole, ended(Some("ana has left")), "ana has left"),
            (Ending::Over, &whole, lost(Failure::ServerClosed), "the server closed"),
            (Ending::Over, &whole, lost(Failure::Ended), "played"),
            (Ending::Over, &early, lost(Failure::Ended), "the server ended the connection"),
            (Ending::Cut, &whole, lost(Failure::Ended), "the server ended the connection"),
            (Ending::Over, &early, Word::default(), "the server ended it"),
            (Ending::Over, &unknown, Word::default(), "played"),
            (Ending::Cut, &whole, Word::default(), "the connection that carried it was closed"),
            (Ending::Over, &Progress::default(), ended(None), "ana ended it"),
        ] {
            assert_eq!(said(ending, progress, word), expected);
        }
    }
}
