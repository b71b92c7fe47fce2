//! Describes the progress of a stream in words. No IO.

use std::{fmt::Write, time::Duration};

use super::player::{PlaybackProgress, Stage};

/// Missing part of a file that [`is_short`] never reports: what a listener misses at the beginning, and rounding, are
/// less.
const MIN_SHORTFALL: Duration = Duration::from_secs(2);
/// Missing part of a file from which [`is_short`] always reports it.
const MAX_SHORTFALL: Duration = Duration::from_secs(15);

/// Progress in one line: position, queued audio, and losses.
#[must_use]
pub fn line(progress: &PlaybackProgress) -> String {
    let figures = progress.figures;
    match progress.stage {
        Stage::Asking => return "asking the server".to_owned(),
        Stage::Waiting => return "waiting for the first audio".to_owned(),
        Stage::Playing => {}
    }
    let mut line = place(progress);
    // Writing to a `String` cannot fail.
    let _ = write!(line, " · buffer {} ms", figures.buffered.as_millis());
    line + &lost(progress)
}

/// `1:12 of 3:40`, or `1:12` if the length is unknown.
#[must_use]
pub fn place(progress: &PlaybackProgress) -> String {
    let place = position(progress);
    match progress.length {
        Some(length) => format!("{place} of {}", clock(length)),
        None => place,
    }
}

/// `1:12`.
#[must_use]
pub fn position(progress: &PlaybackProgress) -> String {
    clock(elapsed(progress))
}

/// How much of the file has passed, including what passed before this listener joined.
fn elapsed(progress: &PlaybackProgress) -> Duration {
    let figures = progress.figures;
    progress.from.unwrap_or_default() + figures.played + figures.concealed + figures.skipped
}

/// Whether a finished stream ended before the end of its file. `false` if the length, or the position at which the
/// listener joined, is unknown.
///
/// A length may be an estimate (an MP3 without a header that counts its frames), so a tenth of it may be missing,
/// within `MIN_SHORTFALL` and `MAX_SHORTFALL`.
#[must_use]
pub fn is_short(progress: &PlaybackProgress) -> bool {
    let tolerated = |length: Duration| (length / 10).clamp(MIN_SHORTFALL, MAX_SHORTFALL);
    let length = progress.length.filter(|_| progress.from.is_some());
    length.is_some_and(|length| elapsed(progress) + tolerated(length) < length)
}

/// Whether a finished stream was played to the end of its file. `false` if that cannot be known, as in [`is_short`].
#[must_use]
pub fn is_whole(progress: &PlaybackProgress) -> bool {
    progress.length.is_some() && progress.from.is_some() && !is_short(progress)
}

/// ` · lost 3 of 1042 (0.3 %), 0.1 s concealed · 2.5 s skipped to catch up`, or the parts of it that apply.
fn lost(progress: &PlaybackProgress) -> String {
    let figures = progress.figures;
    let counts = figures.counts;
    let gone = counts.missed;
    let mut line = String::new();
    if gone > 0 || !figures.concealed.is_zero() {
        let all = (counts.played + gone).max(1);
        // In tenths of a percent.
        let part = gone.saturating_mul(1_000) / all;
        line = format!(
            " · lost {gone} of {all} ({}.{} %), {:.1} s concealed",
            part / 10,
            part % 10,
            figures.concealed.as_secs_f64()
        );
    }
    if counts.skipped > 0 && figures.skipped.is_zero() {
        // Into a file: see `MAX_AHEAD`.
        let _ = write!(line, " · {} datagrams dropped: they arrived faster than real time", counts.skipped);
    } else if counts.skipped > 0 {
        let _ = write!(line, " · {:.1} s skipped to catch up", figures.skipped.as_secs_f64());
    }
    line
}

/// Losses, for display at the end; `None` if there were none.
#[must_use]
pub fn remark(progress: &PlaybackProgress) -> Option<String> {
    Some(lost(progress)).filter(|lost| !lost.is_empty()).map(|lost| lost.trim_start_matches(" · ").to_owned())
}

/// Formats as `3:40` or `1:02:03`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// Notice for a stream that is received by another transport than requested.
pub const FELL_BACK: &str = "no audio arrived by UDP within 2 s; it arrives by TCP now";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::play::{jitter::Counts, playout::Figures};

    #[test]
    fn lines() {
        let s = Duration::from_secs;
        let mut progress = PlaybackProgress::default();
        assert_eq!(line(&progress), "asking the server");
        progress.stage = Stage::Waiting;
        assert_eq!(line(&progress), "waiting for the first audio");
        progress.stage = Stage::Playing;
        progress.figures =
            Figures { played: s(72), buffered: Duration::from_millis(60), ..Figures::default() };
        assert_eq!(line(&progress), "1:12 · buffer 60 ms");
        assert_eq!(remark(&progress), None);
        progress.length = Some(s(3_723));
        progress.from = Some(s(60));
        progress.figures.counts = Counts { played: 1_039, missed: 3, ..Counts::default() };
        progress.figures.concealed = Duration::from_millis(60);
        let lost = "lost 3 of 1042 (0.2 %), 0.1 s concealed";
        assert_eq!(line(&progress), format!("2:12 of 1:02:03 · buffer 60 ms · {lost}"));
        assert_eq!(remark(&progress).as_deref(), Some(lost));
        // Audio that was left out advances the position and is not lost.
        progress.figures = Figures { skipped: Duration::from_millis(2_500), ..Figures::default() };
        progress.figures.counts.skipped = 125;
        let skipped = "2.5 s skipped to catch up";
        assert_eq!(line(&progress), format!("1:02 of 1:02:03 · buffer 0 ms · {skipped}"));
        assert_eq!(remark(&progress).as_deref(), Some(skipped));
    }
}
