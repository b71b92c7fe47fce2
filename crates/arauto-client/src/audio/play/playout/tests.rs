#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "numbers of a test, small and exact"
)]

use super::*;

const RATE: u32 = 8_000;
const L16: Format = Format::L16 { rate: RATE, channels: 1 };
/// Ticks in a datagram: 20 ms.
const TICKS: u32 = 160;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn packet(sequence: u16, timestamp: u32, samples: impl Iterator<Item = i16>) -> Vec<u8> {
    let mut packet = vec![0x80, L16.payload_type()];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(7_u32.to_be_bytes());
    packet.extend(samples.flat_map(i16::to_be_bytes));
    packet
}

/// The value of a sample encodes its position.
fn sample(at: u64) -> i16 {
    i16::try_from(at % 20_000).unwrap() + 1
}

/// The datagram that is sent as number `at`.
fn datagram(at: u64) -> Vec<u8> {
    let begin = at * u64::from(TICKS);
    // Both wrap around during a run.
    let sequence = (at.wrapping_add(65_000) & 0xffff) as u16;
    let timestamp = (begin + u64::from(u32::MAX) - 100_000) as u32;
    packet(sequence, timestamp, (begin..begin + u64::from(TICKS)).map(sample))
}

/// A simulated sender, network path and sound card.
struct Run {
    /// Fraction by which the sender's clock is faster than the card's.
    faster: f64,
    /// Maximum random delay on the path, in ms.
    jitter: u64,
    loss: f64,
    /// Milliseconds in which every datagram is lost.
    cut: std::ops::Range<u64>,
    /// Milliseconds in which datagrams are held back; all arrive at the end of the range.
    stall: std::ops::Range<u64>,
    /// Milliseconds in which nothing is sent. The sender continues where it stopped.
    pause: std::ops::Range<u64>,
    seconds: u64,
}

const RUN: Run = Run { faster: 0.0, jitter: 0, loss: 0.0, cut: 0..0, stall: 0..0, pause: 0..0, seconds: 60 };

struct Ran {
    figures: Figures,
    /// Datagrams that were sent and never arrived.
    lost: u64,
    /// For each second, the delay of its last frame from sending to playback, in ms; `None` if no frame was played
    /// then.
    delays: Vec<Option<f64>>,
    /// Maximum of the queued audio, in ms.
    most_buffered: u128,
}

impl Run {
    fn run(&self) -> Ran {
        let mut random = fastrand::Rng::with_seed(1);
        let mut arrivals = Vec::new();
        let mut lost = 0;
        let mut at = 0_u64;
        let mut clock = 0.0;
        while clock < 1_000.0 * self.seconds as f64 {
            let sent = clock as u64;
            clock += 20.0 / (1.0 + self.faster);
            if self.pause.contains(&sent) {
                continue;
            }
            let mut comes = sent + random.u64(0..=self.jitter);
            if self.stall.contains(&sent) {
                comes = comes.max(self.stall.end);
            }
            // A loss at the very end goes unnoticed, because no datagram follows.
            let is_end = sent + 1_000 > 1_000 * self.seconds;
            if self.cut.contains(&sent) || random.f64() < self.loss && !is_end {
                lost += 1;
            } else {
                arrivals.push((comes, at));
            }
            at += 1;
        }
        arrivals.sort_unstable();
        let mut playout = Playout::new(&Description::new(L16, "", None), ClockSource::Card);
        let mut arrivals = arrivals.into_iter().peekable();
        let (mut out, mut delays, mut most_buffered) = (Vec::new(), Vec::new(), 0);
        // The card takes 10 ms at a time.
        for now in (0..1_000 * self.seconds).step_by(10) {
            while let Some((comes, at)) = arrivals.next_if(|(comes, _)| *comes <= now) {
                playout.take(ms(comes), &datagram(at));
            }
            if playout.begin(ms(now)).is_none() {
                continue;
            }
            out.clear();
            assert_eq!(playout.pull(ms(now), 80, &mut out), 80);
            most_buffered = most_buffered.max(playout.figures(ms(now)).buffered.as_millis());
            if now % 1_000 == 990 {
                let sent = f64::from(out[79] * 32_768.0) - 1.0;
                let heard = (now + 10) as f64 * 8.0 * (1.0 + self.faster);
                let is_known = sent >= 0.0 && sent.fract() == 0.0 || playout.faster != 0.0 && sent > 0.0;
                delays.push(is_known.then(|| (heard - sent).rem_euclid(20_000.0) / 8.0));
            }
        }
        Ran { figures: playout.figures(ms(1_000 * self.seconds)), lost, delays, most_buffered }
    }
}

impl Ran {
    fn delay_at(&self, second: usize) -> f64 {
        self.delays[second].unwrap()
    }

    /// The concealed duration is that of the lost datagrams, within a tenth.
    fn assert_concealed(&self) {
        let lost = ms(20 * self.lost);
        let concealed = self.figures.concealed;
        assert!(
            lost.mul_f64(0.9) <= concealed && concealed <= lost.mul_f64(1.1),
            "{lost:?} {:?}",
            self.figures
        );
        assert_eq!(self.figures.counts.lost(), self.lost, "{:?}", self.figures);
    }
}

#[test]
fn without_loss_sample_for_sample() {
    for clock in [ClockSource::Card, ClockSource::Sender] {
        let mut playout = Playout::new(&Description::new(L16, "", None), clock);
        let mut out = Vec::new();
        for at in 0..500 {
            // For a file, each pair is reordered. For a card, that would change the delay and therefore the speed.
            let at_once = at ^ u64::from(clock == ClockSource::Sender);
            playout.take(ms(20 * at), &datagram(at_once));
            if playout.begin(ms(20 * at)).is_some() {
                playout.pull(ms(20 * at), 160, &mut out);
            }
        }
        playout.end();
        while playout.pull(ms(10_000), 160, &mut out) > 0 {}
        assert!(playout.is_over());
        let samples: Vec<_> = out.iter().map(|sample| (sample * 32_768.0) as i16).collect();
        assert!(samples.iter().copied().eq((0..80_000).map(sample)), "{clock:?}");
        let figures = playout.figures(ms(10_000));
        assert_eq!((figures.concealed, figures.damaged), (Duration::ZERO, Duration::ZERO));
        assert_eq!((figures.played, figures.counts.lost()), (ms(10_000), 0), "{clock:?}");
    }
}

#[test]
fn a_file_waits_for_what_is_overtaken_and_conceals_what_is_lost() {
    let mut playout = Playout::new(&Description::new(L16, "", None), ClockSource::Sender);
    for at in [0, 1, 2, 5, 6] {
        playout.take(ms(20 * at), &datagram(at));
    }
    let mut out = Vec::new();
    assert_eq!(playout.begin(ms(200)), Some(Spec { rate: RATE, channels: 1 }));
    assert_eq!(playout.pull(ms(200), 10_000, &mut out), 3 * 160);
    assert_eq!(playout.look_again(ms(200)), Some(ms(100) + LOSS_TIMEOUT));
    playout.take(ms(1_050), &datagram(4));
    assert_eq!(playout.pull(ms(1_050), 10_000, &mut out), 0);
    assert_eq!(playout.pull(ms(1_050) + LOSS_TIMEOUT, 10_000, &mut out), 4 * 160);
    assert_eq!(playout.figures(ms(2_050)).concealed, ms(20));
    // Audio after the gap is at its place.
    let third = (out[5 * 160 - 1] * 32_768.0) as i16;
    assert_eq!(third, sample(5 * 160 - 1));
}

#[test]
fn steady() {
    let ran = RUN.run();
    assert_eq!(ran.figures.counts.lost() + ran.figures.counts.late + ran.figures.counts.skipped, 0);
    assert_eq!((ran.figures.concealed, ran.figures.waited), (Duration::ZERO, Duration::ZERO));
    for delay in &ran.delays {
        assert!((30.0..=150.0).contains(&delay.unwrap()), "{delay:?}");
    }
}

/// A bad network: up to 30 ms of jitter, which reorders datagrams, and 5 % loss.
#[test]
fn loss_jitter_and_a_cut() {
    let ran = Run { jitter: 30, loss: 0.05, cut: 20_000..23_000, ..RUN }.run();
    ran.assert_concealed();
    // After the cut, the delay is the same as before.
    let (before, after) = (ran.delay_at(18), ran.delay_at(26));
    assert!((before - after).abs() < 25.0, "{before} {after}");
    assert!(ran.figures.waited < ms(300), "{:?}", ran.figures);
}

#[test]
fn ten_minutes_of_clocks_that_differ() {
    for faster in [0.0005, -0.0005, 0.000_05] {
        let ran = Run { faster, jitter: 20, seconds: 600, ..RUN }.run();
        let end = ran.figures;
        // Without correction, the delay would grow by 300 ms, or the buffer would run dry.
        let target = end.target.as_secs_f64() * 1_000.0;
        assert!((ran.delay_at(595) - target).abs() < 100.0, "{faster}: {} {target}", ran.delay_at(595));
        assert!(ran.most_buffered < 280, "{faster}: {}", ran.most_buffered);
        assert!(end.waited + end.concealed < ms(300) && end.counts.skipped == 0, "{faster}: {end:?}");
        assert!(end.faster.abs() <= super::super::stretch::MAX_STRETCH);
    }
}

#[test]
fn a_connection_that_stands_still_goes_on_now() {
    let ran = Run { stall: 20_000..23_000, ..RUN }.run();
    let (before, after) = (ran.delay_at(18), ran.delay_at(40));
    assert!((before - after).abs() < 120.0, "{before} {after}");
    assert!(ran.figures.counts.skipped > 100, "{:?}", ran.figures);
    assert_eq!(ran.figures.counts.lost(), 0);
}

/// The card was suspended, or another program used it.
#[test]
fn a_card_that_stood_still_is_given_what_is_played_now() {
    for (begins, still) in [(0, 600), (0, 3_000), (5_000, 3_000)] {
        let mut playout = Playout::new(&Description::new(L16, "", None), ClockSource::Card);
        let mut out = Vec::new();
        for now in (0..15_000).step_by(10) {
            if now % 20 == 0 {
                playout.take(ms(now), &datagram(now / 20));
            }
            let is_still = (begins..begins + still).contains(&now);
            if playout.begin(ms(now)).is_some() && !is_still {
                playout.pull(ms(now), 80, &mut out);
            }
        }
        let figures = playout.figures(ms(15_000));
        // Slightly more is kept at the beginning; a higher speed makes up for it gradually.
        let held = if begins == 0 { KEPT_EXCESS } else { Duration::ZERO };
        assert!(
            figures.buffered < held.max(ms(600 * u64::from(still == 600))) + ms(100),
            "{begins}: {figures:?}"
        );
        // Datagrams dropped at the beginning do not count as skipped, and a short backlog is played.
        assert_eq!(figures.counts.skipped > 0, begins > 0, "{figures:?}");
        assert_eq!(figures.skipped > ms(2_000), still == 3_000, "{figures:?}");
        assert_eq!(figures.skipped.is_zero(), still == 600, "{figures:?}");
        // The position is known all the same.
        let place = figures.played + figures.skipped + figures.buffered;
        assert!(place.abs_diff(ms(15_000)) < ms(60), "{place:?} {figures:?}");
        assert_eq!((figures.counts.lost(), figures.concealed), (0, Duration::ZERO), "{figures:?}");
    }
}

#[test]
fn a_pause_is_silence_and_no_loss() {
    let ran = Run { pause: 20_000..30_000, ..RUN }.run();
    assert_eq!((ran.figures.counts.lost(), ran.figures.concealed), (0, Duration::ZERO));
    assert_eq!(ran.figures.counts.skipped, 0, "{:?}", ran.figures);
    let waited = ran.figures.waited;
    assert!((ms(9_800)..ms(10_300)).contains(&waited), "{waited:?}");
}

#[test]
fn jumps_are_no_gaps() {
    let mut playout = Playout::new(&Description::new(L16, "", None), ClockSource::Card);
    let mut out = Vec::new();
    // The clock jumps an hour ahead, then back, then a day ahead for a single datagram.
    let hour = RATE * 3_600;
    let mut now = 0;
    for at in 0..400_u32 {
        let jump = match at {
            100..200 => hour,
            250 => 24 * hour,
            _ => 0,
        };
        let samples = (0..160).map(|_| 1_000);
        playout.take(ms(now), &packet(at as u16, (at * TICKS).wrapping_add(jump), samples));
        if playout.begin(ms(now)).is_some() {
            playout.pull(ms(now), 160, &mut out);
        }
        now += 20;
    }
    let figures = playout.figures(ms(now));
    assert_eq!(figures.concealed, Duration::ZERO);
    assert!(figures.waited < ms(1_000), "{figures:?}");
    assert!(figures.played > ms(6_800), "{figures:?}");
}

#[test]
fn a_sender_that_begins_anew_is_heard() {
    let mut playout = Playout::new(&Description::new(L16, "", None), ClockSource::Card);
    let mut out = Vec::new();
    for at in 0..200_u64 {
        let (number, jump) = if at < 100 { (at as u16, 5) } else { (at as u16 + 30_000, 99_000_000) };
        playout.take(ms(20 * at), &packet(number, jump + at as u32 * TICKS, (0..160).map(|_| 1_000)));
        if playout.begin(ms(20 * at)).is_some() {
            playout.pull(ms(20 * at), 160, &mut out);
        }
    }
    let figures = playout.figures(ms(4_000));
    assert_eq!((figures.counts.restarts, figures.counts.lost()), (1, 0));
    assert!(figures.played > ms(3_500), "{figures:?}");
}

mod whatever_comes {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_gives_what_is_asked_and_no_more(
            datagrams in prop::collection::vec((0_u16..400, any::<u32>(), 0_u64..100, any::<bool>()), 1..200),
            is_card in any::<bool>(),
        ) {
            let clock = if is_card { ClockSource::Card } else { ClockSource::Sender };
            let mut playout = Playout::new(&Description::new(L16, "", None), clock);
            let (mut now, mut out) = (0, Vec::new());
            for (sequence, timestamp, later, is_wild) in datagrams {
                now += later;
                let timestamp = if is_wild { timestamp } else { u32::from(sequence) * TICKS };
                playout.take(ms(now), &packet(sequence, timestamp, (0..160).map(|at| at * 100)));
                if playout.begin(ms(now)).is_some() {
                    let before = out.len();
                    let given = playout.pull(ms(now), 80, &mut out);
                    prop_assert_eq!(out.len() - before, given);
                    prop_assert!(given == 80 || !is_card && given < 80);
                }
            }
            playout.end();
            for _ in 0..1_000_000 {
                if playout.begin(ms(now)).is_none() || playout.pull(ms(now), 8_000, &mut out) == 0 {
                    break;
                }
                out.clear();
            }
            prop_assert!(playout.is_over());
        }
    }
}

/// Returns the length of the file written from `per_second` datagrams a second for 12 s, and the statistics.
fn written(format: Format, per_second: u64, datagram: impl Fn(u64) -> Vec<u8>) -> (Duration, Figures) {
    let mut playout = Playout::new(&Description::new(format, "", None), ClockSource::Sender);
    let (mut out, mut frames) = (Vec::new(), 0);
    let end = ms(12_000);
    let mut pull = |playout: &mut Playout, now| {
        if playout.begin(now).is_some() {
            out.clear();
            while playout.pull(now, 48_000, &mut out) == 48_000 {}
            frames += out.len() as u64;
        }
    };
    for at in 0..12 * per_second {
        let now = ms(at * 1_000 / per_second);
        playout.take(now, &datagram(at));
        pull(&mut playout, now);
    }
    playout.end();
    pull(&mut playout, end);
    let spec = playout.begin(end).unwrap();
    (spec.time(frames / u64::from(spec.channels)), playout.figures(end))
}

/// Each datagram jumps as far ahead in number and timestamp as is accepted, so that each stands for minutes of silence.
#[test]
fn a_sender_that_jumps_has_no_more_silence_written_than_time_passes() {
    let datagram = |at: u64| packet((at * 2_900) as u16, (at * 2_900 * 1_600) as u32, 0..24);
    let (written, figures) = written(L16, 500, datagram);
    assert!(written <= ms(12_000) + MAX_AHEAD + ms(1_000), "{written:?}");
    assert!(figures.counts.lost() > 1_000_000, "{figures:?}");
}

/// A datagram of 13 bytes holds 120 ms of Opus: 1000 of them per second are two minutes of audio per second.
#[test]
fn a_sender_that_is_too_fast_fills_no_disk() {
    let format = Format::Opus { channels: 1 };
    let datagram = |at: u64| {
        let mut packet = packet(at as u16, (at * 5_760) as u32, std::iter::empty());
        packet[1] = format.payload_type();
        // SILK, 60 ms, two empty frames.
        packet.push(0x19);
        packet
    };
    let (written, figures) = written(format, 1_000, datagram);
    let waiting = ms(120) * crate::audio::play::jitter::MAX_DATAGRAMS as u32;
    assert!(written <= ms(12_000) + MAX_AHEAD + waiting + ms(1_000), "{written:?}");
    assert!(figures.counts.skipped > 1_000 && figures.skipped.is_zero(), "{figures:?}");
}
