//! [`ConfigError`]: why a configuration is refused.

use crate::{escape::Escaped, source::SourceError};

/// Why a configuration is refused. The error text never contains raw control characters, whatever the input.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is unreadable or has a fault.
    #[error(transparent)]
    File(#[from] SourceError),
    /// An environment variable or a flag has a value that is not allowed.
    #[error("{name} must be {allowed}, not \"{}\"", Escaped(value))]
    Value {
        /// The variable or the flag.
        name: String,
        /// The value given.
        value: String,
        /// The allowed values, in words that complete "must be".
        allowed: String,
    },
    /// No setting has this variable or flag.
    #[error("{} is unknown; did you mean {nearest}?", Escaped(name))]
    Unknown {
        /// The name given.
        name: String,
        /// The most similar known name.
        nearest: String,
    },
}
