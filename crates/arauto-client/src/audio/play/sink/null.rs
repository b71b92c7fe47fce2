//! [`Null`]: discards samples at the pace of a sound card. For tests.

use std::{io, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{sync::mpsc::UnboundedSender, time::Instant};

use super::{ClockSource, Sink, Spec};

/// Duration of the samples that wait in the sink.
const LEAD: Duration = Duration::from_millis(40);

/// A sink that discards samples.
pub struct Null {
    spec: Spec,
    began: Option<Instant>,
    taken: u64,
    /// Receives a copy of the samples, if set.
    heard: Option<UnboundedSender<Vec<f32>>>,
}

impl Null {
    /// Creates a sink that sends its samples to `heard`.
    #[must_use]
    pub fn new(spec: Spec, heard: Option<UnboundedSender<Vec<f32>>>) -> Self {
        // Starts full of silence, because so much audio is not there yet.
        Self { spec, began: None, taken: spec.frames(LEAD) as u64, heard }
    }

    fn due(&mut self) -> u64 {
        let began = *self.began.get_or_insert_with(Instant::now);
        self.spec.frames(began.elapsed()) as u64
    }
}

impl Sink for Null {
    fn clock(&self) -> ClockSource {
        ClockSource::Card
    }

    fn room(&mut self) -> io::Result<usize> {
        let wanted = self.due() + self.spec.frames(LEAD) as u64;
        Ok(usize::try_from(wanted.saturating_sub(self.taken)).unwrap_or_default())
    }

    fn write(&mut self, samples: &[f32]) -> io::Result<()> {
        self.taken += (samples.len() / usize::from(self.spec.channels)) as u64;
        if let Some(heard) = &self.heard {
            // The receiver may be gone.
            let _ = heard.send(samples.to_vec());
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, io::Result<()>> {
        Box::pin(async move {
            let left = self.taken.saturating_sub(self.due());
            tokio::time::sleep(self.spec.time(left)).await;
            Ok(())
        })
    }
}
