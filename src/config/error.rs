//! Why a configuration is refused.

use std::io;

use crate::escape::Escaped;

/// Why a configuration is refused. Its words never carry raw control characters, whatever was read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file, fit for printing.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file can be read, but not meant.
    #[error("{path} has more than {most} bytes: not a configuration")]
    TooLarge {
        /// The file, fit for printing.
        path: String,
        /// The most it may have.
        most: u64,
    },
    /// Something in the file is wrong.
    #[error("{path}:{line}:{column}: {message}\n{excerpt}")]
    File {
        /// The file, fit for printing.
        path: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong, and what is allowed.
        message: String,
        /// The line, with carets under the text at fault.
        excerpt: String,
    },
    /// A variable or a flag has a value it cannot have.
    #[error("{name} must be {allowed}, not \"{}\"", Escaped(value))]
    Value {
        /// The variable or the flag.
        name: String,
        /// What was given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// There is no such variable or flag.
    #[error("{} is unknown; did you mean {nearest}?", Escaped(name))]
    Unknown {
        /// The name given.
        name: String,
        /// The name most like it.
        nearest: String,
    },
}
