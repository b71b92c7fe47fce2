//! Tests of `arauto join` on a terminal, used as a person uses it.

mod job_control;
mod ways_out;
mod wide_glyphs;

use std::{
    fmt::Write,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    time::{Duration, Instant},
};

use crate::{
    cli::arauto,
    harness::{
        Client, TestServer,
        fake_server::FakeServer,
        terminal::{CTRL_END, CTRL_L, CTRL_U, DOWN, ENTER, F1, LEFT, PAGE_UP, TAB, Terminal, UP},
    },
};

/// Minimum number of messages in a flood.
const FLOOD: usize = 10_000;

/// Maximum number of pictures per second.
const PICTURES_A_SECOND: f64 = 31.0;
const SHOW_CURSOR: &[u8] = b"\x1b[?25h";

/// `arauto join` to this server.
fn join(server: &TestServer, name: &str) -> Command {
    let address = server.address().to_string();
    arauto(["join", name, "--server", &address])
}

/// Joins on a terminal of 80 columns and 24 rows.
fn joined(server: &TestServer, name: &str) -> Terminal {
    let terminal = Terminal::run(join(server, name), 80, 24);
    terminal.shows(&format!("You are {name} on {}", server.address()));
    terminal
}

/// Broadcasts a text to all other clients.
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
    rui.shows(" ! rui → bob: hi");
    rui.enter("/files ana");
    rui.shows(" # files of ana: no folder is shared");
    ana.shows(" - rui asked for the list of your files.");
    ana.enter("/exit");
    assert_eq!(ana.ended(), 0);
    rui.shows(" - ana left");
    rui.shows("2 here");
}

#[test]
fn a_shared_folder_is_told_to_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lista de músicas.txt"), "abc").unwrap();
    let server = TestServer::start();
    let mut command = join(&server, "ana");
    command.arg("--share").arg(folder.path());
    let ana = Terminal::run(command, 80, 24);
    ana.shows("You are ana");
    let mut rui = joined(&server, "rui");
    rui.enter("/files ana");
    rui.shows(" # files of ana: 1 file");
    rui.shows(" #   lista de músicas.txt (3 B)");
    ana.shows(" - rui asked for the list of your files.");

    let missing = folder.path().join("missing");
    let mut command = join(&server, "eva");
    command.arg("--share").arg(&missing);
    let mut eva = Terminal::run(command, 80, 24);
    assert_eq!(eva.ended(), 2);
    assert!(!eva.look(|screen| screen.contents().contains("joined")));
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
    // Another program may write to the terminal like this.
    rui.spoil("\x1b[2J");
    assert!(rui.look(|screen| screen.contents().is_empty()));
    rui.type_in(CTRL_L);
    rui.shows_in_row_from_below(2, "> half a line and more of it");
    rui.type_in(ENTER);
    eva.expect("rui | all clients | broadcast | half a line and more of it");
}

#[test]
fn a_terminal_that_says_it_has_no_size_has_80_columns_and_24_rows() {
    let server = TestServer::start();
    let mut eva = server.join("eva");
    let mut rui = joined(&server, "rui");
    rui.says_no_size();
    say(&mut eva, "to 80 by 24");
    rui.shows("eva → others: to 80 by 24");
    rui.type_in("half a line");
    rui.shows_in_row_from_below(2, "> half a line");
    rui.type_in(ENTER);
    eva.expect("rui | all clients | broadcast | half a line");
}

#[test]
fn the_wheel_scrolls_the_conversation() {
    let server = TestServer::start();
    let mut eva = server.join("eva");
    let mut rui = joined(&server, "rui");
    rui.enter("typed before");
    for number in 0..40 {
        say(&mut eva, &format!("no. {number}."));
    }
    rui.shows("no. 39.");
    for line in ["", "half a line"] {
        rui.type_in(line);
        // Terminals send one step of the wheel as three arrow keys.
        rui.type_in(&UP.repeat(3));
        rui.wait_for("a look back", |screen| !screen.contents().contains("no. 39."));
        rui.shows_in_row_from_below(2, &format!("> {line}"));
        rui.type_in(&DOWN.repeat(3));
        rui.shows("no. 39.");
        rui.shows_in_row_from_below(2, &format!("> {line}"));
    }
    let written = String::from_utf8(rui.bytes()).unwrap();
    assert!(written.contains("\x1b[?1007h"));
    for mode in ["1000", "1002", "1003"] {
        assert!(!written.contains(&format!("\x1b[?{mode}h")), "the mouse selects text");
    }
    rui.type_in(&format!("{CTRL_U}/exit{ENTER}"));
    assert_eq!(rui.ended(), 0);
    assert!(String::from_utf8(rui.bytes()).unwrap().contains("\x1b[?1007r"));
}

#[test]
fn keys_that_come_with_a_resize_are_not_lost() {
    let server = TestServer::start();
    let mut rui = joined(&server, "rui");
    for round in 1..=10 {
        rui.type_in("x");
        rui.resize(80 - round, 24);
        rui.shows_in_row_from_below(2, &format!("> {}", "x".repeat(round.into())));
    }
}

#[test]
fn a_flood_leaves_the_line_usable() {
    // On a busy machine, the screen may read more slowly than the flood comes, and must not be disconnected for that.
    let server = TestServer::with(|config| config.limits.slow_reader_wait = Duration::from_secs(10));
    // Joined before rui, so that rui's screen shows no notice about eva in between.
    let mut eva = server.join("eva");
    let mut rui = joined(&server, "rui");
    rui.type_in("half a");
    rui.shows_in_row_from_below(2, "> half a");
    let (begin, before) = (Instant::now(), rui.bytes().len());
    let is_typed = Arc::new(AtomicBool::new(false));
    let flood = std::thread::spawn({
        let is_typed = Arc::clone(&is_typed);
        move || {
            let mut count = 0;
            // The flood goes on while the user types.
            while count < FLOOD || (count < 20 * FLOOD && !is_typed.load(Ordering::Relaxed)) {
                let mut lines = String::new();
                for number in count..count + FLOOD / 10 {
                    let _ = writeln!(lines, " | all | broadcast_not_me | no. {number} of the flood");
                }
                eva.send_bytes(lines.as_bytes());
                count += FLOOD / 10;
            }
            (eva, count)
        }
    });
    rui.shows("of the flood");
    rui.type_in(" line");
    rui.shows_in_row_from_below(2, "> half a line");
    is_typed.store(true, Ordering::Relaxed);
    let (mut eva, count) = flood.join().unwrap();
    // As long as that takes on a busy machine, but the screen never stands still.
    let (last, mut seen) = (format!("eva → others: no. {} of the flood", count - 1), String::new());
    while !seen.contains(&last) {
        rui.wait_for("the flood to go on", |screen| screen.contents() != seen);
        seen = rui.look(vt100::Screen::contents);
    }
    // Each picture shows the cursor, so this counts pictures.
    let written = rui.bytes().split_off(before);
    let pictures = written.windows(SHOW_CURSOR.len()).filter(|part| *part == SHOW_CURSOR).count();
    let most = PICTURES_A_SECOND * (begin.elapsed().as_secs_f64() + 1.0);
    assert!((1.0..most).contains(&f64::from(u32::try_from(pictures).unwrap())), "{pictures} of {most}");
    rui.type_in(PAGE_UP);
    rui.shows("older messages");
    rui.shows(&format!("eva → others: no. {} of the flood", count - 30));
    rui.type_in(CTRL_END);
    rui.shows(&format!("eva → others: no. {} of the flood", count - 1));
    rui.type_in(ENTER);
    eva.expect("rui | all clients | broadcast | half a line");
    rui.type_in("again");
    rui.type_in(CTRL_U);
    rui.shows_in_row_from_below(2, ">");
}

#[test]
fn a_paste_of_several_lines_is_asked_about() {
    let server = TestServer::start();
    let mut eva = server.join("eva");
    let mut rui = joined(&server, "rui");
    let pasted = "\x1b[200~one\r/close\rthree\x1b[201~";
    rui.type_in(pasted);
    rui.shows_in_row_from_below(2, "Paste 3 lines as 3 messages? y/n");
    rui.type_in("y");
    for line in ["one", "/close", "three"] {
        eva.expect(&format!("rui | all clients | broadcast | {line}"));
    }
    rui.shows("   rui: three");
    rui.type_in(pasted);
    rui.shows_in_row_from_below(2, "Paste 3 lines as 3 messages? y/n");
    rui.type_in("n");
    rui.shows_in_row_from_below(2, "> one /close three");
    rui.shows_in_row_from_below(1, "Pasted as one line; 2 line ends or tabs became blanks");
    rui.type_in(ENTER);
    eva.expect("rui | all clients | broadcast | one /close three");
}

#[test]
fn colours_only_where_they_are_wanted() {
    let server = TestServer::start();
    let has_colour = |terminal: &Terminal| {
        terminal.shows(" ! Destination client (bob) not found!");
        terminal.look(|screen| {
            let (rows, columns) = screen.size();
            let cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
            let colours =
                cells.filter_map(|(row, column)| screen.cell(row, column)).map(vt100::Cell::fgcolor);
            colours.filter(|colour| *colour != vt100::Color::Default).count() > 0
        })
    };
    for (name, settings, wanted) in [
        ("rui", &[][..], true),
        ("eva", &[("NO_COLOR", "1")], false),
        ("ana", &[("ARAUTO_CLIENT_COLOURS", "never")], false),
        ("zoe", &[("ARAUTO_CLIENT_COLOURS", "always"), ("NO_COLOR", "1")], true),
    ] {
        let mut command = join(&server, name);
        command.envs(settings.iter().copied());
        let mut terminal = Terminal::run(command, 80, 24);
        terminal.shows("You are ");
        terminal.enter("/msg bob hi");
        assert_eq!(has_colour(&terminal), wanted, "{settings:?}");
    }
}

#[test]
fn a_terminal_that_takes_no_escapes_is_given_none() {
    let server = TestServer::start();
    for term in [Some("dumb"), Some(""), None] {
        let mut commands = [join(&server, "rui"), arauto(["serve"])].map(|mut command| {
            match term {
                Some(term) => command.env("TERM", term),
                None => command.env_remove("TERM"),
            };
            for list in ["SERVER_LISTEN", "WEB_LISTEN", "MEDIA_LISTEN"] {
                command.env(format!("ARAUTO_{list}"), "127.0.0.1:0");
            }
            Terminal::run(command, 80, 24)
        });
        // The first command shows the dialogue, the second the log.
        commands[0].shows("Operation:");
        commands[0].enter("exit");
        assert_eq!(commands[0].ended(), 0, "{term:?}");
        commands[1].shows("INFO started");
        commands[1].signal("TERM");
        assert_eq!(commands[1].ended(), 0, "{term:?}");
        for command in commands {
            assert!(!command.bytes().contains(&b'\x1b'), "{term:?}");
        }
    }
}

#[test]
fn hostile_text_is_only_text() {
    let (go, told) = channel();
    let told = Mutex::new(told);
    // Arauto's server lets only some of these texts pass.
    let server = FakeServer::start(move |mut peer| {
        peer.welcome();
        told.lock().unwrap().recv().unwrap();
        for text in [
            "\u{202e}drawkcab\u{2066}",
            "zero\u{200b}width\u{feff}",
            "👩\u{200d}💻 日本 שלום",
            "tab\tbed",
            "z\u{300}\u{301}\u{302}\u{303}\u{304}",
            "the end",
        ] {
            peer.say(&format!("eva | all clients | broadcast_not_me | {text}"));
        }
        peer.until_the_end();
    });
    let rui = Terminal::run(arauto(["join", "rui", "--server", &server.address().to_string()]), 80, 24);
    rui.shows("You are rui on ");
    let before = rui.bytes().len();
    go.send(()).unwrap();
    rui.shows("eva → others: the end");
    for shown in [
        r"others: \u{202e}drawkcab\u{2066}",
        r"others: zero\u{200b}width\u{feff}",
        "日本 שלום",
        "others: tab    bed",
        "others: z\u{300}\u{301}\u{302}(+2 marks)",
    ] {
        rui.shows(shown);
    }
    let written = String::from_utf8(rui.bytes().split_off(before)).unwrap();
    assert!(written.contains("👩\u{200d}💻"), "one emoji");
    let written = written.replace("👩\u{200d}💻", "");
    for c in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{200d}', '\u{feff}', '\t', '\u{7}'] {
        assert!(!written.contains(c), "{c:?} was written to the terminal");
    }
}
