//! [`ReadTimeouts`]: the read timeouts of sessions, and [`Deadlines`]: the current deadlines of one session.
//!
//! All deadlines of a session share one timer, which is dropped once it fires with no deadline left. So an idle
//! session has a timer only if `limits.idle_timeout` is on.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::config::Config;

/// The read timeouts of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTimeouts {
    /// Silence that ends an unframed message (`compat.unframed_wait_ms`).
    pub silence: Duration,
    /// Time for the rest of a line (`limits.line_timeout`). Zero: unlimited.
    pub line: Duration,
    /// Time without any input (`limits.idle_timeout`). Zero: unlimited.
    pub idle: Duration,
}

impl ReadTimeouts {
    /// The configured timeouts.
    #[must_use]
    pub fn of(Config { limits, compat, .. }: &Config) -> Self {
        Self { silence: compat.unframed_wait, line: limits.line_timeout, idle: limits.idle_timeout }
    }
}

/// The kind of a timeout that fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimedOut {
    /// No more of an unframed message arrived.
    Silence,
    /// The end of a line did not arrive.
    Line,
    /// No input arrived.
    Idle,
}

/// The deadlines of one session.
#[derive(Default)]
pub struct Deadlines(Option<Box<Timed>>);

struct Timed {
    /// Fires at the earliest of the deadlines below, or before it.
    timer: Pin<Box<Sleep>>,
    silence: Option<Instant>,
    /// The number of the unfinished line, and its deadline.
    line: Option<(u32, Instant)>,
    idle: Option<Instant>,
}

impl Deadlines {
    /// Records that input arrived. Restarts the silence and idle timeouts that are given, and cancels the others.
    pub fn begin(&mut self, silence: Option<Duration>, idle: Option<Duration>) {
        if silence.is_none() && idle.is_none() {
            if let Some(timed) = &mut self.0 {
                (timed.silence, timed.idle) = (None, None);
            }
            // The clock is not read for timeouts that are off.
            return;
        }
        let now = Instant::now();
        let (silence, idle) = (silence.map(|length| now + length), idle.map(|length| now + length));
        let Some(first) = silence.or(idle) else { return };
        let timed = self.timed(first);
        (timed.silence, timed.idle) = (silence, idle);
    }

    /// Sets the deadline of the unfinished line with this number, `length` after the first call for it. `None`: no
    /// line is unfinished.
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

    /// Whether a timer exists.
    #[cfg(test)]
    pub fn has_timer(&self) -> bool {
        self.0.is_some()
    }

    /// The deadlines, with a timer at `due` if there was none.
    fn timed(&mut self, due: Instant) -> &mut Timed {
        self.0.get_or_insert_with(|| {
            Box::new(Timed { timer: Box::pin(sleep_until(due)), silence: None, line: None, idle: None })
        })
    }

    /// Returns a timeout that fired, and cancels it.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<TimedOut> {
        let Some(timed) = &mut self.0 else { return Poll::Pending };
        let Some((timed_out, due)) = timed.first() else {
            // The timer stays until it fires, for the next line that arrives in parts: from a fast sender many do.
            ready!(timed.timer.as_mut().poll(cx));
            self.0 = None;
            return Poll::Pending;
        };
        // A timer that fires early is set again. That is rarer than a deadline being postponed.
        while timed.timer.deadline() != due {
            if timed.timer.deadline() < due && timed.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            timed.timer.as_mut().reset(due);
        }
        ready!(timed.timer.as_mut().poll(cx));
        match timed_out {
            TimedOut::Silence => timed.silence = None,
            TimedOut::Line => timed.line = None,
            TimedOut::Idle => timed.idle = None,
        }
        Poll::Ready(timed_out)
    }
}

impl Timed {
    /// The earliest deadline. Of two at one time silence comes first, because it may end the line.
    fn first(&self) -> Option<(TimedOut, Instant)> {
        let line = self.line.map(|(_, due)| due);
        [(TimedOut::Silence, self.silence), (TimedOut::Line, line), (TimedOut::Idle, self.idle)]
            .into_iter()
            .filter_map(|(timed_out, due)| Some((timed_out, due?)))
            .min_by_key(|(_, due)| *due)
    }
}
