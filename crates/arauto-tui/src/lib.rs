//! The full screen of Arauto's client: a conversation on a terminal. [`run()`] runs it to its end.
//!
//! - `app`: the state, and how the connection (`connecting`), messages (`hearing`) and keys (`keys`, `wheel`,
//!   `pasting`) change it. No IO, no clock.
//! - `typed`: the meaning of a typed line. `commands`: what can be typed. `line`, `completion`: the input line.
//!   `unconfirmed`, `answers`, `silence`: messages that may not have arrived.
//! - `log`, `entry`: the conversation so far. `listed`: lists of files in it. `people`: the connected users. `help`:
//!   the help that F1 shows.
//! - `sound`, `listening`, `on_air`: files that are heard here, and files that are played to others.
//! - `layout`, `draw`, `labels`, `status`, `text`, `theme`: the picture. Text from users reaches the terminal only
//!   through `text`. `sentences`: words of other parts of the program, for the screen.
//! - `place`: the server, and the dangers of the connection to it. `clock`: moments, as they are passed to the state.
//! - `terminal`: takes the terminal and gives it back. `renderer`: the bytes that show a picture. `hold`: takes the
//!   terminal and gives it back when a shell stops and continues this program. `run`: the loop that connects all parts.
//!
//! ```text
//! keys, link events, signals -> run -> app -> draw -> renderer -> terminal
//! ```

mod answers;
mod app;
mod arrow;
mod clock;
mod commands;
mod completion;
mod connecting;
mod draw;
mod entry;
mod exit_reason;
mod hearing;
mod help;
mod hold;
mod keys;
mod labels;
mod layout;
mod line;
mod listed;
mod listening;
mod log;
mod on_air;
mod pasted;
mod pasting;
mod people;
mod renderer;
mod run;
mod sentences;
mod server_info;
mod silence;
mod sound;
mod status;
pub mod terminal;
mod text;
mod theme;
mod typed;
mod unconfirmed;
mod wheel;

#[cfg(test)]
mod tests;

pub use exit_reason::ExitReason;
pub use run::run;
pub use theme::Theme;
