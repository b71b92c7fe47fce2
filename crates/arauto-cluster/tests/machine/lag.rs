//! Nodes that carry out the log later than others, or not at all.

use std::time::Duration;

use crate::{
    faults::{SOON, three_with_ana},
    world::World,
};

#[test]
fn a_node_that_lags_for_a_while_keeps_its_place_and_catches_up() {
    let mut world = three_with_ana(21);
    world.places[2].table.is_full = true;
    for name in ["bob", "eva"] {
        world.enter(2, name);
        world.pass(Duration::from_secs(3));
    }
    // Its frames go out and come back, though it carries out none of them.
    assert!(world.places.iter().all(|place| place.cuts.is_empty() && !place.holds), "{}", world.picture());
    assert!(world.places[0].table.by_name.contains_key("eva"));
    assert!(!world.places[2].table.by_name.contains_key("bob"));
    world.places[2].table.is_full = false;
    world.until(SOON, "all to know all", |world| world.know(&["ana", "bob", "eva"]));
    assert!(world.all_serve());
}

#[test]
fn a_node_that_carries_out_nothing_for_too_long_is_given_up_though_it_speaks() {
    let mut world = three_with_ana(22);
    world.places[2].table.is_full = true;
    let time = world.until(SOON, "the name to be free", |world| world.places[0].table.by_name.is_empty());
    assert!((Duration::from_secs(6)..=Duration::from_secs(9)).contains(&time), "{time:?}");
    // It notices before it has carried out what gives it up.
    world.until(Duration::from_millis(100), "a cut", |world| !world.places[2].cuts.is_empty());
    world.places[2].table.is_full = false;
    world.until(SOON, "all to serve again", |world| world.all_serve() && world.know(&[]));
    assert_eq!(world.places[2].cuts.len(), 1);
}

#[test]
fn clients_wait_for_a_node_that_is_far_behind_unless_it_is_silent() {
    let mut world = three_with_ana(23);
    let waits = |world: &World| world.places[0].node.waits_for_others(world.at(0));
    world.places[2].table.is_full = true;
    // 32 entries of 250 KiB are less than 8 MiB.
    for number in 0..32 {
        world.enter(0, &format!("{number:03}{}", "x".repeat(250 * 1024)));
    }
    world.until(SOON, "half of it to be read", |world| world.places[1].table.by_name.len() == 33);
    assert!(!waits(&world));
    world.enter(0, &"y".repeat(250 * 1024));
    let before = world.now;
    world.until(SOON, "the node to be waited for", waits);
    assert!(!world.places[2].node.waits_for_others(world.at(2)), "the node itself waits for nobody");
    world.places[2].table.is_full = false;
    world.until(SOON, "the node to catch up", |world| !waits(world));
    assert!(world.now < before + Duration::from_secs(5) && world.all_serve());
    // One that is killed while it is behind is not waited for.
    world.places[2].table.is_full = true;
    for number in 0..34 {
        world.enter(0, &format!("{number:03}{}", "z".repeat(250 * 1024)));
    }
    world.until(SOON, "the node to be waited for", waits);
    world.kill(2);
    let time = world.until(SOON, "nobody to be waited for", |world| !waits(world));
    assert!(time <= Duration::from_millis(2_100), "{time:?}");
}
