//! [`Hold`]: the terminal, as long as this process may use it.
//!
//! A shell with job control may stop the program (Ctrl-Z, SIGSTOP) and continue it in the foreground (`fg`) or in the
//! background (`bg`, `kill -CONT`). While the program is stopped, the shell sets the terminal's modes as it likes. So
//! the program takes the terminal anew after each SIGCONT, but not before its process group is in the foreground: a
//! background process is stopped by SIGTTOU when it sets modes, and by SIGTTIN when it reads keys.

use std::{io, time::Duration};

use crossterm::event::{self, Event as Input, EventStream};
use futures_util::StreamExt;
use rustix::process::{Signal as Name, kill_current_process_group};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout},
};

use super::terminal::{Screen, is_in_foreground};
use arauto_client::deadline::sleep_until_opt;

/// How often a background process checks whether it is in the foreground again. A shell need not send SIGCONT to a
/// running process that it brings to the foreground.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Maximum time for the kernel to stop this process. The kernel does not stop a process whose shell has no job
/// control, because nothing could continue it.
const STOP_TIMEOUT: Duration = Duration::from_millis(300);

/// The terminal, as long as this process may use it.
pub struct Hold {
    screen: Option<Screen>,
    /// Absent while another process has the terminal.
    keys: Option<EventStream>,
    continued: Signal,
    /// When to check next whether this process is in the foreground.
    look_at: Option<Instant>,
}

/// An event at the terminal.
#[derive(Debug)]
pub enum Happened {
    /// A key, a paste, or a new size.
    Input(Input),
    /// Another process had the terminal, and this one has it again: the whole screen has to be drawn.
    Back,
}

impl Hold {
    /// Takes the terminal.
    ///
    /// # Errors
    /// If standard output is not a terminal, or the terminal cannot be set up.
    pub fn take() -> io::Result<Self> {
        let continued = signal(SignalKind::from_raw(Name::CONT.as_raw()))?;
        let screen = Some(Screen::take()?);
        Ok(Self { screen, keys: Some(EventStream::new()), continued, look_at: None })
    }

    /// The screen to draw on; absent while another process has the terminal.
    pub fn screen(&mut self) -> Option<&mut Screen> {
        // A process that was stopped and continues in the background may get here before [`Self::next`] learns of
        // SIGCONT, because other events came first.
        if self.keys.is_some() && !is_in_foreground() {
            (self.keys, self.look_at) = (None, Some(Instant::now()));
        }
        self.screen.as_mut().filter(|_| self.keys.is_some())
    }

    /// Gives the terminal back and stops this process, as Ctrl-Z does elsewhere. Returns once the process continues.
    pub async fn suspend(&mut self) {
        (self.keys, self.screen) = (None, None);
        // The whole process group, because a script that runs this program is to stop too. If this fails, nothing is
        // stopped.
        let _ = kill_current_process_group(Name::TSTP);
        let _ = timeout(STOP_TIMEOUT, self.continued.recv()).await;
        self.look_at = Some(Instant::now());
    }

    /// Waits for the next event. Cancel safe: dropping the future loses no event.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub async fn next(&mut self) -> io::Result<Happened> {
        loop {
            if self.look_at.is_some_and(|at| Instant::now() >= at) {
                if is_in_foreground() {
                    self.take_again()?;
                    return Ok(Happened::Back);
                }
                self.look_at = Some(Instant::now() + LOOK_INTERVAL);
            }
            tokio::select! {
                input = key(&mut self.keys) => return Ok(Happened::Input(input?)),
                _ = self.continued.recv() => {
                    // No keys are read until it is known whether this process is in the foreground.
                    self.keys = None;
                    self.look_at = Some(Instant::now());
                }
                () = sleep_until_opt(self.look_at) => {}
            }
        }
    }

    /// Returns an input that is already there.
    pub fn ready(&self) -> Option<io::Result<Input>> {
        self.keys.as_ref()?;
        // The stream is not polled for this: it keeps the first waker of a wait, and the next key would wake no task.
        match event::poll(Duration::ZERO) {
            Ok(true) => Some(event::read()),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }

    fn take_again(&mut self) -> io::Result<()> {
        // The old screen is given back first: the modes that this process set before it was stopped are no longer in
        // force.
        self.screen = None;
        self.screen = Some(Screen::take()?);
        (self.keys, self.look_at) = (Some(EventStream::new()), None);
        Ok(())
    }
}

async fn key(keys: &mut Option<EventStream>) -> io::Result<Input> {
    match keys {
        Some(keys) => keys.next().await.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into())),
        None => std::future::pending().await,
    }
}
