//! The last row: the hint, or the candidates for completion, or the state and the keys.

use std::time::Instant;

use ratatui::style::{Modifier, Style};

use super::{
    app::{App, ConnectionState, Prompt},
    completion::Completion,
    text::{Row, first_fitting, glyphs, glyphs_of_blanks, shortened, width},
    theme::Theme,
};

/// Below this width in columns, the server is left out.
const COLUMNS_FOR_SERVER: u16 = 40;
/// Below this width, the server is left out while audio plays.
const COLUMNS_FOR_AUDIO: u16 = 60;

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

/// A part of the row: its text in all lengths, the longest first.
type Part = Vec<Row>;

/// Joins as many parts as fit, each as long as there is room for it. The first is always shown, shortened if necessary.
fn fitting(parts: Vec<Part>, columns: usize, theme: Theme) -> Row {
    let mut row = Row::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if row.is_empty() {
            row = first_fitting(part, columns);
            continue;
        }
        let room = columns.saturating_sub(width(&row) + BETWEEN.chars().count());
        if let Some(part) = part.into_iter().find(|part| width(part) <= room) {
            row.extend(glyphs(BETWEEN, theme.quiet()));
            row.extend(part);
        }
    }
    row
}

/// The parts of the state, the most important first.
fn parts(app: &App, now: Instant) -> Vec<Part> {
    let (theme, quiet) = (app.theme, app.theme.quiet());
    let part = |texts: Vec<String>, style| texts.iter().map(|text| glyphs(text, style)).collect::<Part>();
    let mut parts = vec![part(app.playing.question(), theme.notable())];
    // Before all else, the seconds until the next attempt: they change, and the user waits for them.
    if let ConnectionState::Cut(_) = app.connection {
        parts.push(connection(app, now));
    }
    if app.log.unread() > 0 && app.panes().rule.is_empty() {
        parts.push(vec![glyphs(&format!("{} new below", app.log.unread()), theme.notable())]);
    }
    let silence = app.silence(now).map(|silence| format!("no answer for {} s", silence.as_secs()));
    parts.push(part(silence.into_iter().collect(), theme.error()));
    if !matches!(app.connection, ConnectionState::Cut(_)) {
        parts.push(connection(app, now));
    }
    parts.push(part(app.playing.shown(), theme.good()));
    parts.push(part(app.listening.shown(), theme.good()));
    if app.server_info.is_insecure {
        parts.push(vec![glyphs("INSECURE", theme.error())]);
    }
    if app.people.is_known() && app.panes().people.is_empty() {
        parts.push(vec![glyphs(&format!("{} here", app.people.names().len()), quiet)]);
    }
    parts.extend(keys(app).iter().map(|key| vec![glyphs(key, quiet)]));
    parts
}

/// The state of the connection, and to which server.
fn connection(app: &App, now: Instant) -> Part {
    let (theme, quiet) = (app.theme, app.theme.quiet());
    let has_audio = app.listening.current.is_some() || !app.playing.on_air.is_empty();
    // Narrow screens have room for the position in a file instead.
    let with_server = app.size.width >= if has_audio { COLUMNS_FOR_AUDIO } else { COLUMNS_FOR_SERVER };
    let at = if with_server { format!(" @ {}", app.server_info.server) } else { String::new() };
    vec![match app.connection {
        ConnectionState::None => {
            glyphs(if with_server { &app.server_info.server } else { "not joined" }, quiet)
        }
        ConnectionState::Connecting => glyphs(&format!("connecting{at}"), theme.notable()),
        ConnectionState::Joined => {
            let mut who = glyphs(&app.name, theme.good().add_modifier(Modifier::BOLD));
            who.extend(glyphs(&at, quiet));
            who
        }
        ConnectionState::Cut(until) => {
            let seconds = until.saturating_duration_since(now).as_millis().div_ceil(1000);
            let texts = [format!("no connection; again in {seconds} s"), format!("retry in {seconds} s")];
            return texts.iter().map(|text| glyphs(text, theme.error())).collect();
        }
        ConnectionState::Over => glyphs("over", theme.notable()),
    }]
}

/// The keys that can be pressed, the most important first.
fn keys(app: &App) -> &'static [&'static str] {
    match app.prompt {
        _ if app.help.is_some() => &["Esc closes the help", "PgUp, PgDn move", "Ctrl-C leaves"],
        Prompt::Talk => &["F1 help", "Tab completes", "PgUp looks back", "Ctrl-C leaves"],
        Prompt::Name(_) | Prompt::Password { .. } => &["Enter goes on", "Ctrl-C leaves", "F1 help"],
        Prompt::Close => &["y ends it", "n does not"],
        Prompt::Paste(_) => &["y sends them", "n pastes one line", "Esc pastes nothing"],
        Prompt::Over(_) => &["Enter tries again", "PgUp looks back"],
    }
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
