use super::*;

fn name(text: &str) -> Result<Name, NameError> {
    Name::parse(text, 489)
}

#[test]
fn shown_as_typed_and_trimmed() {
    for (typed, shown) in
        [("alan", "alan"), ("  Ana Maria ", "Ana Maria"), ("Jose\u{301}", "José"), ("/x", "/x")]
    {
        assert_eq!(name(typed).unwrap().as_str(), shown);
    }
}

#[test]
fn what_looks_like_a_separator_is_refused() {
    for (separators, like) in [("│｜∣⎮❘￨┃╎║¦ǀǁ‖∥।॥⏐▏￤", "|"), ("،，‚、､﹐︐⸲⹁٫᠂ꓹ", ",")]
    {
        for separator in separators.chars() {
            let refused = name(&format!("server {separator} all")).unwrap_err();
            let why = format!(
                "A name must not hold the character {separator} (U+{:04X}) because it looks like {like}, which separates \
                 fields or names",
                u32::from(separator)
            );
            assert_eq!(refused.to_string(), why);
        }
    }
    for fine in [
        "O'Brien",
        "Ana-Maria",
        "a/b",
        "x:y",
        "Iolanda",
        "l33t",
        "1",
        "Napoleon I",
        "李丨",
        "ㅣ",
        "a·b",
        "«a»",
        "٣",
    ] {
        assert!(name(fine).is_ok(), "{fine}");
    }
    for field in [
        "server l all clients l broadcast",
        "SERVER I x",
        "sеrver ӏ all clients",
        "server ㅣ all",
        "server 丨 all",
        "client 1 x",
    ] {
        assert!(matches!(name(field), Err(NameError::LooksReserved(_))), "{field}");
    }
}

#[test]
fn joiners_are_for_letters_that_join_and_are_not_compared() {
    let joined = name("علی\u{200c}رضا").unwrap();
    assert_eq!(joined.as_str(), "علی\u{200c}رضا");
    assert_eq!(joined.key(), name("علیرضا").unwrap().key());
    assert_eq!(*joined.key(), NameKey::of("علی\u{200c}رضا"));
    assert!(name("क्\u{200d}ष").is_ok());
    for (typed, column, code) in [
        ("ad\u{200c}min", 3, 0x200c),
        ("ad\u{200d}min", 3, 0x200d),
        ("علی\u{200c}", 4, 0x200c),
        ("\u{200c}علی", 1, 0x200c),
        ("علی\u{200d}رضا", 4, 0x200d),
        ("👩\u{200d}💻", 2, 0x200d),
    ] {
        assert_eq!(name(typed).unwrap_err(), NameError::Invisible { column, code }, "{typed:?}");
    }
}

#[test]
fn marks_are_not_piled() {
    assert!(name(&format!("z{}", "\u{301}\u{316}\u{303}\u{323}")).is_ok());
    assert_eq!(
        name(&format!("z{}", "\u{301}\u{316}\u{303}\u{323}\u{308}")).unwrap_err(),
        NameError::PiledMarks
    );
}

#[test]
fn the_same_name_in_other_letters() {
    for (one, other) in [
        ("Alan", "aLAN"),
        ("José", "JOSE\u{301}"),
        ("straße", "STRASSE"),
        ("ﬁm", "FIM"),
        ("ａｌａｎ", "alan"),
        ("Ana  Maria", "ana maria"),
        ("Zoë   Ø", "zoë ø"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
    ] {
        assert_eq!(name(one).unwrap().key(), name(other).unwrap().key(), "{one} {other}");
    }
    assert_ne!(name("jose").unwrap().key(), name("josé").unwrap().key());
}

#[test]
fn a_key_is_made_of_no_more_than_a_name_can_be() {
    let decomposed = "e\u{301}".repeat(32);
    assert_eq!(NameKey::of(&decomposed.to_uppercase()), *name(&"é".repeat(32)).unwrap().key());
    let long = "É".repeat(33);
    assert_eq!(*NameKey::of(&long).0, *long);
    // A key can be longer than a name: the ligature used here folds to 18 characters.
    let key = name(&"ﷺ".repeat(32)).unwrap().key().clone();
    assert_eq!(NameKey::of(&key.0), key);
}

#[test]
fn every_rule_refuses() {
    let long = "x".repeat(33);
    for (typed, why) in [
        ("", NameError::Empty),
        ("   ", NameError::Empty),
        (&long, NameError::TooLong(33)),
        ("#lab", NameError::Marked { first: '#', why: "# is kept for rooms" }),
        ("\u{ff03}lab", NameError::Marked { first: '#', why: "# is kept for rooms" }),
        (" \u{fe5f}lab", NameError::Marked { first: '#', why: "# is kept for rooms" }),
        ("@lab", NameError::Marked { first: '@', why: "@ begins the number of a line" }),
        ("\u{ff20}lab", NameError::Marked { first: '@', why: "@ begins the number of a line" }),
        ("a|b", NameError::Separator('|')),
        ("a,b", NameError::Separator(',')),
        ("a\u{200b}b", NameError::Invisible { column: 2, code: 0x200b }),
        ("\u{202e}evil", NameError::Invisible { column: 1, code: 0x202e }),
        ("a\u{1b}b", NameError::Invisible { column: 2, code: 0x1b }),
        ("a\u{9b}b", NameError::Invisible { column: 2, code: 0x9b }),
        ("alan\u{fe0f}", NameError::Invisible { column: 5, code: 0xfe0f }),
        ("al\u{115f}an", NameError::Invisible { column: 3, code: 0x115f }),
        ("\u{3164}", NameError::Invisible { column: 1, code: 0x3164 }),
        ("\u{2800}", NameError::Invisible { column: 1, code: 0x2800 }),
        ("\u{301}alan", NameError::LeadingMark(0x301)),
        ("\u{20dd}", NameError::LeadingMark(0x20dd)),
        ("Ana\u{a0}Maria", NameError::Invisible { column: 4, code: 0xa0 }),
        ("server", NameError::Reserved("server")),
        ("SERVER", NameError::Reserved("server")),
        ("ｓｅｒｖｅｒ", NameError::Reserved("server")),
        ("Client", NameError::Reserved("client")),
        ("all clients", NameError::Reserved("all clients")),
        ("All   Clients", NameError::Reserved("all clients")),
        ("new_client: bob", NameError::Reserved("new_client:")),
    ] {
        assert_eq!(name(typed).unwrap_err(), why, "{typed}");
    }
    for (typed, why) in [
        ("ѕerver", "ѕerver has Cyrillic ѕ; it looks like server, which is reserved"),
        ("ЅERVER", "ЅERVER has Cyrillic Ѕ; it looks like server, which is reserved"),
        ("cIient", "cIient looks like client, which is reserved: I looks like l"),
        ("c1ient", "c1ient looks like client, which is reserved: 1 looks like l"),
        ("a11 CIients", "a11 CIients looks like all clients, which is reserved: 11 CI looks like ll cl"),
        ("all  сlients", "all  сlients has Cyrillic с; it looks like all clients, which is reserved"),
        ("nеw_client: bob", "nеw_client: bob has Cyrillic е; it looks like new_client:, which is reserved"),
        (
            "new_c1ient\u{2236}x",
            "new_c1ient\u{2236}x looks like new_client:, which is reserved: 1ient\u{2236}x looks like lient:",
        ),
    ] {
        let refused = name(typed).unwrap_err();
        assert!(matches!(refused, NameError::LooksReserved(_)), "{typed}");
        assert_eq!(refused.to_string(), why);
    }
    assert_eq!(name(&"é".repeat(32)).unwrap().as_str().chars().count(), 32);
    assert_eq!(Name::parse("abcdefghij", max_bytes(64)).unwrap_err(), NameError::TooManyBytes(9));
}

proptest::proptest! {
    #[test]
    fn keys_are_stable(text in "\\PC{0,20}") {
        let key = NameKey::of(&text);
        proptest::prop_assert_eq!(&NameKey::of(&key.0), &key);
        proptest::prop_assert_eq!(&NameKey::of(&text.nfd().collect::<String>()), &key);
    }

    #[test]
    fn a_valid_name_can_stand_in_a_message(text in ".{0,40}") {
        if let Ok(name) = name(&text) {
            proptest::prop_assert!(!name.as_str().contains(['|', ',', '\n', '\r']));
            proptest::prop_assert!(!name.as_str().chars().any(char::is_control));
            let again = Name::parse(name.as_str(), 489).unwrap();
            proptest::prop_assert_eq!(again.key(), name.key());
        }
    }
}
