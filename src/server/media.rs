//! Audio on the server: streams that one client publishes and others listen to.
//!
//! The registry decides who is asked to publish and who may listen; the relay, on a thread of its own, carries the sound.
//! Datagrams pass no mailbox; opening and closing a stream do.

pub mod figures;
