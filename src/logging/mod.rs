//! The log: records to stderr, as text or JSON, written by a thread of its own.
//!
//! A record that finds the queue full is dropped and counted: a stalled terminal must not stall the server. Every
//! record is written as one line without control characters.

mod json;
mod text;

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use arauto_terminal::takes_escapes;
use slog::{Drain, Logger, OwnedKVList, Record, o};
use slog_async::{Async, AsyncGuard, OverflowStrategy};

use crate::config::{Level, Log, LogFormat};

pub use text::Reader;

/// Capacity of the queue in records: enough for a burst of a few seconds on a slow terminal.
const QUEUE_RECORDS: usize = 16 * 1024;

/// Most time that the end of the program waits for the last records to be written.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

/// Error: a log was already set up in this process.
#[derive(Debug, thiserror::Error)]
#[error("the log is already set up")]
pub struct AlreadySetUp;

/// Flushes the queue when it is dropped; later records are lost.
#[must_use = "without it, the last records are lost"]
pub struct Guard {
    queue: Option<AsyncGuard>,
    deadline: Duration,
    threshold: Threshold,
}

impl Guard {
    /// A handle that changes the log's level.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.threshold.clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (flushed, done) = mpsc::channel();
        let queue = self.queue.take();
        // Dropping the queue waits without a time limit, forever if the output is stalled.
        let flush = move || {
            drop(queue);
            // After the deadline, the receiver is gone.
            let _ = flushed.send(());
        };
        if thread::Builder::new().name("log-flush".to_owned()).spawn(flush).is_ok() {
            let _ = done.recv_timeout(self.deadline);
        }
    }
}

/// Sets up the log on stderr, and routes the records of libraries that use `log` or `tracing` to it.
///
/// # Errors
/// If a log was already set up in this process.
pub fn init(config: &Log) -> Result<(Logger, Guard), AlreadySetUp> {
    let stderr = io::stderr();
    let has_colour = stderr.is_terminal()
        && takes_escapes()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let reader = match std::env::var_os("JOURNAL_STREAM") {
        Some(stream) if is_stream(&stderr, &stream) => Reader::Journal,
        _ if has_colour => Reader::Terminal,
        _ => Reader::Plain,
    };
    let (logger, guard) = to_writer(config, stderr, reader);
    bridge(config, &logger)?;
    Ok((logger, guard))
}

/// Whether a file is the one that `JOURNAL_STREAM` names by device and inode: systemd sets the variable when it
/// connects a service to its journal (systemd.exec(5)). A service whose output is redirected elsewhere still inherits
/// the variable.
fn is_stream(file: impl AsFd, stream: &OsStr) -> bool {
    let Ok(found) = rustix::fs::fstat(file) else { return false };
    stream.to_str() == Some(&format!("{}:{}", found.st_dev, found.st_ino))
}

/// A log that writes to `out`. JSON is the same for every kind of reader.
pub fn to_writer<W>(config: &Log, out: W, reader: Reader) -> (Logger, Guard)
where
    W: Write + Send + 'static,
{
    match config.format {
        LogFormat::Text => queued(config, text::drain(out, reader)),
        LogFormat::Json => queued(config, json::drain(out)),
    }
}

fn queued<D>(config: &Log, drain: D) -> (Logger, Guard)
where
    D: Drain<Ok = (), Err = io::Error> + Send + 'static,
{
    // A failure of stderr is ignored: no other place is left to report it.
    let (queue, guard) = Async::new(drain.ignore_res())
        .chan_size(QUEUE_RECORDS)
        .overflow_strategy(OverflowStrategy::DropAndReport)
        .thread_name("log".to_owned())
        .build_with_guard();
    // The filter is outermost, so that a record below the level is not even copied.
    let threshold = Threshold::new(config.level);
    let drain = Filter { drain: queue, threshold: threshold.clone() }.ignore_res();
    (Logger::root(drain, o!()), Guard { queue: Some(guard), deadline: FLUSH_DEADLINE, threshold })
}

/// The least severe level that is logged; clones share it.
#[derive(Clone)]
pub struct Threshold(Arc<AtomicUsize>);

impl Threshold {
    fn new(level: Level) -> Self {
        Self(Arc::new(AtomicUsize::new(slog_level(level).as_usize())))
    }

    /// Sets the level, also for libraries that use `log` or `tracing`.
    pub fn set(&self, level: Level) {
        self.0.store(slog_level(level).as_usize(), Ordering::Relaxed);
        log::set_max_level(log_level(level));
    }

    fn lets_pass(&self, level: slog::Level) -> bool {
        level.as_usize() <= self.0.load(Ordering::Relaxed)
    }
}

/// Libraries whose records count as debug, because they must not fill the log. Errors of the HTTP library are mostly those
/// of peers that do not speak HTTP. The NATS client reports each attempt to connect, four a second.
const TALKATIVE: [&str; 2] = ["actix_http", "async_nats"];

/// The severity of a record.
fn severity(record: &Record<'_>) -> slog::Level {
    // Records of `log` and `tracing` carry their module as the tag.
    let is_talkative = TALKATIVE.iter().any(|library| record.tag().starts_with(library));
    if is_talkative { slog::Level::Debug } else { record.level() }
}

/// Drops records that are less severe than the threshold.
struct Filter<D> {
    drain: D,
    threshold: Threshold,
}

impl<D: Drain> Drain for Filter<D> {
    type Ok = Option<D::Ok>;
    type Err = D::Err;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<Self::Ok, Self::Err> {
        if self.threshold.lets_pass(severity(record)) {
            self.drain.log(record, values).map(Some)
        } else {
            Ok(None)
        }
    }

    fn is_enabled(&self, level: slog::Level) -> bool {
        self.threshold.lets_pass(level) && self.drain.is_enabled(level)
    }
}

/// Routes the records of the `log` crate to `logger`; those of `tracing` arrive by its `log` feature.
fn bridge(config: &Log, logger: &Logger) -> Result<(), AlreadySetUp> {
    slog_stdlog::init().map_err(|_| AlreadySetUp)?;
    log::set_max_level(log_level(config.level));
    // Never reset: after a reset, a library's record would panic.
    slog_scope::set_global_logger(logger.clone()).cancel_reset();
    Ok(())
}

fn slog_level(level: Level) -> slog::Level {
    match level {
        Level::Error => slog::Level::Error,
        Level::Warn => slog::Level::Warning,
        Level::Info => slog::Level::Info,
        Level::Debug => slog::Level::Debug,
        Level::Trace => slog::Level::Trace,
    }
}

fn log_level(level: Level) -> log::LevelFilter {
    match level {
        Level::Error => log::LevelFilter::Error,
        Level::Warn => log::LevelFilter::Warn,
        Level::Info => log::LevelFilter::Info,
        Level::Debug => log::LevelFilter::Debug,
        Level::Trace => log::LevelFilter::Trace,
    }
}

#[cfg(test)]
mod tests;
