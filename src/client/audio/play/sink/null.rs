//! [`Null`]: nobody hears it, but it takes as long as if somebody did. For tests.

use std::{io, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{sync::mpsc::UnboundedSender, time::Instant};

use super::{Pace, Sink, Spec};

/// How long what waits in it lasts.
const LEAD: Duration = Duration::from_millis(40);

/// See above.
pub struct Null {
    spec: Spec,
    began: Option<Instant>,
    taken: u64,
    /// Where what it takes goes, if anywhere.
    heard: Option<UnboundedSender<Vec<f32>>>,
}

impl Null {
    /// Takes samples of this kind, and gives them to `heard`.
    #[must_use]
    pub fn new(spec: Spec, heard: Option<UnboundedSender<Vec<f32>>>) -> Self {
        // It begins with silence: there is not so much sound yet.
        Self { spec, began: None, taken: spec.frames(LEAD) as u64, heard }
    }

    fn due(&mut self) -> u64 {
        let began = *self.began.get_or_insert_with(Instant::now);
        self.spec.frames(began.elapsed()) as u64
    }
}

impl Sink for Null {
    fn pace(&self) -> Pace {
        Pace::Card
    }

    fn room(&mut self) -> io::Result<usize> {
        let wanted = self.due() + self.spec.frames(LEAD) as u64;
        Ok(usize::try_from(wanted.saturating_sub(self.taken)).unwrap_or_default())
    }

    fn write(&mut self, samples: &[f32]) -> io::Result<()> {
        self.taken += (samples.len() / usize::from(self.spec.channels)) as u64;
        if let Some(heard) = &self.heard {
            // Who does not listen any more does not matter.
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
