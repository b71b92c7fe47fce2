//! Describes TLS errors for people: the reason, and what to do.

use std::{
    io::{self, ErrorKind},
    time::{Duration, SystemTime},
};

use arauto_settings::escape::Escaped;
use arauto_settings::pem;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, pki_types::UnixTime};

use super::trust::Trusted;

/// Describes an error of a TLS connection.
pub(super) fn of(error: &io::Error, trusted: &Trusted) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            "it does not speak TLS; leave out --tls, or name the port where it does".to_owned()
        }
        Some(Error::InvalidCertificate(why)) => format!("its certificate {}", of_certificate(why, trusted)),
        Some(Error::AlertReceived(alert)) => of_alert(*alert),
        Some(Error::PeerIncompatible(_)) => {
            "it supports no version of TLS, or no cipher, that is safe today (TLS 1.2 or 1.3)".to_owned()
        }
        Some(Error::InvalidMessage(_) | Error::PeerMisbehaved(_) | Error::InappropriateMessage { .. }) => {
            "it violates the TLS protocol; is this the right port?".to_owned()
        }
        Some(other) => Escaped(other).to_string(),
        None if error.kind() == ErrorKind::UnexpectedEof => {
            "it closed the connection during the TLS handshake; if it does not speak TLS, leave out --tls"
                .to_owned()
        }
        None => Escaped(error).to_string(),
    }
}

/// Describes the fault of the server's certificate, as the predicate of "its certificate".
fn of_certificate(why: &CertificateError, trusted: &Trusted) -> String {
    match why {
        CertificateError::UnknownIssuer => match trusted {
            Trusted::File(file) => format!(
                "is signed by no certificate in {file}; ask the server's operator for the right file"
            ),
            _ => "is signed by no authority that this system trusts; if it is a server of your own, name its certificate or its \
                  issuer's with --ca FILE (the cert.pem that arauto cert made)"
                .to_owned(),
        },
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "is not for {} but for {}; use a name that it is for",
            Escaped(expected.to_str()),
            Escaped(names(presented))
        ),
        CertificateError::NotValidForName => "is not for this host; use a name that it is for".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => format!(
            "expired on {}; the server's operator has to renew it, unless this machine's clock is wrong",
            date(*not_after)
        ),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("is not valid until {}; is this machine's clock right?", date(*not_before))
        }
        // An issuer of the right name whose key has another algorithm is another issuer, too.
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => match trusted {
            Trusted::File(file) => format!(
                "is signed with another key than that of {file}, under the same name; it may have been replaced: ask the \
                 server's operator for the current file"
            ),
            _ => "has an invalid signature".to_owned(),
        },
        CertificateError::InvalidPurposeContext { .. } | CertificateError::InvalidPurpose => {
            "was not made for servers".to_owned()
        }
        why if pem::is_only_an_authoritys(why) => format!(
            "{}; if it is a server of your own, name exactly this certificate with --ca FILE",
            pem::fault(why)
        ),
        CertificateError::Expired => "expired; the server's operator has to renew it".to_owned(),
        CertificateError::NotValidYet => "is not valid yet; is this machine's clock right?".to_owned(),
        other => format!("{}; the server's operator has to make another", pem::fault(other)),
    }
}

/// Describes an alert of the server, mostly about the client's certificate.
fn of_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "the server wants a certificate: give it with --cert FILE --key FILE".to_owned()
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::DecryptError
        | AlertDescription::AccessDenied => {
            format!("the server does not accept the certificate that --cert names ({alert:?})")
        }
        other => format!("the server refuses TLS ({other:?})"),
    }
}

/// Joins the names of a certificate. The library formats each as `DnsName("localhost")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"').to_owned()
    };
    if presented.is_empty() {
        return "no host at all".to_owned();
    }
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}

/// Time from 1970 to the year 10000, which is the first that cannot be shown.
const SHOWABLE: Duration = Duration::from_hours(70_389_528);

fn date(time: UnixTime) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()));
    let Some(time) = time.filter(|time| *time < SystemTime::UNIX_EPOCH + SHOWABLE) else {
        return "a day beyond the year 9999".to_owned();
    };
    humantime::format_rfc3339_seconds(time).to_string().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_names_are_shown() {
        for (seconds, shown) in [
            (0, "1970-01-01"),
            (253_402_300_799, "9999-12-31"),
            (253_402_300_800, "a day beyond the year 9999"),
        ] {
            assert_eq!(date(UnixTime::since_unix_epoch(Duration::from_secs(seconds))), shown);
        }
        assert_eq!(date(UnixTime::since_unix_epoch(Duration::MAX)), "a day beyond the year 9999");
        let presented =
            |some: &[&str]| names(&some.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(presented(&[]), "no host at all");
        assert_eq!(
            presented(&["DnsName(\"a.example\")", "IpAddress(192.0.2.1)", "odd"]),
            "a.example, 192.0.2.1, odd"
        );
    }

    #[test]
    fn what_the_server_refuses_is_told() {
        let error = |alert| io::Error::other(Error::AlertReceived(alert));
        assert_eq!(
            of(&error(AlertDescription::CertificateRequired), &Trusted::System),
            "the server wants a certificate: give it with --cert FILE --key FILE"
        );
        assert_eq!(
            of(&error(AlertDescription::ProtocolVersion), &Trusted::System),
            "the server refuses TLS (ProtocolVersion)"
        );
        assert_eq!(
            of(&io::Error::from(ErrorKind::UnexpectedEof), &Trusted::System),
            "it closed the connection during the TLS handshake; if it does not speak TLS, leave out --tls"
        );
    }
}
