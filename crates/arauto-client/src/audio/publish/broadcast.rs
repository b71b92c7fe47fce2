//! [`Broadcast`]: sends one file to the server until the file ends.

use std::time::{Duration, SystemTime};

use arauto_rtsp::{ntp::Ntp, payload::Payload};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    packets::Packets,
    reading::{Read, Reading},
    schedule::SendSchedule,
};
use crate::{
    deadline::sleep_until_opt,
    rtsp::{RtspError, RtspEvent, StreamSession},
};

/// Time from the first report to the first audio. The server informs the client that asked once it receives from the
/// publisher. Audio sent before that client has connected would be lost on it.
pub(super) const HEAD_START: Duration = Duration::from_millis(500);
/// Interval between reports, which tell the server how much was sent and that the publisher is alive.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum time for which the server may accept no data.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A request of the user during a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Send nothing for a while. Reports continue.
    Pause,
    /// Continue where it was paused.
    Resume,
    /// End the broadcast.
    Stop,
}

/// Progress of a broadcast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublishProgress {
    /// How much of the file was sent.
    pub elapsed: Duration,
    /// Whether the broadcast is paused.
    pub is_paused: bool,
}

/// How a broadcast ended that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// All of the file was sent.
    Finished,
    /// The user stopped it.
    Stopped,
    /// The server closed the connection: the broadcast was stopped there, or has no more listeners.
    Closed,
    /// The file could not be read to its end, for this reason.
    CutOff(String),
}

/// A file that is being sent.
pub struct Broadcast {
    session: StreamSession,
    reading: Reading,
    schedule: SendSchedule,
    packets: Packets,
    /// Read, but not sent yet.
    next: Option<Payload>,
    /// Set once nothing more is to be read. Holds the outcome.
    read: Option<Over>,
    /// Position in the file at which the audio sent so far ends.
    end: u64,
    progress: watch::Sender<PublishProgress>,
}

impl Broadcast {
    /// Creates a broadcast that starts after a short delay. `progress` receives updates.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn new(
        session: StreamSession,
        reading: Reading,
        progress: watch::Sender<PublishProgress>,
    ) -> Result<Self, getrandom::Error> {
        let format = reading.format;
        Ok(Self {
            session,
            reading,
            schedule: SendSchedule::new(Instant::now() + HEAD_START, format.clock_rate()),
            packets: Packets::new(format.payload_type())?,
            next: None,
            read: None,
            end: 0,
            progress,
        })
    }

    /// Runs until the end. Dropping the sender of `controls` ends the broadcast.
    ///
    /// # Errors
    /// If the connection breaks, or the server stops accepting data.
    pub async fn run(mut self, mut controls: mpsc::Receiver<Control>) -> Result<Over, RtspError> {
        let mut report_at = Instant::now();
        loop {
            let due = match (&self.next, &self.read) {
                (Some(payload), _) => self.schedule.due(payload.position),
                (None, Some(_)) => self.schedule.over(self.end),
                (None, None) => None,
            };
            let wants_more = self.next.is_none() && self.read.is_none();
            tokio::select! {
                read = self.reading.next(), if wants_more => match read {
                    Read::Payload(payload) => self.next = Some(payload),
                    Read::End => self.read = Some(Over::Finished),
                    Read::Failed(why) => self.read = Some(Over::CutOff(why)),
                },
                () = sleep_until_opt(due) => match (self.next.take(), self.read.take()) {
                    (Some(payload), read) => {
                        self.read = read;
                        self.send(&payload).await?;
                    }
                    (None, over) => return self.finish(over.unwrap_or(Over::Finished)).await,
                },
                () = sleep_until(report_at) => {
                    report_at += REPORT_INTERVAL;
                    let (ntp, ticks) = self.now();
                    let report = self.packets.report(ntp, ticks);
                    in_time(self.session.send_rtcp(&report)).await?;
                }
                event = self.session.next() => match event? {
                    RtspEvent::Closed => return Ok(Over::Closed),
                    // Reports of listeners concern only the server.
                    RtspEvent::Rtp(_) | RtspEvent::Rtcp(_) => {}
                },
                control = controls.recv() => match control {
                    Some(Control::Pause) => self.schedule.pause(Instant::now()),
                    Some(Control::Resume) => self.schedule.resume(Instant::now()),
                    Some(Control::Stop) | None => return self.finish(Over::Stopped).await,
                },
            }
            let is_paused = self.schedule.is_paused();
            self.progress.send_if_modified(|progress| {
                std::mem::replace(&mut progress.is_paused, is_paused) != is_paused
            });
        }
    }

    async fn send(&mut self, payload: &Payload) -> Result<(), RtspError> {
        let (ticks, is_first) = self.schedule.send(payload.position, Instant::now());
        let packet = self.packets.rtp(&payload.bytes, ticks, is_first);
        in_time(self.session.send_rtp(&packet)).await?;
        self.end = payload.position + u64::from(payload.ticks);
        let elapsed = self.schedule.time(self.end);
        self.progress.send_modify(|progress| progress.elapsed = elapsed);
        Ok(())
    }

    /// A wall-clock time and the ticks that are played then: the present, or the beginning if that is still to come.
    fn now(&self) -> (Ntp, u64) {
        let now = Instant::now();
        (Ntp::at(SystemTime::now() + self.schedule.begins_in(now)), self.schedule.now(now))
    }

    async fn finish(self, over: Over) -> Result<Over, RtspError> {
        let (ntp, ticks) = self.now();
        let goodbye = self.packets.goodbye(ntp, ticks);
        in_time(self.session.send_rtcp(&goodbye)).await?;
        self.session.end().await;
        Ok(over)
    }
}

async fn in_time(sending: impl Future<Output = Result<(), RtspError>>) -> Result<(), RtspError> {
    timeout(STALL_TIMEOUT, sending).await.unwrap_or(Err(RtspError::Silence { method: "RECORD" }))
}
