//! `arauto list`: who is connected.

use std::time::Duration;

use tokio::time::timeout;

use super::{Errand, Failure};
use crate::{
    client::{dial::Dialer, joining::Joining, meaning::Meaning},
    protocol::{Line, Operation},
};

/// How long each part of the list is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Who is connected, in joining order, without the one who asks.
///
/// # Errors
/// If the server cannot be asked.
pub async fn list(dialer: &Dialer, name: Option<&str>) -> Result<Vec<String>, Failure> {
    let mut errand = Errand::begin(dialer, name).await?;
    let own = errand.name.clone();
    errand.send(&Line::lossy(&Joining::command(&own, Operation::ListClients.wire()))).await?;
    // Comes after the whole list, in however many messages that is.
    errand.send(&Line::lossy(&Joining::command(&own, Operation::Echo.wire()))).await?;
    let mut names = Vec::new();
    loop {
        let next = timeout(ANSWER_WITHIN, errand.next()).await;
        let received =
            next.map_err(|_| Failure::NoAnswer { who: "the server".to_owned(), within: ANSWER_WITHIN })??;
        match received.meaning() {
            Meaning::Clients(some) => {
                names.extend(some.into_iter().filter(|some| *some != own).map(str::to_owned));
            }
            Meaning::Echo(_) => break,
            _ => {}
        }
    }
    // The names are here, whatever becomes of this. A server such as the report's does not notice who just goes.
    let _ = errand.leave().await;
    Ok(names)
}
