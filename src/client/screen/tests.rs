//! Pictures of the screen, as text.

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{
    Terminal,
    backend::TestBackend,
    layout::{Position, Size},
};

use super::{
    app::{App, Effect},
    clock::{Clock, Now},
    farewell::Farewell,
    place::Place,
    theme::Theme,
};
use crate::{
    client::{
        Received,
        decoder::Item,
        link::{self, End, Event},
    },
    protocol::{Line, Message},
};

/// Someone in front of a screen, and what the server says.
struct Desk {
    app: App,
    now: Now,
    terminal: Terminal<TestBackend>,
    /// What was sent.
    sent: Vec<String>,
    cursor: Option<Position>,
}

impl Desk {
    fn new(name: Option<&str>, columns: u16, rows: u16) -> Self {
        let place = Place { server: "127.0.0.1:1234".to_owned(), ..Place::default() };
        Self::at(place, name, columns, rows)
    }

    fn at(place: Place, name: Option<&str>, columns: u16, rows: u16) -> Self {
        let now = Now { at: Instant::now(), clock: Clock { hour: 9, minute: 30 } };
        let app = App::new(place, name.map(str::to_owned), Theme::new(true), now);
        let terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let mut desk = Self { app, now, terminal, sent: Vec::new(), cursor: None };
        desk.resize(columns, rows);
        desk
    }

    /// Ana, joined; rui and eva are here.
    fn ana(columns: u16, rows: u16) -> Self {
        let mut desk = Self::new(Some("ana"), columns, rows);
        desk.app.event(Event::Joined { name: "ana".to_owned() }, desk.now);
        desk.hear("server | ana | list_clients | clients connected: ana , rui , Eva Maria");
        desk.answer_echoes();
        desk
    }

    fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
        self.app.resize(Size { width, height });
    }

    fn hear(&mut self, line: &str) {
        let message = Received::from(Message::parse(line).unwrap());
        self.app.event(Event::Received(Item::Message(message)), self.now);
    }

    /// As the server does.
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

    /// What there is to do outside is kept in `sent`.
    fn carry_out(&mut self) {
        while let Some(effect) = self.app.take_effect() {
            self.sent.push(match effect {
                Effect::Begin(name) => format!("begin as {name}"),
                Effect::Command(link::Command::Send(message)) => {
                    Line::from(&message.as_message()).text().to_owned()
                }
                Effect::Command(link::Command::Password(password)) => format!("password {}", *password),
                Effect::AnswerFiles { asker } => format!("files for {asker}"),
                Effect::Redraw => "redraw".to_owned(),
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

    /// The screen, row by row, without blanks at their ends.
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

    fn last_row(&mut self) -> String {
        self.picture().pop().unwrap()
    }
}

#[test]
fn a_conversation() {
    let mut ana = Desk::ana(80, 12);
    ana.hear(
        "rui | all clients | broadcast | good morning, all of you who are here on this fine day in spring",
    );
    ana.hear("Eva Maria | ana | private_message | psst");
    ana.hear("server | ana | private_message | Destination client (bob) not found!");
    ana.type_in("/msg rui olá");
    ana.shows(&[
        "                                                            │ 3 here",
        "                                                            │ ana",
        "                                                            │ rui",
        "09:30 - You are ana on 127.0.0.1:1234. /help shows what you │ Eva Maria",
        "        can do.                                             │",
        "09:30   rui: good morning, all of you who are here on this  │",
        "        fine day in spring                                  │",
        "09:30 * Eva Maria → ana: psst                               │",
        "09:30 ! Destination client (bob) not found!                 │",
        "────────────────────────────────────────────────────────────────────────────────",
        "> /msg rui olá",
        "ana @ 127.0.0.1:1234 · F1 help · Tab completes · PgUp looks back · Ctrl-C leaves",
    ]);
    assert_eq!(ana.cursor, Some(Position { x: 14, y: 10 }));
}

#[test]
fn small_screens() {
    let mut ana = Desk::ana(20, 5);
    ana.hear("rui | all clients | broadcast | good morning");
    ana.type_in("the quick brown fox jumps");
    ana.shows(&[
        "  /help shows what",
        "  you can do.",
        "  rui: good morning",
        "‹ k brown fox jumps",
        "ana · 3 here",
    ]);
    ana.resize(8, 2);
    ana.shows(&["  g", "x jumps"]);
    ana.resize(1, 1);
    ana.shows(&[""]);
    ana.resize(80, 6);
    ana.shows(&[
        "09:30 - You are ana on 127.0.0.1:1234. /help shows what you │ 3 here",
        "        can do.                                             │ ana",
        "09:30   rui: good morning                                   │ and 2 more",
        "────────────────────────────────────────────────────────────────────────────────",
        "> the quick brown fox jumps",
        "ana @ 127.0.0.1:1234 · F1 help · Tab completes · PgUp looks back · Ctrl-C leaves",
    ]);
}

#[test]
fn a_name_is_asked_for_until_it_is_given() {
    let mut desk = Desk::new(None, 40, 7);
    desk.key(KeyCode::Enter);
    assert_eq!(desk.last_row(), "A name has at least one character");
    desk.type_in(" ana ");
    desk.shows(&[
        "",
        "",
        "09:30 - Type the name that others are to",
        "        know you by, and Enter.",
        "────────────────────────────────────────",
        "Your name:  ana",
        "127.0.0.1:1234 · Enter goes on · F1 help",
    ]);
    desk.key(KeyCode::Enter);
    desk.carry_out();
    assert_eq!(desk.sent, ["begin as ana"]);
    assert_eq!(desk.last_row(), "connecting @ 127.0.0.1:1234 · F1 help");
    desk.app.event(Event::Ended(End::NotLetIn("already taken".to_owned())), desk.now);
    desk.shows(&[
        "        know you by, and Enter.",
        "09:30 ! already taken",
        "09:30 - Type another name, or the same",
        "        to try it again, and Enter.",
        "────────────────────────────────────────",
        "Your name: ana",
        "127.0.0.1:1234 · Enter goes on · F1 help",
    ]);
    desk.enter("_2");
    desk.carry_out();
    assert_eq!(desk.sent, ["begin as ana", "begin as ana_2"]);
}

#[test]
fn a_password_is_never_shown_and_not_remembered() {
    let mut desk = Desk::new(Some("ana"), 60, 6);
    desk.type_in("half a line");
    desk.app.event(Event::PasswordWanted { name: "ana".to_owned(), complaint: None }, desk.now);
    assert_eq!(desk.last_row(), "ana has a password. It is not shown as you type");
    desk.type_in("seXret");
    desk.control('u');
    desk.type_in("sesXme");
    assert_eq!(desk.picture()[4], "Password of ana: ••••••");
    assert!(!desk.picture().concat().contains('X'));
    desk.key(KeyCode::Enter);
    desk.carry_out();
    assert_eq!(desk.sent, ["begin as ana", "password sesXme"]);
    assert_eq!(desk.picture()[4], "> half a line");
    desk.key(KeyCode::Up);
    assert_eq!(desk.picture()[4], "> half a line", "there is nothing to remember");
    let complaint = Some("2 tries are left".to_owned());
    desk.app.event(Event::PasswordWanted { name: "ana".to_owned(), complaint }, desk.now);
    assert_eq!(desk.picture()[2], "09:30 ! 2 tries are left                │");
}

#[test]
fn what_is_dangerous_is_said() {
    let place = Place {
        server: "192.0.2.1:1234".to_owned(),
        warnings: vec!["anyone may listen".to_owned()],
        exposure: Some("use --tls"),
        is_insecure: true,
    };
    let mut desk = Desk::at(place, Some("ana"), 50, 6);
    desk.app.event(Event::PasswordWanted { name: "ana".to_owned(), complaint: None }, desk.now);
    desk.key(KeyCode::Left);
    desk.shows(&[
        "",
        "09:30 ! Warning: anyone may listen",
        "09:30 ! Warning: use --tls",
        "──────────────────────────────────────────────────",
        "Password of ana:",
        "connecting @ 192.0.2.1:1234 · INSECURE · F1 help",
    ]);
}

#[test]
fn what_is_wrong_is_said_and_the_line_stays() {
    let mut ana = Desk::ana(80, 6);
    ana.enter("/mgs rui hi");
    assert_eq!(ana.last_row(), "/mgs is not known. Did you mean /msg? Type: /msg bob hi");
    assert_eq!(ana.picture()[4], "> /mgs rui hi");
    ana.resize(24, 6);
    ana.shows(&[
        "- You are ana on",
        "/mgs is not known. Did",
        "you mean /msg? Type:",
        "/msg bob hi",
        "> /mgs rui hi",
        "ana · 3 here · F1 help",
    ]);
    ana.key(KeyCode::End);
    assert_eq!(ana.picture()[3], "────────────────────────", "until the next key");
}

#[test]
fn completion_shows_its_choices() {
    let mut ana = Desk::ana(80, 6);
    ana.type_in("/e");
    ana.key(KeyCode::Tab);
    assert_eq!((ana.picture()[4].as_str(), ana.last_row().as_str()), ("> /echo", "/echo  /exit"));
    ana.key(KeyCode::Tab);
    assert_eq!(ana.picture()[4], "> /exit");
    ana.control('u');
    ana.type_in("/msg ");
    ana.key(KeyCode::Tab);
    ana.key(KeyCode::Tab);
    assert_eq!(ana.picture()[4], "> /msg \"Eva Maria\"");
    assert_eq!(ana.last_row(), "rui  Eva Maria", "not oneself");
    ana.enter("hi");
    ana.carry_out();
    assert_eq!(ana.sent.last().unwrap(), "ana | Eva Maria | private_message | hi");
}

#[test]
fn looking_back_shows_what_is_new_below() {
    let mut ana = Desk::ana(40, 7);
    for number in 1..=8 {
        ana.hear(&format!("rui | all clients | broadcast | {number}"));
    }
    ana.key(KeyCode::PageUp);
    ana.hear("rui | all clients | broadcast | 9");
    ana.type_in("half");
    ana.shows(&[
        "09:30   rui: 2",
        "09:30   rui: 3",
        "09:30   rui: 4",
        "09:30   rui: 5",
        "── 1 new below; Ctrl-End: the newest ───",
        "> half",
        "ana @ 127.0.0.1:1234 · 3 here · F1 help",
    ]);
    ana.resize(40, 5);
    assert_eq!(ana.last_row(), "1 new below · ana @ 127.0.0.1:1234");
    ana.resize(40, 7);
    ana.key(KeyCode::Esc);
    ana.shows(&[
        "09:30   rui: 7",
        "09:30   rui: 8",
        "── new ─────────────────────────────────",
        "09:30   rui: 9",
        "────────────────────────────────────────",
        "> half",
        "ana @ 127.0.0.1:1234 · 3 here · F1 help",
    ]);
    ana.app.focus(false);
    ana.hear("rui | all clients | broadcast | 10");
    assert_eq!(
        ana.picture()[1..4],
        ["09:30   rui: 9", "── new ─────────────────────────────────", "09:30   rui: 10"]
    );
    ana.app.focus(true);
    ana.key(KeyCode::Enter);
    assert_eq!(ana.picture()[1..4], ["09:30   rui: 8", "09:30   rui: 9", "09:30   rui: 10"], "one spoke");
}

#[test]
fn a_cut_is_said_and_the_line_is_kept() {
    let mut ana = Desk::ana(60, 9);
    ana.enter("/msg rui did you get this?");
    ana.enter("to all");
    ana.carry_out();
    ana.hear("ana | all clients | broadcast | to all");
    ana.enter("/msg rui and this?");
    ana.type_in("half");
    let cut = Event::Cut { why: "reset".to_owned(), retry_in: Duration::from_millis(1500) };
    ana.app.event(cut, ana.now);
    ana.shows(&[
        "09:30   ana: to all                     │ who is here?",
        "09:30 * ana → rui: and this?            │ ana",
        "09:30 ! The connection broke: reset. It │ rui",
        "        is made again by itself.        │ Eva Maria",
        "09:30 ! Not known whether this arrived: │",
        "        /msg rui and this?              │",
        "────────────────────────────────────────────────────────────",
        "> half",
        "no connection; again in 2 s · F1 help · Tab completes",
    ]);
    ana.key(KeyCode::Enter);
    assert_eq!(
        ana.picture()[5..8],
        ["Not sent: there is no connection. Enter sends it once there", "is", "> half"]
    );
    ana.app.event(Event::Connecting, ana.now);
    ana.app.event(Event::Joined { name: "ana".to_owned() }, ana.now);
    ana.carry_out();
    ana.key(KeyCode::Enter);
    ana.carry_out();
    assert_eq!(ana.sent.last().unwrap(), "ana | all clients | broadcast | half");
}

#[test]
fn what_others_send_is_only_text() {
    let mut ana = Desk::ana(60, 8);
    // No server lets these pass; this one does.
    for text in
        ["\u{1b}]0;title\u{7}\u{1b}[2J", "\u{202e}drawkcab", "zero\u{200b}width", "👩‍💻 日本 שלום e\u{301}"]
    {
        let message =
            Received { data: text.to_owned(), ..Message::parse("rui | a | broadcast | x").unwrap().into() };
        ana.app.event(Event::Received(Item::Message(message)), ana.now);
    }
    ana.shows(&[
        r"09:30   rui:                            │ 3 here",
        r"        \u{1b}]0;title\u{7}\u{1b}[2J    │ ana",
        r"09:30   rui: \u{202e}drawkcab           │ rui",
        r"09:30   rui: zero\u{200b}width          │ Eva Maria",
        "09:30   rui: 👩\\u{200d}💻 日本 שלום e\u{301}   │",
        "────────────────────────────────────────────────────────────",
        ">",
        "ana @ 127.0.0.1:1234 · F1 help · Tab completes",
    ]);
}

#[test]
fn the_help_scrolls_and_the_line_is_still_there() {
    let mut ana = Desk::ana(60, 8);
    ana.enter("/help");
    ana.type_in("half");
    ana.shows(&[
        "Keys (Esc closes this help)             │ 3 here",
        "Enter                                   │ ana",
        "  send; text without a slash goes to    │ rui",
        "  everyone                              │ Eva Maria",
        "Tab, Shift-Tab                          │",
        "────────────────────────────────────────────────────────────",
        "> half",
        "ana @ 127.0.0.1:1234 · Esc closes the help · PgUp, PgDn move",
    ]);
    ana.key(KeyCode::PageDown);
    assert_eq!(ana.picture()[0], "Tab, Shift-Tab                          │ 3 here");
    ana.key(KeyCode::Esc);
    assert_eq!(ana.picture()[6], "> half");
    assert!(ana.picture()[3].contains("You are ana"), "{:?}", ana.picture());
}

#[test]
fn ways_out() {
    let mut ana = Desk::ana(60, 8);
    ana.type_in("half");
    ana.control('c');
    assert_eq!(ana.last_row(), "Ctrl-C again leaves; Up brings the text back");
    ana.control('d');
    ana.carry_out();
    assert_eq!(ana.sent.last().unwrap(), "ana | server | exit | no data");
    assert_eq!(ana.app.farewell(), None, "the answer is waited for");
    ana.app.event(Event::Ended(End::Left), ana.now);
    assert_eq!(ana.app.farewell(), Some(&Farewell::Left));

    let mut ana = Desk::ana(60, 8);
    ana.app.event(Event::Ended(End::ServerClosed), ana.now);
    assert_eq!(ana.app.farewell(), None, "there may be something to read");
    assert_eq!(ana.picture()[6], "It is over. Enter leaves.");
    ana.key(KeyCode::Enter);
    assert_eq!(ana.app.farewell(), Some(&Farewell::ServerClosed));

    let mut ana = Desk::ana(60, 8);
    ana.enter("/close");
    assert_eq!(ana.picture()[6], "End the server for everyone? y/n");
    ana.key(KeyCode::Char('n'));
    assert_eq!(ana.last_row(), "The server goes on.");
    ana.enter("/close");
    ana.key(KeyCode::Char('y'));
    ana.carry_out();
    assert_eq!(ana.sent.last().unwrap(), "ana | server | close_server | no data");
}
