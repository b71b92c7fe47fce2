//! [`SendSchedule`]: when each part of the audio is sent, and its RTP timestamp. Reads no clock.

use std::time::Duration;

use tokio::time::Instant;

/// How long before its playback time a datagram is sent, so that a slightly late timer does no harm.
const LEAD: Duration = Duration::from_millis(20);
/// Lateness up to which datagrams are sent late. Beyond it, all later audio is shifted, as after a pause.
const MAX_LATE: Duration = Duration::from_millis(200);

/// Schedule of a broadcast. Position 0 is played at `begun`; all other times are computed from that and the number of
/// ticks since, so that errors do not accumulate.
#[derive(Debug)]
pub(super) struct SendSchedule {
    begun: Instant,
    clock_rate: u32,
    /// Ticks by which playback is later than it would be without pauses.
    shift: u64,
    paused: Option<Instant>,
    /// The next datagram is the first of all, or the first after a pause.
    begins: bool,
}

impl SendSchedule {
    pub(super) fn new(begun: Instant, clock_rate: u32) -> Self {
        Self { begun, clock_rate, shift: 0, paused: None, begins: true }
    }

    /// When audio at this position is to be sent. `None` during a pause.
    pub(super) fn due(&self, position: u64) -> Option<Instant> {
        let heard = self.begun + self.time(position + self.shift);
        self.paused.is_none().then(|| heard.checked_sub(LEAD).map_or(self.begun, |at| at.max(self.begun)))
    }

    /// When playback of the audio that ends at this position is over. `None` during a pause.
    pub(super) fn over(&self, position: u64) -> Option<Instant> {
        self.paused.is_none().then(|| self.begun + self.time(position + self.shift))
    }

    /// Records that audio at this position is sent now. Returns its ticks since the beginning, and whether it is the
    /// first after silence.
    pub(super) fn send(&mut self, position: u64, now: Instant) -> (u64, bool) {
        let late = self.due(position).map_or(Duration::ZERO, |due| now.saturating_duration_since(due));
        if late > MAX_LATE {
            self.shift += self.ticks(late);
            self.begins = true;
        }
        (position + self.shift, std::mem::take(&mut self.begins))
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    pub(super) fn pause(&mut self, now: Instant) {
        self.paused.get_or_insert(now);
    }

    pub(super) fn resume(&mut self, now: Instant) {
        if let Some(since) = self.paused.take() {
            self.shift += self.ticks(now.saturating_duration_since(since));
            self.begins = true;
        }
    }

    /// Time left until the beginning.
    pub(super) fn begins_in(&self, now: Instant) -> Duration {
        self.begun.saturating_duration_since(now)
    }

    /// Ticks since the beginning, pauses included.
    pub(super) fn now(&self, now: Instant) -> u64 {
        self.ticks(now.saturating_duration_since(self.begun))
    }

    /// Duration of `ticks`.
    pub(super) fn time(&self, ticks: u64) -> Duration {
        let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(self.clock_rate.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn ticks(&self, time: Duration) -> u64 {
        u64::try_from(time.as_nanos() * u128::from(self.clock_rate) / 1_000_000_000).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn nothing_adds_up() {
        let begun = Instant::now();
        let mut schedule = SendSchedule::new(begun, 44_100);
        // Ten hours in packets of 350 samples.
        let mut position = 0;
        while position < 36_000 * 44_100 {
            let due = schedule.due(position).unwrap();
            // Every timer is 1 ms late.
            let (ticks, begins) = schedule.send(position, due + MS);
            assert_eq!((ticks, begins), (position, position == 0));
            position += 350;
        }
        let exact = begun + Duration::from_hours(10) - LEAD;
        let due = schedule.due(36_000 * 44_100).unwrap();
        assert!(due.max(exact) - due.min(exact) < Duration::from_micros(1));
    }

    #[test]
    fn the_first_are_sent_at_once_and_the_others_a_little_early() {
        let begun = Instant::now();
        let schedule = SendSchedule::new(begun, 1_000);
        assert_eq!(schedule.due(0), Some(begun));
        assert_eq!(schedule.due(20), Some(begun));
        assert_eq!(schedule.due(50), Some(begun + 30 * MS));
        assert_eq!(schedule.over(50), Some(begun + 50 * MS));
    }

    #[test]
    fn pauses_count() {
        let begun = Instant::now();
        let mut schedule = SendSchedule::new(begun, 1_000);
        schedule.send(0, begun);
        schedule.pause(begun + 100 * MS);
        assert!(schedule.is_paused());
        // A second pause has no effect.
        schedule.pause(begun + 200 * MS);
        assert_eq!((schedule.due(120), schedule.over(120)), (None, None));
        assert_eq!(schedule.now(begun + 300 * MS), 300);
        schedule.resume(begun + 5_100 * MS);
        schedule.resume(begun + 9_999 * MS);
        assert!(!schedule.is_paused());
        assert_eq!(schedule.due(120), Some(begun + 5_100 * MS));
        assert_eq!(schedule.send(120, begun + 5_100 * MS), (5_120, true));
        assert_eq!(schedule.send(140, begun + 5_120 * MS), (5_140, false));
    }

    #[test]
    fn what_is_much_too_late_is_not_caught_up_with() {
        let begun = Instant::now();
        let mut schedule = SendSchedule::new(begun, 1_000);
        schedule.send(0, begun);
        // Late by less than the limit: sent without a shift.
        assert_eq!(schedule.send(100, begun + 280 * MS), (100, false));
        // 3 s late: everything that follows is shifted by that time.
        assert_eq!(schedule.send(200, begun + 3_180 * MS), (3_200, true));
        assert_eq!(schedule.due(300), Some(begun + 3_280 * MS));
        assert_eq!(schedule.send(300, begun + 3_280 * MS), (3_300, false));
    }
}
