use proptest::{prop_assert, prop_assert_eq};
use unicode_normalization::UnicodeNormalization;

use super::*;
use crate::Name;

fn name(text: &str) -> Name {
    Name::parse(text, 489).unwrap()
}

fn alike(one: &str, other: &str) -> bool {
    let (one, other) = (name(one).looks(), name(other).looks());
    one.iter().any(|look| other.iter().any(|other| look == other))
}

#[test]
fn names_that_look_the_same() {
    for (one, other) in [
        ("раul", "paul"),
        ("pаul", "PAUL"),
        // Capitals of another script, whose small letters look different.
        ("ВОВ", "bob"),
        ("ΗANS", "Hans"),
        ("ІАN", "ian"),
        // Confusable letters of one script.
        ("PauI", "paul"),
        ("AIan", "alan"),
        ("paul1", "paull"),
        ("b0b", "bob"),
        ("B0B", "Bob"),
        ("corn", "com"),
        ("Ian", "lan"),
        ("user-l", "user-1"),
        // Different widths, accents and scripts.
        ("ｐａｕ１", "paul"),
        ("jοsé", "JOSÉ"),
        ("エ", "工"),
    ] {
        assert!(alike(one, other), "{one} {other}");
        assert!(alike(other, one), "{other} {one}");
        assert_ne!(name(one).key(), name(other).key(), "{one} {other}");
    }
}

#[test]
fn marks_that_are_not_seen_make_no_other_look() {
    for (one, other) in [
        ("admi\u{307}n", "admin"),
        ("ADMI\u{307}N", "admin"),
        ("adm\u{131}\u{307}n", "admin"),
        ("admi\u{323}\u{307}n", "admi\u{323}n"),
        ("j\u{307}oe", "joe"),
        ("аdmі\u{307}n", "admin"),
        ("ad\u{335}min", "admin"),
        ("t\u{335}om", "tom"),
        ("to\u{338}m", "tom"),
        ("o\u{334}x", "ox"),
        ("ana\u{301}\u{301}", "aná"),
        ("ana\u{323}\u{323}", "anạ"),
        ("علی\u{200c}رضا", "علیرضا"),
    ] {
        assert!(alike(one, other), "{one} {other}");
        assert!(alike(other, one), "{other} {one}");
    }
    for (one, other) in [
        ("sören", "soren"),
        ("søren", "soren"),
        ("łukasz", "lukasz"),
        ("jose", "josé"),
        ("ana\u{301}\u{323}", "aná"),
        ("ė", "e"),
        ("i\u{301}o", "io"),
    ] {
        assert!(!alike(one, other), "{one} {other}");
    }
}

#[test]
fn names_that_do_not() {
    for (one, other) in [
        ("paul", "pau"),
        ("Ian", "Lan"),
        ("IAN", "LAN"),
        ("AI", "AL"),
        ("Iola", "Lola"),
        ("PAUL", "PAUI"),
        ("jose", "josé"),
        ("user-1", "user-2"),
        ("user-1", "user-11"),
        ("user-0", "user-10"),
        ("Иван", "Ivan"),
        ("李", "季"),
        ("محمد", "احمد"),
    ] {
        assert!(!alike(one, other), "{one} {other}");
    }
}

#[test]
fn a_crowd_of_numbered_names_are_all_different() {
    let mut seen = std::collections::HashSet::new();
    for number in 0..20_000 {
        for look in name(&format!("user-{number}")).looks().iter() {
            assert!(seen.insert(look.clone()), "{number}");
        }
    }
}

#[test]
fn most_names_are_their_own_only_look_and_share_it() {
    for text in ["bob", "user-23", "Zoe", "Ana", "Ruth"] {
        let name = name(text);
        let looks = name.looks();
        assert!(looks.shown.is_none(), "{text}");
        assert!(Arc::ptr_eq(&looks.folded.0, &name.looks().folded.0), "{text}");
    }
}

#[test]
fn the_words_say_what_looks_like_what() {
    for (new, here, why) in [
        ("раul", "paul", "раul has Cyrillic р, а; it looks like paul, who is here"),
        ("paul", "раul", "paul looks like раul, who is here and has Cyrillic р, а"),
        ("рaυl", "paul", "рaυl has Cyrillic р and Greek υ; it looks like paul, who is here"),
        ("paul1", "paull", "paul1 looks like paull, who is here: 1 looks like l"),
        ("PauI", "paul", "PauI looks like paul, who is here: I looks like l"),
        ("corn", "com", "corn looks like com, who is here: rn looks like m"),
        ("b0b0", "Bobo", "b0b0 looks like Bobo, who is here: 0b0 looks like obo"),
        ("エル", "工ル", "エル looks like 工ル, who is here and has Han 工"),
    ] {
        assert_eq!(name(new).resemblance(&name(here)), why);
    }
}

/// Tests every character alone, in both ways of making looks. The planes beyond hold only characters without
/// prototypes.
#[test]
fn no_character_changes_its_look_forever() {
    for c in ('\0'..='\u{3ffff}').step_by(if cfg!(debug_assertions) { 7 } else { 1 }) {
        let text = c.to_string();
        for look in [proto, proto_as_shown] {
            let settled = settled(&fold(&text), look);
            assert_eq!(fold(&look(&settled)), settled, "U+{:04X}", u32::from(c));
        }
    }
}

proptest::proptest! {
    #[test]
    fn looks_are_stable(text in "\\PC{0,20}") {
        for (text, look) in [(fold(&text), proto as fn(&str) -> String), (text, proto_as_shown)] {
            let settled = settled(&text, look);
            prop_assert_eq!(&fold(&look(&settled)), &settled);
        }
    }

    #[test]
    fn a_name_looks_like_itself_however_it_is_written(text in ".{1,32}") {
        let Ok(name) = Name::parse(&text, 489) else { return Ok(()) };
        let nfd: String = text.nfd().collect();
        for other in [name.as_str(), &nfd, &fold(&text), &text.to_uppercase(), &text.to_lowercase()] {
            let Ok(other) = Name::parse(other, 489) else { continue };
            if other.key() == name.key() {
                prop_assert_eq!(&name.looks().folded, &other.looks().folded);
            }
        }
        let again: Vec<Look> = Name::parse(&nfd, 489).unwrap().looks().iter().cloned().collect();
        prop_assert_eq!(name.looks().iter().cloned().collect::<Vec<_>>(), again);
    }

    #[test]
    fn the_short_way_for_plain_names_gives_the_same(text in "[!-~]{1,32}") {
        let key = fold(&text);
        let looks = Looks::of(&text, &key.as_str().into());
        let folded = settled(&key, proto);
        prop_assert_eq!(&*looks.folded.0, folded.as_str());
        let shown = settled(&text, proto_as_shown).replace(CAPITAL_L, "l");
        prop_assert_eq!(looks.shown.as_ref().map_or(&*looks.folded.0, |look| &*look.0), shown.as_str());
    }

    #[test]
    fn words_are_fit_for_a_message(one in ".{1,32}", other in ".{1,32}") {
        let (Ok(one), Ok(other)) = (Name::parse(&one, 489), Name::parse(&other, 489)) else { return Ok(()) };
        let words = one.resemblance(&other);
        prop_assert!(!words.chars().any(char::is_control));
        prop_assert!(!words.contains(['|', '\n']));
    }
}
