//! Fuzz targets: invariants that must hold for any input, each as a function of arbitrary bytes.
//!
//! A target panics if its invariant does not hold. `cargo test` runs each target on a few inputs; the program in
//! `fuzz/` runs them on millions of inputs, and offers them to libFuzzer. This module is no stable interface: it exists
//! only with the feature `fuzz` and in the crate's own tests.
//!
//! To add a target, add a file here and a row in [`TARGETS`].

use std::{cell::RefCell, mem::ManuallyDrop};

use arauto_protocol::hidden::hidden;

mod accounts;
mod bans;
mod cluster;
mod config;
#[cfg(feature = "client")]
mod files;
mod framing;
pub mod inputs;
mod names;
mod request;
mod rtsp;
mod session;
mod websocket;

/// A fuzz target: code that parses bytes from untrusted peers.
pub struct Target {
    /// The target's name on the command line.
    pub name: &'static str,
    /// Sets up the state that all inputs share, and returns the function that checks an input.
    pub start: fn() -> Run,
    /// Bytes at the start of an input that select what the rest is tested on.
    pub choices: usize,
    /// Whether the target rejects input that is not UTF-8, so that most inputs should be UTF-8.
    pub is_text: bool,
    /// Fragments that inputs are made of, beside arbitrary bytes.
    pub words: &'static [&'static [u8]],
}

/// Checks an input; panics if the invariant does not hold.
pub type Run = Box<dyn FnMut(&[u8])>;

/// All fuzz targets.
pub const TARGETS: &[Target] = &[
    framing::TARGET,
    request::TARGET,
    rtsp::TARGET,
    names::TARGET,
    config::TARGET,
    accounts::TARGET,
    bans::TARGET,
    cluster::TARGET,
    #[cfg(feature = "client")]
    files::TARGET,
    session::TARGET,
    websocket::TARGET,
];

/// Runs the named target on one input. The first call on a thread sets the target up.
///
/// # Panics
/// If the input violates the target's invariant, or if no target has this name.
pub fn run(name: &str, bytes: &[u8]) {
    type Started = RefCell<Vec<(&'static str, Run)>>;
    thread_local! {
        // Never dropped: dropping a target may need other thread-locals of this thread, which may already be destroyed.
        static STARTED: ManuallyDrop<Started> = const { ManuallyDrop::new(RefCell::new(Vec::new())) };
    }
    STARTED.with(|started| {
        let mut started = started.borrow_mut();
        let place = started.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            let target = TARGETS.iter().find(|target| target.name == name).expect("a target's name");
            started.push((target.name, (target.start)()));
            started.len() - 1
        });
        (started[place].1)(bytes);
    });
}

/// Whether a message with this text cannot affect the terminal of its receiver.
fn is_harmless(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\t') && hidden(text).next().is_none()
}

/// Splits off the first `N` bytes of an input, which select what is tested. Missing bytes count as 0.
fn choice<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    let taken = bytes.len().min(N);
    let mut choice = [0; N];
    choice[..taken].copy_from_slice(&bytes[..taken]);
    (choice, &bytes[taken..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs per target. Few, because every `cargo test` runs them, without optimization.
    const INPUTS: u64 = 1_000;

    /// The seed is fixed so that the test is deterministic. The program in `fuzz/` tries other seeds.
    #[test]
    fn each_target_holds_for_some_inputs() {
        for target in TARGETS {
            let mut run = (target.start)();
            for number in 0..INPUTS {
                run(&inputs::input(target, 1, number));
            }
        }
    }

    #[test]
    fn each_target_holds_for_each_of_its_words_and_for_nothing() {
        for target in TARGETS {
            run(target.name, b"");
            for word in target.words {
                run(target.name, word);
                run(target.name, &[&vec![0; target.choices], *word].concat());
            }
        }
    }

    #[test]
    fn inputs_come_again_for_the_same_seed_and_differ_otherwise() {
        let target = &TARGETS[0];
        assert_eq!(inputs::input(target, 1, 2), inputs::input(target, 1, 2));
        let differ = |one: (u64, u64), other: (u64, u64)| {
            (0..20).any(|n| {
                inputs::input(target, one.0, one.1 + n) != inputs::input(target, other.0, other.1 + n)
            })
        };
        assert!(differ((1, 2), (1, 30)) && differ((1, 2), (2, 2)));
    }
}
