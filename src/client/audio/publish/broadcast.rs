//! [`Broadcast`]: one file on its way to the server, until its end.

use std::{
    future::pending,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    pace::Pace,
    packets::Packets,
    reading::{Read, Reading},
};
use crate::{
    client::rtsp::{Event, Failure, Session},
    media::{ntp::Ntp, payload::Payload},
};

/// How long after the first report sound begins. The server tells who asked when it hears that one is there, and what is sent
/// before they are there, too, they would not hear.
pub(super) const HEAD_START: Duration = Duration::from_millis(500);
/// How often the server is told how much was sent, and that one is still there.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// How long the server may take nothing.
const STALL: Duration = Duration::from_secs(10);

/// What one can do while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Send nothing for a while. The server is still told that one is there.
    Pause,
    /// Go on where it was.
    Resume,
    /// End it.
    Stop,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How much of the file was sent.
    pub elapsed: Duration,
    /// Whether there is a pause.
    pub is_paused: bool,
}

/// How it ended without anything going wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// All of the file was sent.
    Finished,
    /// It was stopped.
    Stopped,
    /// The server ended the connection: somebody stopped it there, or nobody is to listen any more.
    Closed,
    /// The file could not be read to its end, for this reason.
    CutOff(String),
}

/// A file on its way.
pub struct Broadcast {
    session: Session,
    reading: Reading,
    pace: Pace,
    packets: Packets,
    /// Read, and not sent yet.
    next: Option<Payload>,
    /// Nothing more is to be read, and why.
    read: Option<Over>,
    /// Where what was sent ends.
    end: u64,
    progress: watch::Sender<Progress>,
}

impl Broadcast {
    /// Begins in a moment. Who listens is shown where it is by `progress`.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn new(
        session: Session,
        reading: Reading,
        progress: watch::Sender<Progress>,
    ) -> Result<Self, getrandom::Error> {
        let format = reading.format;
        Ok(Self {
            session,
            reading,
            pace: Pace::new(Instant::now() + HEAD_START, format.clock_rate()),
            packets: Packets::new(format.payload_type())?,
            next: None,
            read: None,
            end: 0,
            progress,
        })
    }

    /// Goes on until the end. Who drops `controls` ends it.
    ///
    /// # Errors
    /// If the connection breaks, or the server takes nothing any more.
    pub async fn run(mut self, mut controls: mpsc::Receiver<Control>) -> Result<Over, Failure> {
        let mut report_at = Instant::now();
        loop {
            let due = match (&self.next, &self.read) {
                (Some(payload), _) => self.pace.due(payload.position),
                (None, Some(_)) => self.pace.over(self.end),
                (None, None) => None,
            };
            let wants_more = self.next.is_none() && self.read.is_none();
            tokio::select! {
                read = self.reading.next(), if wants_more => match read {
                    Read::Payload(payload) => self.next = Some(payload),
                    Read::End => self.read = Some(Over::Finished),
                    Read::Failed(why) => self.read = Some(Over::CutOff(why)),
                },
                () = at(due) => match (self.next.take(), self.read.take()) {
                    (Some(payload), read) => {
                        self.read = read;
                        self.send(&payload).await?;
                    }
                    (None, over) => return self.finish(over.unwrap_or(Over::Finished)).await,
                },
                () = sleep_until(report_at) => {
                    report_at += REPORT_EVERY;
                    let (ntp, ticks) = self.now();
                    let report = self.packets.report(ntp, ticks);
                    in_time(self.session.send_rtcp(&report)).await?;
                }
                event = self.session.next() => match event? {
                    Event::Closed => return Ok(Over::Closed),
                    // What listeners say of what they hear is the server's business.
                    Event::Rtp(_) | Event::Rtcp(_) => {}
                },
                control = controls.recv() => match control {
                    Some(Control::Pause) => self.pace.pause(Instant::now()),
                    Some(Control::Resume) => self.pace.resume(Instant::now()),
                    Some(Control::Stop) | None => return self.finish(Over::Stopped).await,
                },
            }
            let is_paused = self.pace.is_paused();
            self.progress.send_if_modified(|progress| {
                std::mem::replace(&mut progress.is_paused, is_paused) != is_paused
            });
        }
    }

    async fn send(&mut self, payload: &Payload) -> Result<(), Failure> {
        let (ticks, is_first) = self.pace.send(payload.position, Instant::now());
        let packet = self.packets.rtp(&payload.bytes, ticks, is_first);
        in_time(self.session.send_rtp(&packet)).await?;
        self.end = payload.position + u64::from(payload.ticks);
        let elapsed = self.pace.time(self.end);
        self.progress.send_modify(|progress| progress.elapsed = elapsed);
        Ok(())
    }

    /// What the wall clock says when so many ticks are heard: now, or when it begins.
    fn now(&self) -> (Ntp, u64) {
        let now = Instant::now();
        (Ntp::at(SystemTime::now() + self.pace.begins_in(now)), self.pace.now(now))
    }

    async fn finish(self, over: Over) -> Result<Over, Failure> {
        let (ntp, ticks) = self.now();
        let goodbye = self.packets.goodbye(ntp, ticks);
        in_time(self.session.send_rtcp(&goodbye)).await?;
        self.session.end().await;
        Ok(over)
    }
}

async fn in_time(sending: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    timeout(STALL, sending).await.unwrap_or(Err(Failure::Silence { method: "RECORD" }))
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
