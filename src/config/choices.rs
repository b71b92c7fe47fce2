//! Settings whose value is one of a few names.

use arauto_settings::layers::Choice;

/// How to treat connections from the server's own machine. Through a proxy, remote clients connect from the machine's
/// own address, and the server cannot tell them apart by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalConnections {
    /// Connections of local users: trusted with passwords and `close_server`, and exempt from flood control.
    #[default]
    Direct,
    /// Connections of a proxy for remote clients that connect to it without TLS.
    Proxied,
    /// Connections of a proxy for remote clients that connect to it by TLS.
    TlsProxied,
}

impl Choice for LocalConnections {
    const ALL: &'static [(&'static str, Self)] =
        &[("direct", Self::Direct), ("proxied", Self::Proxied), ("tls_proxied", Self::TlsProxied)];
}

/// The clients whose `close_server` is obeyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allow {
    /// Any client.
    Anyone,
    /// Operators, see [`accounts`](crate::accounts).
    Operators,
    /// Clients that are connected from this machine.
    #[default]
    Loopback,
    /// No client; only a signal closes the server.
    Nobody,
}

impl Choice for Allow {
    const ALL: &'static [(&'static str, Self)] = &[
        ("anyone", Self::Anyone),
        ("operators", Self::Operators),
        ("loopback", Self::Loopback),
        ("nobody", Self::Nobody),
    ];
}

/// Severity of a log record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Failures that should not happen.
    Error,
    /// Problems that the server survives.
    Warn,
    /// Start, end, joins, leaves, refusals.
    #[default]
    Info,
    /// Every message received and sent.
    Debug,
    /// Records of the libraries, too.
    Trace,
}

impl Choice for Level {
    const ALL: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

/// The format of a log record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line of text.
    #[default]
    Text,
    /// A JSON object on one line.
    Json,
}

impl Choice for LogFormat {
    const ALL: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}
