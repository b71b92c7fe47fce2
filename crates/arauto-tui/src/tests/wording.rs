//! Tests of the words of the help, of notices and of errors.

use arauto_client::audio::publish::{News, OnAir};

use super::*;

#[test]
fn the_help_is_plain_english() {
    let mut desk = Desk::ana(130, 100);
    desk.key(KeyCode::F(1));
    let help = desk.picture().join("\n");
    for line in [
        "Ctrl-A, Ctrl-E        start and end of the line; Ctrl-Left, Ctrl-Right by words",
        "Ctrl-U, Ctrl-K        delete to the start, to the end of the line",
        "Ctrl-L                redraw the screen",
        "Ctrl-Z                suspend, and return to the shell; fg resumes",
        "Ctrl-C                clear the line; leave if it is empty",
        "/pause [FILE]         pause what you play to others; again: resume",
        "/stop                 stop hearing; if you hear nothing, end all that you play to others",
        "=                     your own echo",
    ] {
        assert!(help.contains(line), "{line}\n{help}");
    }
}

#[test]
fn how_many_joined_and_left_is_said_without_zeros() {
    let list =
        |count: usize| (0..count).map(|number| format!(" , user{number}")).collect::<Vec<_>>().concat();
    for (before, after, said) in
        [(0, 57, "09:30 - 57 joined"), (57, 0, "09:30 - 57 left"), (2, 9, "09:30 - 7 joined")]
    {
        let mut ana = Desk::ana(80, 8);
        for count in [before, after] {
            ana.hear(&format!(
                "server | ana | watch | clients connected: ana , rui , Eva Maria{}",
                list(count)
            ));
        }
        ana.shows_above_line(&[said]);
    }
    let mut ana = Desk::ana(80, 8);
    ana.hear(&format!("server | ana | watch | clients connected: ana{}", list(5)));
    ana.shows_above_line(&["09:30 - 5 joined, 2 left"]);
    ana.hear("server | all clients | left | user0 , user1");
    ana.hear("server | all clients | joined | bob");
    ana.shows_above_line(&["09:30 - user0 left", "09:30 - user1 left", "09:30 - bob joined"]);
}

#[test]
fn a_file_that_plays_is_said_with_what_can_be_done() {
    let mut ana = Desk::ana(110, 8);
    ana.enter("/play rui a song.mp3");
    ana.hear("rui | ana | play | rtsp://127.0.0.1:1554/7f3a?key=0 - a song.mp3");
    let (file, by) = ("c.mp3".to_owned(), "rui".to_owned());
    let on_air = OnAir { file, by, elapsed: Duration::ZERO, length: None, is_paused: false };
    ana.app.news(News::Began(on_air), ana.now);
    ana.shows_above_line(&[
        "09:30 - rui plays a song.mp3. /stop stops it, /volume 50 sets the volume.",
        "09:30 - You play c.mp3 to rui. /pause pauses it, /stop c.mp3 ends it.",
    ]);
}

#[test]
fn errors_begin_with_a_capital() {
    let mut ana = Desk::ana(100, 10);
    for (line, hint) in [
        ("/msg rui", "The text is missing after /msg. Type: /msg bob hi"),
        ("/msg", "A name is missing after /msg. Type: /msg bob hi"),
        ("/volume x", "A volume is a number from 0 to 100. Type: /volume 50"),
    ] {
        ana.control('u');
        ana.enter(line);
        assert_eq!(ana.last_row(), hint);
    }
    ana.app.news(News::NotPlayed(None), ana.now);
    ana.app.news(News::NotPlayed(Some("c.mp3".to_owned())), ana.now);
    ana.shows_above_line(&[
        "09:30 ! You play nothing to others.",
        "09:30 ! You do not play c.mp3 to others.",
    ]);
}

#[test]
fn no_numbers_of_the_system_are_shown() {
    let mut ana = Desk::ana(130, 10);
    let cut = |why: &str| Event::Cut { why: why.to_owned(), retry_in: Duration::from_secs(1) };
    ana.app.event(cut("Connection reset by peer (os error 104)"), ana.now);
    ana.app.event(cut("cannot connect to h:1: Connection refused (os error 111); is it running?"), ana.now);
    ana.hear("rui | ana | play | cannot: it cannot be read: Permission denied (os error 13)");
    ana.shows_above_line(&[
        "09:30 ! The connection broke: Connection reset by peer. The client reconnects.",
        "09:30 ! No connection: cannot connect to h:1: Connection refused; is it running?",
        "09:30 ! rui does not play what is asked for: it cannot be read: Permission denied",
    ]);
}
