//! [`Operation`]: the operations of the protocol, their spellings, and a guess at mistyped ones.

/// An operation of the protocol. A table holds the properties of each.
///
/// ```
/// use arauto_protocol::Operation;
///
/// let operation = Operation::PrivateMessage;
/// assert_eq!(operation.wire(), "private_message");
/// assert_eq!(operation.short(), "msg");
/// assert_eq!(operation.typed(), "/msg bob hi");
/// assert!(Operation::Ban.is_for_operators());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Operation {
    /// Returns the text to its sender.
    Echo,
    /// Sends a text to all clients, including the sender.
    Broadcast,
    /// Sends a text to all clients except the sender.
    BroadcastNotMe,
    /// Sends a text to one user.
    PrivateMessage,
    /// Lists the connected clients.
    ListClients,
    /// Lists the connected clients, and sends who joins and leaves from then on.
    Watch,
    /// Ends [`Self::Watch`].
    Unwatch,
    /// Begins each line with its number and time, or no longer does.
    Tags,
    /// Lists the files that a user shares. That user's client answers.
    ListFiles,
    /// Plays a file that a user shares. That user's client sends it.
    Play,
    /// Lists the streams.
    ListStreams,
    /// Ends a stream.
    Stop,
    /// Leaves the server.
    Exit,
    /// Closes the server for all clients.
    CloseServer,
    /// Disconnects a user.
    Kick,
    /// Disconnects a user, or all clients from an address, and refuses them from then on.
    Ban,
    /// Lifts a ban.
    Unban,
    /// Lists the bans.
    ListBans,
    /// Lists the operations, one per message.
    Help,
    /// Asks a client to send a file that another user requested. Only the server sends it.
    Publish,
    /// Returns the limits of messages and names, for programs.
    Limits,
}

/// A row of the table of operations.
struct Row {
    operation: Operation,
    /// The OPERATION field of a message.
    wire: &'static str,
    /// The short form without the slash.
    short: &'static str,
    /// An example to type, shown by help and in error messages.
    typed: &'static str,
    /// A short description for help.
    does: &'static str,
    /// Other words that users try for it.
    also: &'static [&'static str],
}

/// Every operation, in the order of the enum: [`Operation::row`] uses the variant as the index.
const TABLE: [Row; 21] = [
    Row {
        operation: Operation::Echo,
        wire: "echo",
        short: "echo",
        typed: "/echo hi",
        does: "back to yourself",
        also: &["ping"],
    },
    Row {
        operation: Operation::Broadcast,
        wire: "broadcast",
        short: "all",
        typed: "/all hi",
        does: "to everyone, you too",
        also: &["say", "everyone", "all clients"],
    },
    Row {
        operation: Operation::BroadcastNotMe,
        wire: "broadcast_not_me",
        short: "others",
        typed: "/others hi",
        does: "to everyone but you",
        also: &["other"],
    },
    Row {
        operation: Operation::PrivateMessage,
        wire: "private_message",
        short: "msg",
        typed: "/msg bob hi",
        does: "to one user; a name with blanks goes in quotes",
        also: &["private", "message", "pm", "privmsg", "whisper", "tell"],
    },
    Row {
        operation: Operation::ListClients,
        wire: "list_clients",
        short: "list",
        typed: "/list",
        does: "who is connected",
        also: &["clients", "who", "users", "names"],
    },
    Row {
        operation: Operation::Watch,
        wire: "watch",
        short: "watch",
        typed: "/watch",
        does: "who is connected, and from then on who comes and goes",
        also: &["presence", "notify"],
    },
    Row {
        operation: Operation::Unwatch,
        wire: "unwatch",
        short: "unwatch",
        typed: "/unwatch",
        does: "end /watch",
        also: &[],
    },
    Row {
        operation: Operation::Tags,
        wire: "tags",
        short: "tags",
        typed: "/tags on",
        does: "begin each line with its number and time; off ends it",
        also: &["ids", "timestamps"],
    },
    Row {
        operation: Operation::ListFiles,
        wire: "list_files",
        short: "files",
        typed: "/files bob",
        does: "ask a user for the list of files",
        also: &["ls", "dir"],
    },
    Row {
        operation: Operation::Play,
        wire: "play",
        short: "play",
        typed: "/play ana song.mp3",
        does: "hear a file that a user has",
        also: &["listen", "hear"],
    },
    Row {
        operation: Operation::ListStreams,
        wire: "list_streams",
        short: "streams",
        typed: "/streams",
        does: "what is played, and how many listen",
        also: &["playing", "on air"],
    },
    Row {
        operation: Operation::Stop,
        wire: "stop",
        short: "stop",
        typed: "/stop song.mp3",
        does: "end what you play to others",
        also: &[],
    },
    Row {
        operation: Operation::Exit,
        wire: "exit",
        short: "exit",
        typed: "/exit",
        does: "leave",
        also: &["quit", "bye", "leave", "logout"],
    },
    Row {
        operation: Operation::CloseServer,
        wire: "close_server",
        short: "close",
        typed: "/close",
        does: "end the server for everyone",
        also: &["close server", "shutdown"],
    },
    Row {
        operation: Operation::Kick,
        wire: "kick",
        short: "kick",
        typed: "/kick bob being rude",
        does: "disconnect a user, who may come back; the reason may be left out",
        also: &["disconnect"],
    },
    Row {
        operation: Operation::Ban,
        wire: "ban",
        short: "ban",
        typed: "/ban bob 1h being rude",
        does: "keep a name out, or addresses such as 192.0.2.7 or 2001:db8::/48, but not both at once; time and reason may \
               be left out",
        also: &["block"],
    },
    Row {
        operation: Operation::Unban,
        wire: "unban",
        short: "unban",
        typed: "/unban bob",
        does: "let a name or addresses in again",
        also: &["unblock", "pardon"],
    },
    Row {
        operation: Operation::ListBans,
        wire: "list_bans",
        short: "bans",
        typed: "/bans",
        does: "who is kept out",
        also: &["banned"],
    },
    Row {
        operation: Operation::Help,
        wire: "help",
        short: "help",
        typed: "/help",
        does: "this list",
        also: &["h", "?", "man", "commands"],
    },
    Row {
        operation: Operation::Publish,
        wire: "publish",
        short: "publish",
        typed: "/play ana song.mp3",
        does: "asks a user's client to send a file",
        also: &[],
    },
    Row {
        operation: Operation::Limits,
        wire: "limits",
        short: "limits",
        typed: "/limits",
        does: "how long messages and names may be",
        also: &[],
    },
];

impl Operation {
    /// Number of operations.
    pub const COUNT: usize = TABLE.len();

    /// All operations, in the order of the help.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.operation)
    }

    /// The operations for users, in the order of the help: without those of [`Self::is_the_servers`] and
    /// [`Self::is_for_programs`].
    pub fn for_people() -> impl Iterator<Item = Self> {
        Self::all().filter(|operation| !operation.is_the_servers() && !operation.is_for_programs())
    }

    /// The OPERATION field of a message.
    #[must_use]
    pub fn wire(self) -> &'static str {
        self.row().wire
    }

    /// The short form without the slash: `all` for `/all hi`.
    #[must_use]
    pub fn short(self) -> &'static str {
        self.row().short
    }

    /// An example in the short form.
    #[must_use]
    pub fn typed(self) -> &'static str {
        self.row().typed
    }

    /// Words for which [`Self::nearest`] suggests the operation, besides its names.
    #[must_use]
    pub fn aliases(self) -> &'static [&'static str] {
        self.row().also
    }

    /// A short description for help.
    #[must_use]
    pub fn does(self) -> &'static str {
        self.row().does
    }

    /// Whether only operators may use it. Help lists such operations only for operators.
    #[must_use]
    pub fn is_for_operators(self) -> bool {
        matches!(self, Self::Kick | Self::Ban | Self::Unban | Self::ListBans)
    }

    /// Whether only the server sends it. Help and hints omit it.
    #[must_use]
    pub fn is_the_servers(self) -> bool {
        self == Self::Publish
    }

    /// Whether it is for programs, not people. Help and hints omit it.
    #[must_use]
    pub fn is_for_programs(self) -> bool {
        self == Self::Limits
    }

    /// The operation with exactly this OPERATION field.
    ///
    /// ```
    /// use arauto_protocol::Operation;
    ///
    /// assert_eq!(Operation::from_wire("list_clients"), Some(Operation::ListClients));
    /// assert_eq!(Operation::from_wire("list"), None);
    /// assert_eq!(Operation::from_short("list"), Some(Operation::ListClients));
    /// ```
    #[must_use]
    pub fn from_wire(word: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.wire == word).map(|row| row.operation)
    }

    /// The operation with exactly this short form (without the slash).
    #[must_use]
    pub fn from_short(word: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.short == word).map(|row| row.operation)
    }

    /// The operation that a mistyped word or a synonym most likely means.
    ///
    /// Known synonyms come first; then the wire name or short form at the smallest edit distance, with at most one edit
    /// per three characters.
    ///
    /// ```
    /// use arauto_protocol::Operation;
    ///
    /// assert_eq!(Operation::nearest("brodcast"), Some(Operation::Broadcast));
    /// assert_eq!(Operation::nearest("quit"), Some(Operation::Exit));
    /// assert_eq!(Operation::nearest("dance"), None);
    /// ```
    #[must_use]
    pub fn nearest(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase();
        // No typo of a known word is that long, and the cost of the distance grows with the square of the length.
        if word.len() > 32 {
            return None;
        }
        let spelled = |row: &&Row| row.wire == word || row.short == word || row.also.contains(&word.as_str());
        if let Some(row) = TABLE.iter().find(spelled) {
            return Some(row.operation);
        }
        TABLE
            .iter()
            .filter(|row| !row.operation.is_the_servers() && !row.operation.is_for_programs())
            .flat_map(|row| [(row.wire, row), (row.short, row)])
            .map(|(name, row)| (strsim::osa_distance(name, &word), name.len(), row))
            .filter(|(distance, length, _)| distance * 3 <= *length)
            .min_by_key(|(distance, ..)| *distance)
            .map(|(.., row)| row.operation)
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.wire())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.operation as usize, place);
            assert_eq!(row.operation.wire(), row.wire);
            assert_eq!(Operation::from_wire(row.wire), Some(row.operation));
            assert_eq!(Operation::from_short(row.short), Some(row.operation));
        }
    }

    #[test]
    fn slips_find_what_was_meant() {
        for (slip, meant) in [
            ("brodcast", Operation::Broadcast),
            ("BROADCAST", Operation::Broadcast),
            ("broadcast_not_em", Operation::BroadcastNotMe),
            ("private_mesage", Operation::PrivateMessage),
            ("list", Operation::ListClients),
            ("list_client", Operation::ListClients),
            ("list_fiels", Operation::ListFiles),
            ("quit", Operation::Exit),
            ("close server", Operation::CloseServer),
        ] {
            assert_eq!(Operation::nearest(slip), Some(meant), "{slip}");
        }
    }

    #[test]
    fn far_words_find_nothing() {
        for word in ["dance", "", "zzzzzzzz", &"x".repeat(5000)] {
            assert_eq!(Operation::nearest(word), None, "{word}");
        }
    }
}
