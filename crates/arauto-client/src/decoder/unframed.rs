//! [`Unframed`]: finds the messages in a stream without line endings.
//!
//! A message begins with a header: a name, ` | `, a destination that a message to this client can have (its own name,
//! `all clients`, `client`, `new_client: ...`), ` | `, an operation, ` | `. The start of the destination is
//! unambiguous. The start of the sender's name is not, because it follows the DATA of the preceding message directly.
//! The decoder takes the name to begin, in this order of preference,
//!
//! 1. where a read began, if the bytes from there form a known name;
//! 2. at the longest known name that ends there: `server`, this client's own name, and the names of all clients that
//!    sent something or were listed;
//! 3. where a read began, because such servers send each message by itself.
//!
//! If none applies, the bytes belong to the text of the preceding message. Silence ends a message, too.
//!
//! Three cases cannot be told apart: the first message of an unknown sender in the same read as the message before
//! it, which is shown as text of that message; a sender whose name is the end of another known name, if a read ends
//! within the name; and a text that has the form of a message, so that on such a server any user can forge messages
//! of any other.

use std::{collections::VecDeque, time::Duration};

use arauto_protocol::reply::ALL_CLIENTS;
use bytes::BytesMut;
use memchr::memmem;

use super::{Item, MAX_BYTES};
use crate::{OwnedMessage, joining::SERVER};

/// Separator between two fields.
const SEPARATOR: &[u8] = b" | ";

/// A list of clients: the end of its header, the beginning of its text, and the separator of its names, which may be
/// followed by a blank.
const LIST: &[u8] = b" | list_clients | ";
const CLIENTS: &[u8] = b"clients connected: ";
const LISTED: &[u8] = b" ,";

/// Silence that ends a message. Its server sends a message in one write, so its parts arrive closer together than
/// this.
const MESSAGE_TIMEOUT: Duration = Duration::from_millis(100);

/// Silence that ends a message which looks incomplete.
const INCOMPLETE_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest name and longest operation that are recognised, in bytes.
const MAX_FIELD: usize = 128;

/// Maximum number of known names; the name learnt first is forgotten first.
const MAX_NAMES: usize = 1024;

/// Maximum number of read offsets kept for the undecoded bytes.
const MAX_READS: usize = 256;

/// Cuts bytes without line endings into messages.
#[derive(Debug, Default)]
pub(super) struct Unframed {
    /// This client's name; empty until it was sent.
    me: String,
    names: VecDeque<Vec<u8>>,
    /// Offsets in the undecoded bytes at which reads began, ascending.
    reads: Vec<usize>,
}

/// A header found in bytes.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    /// Offset of the separator after the sender.
    sender_end: usize,
    /// Offset of DATA.
    data: usize,
}

/// Result of matching a field at the beginning of bytes.
#[derive(Debug, PartialEq, Eq)]
enum Field {
    /// The field matches and ends at this offset.
    Ends(usize),
    /// The bytes end too early to tell.
    Unfinished,
    Other,
}

impl Unframed {
    pub(super) fn call_me(&mut self, name: &str) {
        name.clone_into(&mut self.me);
    }

    pub(super) fn read_begins(&mut self, at: usize) {
        if self.reads.len() < MAX_READS {
            self.reads.push(at);
        }
    }

    /// Takes a message off the front if another begins behind it.
    pub(super) fn decode(&mut self, bytes: &mut BytesMut) -> Option<Item> {
        let next = first(bytes).and_then(|header| {
            self.start_within(bytes, header.sender_end).or_else(|| {
                // The next message may come from a client that this one names.
                self.learn_from(bytes, &header);
                self.next_start(bytes, header.data)
            })
        });
        match next {
            Some(end) => self.take(bytes, end),
            None if bytes.len() > MAX_BYTES => self.take(bytes, bytes.len()),
            None => None,
        }
    }

    /// Returns how long a silence has to last for the buffered bytes to count as complete.
    pub(super) fn silence_timeout(&self, bytes: &[u8]) -> Option<Duration> {
        if bytes.is_empty() {
            return None;
        }
        let whole = first(bytes).is_some_and(|header| !self.may_go_on(bytes, header.data));
        Some(if whole { MESSAGE_TIMEOUT } else { INCOMPLETE_TIMEOUT })
    }

    /// Takes all buffered bytes as one message, because nothing follows.
    pub(super) fn rest(&mut self, bytes: &mut BytesMut) -> Option<Item> {
        if bytes.is_empty() { None } else { self.take(bytes, bytes.len()) }
    }

    fn take(&mut self, bytes: &mut BytesMut, end: usize) -> Option<Item> {
        let taken = bytes.split_to(end);
        self.reads.retain_mut(|read| {
            let stays = *read >= end;
            *read = read.saturating_sub(end);
            stays
        });
        if let Some(header) = first(&taken) {
            // Appending the separator also learns the last name of a list, which is known to be whole only now.
            self.learn_from(&[&taken, LISTED].concat(), &header);
        }
        item(&taken)
    }

    /// Learns the sender of a message and, from a list of clients, all names but the last, which may be incomplete.
    fn learn_from(&mut self, bytes: &[u8], header: &Header) {
        self.learn(&bytes[..header.sender_end]);
        let is_list = bytes.starts_with(SERVER.as_bytes()) && bytes[..header.data].ends_with(LIST);
        let Some(names) = bytes[header.data..].strip_prefix(CLIENTS).filter(|_| is_list) else { return };
        let mut start = 0;
        for end in memmem::find_iter(names, LISTED) {
            self.learn(names[start..end].trim_ascii());
            start = end + LISTED.len();
        }
    }

    fn learn(&mut self, name: &[u8]) {
        if !may_be_name(name) || self.knows(name) {
            return;
        }
        if self.names.len() == MAX_NAMES {
            self.names.pop_front();
        }
        self.names.push_back(name.to_owned());
    }

    fn known(&self) -> impl Iterator<Item = &[u8]> {
        let always = [SERVER.as_bytes(), self.me.as_bytes()].into_iter();
        always.filter(|name| !name.is_empty()).chain(self.names.iter().map(Vec::as_slice))
    }

    fn knows(&self, name: &[u8]) -> bool {
        self.known().any(|known| known == name)
    }

    /// Returns the offset of the next message, at or after `from`.
    fn next_start(&self, bytes: &[u8], from: usize) -> Option<usize> {
        separators(bytes, from).find_map(|end| match self.tail(&bytes[end..]) {
            Field::Ends(_) => self.sender_start(bytes, from, end),
            Field::Unfinished | Field::Other => None,
        })
    }

    /// Whether the bytes end in an incomplete header of another message by a known sender.
    fn may_go_on(&self, bytes: &[u8], from: usize) -> bool {
        separators(bytes, from).any(|end| {
            self.tail(&bytes[end..]) == Field::Unfinished && self.sender_start(bytes, from, end).is_some()
        })
    }

    /// Returns the offset of the name that ends at `end`; at least `from`.
    fn sender_start(&self, bytes: &[u8], from: usize, end: usize) -> Option<usize> {
        let name_at = |start: usize| (start >= from && start < end).then(|| &bytes[start..end]);
        let mut reads = self.reads.iter().rev().copied().filter(|read| name_at(*read).is_some());
        if let Some(read) = reads.clone().find(|read| name_at(*read).is_some_and(|name| self.knows(name))) {
            return Some(read);
        }
        let before = &bytes[from..end];
        let longest = self.known().filter(|name| before.ends_with(name)).map(<[u8]>::len).max();
        longest.map(|length| end - length).or_else(|| {
            // Only the last read counts: a message that an earlier read began has its sender already.
            reads.next().filter(|read| name_at(*read).is_some_and(may_be_name))
        })
    }

    /// Returns the offset of a known name inside what looks like the first sender. The bytes before it are not a
    /// message.
    fn start_within(&self, bytes: &[u8], sender_end: usize) -> Option<usize> {
        if self.knows(&bytes[..sender_end]) {
            return None;
        }
        let mut starts = self.reads.iter().copied().filter(|read| (1..sender_end).contains(read));
        starts.find(|start| self.knows(&bytes[*start..sender_end]))
    }

    /// Whether the bytes continue as a header does after its sender. `Ends` holds the offset of DATA.
    fn tail(&self, bytes: &[u8]) -> Field {
        let Some(rest) = bytes.strip_prefix(SEPARATOR) else { return Field::Other };
        let destination = match self.destination(rest) {
            Field::Ends(end) => end,
            other => return other,
        };
        let operation = &rest[destination..];
        match field(operation) {
            Field::Ends(end) => Field::Ends(SEPARATOR.len() + destination + end),
            other => other,
        }
    }

    /// Whether the bytes begin with a destination of a message to this client, and the separator after it.
    fn destination(&self, bytes: &[u8]) -> Field {
        let mut unfinished = false;
        for name in [self.me.as_bytes(), ALL_CLIENTS.as_bytes(), b"client"] {
            if name.is_empty() {
                continue;
            }
            let wanted = [name, SEPARATOR].concat();
            if bytes.starts_with(&wanted) {
                return Field::Ends(wanted.len());
            }
            unfinished |= wanted.starts_with(bytes);
        }
        let refused = b"new_client: ";
        if bytes.starts_with(refused) {
            return field(bytes);
        }
        if unfinished || refused.starts_with(bytes) { Field::Unfinished } else { Field::Other }
    }
}

/// Returns the offsets of the separators from `from` on.
fn separators(bytes: &[u8], from: usize) -> impl Iterator<Item = usize> {
    memmem::find_iter(&bytes[from..], SEPARATOR).map(move |at| from + at)
}

/// Whether the bytes begin with a field of any text, and the separator after it.
fn field(bytes: &[u8]) -> Field {
    let most = &bytes[..bytes.len().min(MAX_FIELD + SEPARATOR.len())];
    match memmem::find(most, SEPARATOR) {
        Some(length) if may_be_name(&most[..length]) => Field::Ends(length + SEPARATOR.len()),
        None if most.len() == bytes.len() => {
            // The bytes may end within the separator.
            let text = most.strip_suffix(b" |").unwrap_or(most);
            if text.is_empty() || may_be_name(text) { Field::Unfinished } else { Field::Other }
        }
        _ => Field::Other,
    }
}

/// Whether the text could be a name or an operation.
fn may_be_name(text: &[u8]) -> bool {
    let is_fine = |byte: &u8| !byte.is_ascii_control() && *byte != b'|';
    !text.is_empty() && text.len() <= MAX_FIELD && text.iter().all(is_fine)
}

/// Returns the header at the beginning of the bytes, whatever its sender and destination.
fn first(bytes: &[u8]) -> Option<Header> {
    let mut separators = memmem::find_iter(bytes, SEPARATOR);
    let [sender_end, _, operation_end] = [separators.next()?, separators.next()?, separators.next()?];
    Some(Header { sender_end, data: operation_end + SEPARATOR.len() })
}

/// Parses the bytes, without a line ending at either end. `None` if they are empty.
fn item(bytes: &[u8]) -> Option<Item> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(['\r', '\n', '\0']);
    if text.is_empty() {
        return None;
    }
    let mut fields = text.splitn(4, " | ").map(str::to_owned);
    let mut next = || fields.next();
    Some(match (next(), next(), next(), next()) {
        (Some(sender), Some(destination), Some(operation), Some(data)) => {
            Item::Message(OwnedMessage { sender, destination, operation, data })
        }
        _ => Item::Noise(text.to_owned()),
    })
}

#[cfg(test)]
mod tests;
