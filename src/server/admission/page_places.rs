//! [`PagePlaces`]: bounds the number of connections that ask for the page, and picks the one to close for a newcomer.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio_util::sync::CancellationToken;

use super::eviction::Occupants;
use crate::server::common::{block::Block, peer::Peer};

/// The places of connections that ask for the page. Clones share them.
///
/// When all places are taken, a newcomer displaces the oldest idle connection of the address block that holds most.
/// So no address can keep others out, however often it renews its connections.
#[derive(Clone)]
pub struct PagePlaces {
    most: usize,
    table: Arc<Mutex<Occupants<Taken>>>,
}

struct Taken {
    peer: Peer,
    is_busy: Arc<AtomicBool>,
    displaced: CancellationToken,
}

/// A taken place, released on drop.
pub struct PagePlace {
    number: u64,
    table: Arc<Mutex<Occupants<Taken>>>,
    is_busy: Arc<AtomicBool>,
    displaced: CancellationToken,
}

impl PagePlaces {
    /// Creates `most` free places.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, table: Arc::default() }
    }

    /// Takes a place. Also returns the peer of the connection that was displaced, if any. `None` if no connection can
    /// be displaced, as decided by [`Occupants::victim`].
    #[must_use]
    pub fn take(&self, peer: Peer) -> Option<(PagePlace, Option<Peer>)> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let block = Block::of(peer.ip());
        let displaced = if table.len() < self.most { None } else { Some(displace(&mut table, block)?) };
        let (is_busy, token) = (Arc::<AtomicBool>::default(), CancellationToken::new());
        let taken = Taken { peer, is_busy: Arc::clone(&is_busy), displaced: token.clone() };
        let number = table.add(block, taken);
        let place = PagePlace { number, table: Arc::clone(&self.table), is_busy, displaced: token };
        Some((place, displaced))
    }
}

/// Displaces one connection in favour of a newcomer from this address block. Returns its peer, or `None` if no
/// connection can be displaced.
fn displace(table: &mut Occupants<Taken>, newcomer: Block) -> Option<Peer> {
    let number = table.victim(newcomer, usize::MAX, |taken| !taken.is_busy.load(Ordering::Relaxed))?;
    let taken = table.remove(number)?;
    taken.displaced.cancel();
    Some(taken.peer)
}

impl PagePlace {
    /// The flag that must be set while a request is being answered.
    #[must_use]
    pub fn is_busy(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_busy)
    }

    /// A token that is cancelled when this connection is displaced.
    #[must_use]
    pub fn displaced(&self) -> CancellationToken {
        self.displaced.clone()
    }
}

impl std::fmt::Debug for PagePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PagePlace").field(&self.number).finish()
    }
}

impl Drop for PagePlace {
    fn drop(&mut self) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::at(address.parse().unwrap())
    }

    fn take(places: &PagePlaces, address: &str) -> PagePlace {
        places.take(peer(address)).expect("a place").0
    }

    fn is_displaced(place: &PagePlace) -> bool {
        place.displaced().is_cancelled()
    }

    fn answer(place: &PagePlace) {
        place.is_busy().store(true, Ordering::Relaxed);
    }

    #[test]
    fn the_oldest_idle_one_of_the_address_that_holds_most_gives_way() {
        let places = PagePlaces::new(4);
        let other = take(&places, "192.0.2.2");
        let most: Vec<_> = (0..3).map(|_| take(&places, "192.0.2.1")).collect();
        answer(&most[0]);
        let (newcomer, displaced) = places.take(peer("192.0.2.3")).expect("a place");
        assert_eq!(displaced.map(|peer| peer.ip()), Some("192.0.2.1".parse().unwrap()));
        assert!(is_displaced(&most[1]) && !is_displaced(&most[0]) && !is_displaced(&most[2]));
        // A displaced connection frees its place once, and not again when it is dropped.
        drop(most);
        let again: Vec<_> = (0..2).map(|_| take(&places, "192.0.2.1")).collect();
        assert!(!is_displaced(&other) && !is_displaced(&newcomer) && !again.iter().any(is_displaced));
    }

    #[test]
    fn an_address_that_holds_most_takes_places_from_itself_alone() {
        let places = PagePlaces::new(4);
        let others = [take(&places, "192.0.2.2"), take(&places, "192.0.2.3")];
        let mut held = vec![take(&places, "192.0.2.1"), take(&places, "192.0.2.1")];
        for count in 0..100 {
            held.push(take(&places, "192.0.2.1"));
            assert!(is_displaced(&held[count]) && !is_displaced(&held[count + 1]));
        }
        assert!(!others.iter().any(is_displaced));
        for place in &held[100..] {
            answer(place);
        }
        assert!(places.take(peer("192.0.2.1")).is_none(), "all of its own are being answered");
    }

    #[test]
    fn one_that_never_reads_its_answers_does_not_hold_on_to_its_places() {
        let places = PagePlaces::new(4);
        let held: Vec<_> = (0..4).map(|_| take(&places, "192.0.2.1")).collect();
        held.iter().for_each(answer);
        let newcomer = take(&places, "192.0.2.2");
        assert!(is_displaced(&held[0]) && !is_displaced(&newcomer));
    }

    #[test]
    fn a_network_of_64_bits_is_one_address_and_as_many_as_there_are_places_take_turns() {
        let places = PagePlaces::new(3);
        let network: Vec<_> =
            ["2001:db8::1", "2001:db8::2"].iter().map(|address| take(&places, address)).collect();
        let other = take(&places, "2001:db8:0:1::1");
        let newcomer = take(&places, "192.0.2.1");
        assert!(is_displaced(&network[0]) && !is_displaced(&network[1]) && !is_displaced(&other));
        // Each block holds one place: the oldest idle connection is displaced, and no busy one.
        answer(&network[1]);
        let next = take(&places, "192.0.2.2");
        assert!(!is_displaced(&network[1]) && is_displaced(&other));
        answer(&newcomer);
        answer(&next);
        assert!(places.take(peer("192.0.2.3")).is_none());
    }
}
