//! `arauto list`: who is connected.

use super::{Errand, Failure};
use crate::{
    client::{dial::Dialer, joining::Joining, meaning::Meaning},
    protocol::Operation,
};

/// Who is connected, in joining order, without the one who asks.
///
/// # Errors
/// If the server cannot be asked.
pub async fn list(dialer: &Dialer, name: &str) -> Result<Vec<String>, Failure> {
    let mut errand = Errand::begin(dialer, name).await?;
    let own = errand.name.clone();
    errand.send(&Joining::command(&own, Operation::ListClients.wire())).await?;
    // Comes after the whole list, in however many messages that is.
    errand.send(&Joining::command(&own, Operation::Echo.wire())).await?;
    let mut names = Vec::new();
    loop {
        let received = errand.next().await?;
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
