//! All integration tests in one binary, with one file for each area. Without the feature `tui`, those of the clients are
//! left out.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to panic")]
#![allow(clippy::print_stderr, reason = "shown by the test runner where a test fails")]
#![cfg_attr(not(feature = "tui"), allow(dead_code, reason = "shared with the tests of the clients"))]

use arauto_testkit as harness;

mod accounts;
#[cfg(feature = "tui")]
mod audio;
#[cfg(feature = "page")]
mod browser;
mod cert;
mod cli;
#[cfg(feature = "tui")]
mod client_passwords;
#[cfg(feature = "tui")]
mod client_settings;
#[cfg(feature = "tui")]
mod client_tls;
#[cfg(feature = "cluster")]
mod cluster;
mod config;
mod crowds;
mod docs;
#[cfg(feature = "tui")]
mod files;
mod flood;
mod history;
mod hostile;
mod lifecycle;
mod limits;
mod monitoring;
mod network;
#[cfg(feature = "tui")]
mod no_answer;
#[cfg(feature = "tui")]
mod packaging;
#[cfg(feature = "tui")]
mod plain;
#[cfg(feature = "tui")]
mod player;
mod presence;
mod proxies;
mod real_clients;
mod reload;
#[cfg(feature = "tui")]
mod screen;
#[cfg(feature = "tui")]
mod scripts;
#[cfg(feature = "tui")]
mod silence;
mod slow_readers;
mod storm;
mod streams;
mod systemd;
mod tags;
mod tls;
#[cfg(feature = "tui")]
mod untrusted_server;
mod websocket;
mod wire;
