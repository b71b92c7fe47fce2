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
    Terminal, TerminalOptions, Viewport,
    backend::CrosstermBackend,
    buffer::Buffer,
    layout::{Position, Rect, Size},
};

/// Has the terminal send arrow keys when the wheel turns (mode 1007), and remembers how that was set before. The wheel could
/// be reported as such (mode 1000), but then the terminal would no longer select text by the mouse.
const WHEEL_SENDS_ARROWS: &[u8] = b"\x1b[?1007s\x1b[?1007h";
const WHEEL_AS_BEFORE: &[u8] = b"\x1b[?1007r";

/// About what a whole screen takes, so that one picture is one write.
const PICTURE_BYTES: usize = 64 * 1024;

/// The size of a terminal that says it has none, as some serial consoles and pseudo-terminals do.
const USUAL_SIZE: Size = Size::new(80, 24);

/// It is ours at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal as a full screen. Given back as it was when this is dropped, and before a panic is reported.
pub struct Screen {
    /// Of a fixed size, which [`Screen::draw`] changes: left to itself, it would take a size of 0 for one.
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    area: Rect,
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
        let screen = Self::new().inspect_err(|_| give_back())?;
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
        io::stdout().write_all(WHEEL_SENDS_ARROWS)?;
        Ok(screen)
    }

    fn new() -> io::Result<Self> {
        let area = Rect::from((Position::ORIGIN, size()?));
        let backend = CrosstermBackend::new(BufWriter::with_capacity(PICTURE_BYTES, io::stdout()));
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        Ok(Self { terminal: Terminal::with_options(backend, options)?, area })
    }

    /// Shows what `picture` draws: it is given a blank buffer, and says where the cursor belongs.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Buffer) -> Option<Position>) -> io::Result<()> {
        if self.size()? != self.area.as_size() {
            self.clear()?;
        }
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
        self.area = Rect::from((Position::ORIGIN, size()?));
        self.terminal.resize(self.area)
    }

    /// How large it is; a side of 0 counts as one of 80 columns and 24 rows.
    ///
    /// # Errors
    /// If it does not say.
    pub fn size(&self) -> io::Result<Size> {
        size()
    }
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
    // A terminal that is gone needs nothing, and there is nobody to tell.
    let _ = io::stdout().write_all(WHEEL_AS_BEFORE);
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
