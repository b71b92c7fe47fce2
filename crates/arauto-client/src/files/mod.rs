//! Shared files: the list of a user's files, from the folder to the client that asked for it.
//!
//! - `tree`: finds the files below a folder, and never leaves it. `prober`: which of them are audio. `audio`: type and
//!   duration of an audio file. `sound`: its reader. `shape`: hides the tags around the audio, and corrects lengths in
//!   its header.
//! - `folder`: [`Folder`], which combines them into a [`Listing`] of its present files. `opener`: opens them.
//! - `quote`: encodes any file name as harmless text that reads back exactly. `order`: how names are sorted.
//! - `entry`, `listing`: the text of a list, in as many messages as it needs. `assembly`: puts those together.
//! - `answer`: the messages that answer `list_files`. `sharer`: a task that sends them, no faster than a server
//!   accepts them.
//!
//! ```text
//! folder -> listing -> answer -> sharer -> messages -> assembly -> listing
//! ```
//!
//! Nothing here prints, or depends on the user interface.

mod answer;
mod assembly;
#[cfg(feature = "audio")]
mod audio;
mod entry;
mod folder;
mod listing;
#[cfg(feature = "audio")]
mod opener;
mod order;
mod prober;
mod quote;
#[cfg(feature = "audio")]
mod shape;
mod sharer;
#[cfg(feature = "audio")]
pub(crate) mod sound;
#[cfg_attr(not(feature = "audio"), allow(dead_code, reason = "files are opened for their audio only"))]
mod tree;

#[cfg(test)]
#[cfg(feature = "audio")]
pub(crate) use audio::tests as audio_tests;

pub use answer::answer;
pub use assembly::{Assembled, Assembly};
pub use entry::{Clock, Entry};
pub use folder::{Folder, NoFolder};
pub use listing::{LeftOut, Listing, MAX_PARTS, Part};
#[cfg(feature = "audio")]
pub use opener::{NotOpened, Opener};
pub use quote::{Quoted, unquote};
pub use sharer::Sharer;
