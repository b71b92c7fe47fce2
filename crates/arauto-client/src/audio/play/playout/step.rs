//! Chooses what is played next: the next unit, concealment in place of a missing one, or silence.

use std::time::Duration;

use arauto_rtsp::payload::Unit;

use super::{
    super::{
        decode::{Decoded, frames_of},
        jitter::Head,
    },
    CONCEALMENT_STEPS, ClockSource, KEPT_EXCESS, LOSS_TIMEOUT, MAX_DATAGRAM_TIME, MAX_EXCESS, MAX_SILENCE,
    Playout, START_TIME, Sound,
};

impl Playout {
    /// Advances by one step. Returns whether it could.
    pub(super) fn step(&mut self, now: Duration) -> bool {
        // Datagrams that arrive meanwhile are queued, and dropped if too many are. Queued ones are played at the end.
        if !self.has_ended && self.is_ahead(now) {
            return false;
        }
        if let Some((ticks, unit)) = self.units.pop_front() {
            self.play(ticks, &unit);
            return true;
        }
        if self.is_waiting {
            if self.stop_waiting(now) {
                return true;
            }
            return self.clock == ClockSource::Card && !self.is_over() && self.fill(self.at_once(), false);
        }
        let head = self.jitter.head();
        match self.clock {
            ClockSource::Card => self.in_time(now, head),
            ClockSource::Sender => head.is_some_and(|head| self.in_order(now, head)),
        }
    }

    /// Starts or resumes playback if enough is queued. Returns whether it did.
    pub(super) fn stop_waiting(&mut self, now: Duration) -> bool {
        let Some(head) = self.jitter.head() else { return false };
        if now < head.arrived + self.jitter.delay().target(now) && !self.has_ended {
            return false;
        }
        self.is_waiting = false;
        self.is_cut = self.played > 0;
        self.ticks = head.ticks;
        self.early = None;
        true
    }

    fn wait(&mut self) -> bool {
        self.is_waiting = true;
        true
    }

    /// Step for a sound card, which takes samples now whether or not there is audio.
    fn in_time(&mut self, now: Duration, head: Option<Head>) -> bool {
        let Some(head) = head else {
            return !self.has_ended && self.fill(self.at_once(), true);
        };
        if head.is_first && self.last.is_some() {
            self.last = None;
            return self.wait();
        }
        if self.buffered() > self.jitter.delay().target(now) + MAX_EXCESS && !self.has_ended {
            return self.catch_up(now);
        }
        let gap = head.ticks - self.ticks;
        // Tolerance for rounding, and for concealment that ran slightly too long.
        let little = self.ticks_of(Duration::from_millis(2));
        if gap < -little {
            if self.jitter.holds_after(self.ticks - little) {
                self.was_late(now, -gap);
                self.lost += head.missing + 1;
                self.is_cut = true;
                self.jitter.late();
                return true;
            }
            // Every queued datagram is late: the sender has paused, or the network path has become longer.
            self.was_late(now, -gap);
            return self.wait();
        }
        if gap > little {
            if self.is_no_gap(&head, gap) {
                return self.wait();
            }
            return self.fill(gap.min(self.at_once()), true);
        }
        self.next_datagram();
        true
    }

    /// Step for a file: plays all that is there, but waits for missing datagrams.
    fn in_order(&mut self, now: Duration, head: Head) -> bool {
        let gap = head.ticks - self.ticks;
        if head.missing > 0 {
            let is_due = now >= head.arrived + LOSS_TIMEOUT
                || self.has_ended
                || self.jitter.len() > super::super::jitter::MAX_DATAGRAMS / 2;
            if !is_due {
                return false;
            }
            if gap > 0 && !self.is_no_gap(&head, gap) && !self.is_ahead(now) {
                return self.fill(gap.min(self.at_once()), true);
            }
        }
        self.next_datagram();
        true
    }

    /// Whether the timestamp gap contradicts the sequence numbers: the sender's clock jumped.
    fn is_no_gap(&self, head: &Head, gap: i64) -> bool {
        let sound = self.sound.as_ref();
        let filled = sound.map_or(0, |sound| self.ticks_of(sound.spec.time(self.filling)));
        let missing = i64::try_from(head.missing + self.lost).unwrap_or(i64::MAX);
        let most = match missing {
            0 => self.ticks_of(MAX_SILENCE),
            _ => self.ticks_of(MAX_DATAGRAM_TIME).saturating_mul(missing),
        };
        gap.saturating_add(filled) > most
    }

    /// Drops queued audio after a connection stalled and everything arrived at once, so that this listener hears what
    /// the others hear now.
    fn catch_up(&mut self, now: Duration) -> bool {
        let target = self.jitter.delay().target(now);
        let is_beginning = self.begun.is_none_or(|begun| now < begun + START_TIME);
        let held = if is_beginning { KEPT_EXCESS } else { Duration::ZERO };
        let before = self.jitter.head().map_or(self.ticks, |head| head.ticks);
        while self.buffered() > target + held && self.jitter.len() > 1 {
            if is_beginning { self.jitter.forget() } else { self.jitter.skip() }
        }
        self.stop_waiting(now + target);
        if let Some(sound) = &self.sound {
            let ticks = u64::try_from(self.ticks - before).unwrap_or_default();
            self.skipped += frames_of(ticks, self.format.clock_rate(), sound.spec);
        }
        self.is_cut = true;
        true
    }

    /// Opens the next datagram.
    pub(super) fn next_datagram(&mut self) {
        let missing = self.jitter.head().map_or(0, |head| head.missing);
        let Some(held) = self.jitter.pop() else { return };
        self.lost += missing;
        if self.clock == ClockSource::Sender && self.lost == 0 {
            self.ticks = held.ticks;
        }
        if let Some(before) = self.last.replace(held.ticks) {
            let ticks = held.ticks - before;
            let is_usual = missing == 0 && (0..=self.ticks_of(MAX_DATAGRAM_TIME)).contains(&ticks);
            if let (true, Ok(ticks)) = (is_usual, i32::try_from(ticks)) {
                // The first difference counts fully, later ones by a sixteenth.
                let part = if self.ticks_a_datagram == 0.0 { 1.0 } else { 1.0 / 16.0 };
                self.ticks_a_datagram += part * (f64::from(ticks) - self.ticks_a_datagram);
            }
        }
        for unit in self.unpacker.take(held.sequence, held.timestamp, &held.payload) {
            let later = unit.timestamp.wrapping_sub(held.timestamp).cast_signed();
            self.units.push_back((held.ticks + i64::from(later), unit));
        }
    }

    fn play(&mut self, ticks: i64, unit: &Unit) {
        let Some(sound) = &mut self.sound else { return };
        let Sound { spec, decoder, concealer, stretch, samples } = sound;
        if self.lost > 0 {
            self.concealed += self.filling;
        } else {
            self.waited += self.filling;
        }
        self.filling = 0;
        let channels = usize::from(spec.channels);
        samples.clear();
        let decoded = decoder.decode(unit, self.lost > 0 || self.is_cut, samples);
        let frames = if decoded.is_ok() {
            if self.is_cut {
                // The unit does not continue the previous audio, so it is faded in.
                concealer.conceal(0, samples);
            }
            concealer.pass(samples);
            (samples.len() / channels) as u64
        } else {
            let frames = frames_of(u64::from(unit.ticks), self.format.clock_rate(), *spec);
            concealer.conceal(usize::try_from(frames).unwrap_or_default(), samples);
            frames
        };
        self.played += frames;
        if decoded != Ok(Decoded::Whole) {
            self.damaged += frames;
        }
        stretch.push(samples);
        (self.lost, self.is_cut) = (0, false);
        self.ticks = ticks + i64::from(unit.ticks);
    }

    /// Ticks of one concealment step.
    fn at_once(&self) -> i64 {
        i64::from(self.format.clock_rate().div_ceil(CONCEALMENT_STEPS))
    }

    /// Emits concealment audio for `ticks`. `passes`: the position advances, so datagrams for this time are too late.
    fn fill(&mut self, ticks: i64, passes: bool) -> bool {
        let Some(sound) = &mut self.sound else { return false };
        let frames =
            frames_of(u64::try_from(ticks).unwrap_or_default(), self.format.clock_rate(), sound.spec);
        sound.samples.clear();
        sound.concealer.conceal(usize::try_from(frames).unwrap_or_default(), &mut sound.samples);
        sound.stretch.push(&sound.samples);
        if passes {
            self.ticks += ticks;
            self.filling += frames;
        } else {
            self.waited += frames;
        }
        true
    }
}
