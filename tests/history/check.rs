//! [`check`]: what clients recorded, held against what the server promises. No IO, no clock.
//!
//! **Order.** What one sender sends to one receiver arrives in the order sent, whatever the operations. All broadcasts
//! have one order that what everybody heard fits into: more than that any two clients heard any two of them in the
//! same order.
//!
//! **Nothing lost.** A message is *accepted* when the server carries it out. Of a client that stayed to the end, left
//! by `exit`, or ended its sending side and read to the end, that is all that it wrote. Of one that died it is a
//! beginning of what it wrote: as much as is known to be, which is up to the last that anybody heard. An accepted
//! message is *due* to each receiver whom it is for and who had its name before the message was sent. Then
//!
//! - who stayed got all that was due;
//! - who left got all that was known to be accepted before it said that it leaves;
//! - who ended otherwise has a reason in the log, and got what was due without a gap: all that came before something
//!   that it got. Nothing follows its last words.
//!
//! And nobody got anything twice, altered, torn, or meant for others. A private message that nobody got was either for
//! one who ended otherwise, or its sender was told that there is nobody of that name.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use super::letter::{Id, Letter, To};

mod missed;
mod order;
#[cfg(test)]
mod tests;

/// A moment, as a number that all clients of a run count up together.
pub type Stamp = u64;

/// One session, as its client saw it.
#[derive(Clone, Debug)]
pub struct History {
    pub id: Id,
    pub conduct: Conduct,
    /// When it had read that it bears its name; `None` if it never did.
    pub joined: Option<Stamp>,
    /// What it wrote; the first is number 0.
    pub sent: Vec<Sent>,
    pub heard: Vec<Heard>,
    pub end: End,
    /// Why it ended, as the server's log has it.
    pub reason: Option<String>,
}

/// How a client behaved, which says whether the server may have cut it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// It read all the time.
    Eager,
    /// It read all the time, but slowly.
    Trickling,
    /// It stopped reading for a while, or was cut off.
    Remiss,
}

/// A message that was written.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Before its first byte.
    pub at: Stamp,
    pub to: To,
    pub size: u16,
}

/// A line that was read.
#[derive(Clone, Debug)]
pub struct Heard {
    /// After its last byte.
    pub at: Stamp,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Letter(Letter),
    /// Nobody bears the name of this slot: the answer to a private message.
    NotFound(u16),
    /// The server closed the session, and why.
    Cut(String),
    /// The answer to `exit`.
    Goodbye,
    /// The server closed.
    Closed,
    /// Anything else, a message of which something is missing among it.
    Strange(String),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It read all until the server closed.
    Stayed,
    /// By `exit`, which it sent then, and of which it read the answer.
    Exited(Stamp),
    /// It ended its sending side then, and read to the end.
    Finished(Stamp),
    /// The server or the network ended it.
    Cut,
    /// It did: killed, reset, given up.
    Gone,
}

impl End {
    /// All that it wrote was read by the server.
    fn is_orderly(self) -> bool {
        matches!(self, Self::Stayed | Self::Exited(_) | Self::Finished(_))
    }
}

/// What was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Something was heard that nobody wrote so.
    Altered,
    /// Something was heard that is for others.
    Misdelivered,
    /// Something was heard twice.
    Doubled,
    /// Not in the order in which its sender wrote.
    SenderOrder,
    /// There is no one order of all broadcasts.
    OneOrder,
    /// Something due was not heard.
    Lost,
    /// Something due was not heard, but something after it was.
    Gap,
    /// There is somebody of that name, or there is nobody and the sender was not told.
    NotFound,
    /// Something was heard after the last words.
    AfterTheEnd,
    /// A session ended, and the log does not say why.
    NoReason,
    /// A session ended that should not have, or for another reason.
    WrongEnd,
}

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Violation {
    pub rule: Rule,
    /// Who, what, when.
    pub story: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.story)
    }
}

/// Why a client that reads slowly may be cut in every run: broadcasts had waited for it longer than they may
/// (`limits.slow_reader_wait`).
pub const SLOW_READER: &str = "slow reader";

/// What is not the same in all runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// A client that reads slowly is cut by nothing but [`SLOW_READER`].
    pub slow_readers_stay: bool,
}

/// Everything in these histories that the server's promises do not allow.
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

/// Everything known about the histories that more than one rule asks for.
struct Checker<'a> {
    histories: &'a [History],
    index: HashMap<Id, usize>,
    /// By sender: how many of its messages are known to be accepted.
    accepted: Vec<u32>,
    /// By sender and number: when that was first known, by it or one after it having been heard.
    known: Vec<Vec<Stamp>>,
    /// By hearer: what it heard, as sender and number.
    got: Vec<HashSet<(usize, u32)>>,
    /// By sender and number: by how many it was heard.
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

    /// What one heard, each by itself and in its order.
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

    /// How one ended, and whether the log says so.
    fn judge_end(&mut self, hearer: usize, rules: Rules) {
        let History { id, conduct, joined, end, reason, heard, .. } = &self.histories[hearer];
        if joined.is_none() {
            return;
        }
        let Some(reason) = reason else {
            return self.broken(Rule::NoReason, format!("{id} ({end:?}) is not in the log as ended"));
        };
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
            Conduct::Trickling => rules.slow_readers_stay && reason != SLOW_READER,
            Conduct::Remiss => false,
        };
        if *end == End::Cut && stays {
            let last = heard.last().map(|heard| &heard.what);
            let story = format!("{id} ({conduct:?}) was cut ({reason}); the last it heard was {last:?}");
            self.broken(Rule::WrongEnd, story);
        }
    }
}

/// The letters that one heard, and when.
fn letters(history: &History) -> impl DoubleEndedIterator<Item = (&Letter, Stamp)> {
    history.heard.iter().filter_map(|heard| match &heard.what {
        What::Letter(letter) => Some((letter, heard.at)),
        _ => None,
    })
}

/// Whether something to `to` that `from` wrote is for `hearer`.
fn is_for(to: To, from: Id, hearer: Id) -> bool {
    match to {
        To::All => true,
        To::Others => from != hearer,
        To::One(slot) => hearer.slot == slot,
        To::Myself => from == hearer,
    }
}
