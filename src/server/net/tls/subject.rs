//! Reads the subject of a client's certificate. Its signature has been verified before, so the subject is what the
//! issuer says.

use x509_cert::{
    certificate::{CertificateInner, Raw},
    der::{Decode, Tag, Tagged, oid::db::rfc4519::COMMON_NAME},
};

/// Returns the common name (RFC 5280, appendix A) of a certificate's subject. `None` if there is none or several, if it
/// is not UTF-8, printable or IA5 text, or if the bytes are not one certificate in DER.
///
/// The profile is `Raw` because rustls has judged the certificate: RFC 5280's limits on serial numbers are none of ours.
pub fn common_name(certificate: &[u8]) -> Option<String> {
    let certificate = CertificateInner::<Raw>::from_der(certificate).ok()?;
    let subject = certificate.tbs_certificate().subject();
    let mut names = subject.iter().filter(|attribute| attribute.oid == COMMON_NAME);
    let (Some(name), None) = (names.next(), names.next()) else { return None };
    let is_text = matches!(name.value.tag(), Tag::Utf8String | Tag::PrintableString | Tag::Ia5String);
    std::str::from_utf8(name.value.value()).ok().filter(|_| is_text).map(str::to_owned)
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

    /// A second type for the same attribute: rcgen keeps one value of each type.
    fn another_common_name() -> DnType {
        DnType::CustomDnType(vec![2, 5, 4, 3])
    }

    fn of_alan() -> Vec<u8> {
        certificate(&[(DnType::CommonName, DnValue::Utf8String("alan".to_owned()))])
    }

    /// The certificate with `part` replaced in its subject, which comes after its issuer of the same name.
    fn replaced(bytes: &[u8], part: &[u8], with: &[u8]) -> Vec<u8> {
        let at = bytes.windows(part.len()).rposition(|window| window == part).unwrap();
        [&bytes[..at], with, &bytes[at + part.len()..]].concat()
    }

    #[test]
    fn one_of_several_is_none() {
        let name = |text: &str| DnValue::Utf8String(text.to_owned());
        let two = certificate(&[(DnType::CommonName, name("alan")), (another_common_name(), name("bob-2"))]);
        assert_eq!(common_name(&two), None);
        // Both in one set, of the same length as two sets.
        let apart = b"\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04alan\x31\x0e\x30\x0c\x06\x03\x55\x04\x03\x0c\x05bob-2";
        let in_one =
            b"\x31\x1d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04alan\x30\x0e\x06\x03\x55\x04\x03\x0c\x07bob-two";
        assert_eq!(common_name(&replaced(&two, apart, in_one)), None);
    }

    #[test]
    fn only_text_of_three_kinds_is_a_name() {
        let of = |value| common_name(&certificate(&[(DnType::CommonName, value)]));
        for value in [
            DnValue::Utf8String("alan".to_owned()),
            DnValue::PrintableString("alan".try_into().unwrap()),
            DnValue::Ia5String("alan".try_into().unwrap()),
        ] {
            assert_eq!(of(value).as_deref(), Some("alan"));
        }
        for value in [
            DnValue::BmpString("alan".try_into().unwrap()),
            DnValue::UniversalString("alan".try_into().unwrap()),
            DnValue::TeletexString("alan".try_into().unwrap()),
        ] {
            assert_eq!(of(value.clone()), None, "{value:?}");
        }
        // Whether such a text may be a client's name is decided by the rules of names.
        assert_eq!(of(DnValue::Utf8String(String::new())).as_deref(), Some(""));
        assert_eq!(of(DnValue::Utf8String("al\0n".to_owned())).as_deref(), Some("al\0n"));
        let subject = b"\x04\x03\x0c\x04alan";
        assert_eq!(
            common_name(&replaced(&of_alan(), subject, b"\x04\x03\x0c\x04al\xffn")),
            None,
            "not UTF-8"
        );
        assert_eq!(common_name(&replaced(&of_alan(), subject, b"\x04\x03\x0c\x05alan")), None, "too long");
        assert_eq!(common_name(&replaced(&of_alan(), subject, b"\x04\x03\x0c\x03alan")), None, "trailing");
    }

    #[test]
    fn a_part_of_a_certificate_is_none() {
        let whole = of_alan();
        assert_eq!(common_name(&whole).as_deref(), Some("alan"));
        for end in 0..whole.len() {
            assert_eq!(common_name(&whole[..end]), None, "{end} of {} bytes", whole.len());
        }
        assert_eq!(common_name(&[&whole[..], &[0]].concat()), None, "trailing bytes");
        assert_eq!(common_name(&whole.repeat(2)), None);
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
