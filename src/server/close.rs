//! How sessions end: [`CloseReason`], the count of each, and how long an end may take.

use std::{fmt, time::Duration};

use crate::protocol::Breach;

/// How long a session that ends may take to be sent what is queued for it.
pub const CLOSE_GRACE: Duration = Duration::from_secs(3);

/// How long the other end may take to close its side once ours is shut. Closing at once would make the kernel answer
/// whatever is still arriving with a reset, which can destroy the last words before they are read.
pub const LINGER: Duration = Duration::from_secs(1);

/// How long a connection whose name someone else wants has to show that its other end still answers. The second of two
/// questions may be asked as late as 2 s after the first was wanted (`connection.rs`): the answer has the rest.
pub const PROBE_WITHIN: Duration = Duration::from_millis(2400);

/// After how long someone is refused a name whose bearer was probed and stayed. The contract gives the name of a dead
/// bearer to its next owner within 3 s.
pub const CHALLENGE_WITHIN: Duration = Duration::from_millis(2800);

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// It sent `exit`.
    Exit,
    /// Its sending side ended.
    Eof,
    /// Reading or writing failed.
    Broken,
    /// It wanted a name that someone else bears.
    NameTaken,
    /// It wanted a name that looks like one that someone else bears.
    LookAlike,
    /// It wanted a name that breaks a rule.
    NameInvalid,
    /// It answered the name request with something else.
    NotAName,
    /// It did not answer the name request in time (`limits.name_timeout`).
    NameTimeout,
    /// It sent nothing for too long (`limits.idle_timeout`).
    Idle,
    /// It wanted an account's name and did not know the password.
    WrongPassword,
    /// It was not let try a password: its address had given too many wrong ones.
    TooManyPasswords,
    /// It answered the password request with something else.
    NotAPassword,
    /// It did not answer the password request in time (`limits.name_timeout`).
    PasswordTimeout,
    /// It wanted an account's name where everyone on the way could read its password (`accounts.allow_plaintext`).
    InTheOpen,
    /// It wanted a name that is no account's (`accounts.required`).
    NoAccount,
    /// It spoke HTTP.
    Http,
    /// It spoke TLS.
    Tls,
    /// It spoke plain text where TLS is spoken.
    PlainText,
    /// It could not agree on TLS, or left before.
    HandshakeFailed,
    /// Its TLS handshake took too long (`limits.name_timeout`).
    HandshakeTimeout,
    /// An operator sent it away.
    Kicked,
    /// An operator keeps its name or its address out.
    Banned,
    /// It bore a name since before that was an account's, whose owner came.
    NameClaimed,
    /// It did not read what it was sent (`limits.outbox_bytes`).
    OutboxFull,
    /// Broadcasts had waited too long for it and others (`limits.slow_reader_wait`).
    SlowReader,
    /// The server ended.
    ServerClosed,
    /// The server was full (`limits.max_sessions`).
    ServerFull,
    /// It went on sending more than it may (`flood.refusals`).
    Flood,
    /// It did not use its WebSocket as RFC 6455 wants it.
    BadWebSocket,
    /// It sent a binary frame by its WebSocket.
    BinaryFrame,
    /// It sent text by its WebSocket that is not UTF-8.
    NotUtf8,
    /// Its address had all sessions it may have (`flood.sessions_per_address`).
    AddressFull,
    /// Its address connected too often (`flood.joins_per_minute`).
    TooOften,
    /// A fault of the server.
    Fault,
}

impl CloseReason {
    /// Every reason, in the order of the enum.
    pub const ALL: [Self; 34] = [
        Self::Exit,
        Self::Eof,
        Self::Broken,
        Self::NameTaken,
        Self::LookAlike,
        Self::NameInvalid,
        Self::NotAName,
        Self::NameTimeout,
        Self::Idle,
        Self::WrongPassword,
        Self::TooManyPasswords,
        Self::NotAPassword,
        Self::PasswordTimeout,
        Self::InTheOpen,
        Self::NoAccount,
        Self::Http,
        Self::Tls,
        Self::PlainText,
        Self::HandshakeFailed,
        Self::HandshakeTimeout,
        Self::Kicked,
        Self::Banned,
        Self::NameClaimed,
        Self::OutboxFull,
        Self::SlowReader,
        Self::ServerClosed,
        Self::ServerFull,
        Self::Flood,
        Self::BadWebSocket,
        Self::BinaryFrame,
        Self::NotUtf8,
        Self::AddressFull,
        Self::TooOften,
        Self::Fault,
    ];

    /// Whether its connection is of no use any more: nobody waits for what it sent last.
    #[must_use]
    pub fn is_abrupt(self) -> bool {
        matches!(self, Self::Broken | Self::OutboxFull | Self::SlowReader | Self::Fault)
    }

    /// What a WebSocket is closed with (RFC 6455, section 7.4.1).
    #[must_use]
    pub fn websocket_code(self) -> u16 {
        match self {
            Self::Exit | Self::Eof => 1000,
            Self::ServerClosed => 1001,
            Self::BadWebSocket => 1002,
            Self::BinaryFrame => 1003,
            Self::NotUtf8 => 1007,
            Self::Broken | Self::Fault => 1011,
            Self::ServerFull | Self::AddressFull | Self::TooOften => 1013,
            _ => 1008,
        }
    }

    /// How the log and the counters spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Eof => "closed by client",
            Self::Broken => "connection broken",
            Self::NameTaken => "name taken",
            Self::LookAlike => "look-alike name",
            Self::NameInvalid => "name invalid",
            Self::NotAName => "not a name",
            Self::NameTimeout => "name timeout",
            Self::Idle => "idle",
            Self::WrongPassword => "wrong password",
            Self::TooManyPasswords => "too many passwords",
            Self::NotAPassword => "not a password",
            Self::PasswordTimeout => "password timeout",
            Self::InTheOpen => "password in the open",
            Self::NoAccount => "no account",
            Self::Http => "spoke http",
            Self::Tls => "spoke tls",
            Self::PlainText => "spoke plain text",
            Self::HandshakeFailed => "tls handshake failed",
            Self::HandshakeTimeout => "tls handshake timeout",
            Self::Kicked => "kicked",
            Self::Banned => "banned",
            Self::NameClaimed => "name claimed",
            Self::OutboxFull => "outbox full",
            Self::SlowReader => "slow reader",
            Self::ServerClosed => "server closed",
            Self::ServerFull => "server full",
            Self::Flood => "flood",
            Self::BadWebSocket => "bad websocket",
            Self::BinaryFrame => "binary websocket frame",
            Self::NotUtf8 => "websocket not utf-8",
            Self::AddressFull => "address full",
            Self::TooOften => "connects too often",
            Self::Fault => "server fault",
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
