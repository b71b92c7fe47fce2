//! Nodes of `arauto-cluster` over the log: they found a cluster, join it, and go on after a fault.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::mpsc,
    time::{Duration, Instant, SystemTime},
};

use arauto_cluster::{
    Agreed, Instance, Table,
    node::{Action, Config, Node, Now, Reason, Timing},
    table::Context,
};
use arauto_nats_log::{Command, Log, Report};
use arauto_needs::needs;

use crate::{node::options_of, server::Server};

/// How often the nodes are given the time, at least.
const TICK_INTERVAL: Duration = Duration::from_millis(20);

/// The names that were entered, each with its first writer.
#[derive(Default)]
struct Names(BTreeMap<u64, Instance>);

impl Table for Names {
    type Entry = u64;

    fn carry_out(&mut self, context: Context, name: u64) -> u64 {
        u64::from(*self.0.entry(name).or_insert(context.writer) == context.writer)
    }

    fn end_of(&mut self, instance: Instance, _: Context) {
        self.0.retain(|_, writer| *writer != instance);
    }

    fn found(&mut self, _: u64) {
        self.0.clear();
    }

    fn fingerprint(&self) -> u64 {
        self.0.iter().fold(0, |sum, (name, writer)| sum.wrapping_mul(31).wrapping_add(name ^ writer.0))
    }

    fn encode(&self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|(name, writer)| [name.to_le_bytes(), writer.0.to_le_bytes()])
            .flatten()
            .collect()
    }

    fn decode(&mut self, bytes: &[u8]) -> bool {
        let (pairs, rest) = bytes.as_chunks::<16>();
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        self.0 = pairs.iter().map(|pair| (number(&pair[..8]), Instance(number(&pair[8..])))).collect();
        rest.is_empty()
    }
}

/// A node, its table, and its log.
struct Member {
    node: Node<u64>,
    table: Names,
    log: Option<Log>,
    listens_for: Option<Instance>,
    cuts: Vec<Reason>,
}

/// The nodes of a test.
struct World {
    url: String,
    members: Vec<Member>,
    reports: mpsc::Receiver<(usize, Report)>,
    sender: mpsc::Sender<(usize, Report)>,
    begin: Instant,
}

impl World {
    fn new(server: &Server) -> Self {
        let (sender, reports) = mpsc::channel();
        Self { url: server.url(), members: Vec::new(), reports, sender, begin: Instant::now() }
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_millis();
        Now {
            boot: Duration::from_secs(100) + self.begin.elapsed(),
            wall: u64::try_from(wall).expect("a time"),
        }
    }

    /// Starts a node of this name.
    fn start(&mut self, name: &str) -> usize {
        let (index, now, sender) = (self.members.len(), self.now(), self.sender.clone());
        let deliver = move |report| {
            let _ = sender.send((index, report));
        };
        let log = arauto_nats_log::start(options_of(name, self.url.clone()), deliver).expect("a log");
        let name = name.parse().expect("a name");
        let config = Config { name, agreed: Agreed::default(), timing: Timing::default() };
        let instance = Instance(now.wall.rotate_left(20) + index as u64);
        self.members.push(Member {
            node: Node::new(config, instance, now),
            table: Names::default(),
            log: Some(log),
            listens_for: None,
            cuts: Vec::new(),
        });
        index
    }

    /// Lets the nodes act until this holds.
    fn until(&mut self, what: &str, is_so: impl Fn(&[Member]) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(40);
        while !is_so(&self.members) {
            assert!(Instant::now() < deadline, "{what} does not come: {}", self.picture());
            if let Ok((index, report)) = self.reports.recv_timeout(TICK_INTERVAL) {
                self.heed(index, report);
            }
            let now = self.now();
            for member in self.members.iter_mut().filter(|member| member.log.is_some()) {
                member.node.tick(now, &member.table);
                member.act();
            }
        }
    }

    fn heed(&mut self, index: usize, report: Report) {
        let now = self.now();
        let Member { node, table, .. } = &mut self.members[index];
        if let Report::Refused(refusal) = &report {
            panic!("{refusal}");
        }
        report.pass_on(node, now, table);
    }

    fn picture(&self) -> String {
        let picture = |member: &Member| {
            let Member { node, table, cuts, .. } = member;
            format!("at {}, serves {}, {:?}, {cuts:?}; ", node.state().position(), node.serves(), table.0)
        };
        self.members.iter().map(picture).collect()
    }
}

impl Member {
    fn act(&mut self) {
        let Some(log) = &self.log else { return };
        let instance = self.node.instance();
        // Before the Hello of a new instance is appended.
        if self.listens_for.replace(instance) != Some(instance) {
            log.send(Command::ListenFor(instance)).expect("room");
        }
        for action in self.node.actions() {
            let command = match action {
                Action::AskForEnd => Command::AskForEnd,
                Action::Append(frame) => Command::Append(frame),
                Action::Fetch(positions) => Command::Fetch(positions),
                Action::Verify(positions) => Command::Verify(positions),
                Action::SendState { to, position, bytes } => {
                    Command::SendState { to, donor: instance, position, bytes }
                }
                Action::Cut(reason) => {
                    self.cuts.push(reason);
                    continue;
                }
                Action::Stop(end) => panic!("{end}"),
                Action::Serve | Action::Hold | Action::GoOn | Action::Report(_) => continue,
            };
            log.send(command).expect("room");
        }
    }
}

/// Two nodes that serve, with the name 1.
fn cluster_of_two(server: &Server) -> World {
    let mut world = World::new(server);
    world.start("n1");
    world.until("a cluster of one", |members| agree(members, []));
    world.start("n2");
    world.members[0].node.append(1);
    world.until("a cluster of two", |members| agree(members, [1]));
    world
}

/// Whether all that have a log serve, and have the same names, these.
fn agree(members: &[Member], names: impl IntoIterator<Item = u64>) -> bool {
    let names: BTreeSet<_> = names.into_iter().collect();
    let mut living = members.iter().filter(|member| member.log.is_some());
    let first = &members.iter().find(|member| member.log.is_some()).expect("a member").table.0;
    first.keys().copied().eq(names) && living.all(|member| member.node.serves() && member.table.0 == *first)
}

#[needs("nats-server")]
#[test]
fn nodes_found_a_cluster_join_it_and_lose_nothing_when_the_server_is_killed() {
    let mut server = Server::start("");
    let mut world = World::new(&server);
    world.start("n1");
    world.until("a cluster of one", |members| agree(members, []));
    world.members[0].node.append(1);
    world.start("n2");
    world.start("n3");
    world.until("a cluster of three", |members| agree(members, [1]));
    let token = world.members[0].node.state().token();

    for name in 2..=100 {
        world.members[name % 3].node.append(name as u64);
    }
    server.kill();
    for name in 101..=200 {
        world.members[name % 3].node.append(name as u64);
    }
    server.restart();
    world.until("all names", |members| agree(members, 1..=200));
    for member in &world.members {
        assert_eq!((member.node.state().token(), member.cuts.as_slice()), (token, [].as_slice()));
    }

    // A node that is killed is given up, and its names are free.
    world.members[2].log = None;
    let lost = world.members[2].node.instance();
    world.until("the others without it", |members| {
        members[..2].iter().all(|member| member.table.0.values().all(|writer| *writer != lost))
    });
    assert!(world.members[..2].iter().all(|member| member.cuts.is_empty()));
}

#[needs("nats-server")]
#[test]
fn nodes_whose_stream_is_deleted_begin_a_new_cluster() {
    let server = Server::start("");
    let mut world = cluster_of_two(&server);
    let token = world.members[0].node.state().token();
    let deleted = crate::raw::Raw::connect(&server).ask("STREAM.DELETE.ARAUTO_c", "");
    assert_eq!(deleted["success"], true, "{deleted}");
    world.until("another cluster", |members| {
        agree(members, []) && members.iter().all(|member| member.node.state().token() != token)
    });
    assert!(world.members.iter().all(|member| member.cuts == [Reason::Gap]), "{}", world.picture());
    world.members[1].node.append(2);
    world.until("a name", |members| agree(members, [2]));
}

#[needs("nats-server")]
#[test]
fn nodes_whose_server_lost_its_newest_messages_begin_again() {
    let mut server = Server::start("");
    let mut world = cluster_of_two(&server);
    server.kill();
    let older = server.copy_store();
    server.restart();
    world.members[1].node.append(2);
    world.until("another name", |members| agree(members, [1, 2]));
    let token = world.members[0].node.state().token();
    server.kill();
    server.replace_store(&older);
    server.restart();
    world.until("another cluster", |members| {
        agree(members, []) && members.iter().all(|member| member.node.state().token() != token)
    });
    assert!(world.members.iter().all(|member| member.cuts == [Reason::Differs]), "{}", world.picture());
    world.members[1].node.append(3);
    world.until("a name", |members| agree(members, [3]));
}
