//! [`Bans`]: who is kept out, and until when. A plain table, no actor; kept in a file by `bans/file.rs`.

use std::{
    net::IpAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, channel},
    },
    thread::JoinHandle,
    time::SystemTime,
};

use arc_swap::ArcSwap;
use slog::{Logger, error};

use crate::{
    protocol::{Looks, NameKey, Target, reply},
    source::SourceError,
};

pub(crate) mod file;

pub use file::WriteError;

/// The most bans at a time. Each connection is held against all of them.
pub const MOST_BANS: usize = 1000;

/// Someone who is kept out.
#[derive(Clone, Debug, PartialEq)]
pub struct Ban {
    /// Who.
    pub target: Target,
    /// Until when; for good if not given.
    pub until: Option<SystemTime>,
    /// Who wanted it; may be empty.
    pub by: Box<str>,
    /// Why, in the operator's words; may be empty.
    pub reason: Box<str>,
}

impl Ban {
    fn holds(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Until when, by whom and why, for people.
    #[must_use]
    pub fn terms(&self) -> String {
        reply::terms(self.until, &self.by, &self.reason)
    }
}

/// All who are kept out, in the order banned. Clones share the table until one changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bans {
    list: Arc<Vec<Ban>>,
}

/// There are [`MOST_BANS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Bans {
    /// Adds a ban; one of the same target gives way to it. Those that are over are forgotten.
    ///
    /// # Errors
    /// If there are too many.
    pub fn add(&mut self, ban: Ban, now: SystemTime) -> Result<(), Full> {
        let list = Arc::make_mut(&mut self.list);
        list.retain(|other| other.holds(now) && !is_same(&other.target, &ban.target));
        if list.len() >= MOST_BANS {
            return Err(Full);
        }
        list.push(ban);
        Ok(())
    }

    /// Takes a ban back. Those that are over are forgotten.
    pub fn remove(&mut self, target: &Target, now: SystemTime) -> Option<Ban> {
        let list = Arc::make_mut(&mut self.list);
        list.retain(|ban| ban.holds(now));
        let place = list.iter().position(|ban| is_same(&ban.target, target))?;
        Some(list.remove(place))
    }

    /// The ban that keeps this name out.
    #[must_use]
    pub fn of_name(&self, name: &NameKey, now: SystemTime) -> Option<&Ban> {
        let is_it = |ban: &&Ban| matches!(&ban.target, Target::Name { key, .. } if key == name);
        self.in_force(now).find(is_it)
    }

    /// The ban of a name that has one of these looks.
    #[must_use]
    pub fn of_looks(&self, looks: &Looks, now: SystemTime) -> Option<&Ban> {
        let is_it = |ban: &&Ban| match &ban.target {
            Target::Name { looks: banned, .. } => {
                banned.iter().any(|look| looks.iter().any(|own| own == look))
            }
            Target::Network(_) => false,
        };
        self.in_force(now).find(is_it)
    }

    /// The ban that keeps this address out.
    #[must_use]
    pub fn of_address(&self, address: IpAddr, now: SystemTime) -> Option<&Ban> {
        let is_it = |ban: &&Ban| matches!(&ban.target, Target::Network(network) if network.contains(address));
        self.in_force(now).find(is_it)
    }

    /// All that are not over, in the order banned.
    pub fn in_force(&self, now: SystemTime) -> impl Iterator<Item = &Ban> {
        self.list.iter().filter(move |ban| ban.holds(now))
    }

    /// Whether there are none, not even some that are over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// Whether two targets are the same; what they were typed like is no difference.
fn is_same(one: &Target, other: &Target) -> bool {
    match (one, other) {
        (Target::Name { key: one, .. }, Target::Name { key: other, .. }) => one == other,
        (one, other) => one == other,
    }
}

/// What the listeners read of the bans.
pub type Barrier = Arc<ArcSwap<Bans>>;

/// The bans in force, where they are shown, and where they are kept.
pub struct Ledger {
    bans: Bans,
    barrier: Barrier,
    keeper: Option<Keeper>,
}

/// Keeps bans in a file, on a thread of its own.
#[derive(Debug)]
struct Keeper {
    changes: Sender<Bans>,
    /// The last change could not be written.
    failing: Arc<AtomicBool>,
}

/// Whether a ban outlives the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// As far as is known.
    InFile,
    /// No: there is no file for it.
    InMemory,
    /// No: the file could not be written.
    Failing,
}

impl Ledger {
    /// A ledger that is forgotten with the server.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { bans: Bans::default(), barrier: Barrier::default(), keeper: None }
    }

    /// A ledger that is kept in a file, and read from it if it is there. The thread that writes it ends after the ledger
    /// is dropped and all is written.
    ///
    /// # Errors
    /// If the file is refused, or cannot be written for another reason than the disk: a server whose disk is full still
    /// starts, with the bans that it has.
    pub fn in_file(path: &Path, log: &Logger) -> Result<(Self, JoinHandle<()>), LedgerError> {
        let bans = file::read(path)?;
        // So that it is known at the start, not at the first ban, whether it can be. One that is there stays as it is.
        let tried = if path.exists() { file::try_out(path, &bans) } else { file::write(path, &bans) };
        let is_failing = tried.is_err();
        match tried {
            Err(error) if error.is_the_disks() => {
                error!(log, "cannot write the bans file; bans made now are lost at the next restart"; "error" => %error);
            }
            tried => tried?,
        }
        let (changes, received) = channel::<Bans>();
        let failing = Arc::new(AtomicBool::new(is_failing));
        let keeper = Keeper { changes, failing: Arc::clone(&failing) };
        let (path, log) = (path.to_owned(), log.clone());
        let thread = std::thread::Builder::new().name("bans".to_owned()).spawn(move || {
            while let Ok(change) = received.recv() {
                // Each change is the whole table: only the last counts.
                let latest = received.try_iter().last().unwrap_or(change);
                let written = file::write(&path, &latest);
                failing.store(written.is_err(), Ordering::Relaxed);
                if let Err(error) = written {
                    error!(log, "cannot write the bans file"; "error" => %error);
                }
            }
        });
        let thread = thread.map_err(LedgerError::Thread)?;
        let barrier = Arc::new(ArcSwap::from_pointee(bans.clone()));
        Ok((Self { bans, barrier, keeper: Some(keeper) }, thread))
    }

    /// What the listeners read.
    #[must_use]
    pub fn barrier(&self) -> Barrier {
        Arc::clone(&self.barrier)
    }

    /// The bans.
    #[must_use]
    pub fn bans(&self) -> &Bans {
        &self.bans
    }

    /// Changes the bans, for everyone who reads them, and has them written.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Bans) -> T) -> T {
        let outcome = change(&mut self.bans);
        self.barrier.store(Arc::new(self.bans.clone()));
        if let Some(keeper) = &self.keeper {
            // The thread is there as long as this is.
            let _ = keeper.changes.send(self.bans.clone());
        }
        outcome
    }

    /// Whether what is banned stays so when the server is started again.
    #[must_use]
    pub fn kept(&self) -> Kept {
        match &self.keeper {
            None => Kept::InMemory,
            Some(keeper) if keeper.failing.load(Ordering::Relaxed) => Kept::Failing,
            Some(_) => Kept::InFile,
        }
    }
}

/// Why there is no ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file is refused.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The thread that writes it could not be had.
    #[error("cannot start: {0}")]
    Thread(std::io::Error),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn target(text: &str) -> Target {
        Target::parse(text, 489).unwrap()
    }

    fn ban(text: &str, until: Option<SystemTime>) -> Ban {
        Ban { target: target(text), until, by: "alan".into(), reason: "rude".into() }
    }

    fn of_name<'b>(bans: &'b Bans, name: &str, now: SystemTime) -> Option<&'b Ban> {
        bans.of_name(&NameKey::of(name), now)
    }

    #[test]
    fn a_ban_holds_for_what_counts_as_the_same_and_until_its_time() {
        let (mut bans, start) = (Bans::default(), SystemTime::now());
        let hour = Duration::from_hours(1);
        bans.add(ban("Bob", Some(start + hour)), start).unwrap();
        bans.add(ban("192.0.2.0/24", None), start).unwrap();
        assert!(of_name(&bans, "BOB", start).is_some());
        assert!(of_name(&bans, "bobby", start).is_none());
        assert!(of_name(&bans, "bob", start + hour).is_none());
        assert!(bans.of_address("192.0.2.7".parse().unwrap(), start + hour).is_some());
        assert!(bans.of_address("192.0.3.7".parse().unwrap(), start).is_none());
        // A name that looks like an address is none, and the other way round.
        assert!(of_name(&bans, "192.0.2.0/24", start).is_none());
    }

    #[test]
    fn a_ban_of_a_name_holds_for_its_looks() {
        let (mut bans, now) = (Bans::default(), SystemTime::now());
        bans.add(ban("mallory", None), now).unwrap();
        bans.add(ban("192.0.2.0/24", None), now).unwrap();
        let of_looks = |name: &str| {
            let looks = crate::protocol::Name::parse(name, 489).unwrap().looks();
            bans.of_looks(&looks, now).map(|ban| ban.target.to_string())
        };
        for alike in ["mallory", "MALLORY", "mallоry", "maIIory", "ma11ory"] {
            assert_eq!(of_looks(alike).as_deref(), Some("mallory"), "{alike}");
        }
        assert_eq!(of_looks("malory"), None);
        assert!(of_name(&bans, "mallоry", now).is_none());
    }

    #[test]
    fn the_later_ban_of_the_same_target_counts_and_can_be_taken_back() {
        let (mut bans, now) = (Bans::default(), SystemTime::now());
        bans.add(ban("bob", None), now).unwrap();
        bans.add(ban("BOB", Some(now + Duration::from_secs(9))), now).unwrap();
        assert_eq!(bans.in_force(now).count(), 1);
        assert!(of_name(&bans, "bob", now + Duration::from_secs(9)).is_none());
        assert_eq!(bans.remove(&target("bOb"), now).unwrap().target.to_string(), "BOB");
        assert_eq!(bans.remove(&target("bob"), now), None);
        assert!(bans.is_empty());
    }

    #[test]
    fn there_are_so_many_and_those_that_are_over_make_room() {
        let (mut bans, start) = (Bans::default(), SystemTime::now());
        for number in 0..MOST_BANS {
            let until = (number == 0).then_some(start + Duration::from_secs(1));
            bans.add(ban(&format!("bob {number}"), until), start).unwrap();
        }
        assert_eq!(bans.add(ban("one more", None), start), Err(Full));
        // One that is there can still be changed.
        assert_eq!(bans.add(ban("bob 7", None), start), Ok(()));
        assert_eq!(bans.add(ban("one more", None), start + Duration::from_secs(1)), Ok(()));
        assert_eq!(bans.list.len(), MOST_BANS);
    }
}
