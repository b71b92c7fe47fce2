//! Tests of glyphs that terminals draw in different numbers of cells: nothing of them stays on the screen.

use super::{joined, say};
use crate::harness::{
    TestServer,
    terminal::{CTRL_U, Terminal},
};

/// A flag, a family, a skin tone, a keycap, a heart that is a picture, and wide characters.
const WIDE: [&str; 6] =
    ["🇧🇷", "👨\u{200d}👩\u{200d}👧\u{200d}👦", "👋🏽", "1\u{fe0f}\u{20e3}", "❤\u{fe0f}", "日本語"];

/// Waits until no character of the glyphs is on the screen, not even a half.
#[track_caller]
fn shows_nothing_of(terminal: &Terminal, glyphs: &[&str]) {
    let parts: Vec<char> = glyphs.concat().chars().filter(|c| !c.is_ascii()).collect();
    terminal.wait_for("the glyphs to go", |screen| !screen.contents().contains(&parts[..]));
}

#[test]
fn a_glyph_that_is_deleted_in_the_input_line_leaves_nothing() {
    let server = TestServer::start();
    let mut rui = joined(&server, "rui");
    for glyph in WIDE {
        rui.type_in(glyph);
        rui.shows(&format!("> {}", glyph.chars().next().unwrap()));
        rui.type_in(CTRL_U);
        shows_nothing_of(&rui, &[glyph]);
    }
}

#[test]
fn glyphs_that_scroll_away_leave_nothing() {
    let server = TestServer::start();
    let mut eva = server.join("eva");
    let rui = joined(&server, "rui");
    for glyph in WIDE {
        say(&mut eva, &format!("{glyph} and {glyph}"));
    }
    say(&mut eva, "the end of them");
    rui.shows("the end of them");
    for number in 0..30 {
        say(&mut eva, &format!("no. {number}."));
    }
    rui.shows("no. 29.");
    shows_nothing_of(&rui, &WIDE);
}
