//! The last row: the hint, or the candidates for completion, or the state and the keys.

use std::time::Instant;

use ratatui::style::{Modifier, Style};

use super::{
    app::{App, ConnectionState, Prompt},
    completion::Completion,
    text::{Row, glyphs, glyphs_of_blanks, shortened, width},
    theme::Theme,
};

/// Separator of two parts.
const BETWEEN: &str = " · ";

/// Returns the last row.
#[must_use]
pub fn row(app: &App, now: Instant) -> Row {
    let columns = usize::from(app.panes().status.width);
    if let Some(hint) = app.hint.as_deref().filter(|_| app.hint_fits()) {
        return glyphs(hint, app.theme.notable());
    }
    match app.line.completion() {
        Some(completion) => candidates(completion, columns, app.theme),
        None => fitting(parts(app, now), columns, app.theme),
    }
}

/// Joins as many parts as fit. The first is always shown, shortened if necessary.
fn fitting(parts: Vec<Row>, columns: usize, theme: Theme) -> Row {
    let mut row = Row::new();
    for part in parts {
        if row.is_empty() {
            row = shortened(part, columns);
        } else if width(&row) + BETWEEN.chars().count() + width(&part) <= columns {
            row.extend(glyphs(BETWEEN, theme.quiet()));
            row.extend(part);
        }
    }
    row
}

/// The parts of the state, the most important first.
fn parts(app: &App, now: Instant) -> Vec<Row> {
    let (theme, quiet) = (app.theme, app.theme.quiet());
    let is_narrow = app.size.width < 40;
    let mut parts: Vec<Row> =
        app.playing.question().map(|asked| glyphs(&asked, theme.notable())).into_iter().collect();
    if app.log.unread() > 0 && app.panes().rule.is_empty() {
        parts.push(glyphs(&format!("{} new below", app.log.unread()), theme.notable()));
    }
    parts.extend(
        app.silence(now)
            .map(|silence| glyphs(&format!("no answer for {} s", silence.as_secs()), theme.error())),
    );
    let at = if is_narrow { String::new() } else { format!(" @ {}", app.server_info.server) };
    parts.push(match app.connection {
        ConnectionState::None => {
            glyphs(if is_narrow { "not joined" } else { &app.server_info.server }, quiet)
        }
        ConnectionState::Connecting => glyphs(&format!("connecting{at}"), theme.notable()),
        ConnectionState::Joined => {
            let mut who = glyphs(&app.name, theme.good().add_modifier(Modifier::BOLD));
            who.extend(glyphs(&at, quiet));
            who
        }
        ConnectionState::Cut(until) => {
            let seconds = until.saturating_duration_since(now).as_millis().div_ceil(1000);
            glyphs(&format!("no connection; again in {seconds} s"), theme.error())
        }
        ConnectionState::Over => glyphs("over", theme.notable()),
    });
    parts.extend(app.playing.shown().map(|shown| glyphs(&shown, theme.good())));
    parts.extend(app.listening.shown().map(|shown| glyphs(&shown, theme.good())));
    if app.server_info.is_insecure {
        parts.push(glyphs("INSECURE", theme.error()));
    }
    if app.people.is_known() && app.panes().people.is_empty() {
        parts.push(glyphs(&format!("{} here", app.people.names().len()), quiet));
    }
    let keys: &[_] = match app.prompt {
        _ if app.help.is_some() => &["Esc closes the help", "PgUp, PgDn move", "Ctrl-C leaves"],
        Prompt::Talk => &["F1 help", "Tab completes", "PgUp looks back", "Ctrl-C leaves"],
        Prompt::Name(_) | Prompt::Password { .. } => &["Enter goes on", "Ctrl-C leaves", "F1 help"],
        Prompt::Close => &["y ends it", "n does not"],
        Prompt::Paste(_) => &["y sends them", "n pastes one line", "Esc pastes nothing"],
        Prompt::Over(_) => &["Enter tries again", "PgUp looks back"],
    };
    parts.extend(keys.iter().map(|key| glyphs(key, quiet)));
    parts
}

/// The candidates for completion, from the selected one on if they do not fit.
fn candidates(completion: &Completion, columns: usize, theme: Theme) -> Row {
    let chosen = Style::new().add_modifier(Modifier::REVERSED);
    let all: Vec<_> = completion
        .candidates()
        .enumerate()
        .map(|(place, text)| glyphs(text, if place == completion.at() { chosen } else { theme.quiet() }))
        .collect();
    let wide = |rows: &[Row]| rows.iter().map(|row| width(row) + 2).sum::<usize>();
    let from = if wide(&all) <= columns { 0 } else { completion.at() };
    let mut row = Row::new();
    for candidate in all.into_iter().skip(from) {
        row.extend(candidate);
        row.extend(glyphs_of_blanks(2));
    }
    shortened(row, columns)
}
