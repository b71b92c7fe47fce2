//! [`ConnectionSlots`]: bounds the connections that are served at a time, and chooses which gives way to a newcomer.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::pending,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    select,
    sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

use super::{MAX_CONNECTIONS, MIN_CONNECTION_TIME};

/// [`MAX_CONNECTIONS`] places. If all are taken, a newcomer displaces the connection that has been silent for longest,
/// once that connection has had its place for [`MIN_CONNECTION_TIME`]. So connections that send no request cannot keep
/// out those that do.
pub struct ConnectionSlots {
    free: Arc<Semaphore>,
    /// Connections that had sent no request when this was last checked, in the order in which they came.
    silent: RefCell<BTreeMap<u64, Silent>>,
    next: Cell<u64>,
}

struct Silent {
    since: Instant,
    asked: Arc<AtomicBool>,
    /// Notified when the connection has to give up its place.
    displaced: Rc<Notify>,
}

/// A place, held until this is dropped.
pub struct ConnectionSlot {
    number: u64,
    places: Rc<ConnectionSlots>,
    asked: Arc<AtomicBool>,
    displaced: Rc<Notify>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionSlots {
    /// Creates places that are all free.
    pub fn new() -> Rc<Self> {
        let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        Rc::new(Self { free, silent: RefCell::default(), next: Cell::new(0) })
    }

    /// Waits for a place and takes it.
    ///
    /// # Errors
    /// None in practice: the semaphore is never closed.
    pub async fn take(self: &Rc<Self>) -> Result<ConnectionSlot, AcquireError> {
        let permit = select! {
            biased;
            permit = Arc::clone(&self.free).acquire_owned() => permit?,
            () = self.displace() => Arc::clone(&self.free).acquire_owned().await?,
        };
        let number = self.next.get();
        self.next.set(number + 1);
        let (asked, displaced) = <(Arc<AtomicBool>, Rc<Notify>)>::default();
        let silent =
            Silent { since: Instant::now(), asked: Arc::clone(&asked), displaced: Rc::clone(&displaced) };
        self.silent.borrow_mut().insert(number, silent);
        Ok(ConnectionSlot { number, places: Rc::clone(self), asked, displaced, _permit: permit })
    }

    /// Displaces the connection that has been silent for longest, once it has had its place for
    /// [`MIN_CONNECTION_TIME`].
    async fn displace(&self) {
        loop {
            match self.due() {
                Some(due) => sleep_until(due).await,
                // No connection falls silent again, so only a place that becomes free helps.
                None => pending().await,
            }
            // The connection may have sent a request meanwhile.
            if self.due().is_some_and(|due| due <= Instant::now())
                && let Some((_, oldest)) = self.silent.borrow_mut().pop_first()
            {
                return oldest.displaced.notify_one();
            }
        }
    }

    /// Time from which the first silent connection may be displaced.
    fn due(&self) -> Option<Instant> {
        let mut silent = self.silent.borrow_mut();
        silent.retain(|_, one| !one.asked.load(Ordering::Relaxed));
        silent.values().next().map(|oldest| oldest.since + MIN_CONNECTION_TIME)
    }
}

impl ConnectionSlot {
    /// Flag to set when the connection has sent a request: it keeps its place from then on.
    pub fn asked(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.asked)
    }

    /// Waits until the place has to be given up.
    pub async fn displaced(&self) {
        self.displaced.notified().await;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.places.silent.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    fn all(places: &Rc<ConnectionSlots>) -> Vec<ConnectionSlot> {
        let mut taken = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            taken.push(places.take().now_or_never().expect("a place").unwrap());
        }
        assert!(places.take().now_or_never().is_none(), "no more than so many");
        taken
    }

    /// Removes the connections that are displaced and returns their numbers.
    fn gone(taken: &mut Vec<ConnectionSlot>) -> Vec<u64> {
        let all = std::mem::take(taken);
        let (gone, left) = all.into_iter().partition(|place| place.displaced().now_or_never().is_some());
        *taken = left;
        gone.iter().map(|place| place.number).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_takes_the_place_of_the_one_who_was_silent_for_longest() {
        let places = ConnectionSlots::new();
        let mut taken = all(&places);
        for place in &taken[..2] {
            place.asked().store(true, Ordering::Relaxed);
        }
        for expected in [2, 3] {
            let coming = places.take();
            tokio::pin!(coming);
            // Not before that connection has had its place for `MIN_CONNECTION_TIME`.
            assert!(tokio::time::timeout(MIN_CONNECTION_TIME * 49 / 50, &mut coming).await.is_err());
            assert_eq!(gone(&mut taken), Vec::<u64>::new());
            assert!(
                tokio::time::timeout(Duration::from_millis(4), &mut coming).await.is_err(),
                "it still goes"
            );
            assert_eq!(gone(&mut taken), [expected], "one alone");
            taken.push(coming.now_or_never().expect("a place").unwrap());
            // Makes all silent connections as good as new.
            for one in places.silent.borrow_mut().values_mut() {
                one.since = Instant::now();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asked_keeps_his_place() {
        let places = ConnectionSlots::new();
        let mut taken = all(&places);
        for place in &taken {
            place.asked().store(true, Ordering::Relaxed);
        }
        let coming = places.take();
        tokio::pin!(coming);
        assert!(tokio::time::timeout(10 * MIN_CONNECTION_TIME, &mut coming).await.is_err());
        assert_eq!(gone(&mut taken), Vec::<u64>::new());
        drop(taken.pop());
        coming.now_or_never().expect("a place").unwrap();
    }
}
