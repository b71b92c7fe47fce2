//! [`Queue`]: decides which password is compared next, and which is refused without being compared. Starts no tasks and
//! reads no clock.
//!
//! Addresses take turns, and accounts take turns. So neither an address with many passwords nor many addresses with one
//! account's name delay another client by more than one comparison per waiting address. An address has no more
//! passwords compared at once than it may still give wrong ones, and the others wait. So right passwords never meet the
//! limit, and sending many at once does not get around it.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::{Duration, Instant},
};

use arauto_protocol::NameKey;
use tokio::sync::oneshot;

use super::{
    attempts::{AttemptOrigin, Failures, MAX_WRONG_PER_ACCOUNT, MAX_WRONG_PER_ADDRESS},
    secret::{PasswordHash, Secret},
};

/// Most passwords that wait. Beyond it, the address with the most of them loses its newest; see [`Queue::drop_one`].
const MAX_WAITING: usize = 4096;

/// Addresses remembered per account because its password was given from there; the least recent is dropped first.
const MAX_KNOWN_PER_ACCOUNT: usize = 16;

/// A password that a client gave for an account.
#[derive(Debug)]
pub struct Attempt {
    /// The origin of the password.
    pub origin: AttemptOrigin,
    /// The account's name.
    pub account: NameKey,
    /// The hash of the account's password.
    pub hash: PasswordHash,
    /// The password to check.
    pub secret: Secret,
}

/// The outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right.
    Right,
    /// The password is wrong.
    Wrong,
    /// Not compared: too many wrong passwords came from this address. The next may be tried after this time.
    TooMany(Duration),
    /// Not compared: too many wrong passwords were given for this account, and its right password was never given from
    /// this address. The next may be tried after this time.
    TooManyForAccount(Duration),
    /// Not compared: the server lacks memory, too many passwords wait, or the server is ending.
    Failed,
}

/// An [`Attempt`] and the channel for its verdict. A closed channel means that the attempt was abandoned.
#[derive(Debug)]
pub struct Waiting {
    /// The password and the hash to compare it with.
    pub attempt: Attempt,
    /// Takes the verdict.
    pub answer: oneshot::Sender<Verdict>,
}

/// Passwords that wait to be compared, and the history of their origins and accounts.
#[derive(Debug)]
pub struct Queue {
    /// In order of arrival.
    waiting: Vec<Waiting>,
    origins: Flows<AttemptOrigin>,
    accounts: Flows<NameKey>,
    wrong_of_origin: Failures<AttemptOrigin>,
    wrong_of_account: Failures<NameKey>,
    /// For each account, the origins of its right password, the most recent last.
    known: HashMap<NameKey, VecDeque<AttemptOrigin>>,
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

    /// Takes out the password to compare next, if one may be started. The caller must call [`Self::finish`] for it.
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

    /// Takes the verdict on a password that [`Self::next`] returned. A wrong password counts; if it was the last one
    /// allowed, waiting passwords under the same limit are refused.
    pub fn finish(&mut self, origin: &AttemptOrigin, account: &NameKey, verdict: Verdict, now: Instant) {
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

    /// Whether an account's own limit does not apply to this origin: the right password came from there before, or it
    /// is the server's own machine. Without this exception, anyone could lock the owner of an account out.
    fn is_known(&self, origin: &AttemptOrigin, account: &NameKey) -> bool {
        origin.is_loopback() || self.known.get(account).is_some_and(|origins| origins.contains(origin))
    }

    fn remember(&mut self, origin: &AttemptOrigin, account: &NameKey) {
        // All clients of a proxy share its address, so a right password says nothing about the next client.
        if matches!(origin, AttemptOrigin::Proxied(_)) {
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

    /// Whether this password and all that are being compared could turn out wrong without exceeding a limit.
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
            // Read only once, because the receiver can close the channel at any moment.
            let is_abandoned = answer.is_closed();
            if is_abandoned {
                origins.leave(&attempt.origin);
                accounts.leave(&attempt.account);
            }
            !is_abandoned
        });
    }

    /// Drops the newest password of the origin with the most waiting and, among such origins, of the account with the
    /// most. So if each origin has one password waiting, a crowd of them that guess at one account displaces no attempt
    /// for another account.
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
    // The session may be gone, and needs no verdict then.
    let _ = waiting.answer.send(verdict);
}

/// Turn-taking among the keys that have passwords waiting or being compared.
#[derive(Debug)]
struct Flows<K>(HashMap<K, Flow>);

#[derive(Clone, Copy, Debug)]
struct Flow {
    /// Comparisons started. A new key begins at the lowest count of all keys, so that absence earns no turns.
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

    /// Number of waiting passwords of a key.
    fn waiting(&self, key: &K) -> usize {
        self.0.get(key).map_or(0, |flow| flow.waiting)
    }
}

#[cfg(test)]
mod tests;
