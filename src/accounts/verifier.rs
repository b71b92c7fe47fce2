//! [`Verifier`]: compares passwords with hashes where that harms nobody: off the threads that serve sessions, a few at a
//! time, and only so often for an address.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    task::spawn_blocking,
};

use super::{
    attempts::Attempts,
    secret::{PasswordHash, Secret},
};

/// How many passwords are compared at a time. Each takes the memory its hash asks for, 19 MiB as a rule, and a core.
const AT_A_TIME: usize = 2;

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password.
    Right,
    /// It is not.
    Wrong,
    /// It was not looked at: too many wrong ones came from that address. The next may be tried after this time.
    TooMany(Duration),
    /// It could not be looked at: the server lacks memory, or is ending.
    Failed,
}

/// Where passwords are sent to be compared. Clones send to the same place.
///
/// What waits there is bounded by those who ask: each session waits for its answer before it asks again.
#[derive(Clone, Debug)]
pub struct Verifier {
    notes: UnboundedSender<Note>,
}

#[derive(Debug)]
enum Note {
    Try(Try),
    /// A try from there does not count after all.
    Forgive(IpAddr),
}

#[derive(Debug)]
struct Try {
    from: IpAddr,
    hash: PasswordHash,
    secret: Secret,
    answer: oneshot::Sender<Verdict>,
}

impl Verifier {
    /// Starts one on this thread's runtime, where it takes no time worth mention. It ends with the last of its clones.
    #[must_use]
    pub fn start() -> Self {
        let (verifier, judging) = Self::new();
        tokio::spawn(judging);
        verifier
    }

    /// A verifier, and the task that has to run for it.
    pub fn new() -> (Self, impl Future<Output = ()> + Send) {
        let (notes, received) = unbounded_channel();
        (Self { notes: notes.clone() }, judge_all(received, notes.downgrade()))
    }

    /// Whether the secret is the one that the hash was made of.
    pub async fn judge(&self, from: IpAddr, hash: PasswordHash, secret: Secret) -> Verdict {
        let (answer, verdict) = oneshot::channel();
        let note = Note::Try(Try { from, hash, secret, answer });
        if self.notes.send(note).is_err() {
            return Verdict::Failed;
        }
        verdict.await.unwrap_or(Verdict::Failed)
    }
}

async fn judge_all(
    mut received: UnboundedReceiver<Note>,
    notes: tokio::sync::mpsc::WeakUnboundedSender<Note>,
) {
    let mut attempts = Attempts::default();
    let turns = Arc::new(Semaphore::new(AT_A_TIME));
    while let Some(note) = received.recv().await {
        match note {
            Note::Forgive(address) => attempts.forgive(address),
            Note::Try(Try { from, hash, secret, answer }) => {
                if let Err(wait) = attempts.begin(from, Instant::now()) {
                    // Nobody waits for it any more: then nobody has to be told.
                    let _ = answer.send(Verdict::TooMany(wait));
                    continue;
                }
                let (turns, notes) = (Arc::clone(&turns), notes.clone());
                tokio::spawn(async move {
                    let verdict = judge(&turns, hash, secret).await;
                    if verdict != Verdict::Wrong
                        && let Some(notes) = notes.upgrade()
                    {
                        // Gone with the server.
                        let _ = notes.send(Note::Forgive(from));
                    }
                    let _ = answer.send(verdict);
                });
            }
        }
    }
}

async fn judge(turns: &Semaphore, hash: PasswordHash, secret: Secret) -> Verdict {
    let Ok(_turn) = turns.acquire().await else { return Verdict::Failed };
    match spawn_blocking(move || hash.matches(&secret)).await {
        Ok(Ok(true)) => Verdict::Right,
        Ok(Ok(false)) => Verdict::Wrong,
        Ok(Err(_)) | Err(_) => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{attempts::MOST_WRONG, cheap_hash};

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn secret(text: &str) -> Secret {
        Secret::typed(text.as_bytes()).unwrap()
    }

    #[tokio::test]
    async fn right_and_wrong() {
        let verifier = Verifier::start();
        assert_eq!(verifier.judge(HERE, cheap_hash(), secret("opensesame")).await, Verdict::Right);
        assert_eq!(verifier.judge(HERE, cheap_hash(), secret("opensesami")).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn many_at_once_are_no_way_around_the_limit() {
        let verifier = Verifier::start();
        let mut tries = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let verifier = verifier.clone();
            tries.spawn(async move { verifier.judge(HERE, cheap_hash(), secret("wrong")).await });
        }
        let verdicts = tries.join_all().await;
        let wrong = verdicts.iter().filter(|verdict| **verdict == Verdict::Wrong).count();
        assert_eq!(wrong, MOST_WRONG as usize);
        // Then not even the right one is looked at.
        let verdict = verifier.judge(HERE, cheap_hash(), secret("opensesame")).await;
        assert!(matches!(verdict, Verdict::TooMany(_)), "{verdict:?}");
        let elsewhere = "192.0.2.1".parse().unwrap();
        assert_eq!(verifier.judge(elsewhere, cheap_hash(), secret("opensesame")).await, Verdict::Right);
    }

    #[tokio::test]
    async fn right_ones_do_not_count() {
        let verifier = Verifier::start();
        for _ in 0..3 * MOST_WRONG {
            assert_eq!(verifier.judge(HERE, cheap_hash(), secret("opensesame")).await, Verdict::Right);
        }
    }

    #[tokio::test]
    async fn one_that_nobody_runs_answers_all_the_same() {
        let (verifier, judging) = Verifier::new();
        drop(judging);
        assert_eq!(verifier.judge(HERE, cheap_hash(), secret("opensesame")).await, Verdict::Failed);
    }
}
