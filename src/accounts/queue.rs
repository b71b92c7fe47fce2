//! [`Queue`]: which password is compared next, and which is refused without being compared. No tasks, no time of its own.
//!
//! Addresses take turns, and accounts take turns, so neither one address with many passwords nor many addresses with one
//! account's name delay anybody else by more than one comparison for each address that waits. No more passwords of an
//! address are compared at once than it may still give wrong ones: the others wait, so passwords that turn out to be right
//! never meet the limit, and many at once are no way around it.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    attempts::{Failures, MAX_WRONG_PER_ACCOUNT, MAX_WRONG_PER_ADDRESS, Origin},
    secret::{PasswordHash, Secret},
};
use crate::protocol::NameKey;

/// Passwords that wait at once. Beyond it, the address with the most of them loses its newest; see [`Queue::drop_one`].
const MAX_WAITING: usize = 4096;

/// Addresses remembered for each account because its password was given from there; the least recent is forgotten first.
const MAX_KNOWN_PER_ACCOUNT: usize = 16;

/// A password that somebody gave for an account.
#[derive(Debug)]
pub struct Attempt {
    /// Where it comes from.
    pub origin: Origin,
    /// The account's name.
    pub account: NameKey,
    /// The hash of the account's password.
    pub hash: PasswordHash,
    /// The password to judge.
    pub secret: Secret,
}

/// The outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password.
    Right,
    /// It is not.
    Wrong,
    /// It was not looked at: too many wrong ones came from that address. The next may be tried after this time.
    TooMany(Duration),
    /// It was not looked at: too many wrong ones were given for that account, and its password never came from that address.
    /// The next may be tried after this time.
    TooManyForAccount(Duration),
    /// It could not be looked at: the server lacks memory, too many wait, or it is ending.
    Failed,
}

/// An [`Attempt`] and where its verdict goes. Once the receiver is gone, nobody waits for it.
#[derive(Debug)]
pub struct Waiting {
    /// The password and the hash to compare it with.
    pub attempt: Attempt,
    /// Takes the verdict.
    pub answer: oneshot::Sender<Verdict>,
}

/// Passwords that wait to be compared, and what is known of their origins and accounts.
#[derive(Debug)]
pub struct Queue {
    /// In the order received.
    waiting: Vec<Waiting>,
    origins: Flows<Origin>,
    accounts: Flows<NameKey>,
    wrong_of_origin: Failures<Origin>,
    wrong_of_account: Failures<NameKey>,
    /// For each account, where its right password came from, the most recent last.
    known: HashMap<NameKey, VecDeque<Origin>>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            origins: Flows::default(),
            accounts: Flows::default(),
            wrong_of_origin: Failures::new(MAX_WRONG_PER_ADDRESS),
            wrong_of_account: Failures::new(MAX_WRONG_PER_ACCOUNT),
            known: HashMap::new(),
        }
    }
}

impl Queue {
    /// Adds a password, or refuses it at once if its origin or account has had too many wrong ones.
    pub fn push(&mut self, waiting: Waiting, now: Instant) {
        if let Some(refusal) = self.refusal(&waiting.attempt, now) {
            return answer(waiting, refusal);
        }
        if self.waiting.len() >= MAX_WAITING {
            self.drop_abandoned();
        }
        self.origins.enter(&waiting.attempt.origin);
        self.accounts.enter(&waiting.attempt.account);
        self.waiting.push(waiting);
        if self.waiting.len() > MAX_WAITING {
            self.drop_one();
        }
    }

    /// Takes out the password to compare next, if there is one that may be. [`Self::finish`] has to follow.
    pub fn next(&mut self, now: Instant) -> Option<Waiting> {
        self.drop_abandoned();
        let chosen = (0..self.waiting.len())
            .filter(|at| self.may_start(&self.waiting[*at].attempt, now))
            .min_by_key(|at| {
                let Attempt { origin, account, .. } = &self.waiting[*at].attempt;
                (self.origins.started(origin), self.accounts.started(account), *at)
            })?;
        let waiting = self.waiting.remove(chosen);
        self.origins.start(&waiting.attempt.origin);
        self.accounts.start(&waiting.attempt.account);
        Some(waiting)
    }

    /// Takes the verdict on a password that [`Self::next`] gave out. A wrong one counts, and where it was the last that was
    /// allowed, all that wait beside it are refused.
    pub fn finish(&mut self, origin: &Origin, account: &NameKey, verdict: Verdict, now: Instant) {
        self.origins.finish(origin);
        self.accounts.finish(account);
        match verdict {
            Verdict::Right => self.remember(origin, account),
            Verdict::Wrong => {
                self.wrong_of_origin.add(origin, now);
                if !self.is_known(origin, account) {
                    self.wrong_of_account.add(account, now);
                }
                self.refuse_waiting(now);
            }
            Verdict::TooMany(_) | Verdict::TooManyForAccount(_) | Verdict::Failed => {}
        }
    }

    /// Whether an account's own limit does not hold here: its password was given from there before, or it is the server's
    /// own machine. Without this exception anybody could lock the owner of an account out.
    fn is_known(&self, origin: &Origin, account: &NameKey) -> bool {
        origin.is_loopback() || self.known.get(account).is_some_and(|origins| origins.contains(origin))
    }

    fn remember(&mut self, origin: &Origin, account: &NameKey) {
        // All clients of a proxy have its address, so one of them says nothing about the next.
        if matches!(origin, Origin::Proxied(_)) {
            return;
        }
        let origins = self.known.entry(account.clone()).or_default();
        origins.retain(|known| known != origin);
        if origins.len() >= MAX_KNOWN_PER_ACCOUNT {
            origins.pop_front();
        }
        origins.push_back(origin.clone());
    }

    fn refusal(&self, Attempt { origin, account, .. }: &Attempt, now: Instant) -> Option<Verdict> {
        if let Err(wait) = self.wrong_of_origin.remaining(origin, now) {
            return Some(Verdict::TooMany(wait));
        }
        let wait = self.wrong_of_account.remaining(account, now).err()?;
        (!self.is_known(origin, account)).then_some(Verdict::TooManyForAccount(wait))
    }

    /// Whether the password may turn out wrong, and all that are being compared with it, without passing a limit.
    fn may_start(&self, Attempt { origin, account, .. }: &Attempt, now: Instant) -> bool {
        let fits = |remaining: Result<usize, _>, running| remaining.is_ok_and(|left| running < left);
        fits(self.wrong_of_origin.remaining(origin, now), self.origins.running(origin))
            && (self.is_known(origin, account)
                || fits(self.wrong_of_account.remaining(account, now), self.accounts.running(account)))
    }

    fn refuse_waiting(&mut self, now: Instant) {
        for waiting in std::mem::take(&mut self.waiting) {
            match self.refusal(&waiting.attempt, now) {
                None => self.waiting.push(waiting),
                Some(verdict) => {
                    self.forget(&waiting.attempt);
                    answer(waiting, verdict);
                }
            }
        }
    }

    fn drop_abandoned(&mut self) {
        let Self { waiting, origins, accounts, .. } = self;
        waiting.retain(|Waiting { attempt, answer }| {
            // Asked once: it may change at any moment.
            let is_abandoned = answer.is_closed();
            if is_abandoned {
                origins.leave(&attempt.origin);
                accounts.leave(&attempt.account);
            }
            !is_abandoned
        });
    }

    /// Drops the newest password of the origin with the most waiting and, among those origins, of the account with the most.
    /// So where each origin has one, many of them that guess at one account cost an attempt for another account nothing.
    fn drop_one(&mut self) {
        let longest = (0..self.waiting.len()).max_by_key(|at| {
            let Attempt { origin, account, .. } = &self.waiting[*at].attempt;
            (self.origins.waiting(origin), self.accounts.waiting(account), *at)
        });
        if let Some(at) = longest {
            let waiting = self.waiting.remove(at);
            self.forget(&waiting.attempt);
            answer(waiting, Verdict::Failed);
        }
    }

    fn forget(&mut self, Attempt { origin, account, .. }: &Attempt) {
        self.origins.leave(origin);
        self.accounts.leave(account);
    }
}

fn answer(waiting: Waiting, verdict: Verdict) {
    // The session may be gone: then nobody has to be told.
    let _ = waiting.answer.send(verdict);
}

/// Turns of those that have passwords waiting or being compared.
#[derive(Debug)]
struct Flows<K>(HashMap<K, Flow>);

#[derive(Clone, Copy, Debug)]
struct Flow {
    /// Comparisons started. A newcomer begins at the lowest count that there is: having been absent earns no turns.
    started: u64,
    waiting: usize,
    running: usize,
}

impl<K> Default for Flows<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash> Flows<K> {
    fn enter(&mut self, key: &K) {
        if let Some(flow) = self.0.get_mut(key) {
            flow.waiting += 1;
        } else {
            let started = self.0.values().map(|flow| flow.started).min().unwrap_or_default();
            self.0.insert(key.clone(), Flow { started, waiting: 1, running: 0 });
        }
    }

    fn start(&mut self, key: &K) {
        self.change(key, |flow| {
            flow.started += 1;
            flow.waiting -= 1;
            flow.running += 1;
        });
    }

    fn finish(&mut self, key: &K) {
        self.change(key, |flow| flow.running -= 1);
    }

    fn leave(&mut self, key: &K) {
        self.change(key, |flow| flow.waiting -= 1);
    }

    fn change(&mut self, key: &K, change: impl FnOnce(&mut Flow)) {
        if let Some(flow) = self.0.get_mut(key) {
            change(flow);
            if flow.waiting + flow.running == 0 {
                self.0.remove(key);
            }
        }
    }

    fn started(&self, key: &K) -> u64 {
        self.0.get(key).map_or(0, |flow| flow.started)
    }

    fn running(&self, key: &K) -> usize {
        self.0.get(key).map_or(0, |flow| flow.running)
    }

    /// The number that waits, to be compared by size.
    fn waiting(&self, key: &K) -> usize {
        self.0.get(key).map_or(0, |flow| flow.waiting)
    }
}

#[cfg(test)]
mod tests;
