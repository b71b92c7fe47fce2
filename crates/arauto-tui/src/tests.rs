//! Tests of the full screen: the text that it shows, and the messages that it sends.

mod commands;
mod listening;
mod narrow;
mod pictures;
mod prompts;
mod refused;
mod steps;
mod wording;

use std::time::{Duration, Instant};

use arauto_protocol::Message;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{
    Terminal,
    backend::TestBackend,
    layout::{Position, Size},
};

use super::{
    app::{App, Effect},
    clock::{Clock, Now},
    exit_reason::ExitReason,
    server_info::ServerInfo,
    theme::Theme,
};
use arauto_client::{
    OwnedMessage,
    decoder::Item,
    link::{self, End, Event},
};

/// The server of the tests.
const SERVER: &str = "127.0.0.1:1234";

/// The event of a connection that needs no password.
fn joined(name: &str) -> Event {
    Event::Joined { name: name.to_owned(), server: SERVER.to_owned(), with_kept_password: false }
}

/// A screen, with the time and the server's messages set by the test.
struct Desk {
    app: App,
    now: Now,
    terminal: Terminal<TestBackend>,
    /// The effects, as text.
    sent: Vec<String>,
    cursor: Option<Position>,
}

impl Desk {
    fn new(name: Option<&str>, columns: u16, rows: u16) -> Self {
        let server_info = ServerInfo { server: SERVER.to_owned(), ..ServerInfo::default() };
        Self::at(server_info, name, columns, rows)
    }

    fn at(server_info: ServerInfo, name: Option<&str>, columns: u16, rows: u16) -> Self {
        let now = Now { at: Instant::now(), clock: Clock { hour: 9, minute: 30 } };
        let app = App::new(server_info, name.map(str::to_owned), Theme::new(true), now);
        let terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let mut desk = Self { app, now, terminal, sent: Vec::new(), cursor: None };
        desk.resize(columns, rows);
        desk
    }

    /// The screen of the user ana, who has joined; rui and Eva Maria are connected as well.
    fn ana(columns: u16, rows: u16) -> Self {
        let mut desk = Self::new(Some("ana"), columns, rows);
        desk.app.event(joined("ana"), desk.now);
        desk.hear("server | ana | watch | clients connected: ana , rui , Eva Maria");
        desk.answer_echoes();
        desk
    }

    fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
        self.app.resize(Size { width, height });
    }

    fn hear(&mut self, line: &str) {
        let message = OwnedMessage::from(Message::parse(line).unwrap());
        self.app.event(Event::Received(Item::Message(message)), self.now);
    }

    /// Answers echoes as the server does.
    fn answer_echoes(&mut self) {
        let before = self.sent.len();
        self.carry_out();
        for line in self.sent.split_off(before) {
            if line.contains("| echo |") {
                self.hear(&line);
            }
            self.sent.push(line);
        }
    }

    /// Moves all effects to `sent`.
    fn carry_out(&mut self) {
        while let Some(effect) = self.app.take_effect() {
            self.sent.push(match effect {
                Effect::Begin(name) => format!("begin as {name}"),
                Effect::Command(link::Command::Send(line)) => line.text().to_owned(),
                Effect::Command(link::Command::Password(password)) => format!("password {}", *password),
                Effect::AnswerFiles { asker } => format!("files for {asker}"),
                Effect::Redraw => "redraw".to_owned(),
                Effect::Suspend => "suspend".to_owned(),
                Effect::Publish { by, data } => format!("publish for {by}: {data}"),
                Effect::MayPlay { number, may } => format!("may play {number}: {may}"),
                Effect::Control { command, file } => format!("{command:?} {file:?}"),
                Effect::Listen { address, volume } => format!("listen at {volume} to {address}"),
                Effect::Hear(command) => format!("{command:?}"),
            });
        }
    }

    fn key(&mut self, code: KeyCode) {
        self.app.key(KeyEvent::new(code, KeyModifiers::NONE), self.now);
    }

    fn control(&mut self, c: char) {
        self.app.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL), self.now);
    }

    fn type_in(&mut self, text: &str) {
        text.chars().for_each(|c| self.key(KeyCode::Char(c)));
    }

    fn enter(&mut self, text: &str) {
        self.type_in(text);
        self.key(KeyCode::Enter);
    }

    /// The rows of the screen, without blanks at their ends.
    fn picture(&mut self) -> Vec<String> {
        let (app, now, mut cursor) = (&self.app, self.now.at, None);
        self.terminal.draw(|frame| cursor = app.draw(frame.buffer_mut(), now)).unwrap();
        self.cursor = cursor;
        let buffer = self.terminal.backend().buffer();
        let columns = usize::from(buffer.area.width);
        let row = |cells: &[ratatui::buffer::Cell]| {
            let mut row = String::new();
            let mut covered = 0;
            for cell in cells {
                if covered == 0 {
                    row.push_str(cell.symbol());
                    covered = unicode_width::UnicodeWidthStr::width(cell.symbol()).max(1);
                }
                covered -= 1;
            }
            row.trim_end().to_owned()
        };
        buffer.content.chunks(columns).map(row).collect()
    }

    #[track_caller]
    fn shows(&mut self, picture: &[&str]) {
        assert_eq!(self.picture(), picture, "\n{}", self.picture().join("\n"));
    }

    /// Checks the last rows of the conversation, without the pane beside them.
    fn shows_above_line(&mut self, rows: &[&str]) {
        let picture = self.picture();
        let end = picture.len() - 3;
        let shown: Vec<_> = picture[end - rows.len()..end]
            .iter()
            .map(|row| row.split('│').next().unwrap().trim_end())
            .collect();
        assert_eq!(shown, rows, "\n{}", picture.join("\n"));
    }

    fn last_row(&mut self) -> String {
        self.picture().pop().unwrap()
    }
}
