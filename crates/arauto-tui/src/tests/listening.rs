//! Tests of files of others: requested, shown, made louder, ended.

use arauto_client::{
    audio::play::{NoSink, PlaybackError, PlaybackProgress, Played, Stage, StreamEnd, playout::Figures},
    rtsp,
};

use super::*;

const OFFER: &str = "rui | ana | play | rtsp://127.0.0.1:1554/7f3a?key=0 - a song.mp3";

fn playing(seconds: u64) -> PlaybackProgress {
    let mut progress =
        PlaybackProgress { stage: Stage::Playing, from: Some(Duration::ZERO), ..PlaybackProgress::default() };
    progress.figures.played = Duration::from_secs(seconds);
    progress.figures.buffered = Duration::from_millis(60);
    progress.length = Some(Duration::from_secs(220));
    progress
}

#[expect(clippy::unnecessary_wraps, reason = "as `App::heard` takes it")]
fn ended(ending: StreamEnd) -> Result<Played, PlaybackError> {
    Ok(Played { figures: Figures::default(), ending })
}

#[test]
fn where_a_stream_ended_is_said() {
    let mut desk = Desk::ana(160, 20);
    for (seconds, over, line) in [
        (219, ended(StreamEnd::Over), "You heard a song.mp3 of rui."),
        // A BYE sent by UDP may be lost.
        (219, ended(StreamEnd::Cut), "You heard a song.mp3 of rui."),
        (72, ended(StreamEnd::Over), "You heard a song.mp3 of rui up to 1:12 of 3:40."),
        (
            73,
            ended(StreamEnd::Cut),
            "! a song.mp3 of rui broke off at 1:13 of 3:40: the server closed the connection that carried it",
        ),
        (
            74,
            Err(rtsp::RtspError::Silence { method: "GET_PARAMETER" }.into()),
            "! a song.mp3 of rui broke off at 1:14 of 3:40: the server did not answer GET_PARAMETER within 10 s",
        ),
    ] {
        desk.enter("/play rui a song.mp3");
        desk.hear(OFFER);
        desk.app.hears(playing(seconds), desk.now);
        desk.carry_out();
        desk.app.heard(over, desk.now);
        let shown = desk.picture().join("\n");
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}

#[test]
fn what_is_asked_for_is_heard_shown_and_ended() {
    let mut desk = Desk::ana(110, 12);
    desk.carry_out();
    desk.sent.clear();
    desk.enter("/volume 30");
    desk.enter("/play rui a song.mp3");
    desk.hear(OFFER);
    desk.app.hears(playing(72), desk.now);
    desk.carry_out();
    assert_eq!(
        desk.sent,
        [
            "Volume(Volume(30))",
            "ana | rui | play | a song.mp3",
            "listen at 30 to rtsp://127.0.0.1:1554/7f3a?key=0",
        ]
    );
    assert_eq!(
        desk.last_row(),
        "ana @ 127.0.0.1:1234 · rui: a song.mp3 1:12 of 3:40 · buffer 60 ms · F1 help · Tab completes · PgUp looks back"
    );
    desk.sent.clear();
    desk.enter("/stop");
    desk.carry_out();
    assert_eq!(desk.sent, ["Stop"]);
    desk.app.heard(ended(StreamEnd::Stopped), desk.now);
    assert_eq!(
        desk.last_row(),
        "ana @ 127.0.0.1:1234 · F1 help · Tab completes · PgUp looks back · Ctrl-C leaves"
    );
    // A volume out of range is rejected.
    desk.enter("/volume 101");
    assert_eq!(desk.last_row(), "A volume is a number from 0 to 100. Type: /volume 50");
}

/// No user can make another's machine sound.
#[test]
fn what_was_not_asked_for_is_not_heard() {
    let mut desk = Desk::ana(80, 12);
    desk.enter("/play Eva x.mp3");
    desk.carry_out();
    desk.sent.clear();
    desk.hear(OFFER);
    desk.carry_out();
    assert_eq!(desk.sent, [""; 0]);
    // A file is heard once per request.
    desk.enter("/play RUI a song.mp3");
    desk.hear(OFFER);
    desk.hear(OFFER);
    desk.carry_out();
    let listened = |desk: &Desk| desk.sent.iter().filter(|sent| sent.starts_with("listen")).count();
    assert_eq!(listened(&desk), 1);
    // A request expires.
    desk.enter("/play rui a song.mp3");
    desk.now.at += Duration::from_mins(1);
    desk.hear(OFFER);
    desk.carry_out();
    assert_eq!(listened(&desk), 1);
}

#[test]
fn why_nothing_is_heard_is_said() {
    let mut desk = Desk::ana(120, 20);
    desk.enter("/play rui a song.mp3");
    desk.hear("rui | ana | play | cannot: no such file");
    desk.enter("/play rui b.mp3");
    desk.enter("/play rui fake.mp3");
    desk.hear("rui | ana | play | cannot: fake.mp3: it holds no audio that can be read here");
    desk.hear("rui | ana | play | cannot: not today");
    desk.hear("rui | ana | play | cannot: not today");
    desk.enter("/play rui b.mp3");
    desk.hear("server | ana | play | rui did not begin within 10 s");
    desk.hear(OFFER);
    desk.carry_out();
    assert!(!desk.sent.iter().any(|sent| sent.starts_with("listen")), "{:?}", desk.sent);
    desk.enter("/play rui c.mp3");
    desk.hear(&OFFER.replace("a song.mp3", "c.mp3"));
    let why = PlaybackError::NoSink(NoSink::NoCard("no PulseAudio or PipeWire is running".to_owned()));
    desk.app.heard(Err(why), desk.now);
    let shown = desk.picture().join("\n");
    for line in [
        "! rui does not play a song.mp3: no such file",
        "! rui does not play fake.mp3: it holds no audio that can be read here",
        "! rui does not play b.mp3: not today",
        "! rui does not play what is asked for: not today",
        "! rui did not begin within 10 s",
        "! c.mp3 of rui is not heard: no audio output is available (no PulseAudio",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}

/// The requests that have no answer yet.
fn waiting(desk: &Desk) -> Vec<String> {
    desk.app.listening.asked.iter().map(|asked| format!("{} {}", asked.of, asked.file)).collect()
}

#[test]
fn a_refusal_by_the_server_concerns_the_request_that_it_names() {
    for (why, about) in [
        ("Rui: a.mp3 does not play: Rui has left", "rui a.mp3"),
        ("Rui: b: a.mp3 does not play: Rui ended it", "rui b: a.mp3"),
        ("ru: a.mp3 does not play: nothing came within 10s. Does ru share files?", "ru a.mp3"),
        ("Destination client (rui) not found!", "rui a.mp3"),
        ("Destination client (ru) not found!", "ru a.mp3"),
        (
            "The server does not listen for audio at the address where ru reached it. Its operator has to add that to \
             media.listen, or set media.public_host",
            "ru a.mp3",
        ),
        // These name no request, whatever words they hold.
        (
            "32 files are played, which is the most. /streams shows them; try again when one has ended",
            "eva z.mp3",
        ),
        ("rui: other.mp3 does not play: rui has left", "eva z.mp3"),
        ("no", "eva z.mp3"),
    ] {
        let mut desk = Desk::ana(120, 20);
        let asked = ["files x.mp3", "ru a.mp3", "rui a.mp3", "rui b: a.mp3", "eva z.mp3"];
        for request in asked {
            desk.enter(&format!("/play {request}"));
        }
        assert_eq!(waiting(&desk), asked);
        desk.hear(&format!("server | ana | play | {why}"));
        let left: Vec<_> = asked.into_iter().filter(|request| *request != about).collect();
        assert_eq!(waiting(&desk), left, "{why}");
    }
}

/// The server ends the request by the same rule.
#[test]
fn a_refusal_by_a_user_concerns_the_longest_file_that_it_names() {
    for (why, about) in
        [("my a.mp3: no", "rui my a.mp3"), ("I have no a.mp3", "rui a.mp3"), ("not today", "rui x.mp3")]
    {
        let mut desk = Desk::ana(120, 20);
        let asked = ["rui x.mp3", "rui a.mp3", "rui my a.mp3"];
        for request in asked {
            desk.enter(&format!("/play {request}"));
        }
        desk.hear(&format!("rui | ana | play | cannot: {why}"));
        let left: Vec<_> = asked.into_iter().filter(|request| *request != about).collect();
        assert_eq!(waiting(&desk), left, "{why}");
    }
}

#[test]
fn files_that_can_be_heard_are_completed() {
    let mut desk = Desk::ana(100, 12);
    desk.hear(
        "rui | ana | list_files | 3 files: a song.mp3 (9 bytes, 0:07, audio/mpeg), text.txt (9 bytes), \
         b.wav (9 bytes, audio/wav)",
    );
    desk.type_in("/play rui ");
    desk.key(KeyCode::Tab);
    assert_eq!(desk.last_row(), "a song.mp3  b.wav");
}
