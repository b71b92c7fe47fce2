//! [`Log`]: the conversation so far, bounded, and which part of it is in view. No drawing: callers tell the height of
//! entries.

use std::collections::VecDeque;

use super::entry::{DeliveryState, LogEntry};

/// Maximum number of entries.
pub const MAX_ENTRIES: usize = 10_000;
/// Maximum memory of all entries in bytes. The newest entry stays even if it is larger.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The part of the conversation in view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// At the newest entry, also when entries are added.
    Following,
    /// At an older entry: the lowest row in view is this row of this entry (rows counted from 1).
    At {
        /// The entry's number.
        number: u64,
        /// Number of its rows that are above the lower edge.
        rows: usize,
    },
}

/// The conversation so far.
#[derive(Debug)]
pub struct Log {
    entries: VecDeque<LogEntry>,
    /// Number of the oldest entry. Entries are numbered in sequence.
    first: u64,
    bytes: usize,
    /// How many of the newest entries are the user's own messages that have not come back yet. New entries are
    /// inserted above them, so that the user's messages end at the place that they have for all clients.
    waiting: usize,
    view: View,
    /// Number of entries that came while an older entry was in view.
    unseen: u64,
    /// The first entry that came while the user did not look: a rule is drawn above it.
    mark: Option<u64>,
    /// Whether the terminal does not have the keyboard focus.
    is_unfocused: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            bytes: 0,
            waiting: 0,
            view: View::Following,
            unseen: 0,
            mark: None,
            is_unfocused: false,
        }
    }
}

impl Log {
    /// Adds a message of the user that will come back, below all other entries.
    pub fn push_waiting(&mut self, entry: LogEntry) {
        let above = std::mem::take(&mut self.waiting);
        self.push(entry);
        self.waiting = above.saturating_add(1).min(self.entries.len());
    }

    /// Sets the standing of the user's message with this number, which came back or never will. A message that waits
    /// below all other entries takes its final place.
    pub fn settle(&mut self, number: u64, standing: DeliveryState) {
        let is_it = |entry: &LogEntry| entry.standing == DeliveryState::Waiting(number);
        let Some(place) = self.entries.iter().rposition(is_it) else { return };
        let first_waiting = self.entries.len() - self.waiting;
        if place < first_waiting {
            self.entries[place].standing = standing;
        } else if let Some(entry) = self.entries.remove(place) {
            self.entries.insert(first_waiting, LogEntry { standing, ..entry });
            self.waiting -= 1;
        }
    }

    /// Adds an entry. The oldest entries are dropped where there are too many.
    pub fn push(&mut self, entry: LogEntry) {
        self.bytes += entry.bytes();
        let place = self.entries.len() - self.waiting;
        self.entries.insert(place, entry);
        if self.view != View::Following {
            self.unseen += 1;
        }
        if (self.view != View::Following || self.is_unfocused) && self.mark.is_none() {
            self.mark = Some(self.first + place as u64);
        }
        while self.entries.len() > MAX_ENTRIES || (self.bytes > MAX_BYTES && self.entries.len() > 1) {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= oldest.bytes();
                self.first += 1;
            }
        }
        self.waiting = self.waiting.min(self.entries.len());
        if let View::At { number, .. } = self.view
            && number < self.first
        {
            // The entry in view was dropped.
            self.view = View::At { number: self.first, rows: usize::MAX };
        }
    }

    /// Number of entries below the view that the user has not seen.
    #[must_use]
    pub fn unread(&self) -> u64 {
        match self.view {
            View::Following => 0,
            View::At { number, .. } => self.unseen.min(self.end().saturating_sub(number + 1)),
        }
    }

    /// Whether the newest entry is in view.
    #[must_use]
    pub fn is_following(&self) -> bool {
        self.view == View::Following
    }

    /// Records whether the terminal has the keyboard focus.
    pub fn focus(&mut self, is_focused: bool) {
        if !is_focused && !self.is_unfocused {
            self.look_away();
        }
        self.is_unfocused = !is_focused;
    }

    /// Removes the rule above new entries.
    pub fn all_is_seen(&mut self) {
        self.mark = None;
    }

    /// Called when the user stops looking at the newest entries: those in view count as seen, and what comes later is
    /// new.
    fn look_away(&mut self) {
        if self.view == View::Following && !self.is_unfocused {
            self.mark = None;
        }
    }

    /// The entries from the lower edge upwards: each with the number of its rows above that edge, and whether the
    /// first of these is the rule above new entries. `height`: rows of an entry without the rule.
    pub fn visible(
        &self,
        height: impl Fn(&LogEntry) -> usize,
    ) -> impl Iterator<Item = (&LogEntry, usize, bool)> {
        let (number, rows) = self.lowest();
        let above = self.entries.iter().take(self.index(number + 1)).rev();
        (0..).zip(above).map(move |(place, entry)| {
            let is_marked = self.mark == Some(number - place);
            let all = height(entry) + usize::from(is_marked);
            (entry, if place == 0 { all.min(rows) } else { all }, is_marked)
        })
    }

    /// Number of rows of an entry, including the rule above it.
    fn rows(&self, number: u64, height: &impl Fn(&LogEntry) -> usize) -> usize {
        self.get(number).map_or(1, height) + usize::from(self.mark == Some(number))
    }

    /// Scrolls up by `by` rows, as far as there are any. `pane`: number of rows in view.
    pub fn up(&mut self, by: usize, pane: usize, height: impl Fn(&LogEntry) -> usize) {
        if self.entries.is_empty() {
            return;
        }
        self.look_away();
        let (mut number, mut rows) = self.lowest();
        rows = rows.min(self.rows(number, &height));
        for _ in 0..by {
            if rows > 1 {
                rows -= 1;
            } else if number > self.first {
                number -= 1;
                rows = self.rows(number, &height);
            }
        }
        // The view stops when the oldest entry is at the top.
        let mut filled = 0;
        for place in self.first..self.end() {
            let all = self.rows(place, &height);
            if filled + all >= pane {
                let least = (place, pane - filled);
                (number, rows) = (number, rows).max(least);
                break;
            }
            filled += all;
            if place + 1 == self.end() {
                // All entries fit.
                (number, rows) = (place, all);
            }
        }
        self.look_at(number, rows, height);
    }

    /// Scrolls down by `by` rows, at most to the newest entry.
    pub fn down(&mut self, by: usize, height: impl Fn(&LogEntry) -> usize) {
        let (mut number, mut rows) = self.lowest();
        for _ in 0..by {
            if rows < self.rows(number, &height) {
                rows += 1;
            } else if number + 1 < self.end() {
                number += 1;
                rows = 1;
            } else {
                break;
            }
        }
        self.look_at(number, rows, height);
    }

    /// Scrolls to the oldest entry.
    pub fn look_at_oldest(&mut self, pane: usize, height: impl Fn(&LogEntry) -> usize) {
        self.look_away();
        self.view = View::At { number: self.first, rows: 1 };
        self.up(1, pane, height);
    }

    /// Scrolls to the newest entry, and follows from then on.
    pub fn follow(&mut self) {
        self.view = View::Following;
        self.unseen = 0;
    }

    fn look_at(&mut self, number: u64, rows: usize, height: impl Fn(&LogEntry) -> usize) {
        let is_whole = rows >= self.rows(number, &height);
        if is_whole && number + 1 >= self.end() {
            self.follow();
            return;
        }
        // The entry is in view as a whole, and stays so if a narrower screen makes it higher.
        self.view = View::At { number, rows: if is_whole { usize::MAX } else { rows } };
    }

    /// The lowest entry in view, and how many of its rows are above the lower edge.
    fn lowest(&self) -> (u64, usize) {
        match self.view {
            View::Following => (self.end().saturating_sub(1), usize::MAX),
            View::At { number, rows } => (number, rows),
        }
    }

    /// The number after that of the newest entry.
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    fn index(&self, number: u64) -> usize {
        usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }

    fn get(&self, number: u64) -> Option<&LogEntry> {
        self.entries.get(self.index(number))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            clock::Clock,
            entry::{EntryKind, LogEntry},
        },
        *,
    };

    fn entry(text: &str) -> LogEntry {
        let (clock, text) = (Clock { hour: 1, minute: 2 }, text.to_owned());
        LogEntry { clock, kind: EntryKind::Notice, text, standing: DeliveryState::Settled }
    }

    fn waiting(text: &str, number: u64) -> LogEntry {
        LogEntry { standing: DeliveryState::Waiting(number), ..entry(text) }
    }

    /// The height of an entry in these tests: a row for each word.
    fn height(entry: &LogEntry) -> usize {
        entry.text.split(' ').count()
    }

    /// The content of a pane of 3 rows, from the top.
    fn shown(log: &Log) -> String {
        let mut rows = Vec::new();
        for (entry, count, is_marked) in log.visible(height) {
            let words = is_marked.then_some("--").into_iter().chain(entry.text.split(' '));
            rows.extend(words.take(count).collect::<Vec<_>>().into_iter().rev());
        }
        rows.truncate(3);
        rows.reverse();
        rows.join(" ")
    }

    #[test]
    fn looking_back_and_forth() {
        let mut log = Log::default();
        log.up(1, 3, height);
        assert!(log.is_following());
        for text in ["a", "b1 b2", "c", "d1 d2 d3"] {
            log.push(entry(text));
        }
        assert_eq!(shown(&log), "d1 d2 d3");
        log.up(1, 3, height);
        assert_eq!(shown(&log), "c d1 d2");
        log.push(entry("e"));
        log.push(entry("f"));
        assert_eq!((shown(&log).as_str(), log.unread()), ("c d1 d2", 2));
        log.up(99, 3, height);
        assert_eq!((shown(&log).as_str(), log.unread()), ("a b1 b2", 2));
        log.down(1, height);
        assert_eq!(shown(&log), "b1 b2 c");
        log.down(5, height);
        assert_eq!((shown(&log).as_str(), log.unread()), ("d3 -- e", 1));
        log.down(99, height);
        assert!(log.is_following());
        assert_eq!((shown(&log).as_str(), log.unread()), ("-- e f", 0));
        log.look_at_oldest(3, height);
        assert_eq!(shown(&log), "a b1 b2");
        log.follow();
        assert_eq!(shown(&log), "d3 e f", "what was new was seen before one looked away");
    }

    #[test]
    fn what_is_new_has_a_mark_until_one_looks_away_or_speaks() {
        let mut log = Log::default();
        log.push(entry("a"));
        log.focus(false);
        log.push(entry("b"));
        log.push(entry("c"));
        assert_eq!(shown(&log), "-- b c");
        log.focus(true);
        log.push(entry("d"));
        log.up(1, 3, height);
        log.follow();
        log.focus(false);
        log.push(entry("e"));
        assert_eq!(shown(&log), "d -- e");
        log.focus(false);
        log.focus(true);
        log.all_is_seen();
        assert_eq!(shown(&log), "c d e");
    }

    #[test]
    fn own_words_wait_below_and_take_their_place_when_they_come_back() {
        let mut log = Log::default();
        log.push(entry("a"));
        log.push_waiting(waiting("mine", 0));
        log.push_waiting(waiting("too", 1));
        log.push(waiting("private", 2));
        assert_eq!(shown(&log), "private mine too");
        log.settle(2, DeliveryState::Settled);
        log.push(entry("b"));
        assert_eq!(shown(&log), "b mine too");
        log.settle(0, DeliveryState::Settled);
        log.push(entry("c"));
        assert_eq!(shown(&log), "mine c too");
        log.settle(1, DeliveryState::Unknown);
        log.settle(7, DeliveryState::Settled);
        log.push(entry("d"));
        assert_eq!(shown(&log), "c too d");
        let standing: Vec<_> = log.entries.iter().map(|entry| entry.standing).collect();
        assert_eq!(standing.iter().filter(|standing| **standing != DeliveryState::Settled).count(), 1);
        log.focus(false);
        log.push_waiting(waiting("mine", 3));
        log.push(entry("e"));
        log.push(entry("f"));
        assert_eq!(shown(&log), "e f mine");
    }

    #[test]
    fn less_than_a_pane_stays_where_it_is() {
        let mut log = Log::default();
        log.push(entry("a"));
        log.push(entry("b"));
        log.up(5, 3, height);
        assert!(log.is_following());
        log.look_at_oldest(3, height);
        assert!(log.is_following());
    }

    #[test]
    fn the_oldest_go() {
        let mut log = Log::default();
        log.push(entry("first"));
        log.push(entry("second"));
        log.push(entry("third"));
        log.push(entry("fourth"));
        log.up(1, 3, height);
        assert_eq!(shown(&log), "first second third");
        for number in 0..MAX_ENTRIES + 5 {
            log.push(entry(&number.to_string()));
        }
        assert_eq!(log.entries.len(), MAX_ENTRIES);
        assert_eq!(shown(&log), "5");
        assert_eq!(log.unread(), MAX_ENTRIES as u64 - 1);
        log.push(entry(&"x".repeat(MAX_BYTES)));
        assert_eq!(log.entries.len(), 1);
    }
}
