//! [`Playout`]: turns datagrams into samples at the right time. No IO; the caller passes the time.

mod step;

use std::{collections::VecDeque, time::Duration};

use arauto_rtsp::{
    Description, Format,
    payload::{Unit, Unpacker},
};

use super::{
    Spec,
    conceal::Concealer,
    decode::AudioDecoder,
    delay,
    jitter::{Counts, JitterBuffer, Taken},
    stretch::Stretch,
};

/// The clock that decides when a sample is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSource {
    /// The clock of the consumer, such as a sound card. Audio that is missing when due is concealed. The speed is
    /// adjusted slightly, so that the buffer neither grows nor shrinks.
    Card,
    /// None, as for a file: available audio is delivered at once and unchanged, and a missing datagram is waited for,
    /// at most [`LOSS_TIMEOUT`].
    Sender,
}

/// Maximum excess of the audio written to a file over the time elapsed since the beginning. A stream is live, so more
/// comes only from a sender that is too fast, or that jumps in its numbers and timestamps to have endless silence
/// written. The allowance is for a sender that sends part of a song at once.
pub const MAX_AHEAD: Duration = Duration::from_secs(30);

/// How long a missing datagram is waited for when there is no sound card.
pub const LOSS_TIMEOUT: Duration = delay::MAX_DELAY;

/// Concealment steps per second. Steps are short, so that a datagram which arrives meanwhile is still played.
const CONCEALMENT_STEPS: u32 = 100; // 10 ms each
/// Excess of queued audio over the target delay above which some is dropped: a connection stalled, and everything
/// arrived at once. Some senders begin with half a second at once; a higher speed makes up for that inaudibly.
const MAX_EXCESS: Duration = Duration::from_millis(700);
/// Time that a sound card may take to start. Audio dropped within it was never listened to, so it does not count as
/// lost.
const START_TIME: Duration = Duration::from_secs(3);
/// Audio beyond the target delay that is kept when dropping at the beginning. Above zero, and below what causes
/// dropping.
const KEPT_EXCESS: Duration = MAX_EXCESS.checked_div(2).expect("two is not nothing");
/// Maximum duration of one datagram. A gap that exceeds this per missing datagram is not due to loss.
const MAX_DATAGRAM_TIME: Duration = Duration::from_millis(200);
/// Longest timestamp gap without a missing datagram that is taken for silence. A longer one is a jump of the sender's
/// clock.
const MAX_SILENCE: Duration = Duration::from_secs(10);
/// Time constant of the moving average of packet lead time.
const LEAD_TIME_CONSTANT: Duration = Duration::from_secs(2);
/// Approximate time in which a wrong delay is corrected.
const CORRECTION_TIME: Duration = Duration::from_secs(8);
/// Shortfall of delay from which it is corrected. Small, because datagrams may come too late.
const TOO_SHORT: Duration = Duration::from_millis(10);
/// Excess of delay from which it is corrected. Larger, because there is no hurry, and unchanged audio sounds best.
const TOO_LONG: Duration = Duration::from_millis(80);
/// Difference at which either correction stops.
const CORRECT_UNTIL: Duration = Duration::from_millis(2);

/// Statistics of playback.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Datagrams by outcome.
    pub counts: Counts,
    /// Duration of received audio that was played.
    pub played: Duration,
    /// Duration of concealment in place of lost datagrams.
    pub concealed: Duration,
    /// Duration of silence because nothing was sent, or nothing arrived in time.
    pub waited: Duration,
    /// Part of `played` that was incomplete: it needed lost data, or could not be decoded.
    pub damaged: Duration,
    /// Duration of audio dropped on purpose, because too much was queued.
    pub skipped: Duration,
    /// Approximate duration of queued audio.
    pub buffered: Duration,
    /// Target delay.
    pub target: Duration,
    /// Interarrival jitter (RFC 3550).
    pub jitter: Duration,
    /// Current playback speed above the sender's, as a fraction: 0.001 is 0.1 % faster.
    pub faster: f64,
}

/// Turns datagrams into samples. Memory is bounded by [`JitterBuffer`] and the samples of one datagram.
pub struct Playout {
    format: Format,
    clock: ClockSource,
    jitter: JitterBuffer,
    unpacker: Unpacker,
    /// Units of the last datagram that are not decoded yet, each with the tick at which it is due.
    units: VecDeque<(i64, Unit)>,
    sound: Option<Sound>,
    is_waiting: bool,
    has_ended: bool,
    /// Tick up to which audio is decoded or concealed.
    ticks: i64,
    /// Timestamp of the last datagram opened; below it, the smoothed difference between consecutive ones.
    last: Option<i64>,
    ticks_a_datagram: f64,
    /// Datagrams missing since the last unit.
    lost: u64,
    /// The next unit does not continue the audio that was played last.
    is_cut: bool,
    /// Frames filled in since the last unit, not yet counted as concealed or as waited.
    filling: u64,
    /// Smoothed lead time of the newest datagram, in seconds, and when it was last updated.
    early: Option<(f64, Duration)>,
    faster: f64,
    /// Numbers of frames, for [`Figures`].
    played: u64,
    concealed: u64,
    waited: u64,
    damaged: u64,
    skipped: u64,
    /// When the first unit became available.
    begun: Option<Duration>,
}

/// State that exists once the audio format is known.
struct Sound {
    spec: Spec,
    decoder: AudioDecoder,
    concealer: Concealer,
    stretch: Stretch,
    samples: Vec<f32>,
}

impl Sound {
    /// For a stream whose first unit is `first`; `None` if that is not a valid unit.
    fn new(format: Format, first: &Unit) -> Option<Self> {
        let decoder = AudioDecoder::new(format, first).ok()?;
        let spec = decoder.spec();
        let (concealer, stretch) = (Concealer::new(spec), Stretch::new(spec));
        Some(Self { spec, decoder, concealer, stretch, samples: Vec::new() })
    }
}

impl Playout {
    /// Creates the playout of a described stream.
    #[must_use]
    pub fn new(description: &Description, clock: ClockSource) -> Self {
        let Description { format, payload_type, .. } = *description;
        Self {
            format,
            clock,
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

    /// Takes an RTP datagram that arrived at `now`, counted from any fixed moment.
    pub fn take(&mut self, now: Duration, datagram: &[u8]) {
        let before = self.jitter.newest();
        let taken = self.jitter.take(now, datagram);
        match taken {
            Taken::Kept if self.jitter.newest() != before && !self.is_waiting => self.observe(now),
            Taken::Late(ticks) => self.was_late(now, self.ticks - ticks),
            _ => {}
        }
    }

    /// Declares that no more datagrams will come. Queued ones are still played.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// Audio format, if the next queued datagram already shows it. The sink can be opened while the datagram waits.
    pub fn foresee(&mut self) -> Option<Spec> {
        if self.sound.is_none() {
            let held = self.jitter.head_payload()?;
            // A temporary unpacker: `self.unpacker` takes this datagram again at its turn.
            let units = Unpacker::new(self.format).take(held.sequence, held.timestamp, &held.payload);
            self.sound = Some(Sound::new(self.format, units.first()?)?);
        }
        Some(self.sound.as_ref()?.spec)
    }

    /// Audio format, once audio can be played. Call [`Self::pull`] from then on.
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

    /// Appends at most `frames` frames, interleaved, and returns how many. With [`ClockSource::Card`], fewer than `frames`
    /// only at the end; with [`ClockSource::Sender`], as many as there are now: call again when a datagram arrives, and at
    /// [`Self::look_again`].
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

    /// Whether all audio was delivered and no more will come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.has_ended && self.jitter.is_empty() && self.units.is_empty()
    }

    /// When to call [`Self::pull`] again although no datagram arrived.
    #[must_use]
    pub fn look_again(&self, now: Duration) -> Option<Duration> {
        let head = self.jitter.head()?;
        let patience = if self.is_waiting { self.jitter.delay().target(now) } else { LOSS_TIMEOUT };
        Some(head.arrived + patience)
    }

    /// Whether a file exceeds the elapsed time by more than [`MAX_AHEAD`].
    fn is_ahead(&self, now: Duration) -> bool {
        let (Some(sound), Some(begun), ClockSource::Sender) = (&self.sound, self.begun, self.clock) else {
            return false;
        };
        let given = sound.spec.time(self.played + self.concealed + self.waited + self.filling);
        given > now.saturating_sub(begun) + MAX_AHEAD
    }

    /// Statistics so far.
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

    /// Content of a receiver report: the sender's SSRC, its reception statistics, and the jitter in ticks.
    pub fn report(&mut self) -> Option<(u32, arauto_rtsp::sequence::Reception, u32)> {
        let (ssrc, reception) = self.jitter.report()?;
        Some((ssrc, reception, self.jitter.delay().jitter().ticks()))
    }

    /// Estimated from the number of queued datagrams, because their timestamps are not trustworthy.
    fn buffered(&self) -> Duration {
        let waiting = u32::try_from(self.jitter.len()).unwrap_or(u32::MAX);
        Duration::from_secs_f64(
            f64::from(waiting) * self.ticks_a_datagram / f64::from(self.format.clock_rate()),
        )
    }

    fn was_late(&mut self, now: Duration, by: i64) {
        let by = self.time(by);
        // After an interruption or a pause, lateness says nothing about jitter.
        if by <= delay::MAX_DELAY {
            self.jitter.delay_mut().was_late(now, by);
        }
    }

    /// Updates the smoothed lead time of the newest datagram.
    fn observe(&mut self, now: Duration) {
        let (Some(newest), Some(sound)) = (self.jitter.newest(), &self.sound) else { return };
        if self.clock == ClockSource::Sender {
            return;
        }
        let not_heard = sound.spec.time(sound.stretch.waiting() as u64).as_secs_f64();
        let early = seconds(newest - self.ticks, self.format.clock_rate()) + not_heard;
        self.early = Some(match self.early {
            Some((before, at)) => {
                let part =
                    1.0 - (-now.saturating_sub(at).as_secs_f64() / LEAD_TIME_CONSTANT.as_secs_f64()).exp();
                (before + part * (early - before), now)
            }
            None => (early, now),
        });
    }

    /// Plays slightly faster if too much is queued, slightly slower if too little is.
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
        self.faster =
            sound.stretch.set_speed(if is_wrong { error / CORRECTION_TIME.as_secs_f64() } else { 0.0 });
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

/// Converts a difference of ticks, which is small.
#[expect(clippy::cast_precision_loss, reason = "hours in ticks are below 2^52")]
fn seconds(ticks: i64, clock_rate: u32) -> f64 {
    ticks as f64 / f64::from(clock_rate)
}

#[cfg(test)]
mod tests;
