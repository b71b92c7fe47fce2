//! [`reached`]: a moment that may never come.

use std::future::pending;

use tokio::time::{Instant, sleep_until};

/// Waits until then, or for ever.
pub async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
