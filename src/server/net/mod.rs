//! Connections as byte streams: TCP, TLS beneath a session, what the kernel knows of a connection, and the sockets that a
//! service manager passes. Knows no messages and no names.
//!
//! Read [`connection`] first: its traits are what the rest of the server sees of a connection.

pub mod connection;
pub mod incoming;
pub mod retransmission;
pub mod sock_diag;
pub mod systemd;
pub mod tls;
