//! Formats log records as JSON, one object per line.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::SystemTime;

use arauto_settings::escape::is_unsafe;
use slog::{Drain, FnValue, Level, PushFnValue, Record, o};

/// A drain that writes each record as one line, in a single write.
pub(super) fn drain<W>(out: W) -> impl Drain<Ok = (), Err = io::Error> + Send
where
    W: Write + Send,
{
    slog_json::Json::new(JsonLines { out, line: Vec::new() })
        .set_flush(true)
        .add_key_value(o!("ts" => FnValue(|_: &Record<'_>| {
            humantime::format_rfc3339_micros(SystemTime::now()).to_string()
        })))
        .add_key_value(o!("level" => FnValue(|record: &Record<'_>| name(record.level()))))
        .add_key_value(
            o!("msg" => PushFnValue(|record: &Record<'_>, serializer| serializer.emit(record.msg()))),
        )
        .build()
}

/// Names of levels as in the configuration.
fn name(level: Level) -> &'static str {
    match level {
        Level::Critical => "critical",
        Level::Error => "error",
        Level::Warning => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// Collects a line and writes it with `\u` escapes for characters that JSON allows raw but a terminal would act on.
/// Such characters occur only inside strings, so the JSON means the same.
struct JsonLines<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Write for JsonLines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Called once per record, after its newline.
    fn flush(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let mut text = String::with_capacity(line.len());
        for c in String::from_utf8_lossy(&line).chars() {
            if is_unsafe(c) && c != '\n' {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            } else {
                text.push(c);
            }
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}
