//! The replicated log of a cluster: a stream of NATS JetStream, on a thread of its own.
//!
//! The program sends [`Command`]s, which never wait, and gets [`Report`]s. It appends frames of `arauto-cluster`, and
//! reads all nodes' frames in one order, because the server gives each the next position of the stream.
//!
//! ```text
//!            |                  the log's thread                   |            nats-server
//!            |                                                     |
//!  Command --+-> Append ------------ arauto.C.log.N ---------------+--> stream ARAUTO_C --.
//!            |                                                     |       |  |           |
//!  Report <--+-- Acknowledged <----- _INBOX. … .append.i.n <-------+-------'  |  republish as
//!            |                                                     |          |  arauto.C.tail.N
//!  Report <--+-- Message <-- header rule <-- arauto.C.tail.> <-----+----------|-----------'
//!            |       ^            |  a forged header               |          |
//!  Command --+-> Fetch -> holes <-'                                |          |
//!            |       |     '-------- DIRECT.GET of the position ---+--> any replica
//!            |       '--- 404: MSG.GET, and is it gone: INFO ------+--> the leader
//!  Report <--+-- Gap <---------- the log begins after it <---------+---------'
//!            |                                                     |
//!  Command --+-> SendState --- chunks on arauto.C.state.I.N -------+--> Chunk of the node that has sent ListenFor(I)
//! ```
//!
//! - [`Options`]: servers, credentials, the stream.
//! - [`Log`], [`Command`]: what the program asks.
//! - [`Report`]: what the log tells, with [`Refusal`] and [`Warning`].
//!
//! How it works:
//!
//! - The NATS client connects again by itself, for ever.
//! - A frame is handed to the client once, and only while a server is connected. The program appends it again if no
//!   acknowledgement comes.
//! - All answers come to one inbox. What an answer belongs to is in its subject, so a request that is never answered
//!   leaves nothing behind.
//! - The position of a message is believed only if the server wrote it.
//!
//! The feature `nats`, on by default, is the log. Without it the crate has its types alone, and [`start`] fails: a program
//! that can do without a cluster is then built without a client of NATS.

#![cfg_attr(not(feature = "nats"), allow(dead_code, reason = "only what the types need is used"))]

#[cfg(feature = "nats")]
mod api;
#[cfg(feature = "nats")]
mod client;
mod command;
#[cfg(feature = "nats")]
mod credentials;
mod error;
#[cfg(feature = "nats")]
mod head;
#[cfg(feature = "nats")]
mod holes;
mod options;
mod report;
mod room;
#[cfg(feature = "nats")]
mod state_sender;
#[cfg(feature = "nats")]
mod stream_config;
#[cfg(feature = "nats")]
mod subjects;
#[cfg(feature = "nats")]
mod worker;

#[cfg(feature = "nats")]
use std::{io, thread};

pub use command::{Command, Log};
pub use error::{Access, ApiError, Difference, Limits, Refusal, SendError, ServerText, StartError, Warning};
pub use options::Options;
pub use report::{MAX_WAITING_BYTES, Message, Report, StateChunk};

/// Starts the log on a thread of its own.
///
/// `deliver` is called on that thread with each report. It has to return at once: while it runs, nothing is read.
///
/// # Errors
/// If the options are wrong, a file of theirs cannot be read, or the thread does not start. A server that is not there
/// is no error: the log waits for it, and reports that.
#[cfg(feature = "nats")]
pub fn start(options: Options, deliver: impl FnMut(Report) + Send + 'static) -> Result<Log, StartError> {
    let client = options.client()?;
    let (log, commands) = Log::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("nats-log-files")
        .max_blocking_threads(MAX_BLOCKING_THREADS)
        .build()
        .map_err(StartError::Thread)?;
    let run = move || {
        runtime.block_on(worker::run(options, client, commands, deliver));
        // Does not wait for a name that is being resolved, or a state that is being cut.
        runtime.shutdown_background();
    };
    let thread: io::Result<_> = thread::Builder::new().name("nats-log".into()).spawn(run);
    thread.map_err(StartError::Thread)?;
    Ok(log)
}

/// Says that this program was built without the feature `nats`, and so has no client of NATS.
///
/// # Errors
/// Always.
#[cfg(not(feature = "nats"))]
pub fn start(_: Options, _: impl FnMut(Report) + Send + 'static) -> Result<Log, StartError> {
    Err(StartError::NotBuilt)
}

/// Most threads that resolve names, read certificates, and cut states.
#[cfg(feature = "nats")]
const MAX_BLOCKING_THREADS: usize = 8;

/// Compiles and runs the example in README.md.
#[cfg(all(doctest, feature = "nats"))]
#[doc = include_str!("../README.md")]
struct ReadmeExample;
