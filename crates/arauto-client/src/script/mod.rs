//! Commands for shell scripts: join, do one thing, leave. Standard output is for other programs, errors go to
//! standard error, and the exit status tells the kind of error.

mod backlog;
#[cfg(feature = "audio")]
mod ending;
mod error;
mod files;
mod lines;
mod list;
mod listen;
mod one_shot;
#[cfg(feature = "audio")]
mod play;
mod send;
pub mod show;

#[cfg(feature = "audio")]
pub use ending::BrokenStream;
pub use error::ScriptError;
pub use files::files;
pub use lines::OnBadLine;
pub use list::list;
pub use listen::{ListenOptions, listen};
pub use one_shot::OneShot;
#[cfg(feature = "audio")]
pub use play::{PlayOptions, play};
pub use send::{Sending, Words, send};
