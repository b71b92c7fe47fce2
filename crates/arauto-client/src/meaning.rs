//! [`Meaning`]: interprets a received message from the view of its receiver. No IO.

use arauto_protocol::Offer;
use arauto_protocol::message::NO_DATA;

use super::{OwnedMessage, joining::SERVER};

/// Receivers of a chat message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// All clients, including the sender.
    All,
    /// All clients except the sender.
    Others,
    /// Only this client.
    Me,
}

/// The meaning of a message to its receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// A chat message.
    Said {
        /// Sender.
        by: &'a str,
        /// Receivers.
        to: Audience,
        /// Text.
        text: &'a str,
    },
    /// The client's own text, returned by the server.
    Echo(&'a str),
    /// Names of the connected clients in joining order, or a part of that list.
    Clients(Vec<&'a str>),
    /// Names of the connected clients, or a part of that list, for a client that watches. Changes follow.
    Watched {
        /// The names.
        names: Vec<&'a str>,
        /// The part of the list that they are; `None` if the server does not say so, as for a whole list.
        part: Option<ListPart>,
    },
    /// These clients have joined.
    Joined(Vec<&'a str>),
    /// These clients have left.
    Departed(Vec<&'a str>),
    /// A user asks for this client's list of files.
    FilesWanted {
        /// Name of the user.
        by: &'a str,
    },
    /// A user wants to hear a file of this client. The server sends this in the name of that user.
    FileWanted {
        /// Name of the user.
        by: &'a str,
        /// File and destination of the stream: [`arauto_protocol::Summons`].
        data: &'a str,
    },
    /// A list of files, or a part of it.
    Files {
        /// Name of the user who shares them.
        of: &'a str,
        /// The list as that user's client wrote it.
        text: &'a str,
    },
    /// A file that this client asked for can be heard.
    Offered {
        /// Name of the user who shares it.
        by: &'a str,
        /// Addresses of the stream.
        offer: Offer<'a>,
    },
    /// A file that this client asked for cannot be heard.
    NotOffered {
        /// Name of the user who says so.
        by: &'a str,
        /// Reason.
        why: &'a str,
    },
    /// The server refuses a request of this client, for example because it breaks a rule or names an unknown client.
    Refusal {
        /// Operation of the message that carries the refusal. For some refusals, that is the operation refused.
        operation: &'a str,
        /// Reason.
        why: &'a str,
    },
    /// The server refuses to admit this client, or ends its admission. The connection ends.
    NotLetIn(&'a str),
    /// The server confirms `exit`. The connection ends.
    Left,
    /// The server is shutting down.
    ServerClosed,
    /// Any other message from the server, such as the result of a kick or a line of help.
    ServerSays {
        /// Operation of the message.
        operation: &'a str,
        /// Text of the message.
        text: &'a str,
    },
    /// A message with an operation that this client does not know.
    Other,
}

/// The place of a message's names in a list that comes in several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListPart {
    /// Number of the first name, from 1.
    pub first: usize,
    /// Number of the last name.
    pub last: usize,
    /// Number of names in the list.
    pub of: usize,
}

impl ListPart {
    /// Parses the text of a part: its place, and its names.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (place, names) = text.strip_prefix("clients connected, ")?.split_once(": ")?;
        let (first, rest) = place.split_once(" to ")?;
        let (last, of) = rest.split_once(" of ")?;
        let part = Self { first: first.parse().ok()?, last: last.parse().ok()?, of: of.parse().ok()? };
        (1 <= part.first && part.first <= part.last && part.last <= part.of).then_some((part, names))
    }
}

/// Splits a list of names. The report's server leaves a blank after the last one.
fn split_names(list: &str) -> Vec<&str> {
    list.split(BETWEEN_NAMES).map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// Prefix of the text of a list of clients.
const CLIENTS: &str = "clients connected: ";

/// Separator between two names of that list, before blanks are trimmed. Arauto writes a blank on both sides of the
/// comma, the report's server only before it.
pub(super) const BETWEEN_NAMES: &str = " ,";

impl OwnedMessage {
    /// Interprets this message.
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
                Some(names) => Meaning::Clients(split_names(names)),
                None => Meaning::ServerSays { operation, text },
            },
            "watch" => match (text.strip_prefix(CLIENTS), ListPart::parse(text)) {
                (Some(names), _) => Meaning::Watched { names: split_names(names), part: None },
                (None, Some((part, names))) => {
                    Meaning::Watched { names: split_names(names), part: Some(part) }
                }
                (None, None) => Meaning::ServerSays { operation, text },
            },
            "joined" => Meaning::Joined(split_names(text)),
            "left" => Meaning::Departed(split_names(text)),
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
    use arauto_protocol::Message;

    use super::*;

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
            (
                "server | alan | watch | clients connected: a , b",
                Meaning::Watched { names: vec!["a", "b"], part: None },
            ),
            (
                "server | alan | watch | clients connected, 3 to 4 of 12: c , d",
                Meaning::Watched {
                    names: vec!["c", "d"],
                    part: Some(ListPart { first: 3, last: 4, of: 12 }),
                },
            ),
            (
                "server | alan | watch | clients connected, 3 to 2 of 12: c",
                Meaning::ServerSays { operation: "watch", text: "clients connected, 3 to 2 of 12: c" },
            ),
            ("server | all clients | joined | a , b", Meaning::Joined(vec!["a", "b"])),
            ("server | all clients | left | a", Meaning::Departed(vec!["a"])),
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
            let received = OwnedMessage::from(Message::parse(line).unwrap());
            assert_eq!(received.meaning(), meaning, "{line}");
        }
    }
}
