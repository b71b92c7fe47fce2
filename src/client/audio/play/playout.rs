//! [`Playout`]: from datagrams to samples at the right time. No IO, and it is told the time.

mod step;

use std::{collections::VecDeque, time::Duration};

use super::{
    Spec,
    conceal::Concealer,
    decode::Decoder,
    delay,
    jitter::{Counts, JitterBuffer, Taken},
    stretch::Stretch,
};
use crate::media::{
    Description, Format,
    payload::{Unit, Unpacker},
};

/// Whose clock says when a sample is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// That of what takes the samples, such as a sound card. What is not there when it is due is concealed; the speed is
    /// adjusted a little, so that the buffer neither grows nor shrinks.
    Card,
    /// Nobody's, as for a file: what is there is given at once and as it is, what is missing is waited for,
    /// [`PATIENCE`] long.
    Sender,
}

/// How much more sound a file is given than time has passed since the beginning. A stream is live, so more comes only from a
/// sender that is too fast, or that jumps in its numbers and timestamps to have silence written without end. A sender in a
/// hurry may send some of a song at once.
pub const MAX_AHEAD: Duration = Duration::from_secs(30);

/// How long a missing datagram is waited for where no sound card is waiting.
pub const PATIENCE: Duration = delay::MOST;

/// For how long what is missing is concealed at a time, so that what comes meanwhile is still heard.
const CONCEALED_AT_ONCE: u32 = 100; // a hundredth of a second
/// How much more may wait than has to before some of it is dropped (a connection stood still, and all came at once). Some
/// senders begin with half a second at once; that is made up for by a higher speed, which nobody hears.
const MOST_EXCESS: Duration = Duration::from_millis(700);
/// A sound card may take so long to begin. What waits too long meanwhile was never listened to, and is not lost.
const BEGINNING: Duration = Duration::from_secs(3);
/// As much of the beginning is held for it: more than has to wait, and less than what is dropped.
const HELD: Duration = MOST_EXCESS.checked_div(2).expect("two is not nothing");
/// A datagram holds no more than this; a longer gap is none of lost datagrams.
const LONGEST_DATAGRAM: Duration = Duration::from_millis(200);
/// The longest gap between two datagrams, none lost between, that is taken for silence.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);
/// Over so long, how early datagrams come is smoothed.
const SMOOTHED: Duration = Duration::from_secs(2);
/// In about this time too long or too short a delay is made up for.
const CORRECTED: Duration = Duration::from_secs(8);
/// Too short a delay is corrected from here on, because something may come too late...
const TOO_SHORT: Duration = Duration::from_millis(10);
/// ... too long a one from here on, because nobody is in a hurry, and sound is best as it comes...
const TOO_LONG: Duration = Duration::from_millis(80);
/// ... both until the difference is smaller than this.
const CORRECT_UNTIL: Duration = Duration::from_millis(2);

/// What is to be told of a stream that is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Datagrams.
    pub counts: Counts,
    /// How long received sound was heard.
    pub played: Duration,
    /// How long something else was heard in place of what was lost.
    pub concealed: Duration,
    /// How long there was silence because nothing was sent, or nothing came in time.
    pub waited: Duration,
    /// Of what was played: how long parts were missing, because they need what was lost, or it was no sound.
    pub damaged: Duration,
    /// How long what was dropped on purpose lasted, because too much waited.
    pub skipped: Duration,
    /// How long what waits lasts, about.
    pub buffered: Duration,
    /// How long is to wait.
    pub target: Duration,
    /// Between datagrams, by RFC 3550.
    pub jitter: Duration,
    /// How much faster than it was sent it is played now.
    pub faster: f64,
}

/// See above. Memory is bounded by [`JitterBuffer`], and one datagram's samples.
pub struct Playout {
    format: Format,
    pace: Pace,
    jitter: JitterBuffer,
    unpacker: Unpacker,
    /// What the last datagram held and is not decoded yet, and when it is to be heard.
    units: VecDeque<(i64, Unit)>,
    sound: Option<Sound>,
    is_waiting: bool,
    has_ended: bool,
    /// Up to when it is decoded or concealed.
    ticks: i64,
    /// The last datagram's time, and how much later each was than the one before, smoothed.
    last: Option<i64>,
    ticks_a_datagram: f64,
    /// Datagrams missing since the last unit.
    lost: u64,
    /// What was heard last does not lead to what comes.
    is_cut: bool,
    /// Frames since the last unit, not yet told what they stood for.
    filling: u64,
    /// How long before its time the newest datagram comes, in seconds, smoothed; and when that was looked at.
    early: Option<(f64, Duration)>,
    faster: f64,
    /// Frames.
    played: u64,
    concealed: u64,
    waited: u64,
    damaged: u64,
    skipped: u64,
    /// Since when there is something to be heard.
    begun: Option<Duration>,
}

/// What there is once it is known what it sounds like.
struct Sound {
    spec: Spec,
    decoder: Decoder,
    concealer: Concealer,
    stretch: Stretch,
    samples: Vec<f32>,
}

impl Sound {
    /// For a stream that begins with this unit, if it is one.
    fn new(format: Format, first: &Unit) -> Option<Self> {
        let decoder = Decoder::new(format, first).ok()?;
        let spec = decoder.spec();
        let (concealer, stretch) = (Concealer::new(spec), Stretch::new(spec));
        Some(Self { spec, decoder, concealer, stretch, samples: Vec::new() })
    }
}

impl Playout {
    /// For a stream that is described so.
    #[must_use]
    pub fn new(description: &Description, pace: Pace) -> Self {
        let Description { format, payload_type, .. } = *description;
        Self {
            format,
            pace,
            jitter: JitterBuffer::new(payload_type, format.clock_rate()),
            unpacker: Unpacker::new(format),
            units: VecDeque::new(),
            sound: None,
            is_waiting: true,
            has_ended: false,
            ticks: 0,
            last: None,
            ticks_a_datagram: 0.0,
            lost: 0,
            is_cut: false,
            filling: 0,
            early: None,
            faster: 0.0,
            played: 0,
            concealed: 0,
            waited: 0,
            damaged: 0,
            skipped: 0,
            begun: None,
        }
    }

    /// Takes a datagram of RTP that came at `now`: since any moment, but always the same.
    pub fn take(&mut self, now: Duration, datagram: &[u8]) {
        let before = self.jitter.newest();
        let taken = self.jitter.take(now, datagram);
        match taken {
            Taken::Kept if self.jitter.newest() != before && !self.is_waiting => self.observe(now),
            Taken::Late(ticks) => self.was_late(now, self.ticks - ticks),
            _ => {}
        }
    }

    /// Nothing more will come. What waits is still played.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// What it sounds like, if what waits says so already: what takes it can be made ready meanwhile.
    pub fn foresee(&mut self) -> Option<Spec> {
        if self.sound.is_none() {
            let held = self.jitter.head_payload()?;
            // Another is to begin with it once more, in its turn.
            let units = Unpacker::new(self.format).take(held.sequence, held.timestamp, &held.payload);
            self.sound = Some(Sound::new(self.format, units.first()?)?);
        }
        Some(self.sound.as_ref()?.spec)
    }

    /// What it sounds like: known as soon as there is something to be heard. Call [`Self::pull`] from then on.
    pub fn begin(&mut self, now: Duration) -> Option<Spec> {
        while self.begun.is_none() {
            if self.is_waiting && !self.stop_waiting(now) {
                return None;
            }
            if self.units.is_empty() {
                self.jitter.head()?;
                self.next_datagram();
            }
            self.begun = self.has_first_unit().then_some(now);
        }
        Some(self.sound.as_ref()?.spec)
    }

    fn has_first_unit(&mut self) -> bool {
        let Some((_, unit)) = self.units.front() else { return false };
        if self.sound.is_none() {
            self.sound = Sound::new(self.format, unit);
        }
        if self.sound.is_none() {
            self.units.pop_front();
        }
        self.sound.is_some()
    }

    /// Appends so many frames, interleaved; how many there were. With [`Pace::Card`], fewer only at the end; else as
    /// many as there are now: look again when something comes, and at [`Self::look_again`].
    pub fn pull(&mut self, now: Duration, frames: usize, out: &mut Vec<f32>) -> usize {
        self.correct(now);
        let mut given = 0;
        loop {
            let Some(sound) = &mut self.sound else { return given };
            given += sound.stretch.pull(frames - given, out);
            if given == frames || !self.step(now) {
                break;
            }
        }
        if given < frames && self.is_over() {
            given += self.sound.as_mut().map_or(0, |sound| sound.stretch.finish(frames - given, out));
        }
        given
    }

    /// Whether everything was given, and nothing will come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.has_ended && self.jitter.is_empty() && self.units.is_empty()
    }

    /// When to look again although nothing came.
    #[must_use]
    pub fn look_again(&self, now: Duration) -> Option<Duration> {
        let head = self.jitter.head()?;
        let patience = if self.is_waiting { self.jitter.delay().target(now) } else { PATIENCE };
        Some(head.arrived + patience)
    }

    /// Whether a file holds as much more as it may than time has passed; see [`MAX_AHEAD`].
    fn is_ahead(&self, now: Duration) -> bool {
        let (Some(sound), Some(begun), Pace::Sender) = (&self.sound, self.begun, self.pace) else {
            return false;
        };
        let given = sound.spec.time(self.played + self.concealed + self.waited + self.filling);
        given > now.saturating_sub(begun) + MAX_AHEAD
    }

    /// What is to be told of it.
    #[must_use]
    pub fn figures(&self, now: Duration) -> Figures {
        let time = |frames| self.sound.as_ref().map_or(Duration::ZERO, |sound| sound.spec.time(frames));
        Figures {
            counts: self.jitter.counts(),
            played: time(self.played),
            concealed: time(self.concealed),
            waited: time(self.waited),
            damaged: time(self.damaged),
            skipped: time(self.skipped),
            buffered: self.buffered(),
            target: self.jitter.delay().target(now),
            jitter: self.jitter.delay().jitter().time(),
            faster: self.faster,
        }
    }

    /// What a receiver report says: whose stream, what came of it, and its jitter in ticks.
    pub fn report(&mut self) -> Option<(u32, crate::media::sequence::Reception, u32)> {
        let (ssrc, reception) = self.jitter.report()?;
        Some((ssrc, reception, self.jitter.delay().jitter().ticks()))
    }

    /// By how many datagrams wait: their timestamps may be anything.
    fn buffered(&self) -> Duration {
        let waiting = u32::try_from(self.jitter.len()).unwrap_or(u32::MAX);
        Duration::from_secs_f64(
            f64::from(waiting) * self.ticks_a_datagram / f64::from(self.format.clock_rate()),
        )
    }

    fn was_late(&mut self, now: Duration, by: i64) {
        let by = self.time(by);
        // After a cut or a pause, nothing is learnt from it.
        if by <= delay::MOST {
            self.jitter.delay_mut().was_late(now, by);
        }
    }

    /// How early the newest one came.
    fn observe(&mut self, now: Duration) {
        let (Some(newest), Some(sound)) = (self.jitter.newest(), &self.sound) else { return };
        if self.pace == Pace::Sender {
            return;
        }
        let not_heard = sound.spec.time(sound.stretch.waiting() as u64).as_secs_f64();
        let early = seconds(newest - self.ticks, self.format.clock_rate()) + not_heard;
        self.early = Some(match self.early {
            Some((before, at)) => {
                let part = 1.0 - (-now.saturating_sub(at).as_secs_f64() / SMOOTHED.as_secs_f64()).exp();
                (before + part * (early - before), now)
            }
            None => (early, now),
        });
    }

    /// A little faster where too much waits, a little slower where too little does.
    fn correct(&mut self, now: Duration) {
        let Some(sound) = &mut self.sound else { return };
        let target = self.jitter.delay().target(now).as_secs_f64();
        let error = self.early.map_or(0.0, |(early, _)| early - target);
        let limit = match self.faster == 0.0 {
            false => CORRECT_UNTIL,
            true if error < 0.0 => TOO_SHORT,
            true => TOO_LONG,
        };
        let is_wrong = error.abs() > limit.as_secs_f64();
        self.faster = sound.stretch.set_speed(if is_wrong { error / CORRECTED.as_secs_f64() } else { 0.0 });
    }

    fn time(&self, ticks: i64) -> Duration {
        let ticks = u64::try_from(ticks).unwrap_or(0);
        Duration::try_from_secs_f64(seconds(
            i64::try_from(ticks).unwrap_or(i64::MAX),
            self.format.clock_rate(),
        ))
        .unwrap_or(Duration::MAX)
    }

    fn ticks_of(&self, time: Duration) -> i64 {
        i64::try_from(time.as_micros() * u128::from(self.format.clock_rate()) / 1_000_000).unwrap_or(i64::MAX)
    }
}

/// Of differences, which are small.
#[expect(clippy::cast_precision_loss, reason = "hours in ticks are below 2^52")]
fn seconds(ticks: i64, clock_rate: u32) -> f64 {
    ticks as f64 / f64::from(clock_rate)
}

#[cfg(test)]
mod tests;
