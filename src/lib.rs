//! Arauto: a TR2.23 message server.
//!
//! People, scripts and devices connect by TCP, take a unique name, and send each other messages, one line each. netcat
//! is a full client. The program `arauto` is a thin shell over this library.
//!
//! The clients are crates of this workspace that know nothing of the server: [`arauto_client`], connections, scripts and
//! the dialogue, and [`arauto_tui`], the full screen. Both ends share [`arauto_protocol`], the messages, and
//! [`arauto_rtsp`], audio streams, which do no IO; and [`arauto_settings`], which reads settings and the files of
//! operators.
//!
//! - [`server`]: the actors that serve the protocol. Depends on `accounts`, `config` and `web`.
//! - [`accounts`]: names that are protected by a password.
//! - [`config`]: the server's configuration, from defaults, file, environment and flags.
//! - [`cli`]: the command line; the help, man page and completions made from it; running the commands of the clients.
//! - [`logging`]: the log that the server writes.
//! - [`self_signed`]: makes a self-signed certificate for trying TLS.
//!
//! The path of a message:
//!
//! ```text
//! bytes -> frame_reader -> arauto_protocol::framing -> session -> arauto_protocol::request
//!       -> registry -> batch -> courier -> outbox -> bytes
//! ```

pub mod accounts;
pub mod cli;
pub mod config;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
pub mod logging;
pub mod self_signed;
pub mod server;
pub mod web;
