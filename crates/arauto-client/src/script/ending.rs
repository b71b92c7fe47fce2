//! [`verdict`]: whether a stream that has ended was played to the end of its file, and if not, why.

use super::ScriptError;
use crate::audio::play::{PlaybackProgress, Stage, StreamEnd, words};

/// The control connection's messages about a stream while it was played.
#[derive(Debug, Default)]
pub(super) struct Word {
    /// The server's `stop` message about the stream.
    pub said: StopNotice,
    /// Why the control connection ended, if it did. The stream may outlive it.
    pub lost: Option<ScriptError>,
}

/// The content of a `stop` message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum StopNotice {
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
        self.said != StopNotice::Nothing || self.lost.is_some()
    }

    /// Takes DATA of a `stop` message if it is about this `file` of this `publisher`.
    pub fn take(&mut self, data: &str, publisher: &str, file: &str) {
        let rest = data.strip_prefix(publisher).and_then(|rest| rest.strip_prefix(": "));
        let rest = rest.and_then(|rest| rest.strip_prefix(file)).and_then(|rest| rest.strip_prefix(" ended"));
        // Only the first message counts: a later one is about the next stream of that name.
        if self.said == StopNotice::Nothing
            && let Some(rest) = rest
        {
            self.said = match rest.strip_prefix(": ") {
                Some(why) => StopNotice::Because(why.to_owned()),
                None if rest.is_empty() => StopNotice::Ended,
                None => StopNotice::Nothing,
            };
        }
    }
}

/// Why a stream broke off.
#[derive(Debug, thiserror::Error)]
pub enum BrokenStream {
    /// The server or the publisher ended the stream, for this reason.
    #[error("{0}")]
    Ended(String),
    /// The control connection ended, and the stream with it.
    #[error(transparent)]
    Lost(Box<ScriptError>),
    /// The RTSP connection was closed although the stream goes on.
    #[error("the connection that carried it was closed")]
    Cut,
    /// The RTSP connection failed.
    #[error(transparent)]
    Stream(crate::rtsp::RtspError),
}

/// Judges a stream that ended with `ending`. The error names `publisher` if it ended its own stream too early.
///
/// # Errors
/// If the server closed or gave a reason for the end, if the stream was cut and no `stop` message came, or if less
/// than the whole file was played, as far as that can be known. A stream that the user stopped is never an error.
pub(super) fn verdict(
    ending: StreamEnd,
    progress: &PlaybackProgress,
    word: Word,
    publisher: &str,
) -> Result<(), BrokenStream> {
    let is_short = words::is_short(progress) || progress.stage != Stage::Playing;
    match (ending, word) {
        (StreamEnd::Stopped, _) => Ok(()),
        (_, Word { said: StopNotice::Because(why), .. }) => Err(BrokenStream::Ended(why)),
        (_, Word { said: StopNotice::Ended, .. }) if is_short => {
            Err(BrokenStream::Ended(format!("{publisher} ended it")))
        }
        (_, Word { said: StopNotice::Ended, .. }) => Ok(()),
        (_, Word { lost: Some(why @ ScriptError::ServerClosed), .. }) => {
            Err(BrokenStream::Lost(Box::new(why)))
        }
        (StreamEnd::Over, _) if !is_short => Ok(()),
        (_, Word { lost: Some(why), .. }) => Err(BrokenStream::Lost(Box::new(why))),
        (StreamEnd::Over, _) => Err(BrokenStream::Ended("the server ended it".to_owned())),
        (StreamEnd::Cut, _) => Err(BrokenStream::Cut),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::audio::play::playout::Figures;

    fn progress(played: u64, length: Option<u64>) -> PlaybackProgress {
        let figures = Figures { played: Duration::from_secs(played), ..Figures::default() };
        PlaybackProgress {
            stage: Stage::Playing,
            from: Some(Duration::ZERO),
            figures,
            length: length.map(Duration::from_secs),
            ..PlaybackProgress::default()
        }
    }

    fn said(ending: StreamEnd, progress: &PlaybackProgress, word: Word) -> String {
        verdict(ending, progress, word, "ana").map_or_else(|why| why.to_string(), |()| "played".to_owned())
    }

    #[test]
    fn words_about_another_stream_are_passed_over() {
        for (data, said) in [
            ("ana: a song.mp3 ended", StopNotice::Ended),
            ("ana: a song.mp3 ended: ana has left", StopNotice::Because("ana has left".to_owned())),
            ("ana: a song.mp3 ended early", StopNotice::Nothing),
            ("ana: another.mp3 ended", StopNotice::Nothing),
            ("bob: a song.mp3 ended", StopNotice::Nothing),
        ] {
            let mut word = Word::default();
            word.take(data, "ana", "a song.mp3");
            assert_eq!(word.said, said, "{data}");
        }
        let mut word = Word::default();
        word.take("ana: a ended", "ana", "a");
        word.take("ana: a ended: ana has left", "ana", "a");
        assert_eq!(word.said, StopNotice::Ended);
    }

    #[test]
    fn each_end_has_its_verdict() {
        let (whole, early, unknown) = (progress(218, Some(220)), progress(12, Some(220)), progress(12, None));
        let ended = |why: Option<&str>| Word {
            said: why.map_or(StopNotice::Ended, |why| StopNotice::Because(why.to_owned())),
            lost: None,
        };
        let lost = |lost| Word { said: StopNotice::Nothing, lost: Some(lost) };
        for (ending, progress, word, expected) in [
            (StreamEnd::Stopped, &early, Word::default(), "played"),
            (StreamEnd::Over, &whole, ended(None), "played"),
            (StreamEnd::Over, &unknown, ended(None), "played"),
            // The listener may have joined late: where in the file is not known.
            (StreamEnd::Over, &PlaybackProgress { from: None, ..early.clone() }, ended(None), "played"),
            // A BYE sent by UDP may be lost.
            (StreamEnd::Cut, &whole, ended(None), "played"),
            (StreamEnd::Over, &early, ended(None), "ana ended it"),
            (StreamEnd::Over, &whole, ended(Some("ana has left")), "ana has left"),
            (StreamEnd::Over, &whole, lost(ScriptError::ServerClosed), "the server closed"),
            (StreamEnd::Over, &whole, lost(ScriptError::Ended), "played"),
            (StreamEnd::Over, &early, lost(ScriptError::Ended), "the server ended the connection"),
            (StreamEnd::Cut, &whole, lost(ScriptError::Ended), "the server ended the connection"),
            (StreamEnd::Over, &early, Word::default(), "the server ended it"),
            (StreamEnd::Over, &unknown, Word::default(), "played"),
            (StreamEnd::Cut, &whole, Word::default(), "the connection that carried it was closed"),
            (StreamEnd::Over, &PlaybackProgress::default(), ended(None), "ana ended it"),
        ] {
            assert_eq!(said(ending, progress, word), expected);
        }
    }
}
