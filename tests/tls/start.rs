//! Tests of the messages at startup about certificate and key files that cannot be used.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;

use crate::{cli::arauto, harness::tls::Issuer};

/// Returns the program's message when it refuses to start with these files.
fn complaint(certificate: &Path, key: &Path) -> String {
    let output = arauto(["serve"])
        .env("ARAUTO_SERVER_LISTEN", "127.0.0.1:0")
        .env("ARAUTO_TLS_LISTEN", "127.0.0.1:0")
        .env("ARAUTO_TLS_CERTIFICATE", certificate)
        .env("ARAUTO_TLS_KEY", key)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    said.lines().last().unwrap().to_owned()
}

#[test]
fn files_that_cannot_be_used_are_named_with_why() {
    let issuer = Issuer::new();
    let (one, other) = (issuer.issue("one", "one"), issuer.issue("other", "other"));
    let folder = one.key.parent().unwrap();
    let missing = folder.join("missing\u{1b}.pem");
    assert_eq!(
        complaint(&missing, &one.key),
        format!(
            "arauto: tls.certificate: cannot read {}/missing\\u{{1b}}.pem: No such file or directory (os error 2)",
            folder.display()
        )
    );
    assert_eq!(
        complaint(&one.certificate, &folder.join("missing")),
        format!(
            "arauto: tls.key: cannot read {}/missing: No such file or directory (os error 2)",
            folder.display()
        )
    );
    assert_eq!(
        complaint(&one.key, &one.key),
        format!("arauto: tls.certificate: {} holds no certificate in PEM", one.key.display())
    );
    assert_eq!(
        complaint(&one.certificate, &one.certificate),
        format!("arauto: tls.key: {} holds no unencrypted private key", one.certificate.display())
    );
    assert_eq!(
        complaint(&one.certificate, &other.key),
        format!(
            "arauto: tls.key: the key in {} does not belong to the first certificate in {}",
            other.key.display(),
            one.certificate.display()
        )
    );
    let broken = folder.join("broken.pem");
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n").unwrap();
    let said = complaint(&broken, &one.key);
    let expected = format!("arauto: tls.certificate: {} is no PEM file: ", broken.display());
    assert!(said.starts_with(&expected), "{said}");
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let said = complaint(&broken, &one.key);
    let expected =
        format!("arauto: tls.certificate: {} holds a certificate that cannot be used: ", broken.display());
    assert!(said.starts_with(&expected), "{said}");
    let output = arauto(["serve"])
        .env("ARAUTO_TLS_LISTEN", "127.0.0.1:0")
        .env("ARAUTO_TLS_CERTIFICATE", &one.certificate)
        .env("ARAUTO_TLS_KEY", &one.key)
        .env("ARAUTO_TLS_CLIENT_CA", &one.key)
        .env("ARAUTO_SERVER_LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stderr).unwrap().lines().last(),
        Some(&*format!("arauto: tls.client_ca: {} holds no certificate in PEM", one.key.display()))
    );
    fs::write(&broken, "x".repeat(1024 * 1024 + 1)).unwrap();
    assert_eq!(
        complaint(&broken, &one.key),
        format!("arauto: tls.certificate: {} has more than 1048576 bytes: not a PEM file", broken.display())
    );
}

#[test]
fn a_key_that_everybody_can_read_is_warned_of() {
    let issuer = Issuer::new();
    let files = issuer.issue("server", "a server");
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o604)).unwrap();
    // The address for TLS is taken, so that the program ends by itself.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = arauto(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
        .env("ARAUTO_TLS_LISTEN", taken.local_addr().unwrap().to_string())
        .env("ARAUTO_TLS_CERTIFICATE", &files.certificate)
        .env("ARAUTO_TLS_KEY", &files.key)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let (warning, complaint) = said.split_once('\n').unwrap();
    let warning: Value = serde_json::from_str(warning).unwrap();
    assert_eq!(warning["msg"], "every local user can read the key; run chmod o= on it");
    assert_eq!(warning["file"], files.key.to_str().unwrap());
    assert!(complaint.starts_with("arauto: cannot listen on"), "{complaint}");
}
