// This file is a part of this crate, and of each expansion of its macros.

/// Whether tests have to fail if a tool is missing.
pub fn is_required() -> bool {
    std::env::var_os("ARAUTO_REQUIRE_TOOLS").is_some_and(|value| value == "1")
}

/// Whether a tool is on `PATH`. A name that contains a slash is a path.
pub fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if name.contains('/') {
        return std::path::Path::new(name).exists();
    }
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Whether a tool is installed. Panics if it is not and tests need it.
#[allow(clippy::print_stderr, reason = "shown by the test runner where a test fails")]
pub fn has_tool(name: &str) -> bool {
    let found = is_installed(name);
    assert!(found || !is_required(), "{name} is not installed, and ARAUTO_REQUIRE_TOOLS=1 wants it");
    if !found {
        eprintln!("left out: {name} is not installed");
    }
    found
}
