//! Output of the experiments: rows for programs on stdout, progress for people on stderr.

use std::io::{self, Write};

/// Prints a row of CSV and flushes it, so that an interrupted run keeps what was measured.
pub fn row(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Prints a line of progress.
pub fn progress(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}
