//! [`Meaning`]: what a received message means to the one who received it. No IO.

use super::{Received, joining::SERVER};
use crate::{media::Offer, protocol::message::NO_DATA};

/// To whom something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everyone, the speaker too.
    All,
    /// Everyone but the speaker.
    Others,
    /// Only the one who received it.
    Me,
}

/// What a message means to its receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// Someone speaks.
    Said {
        /// Who.
        by: &'a str,
        /// To whom.
        to: Audience,
        /// What.
        text: &'a str,
    },
    /// One's own words, come back.
    Echo(&'a str),
    /// Who is here, or a part of it: names, in joining order.
    Clients(Vec<&'a str>),
    /// Someone asks for the list of files.
    FilesWanted {
        /// Who.
        by: &'a str,
    },
    /// Someone wants to hear a file. The server says so, in the name of who asked.
    FileWanted {
        /// Who.
        by: &'a str,
        /// Which, and where it is to go: [`crate::media::Summons`].
        data: &'a str,
    },
    /// A list of files, or a part of it.
    Files {
        /// Whose.
        of: &'a str,
        /// As they wrote it.
        text: &'a str,
    },
    /// A file that was asked for is to be heard.
    Offered {
        /// Whose.
        by: &'a str,
        /// Where.
        offer: Offer<'a>,
    },
    /// A file that was asked for is not to be heard.
    NotOffered {
        /// Who says so.
        by: &'a str,
        /// Why.
        why: &'a str,
    },
    /// What was asked for cannot be done; a broken rule, a name that nobody bears.
    Refusal {
        /// Of which operation, where that is known.
        operation: &'a str,
        /// Why.
        why: &'a str,
    },
    /// The server does not let this one in, or no longer. The connection ends.
    NotLetIn(&'a str),
    /// `exit` was carried out. The connection ends.
    Left,
    /// The server ends.
    ServerClosed,
    /// The server says something else: what came of a kick, a line of help.
    ServerSays {
        /// The operation it belongs to.
        operation: &'a str,
        /// The words.
        text: &'a str,
    },
    /// An operation that this client does not know.
    Other,
}

/// What begins the text of a list of clients.
const CLIENTS: &str = "clients connected: ";

/// The separator of two names of it, before blanks are trimmed: Arauto writes a blank on both sides of the comma, the report's
/// server only before it.
pub(super) const BETWEEN_NAMES: &str = " ,";

impl Received {
    /// What this message means to its receiver.
    #[must_use]
    pub fn meaning(&self) -> Meaning<'_> {
        let text = self.data.as_str();
        if self.sender == SERVER {
            return self.of_the_server(text);
        }
        let by = self.sender.as_str();
        match self.operation.as_str() {
            "broadcast" => Meaning::Said { by, to: Audience::All, text },
            "broadcast_not_me" => Meaning::Said { by, to: Audience::Others, text },
            "private_message" => Meaning::Said { by, to: Audience::Me, text },
            "echo" => Meaning::Echo(text),
            "list_files" if text == NO_DATA => Meaning::FilesWanted { by },
            "list_files" => Meaning::Files { of: by, text },
            "play" => match Offer::parse(text) {
                Some(offer) => Meaning::Offered { by, offer },
                None => Meaning::NotOffered { by, why: text },
            },
            "publish" => Meaning::FileWanted { by, data: text },
            _ => Meaning::Other,
        }
    }

    fn of_the_server<'a>(&'a self, text: &'a str) -> Meaning<'a> {
        let operation = self.operation.as_str();
        match operation {
            "broadcast" if text == "server closed" => Meaning::ServerClosed,
            "connection_error" => Meaning::NotLetIn(text),
            "exit" => Meaning::Left,
            "list_clients" => match text.strip_prefix(CLIENTS) {
                // The report's server leaves a blank behind the last.
                Some(names) => {
                    let names = names.split(BETWEEN_NAMES).map(str::trim);
                    Meaning::Clients(names.filter(|name| !name.is_empty()).collect())
                }
                None => Meaning::ServerSays { operation, text },
            },
            "error_message" | "Unknown_operation" | "private_message" | "list_files" | "play" => {
                Meaning::Refusal { operation, why: text }
            }
            "kick" | "ban" | "unban" if text.ends_with("not found!") => {
                Meaning::Refusal { operation, why: text }
            }
            _ => Meaning::ServerSays { operation, text },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Message;

    #[test]
    fn each_message_has_its_meaning() {
        let (all, me) = (Audience::All, Audience::Me);
        for (line, meaning) in [
            ("bob | all clients | broadcast | hi", Meaning::Said { by: "bob", to: all, text: "hi" }),
            ("bob | alan | private_message | hi | ho", Meaning::Said { by: "bob", to: me, text: "hi | ho" }),
            ("alan | alan | echo | hi", Meaning::Echo("hi")),
            ("server | alan | list_clients | clients connected: a , b c", Meaning::Clients(vec!["a", "b c"])),
            ("server | alan | list_clients | clients connected: a ", Meaning::Clients(vec!["a"])),
            (
                "server | alan | list_clients | clients connected: a ,b c ,d ",
                Meaning::Clients(vec!["a", "b c", "d"]),
            ),
            ("server | alan | list_clients | clients connected: a,b , c", Meaning::Clients(vec!["a,b", "c"])),
            ("server | alan | list_clients | clients connected: ", Meaning::Clients(vec![])),
            ("bob | alan | list_files | no data", Meaning::FilesWanted { by: "bob" }),
            ("bob | alan | list_files | a.txt", Meaning::Files { of: "bob", text: "a.txt" }),
            (
                "server | alan | private_message | Destination client (x) not found!",
                Meaning::Refusal { operation: "private_message", why: "Destination client (x) not found!" },
            ),
            ("server | new_client: alan | connection_error | no", Meaning::NotLetIn("no")),
            ("server | alan | exit | client disconnected", Meaning::Left),
            ("server | all clients | broadcast | server closed", Meaning::ServerClosed),
            (
                "bob | all clients | broadcast | server closed",
                Meaning::Said { by: "bob", to: all, text: "server closed" },
            ),
            (
                "server | alan | kick | bob was disconnected",
                Meaning::ServerSays { operation: "kick", text: "bob was disconnected" },
            ),
            (
                "ana | alan | play | rtsp://h/7f3a - a song.mp3",
                Meaning::Offered {
                    by: "ana",
                    offer: Offer { rtsp: "rtsp://h/7f3a", http: None, file: "a song.mp3" },
                },
            ),
            (
                "ana | alan | play | cannot: no such file",
                Meaning::NotOffered { by: "ana", why: "cannot: no such file" },
            ),
            ("server | alan | play | no", Meaning::Refusal { operation: "play", why: "no" }),
            (
                "bob | alan | publish | rtsp://h/1?key=2 a b.mp3",
                Meaning::FileWanted { by: "bob", data: "rtsp://h/1?key=2 a b.mp3" },
            ),
            ("bob | alan | dance | tango", Meaning::Other),
        ] {
            let received = Received::from(Message::parse(line).unwrap());
            assert_eq!(received.meaning(), meaning, "{line}");
        }
    }
}
