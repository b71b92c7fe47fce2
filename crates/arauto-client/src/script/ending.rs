//! [`verdict`]: whether a stream that has ended was played to the end of its file, and if not, why.

use super::Failure;
use crate::audio::play::{Ending, Progress, Stage, words};

/// The control connection's messages about a stream while it was played.
#[derive(Debug, Default)]
pub(super) struct Word {
    /// The server's `stop` message about the stream.
    pub said: Said,
    /// Why the control connection ended, if it did. The stream may outlive it.
    pub lost: Option<Failure>,
}

/// The content of a `stop` message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Said {
    /// No such message came.
    #[default]
    Nothing,
    /// The publisher ended the stream.
    Ended,
    /// The stream ended for this reason.
    Because(String),
}

impl Word {
    /// Whether the control connection has nothing more to report.
    pub fn is_final(&self) -> bool {
        self.said != Said::Nothing || self.lost.is_some()
    }

    /// Takes DATA of a `stop` message if it is about this `file` of this `publisher`.
    pub fn take(&mut self, data: &str, publisher: &str, file: &str) {
        let rest = data.strip_prefix(publisher).and_then(|rest| rest.strip_prefix(": "));
        let rest = rest.and_then(|rest| rest.strip_prefix(file)).and_then(|rest| rest.strip_prefix(" ended"));
        // Only the first message counts: a later one is about the next stream of that name.
        if self.said == Said::Nothing
            && let Some(rest) = rest
        {
            self.said = match rest.strip_prefix(": ") {
                Some(why) => Said::Because(why.to_owned()),
                None if rest.is_empty() => Said::Ended,
                None => Said::Nothing,
            };
        }
    }
}

/// Why a stream broke off.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The server or the publisher ended the stream, for this reason.
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
    Stream(crate::rtsp::Failure),
}

/// Judges a stream that ended with `ending`. The error names `publisher` if it ended its own stream too early.
///
/// # Errors
/// If the server closed or gave a reason for the end, if the stream was cut and no `stop` message came, or if less
/// than the whole file was played, as far as that can be known. A stream that the user stopped is never an error.
pub(super) fn verdict(
    ending: Ending,
    progress: &Progress,
    word: Word,
    publisher: &str,
) -> Result<(), Broken> {
    let is_short = words::is_short(progress) || progress.stage != Stage::Playing;
    match (ending, word) {
        (Ending::Stopped, _) => Ok(()),
        (_, Word { said: Said::Because(why), .. }) => Err(Broken::Ended(why)),
        (_, Word { said: Said::Ended, .. }) if is_short => {
            Err(Broken::Ended(format!("{publisher} ended it")))
        }
        (_, Word { said: Said::Ended, .. }) => Ok(()),
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
    use crate::audio::play::playout::Figures;

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
        for (data, said) in [
            ("ana: a song.mp3 ended", Said::Ended),
            ("ana: a song.mp3 ended: ana has left", Said::Because("ana has left".to_owned())),
            ("ana: a song.mp3 ended early", Said::Nothing),
            ("ana: another.mp3 ended", Said::Nothing),
            ("bob: a song.mp3 ended", Said::Nothing),
        ] {
            let mut word = Word::default();
            word.take(data, "ana", "a song.mp3");
            assert_eq!(word.said, said, "{data}");
        }
        let mut word = Word::default();
        word.take("ana: a ended", "ana", "a");
        word.take("ana: a ended: ana has left", "ana", "a");
        assert_eq!(word.said, Said::Ended);
    }

    #[test]
    fn each_end_has_its_verdict() {
        let (whole, early, unknown) = (progress(218, Some(220)), progress(12, Some(220)), progress(12, None));
        let ended = |why: Option<&str>| Word {
            said: why.map_or(Said::Ended, |why| Said::Because(why.to_owned())),
            lost: None,
        };
        let lost = |lost| Word { said: Said::Nothing, lost: Some(lost) };
        for (ending, progress, word, expected) in [
            (Ending::Stopped, &early, Word::default(), "played"),
            (Ending::Over, &whole, ended(None), "played"),
            (Ending::Over, &unknown, ended(None), "played"),
            // The listener may have joined late: where in the file is not known.
            (Ending::Over, &Progress { from: None, ..early.clone() }, ended(None), "played"),
            // A BYE sent by UDP may be lost.
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
