//! [`PendingConnections`]: the TLS handshakes or HTTP connections of one worker that are not done yet, and which of
//! them gives way if they take long.

use std::{collections::BTreeMap, time::Duration};

use tokio::{task::JoinHandle, time::Instant};

use crate::server::common::{peer::Peer, session_ref::SessionId};

/// Number of handshakes above which each newcomer displaces the oldest one, if that has taken longer than
/// [`MIN_HANDSHAKE_TIME`].
const MAX_HANDSHAKES: usize = 512;

/// Time that a handshake may take, however many others come. A working client needs a fraction of it, even when all
/// clients connect again at once.
const MIN_HANDSHAKE_TIME: Duration = Duration::from_secs(5);

/// The handshakes of one worker, oldest first: numbers are given in the order of accepting. `limits.max_sessions`
/// bounds them in any case.
#[derive(Default)]
pub struct PendingConnections(BTreeMap<SessionId, Handshake>);

struct Handshake {
    peer: Peer,
    since: Instant,
    task: JoinHandle<()>,
}

impl PendingConnections {
    /// Adds a handshake without displacing another.
    pub fn hold(&mut self, id: SessionId, peer: Peer, task: JoinHandle<()>) {
        self.0.insert(id, Handshake { peer, since: Instant::now(), task });
    }

    /// Adds a handshake. Returns the one that it displaced, if any.
    pub fn add(&mut self, id: SessionId, peer: Peer, task: JoinHandle<()>) -> Option<(SessionId, Peer)> {
        let now = Instant::now();
        self.hold(id, peer, task);
        let is_crowded = self.0.len() > MAX_HANDSHAKES;
        let oldest = self
            .0
            .first_entry()
            .filter(|oldest| is_crowded && oldest.get().since + MIN_HANDSHAKE_TIME < now)?;
        let (id, Handshake { peer, task, .. }) = oldest.remove_entry();
        task.abort();
        Some((id, peer))
    }

    /// Removes a handshake that is done. `None` if it was displaced before.
    pub fn remove(&mut self, id: SessionId) -> Option<JoinHandle<()>> {
        self.0.remove(&id).map(|handshake| handshake.task)
    }

    /// Removes all handshakes. Each is aborted when the iterator reaches it.
    pub fn break_off(&mut self) -> impl Iterator<Item = (SessionId, Peer)> {
        std::mem::take(&mut self.0).into_iter().map(|(id, Handshake { peer, task, .. })| {
            task.abort();
            (id, peer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds a handshake that never ends.
    fn add(under_way: &mut PendingConnections, id: u64) -> Option<u64> {
        let task = tokio::task::spawn_local(std::future::pending());
        under_way.add(SessionId(id), Peer::elsewhere(), task).map(|(displaced, _)| displaced.0)
    }

    #[test]
    fn who_takes_long_gives_way_only_where_many_come() {
        actix_rt::System::new().block_on(async {
            tokio::time::pause();
            let mut under_way = PendingConnections::default();
            for id in 1..=600 {
                assert_eq!(add(&mut under_way, id), None);
            }
            tokio::time::advance(MIN_HANDSHAKE_TIME + Duration::from_millis(1)).await;
            assert_eq!(add(&mut under_way, 601), Some(1));
            assert!(under_way.remove(SessionId(1)).is_none());
            for id in 2..=100 {
                assert!(under_way.remove(SessionId(id)).is_some());
            }
            assert_eq!(under_way.0.len(), 501);
            assert_eq!(add(&mut under_way, 602), None);
            assert_eq!(under_way.break_off().count(), 502);
            assert_eq!(under_way.break_off().count(), 0);
        });
    }
}
