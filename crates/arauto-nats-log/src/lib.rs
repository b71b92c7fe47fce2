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

mod api;
mod command;
mod credentials;
mod error;
mod head;
mod holes;
mod options;
mod report;
mod room;
mod state_sender;
mod stream_config;
mod subjects;
mod worker;

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

/// Most threads that resolve names, read certificates, and cut states.
const MAX_BLOCKING_THREADS: usize = 8;

/// Compiles and runs the example in README.md.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExample;
