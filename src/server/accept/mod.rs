//! Binds the server's addresses ([`addresses`]) and accepts connections ([`acceptor`]).

pub mod acceptor;
pub mod addresses;
