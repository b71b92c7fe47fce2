//! Arauto: a TR2.23 message server.
//!
//! People, scripts and devices connect by TCP, take a unique name, and send each other messages, one line each;
//! netcat is a full client. The program `arauto` is a thin shell over this library.
//!
//! - [`protocol`]: what a message is and what it asks for. Pure; knows none of the others.
//! - [`server`]: the actors that serve it. Knows `protocol`, `config` and the log.
//! - [`media`]: audio streams: formats, descriptions, addresses. Pure; knows none of the others.
//! - [`client`]: the other end: full screen, dialogue, scripts. Knows `protocol`, and nothing of the server.
//! - [`accounts`]: names that are only given for a password. Knows `protocol` only.
//! - [`config`]: what is in force, from defaults, file, environment and flags.
//! - [`layers`]: settings in layers, as a table tells them; used by `config` and `client`.
//! - [`cli`]: the command line, and what comes from it: help, man page, completions.
//! - [`logging`]: the log that the server writes to.
//! - [`source`]: files that an operator writes, and complaints that point into them.
//! - [`self_signed`]: a certificate to try TLS with.
//! - [`pem`]: certificates and keys in files that people name.
//! - [`terminal`]: a line from a terminal that shows nothing of it.
//! - [`escape`]: text from people, made fit for a log and a terminal.
//!
//! A message's way:
//!
//! ```text
//! bytes -> inbox -> protocol::framing -> session -> protocol::request -> registry -> batch -> courier -> outbox -> bytes
//! ```

pub mod accounts;
pub mod cli;
pub mod client;
pub mod config;
pub mod escape;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod joiners;
pub mod layers;
pub mod logging;
pub mod media;
pub mod pem;
pub mod protocol;
pub mod self_signed;
pub mod server;
pub mod source;
pub mod terminal;
pub mod web;
