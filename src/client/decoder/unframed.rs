//! [`Unframed`]: messages that nothing ends.
//!
//! Where a message begins is seen by its header: a name, ` | `, a destination that this client can be sent something
//! for (its own name, `all clients`, `client`, `new_client: ...`), ` | `, an operation, ` | `. Where the destination
//! begins is plain. Where the sender's name begins is not: it stands right behind the DATA of the message before. It
//! is taken to begin
//!
//! 1. where a read began, if what stands from there is a known name;
//! 2. else so that it is the longest known name that ends there: `server`, our own, all who sent something or were
//!    listed;
//! 3. else where a read began, because such servers send each message by itself.
//!
//! If none of these is so, it is text of the message before. Besides, silence ends a message.
//!
//! What cannot be told apart: the first message of someone unknown, run together in one read with the message before
//! it (it is shown as that message's text); a sender whose name ends that of another known one, where a message is
//! cut within the name; and a text that has the form of a message: on such a server anyone can put words into
//! anyone's mouth.

use std::{collections::VecDeque, time::Duration};

use bytes::BytesMut;
use memchr::memmem;

use super::{Item, MOST_BYTES};
use crate::client::{Received, joining::SERVER};
use crate::protocol::reply::ALL_CLIENTS;

/// What stands between two fields, always so.
const SEPARATOR: &[u8] = b" | ";

/// A list of clients: the end of its header, the beginning of its text, and the separator of its names, which a blank may follow.
const LIST: &[u8] = b" | list_clients | ";
const CLIENTS: &[u8] = b"clients connected: ";
const LISTED: &[u8] = b" ,";

/// How much silence ends a message. A message is one write of its server: its parts come closer together.
const MESSAGE_ENDS: Duration = Duration::from_millis(100);

/// How much silence ends what looks as if it had to go on.
const GIVEN_UP: Duration = Duration::from_secs(2);

/// The longest name and the longest operation that are looked for, in bytes.
const MOST_FIELD: usize = 128;

/// Names that are known at a time; the one that was learnt first is forgotten first.
const MOST_NAMES: usize = 1024;

/// Reads of one message whose beginnings are known.
const MOST_READS: usize = 256;

/// Cuts bytes without line endings into messages.
#[derive(Debug, Default)]
pub(super) struct Unframed {
    /// Our own; empty as long as we have not said it.
    me: String,
    names: VecDeque<Vec<u8>>,
    /// Where reads began in the bytes that are not decoded yet, in order.
    reads: Vec<usize>,
}

/// A header, found in bytes.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    /// Where the separator after the sender is.
    sender_end: usize,
    /// Where DATA begins.
    data: usize,
}

/// What bytes begin with.
#[derive(Debug, PartialEq, Eq)]
enum Field {
    /// What was looked for ends here.
    Ends(usize),
    /// The bytes end too soon to tell.
    Unfinished,
    Other,
}

impl Unframed {
    pub(super) fn call_me(&mut self, name: &str) {
        name.clone_into(&mut self.me);
    }

    pub(super) fn read_begins(&mut self, at: usize) {
        if self.reads.len() < MOST_READS {
            self.reads.push(at);
        }
    }

    /// Takes a message off the front if another begins behind it.
    pub(super) fn decode(&mut self, bytes: &mut BytesMut) -> Option<Item> {
        let next = first(bytes).and_then(|header| {
            self.start_within(bytes, header.sender_end).or_else(|| {
                // Who it names may be who begins the next.
                self.learn_from(bytes, &header);
                self.next_start(bytes, header.data)
            })
        });
        match next {
            Some(end) => self.take(bytes, end),
            None if bytes.len() > MOST_BYTES => self.take(bytes, bytes.len()),
            None => None,
        }
    }

    /// After how much silence what is there is all there will be.
    pub(super) fn patience(&self, bytes: &[u8]) -> Option<Duration> {
        if bytes.is_empty() {
            return None;
        }
        let whole = first(bytes).is_some_and(|header| !self.may_go_on(bytes, header.data));
        Some(if whole { MESSAGE_ENDS } else { GIVEN_UP })
    }

    /// Takes all there is: nothing follows.
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
            // With the last of a list, which is known to be whole only now.
            self.learn_from(&[&taken, LISTED].concat(), &header);
        }
        item(&taken)
    }

    /// Learns the sender of a message, and if it is a list of who is here, all but the last, which may go on.
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
        if self.names.len() == MOST_NAMES {
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

    /// Where the next message begins, `from` here on.
    fn next_start(&self, bytes: &[u8], from: usize) -> Option<usize> {
        separators(bytes, from).find_map(|end| match self.tail(&bytes[end..]) {
            Field::Ends(_) => self.sender_start(bytes, from, end),
            Field::Unfinished | Field::Other => None,
        })
    }

    /// Whether the bytes end in what may become the header of another message, by someone who is known.
    fn may_go_on(&self, bytes: &[u8], from: usize) -> bool {
        separators(bytes, from).any(|end| {
            self.tail(&bytes[end..]) == Field::Unfinished && self.sender_start(bytes, from, end).is_some()
        })
    }

    /// Where a name begins that ends at `end`, not before `from`.
    fn sender_start(&self, bytes: &[u8], from: usize, end: usize) -> Option<usize> {
        let name_at = |start: usize| (start >= from && start < end).then(|| &bytes[start..end]);
        let mut reads = self.reads.iter().rev().copied().filter(|read| name_at(*read).is_some());
        if let Some(read) = reads.clone().find(|read| name_at(*read).is_some_and(|name| self.knows(name))) {
            return Some(read);
        }
        let before = &bytes[from..end];
        let longest = self.known().filter(|name| before.ends_with(name)).map(<[u8]>::len).max();
        longest.map(|length| end - length).or_else(|| {
            // The last read alone: what the one before began has its sender.
            reads.next().filter(|read| name_at(*read).is_some_and(may_be_name))
        })
    }

    /// Where a known name begins behind the beginning of what looks like a first sender: what is before it is no
    /// message.
    fn start_within(&self, bytes: &[u8], sender_end: usize) -> Option<usize> {
        if self.knows(&bytes[..sender_end]) {
            return None;
        }
        let mut starts = self.reads.iter().copied().filter(|read| (1..sender_end).contains(read));
        starts.find(|start| self.knows(&bytes[*start..sender_end]))
    }

    /// Whether this goes on as a header does behind its sender. `Ends` is where DATA begins.
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

    /// Whether this begins with a destination of ours, and the separator behind it.
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

/// Where separators are.
fn separators(bytes: &[u8], from: usize) -> impl Iterator<Item = usize> {
    memmem::find_iter(&bytes[from..], SEPARATOR).map(move |at| from + at)
}

/// Whether this begins with a field of any text, and the separator behind it.
fn field(bytes: &[u8]) -> Field {
    let most = &bytes[..bytes.len().min(MOST_FIELD + SEPARATOR.len())];
    match memmem::find(most, SEPARATOR) {
        Some(length) if may_be_name(&most[..length]) => Field::Ends(length + SEPARATOR.len()),
        None if most.len() == bytes.len() => {
            // The separator may have begun.
            let text = most.strip_suffix(b" |").unwrap_or(most);
            if text.is_empty() || may_be_name(text) { Field::Unfinished } else { Field::Other }
        }
        _ => Field::Other,
    }
}

/// Whether this could be a name or an operation.
fn may_be_name(text: &[u8]) -> bool {
    let is_fine = |byte: &u8| !byte.is_ascii_control() && *byte != b'|';
    !text.is_empty() && text.len() <= MOST_FIELD && text.iter().all(is_fine)
}

/// The header that these bytes begin with, whoever it is from and for.
fn first(bytes: &[u8]) -> Option<Header> {
    let mut separators = memmem::find_iter(bytes, SEPARATOR);
    let [sender_end, _, operation_end] = [separators.next()?, separators.next()?, separators.next()?];
    Some(Header { sender_end, data: operation_end + SEPARATOR.len() })
}

/// What these bytes say, a line ending at their end left out; nothing if they are empty.
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
            Item::Message(Received { sender, destination, operation, data })
        }
        _ => Item::Noise(text.to_owned()),
    })
}

#[cfg(test)]
mod tests;
