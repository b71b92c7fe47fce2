//! Sound files made by ffmpeg, programs that play or publish them, and checks of the received sound.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use crate::harness::{DEADLINE, process::signal, wait_until};

/// Has ffmpeg make a file in `folder` from this source (`-f lavfi`), with these arguments for the output.
#[track_caller]
pub fn make(folder: &Path, name: &str, source: &str, arguments: &str) -> PathBuf {
    let path = folder.join(name);
    ffmpeg(&format!("-f lavfi -i {source} {arguments}"), &[&path]);
    path
}

/// Has ffmpeg convert a file.
#[track_caller]
pub fn convert(from: &Path, to: &Path, arguments: &str) {
    let mut command = quiet("ffmpeg");
    command.args(["-v", "error", "-y", "-i"]).arg(from).args(arguments.split_whitespace()).arg(to);
    finish(&mut command);
}

#[track_caller]
fn ffmpeg(arguments: &str, files: &[&Path]) {
    let mut command = quiet("ffmpeg");
    command.args(["-v", "error", "-y"]).args(arguments.split_whitespace()).args(files);
    finish(&mut command);
}

#[track_caller]
fn finish(command: &mut Command) {
    let Output { status, stderr, .. } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {status}\n{}", String::from_utf8_lossy(&stderr));
}

/// A command that does not read from this terminal.
pub fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// A running program, killed when dropped.
pub struct Running {
    child: Child,
    what: String,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Self::start_writing(command, Stdio::null())
    }

    /// Like [`Self::start`], with standard output going to `output`.
    pub fn start_writing(command: &mut Command, output: impl Into<Stdio>) -> Self {
        command.stdout(output).stderr(Stdio::piped());
        Self { child: command.spawn().unwrap(), what: format!("{command:?}") }
    }

    /// Interrupts the program, as Ctrl-C does.
    pub fn interrupt(&self) {
        signal(self.child.id(), "INT");
    }

    /// Waits until the program ends, with any status.
    #[track_caller]
    pub fn expect_end(mut self) {
        wait_until(&format!("{} to end", self.what), || self.child.try_wait().unwrap().is_some());
    }

    /// Waits until the program ends, with success.
    #[track_caller]
    pub fn expect_success(mut self) {
        let mut status = None;
        wait_until(&format!("{} to end", self.what), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut said).unwrap();
        assert!(status.success(), "{}: {status}\n{said}", self.what);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a file has at least `least` bytes.
#[track_caller]
pub fn wait_for_bytes(path: &Path, least: u64) {
    let end = Instant::now() + DEADLINE;
    wait_until(&format!("{least} bytes in {}", path.display()), || {
        assert!(Instant::now() < end + DEADLINE);
        path.metadata().is_ok_and(|file| file.len() >= least)
    });
}

/// Checks that `heard` is one contiguous piece of `played`.
#[track_caller]
pub fn expect_piece_of(played: &[u8], heard: &[u8]) {
    expect_rest_of(played, heard, played.len());
}

/// Checks that `heard` is one contiguous piece of `played`, from any position up to the end, of which at most
/// `most_missing` bytes are missing.
#[track_caller]
pub fn expect_rest_of(played: &[u8], heard: &[u8], most_missing: usize) {
    assert!(!heard.is_empty(), "nothing was heard");
    let begin = &heard[..heard.len().min(64)];
    let place = played.windows(begin.len()).position(|window| window == begin);
    let alike =
        place.map_or(0, |place| played[place..].iter().zip(heard).take_while(|(a, b)| a == b).count());
    let missing = place.map_or(0, |place| (played.len() - place).saturating_sub(heard.len()));
    assert!(
        alike == heard.len() && missing <= most_missing,
        "{} bytes were played and {} heard; the first 64 of these are at {place:?}, alike for {alike}, and {missing} are missing",
        played.len(),
        heard.len()
    );
}
