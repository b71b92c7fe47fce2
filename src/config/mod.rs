//! What the operator can set: flags over environment over file over defaults.
//!
//! `types` is what the rest of the program sees. `settings` is the table that everything here follows; to add a
//! setting, give it a field and a default in `types`, a row in the table, and a line in `config/arauto.toml`. `in_force` is
//! what a running server reads; the table says from when a change counts.

mod error;
mod file;
mod form;
mod in_force;
mod load;
mod settings;
mod types;

pub use error::ConfigError;
pub use form::quoted;
pub use in_force::{Change, InForce, View};
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use load::read_text;
pub use load::{CommandLine, Flag, Loaded, check, load};
pub use settings::{Applies, Description, describe};
pub use types::{
    Accounts, Allow, Choice, CloseServer, Compat, Config, Flood, Level, Limits, Log, LogFormat, Server, Tls,
};
