//! All integration tests in one binary, with one file for each area.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to panic")]
#![allow(clippy::print_stderr, reason = "shown by the test runner where a test fails")]

use arauto_testkit as harness;

mod accounts;
mod audio;
mod browser;
mod cert;
mod cli;
mod client_passwords;
mod client_settings;
mod client_tls;
mod config;
mod crowds;
mod docs;
mod files;
mod flood;
mod history;
mod hostile;
mod lifecycle;
mod limits;
mod monitoring;
mod network;
mod no_answer;
mod packaging;
mod plain;
mod player;
mod proxies;
mod real_clients;
mod reload;
mod screen;
mod scripts;
mod silence;
mod slow_readers;
mod storm;
mod streams;
mod systemd;
mod tls;
mod untrusted_server;
mod websocket;
mod wire;
