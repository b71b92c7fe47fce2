//! [`Trial`]: a connection that came when only places kept for accounts were left, and has to show that it has an
//! account.
//!
//! A connection on trial holds none of the `limits.max_sessions` places until its password or certificate is found to
//! be right, so silent connections keep no account's owner out. Connections on trial have a bound of their own, and the
//! oldest one of the address block that holds most gives way to a newcomer.

use std::{
    cell::OnceCell,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::eviction::Occupants;
use crate::server::common::block::Block;

/// Connections on trial above which each newcomer makes a connection of the address block that holds most give way.
///
/// This is also the most that one block holds: if all of a block's connections, this many, are having a password
/// compared, its newcomer is refused.
const MAX_WAITING: usize = 64;

/// Permits for connections on trial, and for those that were turned away and wait for the other end to close. If no
/// permit is free, the connection that gives way hands its permit to the newcomer and is closed as soon as its last
/// line is sent.
pub const MAX_TRIALS: usize = 256;

/// Time for a connection on trial to give its name, and again to give its password: enough for a person who has both at
/// hand.
pub const TRIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// State that a connection on trial shares with the listener.
#[derive(Debug, Default)]
struct Link {
    /// Cancelled to turn the connection away.
    turned_away: CancellationToken,
    /// A password is being compared: connections that wait for input give way first.
    is_comparing: AtomicBool,
    /// The connection has a place and is no longer on trial.
    has_place: AtomicBool,
    /// The connection's permit, one of [`MAX_TRIALS`], until it has a place or hands the permit to a newcomer.
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Link {
    fn take_permit(&self) -> Option<OwnedSemaphorePermit> {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A connection on trial, as its session sees it.
#[derive(Debug)]
pub struct Trial {
    link: Arc<Link>,
    places: Arc<Semaphore>,
    /// Number of places that only operators may take.
    for_operators: usize,
    place: OnceCell<OwnedSemaphorePermit>,
}

impl Trial {
    /// Takes one of the places that are kept for accounts, unless the connection has one already. Returns whether it
    /// has one. Call this only for an account's owner. The last places are for operators, so that other accounts cannot
    /// keep them out.
    pub fn take_place(&self, is_operator: bool) -> bool {
        if self.place.get().is_some() {
            return true;
        }
        if !is_operator && self.places.available_permits() <= self.for_operators {
            return false;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return false };
        self.link.has_place.store(true, Ordering::Relaxed);
        self.link.take_permit();
        self.place.set(place).is_ok()
    }

    /// Records whether a password is being compared.
    pub fn set_comparing(&self, is_comparing: bool) {
        self.link.is_comparing.store(is_comparing, Ordering::Relaxed);
    }

    /// Completes when the connection has to give way.
    pub fn turned_away(&self) -> impl Future<Output = ()> + use<> {
        self.link.turned_away.clone().cancelled_owned()
    }

    /// Whether the connection is still on trial.
    pub fn goes_on(&self) -> bool {
        self.place.get().is_none()
    }

    /// Whether the connection may stay open after its last line until the other end closes: it has a place or a permit.
    pub fn may_linger(&self) -> bool {
        !self.goes_on() || self.link.permit.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// All connections on trial that were not turned away, as the listener sees them.
#[derive(Debug, Default)]
pub struct Trials(Occupants<Weak<Link>>);

impl Trials {
    /// Puts a connection from this address block on trial for one of `places`, the last `for_operators` of which are
    /// for operators. `None` if there is no permit for it: every connection that could give way is having a password
    /// compared.
    pub fn begin(
        &mut self,
        block: Block,
        permits: &Arc<Semaphore>,
        places: &Arc<Semaphore>,
        for_operators: usize,
    ) -> Option<Trial> {
        self.0.retain(|link| link.upgrade().is_some_and(|link| !link.has_place.load(Ordering::Relaxed)));
        let permit = Mutex::new(Some(self.permit(block, permits)?));
        let link = Arc::new(Link { permit, ..Link::default() });
        self.0.add(block, Arc::downgrade(&link));
        Some(Trial { link, places: Arc::clone(places), for_operators, place: OnceCell::new() })
    }

    /// Returns a permit for a newcomer, and turns another connection away if [`MAX_WAITING`] are on trial.
    fn permit(&mut self, newcomer: Block, permits: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let free = || Arc::clone(permits).try_acquire_owned().ok();
        if self.0.len() < MAX_WAITING {
            return free();
        }
        let is_idle =
            |link: &Weak<Link>| link.upgrade().is_none_or(|link| !link.is_comparing.load(Ordering::Relaxed));
        match self.0.victim(newcomer, usize::MAX, is_idle) {
            Some(number) => {
                let victim = self.0.remove(number).and_then(|link| link.upgrade());
                let permit = free().or_else(|| victim.as_ref()?.take_permit());
                if let Some(victim) = victim {
                    victim.turned_away.cancel();
                }
                permit
            }
            None if self.0.held_by(newcomer) < MAX_WAITING => free(),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Entry {
        trials: Trials,
        permits: Arc<Semaphore>,
        places: Arc<Semaphore>,
    }

    impl Entry {
        fn with_places(places: usize) -> Self {
            let semaphore = |permits| Arc::new(Semaphore::new(permits));
            Self { trials: Trials::default(), permits: semaphore(MAX_TRIALS), places: semaphore(places) }
        }

        fn begin(&mut self) -> Trial {
            self.begin_from(1).expect("a permit")
        }

        /// Begins the trial of a connection from the address that ends with this number.
        fn begin_from(&mut self, last: u8) -> Option<Trial> {
            let block = Block::of([192, 0, 2, last].into());
            self.trials.begin(block, &self.permits, &self.places, 1)
        }
    }

    fn is_turned_away(trial: &Trial) -> bool {
        trial.link.turned_away.is_cancelled()
    }

    #[test]
    fn the_oldest_that_sent_no_password_gives_way() {
        let mut entry = Entry::with_places(2);
        let mut trials: Vec<Trial> = (0..MAX_WAITING).map(|_| entry.begin()).collect();
        trials[0].set_comparing(true);
        assert!(trials[1].take_place(false));
        drop(trials.remove(2));
        // The connection that left and the connection that has a place are not counted.
        trials.extend([entry.begin(), entry.begin()]);
        assert!(!trials.iter().any(is_turned_away));
        let _next = entry.begin();
        let gone: Vec<usize> = (0..trials.len()).filter(|at| is_turned_away(&trials[*at])).collect();
        assert_eq!(gone, [2]);
    }

    #[test]
    fn a_place_is_taken_once_and_given_back() {
        let mut entry = Entry::with_places(1);
        let (first, second) = (entry.begin(), entry.begin());
        assert_eq!(entry.permits.available_permits(), MAX_TRIALS - 2);
        assert!(first.goes_on() && first.take_place(true) && first.take_place(false) && !first.goes_on());
        assert_eq!(
            (entry.permits.available_permits(), entry.places.available_permits()),
            (MAX_TRIALS - 1, 0)
        );
        assert!(!second.take_place(true) && second.goes_on());
        drop(first);
        // The last place is for operators.
        assert!(!second.take_place(false));
        assert!(second.take_place(true));
    }

    #[test]
    fn one_address_displaces_only_its_own_connections() {
        let mut entry = Entry::with_places(2);
        let operator = entry.begin_from(2).unwrap();
        let mut flood: Vec<Trial> = (0..600).map(|_| entry.begin()).collect();
        let early = entry.begin_from(3).unwrap();
        flood.extend((0..600).map(|_| entry.begin()));
        assert!(!is_turned_away(&operator) && !is_turned_away(&early));
        assert_eq!(flood.iter().filter(|trial| !is_turned_away(trial)).count(), MAX_WAITING - 2);
        assert_eq!(flood.iter().filter(|trial| trial.may_linger()).count(), MAX_TRIALS - 2);
        assert!(operator.take_place(true));
    }

    #[test]
    fn three_addresses_that_connect_often_displace_no_other() {
        let mut entry = Entry::with_places(2);
        let operator = entry.begin_from(9).unwrap();
        let flood: Vec<_> =
            [1, 2, 3].into_iter().cycle().take(1800).map(|last| entry.begin_from(last)).collect();
        assert!(!is_turned_away(&operator) && flood.iter().all(Option::is_some));
    }

    #[test]
    fn an_address_whose_connections_are_all_comparing_keeps_no_other_out() {
        let mut entry = Entry::with_places(2);
        let comparing: Vec<Trial> = (0..MAX_WAITING).map(|_| entry.begin()).collect();
        for trial in &comparing {
            trial.set_comparing(true);
        }
        assert!(entry.begin_from(1).is_none());
        let operator = entry.begin_from(2).unwrap();
        assert!(
            is_turned_away(&comparing[0]) && !is_turned_away(&comparing[1]) && !is_turned_away(&operator)
        );
    }
}
