//! [`Bans`]: which names and addresses are banned, and until when. A plain table, no actor; `bans/file.rs` stores it.

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

use arauto_protocol::{Looks, NameKey, Target, reply};
use arauto_settings::source::SourceError;
use arc_swap::ArcSwap;
use slog::{Logger, error};

pub(crate) mod file;

pub use file::WriteError;

/// Maximum number of bans. Each new connection is checked against all of them.
pub const MAX_BANS: usize = 1000;

/// A ban of a name or of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Ban {
    /// The banned name or network.
    pub target: Target,
    /// End of the ban; `None` is permanent.
    pub until: Option<SystemTime>,
    /// Name of the operator who banned the target; may be empty.
    pub by: Box<str>,
    /// The operator's reason; may be empty.
    pub reason: Box<str>,
}

impl Ban {
    fn holds(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// The end, the operator and the reason, as a text for people.
    #[must_use]
    pub fn terms(&self) -> String {
        reply::terms(self.until, &self.by, &self.reason)
    }
}

/// All bans, oldest first. Clones share the table until one of them changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bans {
    list: Arc<Vec<Ban>>,
}

/// The table holds [`MAX_BANS`] bans already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Bans {
    /// Adds a ban. Replaces a ban of the same target, and removes expired bans.
    ///
    /// # Errors
    /// If [`MAX_BANS`] other bans are in force.
    pub fn add(&mut self, ban: Ban, now: SystemTime) -> Result<(), Full> {
        let list = Arc::make_mut(&mut self.list);
        list.retain(|other| other.holds(now) && !is_same(&other.target, &ban.target));
        if list.len() >= MAX_BANS {
            return Err(Full);
        }
        list.push(ban);
        Ok(())
    }

    /// Removes and returns the ban of this target, if it is in force. Also removes expired bans.
    pub fn remove(&mut self, target: &Target, now: SystemTime) -> Option<Ban> {
        let list = Arc::make_mut(&mut self.list);
        list.retain(|ban| ban.holds(now));
        let place = list.iter().position(|ban| is_same(&ban.target, target))?;
        Some(list.remove(place))
    }

    /// The ban in force of this name.
    #[must_use]
    pub fn of_name(&self, name: &NameKey, now: SystemTime) -> Option<&Ban> {
        let is_it = |ban: &&Ban| matches!(&ban.target, Target::Name { key, .. } if key == name);
        self.in_force(now).find(is_it)
    }

    /// The ban in force of a name that shares one of these looks.
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

    /// The ban in force of a network that contains this address.
    #[must_use]
    pub fn of_address(&self, address: IpAddr, now: SystemTime) -> Option<&Ban> {
        let is_it = |ban: &&Ban| matches!(&ban.target, Target::Network(network) if network.contains(address));
        self.in_force(now).find(is_it)
    }

    /// All bans that have not expired, oldest first.
    pub fn in_force(&self, now: SystemTime) -> impl Iterator<Item = &Ban> {
        self.list.iter().filter(move |ban| ban.holds(now))
    }

    /// All bans, expired ones included, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Ban> {
        self.list.iter()
    }

    /// Whether the table is empty; expired bans that are still in it count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl FromIterator<Ban> for Bans {
    fn from_iter<I: IntoIterator<Item = Ban>>(bans: I) -> Self {
        Self { list: Arc::new(bans.into_iter().collect()) }
    }
}

/// Whether two targets are equal. Names are compared by key, so the way they were typed makes no difference.
fn is_same(one: &Target, other: &Target) -> bool {
    match (one, other) {
        (Target::Name { key: one, .. }, Target::Name { key: other, .. }) => one == other,
        (one, other) => one == other,
    }
}

/// The bans that the listeners check, read without a lock.
pub type Barrier = Arc<ArcSwap<Bans>>;

/// The bans in force, the copy that the listeners read, and the thread that writes the file.
pub struct Ledger {
    bans: Bans,
    barrier: Barrier,
    keeper: Option<Keeper>,
}

/// Handle of the thread that writes bans to a file.
#[derive(Debug)]
struct Keeper {
    changes: Sender<Bans>,
    /// The last write failed, or the trial write at start did.
    failing: Arc<AtomicBool>,
}

/// Whether bans survive a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Yes, as far as is known.
    InFile,
    /// No: no file is configured.
    InMemory,
    /// No: the file could not be written.
    Failing,
}

impl Ledger {
    /// An empty ledger without a file; its bans are lost when the server ends.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { bans: Bans::default(), barrier: Barrier::default(), keeper: None }
    }

    /// A ledger with the bans in the file at `path`, if the file exists, and a thread that writes each change to it.
    /// The thread ends once the ledger is dropped and the last change is written.
    ///
    /// # Errors
    /// If the file is invalid or unreadable, if it cannot be written, or if the thread cannot be started. A write error
    /// of the disk itself (full, over quota, read-only, I/O error) is only logged: the server still starts, with the
    /// bans that it has.
    pub fn in_file(path: &Path, log: &Logger) -> Result<(Self, JoinHandle<()>), LedgerError> {
        let bans = file::read(path)?;
        // Finds out at start, not at the first ban, whether the file can be written. An existing file stays unchanged.
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
                // Each change holds the whole table, so only the last one counts.
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

    /// The copy of the bans that the listeners read.
    #[must_use]
    pub fn barrier(&self) -> Barrier {
        Arc::clone(&self.barrier)
    }

    /// The bans, expired ones included.
    #[must_use]
    pub fn bans(&self) -> &Bans {
        &self.bans
    }

    /// Changes the bans, publishes them to the listeners, and queues them for writing.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Bans) -> T) -> T {
        let outcome = change(&mut self.bans);
        self.barrier.store(Arc::new(self.bans.clone()));
        if let Some(keeper) = &self.keeper {
            // Cannot fail: the thread lives as long as this sender.
            let _ = keeper.changes.send(self.bans.clone());
        }
        outcome
    }

    /// Whether bans made now survive a restart.
    #[must_use]
    pub fn kept(&self) -> Kept {
        match &self.keeper {
            None => Kept::InMemory,
            Some(keeper) if keeper.failing.load(Ordering::Relaxed) => Kept::Failing,
            Some(_) => Kept::InFile,
        }
    }
}

/// Why a ledger could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file is invalid or unreadable.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The thread that writes the file could not be started.
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
        // A name that looks like a network does not match it, and the other way round.
        assert!(of_name(&bans, "192.0.2.0/24", start).is_none());
    }

    #[test]
    fn a_ban_of_a_name_holds_for_its_looks() {
        let (mut bans, now) = (Bans::default(), SystemTime::now());
        bans.add(ban("mallory", None), now).unwrap();
        bans.add(ban("192.0.2.0/24", None), now).unwrap();
        let of_looks = |name: &str| {
            let looks = arauto_protocol::Name::parse(name, 489).unwrap().looks();
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
        for number in 0..MAX_BANS {
            let until = (number == 0).then_some(start + Duration::from_secs(1));
            bans.add(ban(&format!("bob {number}"), until), start).unwrap();
        }
        assert_eq!(bans.add(ban("one more", None), start), Err(Full));
        // A ban in the full table can still be replaced.
        assert_eq!(bans.add(ban("bob 7", None), start), Ok(()));
        assert_eq!(bans.add(ban("one more", None), start + Duration::from_secs(1)), Ok(()));
        assert_eq!(bans.list.len(), MAX_BANS);
    }
}
