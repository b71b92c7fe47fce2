//! [`Node`]: what one node of a cluster does, and when. Without IO.
//!
//! The program tells the node what came from the log, and that time has passed; the node answers with [`Action`]s.
//!
//! ```text
//! Asking -> Joining -> Catching up -> Ready -> Leaving
//!    ^         |            |           |
//!    '---------'------------'-----------'  given up by the others: begins again as another instance
//! ```
//!
//! - *Asking*: for the end of the log. If the log is empty, or its newest message is old, nobody lives: the node founds
//!   the cluster.
//! - *Joining*: the node has said Hello and waits for the state as of its Hello.
//! - *Catching up*: it has the state, and reads on to the end of the log.
//! - *Ready*: it serves clients. It *holds* (reads nothing from them) while its own frames do not come back, and *cuts*
//!   (disconnects them) if that lasts.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    encoding::decoded,
    frame::{Agreed, Entry, Instance},
    node_name::NodeName,
    state::State,
    table::Table,
    transfer::{Assembled, Assembly, Chunk},
};

mod acting;
mod action;
mod ahead;
mod lag;
mod liveness;
mod reading;
mod timing;
mod verification;
mod verifying;
mod window;

pub use action::{Action, End, Reason};
pub use ahead::{MAX_AHEAD_BYTES, MAX_FETCHED};
pub use lag::MAX_LAG_BYTES;
pub use timing::{MAX_CLOCK_DIFFERENCE, Now, Timing};
pub use verification::Stored;

use ahead::Ahead;
use lag::ReadBytes;
use liveness::Liveness;
use verification::Verification;
use window::Window;

/// Hellos without the state after which a node begins again as another instance.
const MAX_HELLOS: u32 = 3;

/// How far a node has come.
#[derive(Debug)]
enum Stage {
    /// It has asked for the end of the log, and asks again at this time.
    Asking {
        again_at: Duration,
    },
    /// It has founded a cluster after the message at `last`, and has not read that back.
    Founding {
        last: u64,
        bytes: Vec<u8>,
        again_at: Duration,
    },
    /// It waits for the state as of its newest Hello, whose position it knows once that was read back. It has said
    /// Hello this often.
    Joining {
        hello: Option<u64>,
        hellos: u32,
        again_at: Duration,
        assembly: Option<Assembly>,
    },
    /// It has the state, and reads on. Whether it has said that it is ready, and since when it waits for word from an
    /// older instance of this node.
    CatchingUp {
        says_ready: bool,
        since: Duration,
    },
    Ready {
        serves: bool,
        holds: bool,
    },
    /// It has said Bye, once what waited was on its way.
    Leaving {
        says_bye: bool,
    },
    Ended,
}

/// The settings of a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node's name.
    pub name: NodeName,
    /// The settings that all nodes must have alike, at most 4 KiB.
    pub agreed: Agreed,
    /// After what times the node acts.
    pub timing: Timing,
}

/// A node. `E` is an entry of the program's tables, which the program keeps and lends to each call that reads them.
#[derive(Debug)]
pub struct Node<E> {
    config: Config,
    instance: Instance,
    stage: Stage,
    state: State,
    window: Window<E>,
    ahead: Ahead,
    liveness: Liveness,
    read_bytes: ReadBytes,
    verification: Verification,
    /// How often this node has begun again because it differed, and when it last did.
    differed: Option<(u32, Duration)>,
    is_connected: bool,
    /// When the newest own frame that came back was first appended.
    ok: Duration,
    /// When something of a ready node was last read.
    sign_of_life: Duration,
    /// The last position up to which all messages have come, if it is after the state's.
    received: u64,
    /// Frames that were read and changed nothing.
    void_frames: u64,
    /// The last position that is being fetched, and when it is fetched again.
    fetching: Option<(u64, Duration)>,
    actions: Vec<Action>,
}

impl<E: Serialize + DeserializeOwned> Node<E> {
    /// A node that begins. `instance` is random.
    #[must_use]
    pub fn new(config: Config, instance: Instance, now: Now) -> Self {
        Self {
            config,
            instance,
            stage: Stage::Asking { again_at: now.boot },
            state: State::new(0),
            window: Window::new(now),
            ahead: Ahead::default(),
            liveness: Liveness::default(),
            read_bytes: ReadBytes::default(),
            verification: Verification::default(),
            differed: None,
            is_connected: true,
            ok: now.boot,
            sign_of_life: now.boot,
            received: 0,
            void_frames: 0,
            fetching: None,
            actions: Vec::new(),
        }
    }

    /// The actions that are due, in order.
    pub fn actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The newest position of the log that this node has heard of.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.ahead.newest().max(self.state.position())
    }

    /// Frames that were read and changed nothing, such as those that were appended twice.
    #[must_use]
    pub fn void_frames(&self) -> u64 {
        self.void_frames
    }

    /// Whether the node reads nothing from its clients, because its own frames do not come back.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(self.stage, Stage::Ready { holds: true, .. })
    }

    /// The number of this run.
    #[must_use]
    pub fn instance(&self) -> Instance {
        self.instance
    }

    /// Whether the node serves clients and is not cut off.
    #[must_use]
    pub fn serves(&self) -> bool {
        matches!(self.stage, Stage::Ready { serves: true, .. })
    }

    /// Whether the program may read from clients now. To be asked before the first read after a pause of the process.
    pub fn may_read(&mut self, now: Now, table: &impl Table<Entry = E>) -> bool {
        self.tick(now, table);
        matches!(self.stage, Stage::Ready { serves: true, holds: false })
    }

    /// Appends an entry for a client. Returns whether it is short enough for a frame.
    pub fn append(&mut self, entry: E) -> bool {
        self.window.push(Entry::Table(entry))
    }

    /// Appends a frame at once, even if it has no entries, as a sign of life.
    pub fn speak(&mut self) {
        self.window.make_due();
    }

    /// Ends the whole cluster.
    pub fn close_all(&mut self) {
        self.window.push(Entry::CloseAll);
    }

    /// Leaves the cluster, after what was appended.
    pub fn leave(&mut self, now: Now, table: &impl Table<Entry = E>) {
        match self.stage {
            Stage::Ended | Stage::Leaving { .. } => return,
            Stage::Ready { .. } => {
                self.stage = Stage::Leaving { says_bye: false };
            }
            _ => self.stop(End::Left),
        }
        self.tick(now, table);
    }

    /// The connection to the log's server has broken, or is there again.
    pub fn connection(&mut self, is_connected: bool, now: Now, table: &impl Table<Entry = E>) {
        if is_connected && !self.is_connected {
            // The frame on its way was probably lost with the connection.
            self.window.retry(now, &self.config.timing);
            self.verify_newest();
        }
        self.is_connected = is_connected;
        self.tick(now, table);
    }

    /// The newest message of the log has this position and age; 0 and any age, if the log is empty.
    pub fn end_of_log(&mut self, position: u64, age: Duration, now: Now, table: &impl Table<Entry = E>) {
        self.ahead.hear_of(position);
        if !matches!(self.stage, Stage::Asking { .. }) {
            self.tick(now, table);
            return;
        }
        // Older messages are part of a donor's state, or belong to a cluster that is gone.
        if position == 0 || age >= self.config.timing.found {
            self.found(position, now);
        } else {
            self.sign_of_life = now.boot;
            self.state = State::new(position);
            self.join(now);
        }
        self.tick(now, table);
    }

    /// A message of the log, in whatever order.
    pub fn message(
        &mut self,
        position: u64,
        node: NodeName,
        bytes: Vec<u8>,
        now: Now,
        table: &mut impl Table<Entry = E>,
    ) {
        self.compare_with_read(position, &node, &bytes);
        self.ahead.keep(self.state.position(), position, node, bytes);
        self.read(now, table);
        self.receive(now);
        self.tick(now, table);
    }

    /// Whether clients have to wait with what others receive: a node that lives is more than [`MAX_LAG_BYTES`] behind in
    /// what it has carried out. A silent node is not waited for.
    #[must_use]
    pub fn waits_for_others(&self, now: Now) -> bool {
        let within = 2 * self.config.timing.beat;
        self.state.instances().iter().any(|(instance, other)| {
            instance != self.instance
                && other.is_ready
                && self.read_bytes.is_far_behind(other.position)
                && self.liveness.is_heard(instance, within, now.boot)
        })
    }

    /// Whether the next message is here, and waits for room in the tables.
    #[must_use]
    pub fn has_next(&self) -> bool {
        !matches!(self.stage, Stage::Asking { .. } | Stage::Ended)
            && self.ahead.get(self.state.position() + 1).is_some()
    }

    /// When the newest own frame that came back was first appended: what clients sent before is carried out. Earlier, once
    /// this node has begun again because others differed.
    #[must_use]
    pub fn ok(&self) -> Duration {
        self.ok
    }

    /// Reads what has come meanwhile, if the tables have room again, and does what is due. Returns the deadline of
    /// [`Self::tick`].
    pub fn go_on(&mut self, now: Now, table: &mut impl Table<Entry = E>) -> Option<Duration> {
        self.read(now, table);
        self.tick(now, table)
    }

    /// The log has taken a frame of this node, at this position.
    pub fn acknowledged(&mut self, number: u64, position: u64, now: Now, table: &impl Table<Entry = E>) {
        if self.window.acknowledge(number, position) {
            self.judge_absence(position, now);
        }
        self.ahead.hear_of(position);
        self.tick(now, table);
    }

    /// The log begins after a message that this node has not read.
    pub fn gap(&mut self, now: Now) {
        if !matches!(self.stage, Stage::Ended) {
            self.begin_again(Some(Reason::Gap), now);
        }
    }

    /// A piece of the state.
    pub fn chunk(&mut self, chunk: Chunk, now: Now, table: &mut impl Table<Entry = E>) {
        let Stage::Joining { hello: Some(hello), assembly, again_at, .. } = &mut self.stage else { return };
        if chunk.position != *hello {
            return;
        }
        *again_at = now.boot + self.config.timing.hello;
        let donor = chunk.donor;
        let assembled = assembly.get_or_insert_with(|| Assembly::new(donor, *hello)).take(chunk);
        let Assembled::Whole(bytes) = assembled else { return };
        let Ok((state, encoded)) = decoded::<(State, Vec<u8>)>(&bytes) else { return };
        if state.position() != *hello || !table.decode(&encoded) {
            return;
        }
        self.state = state;
        self.liveness = Liveness::default();
        self.verification.clear();
        self.ahead.drop_to(self.state.position());
        self.stage = Stage::CatchingUp { says_ready: false, since: now.boot };
        self.read(now, table);
        self.tick(now, table);
    }

    /// Does what is due by now. Returns when to call this again at the latest.
    pub fn tick(&mut self, now: Now, table: &impl Table<Entry = E>) -> Option<Duration> {
        if matches!(self.stage, Stage::Ended) {
            return None;
        }
        self.watch(now);
        if self.is_connected {
            self.send(now, table);
            self.fetch(now);
            self.verify(now);
        }
        self.deadline(now)
    }
}
