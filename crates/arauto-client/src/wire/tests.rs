//! Tests of connections over an in-memory pipe, with a paused clock.

use arauto_protocol::Message;
use tokio::io::duplex;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_server_without_line_endings_gets_none_and_a_pause() {
    let (ours, mut theirs) = duplex(1024);
    let (mut receiver, mut sender) = halves(Box::new(ours));
    theirs.write_all(b"server | client | name | no data").await.unwrap();
    let Some(Item::Message(request)) = receiver.next().await.unwrap() else { panic!("no message") };
    let begin = Instant::now();
    for _ in 0..2 {
        sender.send(&Line::new(&request.as_message()).unwrap()).await.unwrap();
    }
    assert_eq!(begin.elapsed(), UNFRAMED_GAP);
    let text = "server | client | name | no data";
    let mut sent = vec![0; 1024];
    let length = theirs.read(&mut sent).await.unwrap();
    assert_eq!(std::str::from_utf8(&sent[..length]).unwrap(), [text, text].concat());
}

/// Returns a connection whose name is confirmed, and the test's end of it.
async fn confirmed() -> (Receiver, Sender, tokio::io::DuplexStream) {
    let (ours, mut theirs) = duplex(1024);
    let (mut receiver, sender) = halves_framed(Box::new(ours), Framing::Lines);
    theirs.write_all(b"server | ana | connection_confirmation | hello\n").await.unwrap();
    assert!(matches!(receiver.next().await, Ok(Some(Item::Message(_)))));
    (receiver, sender, theirs)
}

const QUESTION: &str = "ana | ana | echo | (is the server still there? no. 1)\n";

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_asked_after_10_s_and_given_up_after_25() {
    let (mut receiver, _sender, mut theirs) = confirmed().await;
    let begin = Instant::now();
    let asked = async {
        let mut asked = vec![0; QUESTION.len()];
        theirs.read_exact(&mut asked).await.unwrap();
        assert_eq!(begin.elapsed().as_secs(), 10);
        std::str::from_utf8(&asked).unwrap().to_owned()
    };
    let (end, asked) = tokio::join!(receiver.next(), asked);
    assert_eq!(asked, QUESTION);
    assert_eq!(end.unwrap_err().to_string(), "no answer for 25 s");
    assert_eq!(begin.elapsed().as_secs(), 25);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_is_kept_and_nobody_is_shown_the_answer() {
    let (mut receiver, _sender, theirs) = confirmed().await;
    let begin = Instant::now();
    let (their_half, mut writing) = split(theirs);
    let answering = async {
        let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(their_half));
        for _ in 0..10 {
            let line = lines.next_line().await.unwrap().unwrap();
            writing.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }
        writing.write_all(b"rui | all clients | broadcast | hi\n").await.unwrap();
    };
    let (item, ()) = tokio::join!(receiver.next(), answering);
    assert!(matches!(item, Ok(Some(Item::Message(message))) if message.data == "hi"));
    assert_eq!(begin.elapsed().as_secs(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_held_up_by_what_was_sent_is_given_its_time() {
    let (mut receiver, mut sender, mut theirs) = confirmed().await;
    let begin = Instant::now();
    let data = "x".repeat(900);
    let line = Line::new(&Message { sender: "ana", destination: "all", operation: "broadcast", data: &data });
    let line = line.unwrap();
    let mut taken = vec![0; 100 * line.as_bytes().len()];
    let sending = async {
        for _ in 0..100 {
            sender.send(&line).await.unwrap();
        }
    };
    let ((), read) = tokio::join!(sending, theirs.read_exact(&mut taken));
    read.unwrap();
    let end = receiver.next().await.unwrap_err();
    // 93 KB less the 40 KB of 10 s and the 16 KiB that are free, at 4 KiB per second.
    assert_eq!((end.to_string().as_str(), begin.elapsed().as_secs()), ("no answer for 33 s", 33));
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_sending_was_given_up_is_not_torn() {
    let (_receiver, mut sender, mut theirs) = confirmed().await;
    let data = "x".repeat(900);
    let line = Line::new(&Message { sender: "ana", destination: "all", operation: "broadcast", data: &data });
    let line = line.unwrap();
    sender.send(&line).await.unwrap();
    // The pipe has no room for all of the second message.
    assert!(tokio::time::timeout(Duration::from_secs(1), sender.send(&line)).await.is_err());
    let mut taken = vec![0; 3 * line.as_bytes().len()];
    let (sent, read) = tokio::join!(sender.send(&line), theirs.read_exact(&mut taken));
    sent.unwrap();
    read.unwrap();
    assert_eq!(taken, line.as_bytes().repeat(3));
}

#[tokio::test]
async fn no_name_is_taken_for_a_short_form() {
    for (line, sent) in [
        ("/all | bob | private_message | hi", " | bob | private_message | hi\n"),
        ("ana | bob | private_message | /hi", "ana | bob | private_message | /hi\n"),
    ] {
        let (ours, mut theirs) = duplex(1024);
        let (_receiver, mut sender) = halves_framed(Box::new(ours), Framing::Lines);
        let message = Message::parse(line).unwrap();
        sender.send(&Line::new(&message).unwrap()).await.unwrap();
        let mut read = vec![0; 1024];
        let length = theirs.read(&mut read).await.unwrap();
        assert_eq!(std::str::from_utf8(&read[..length]).unwrap(), sent);
    }
}

#[tokio::test(start_paused = true)]
async fn silence_counts_from_the_read_however_often_it_is_asked_for() {
    let (ours, mut theirs) = duplex(1024);
    let (mut receiver, _sender) = halves_framed(Box::new(ours), Framing::Unframed);
    theirs.write_all(b"bob | all clients | broadcast | hi").await.unwrap();
    let mut asked = 0;
    let item = loop {
        asked += 1;
        let within = Duration::from_millis(30);
        if let Ok(item) = tokio::time::timeout(within, receiver.next()).await {
            break item.unwrap();
        }
    };
    assert!(matches!(item, Some(Item::Message(message)) if message.data == "hi"));
    assert_eq!(asked, 4);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_messages_hides_no_deadline() {
    let (ours, mut theirs) = duplex(1 << 20);
    let (mut receiver, _sender) = halves_framed(Box::new(ours), Framing::Lines);
    theirs.write_all("bob | all clients | broadcast | hi\n".repeat(10_000).as_bytes()).await.unwrap();
    let mut taken = 0;
    let taking = async {
        while let Ok(Some(_)) = receiver.next().await {
            taken += 1;
        }
    };
    // The deadline has passed before the first message is taken.
    assert!(tokio::time::timeout(Duration::ZERO, taking).await.is_err());
    assert!(taken < 1000, "{taken}");
}
