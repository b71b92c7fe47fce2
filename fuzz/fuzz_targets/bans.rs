//! Entry point of the fuzz target `bans` for `cargo fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| arauto::fuzz::run("bans", bytes));
