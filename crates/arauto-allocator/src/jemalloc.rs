//! jemalloc, with the settings of a server of many sessions.
//!
//! With its own settings, jemalloc returns memory later and in part, because it purges only when the program allocates
//! again, and keeps some memory for each thread.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// The settings: memory that was freed returns to the system within a second, also if nothing is allocated any more, and
/// threads keep blocks of up to 512 bytes only. jemalloc reads this string, which ends with a NUL byte, before `main`.
///
/// jemalloc takes settings from a variable while it is built, from the environment when the program starts, and from a
/// symbol of this name. Only the last one survives `cargo install`. `export_name` is unsafe because two definitions of a
/// symbol can collide. This one cannot: jemalloc's own definition is weak.
#[allow(unsafe_code)]
#[used]
#[unsafe(export_name = "_rjem_malloc_conf")]
static SETTINGS: &[u8; 75] = b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,tcache_max:512\0";
