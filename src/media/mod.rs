//! Audio streams, without IO: their formats, how RTP carries them, and their addresses.
//!
//! The server relays streams without decoding them; the client publishes and plays them. Both use the types of this
//! module, and neither imports the other.
//!
//! - [`mod@format`]: the formats of a stream, and their names in RTP.
//! - [`description`]: a stream's description in SDP.
//! - [`address`]: addresses of streams, and the DATA of `play` and `publish`.
//! - [`key`]: the keys that authorize publishing and listening.
//! - [`payload`]: the contents of a datagram. [`sequence`], [`ntp`]: the numbers and times of RTP and RTCP.

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
