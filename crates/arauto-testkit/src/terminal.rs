//! [`Terminal`]: a pseudoterminal that runs a program; tests type into it and read its screen.

use std::{
    fs::File,
    io::{Read, Write},
    num::NonZeroU16,
    process::Command,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use expectrl::process::{
    Process as _,
    unix::{UnixProcess, WaitStatus},
};
use vt100::{Parser, Screen};

use crate::{DEADLINE, process::signal, wait_until};

/// The bytes that xterm sends for keys.
#[allow(missing_docs, reason = "the constants are named after the keys")]
pub mod keys {
    pub const ENTER: &str = "\r";
    pub const ESC: &str = "\x1b";
    pub const TAB: &str = "\t";
    pub const CTRL_C: &str = "\x03";
    pub const CTRL_D: &str = "\x04";
    pub const CTRL_L: &str = "\x0c";
    pub const CTRL_U: &str = "\x15";
    pub const UP: &str = "\x1b[A";
    pub const DOWN: &str = "\x1b[B";
    pub const LEFT: &str = "\x1b[D";
    pub const PAGE_UP: &str = "\x1b[5~";
    pub const CTRL_END: &str = "\x1b[1;5F";
    pub const F1: &str = "\x1bOP";
}

pub use keys::*;

/// The program's output so far.
#[derive(Default)]
struct Written {
    parser: Parser,
    bytes: Vec<u8>,
    /// The program has closed the terminal.
    ended: bool,
}

/// A terminal that runs a program. Dropping it ends the program.
pub struct Terminal {
    program: UnixProcess,
    keyboard: File,
    written: Arc<(Mutex<Written>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Runs a program on a new terminal of this size in characters.
    pub fn run(mut command: Command, columns: u16, rows: u16) -> Self {
        for (name, value) in [("TERM", "xterm-256color"), ("TZ", "UTC")] {
            if command.get_envs().all(|(set, _)| set != name) {
                command.env(name, value);
            }
        }
        if command.get_envs().all(|(name, _)| name != "NO_COLOR") {
            command.env_remove("NO_COLOR");
        }
        let program = UnixProcess::spawn_command(command).unwrap();
        let keyboard = program.get_raw_handle().unwrap();
        let written = Arc::<(Mutex<Written>, Condvar)>::default();
        let reader = std::thread::spawn({
            let (mut output, written) = (program.get_raw_handle().unwrap(), Arc::clone(&written));
            move || read(&mut output, &written)
        });
        let mut terminal = Self { program, keyboard, written, reader: Some(reader) };
        terminal.resize(columns, rows);
        terminal
    }

    /// Gives the terminal this size in characters, and tells the program.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let size = |number| NonZeroU16::new(number).unwrap();
        self.written.0.lock().unwrap().parser.set_size(size(rows), size(columns));
        self.program.set_window_size(columns, rows).unwrap();
    }

    /// Makes the terminal report 0 columns and 0 rows.
    pub fn says_no_size(&mut self) {
        self.program.set_window_size(0, 0).unwrap();
    }

    /// Writes to the screen as another program would.
    pub fn spoil(&self, bytes: &str) {
        self.written.0.lock().unwrap().parser.process(bytes.as_bytes());
    }

    /// Types these keys.
    pub fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Types a line and Enter.
    pub fn enter(&mut self, line: &str) {
        self.type_in(&format!("{line}{ENTER}"));
    }

    /// Waits for at most [`DEADLINE`] until the screen satisfies `is_so`.
    #[track_caller]
    pub fn wait_for(&self, what: &str, is_so: impl FnMut(&Screen) -> bool) {
        self.wait_within(DEADLINE, what, is_so);
    }

    /// As [`Self::wait_for`], for at most `deadline`.
    #[track_caller]
    pub fn wait_within(&self, deadline: Duration, what: &str, mut is_so: impl FnMut(&Screen) -> bool) {
        let (written, more) = &*self.written;
        let end = Instant::now() + deadline;
        let mut written = written.lock().unwrap();
        while !is_so(written.parser.screen()) {
            let left = end.saturating_duration_since(Instant::now());
            let (shown, cursor) =
                (written.parser.screen().contents(), written.parser.screen().cursor_position());
            assert!(
                !left.is_zero(),
                "waited in vain for {what}; the cursor is at {cursor:?}, shown is:\n{shown}"
            );
            assert!(!written.ended, "the program ended before {what}; shown is:\n{shown}");
            written = more.wait_timeout(written, left).unwrap().0;
        }
    }

    /// Waits until the screen contains this text.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        self.wait_for(&format!("{text:?}"), |screen| screen.contents().contains(text));
    }

    /// Waits until this row begins with `text`. The last row is 1.
    #[track_caller]
    pub fn shows_in_row_from_below(&self, row: usize, text: &str) {
        self.wait_for(&format!("{text:?} in row {row} from below"), |screen| {
            rows(screen).iter().nth_back(row - 1).is_some_and(|row| row.starts_with(text))
        });
    }

    /// Returns what `look` finds on the screen.
    pub fn look<T>(&self, look: impl FnOnce(&Screen) -> T) -> T {
        look(self.written.0.lock().unwrap().parser.screen())
    }

    /// All bytes that the program has written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.written.0.lock().unwrap().bytes.clone()
    }

    /// The process id of the program.
    pub fn process(&self) -> u32 {
        u32::try_from(self.program.pid().as_raw()).unwrap()
    }

    /// Sends a signal to the program; `name` is without `SIG`.
    pub fn signal(&self, name: &str) {
        signal(self.process(), name);
    }

    /// Waits until the program has ended and all its output is read, and returns its exit status.
    #[track_caller]
    pub fn ended(&mut self) -> i32 {
        let mut status = None;
        wait_until("the program on the terminal to end", || {
            match self.program.status().unwrap() {
                WaitStatus::Exited(_, code) => status = Some(code),
                WaitStatus::StillAlive => {}
                other => panic!("{other:?}"),
            }
            status.is_some()
        });
        self.reader.take().unwrap().join().unwrap();
        status.unwrap()
    }
}

fn read(output: &mut File, written: &(Mutex<Written>, Condvar)) {
    let mut buffer = [0; 16 * 1024];
    loop {
        // A read fails once no process has the terminal open.
        let count = output.read(&mut buffer).unwrap_or(0);
        // Ignores the poison of a test that panicked while it held the lock.
        let mut state = written.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.parser.process(&buffer[..count]);
        state.bytes.extend_from_slice(&buffer[..count]);
        state.ended = count == 0;
        written.1.notify_all();
        if state.ended {
            return;
        }
    }
}

fn rows(screen: &Screen) -> Vec<String> {
    let (_, columns) = screen.size();
    screen.rows(0, columns.get()).collect()
}
