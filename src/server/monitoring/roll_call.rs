//! [`RollCall`]: whether all workers still answer. One that is stuck would otherwise look well from outside for ever.

use std::{cell::Cell, time::Duration};

use actix_rt::ArbiterHandle;
use tokio::{
    sync::oneshot::{Receiver, channel},
    time::{Instant, timeout_at},
};

/// How long a worker may take to answer. The longest that one is busy at a time is some milliseconds.
const WITHIN: Duration = Duration::from_secs(2);

/// How long it is believed that all answered, so that however often it is asked the workers are not disturbed.
const BELIEVED: Duration = Duration::from_secs(1);

/// Calls the workers.
pub struct RollCall {
    workers: Vec<ArbiterHandle>,
    answered: Cell<Option<Instant>>,
}

impl RollCall {
    /// Of these workers.
    pub fn of(workers: Vec<ArbiterHandle>) -> Self {
        Self { workers, answered: Cell::new(None) }
    }

    /// The number of the first that does not answer.
    pub async fn missing(&self) -> Option<usize> {
        let now = Instant::now();
        if self.answered.get().is_some_and(|answered| now < answered + BELIEVED) {
            return None;
        }
        // All are called before the first is waited for. Who cannot be called is not going to answer.
        let answers: Vec<Receiver<()>> = self.workers.iter().map(call).collect();
        for (number, answer) in answers.into_iter().enumerate() {
            if !matches!(timeout_at(now + WITHIN, answer).await, Ok(Ok(()))) {
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
        // Nobody may wait any more.
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
            let roll_call = RollCall::of(vec![well.handle(), other.handle()]);
            assert_eq!(roll_call.missing().await, None);
            other.spawn_fn(move || assert!(release.recv().is_err()));
            // It is not asked again at once.
            assert_eq!(roll_call.missing().await, None);
            roll_call.answered.set(None);
            assert_eq!(roll_call.missing().await, Some(1));
            drop(stuck);
            assert_eq!(roll_call.missing().await, None);
            roll_call.answered.set(None);
            well.stop();
            well.join().unwrap();
            assert_eq!(roll_call.missing().await, Some(0));
            other.stop();
        });
    }
}
