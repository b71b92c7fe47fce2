//! [`reached`]: waits for an optional deadline.

use std::future::pending;

use tokio::time::{Instant, sleep_until};

/// Waits until `moment`, or for ever if it is `None`.
pub async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
