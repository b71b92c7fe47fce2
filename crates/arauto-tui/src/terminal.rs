//! [`Screen`]: takes the terminal, and gives it back in any case.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use crossterm::{
    cursor::Show,
    event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange},
    execute,
    terminal::{
        DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
        enable_raw_mode,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect, Size},
};
use rustix::{process::getpgrp, termios::tcgetpgrp};

use super::renderer::Renderer;

/// Makes the terminal send arrow keys when the wheel turns (mode 1007), and saves the mode's previous value. Wheel
/// reports (mode 1000) would work too, but then the terminal would no longer select text by the mouse.
const WHEEL_SENDS_ARROWS: &[u8] = b"\x1b[?1007s\x1b[?1007h";
const WHEEL_AS_BEFORE: &[u8] = b"\x1b[?1007r";

/// The size of a terminal that says it has none, as some serial consoles and pseudo-terminals do.
const USUAL_SIZE: Size = Size::new(80, 24);

/// Whether this process has taken the terminal.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal as a full screen. The terminal is given back as it was when this is dropped, and before a panic is
/// reported, unless a shell has taken it meanwhile.
pub struct Screen {
    renderer: Renderer,
    output: File,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// If standard output is not a terminal, or the terminal cannot be set up.
    pub fn take() -> io::Result<Self> {
        give_back_on_panic();
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        // Dropping `screen` gives the terminal back if something fails from here on.
        let screen = Self::new().inspect_err(|_| give_back())?;
        io::stdout().write_all(WHEEL_SENDS_ARROWS)?;
        // Lines do not wrap: a glyph that this terminal draws wider than expected stays in its row. The macro flushes,
        // so that all of this arrives before the first picture.
        execute!(
            io::stdout(),
            EnterAlternateScreen,
            DisableLineWrap,
            EnableBracketedPaste,
            EnableFocusChange
        )?;
        Ok(screen)
    }

    fn new() -> io::Result<Self> {
        let renderer = Renderer::new(area()?);
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self { renderer, output })
    }

    /// Shows what `picture` draws into a blank buffer. `picture` returns the position of the cursor.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Buffer) -> Option<Position>) -> io::Result<()> {
        if area()? != self.renderer.area() {
            self.clear()?;
        }
        let mut buffer = Buffer::empty(self.renderer.area());
        let cursor = picture(&mut buffer);
        let bytes = self.renderer.draw(buffer, cursor)?;
        self.output.write_all(&bytes)
    }

    /// Forgets what is shown, so that the next picture is drawn as a whole.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn clear(&mut self) -> io::Result<()> {
        self.renderer.clear(area()?)
    }

    /// Size of the terminal. A width of 0 counts as 80 columns, a height of 0 as 24 rows.
    ///
    /// # Errors
    /// If the terminal does not report its size.
    pub fn size(&self) -> io::Result<Size> {
        size()
    }
}

fn area() -> io::Result<Rect> {
    Ok(Rect::from((Position::ORIGIN, size()?)))
}

fn size() -> io::Result<Size> {
    let (width, height) = crossterm::terminal::size()?;
    let or = |side, usual| if side == 0 { usual } else { side };
    Ok(Size::new(or(width, USUAL_SIZE.width), or(height, USUAL_SIZE.height)))
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    if !is_in_foreground() {
        // The terminal is the shell's by now. SIGTTOU would stop a background process here, for good if its shell ends.
        return;
    }
    // Failures are ignored: a terminal that is gone needs no restoring, and could not show a report.
    let _ = io::stdout().write_all(WHEEL_AS_BEFORE);
    let _ = execute!(
        io::stdout(),
        DisableFocusChange,
        DisableBracketedPaste,
        EnableLineWrap,
        LeaveAlternateScreen,
        Show
    );
    let _ = io::stdout().flush();
    let _ = disable_raw_mode();
}

/// Whether this process is in the foreground of its terminal. A process without a shell always is.
#[must_use]
pub fn is_in_foreground() -> bool {
    tcgetpgrp(io::stdin()).map_or(true, |foreground| foreground == getpgrp())
}

/// Gives the terminal back before a panic is reported, so that the report is not written to a screen that is about to
/// be left.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            report(info);
        }));
    });
}
