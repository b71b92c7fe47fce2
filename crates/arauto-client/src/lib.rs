//! The clients of Arauto's protocol: connections, conversations, commands for scripts, shared files and audio. The full
//! screen is a crate of its own, `arauto-tui`, built on [`link`], [`meaning`], [`files`] and [`audio`].
//!
//! - `audio`: audio played here from other users, and published to them.
//! - `settings`: the user's settings, from the command line and elsewhere.
//! - `target`, `dial`, `tls`: the address of the server and the connection to it. `password`: a password from a file
//!   or typed.
//! - `ports`: sets of TCP ports.
//! - `liveness`: whether a silent server is still there. `again`: whether and when the client reconnects.
//! - `decoder`: turns bytes into [`OwnedMessage`] messages. `wire`: a connection that sends and receives messages.
//! - `rtsp`: audio streams, published or played.
//! - `joining`: name and password exchange until the server confirms or refuses.
//! - `limits`: asks for the server's message limit.
//! - `generated_name`: a name for commands that need none in particular.
//! - `meaning`: what a received message means to its receiver.
//! - `logout`: the `exit` message, and how long the client waits for its answer.
//! - `link`: a conversation that reconnects after a cut, for a user interface.
//! - `files`: shared folders, and the text of `list_files` answers. `roll`: the names of a list of clients.
//! - `input`, `output`, `signals`: standard input, standard output and signals, each without blocking the rest.
//! - `deadline`: waits for an optional deadline.
//! - `text`: which texts can be sent. `spelt`: escapes received text for output.
//! - `display_name`: quotes names that could be taken for more than a name.
//! - `rate_limit`: limits the rate of messages that other users can trigger.
//! - `script`: commands for shell scripts, each with one purpose.
//! - `plain`: the line-by-line dialogue of the report's client.
//!
//! The path of a received message:
//!
//! ```text
//! bytes -> dial -> decoder -> wire -> joining | meaning -> script, plain or the full screen
//! ```
//!
//! Nothing here knows the server or the command line.

pub mod again;
#[cfg(feature = "audio")]
pub mod audio;
pub mod deadline;
pub mod decoder;
pub mod dial;
pub mod display_name;
pub mod files;
pub mod generated_name;
pub mod input;
pub mod joining;
pub mod limits;
pub mod link;
pub mod liveness;
pub mod logout;
pub mod meaning;
pub mod output;
pub mod owned_message;
pub mod password;
pub mod plain;
pub mod ports;
pub mod rate_limit;
pub mod roll;
#[cfg(feature = "audio")]
pub mod rtsp;
pub mod script;
pub mod settings;
pub mod signals;
pub mod spelt;
pub mod target;
pub mod text;
pub mod tls;
pub mod wire;

pub use owned_message::OwnedMessage;
pub use password::Password;
pub use settings::Settings;
pub use target::{Target, Targets};
