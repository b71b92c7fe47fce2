//! Tests of `arauto nodes`, the metrics of a cluster, its log lines, `--once` and lists of addresses.

use std::process::{Command, Output};

use arauto_needs::needs;
use serde_json::Value;

use super::{node, nodes};
use crate::{
    harness::{Client, arauto, nats::Nats, process::Process, wait_until},
    monitoring::{figures, get},
};

fn output(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// `arauto nodes` about this node, as JSON.
fn told(node: &Process) -> Value {
    let address = node.monitoring_address().to_string();
    let (status, json, errors) = output(arauto(["nodes", "--json", "--monitoring", &address]));
    assert_eq!((status, errors.as_str()), (0, ""));
    serde_json::from_str(&json).unwrap()
}

/// Name, clients and readiness of each node that takes part.
fn rows(told: &Value) -> Vec<(String, u64, bool)> {
    let row = |row: &Value| {
        let name = row["node"].as_str().unwrap().to_owned();
        (name, row["clients"].as_u64().unwrap(), row["ready"].as_bool().unwrap())
    };
    told["nodes"].as_array().unwrap().iter().map(row).collect()
}

#[needs("nats-server")]
#[test]
fn every_node_shows_all_nodes_with_their_clients() {
    let nats = Nats::start();
    let [n1, n2, n3] = nodes(&nats, ["n1", "n2", "n3"]);
    let _clients = [n1.join("ana"), n1.join("bob"), n3.join("eva")];
    let expected = |counts: &[(&str, u64)]| -> Vec<_> {
        counts.iter().map(|(name, clients)| ((*name).to_owned(), *clients, true)).collect()
    };
    for node in [&n1, &n2, &n3] {
        let all = expected(&[("n1", 2), ("n2", 0), ("n3", 1)]);
        wait_until("the node to see all", || rows(&told(node)) == all);
        let figures = figures(node.monitoring_address());
        assert_eq!(figures["arauto_cluster_nodes"], 3);
        assert!(figures["arauto_cluster_position"] > 5, "{figures:?}");
        assert_eq!(figures["arauto_cluster_given_up_total"], 0);
    }
    let address = n2.monitoring_address().to_string();
    let (status, table, _) = output(arauto(["nodes", "--monitoring", &address]));
    let mut lines = table.lines();
    assert_eq!(status, 0);
    let headings: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(headings, ["NODE", "CLIENTS", "LAG", "SINCE", "STATE", "INSTANCE"]);
    let firsts: Vec<_> = lines.map(|line| line.split_whitespace().take(2).collect::<Vec<_>>()).collect();
    assert_eq!(firsts, [["n1", "2"], ["n2*", "0"], ["n3", "1"]]);

    // A node that is killed goes from the table, and the others count and name it.
    let [n1, n3] = [n1, n3];
    n3.signal("KILL");
    wait_until("the node to be given up", || rows(&told(&n1)) == expected(&[("n1", 2), ("n2", 0)]));
    assert_eq!(figures(n1.monitoring_address())["arauto_cluster_given_up_total"], 1);
    assert_eq!(n1.logged("a node was given up")["node"], "n3");
}

#[test]
fn a_server_alone_has_no_nodes_to_show() {
    let server = Process::serve(&[]);
    let address = server.monitoring_address().to_string();
    let (status, table, error) = output(arauto(["nodes", "--monitoring", &address]));
    let words = format!("arauto: {address} says: This server is not a node of a cluster.\n");
    assert_eq!((status, table.as_str(), error), (3, "", words));
    let answer = get(server.monitoring_address(), "/nodes");
    assert!(answer.head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer:?}");
    assert_eq!(figures(server.monitoring_address())["arauto_cluster_nodes"], 0);
}

#[test]
fn a_server_that_is_not_to_wait_for_nats_ends_with_words() {
    let mut command = arauto(["serve", "--once"]);
    command.envs([
        // The port of discard, at which nothing listens.
        ("ARAUTO_CLUSTER_SERVERS", "nats://127.0.0.1:9"),
        ("ARAUTO_CLUSTER_NODE", "n1"),
        ("ARAUTO_SERVER_LISTEN", "127.0.0.1:0"),
        ("ARAUTO_WEB_LISTEN", ""),
        ("ARAUTO_MEDIA_LISTEN", ""),
        ("ARAUTO_MONITORING_LISTEN", ""),
    ]);
    let (status, _, log) = output(command);
    assert_eq!(status, 1, "{log}");
    assert!(log.contains("none of cluster.servers answers, and cluster.once is true"), "{log}");
}

#[needs("nats-server")]
#[test]
fn a_server_that_is_not_to_wait_goes_on_once_it_was_connected() {
    let mut nats = Nats::start();
    let url = nats.url();
    let settings =
        [("ARAUTO_CLUSTER_SERVERS", &*url), ("ARAUTO_CLUSTER_NODE", "n1"), ("ARAUTO_CLUSTER_ONCE", "true")];
    let mut n1 = Process::serve(&settings);
    n1.logged("serving as a node of the cluster");
    nats.kill();
    n1.logged("no clients are served: this node lost touch with the cluster");
    nats.restart();
    n1.logged("serving as a node of the cluster");
    assert!(!n1.has_ended());
    assert_eq!(figures(n1.monitoring_address())["arauto_cluster_cuts_total"], 1);
}

#[cfg(feature = "client")]
#[needs("nats-server")]
#[test]
fn a_client_with_several_addresses_goes_to_the_next_node() {
    use std::{
        io::{BufRead, BufReader},
        process::Stdio,
    };

    let nats = Nats::start();
    let [n1, n2] = nodes(&nats, ["n1", "n2"]);
    let addresses = format!("{},{}", n1.address(), n2.address());
    let mut bob = n2.join("bob");
    let mut listen = arauto(["listen", "--as", "log", "--reconnect", "--server", &addresses])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut heard = BufReader::new(listen.stdout.take().unwrap()).lines();
    wait_until("the listener to be there", || {
        bob.send("/list");
        bob.line().ends_with("clients connected: bob , log")
    });
    bob.send("/all one");
    assert_eq!(heard.next().unwrap().unwrap(), "bob | all clients | broadcast | one");
    n1.signal("KILL");
    // The name is free once the killed node is given up; the listener waits for it at the other node.
    wait_until("the listener to be at the other node", || rows(&told(&n2)) == [("n2".to_owned(), 2, true)]);
    bob.expect("bob | all clients | broadcast | one");
    bob.send("/all two");
    assert_eq!(heard.next().unwrap().unwrap(), "bob | all clients | broadcast | two");
    // A script that begins now passes over the address that does not answer.
    let (status, _, errors) =
        output(arauto(["send", "--as", "build", "--to", "bob", "hi", "--server", &addresses]));
    assert_eq!((status, errors.as_str()), (0, ""));
    bob.expect("bob | all clients | broadcast | two");
    bob.expect("build | bob | private_message | hi");
    listen.kill().unwrap();
    listen.wait().unwrap();
}

#[needs("nats-server")]
#[test]
fn a_second_run_of_a_node_is_seen_to_take_its_place() {
    let nats = Nats::start();
    let [n1, mut n2] = nodes(&nats, ["n1", "n2"]);
    let before = told(&n1)["nodes"][1]["instance"].clone();
    n2.signal("KILL");
    n2.ended();
    let again = node(&nats, "n2");
    again.logged("serving as a node of the cluster");
    wait_until("the new run to be seen", || {
        let told = told(&n1);
        rows(&told) == [("n1".to_owned(), 0, true), ("n2".to_owned(), 0, true)]
            && told["nodes"][1]["instance"] != before
    });
    assert_eq!(n1.logged("a node was started again")["node"], "n2");
}

#[needs("nats-server")]
#[test]
fn a_watcher_is_told_of_clients_at_all_nodes() {
    let nats = Nats::start();
    let [n1, n2, mut n3] = nodes(&nats, ["n1", "n2", "n3"]);
    let mut ana = n1.join("ana");
    ana.ask("/watch", "server | ana | watch | clients connected: ana");
    let mut bob = n2.join("bob");
    ana.expect("server | all clients | joined | bob");
    bob.ask("/watch", "server | bob | watch | clients connected: ana , bob");
    let _eva = n3.join("eva");
    for watcher in [&mut ana, &mut bob] {
        watcher.expect("server | all clients | joined | eva");
    }
    bob.ask("/exit", "server | bob | exit | client disconnected");
    ana.expect("server | all clients | left | bob");
    // The names of a node that is given up are told as those of clients that leave.
    n3.signal("KILL");
    n3.ended();
    ana.expect("server | all clients | left | eva");
}

#[needs("nats-server")]
#[test]
fn a_message_has_the_same_number_at_all_nodes() {
    let nats = Nats::start();
    let [n1, n2] = nodes(&nats, ["n1", "n2"]);
    let (mut ana, mut bob) = (n1.join("ana"), n2.join("bob"));
    let turn_on = |client: &mut Client, name: &str| {
        client.send("/tags on");
        client.line().strip_prefix(&format!("server | {name} | tags | on, log ")).map(str::to_owned)
    };
    let log = turn_on(&mut ana, "ana").unwrap();
    assert_eq!(turn_on(&mut bob, "bob").as_deref(), Some(log.as_str()));
    let id = |client: &mut Client| client.line().split(' ').next().unwrap().to_owned();
    for (number, line) in (1..).step_by(2).zip(["/all one", "/all two"]) {
        ana.send(line);
        let numbered = format!("@{number}");
        assert_eq!((id(&mut ana), id(&mut bob)), (numbered.clone(), numbered));
        // Only one client gets this number.
        ana.send("/msg bob hi");
        assert_eq!(id(&mut bob), format!("@{}", number + 1));
    }
    // A node that joins later gets the count, as does its client.
    let n3 = node(&nats, "n3");
    let mut eva = n3.join("eva");
    assert_eq!(turn_on(&mut eva, "eva"), Some(log));
    ana.send("/all three");
    let tags = [&mut ana, &mut bob, &mut eva].map(|client| {
        let line = client.line();
        line.split_once(" ana | ").unwrap().0.to_owned()
    });
    assert!(tags[0].starts_with("@5 "), "{tags:?}");
    assert_eq!((&tags[1], &tags[2]), (&tags[0], &tags[0]), "the time is the same as well");
}
