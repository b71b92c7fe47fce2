//! Tests with clients that users already have: netcat, telnet, TLS clients, a twin of the report's Python client, and
//! the example.
//!
//! Each is the real program, which a test types to and reads from. A test types nothing before the output that it
//! depends on has come.

mod example;
pub mod nc;
pub mod program;
mod report_client;
mod telnet;
mod tls;
