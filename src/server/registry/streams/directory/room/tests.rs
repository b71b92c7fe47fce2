use arauto_protocol::Name;
use arauto_rtsp::Key;

use super::{
    super::{AskOutcome, Opening},
    *,
};

/// A user whose address ends with this number.
fn at(id: u64, network: u8) -> Party {
    Party { id: SessionId(id), group: Group::Address(Block::V4([192, 0, 2, network])) }
}

struct World {
    streams: StreamDirectory,
    bounds: config::Media,
    now: Instant,
}

impl World {
    fn new(streams: usize, waiting: usize) -> Self {
        let bounds = config::Media { streams, waiting, ..config::Media::default() };
        Self { streams: StreamDirectory::after(0), bounds, now: Instant::now() }
    }

    /// Asks for a file. Returns the new stream, and the files of those that gave way.
    fn ask(
        &mut self,
        publisher: Party,
        asker: Party,
        file: &str,
    ) -> Result<(StreamId, Vec<String>), NotAsked> {
        let gave_way = self.streams.make_room(publisher, asker, &self.bounds, self.now)?;
        let name = Name::parse("ana", 489).unwrap();
        let key = Key::random().unwrap();
        match self.streams.ask((publisher, &name), file, asker, key, &self.bounds, self.now)? {
            AskOutcome::Open(stream, Opening(_)) => {
                Ok((stream, gave_way.iter().map(|closed| closed.file.to_string()).collect()))
            }
            other => panic!("{other:?}"),
        }
    }

    fn begin(&mut self, stream: StreamId, listeners: usize) {
        self.streams.begin(stream).unwrap();
        self.streams.get(stream).unwrap().1.set_listeners(listeners);
    }
}

#[test]
fn who_asks_one_that_never_answers_gives_way_to_others() {
    let mut world = World::new(32, 8);
    let mute = at(1, 1);
    for asker in [at(2, 1), at(3, 1)] {
        for file in 0..4 {
            assert!(world.ask(mute, asker, &format!("{}{file}", asker.id.0)).unwrap().1.is_empty());
        }
        assert_eq!(world.ask(mute, asker, "more"), Err(NotAsked::TooManyWaiting));
    }
    // A user at another address asks a publisher that answers.
    let (stream, gave_way) = world.ask(at(6, 2), at(4, 2), "song").unwrap();
    assert_eq!(gave_way, ["20"]);
    world.begin(stream, 1);
    assert!(world.ask(mute, at(2, 1), "again").unwrap().1.is_empty());
    // A user at the address of the first two has fewer places than they have.
    assert_eq!(world.ask(at(6, 2), at(5, 1), "another song").unwrap().1, ["21"]);
}

#[test]
fn one_waiting_place_each_lasts_for_a_moment_and_then_gives_way() {
    let mut world = World::new(32, 3);
    for number in 1..=3 {
        world.ask(at(10 + u64::from(number), number), at(u64::from(number), number), "a").unwrap();
    }
    let (publisher, asker) = (at(20, 20), at(21, 20));
    assert_eq!(world.ask(publisher, asker, "b"), Err(NotAsked::Waiting));
    world.now += MIN_WAITING_TIME;
    let (_, gave_way) = world.ask(publisher, asker, "b").unwrap();
    assert_eq!(gave_way.len(), 1);
    // The new stream's own grace period has not passed.
    assert_eq!(world.streams.by_number.values().filter(|stream| &*stream.file == "b").count(), 1);
}

#[test]
fn streams_that_do_nothing_give_way_first_and_then_those_of_who_has_most() {
    let mut world = World::new(6, 8);
    let (ana, rui) = (at(1, 1), at(2, 2));
    for file in 0..5 {
        let (stream, _) = world.ask(ana, ana, &file.to_string()).unwrap();
        world.begin(stream, 1);
    }
    let (idle, _) = world.ask(rui, rui, "idle").unwrap();
    world.begin(idle, 1);
    world.streams.get(idle).unwrap().1.set_idle(MIN_IDLE_TIME);
    // A stream younger than `MIN_IDLE_TIME` is not taken for idle, so the user with most streams gives way.
    let eva = at(3, 3);
    assert_eq!(world.ask(eva, eva, "a").unwrap().1, ["0"]);
    world.now += MIN_IDLE_TIME;
    let leo = at(4, 4);
    assert_eq!(world.ask(leo, leo, "b").unwrap().1, ["idle"]);
}

#[test]
fn nobody_gets_more_by_taking_from_who_has_less() {
    let mut world = World::new(4, 8);
    for number in 1..=4 {
        let user = at(u64::from(number), number);
        let (stream, _) = world.ask(user, user, "a").unwrap();
        world.begin(stream, 1);
    }
    world.now += MIN_IDLE_TIME;
    let ana = at(1, 1);
    assert_eq!(world.ask(ana, ana, "b"), Err(NotAsked::Streams));
    // A user without streams gets none from users who play one each, either.
    let eva = at(9, 9);
    assert_eq!(world.ask(eva, eva, "b"), Err(NotAsked::Streams));
}

#[test]
fn accounts_behind_one_address_count_each_for_itself() {
    let mut world = World::new(3, 8);
    let account = |id| Party { id: SessionId(id), group: Group::Account(SessionId(id)) };
    for id in [1, 2, 3] {
        let (stream, _) = world.ask(account(id), account(id), "a").unwrap();
        world.begin(stream, 1);
    }
    let eva = at(9, 9);
    assert_eq!(world.ask(eva, eva, "b"), Err(NotAsked::Streams));
}

/// A stream that ended without a place for the newcomer would be lost: neither the relay nor a user would be told.
#[test]
fn a_refused_newcomer_displaces_nothing_after_a_reload_has_lowered_the_bounds() {
    let filled = || {
        let mut world = World::new(8, 2);
        for number in 1..=2 {
            let user = at(u64::from(number), number);
            let (stream, _) = world.ask(user, user, "playing").unwrap();
            world.begin(stream, 1);
        }
        for number in 3..=4 {
            let user = at(u64::from(number), number);
            world.ask(user, user, "waiting").unwrap();
        }
        world.now += MIN_WAITING_TIME;
        world
    };
    let eva = at(9, 9);
    for (streams, waiting, outcome) in [
        (8, 2, Ok(vec!["waiting".to_owned()])),
        (4, 2, Ok(vec!["waiting".to_owned()])),
        (4, 4, Ok(vec!["waiting".to_owned()])),
        (3, 2, Err(NotAsked::Streams)),
        (2, 2, Err(NotAsked::Streams)),
        (2, 8, Err(NotAsked::Streams)),
        (8, 1, Err(NotAsked::Waiting)),
        (2, 0, Err(NotAsked::Waiting)),
    ] {
        let mut world = filled();
        (world.bounds.streams, world.bounds.waiting) = (streams, waiting);
        let gave_way = world.ask(eva, eva, "new").map(|(_, gave_way)| gave_way);
        assert_eq!(gave_way, outcome, "{streams} {waiting}");
        // A displaced stream and the new one keep the number the same.
        assert_eq!(world.streams.by_number.len(), 4, "{streams} {waiting}");
    }
}
