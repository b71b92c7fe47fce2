//! Returns the memory of a crowd of sessions to the system after the crowd has left, with either of two allocators.
//!
//! - With the feature `jemalloc`, a program that links this crate allocates with jemalloc, which returns memory by itself.
//!   Private messages cost less CPU time than with the other one, but jemalloc takes more than a minute to build.
//! - Without it, the program keeps the system's allocator, and a thread of [`start`] returns memory. Without that thread,
//!   glibc keeps what a crowd has freed: after 10,000 sessions, the server was measured at five times its memory at start.

#[cfg(feature = "jemalloc")]
mod jemalloc;
#[cfg(all(not(feature = "jemalloc"), target_os = "linux", target_env = "gnu"))]
mod trim;

/// Starts to return freed memory to the system, within 3 s, until the program ends.
///
/// Where the allocator returns memory by itself, or has no call for it, nothing has to be started.
///
/// # Errors
/// If the thread cannot be started.
pub fn start() -> std::io::Result<()> {
    #[cfg(all(not(feature = "jemalloc"), target_os = "linux", target_env = "gnu"))]
    std::thread::Builder::new().name("memory".to_owned()).spawn(trim::run)?;
    Ok(())
}
