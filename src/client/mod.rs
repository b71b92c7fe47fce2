//! Arauto's client: the same protocol seen from the other end.
//!
//! - `audio`: sound, from others and to others.
//! - `command`: what the command line asks for, and how it is run. `settings`: what the user has set, there and
//!   elsewhere.
//! - `target`, `dial`, `tls`: where the server is, and the way there. `password`: from a file or typed.
//! - `liveness`: whether a silent server is still there. `again`: when a connection that ended is made again.
//! - `decoder`: bytes to [`Received`] messages. `wire`: a connection that speaks messages.
//! - `rtsp`: streams of sound, published or listened to.
//! - `joining`: name and password, until the server confirms or refuses.
//! - `made_up`: a name for who needs none.
//! - `meaning`: what a received message means to the one who received it.
//! - `leaving`: saying so, and how long the answer is waited for.
//! - `link`: stays joined, connects again after a cut; for whoever is shown a conversation as it goes on.
//! - `files`: what people share: folders, and the text of `list_files` answers.
//! - `screen`: a conversation on a terminal.
//! - `input`, `output`, `signals`: lines of standard input, standard output and SIGINT, while something else goes on.
//! - `moment`: waiting for a moment that may never come.
//! - `text`: which texts can be sent.
//! - `names`: who says it, so that no name seems to say something itself.
//! - `pace`: how fast one sends what others can make one send.
//! - `script`: one errand at a time, for shell scripts.
//! - `plain`: the dialogue of the report's client.
//!
//! A message's way:
//!
//! ```text
//! bytes -> dial -> decoder -> wire -> joining | meaning -> script, plain or screen
//! ```
//!
//! Knows [`crate::protocol`], [`crate::media`], [`crate::escape`], [`crate::pem`], [`crate::terminal`] and how settings are read
//! ([`crate::layers`]); nothing of the server.

pub mod again;
pub mod audio;
pub mod command;
pub mod decoder;
pub mod dial;
pub mod files;
pub mod input;
pub mod joining;
pub mod leaving;
pub mod limits;
pub mod link;
pub mod liveness;
pub mod made_up;
pub mod meaning;
pub mod moment;
pub mod names;
pub mod output;
pub mod pace;
pub mod password;
pub mod plain;
pub mod ports;
pub mod received;
pub mod roll;
pub mod rtsp;
pub mod screen;
pub mod script;
pub mod settings;
pub mod signals;
pub mod spelt;
pub mod target;
pub mod text;
pub mod tls;
pub mod wire;

pub use command::Command;
pub use password::Password;
pub use received::Received;
pub use settings::Settings;
pub use target::Target;
