//! Arauto: a TR2.23 message server.
//!
//! People, scripts and devices connect by TCP, take a unique name, and send each other messages, one line each. netcat
//! is a full client. The program `arauto` is a thin shell over this library.
//!
//! Two crates of this workspace, which do no IO, are what both ends share: [`arauto_protocol`], the messages, and
//! [`arauto_rtsp`], audio streams.
//!
//! - [`server`]: the actors that serve the protocol. Depends on `config` and the log.
//! - [`client`]: the clients: full screen, dialogue, scripts. Does not depend on the server.
//! - [`accounts`]: names that are protected by a password.
//! - [`config`]: the server's configuration, from defaults, file, environment and flags.
//! - [`layers`]: reads settings from those layers by a table of settings; used by `config` and `client`.
//! - [`cli`]: the command line, and the help, man page and completions made from it.
//! - [`logging`]: the log that the server writes.
//! - [`source`]: files that an operator writes, and error messages that point into them.
//! - [`self_signed`]: makes a self-signed certificate for trying TLS.
//! - [`pem`]: reads certificates and keys from PEM files.
//! - [`terminal`]: reads a line from a terminal without echo.
//! - [`escape`]: escapes untrusted text for logs and terminals.
//!
//! The path of a message:
//!
//! ```text
//! bytes -> frame_reader -> arauto_protocol::framing -> session -> arauto_protocol::request
//!       -> registry -> batch -> courier -> outbox -> bytes
//! ```

pub mod accounts;
pub mod cli;
pub mod client;
pub mod config;
pub mod escape;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
pub mod layers;
pub mod logging;
pub mod pem;
pub mod self_signed;
pub mod server;
pub mod source;
pub mod terminal;
pub mod web;
