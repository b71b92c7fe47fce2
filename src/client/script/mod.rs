//! Errands for shell scripts: join, do one thing, leave. What they print is for other programs, what goes wrong goes to
//! standard error, and the exit status tells what kind of thing it was.

mod errand;
mod list;

pub use errand::{Errand, Failure};
pub use list::list;
