//! [`sleep_until_opt`]: waits for an optional deadline.

use std::future::pending;

use tokio::time::{Instant, sleep_until};

/// Waits until `deadline`, or for ever if it is `None`.
pub async fn sleep_until_opt(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
