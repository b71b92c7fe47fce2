//! [`Plan`]: what a run does, derived from a seed. The timing still depends on the machine.

use std::{fmt, time::Duration};

use super::speech::Speech;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Clients are processes that are killed by SIGKILL.
    Kill,
    /// Clients reset their connections, some in the middle of a message.
    Reset,
    /// Clients stop reading for a while.
    Stall,
    /// Clients read slowly.
    Trickle,
    /// Clients are on another machine with an unreliable cable: it is cut for up to 4.5 s, and, if the kernel has
    /// `netem`, loses, delays and reorders packets.
    Cable,
    /// The server receives SIGHUP repeatedly.
    Hangup,
    /// The server repeatedly runs out of file descriptors.
    Descriptors,
    /// Other clients send invalid messages.
    Junk,
    /// Other connections open, send at most a few bytes, and close or stay.
    Connects,
    /// A node of a cluster is killed and started again.
    Node,
    /// The cluster's NATS server is killed and started again within 2 s.
    Nats,
}

impl Fault {
    /// The faults of a cluster. No [`Self::Kill`]: a netcat stays after its node was killed.
    pub const OF_CLUSTER: [Self; 7] =
        [Self::Reset, Self::Stall, Self::Trickle, Self::Junk, Self::Connects, Self::Node, Self::Nats];

    /// The faults of a single server.
    pub const ALL: [Self; 9] = [
        Self::Kill,
        Self::Reset,
        Self::Stall,
        Self::Trickle,
        Self::Cable,
        Self::Hangup,
        Self::Descriptors,
        Self::Junk,
        Self::Connects,
    ];
}

/// A client's behaviour besides sending and recording. Unless stated otherwise, it stays until the run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends few messages.
    Observer,
    /// Sends many messages, at times up to 400 at once.
    Talker,
    /// Leaves in order and joins again.
    Visitor,
    /// As [`Fault::Kill`].
    Doomed,
    /// As [`Fault::Reset`].
    Breaker,
    /// As [`Fault::Stall`].
    Staller,
    /// As [`Fault::Trickle`].
    Trickler,
    /// As [`Fault::Cable`].
    Faraway,
}

/// The part of a plan that concerns one client.
#[derive(Clone, Copy, Debug)]
pub struct SlotPlan {
    pub slot: u16,
    pub role: Role,
    pub speech: Speech,
    pub seed: u64,
}

/// A run, fully determined by its seed, length and faults.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub length: Duration,
    pub faults: Vec<Fault>,
    /// The setting `limits.slow_reader_grace`: 250 ms, the default, or 1.5 s, which is long enough that the server does
    /// not take a client that reads for one that does not, even on a loaded machine.
    pub grace: Duration,
    pub slots: Vec<SlotPlan>,
}

impl Plan {
    pub fn new(seed: u64, length: Duration, faults: &[Fault]) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut roles = vec![Role::Observer, Role::Observer];
        roles.extend([Role::Talker; 4]);
        roles.extend([Role::Visitor; 2]);
        for fault in faults {
            let count = random.usize(2..=3);
            let role = match fault {
                Fault::Kill => Role::Doomed,
                Fault::Reset => Role::Breaker,
                Fault::Stall => Role::Staller,
                Fault::Trickle => Role::Trickler,
                Fault::Cable => Role::Faraway,
                Fault::Hangup
                | Fault::Descriptors
                | Fault::Junk
                | Fault::Connects
                | Fault::Node
                | Fault::Nats => continue,
            };
            roles.extend(std::iter::repeat_n(role, count));
        }
        let slots = (0..).zip(roles).map(|(slot, role)| SlotPlan {
            slot,
            role,
            speech: match (role, random.u8(..8)) {
                // Netcat would print the bytes of telnet and WebSocket framing.
                (Role::Doomed, _) => Speech::Lines,
                (_, 0 | 1) => Speech::Telnet,
                // No WebSockets for these and client 0: the far address and the relay carry lines.
                (Role::Faraway, _) => Speech::Lines,
                (_, 2..5) if slot > 0 => Speech::WebSocket,
                _ => Speech::Lines,
            },
            seed: random.u64(..),
        });
        let slots: Vec<SlotPlan> = slots.collect();
        let grace = Duration::from_millis(if random.bool() { 250 } else { 1500 });
        Self { seed, length, faults: faults.to_vec(), grace, slots }
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// Whether the grace is long enough for the server to see that a slow client reads. Then the server disconnects
    /// such a client only because of the time that broadcasts waited for it.
    pub fn slow_readers_stay(&self) -> bool {
        self.grace > Duration::from_secs(1)
    }

    /// The seed for the timing of a fault.
    pub fn seed_of(&self, fault: Fault) -> u64 {
        self.seed ^ (fault as u64 + 1) << 32
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {} for {:?}, grace {:?}, with {:?}", self.seed, self.length, self.grace, self.faults)
    }
}

#[test]
fn a_seed_makes_one_plan() {
    let plan = |seed| format!("{:?}", Plan::new(seed, Duration::from_secs(1), &Fault::ALL));
    assert_eq!(plan(1), plan(1));
    assert_ne!(plan(1), plan(2));
}
