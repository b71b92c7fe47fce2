//! Binds the server's addresses ([`addresses`]) and accepts connections ([`acceptor`]). [`socket`] has the options of both.

pub mod acceptor;
pub mod addresses;
pub mod socket;
