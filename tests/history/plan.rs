//! [`Plan`]: what a run does, all of it from a seed. When what happens is the machine's business.

use std::{fmt, time::Duration};

use super::speech::Speech;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Clients are processes that die by SIGKILL.
    Kill,
    /// Connections are reset, in the middle of a message or not.
    Reset,
    /// Clients stop reading for a while.
    Stall,
    /// Clients read slowly.
    Trickle,
    /// Clients are on another machine, and the cable to it is bad: it is cut for moments and for seconds, and, where
    /// the kernel can do that, it loses, delays and reorders.
    Cable,
    /// The server is sent SIGHUP in a loop.
    Hangup,
    /// The server's open files are used up again and again.
    Descriptors,
    /// Clients and strangers send what is no message.
    Junk,
    /// Strangers connect and go, or stay and say nothing.
    Connects,
}

impl Fault {
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

/// What one client does. All send and record; those that are not said to end stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends little.
    Observer,
    /// Sends much, at times all at once.
    Talker,
    /// Leaves in order and comes again.
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

/// One client.
#[derive(Clone, Copy, Debug)]
pub struct SlotPlan {
    pub slot: u16,
    pub role: Role,
    pub speech: Speech,
    pub seed: u64,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub length: Duration,
    pub faults: Vec<Fault>,
    /// `limits.slow_reader_grace`: the default, or long enough that nobody who reads is taken for one who does not on a
    /// machine that has other things to do.
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
                Fault::Hangup | Fault::Descriptors | Fault::Junk | Fault::Connects => continue,
            };
            roles.extend(std::iter::repeat_n(role, count));
        }
        let slots = (0..).zip(roles).map(|(slot, role)| SlotPlan {
            slot,
            role,
            speech: match (role, random.u8(..8)) {
                // Netcat would show what is not for it.
                (Role::Doomed, _) => Speech::Lines,
                (_, 0 | 1) => Speech::Telnet,
                // The relay in front of the first, and the other machine, know lines.
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

    /// Whether a client that reads, but slowly, is seen to read in time, and so is cut for nothing but the time that
    /// broadcasts waited.
    pub fn slow_readers_stay(&self) -> bool {
        self.grace > Duration::from_secs(1)
    }

    /// The seed of one fault's moments.
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
