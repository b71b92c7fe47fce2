//! Tests of `arauto cert`: the pair that it makes, and whether its advice works.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use arauto_needs::{has_tool, needs};

use crate::{
    cli::{arauto, refusal, stdout, without_settings},
    harness::{
        NAME_REQUEST, confirmation,
        process::Process,
        tls::{Issuer, Trust},
    },
    real_clients::program::Program,
};

fn cert(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = arauto(["cert"]);
    command.args(["--out-dir", folder.to_str().unwrap()]).args(arguments);
    command
}

fn complaint(Output { status, stdout, stderr }: Output) -> String {
    assert_eq!((status.code(), stdout.as_slice()), (Some(1), &b""[..]));
    String::from_utf8(stderr).unwrap()
}

#[cfg(feature = "tui")]
#[test]
fn what_is_printed_makes_a_server_that_clients_trust() {
    let folder = tempfile::tempdir().unwrap();
    let advice = stdout(&mut cert(folder.path(), &[]));
    let shown = folder.path().canonicalize().unwrap();
    assert!(
        advice.starts_with(&format!(
            "{}/cert.pem: a certificate for localhost, 127.0.0.1, ::1, good until ",
            shown.display()
        )),
        "{advice}"
    );
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("key.pem"), 0o600);
    assert_eq!(mode("cert.pem") & !0o022, 0o644);

    let (_, config) = advice.split_once("\n[tls]\n").unwrap();
    let (config, _) = config.split_once("\n\n").unwrap();
    assert!(config.contains("listen = [\"127.0.0.1:1235\"]\n"), "{config}");
    let file = folder.path().join("a.toml");
    fs::write(&file, format!("[tls]\n{}", config.replace(":1235", ":0"))).unwrap();
    let process = Process::run(arauto(["serve", "--config", file.to_str().unwrap()]), &[]);
    let address = process.tls_address();

    let mut trust = Trust::of(&Issuer::new());
    trust.ca = folder.path().join("cert.pem");
    let _alan = trust.join(address, "alan");

    // The configuration accepts the lines for the page and audio.
    fs::write(&file, in_configuration(&advice)).unwrap();
    assert_eq!(
        stdout(&mut arauto(["config", "--check", file.to_str().unwrap()])),
        format!("{}: ok\n", file.display())
    );
    let own = advice.lines().find(|line| line.starts_with("arauto join ")).unwrap();
    let own =
        own.replace("arauto join", "exec \"$0\" list").replace(":1235", &format!(":{}", address.port()));
    let mut list = Command::new("sh");
    without_settings(&mut list);
    assert_eq!(stdout(list.args(["-c", &own, env!("CARGO_BIN_EXE_arauto")])), "alan\n");

    // The clients' commands work, with the port that the server was given.
    for tool in ["openssl", "ncat"] {
        if !has_tool!(tool) {
            continue;
        }
        let line = advice.lines().find(|line| line.starts_with(tool)).unwrap();
        let line = line
            .replace("localhost:1235", &format!("127.0.0.1:{}", address.port()))
            .replace("localhost 1235", &format!("-4 localhost {}", address.port()));
        let mut bob = Program::start("sh", &["-c", &format!("exec {line} 2>/dev/null")]);
        bob.expect_line(NAME_REQUEST);
        bob.ask("bob", &confirmation("bob"));
        bob.ask("/exit", "server | bob | exit | client disconnected");
        bob.end_input();
        bob.expect_success();
    }
}

/// The lines of the advice that belong in the configuration.
fn in_configuration(advice: &str) -> String {
    let is_meant = |line: &&str| line.starts_with('[') || line.contains(" = ");
    advice.lines().filter(is_meant).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn hosts_of_other_machines_are_listened_for_on_all_addresses() {
    for (hosts, own) in [
        (
            &["chat.example", "192.0.2.1"][..],
            "[tls]\nlisten = [\"0.0.0.0:1235\"]\n[web]\ntls_listen = [\"0.0.0.0:1443\"]\nhosts = [\"chat.example\"]\n[media]\n\
             tls_listen = [\"0.0.0.0:1555\"]\npublic_host = \"chat.example\"\n",
        ),
        (
            &["2001:db8::1"],
            "[tls]\nlisten = [\"[::]:1235\"]\n[web]\ntls_listen = [\"[::]:1443\"]\n[media]\ntls_listen = [\"[::]:1555\"]\n\
             public_host = \"2001:db8::1\"\n",
        ),
        (
            &["localhost"],
            "[tls]\nlisten = [\"127.0.0.1:1235\"]\n[web]\ntls_listen = [\"127.0.0.1:1443\"]\n[media]\n\
             tls_listen = [\"127.0.0.1:1555\"]\n",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let arguments: Vec<&str> = hosts.iter().flat_map(|host| ["--host", host]).collect();
        let advice = stdout(&mut cert(folder.path(), &arguments));
        let configuration = in_configuration(&advice);
        let without_files: String = configuration
            .lines()
            .filter(|line| !line.starts_with("certificate") && !line.starts_with("key"))
            .flat_map(|line| [line, "\n"])
            .collect();
        assert_eq!(without_files, own);
        let file = folder.path().join("a.toml");
        fs::write(&file, configuration).unwrap();
        stdout(&mut arauto(["config", "--check", file.to_str().unwrap()]));
        let host = if hosts[0].contains(':') { format!("[{}]", hosts[0]) } else { hosts[0].to_owned() };
        assert!(advice.contains(&format!("\narauto join --server {host}:1235 --tls --ca ")), "{advice}");
    }
}

#[needs("openssl")]
#[test]
fn it_says_for_whom_and_until_when() {
    let folder = tempfile::tempdir().unwrap();
    stdout(&mut cert(folder.path(), &["--host", "chat.example", "--host", "192.0.2.1", "--days", "30"]));
    let file = folder.path().join("cert.pem");
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .args(["x509", "-noout", "-in", file.to_str().unwrap()])
            .args(arguments)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (_, text) = openssl(&["-text"]);
    for part in [
        "DNS:chat.example, IP Address:192.0.2.1",
        "Subject: CN = chat.example",
        "CA:FALSE",
        "TLS Web Server Authentication",
        "Digital Signature",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let day = 24 * 60 * 60;
    assert!(openssl(&["-checkend", &(30 * day - 600).to_string()]).0);
    assert!(!openssl(&["-checkend", &(30 * day + 600).to_string()]).0);
}

#[test]
fn nothing_is_overwritten_and_no_half_pair_is_left() {
    for there in ["cert.pem", "key.pem"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(there);
        fs::write(&path, "mine").unwrap();
        assert_eq!(
            complaint(cert(folder.path(), &[]).output().unwrap()),
            format!(
                "arauto: {} exists, and is not overwritten; remove it, or choose another folder with --out-dir\n",
                path.display()
            )
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        complaint(cert(folder.path(), &["--host", "a b\x1b"]).output().unwrap()),
        "arauto: \"a b\\u{1b}\" is no host name or address: ASCII letters, digits, dots and hyphens (xn--… for others)\n"
    );
    let nowhere = folder.path().join("nowhere");
    assert_eq!(
        complaint(cert(&nowhere, &[]).output().unwrap()),
        format!(
            "arauto: cannot write {}/key.pem: No such file or directory (os error 2)\n",
            nowhere.display()
        )
    );
    assert!(refusal(&mut cert(folder.path(), &["--days", "0"])).contains("1..=3650"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
