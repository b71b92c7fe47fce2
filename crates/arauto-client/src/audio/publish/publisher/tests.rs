//! Tests what servers and other clients can cause, and what they cannot.

use std::net::{Ipv4Addr, TcpListener};

use tokio::{sync::mpsc, time::Instant};

use super::{task::cannot, *};
use crate::files::Folder;

/// A port on which nothing listens.
fn nobody() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn publisher(folder: &tempfile::TempDir, asking: Asking) -> (Publisher, mpsc::Receiver<News>) {
    let folder = Folder::open(folder.path()).unwrap().opener();
    let (news, heard) = channel(64);
    let dialer = Dialer::new("127.0.0.1:1".parse().unwrap());
    (Publisher::spawn(Some(folder), asking, dialer, news), heard)
}

fn asks(publisher: &Publisher, file: &str) {
    // The host in the address is ignored; see `rtsp`.
    publisher.summoned("ana", "rui", &format!("rtsp://192.0.2.1:{}/1?key=2 {file}", nobody())).unwrap();
}

/// Expects a refusal to the server and to the user.
async fn expect_refusal(heard: &mut mpsc::Receiver<News>, file: &str, why: &str, others: usize) {
    let Some(News::Send(message)) = heard.recv().await else { panic!() };
    let message = message.message();
    assert_eq!((message.sender, message.destination, message.operation), ("ana", "rui", "play"));
    assert_eq!(message.data, format!("cannot: {file}: {why}"));
    let [by, file, why] = ["rui", file, why].map(str::to_owned);
    assert_eq!(heard.recv().await, Some(News::Refused { by, file, why, others }));
}

#[tokio::test(start_paused = true)]
async fn asked_no_more_than_one_can_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (publisher, mut heard) = publisher(&folder, Asking::First);
    let begun = Instant::now();
    for number in 1..=4 {
        asks(&publisher, &number.to_string());
        let Some(News::Asked(question)) = heard.recv().await else { panic!() };
        let [by, file] = ["rui".to_owned(), number.to_string()];
        assert_eq!(question, PermissionRequest { number, by, file });
    }
    asks(&publisher, "5");
    expect_refusal(&mut heard, "5", "too many files are played at once", 0).await;
    asks(&publisher, "4");
    expect_refusal(&mut heard, "4", "its user was asked for it already", 0).await;
    publisher.answer(2, false).unwrap();
    assert_eq!(heard.recv().await, Some(News::Settled(2)));
    expect_refusal(&mut heard, "2", "its user said no", 0).await;
    // A second answer, and one to an unknown question, have no effect.
    publisher.answer(2, true).unwrap();
    publisher.answer(99, true).unwrap();
    for number in [1, 3, 4] {
        assert_eq!(heard.recv().await, Some(News::Settled(number)));
        assert_eq!(begun.elapsed().as_secs(), 8);
        expect_refusal(&mut heard, &number.to_string(), "its user did not say yes in time", 0).await;
    }
    publisher.answer(1, true).unwrap();
    publisher.command(PublishCommand::Pause, None).unwrap();
    assert_eq!(heard.recv().await, Some(News::NotPlayed(None)));
}

#[tokio::test(start_paused = true)]
async fn refusals_are_no_flood() {
    let folder = tempfile::tempdir().unwrap();
    let (publisher, mut heard) = publisher(&folder, Asking::Impossible);
    let why = "its user wants to be asked first, and cannot be asked";
    for _ in 0..30 {
        asks(&publisher, "a.mp3");
        tokio::task::yield_now().await;
    }
    for _ in 0..8 {
        expect_refusal(&mut heard, "a.mp3", why, 0).await;
    }
    tokio::time::advance(Duration::from_millis(250)).await;
    asks(&publisher, "b.mp3");
    expect_refusal(&mut heard, "b.mp3", why, 22).await;
}

#[test]
fn a_refusal_has_room() {
    let message = |file: &str| cannot("ana", "rui", file, "no such file is shared");
    assert_eq!(message("a.mp3").text(), "ana | rui | play | cannot: a.mp3: no such file is shared");
    let longest = "x".repeat(1024 - "ana | rui | play | cannot: : no such file is shared".len());
    assert_eq!(message(&longest).text().len(), 1024);
    assert_eq!(message(&format!("{longest}x")).message().data, "cannot: no such file is shared");
}

#[tokio::test(start_paused = true)]
async fn too_many_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (publisher, _heard) = publisher(&folder, Asking::Impossible);
    for _ in 0..MAX_NOTES {
        asks(&publisher, "a.mp3");
    }
    let more = publisher.summoned("ana", "rui", "rtsp://h/1 a.mp3");
    assert_eq!(more.unwrap_err().to_string(), "32 requests are waiting already");
}

#[tokio::test]
async fn what_cannot_be_played_is_forgotten_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.wav"), crate::files::audio_tests::wav(8000, 8000)).unwrap();
    let (publisher, mut heard) = publisher(&folder, Asking::Never);
    let mut next = async || loop {
        match heard.recv().await.unwrap() {
            News::Playing(on_air) => assert_eq!(on_air, []),
            news => return news,
        }
    };
    for _ in 0..6 {
        let port = nobody();
        publisher.summoned("ana", "rui", &format!("rtsp://192.0.2.1:{port}/1?key=2 a.wav")).unwrap();
        let News::Send(message) = next().await else { panic!() };
        let refused =
            format!("cannot: a.wav: cannot connect to 127.0.0.1:{port}: Connection refused (os error 111)");
        assert_eq!(message.message().data, refused);
        assert!(matches!(next().await, News::Refused { .. }));
    }
    publisher.summoned("ana", "rui", "hello").unwrap();
    let News::CannotDo(why) = next().await else { panic!() };
    assert_eq!(why, "rui wants to hear a file, and the server does not say which, or where it is to go");
}
