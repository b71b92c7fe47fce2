//! The full screen: a conversation on a terminal.
//!
//! - `app`: all that is shown, and what follows from the connection (`connecting`), messages (`hearing`) and keys (`keys`,
//!   `wheel`, `pasting`).
//!   No IO, no clock.
//! - `typed`: what a typed line asks for. `line`, `completion`: the line itself. `unconfirmed`, `silence`: what may not
//!   have arrived.
//! - `log`, `entry`: the conversation so far. `listed`: lists of files in it. `people`: who is here. `help`: what F1 shows.
//! - `layout`, `draw`, `status`, `text`, `theme`: what it looks like. `text` is the only way from people to the
//!   terminal.
//! - `place`: the server, and what is dangerous about the way there. `clock`: moments, as the state is told of them.
//! - `terminal`: the terminal, taken and given back. `hold`: whose it is while a shell stops and continues this program. `run`:
//!   all of it, going.
//!
//! ```text
//! keys, link events, signals -> run -> app -> draw -> terminal
//! ```

mod app;
mod clock;
mod completion;
mod connecting;
mod draw;
mod entry;
mod farewell;
mod hearing;
mod help;
mod hold;
mod keys;
mod layout;
mod line;
mod listed;
mod listening;
mod log;
mod on_air;
mod pasting;
mod people;
mod place;
mod run;
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

pub use farewell::Farewell;
pub use run::run;
pub use theme::Theme;
