//! Why the log cannot be used ([`Refusal`]), what operators may want to know ([`Warning`]), and why the log does not
//! start or takes no command. None of them has anything secret in it.

use std::{fmt, io, path::PathBuf, time::Duration};

use arauto_cluster::frame::MAX_FRAME_BYTES;
use serde::Deserialize;

/// Most characters of a text of the server that are shown.
const MAX_SHOWN_CHARS: usize = 200;

/// A text of the server on one line of bounded length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct ServerText(String);

impl From<String> for ServerText {
    fn from(text: String) -> Self {
        let on_a_line = |character: char| if character.is_control() { '?' } else { character };
        Self(text.chars().take(MAX_SHOWN_CHARS).map(on_a_line).collect())
    }
}

impl fmt::Display for ServerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error that JetStream answers with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{description} ({number})")]
pub struct ApiError {
    /// The number of the error. The server's list of errors explains it.
    #[serde(rename = "err_code", default)]
    pub number: u64,
    /// The server's words for it.
    #[serde(default)]
    pub description: ServerText,
}

/// A setting of the stream that is not what it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    setting: &'static str,
    value: ServerText,
    wanted: String,
}

impl Difference {
    pub(crate) fn new(setting: &'static str, value: &str, wanted: String) -> Self {
        Self { setting, value: value.to_owned().into(), wanted }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is `{}` and has to be `{}`", self.setting, self.value, self.wanted)
    }
}

/// The limits of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bytes that it holds at most, if that is limited.
    pub log_bytes: Option<u64>,
    /// The age at which it drops messages, if that is limited.
    pub log_age: Option<Duration>,
}

/// A step that a user of NATS may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Publish.
    Publish,
    /// Subscribe.
    Subscribe,
}

/// Why the program has to end: only an operator can remove the cause. The log's thread ends as well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server did not let the user in, before it ever had.
    #[error("NATS rejects this node's credentials")]
    Credentials,
    /// The user lacks a permission.
    #[error("the user of this node may not {} `{subject}` in NATS", match access {
        Access::Publish => "publish to",
        Access::Subscribe => "subscribe to",
    })]
    NotPermitted {
        /// The step.
        access: Access,
        /// The subject.
        subject: ServerText,
    },
    /// Every client that reaches the server can write what nodes read.
    #[error(
        "NATS is open: this node could publish what only the server may publish. Give each node a user with the permissions \
         of a node, or let NATS listen on the loopback interface alone, or set `trust_nats`"
    )]
    Open,
    /// The server's version is too low.
    #[error(
        "this NATS server has version {version}; a stream of {replicas} replica(s) needs at least {needed}"
    )]
    TooOld {
        /// Its version.
        version: ServerText,
        /// The replicas of the stream.
        replicas: usize,
        /// The lowest version for them.
        needed: &'static str,
    },
    /// The server does not take a whole frame.
    #[error("`max_payload` of this NATS server is {0} bytes; a frame may have {MAX_FRAME_BYTES}")]
    MaxPayload(usize),
    /// The account may not use JetStream.
    #[error("JetStream: {0}")]
    NoJetStream(ApiError),
    /// Several replicas are wanted of a server that is by itself.
    #[error("three replicas need three NATS servers in one NATS cluster: {0}")]
    NotClustered(ApiError),
    /// There is a stream of this name with other settings.
    #[error("the stream has other settings: {}", list(.0))]
    StreamDiffers(Vec<Difference>),
    /// The NATS client has ended, which it never does by itself.
    #[error("the NATS client has ended")]
    ClientEnded,
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Something that operators may want to know. One kind is reported at most every 10 s.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// No server was reached. The log goes on trying.
    #[error("no NATS server is reached: {0}")]
    Unreachable(ServerText),
    /// The server does not let the user in any more. The log goes on trying.
    #[error("NATS rejects this node's credentials")]
    Credentials,
    /// See [`Refusal::Open`]; but the server listens on the loopback interface alone.
    #[error("NATS is open to all programs of this machine")]
    Open,
    /// The server is about to end. The log connects to another one.
    #[error("the NATS server is about to end")]
    LameDuck,
    /// The server says something else.
    #[error("NATS says: {0}")]
    Server(ServerText),
    /// JetStream rejects a request. The program asks again.
    #[error("JetStream: {0}")]
    JetStream(ApiError),
    /// JetStream does not answer, for instance while its servers choose a leader. The program asks again.
    #[error("JetStream is not available")]
    NoJetStream,
    /// The limits of the stream are not those of the options.
    #[error("the stream has other limits: {0:?}")]
    Limits(Limits),
    /// The program takes messages from the log too slowly. They are dropped, and can be fetched.
    #[error("the program lags behind the log: messages are dropped and fetched later")]
    Lagging,
    /// The server did not write this message of the tail, or not its whole header. It is dropped, and what the log has at its
    /// position is fetched.
    #[error("a client has published to the tail of the log, or to the log with headers: `{0}`")]
    Forged(ServerText),
    /// A message inside the log is gone, which does not happen to a log that is whole.
    #[error("message {0} is missing inside the log")]
    Missing(u64),
}

/// Why the log does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program was built without the feature `nats`.
    #[error("this program was built without NATS (the feature `cluster`)")]
    NotBuilt,
    /// There is no server in the options.
    #[error("no NATS server is named")]
    NoServer,
    /// An address is not one of a NATS server.
    #[error(
        "server {0} in the list is not an address like `nats://10.0.0.5:4222` or `tls://nats.example.org`"
    )]
    Server(usize),
    /// An address has a user or a password in it, which would be logged.
    #[error(
        "the address of server {0} in the list has a user or a password in it; these belong in the file of credentials"
    )]
    SecretInAddress(usize),
    /// The replicas are neither 1 nor 3.
    #[error("1 or 3 replicas are possible, not {0}")]
    Replicas(usize),
    /// A file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// The file of credentials has none.
    #[error("{0} has neither a NATS user's credentials, nor the seed of an nkey, nor a line `user:password`")]
    Credentials(PathBuf),
    /// The thread does not start.
    #[error("the log's thread does not start: {0}")]
    Thread(io::Error),
}

/// Why a command is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Too many commands wait. The program sends it again later, as after a lost request.
    #[error("too many commands wait")]
    Full,
    /// The bytes to append are not a frame.
    #[error("only frames are appended")]
    NotAFrame,
    /// The log has ended, because of a [`Refusal`].
    #[error("the log has ended")]
    Ended,
}
