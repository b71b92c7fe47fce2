//! [`LivenessCheck`]: checks whether all workers still respond. A stuck worker would otherwise never be reported.

use std::{cell::Cell, time::Duration};

use actix_rt::ArbiterHandle;
use tokio::{
    sync::oneshot::{Receiver, channel},
    time::{Instant, timeout_at},
};

/// Time for a worker to respond. A worker is busy for at most some milliseconds at a time.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Time for which a check that found all workers well is not repeated, so that frequent requests do not disturb the
/// workers.
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Checks the workers.
pub struct LivenessCheck {
    workers: Vec<ArbiterHandle>,
    answered: Cell<Option<Instant>>,
}

impl LivenessCheck {
    /// Creates a roll call of these workers.
    pub fn new(workers: Vec<ArbiterHandle>) -> Self {
        Self { workers, answered: Cell::new(None) }
    }

    /// Returns the number of the first worker that does not respond.
    pub async fn missing(&self) -> Option<usize> {
        let now = Instant::now();
        if self.answered.get().is_some_and(|answered| now < answered + RECHECK_INTERVAL) {
            return None;
        }
        // All workers are called before the first is waited for. A worker that cannot be called will not respond.
        let answers: Vec<Receiver<()>> = self.workers.iter().map(call).collect();
        for (number, answer) in answers.into_iter().enumerate() {
            if !matches!(timeout_at(now + RESPONSE_TIMEOUT, answer).await, Ok(Ok(()))) {
                return Some(number);
            }
        }
        self.answered.set(Some(now));
        None
    }
}

fn call(worker: &ArbiterHandle) -> Receiver<()> {
    let (answer, answered) = channel();
    worker.spawn_fn(move || {
        // The caller may have stopped waiting.
        let _ = answer.send(());
    });
    answered
}

#[cfg(test)]
mod tests {
    use actix_rt::{Arbiter, System};

    use super::*;

    #[test]
    fn a_worker_that_is_stuck_or_gone_is_found() {
        System::new().block_on(async {
            let (well, other) = (Arbiter::new(), Arbiter::new());
            let (stuck, release) = std::sync::mpsc::channel::<()>();
            let liveness_check = LivenessCheck::new(vec![well.handle(), other.handle()]);
            assert_eq!(liveness_check.missing().await, None);
            other.spawn_fn(move || assert!(release.recv().is_err()));
            // The workers are not called again at once.
            assert_eq!(liveness_check.missing().await, None);
            liveness_check.answered.set(None);
            assert_eq!(liveness_check.missing().await, Some(1));
            drop(stuck);
            assert_eq!(liveness_check.missing().await, None);
            liveness_check.answered.set(None);
            well.stop();
            well.join().unwrap();
            assert_eq!(liveness_check.missing().await, Some(0));
            other.stop();
        });
    }
}
