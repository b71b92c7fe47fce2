//! [`ring`]: a lock-free queue of samples from the player to the thread of a sound card or server. Neither side waits.

use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use super::Spec;

/// Duration of the queued samples: as long as other programs may keep this one from running.
pub const LEAD: Duration = Duration::from_millis(200);

/// The player's end. Dropping it declares that no more samples will come.
pub struct SampleProducer {
    samples: Producer<f32>,
    channels: usize,
}

/// The end of the card's or server's thread.
pub struct SampleConsumer(Consumer<f32>);

/// Creates a queue of [`LEAD`]. It starts full of silence, because so much audio is not there yet.
pub fn ring(spec: Spec) -> (SampleProducer, SampleConsumer) {
    let channels = usize::from(spec.channels);
    let silence = vec![0.0; spec.frames(LEAD) * channels];
    let (mut samples, queued) = RingBuffer::new(silence.len());
    // An empty queue has room for all of it.
    let _ = samples.push_entire_slice(&silence);
    (SampleProducer { samples, channels }, SampleConsumer(queued))
}

impl SampleProducer {
    /// Number of frames that fit now.
    pub fn room(&self) -> usize {
        self.samples.slots() / self.channels
    }

    /// Puts in whole frames, at most as many as fit; drops the rest. All become visible at once.
    pub fn put(&mut self, samples: &[f32]) {
        let most = self.room() * self.channels;
        // They still fit: the consumer only makes more room.
        let _ = self.samples.push_entire_slice(&samples[..samples.len().min(most)]);
    }
}

impl SampleConsumer {
    /// Number of queued samples, and whether no more will come.
    pub fn waiting(&self) -> (usize, bool) {
        // In this order: the samples that are queued after the producer was dropped are all.
        let is_last = self.0.is_abandoned();
        (self.0.slots(), is_last)
    }

    /// Takes at most `most` samples: as many as are queued now.
    pub fn take(&mut self, most: usize) -> impl Iterator<Item = f32> {
        let there = most.min(self.0.slots());
        self.0.read_chunk(there).into_iter().flatten()
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
        let (mut producer, mut consumer) = ring(SPEC);
        assert_eq!((producer.room(), consumer.waiting()), (0, (20, false)));
        assert_eq!(consumer.take(5).collect::<Vec<_>>(), [0.0; 5]);
        assert_eq!(producer.room(), 2, "whole frames");
        producer.put(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!((producer.room(), consumer.waiting()), (0, (19, false)));
        drop(producer);
        assert_eq!(consumer.waiting(), (19, true));
        let rest: Vec<_> = consumer.take(100).collect();
        assert_eq!((&rest[..15], &rest[15..]), (&[0.0; 15][..], &[1.0, 2.0, 3.0, 4.0][..]));
        assert_eq!(consumer.waiting(), (0, true));
    }

    /// Each frame is a number and its negative.
    #[test]
    fn two_threads_pass_all_in_order_and_never_half_a_frame() {
        const FRAMES: usize = 100_000;
        let (mut producer, mut consumer) = ring(SPEC);
        let putting = thread::spawn(move || {
            let mut next = 1;
            while next <= FRAMES {
                let upto = (next + producer.room()).min(FRAMES + 1);
                let samples: Vec<_> =
                    (next..upto).flat_map(|number| [number as f32, -(number as f32)]).collect();
                producer.put(&samples);
                next = upto;
                thread::yield_now();
            }
        });
        let mut heard = Vec::new();
        loop {
            let (there, is_last) = consumer.waiting();
            assert_eq!(there % 2, 0);
            heard.extend(consumer.take(6));
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
