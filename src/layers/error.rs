//! Why a configuration is refused.

use crate::{escape::Escaped, source::SourceError};

/// Why a configuration is refused. Its words never carry raw control characters, whatever was read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is refused.
    #[error(transparent)]
    File(#[from] SourceError),
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
