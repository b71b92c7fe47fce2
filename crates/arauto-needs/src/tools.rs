// This file is a part of this crate, and of each expansion of its macros.

/// Whether tests have to fail if a tool is missing.
pub fn is_required() -> bool {
    std::env::var_os("ARAUTO_REQUIRE_TOOLS").is_some_and(|value| value == "1")
}

/// The name that stands for the right to make network namespaces and mounts.
pub const ROOT: &str = "root";

/// Whether this process may make network namespaces and mounts: it has `CAP_NET_ADMIN` (bit 12) and `CAP_SYS_ADMIN` (bit
/// 21), which not every root has in a container.
fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0);
    [12, 21].into_iter().all(|bit| set & (1 << bit) != 0)
}

/// Whether a tool is on `PATH`. A name that contains a slash is a path; [`ROOT`] is a right.
pub fn is_installed(name: &str) -> bool {
    if name == ROOT {
        return is_root();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if name.contains('/') {
        return std::path::Path::new(name).exists();
    }
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Whether a tool is installed. Panics if it is not and tests need it. A right that is missing is never an error: checks
/// run without it, too.
#[allow(clippy::print_stderr, reason = "shown by the test runner where a test fails")]
pub fn has_tool(name: &str) -> bool {
    let found = is_installed(name);
    assert!(
        found || name == ROOT || !is_required(),
        "{name} is not installed, and ARAUTO_REQUIRE_TOOLS=1 wants it"
    );
    if !found {
        eprintln!("left out: {name} is not here");
    }
    found
}
