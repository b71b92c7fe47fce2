use super::*;

const ANA: SessionId = SessionId(1);
const RUI: SessionId = SessionId(2);
const EVA: SessionId = SessionId(3);

fn name(text: &str) -> Name {
    Name::parse(text, 489).unwrap()
}

fn key(number: u8) -> Key {
    format!("{number:032x}").parse().unwrap()
}

fn ask(
    streams: &mut StreamDirectory,
    file: &str,
    asker: SessionId,
    number: u8,
) -> Result<AskOutcome, NotAsked> {
    ask_within(streams, file, asker, number, &config::Media::default())
}

fn ask_within(
    streams: &mut StreamDirectory,
    file: &str,
    asker: SessionId,
    number: u8,
    bounds: &config::Media,
) -> Result<AskOutcome, NotAsked> {
    streams.ask((party(ANA), &name("ana")), file, party(asker), key(number), bounds, Instant::now())
}

fn party(id: SessionId) -> Party {
    Party { id, group: room::Group::Account(id) }
}

/// Asks for a file that was not asked for before, and returns its stream.
fn open(streams: &mut StreamDirectory, file: &str, asker: SessionId) -> (StreamId, Opening) {
    match ask(streams, file, asker, 0) {
        Ok(AskOutcome::Open(stream, opening)) => (stream, opening),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_who_asks_opens_a_stream_and_the_next_wait_for_it() {
    let mut streams = StreamDirectory::after(0xffff);
    let (stream, _) = open(&mut streams, "a.mp3", RUI);
    assert_eq!(stream, StreamId(0));
    assert_eq!(ask(&mut streams, "a.mp3", EVA, 2), Ok(AskOutcome::Waits));
    assert_eq!(ask(&mut streams, "a.mp3", RUI, 3), Ok(AskOutcome::Waits));
    assert!(streams.on().is_empty());
    let (publisher, file, askers) = streams.begin(stream).unwrap();
    assert_eq!((publisher.as_str(), &*file, &askers[..]), ("ana", "a.mp3", &[RUI, EVA][..]));
    assert!(streams.begin(stream).is_none(), "it has begun");
    streams.admit(stream, RUI, key(4));
    assert_eq!(
        ask(&mut streams, "a.mp3", RUI, 5),
        Ok(AskOutcome::Plays { stream, key: key(4), is_new: false }),
        "he has a key"
    );
    let late = SessionId(9);
    assert_eq!(
        ask(&mut streams, "a.mp3", late, 6),
        Ok(AskOutcome::Plays { stream, key: key(6), is_new: true })
    );
    let closed = streams.end(stream).unwrap();
    assert_eq!((closed.was_on, &closed.askers[..]), (true, &[RUI, EVA, late][..]));
    assert!(streams.end(stream).is_none());
}

#[test]
fn files_are_the_same_only_if_they_are_written_the_same() {
    let mut streams = StreamDirectory::after(6);
    let numbers: Vec<_> =
        ["a.mp3", "A.mp3", "a.mp3 "].map(|file| open(&mut streams, file, RUI).0).into_iter().collect();
    assert_eq!(numbers, [StreamId(7), StreamId(8), StreamId(9)]);
    let eva = (party(EVA), &name("eva"));
    let other = streams.ask(eva, "a.mp3", party(RUI), key(1), &config::Media::default(), Instant::now());
    assert!(matches!(other, Ok(AskOutcome::Open(..))), "{other:?}");
}

#[test]
fn every_bound_is_kept_and_named() {
    let bounds = config::Media { streams: 7, waiting: 5, listeners: 2, ..config::Media::default() };
    let mut streams = StreamDirectory::after(0);
    let mut ask = |file: &str, asker| ask_within(&mut streams, file, asker, 1, &bounds);
    for file in ["1", "2", "3", "4"] {
        assert!(matches!(ask(file, RUI), Ok(AskOutcome::Open(..))));
    }
    assert_eq!(ask("5", RUI), Err(NotAsked::TooManyWaiting));
    assert!(matches!(ask("5", EVA), Ok(AskOutcome::Open(..))));
    assert_eq!(ask("6", EVA), Err(NotAsked::Waiting));
    assert_eq!(ask("1", EVA), Ok(AskOutcome::Waits), "that is asked for already");
    assert_eq!(ask("1", SessionId(9)), Err(NotAsked::Listeners));
    for number in 1..=5 {
        assert!(streams.begin(StreamId(number)).is_some());
    }
    for file in ["6", "7"] {
        assert!(matches!(ask_within(&mut streams, file, EVA, 1, &bounds), Ok(AskOutcome::Open(..))));
    }
    assert_eq!(ask_within(&mut streams, "8", EVA, 1, &bounds), Err(NotAsked::Streams));
}

/// The relay keeps every key while the stream lasts.
#[test]
fn a_crowd_that_comes_and_goes_makes_no_more_keys_than_may_listen() {
    let bounds = config::Media { listeners: 3, ..config::Media::default() };
    let mut streams = StreamDirectory::after(0);
    let (stream, _) = open(&mut streams, "a.mp3", RUI);
    streams.begin(stream);
    streams.admit(stream, RUI, key(1));
    let mut new = 0;
    for number in 10..100 {
        let asker = SessionId(u64::from(number));
        match ask_within(&mut streams, "a.mp3", asker, number, &bounds) {
            Ok(AskOutcome::Plays { is_new, .. }) => new += usize::from(is_new),
            other => panic!("{other:?}"),
        }
        assert!(streams.leave(asker).is_empty());
    }
    assert_eq!(new, 2);
}

#[test]
fn who_takes_too_long_is_given_up_but_not_for_a_later_stream() {
    let mut streams = StreamDirectory::after(0);
    let (first, early) = open(&mut streams, "a.mp3", RUI);
    assert_eq!(streams.expire(first, early).unwrap().askers, [RUI]);
    streams.last = 0;
    let (second, late) = open(&mut streams, "b.mp3", RUI);
    assert_eq!(first, second);
    assert!(streams.expire(second, early).is_none());
    streams.begin(second);
    assert!(streams.expire(second, late).is_none(), "it is on");
}

#[test]
fn who_will_not_play_means_the_file_that_is_named_or_the_first() {
    let mut streams = StreamDirectory::after(0);
    for file in ["a.mp3", "b.mp3", "bb.mp3"] {
        open(&mut streams, file, RUI);
    }
    open(&mut streams, "c.mp3", EVA);
    let mut refuse = |asker, why| streams.refuse(ANA, asker, why).map(|closed| closed.file.to_string());
    assert_eq!(refuse(RUI, "no file bb.mp3").as_deref(), Some("bb.mp3"));
    assert_eq!(refuse(EVA, "no file a.mp3").as_deref(), Some("c.mp3"), "she waits for no other");
    assert_eq!(refuse(RUI, "not now").as_deref(), Some("a.mp3"));
    assert_eq!(refuse(RUI, "not now").as_deref(), Some("b.mp3"));
    assert_eq!(refuse(RUI, "not now"), None);
    let (stream, _) = open(&mut streams, "a.mp3", RUI);
    assert!(streams.refuse(EVA, RUI, "not now").is_none(), "it is not hers");
    streams.begin(stream);
    assert!(streams.refuse(ANA, RUI, "not now").is_none(), "it is on");
}

#[test]
fn who_leaves_takes_his_streams_along_and_waits_for_nothing() {
    let mut streams = StreamDirectory::after(0);
    let (on, _) = open(&mut streams, "a.mp3", RUI);
    streams.begin(on);
    open(&mut streams, "b.mp3", RUI);
    open(&mut streams, "c.mp3", RUI);
    ask(&mut streams, "c.mp3", EVA, 1).unwrap();
    let files =
        |over: Vec<Closed>| over.into_iter().map(|closed| closed.file.to_string()).collect::<Vec<_>>();
    assert_eq!(files(streams.leave(RUI)), ["b.mp3"], "nobody waits for it any more");
    assert_eq!(streams.on().len(), 1);
    assert_eq!(files(streams.leave(ANA)), ["a.mp3", "c.mp3"]);
    assert!(streams.leave(EVA).is_empty());
}

#[test]
fn what_is_on_is_shown_and_stopped() {
    let mut streams = StreamDirectory::after(0);
    let (stream, _) = open(&mut streams, "a.mp3", RUI);
    streams.begin(stream);
    open(&mut streams, "b.mp3", RUI);
    let (file, stats) = streams.get(stream).unwrap();
    stats.set_listeners(3);
    let on = streams.on();
    assert_eq!((on[0].publisher.as_str(), on[0].file, on[0].stats.listeners()), ("ana", &*file, 3));
    assert_eq!(on.len(), 1);
    assert_eq!(streams.publishers("a.mp3").len(), 1);
    assert!(streams.stop(RUI, "a.mp3").is_none());
    assert!(streams.stop(ANA, "a.mp3").unwrap().was_on);
    assert!(!streams.stop(ANA, "b.mp3").unwrap().was_on);
    assert!(streams.publishers("a.mp3").is_empty());
}
