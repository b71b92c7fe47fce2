//! Settings in layers: flags over environment over file over defaults. What the settings are is told by a table.
//!
//! `setting` is the table's form, `form` the forms that values have; `file` holds a file against the table, `load` lays
//! the layers one over another.

mod error;
mod file;
mod form;
mod load;
mod setting;

pub use error::ConfigError;
pub use form::{
    Addresses, Choice, Form, Host, HostNames, Millis, OneOf, PathOf, Ports, Raw, Refused, Span, Whole, YesNo,
    quoted,
};
#[cfg(any(test, feature = "fuzz"))]
pub use load::read_text;
pub use load::{CommandLine, DefaultFile, Flag, Layers, Loaded, Origin, check, load, named_file};
pub(crate) use setting::setting;
pub use setting::{Description, Setting, Settings};
