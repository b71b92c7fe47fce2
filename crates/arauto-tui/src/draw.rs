//! The picture of an [`App`], drawn into a buffer. No IO.

use std::time::Instant;

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::{Modifier, Style},
};

use super::{
    app::{App, Prompt},
    entry::LogEntry,
    help,
    labels::labels,
    status,
    text::{Row, first_fitting, glyphs, glyphs_of_blanks, paint, shortened, width, wrap},
};

/// Below this width in columns, the input line has no label.
const COLUMNS_FOR_PROMPT: usize = 10;

/// Shown in place of each character of a password.
const MASK: &str = "•";

/// Label of the rule between seen and new entries.
const NEW: &str = " new ";

impl App {
    /// Draws the whole screen. Returns the position of the cursor, if there is room for it.
    pub fn draw(&self, buffer: &mut Buffer, now: Instant) -> Option<Position> {
        let panes = self.panes();
        match self.help {
            Some(from) => self.draw_help(from, panes.log, buffer),
            None => self.draw_log(panes.log, buffer),
        }
        self.draw_people(panes.people, buffer);
        self.draw_rule(panes.rule, buffer);
        paint(&status::row(self, now), panes.status, buffer);
        self.draw_hint(buffer);
        self.draw_input(panes.input, buffer)
    }

    fn draw_help(&self, from: usize, area: Rect, buffer: &mut Buffer) {
        let rows = help::rows(usize::from(area.width), self.theme);
        for (row, y) in rows.iter().skip(from).zip(area.top()..area.bottom()) {
            paint(row, Rect { y, height: 1, ..area }, buffer);
        }
    }

    /// Draws the conversation from the lower edge upwards.
    fn draw_log(&self, area: Rect, buffer: &mut Buffer) {
        let columns = usize::from(area.width);
        let mut free = area.top()..area.bottom();
        // Entries are laid out once more below, but only as many as fit.
        let entries = self.log.visible(|entry: &LogEntry| entry.rows(columns, self.theme).len());
        for (entry, count, is_new) in entries {
            let new = || shortened(glyphs(NEW, self.theme.notable()), columns);
            let mut rows = if is_new { vec![self.rule(columns, new())] } else { Vec::new() };
            rows.extend(entry.rows(columns, self.theme));
            for row in rows.iter().take(count).rev() {
                let Some(y) = free.next_back() else { return };
                paint(row, Rect { y, height: 1, ..area }, buffer);
            }
        }
    }

    fn draw_people(&self, area: Rect, buffer: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        let (quiet, names) = (self.theme.quiet(), self.people.names());
        let title =
            if self.people.is_known() { format!("{} here", names.len()) } else { "who is here?".to_owned() };
        let columns = usize::from(area.width).saturating_sub(3);
        let room = usize::from(area.height) - 1;
        let shown = if names.len() > room { room.saturating_sub(1) } else { names.len() };
        let mut rows = vec![glyphs(&title, quiet)];
        for name in names.iter().take(shown) {
            let style =
                if self.people.is_known() { self.theme.name(name, *name == self.name) } else { quiet };
            rows.push(glyphs(name, style));
        }
        if shown < names.len() {
            rows.push(glyphs(&format!("and {} more", names.len() - shown), quiet));
        }
        rows.resize(usize::from(area.height), Row::new());
        for (row, y) in rows.into_iter().zip(area.top()..area.bottom()) {
            let mut whole = glyphs(" │ ", quiet);
            whole.extend(shortened(row, columns));
            paint(&whole, Rect { y, height: 1, ..area }, buffer);
        }
    }

    fn draw_rule(&self, area: Rect, buffer: &mut Buffer) {
        let (labels, style) = match self.log.unread() {
            0 if self.log.is_following() => (Vec::new(), self.theme.quiet()),
            0 => (
                vec![" older messages; Ctrl-End: the newest ".to_owned(), " Ctrl-End: newest ".to_owned()],
                self.theme.quiet(),
            ),
            unread => (
                vec![
                    format!(" {unread} new below; Ctrl-End: the newest "),
                    format!(" {unread} new; Ctrl-End "),
                ],
                self.theme.notable(),
            ),
        };
        let columns = usize::from(area.width);
        let label = first_fitting(labels.iter().map(|label| glyphs(label, style)), columns);
        paint(&self.rule(columns, label), area, buffer);
    }

    /// A horizontal line with a label in it.
    fn rule(&self, columns: usize, label: Row) -> Row {
        let line = |columns| glyphs(&"─".repeat(columns), self.theme.quiet());
        let before = 2.min(columns - width(&label));
        let after = columns - width(&label) - before;
        [line(before), label, line(after)].concat()
    }

    /// Draws a hint that is too long for the last row, just above the input line.
    fn draw_hint(&self, buffer: &mut Buffer) {
        let panes = self.panes();
        let columns = usize::from(self.size.width);
        let Some(hint) = self.hint.as_deref().filter(|_| !self.hint_fits()) else { return };
        let rows = wrap(glyphs(hint, self.theme.notable()), columns, 0);
        let free = 0..panes.input.y;
        for (row, y) in rows.iter().rev().zip(free.rev()) {
            let mut whole = row.clone();
            whole.extend(glyphs_of_blanks(columns.saturating_sub(width(row))));
            paint(&whole, Rect { x: 0, y, width: self.size.width, height: 1 }, buffer);
        }
    }

    /// Whether the hint fits into the last row; `true` if there is none.
    pub(super) fn hint_fits(&self) -> bool {
        let columns = usize::from(self.panes().status.width);
        let has_row = self.panes().status.height > 0;
        self.hint.as_ref().is_none_or(|hint| has_row && width(&glyphs(hint, Style::new())) <= columns)
    }

    fn draw_input(&self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        if area.is_empty() {
            return None;
        }
        let columns = usize::from(area.width);
        let (before, after) = self.input();
        let mut row = self.label(columns);
        let begin = width(&row);
        let room = columns.saturating_sub(begin + 1);
        let (text, skipped) = scrolled(before, room);
        if skipped && let Some(sign) = row.first_mut() {
            "‹".clone_into(&mut sign.symbol);
        }
        row.extend(text);
        let cursor = width(&row);
        row.extend(after);
        paint(&row, area, buffer);
        let column = u16::try_from(cursor).unwrap_or(u16::MAX).min(area.width - 1);
        Some(Position { x: area.x + column, y: area.y })
    }

    /// The longest label of the prompt that fits.
    fn label(&self, columns: usize) -> Row {
        if columns < COLUMNS_FOR_PROMPT {
            return Row::new();
        }
        let is_typed_after = !matches!(self.prompt, Prompt::Close | Prompt::Paste(_) | Prompt::Over(_));
        let labels = labels(&self.prompt);
        let row = |label: &str| glyphs(label, self.theme.notable());
        if is_typed_after {
            // A label must leave room to type.
            first_fitting(labels.iter().map(|label| row(label)), columns / 2)
        } else {
            // The blank at the end is not needed.
            first_fitting(labels.iter().flat_map(|label| [row(label), row(label.trim_end())]), columns)
        }
    }

    /// The content of the input line: the text before the cursor, and the text after it.
    fn input(&self) -> (Row, Row) {
        let plain = Style::new();
        let halves = |text: &str, cursor: usize| {
            let cut = text.char_indices().nth(cursor).map_or(text.len(), |(at, _)| at);
            let (before, after) = text.split_at(cut);
            (glyphs(before, plain), glyphs(after, plain))
        };
        match &self.prompt {
            Prompt::Talk => halves(self.line.text(), self.line.cursor()),
            // Looks selected, as in an editor, because typing replaces it.
            Prompt::Name(input) if self.is_name_refused => {
                let selected = plain.add_modifier(Modifier::REVERSED);
                (glyphs(input.value(), selected), Row::new())
            }
            Prompt::Name(input) => halves(input.value(), input.cursor()),
            Prompt::Password { typed, .. } => {
                (glyphs(&MASK.repeat(typed.chars().count()), plain), Row::new())
            }
            Prompt::Close | Prompt::Paste(_) | Prompt::Over(_) => (Row::new(), Row::new()),
        }
    }
}

/// The end of a text, as much as fits, and whether the beginning is missing.
fn scrolled(mut text: Row, room: usize) -> (Row, bool) {
    let mut used = width(&text);
    let mut skipped = 0;
    for glyph in &text {
        if used <= room {
            break;
        }
        used -= usize::from(glyph.width);
        skipped += 1;
    }
    text.drain(..skipped);
    (text, skipped > 0)
}
