//! Entry point of the fuzz target `cluster` for `cargo fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| arauto::fuzz::run("cluster", bytes));
