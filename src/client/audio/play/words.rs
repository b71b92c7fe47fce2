//! How far a stream is, in words. No IO.

use std::{fmt::Write, time::Duration};

use super::player::{Progress, Stage};

/// One line: how far it is, what waits, and what was lost.
#[must_use]
pub fn line(progress: &Progress) -> String {
    let figures = progress.figures;
    match progress.stage {
        Stage::Asking => return "asks the server for it".to_owned(),
        Stage::Waiting => return "waits for the first sound".to_owned(),
        Stage::Playing => {}
    }
    let mut line = clock(progress.from + figures.played + figures.concealed + figures.skipped);
    if let Some(length) = progress.length {
        // A String takes everything.
        let _ = write!(line, " of {}", clock(length));
    }
    let _ = write!(line, " · buffer {} ms", figures.buffered.as_millis());
    line + &lost(progress)
}

/// ` · lost 3 of 1042 (0.3 %), 0.1 s concealed · 2.5 s left out to catch up`, or as much of it as there is to say.
fn lost(progress: &Progress) -> String {
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
    if counts.skipped > 0 {
        let _ = write!(line, " · {:.1} s left out to catch up", figures.skipped.as_secs_f64());
    }
    line
}

/// What is said at the end, where something was lost.
#[must_use]
pub fn remark(progress: &Progress) -> Option<String> {
    Some(lost(progress)).filter(|lost| !lost.is_empty()).map(|lost| lost.trim_start_matches(" · ").to_owned())
}

/// `3:40`, `1:02:03`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// What is said when the stream comes in another way than it was asked for.
pub const FELL_BACK: &str = "no sound came by UDP within 2 s; it comes by TCP now";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::audio::play::{jitter::Counts, playout::Figures};

    #[test]
    fn lines() {
        let s = Duration::from_secs;
        let mut progress = Progress::default();
        assert_eq!(line(&progress), "asks the server for it");
        progress.stage = Stage::Waiting;
        assert_eq!(line(&progress), "waits for the first sound");
        progress.stage = Stage::Playing;
        progress.figures =
            Figures { played: s(72), buffered: Duration::from_millis(60), ..Figures::default() };
        assert_eq!(line(&progress), "1:12 · buffer 60 ms");
        assert_eq!(remark(&progress), None);
        progress.length = Some(s(3_723));
        progress.from = s(60);
        progress.figures.counts = Counts { played: 1_039, missed: 3, ..Counts::default() };
        progress.figures.concealed = Duration::from_millis(60);
        let lost = "lost 3 of 1042 (0.2 %), 0.1 s concealed";
        assert_eq!(line(&progress), format!("2:12 of 1:02:03 · buffer 60 ms · {lost}"));
        assert_eq!(remark(&progress).as_deref(), Some(lost));
        // What is left out is passed, and is not lost.
        progress.figures = Figures { skipped: Duration::from_millis(2_500), ..Figures::default() };
        progress.figures.counts.skipped = 125;
        let skipped = "2.5 s left out to catch up";
        assert_eq!(line(&progress), format!("1:02 of 1:02:03 · buffer 0 ms · {skipped}"));
        assert_eq!(remark(&progress).as_deref(), Some(skipped));
    }
}
