//! Tests of `watch`: the list, what follows it, and watchers that do not read.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::harness::{Client, DEADLINE, TestServer};

/// The names that a watcher knows of.
#[derive(Default)]
struct Known(BTreeSet<String>);

impl Known {
    /// Applies a message to watchers. Fails if a client joins that is known, or one leaves that is not.
    fn hear(&mut self, line: &str) {
        let names = |list: &str| list.split(" , ").map(str::to_owned).collect::<Vec<_>>();
        if let Some(joined) = line.strip_prefix("server | all clients | joined | ") {
            for name in names(joined) {
                assert!(self.0.insert(name.clone()), "{name} joined twice");
            }
        } else if let Some(left) = line.strip_prefix("server | all clients | left | ") {
            for name in names(left) {
                assert!(self.0.remove(&name), "{name} left and was not there");
            }
        } else if let Some((head, listed)) =
            line.split_once(" | watch | ").and_then(|(_, list)| list.split_once(": "))
        {
            if head == "clients connected" || head.starts_with("clients connected, 1 to ") {
                self.0.clear();
            }
            self.0.extend(names(listed));
        } else {
            panic!("not for watchers: {line}");
        }
    }
}

#[test]
fn a_watcher_gets_the_list_and_then_who_joins_and_leaves() {
    let server = TestServer::start();
    let (mut alan, mut uma) = (server.join("alan"), server.join_unframed("uma"));
    let mut dora = server.join_by_telnet("dora");
    let list = "clients connected: alan , uma , dora";
    alan.ask("alan | server | watch | no data", &format!("server | alan | watch | {list}"));
    uma.ask("uma | server | watch | no data", &format!("server | uma | watch | {list}"));
    dora.ask("/watch", &format!("server | dora | watch | {list}"));
    let mut carla = server.join("carla");
    for watcher in [&mut alan, &mut uma, &mut dora] {
        watcher.expect("server | all clients | joined | carla");
    }
    carla.ask("/exit", "server | carla | exit | client disconnected");
    for watcher in [&mut alan, &mut uma, &mut dora] {
        watcher.expect("server | all clients | left | carla");
    }
    // Asking again gives the list again, and everything that follows once.
    alan.ask("/watch", &format!("server | alan | watch | {list}"));
    drop(uma);
    alan.expect("server | all clients | left | uma");
    alan.ask("/unwatch", "server | alan | unwatch | joins and leaves are no longer sent to you");
    alan.ask("/unwatch", "server | alan | unwatch | joins and leaves are no longer sent to you");
    let _carla = server.join("carla");
    dora.expect("server | all clients | left | uma");
    dora.expect("server | all clients | joined | carla");
    alan.expect_nothing_before_an_echo("alan");
}

#[test]
fn clients_that_do_not_watch_are_told_nothing() {
    let server = TestServer::start();
    let (mut alan, mut bob) = (server.join("alan"), server.join("bob"));
    alan.ask("/watch", "server | alan | watch | clients connected: alan , bob");
    for _ in 0..3 {
        let mut carla = server.join("carla");
        alan.expect("server | all clients | joined | carla");
        carla.ask("/exit", "server | carla | exit | client disconnected");
        alan.expect("server | all clients | left | carla");
    }
    bob.expect_nothing_before_an_echo("bob");
}

#[test]
fn a_list_in_several_messages_says_which_part_each_is() {
    let server = TestServer::with(|config| config.limits.message_bytes = 128);
    let crowd: Vec<Client> = (0..12).map(|number| server.join(&format!("client {number:02}"))).collect();
    let mut alan = server.join("alan");
    alan.send("/watch");
    let (mut known, mut last) = (Known::default(), 0);
    while last < 13 {
        let line = alan.line();
        assert!(line.len() <= 128, "{line}");
        let (head, names) = line.split_once(": ").unwrap();
        let count = names.split(" , ").count();
        let first = last + 1;
        last += count;
        assert_eq!(head, format!("server | alan | watch | clients connected, {first} to {last} of 13"));
        known.hear(&line);
    }
    assert_eq!(known.0.len(), 13);
    drop(crowd);
    while known.0.len() > 1 {
        known.hear(&alan.line());
    }
}

/// Clients join and leave, each several times, while watchers come at any moment of it. What each of them knows in the end
/// is right, and never did a name join or leave twice.
#[test]
fn there_is_neither_a_gap_nor_a_double_between_the_list_and_what_follows() {
    let server = TestServer::start();
    let address = server.address();
    let crowds: Vec<_> = (0..4)
        .map(|crowd| {
            thread::spawn(move || {
                let mut last = None;
                for number in 0..50 {
                    let mut client = Client::to(address);
                    client.expect(crate::harness::NAME_REQUEST);
                    let name = format!("guest {crowd} {}", number % 3);
                    client.ask(&name, &crate::harness::confirmation(&name));
                    if number < 49 {
                        let farewell = format!("server | {name} | exit | client disconnected");
                        client.ask("/exit", &farewell);
                    } else {
                        last = Some(client);
                    }
                }
                last
            })
        })
        .collect();
    let mut watchers = Vec::new();
    for number in 0..20 {
        let mut watcher = server.join(&format!("watcher {number}"));
        watcher.send("/watch");
        let mut known = Known::default();
        known.hear(&watcher.line());
        watchers.push((watcher, known));
    }
    let _stay: Vec<_> = crowds.into_iter().map(|crowd| crowd.join().unwrap()).collect();
    let _end = server.join("the end");
    let mut asker = server.join("asker");
    asker.send("/list");
    let listed = asker.line();
    let (_, listed) = listed.split_once("clients connected: ").unwrap();
    let listed: BTreeSet<String> = listed.split(" , ").map(str::to_owned).collect();
    for (mut watcher, mut known) in watchers {
        while !known.0.contains("asker") {
            known.hear(&watcher.line());
        }
        assert_eq!(known.0, listed);
    }
}

/// A watcher stops reading, and its outbox is full, while clients join and leave. It loses no change, and others are told
/// at once.
#[test]
fn a_watcher_that_does_not_read_for_a_while_knows_all_names_afterwards() {
    let server = TestServer::with(|config| {
        config.limits.outbox_bytes = 16 * 1024;
        // This machine may be busy.
        config.limits.slow_reader_grace = DEADLINE;
    });
    let mut slow = server.join("slow");
    slow.ask("/watch", "server | slow | watch | clients connected: slow");
    let mut quick = server.join("quick");
    slow.expect("server | all clients | joined | quick");
    quick.ask("/watch", "server | quick | watch | clients connected: slow , quick");
    let mut sender = server.join("sender");
    quick.expect("server | all clients | joined | sender");
    // More than all buffers hold: the sender is held back until the receiver reads.
    let text = format!("/msg slow {}\n", "x".repeat(900)).repeat(16 * 1024);
    let is_sent = Arc::new(AtomicBool::new(false));
    let (mut sending, sent) =
        (Client::from_stream(sender.stream().try_clone().unwrap()), Arc::clone(&is_sent));
    let sending = thread::spawn(move || {
        sending.send_bytes(text.as_bytes());
        sent.store(true, Ordering::SeqCst);
    });
    for _ in 0..20 {
        let mut visitor = server.join("visitor");
        quick.expect("server | all clients | joined | visitor");
        visitor.ask("/exit", "server | visitor | exit | client disconnected");
        quick.expect("server | all clients | left | visitor");
    }
    let _last = server.join("last");
    quick.expect("server | all clients | joined | last");
    assert!(!is_sent.load(Ordering::SeqCst), "the sender has to be held back");
    let mut known = Known(["slow", "quick"].map(str::to_owned).into());
    let mut messages = 0;
    while messages < 16 * 1024 || known.0.len() < 4 {
        let line = slow.line();
        if line.starts_with("sender | ") {
            messages += 1;
        } else {
            known.hear(&line);
        }
    }
    sending.join().unwrap();
    assert_eq!(known.0, ["last", "quick", "sender", "slow"].map(str::to_owned).into());
    sender.expect_nothing_before_an_echo("sender");
}
