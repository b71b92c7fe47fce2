//! [`Admission`]: what has to be known before a frame is appended. NATS is not open, the stream is there, and its settings
//! will do.
//!
//! ```text
//!  AskForEnd -> probes, STREAM.INFO -> not found twice: STREAM.CREATE -> settings -> End
//! ```
//!
//! Only a program that asks for the end, so a node that joins, creates the stream. If it is gone later, that is reported.

use std::time::{Duration, Instant, SystemTime};

use arauto_cluster::{Instance, frame::Head};
use bytes::Bytes;

use super::Worker;
use crate::{
    api::{NOT_CLUSTERED, NOT_FOR_ACCOUNT, STREAM_NOT_FOUND, StreamInfo, StreamState},
    client::is_loopback,
    error::{ApiError, Refusal, Warning},
    report::Report,
    stream_config::creation,
    subjects::Reply,
};

/// An age from which on the end of the log is doubted, if the server does not tell its time.
const DOUBTED_AGE: Duration = Duration::from_secs(5);

/// An end that is doubted is believed if it is still the end after this time: two beats of a node, and half a second.
const STILL_TIME: Duration = Duration::from_millis(2_500);

/// From the first answer that there is no such stream to the time at which it is believed, if the answer is still the
/// same. A server of a NATS cluster that has just started may not know of the stream yet.
const ABSENT_TIME: Duration = Duration::from_millis(500);

/// Whether NATS is open, as a message shows that the node publishes on its own subject of the tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    /// It is still to be published.
    Due,
    /// It was published, before the question for the end.
    Sent,
    /// It came back.
    CameBack,
    /// It did not come back before the answer to the question after it; or nothing depends on it.
    Done,
}

/// The knowledge of NATS and the stream so far.
#[derive(Debug)]
pub struct Admission {
    /// The program wants to know the end of the log.
    asks_for_end: bool,
    /// The end of the log was reported, so the stream was there and its settings will do.
    is_admitted: bool,
    /// When the stream was created, as the server writes it.
    created: Option<String>,
    /// The position of the newest frame of this node that the stream has stored.
    acknowledged: u64,
    probe: Probe,
    /// An end that was doubted, and when it was first seen.
    doubted: Option<(u64, Instant)>,
    /// When the server first said that there is no such stream.
    absent_since: Option<Instant>,
}

impl Admission {
    pub fn new(asks_for_end: bool, trusts_nats: bool) -> Self {
        let probe = if trusts_nats { Probe::Done } else { Probe::Due };
        Self {
            asks_for_end,
            is_admitted: false,
            created: None,
            acknowledged: 0,
            probe,
            doubted: None,
            absent_since: None,
        }
    }

    pub fn is_admitted(&self) -> bool {
        self.is_admitted
    }

    pub fn connection_lost(&mut self) {
        if self.probe == Probe::Sent {
            self.probe = Probe::Due;
        }
        self.absent_since = None;
    }

    pub fn probe_came_back(&mut self) {
        self.probe = Probe::CameBack;
    }
}

impl<D: FnMut(Report)> Worker<D> {
    /// Asks for the end of the log, now or once a server is connected.
    pub(super) fn ask_for_end(&mut self) {
        self.admission.asks_for_end = true;
        self.greet_stream();
    }

    /// Asks for what is to be known of the stream.
    pub(super) fn greet_stream(&mut self) {
        if self.admission.asks_for_end {
            self.send_probes();
            self.ask_for_info(Reply::End);
        } else if self.admission.is_admitted {
            self.ask_for_info(Reply::Check);
        }
    }

    /// Publishes what must not come back, and tries what has to be permitted, so that a user that lacks a permission is
    /// refused at once and not when the permission is needed. `STREAM.CREATE` and the log itself cannot be tried.
    fn send_probes(&mut self) {
        if self.admission.probe != Probe::Due || !self.is_connected {
            return;
        }
        let to_no_instance = self.subjects.state_to(Instance(0));
        let position = Bytes::from_static(br#"{"seq":1}"#);
        let is_sent = self.publish(self.subjects.own_tail(), None, self.subjects.secret().to_owned())
            && self.publish(to_no_instance, None, Bytes::new())
            && self.publish(self.subjects.api("DIRECT.GET"), Some(Reply::Probe), position.clone())
            && self.publish(self.subjects.api("STREAM.MSG.GET"), Some(Reply::Probe), position);
        if is_sent {
            self.admission.probe = Probe::Sent;
        }
    }

    /// Reads the answer to `STREAM.INFO` or `STREAM.CREATE` that was sent for the end of the log.
    pub(super) fn read_end(&mut self, info: StreamInfo) {
        if !self.admission.asks_for_end || !self.judge_openness() {
            return;
        }
        if let Some(error) = info.error {
            return self.heed_stream_error(error);
        }
        let (Some(config), Some(state)) = (info.config, info.state) else { return };
        self.admission.absent_since = None;
        let differences = config.differences(&self.options, &self.subjects);
        if !differences.is_empty() {
            return self.refuse(Refusal::StreamDiffers(differences));
        }
        if let Some(limits) = config.other_limits(&self.options) {
            self.reports.warn(Warning::Limits(limits));
        }
        let Some(age) = self.age(&state, info.ts.as_deref()) else { return };
        (self.admission.asks_for_end, self.admission.is_admitted) = (false, true);
        (self.admission.created, self.admission.acknowledged) = (info.created, 0);
        self.reports.report(Report::End { position: state.last_seq, age });
    }

    /// Reads the answer to `STREAM.INFO` that was sent to see whether the stream is still there.
    pub(super) fn read_check(&mut self, info: StreamInfo) {
        if let Some(error) = info.error {
            return self.heed_stream_error(error);
        }
        self.admission.absent_since = None;
        if self.admission.is_admitted && info.created != self.admission.created {
            return self.stream_gone();
        }
        let differences = info.config.map(|config| config.differences(&self.options, &self.subjects));
        if let Some(differences) = differences.filter(|differences| !differences.is_empty()) {
            self.refuse(Refusal::StreamDiffers(differences));
        }
    }

    /// Acts on an error of a request about the stream.
    pub(super) fn heed_stream_error(&mut self, error: ApiError) {
        match error.number {
            STREAM_NOT_FOUND => self.heed_absence(),
            NOT_FOR_ACCOUNT => self.refuse(Refusal::NoJetStream(error)),
            NOT_CLUSTERED => self.refuse(Refusal::NotClustered(error)),
            _ => self.reports.warn(Warning::JetStream(error)),
        }
    }

    /// Creates the stream, or reports that it is gone, once it was absent for a while.
    fn heed_absence(&mut self) {
        let now = Instant::now();
        let since = *self.admission.absent_since.get_or_insert(now);
        if now < since + ABSENT_TIME {
            return;
        }
        self.admission.absent_since = None;
        if self.admission.asks_for_end {
            let creation = creation(&self.options, &self.subjects).to_string();
            self.publish(self.subjects.api("STREAM.CREATE"), Some(Reply::Create), creation);
        } else {
            self.stream_gone();
        }
    }

    /// Asks again whether the stream is there, if it was absent for a while. Called at each tick.
    pub(super) fn confirm_absence(&mut self) {
        if self.admission.absent_since.is_some_and(|since| Instant::now() >= since + ABSENT_TIME) {
            self.greet_stream();
        }
    }

    /// The stream is gone, or another one has its name.
    fn stream_gone(&mut self) {
        if std::mem::take(&mut self.admission.is_admitted) {
            self.reports.report(Report::StreamGone);
        }
    }

    /// A frame was stored at this position. A server acknowledges frames in the order of their positions, unless the stream
    /// has begun anew.
    pub(super) fn note_acknowledged(&mut self, position: u64) {
        if position <= self.admission.acknowledged {
            self.ask_for_info(Reply::Check);
        }
        self.admission.acknowledged = position;
    }

    /// Says whether an answer may be read: the probe before it has not shown that NATS is open.
    fn judge_openness(&mut self) -> bool {
        match self.admission.probe {
            // The answer belongs to an earlier connection. The question was asked again on this one.
            Probe::Due => return false,
            Probe::Sent | Probe::Done => {}
            Probe::CameBack => {
                // Programs of other machines reach a server that listens elsewhere as well.
                let is_local = self.options.is_loopback() && is_loopback(&self.client.server_info().host);
                if !is_local {
                    self.refuse(Refusal::Open);
                    return false;
                }
                self.reports.warn(Warning::Open);
            }
        }
        self.admission.probe = Probe::Done;
        true
    }

    /// The age of the newest message; nothing, if it is doubted.
    fn age(&mut self, state: &StreamState, server_time: Option<&str>) -> Option<Duration> {
        if state.last_seq == 0 {
            return Some(Duration::ZERO);
        }
        let time = |text| humantime::parse_rfc3339(text).ok();
        // A stream that has dropped all of its messages may not know when it stored the last.
        let stored = time(&state.last_ts).unwrap_or(SystemTime::UNIX_EPOCH);
        let now = server_time.and_then(time);
        let age = now.unwrap_or_else(SystemTime::now).duration_since(stored).unwrap_or_default();
        if now.is_some() || age < DOUBTED_AGE {
            return Some(age);
        }
        let instant = Instant::now();
        match self.admission.doubted {
            Some((position, since)) if position == state.last_seq => {
                (instant >= since + STILL_TIME).then_some(age)
            }
            _ => {
                self.admission.doubted = Some((state.last_seq, instant));
                None
            }
        }
    }

    /// Appends a frame, if that is possible now.
    pub(super) fn append(&mut self, frame: Vec<u8>) {
        let Ok((Head { instance, number, .. }, _)) = Head::read(&frame) else { return };
        if self.admission.is_admitted {
            self.publish(self.subjects.own_log(), Some(Reply::Append { instance, number }), frame);
        }
    }
}
