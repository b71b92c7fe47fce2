//! Every figure that monitoring reports: its name, unit, meaning and present value. Both formats are written from this,
//! and tests compare `docs/monitoring.md` with it.

use std::{borrow::Cow, sync::atomic::Ordering, time::UNIX_EPOCH};

use arauto_protocol::{Kind, Operation, Refusal};

use super::{Watched, process::Process};
use crate::server::{
    common::{close::CloseReason, health::ServerPhase, listener_protocol::ListenerProtocol},
    metrics::{HistogramCounts, Metrics, Stage},
};

mod cluster;

/// Unit of a figure that is not just a number of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureUnit {
    Bytes,
    Seconds,
}

/// How the value of a figure changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureType {
    /// Rises only.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by size.
    Histogram,
    /// Constant words, given as labels; the value is 1.
    Info,
}

/// A figure: one number, or one for each value of its labels.
#[derive(Debug)]
pub struct FigureFamily {
    /// Name without its unit and without the suffix of its form.
    pub stem: &'static str,
    pub unit: Option<FigureUnit>,
    pub form: FigureType,
    /// Meaning of the figure.
    pub help: &'static str,
    pub samples: Vec<Sample>,
}

/// A number of a family, with its labels.
#[derive(Debug)]
pub struct Sample {
    /// Names and values; all samples of a family have the same names. None of it ever comes from a user.
    pub labels: Vec<(&'static str, Cow<'static, str>)>,
    pub value: Value,
}

/// Value of a sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Whole(u64),
    Real(f64),
    /// Counts by size, and how many units of the sizes make one unit of the family (1e9 for nanoseconds to seconds).
    Steps(HistogramCounts, f64),
}

impl FigureFamily {
    /// The whole name, as clients ask for it.
    pub fn name(&self) -> String {
        let unit = match self.unit {
            None => "",
            Some(FigureUnit::Bytes) => "_bytes",
            Some(FigureUnit::Seconds) => "_seconds",
        };
        let form = match self.form {
            FigureType::Counter => "_total",
            FigureType::Gauge | FigureType::Histogram | FigureType::Info => "",
        };
        format!("{}{unit}{form}", self.stem)
    }

    fn new(form: FigureType, stem: &'static str, unit: Option<FigureUnit>, help: &'static str) -> Self {
        Self { stem, unit, form, help, samples: Vec::new() }
    }

    fn counter(stem: &'static str, unit: Option<FigureUnit>, help: &'static str) -> Self {
        Self::new(FigureType::Counter, stem, unit, help)
    }

    fn gauge(stem: &'static str, unit: Option<FigureUnit>, help: &'static str) -> Self {
        Self::new(FigureType::Gauge, stem, unit, help)
    }

    fn with(mut self, labels: impl IntoIterator<Item = (&'static str, &'static str)>, value: Value) -> Self {
        let labels = labels.into_iter().map(|(name, value)| (name, spelled(value))).collect();
        self.samples.push(Sample { labels, value });
        self
    }

    /// Adds the only number of the family.
    fn is(self, value: u64) -> Self {
        self.with([], Value::Whole(value))
    }

    fn real(self, value: f64) -> Self {
        self.with([], Value::Real(value))
    }

    /// Adds one number for each element of `all`.
    fn each<T>(
        self,
        label: &'static str,
        all: impl IntoIterator<Item = T>,
        row: impl Fn(T) -> (&'static str, u64),
    ) -> Self {
        all.into_iter().fold(self, |family, one| {
            let (value, count) = row(one);
            family.with([(label, value)], Value::Whole(count))
        })
    }
}

/// Spells a word of the log as is usual for labels: with underscores for blanks and hyphens.
fn spelled(word: &'static str) -> Cow<'static, str> {
    if word.contains([' ', '-']) { word.replace([' ', '-'], "_").into() } else { word.into() }
}

/// Gathers all figures as they are now.
pub fn gather(watched: &Watched) -> Vec<FigureFamily> {
    let metrics = &*watched.metrics;
    let mut families = state(watched);
    families.extend(sessions(metrics));
    families.extend(messages(metrics));
    families.extend(output(metrics));
    families.extend(audio(metrics));
    families.extend(cluster::figures(metrics));
    families.extend(process(&Process::look()));
    families
}

fn state(watched: &Watched) -> Vec<FigureFamily> {
    let config = watched.config.get();
    let since = watched.since.duration_since(UNIX_EPOCH).unwrap_or_default();
    let is_ready = watched.health.phase() == ServerPhase::Serving && !watched.health.is_cut_off();
    vec![
        FigureFamily::new(
            FigureType::Info,
            "arauto_build_info",
            None,
            "Version of the program and the system that it is built for, as labels; the value is always 1.",
        )
        .with(
            [
                ("version", env!("CARGO_PKG_VERSION")),
                ("os", std::env::consts::OS),
                ("architecture", std::env::consts::ARCH),
            ],
            Value::Whole(1),
        ),
        FigureFamily::gauge(
            "arauto_ready",
            None,
            "1 while the server accepts clients, 0 while it starts or shuts down.",
        )
        .is(u64::from(is_ready)),
        FigureFamily::gauge("arauto_workers", None, "Worker threads that serve sessions (server.workers).")
            .is(watched.workers.len() as u64),
        FigureFamily::gauge(
            "arauto_max_sessions",
            None,
            "Maximum number of simultaneous sessions (limits.max_sessions).",
        )
        .is(config.limits.max_sessions as u64),
        FigureFamily::gauge(
            "arauto_outbox_limit",
            Some(FigureUnit::Bytes),
            "Bytes queued for one session above which its senders are held back (limits.outbox_bytes).",
        )
        .is(config.limits.outbox_bytes as u64),
        FigureFamily::gauge(
            "process_start_time",
            Some(FigureUnit::Seconds),
            "Time at which the server started, in seconds of Unix time.",
        )
        .real(since.as_secs_f64()),
    ]
}

fn encrypted(is_encrypted: bool) -> (&'static str, &'static str) {
    ("encrypted", if is_encrypted { "yes" } else { "no" })
}

fn sessions(metrics: &Metrics) -> Vec<FigureFamily> {
    let connections = FigureFamily::counter(
        "arauto_connections",
        None,
        "Connections accepted, including those then refused, by protocol of the address and by encryption.",
    );
    let connections = ListenerProtocol::ALL.into_iter().fold(connections, |family, protocol| {
        [false, true].into_iter().fold(family, |family, is_encrypted| {
            let count = metrics.connections(protocol, is_encrypted);
            family.with([("protocol", protocol.as_str()), encrypted(is_encrypted)], Value::Whole(count))
        })
    });
    let sessions = FigureFamily::gauge(
        "arauto_sessions",
        None,
        "Sessions that exist, with or without a name, by kind of client and by encryption.",
    );
    let sessions = Kind::ALL.into_iter().fold(sessions, |family, kind| {
        [false, true].into_iter().fold(family, |family, is_encrypted| {
            let count = metrics.sessions(kind, is_encrypted);
            family.with([("kind", kind.as_str()), encrypted(is_encrypted)], Value::Whole(count))
        })
    });
    vec![
        connections,
        FigureFamily::gauge(
            "arauto_connections_pending",
            None,
            "Connections that are not sessions yet, by stage: a TLS handshake, or HTTP before a WebSocket.",
        )
        .each("stage", Stage::ALL, |stage| (stage.as_str(), metrics.under_way(stage))),
        sessions,
        FigureFamily::gauge("arauto_members", None, "Sessions that have a name.").is(metrics.members()),
        FigureFamily::counter("arauto_joins", None, "Sessions that were given a name.").is(metrics.joined()),
        FigureFamily::counter(
            "arauto_ends",
            None,
            "Sessions that ended and connections that were not admitted, by reason.",
        )
        .each("reason", CloseReason::ALL, |reason| (reason.as_str(), metrics.ended(reason))),
    ]
}

fn messages(metrics: &Metrics) -> Vec<FigureFamily> {
    let (received, delivered) = (metrics.received(), metrics.delivered());
    vec![
        FigureFamily::counter(
            "arauto_received_messages",
            None,
            "Lines and frames received from clients, whether they are messages or not.",
        )
        .is(received.messages),
        FigureFamily::counter(
            "arauto_received",
            Some(FigureUnit::Bytes),
            "Bytes of the lines and frames received from clients, without line endings.",
        )
        .is(received.bytes),
        FigureFamily::counter(
            "arauto_delivered_messages",
            None,
            "Messages sent to clients or queued for them; a message to all counts once for each receiver.",
        )
        .is(delivered.messages),
        FigureFamily::counter(
            "arauto_delivered",
            Some(FigureUnit::Bytes),
            "Bytes of the messages sent to clients or queued for them, with one byte each for a line ending.",
        )
        .is(delivered.bytes),
        FigureFamily::counter(
            "arauto_operations",
            None,
            "Requests by operation, without lines that are refused when they are read.",
        )
        .each("operation", Operation::for_people(), |operation| {
            (operation.wire(), metrics.operations(operation))
        }),
        FigureFamily::counter(
            "arauto_refusals",
            None,
            "Lines and frames that were not carried out, by reason.",
        )
        .each("reason", Refusal::ALL, |why| (why.as_str(), metrics.refused(why))),
    ]
}

fn output(metrics: &Metrics) -> Vec<FigureFamily> {
    let marks = metrics.marks();
    let steps = |stem, unit, help, counts, per_unit| {
        FigureFamily::new(FigureType::Histogram, stem, unit, help).with([], Value::Steps(counts, per_unit))
    };
    vec![
        steps(
            "arauto_batch_messages",
            None,
            "Messages in each batch that the registry sent, counted once for all receivers.",
            metrics.batch_messages(),
            1.0,
        ),
        steps(
            "arauto_batch",
            Some(FigureUnit::Bytes),
            "Bytes in each batch that the registry sent, counted once for all receivers.",
            metrics.batch_bytes(),
            1.0,
        ),
        FigureFamily::gauge(
            "arauto_batch_largest",
            Some(FigureUnit::Bytes),
            "Bytes of the largest batch since the server started.",
        )
        .is(marks.largest_batch_bytes),
        steps(
            "arauto_fan_out",
            Some(FigureUnit::Seconds),
            "Seconds from the first broadcast of a batch until the last worker has sent or queued the batch.",
            metrics.fan_outs(),
            1e9,
        ),
        FigureFamily::gauge(
            "arauto_outbox_fullest",
            Some(FigureUnit::Bytes),
            "Most bytes that were queued for one session since the server started.",
        )
        .is(marks.fullest_outbox_bytes),
        FigureFamily::gauge(
            "arauto_outboxes",
            Some(FigureUnit::Bytes),
            "Bytes of memory for all queued output; above limits.outboxes_bytes, sessions are disconnected.",
        )
        .is(metrics.outboxes_bytes().load(Ordering::Relaxed)),
        FigureFamily::counter("arauto_outbox_full", None, "Times that the outbox of a session became full.")
            .is(marks.full_outboxes),
        FigureFamily::counter(
            "arauto_senders_held_back",
            None,
            "Times that a sender had to wait for a receiver whose outbox was full.",
        )
        .is(marks.held_back),
        FigureFamily::counter(
            "arauto_broadcast_wait",
            Some(FigureUnit::Seconds),
            "Seconds that broadcasts waited for receivers whose outboxes were full.",
        )
        .real(marks.broadcast_wait.as_secs_f64()),
    ]
}

fn audio(metrics: &Metrics) -> Vec<FigureFamily> {
    let counts = metrics.audio().counts();
    let dropped =
        [("foreign", counts.foreign), ("not_as_announced", counts.strange), ("not_taken", counts.lost)];
    vec![
        FigureFamily::gauge("arauto_streams", None, "Audio streams that are playing.").is(counts.streams),
        FigureFamily::gauge(
            "arauto_stream_listeners",
            None,
            "Listeners of audio streams, by RTSP and by HTTP together.",
        )
        .is(counts.listeners),
        FigureFamily::counter(
            "arauto_datagrams_received",
            None,
            "Datagrams of audio and reports received from publishers.",
        )
        .is(counts.datagrams_in),
        FigureFamily::counter("arauto_datagrams_sent", None, "Datagrams of audio sent to listeners by RTSP.")
            .is(counts.datagrams_out),
        FigureFamily::counter(
            "arauto_datagrams_dropped",
            None,
            "Datagrams that were not passed on, by reason.",
        )
        .each("reason", dropped, |(reason, count)| (reason, count)),
        FigureFamily::counter(
            "arauto_listener_reports",
            None,
            "RTCP receiver reports received from listeners about datagrams that the server sent.",
        )
        .is(counts.reports),
    ]
}

/// Figures of the process, by the names that are common to all programs.
fn process(process: &Process) -> Vec<FigureFamily> {
    let cpu = FigureFamily::counter(
        "process_cpu",
        Some(FigureUnit::Seconds),
        "Seconds of CPU time of the process, in user and kernel mode.",
    );
    let gauges = [
        (
            "process_resident_memory",
            Some(FigureUnit::Bytes),
            "Bytes of physical memory that the process holds.",
            process.resident_bytes,
        ),
        (
            "process_virtual_memory",
            Some(FigureUnit::Bytes),
            "Bytes of address space that the process has.",
            process.virtual_bytes,
        ),
        ("process_threads", None, "Threads that the process has.", process.threads),
        ("process_open_fds", None, "File descriptors that the process has open.", process.open_files),
        ("process_max_fds", None, "File descriptors that the process may have open.", process.max_files),
    ];
    let known = gauges.into_iter().filter_map(|(stem, unit, help, value)| Some((stem, unit, help, value?)));
    let gauges = known.map(|(stem, unit, help, value)| FigureFamily::gauge(stem, unit, help).is(value));
    std::iter::once(cpu.real(process.cpu.as_secs_f64())).chain(gauges).collect()
}
