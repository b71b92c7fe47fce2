//! Audio, without IO: what a stream holds, how RTP carries it, and where it is to be had.
//!
//! The server relays streams without decoding them, the client publishes and plays them. Both speak of a stream in these
//! terms, and neither knows the other.
//!
//! - [`mod@format`]: what a stream can hold, and what RTP calls it.
//! - [`description`]: the same as SDP.
//! - [`address`]: where a stream is to be had, and the DATA of `play` and `publish`.
//! - [`key`]: who may publish or listen.
//! - [`payload`]: what is in a datagram. [`sequence`], [`ntp`]: what RTP and RTCP number and count.

pub mod address;
pub mod description;
pub mod format;
pub mod key;
pub mod ntp;
pub mod payload;
pub mod sequence;

pub use address::{Address, Offer, StreamId, Summons};
pub use description::Description;
pub use format::Format;
pub use key::Key;
