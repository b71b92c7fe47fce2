//! Tests of sequences: names, passwords, cuts, mistakes, ways to leave.

use super::*;
use arauto_client::audio::publish::{News, OnAir, PermissionRequest};

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
    // Typing replaces the refused name, unless an editing key comes first.
    desk.enter("bea");
    desk.carry_out();
    assert_eq!(desk.sent, ["begin as ana", "begin as bea"]);
    desk.app.event(Event::Ended(End::NotLetIn("already taken".to_owned())), desk.now);
    desk.key(KeyCode::End);
    desk.enter("_2");
    desk.app.event(Event::Ended(End::NotLetIn("already taken".to_owned())), desk.now);
    desk.app.paste("rui");
    desk.key(KeyCode::Enter);
    desk.app.event(Event::Ended(End::NotLetIn("already taken".to_owned())), desk.now);
    desk.key(KeyCode::Enter);
    desk.carry_out();
    assert_eq!(desk.sent[2..], ["begin as bea_2", "begin as rui", "begin as rui"]);
}

#[test]
fn what_is_played_to_others_is_asked_said_and_shown() {
    let mut desk = Desk::ana(100, 10);
    let on_air = |file: &str, seconds, is_paused| OnAir {
        file: file.to_owned(),
        by: "rui".to_owned(),
        elapsed: Duration::from_secs(seconds),
        length: Some(Duration::from_secs(220)).filter(|_| file != "b.mp3"),
        is_paused,
    };
    desk.hear("rui | ana | publish | rtsp://h/1?key=2 a\u{202e}.mp3");
    desk.carry_out();
    assert_eq!(desk.sent.last().unwrap(), "publish for rui: rtsp://h/1?key=2 a\u{202e}.mp3");
    let question =
        |number, file: &str| PermissionRequest { number, by: "rui".to_owned(), file: file.to_owned() };
    for (number, file) in [(7, "a.mp3"), (8, "b.mp3"), (9, "c.mp3")] {
        desk.app.news(News::Asked(question(number, file)), desk.now);
    }
    let now = "ana @ 127.0.0.1:1234";
    assert!(desk.last_row().starts_with(&format!("rui wants to hear a.mp3: y or n, and Enter? · {now}")));
    // The first question expires.
    desk.app.news(News::Settled(7), desk.now);
    assert!(desk.last_row().starts_with("rui wants to hear b.mp3: y or n, and Enter?"));
    desk.enter("n");
    desk.enter(" Y");
    desk.enter("y");
    desk.carry_out();
    let sent = &desk.sent[desk.sent.len() - 3..];
    assert_eq!(sent, ["may play 8: false", "may play 9: true", "ana | all clients | broadcast | y"]);
    desk.app.news(News::Began(on_air("c.mp3", 0, false)), desk.now);
    assert!(desk.last_row().starts_with(&format!("{now} · playing c.mp3 0:00 of 3:40")));
    desk.app.news(News::Playing(vec![on_air("b.mp3", 65, true)]), desk.now);
    assert!(desk.last_row().starts_with(&format!("{now} · paused b.mp3 1:05 ·")));
    desk.app.news(News::Playing(vec![on_air("b.mp3", 65, true), on_air("c.mp3", 9, false)]), desk.now);
    assert!(desk.last_row().starts_with(&format!("{now} · playing 2 files, 1 paused ·")));
    desk.carry_out();
    desk.sent.clear();
    for line in ["/pause c.mp3", "/stop", "/stop c.mp3", "/stop \"b.mp3\"", "/stop other.mp3"] {
        desk.enter(line);
    }
    desk.carry_out();
    assert_eq!(
        desk.sent,
        [
            "Pause Some(\"c.mp3\")",
            "Stop None",
            "Stop Some(\"c.mp3\")",
            "Stop Some(\"b.mp3\")",
            "ana | server | stop | other.mp3"
        ]
    );
    desk.app.news(News::Playing(Vec::new()), desk.now);
    assert!(desk.last_row().starts_with(&format!("{now} · F1 help")));
    let why = Some("the server ended it".to_owned());
    desk.app.news(News::Over { file: "b.mp3".to_owned(), why }, desk.now);
    let refused =
        |others| News::Refused { by: "rui".to_owned(), file: "d".to_owned(), why: "no".to_owned(), others };
    desk.app.news(refused(0), desk.now);
    desk.app.news(refused(12), desk.now);
    let shown = desk.picture();
    for line in [
        "09:30 - b.mp3 is not played any more: the server ended it",
        "09:30 ! rui wanted to hear d and does not: no",
        "09:30 ! rui wanted to hear d and does not: no (12 others were refused, too)",
    ] {
        assert!(shown.iter().any(|row| row.starts_with(line)), "{line}: {shown:#?}");
    }
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
        "09:30 ? ana → rui: and this?            │ ana",
        "09:30 ! The connection broke: reset.    │ rui",
        "        The client reconnects.          │ Eva Maria",
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
    ana.app.event(joined("ana"), ana.now);
    ana.carry_out();
    ana.key(KeyCode::Enter);
    ana.carry_out();
    assert_eq!(ana.sent.last().unwrap(), "ana | all clients | broadcast | half");
}

#[test]
fn own_words_are_shown_at_once_and_marked_until_they_arrived() {
    let mut ana = Desk::ana(60, 10);
    let rows = |ana: &mut Desk, rows: &[&str]| {
        ana.picture();
        ana.shows_above_line(rows);
    };
    ana.enter("one");
    ana.enter("/msg rui two");
    ana.hear("rui | all clients | broadcast | before one");
    rows(&mut ana, &["09:30 … ana → rui: two", "09:30   rui: before one", "09:30 … ana: one"]);
    ana.hear("ana | all clients | broadcast | one");
    ana.hear("rui | all clients | broadcast | after one");
    rows(&mut ana, &["09:30   rui: before one", "09:30   ana: one", "09:30   rui: after one"]);
    // The private message does not come back, so an echo is sent after it.
    ana.now.at = ana.app.deadline(ana.now.at).unwrap();
    ana.app.tick(ana.now);
    ana.carry_out();
    assert_eq!(ana.sent.last().unwrap(), "ana | ana | echo | (all before this has arrived, no. 1)");
    ana.enter("refused");
    ana.hear("ana | ana | echo | (all before this has arrived, no. 1)");
    ana.hear("server | ana | error_message | Your message was not sent: you may send 1 messages a second");
    ana.enter("/echo end");
    ana.hear("ana | ana | echo | end");
    ana.resize(80, 10);
    rows(
        &mut ana,
        &[
            "09:30 * ana → rui: two",
            "09:30   rui: before one",
            "09:30   ana: one",
            "09:30   rui: after one",
            "09:30 ! Your message was not sent: you may send 1 messages",
            "        a second",
            "09:30 ! ana: refused",
            "09:30 = echo: end",
        ][1..],
    );
}

#[test]
fn the_wheel_looks_back_and_leaves_the_line_alone() {
    let mut ana = Desk::ana(60, 8);
    ana.enter("/msg rui typed before");
    for number in 0..20 {
        ana.hear(&format!("rui | all clients | broadcast | {number}"));
    }
    let last = |ana: &mut Desk| ana.picture()[4].split('│').next().unwrap().trim_end().to_owned();
    let later = |ana: &mut Desk| ana.now.at += Duration::from_millis(20);
    let wheel = |ana: &mut Desk, code| {
        ana.now.at += Duration::from_millis(40);
        (0..3).for_each(|_| ana.key(code));
    };
    wheel(&mut ana, KeyCode::Up);
    assert_eq!((last(&mut ana).as_str(), ana.picture()[6].as_str()), ("09:30   rui: 16", ">"));
    ana.type_in("half");
    ana.key(KeyCode::Left);
    wheel(&mut ana, KeyCode::Up);
    wheel(&mut ana, KeyCode::Down);
    later(&mut ana);
    // A single arrow, as a touchpad sends it.
    ana.key(KeyCode::Down);
    assert_eq!((last(&mut ana).as_str(), ana.picture()[6].as_str()), ("09:30   rui: 17", "> half"));
    ana.picture();
    assert_eq!(ana.cursor.unwrap().x, 5, "nor is the cursor moved");
    ana.control('u');
    ana.control('k');
    // A key that is held down is not the wheel.
    later(&mut ana);
    ana.key(KeyCode::Up);
    assert_eq!(ana.picture()[6], "> /msg rui typed before");
    later(&mut ana);
    ana.key(KeyCode::Up);
    later(&mut ana);
    ana.key(KeyCode::Down);
    assert_eq!(ana.picture()[6], ">");
    ana.type_in("half");
    ana.control('p');
    assert_eq!(ana.picture()[6], "> /msg rui typed before");
    ana.control('n');
    assert_eq!(ana.picture()[6], "> half");
}

#[test]
fn pasted_lines_are_asked_about() {
    let paste = |line: &str, text: &str| {
        let mut ana = Desk::ana(100, 8);
        ana.carry_out();
        ana.sent.clear();
        ana.type_in(line);
        ana.app.paste(text);
        ana
    };
    let sent = |ana: &mut Desk| {
        ana.carry_out();
        std::mem::take(&mut ana.sent)
    };
    let mut ana = paste("", "one\r\n/close\r\n\r\n  three\u{7}\n");
    assert_eq!(ana.picture()[6], "Paste 3 lines as 3 messages? y/n");
    ana.key(KeyCode::Enter);
    assert_eq!(ana.last_row(), "y: a message each. n: as one line. Esc: not at all");
    ana.key(KeyCode::Char('y'));
    let all = "ana | all clients | broadcast | ";
    assert_eq!(sent(&mut ana), ["one", "/close", "  three"].map(|text| format!("{all}{text}")));
    assert_eq!(ana.picture()[6], ">");

    let mut ana = paste("first: ", "one\ntwo");
    ana.key(KeyCode::Char('y'));
    assert_eq!(sent(&mut ana), ["first: one", "two"].map(|text| format!("{all}{text}")));

    // All lines go to the receiver of the first.
    let mut ana = paste("/msg rui ", "one\n/exit");
    ana.key(KeyCode::Char('y'));
    assert_eq!(sent(&mut ana), ["one", "/exit"].map(|text| format!("ana | rui | private_message | {text}")));

    let mut ana = paste("a", "b\nc");
    ana.key(KeyCode::Char('n'));
    assert_eq!((ana.picture()[6].as_str(), sent(&mut ana).len()), ("> ab c", 0));
    let mut ana = paste("a", "b\nc");
    ana.key(KeyCode::Esc);
    assert_eq!((ana.picture()[6].as_str(), sent(&mut ana).len()), ("> a", 0));
    let mut ana = paste("/kick rui ", "b\nc");
    assert_eq!(ana.picture()[6], "> /kick rui b c", "an order takes one line");

    let mut ana = paste("a", &"b\n".repeat(201));
    assert_eq!(ana.last_row(), "Nothing was pasted: 201 lines, and at most 200 are sent at once");
    assert_eq!(ana.picture()[6], "> a");
    let mut ana = paste("", &format!("b\n{}\n", "c".repeat(1000)));
    assert_eq!(
        ana.last_row(),
        "Nothing was pasted: line 2: 8 bytes too long; a message has at most 1024, names included"
    );

    // As many lines are sent as there is room for. The user is asked about the rest again.
    let mut ana = paste("", &"b\n".repeat(200));
    for _ in 0..100 {
        ana.control('l');
    }
    ana.key(KeyCode::Char('y'));
    assert_eq!(ana.picture()[6], "Paste 44 lines as 44 messages? y/n");
    assert_eq!(sent(&mut ana).len(), 256);
    // A cut loses none of the lines.
    ana.app.event(Event::Cut { why: "x".to_owned(), retry_in: Duration::from_secs(1) }, ana.now);
    ana.key(KeyCode::Char('y'));
    assert_eq!(ana.last_row(), "Not sent: there is no connection. y sends them once there is");
    ana.app.event(joined("ana"), ana.now);
    sent(&mut ana);
    ana.key(KeyCode::Char('y'));
    assert_eq!(sent(&mut ana).len(), 44);
}

#[test]
fn a_server_that_does_not_answer_is_said() {
    let mut ana = Desk::ana(60, 8);
    let after = |ana: &mut Desk, seconds| ana.now.at += Duration::from_secs(seconds);
    after(&mut ana, 60);
    ana.hear("rui | all clients | broadcast | hi");
    assert!(ana.last_row().starts_with("ana @ "), "nothing is asked");
    ana.enter("are you there?");
    after(&mut ana, 2);
    assert!(ana.last_row().starts_with("ana @ "), "not yet");
    after(&mut ana, 10);
    assert!(ana.last_row().starts_with("no answer for 12 s · ana @ "));
    // The next picture is due when another number has to be shown.
    let due = ana.app.deadline(ana.now.at).unwrap();
    assert!(due <= ana.now.at + Duration::from_secs(1));
    ana.hear("rui | all clients | broadcast | ho");
    assert!(ana.last_row().starts_with("ana @ "));
}

#[test]
fn a_server_that_closed_is_tried_again_and_who_was_sent_away_stays_out() {
    let mut ana = Desk::ana(80, 8);
    ana.app.event(Event::Closed { retry_in: Duration::from_secs(17) }, ana.now);
    ana.shows_above_line(&["09:30 ! The server closed. The client reconnects; Ctrl-C", "        leaves."]);
    assert!(ana.last_row().starts_with("no connection; again in 17 s"));
    ana.control('c');
    assert_eq!(ana.app.exit_reason(), Some(&ExitReason::ServerClosed));

    let mut ana = Desk::ana(80, 8);
    ana.carry_out();
    let why = "You were disconnected by rui: being rude";
    ana.hear(&format!("server | ana | error_message | {why}"));
    ana.app.event(Event::Ended(End::SentAway(why.to_owned())), ana.now);
    assert_eq!(ana.app.exit_reason(), None);
    assert_eq!(ana.picture()[6], "Enter tries again, Esc leaves.");
    ana.key(KeyCode::Enter);
    ana.carry_out();
    assert_eq!(ana.sent.last().unwrap(), "begin as ana");
    ana.app.event(joined("ana"), ana.now);
    assert!(ana.last_row().starts_with("ana @ "));
    ana.app.event(Event::Ended(End::SentAway(why.to_owned())), ana.now);
    ana.key(KeyCode::Esc);
    assert_eq!(ana.app.exit_reason(), Some(&ExitReason::Refused(why.to_owned())));
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
    assert_eq!(ana.app.exit_reason(), None, "the answer is waited for");
    ana.app.event(Event::Ended(End::Left), ana.now);
    assert_eq!(ana.app.exit_reason(), Some(&ExitReason::Left));

    let mut ana = Desk::ana(60, 8);
    ana.app.event(Event::Ended(End::ServerClosed), ana.now);
    assert_eq!(ana.app.exit_reason(), None, "there may be something to read");
    assert_eq!(ana.picture()[6], "Enter tries again, Esc leaves.");
    ana.key(KeyCode::Esc);
    assert_eq!(ana.app.exit_reason(), Some(&ExitReason::ServerClosed));

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

#[test]
fn a_list_of_files_is_put_together_and_shown_a_file_a_row() {
    let mut desk = Desk::ana(60, 10);
    desk.hear("rui | ana | list_files | files 1 to 2 of 3: a.txt (5 bytes), \"b c.mp3\" (4213442 bytes, 3:40, audio/mpeg)");
    desk.hear("rui | ana | list_files | files 3 to 3 of 3: \"\\u{202e}x\" (1 byte); 1 file is not listed");
    desk.shows_above_line(&[
        "09:30 # files of rui: 3 files; 1 file",
        "        is not listed",
        "09:30 #   a.txt (5 B)",
        "09:30 #   b c.mp3 (4.2 MB, 3:40,",
        "        audio/mpeg)",
        "09:30 #   \"\\u{202e}x\" (1 B)",
    ]);
}

#[test]
fn what_there_is_of_a_list_is_shown_when_the_rest_does_not_come() {
    let mut desk = Desk::ana(60, 10);
    desk.hear("rui | ana | list_files | files 1 to 1 of 3: a.txt (5 bytes)");
    let due = desk.app.deadline(desk.now.at).unwrap();
    assert!(due > desk.now.at);
    desk.now.at += std::time::Duration::from_secs(30);
    desk.app.tick(desk.now);
    desk.shows_above_line(&[
        "09:30 # files of rui: 1 file",
        "09:30 #   a.txt (5 B)",
        "09:30 ! 2 more files of rui did not",
        "        come; ask again with /files",
    ]);
}

#[test]
fn why_there_is_no_connection_is_said_once() {
    let mut desk = Desk::new(Some("ana"), 60, 9);
    let cut = |why: &str| Event::Cut { why: why.to_owned(), retry_in: std::time::Duration::from_secs(1) };
    for why in ["refused", "refused", "no answer"] {
        desk.app.event(Event::Connecting, desk.now);
        desk.app.event(cut(why), desk.now);
    }
    desk.shows_above_line(&["09:30 ! No connection: refused", "09:30 ! No connection: no answer"]);
}
