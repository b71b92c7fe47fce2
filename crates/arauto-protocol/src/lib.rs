//! TR2.23 without any IO: what a message is, how each kind of client frames it, what a message asks for, and every text
//! that the server sends.
//!
//! The path of a message through this crate:
//!
//! ```text
//! bytes -> framing (with telnet, websocket) -> message or short_form -> request
//!                                          reply -> line -> bytes
//! ```
//!
//! A line from a client, and the answer to it:
//!
//! ```
//! use arauto_protocol::{Asker, Frame, FrameDecoder, Name, Request, name};
//! use bytes::BytesMut;
//! use tokio_util::codec::Decoder;
//!
//! let mut decoder = FrameDecoder::new(1024);
//! let mut input = BytesMut::from("/echo hi\r\n");
//! let Some(Frame::Line(line)) = decoder.decode(&mut input)? else { panic!("the line is complete") };
//!
//! let alan = Name::parse("alan", name::max_bytes(1024))?;
//! let asker = Asker { name: &alan, kind: decoder.kind(), limit: 1024 };
//! let Request::Answer(answer) = Request::read(&line, &asker) else { panic!("an echo is answered at once") };
//! assert_eq!(answer.framed(decoder.kind()), "alan | alan | echo | hi\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here depends on sockets, actors or configuration files; all of it can be tested with plain calls.
//! `docs/protocol.md` describes the same contract for authors of clients.

mod fold;
mod foreign;
pub mod frame;
pub mod framing;
pub mod hidden;
pub mod joiners;
pub mod kind;
pub mod line;
pub mod look;
pub mod message;
pub mod moderation;
pub mod name;
mod named_enum;
pub mod network;
pub mod operation;
pub mod password;
pub mod refusal;
pub mod reply;
pub mod request;
mod separator;
#[cfg(feature = "serde")]
mod serialized;
pub mod short_form;
pub mod stream_offer;
pub mod tag;
pub mod telnet;
pub mod websocket;

pub use frame::{Breach, Frame};
pub use framing::FrameDecoder;
pub use kind::Kind;
pub use line::Line;
pub use look::{Look, Looks};
pub use message::{Malformed, Message, Unwritable};
pub use moderation::{Moderation, Target};
pub use name::{Name, NameError, NameKey};
pub use operation::Operation;
pub use refusal::Refusal;
pub use request::{Asker, Request};
pub use stream_offer::{Offer, Summons};
pub use tag::Tag;

/// Compiles and runs the example in README.md.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExample;
