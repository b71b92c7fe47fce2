//! `arauto join` on a terminal, driven as a person drives it.

mod ways_out;

use std::{fmt::Write, process::Command};

use crate::{
    cli::arauto,
    harness::{
        Client, TestServer,
        terminal::{CTRL_END, CTRL_U, ENTER, F1, LEFT, PAGE_UP, TAB, Terminal, UP},
    },
};

/// How many messages a flood has.
const FLOOD: usize = 10_000;

/// `arauto join` to this server.
fn join(server: &TestServer, name: &str) -> Command {
    let address = server.address().to_string();
    arauto(["join", name, "--server", &address])
}

/// Someone on a terminal of the usual size, joined.
fn joined(server: &TestServer, name: &str) -> Terminal {
    let terminal = Terminal::run(join(server, name), 80, 24);
    terminal.shows(&format!("You are {name} on {}", server.address()));
    terminal
}

/// Says something to all others.
fn say(client: &mut Client, text: &str) {
    client.send(&format!(" | all | broadcast_not_me | {text}"));
}

#[test]
fn three_chat() {
    let server = TestServer::start();
    let mut ana = joined(&server, "ana");
    let mut rui = joined(&server, "rui");
    let eva = joined(&server, "eva");
    ana.enter("olá, how are you?");
    for terminal in [&ana, &rui, &eva] {
        terminal.shows("  ana: olá, how are you?");
    }
    rui.enter("/msg ana only for you");
    ana.shows(" * rui → ana: only for you");
    rui.shows(" * rui → ana: only for you");
    rui.enter("/others but me");
    eva.shows("   rui → others: but me");
    assert!(!eva.look(|screen| screen.contents().contains("only for you")));
    ana.shows("3 here");
    rui.enter("/list");
    rui.shows(" - 3 here: ana, rui, eva");
    rui.enter("/msg bob hi");
    rui.shows(" ! Destination client (bob) not found!");
    rui.enter("/files ana");
    rui.shows(" # files of ana: (no files are shared)");
    ana.shows(" - rui asked for the list of your files.");
    ana.enter("/exit");
    assert_eq!(ana.ended(), 0);
    rui.shows(" - ana left");
    rui.shows("2 here");
}

#[test]
fn completion_and_what_was_typed_before() {
    let server = TestServer::start();
    let _ana_maria = server.join("Ana Maria");
    let mut rui = joined(&server, "rui");
    rui.shows("│ Ana Maria");
    rui.type_in("/ms");
    rui.type_in(TAB);
    rui.shows_in_row_from_below(2, "> /msg");
    rui.type_in("a");
    rui.type_in(TAB);
    rui.shows_in_row_from_below(2, "> /msg \"Ana Maria\"");
    rui.enter("hi");
    rui.shows(" * rui → Ana Maria: hi");
    rui.type_in(UP);
    rui.shows_in_row_from_below(2, "> /msg \"Ana Maria\" hi");
    rui.type_in(&LEFT.repeat(2));
    rui.enter("oh, ");
    rui.shows(" * rui → Ana Maria: oh, hi");
    rui.enter("/mgs");
    rui.shows_in_row_from_below(1, "/mgs is not known. Did you mean /msg?");
    rui.shows_in_row_from_below(2, "> /mgs");
    rui.type_in(F1);
    rui.shows("complete a command or a name");
}

#[test]
fn resized_to_20_by_5_and_back() {
    let server = TestServer::start();
    let mut eva = server.join("eva");
    let mut rui = joined(&server, "rui");
    say(&mut eva, "the quick brown fox");
    rui.shows("eva → others: the quick brown fox");
    rui.type_in("half a line");
    rui.resize(20, 5);
    rui.shows_in_row_from_below(2, "> half a line");
    rui.wait_for("the small picture", |screen| {
        let picture: Vec<_> = screen.rows(0, 20).collect();
        picture[1..] == ["  eva → others: the", "  quick brown fox", "> half a line", "rui · 2 here"]
    });
    rui.type_in(" and more of it");
    rui.shows_in_row_from_below(2, "‹ ne and more of it");
    rui.resize(80, 24);
    rui.shows_in_row_from_below(2, "> half a line and more of it");
    rui.shows("eva → others: the quick brown fox");
    rui.shows("│ 2 here");
    rui.type_in(ENTER);
    eva.expect("rui | all clients | broadcast | half a line and more of it");
}

#[test]
fn a_flood_leaves_the_line_usable() {
    let server = TestServer::start();
    let mut rui = joined(&server, "rui");
    let mut eva = server.join("eva");
    rui.type_in("half a");
    rui.shows_in_row_from_below(2, "> half a");
    let before = rui.bytes().len();
    let flood = std::thread::spawn(move || {
        let mut lines = String::new();
        for number in 1..=FLOOD {
            let _ = writeln!(lines, " | all | broadcast_not_me | no. {number} of the flood");
        }
        eva.send_bytes(lines.as_bytes());
        eva
    });
    // While it comes.
    rui.shows("of the flood");
    rui.type_in(" line");
    rui.shows_in_row_from_below(2, "> half a line");
    rui.shows(&format!("eva → others: no. {FLOOD} of the flood"));
    let mut eva = flood.join().unwrap();
    // Each one drawn would be many times as much.
    let drawn = rui.bytes().len() - before;
    assert!(drawn < FLOOD * 1000, "{drawn} bytes");
    rui.type_in(PAGE_UP);
    rui.shows("older messages");
    rui.shows(&format!("eva → others: no. {} of the flood", FLOOD - 30));
    rui.type_in(CTRL_END);
    rui.shows(&format!("eva → others: no. {FLOOD} of the flood"));
    rui.type_in(ENTER);
    eva.expect("rui | all clients | broadcast | half a line");
    rui.type_in("again");
    rui.type_in(CTRL_U);
    rui.shows_in_row_from_below(2, ">");
}

#[test]
fn hostile_text_is_only_text() {
    let server = TestServer::start();
    let mut eva = server.join("eva");
    let rui = joined(&server, "rui");
    let before = rui.bytes().len();
    // What the server lets pass.
    for text in [
        "\u{202e}drawkcab\u{2066}",
        "zero\u{200b}width\u{feff}",
        "👩\u{200d}💻 日本 שלום",
        "tab\tbed",
        "z\u{300}\u{301}\u{302}\u{303}\u{304}",
    ] {
        say(&mut eva, text);
    }
    say(&mut eva, "the end");
    rui.shows("eva → others: the end");
    for shown in [
        r"others: \u{202e}drawkcab\u{2066}",
        r"others: zero\u{200b}width\u{feff}",
        "others: 👩\\u{200d}💻 日本 שלום",
        "others: tab    bed",
        "others: z\u{300}\u{301}\u{302}(+2 marks)",
    ] {
        rui.shows(shown);
    }
    let written = String::from_utf8(rui.bytes().split_off(before)).unwrap();
    for c in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{200d}', '\u{feff}', '\t', '\u{7}'] {
        assert!(!written.contains(c), "{c:?} was written to the terminal");
    }
}
