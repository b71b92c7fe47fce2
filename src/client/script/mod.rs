//! Errands for shell scripts: join, do one thing, leave. What they print is for other programs, what goes wrong goes to
//! standard error, and the exit status tells what kind of thing it was.

mod backlog;
mod ending;
mod errand;
mod failure;
mod files;
mod lines;
mod list;
mod listen;
mod play;
mod send;
pub mod show;

pub use ending::Broken;
pub use errand::Errand;
pub use failure::Failure;
pub use files::files;
pub use lines::OnBadLine;
pub use list::list;
pub use listen::{Wanted, listen};
pub use play::{Playing, play};
pub use send::{Sending, Words, send};
