//! [`Printer`]: writes standard output on a thread of its own, so that the client handles signals and the server
//! while the reader of standard output is slow.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    sync::Arc,
    thread,
};

use arauto_settings::escape::Escaped;
use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::{
    Notify,
    mpsc::{Receiver, Sender, channel},
    oneshot,
};

/// Capacity of the channel, in lines.
const MAX_LINES: usize = 64;

/// Standard output, line by line.
pub struct Printer {
    /// Takes lines with their endings.
    pub lines: Sender<String>,
    /// The result of writing. `None` once [`Self::failed`] has returned it.
    written: Option<oneshot::Receiver<io::Result<()>>>,
    unread: Arc<Notify>,
}

impl Printer {
    /// Starts to write to standard output.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn spawn() -> io::Result<Self> {
        let (lines, to_write) = channel(MAX_LINES);
        let (done, written) = oneshot::channel();
        thread::Builder::new().name("output".to_owned()).spawn(move || {
            // A failed send means that the [`Printer`] was dropped, so the result is of no interest.
            let _ = done.send(write(to_write, BufWriter::new(io::stdout().lock())));
        })?;
        Ok(Self { lines, written: Some(written), unread: unread()? })
    }

    /// Whether standard output is a terminal, so that control characters could do harm.
    #[must_use]
    pub fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }

    /// Waits until writing fails, or the reader of standard output is gone.
    pub async fn failed(&mut self) -> io::Error {
        let written = async {
            match &mut self.written {
                Some(written) => written.await,
                None => std::future::pending().await,
            }
        };
        let error = tokio::select! {
            () = self.unread.notified() => return io::ErrorKind::BrokenPipe.into(),
            written = written => match written {
                Ok(Err(error)) => error,
                _ => io::Error::other("the thread that writes died"),
            },
        };
        self.written = None;
        error
    }

    /// Waits until all lines are written.
    ///
    /// # Errors
    /// If writing fails.
    pub async fn finish(self) -> io::Result<()> {
        let Self { lines, written, .. } = self;
        drop(lines);
        match written {
            Some(written) => written.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

/// Prints a line for people on standard error. Standard output is for messages alone.
pub fn say(text: &str) {
    // `eprintln!` would panic if standard error is closed.
    let _ = writeln!(io::stderr(), "arauto: {}", Escaped(text));
}

/// Maximum number of lines that one run reports as not being messages.
const MAX_NOISE: u32 = 20;

/// Maximum number of characters reported of such a line.
const MAX_NOISE_CHARS: usize = 200;

/// Reports lines that are not messages on standard error. A server can send them without end, so only the first
/// `MAX_NOISE`, each cut to `MAX_NOISE_CHARS`, are reported.
#[derive(Debug, Default)]
pub struct Noise {
    told: u32,
}

impl Noise {
    /// Reports one such line.
    pub fn tell(&mut self, line: &str) {
        if let Some(text) = self.text(line) {
            say(&text);
        }
    }

    fn text(&mut self, line: &str) -> Option<String> {
        if self.told == MAX_NOISE {
            return None;
        }
        self.told += 1;
        let mut text: String = line.chars().take(MAX_NOISE_CHARS).collect();
        if text.len() < line.len() {
            text.push('…');
        }
        let more = if self.told == MAX_NOISE { "; further such lines are not reported" } else { "" };
        Some(format!("not a message: {text}{more}"))
    }
}

/// Writes lines, and flushes whenever the channel is empty.
fn write(mut lines: Receiver<String>, mut out: impl Write) -> io::Result<()> {
    while let Some(line) = lines.blocking_recv() {
        out.write_all(line.as_bytes())?;
        while let Ok(line) = lines.try_recv() {
            out.write_all(line.as_bytes())?;
        }
        out.flush()?;
    }
    Ok(())
}

/// Notifies when the reader of standard output is gone. Otherwise that would show only at the next write.
fn unread() -> io::Result<Arc<Notify>> {
    let unread = Arc::new(Notify::new());
    let tell = Arc::clone(&unread);
    thread::Builder::new().name("output end".to_owned()).spawn(move || {
        let out = io::stdout();
        loop {
            // No events are requested, because poll(2) always reports errors and hangups, and must report nothing
            // else.
            let mut watched = [PollFd::new(&out, PollFlags::empty())];
            match poll(&mut watched, None) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) if watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) => {
                    return tell.notify_one();
                }
                _ => return,
            }
        }
    })?;
    Ok(unread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_without_end_is_told_in_part() {
        let mut noise = Noise::default();
        assert_eq!(noise.text("hello").unwrap(), "not a message: hello");
        let long = noise.text(&"é".repeat(100_000)).unwrap();
        assert_eq!(long, format!("not a message: {}…", "é".repeat(MAX_NOISE_CHARS)));
        let told: Vec<String> = (0..1000).map_while(|_| noise.text("x")).collect();
        assert_eq!(told.len(), 18);
        assert_eq!(told[17], "not a message: x; further such lines are not reported");
    }

    #[test]
    fn everything_is_written_in_order() {
        let (lines, to_write) = channel(MAX_LINES);
        let mut out = Vec::new();
        for line in ["a\n", "b\n", "c\n"] {
            lines.try_send(line.to_owned()).unwrap();
        }
        drop(lines);
        write(to_write, &mut out).unwrap();
        assert_eq!(out, b"a\nb\nc\n");
    }
}
