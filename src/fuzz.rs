//! Targets for fuzzing: what must hold whatever comes, each as one function of arbitrary bytes.
//!
//! A target panics where something does not hold. `cargo test` runs each for a moment; `fuzz/` is a program that runs them
//! for millions of inputs, and the same targets for libFuzzer. No interface to build on: this module is there only with the
//! feature `fuzz` and in the crate's own tests.
//!
//! A new target is a file here and a row in [`TARGETS`].

use std::{cell::RefCell, mem::ManuallyDrop};

use crate::protocol::hidden::hidden;

mod accounts;
mod bans;
mod config;
mod files;
mod framing;
pub mod inputs;
mod names;
mod request;
mod rtsp;
mod session;
mod websocket;

/// Something that takes bytes from strangers.
pub struct Target {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Sets up what all inputs share, and gives the function that judges one.
    pub start: fn() -> Run,
    /// How many bytes at the start of an input choose what the rest is tried on.
    pub choices: usize,
    /// Whether it asks for UTF-8 first of all, and most inputs should get past that.
    pub is_text: bool,
    /// Pieces of which inputs are made, beside arbitrary bytes.
    pub words: &'static [&'static [u8]],
}

/// Judges one input: panics where it shows a fault.
pub type Run = Box<dyn FnMut(&[u8])>;

/// All targets.
pub const TARGETS: &[Target] = &[
    framing::TARGET,
    request::TARGET,
    rtsp::TARGET,
    names::TARGET,
    config::TARGET,
    accounts::TARGET,
    bans::TARGET,
    files::TARGET,
    session::TARGET,
    websocket::TARGET,
];

/// Runs one input of the target of this name, which is set up at the first call on a thread.
///
/// # Panics
/// If the input shows a fault, or if there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    type Started = RefCell<Vec<(&'static str, Run)>>;
    thread_local! {
        // Never dropped: what a target holds may need this thread's other locals for its end, and they may be gone by then.
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

/// Whether a text could do something to the terminal of whoever is sent it as a message.
fn is_harmless(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\t') && hidden(text).next().is_none()
}

/// Takes the first bytes off an input, to choose by them what it is tried on; 0 where there are none.
fn choice<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    let taken = bytes.len().min(N);
    let mut choice = [0; N];
    choice[..taken].copy_from_slice(&bytes[..taken]);
    (choice, &bytes[taken..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Few, because this runs with every `cargo test`, without optimization.
    const INPUTS: u64 = 1_000;

    /// The seed is fixed: this test says the same each time. The program in `fuzz/` looks further.
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
