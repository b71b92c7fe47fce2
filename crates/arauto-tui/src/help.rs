//! The help that F1 shows.

use super::{
    commands::{self, Command},
    text::{Row, glyphs, glyphs_of_blanks, width, wrap},
    theme::Theme,
};

/// Width of the column of keys and commands, in screen columns.
const LEFT_COLUMNS: usize = 24;

/// Keys and their meaning.
const KEYS: [(&str, &str); 14] = [
    ("Enter", "send; text without a slash goes to everyone"),
    ("Tab, Shift-Tab", "complete a command or a name; again: the next, the previous"),
    ("Up, Down", "recall earlier lines; while a line is typed, or by the wheel: scroll"),
    ("Ctrl-P, Ctrl-N", "recall earlier lines, whatever is typed"),
    ("PgUp, PgDn", "scroll by a page; Shift-Up and Shift-Down by a row"),
    ("Ctrl-Home, Ctrl-End", "the oldest message, the newest"),
    ("Esc", "back to the newest message; close this help"),
    ("Ctrl-A, Ctrl-E", "start and end of the line; Ctrl-Left, Ctrl-Right by words"),
    ("Ctrl-U, Ctrl-K", "delete to the start, to the end of the line"),
    ("Ctrl-W", "delete a word; Ctrl-Y restores what was deleted last"),
    ("Ctrl-L", "redraw the screen"),
    ("Ctrl-Z", "suspend, and return to the shell; fg resumes"),
    ("F1", "this help"),
    ("Ctrl-C", "clear the line; leave if it is empty"),
];

/// Signs before messages and their meaning.
const SIGNS: [(&str, &str); 7] = [
    ("*", "private: nobody else got it"),
    ("=", "your own echo"),
    ("#", "a list of files"),
    ("-", "a notice"),
    ("!", "an error; before your own words: the server refused them"),
    ("…", "your words, not known to have arrived yet"),
    ("?", "your words; the connection broke before it was known whether they arrived"),
];

/// Returns the help in rows of at most `columns` columns.
#[must_use]
pub fn rows(columns: usize, theme: Theme) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut chapter = |title: &str, lines: Vec<(String, String)>| {
        if !rows.is_empty() {
            rows.push(Row::new());
        }
        rows.extend(wrap(glyphs(title, theme.notable()), columns, 0));
        for (left, right) in lines {
            rows.extend(line(&left, &right, columns, theme));
        }
    };
    let owned = |table: &[(&str, &str)]| -> Vec<_> {
        table.iter().map(|(left, right)| ((*left).to_owned(), (*right).to_owned())).collect()
    };
    chapter("Keys (Esc closes this help)", owned(&KEYS));
    let (for_operators, for_all): (Vec<_>, Vec<_>) =
        commands::all().partition(|command| command.is_for_operators);
    let typed = |commands: Vec<Command>| -> Vec<_> {
        let line = |Command { typed, does, .. }| (typed.to_owned(), does.to_owned());
        commands.into_iter().map(line).collect()
    };
    chapter("What you can type", typed(for_all));
    chapter("For operators of the server", typed(for_operators));
    chapter("Signs before messages", owned(&SIGNS));
    rows
}

fn line(left: &str, right: &str, columns: usize, theme: Theme) -> Vec<Row> {
    let left = glyphs(left, theme.name("", true));
    let right = glyphs(right, theme.quiet());
    if columns < 2 * LEFT_COLUMNS {
        let mut rows = wrap(left, columns, 0);
        let indented = glyphs_of_blanks(2).into_iter().chain(right).collect();
        rows.extend(wrap(indented, columns, 2));
        return rows;
    }
    let mut row = glyphs_of_blanks(2);
    row.extend(left);
    let room = LEFT_COLUMNS.saturating_sub(width(&row)).max(1);
    row.extend(glyphs_of_blanks(room));
    row.extend(right);
    wrap(row, columns, LEFT_COLUMNS)
}
