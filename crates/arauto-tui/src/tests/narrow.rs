//! Tests of narrow screens: what matters in a row is still there.

use arauto_client::audio::{
    play::{PlaybackProgress, Stage},
    publish::{News, OnAir, PermissionRequest},
};

use super::*;

/// The input line and the last row.
fn last_rows(desk: &mut Desk) -> [String; 2] {
    let mut picture = desk.picture();
    let last = picture.pop().unwrap();
    [picture.pop().unwrap(), last]
}

#[test]
fn questions_keep_their_keys() {
    for (columns, paste, close, over) in [
        (12, "4 lines? y/n", "End it? y/n", "Enter/Esc"),
        (20, "Send 4 lines? y/n", "End the server? y/n", "Rejoin? Enter/Esc"),
        (
            40,
            "Paste 4 lines as 4 messages? y/n",
            "End the server for everyone? y/n",
            "Enter tries again, Esc leaves.",
        ),
    ] {
        let mut ana = Desk::ana(columns, 8);
        ana.app.paste("one\ntwo\nthree\nfour");
        assert_eq!(last_rows(&mut ana)[0], paste);
        ana.key(KeyCode::Esc);
        ana.enter("/close");
        assert_eq!(last_rows(&mut ana)[0], close);
        ana.key(KeyCode::Esc);
        ana.app.event(Event::Ended(End::ServerClosed), ana.now);
        assert_eq!(last_rows(&mut ana)[0], over);
    }
}

#[test]
fn a_question_about_a_file_keeps_its_keys() {
    for (columns, asked) in [
        (20, "y/n and Enter: rui …"),
        (40, "y/n and Enter: rui wants a song.mp3"),
        (60, "rui wants to hear a song.mp3: y or n, and Enter?"),
    ] {
        let mut ana = Desk::ana(columns, 8);
        let (by, file) = ("rui".to_owned(), "a song.mp3".to_owned());
        ana.app.news(News::Asked(PermissionRequest { number: 1, by, file }), ana.now);
        assert!(last_rows(&mut ana)[1].starts_with(asked), "{:?}", ana.picture());
    }
}

#[test]
fn the_seconds_until_the_next_attempt_are_shown() {
    // The second height has no row for the number of new messages, which is in the last row then.
    for (columns, rows, shown) in [
        (20, 8, "retry in 30 s"),
        (20, 5, "retry in 30 s"),
        (40, 8, "no connection; again in 30 s · F1 help"),
        (40, 5, "no connection; again in 30 s · F1 help"),
    ] {
        let mut ana = Desk::ana(columns, rows);
        for number in 0..20 {
            ana.hear(&format!("rui | all clients | broadcast | {number}"));
        }
        ana.key(KeyCode::PageUp);
        ana.hear("rui | all clients | broadcast | new");
        let cut = Event::Cut { why: "reset".to_owned(), retry_in: Duration::from_secs(30) };
        ana.app.event(cut, ana.now);
        assert_eq!(last_rows(&mut ana)[1], shown);
    }
}

#[test]
fn the_position_of_what_is_heard_and_played_is_shown() {
    for (columns, heard, played) in [
        (20, "ana · 1:12 of 3:40", "ana · playing 0:09"),
        (40, "ana · rui: a song.mp3 1:12 of 3:40", "ana · playing c.mp3 0:09 of 3:40"),
        (
            60,
            "ana @ 127.0.0.1:1234 · rui: a song.mp3 1:12 of 3:40",
            "ana @ 127.0.0.1:1234 · playing c.mp3 0:09 of 3:40",
        ),
    ] {
        let mut ana = Desk::ana(columns, 8);
        ana.enter("/play rui a song.mp3");
        ana.hear("rui | ana | play | rtsp://127.0.0.1:1554/7f3a?key=0 - a song.mp3");
        let length = Some(Duration::from_secs(220));
        let mut progress = PlaybackProgress { stage: Stage::Playing, length, ..PlaybackProgress::default() };
        progress.figures.played = Duration::from_secs(72);
        ana.app.hears(progress, ana.now);
        assert!(last_rows(&mut ana)[1].starts_with(heard), "{:?}", ana.picture());

        let mut ana = Desk::ana(columns, 8);
        let (file, by) = ("c.mp3".to_owned(), "rui".to_owned());
        let on_air = OnAir { file, by, elapsed: Duration::from_secs(9), length, is_paused: false };
        ana.app.news(News::Playing(vec![on_air]), ana.now);
        assert!(last_rows(&mut ana)[1].starts_with(played), "{:?}", ana.picture());
    }
}

#[test]
fn the_rule_keeps_the_key_to_the_newest_message() {
    for (columns, older, new) in [
        (20, "── Ctrl-End: newest ", "── 1 new; Ctrl-End ─"),
        (40, "── older messages; Ctrl-End: the newest ", "── 1 new below; Ctrl-End: the newest ───"),
    ] {
        let mut ana = Desk::ana(columns, 8);
        for number in 0..20 {
            ana.hear(&format!("rui | all clients | broadcast | {number}"));
        }
        ana.key(KeyCode::PageUp);
        assert_eq!(ana.picture()[5], older.trim_end());
        ana.hear("rui | all clients | broadcast | new");
        assert_eq!(ana.picture()[5], new);
    }
}
