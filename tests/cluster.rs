//! Several servers as one, over a real nats-server.

mod operations;

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc,
    time::{Duration, Instant},
};

use arauto_needs::needs;

use crate::accounts::{AccountsFile, PASSWORD};
use crate::harness::{Client, NAME_REQUEST, confirmation, nats::Nats, process::Process, wait_until};
use crate::monitoring::figures;

fn node(nats: &Nats, name: &str) -> Process {
    Process::serve(&[("ARAUTO_CLUSTER_SERVERS", &nats.url()), ("ARAUTO_CLUSTER_NODE", name)])
}

/// These nodes, all of which serve.
fn nodes<const N: usize>(nats: &Nats, names: [&str; N]) -> [Process; N] {
    let nodes = names.map(|name| node(nats, name));
    for node in &nodes {
        node.logged("serving as a node of the cluster");
    }
    nodes
}

/// The answer of `/readyz`.
fn readiness(node: &Process) -> String {
    let mut stream = TcpStream::connect(node.monitoring_address()).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Tries until the name is free, and returns the client that bears it.
fn join_when_free(node: &Process, name: &str) -> Client {
    let mut joined = None;
    wait_until(&format!("{name} to be free"), || {
        let mut client = Client::to(node.address());
        client.expect(NAME_REQUEST);
        client.send(name);
        if client.line_or_end().is_some_and(|line| line == confirmation(name)) {
            joined = Some(client);
        }
        joined.is_some()
    });
    joined.unwrap()
}

#[needs("nats-server")]
#[test]
fn clients_of_several_nodes_are_clients_of_one_server() {
    let nats = Nats::start();
    let [n1, n2, n3] = nodes(&nats, ["n1", "n2", "n3"]);
    let (mut ana, mut bob, mut eva) = (n1.join("ana"), n2.join("bob"), n3.join("eva"));
    let listed = "server | eva | list_clients | clients connected: ana , bob , eva";
    eva.ask("/list", listed);
    // A name has one bearer, wherever it is.
    let mut other = Client::to(n3.address());
    other.expect(NAME_REQUEST);
    let taken = "This username is already taken. You need to connect again and use another one";
    other.ask("ANA", &format!("server | new_client: ANA | connection_error | {taken}"));
    // To all, to all others, to one.
    ana.send("/all hello");
    for client in [&mut ana, &mut bob, &mut eva] {
        client.expect("ana | all clients | broadcast | hello");
    }
    bob.send("/others hi");
    for client in [&mut ana, &mut eva] {
        client.expect("bob | all clients | broadcast_not_me | hi");
    }
    eva.send("/msg ana secret");
    ana.expect("eva | ana | private_message | secret");
    eva.ask("/msg nobody x", "server | eva | private_message | Destination client (nobody) not found!");
    // An owner's answer to a request for its files.
    bob.send("/files ana");
    ana.expect("bob | ana | list_files | no data");
    bob.expect_nothing_before_an_echo("bob");
    eva.expect_nothing_before_an_echo("eva");
    // A name is free as soon as its bearer has left.
    ana.ask("/exit", "server | ana | exit | client disconnected");
    ana.expect_closed();
    bob.ask("/list", "server | bob | list_clients | clients connected: bob , eva");
    n2.join("ana");
}

#[needs("nats-server")]
#[test]
fn what_clients_of_different_nodes_send_arrives_in_one_order() {
    let nats = Nats::start();
    let all = nodes(&nats, ["n1", "n2", "n3"]);
    let senders = ["ana", "bob", "eva"];
    let mut clients: Vec<Client> = all.iter().zip(senders).map(|(node, name)| node.join(name)).collect();
    for number in 0..200 {
        for client in &mut clients {
            client.send(&format!("/all {number}"));
        }
    }
    let received: Vec<Vec<String>> =
        clients.iter_mut().map(|client| (0..600).map(|_| client.line()).collect()).collect();
    assert_eq!(received[0], received[1]);
    assert_eq!(received[0], received[2]);
    for name in senders {
        let of = received[0].iter().filter(|line| line.starts_with(name));
        let expected = (0..200).map(|number| format!("{name} | all clients | broadcast | {number}"));
        assert!(of.eq(expected.collect::<Vec<_>>().iter()), "{name}'s lines in their order, each once");
    }
}

#[needs("nats-server")]
#[test]
fn names_of_a_killed_node_are_free_in_8_s_and_the_others_go_on() {
    let nats = Nats::start();
    let [n1, n2, mut n3] = nodes(&nats, ["n1", "n2", "n3"]);
    let (mut bob, _eva) = (n1.join("bob"), n3.join("eva"));
    n3.signal("KILL");
    n3.ended();
    let killed = Instant::now();
    bob.ask("/msg bob still here", "bob | bob | private_message | still here");
    let _eva = join_when_free(&n2, "eva");
    assert!(killed.elapsed() < Duration::from_secs(9), "{:?}", killed.elapsed());
    bob.ask("/list", "server | bob | list_clients | clients connected: bob , eva");
}

#[needs("nats-server")]
#[test]
fn clients_of_a_frozen_node_lose_their_names_and_are_told_when_it_goes_on() {
    let nats = Nats::start();
    let [n1, n2, n3] = nodes(&nats, ["n1", "n2", "n3"]);
    let (mut bob, mut eva) = (n1.join("bob"), n3.join("eva"));
    n3.signal("STOP");
    eva.send("/all sent while it was frozen");
    let _other = join_when_free(&n2, "eva");
    n3.signal("CONT");
    let farewell = eva.line();
    assert!(farewell.contains("this server lost touch with the others"), "{farewell}");
    eva.expect_closed();
    n3.logged("serving as a node of the cluster");
    let mut zoe = n3.join("zoe");
    zoe.ask("/list", "server | zoe | list_clients | clients connected: bob , eva , zoe");
    bob.expect_nothing_before_an_echo("bob");
}

#[needs("nats-server")]
#[test]
fn a_node_that_is_started_again_knows_the_others_and_frees_its_old_names() {
    let nats = Nats::start();
    let [n1, mut n2] = nodes(&nats, ["n1", "n2"]);
    let (mut bob, _eva) = (n1.join("bob"), n2.join("eva"));
    n2.signal("KILL");
    n2.ended();
    let [n2] = nodes(&nats, ["n2"]);
    let mut eva = join_when_free(&n2, "eva");
    eva.ask("/list", "server | eva | list_clients | clients connected: bob , eva");
    bob.send("/msg eva welcome back");
    eva.expect("bob | eva | private_message | welcome back");
}

#[needs("nats-server")]
#[test]
fn a_nats_server_that_is_killed_and_back_costs_a_pause_and_nothing_else() {
    let mut nats = Nats::start();
    let [n1, n2] = nodes(&nats, ["n1", "n2"]);
    let (mut ana, mut bob) = (n1.join("ana"), n2.join("bob"));
    nats.kill();
    n1.logged("not connected to the cluster's log");
    ana.send("/all sent meanwhile");
    nats.restart();
    for client in [&mut ana, &mut bob] {
        client.expect("ana | all clients | broadcast | sent meanwhile");
    }
    bob.ask("/msg bob x", "bob | bob | private_message | x");
}

#[needs("nats-server")]
#[test]
fn without_nats_clients_are_told_and_disconnected_and_served_again_when_it_is_back() {
    let mut nats = Nats::start();
    let [n1, n2] = nodes(&nats, ["n1", "n2"]);
    let (mut ana, mut bob) = (n1.join("ana"), n2.join("bob"));
    nats.kill();
    for (client, name) in [(&mut ana, "ana"), (&mut bob, "bob")] {
        let line = client.line();
        let before = format!(
            "server | {name} | error_message | You were disconnected: this server lost touch with the others. What you sent since "
        );
        let time = line.strip_prefix(&before).unwrap_or_else(|| panic!("{line}"));
        assert!(time.ends_with("Z may not have been delivered"), "{line}");
        client.expect_closed();
    }
    assert!(readiness(&n1).ends_with("cut off from the cluster\n"));
    let mut refused = Client::to(n1.address());
    refused.expect(NAME_REQUEST);
    refused.ask(
        "ana",
        "server | client | connection_error | This server has lost touch with the others. Connect again later, or to another one",
    );
    nats.restart();
    let (mut ana, mut bob) = (join_when_free(&n2, "ana"), join_when_free(&n1, "bob"));
    assert!(readiness(&n1).ends_with("ready\n"));
    ana.send("/msg bob again");
    bob.expect("ana | bob | private_message | again");
}

#[needs("nats-server")]
#[test]
fn close_server_closes_the_whole_cluster() {
    let nats = Nats::start();
    let [mut n1, mut n2] = nodes(&nats, ["n1", "n2"]);
    let (mut ana, mut bob) = (n1.join("ana"), n2.join("bob"));
    ana.send("/close");
    for client in [&mut ana, &mut bob] {
        client.expect("server | all clients | broadcast | server closed");
        client.expect_closed();
    }
    assert!(n1.ended().success() && n2.ended().success());
}

#[needs("nats-server")]
#[test]
fn a_signal_ends_one_node_and_frees_its_names_at_once() {
    let nats = Nats::start();
    let [n1, mut n2] = nodes(&nats, ["n1", "n2"]);
    let (mut ana, mut bob) = (n1.join("ana"), n2.join("bob"));
    n2.signal("TERM");
    bob.expect("server | all clients | broadcast | server closed");
    bob.expect_closed();
    assert!(n2.ended().success());
    let _bob = n1.join("bob");
    ana.ask("/list", "server | ana | list_clients | clients connected: ana , bob");
}

#[needs("nats-server")]
#[test]
fn a_node_that_cannot_say_that_it_leaves_tells_its_clients_what_may_be_lost() {
    let mut nats = Nats::start();
    let mut n1 = Process::serve(&[
        ("ARAUTO_CLUSTER_SERVERS", &nats.url()),
        ("ARAUTO_CLUSTER_NODE", "n1"),
        ("ARAUTO_SERVER_DRAIN_TIMEOUT", "1s"),
    ]);
    n1.logged("serving as a node of the cluster");
    let mut ana = n1.join("ana");
    nats.kill();
    n1.logged("not connected to the cluster's log");
    n1.signal("TERM");
    let farewell = ana.line();
    assert!(farewell.contains("this server lost touch with the others"), "{farewell}");
    ana.expect_closed();
    assert!(n1.ended().success());
}

#[needs("nats-server")]
#[test]
fn a_server_waits_for_nats_and_serves_nobody_until_it_is_there() {
    let mut nats = Nats::start();
    nats.kill();
    let n1 = node(&nats, "n1");
    let mut early = Client::to(n1.address());
    nats.restart();
    n1.logged("serving as a node of the cluster");
    early.expect(NAME_REQUEST);
    early.ask("ana", &confirmation("ana"));
}

#[needs("nats-server")]
#[test]
fn a_second_node_of_one_name_ends_with_words_and_the_first_goes_on() {
    let nats = Nats::start();
    let [first] = nodes(&nats, ["n1"]);
    let mut ana = first.join("ana");
    let mut second = node(&nats, "n1");
    assert_eq!(second.ended().code(), Some(1));
    let log = second.whole_log();
    assert!(
        log.contains("cannot take part in the cluster: another node of this name is in the cluster"),
        "{log}"
    );
    ana.ask("/list", "server | ana | list_clients | clients connected: ana");
}

#[needs("nats-server")]
#[test]
fn kicks_and_bans_hold_at_all_nodes_and_at_one_that_joins_later() {
    let nats = Nats::start();
    let file = AccountsFile::new();
    let path = file.path();
    let n1 = Process::serve(&[
        ("ARAUTO_CLUSTER_SERVERS", &nats.url()),
        ("ARAUTO_CLUSTER_NODE", "n1"),
        ("ARAUTO_ACCOUNTS_FILE", path.to_str().unwrap()),
    ]);
    n1.logged("serving as a node of the cluster");
    let [n2] = nodes(&nats, ["n2"]);
    let mut alan = Client::to(n1.address());
    alan.expect(NAME_REQUEST);
    alan.ask("alan", "server | alan | password | no data");
    alan.ask(PASSWORD, &confirmation("alan"));

    let mut carl = n2.join("carl");
    alan.ask("/kick carl being rude", "server | alan | kick | carl was disconnected");
    carl.expect("server | carl | error_message | You were disconnected by alan: being rude");
    carl.expect_closed();

    let mut carl = n2.join("carl");
    alan.send("/ban carl");
    assert!(alan.line().starts_with("server | alan | ban | carl is banned "));
    carl.expect("server | carl | error_message | You were banned by alan");
    carl.expect_closed();
    let [n3] = nodes(&nats, ["n3"]);
    for node in [&n2, &n3] {
        let mut carl = Client::to(node.address());
        carl.expect(NAME_REQUEST);
        carl.send("carl");
        let refusal = carl.line();
        assert!(refusal.starts_with("server | new_client: carl | connection_error | "), "{refusal}");
        assert!(refusal.contains("banned"), "{refusal}");
    }
    alan.send("/unban carl");
    assert!(alan.line().starts_with("server | alan | unban | carl is no longer banned"));
    join_when_free(&n3, "carl");
}

#[needs("nats-server")]
#[test]
fn a_client_that_does_not_read_delays_its_node_for_seconds_and_is_disconnected() {
    const MESSAGES: usize = 6_000;
    // Fewer bytes than an outbox holds: the bystander keeps up, however busy the machine is.
    const AHEAD: usize = 500;

    let nats = Nats::start();
    let [n1, n2] = nodes(&nats, ["n1", "n2"]);
    // It reads its confirmation, and nothing after that.
    let _silent = n1.join("silent");
    let (mut bystander, mut sender) = (n1.join("bystander"), n2.join("sender"));
    let text = "x".repeat(900);
    std::thread::scope(|scope| {
        let (sent, heard) = mpsc::sync_channel(AHEAD);
        let (sender, text) = (&mut sender, &text);
        scope.spawn(move || {
            for number in 0..MESSAGES {
                sent.send(()).expect("a bystander that hears all");
                sender.send(&format!("/others {number} {text}"));
            }
            sender.expect_nothing_before_an_echo("sender");
        });
        for number in 0..MESSAGES {
            bystander.expect(&format!("sender | all clients | broadcast_not_me | {number} {text}"));
            heard.recv().expect("a message that was sent");
        }
    });
    let ended = n1.logged("left");
    assert!(["slow reader", "outbox full"].contains(&ended["reason"].as_str().unwrap()), "{ended}");
    assert_eq!(figures(n1.monitoring_address())["arauto_cluster_cuts_total"], 0);
}

/// A list of clients is a few bytes in the log, and holds all names in the answer.
#[needs("nats-server")]
#[test]
fn many_lists_of_clients_make_no_large_batch() {
    const LISTS: usize = 300;

    let nats = Nats::start();
    let [mut n1, n2] = nodes(&nats, ["n1", "n2"]);
    let long = |number: usize| format!("{number:02}{}", "x".repeat(28));
    let crowd: Vec<Client> = (0..22).map(|number| n2.join(&long(number))).collect();
    let mut askers: Vec<Client> = (0..8).map(|number| n1.join(&format!("asker{number}"))).collect();
    for operation in ["list_clients", "watch"] {
        // What needs no log is answered once the message before it was read back.
        for (number, asker) in askers.iter_mut().enumerate() {
            let asks = vec![format!("asker{number} | server | {operation}"); LISTS].join("\n");
            asker.send(&format!("/msg asker{number} first\n{asks}"));
        }
        for (number, asker) in askers.iter_mut().enumerate() {
            asker.expect(&format!("asker{number} | asker{number} | private_message | first"));
            for _ in 0..LISTS {
                let line = asker.line();
                let head = format!("server | asker{number} | {operation} | clients connected: ");
                assert!(line.starts_with(&head), "{line}");
            }
            asker.expect_nothing_before_an_echo(&format!("asker{number}"));
        }
    }
    drop(crowd);
    n1.signal("TERM");
    n1.ended();
    let log = n1.rest_of_log();
    let ended = log.iter().find(|record| record["msg"] == "ended").unwrap();
    // 2,400 answers of 0.9 KB, twice.
    assert!(ended["largest_batch_bytes"].as_u64().unwrap() < 300_000, "{ended}");
}
