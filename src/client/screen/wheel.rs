//! What follows from arrow keys: lines typed before, or a look back, as the wheel of a mouse asks for.
//!
//! On a screen of its own, a terminal sends arrow keys for the wheel, three or more at once, and nothing tells them from
//! typed ones but their haste: no key repeats within [`AT_ONCE`].

use std::time::{Duration, Instant};

use super::{app::App, clock::Now, line::Typed};

/// Arrows that come closer together than this are the wheel's. A key that is held down repeats every 20 ms at the fastest.
const AT_ONCE: Duration = Duration::from_millis(12);

/// The last arrow key.
#[derive(Debug)]
pub struct Arrow {
    at: Instant,
    is_up: bool,
    /// The line before it, if that was changed.
    before: Option<Typed>,
}

impl App {
    /// An arrow key on the line. With a line that is unfinished, the conversation scrolls: a wheel that turns slowly sends
    /// single arrows, and they must not take it away. Ctrl-P and Ctrl-N do not scroll.
    pub(super) fn arrow(&mut self, is_up: bool, now: Now) {
        let last = self
            .arrow
            .take()
            .filter(|last| last.is_up == is_up && now.at.saturating_duration_since(last.at) <= AT_ONCE);
        let mut before = None;
        match last {
            Some(Arrow { before: Some(typed), .. }) => {
                // The first of them was the wheel's as well.
                self.line.put_back(typed);
                self.scroll_by(is_up, 2);
            }
            Some(_) => self.scroll_by(is_up, 1),
            None if self.line.is_unfinished() => self.scroll_by(is_up, 1),
            None => {
                before = Some(self.line.typed());
                if is_up {
                    self.line.older();
                } else {
                    self.line.newer();
                }
            }
        }
        self.arrow = Some(Arrow { at: now.at, is_up, before });
    }

    /// Looks so many rows up or down.
    pub(super) fn scroll_by(&mut self, is_up: bool, rows: usize) {
        if is_up {
            self.scroll_up(rows);
        } else {
            self.scroll_down(rows);
        }
    }
}
