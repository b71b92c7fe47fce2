//! Reads the subject of a client's certificate. Its signature has been verified before, so the subject is what the
//! issuer says.

/// Object identifier of a common name, 2.5.4.3 (RFC 5280, appendix A).
const COMMON_NAME: [u8; 3] = [0x55, 4, 3];

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const IDENTIFIER: u8 = 6;
/// Tag of the version, which certificates of version 1 leave out.
const VERSION: u8 = 0xa0;

/// Returns the common name of a certificate's subject. `None` if there is none or several, or if one is not UTF-8,
/// printable or IA5 text.
pub fn common_name(certificate: &[u8]) -> Option<String> {
    let fields = inner(inner(certificate, SEQUENCE)?.0, SEQUENCE)?.0;
    let mut rest = inner(fields, VERSION).map_or(fields, |(_, rest)| rest);
    // Skips serial number, algorithm, issuer and validity.
    for _ in 0..4 {
        rest = element(rest)?.2;
    }
    let mut names = inner(rest, SEQUENCE)?.0;
    let mut found = None;
    while !names.is_empty() {
        let (mut parts, after) = inner(names, SET)?;
        names = after;
        while !parts.is_empty() {
            let (part, after) = inner(parts, SEQUENCE)?;
            parts = after;
            let (identifier, value) = inner(part, IDENTIFIER)?;
            if identifier == COMMON_NAME && found.replace(text(value)?).is_some() {
                return None;
            }
        }
    }
    found
}

fn text(value: &[u8]) -> Option<String> {
    let (tag, content, _) = element(value)?;
    // UTF8String, PrintableString, IA5String.
    let is_text = matches!(tag, 0x0c | 0x13 | 0x16);
    std::str::from_utf8(content).ok().filter(|_| is_text).map(str::to_owned)
}

/// Content of the first element, if that has this tag, and the bytes after it.
fn inner(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// The first element (X.690, DER): its tag, its content, and the bytes after it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (digits, rest) =
            rest.split_at_checked(usize::from(length & 0x7f)).filter(|(it, _)| it.len() <= 4)?;
        (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    use super::*;

    fn certificate(names: &[(DnType, DnValue)]) -> Vec<u8> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in names {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_common_name_is_found_among_others() {
        let utf8 = |text: &str| DnValue::Utf8String(text.to_owned());
        let printable = |text: &str| DnValue::PrintableString(text.try_into().unwrap());
        for (names, expected) in [
            (vec![(DnType::CommonName, utf8("José"))], Some("José")),
            (vec![(DnType::CommonName, printable("alan"))], Some("alan")),
            (
                vec![
                    (DnType::CountryName, printable("PT")),
                    (DnType::OrganizationName, utf8(&"long ".repeat(60))),
                    (DnType::CommonName, utf8("alan")),
                ],
                Some("alan"),
            ),
            (vec![(DnType::OrganizationName, utf8("alan"))], None),
            (vec![], None),
        ] {
            assert_eq!(common_name(&certificate(&names)).as_deref(), expected);
        }
    }

    #[test]
    fn one_of_several_is_none() {
        // SEQUENCE { SEQUENCE { serial, algorithm, issuer, validity, subject } }, each empty but the last.
        let name = |text: &str| {
            let value = wrap(0x0c, text.as_bytes());
            wrap(SET, &wrap(SEQUENCE, &[&[6, 3, 0x55, 4, 3][..], &value].concat()))
        };
        let with = |names: &[u8]| {
            let before = [2, 0, 0x30, 0, 0x30, 0, 0x30, 0];
            wrap(SEQUENCE, &wrap(SEQUENCE, &[&before[..], &wrap(SEQUENCE, names)].concat()))
        };
        assert_eq!(common_name(&with(&name("alan"))).as_deref(), Some("alan"));
        assert_eq!(common_name(&with(&[name("alan"), name("bob")].concat())), None);
    }

    fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(cut in 0usize..400, at in 0usize..400, byte: u8, noise: Vec<u8>) {
            common_name(&noise);
            let mut damaged = certificate(&[(DnType::CommonName, DnValue::Utf8String("alan".to_owned()))]);
            let length = damaged.len();
            damaged[at % length] = byte;
            damaged.truncate(cut);
            common_name(&damaged);
        }
    }
}
