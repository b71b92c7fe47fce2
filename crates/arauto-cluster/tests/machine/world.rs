//! [`World`]: several nodes over one log, with the faults that a network, a log's server and a machine can have.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use arauto_cluster::{
    Agreed, Instance, NodeName,
    frame::Head,
    node::{Action, Config, End, Node, Now, Reason, Stored, Timing},
    transfer::{Chunk, chunks},
};

use crate::{
    dice::{Dice, Faults},
    log::{Change, Names},
};

pub const STEP: Duration = Duration::from_millis(50);

/// A message on its way to a node.
#[derive(Clone, Debug)]
enum Delivery {
    Tail(u64),
    Acknowledged(u64, u64),
    End,
    Chunk(Chunk),
    Stored(u64),
}

/// Changes a frame to what a node is told of it.
pub type Lie = fn(&[u8]) -> Vec<u8>;

/// A node, and what is on its way to it.
pub struct Place {
    pub node: Node<Change>,
    pub table: Names,
    pub name: NodeName,
    deliveries: Vec<(Duration, Delivery)>,
    /// Until then, the process does nothing.
    pub asleep_until: Duration,
    pub is_connected: bool,
    pub clock_ahead: i64,
    /// Whether the node has said that clients are served.
    pub serves: bool,
    pub holds: bool,
    pub cuts: Vec<(Duration, Reason)>,
    /// The time up to which, at the newest cut, what clients had sent was carried out.
    pub sure_until: Duration,
    pub ended: Option<End>,
    /// The names that its clients asked for, and were not cut since.
    pub asked: BTreeMap<u64, String>,
    /// Changes what this node is told of the others' frames, unless it asks the leader.
    pub lie: Option<Lie>,
}

pub struct World {
    pub now: Duration,
    pub log: Vec<(NodeName, Vec<u8>, Duration)>,
    pub places: Vec<Place>,
    pub faults: Faults,
    pub is_log_up: bool,
    /// How long after the one before each piece of a state arrives.
    pub chunk_pace: Duration,
    /// Whether the leader answers what nodes want to compare.
    pub is_leader_up: bool,
    /// The position of the oldest message that the log has not dropped because of its age.
    pub first: u64,
    /// The newest position that is known to the leader, if it has been replaced without knowing it.
    pub stale_leader: Option<u64>,
    /// Positions that the leader was asked for.
    pub verified: u64,
    /// Whether nodes may differ for a while, because the log lies.
    pub may_differ: bool,
    dice: RefCell<Dice>,
    sessions: u64,
    instances: u64,
}

impl World {
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            now: Duration::from_secs(100),
            log: Vec::new(),
            places: Vec::new(),
            faults,
            is_log_up: true,
            chunk_pace: Duration::ZERO,
            is_leader_up: true,
            first: 1,
            stale_leader: None,
            verified: 0,
            may_differ: false,
            dice: RefCell::new(Dice::new(seed)),
            sessions: 0,
            instances: seed.wrapping_mul(1_000_003),
        }
    }

    pub fn dice(&self, end: u64) -> u64 {
        self.dice.borrow_mut().below(end)
    }

    fn chance(&self, percent: u64) -> bool {
        self.dice.borrow_mut().chance(percent)
    }

    pub fn at(&self, place: usize) -> Now {
        let wall = 1_700_000_000_000 + u64::try_from(self.now.as_millis()).unwrap();
        Now { boot: self.now, wall: wall.saturating_add_signed(self.places[place].clock_ahead) }
    }

    /// Starts a node of this name. Returns its place.
    pub fn start(&mut self, name: &str) -> usize {
        self.start_with(name, Agreed::default(), 0)
    }

    pub fn start_with(&mut self, name: &str, agreed: Agreed, clock_ahead: i64) -> usize {
        self.instances += 1;
        let name: NodeName = name.parse().unwrap();
        let config = Config { name: name.clone(), agreed, timing: Timing::default() };
        let now = Now { boot: self.now, wall: 1_700_000_000_000 };
        let node = Node::new(config, Instance(self.instances << 8), now);
        self.places.push(Place {
            node,
            table: Names::default(),
            name,
            deliveries: Vec::new(),
            asleep_until: Duration::ZERO,
            is_connected: true,
            clock_ahead,
            serves: false,
            holds: false,
            cuts: Vec::new(),
            sure_until: Duration::ZERO,
            ended: None,
            asked: BTreeMap::new(),
            lie: None,
        });
        self.places.len() - 1
    }

    /// Ends a process at once.
    pub fn kill(&mut self, place: usize) {
        self.places[place].ended = Some(End::Left);
        self.places[place].serves = false;
    }

    /// A client of this node asks for a name.
    pub fn enter(&mut self, place: usize, name: &str) -> u64 {
        self.sessions += 1;
        let session = self.sessions;
        let change = Change::Enter(session, name.to_owned());
        assert!(self.places[place].node.append(change));
        self.places[place].asked.insert(session, name.to_owned());
        session
    }

    /// Loses what of the log is on its way to all nodes.
    pub fn lose_tail(&mut self) {
        for place in &mut self.places {
            place.deliveries.retain(|(_, delivery)| !matches!(delivery, Delivery::Tail(_)));
        }
    }

    /// Takes the log's newest messages away from all, as a server does that loses what it had not written to disk.
    pub fn rewind(&mut self, messages: usize) {
        self.log.truncate(self.log.len() - messages);
        self.may_differ = true;
    }

    pub fn connect(&mut self, place: usize, is_connected: bool) {
        let now = self.at(place);
        self.places[place].is_connected = is_connected;
        let place = &mut self.places[place];
        place.node.connection(is_connected, now, &place.table);
    }

    /// Lets time pass, in steps.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    /// Lets time pass until this holds. Returns how long that took.
    #[track_caller]
    pub fn until(&mut self, most: Duration, what: &str, is_so: impl Fn(&Self) -> bool) -> Duration {
        let begin = self.now;
        while !is_so(self) {
            assert!(self.now < begin + most, "{what} did not come in {most:?}: {}", self.picture());
            self.step();
        }
        self.now.saturating_sub(begin)
    }

    /// How many foundings counted, as far as one can see from the living: those that a node serves under.
    pub fn foundings(&self) -> usize {
        let serving = self.places.iter().filter(|place| place.serves);
        serving.map(|place| place.node.state().token()).collect::<BTreeSet<_>>().len()
    }

    /// The instances that take part, as the first node knows them.
    pub fn instances(&self) -> Vec<Instance> {
        self.places[0].node.state().instances().iter().map(|(instance, _)| instance).collect()
    }

    pub fn picture(&self) -> String {
        let place = |place: &Place| {
            format!(
                "{} at {} of {}, serves {}, holds {}, cuts {:?}, ended {:?}; ",
                place.name,
                place.node.state().position(),
                self.log.len(),
                place.serves,
                place.holds,
                place.cuts,
                place.ended
            )
        };
        self.places.iter().map(place).collect()
    }

    fn step(&mut self) {
        self.now += STEP;
        for place in 0..self.places.len() {
            if self.places[place].ended.is_some() || self.now < self.places[place].asleep_until {
                continue;
            }
            self.deliver(place);
            let now = self.at(place);
            let at = &mut self.places[place];
            at.node.tick(now, &at.table);
            self.act(place);
            self.check(place);
        }
    }

    fn deliver(&mut self, place: usize) {
        if !self.places[place].is_connected || !self.is_log_up {
            return;
        }
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.places[place].deliveries)
            .into_iter()
            .partition(|(at, _)| *at <= self.now);
        self.places[place].deliveries = later;
        for (_, delivery) in due {
            let now = self.at(place);
            let stored = |position: u64| self.log.get(usize::try_from(position - 1).unwrap());
            let stored = |position| stored(position).map(|(name, bytes, _)| (name.clone(), bytes.clone()));
            let Place { node, table, lie, name: own, .. } = &mut self.places[place];
            match delivery {
                Delivery::Tail(position) => {
                    let Some((name, bytes)) = stored(position) else { continue };
                    let bytes = lie.filter(|_| name != *own).map_or(bytes.clone(), |lie| lie(&bytes));
                    node.message(position, name, bytes, now, table);
                }
                Delivery::Stored(position) => {
                    let is_there =
                        position >= self.first && position <= self.stale_leader.unwrap_or(u64::MAX);
                    let stored = stored(position).filter(|_| is_there);
                    let stored = match &stored {
                        Some((name, bytes)) => Stored::Message(name, bytes),
                        None => Stored::Absent { first: self.first },
                    };
                    node.verified(position, stored, now, table);
                }
                Delivery::Acknowledged(number, position) => node.acknowledged(number, position, now, table),
                Delivery::Chunk(chunk) => node.chunk(chunk, now, table),
                Delivery::End => {
                    let age = self.log.last().map_or(Duration::ZERO, |(.., at)| self.now.saturating_sub(*at));
                    node.end_of_log(self.log.len() as u64, age, now, table);
                }
            }
            self.act(place);
        }
    }

    fn send(&mut self, place: usize, delivery: Delivery) {
        let late = if self.chance(self.faults.late) { self.dice(400) } else { self.dice(3) };
        let at = self.now + Duration::from_millis(late);
        self.places[place].deliveries.push((at, delivery));
    }

    pub fn store(&mut self, place: usize, bytes: Vec<u8>) {
        let name = self.places[place].name.clone();
        let number = Head::read(&bytes).map_or(0, |(head, _)| head.number);
        self.log.push((name, bytes, self.now));
        let position = self.log.len() as u64;
        for other in 0..self.places.len() {
            if self.places[other].ended.is_none()
                && self.places[other].is_connected
                && !self.chance(self.faults.holes_in_the_tail)
            {
                self.send(other, Delivery::Tail(position));
            }
        }
        if !self.chance(self.faults.lost_acknowledgements) {
            self.send(place, Delivery::Acknowledged(number, position));
        }
    }

    pub fn act(&mut self, place: usize) {
        for action in self.places[place].node.actions() {
            let is_reachable = self.is_log_up && self.places[place].is_connected;
            match action {
                Action::AskForEnd if is_reachable => self.send(place, Delivery::End),
                Action::Append(bytes) => {
                    if !is_reachable || self.chance(self.faults.lost_appends) {
                        continue;
                    }
                    if self.chance(self.faults.doubled_appends) {
                        self.store(place, bytes.clone());
                    }
                    self.store(place, bytes);
                }
                Action::Fetch(positions) if is_reachable => {
                    for position in positions {
                        if position <= self.log.len() as u64 && !self.chance(self.faults.holes_in_the_tail) {
                            self.send(place, Delivery::Tail(position));
                        }
                    }
                }
                Action::Verify(positions) if is_reachable && self.is_leader_up => {
                    for position in positions {
                        self.verified += 1;
                        self.send(place, Delivery::Stored(position));
                    }
                }
                Action::SendState { to, position, bytes } if is_reachable => {
                    let donor = self.places[place].node.instance();
                    for (chunk, number) in chunks(donor, position, &bytes).zip(1..) {
                        let joiner = self.places.iter().position(|place| place.node.instance() == to);
                        if let Some(joiner) = joiner.filter(|_| !self.chance(self.faults.holes_in_the_tail)) {
                            let at = self.now + number * self.chunk_pace;
                            self.places[joiner].deliveries.push((at, Delivery::Chunk(chunk)));
                        }
                    }
                }
                Action::Serve => self.places[place].serves = true,
                Action::Hold => self.places[place].holds = true,
                Action::GoOn => self.places[place].holds = false,
                Action::Cut(why) => {
                    let place = &mut self.places[place];
                    (place.serves, place.holds) = (false, false);
                    place.cuts.push((self.now, why));
                    place.sure_until = place.node.ok();
                    // Each client leaves.
                    for session in std::mem::take(&mut place.asked).into_keys() {
                        place.node.append(Change::Leave(session));
                    }
                }
                Action::Stop(end) => {
                    let place = &mut self.places[place];
                    (place.ended, place.serves) = (Some(end), false);
                    place.asked.clear();
                }
                Action::Report(_)
                | Action::AskForEnd
                | Action::Fetch(_)
                | Action::Verify(_)
                | Action::SendState { .. } => {}
            }
        }
    }

    /// All nodes with the state that are at one position have one table, and no node that serves lacks the state.
    fn check(&self, place: usize) {
        let Place { node, table, .. } = &self.places[place];
        if self.may_differ || !node.state().is_founded() {
            return;
        }
        let mine = node.state().checkpoint(table);
        for other in self.places.iter().filter(|other| other.ended.is_none()) {
            let theirs = other.node.state().checkpoint(&other.table);
            if other.node.state().is_founded() && theirs.position == mine.position {
                assert_eq!(theirs, mine, "equal positions, equal states");
            }
        }
    }

    pub fn all_serve(&self) -> bool {
        self.places.iter().filter(|place| place.ended.is_none()).all(|place| place.serves && !place.holds)
    }

    /// Whether all living nodes have read the same and know these names, and no other.
    pub fn know(&self, names: &[&str]) -> bool {
        self.places
            .iter()
            .filter(|place| place.ended.is_none())
            .all(|place| place.table.by_name.keys().map(String::as_str).collect::<Vec<_>>() == names)
    }
}
