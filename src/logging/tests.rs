use std::process::Command;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arauto_settings::{
    escape::{Escaped, is_unsafe},
    strategies::anything,
};
use proptest::prelude::*;
use slog::{FnValue, Record, b, debug, error, info, record, warn};

use super::*;

/// Longer than any step here takes, unless it hangs.
const DEADLINE: Duration = Duration::from_secs(20);

/// A writer whose text the test can read.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that blocks until it is released.
struct Held {
    release: Receiver<()>,
    out: Shared,
}

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An error means that the sender is gone: from then on, writes do not block.
        let _ = self.release.recv();
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn config(level: Level, format: LogFormat) -> Log {
    Log { level, format }
}

/// The text that `write` logs. The time of each line is checked and removed.
fn text(colour: bool, write: impl FnOnce(&Logger)) -> String {
    let out = Shared::default();
    let (logger, guard) = to_writer(
        &config(Level::Debug, LogFormat::Text),
        out.clone(),
        if colour { Reader::Terminal } else { Reader::Plain },
    );
    write(&logger);
    drop(guard);
    let mut lines = String::new();
    for line in out.text().lines() {
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!(time.len(), "2026-01-02T03:04:05.678Z".len());
        humantime::parse_rfc3339(time).unwrap();
        lines.extend([rest, "\n"]);
    }
    lines
}

#[test]
fn a_text_line_begins_with_its_session() {
    let lines = text(false, |logger| {
        let session = logger.new(o!("id" => 3, "peer" => "127.0.0.1:5555")).new(o!("name" => "alan"));
        info!(session, "joined"; "sessions" => 7, "text" => %Escaped("a\\\n"));
    });
    assert_eq!(lines, "INFO joined, id: 3, peer: 127.0.0.1:5555, name: alan, sessions: 7, text: a\\\\\\n\n");
}

#[test]
fn a_value_cannot_pretend_to_be_two() {
    let lines = text(false, |logger| {
        info!(logger, "said"; "text" => "hi, name: \"root\"", "name" => "alan");
    });
    assert_eq!(lines, "INFO said, text: \"hi, name: \\\"root\\\"\", name: alan\n");
}

#[test]
fn colour_marks_level_message_and_keys() {
    let lines = text(true, |logger| warn!(logger, "slow\x1b[0m"; "id" => 3));
    assert_eq!(lines, "\x1b[33mWARN\x1b[0m \x1b[1mslow\\u{1b}[0m\x1b[0m, \x1b[2mid:\x1b[0m 3\n");
}

#[test]
fn a_json_line_has_time_level_message_and_keys() {
    let out = Shared::default();
    let (logger, guard) = to_writer(&config(Level::Warn, LogFormat::Json), out.clone(), Reader::Terminal);
    warn!(logger.new(o!("id" => 3)), "refused"; "text" => "a\u{1b}\u{9b}\u{202e}\u{e0041}\nb");
    drop(guard);

    let text = out.text();
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    humantime::parse_rfc3339(line["ts"].as_str().unwrap()).unwrap();
    assert_eq!(line["level"], "warn");
    assert_eq!(line["msg"], "refused");
    assert_eq!(line["id"], 3);
    assert_eq!(line["text"], "a\u{1b}\u{9b}\u{202e}\u{e0041}\nb");
    assert!(text.ends_with('\n') && text.contains(r#""a\u001b\u009b\u202e\udb40\udc41\nb""#), "{text}");
}

#[test]
fn below_the_level_nothing_is_even_looked_at() {
    let out = Shared::default();
    let (logger, guard) = to_writer(&config(Level::Info, LogFormat::Text), out.clone(), Reader::Plain);
    debug!(logger, "silent"; "costly" => FnValue(|_: &Record<'_>| -> String { panic!("evaluated") }));
    assert!(!logger.is_enabled(slog::Level::Debug) && logger.is_enabled(slog::Level::Info));
    drop(guard);
    assert_eq!(out.text(), "");
}

#[test]
fn a_held_terminal_holds_nobody_and_the_loss_is_told() {
    let (go_on, release) = mpsc::channel();
    let out = Shared::default();
    let held = Held { release, out: out.clone() };
    let (logger, guard) = to_writer(&config(Level::Info, LogFormat::Text), held, Reader::Plain);

    // This loop would hang if logging waited for a full queue. The writer holds one record more.
    for number in 0..=QUEUE_RECORDS + 10 {
        info!(logger, "record"; "number" => number);
    }
    go_on.send(()).unwrap();
    drop(go_on);
    // The released writer makes room for this record.
    let deadline = Instant::now() + DEADLINE;
    while !out.text().contains("overflow") {
        assert!(Instant::now() < deadline, "never told");
        error!(logger, "another");
        thread::yield_now();
    }
    drop(guard);
    assert!(out.text().contains("number: 0\n"));
}

#[test]
fn the_end_waits_for_a_held_terminal_only_so_long() {
    let (go_on, release) = mpsc::channel();
    let out = Shared::default();
    let (logger, mut guard) =
        to_writer(&config(Level::Info, LogFormat::Text), Held { release, out: out.clone() }, Reader::Plain);
    info!(logger, "never taken");
    guard.deadline = Duration::from_millis(1);
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        drop(guard);
        ended.send(()).unwrap();
    });
    end.recv_timeout(DEADLINE).unwrap();
    assert_eq!(out.text(), "");
    drop(go_on);
}

#[test]
fn a_broken_stderr_is_no_end() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let (logger, guard) = to_writer(&config(Level::Info, format), Broken, Reader::Plain);
        info!(logger, "one");
        info!(logger, "two");
        drop(guard);
    }
}

/// Marks a child process that runs only this test: a process can set up its log only once.
const IN_CHILD: &str = "ARAUTO_TEST_LOG_CHILD";

fn log_in_a_process_of_its_own() {
    let (logger, guard) = init(&config(Level::Info, LogFormat::Text)).unwrap();
    info!(logger, "ours");
    log::warn!("theirs\nINFO forged");
    log::debug!("too quiet");
    assert!(!log::log_enabled!(log::Level::Debug), "asked before it is filtered");
    tracing::error!(answer = 42, "traced");
    tracing::debug!("too quiet");
    assert!(init(&Log::default()).is_err());
    drop(guard);
    log::error!("too late");
}

#[test]
fn records_of_libraries_arrive() {
    if std::env::var_os(IN_CHILD).is_some() {
        return log_in_a_process_of_its_own();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "logging::tests::records_of_libraries_arrive", "--nocapture"])
        .env(IN_CHILD, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = stderr.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(lines, ["INFO ours", r"WARN theirs\nINFO forged", "ERRO traced answer=42"]);
}

const STYLES: [&str; 4] = ["\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"];

proptest! {
    #[test]
    fn a_record_is_one_safe_line_of_text(message in anything(), value in anything(), colour: bool) {
        let out = Shared::default();
        let drain = text::drain(out.clone(), if colour { Reader::Terminal } else { Reader::Plain });
        let kv = b!("key" => &value, "end" => true);
        drain.log(&record!(slog::Level::Info, "", &format_args!("{message}"), kv), &o!().into()).unwrap();

        let text = out.text();
        let line = text.strip_suffix('\n').unwrap();
        let ours = STYLES.iter().fold(line.to_owned(), |line, style| line.replace(style, ""));
        prop_assert!(colour || ours == line);
        prop_assert!(!ours.chars().any(is_unsafe), "{ours:?}");
        prop_assert!(ours.ends_with(", end: true"), "{ours:?}");
    }

    #[test]
    fn a_record_is_one_safe_line_of_json(message in anything(), value in anything()) {
        let out = Shared::default();
        let drain = json::drain(out.clone());
        let kv = b!("key" => &value);
        drain.log(&record!(slog::Level::Info, "", &format_args!("{message}"), kv), &o!().into()).unwrap();

        let text = out.text();
        prop_assert!(!text.strip_suffix('\n').unwrap().chars().any(is_unsafe), "{text:?}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(line["msg"].as_str(), Some(message.as_str()));
        prop_assert_eq!(line["key"].as_str(), Some(value.as_str()));
    }
}

#[test]
fn the_journal_is_told_priorities_and_no_times() {
    let out = Shared::default();
    let (logger, guard) = to_writer(&config(Level::Debug, LogFormat::Text), out.clone(), Reader::Journal);
    error!(logger, "one"; "id" => 3);
    warn!(logger, "two");
    info!(logger, "<2>three\n<0>four");
    debug!(logger, "five");
    drop(guard);
    assert_eq!(out.text(), "<3>ERRO one, id: 3\n<4>WARN two\n<6>INFO <2>three\\n<0>four\n<7>DEBG five\n");
}

#[test]
fn the_journal_is_told_by_its_device_and_inode() {
    let file = tempfile::tempfile().unwrap();
    let found = rustix::fs::fstat(&file).unwrap();
    let stream = format!("{}:{}", found.st_dev, found.st_ino);
    assert!(is_stream(&file, OsStr::new(&stream)));
    for other in [String::new(), "8:1".to_owned(), format!("{stream}0"), format!("{}", found.st_ino)] {
        assert!(!is_stream(&file, OsStr::new(&other)), "{other}");
    }
}
