//! What people share: the list of someone's files, from their folder to the one who asked.
//!
//! - `tree`: what lies below a folder, and never outside. `audio`: what a file sounds like. `sound`: what reads it.
//!   `shape`: a file without the tags around its sound, and with lengths in its header that fit.
//! - `folder`: [`Folder`], both together: a [`Listing`] of what is there now.
//! - `quote`: names, which may hold anything, as text that reads back exactly. `order`: how names are sorted.
//! - `entry`, `listing`: the text of a list, in as many messages as it takes. `assembly`: those, put together.
//! - `answer`: the messages that answer `list_files`. `sharer`: a task that gives them, no faster than servers like.
//!
//! ```text
//! folder -> listing -> answer -> sharer -> messages -> assembly -> listing
//! ```
//!
//! Nothing here prints, or knows a screen.

mod answer;
mod assembly;
mod audio;
mod entry;
mod folder;
mod listing;
mod order;
mod quote;
mod shape;
mod sharer;
pub(in crate::client) mod sound;
mod tree;

#[cfg(test)]
pub(in crate::client) use audio::tests as audio_tests;

pub use answer::answer;
pub use assembly::{Assembled, Assembly};
pub use entry::{Clock, Entry};
pub use folder::{Folder, NoFolder, NotOpened, Opener};
pub use listing::{LeftOut, Listing, MOST_PARTS, Part};
pub use quote::{Quoted, unquote};
pub use sharer::Sharer;
