//! [`Journal`]: what the reader of a client records, and what its writer waits for.

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

/// Draws the next stamp. Everything before the draw of a stamp happened before everything after the draw of a greater
/// one, whichever clients drew them.
pub fn tick() -> Stamp {
    static NOW: AtomicU64 = AtomicU64::new(1);
    NOW.fetch_add(1, Ordering::SeqCst)
}

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it can.
    Eager,
    /// At most this many bytes, once in this many milliseconds.
    Trickling(usize, u64),
    /// Not at all.
    Stalled,
}

/// The reader's records so far, and how it is to go on.
#[derive(Debug)]
pub struct Notes {
    pub joined: Option<Stamp>,
    pub heard: Vec<Heard>,
    /// Number of echoes of its own that came back.
    pub echoes: u32,
    /// The server's message if it refused the name.
    pub refused: Option<String>,
    /// Set at the end of the connection: whether it ended in order.
    pub over: Option<bool>,
    /// Bytes of an incomplete line at the end.
    pub rest: Vec<u8>,
    pace: Pace,
    /// Tells the reader to stop.
    stop: bool,
    /// The first line of the greeting, the name request, has arrived.
    greeted: bool,
}

/// The notes of a client, shared by its reader and its writer.
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

    /// Waits until `is_so` or the connection has ended; `false` if neither happens within 2 × [`DEADLINE`].
    pub fn wait(&self, is_so: impl Fn(&Notes) -> bool) -> bool {
        let end = Instant::now() + 2 * DEADLINE;
        let mut notes = self.notes();
        while !is_so(&notes) && notes.over.is_none() {
            let Some(left) = end.checked_duration_since(Instant::now()) else { return false };
            notes = self.changed.wait_timeout(notes, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Changes how the client reads.
    pub fn set_pace(&self, pace: Pace) {
        self.notes().pace = pace;
        self.changed.notify_all();
    }

    /// Tells the reader to stop, even if the connection goes on.
    pub fn stop(&self) {
        self.notes().stop = true;
        self.changed.notify_all();
    }

    /// Waits until the reader may read, and returns the maximum number of bytes for this read; `None` if it must stop.
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

    /// Records a line.
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

    /// Records the end of the connection, with the bytes of an incomplete line.
    pub fn note_end(&self, in_order: bool, rest: Vec<u8>) {
        let mut notes = self.notes();
        notes.over = Some(in_order);
        notes.rest = rest;
        drop(notes);
        self.changed.notify_all();
    }

    /// Classifies a line; `None` if it belongs to the greeting.
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
            || line.starts_with("server | client | connection_error | ")
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
