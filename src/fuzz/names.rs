//! Names: a valid name is safe in every message, has the same key in every spelling, and looks like itself.

use arauto_protocol::{Look, Name, NameKey, reply};
use unicode_normalization::UnicodeNormalization;

use super::{Run, Target, choice, is_harmless};

pub(super) const TARGET: Target = Target {
    name: "names",
    start: || -> Run { Box::new(judge) },
    choices: 1,
    is_text: true,
    words: &[
        b"\n",
        b"alan",
        b"server",
        b"client",
        b"all clients",
        b"new_client:",
        b" ",
        b",",
        b"|",
        b"I",
        b"l",
        b"1",
        b"0",
        b"m",
        b"rn",
        b"%",
        "а".as_bytes(),
        "В".as_bytes(),
        "ß".as_bytes(),
        "ﬁ".as_bytes(),
        "İ".as_bytes(),
        "ſ".as_bytes(),
        "Å".as_bytes(),
        "\u{301}".as_bytes(),
        "\u{338}".as_bytes(),
        "\u{200d}".as_bytes(),
        "각".as_bytes(),
        "ᄀ".as_bytes(),
        "ᅡ".as_bytes(),
        "①".as_bytes(),
        "ﷺ".as_bytes(),
        "Ⓛ".as_bytes(),
        "ͅ".as_bytes(),
    ],
};

const LIMIT: usize = 1024;

fn judge(bytes: &[u8]) {
    let ([most], bytes) = choice(bytes);
    let most = [9, 75, 489, 489][usize::from(most % 4)];
    let text = String::from_utf8_lossy(bytes);
    let capitals = text.to_uppercase();
    let (one, other) = text.split_once('\n').unwrap_or((&text, &capitals));
    let (Some((one, looks)), Some((other, other_looks))) = (name(one, most), name(other, most)) else {
        return;
    };
    if one.key() == other.key() {
        assert_eq!(looks[0], other_looks[0], "{one} and {other} are the same");
    }
    let refusal = reply::name_looks_taken(LIMIT, &one, &other);
    assert!(refusal.text().len() <= LIMIT && is_harmless(refusal.text()), "{:?}", refusal.text());
    assert_eq!(refusal.text().matches('|').count(), 3, "{}", refusal.text());
}

/// The name and its looks, if the text is a valid name.
fn name(text: &str, most: usize) -> Option<(Name, Vec<Look>)> {
    let name = match Name::parse(text, most) {
        Ok(name) => name,
        Err(why) => {
            let refusal = reply::name_invalid(LIMIT, text, &why);
            assert!(refusal.text().len() <= LIMIT && is_harmless(refusal.text()), "{:?}", refusal.text());
            return None;
        }
    };
    assert!(name.as_str().len() <= most && (1..=32).contains(&name.as_str().chars().count()), "{name}");
    assert!(!name.as_str().contains(['|', ',']) && !name.as_str().chars().any(char::is_control), "{name}");
    assert_eq!(name.as_str().trim(), name.as_str());
    assert_eq!(&NameKey::of(text), name.key());
    let looks_of = |name: &Name| name.looks().iter().cloned().collect::<Vec<Look>>();
    let looks = looks_of(&name);
    // Other spellings: as displayed, and decomposed.
    let decomposed = text.nfd().collect::<String>();
    for written in [name.as_str(), &decomposed] {
        if written != text {
            let again = Name::parse(written, most).expect("a valid name is one in every form");
            assert_eq!((again.as_str(), again.key()), (name.as_str(), name.key()));
            assert_eq!(looks_of(&again), looks);
        }
    }
    Some((name, looks))
}
