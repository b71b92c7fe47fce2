//! Tests of the client over TLS: the certificates that it trusts, the one that it shows, and its error messages.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use arauto_needs::needs;
use rcgen::date_time_ymd;

use crate::{
    cli::{arauto, stdout},
    harness::{
        TestServer,
        process::Process,
        tls::{Files, Issuer},
    },
};

/// The warning that `--insecure` prints on each run.
const INSECURE: &str = "arauto: warning: --insecure accepts any certificate: an attacker on the network can read and \
                        change everything, including passwords\n";

fn serve(files: &Files) -> TestServer {
    TestServer::with(|config| files.serve(config))
}

/// `arauto list` with this host and the port of `address`.
fn list(host: &str, address: SocketAddr, arguments: &[&str]) -> Command {
    let mut command = arauto(["list", "--server", &format!("{host}:{}", address.port())]);
    command.args(arguments);
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Returns standard error. Checks the exit status, and that standard output is empty.
#[track_caller]
fn complaint(command: &mut Command, status: i32) -> String {
    let Output { status: ended, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!((ended.code(), stdout.as_slice()), (Some(status), &b""[..]), "{said}");
    said
}

#[test]
fn what_the_certificates_in_a_file_signed_is_trusted() {
    let issuer = Issuer::new();
    let server = serve(&issuer.issue("server", "a server"));
    let _alan = server.join("alan");
    assert_eq!(stdout(&mut list("localhost", server.tls_address(), &["--ca", text(&issuer.ca())])), "alan\n");
}

#[test]
fn one_that_arauto_cert_made_is_trusted_by_name_and_by_address() {
    let folder = tempfile::tempdir().unwrap();
    stdout(&mut arauto(["cert", "--out-dir", text(folder.path())]));
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let server = serve(&Files { certificate: certificate.clone(), key, der: Vec::new() });
    let _alan = server.join("alan");
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(
            stdout(&mut list(host, server.tls_address(), &["--ca", text(&certificate)])),
            "alan\n",
            "{host}"
        );
    }
}

/// Makes a certificate and its key as users do: `openssl req -x509`, with more arguments.
fn by_openssl(folder: &Path, name: &str, more: &[&str]) -> Files {
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"]).args(more);
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    let Output { status, stderr, .. } = openssl.output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    Files { certificate, key, der: Vec::new() }
}

const RSA: [&str; 2] = ["-newkey", "rsa:2048"];

#[needs("openssl")]
#[test]
fn one_that_openssl_made_is_trusted_where_exactly_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, more: &[&str]| by_openssl(folder.path(), name, &[&RSA[..], more].concat());
    // A certificate of an authority, whose only host is its common name; then one for this host.
    for files in [make("plain", &[]), make("here", &["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])]
    {
        let server = serve(&files);
        let _alan = server.join("alan");
        for host in ["localhost", "127.0.0.1"] {
            let ca = text(&files.certificate).to_owned();
            assert_eq!(stdout(&mut list(host, server.tls_address(), &["--ca", &ca])), "alan\n", "{host}");
        }
    }
    // Certificates for another host, and for no host.
    let (elsewhere, plain) =
        (make("elsewhere", &["-addext", "subjectAltName=DNS:chat.example"]), make("again", &[]));
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let ec = by_openssl(folder.path(), "ec", &ec);
    let other = make("other", &["-addext", "basicConstraints=critical,CA:FALSE"]);
    for (files, ca, why) in [
        (&elsewhere, &elsewhere, "is not for localhost but for chat.example; use a name that it is for".to_owned()),
        (
            &plain,
            &ec,
            "is a certificate authority's (CA:TRUE) and not a server's; if it is a server of your own, name exactly this \
             certificate with --ca FILE"
                .to_owned(),
        ),
        // Two issuers of one name, whose keys are of different kinds.
        (
            &other,
            &ec,
            format!(
                "is signed with another key than that of {}, under the same name; it may have been replaced: ask the \
                 server's operator for the current file",
                ec.certificate.display()
            ),
        ),
    ] {
        let server = serve(files);
        assert_eq!(
            complaint(&mut list("localhost", server.tls_address(), &["--ca", text(&ca.certificate)]), 4),
            format!(
                "arauto: TLS with localhost:{} failed: its certificate {why}\n",
                server.tls_address().port()
            )
        );
    }
}

#[test]
fn without_a_file_the_system_says_whom_to_trust() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let server = serve(&issuer.issue("server", "a server"));
    let _alan = server.join("alan");
    let list = |roots: &Path| {
        let mut command = list("localhost", server.tls_address(), &["--tls"]);
        command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR");
        command
    };
    assert_eq!(stdout(&mut list(&issuer.ca())), "alan\n");
    assert_eq!(
        complaint(&mut list(&stranger.issue("other", "other").certificate), 4),
        format!(
            "arauto: TLS with localhost:{} failed: its certificate is signed by no authority that this system trusts; if it is a server \
             of your own, name its certificate or its issuer's with --ca FILE (the cert.pem that arauto cert made)\n",
            server.tls_address().port()
        )
    );
    let empty = stranger.file("empty");
    fs::write(&empty, "").unwrap();
    assert_eq!(
        complaint(&mut list(&empty), 1),
        "arauto: this system has no certificates to trust: install its ca-certificates, or name the server's certificate or \
         its issuer's with --ca FILE\n"
    );
}

#[test]
fn a_certificate_that_does_not_fit_is_refused_in_words() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let good = issuer.issue("server", "a server");
    let expired = issuer.issue_with("expired", "a server", |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 2, 3);
    });
    let early = issuer.issue_with("early", "a server", |params| {
        params.not_before = date_time_ymd(2901, 1, 1);
        params.not_after = date_time_ymd(2902, 2, 3);
    });
    let (ca, other) = (issuer.ca(), stranger.ca());
    for (files, host, ca, why) in [
        // Both issuers have one name.
        (
            &good,
            "localhost",
            &other,
            format!(
                "is signed with another key than that of {}, under the same name; it may have been replaced: ask the \
                 server's operator for the current file",
                other.display()
            ),
        ),
        (
            &good,
            "localhost",
            &stranger.issue("another", "another server").certificate,
            format!(
                "is signed by no certificate in {}; ask the server's operator for the right file",
                stranger.file("another.pem").display()
            ),
        ),
        (
            &good,
            "127.0.0.1",
            &ca,
            "is not for 127.0.0.1 but for localhost; use a name that it is for".to_owned(),
        ),
        (
            &expired,
            "localhost",
            &ca,
            "expired on 2002-02-03; the server's operator has to renew it, unless this machine's clock is wrong".to_owned(),
        ),
        (
            &early,
            "localhost",
            &ca,
            "is not valid until 2901-01-01; is this machine's clock right?".to_owned(),
        ),
    ] {
        let server = serve(files);
        let _alan = server.join("alan");
        let address = server.tls_address();
        let expected = format!("arauto: TLS with {host}:{} failed: its certificate {why}\n", address.port());
        assert_eq!(complaint(&mut list(host, address, &["--ca", text(ca)]), 4), expected);
        // Each of these certificates is accepted with `--insecure`.
        let output = list(host, address, &["--insecure"]).output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), INSECURE);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"alan\n"[..]));
    }
}

#[test]
fn tls_where_none_is_spoken_is_told_so() {
    let server = TestServer::start();
    let address = server.address();
    assert_eq!(
        complaint(&mut list("127.0.0.1", address, &["--tls", "--insecure"]), 4),
        format!(
            "{INSECURE}arauto: TLS with {address} failed: it does not speak TLS; leave out --tls, or name the port where it does\n"
        )
    );
}

#[test]
fn a_certificate_of_the_client_gives_it_its_name() {
    let issuer = Issuer::new();
    let (files, own) = (issuer.issue("server", "a server"), issuer.issue("client", "José"));
    fs::set_permissions(&own.key, fs::Permissions::from_mode(0o600)).unwrap();
    let process = Process::serve(&[
        ("ARAUTO_TLS_LISTEN", "127.0.0.1:0"),
        ("ARAUTO_TLS_CERTIFICATE", text(&files.certificate)),
        ("ARAUTO_TLS_KEY", text(&files.key)),
        ("ARAUTO_TLS_CLIENT_CA", text(&issuer.ca())),
    ]);
    let _alan = process.join("alan");
    process.logged("joined");
    let (ca, cert, key) = (issuer.ca(), own.certificate, own.key);
    let show = ["--ca", text(&ca), "--cert", text(&cert), "--key", text(&key)];
    // The certificate's name counts, and `--as` does not.
    let mut listing = list("localhost", process.tls_address(), &[&show[..], &["--as", "bob"]].concat());
    assert_eq!(stdout(&mut listing), "alan\n");
    assert_eq!(process.logged("joined")["name"], "José");

    let other = Issuer::new();
    let stranger = other.issue("client", "José");
    let show = ["--ca", text(&ca), "--cert", text(&stranger.certificate), "--key", text(&stranger.key)];
    fs::set_permissions(&stranger.key, fs::Permissions::from_mode(0o604)).unwrap();
    let said = complaint(&mut list("localhost", process.tls_address(), &show), 4);
    let (warning, said) = said.split_once('\n').unwrap();
    assert_eq!(
        warning,
        format!(
            "arauto: warning: every local user can read the key in {}; run chmod o= on it",
            stranger.key.display()
        )
    );
    assert_eq!(
        said,
        format!(
            "arauto: TLS with localhost:{} failed: the server does not accept the certificate that --cert names (DecryptError)\n",
            process.tls_address().port()
        )
    );
}

#[test]
fn files_that_cannot_be_used_are_named_with_why() {
    let issuer = Issuer::new();
    let (one, other) = (issuer.issue("one", "one"), issuer.issue("other", "other"));
    let missing = issuer.file("missing");
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let (cert, key) = (text(&one.certificate), text(&one.key));
    for (arguments, why) in [
        (
            &["--ca", text(&missing)][..],
            format!("ca: cannot read {}: No such file or directory (os error 2)", missing.display()),
        ),
        (&["--ca", key], format!("ca: {key} holds no certificate in PEM")),
        (&["--insecure", "--cert", key, "--key", key], format!("cert: {key} holds no certificate in PEM")),
        (
            &["--insecure", "--cert", cert, "--key", cert],
            format!("key: {cert} holds no unencrypted private key"),
        ),
        (
            &["--insecure", "--cert", cert, "--key", text(&other.key)],
            format!(
                "key: the key in {} does not belong to the first certificate in {cert}",
                other.key.display()
            ),
        ),
    ] {
        assert_eq!(
            complaint(&mut list("localhost", nowhere, arguments), 1),
            format!("arauto: {why}\n"),
            "{arguments:?}"
        );
    }
    // An error message about a missing option blames no file.
    for (arguments, why) in [
        (["--insecure", "--cert", cert], "cert is given without key: a client certificate needs both"),
        (["--insecure", "--key", key], "key is given without cert: a client certificate needs both"),
    ] {
        let complaint = complaint(&mut list("localhost", nowhere, &arguments), 2);
        assert_eq!(complaint, format!("arauto: {why}\n"), "{arguments:?}");
    }
}

#[test]
fn a_host_that_no_certificate_can_be_for_is_told_so() {
    let mut list = arauto(["list", "--insecure", "--server", "ä.example"]);
    assert_eq!(
        complaint(&mut list, 4),
        format!(
            "{INSECURE}arauto: TLS with ä.example:1234 failed: no certificate can name this host: write ASCII letters, digits, dots \
             and hyphens (xn--… for others)\n"
        )
    );
}
