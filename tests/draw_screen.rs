//! Draws `docs/screen.svg`, the full screen of a real run. Not a test: run by hand after a change of what the screen
//! shows, by `cargo test --test draw_screen`. Port 1234 has to be free.
#![allow(clippy::unwrap_used, reason = "a picture that cannot be drawn is to end it")]

use std::{fmt::Write, path::Path};

use arauto_client::target::DEFAULT_PORT;
use arauto_testkit::{
    TestServer, arauto,
    terminal::{TAB, Terminal},
};
use vt100::{Cell, Color, Screen};

/// Width of a column and height of a row in the picture, in its units.
const COLUMN: f32 = 8.4;
const ROW: f32 = 18.0;
/// Distance from the top of a row to the baseline of its letters.
const BASELINE: f32 = 13.5;
/// Margin around the screen.
const MARGIN: f32 = 14.0;

const FOREGROUND: &str = "#d4d4d4";
const BACKGROUND: &str = "#1b1d23";

fn main() {
    let server = TestServer::with(|config| {
        config.server.listen = vec![([127, 0, 0, 1], DEFAULT_PORT).into()];
    });
    let [mut ana, mut rui, mut eva] =
        [("ana", "1 here"), ("rui", "2 here"), ("Eva Maria", "3 here")].map(|(name, here)| {
            let terminal =
                Terminal::run(arauto(["join", name, "--server", &server.address().to_string()]), 84, 20);
            terminal.shows(here);
            terminal
        });
    ana.shows("\"Eva Maria\" joined");
    rui.enter("olá! does anyone have the recording from Saturday?");
    ana.shows("from Saturday?");
    eva.enter("I do. It is 40 minutes long, the first five are us looking for the cable");
    ana.shows("for the cable");
    ana.enter("that was the best part 😄");
    eva.shows("the best part");
    eva.enter("/msg ana do not tell rui that I lost it");
    ana.shows("that I lost it");
    ana.enter("/msg \"Eva Maria\" my lips are sealed");
    ana.shows("lips are sealed");
    rui.enter("look what a stranger sent me: gpj.ohcamihac … do not open it");
    ana.shows("not open it");
    ana.enter("/msg bob are you there?");
    ana.shows("not found!");
    ana.type_in("/msg r");
    ana.type_in(TAB);
    ana.type_in("which lips?");
    ana.shows_in_row_from_below(2, "> /msg rui which lips?");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screen.svg");
    std::fs::write(path, ana.look(svg)).unwrap();
}

/// Draws a screen as an SVG.
fn svg(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let (width, height) = (f32::from(columns.get()) * COLUMN, f32::from(rows.get()) * ROW);
    let (outer_width, outer_height) = (width + 2.0 * MARGIN, height + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {outer_width:.1} {outer_height:.1}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\" role=\"img\" \
         aria-label=\"A conversation on arauto's full screen\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" \
         fill=\"{BACKGROUND}\"/>\n"
    );
    for row in 0..rows.get() {
        let mut column = 0;
        while column < columns.get() {
            column += run(screen, row, column, &mut svg);
        }
    }
    let (row, column) = screen.cursor_position();
    let (x, y) = place(row, column);
    writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{COLUMN}\" height=\"{ROW}\" fill=\"{FOREGROUND}\" opacity=\"0.6\"/>"
    )
    .unwrap();
    svg + "</svg>\n"
}

/// Returns the upper left corner of a cell.
fn place(row: u16, column: u16) -> (f32, f32) {
    (MARGIN + f32::from(column) * COLUMN, MARGIN + f32::from(row) * ROW)
}

/// Draws the cells from here on that look the same. Returns the number of their columns.
fn run(screen: &Screen, row: u16, column: u16, svg: &mut String) -> u16 {
    let Some(first) = screen.cell(row, column) else { return 1 };
    let mut text = first.contents().to_owned();
    let mut columns = if first.is_wide() { 2 } else { 1 };
    // A wide character is drawn alone, so that the next one is in its column whatever the font makes of the wide one.
    while !first.is_wide()
        && let Some(next) = screen.cell(row, column + columns)
        && !next.is_wide()
        && style(next) == style(first)
        && next.has_contents() == first.has_contents()
    {
        text += next.contents();
        columns += 1;
    }
    if text.trim().is_empty() {
        return columns;
    }
    let (x, y) = place(row, column);
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\"{}>\
         {text}</text>",
        y + BASELINE,
        f32::from(columns) * COLUMN,
        style(first)
    )
    .unwrap();
    columns
}

/// Returns the attributes for the style of a cell.
fn style(cell: &Cell) -> String {
    let mut style = format!(" fill=\"{}\"", colour(cell.fgcolor()));
    if cell.bold() {
        style += " font-weight=\"bold\"";
    }
    if cell.underline() {
        style += " text-decoration=\"underline\"";
    }
    style
}

/// Returns a colour of xterm's palette of 256 colours.
fn colour(colour: Color) -> String {
    let (red, green, blue) = match colour {
        Color::Default | Color::Idx(0..16) => return FOREGROUND.to_owned(),
        Color::Rgb(red, green, blue) => (red, green, blue),
        Color::Idx(grey @ 232..) => {
            let level = 8 + 10 * (grey - 232);
            (level, level, level)
        }
        Color::Idx(index) => {
            let level = |digit: u8| if digit == 0 { 0 } else { 55 + 40 * digit };
            let index = index - 16;
            (level(index / 36), level(index / 6 % 6), level(index % 6))
        }
    };
    format!("#{red:02x}{green:02x}{blue:02x}")
}
