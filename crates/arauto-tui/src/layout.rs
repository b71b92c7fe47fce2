//! [`Panes`]: how the screen is divided.

use ratatui::layout::{Rect, Size};

/// From this width in columns on, the list of connected users has a pane.
const COLUMNS_FOR_PEOPLE: u16 = 60;
/// Width of that pane in columns, with the line beside it.
const PEOPLE_COLUMNS: u16 = 21;
/// From this height in rows on, there is a rule above the input line.
const ROWS_FOR_RULE: u16 = 6;

/// The parts of the screen. A part without room is empty; the input line has a row whenever the screen has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panes {
    /// The conversation.
    pub log: Rect,
    /// The connected users.
    pub people: Rect,
    /// The rule above the input line.
    pub rule: Rect,
    /// The input line.
    pub input: Rect,
    /// The state, and the keys.
    pub status: Rect,
}

impl Panes {
    /// Divides a screen of this size.
    #[must_use]
    pub fn new(Size { width, height }: Size) -> Self {
        let row = |y, is_there: bool| Rect::new(0, y, width, u16::from(is_there && height > 0));
        let has_status = height >= 3;
        let has_rule = height >= ROWS_FOR_RULE;
        let below = 1 + u16::from(has_status) + u16::from(has_rule);
        let rows = height.saturating_sub(below);
        let for_people = if width >= COLUMNS_FOR_PEOPLE && rows > 0 { PEOPLE_COLUMNS } else { 0 };
        let input = rows + u16::from(has_rule);
        Self {
            log: Rect::new(0, 0, width - for_people, rows),
            people: Rect::new(width - for_people, 0, for_people, rows),
            rule: row(rows, has_rule),
            input: row(input, true),
            status: row(input + 1, has_status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_line_is_always_there() {
        for height in 1..40 {
            for width in [1, 20, 59, 60, 80] {
                let panes = Panes::new(Size { width, height });
                assert_eq!((panes.input.width, panes.input.height), (width, 1));
                let rows = panes.log.height + panes.rule.height + panes.input.height + panes.status.height;
                assert_eq!(rows, height);
                assert_eq!(panes.log.width + panes.people.width, width);
            }
        }
        assert_eq!(Panes::new(Size { width: 0, height: 0 }).input.height, 0);
    }
}
