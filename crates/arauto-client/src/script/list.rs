//! `arauto list`: the names of connected clients.

use std::time::Duration;

use arauto_protocol::{Line, Operation};
use tokio::time::timeout_at;

use super::{OneShot, ScriptError};
use crate::{dial::Dialer, joining::Joining, meaning::Meaning, roll::Roll};

/// Returns the connected clients in joining order, without this one. Joining and the whole list may take at most
/// `within`.
///
/// # Errors
/// If joining or asking fails, or the list does not end in time or has more names than a server can have clients.
pub async fn list(dialer: &Dialer, name: Option<&str>, within: Duration) -> Result<Vec<String>, ScriptError> {
    let mut one_shot = OneShot::join_within(dialer, name, within).await?;
    let until = one_shot.until();
    let silence = |_| ScriptError::NoAnswer { who: "the server".to_owned(), within };
    let names = timeout_at(until, names(&mut one_shot)).await.map_err(silence)??;
    // The names are here, so a failure is ignored. A server like the report's does not notice a client that only
    // closes its connection.
    let _ = one_shot.leave().await;
    Ok(names)
}

async fn names(one_shot: &mut OneShot) -> Result<Vec<String>, ScriptError> {
    let own = one_shot.name.clone();
    one_shot.send(&Line::lossy(&Joining::command(&own, Operation::ListClients.wire()))).await?;
    // The echo comes back after the whole list, in however many messages the list comes.
    one_shot.send(&Line::lossy(&Joining::command(&own, Operation::Echo.wire()))).await?;
    let mut roll = Roll::default();
    loop {
        let received = one_shot.next().await?;
        match received.meaning() {
            Meaning::Clients(mut some) => {
                some.retain(|some| *some != own);
                roll.add(&some);
            }
            Meaning::Echo(_) => return Ok(roll.into_names()),
            _ => {}
        }
        if roll.is_full() {
            return Err(ScriptError::Endless { what: "the server's list of clients" });
        }
    }
}
