//! [`Hold`]: the terminal, for as long as this process may use it.
//!
//! A shell with job control may stop the program (Ctrl-Z, SIGSTOP) and have it go on in the foreground (`fg`) or in the
//! background (`bg`, `kill -CONT`). While it is stopped, the shell sets the terminal's modes as it likes. So after each
//! SIGCONT the terminal is taken anew, but not before this process group is in the foreground: a process in the background
//! that sets modes is stopped by SIGTTOU, and one that reads keys by SIGTTIN.

use std::{io, time::Duration};

use crossterm::event::{self, Event as Input, EventStream};
use futures_util::StreamExt;
use rustix::process::{Signal as Name, getpgrp, kill_current_process_group};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout},
};

use super::terminal::Screen;
use crate::client::moment::reached;

/// How often a process in the background looks whether it is in the foreground again. A shell need not send SIGCONT when it
/// brings a process to the foreground that runs already.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long the kernel may take to stop this process. It does not stop one whose shell has no job control, because nobody
/// could have it go on.
const STOPS_WITHIN: Duration = Duration::from_millis(300);

/// The terminal, for as long as this process may use it.
pub struct Hold {
    screen: Option<Screen>,
    /// Absent while another process has the terminal.
    keys: Option<EventStream>,
    continued: Signal,
    /// When to look next whether the terminal is ours again.
    look_at: Option<Instant>,
}

/// What happens at a terminal.
#[derive(Debug)]
pub enum Happened {
    /// A key, a paste, another size.
    Input(Input),
    /// The terminal was another's, and is ours again: all of it has to be drawn.
    Back,
}

impl Hold {
    /// Takes the terminal.
    ///
    /// # Errors
    /// If standard output is none, or the terminal refuses.
    pub fn take() -> io::Result<Self> {
        let continued = signal(SignalKind::from_raw(Name::CONT.as_raw()))?;
        let screen = Some(Screen::take()?);
        Ok(Self { screen, keys: Some(EventStream::new()), continued, look_at: None })
    }

    /// The screen to draw on; absent while another process has the terminal.
    pub fn screen(&mut self) -> Option<&mut Screen> {
        self.screen.as_mut().filter(|_| self.keys.is_some())
    }

    /// Gives the terminal back and has the shell stop this process; returns once it goes on.
    pub async fn suspend(&mut self) {
        (self.keys, self.screen) = (None, None);
        // Of the group, because a script that runs this is to stop, too. If it fails, nothing is stopped.
        let _ = kill_current_process_group(Name::TSTP);
        let _ = timeout(STOPS_WITHIN, self.continued.recv()).await;
        self.look_at = Some(Instant::now());
    }

    /// What happens next. Dropped before it is done, it loses nothing.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub async fn next(&mut self) -> io::Result<Happened> {
        loop {
            if self.look_at.is_some_and(|at| Instant::now() >= at) {
                if has_terminal() {
                    self.take_again()?;
                    return Ok(Happened::Back);
                }
                self.look_at = Some(Instant::now() + LOOK_EVERY);
            }
            tokio::select! {
                input = key(&mut self.keys) => return Ok(Happened::Input(input?)),
                _ = self.continued.recv() => {
                    // Not read from before it is known whose the terminal is.
                    self.keys = None;
                    self.look_at = Some(Instant::now());
                }
                () = reached(self.look_at) => {}
            }
        }
    }

    /// An input that is there already.
    pub fn ready(&self) -> Option<io::Result<Input>> {
        self.keys.as_ref()?;
        // Not by polling the stream: it remembers the first waker of a wait, and the next key would wake nobody.
        match event::poll(Duration::ZERO) {
            Ok(true) => Some(event::read()),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }

    fn take_again(&mut self) -> io::Result<()> {
        // Given back first: modes that this process set before it was stopped are not those that are in force.
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

/// Whether this process is in the foreground. One without a shell always is.
fn has_terminal() -> bool {
    rustix::termios::tcgetpgrp(io::stdin()).map_or(true, |foreground| foreground == getpgrp())
}
