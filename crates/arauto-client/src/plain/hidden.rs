//! [`Hidden`]: a terminal that does not show what is typed.

use std::io::{self, IsTerminal};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Standard input's terminal shows only line ends of typed input until this value is dropped.
pub(super) struct Hidden {
    before: Termios,
}

impl Hidden {
    /// Turns the echo off. Returns `None` if standard input is not a terminal.
    ///
    /// # Errors
    /// If the terminal's modes cannot be read or set.
    pub(super) fn new() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A failure is ignored: a terminal that is gone needs no echo.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
