//! [`Replica`]: what a registry keeps beside its tables while it is a node of a cluster.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use arauto_cluster::{Digest, Instance, table::Context};
use arauto_protocol::{NameKey, Request};
use tokio::sync::OwnedSemaphorePermit;

use super::log_entry::{Act, LogEntry};
use crate::server::{
    common::session_ref::{SessionId, SessionRef},
    messages::{Enter, Leave, Work},
};

/// Numbers of sessions at other nodes begin here, so that they differ from those of this server's own.
const FIRST_ELSEWHERE: u64 = 1 << 63;

/// A session whose request for a name is on its way through the log.
#[derive(Debug)]
pub struct Entering {
    /// The request.
    pub enter: Enter,
    /// Requests that it sent since; bounded by the session's credit.
    pub works: Vec<Work>,
}

/// An answer that needs no log, and waits for what was asked before it.
#[derive(Debug)]
pub enum Behind {
    /// A request that concerns its sender alone.
    Request(SessionRef, Request),
    /// The credit of requests before it.
    Credit(OwnedSemaphorePermit),
}

/// The parts of a node that are not in the log: what only this server knows of its sessions, and its numbers for those of
/// others.
#[derive(Debug)]
pub struct Replica {
    /// This run of the node.
    own: Instance,
    /// Where the entry stands that is being carried out.
    context: Context,
    /// The node was told to leave, and its clients hear that the server closes.
    is_leaving: bool,
    /// The time before which all that own clients sent was carried out.
    ok: SystemTime,
    /// Entries that are not with the node yet.
    unsent: Vec<LogEntry>,
    /// A client has closed the cluster, and the node does not know yet.
    closes_all: bool,
    /// The node is to append a frame soon.
    speaks: bool,
    entering: HashMap<SessionId, Entering>,
    /// The ends of own sessions that are on their way through the log.
    leaving: HashMap<SessionId, Leave>,
    /// Entries of this run that were appended, and those that were read back.
    appended: u64,
    read_back: u64,
    /// Each with the number of entries that come before it.
    behind: VecDeque<(u64, Behind)>,
    numbers: HashMap<(Instance, u64), SessionId>,
    elsewhere: HashMap<SessionId, (Instance, u64)>,
    last_elsewhere: u64,
    /// The sum of the hashes of all members: the same for the same members, in whatever order they came.
    fingerprint: u64,
    /// Lists of clients that own sessions asked for and that were not read back.
    lists: usize,
    /// How many members each node has, if any.
    members: HashMap<Instance, u64>,
}

impl Replica {
    /// A node of this run that knows nobody.
    pub fn new(own: Instance) -> Self {
        Self {
            own,
            context: Context { writer: own, position: 0, time: 0 },
            is_leaving: false,
            ok: SystemTime::now(),
            unsent: Vec::new(),
            closes_all: false,
            speaks: false,
            entering: HashMap::new(),
            leaving: HashMap::new(),
            appended: 0,
            read_back: 0,
            behind: VecDeque::new(),
            numbers: HashMap::new(),
            elsewhere: HashMap::new(),
            last_elsewhere: FIRST_ELSEWHERE,
            fingerprint: 0,
            lists: 0,
            members: HashMap::new(),
        }
    }

    /// This run of the node.
    pub fn own(&self) -> Instance {
        self.own
    }

    /// Whether the node was told to leave.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Notes that the node was told to leave.
    pub fn set_leaving(&mut self) {
        self.is_leaving = true;
    }

    /// The time before which what own clients sent was carried out.
    pub fn ok(&self) -> SystemTime {
        self.ok
    }

    /// Notes that what own clients sent up to this long ago was carried out.
    pub fn set_ok(&mut self, ago: Duration) {
        self.ok = SystemTime::now().checked_sub(ago).unwrap_or(UNIX_EPOCH);
    }

    /// The time of the entry that is being carried out.
    pub fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.context.time)
    }

    /// Whether this node wrote the entry that is being carried out.
    pub fn is_own_entry(&self) -> bool {
        self.context.writer == self.own
    }

    /// Begins to carry out an entry, or what follows from a frame.
    pub fn begin(&mut self, context: Context) {
        self.context = context;
    }

    /// Adds an entry about an own session, to be given to the node.
    pub fn append(&mut self, session: SessionId, act: Act) {
        self.appended += 1;
        self.unsent.push(LogEntry { session: session.0, act });
    }

    /// Closes the whole cluster, after the entries so far.
    pub fn close_all(&mut self) {
        self.closes_all = true;
    }

    /// Has the node append a frame soon.
    pub fn set_speaks(&mut self) {
        self.speaks = true;
    }

    /// Counts an entry that asks for the list of clients: 1 when it is appended, -1 when it is read back.
    pub fn note_list(&mut self, act: &Act, more: isize) {
        if matches!(act, Act::ListClients) {
            self.note_lists(more);
        }
    }

    /// Counts lists of clients that own sessions asked for, and that wait for an entry of this node to be read back.
    pub fn note_lists(&mut self, more: isize) {
        self.lists = self.lists.saturating_add_signed(more);
    }

    /// Lists of clients that own sessions asked for and that were not read back.
    pub fn lists(&self) -> usize {
        self.lists
    }

    /// Whether the node is to append a frame, once.
    pub fn take_speaks(&mut self) -> bool {
        std::mem::take(&mut self.speaks)
    }

    /// Whether the node does not know yet of something that was appended.
    pub fn has_unsent(&self) -> bool {
        self.closes_all || self.speaks || !self.unsent.is_empty()
    }

    /// Takes what the node does not know yet: the entries, and whether the cluster is closed after them.
    pub fn take_unsent(&mut self) -> (Vec<LogEntry>, bool) {
        (std::mem::take(&mut self.unsent), std::mem::take(&mut self.closes_all))
    }

    /// Adds a request for a name.
    pub fn enter(&mut self, enter: Enter, act: Act) {
        let id = enter.session_ref.id;
        self.append(id, act);
        self.entering.insert(id, Entering { enter, works: Vec::new() });
    }

    /// Keeps the work of a session whose request for a name is on its way; returns the work of any other.
    pub fn divert(&mut self, work: Work) -> Option<Work> {
        match self.entering.get_mut(&work.session_ref.id) {
            Some(entering) => {
                entering.works.push(work);
                None
            }
            None => Some(work),
        }
    }

    /// The request of an own session for a name, which was read back.
    pub fn entered(&mut self, id: SessionId) -> Option<Entering> {
        self.entering.remove(&id)
    }

    /// Takes all own requests for names that are on their way.
    pub fn take_entering(&mut self) -> Vec<Entering> {
        self.entering.drain().map(|(_, entering)| entering).collect()
    }

    /// Whether an own session's request for a name is on its way.
    pub fn is_entering(&self, id: SessionId) -> bool {
        self.entering.contains_key(&id)
    }

    /// Adds the end of an own session. A second end changes nothing.
    pub fn leave(&mut self, leave: Leave) {
        let id = leave.session_ref.id;
        if self.leaving.insert(id, leave).is_none() {
            self.append(id, Act::Leave);
        }
    }

    /// The end of an own session, which was read back.
    pub fn left(&mut self, id: SessionId) -> Option<Leave> {
        self.leaving.remove(&id)
    }

    /// Puts an answer behind the entries so far. Returns it if there are none on their way.
    pub fn put_behind(&mut self, behind: Behind) -> Option<Behind> {
        if self.appended == self.read_back && self.behind.is_empty() {
            return Some(behind);
        }
        self.behind.push_back((self.appended, behind));
        None
    }

    /// Notes that one more own entry was read back.
    pub fn count_read_back(&mut self) {
        self.read_back += 1;
    }

    /// The next answer whose turn it is.
    pub fn next_behind(&mut self) -> Option<Behind> {
        self.behind.pop_front_if(|(after, _)| *after <= self.read_back).map(|(_, behind)| behind)
    }

    /// This server's number of a session.
    pub fn number_of(&self, instance: Instance, session: u64) -> Option<SessionId> {
        if instance == self.own {
            return Some(SessionId(session)).filter(|id| id.0 < FIRST_ELSEWHERE);
        }
        self.numbers.get(&(instance, session)).copied()
    }

    /// The node of a session, and the session's number there.
    pub fn origin_of(&self, id: SessionId) -> (Instance, u64) {
        self.elsewhere.get(&id).copied().unwrap_or((self.own, id.0))
    }

    /// Gives a number to a session of another node.
    pub fn add_elsewhere(&mut self, instance: Instance, session: u64) -> SessionId {
        self.last_elsewhere += 1;
        let id = SessionId(self.last_elsewhere);
        self.numbers.insert((instance, session), id);
        self.elsewhere.insert(id, (instance, session));
        id
    }

    /// Forgets a session of another node.
    pub fn forget(&mut self, id: SessionId) {
        if let Some(origin) = self.elsewhere.remove(&id) {
            self.numbers.remove(&origin);
        }
    }

    /// The fingerprint of the members.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Notes that a session bears this name.
    pub fn add_bearer(&mut self, id: SessionId, name: &NameKey) {
        self.fingerprint = self.fingerprint.wrapping_add(self.hash_of(id, name));
        *self.members.entry(self.origin_of(id).0).or_default() += 1;
    }

    /// Notes that a session bears this name no more.
    pub fn remove_bearer(&mut self, id: SessionId, name: &NameKey) {
        self.fingerprint = self.fingerprint.wrapping_sub(self.hash_of(id, name));
        let node = self.origin_of(id).0;
        if let Some(members) = self.members.get_mut(&node) {
            *members -= 1;
            if *members == 0 {
                self.members.remove(&node);
            }
        }
    }

    /// The number of members that a run of a node has.
    pub fn members_of(&self, instance: Instance) -> u64 {
        self.members.get(&instance).copied().unwrap_or_default()
    }

    fn hash_of(&self, id: SessionId, name: &NameKey) -> u64 {
        let (instance, session) = self.origin_of(id);
        let mut bytes = [instance.0.to_le_bytes(), session.to_le_bytes()].concat();
        bytes.extend(name.as_str().as_bytes());
        let Digest(hash) = Digest::of(&bytes);
        hash.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
    }

    /// The instance that wrote the entry that is being carried out.
    pub fn writer(&self) -> Instance {
        self.context.writer
    }

    /// Forgets the sessions of all nodes.
    pub fn forget_all(&mut self) {
        self.numbers.clear();
        self.elsewhere.clear();
        self.fingerprint = 0;
        self.members.clear();
    }

    /// Begins as another run of the node. What this one had on its way is void.
    pub fn begin_again(&mut self, own: Instance) {
        let Self { ok, last_elsewhere, fingerprint, .. } = *self;
        let (numbers, elsewhere) = (std::mem::take(&mut self.numbers), std::mem::take(&mut self.elsewhere));
        let members = std::mem::take(&mut self.members);
        *self = Self { ok, numbers, elsewhere, last_elsewhere, fingerprint, members, ..Self::new(own) };
    }
}
