//! Accounts files: each is accepted, or refused with a message that is safe for a terminal.

use arauto_protocol::name;

use super::{Run, Target, config::check_refusal};
use crate::accounts::AccountsFile;

pub(super) const TARGET: Target = Target {
    name: "accounts",
    start: || -> Run { Box::new(judge) },
    choices: 0,
    is_text: true,
    words: &[
        b"\n",
        b"[[accounts]]\n",
        b"[[accounts]]\nname = \"alan\"\n",
        b"[[accounts]]\nname = \"alan\"\nhash = \"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$wq4fFbDmqTsM8CkjXNnSKAT7HA4f3ufNCQ\"\n",
        b"[[accounts]]\nname = \"bob\"\nhash = \"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$wq4fFbDmqTsM8CkjXNnSKAT7HA4f3ufNCQ\"\noperator = true\n",
        b"name = \"Ana Maria\"\n",
        "name = \"\u{430}lan\"\n".as_bytes(),
        b"name = \"ALAN\"\n",
        b"operator = false\n",
        b"hash = \"",
        b"$argon2id$",
        b"v=19$",
        b"m=4294967296,t=4294967295,p=16777216$",
        b"m=8,t=1,p=1$",
        b"c2FsdHNhbHQ$",
        b"wq4fFbDmqTsM8CkjXNnSKAT7HA4f3ufNCQ\"\n",
        b"[accounts]\n",
        b"accounts = []\n",
        b"accounts = [{ name = \"carla\", hash = \"x\" }]\n",
        b"name",
        b" = ",
        b"\"",
        b"'",
        b"[[",
        b"]]",
        b"#",
        b"\\u202e",
        b"\x1b[2J",
        "\u{202e}".as_bytes(),
        "é".as_bytes(),
    ],
};

fn judge(bytes: &[u8]) {
    match AccountsFile::read_text("a.toml", bytes.to_vec(), name::max_bytes(1024)) {
        Ok(accounts) => {
            let entries = bytes.windows(4).filter(|window| window == b"name").count();
            assert!(accounts.len() <= entries, "{} accounts", accounts.len());
        }
        Err(refusal) => check_refusal(&refusal.to_string()),
    }
}
