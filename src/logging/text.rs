//! Formats log records as lines of text: `time LEVL message, id: 3, peer: 127.0.0.1:5555`.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::SystemTime;

use arauto_settings::escape::Printable;
use slog::{Drain, Level, OwnedKVList, Record};
use slog_term::{Decorator, FullFormat, RecordDecorator};

/// The destination of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A file or a pipe.
    Plain,
    /// A terminal that shows colours.
    Terminal,
    /// systemd's journal, which adds its own times, and takes each line's priority from a `<N>` prefix (sd-daemon(3)).
    Journal,
}

/// A drain that writes each record as one line, in a single write.
pub(super) fn drain<W>(out: W, reader: Reader) -> impl Drain<Ok = (), Err = io::Error> + Send
where
    W: Write + Send,
{
    FullFormat::new(Lines { out: RefCell::new(out), reader })
        .use_custom_timestamp(move |out| match reader {
            Reader::Journal => Ok(()),
            Reader::Plain | Reader::Terminal => {
                write!(out, "{}", humantime::format_rfc3339_millis(SystemTime::now()))
            }
        })
        // A session's id, peer and name come before the keys of the record.
        .use_original_order()
        .build()
}

struct Lines<W> {
    out: RefCell<W>,
    reader: Reader,
}

/// A level as a syslog priority (RFC 5424, section 6.2.1).
fn priority(level: Level) -> u8 {
    match level {
        Level::Critical => 2,
        Level::Error => 3,
        Level::Warning => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

impl<W: Write> Decorator for Lines<W> {
    fn with_record<F>(&self, record: &Record<'_>, _values: &OwnedKVList, fill: F) -> io::Result<()>
    where
        F: FnOnce(&mut dyn RecordDecorator) -> io::Result<()>,
    {
        let mut line = Line {
            text: String::new(),
            part: Part::Layout,
            part_start: 0,
            level: record.level(),
            colour: self.reader == Reader::Terminal,
        };
        fill(&mut line)?;
        let mut text = line.text;
        if self.reader == Reader::Journal {
            // slog-term leaves a blank in place of the omitted time.
            text = format!("<{}>{}", priority(record.level()), text.trim_start());
        }
        let mut out = self.out.borrow_mut();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// The part of a line that is being written: its layout (spaces, commas, line end), or text that is escaped.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Layout,
    Level,
    Message,
    Key,
    Value,
}

struct Line {
    text: String,
    part: Part,
    part_start: usize,
    level: Level,
    colour: bool,
}

impl Line {
    /// Ends the current part and starts another.
    #[allow(clippy::unnecessary_wraps)] // the signature that slog-term requires
    fn start(&mut self, part: Part) -> io::Result<()> {
        if self.part == Part::Value {
            self.quote_if_needed();
        }
        if self.style(self.part).is_some() {
            self.text.push_str("\x1b[0m");
        }
        if let Some(style) = self.style(part) {
            self.text.push_str("\x1b[");
            self.text.push_str(style);
            self.text.push('m');
        }
        self.part = part;
        self.part_start = self.text.len();
        Ok(())
    }

    /// Quotes a value that holds a comma or a quote, so that it cannot pretend to end and be followed by another key.
    fn quote_if_needed(&mut self) {
        let value = &self.text[self.part_start..];
        if value.contains([',', '"']) {
            let quoted = format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
            self.text.replace_range(self.part_start.., &quoted);
        }
    }

    fn style(&self, part: Part) -> Option<&'static str> {
        match part {
            _ if !self.colour => None,
            Part::Layout | Part::Value => None,
            Part::Message => Some("1"),
            Part::Key => Some("2"),
            Part::Level => Some(match self.level {
                Level::Critical | Level::Error => "31",
                Level::Warning => "33",
                Level::Info => "32",
                Level::Debug => "36",
                Level::Trace => "34",
            }),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        if self.part == Part::Layout {
            self.text.push_str(&text);
        } else {
            write!(self.text, "{}", Printable(text)).map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RecordDecorator for Line {
    fn reset(&mut self) -> io::Result<()> {
        self.start(Part::Layout)
    }

    fn start_level(&mut self) -> io::Result<()> {
        self.start(Part::Level)
    }

    fn start_msg(&mut self) -> io::Result<()> {
        self.start(Part::Message)
    }

    fn start_key(&mut self) -> io::Result<()> {
        self.start(Part::Key)
    }

    fn start_value(&mut self) -> io::Result<()> {
        self.start(Part::Value)
    }
}
