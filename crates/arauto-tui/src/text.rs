//! Text from users, made fit for a terminal: cut into [`Glyph`]s of known width, and these into rows.
//!
//! No output of this module moves a cursor, turns text around or is invisible.

use std::collections::VecDeque;

use arauto_protocol::{joiners, name};
use arauto_settings::escape::{self, Printable};
use ratatui::{
    buffer::{Buffer, CellDiffOption},
    layout::Rect,
    style::Style,
};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::theme::Theme;

/// Maximum number of marks drawn over one character; Vietnamese and Hebrew need two. Further marks are counted
/// instead of drawn.
const MAX_MARKS: usize = 3;

/// Maximum number of characters in one glyph, marks not counted: a family of four with their skin tones has 11.
const MAX_PARTS: usize = 16;

/// Drawn below a mark that follows no character.
const NOTHING_BELOW: char = '\u{25cc}';

/// A unit that is drawn in one place: a character and the marks over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glyph {
    /// The characters, never empty.
    pub symbol: String,
    /// Width in columns: 1 or 2.
    pub width: u16,
    /// The style in which it is drawn.
    pub style: Style,
}

/// A row of the screen.
pub type Row = Vec<Glyph>;

/// Cuts text into glyphs, all of them fit for a terminal.
#[must_use]
pub fn glyphs(text: &str, style: Style) -> Vec<Glyph> {
    let mut glyphs = Vec::<Glyph>::new();
    let (mut marks, mut more) = (0, 0);
    for (at, c) in text.char_indices() {
        let (before, after) = (&text[..at], &text[at + c.len_utf8()..]);
        let below = glyphs.last().map(|glyph| glyph.symbol.as_str());
        let is_part = below.is_some_and(|below| is_part(below, before, c, after));
        let shown = if is_part { Shown::Part } else { shown(c) };
        if !matches!(shown, Shown::Mark | Shown::Part) {
            count_rest(&mut glyphs, &mut more, style);
            marks = 0;
        }
        match shown {
            Shown::Mark if marks == MAX_MARKS => more += 1,
            Shown::Mark => {
                if glyphs.is_empty() {
                    glyphs.push(Glyph { symbol: NOTHING_BELOW.into(), width: 1, style });
                }
                if let Some(below) = glyphs.last_mut() {
                    below.symbol.push(c);
                }
                marks += 1;
            }
            Shown::Part => {
                if let Some(glyph) = glyphs.last_mut() {
                    glyph.symbol.push(c);
                    glyph.width = if glyph.symbol.width() > 1 { 2 } else { 1 };
                }
            }
            Shown::Nothing => {}
            Shown::Blanks => plain(&mut glyphs, "    ", style),
            Shown::Escape => plain(&mut glyphs, &Printable(c).to_string(), Theme::escape(style)),
            Shown::Code => {
                plain(&mut glyphs, &format!("\\u{{{:x}}}", u32::from(c)), Theme::escape(style));
            }
            Shown::Itself(width) => glyphs.push(Glyph { symbol: c.into(), width, style }),
        }
    }
    count_rest(&mut glyphs, &mut more, style);
    glyphs
}

/// How a character is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// As it is, in this many columns.
    Itself(u16),
    /// As a mark over the character before it.
    Mark,
    /// As a part of the glyph before it.
    Part,
    /// As an escape.
    Escape,
    /// As an escape, although [`Printable`] lets it pass.
    Code,
    /// A tab, as four blanks.
    Blanks,
    /// Not at all: it only selects one of two pictures of the character before it.
    Nothing,
}

/// Whether `c` is drawn as a part of the glyph before it (`below`): as a part of an emoji, or as a joiner that the
/// script needs.
fn is_part(below: &str, before: &str, c: char, after: &str) -> bool {
    !c.is_ascii()
        && below.chars().count() < MAX_PARTS
        && (joiners::is_needed(before, c, after) || joiners::continues(below, c))
}

fn shown(c: char) -> Shown {
    match c {
        ' '..='~' => Shown::Itself(1),
        '\t' => Shown::Blanks,
        '\u{fe0e}' | '\u{fe0f}' => Shown::Nothing,
        _ if escape::is_unsafe(c) => Shown::Escape,
        _ if name::is_invisible(c) && !c.is_whitespace() => Shown::Code,
        _ => match c.width() {
            Some(0) => Shown::Mark,
            Some(width @ 1..=2) => Shown::Itself(if width == 2 { 2 } else { 1 }),
            _ => Shown::Code,
        },
    }
}

fn plain(glyphs: &mut Vec<Glyph>, ascii: &str, style: Style) {
    glyphs.extend(ascii.chars().map(|c| Glyph { symbol: c.into(), width: 1, style }));
}

fn count_rest(glyphs: &mut Vec<Glyph>, more: &mut usize, style: Style) {
    match std::mem::take(more) {
        0 => {}
        1 => plain(glyphs, "(+1 mark)", Theme::escape(style)),
        more => plain(glyphs, &format!("(+{more} marks)"), Theme::escape(style)),
    }
}

/// Number of columns that these glyphs take.
#[must_use]
pub fn width(glyphs: &[Glyph]) -> usize {
    glyphs.iter().map(|glyph| usize::from(glyph.width)).sum()
}

/// Breaks a paragraph into rows of at most `columns` columns, at blanks where there are any. Rows after the first are
/// indented. Returns at least one row.
#[must_use]
pub fn wrap(glyphs: Vec<Glyph>, columns: usize, indent: usize) -> Vec<Row> {
    let columns = columns.max(1);
    let indent = if indent * 2 > columns { 0 } else { indent };
    let mut rows = Vec::new();
    let mut row = Row::new();
    let (mut used, mut begin) = (0, 0);
    let mut coming = VecDeque::from(glyphs);
    while let Some(glyph) = coming.pop_front() {
        let is_full = used + usize::from(glyph.width) > columns && row.len() > begin;
        if !is_full {
            used += usize::from(glyph.width);
            row.push(glyph);
            continue;
        }
        // A blank at the end of a row is not shown.
        if glyph.symbol != " " {
            let place = row.iter().skip(begin).rposition(|glyph| glyph.symbol == " ");
            let rest = place.map_or(Row::new(), |place| row.split_off(begin + place + 1));
            // The broken word is laid out again: it may not fit into an indented row either.
            coming.push_front(glyph);
            rest.into_iter().rev().for_each(|glyph| coming.push_front(glyph));
        }
        rows.push(std::mem::replace(&mut row, glyphs_of_blanks(indent)));
        (used, begin) = (indent, row.len());
    }
    rows.push(row);
    rows
}

/// Returns a row of `columns` blanks.
#[must_use]
pub fn glyphs_of_blanks(columns: usize) -> Row {
    vec![Glyph { symbol: " ".to_owned(), width: 1, style: Style::new() }; columns]
}

/// Shortens to at most `columns` columns. `…` stands for the missing part.
#[must_use]
pub fn shortened(mut glyphs: Vec<Glyph>, columns: usize) -> Vec<Glyph> {
    if width(&glyphs) <= columns {
        return glyphs;
    }
    let Some(room) = columns.checked_sub(1) else { return Vec::new() };
    let style = glyphs.first().map(|glyph| glyph.style).unwrap_or_default();
    // Widths are added up once, not anew for each glyph that is removed: a name may be as long as a message.
    let mut left = 0;
    let fit = glyphs.iter().take_while(|glyph| {
        left += usize::from(glyph.width);
        left <= room
    });
    let fit = fit.count();
    glyphs.truncate(fit);
    glyphs.push(Glyph { symbol: "…".to_owned(), width: 1, style });
    glyphs
}

/// Returns the first of these rows that has at most `columns` columns, or else the last of them, shortened.
pub fn first_fitting(rows: impl IntoIterator<Item = Row>, columns: usize) -> Row {
    let mut last = Row::new();
    for row in rows {
        if width(&row) <= columns {
            return row;
        }
        last = row;
    }
    shortened(last, columns)
}

/// Draws a row into an area that is one row high. Glyphs that do not fit are left out.
pub fn paint(row: &[Glyph], area: Rect, buffer: &mut Buffer) {
    let area = area.intersection(buffer.area);
    if area.height == 0 {
        return;
    }
    let mut x = area.x;
    for glyph in row {
        if x + glyph.width > area.right() {
            return;
        }
        for covered in x..x + glyph.width {
            let cell = &mut buffer[(covered, area.y)];
            cell.reset();
            // The terminal draws the rest of a wide glyph: nothing is to be written there.
            cell.set_diff_option(if covered > x { CellDiffOption::Skip } else { CellDiffOption::None });
        }
        buffer[(x, area.y)].set_symbol(&glyph.symbol).set_style(glyph.style);
        x += glyph.width;
    }
}

#[cfg(test)]
mod tests {
    use arauto_settings::strategies::anything;
    use proptest::prelude::*;

    use super::*;

    fn drawn(text: &str) -> String {
        glyphs(text, Style::new()).iter().map(|glyph| glyph.symbol.as_str()).collect()
    }

    #[test]
    fn what_could_do_harm_is_spelt_out() {
        for (raw, shown) in [
            ("olá, mundo", "olá, mundo"),
            ("\u{1b}[31mred\u{7}\u{9b}2J", "\\u{1b}[31mred\\u{7}\\u{9b}2J"),
            ("a\tb", "a    b"),
            ("evil\u{202e}txt.exe", "evil\\u{202e}txt.exe"),
            ("ze\u{200b}ro\u{feff}", "ze\\u{200b}ro\\u{feff}"),
            ("fill\u{3164}er\u{115f}", "fill\\u{3164}er\\u{115f}"),
            ("❤\u{fe0f}", "❤\u{fe0f}"),
            ("a\u{fe0f}", "a"),
            ("👩\u{200d}💻", "👩\u{200d}💻"),
            ("a\u{200d}💻", "a\\u{200d}💻"),
            ("علی\u{200c}رضا", "علی\u{200c}رضا"),
            ("ad\u{200c}min", "ad\\u{200c}min"),
            (
                "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
                "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            ),
            ("🏴\u{e0067}", "🏴\\u{e0067}"),
            ("שלום", "שלום"),
            ("\u{301}x", "\u{25cc}\u{301}x"),
            ("e\u{301}\u{302}\u{303}x", "e\u{301}\u{302}\u{303}x"),
            ("e\u{301}\u{302}\u{303}\u{304}x", "e\u{301}\u{302}\u{303}(+1 mark)x"),
            (&format!("z{}", "\u{300}".repeat(60)), "z\u{300}\u{300}\u{300}(+57 marks)"),
        ] {
            assert_eq!(drawn(raw), shown, "{raw:?}");
        }
    }

    #[test]
    fn what_is_too_long_ends_with_a_sign() {
        let short = |text: &str, columns| {
            let glyphs = shortened(glyphs(text, Style::new()), columns);
            glyphs.iter().map(|glyph| glyph.symbol.as_str()).collect::<String>()
        };
        assert_eq!(short("abc", 3), "abc");
        assert_eq!(short("abcd", 3), "ab…");
        assert_eq!(short("a漢b", 3), "a…");
        assert_eq!(short("ab", 0), "");
        assert_eq!(short(&"x".repeat(1_000_000), 5), "xxxx…");
    }

    #[test]
    fn widths() {
        for (text, columns) in [
            ("abc", 3),
            ("日本", 4),
            ("👋", 2),
            ("e\u{301}", 1),
            ("שלום", 4),
            ("👩\u{200d}💻", 2),
            ("👨🏽\u{200d}👩🏽\u{200d}👧🏽\u{200d}👦🏽x", 3),
            ("👋🏽", 2),
            ("🇵🇹🇧🇷", 4),
            ("❤\u{fe0f}", 2),
            ("1\u{fe0f}\u{20e3}", 2),
            ("علی\u{200c}رضا", 6),
        ] {
            assert_eq!(width(&glyphs(text, Style::new())), columns, "{text}");
        }
    }

    #[test]
    fn rows_break_at_blanks() {
        let wrapped = |text, columns, indent| -> Vec<String> {
            wrap(glyphs(text, Style::new()), columns, indent)
                .iter()
                .map(|row| row.iter().map(|glyph| glyph.symbol.as_str()).collect())
                .collect()
        };
        assert_eq!(wrapped("", 10, 2), [""]);
        assert_eq!(wrapped("one two three", 8, 0), ["one two ", "three"]);
        assert_eq!(wrapped("one two three", 7, 0), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 7, 2), ["one two", "  three"]);
        assert_eq!(wrapped("abcdefghij", 4, 0), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("abcdefghij", 4, 2), ["abcd", "  ef", "  gh", "  ij"]);
        assert_eq!(wrapped("a bcdefg", 6, 3), ["a ", "   bcd", "   efg"]);
        assert_eq!(wrapped("a bcdefg", 7, 2), ["a ", "  bcdef", "  g"]);
        assert_eq!(wrapped("日本語", 3, 0), ["日", "本", "語"]);
        assert_eq!(wrapped("日", 1, 0), ["日"]);
    }

    proptest! {
        #[test]
        fn nothing_harmful_is_left(text in anything(), columns in 1..30_usize) {
            for row in wrap(glyphs(&text, Style::new()), columns, 2) {
                prop_assert!(width(&row) <= columns.max(2));
                for glyph in &row {
                    let is_joiner = |c| matches!(c, '\u{200c}' | '\u{200d}' | '\u{e0020}'..='\u{e007f}');
                    let harmful = |c: char| (escape::is_unsafe(c) && !is_joiner(c)) || c.is_control();
                    prop_assert!(!glyph.symbol.chars().any(harmful));
                    prop_assert!(glyph.symbol.chars().count() <= MAX_PARTS + MAX_MARKS);
                }
            }
        }
    }
}
