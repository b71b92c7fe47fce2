//! A client program that a test types to and reads from.

use std::{
    io::{PipeReader, Read, Write, pipe},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Instant,
};

use crate::harness::{DEADLINE, wait_until};

/// A running program, killed when dropped.
pub struct Program {
    child: Child,
    /// `None` once the input has ended.
    input: Option<ChildStdin>,
    /// Standard output and standard error, as they come. Disconnected when both are closed.
    output: Receiver<Vec<u8>>,
    /// Output that has come and was not checked yet.
    unread: Vec<u8>,
}

impl Program {
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        let (reader, writer) = pipe().expect("a pipe");
        let mut command = Command::new(name);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(writer.try_clone().expect("a second handle"))
            .stderr(writer);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {name}: {error}"));
        // The command holds the writing side of the pipe. While that is open, the output does not end.
        drop(command);
        let (chunks, output) = channel();
        thread::spawn(move || pass_on(reader, &chunks));
        let input = child.stdin.take();
        Self { child, input, output, unread: Vec::new() }
    }

    /// Starts a Python program from a file of this project.
    pub fn python(file: &str, arguments: &[&str]) -> Self {
        let file = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
        Self::start("python3", &[&[file.as_str()], arguments].concat())
    }

    /// Types exactly these keys.
    #[track_caller]
    pub fn type_keys(&mut self, keys: &str) {
        let input = self.input.as_mut().expect("input that was not ended");
        if let Err(error) = input.write_all(keys.as_bytes()) {
            panic!("{error} on typing {keys:?}; shown before: {:?}", text(&self.unread));
        }
    }

    /// Types a line and Enter.
    #[track_caller]
    pub fn type_line(&mut self, line: &str) {
        self.type_keys(&format!("{line}\n"));
    }

    /// Ends the input, as Ctrl-D does.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// Checks that the next line shown is exactly this.
    #[track_caller]
    pub fn expect_line(&mut self, line: &str) {
        assert_eq!(self.next_line(line), line);
    }

    /// Returns the next line shown.
    #[track_caller]
    pub fn line(&mut self) -> String {
        self.next_line("a line")
    }

    #[track_caller]
    fn next_line(&mut self, awaited: &str) -> String {
        let end = Instant::now() + DEADLINE;
        let length = loop {
            if let Some(newline) = self.unread.iter().position(|byte| *byte == b'\n') {
                break newline;
            }
            if let Err(why) = self.read_more(end) {
                panic!("{why} after {:?}, waiting for {awaited:?}", text(&self.unread));
            }
        };
        let shown: Vec<u8> = self.unread.drain(..=length).collect();
        text(&shown[..length])
    }

    /// Types a line, and checks that the next line shown is this answer.
    #[track_caller]
    pub fn ask(&mut self, line: &str, answer: &str) {
        self.type_line(line);
        self.expect_line(answer);
    }

    /// Skips the output up to and including this text.
    #[track_caller]
    pub fn skip_past(&mut self, awaited: &str) {
        let end = Instant::now() + DEADLINE;
        let is_awaited = |window: &[u8]| window == awaited.as_bytes();
        loop {
            if let Some(start) = self.unread.windows(awaited.len()).position(is_awaited) {
                self.unread.drain(..start + awaited.len());
                return;
            }
            if let Err(why) = self.read_more(end) {
                panic!("{why} after {:?}, waiting for {awaited:?}", text(&self.unread));
            }
        }
    }

    /// Checks that nothing more is shown, and waits for the end of the program. Returns its status.
    #[track_caller]
    pub fn end(mut self) -> ExitStatus {
        let end = Instant::now() + DEADLINE;
        let why = loop {
            if let Err(why) = self.read_more(end) {
                break why;
            }
        };
        assert_eq!((why, text(&self.unread).as_str()), (OUTPUT_ENDED, ""), "more was shown before the end");
        let mut status = None;
        wait_until("the program to end", || {
            status = self.child.try_wait().expect("a child not waited for elsewhere");
            status.is_some()
        });
        status.expect("just seen")
    }

    /// Checks that nothing more is shown, and that the program succeeds.
    #[track_caller]
    pub fn expect_success(self) {
        let status = self.end();
        assert!(status.success(), "{status}");
    }

    /// Waits for more output. Fails if the output has ended or nothing comes before `end`.
    fn read_more(&mut self, end: Instant) -> Result<(), &'static str> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        let left = end.saturating_duration_since(Instant::now());
        match self.output.recv_timeout(left) {
            Ok(chunk) => self.unread.extend(chunk),
            Err(Disconnected) => return Err(OUTPUT_ENDED),
            Err(Timeout) => return Err("nothing more came"),
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails if the program has ended, which does no harm.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const OUTPUT_ENDED: &str = "the output ended";

/// Passes on what the pipe gives until all its writers are gone.
fn pass_on(mut output: PipeReader, chunks: &Sender<Vec<u8>>) {
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = output.read(&mut chunk) {
        if chunks.send(chunk[..read].to_vec()).is_err() {
            return;
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
