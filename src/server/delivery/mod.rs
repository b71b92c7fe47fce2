//! Carries output from the registry to the connections, and slows senders where a receiver falls behind.
//!
//! `README.md` beside this file tells the whole of flow control: the four places where a message waits, and their bounds.
//!
//! In the order of a message's way:
//!
//! 1. [`batch`]: output is gathered for all members in one go; [`blocked_work`] holds what does not fit yet.
//! 2. [`flush_scheduler`]: a batch is sent when the one before is delivered. [`wait_budget`] bounds the wait for slow
//!    receivers.
//! 3. [`subscriber_table`]: each worker's courier (`../courier.rs`) has one, whose [`subscriber`]s take their share.
//! 4. [`outbox`]: the bounded output queue of one connection, and its writes. It reports when it is full or its receiver
//!    takes nothing; the [`subscriber`] then disconnects the receiver. Where broadcasts waited too long for slow receivers,
//!    the registry decides which of them to disconnect (`registry/actor/slow_readers.rs`).

pub mod batch;
pub mod blocked_work;
pub mod flush_scheduler;
pub mod outbox;
pub mod subscriber;
pub mod subscriber_table;
pub mod wait_budget;
