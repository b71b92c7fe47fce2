//! The clients people already have: netcat, telnet, those that speak TLS, the report's Python client as a twin of it, and
//! the example.
//!
//! Each is the real program, typed to and read from. Nothing is typed before what it hangs on was shown.

mod example;
pub mod nc;
pub mod program;
mod report_client;
mod telnet;
mod tls;
