//! Bans files: each is accepted and reads back, or refused with a message that is safe for a terminal.

use arauto_settings::source::SourceError;

use super::{Run, Target, is_harmless};
use crate::server::admission::bans::file::{read_text, written};

pub(super) const TARGET: Target = Target {
    name: "bans",
    start: || -> Run { Box::new(judge) },
    choices: 0,
    is_text: true,
    words: &[
        b"\n",
        b"[[bans]]\n",
        b"[[bans]]\nname = \"bob\"\n",
        b"[[bans]]\naddress = \"192.0.2.0/24\"\n",
        b"name = 'carl'\n",
        b"address = '2001:db8::7'\n",
        b"address = \"::ffff:192.0.2.7/120\"\n",
        b"until = \"2126-11-24T12:00:00Z\"\n",
        b"until = \"0000-00-00T00:00:00Z\"\n",
        b"until = \"9999-12-31T23:59:59.999999999Z\"\n",
        b"until = 1979-05-27T07:32:00Z\n",
        b"by = \"alan\"\n",
        b"reason = \"being \\\"rude\\\" \\\\ \\t\"\n",
        b"reason = '''",
        b"'''",
        b"/",
        b"\"",
        b"'",
        b"=",
        b"\\n",
        b"\\u001b",
        b"\x1b[2J",
        "\u{202e}".as_bytes(),
        "é".as_bytes(),
    ],
};

fn judge(bytes: &[u8]) {
    match read_text("a.toml", bytes.to_vec()) {
        Ok(bans) => {
            for ban in bans.in_force(std::time::UNIX_EPOCH) {
                assert!(is_harmless(&format!("{} {}", ban.target, ban.terms())));
            }
            let text = written(&bans);
            let again = read_text("b.toml", text.clone().into_bytes()).expect("what is written can be read");
            // Times are written in whole seconds, so the bans need not be equal, but their text must be.
            assert_eq!(written(&again), text);
        }
        Err(refusal) => judge_words(&refusal),
    }
}

fn judge_words(refusal: &SourceError) {
    let words = refusal.to_string();
    assert!(words.starts_with("a.toml:"), "{words:?}");
    assert!(!words.chars().any(|c| c != '\n' && arauto_settings::escape::is_unsafe(c)), "{words:?}");
    assert!(words.len() < 4_000, "{} bytes of words", words.len());
}
