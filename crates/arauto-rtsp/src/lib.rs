//! Audio streams by RTSP, RTP, RTCP and SDP, without IO: their formats, how RTP carries them, and their addresses.
//!
//! Both ends use these types. In Arauto, the server relays streams without decoding them, and the client publishes and
//! plays them.
//!
//! - [`mod@format`]: the formats of a stream, and their names in RTP.
//! - [`description`]: a stream's description in SDP.
//! - [`address`]: addresses of streams, and the DATA of `play` and `publish`.
//! - [`key`]: the keys that authorize publishing and listening.
//! - [`input`]: splits the bytes that an RTSP server receives into requests and datagrams.
//! - [`transport`]: the `Transport` header of a SETUP request.
//! - [`payload`]: the contents of a datagram.
//! - [`sequence`], [`ntp`]: the sequence numbers of RTP, and the figures and times in RTCP's reports.
//!
//! RTP headers and RTCP packets themselves are not encoded here.

pub mod address;
pub mod description;
pub mod format;
pub mod input;
pub mod key;
pub mod ntp;
pub mod payload;
pub mod sequence;
pub mod transport;

pub use address::{Address, StreamId};
pub use description::Description;
pub use format::Format;
pub use key::Key;

/// Compiles and runs the example in README.md.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExample;
