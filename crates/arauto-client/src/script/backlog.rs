//! [`Backlog`]: lines that wait for the reader of standard output, so that messages are read meanwhile.

use std::{collections::VecDeque, io};

use tokio::select;

use crate::output::Printer;

/// Size of the backlog, in bytes, from which on the client reads no more messages.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Memory that a line takes beside its text, in bytes: its place in the queue, and the overhead of one allocation.
const EACH: usize = size_of::<String>() + 16;

/// Lines on their way to standard output, in order.
pub(super) struct Backlog {
    printer: Printer,
    lines: VecDeque<String>,
    bytes: usize,
}

impl Backlog {
    /// Starts the threads that write to standard output.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(super) fn spawn() -> io::Result<Self> {
        Ok(Self { printer: Printer::spawn()?, lines: VecDeque::new(), bytes: 0 })
    }

    /// Adds a line, which includes its line ending.
    pub(super) fn push(&mut self, line: String) {
        self.bytes += line.len() + EACH;
        self.lines.push_back(line);
    }

    /// Whether fewer than [`MAX_BYTES`] bytes wait.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < MAX_BYTES
    }

    /// Prints until the backlog has room again. If it has room at the start, prints until printing fails. Cancel
    /// safe: dropping the future loses no line.
    ///
    /// # Errors
    /// If printing fails, or the reader of standard output is gone.
    pub(super) async fn print(&mut self) -> io::Result<()> {
        let had_room = self.has_room();
        loop {
            if !had_room && self.has_room() {
                return Ok(());
            }
            if self.lines.is_empty() {
                return Err(self.printer.failed().await);
            }
            let lines = self.printer.lines.clone();
            select! {
                place = lines.reserve() => match (place, self.lines.pop_front()) {
                    (Ok(place), Some(line)) => {
                        self.bytes -= line.len() + EACH;
                        place.send(line);
                    }
                    _ => return Err(self.printer.failed().await),
                },
                error = self.printer.failed() => return Err(error),
            }
        }
    }

    /// Prints all lines that wait.
    ///
    /// # Errors
    /// If printing fails.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        while !self.lines.is_empty() {
            let lines = self.printer.lines.clone();
            select! {
                place = lines.reserve() => match (place, self.lines.pop_front()) {
                    (Ok(place), Some(line)) => place.send(line),
                    _ => break,
                },
                error = self.printer.failed() => return Err(error),
            }
        }
        self.printer.finish().await
    }
}
