//! Arauto, a TR2.23 message server.

pub mod cli;
pub mod config;
pub mod logging;
pub mod protocol;
pub mod server;
