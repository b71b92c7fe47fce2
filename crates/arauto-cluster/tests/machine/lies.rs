//! A log that lies, and programs that judge it differently: who differs from the log's leader, or from most, begins again.

use std::time::Duration;

use arauto_cluster::{Body, Checkpoint, Entry, Frame, Table, frame::Content, node::Reason, table::Context};

use crate::{
    faults::{SOON, three, three_with_ana},
    log::Change,
    world::{Lie, NONE, STEP, World},
};

/// Time within which a difference is found and decided.
const DECIDED: Duration = Duration::from_secs(5);

/// A frame with this done to its body. What is no such frame stays.
fn with_body(bytes: &[u8], change: impl FnOnce(&mut Body<Change>)) -> Vec<u8> {
    let Ok(mut frame) = Frame::<Change>::decode(bytes) else { return bytes.to_vec() };
    let Content::Body(body) = &mut frame.content else { return bytes.to_vec() };
    change(body);
    frame.encode().unwrap()
}

/// A frame in which the name `bob` is another.
fn renamed(bytes: &[u8]) -> Vec<u8> {
    with_body(bytes, |body| {
        for entry in &mut body.entries {
            if let Entry::Table(Change::Enter(_, name)) = entry
                && name == "bob"
            {
                "rob".clone_into(name);
            }
        }
    })
}

/// A frame that does not tell how far its writer has come.
fn without_progress(bytes: &[u8]) -> Vec<u8> {
    with_body(bytes, |body| body.checkpoint = Checkpoint::default())
}

/// No frame, in place of one with the name `bob`: as if the node had skipped it.
fn skipped(bytes: &[u8]) -> Vec<u8> {
    if renamed(bytes) == bytes { bytes.to_vec() } else { Vec::new() }
}

/// Has a client of the first node enter a name, of which these places are told otherwise.
fn lie_to(world: &mut World, places: &[usize]) {
    tell(world, places, renamed);
}

fn tell(world: &mut World, places: &[usize], lie: Lie) {
    world.may_differ = true;
    for place in places {
        world.places[*place].lie = Some(lie);
    }
    world.enter(0, "bob");
}

fn cuts(world: &World) -> Vec<Vec<Reason>> {
    world.places.iter().map(|place| place.cuts.iter().map(|(_, why)| *why).collect()).collect()
}

#[test]
fn a_node_that_was_told_something_else_begins_again_and_nobody_else_is_cut() {
    for (liar, lie) in [(1, renamed as Lie), (2, renamed), (1, skipped), (2, skipped)] {
        let mut world = three(20, NONE);
        tell(&mut world, &[liar], lie);
        let time = world.until(SOON, "a cut", |world| !world.places[liar].cuts.is_empty());
        assert!(time < DECIDED, "{time:?}");
        world.until(SOON, "all to serve with one name", |world| world.all_serve() && world.know(&["bob"]));
        let mut expected = vec![vec![]; 3];
        expected[liar] = vec![Reason::Differs];
        assert_eq!(cuts(&world), expected);
    }
}

#[test]
fn the_leader_is_asked_only_for_what_came_since_the_nodes_last_agreed() {
    let mut world = three(20, NONE);
    for number in 0..1_000 {
        world.store(0, vec![u8::try_from(number % 256).unwrap()]);
    }
    world.until(SOON, "all to be read", |world| {
        world.places.iter().all(|place| place.node.state().position() > 1_000)
    });
    world.pass(Duration::from_secs(3));
    lie_to(&mut world, &[2]);
    world.until(SOON, "all to serve with one name", |world| world.all_serve() && world.know(&["bob"]));
    assert!((1..100).contains(&world.verified), "{}", world.verified);
}

#[test]
fn if_most_were_told_something_else_the_one_that_the_leader_proves_right_stays() {
    let mut world = three(21, NONE);
    lie_to(&mut world, &[1, 2]);
    world.until(SOON, "two cuts", |world| world.places[1..].iter().all(|place| !place.cuts.is_empty()));
    world.until(SOON, "all to serve with one name", |world| world.all_serve() && world.know(&["bob"]));
    assert_eq!(cuts(&world), [vec![], vec![Reason::Differs], vec![Reason::Differs]]);
}

#[test]
fn while_the_leader_does_not_answer_the_nodes_hold_and_cut_nobody() {
    let mut world = three(22, NONE);
    world.is_leader_up = false;
    lie_to(&mut world, &[2]);
    world.until(SOON, "all to hold", |world| world.places.iter().all(|place| place.holds));
    world.pass(Duration::from_secs(20));
    assert!(world.places.iter().all(|place| place.holds && place.cuts.is_empty()), "{}", world.picture());
    world.is_leader_up = true;
    world.until(SOON, "all to serve", |world| world.all_serve() && world.know(&["bob"]));
    assert_eq!(cuts(&world), [vec![], vec![], vec![Reason::Differs]]);
}

#[test]
fn nodes_that_cannot_show_that_they_are_right_begin_again_in_the_end() {
    let mut world = three(23, NONE);
    world.is_leader_up = false;
    lie_to(&mut world, &[2]);
    world.until(SOON, "all to be cut", |world| world.places.iter().all(|place| !place.cuts.is_empty()));
    world.until(SOON, "all to serve", World::all_serve);
    assert_eq!(cuts(&world), vec![vec![Reason::Differs]; 3]);
}

#[test]
fn of_nodes_that_judge_differently_those_in_the_minority_begin_again() {
    for (odd, seed) in (0..60).map(|number| (number % 3, number as u64)) {
        let mut world = three(seed, NONE);
        world.may_differ = true;
        world.places[odd].table.is_strict = true;
        let asked_at = (odd + 1) % 3;
        world.enter(asked_at, "!ana");
        let entered = world.now;
        let time = world.until(SOON, "a cut", |world| !world.places[odd].cuts.is_empty());
        assert!(time < DECIDED, "{time:?}");
        // It was given the state, in which the name is taken.
        world.until(SOON, "all to serve", |world| world.all_serve() && world.know(&["!ana"]));
        for (place, cuts) in cuts(&world).into_iter().enumerate() {
            // It begins again by itself, or the others are faster.
            let is_right = matches!(cuts[..], [Reason::Differs | Reason::GivenUp] if place == odd);
            assert!(is_right || cuts.is_empty() && place != odd, "{}", world.picture());
            let is_told = cuts != [Reason::Differs] || world.places[place].sure_until <= entered;
            assert!(is_told, "its clients learn since when their lines may be lost");
        }
    }
}

#[test]
fn a_node_that_carries_out_what_it_has_not_read_back_is_found() {
    for seed in 0..20 {
        let mut world = three(seed, NONE);
        world.may_differ = true;
        let place = &mut world.places[1];
        let context = Context { writer: place.node.instance(), position: 0, time: 0 };
        place.table.carry_out(context, Change::Enter(1, "eve".to_owned()));
        let time = world.until(SOON, "a cut", |world| !world.places[1].cuts.is_empty());
        assert!(time < DECIDED, "{time:?}");
        world.until(SOON, "all to serve without the name", |world| world.all_serve() && world.know(&[]));
        assert!(cuts(&world)[0].is_empty() && cuts(&world)[2].is_empty(), "{}", world.picture());
    }
}

#[test]
fn a_node_whose_frame_is_appended_again_under_another_number_is_found() {
    let mut world = three_with_ana(33);
    // The client of the log's server has sent it twice, and has counted.
    world.enter(0, "bob");
    let before = world.log.len();
    world.until(SOON, "the frame", |world| {
        world.log.len() > before && world.log.last().unwrap().0.as_str() == "n1"
    });
    let mut frame = Frame::<Change>::decode(&world.log.last().unwrap().1).unwrap();
    frame.number += 1;
    world.store(0, frame.encode().unwrap());
    world.until(SOON, "a cut", |world| !world.places[0].cuts.is_empty());
    assert_eq!(cuts(&world), [vec![Reason::Forged], vec![], vec![]]);
    world.until(SOON, "all to serve", |world| world.all_serve() && world.know(&["ana"]));
}

#[test]
fn of_two_nodes_that_judge_differently_the_older_one_stays() {
    for strict in [0, 1] {
        let mut world = World::new(25, NONE);
        world.start("n1");
        world.until(SOON, "the first", World::all_serve);
        world.start("n2");
        world.until(SOON, "the second", World::all_serve);
        world.may_differ = true;
        world.places[strict].table.is_strict = true;
        world.enter(0, "!ana");
        world.until(SOON, "a cut", |world| !world.places[1].cuts.is_empty());
        let names: &[&str] = if strict == 0 { &[] } else { &["!ana"] };
        world.until(SOON, "both to serve", |world| world.all_serve() && world.know(names));
        assert!(cuts(&world)[0].is_empty(), "{}", world.picture());
    }
}

#[test]
fn a_wrong_node_that_does_not_see_it_is_given_up_by_the_others() {
    let mut world = three_with_ana(26);
    world.may_differ = true;
    world.places[2].lie = Some(without_progress);
    world.until(SOON, "it to be given up", |world| !world.places[2].cuts.is_empty());
    assert_eq!(cuts(&world), [vec![], vec![], vec![Reason::GivenUp]]);
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
    world.until(SOON, "all to serve", World::all_serve);
    assert_eq!(cuts(&world), [vec![], vec![], vec![Reason::Differs]]);
}

#[test]
fn a_frame_that_was_acknowledged_and_lost_is_noticed() {
    let mut world = three_with_ana(29);
    world.faults.holes_in_the_tail = 100;
    world.enter(0, "bob");
    world.until(SOON, "a hold", |world| world.places[0].holds);
    world.rewind(3);
    world.faults.holes_in_the_tail = 0;
    world.until(SOON, "a cut", |world| !world.places[0].cuts.is_empty());
    assert_eq!(world.places[0].cuts[0].1, Reason::Differs);
    world.until(SOON, "all to serve", World::all_serve);
}
