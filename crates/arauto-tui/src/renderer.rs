//! [`Renderer`]: turns pictures into the bytes that show them, each as its difference from the one before.
//!
//! Terminals disagree about the width of flags, families and other glyphs of several characters: they draw them in one
//! to eight cells, and hold the halves of a flag as two. The library's own difference of two pictures takes every glyph
//! for as wide as it is here, and would leave the rest of such a glyph on the screen for good. So a changed row that
//! holds one, or held one before, is erased and written as a whole, from the left: what follows a glyph is written over
//! whatever the terminal draws beyond the glyph's cells.

use std::{
    cell::RefCell,
    io::{self, Write},
    rc::Rc,
};

use ratatui::{
    backend::{Backend, ClearType, CrosstermBackend},
    buffer::{Buffer, Cell, CellDiffOption},
    layout::{Position, Rect},
};

/// Turns pictures into the bytes that show them.
pub struct Renderer {
    backend: CrosstermBackend<Output>,
    output: Output,
    /// The picture that the terminal shows.
    shown: Buffer,
}

/// Gathers the bytes of a picture, which the backend flushes in pieces. A terminal that gets them in one write shows no
/// half of a picture, and a shell that stops this process gets the terminal after a whole one.
#[derive(Clone, Default)]
struct Output(Rc<RefCell<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Renderer {
    /// Creates a renderer for a blank terminal of this size.
    pub fn new(area: Rect) -> Self {
        let output = Output::default();
        Self { backend: CrosstermBackend::new(output.clone()), output, shown: Buffer::empty(area) }
    }

    /// The part of the terminal that pictures cover.
    pub fn area(&self) -> Rect {
        self.shown.area
    }

    /// Erases the terminal, which has this size from now on, before the next picture.
    ///
    /// # Errors
    /// None: the bytes are gathered in memory. The backend's interface has an error.
    pub fn clear(&mut self, area: Rect) -> io::Result<()> {
        self.shown = Buffer::empty(area);
        self.backend.clear_region(ClearType::All)
    }

    /// Returns the bytes that show a picture, which covers [`Self::area`], and the cursor, if it has a position.
    ///
    /// # Errors
    /// As [`Self::clear`].
    pub fn draw(&mut self, picture: Buffer, cursor: Option<Position>) -> io::Result<Vec<u8>> {
        let columns = usize::from(self.shown.area.width).max(1);
        let mut changed = Vec::new();
        let rows = self.shown.content.chunks(columns).zip(picture.content.chunks(columns));
        for (y, (before, after)) in (self.shown.area.top()..).zip(rows) {
            if before == after {
                continue;
            }
            let is_whole = before.iter().chain(after).any(is_doubtful);
            if is_whole {
                self.backend.set_cursor_position(Position { x: 0, y })?;
                self.backend.clear_region(ClearType::CurrentLine)?;
            }
            for (x, (before, after)) in (self.shown.area.left()..).zip(before.iter().zip(after)) {
                if !is_covered(after) && (is_whole || before != after) {
                    changed.push((x, y, after));
                }
            }
        }
        self.backend.draw(changed.into_iter())?;
        match cursor {
            Some(position) => {
                self.backend.show_cursor()?;
                self.backend.set_cursor_position(position)?;
            }
            None => self.backend.hide_cursor()?,
        }
        self.shown = picture;
        Ok(self.output.0.take())
    }
}

/// Whether a cell belongs to a wide glyph in the cell before it.
fn is_covered(cell: &Cell) -> bool {
    cell.diff_option == CellDiffOption::Skip
}

/// Whether terminals may draw a cell's glyph in another number of cells than it has here.
fn is_doubtful(cell: &Cell) -> bool {
    is_covered(cell) || cell.symbol().chars().nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use proptest::prelude::*;
    use ratatui::style::Style;

    use super::*;
    use crate::text::{glyphs, paint};

    const AREA: Rect = Rect::new(0, 0, 20, 4);

    fn picture(rows: &[&str]) -> Buffer {
        let mut picture = Buffer::empty(AREA);
        for (row, y) in rows.iter().zip(0..) {
            paint(&glyphs(row, Style::new()), Rect { y, height: 1, ..AREA }, &mut picture);
        }
        picture
    }

    /// The rows of a terminal after these pictures. It draws the characters of a glyph one by one.
    fn shown(pictures: &[Vec<String>]) -> Vec<String> {
        let size = |number| NonZeroU16::new(number).unwrap();
        let mut parser = vt100::Parser::default();
        parser.set_size(size(AREA.height), size(AREA.width));
        let mut renderer = Renderer::new(AREA);
        for rows in pictures {
            let rows: Vec<_> = rows.iter().map(String::as_str).collect();
            parser.process(&renderer.draw(picture(&rows), None).unwrap());
        }
        parser.screen().rows(0, AREA.width).map(|row| row.trim_end().to_owned()).collect()
    }

    /// Rows that leave room at their end, so that no glyph is drawn across the edge.
    fn rows() -> impl Strategy<Value = Vec<String>> {
        let part = prop::sample::select(vec![
            "a",
            " ",
            "b c",
            "日",
            "🇧🇷",
            "👩\u{200d}💻",
            "👋🏽",
            "❤\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "e\u{301}",
        ]);
        prop::collection::vec(prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat()), 4)
    }

    proptest! {
        #[test]
        fn nothing_of_an_earlier_picture_stays(pictures in prop::collection::vec(rows(), 2..5)) {
            prop_assert_eq!(shown(&pictures), shown(&pictures[pictures.len() - 1..]));
        }
    }

    #[test]
    fn what_did_not_change_is_not_written() {
        let mut renderer = Renderer::new(AREA);
        renderer.draw(picture(&["a 日 b", "plain"]), None).unwrap();
        let written = renderer.draw(picture(&["a 日 b", "plane"]), None).unwrap();
        let written = String::from_utf8(written).unwrap();
        assert!(written.contains("ne") && !written.contains("pla") && !written.contains('日'), "{written:?}");
    }
}
