//! Lists of files from untrusted peers: entries read from them are safe to display and read back, and interleaved lists
//! are kept apart.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    time::{Duration, Instant},
};

use arauto_protocol::name::is_invisible;

use super::{Run, Target, choice};
use arauto_client::files::{Assembled, Assembly, Listing, MAX_PARTS, Part, Quoted, unquote};

pub(super) const TARGET: Target = Target {
    name: "files",
    start: || -> Run { Box::new(judge) },
    choices: 2,
    is_text: true,
    words: &[
        b"\n",
        b"\n1files ",
        b"\n2files ",
        b"files 1 to 1 of 2: ",
        b"files 2 to 2 of 2: ",
        b"files 1 to 2 of 3: ",
        b"files 3 to 3 of 3: ",
        b"files 2 to 3 of 3: ",
        b" to ",
        b" of ",
        b"18446744073709551615",
        b"1 file: ",
        b"2 files: ",
        b"a.mp3 (1 byte)",
        b"b (20 bytes, 3:40, audio/mpeg)",
        b"b (20 bytes, 1:02:03)",
        b"\"a, b\" (2 bytes)",
        b"\"\\n\\u{202e}\\xff\\\"\\\\\" (0 bytes)",
        b"\"",
        b"\\",
        b"\\u{",
        b"\\x",
        b", ",
        b" (",
        b")",
        b"; 1 file is not listed",
        b"; 2 folders are not listed",
        b"; not all was looked at",
        b"no files are shared",
        b"no folder is shared",
        b"no data",
    ],
};

fn judge(bytes: &[u8]) {
    let name = OsStr::from_bytes(bytes);
    let quoted = Quoted(name).to_string();
    assert!(!quoted.chars().any(is_invisible), "{quoted:?}");
    assert_eq!(unquote(&quoted).as_deref(), Some(name));

    let ([most, seconds], bytes) = choice(bytes);
    let (room, mut now) = (64 + 8 * usize::from(most), Instant::now());
    let (mut assembly, mut given_up) = (Assembly::default(), 0);
    let text = String::from_utf8_lossy(bytes);
    for (taken, line) in text.split('\n').enumerate() {
        let sender = if line.starts_with(['1', '2']) { &line[..1] } else { "" };
        let line = &line[sender.len()..];
        let part = Part::parse(line);
        match assembly.take(sender, line, now) {
            Assembled::Complete(listing) => check(&listing, room),
            Assembled::Incomplete { listing, missing } => {
                assert!(missing > 0);
                check(&listing, room);
            }
            Assembled::More => assert!(part.is_some_and(|part| part.listing.entries.len() < part.of)),
            Assembled::FreeText => assert_eq!(part, None),
        }
        while let Some((_, ended)) = assembly.given_up(now) {
            assert!(matches!(ended, Assembled::Incomplete { missing: 1.., .. }), "{ended:?}");
            given_up += 1;
        }
        assert!(given_up <= taken);
        assert!(assembly.due().is_none_or(|due| due > now));
        now += Duration::from_secs(seconds.into());
    }
}

/// Writes the list and reads it back.
fn check(listing: &Listing, room: usize) {
    let texts = listing.texts(room);
    assert!(texts.len() <= MAX_PARTS);
    let mut assembly = Assembly::default();
    for (at, text) in texts.iter().enumerate() {
        assert!(text.len() <= room && !text.chars().any(is_invisible), "{text:?}");
        match assembly.take("", text, Instant::now()) {
            Assembled::More => assert!(at + 1 < texts.len(), "{texts:?}"),
            Assembled::Complete(again) => {
                assert_eq!(at + 1, texts.len());
                let missing = listing.entries.len() - again.entries.len();
                assert_eq!(again.left_out.files, listing.left_out.files.saturating_add(missing));
                let mut all = listing.entries.iter();
                assert!(again.entries.iter().all(|entry| all.any(|other| other == entry)));
                assert!(missing > 0 || again == *listing);
            }
            other => assert!(text == "the list does not fit", "{text:?} is {other:?}"),
        }
    }
}
