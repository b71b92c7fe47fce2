//! How sessions end: [`CloseReason`], and how long the steps of an end may take.

use std::{fmt, time::Duration};

use arauto_protocol::{Breach, named_enum};

/// Time to send what is queued for a session that ends.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Time for the other end to close its side once the server has shut its own. If the server closed at once, the kernel
/// would answer data that still arrives with a reset, which can destroy the last messages before the client reads them.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for the other end of a probed connection to answer. The second of the two probes may be sent as late as 2 s
/// after the probing began (see `connection.rs`); the remaining 0.4 s are for its answer.
pub const PROBE_TIMEOUT: Duration = Duration::from_millis(2400);

/// Time after which a session is refused the name that it waits for, if the probed bearer is still there. The contract
/// gives the name of a dead bearer to its next owner within 3 s.
pub const CLAIM_TIMEOUT: Duration = Duration::from_millis(2800);

named_enum! {
    /// Why a session or a connection ended.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum CloseReason {
        /// The client sent `exit`.
        Exit = "exit",
        /// The client ended its sending side.
        Eof = "closed by client",
        /// Reading or writing failed, or the other end stopped answering probes or pings.
        Broken = "connection broken",
        /// The client wanted a name that another session bears.
        NameTaken = "name taken",
        /// The client wanted a name that looks like one that another session bears.
        LookAlike = "look-alike name",
        /// The client wanted a name that breaks a rule.
        NameInvalid = "name invalid",
        /// The client answered the name request with something that is no name.
        NotAName = "not a name",
        /// The client did not answer the name request in time (`limits.name_timeout`).
        NameTimeout = "name timeout",
        /// The client sent nothing for `limits.idle_timeout`.
        Idle = "idle",
        /// The client used up its tries at an account's password.
        WrongPassword = "wrong password",
        /// The password was not compared: too many wrong ones came from the client's address or for the account.
        TooManyPasswords = "too many passwords",
        /// The client answered the password request with something that is no password.
        NotAPassword = "not a password",
        /// The client did not answer the password request in time (`limits.name_timeout`).
        PasswordTimeout = "password timeout",
        /// The client wanted an account's name over a connection on which others could read the password
        /// (`accounts.allow_plaintext`).
        InTheOpen = "password in the open",
        /// The client wanted a name that belongs to no account (`accounts.required`).
        NoAccount = "no account",
        /// The client spoke HTTP where TR2.23 is spoken.
        Http = "spoke http",
        /// The client spoke TLS where plain text is spoken.
        Tls = "spoke tls",
        /// The client spoke plain text where TLS is spoken.
        PlainText = "spoke plain text",
        /// The TLS handshake failed, or the client left before it was done.
        HandshakeFailed = "tls handshake failed",
        /// The TLS handshake took too long (`limits.name_timeout`), or gave way to a newer connection.
        HandshakeTimeout = "tls handshake timeout",
        /// An operator disconnected the client.
        Kicked = "kicked",
        /// The client's name or address is banned.
        Banned = "banned",
        /// The name became an account's after the session took it, and the account's owner joined.
        NameClaimed = "name claimed",
        /// The client did not read what it was sent (`limits.outbox_bytes`, `limits.outboxes_bytes`,
        /// `limits.slow_reader_grace`).
        OutboxFull = "outbox full",
        /// Broadcasts waited too long for this client and others (`limits.slow_reader_wait`).
        SlowReader = "slow reader",
        /// The server lost touch with the others of its cluster.
        LostTouch = "lost touch",
        /// The server ended.
        ServerClosed = "server closed",
        /// The server was full (`limits.max_sessions`).
        ServerFull = "server full",
        /// The client kept sending more than it may (`flood.refusals`).
        Flood = "flood",
        /// The client violated RFC 6455 on its WebSocket.
        BadWebSocket = "bad websocket",
        /// The client sent a binary WebSocket frame.
        BinaryFrame = "binary websocket frame",
        /// The client sent WebSocket text that is not UTF-8.
        NotUtf8 = "websocket not utf-8",
        /// The client's address had all the sessions that it may have (`flood.sessions_per_address`).
        AddressFull = "address full",
        /// The client's address connected too often (`flood.joins_per_minute`).
        TooOften = "connects too often",
        /// A fault of the server.
        Fault = "server fault",
    }
}

impl CloseReason {
    /// Whether the connection is useless from now on, so that the session's queued requests are dropped instead of run.
    #[must_use]
    pub fn is_abrupt(self) -> bool {
        matches!(self, Self::Broken | Self::OutboxFull | Self::SlowReader | Self::Fault)
    }

    /// The status code of the WebSocket close frame (RFC 6455, section 7.4.1).
    #[must_use]
    pub fn websocket_code(self) -> u16 {
        match self {
            Self::Exit | Self::Eof => 1000,
            Self::ServerClosed => 1001,
            Self::BadWebSocket => 1002,
            Self::BinaryFrame => 1003,
            Self::NotUtf8 => 1007,
            Self::Broken | Self::Fault => 1011,
            Self::ServerFull | Self::AddressFull | Self::TooOften | Self::LostTouch => 1013,
            _ => 1008,
        }
    }
}

impl From<Breach> for CloseReason {
    fn from(breach: Breach) -> Self {
        match breach {
            Breach::Binary => Self::BinaryFrame,
            Breach::NotUtf8 | Breach::CloseNotUtf8 => Self::NotUtf8,
            Breach::Unmasked
            | Breach::Reserved
            | Breach::Unknown
            | Breach::Control
            | Breach::Fragment
            | Breach::CloseCode
            | Breach::Overdue => Self::BadWebSocket,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl slog::Value for CloseReason {
    fn serialize(
        &self,
        _: &slog::Record<'_>,
        key: slog::Key,
        serializer: &mut dyn slog::Serializer,
    ) -> slog::Result {
        serializer.emit_str(key, self.as_str())
    }
}
