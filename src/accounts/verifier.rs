//! [`Verifier`]: compares passwords with hashes outside the threads that serve sessions, a few at a time, in the order
//! that [`Queue`] decides.

use std::time::Instant;

use arauto_protocol::NameKey;
use tokio::{
    sync::{
        mpsc::{Receiver, Sender, channel},
        oneshot,
    },
    task::{JoinSet, spawn_blocking},
};

use super::{
    attempts::AttemptOrigin,
    queue::{Attempt, Queue, Verdict, Waiting},
};

/// Passwords that are compared at once. Each takes a core, and the memory that its hash asks for, usually 19 MiB.
const MAX_COMPARISONS: usize = 2;

/// Passwords on their way to [`Queue`], which takes them at once and has a bound of its own.
const CHANNEL_CAPACITY: usize = 64;

/// Handle for sending passwords to be compared; clones share the queue.
#[derive(Clone, Debug)]
pub struct Verifier {
    attempts: Sender<Waiting>,
}

impl Verifier {
    /// Starts the verifier's task on this thread's runtime, which it hardly loads because comparing runs elsewhere. The
    /// task ends when the last clone is dropped.
    #[must_use]
    pub fn start() -> Self {
        let (verifier, judging) = Self::new();
        tokio::spawn(judging);
        verifier
    }

    /// A verifier, and the task that must run for it.
    pub fn new() -> (Self, impl Future<Output = ()> + Send) {
        let (attempts, received) = channel(CHANNEL_CAPACITY);
        (Self { attempts }, judge_all(received))
    }

    /// Compares a password with its hash. Dropping the future before its turn saves the comparison.
    pub async fn judge(&self, attempt: Attempt) -> Verdict {
        let (answer, verdict) = oneshot::channel();
        if self.attempts.send(Waiting { attempt, answer }).await.is_err() {
            return Verdict::Failed;
        }
        verdict.await.unwrap_or(Verdict::Failed)
    }
}

/// A finished comparison.
struct Judged {
    origin: AttemptOrigin,
    account: NameKey,
    verdict: Verdict,
    answer: oneshot::Sender<Verdict>,
}

async fn judge_all(mut received: Receiver<Waiting>) {
    let mut queue = Queue::default();
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            waiting = received.recv() => match waiting {
                Some(waiting) => queue.push(waiting, Instant::now()),
                None => return,
            },
            Some(Ok(Judged { origin, account, verdict, answer })) = running.join_next() => {
                queue.finish(&origin, &account, verdict, Instant::now());
                // The session may be gone.
                let _ = answer.send(verdict);
            }
        }
        while running.len() < MAX_COMPARISONS
            && let Some(waiting) = queue.next(Instant::now())
        {
            running.spawn(judge(waiting));
        }
    }
}

async fn judge(Waiting { attempt, answer }: Waiting) -> Judged {
    let Attempt { origin, account, hash, secret } = attempt;
    let verdict = match spawn_blocking(move || hash.matches(&secret)).await {
        Ok(Ok(true)) => Verdict::Right,
        Ok(Ok(false)) => Verdict::Wrong,
        Ok(Err(_)) | Err(_) => Verdict::Failed,
    };
    Judged { origin, account, verdict, answer }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Secret, attempts::MAX_WRONG_PER_ADDRESS, cheap_hash};

    fn attempt(address: &str, password: &str) -> Attempt {
        Attempt {
            origin: AttemptOrigin::from_address(address.parse().unwrap()),
            account: arauto_protocol::Name::parse("alan", 489).unwrap().key().clone(),
            hash: cheap_hash(),
            secret: Secret::typed(password.as_bytes()).unwrap(),
        }
    }

    #[tokio::test]
    async fn right_and_wrong() {
        let verifier = Verifier::start();
        assert_eq!(verifier.judge(attempt("127.0.0.1", "opensesame")).await, Verdict::Right);
        assert_eq!(verifier.judge(attempt("127.0.0.1", "opensesami")).await, Verdict::Wrong);
    }

    async fn all_at_once(count: usize, password: &'static str) -> (Verifier, Vec<Verdict>) {
        let verifier = Verifier::start();
        let mut tries = JoinSet::new();
        for _ in 0..count {
            let verifier = verifier.clone();
            tries.spawn(async move { verifier.judge(attempt("192.0.2.7", password)).await });
        }
        let verdicts = tries.join_all().await;
        (verifier, verdicts)
    }

    #[tokio::test]
    async fn many_at_once_are_no_way_around_the_limit() {
        let (verifier, verdicts) = all_at_once(100, "wrong").await;
        let wrong = verdicts.iter().filter(|verdict| **verdict == Verdict::Wrong).count();
        assert_eq!(wrong, MAX_WRONG_PER_ADDRESS);
        // From then on, even the right password is not compared.
        let verdict = verifier.judge(attempt("192.0.2.7", "opensesame")).await;
        assert!(matches!(verdict, Verdict::TooMany(_)), "{verdict:?}");
        assert_eq!(verifier.judge(attempt("192.0.2.1", "opensesame")).await, Verdict::Right);
    }

    #[tokio::test]
    async fn right_ones_never_meet_the_limit() {
        let (_, verdicts) = all_at_once(500, "opensesame").await;
        assert_eq!(verdicts, vec![Verdict::Right; 500]);
    }

    #[tokio::test]
    async fn one_that_nobody_runs_answers_all_the_same() {
        let (verifier, judging) = Verifier::new();
        drop(judging);
        assert_eq!(verifier.judge(attempt("127.0.0.1", "opensesame")).await, Verdict::Failed);
    }
}
