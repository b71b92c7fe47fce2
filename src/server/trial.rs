//! [`Trial`]: a connection that came when only places kept for accounts were left, and has to show that it has one.
//!
//! It holds none of the places of `limits.max_sessions` until its password or certificate is found to be right, so that
//! silent connections keep no account's owner out. They are bounded by a number of their own, and the oldest that has sent
//! no password gives way to a newcomer.

use std::{
    cell::{OnceCell, RefCell},
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Connections on trial at once. Past it, the oldest that has sent no password is turned away for the next.
const MAX_WAITING: usize = 64;

/// Connections on trial, with those that were turned away and are being seen out. Past it, newcomers are refused.
pub const MAX_TRIALS: usize = 256;

/// Time for a connection on trial to give its name, and again its password: enough for a person who has both at hand.
pub const TRIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection on trial and the listener know of each other.
#[derive(Debug, Default)]
struct Link {
    /// Cancelled to turn the connection away.
    turned_away: CancellationToken,
    /// A password is being compared: the connection is not turned away meanwhile.
    is_comparing: AtomicBool,
    /// It has a place: it is on trial no more.
    has_place: AtomicBool,
}

/// The connection's side.
#[derive(Debug)]
pub struct Trial {
    link: Arc<Link>,
    places: Arc<Semaphore>,
    place: OnceCell<OwnedSemaphorePermit>,
    /// Its permit among those on trial.
    permit: RefCell<Option<OwnedSemaphorePermit>>,
}

impl Trial {
    /// Takes one of the places that are kept for accounts, if there is one. To be called for an account's owner.
    pub fn take_place(&self) -> bool {
        if self.place.get().is_some() {
            return true;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return false };
        self.link.has_place.store(true, Ordering::Relaxed);
        self.permit.take();
        self.place.set(place).is_ok()
    }

    /// Says whether a password is being compared.
    pub fn set_comparing(&self, is_comparing: bool) {
        self.link.is_comparing.store(is_comparing, Ordering::Relaxed);
    }

    /// Completes when the connection has to give way.
    pub fn turned_away(&self) -> impl Future<Output = ()> + use<> {
        self.link.turned_away.clone().cancelled_owned()
    }

    /// Whether it still is on trial.
    pub fn goes_on(&self) -> bool {
        self.place.get().is_none()
    }
}

/// The listener's side: all that are on trial, the oldest first.
#[derive(Debug, Default)]
pub struct Trials(VecDeque<Weak<Link>>);

impl Trials {
    /// Puts a connection on trial, for one of these places. The oldest that has sent no password gives way, if there are many.
    pub fn begin(&mut self, permit: OwnedSemaphorePermit, places: &Arc<Semaphore>) -> Trial {
        let is_on = |link: &Link| !link.has_place.load(Ordering::Relaxed) && !link.turned_away.is_cancelled();
        self.0.retain(|link| link.upgrade().is_some_and(|link| is_on(&link)));
        if self.0.len() >= MAX_WAITING {
            let waits = |link: &Arc<Link>| !link.is_comparing.load(Ordering::Relaxed);
            if let Some(oldest) = self.0.iter().filter_map(Weak::upgrade).find(waits) {
                oldest.turned_away.cancel();
            }
        }
        let link = Arc::<Link>::default();
        self.0.push_back(Arc::downgrade(&link));
        Trial { link, places: Arc::clone(places), place: OnceCell::new(), permit: RefCell::new(Some(permit)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Door {
        trials: Trials,
        permits: Arc<Semaphore>,
        places: Arc<Semaphore>,
    }

    impl Door {
        fn with_places(places: usize) -> Self {
            let semaphore = |permits| Arc::new(Semaphore::new(permits));
            Self { trials: Trials::default(), permits: semaphore(MAX_TRIALS), places: semaphore(places) }
        }

        fn begin(&mut self) -> Trial {
            let permit = Arc::clone(&self.permits).try_acquire_owned().unwrap();
            self.trials.begin(permit, &self.places)
        }
    }

    fn is_turned_away(trial: &Trial) -> bool {
        trial.link.turned_away.is_cancelled()
    }

    #[test]
    fn the_oldest_that_sent_no_password_gives_way() {
        let mut door = Door::with_places(2);
        let mut trials: Vec<Trial> = (0..MAX_WAITING).map(|_| door.begin()).collect();
        trials[0].set_comparing(true);
        assert!(trials[1].take_place());
        drop(trials.remove(2));
        // The one that left and the one that has a place are not counted.
        trials.extend([door.begin(), door.begin()]);
        assert!(!trials.iter().any(is_turned_away));
        let _next = door.begin();
        let gone: Vec<usize> = (0..trials.len()).filter(|at| is_turned_away(&trials[*at])).collect();
        assert_eq!(gone, [2]);
    }

    #[test]
    fn a_place_is_taken_once_and_given_back() {
        let mut door = Door::with_places(1);
        let (first, second) = (door.begin(), door.begin());
        assert_eq!(door.permits.available_permits(), MAX_TRIALS - 2);
        assert!(first.goes_on() && first.take_place() && first.take_place() && !first.goes_on());
        assert_eq!((door.permits.available_permits(), door.places.available_permits()), (MAX_TRIALS - 1, 0));
        assert!(!second.take_place() && second.goes_on());
        drop(first);
        assert!(second.take_place());
    }
}
