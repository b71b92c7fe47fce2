//! A log that lies, and programs that judge it differently: nodes that differ from the leader or from the majority join
//! again.

use std::time::Duration;

use arauto_cluster::{Body, Checkpoint, Entry, Frame, Table, frame::Content, node::Reason, table::Context};

use crate::{
    dice::NONE,
    faults::{SOON, three, three_with_ana},
    log::Change,
    world::{Lie, World},
};

/// Time within which a difference is found and decided.
pub const DECIDED: Duration = Duration::from_secs(5);

/// A frame whose body was changed. Other bytes stay as they are.
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
pub fn lie_to(world: &mut World, places: &[usize]) {
    tell(world, places, renamed);
}

fn tell(world: &mut World, places: &[usize], lie: Lie) {
    world.may_differ = true;
    for place in places {
        world.places[*place].lie = Some(lie);
    }
    world.enter(0, "bob");
}

/// Lets time pass in which all nodes agree, and checks that none is cut any more.
fn settle(world: &mut World) {
    let before = cuts(world);
    for place in &mut world.places {
        place.lie = None;
    }
    world.may_differ = false;
    world.pass(Duration::from_secs(10));
    assert!(world.all_serve() && cuts(world) == before, "{}", world.picture());
}

pub fn cuts(world: &World) -> Vec<Vec<Reason>> {
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
        settle(&mut world);
    }
}

#[test]
fn of_a_node_that_has_joined_nothing_is_compared_before_it_joined() {
    let mut world = three(38, NONE);
    for number in 0..1_000 {
        world.store(0, vec![u8::try_from(number % 256).unwrap()]);
    }
    world.pass(Duration::from_secs(3));
    world.may_differ = true;
    let joiner = world.start("n4");
    world.places[joiner].lie = Some(without_progress);
    world.until(SOON, "it to be cut", |world| !world.places[joiner].cuts.is_empty());
    assert!(world.verified < 100, "{}", world.verified);
    assert!(cuts(&world)[..3].iter().all(Vec::is_empty), "{}", world.picture());
}

#[test]
fn a_node_that_lags_counts_for_nobody_until_it_has_shown_with_whom_it_agrees() {
    for seed in 0..20 {
        let mut world = three(seed, NONE);
        world.may_differ = true;
        world.places[2].table.is_strict = true;
        world.places[1].table.is_full = true;
        world.enter(0, "!ana");
        world.pass(Duration::from_secs(5));
        world.places[1].table.is_full = false;
        world.until(SOON, "a cut", |world| !world.places[2].cuts.is_empty());
        world.until(SOON, "all to serve", |world| world.all_serve() && world.know(&["!ana"]));
        assert!(cuts(&world)[..2].iter().all(Vec::is_empty), "{}", world.picture());
    }
}

#[test]
fn a_question_about_the_newest_message_takes_back_none_about_older_ones() {
    let mut world = three(35, NONE);
    world.is_leader_up = false;
    lie_to(&mut world, &[2]);
    world.until(SOON, "a hold", |world| world.places[2].holds);
    world.connect(2, false);
    world.pass(Duration::from_secs(4));
    world.connect(2, true);
    world.pass(Duration::from_millis(500));
    world.is_leader_up = true;
    world.until(SOON, "a cut", |world| !world.places[2].cuts.is_empty());
    assert_eq!(cuts(&world), [vec![], vec![], vec![Reason::Differs]]);
}

#[test]
fn while_the_log_stands_still_no_node_counts_itself_as_most() {
    for (odd, seed) in (0..30).map(|number| (number % 3, number as u64)) {
        let mut world = three(seed, NONE);
        world.may_differ = true;
        world.places[odd].table.is_strict = true;
        world.enter((odd + 1) % 3, "!ana");
        world.until(SOON, "all to be in doubt", |world| {
            world.places.iter().all(|place| place.node.is_in_doubt())
        });
        world.pass(Duration::from_millis(500));
        world.is_log_up = false;
        world.pass(Duration::from_millis(2_900));
        world.is_log_up = true;
        world.until(SOON, "a cut", |world| !world.places[odd].cuts.is_empty());
        world.until(SOON, "all to serve", |world| world.all_serve() && world.know(&["!ana"]));
        for right in (0..3).filter(|place| *place != odd) {
            assert!(cuts(&world)[right].is_empty(), "{odd}: {}", world.picture());
        }
    }
}

#[test]
fn a_node_that_differs_again_and_again_joins_less_and_less_often() {
    let mut world = three(36, NONE);
    world.may_differ = true;
    world.places[2].lie = Some(renamed);
    for number in 0..60 {
        let session = world.enter(0, "bob");
        world.pass(Duration::from_millis(500));
        world.places[0].node.append(Change::Leave(session));
        world.pass(Duration::from_secs(if number < 30 { 1 } else { 2 }));
    }
    assert!((3..=6).contains(&cuts(&world)[2].len()), "{}", world.picture());
    assert!(cuts(&world)[0].is_empty() && cuts(&world)[1].is_empty(), "{}", world.picture());
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
        // The odd node was given the state, in which the name is taken.
        world.until(SOON, "all to serve", |world| world.all_serve() && world.know(&["!ana"]));
        for (place, cuts) in cuts(&world).into_iter().enumerate() {
            // The odd node begins again by itself, or the others give it up first.
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
    // A faulty client of NATS sends the frame again under the next number.
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
