//! [`Patience`]: how long a session's inbox waits for what, and [`Waits`]: what it waits for now.
//!
//! All that one session waits for shares one timer. A session that has waited for nothing for a while has none, so an
//! idle one has one only where `limits.idle_timeout` is on.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::config::Config;

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// `compat.unframed_wait`: silence that ends an unframed message.
    pub silence: Duration,
    /// `limits.line_timeout`: for the end of a line. Zero: for ever.
    pub line: Duration,
    /// `limits.idle_timeout`: for anything. Zero: for ever.
    pub idle: Duration,
}

impl Patience {
    /// As configured.
    #[must_use]
    pub fn of(Config { limits, compat, .. }: &Config) -> Self {
        Self { silence: compat.unframed_wait, line: limits.line_timeout, idle: limits.idle_timeout }
    }
}

/// What was waited for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// More of an unframed message.
    Silence,
    /// The end of a line.
    Line,
    /// Anything.
    Idle,
}

/// What is waited for, each until when.
#[derive(Default)]
pub struct Waits(Option<Box<Timed>>);

struct Timed {
    /// Set to the first of those below, or to something before that has passed.
    timer: Pin<Box<Sleep>>,
    silence: Option<Instant>,
    /// And the number of the line.
    line: Option<(u32, Instant)>,
    idle: Option<Instant>,
}

impl Waits {
    /// Something came. From here on, silence counts if `silence` is given, and idleness if `idle` is.
    pub fn begin(&mut self, silence: Option<Duration>, idle: Option<Duration>) {
        if silence.is_none() && idle.is_none() {
            if let Some(timed) = &mut self.0 {
                (timed.silence, timed.idle) = (None, None);
            }
            // The clock is not read for what is off.
            return;
        }
        let now = Instant::now();
        let (silence, idle) = (silence.map(|length| now + length), idle.map(|length| now + length));
        let Some(first) = silence.or(idle) else { return };
        let timed = self.timed(first);
        (timed.silence, timed.idle) = (silence, idle);
    }

    /// The line of this number, if any, is not whole yet. Its time runs from when that was first said.
    pub fn watch_line(&mut self, number: Option<u32>, length: Duration) {
        match (number, &mut self.0) {
            (None, None) => {}
            (None, Some(timed)) => timed.line = None,
            (Some(number), Some(timed)) if timed.line.is_some_and(|(watched, _)| watched == number) => {}
            (Some(number), _) => {
                let due = Instant::now() + length;
                self.timed(due).line = Some((number, due));
            }
        }
    }

    /// Whether anything is waited for.
    #[cfg(test)]
    pub fn are_timed(&self) -> bool {
        self.0.is_some()
    }

    /// With the timer set to `due` if there was none.
    fn timed(&mut self, due: Instant) -> &mut Timed {
        self.0.get_or_insert_with(|| {
            Box::new(Timed { timer: Box::pin(sleep_until(due)), silence: None, line: None, idle: None })
        })
    }

    /// What was waited for in vain, once something was; that is then waited for no more.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Lapse> {
        let Some(timed) = &mut self.0 else { return Poll::Pending };
        let Some((lapse, due)) = timed.first() else {
            // It stays until it runs out, for the next line that comes in parts: with a fast sender, many do.
            ready!(timed.timer.as_mut().poll(cx));
            self.0 = None;
            return Poll::Pending;
        };
        // A timer that runs out early is set again: that is rarer than what it waits for is put off.
        while timed.timer.deadline() != due {
            if timed.timer.deadline() < due && timed.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            timed.timer.as_mut().reset(due);
        }
        ready!(timed.timer.as_mut().poll(cx));
        match lapse {
            Lapse::Silence => timed.silence = None,
            Lapse::Line => timed.line = None,
            Lapse::Idle => timed.idle = None,
        }
        Poll::Ready(lapse)
    }
}

impl Timed {
    /// What is due first. Of two at once, silence: it may end the line.
    fn first(&self) -> Option<(Lapse, Instant)> {
        let line = self.line.map(|(_, due)| due);
        [(Lapse::Silence, self.silence), (Lapse::Line, line), (Lapse::Idle, self.idle)]
            .into_iter()
            .filter_map(|(lapse, due)| Some((lapse, due?)))
            .min_by_key(|(_, due)| *due)
    }
}
