//! [`ring`]: a lock-free queue of samples from the player to the thread of a sound card or server. Neither side waits.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU32, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use super::Spec;

/// Duration of the queued samples: as long as other programs may keep this one from running.
pub const LEAD: Duration = Duration::from_millis(200);

struct Ring {
    /// The bits of each sample. The length is a power of two, so that the counters may wrap around.
    places: Box<[AtomicU32]>,
    /// Total number of samples put in, and taken out.
    put: AtomicUsize,
    taken: AtomicUsize,
    /// No more samples will come.
    is_last: AtomicBool,
}

/// The producer's end.
pub struct Giver {
    ring: Arc<Ring>,
    channels: usize,
    /// Maximum number of queued samples.
    most: usize,
}

/// The consumer's end.
pub struct Taker {
    ring: Arc<Ring>,
}

/// Creates a queue of [`LEAD`]. It starts full of silence, because so much audio is not there yet.
pub fn ring(spec: Spec) -> (Giver, Taker) {
    let channels = usize::from(spec.channels);
    let most = spec.frames(LEAD) * channels;
    let places = (0..most.next_power_of_two()).map(|_| AtomicU32::new(0)).collect();
    let (put, taken, is_last) = (most.into(), 0.into(), false.into());
    let ring = Arc::new(Ring { places, put, taken, is_last });
    (Giver { ring: Arc::clone(&ring), channels, most }, Taker { ring })
}

impl Ring {
    fn waiting(&self) -> usize {
        self.put.load(Acquire).wrapping_sub(self.taken.load(Acquire))
    }

    fn place(&self, count: usize) -> &AtomicU32 {
        &self.places[count % self.places.len()]
    }
}

impl Giver {
    /// Number of frames that fit now.
    pub fn room(&self) -> usize {
        self.most.saturating_sub(self.ring.waiting()) / self.channels
    }

    /// Puts in whole frames, at most as many as fit; drops the rest. All become visible at once.
    pub fn put(&mut self, samples: &[f32]) {
        let put = self.ring.put.load(Relaxed);
        let samples = &samples[..samples.len().min(self.room() * self.channels)];
        for (index, sample) in samples.iter().enumerate() {
            self.ring.place(put.wrapping_add(index)).store(sample.to_bits(), Relaxed);
        }
        self.ring.put.store(put.wrapping_add(samples.len()), Release);
    }

    /// Declares that no more samples will come.
    pub fn end(&self) {
        self.ring.is_last.store(true, Release);
    }
}

impl Taker {
    /// Number of queued samples, and whether no more will come.
    pub fn waiting(&self) -> (usize, bool) {
        // In this order: what is queued after the end was declared is all.
        let is_last = self.ring.is_last.load(Acquire);
        (self.ring.waiting(), is_last)
    }

    /// Takes at most `most` samples: as many as are queued now.
    pub fn take(&mut self, most: usize) -> impl Iterator<Item = f32> {
        let there = most.min(self.ring.waiting());
        (0..there).map(|_| {
            let taken = self.ring.taken.load(Relaxed);
            let sample = f32::from_bits(self.ring.place(taken).load(Relaxed));
            self.ring.taken.store(taken.wrapping_add(1), Release);
            sample
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_precision_loss, clippy::float_cmp, reason = "numbers of a test, small and exact")]

    use std::thread;

    use super::*;

    const SPEC: Spec = Spec { rate: 50, channels: 2 };

    #[test]
    fn silence_first_and_then_what_is_put_in_and_no_more_than_fits() {
        let (mut giver, mut taker) = ring(SPEC);
        assert_eq!((giver.room(), taker.waiting()), (0, (20, false)));
        assert_eq!(taker.take(5).collect::<Vec<_>>(), [0.0; 5]);
        assert_eq!(giver.room(), 2, "whole frames");
        giver.put(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!((giver.room(), taker.waiting()), (0, (19, false)));
        giver.end();
        let rest: Vec<_> = taker.take(100).collect();
        assert_eq!((&rest[..15], &rest[15..]), (&[0.0; 15][..], &[1.0, 2.0, 3.0, 4.0][..]));
        assert_eq!((giver.room(), taker.waiting()), (10, (0, true)));
    }

    #[test]
    fn counting_begins_again_at_0() {
        let (mut giver, mut taker) = ring(SPEC);
        giver.ring.put.store(usize::MAX - 2, Relaxed);
        giver.ring.taken.store(usize::MAX - 2, Relaxed);
        let samples: Vec<_> = (0..20).map(|number| number as f32).collect();
        giver.put(&samples);
        assert_eq!(taker.waiting(), (20, false));
        assert_eq!(taker.take(20).collect::<Vec<_>>(), samples);
    }

    /// Each frame is a number and its negative.
    #[test]
    fn two_threads_pass_all_in_order_and_never_half_a_frame() {
        const FRAMES: usize = 100_000;
        let (mut giver, mut taker) = ring(SPEC);
        let putting = thread::spawn(move || {
            let mut next = 1;
            while next <= FRAMES {
                let upto = (next + giver.room()).min(FRAMES + 1);
                let samples: Vec<_> =
                    (next..upto).flat_map(|number| [number as f32, -(number as f32)]).collect();
                giver.put(&samples);
                next = upto;
                thread::yield_now();
            }
            giver.end();
        });
        let mut heard = Vec::new();
        loop {
            let (there, is_last) = taker.waiting();
            assert_eq!(there % 2, 0);
            heard.extend(taker.take(6));
            if is_last && there == 0 {
                break;
            }
            thread::yield_now();
        }
        putting.join().expect("no panic");
        assert_eq!(heard[..20], [0.0; 20]);
        let frames = heard[20..].chunks_exact(2);
        assert_eq!(frames.len(), FRAMES);
        for (number, frame) in (1..).zip(frames) {
            assert_eq!(frame, [number as f32, -(number as f32)]);
        }
    }
}
