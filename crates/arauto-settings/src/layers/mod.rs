//! Settings in layers, driven by a table: flags override environment, environment overrides file, file overrides
//! defaults.
//!
//! `setting` defines the table, `form` the forms of values; `file` reads a file by the table, `load` applies the layers
//! in order.

mod error;
mod file;
mod form;
mod load;
mod setting;

pub use crate::setting;
pub use error::ConfigError;
pub use form::{
    Addresses, Choice, Form, Host, HostNames, Millis, OneOf, PathOf, Ports, Raw, Refused, Span, Whole, YesNo,
    quoted,
};
pub use load::{CommandLine, DefaultFile, Flag, Layers, Loaded, Origin, check, load, named_file, read_text};
pub use setting::{Description, Setting, Settings};
