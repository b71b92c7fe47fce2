//! Configuration files: each is accepted and reads back, or refused with a message that is safe for a terminal.

use super::{Run, Target};
use crate::config::read_text;

pub(super) const TARGET: Target = Target {
    name: "config",
    start: || -> Run { Box::new(judge) },
    choices: 0,
    is_text: true,
    words: &[
        b"\n",
        b"\r\n",
        b"[server]\n",
        b"[limits]\n",
        b"[compat]\n",
        b"[close_server]\n",
        b"[log]\n",
        b"listen = [\"127.0.0.1:1\"]\n",
        b"listen = \"[::1]:0\"\n",
        b"workers = 2\n",
        b"drain_timeout = \"1m 30s\"\n",
        b"message_bytes = 65536\n",
        b"outbox_bytes = 4096\n",
        b"max_sessions = 1_000\n",
        b"name_timeout = \"10ms\"\n",
        b"allow = \"nobody\"\n",
        b"level = \"debug\"\n",
        b"format = 'json'\n",
        b"limits.message_bytes = 0x40\n",
        b"server = { workers = 1 }\n",
        b"workers = ",
        b"level",
        b" = ",
        b"\"",
        b"'''",
        b"\"\"\"",
        b"[[",
        b"]",
        b"{",
        b"}",
        b",",
        b".",
        b"#",
        b"9223372036854775808",
        b"-1",
        b"1e400",
        b"inf",
        b"true",
        b"1979-05-27T07:32:00Z",
        b"\\u202e",
        b"\\",
        b"\x1b[2J",
        b"\xef\xbb\xbf",
        "\u{202e}".as_bytes(),
        "é".as_bytes(),
    ],
};

fn judge(bytes: &[u8]) {
    match read_text("a.toml", bytes.to_vec()) {
        Ok(loaded) => {
            let shown = loaded.to_string();
            let again = read_text("b.toml", shown.clone().into_bytes()).expect("what is shown can be read");
            assert_eq!(loaded.config, again.config, "{shown}");
        }
        Err(refusal) => check_refusal(&refusal.to_string()),
    }
}

/// Checks the message about a refused file called `a.toml`.
pub(super) fn check_refusal(words: &str) {
    assert!(words.starts_with("a.toml:"), "{words:?}");
    assert!(!words.chars().any(|c| c != '\n' && arauto_settings::escape::is_unsafe(c)), "{words:?}");
    assert!(words.len() < 4_000, "{} bytes of words", words.len());
}
