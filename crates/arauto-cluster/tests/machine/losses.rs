//! A log that loses messages: its newest, as a server that had not written them to disk, or its oldest, because of their age.

use std::time::Duration;

use arauto_cluster::{Body, Entry, Frame, frame::Content, node::Reason};

use crate::{
    dice::NONE,
    faults::{SOON, three, three_with_ana},
    lies::{DECIDED, cuts, lie_to},
    log::Change,
    world::{STEP, World},
};

#[test]
fn messages_that_the_log_has_dropped_speak_against_nobody() {
    let mut world = three(34, NONE);
    world.is_leader_up = false;
    lie_to(&mut world, &[2]);
    world.until(SOON, "all to hold", |world| world.places.iter().all(|place| place.holds));
    world.first = world.log.len() as u64;
    world.is_leader_up = true;
    world.until(SOON, "a cut", |world| !world.places[2].cuts.is_empty());
    world.until(SOON, "all to serve with one name", |world| world.all_serve() && world.know(&["bob"]));
    assert!(cuts(&world)[..2].iter().all(Vec::is_empty), "{}", world.picture());
}

#[test]
fn a_node_whose_hello_is_lost_once_it_was_answered_joins_anew() {
    let mut world = three(37, NONE);
    world.pass(Duration::from_secs(40));
    let joiner = world.start("n4");
    let is_ready = |bytes: &[u8]| {
        Frame::<Change>::decode(bytes).is_ok_and(|frame| {
            matches!(frame.content, Content::Body(Body { ref entries, .. }) if entries.contains(&Entry::Ready))
        })
    };
    while !world.log.iter().any(|(name, bytes, _)| name.as_str() == "n4" && is_ready(bytes)) {
        world.pass(STEP);
    }
    // The frame with Ready was acknowledged, and nobody has read it.
    world.lose_tail();
    world.pass(STEP);
    let hello = world.log.iter().position(|(name, ..)| name.as_str() == "n4").unwrap();
    world.log.truncate(hello - 100);
    world.may_differ = true;
    world.until(SOON, "it to serve", |world| world.places[joiner].serves);
}

#[test]
fn a_log_whose_server_lost_its_newest_messages_is_noticed_at_the_reconnect() {
    let mut world = three_with_ana(27);
    world.is_log_up = false;
    for place in 0..3 {
        world.connect(place, false);
    }
    world.rewind(2);
    world.pass(Duration::from_secs(1));
    world.is_log_up = true;
    for place in 0..3 {
        world.connect(place, true);
    }
    let time =
        world.until(SOON, "all to be cut", |world| world.places.iter().all(|place| !place.cuts.is_empty()));
    assert!(time < DECIDED, "{time:?}");
    let time = world.until(SOON, "all to serve", World::all_serve);
    assert!(time <= Duration::from_secs(10), "{time:?}");
    assert_eq!((world.foundings(), cuts(&world)), (1, vec![vec![Reason::Differs]; 3]));
}

#[test]
fn a_log_that_goes_on_elsewhere_without_a_cut_is_noticed_as_well() {
    for lost in [1, 3, 8] {
        let mut world = three_with_ana(28);
        world.pass(Duration::from_secs(2));
        world.rewind(lost);
        world.until(SOON, "all to be cut", |world| world.places.iter().all(|place| !place.cuts.is_empty()));
        let time = world.until(SOON, "all to serve", World::all_serve);
        assert!(time <= Duration::from_secs(10), "{time:?}");
        assert_eq!(cuts(&world), vec![vec![Reason::Differs]; 3], "{lost}");
    }
}

#[test]
fn a_log_that_lost_more_than_a_node_remembers_is_noticed() {
    let mut world = three_with_ana(30);
    for number in 0..4_200 {
        world.store(0, vec![u8::try_from(number % 256).unwrap()]);
    }
    world.until(SOON, "all to be read", |world| {
        world.places.iter().all(|place| place.node.state().position() > 4_200)
    });
    world.rewind(4_200);
    let time =
        world.until(SOON, "all to be cut", |world| world.places.iter().all(|place| !place.cuts.is_empty()));
    assert!(time < DECIDED, "{time:?}");
    let time = world.until(SOON, "all to serve", World::all_serve);
    assert!(time <= Duration::from_secs(10), "{time:?}");
}

#[test]
fn a_node_that_was_told_of_an_end_that_the_log_has_lost_asks_again() {
    let mut world = World::new(32, NONE);
    world.start("n1");
    let now = world.at(0);
    let place = &mut world.places[0];
    place.node.end_of_log(500, Duration::from_mins(1), now, &place.table);
    world.act(0);
    let time = world.until(SOON, "it to serve", World::all_serve);
    assert!(time < Duration::from_secs(20), "{time:?}");
}

#[test]
fn what_one_node_alone_had_read_before_the_log_forked_is_noticed_as_soon_as_it_is_connected() {
    let mut world = three_with_ana(31);
    world.connect(0, false);
    world.connect(1, false);
    let entered = world.now;
    world.enter(2, "bob");
    world.until(SOON, "its name", |world| world.places[2].table.by_name.len() == 2);
    world.connect(2, false);
    let others = world.places[0].node.state().position();
    world.rewind(world.log.len() - usize::try_from(others).unwrap());
    world.connect(0, true);
    world.connect(1, true);
    world.until(SOON, "the log to go on", |world| world.log.len() as u64 > others + 5);
    world.connect(2, true);
    let time = world.until(SOON, "a cut", |world| !world.places[2].cuts.is_empty());
    assert!(time <= 3 * STEP, "{time:?}");
    assert!(world.places[2].sure_until <= entered, "its clients learn that the newest line may be lost");
    world.until(SOON, "all to serve", World::all_serve);
    assert_eq!(cuts(&world), [vec![], vec![], vec![Reason::Differs]]);
}

#[test]
fn frames_that_were_acknowledged_and_lost_are_appended_again_and_nobody_is_cut() {
    for is_filled in [false, true] {
        let mut world = three_with_ana(29);
        world.faults.holes_in_the_tail = 100;
        world.enter(0, "bob");
        world.until(SOON, "a hold", |world| world.places[0].holds);
        let length = world.log.len();
        world.rewind(3);
        while is_filled && world.log.len() < length {
            world.store(1, b"another message".to_vec());
        }
        world.faults.holes_in_the_tail = 0;
        world.until(SOON, "the name", |world| world.know(&["ana", "bob"]) && world.all_serve());
        assert_eq!(cuts(&world), vec![vec![]; 3]);
    }
}

#[test]
fn a_leader_that_was_replaced_without_knowing_it_cuts_nobody() {
    let mut world = three_with_ana(39);
    world.pass(Duration::from_secs(3));
    world.stale_leader = Some(world.log.len() as u64 - 2);
    for place in 0..3 {
        world.connect(place, false);
        world.connect(place, true);
    }
    let before = world.verified;
    world.pass(Duration::from_secs(4));
    assert!(
        (4..100).contains(&(world.verified - before)),
        "asked again, and not without pause: {}",
        world.verified - before
    );
    world.stale_leader = None;
    world.pass(Duration::from_secs(4));
    assert!(world.all_serve() && cuts(&world) == vec![vec![]; 3], "{}", world.picture());
}
