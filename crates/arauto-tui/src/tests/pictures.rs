//! Tests of the picture, also on small screens.

use super::*;

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
fn what_is_dangerous_is_said() {
    let server_info = ServerInfo {
        server: "192.0.2.1:1234".to_owned(),
        warnings: vec!["anyone may listen".to_owned()],
        exposure: Some("use --tls"),
        is_insecure: true,
    };
    let mut desk = Desk::at(server_info, Some("ana"), 50, 6);
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
    assert_eq!(ana.picture()[1..4], ["09:30   rui: 9", "09:30   rui: 10", "09:30 … ana: half"], "one spoke");
}

#[test]
fn what_others_send_is_only_text() {
    let mut ana = Desk::ana(60, 8);
    // No server lets these texts pass; the server of this test does.
    for text in [
        "\u{1b}]0;title\u{7}\u{1b}[2J",
        "\u{202e}drawkcab",
        "zero\u{200b}width",
        "👩\u{200d}💻 日本 שלום e\u{301}",
    ] {
        let message = OwnedMessage {
            data: text.to_owned(),
            ..Message::parse("rui | a | broadcast | x").unwrap().into()
        };
        ana.app.event(Event::Received(Item::Message(message)), ana.now);
    }
    ana.shows(&[
        r"09:30   rui:                            │ 3 here",
        r"        \u{1b}]0;title\u{7}\u{1b}[2J    │ ana",
        r"09:30   rui: \u{202e}drawkcab           │ rui",
        r"09:30   rui: zero\u{200b}width          │ Eva Maria",
        "09:30   rui: 👩\u{200d}💻 日本 שלום e\u{301}             │",
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
