use super::*;

/// Joins a server that does not know `watch`: a list is due at once.
fn join_without_watch(people: &mut People, now: Instant) {
    people.joined(now);
    let mark = ask(people, now, Request::Watch);
    assert!(people.is_watch_refused("Unknown_operation"));
    assert!(!people.is_watch_refused("Unknown_operation"), "only one refusal is about it");
    assert_eq!(people.echo(&mark), Some(Fresh::default()));
}

/// The echo after the request that is due.
#[track_caller]
fn ask(people: &mut People, now: Instant, expected: Request) -> String {
    let (request, mark) = people.ask(now).unwrap();
    assert_eq!(request, expected);
    mark
}

/// A list that has come from a server that knows `watch`.
fn watching(names: &[&str], now: Instant) -> People {
    let mut people = People::default();
    people.joined(now);
    let mark = ask(&mut people, now, Request::Watch);
    assert_eq!(people.watched(names, None), Fresh::default());
    assert_eq!(people.echo(&mark), Some(Fresh::default()));
    people
}

fn fresh(came: &[&str], left: &[&str]) -> Fresh {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Fresh { for_eyes: false, came: owned(came), left: owned(left) }
}

#[test]
fn a_name_is_no_longer_than_a_name_can_be() {
    let now = Instant::now();
    let long = "é".repeat(100_000);
    let mut people = watching(&[&long], now);
    people.came(&[&"ü".repeat(100_000)]);
    assert_eq!(people.names(), ["é".repeat(128), "ü".repeat(128)]);
}

#[test]
fn a_server_that_knows_watch_is_asked_once() {
    let now = Instant::now();
    let mut people = watching(&["ana", "rui"], now);
    assert!(people.is_known());
    assert_eq!(people.deadline(), None);
    people.heard("eva");
    people.hint();
    assert_eq!(people.deadline(), None, "the server will say that she has joined");
    assert_eq!(people.came(&["eva", "bob"]), fresh(&["eva", "bob"], &[]));
    assert_eq!(people.departed(&["rui", "nobody"]), fresh(&[], &["rui"]));
    assert_eq!(people.names(), ["ana", "eva", "bob"]);
    people.joined(now);
    assert_eq!(ask(&mut people, now, Request::Watch).matches("no. 2").count(), 1, "again after a cut");
}

#[test]
fn a_list_for_eyes_is_requested_while_watching_as_well() {
    let now = Instant::now();
    let mut people = watching(&["ana"], now);
    people.show(now);
    let mark = ask(&mut people, now, Request::List);
    people.part(&["ana", "eva"]);
    let listed = people.echo(&mark).unwrap();
    assert_eq!(listed, Fresh { for_eyes: true, ..fresh(&["eva"], &[]) });
    assert_eq!(people.deadline(), None);
    // The server gathers changes for a moment; the list held this one already.
    assert_eq!(people.came(&["eva"]), Fresh::default());
    assert_eq!(people.names(), ["ana", "eva"]);
}

#[test]
fn a_watched_list_in_parts_counts_when_it_is_complete() {
    let now = Instant::now();
    let mut people = watching(&["ana"], now);
    let part = |first, last, of| Some(ListPart { first, last, of });
    // The server sends a new list in place of changes for which there was no room.
    assert_eq!(people.watched(&["rui", "eva"], part(1, 2, 3)), Fresh::default());
    assert_eq!(people.names(), ["ana"]);
    assert_eq!(people.watched(&["bob"], part(3, 3, 3)), fresh(&["rui", "eva", "bob"], &["ana"]));
    // Parts without numbers go on until the echo.
    people.cut();
    people.joined(now);
    let mark = ask(&mut people, now, Request::Watch);
    people.watched(&["ana"], None);
    people.watched(&["rui"], None);
    people.echo(&mark);
    assert_eq!(people.names(), ["ana", "rui"]);
    people.watched(&["eva"], None);
    assert_eq!(people.names(), ["eva"]);
}

#[test]
fn a_list_in_parts_ends_with_its_mark() {
    let now = Instant::now();
    let mut people = People::default();
    assert_eq!((people.deadline(), people.ask(now)), (None, None));
    join_without_watch(&mut people, now);
    let mark = ask(&mut people, now, Request::List);
    assert_eq!(people.ask(now + ASK_INTERVAL), None, "one at a time");
    people.part(&["ana", "rui"]);
    assert!(!people.is_known());
    people.part(&["eva"]);
    assert_eq!(people.echo("hi"), None);
    assert_eq!(people.echo(&mark), Some(Fresh::default()), "the first is no news");
    assert_eq!(people.names(), ["ana", "rui", "eva"]);
    assert!(people.is_known());
    assert_eq!(people.echo(&mark), Some(Fresh::default()), "again: still no word to show");
    assert_eq!(people.names(), ["ana", "rui", "eva"]);
}

#[test]
fn asked_again_after_a_while_and_sooner_on_a_hint() {
    let now = Instant::now();
    let mut people = People::default();
    join_without_watch(&mut people, now);
    let mark = ask(&mut people, now, Request::List);
    people.part(&["ana"]);
    people.echo(&mark);
    assert_eq!(people.deadline(), Some(now + ASK_INTERVAL));
    people.heard("ana");
    assert_eq!(people.deadline(), Some(now + ASK_INTERVAL));
    people.heard("eva");
    assert_eq!(people.deadline(), Some(now + MIN_ASK_INTERVAL));
    assert!(people.ask(now + MIN_ASK_INTERVAL).is_some());
    assert_eq!(people.deadline(), Some(now + MIN_ASK_INTERVAL + ANSWER_TIMEOUT));
    assert!(
        people.ask(now + MIN_ASK_INTERVAL + ANSWER_TIMEOUT).is_some(),
        "an answer that never comes is not waited for"
    );
}

#[test]
fn a_list_for_eyes_is_one_asked_for_after_the_wish() {
    let now = Instant::now();
    let mut people = People::default();
    people.joined(now);
    let refused = ask(&mut people, now, Request::Watch);
    people.show(now);
    assert!(!people.echo(&refused).unwrap().for_eyes);
    let list = ask(&mut people, now, Request::List);
    assert!(people.echo(&list).unwrap().for_eyes);
    people.show(now);
    let list = ask(&mut people, now, Request::List);
    people.show(now);
    assert!(people.echo(&list).unwrap().for_eyes);
    let list = ask(&mut people, now, Request::List);
    assert!(people.echo(&list).unwrap().for_eyes);
}

#[test]
fn who_came_and_who_left() {
    let now = Instant::now();
    let mut people = People::default();
    join_without_watch(&mut people, now);
    let mut list = |names: &[&str]| {
        people.show(now);
        let mark = ask(&mut people, now, Request::List);
        people.part(names);
        let Fresh { came, left, .. } = people.echo(&mark).unwrap();
        (came.join(" "), left.join(" "))
    };
    assert_eq!(list(&["ana", "rui"]), (String::new(), String::new()));
    assert_eq!(list(&["rui", "eva", "bob"]), ("eva bob".to_owned(), "ana".to_owned()));
    people.cut();
    people.joined(now);
    let mark = ask(&mut people, now, Request::Watch);
    assert_eq!(people.watched(&["zoe"], None), Fresh::default());
    assert_eq!(people.echo(&mark), Some(Fresh::default()), "after a cut there is nothing to compare with");
}
