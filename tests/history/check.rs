//! [`check`]: compares what clients recorded with what the server guarantees. No IO, no clock.
//!
//! **Order.** A receiver gets the messages of one sender in the order sent, whatever their operations. All broadcasts
//! have one total order, with which the order at each receiver agrees. That is more than any two clients receiving any
//! two broadcasts in the same order.
//!
//! **No loss.** A message is *accepted* when the server carries it out. If a client stayed to the end, left by `exit`,
//! or closed its sending side and read to the end, all its messages are accepted. If it died, an initial part of them
//! is accepted, which is known up to the last that any client received. An accepted message is *due* to each receiver
//! that it is for and that had its name before the message was sent. Then:
//!
//! - a client that stayed received all messages that were due;
//! - a client that left received those that were known to be accepted before it began to leave;
//! - a client that ended otherwise has a reason in the log, and received what was due without a gap: everything that
//!   came before any message that it received. Nothing follows the server's last message to it.
//!
//! No client receives a message twice, altered, torn, or meant for others. If no client received a private message,
//! either its receiver ended otherwise, or its sender was told that no client has that name.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use super::letter::{Id, Letter, To};

mod missed;
mod order;
#[cfg(test)]
mod tests;

/// A logical time: a number from a counter that all clients of a run share.
pub type Stamp = u64;

/// A session, as its client recorded it.
#[derive(Clone, Debug)]
pub struct History {
    pub id: Id,
    pub conduct: Conduct,
    /// When it had read the confirmation of its name; `None` if it never did.
    pub joined: Option<Stamp>,
    /// The messages that it wrote, by number from 0.
    pub sent: Vec<Sent>,
    pub heard: Vec<Heard>,
    pub end: End,
    /// The reason for its end in the server's log.
    pub reason: Option<String>,
}

/// How a client read, which decides whether the server may disconnect it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Read all the time, at full speed.
    Eager,
    /// Read all the time, but slowly.
    Trickling,
    /// Stopped reading for a while, or had an unreliable network.
    Remiss,
}

/// A message that a client wrote.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Drawn before its first byte was written.
    pub at: Stamp,
    pub to: To,
    pub size: u16,
}

/// A line that a client read.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Drawn after its last byte was read.
    pub at: Stamp,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Letter(Letter),
    /// The answer to a private message if no client has the name of this slot.
    NotFound(u16),
    /// The server's message that it disconnects the client, with the reason.
    Cut(String),
    /// The answer to `exit`.
    Goodbye,
    /// The broadcast that the server closed.
    Closed,
    /// Anything else, including incomplete messages.
    Strange(String),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Read everything until the server closed.
    Stayed,
    /// Sent `exit` at this time, and read the answer.
    Exited(Stamp),
    /// Closed its sending side at this time, and read to the end.
    Finished(Stamp),
    /// Ended by the server or the network.
    Cut,
    /// Ended by the client without order: killed, reset, or abandoned.
    Gone,
}

impl End {
    /// Whether the server read all that the client wrote.
    fn is_orderly(self) -> bool {
        matches!(self, Self::Stayed | Self::Exited(_) | Self::Finished(_))
    }
}

/// A guarantee, named by how it was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// A client received a line that no client sent in this form.
    Altered,
    /// A client received a message meant for others.
    Misdelivered,
    /// A client received a message twice, or two clients received the same private message.
    Doubled,
    /// A client received messages of one sender in another order than they were sent.
    SenderOrder,
    /// No total order of all broadcasts agrees with what each client received.
    OneOrder,
    /// A client did not receive a message that was due.
    Lost,
    /// A client did not receive a message that was due, but received one after it.
    Gap,
    /// A private message was neither received nor answered with [`What::NotFound`], or such answers came too often.
    NotFound,
    /// A client received a line after the server's last message to it.
    AfterTheEnd,
    /// The log does not give exactly one reason for the end of a session, or contradicts the server's counters.
    NoReason,
    /// A session ended that should not have, or for the wrong reason, or the server logged an error.
    WrongEnd,
}

/// A broken guarantee.
#[derive(Clone, Debug)]
pub struct Violation {
    pub rule: Rule,
    /// A description with the clients and messages concerned.
    pub story: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.story)
    }
}

/// The reason for which a client that reads slowly may be disconnected in every run: broadcasts waited for it longer
/// than `limits.slow_reader_wait`.
pub const SLOW_READER: &str = "slow reader";

/// The reason of a receiver that overflowed (`outbox full`) after its server had disconnected another as a slow reader. The
/// budget for waits was spent then, so broadcasts passed over the others that were full, up to twice their outboxes.
pub const PASSED_OVER: &str = "passed over";

/// The reason of the sessions of a node that was killed, in place of one in its log.
pub const NODE_KILLED: &str = "node killed";

/// The reason of clients that a node disconnects because it lost touch with the others: on a loaded machine, NATS can be away
/// for longer than the run wants.
pub const LOST_TOUCH: &str = "lost touch";

/// Guarantees that depend on the settings of the run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// A client that reads slowly is disconnected only for [`SLOW_READER`] or [`PASSED_OVER`].
    pub slow_readers_stay: bool,
    /// A node may be killed, or lose touch with the others: its sessions end as [`NODE_KILLED`] or [`LOST_TOUCH`].
    pub nodes_fail: bool,
}

/// Finds all violations of the server's guarantees in these histories.
pub fn check(histories: &[History], rules: Rules) -> Vec<Violation> {
    let mut checker = Checker::new(histories);
    for hearer in 0..histories.len() {
        checker.judge_heard(hearer);
    }
    order::judge(histories, &mut checker.violations);
    for hearer in 0..histories.len() {
        checker.judge_missed(hearer);
        checker.judge_end(hearer, rules);
    }
    checker.judge_private();
    checker.violations
}

/// Facts about the histories that several rules need, and the violations found so far.
struct Checker<'a> {
    histories: &'a [History],
    index: HashMap<Id, usize>,
    /// By sender: number of its messages known to be accepted.
    accepted: Vec<u32>,
    /// By sender and number: the first time at which any client had received that message or a later one of its sender;
    /// `Stamp::MAX` if none did.
    known: Vec<Vec<Stamp>>,
    /// By receiver: the messages that it received, as sender and number.
    got: Vec<HashSet<(usize, u32)>>,
    /// By sender and number: number of clients that received the message.
    hearers: Vec<Vec<u32>>,
    violations: Vec<Violation>,
}

impl<'a> Checker<'a> {
    fn new(histories: &'a [History]) -> Self {
        let index: HashMap<Id, usize> =
            histories.iter().enumerate().map(|(place, history)| (history.id, place)).collect();
        assert_eq!(index.len(), histories.len(), "each history has an id of its own");
        let mut known: Vec<Vec<Stamp>> =
            histories.iter().map(|sender| vec![Stamp::MAX; sender.sent.len()]).collect();
        for (letter, at) in histories.iter().flat_map(letters) {
            if let Some(known) =
                index.get(&letter.from).and_then(|&from| known[from].get_mut(letter.number as usize))
            {
                *known = at.min(*known);
            }
        }
        let mut accepted = Vec::new();
        for (sender, known) in histories.iter().zip(&mut known) {
            for later in (1..known.len()).rev() {
                known[later - 1] = known[later - 1].min(known[later]);
            }
            let heard_of = known.iter().take_while(|at| **at != Stamp::MAX).count();
            let count = if sender.end.is_orderly() { known.len() } else { heard_of };
            accepted.push(u32::try_from(count).unwrap_or(u32::MAX));
        }
        let hearers = histories.iter().map(|sender| vec![0; sender.sent.len()]).collect();
        let got = vec![HashSet::new(); histories.len()];
        Self { histories, index, accepted, known, got, hearers, violations: Vec::new() }
    }

    fn broken(&mut self, rule: Rule, story: String) {
        self.violations.push(Violation { rule, story });
    }

    /// Checks each line that a client received, and the order of each sender's messages.
    fn judge_heard(&mut self, hearer: usize) {
        let History { id, heard, .. } = &self.histories[hearer];
        let mut last_of: HashMap<usize, u32> = HashMap::new();
        let mut over = None;
        for Heard { what, .. } in heard {
            if let Some(last_words) = over {
                self.broken(Rule::AfterTheEnd, format!("{id} heard {what:?} after {last_words:?}"));
            }
            match what {
                What::Letter(letter) => self.judge_letter(hearer, letter, &mut last_of),
                What::Strange(line) => self.broken(Rule::Altered, format!("{id} heard {line:?}")),
                What::Cut(_) | What::Goodbye | What::Closed => over = Some(what),
                What::NotFound(_) => {}
            }
        }
    }

    fn judge_letter(&mut self, hearer: usize, letter: &Letter, last_of: &mut HashMap<usize, u32>) {
        let id = self.histories[hearer].id;
        let Some(&from) = self.index.get(&letter.from) else {
            return self.broken(Rule::Altered, format!("{id} heard {letter}, which nobody sent"));
        };
        match self.histories[from].sent.get(letter.number as usize) {
            Some(sent) if (sent.to, sent.size) == (letter.to, letter.size) => {}
            sent => {
                let story = format!("{id} heard {letter}, of which its sender says {sent:?}");
                return self.broken(Rule::Altered, story);
            }
        }
        if !is_for(letter.to, letter.from, id) {
            return self.broken(Rule::Misdelivered, format!("{id} heard {letter}"));
        }
        if !self.got[hearer].insert((from, letter.number)) {
            return self.broken(Rule::Doubled, format!("{id} heard {letter} again"));
        }
        let hearers = &mut self.hearers[from][letter.number as usize];
        *hearers += 1;
        if *hearers > 1 && matches!(letter.to, To::One(_)) {
            self.broken(Rule::Doubled, format!("{id} heard {letter}, and so did another of that name"));
        }
        if let Some(last) = last_of.insert(from, letter.number).filter(|last| *last > letter.number) {
            self.broken(Rule::SenderOrder, format!("{id} heard {letter} after message {last}"));
        }
    }

    /// Checks how a session ended, and that the log agrees.
    fn judge_end(&mut self, hearer: usize, rules: Rules) {
        let History { id, conduct, joined, end, reason, heard, .. } = &self.histories[hearer];
        if joined.is_none() {
            return;
        }
        let Some(reason) = reason else {
            return self.broken(Rule::NoReason, format!("{id} ({end:?}) is not in the log as ended"));
        };
        if rules.nodes_fail && (reason == NODE_KILLED || reason == LOST_TOUCH && *end != End::Stayed) {
            return;
        }
        let expected = match end {
            End::Stayed => Some("server closed"),
            End::Exited(_) => Some("exit"),
            End::Finished(_) => Some("closed by client"),
            End::Cut | End::Gone => None,
        };
        if expected.is_some_and(|expected| expected != reason) || reason == "server fault" {
            self.broken(Rule::WrongEnd, format!("{id} ({end:?}) ended for this reason: {reason}"));
        }
        let stays = match conduct {
            Conduct::Eager => true,
            Conduct::Trickling => {
                rules.slow_readers_stay && ![SLOW_READER, PASSED_OVER].contains(&reason.as_str())
            }
            Conduct::Remiss => false,
        };
        if *end == End::Cut && stays {
            let last = heard.last().map(|heard| &heard.what);
            let story = format!("{id} ({conduct:?}) was cut ({reason}); the last it heard was {last:?}");
            self.broken(Rule::WrongEnd, story);
        }
    }
}

/// The letters that a client received, with their times.
fn letters(history: &History) -> impl DoubleEndedIterator<Item = (&Letter, Stamp)> {
    history.heard.iter().filter_map(|heard| match &heard.what {
        What::Letter(letter) => Some((letter, heard.at)),
        _ => None,
    })
}

/// Whether a message from `from` to `to` is for `hearer`.
fn is_for(to: To, from: Id, hearer: Id) -> bool {
    match to {
        To::All => true,
        To::Others => from != hearer,
        To::One(slot) => hearer.slot == slot,
        To::Myself => from == hearer,
    }
}
