//! Settings in layers, driven by a table: flags override environment, environment overrides file, file overrides
//! defaults.
//!
//! `setting` defines the table, `declare` the macro that makes it, `form` the forms of values; `file` reads a file by the
//! table, `load` applies the layers in order, `template` writes the file that lists all settings.

mod declare;
mod error;
mod file;
mod form;
mod load;
mod setting;
mod template;

pub use crate::settings;
pub use error::ConfigError;
pub use form::{
    Addresses, Choice, Form, Host, HostNames, Label, Millis, OneOf, PathOf, Ports, Raw, Refused, ServerUrls,
    Span, Whole, YesNo, quoted,
};
pub use load::{CommandLine, DefaultFile, Flag, Layers, Loaded, Origin, check, load, named_file, read_text};
pub use setting::{Applies, Description, Setting, Settings};
pub use template::template;
