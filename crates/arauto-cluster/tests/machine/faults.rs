//! Nodes that start, stop, are cut off, frozen, given up: one fault at a time, with its time; then all at once, at random.

use std::{collections::HashMap, time::Duration};

use arauto_cluster::{
    Agreed, Checkpoint, Instance,
    frame::Head,
    node::{Action, Config, End, Node, Now, Reason, Timing},
};

use crate::{
    dice::{ALL, Faults, NONE},
    log::{Change, Names, Writer, enter},
    world::{Place, STEP, World},
};

pub const SOON: Duration = Duration::from_mins(1);

pub fn three(seed: u64, faults: Faults) -> World {
    let mut world = World::new(seed, faults);
    for name in ["n1", "n2", "n3"] {
        world.start(name);
    }
    world.until(SOON, "three nodes that serve", World::all_serve);
    world
}

/// Three nodes, of which the third has a client `ana`.
pub fn three_with_ana(seed: u64) -> World {
    let mut world = three(seed, NONE);
    world.enter(2, "ana");
    world.until(SOON, "the name", |world| world.know(&["ana"]));
    world
}

#[test]
fn three_nodes_that_start_at_once_are_one_cluster_in_a_moment() {
    let mut world = World::new(1, NONE);
    for name in ["n1", "n2", "n3"] {
        world.start(name);
    }
    let time = world.until(SOON, "three nodes that serve", World::all_serve);
    assert!(time < Duration::from_secs(2), "{time:?}");
    world.enter(0, "ana");
    world.enter(1, "bob");
    world.until(SOON, "both names everywhere", |world| world.know(&["ana", "bob"]));
}

#[test]
fn the_names_of_a_killed_node_are_free_in_seven_and_a_half_seconds_and_nobody_else_notices() {
    let mut world = three_with_ana(2);
    world.kill(2);
    let time = world.until(SOON, "the name to be free", |world| world.know(&[]));
    assert!((Duration::from_secs(6)..=Duration::from_millis(7_500)).contains(&time), "{time:?}");
    assert!(world.places[..2].iter().all(|place| place.cuts.is_empty()));
}

#[test]
fn a_node_that_is_started_again_frees_its_old_names_in_two_seconds() {
    let mut world = three_with_ana(3);
    world.kill(2);
    world.start("n3");
    let time = world.until(SOON, "the name to be free", |world| world.know(&[]) && world.all_serve());
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[test]
fn a_node_that_was_cut_off_holds_then_cuts_its_clients_and_serves_again() {
    let mut world = three_with_ana(4);
    let begin = world.now;
    world.connect(2, false);
    let held = world.until(SOON, "a hold", |world| world.places[2].holds);
    assert!(held <= Duration::from_millis(3_100), "{held:?}");
    world.until(SOON, "a cut", |world| !world.places[2].cuts.is_empty());
    let (cut, why) = world.places[2].cuts[0];
    assert!(
        cut.saturating_sub(begin) <= Duration::from_millis(6_100) && why == Reason::LostTouch,
        "{:?}",
        cut.saturating_sub(begin)
    );
    world.until(SOON, "the name to be free", |world| world.places[0].table.by_name.is_empty());
    assert!(
        world.now.saturating_sub(begin) <= Duration::from_millis(7_600),
        "{:?}",
        world.now.saturating_sub(begin)
    );
    world.connect(2, true);
    world.until(SOON, "all to serve again", World::all_serve);
    assert!(world.know(&[]));
}

#[test]
fn a_frozen_node_is_given_up_and_its_clients_are_cut_before_they_are_read() {
    let mut world = three_with_ana(5);
    world.places[2].asleep_until = world.now + Duration::from_mins(1);
    world.until(SOON, "the name to be free", |world| world.places[0].table.by_name.is_empty());
    world.enter(0, "ana");
    world.pass(Duration::from_secs(50));
    // The process wakes up: it asks whether it may read before anything of the log has come.
    let now = world.at(2);
    let Place { node, table, .. } = &mut world.places[2];
    assert!(!node.may_read(now, table));
    world.act(2);
    world.until(SOON, "all to serve again", World::all_serve);
    assert!(world.know(&["ana"]));
    assert!(!world.places[2].cuts.is_empty());
    // What it appends counts again.
    world.enter(2, "rui");
    world.until(SOON, "a name of its own", |world| world.know(&["ana", "rui"]));
}

#[test]
fn a_log_that_is_away_for_a_while_costs_a_pause_and_nobody_a_connection() {
    let mut world = three(6, NONE);
    world.enter(0, "ana");
    let instances = world.instances();
    // The second time, longer than a node may be silent: nobody can be heard, so nobody is given up.
    for seconds in [4, 20] {
        world.is_log_up = false;
        world.pass(Duration::from_secs(seconds));
        assert!(world.places.iter().all(|place| place.holds));
        world.is_log_up = true;
        world.until(SOON, "all to go on", |world| world.all_serve() && world.know(&["ana"]));
        world.pass(Duration::from_secs(2));
        assert!(world.places.iter().all(|place| place.cuts.is_empty()), "{}", world.picture());
        assert_eq!(world.instances(), instances);
    }
}

#[test]
fn a_log_that_stands_still_for_longer_has_all_clients_cut_after_patience_and_served_again() {
    let mut world = three(7, NONE);
    world.enter(0, "ana");
    world.until(SOON, "the name", |world| world.know(&["ana"]));
    world.is_log_up = false;
    world.pass(Duration::from_secs(29));
    assert!(world.places.iter().all(|place| place.cuts.is_empty()), "{}", world.picture());
    world.pass(Duration::from_secs(3));
    assert!(world.places.iter().all(|place| place.cuts.len() == 1), "{}", world.picture());
    world.is_log_up = true;
    let time = world.until(SOON, "all to serve", |world| world.all_serve() && world.know(&[]));
    assert!(time <= Duration::from_secs(4), "{time:?}");
}

#[test]
fn a_second_node_of_a_living_name_ends_whenever_it_comes() {
    for offset in 0..25 {
        let mut world = three(8, NONE);
        world.pass(offset * STEP);
        let second = world.start("n1");
        world.until(SOON, "its end", |world| world.places[second].ended.is_some());
        assert_eq!(world.places[second].ended, Some(End::NameTaken), "{offset}");
        assert!(world.places[0].serves && world.places[0].cuts.is_empty(), "{offset}");
    }
}

#[test]
fn a_node_of_other_settings_or_with_a_wrong_clock_ends() {
    let mut world = three(8, NONE);
    let other = world.start_with("n4", Agreed(vec![1]), 0);
    let clock = world.start_with("n5", Agreed::default(), 60_000);
    for (place, end) in [(other, End::Disagrees), (clock, End::ClockOff)] {
        world.until(SOON, "its end", |world| world.places[place].ended.is_some());
        assert_eq!(world.places[place].ended, Some(end));
    }
    assert!(world.all_serve());
}

#[test]
fn closing_ends_all_nodes_and_one_that_joins() {
    let mut world = three(9, NONE);
    // It has no state yet when the cluster ends.
    world.chunk_pace = Duration::from_secs(5);
    let joiner = world.start("n4");
    let instance = world.places[joiner].node.instance();
    world.until(SOON, "a Hello", |world| {
        world.places[0].node.state().instances().iter().any(|(it, _)| it == instance)
    });
    world.places[0].node.close_all();
    world.until(SOON, "all to end", |world| world.places.iter().all(|place| place.ended.is_some()));
    assert!(world.places.iter().all(|place| place.ended == Some(End::Closed)), "{}", world.picture());
}

#[test]
fn a_node_that_leaves_has_said_all_and_frees_its_names_at_once() {
    let mut world = three_with_ana(10);
    let now = world.at(2);
    let Place { node, table, .. } = &mut world.places[2];
    node.leave(now, table);
    let time = world.until(SOON, "the name to be free", |world| world.know(&[]));
    assert!(time < Duration::from_secs(1), "{time:?}");
    assert_eq!(world.places[2].ended, Some(End::Left));
}

#[test]
fn joiners_of_a_dead_log_found_one_cluster() {
    let mut world = three(11, NONE);
    for place in 0..3 {
        world.kill(place);
    }
    world.pass(Duration::from_secs(2));
    for name in ["n1", "n2", "n4"] {
        world.start(name);
    }
    let time = world.until(SOON, "all to serve", World::all_serve);
    assert!(time <= Duration::from_secs(9), "{time:?}");
    assert_eq!(world.foundings(), 1);
}

#[test]
fn a_program_that_writes_as_another_instance_costs_that_one_its_clients_and_nothing_else() {
    let mut world = three(12, NONE);
    let (instance, number) = {
        let node = &world.places[2].node;
        let number = node.state().instances().get(node.instance()).unwrap().number;
        (node.instance(), number)
    };
    let name = world.places[2].name.to_string();
    let mut forger = Writer { number, ..Writer::new(&name, instance.0) };
    let forged = forger.frame(Checkpoint::default(), vec![enter(7, "forged")]);
    world.enter(2, "ana");
    // The forged frame comes first, while the true one of this number is on its way.
    let now = world.at(2);
    let Place { node, table, .. } = &mut world.places[2];
    node.tick(now, table);
    world.store(2, forged);
    world.act(2);
    world.until(SOON, "a cut", |world| !world.places[2].cuts.is_empty());
    assert_eq!(world.places[2].cuts[0].1, Reason::Forged);
    world.until(SOON, "all to serve without the name", |world| world.all_serve() && world.know(&[]));
    assert!(world.places[..2].iter().all(|place| place.cuts.is_empty()));
}

#[test]
fn a_node_that_lagged_until_the_log_was_cut_joins_anew() {
    let mut world = three_with_ana(13);
    let now = world.at(2);
    world.places[2].node.gap(now);
    world.act(2);
    assert_eq!(world.places[2].cuts[0].1, Reason::Gap);
    world.until(SOON, "all to serve", |world| world.all_serve() && world.know(&[]));
}

#[test]
fn a_state_of_many_chunks_arrives_over_a_slow_link() {
    let mut world = three(14, NONE);
    for number in 0..6 {
        // Long names make a long state.
        world.enter(0, &format!("{number} {}", "x".repeat(200_000)));
    }
    world.until(SOON, "the names", |world| world.places[1].table.by_name.len() == 6);
    world.chunk_pace = Duration::from_secs(2);
    let joiner = world.start("n4");
    let time = world.until(SOON, "it to serve", |world| world.places[joiner].serves);
    assert!((Duration::from_secs(10)..Duration::from_secs(13)).contains(&time), "{time:?}");
    assert_eq!(world.foundings(), 1, "three nodes live meanwhile");
    assert_eq!(world.places[joiner].table.by_name.len(), 6);
    let huge = Change::Enter(1, "x".repeat(300_000));
    assert!(!world.places[0].node.append(huge), "longer than a frame");
}

#[test]
fn what_is_missing_is_fetched_once_and_again_after_half_a_second() {
    let mut world = three(15, NONE);
    let last = world.log.len() as u64;
    let now = world.at(2);
    let fetches = |node: &mut Node<Change>| {
        node.actions().into_iter().filter(|action| matches!(action, Action::Fetch(_))).collect::<Vec<_>>()
    };
    let Place { node, table, .. } = &mut world.places[2];
    fetches(node);
    for position in last + 3..last + 100 {
        node.message(position, "n1".parse().unwrap(), b"junk".to_vec(), now, table);
    }
    assert_eq!(fetches(node), [Action::Fetch(last + 1..=last + 2)]);
    let later = Now { boot: now.boot + Duration::from_millis(500), ..now };
    node.tick(later, table);
    node.tick(later, table);
    assert_eq!(fetches(node), [Action::Fetch(last + 1..=last + 2)]);
}

#[test]
fn a_founding_that_came_too_late_is_given_up() {
    let config = Config { name: "n1".parse().unwrap(), agreed: Agreed::default(), timing: Timing::default() };
    let now = |seconds| Now { boot: Duration::from_secs(seconds), wall: 1_000 };
    let mut node = Node::<Change>::new(config, Instance(5), now(0));
    let table = &mut Names::default();
    node.tick(now(0), table);
    assert_eq!(node.actions(), [Action::AskForEnd]);
    node.end_of_log(0, Duration::ZERO, now(0), table);
    let [Action::Append(founding)] = &node.actions()[..] else { panic!("no founding") };
    assert!(Head::read(founding).unwrap().0.is_founding);
    // Lost: it is appended again.
    node.tick(now(1), table);
    assert_eq!(node.actions(), [Action::Append(founding.clone())]);
    // Something else has taken its position.
    node.message(1, "n2".parse().unwrap(), b"junk".to_vec(), now(1), table);
    assert_eq!(node.actions(), [Action::AskForEnd]);
    node.message(2, "n1".parse().unwrap(), founding.clone(), now(1), table);
    node.end_of_log(2, Duration::ZERO, now(1), table);
    let [Action::Append(hello)] = &node.actions()[..] else { panic!("no Hello") };
    let (head, _) = Head::read(hello).unwrap();
    assert!(!head.is_founding && head.number == 1);
}

/// One run under all faults at once, by this seed: in the end, all nodes serve, and know each name that was not cut.
fn storm(seed: u64) {
    let mut world = three(seed, ALL);
    let mut names = 0;
    for _ in 0..30 {
        let place = usize::try_from(world.dice(world.places.len() as u64)).unwrap();
        let is_alive = world.places[place].ended.is_none();
        match world.dice(10) {
            0 if is_alive && world.places.iter().filter(|place| place.ended.is_none()).count() > 1 => {
                let name = world.places[place].name.to_string();
                world.kill(place);
                if world.dice(2) == 0 {
                    world.start(&name);
                }
            }
            1 if is_alive => {
                world.places[place].asleep_until = world.now + Duration::from_millis(world.dice(15_000));
            }
            2 => world.connect(place, false),
            3 => world.connect(place, true),
            4 => world.is_log_up = !world.is_log_up,
            5 => {
                let name = format!("n{}", world.dice(5));
                world.start(&name);
            }
            6 => world.places[place].table.is_full = !world.places[place].table.is_full,
            _ if world.places[place].serves => {
                names += 1;
                world.enter(place, &format!("name {names}"));
            }
            _ => {}
        }
        let time = Duration::from_millis(world.dice(3_000));
        world.pass(time);
    }
    world.faults = NONE;
    world.is_log_up = true;
    for place in 0..world.places.len() {
        world.connect(place, true);
        world.places[place].table.is_full = false;
    }
    world.until(Duration::from_mins(2), &format!("seed {seed}: all to serve"), |world| {
        world.all_serve() && world.places.iter().all(|place| place.asleep_until < world.now)
    });
    world.pass(Duration::from_secs(10));
    assert!(world.all_serve(), "seed {seed}: {}", world.picture());
    let mut expected: HashMap<String, usize> = HashMap::new();
    for (place, at) in world.places.iter().zip(0..).filter(|(place, _)| place.ended.is_none()) {
        for name in place.asked.values() {
            expected.insert(name.clone(), at);
        }
    }
    for place in world.places.iter().filter(|place| place.ended.is_none()) {
        let mut known: Vec<&String> = place.table.by_name.keys().collect();
        let mut all: Vec<&String> = expected.keys().collect();
        known.sort();
        all.sort();
        assert_eq!(known, all, "seed {seed}: {}", world.picture());
    }
}

#[test]
fn under_all_faults_at_once_nothing_is_lost_and_all_agree() {
    let seeds = std::env::var("ARAUTO_CLUSTER_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(20);
    for seed in 0..seeds {
        storm(100 + seed);
    }
}
