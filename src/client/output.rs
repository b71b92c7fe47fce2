//! [`Printer`]: standard output from a thread of its own, so that signals and the server are heard while nobody reads
//! it.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    sync::Arc,
    thread,
};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::{
    Notify,
    mpsc::{Receiver, Sender, channel},
    oneshot,
};

use crate::escape::Escaped;

/// Lines that were not written yet.
const LINES: usize = 64;

/// Standard output, line by line.
pub struct Printer {
    /// Lines with their endings.
    pub lines: Sender<String>,
    /// How writing ended; `None` once that is known.
    written: Option<oneshot::Receiver<io::Result<()>>>,
    unread: Arc<Notify>,
}

impl Printer {
    /// Takes standard output.
    ///
    /// # Errors
    /// If there are no threads.
    pub fn begin() -> io::Result<Self> {
        let (lines, to_write) = channel(LINES);
        let (done, written) = oneshot::channel();
        thread::Builder::new().name("output".to_owned()).spawn(move || {
            // Nobody waits for it who has seen enough.
            let _ = done.send(write(to_write, BufWriter::new(io::stdout().lock())));
        })?;
        Ok(Self { lines, written: Some(written), unread: unread()? })
    }

    /// Whether control characters in it could do harm.
    #[must_use]
    pub fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }

    /// Waits until writing has failed, or nobody is there any more to read.
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

    /// Waits until everything is written.
    ///
    /// # Errors
    /// If that fails.
    pub async fn finish(self) -> io::Result<()> {
        let Self { lines, written, .. } = self;
        drop(lines);
        match written {
            Some(written) => written.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

/// A word for people; standard output is for the messages alone.
pub fn say(text: &str) {
    // Not eprintln, which panics where nobody reads.
    let _ = writeln!(io::stderr(), "arauto: {}", Escaped(text));
}

/// The most lines that are no messages of which one run tells.
const MAX_NOISE: u32 = 20;

/// The most characters of such a line that are told.
const MAX_NOISE_CHARS: usize = 200;

/// Tells on standard error of lines that are no messages, some of them and not whole: a server can send such without end.
#[derive(Debug, Default)]
pub struct Noise {
    told: u32,
}

impl Noise {
    /// Tells of one more.
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
        let more = if self.told == MAX_NOISE { "; further such lines are not told" } else { "" };
        Some(format!("not a message: {text}{more}"))
    }
}

/// Writes lines, and flushes when there is none for the moment.
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

/// Tells when whoever read standard output is gone, which otherwise shows only at the next message.
fn unread() -> io::Result<Arc<Notify>> {
    let unread = Arc::new(Notify::new());
    let tell = Arc::clone(&unread);
    thread::Builder::new().name("output end".to_owned()).spawn(move || {
        let out = io::stdout();
        loop {
            // For no event: errors and hangups are told always, and no others are.
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
        assert_eq!(told[17], "not a message: x; further such lines are not told");
    }

    #[test]
    fn everything_is_written_in_order() {
        let (lines, to_write) = channel(LINES);
        let mut out = Vec::new();
        for line in ["a\n", "b\n", "c\n"] {
            lines.try_send(line.to_owned()).unwrap();
        }
        drop(lines);
        write(to_write, &mut out).unwrap();
        assert_eq!(out, b"a\nb\nc\n");
    }
}
