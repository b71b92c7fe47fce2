//! How the state follows messages from the server.

use std::fmt::Write;

use super::{
    app::App,
    clock::Now,
    entry::{DeliveryState, EntryKind},
    people::Fresh,
    unconfirmed::Settled,
};
use arauto_client::{
    OwnedMessage,
    decoder::Item,
    display_name::{before_text, in_sentence},
    meaning::{Audience, Meaning},
};

/// Maximum number of users who join or leave at once and are named. More are only counted.
const MAX_TOLD: usize = 5;

/// Maximum number of names in one line of the conversation.
const MAX_LISTED: usize = 500;

impl App {
    /// Takes an item from the server.
    pub(super) fn received(&mut self, item: Item, now: Now) {
        self.heard_at = now.at;
        match item {
            Item::Message(message) => self.message(&message, now),
            Item::Noise(line) => self.note(now, &format!("Not a message: {line}")),
        }
    }

    fn message(&mut self, message: &OwnedMessage, now: Now) {
        match message.meaning() {
            Meaning::Said { by, to, text } => self.said(by, to, text, now),
            Meaning::Echo(text) => {
                self.came_back(text);
                match self.people.echo(text) {
                    None if self.unconfirmed.is_mark(text) => {}
                    None => self.say(now, EntryKind::Echo, text),
                    Some(fresh) => self.fresh(&fresh, now),
                }
            }
            Meaning::Clients(names) => self.people.part(&names),
            Meaning::Watched { names, part } => {
                let fresh = self.people.watched(&names, part);
                self.fresh(&fresh, now);
            }
            Meaning::Joined(names) => {
                let fresh = self.people.came(&names);
                self.fresh(&fresh, now);
            }
            Meaning::Departed(names) => {
                let fresh = self.people.departed(&names);
                self.fresh(&fresh, now);
            }
            Meaning::FilesWanted { by } => {
                self.people.heard(by);
                self.answer_files(by, now);
            }
            Meaning::FileWanted { by, data } => {
                self.people.heard(by);
                self.file_wanted(by, data, now);
            }
            Meaning::Files { of, text } => {
                self.people.heard(of);
                self.files(of, text, now);
            }
            Meaning::Offered { by, offer } => {
                self.people.heard(by);
                self.offered(by, &offer, now);
            }
            Meaning::NotOffered { by, why } => self.not_offered(by, why, now),
            Meaning::Refusal { operation, .. } if self.people.is_watch_refused(operation) => {}
            Meaning::Refusal { operation, why } => {
                self.not_played(operation, why);
                // The list of users may be out of date, for example if the reason is that a name is gone.
                self.people.hint();
                self.error(now, why);
                let settled = self.unconfirmed.answered(operation, why, false);
                self.settle(settled);
            }
            Meaning::ServerSays { operation, text } => {
                self.people.hint();
                self.note(now, &format!("server: {text}"));
                let settled = self.unconfirmed.answered(operation, text, true);
                self.settle(settled);
            }
            // The link's last event handles these.
            Meaning::NotLetIn(_) | Meaning::Left | Meaning::ServerClosed => {}
            Meaning::Other => {
                let OwnedMessage { sender, operation, data, .. } = message;
                self.note(
                    now,
                    &format!(
                        "{} sent {operation}, which this client does not know: {data}",
                        in_sentence(sender)
                    ),
                );
            }
        }
    }

    fn said(&mut self, by: &str, to: Audience, text: &str, now: Now) {
        let own = by == self.name;
        self.people.heard(by);
        // The copy shown when the message was sent takes its final place now.
        if own && to != Audience::Others && self.came_back(text) {
            return;
        }
        let (to, private) = match to {
            Audience::All => (None, false),
            Audience::Others => (Some("others".to_owned()), false),
            Audience::Me => (Some(self.name.clone()), true),
        };
        self.say(now, EntryKind::Said { by: by.to_owned(), to, private, own }, text);
    }

    /// Settles the sent messages up to the one that came back with this text: they have arrived. Returns whether the
    /// text is that of a message that is already shown.
    fn came_back(&mut self, text: &str) -> bool {
        let came_back = self.unconfirmed.came_back(text);
        self.settle(came_back.settled);
        came_back.words.is_some()
    }

    /// Shows whether these messages were carried out.
    fn settle(&mut self, all: Vec<Settled>) {
        for Settled { number, is_carried_out } in all {
            let standing = if is_carried_out { DeliveryState::Settled } else { DeliveryState::Refused };
            self.log.settle(number, standing);
        }
    }

    /// Shows which users joined and left according to a new list, and the list itself if the user asked for it.
    fn fresh(&mut self, fresh: &Fresh, now: Now) {
        let Fresh { for_eyes, came, left } = fresh;
        match came.len() + left.len() {
            0 => {}
            1..=MAX_TOLD => {
                for name in came {
                    self.note(now, &format!("{} joined", in_sentence(name)));
                }
                for name in left {
                    self.note(now, &format!("{} left", in_sentence(name)));
                }
            }
            _ => {
                let counts = [(came.len(), "joined"), (left.len(), "left")];
                let counts = counts.iter().filter(|(count, _)| *count > 0);
                let counts: Vec<_> = counts.map(|(count, what)| format!("{count} {what}")).collect();
                self.note(now, &counts.join(", "));
            }
        }
        if *for_eyes {
            let all = self.people.names();
            let names: Vec<_> = all.iter().take(MAX_LISTED).map(|name| before_text(name)).collect();
            let mut text = format!("{} here: {}", all.len(), names.join(", "));
            if let more @ 1.. = all.len() - names.len() {
                // Writing to a string does not fail.
                let _ = write!(text, ", and {more} more; in a shell, arauto list shows all of them");
            }
            self.note(now, &text);
        }
    }
}
