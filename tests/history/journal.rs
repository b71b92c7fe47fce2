//! [`Journal`]: what one client's reader notes down, and what its writer waits for.

use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    check::{Heard, Stamp, What},
    letter::{Id, Letter, name},
};
use crate::harness::{DEADLINE, NAME_REQUEST, confirmation};

/// The next moment. What happened before one client took its number happened before all that follows another's greater
/// one.
pub fn tick() -> Stamp {
    static NOW: AtomicU64 = AtomicU64::new(1);
    NOW.fetch_add(1, Ordering::SeqCst)
}

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it can.
    Eager,
    /// So many bytes in so many milliseconds.
    Trickling(usize, u64),
    /// Not at all.
    Stalled,
}

/// What was noted.
#[derive(Debug)]
pub struct Notes {
    pub joined: Option<Stamp>,
    pub heard: Vec<Heard>,
    /// How many of its own echoes came back.
    pub echoes: u32,
    /// Why its name was refused.
    pub refused: Option<String>,
    /// Nothing more comes. `true` if the connection was ended in order.
    pub over: Option<bool>,
    /// What came last and is no whole line.
    pub rest: Vec<u8>,
    pace: Pace,
    /// The reader is to stop.
    stop: bool,
    /// Lines of the greeting that came.
    greeted: bool,
}

/// One client's notes, shared by its reader and its writer.
pub struct Journal {
    id: Id,
    notes: Mutex<Notes>,
    changed: Condvar,
}

impl Journal {
    pub fn new(id: Id) -> Self {
        let notes = Notes {
            joined: None,
            heard: Vec::new(),
            echoes: 0,
            refused: None,
            over: None,
            rest: Vec::new(),
            pace: Pace::Eager,
            stop: false,
            greeted: false,
        };
        Self { id, notes: Mutex::new(notes), changed: Condvar::new() }
    }

    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until that is so, or nothing more comes; `false` if neither is in time.
    pub fn wait(&self, is_so: impl Fn(&Notes) -> bool) -> bool {
        let end = Instant::now() + 2 * DEADLINE;
        let mut notes = self.notes();
        while !is_so(&notes) && notes.over.is_none() {
            let Some(left) = end.checked_duration_since(Instant::now()) else { return false };
            notes = self.changed.wait_timeout(notes, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// How it reads from here on.
    pub fn set_pace(&self, pace: Pace) {
        self.notes().pace = pace;
        self.changed.notify_all();
    }

    /// The reader is to stop, whatever comes.
    pub fn stop(&self) {
        self.notes().stop = true;
        self.changed.notify_all();
    }

    /// How many bytes the reader may take now, once it may take any; `None` if it is to stop.
    pub fn turn(&self, most: usize) -> Option<usize> {
        let mut notes = self.notes();
        let mut rested = false;
        loop {
            let rest = match notes.pace {
                _ if notes.stop => return None,
                Pace::Eager => return Some(most),
                Pace::Trickling(bytes, _) if rested => return Some(bytes),
                Pace::Trickling(_, every) => Duration::from_millis(every),
                Pace::Stalled => DEADLINE,
            };
            let (guard, waited) =
                self.changed.wait_timeout(notes, rest).unwrap_or_else(PoisonError::into_inner);
            notes = guard;
            rested = waited.timed_out();
        }
    }

    /// Notes a line.
    pub fn note(&self, line: &[u8]) {
        let what = self.understand(line);
        let mut notes = self.notes();
        let at = tick();
        match what {
            Some(what) => {
                if let What::Letter(Letter { from, to: super::letter::To::Myself, .. }) = &what
                    && *from == self.id
                {
                    notes.echoes += 1;
                }
                notes.heard.push(Heard { at, what });
            }
            None if !notes.greeted => notes.greeted = true,
            None if line == confirmation(&name(self.id.slot)).as_bytes() => notes.joined = Some(at),
            None => notes.refused = Some(String::from_utf8_lossy(line).into_owned()),
        }
        drop(notes);
        self.changed.notify_all();
    }

    /// Notes the end.
    pub fn note_end(&self, in_order: bool, rest: Vec<u8>) {
        let mut notes = self.notes();
        notes.over = Some(in_order);
        notes.rest = rest;
        drop(notes);
        self.changed.notify_all();
    }

    /// What a line is; `None` if it belongs to the greeting.
    fn understand(&self, line: &[u8]) -> Option<What> {
        let Ok(line) = str::from_utf8(line) else {
            return Some(What::Strange(line.escape_ascii().to_string()));
        };
        let me = name(self.id.slot);
        if let Some(letter) = Letter::read(line) {
            return Some(What::Letter(letter));
        }
        if line == NAME_REQUEST
            || line == confirmation(&me)
            || line.starts_with(&format!("server | new_client: {me} | connection_error | "))
        {
            return None;
        }
        let not_found = format!("server | {me} | private_message | Destination client (c");
        if let Some(slot) = line.strip_prefix(&not_found).and_then(|rest| rest.strip_suffix(") not found!"))
            && let Ok(slot) = slot.parse()
        {
            return Some(What::NotFound(slot));
        }
        let was_cut = line.starts_with(&format!("server | {me} | error_message | You were disconnected"));
        Some(if was_cut {
            What::Cut(line.to_owned())
        } else if line == format!("server | {me} | exit | client disconnected") {
            What::Goodbye
        } else if line == "server | all clients | broadcast | server closed" {
            What::Closed
        } else {
            What::Strange(line.to_owned())
        })
    }
}
