//! Arrow keys: they recall typed lines, or scroll the conversation where the wheel of a mouse sends them.
//!
//! On the alternate screen, a terminal sends arrow keys for the wheel, three or more at once. Only their speed tells
//! them from typed ones: no key repeats within [`MAX_WHEEL_INTERVAL`].

use std::time::Duration;

use super::{app::App, arrow::Arrow, clock::Now};

/// Arrow keys that come closer together than this are the wheel's. A key that is held down repeats every 20 ms at the
/// fastest.
const MAX_WHEEL_INTERVAL: Duration = Duration::from_millis(12);

impl App {
    /// Handles an arrow key in the input line. If the line is unfinished, the conversation scrolls: a wheel that
    /// turns slowly sends single arrows, which must not replace the line. Ctrl-P and Ctrl-N recall lines in any case.
    pub(super) fn arrow(&mut self, is_up: bool, now: Now) {
        let last = self.arrow.take().filter(|last| {
            last.is_up == is_up && now.at.saturating_duration_since(last.at) <= MAX_WHEEL_INTERVAL
        });
        let mut before = None;
        match last {
            Some(Arrow { before: Some(typed), .. }) => {
                // The previous arrow was the wheel's as well.
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

    /// Scrolls by `rows` rows up or down.
    pub(super) fn scroll_by(&mut self, is_up: bool, rows: usize) {
        if is_up {
            self.scroll_up(rows);
        } else {
            self.scroll_down(rows);
        }
    }
}
