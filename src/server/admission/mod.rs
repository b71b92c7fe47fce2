//! Decides which connections get a place, which names they may take, and how much they may send: limits for each address,
//! bans, flood control, authentication. Plain structs; knows no sockets and no actors.
//!
//! Read [`address_limiter`] first: its permits bind the other limits to a connection.

pub mod address_limiter;
pub mod auth;
pub mod bans;
pub mod eviction;
pub mod flood;
pub mod page_places;
pub mod trial;
