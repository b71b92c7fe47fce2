//! What this prints: rows for programs on stdout, progress for people on stderr.

use std::io::{self, Write};

/// A row of CSV, there at once: whoever ends this early keeps what was measured.
pub fn row(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// A line that says how far it is.
pub fn progress(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}
