//! Tests of the state machine over a log that is written by hand or at random.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod dice;
mod faults;
mod lag;
mod lies;
mod log;
mod losses;
mod random;
mod rules;
mod transfer;
mod world;
