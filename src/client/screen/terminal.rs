//! [`Screen`]: the terminal, taken and given back whatever happens.

use std::{
    io::{self, BufWriter, Stdout, Write},
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
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    buffer::Buffer,
    layout::{Position, Rect, Size},
};

/// About what a whole screen takes, so that one picture is one write.
const PICTURE_BYTES: usize = 64 * 1024;

/// It is ours at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal as a full screen. Given back as it was when this is dropped, and before a panic is reported.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// If standard output is none, or the terminal refuses.
    pub fn take() -> io::Result<Self> {
        give_back_on_panic();
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        // Gives it back where something fails from here on.
        let terminal =
            Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(PICTURE_BYTES, io::stdout())));
        let screen = terminal.map(|terminal| Self { terminal }).inspect_err(|_| give_back())?;
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
        Ok(screen)
    }

    /// Shows what `picture` draws: it is given a blank buffer, and says where the cursor belongs.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Buffer) -> Option<Position>) -> io::Result<()> {
        self.terminal.draw(|frame| {
            if let Some(cursor) = picture(frame.buffer_mut()) {
                frame.set_cursor_position(cursor);
            }
        })?;
        Ok(())
    }

    /// Forgets what is shown, so that all of the next picture is drawn.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn clear(&mut self) -> io::Result<()> {
        // Not its `clear`, which asks the terminal where the cursor is and waits for an answer among the keys.
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))
    }

    /// How large it is.
    ///
    /// # Errors
    /// If it does not say.
    pub fn size(&self) -> io::Result<Size> {
        self.terminal.size()
    }
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
    // A terminal that is gone needs nothing, and there is nobody to tell.
    let _ = execute!(io::stdout(), DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen, Show);
    let _ = io::stdout().flush();
    let _ = disable_raw_mode();
}

/// The report of a panic is to be read, so it is not to go to a screen that is left.
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
