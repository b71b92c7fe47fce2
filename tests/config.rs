//! Tests of the configuration: its layers, its refusals and their messages, and that it is shown as it was read.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod refused;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use arauto::config::{self, CommandLine, Config, Loaded};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::{
    cli::{arauto, refusal, stdout},
    harness::process::Process,
};

/// A value other than the default for each setting: the variable, its value, and the line that `config` shows for it.
const OTHERS: &[(&str, &str, &str)] = &[
    ("SERVER_LISTEN", "0.0.0.0:0, [::1]:4321", r#"listen = ["0.0.0.0:0", "[::1]:4321"]"#),
    ("SERVER_WORKERS", "3", "workers = 3"),
    ("SERVER_SPREAD_ABOVE", "0", "spread_above = 0"),
    ("SERVER_DRAIN_TIMEOUT", "1500ms", r#"drain_timeout = "1s 500ms""#),
    ("SERVER_LOCAL_CONNECTIONS", "proxied", r#"local_connections = "proxied""#),
    ("TLS_LISTEN", "127.0.0.1:0", r#"listen = ["127.0.0.1:0"]"#),
    ("TLS_CERTIFICATE", r#"/a "b"\c.pem"#, r#"certificate = "/a \"b\"\\c.pem""#),
    ("TLS_KEY", "/etc/é\u{202e}.pem", r#"key = "/etc/é\U0000202E.pem""#),
    ("TLS_CLIENT_CA", "/ca.pem", r#"client_ca = "/ca.pem""#),
    ("WEB_LISTEN", "[::1]:80", r#"listen = ["[::1]:80"]"#),
    ("WEB_TLS_LISTEN", "127.0.0.1:443, [::1]:443", r#"tls_listen = ["127.0.0.1:443", "[::1]:443"]"#),
    ("WEB_HOSTS", "Lab.example, lab", r#"hosts = ["lab.example", "lab"]"#),
    ("MEDIA_LISTEN", "[::1]:554", r#"listen = ["[::1]:554"]"#),
    ("MEDIA_TLS_LISTEN", "[::1]:322", r#"tls_listen = ["[::1]:322"]"#),
    ("MEDIA_PUBLIC_HOST", "Lab.example", r#"public_host = "lab.example""#),
    ("MEDIA_UDP_PORTS", "40000-40999", r#"udp_ports = "40000-40999""#),
    ("MEDIA_STREAMS", "1", "streams = 1"),
    ("MEDIA_WAITING", "1", "waiting = 1"),
    ("MEDIA_PUBLISH_TIMEOUT", "1s", r#"publish_timeout = "1s""#),
    ("MEDIA_LISTENERS", "1", "listeners = 1"),
    ("MEDIA_LISTENERS_PER_KEY", "1", "listeners_per_key = 1"),
    ("MEDIA_BIT_RATE", "8000", "bit_rate = 8000"),
    ("MEDIA_SILENCE_TIMEOUT", "1s", r#"silence_timeout = "1s""#),
    ("MEDIA_LISTENERS_PER_ADDRESS", "1", "listeners_per_address = 1"),
    ("MEDIA_UNHEARD_TIMEOUT", "1s", r#"unheard_timeout = "1s""#),
    ("MONITORING_LISTEN", "[::1]:81", r#"listen = ["[::1]:81"]"#),
    ("CLUSTER_SERVERS", "nats://a:4222, tls://[::1]:1", r#"servers = ["nats://a:4222", "tls://[::1]:1"]"#),
    ("CLUSTER_NAME", "lab-2", r#"name = "lab-2""#),
    ("CLUSTER_NODE", "n1", r#"node = "n1""#),
    ("CLUSTER_CREDENTIALS", "/n1.creds", r#"credentials = "/n1.creds""#),
    ("CLUSTER_TLS_CA", "/nats.pem", r#"tls_ca = "/nats.pem""#),
    ("CLUSTER_REPLICAS", "3", "replicas = 3"),
    ("CLUSTER_LOG_BYTES", "1048576", "log_bytes = 1048576"),
    ("CLUSTER_LOG_AGE", "1h", r#"log_age = "1h""#),
    ("CLUSTER_PATIENCE", "10s", r#"patience = "10s""#),
    ("CLUSTER_TRUST_NATS", "true", "trust_nats = true"),
    ("CLUSTER_ONCE", "true", "once = true"),
    ("LIMITS_MESSAGE_BYTES", "2048", "message_bytes = 2048"),
    ("LIMITS_NAME_TIMEOUT", "10ms", r#"name_timeout = "10ms""#),
    ("LIMITS_LINE_TIMEOUT", "0s", r#"line_timeout = "0s""#),
    ("LIMITS_IDLE_TIMEOUT", "90s", r#"idle_timeout = "1m 30s""#),
    ("LIMITS_MAX_SESSIONS", "1", "max_sessions = 1"),
    ("LIMITS_RESERVED_SESSIONS", "0", "reserved_sessions = 0"),
    ("LIMITS_OUTBOX_BYTES", "524288", "outbox_bytes = 524288"),
    ("LIMITS_OUTBOXES_BYTES", "1048576", "outboxes_bytes = 1048576"),
    ("LIMITS_SLOW_READER_GRACE", "1s", r#"slow_reader_grace = "1s""#),
    ("LIMITS_SLOW_READER_WAIT", "1s", r#"slow_reader_wait = "1s""#),
    ("LIMITS_INFLIGHT_BYTES", "1024", "inflight_bytes = 1024"),
    ("FLOOD_LOOPBACK", "true", "loopback = true"),
    ("FLOOD_MESSAGE_RATE", "0", "message_rate = 0"),
    ("FLOOD_MESSAGE_BURST", "1", "message_burst = 1"),
    ("FLOOD_BYTE_RATE", "0", "byte_rate = 0"),
    ("FLOOD_BYTE_BURST", "1", "byte_burst = 1"),
    ("FLOOD_REFUSALS", "1", "refusals = 1"),
    ("FLOOD_REFUSAL_WINDOW", "1s", r#"refusal_window = "1s""#),
    ("FLOOD_SESSIONS_PER_ADDRESS", "0", "sessions_per_address = 0"),
    ("FLOOD_JOINS_PER_MINUTE", "0", "joins_per_minute = 0"),
    ("COMPAT_UNFRAMED_GAP_MS", "0", "unframed_gap_ms = 0"),
    ("COMPAT_UNFRAMED_WAIT_MS", "1", "unframed_wait_ms = 1"),
    ("ACCOUNTS_FILE", r#"/a "b\c.toml"#, r#"file = "/a \"b\\c.toml""#),
    ("ACCOUNTS_REQUIRED", "true", "required = true"),
    ("ACCOUNTS_ALLOW_PLAINTEXT", "true", "allow_plaintext = true"),
    ("ACCOUNTS_BANS_FILE", "/bans.toml", r#"bans_file = "/bans.toml""#),
    ("CLOSE_SERVER_ALLOW", "nobody", r#"allow = "nobody""#),
    ("LOG_LEVEL", "trace", r#"level = "trace""#),
    ("LOG_FORMAT", "json", r#"format = "json""#),
];

/// Makes a directory with one file, `a.toml`.
fn file(text: impl AsRef<[u8]>) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.toml"), text).unwrap();
    directory
}

fn in_directory<'c>(command: &'c mut Command, directory: &TempDir) -> &'c mut Command {
    command.current_dir(directory.path())
}

fn load(variables: &[(&str, &str)]) -> Result<Loaded, String> {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    config::load(&CommandLine::default(), variables).map_err(|error| error.to_string())
}

fn load_file(path: impl Into<PathBuf>) -> Loaded {
    let command_line = CommandLine { file: Some(path.into()), flags: Vec::new() };
    config::load(&command_line, []).unwrap()
}

#[test]
fn the_file_that_comes_with_it_is_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/arauto.toml");
    let loaded = load_file(&path);
    assert_eq!(loaded.config, Config::default());
    assert!(!loaded.to_string().contains("# default"), "not in the file: {loaded}");
    let text = fs::read_to_string(path).unwrap();
    for (setting, _) in config::describe() {
        assert!(text.contains(&setting.variable), "{} is not mentioned", setting.variable);
    }
}

#[test]
fn without_anything_the_defaults_are_in_force() {
    let listing = stdout(&mut arauto(["config"]));
    assert!(
        listing.starts_with("[server]\nlisten = [\"127.0.0.1:1234\"]  # default\nworkers = 0  # default\n")
    );
    assert_eq!(listing.matches("  # default\n").count(), config::describe().count());
    assert!(Config::default().server.worker_count() >= 1);
}

#[test]
fn flag_over_environment_over_file_over_default() {
    let directory = file("[server]\nworkers = 1\n\n[log]\nlevel = \"error\"\nformat = \"json\"\n");
    let mut command = arauto(["config", "--config", "a.toml", "--log-level", "debug"]);
    command.env("ARAUTO_LOG_LEVEL", "warn").env("ARAUTO_LOG_FORMAT", "text");
    let listing = stdout(in_directory(&mut command, &directory));

    for line in [
        "level = \"debug\"  # flag --log-level\n",
        "format = \"text\"  # environment ARAUTO_LOG_FORMAT\n",
        "workers = 1  # file a.toml:2\n",
        "drain_timeout = \"5s\"  # default\n",
    ] {
        assert!(listing.contains(line), "{line}{listing}");
    }
}

#[test]
fn every_flag_is_heeded() {
    let listing = stdout(&mut arauto([
        "config",
        "--listen",
        "127.0.0.1:0",
        "--listen",
        "[::1]:0",
        "--workers",
        "2",
        "--log-level",
        "warn",
        "--log-format",
        "json",
    ]));
    for line in [
        "listen = [\"127.0.0.1:0\", \"[::1]:0\"]  # flag --listen\n",
        "workers = 2  # flag --workers\n",
        "level = \"warn\"  # flag --log-level\n",
        "format = \"json\"  # flag --log-format\n",
    ] {
        assert!(listing.contains(line), "{line}{listing}");
    }
}

#[test]
fn the_environment_can_name_the_file_and_the_flag_wins() {
    let directory = file("[server]\nworkers = 1\n");
    fs::write(directory.path().join("b.toml"), "server.workers = 2\n").unwrap();

    let mut command = arauto(["config"]);
    command.env("ARAUTO_CONFIG", "a.toml");
    assert!(stdout(in_directory(&mut command, &directory)).contains("workers = 1  # file a.toml:2\n"));

    let mut command = arauto(["config", "--config", "b.toml"]);
    command.env("ARAUTO_CONFIG", "a.toml");
    assert!(stdout(in_directory(&mut command, &directory)).contains("workers = 2  # file b.toml:1\n"));
}

#[test]
fn every_variable_is_heeded_and_the_listing_gives_the_same_again() {
    assert_eq!(OTHERS.len(), config::describe().count());
    let mut command = arauto(["config"]);
    for (variable, value, _) in OTHERS {
        command.env(format!("ARAUTO_{variable}"), value);
    }
    let listing = stdout(&mut command);
    for (variable, _, line) in OTHERS {
        assert!(
            listing.contains(&format!("\n{line}  # environment ARAUTO_{variable}\n")),
            "{line}: {listing}"
        );
    }

    let variables: Vec<_> =
        OTHERS.iter().map(|(name, value, _)| (format!("ARAUTO_{name}"), *value)).collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let given = load(&variables).unwrap();
    let directory = file(&listing);
    let again = load_file(directory.path().join("a.toml"));
    assert_eq!(again.config, given.config);
    assert_ne!(again.config, Config::default());
}

#[test]
fn paths_in_a_file_are_seen_from_the_file_and_others_from_here() {
    let directory = file("");
    let folder = directory.path().canonicalize().unwrap();
    fs::create_dir(folder.join("etc")).unwrap();
    fs::write(folder.join("etc/a.toml"), "tls = { certificate = 'c.pem', key = '/k.pem' }\n").unwrap();
    let mut command = arauto(["config", "--config", "etc/a.toml"]);
    let listing = stdout(in_directory(command.env("ARAUTO_TLS_CLIENT_CA", "ca.pem"), &directory));
    let folder = folder.to_str().unwrap();
    for line in [
        format!("certificate = \"{folder}/etc/c.pem\"  # file etc/a.toml:1\n"),
        "key = \"/k.pem\"  # file etc/a.toml:1\n".to_owned(),
        format!("client_ca = \"{folder}/ca.pem\"  # environment ARAUTO_TLS_CLIENT_CA\n"),
    ] {
        assert!(listing.contains(&line), "{line}{listing}");
    }
}

#[test]
fn a_file_name_cannot_break_the_listing() {
    let directory = file("");
    fs::write(directory.path().join("a\nworkers = 7 #\x1b"), "server.workers = 1\n").unwrap();
    let mut command = arauto(["config", "--config", "a\nworkers = 7 #\x1b"]);
    let listing = stdout(in_directory(&mut command, &directory));
    assert!(listing.contains("\nworkers = 1  # file a\\nworkers = 7 #\\u{1b}:1\n"), "{listing}");
}

#[test]
fn check_says_ok_or_what_is_wrong() {
    let directory = file("[server]\nlisten = \"[::1]:1\"\n");
    // Only the file is checked, not the environment.
    let mut command = arauto(["config", "--check", "a.toml"]);
    command.env("ARAUTO_LOG_LEVEL", "loud");
    assert_eq!(stdout(in_directory(&mut command, &directory)), "a.toml: ok\n");
}

#[test]
fn a_byte_order_mark_is_no_mistake() {
    let directory = file("\u{feff}[server]\r\nworkers = 2\r\n");
    assert_eq!(load_file(directory.path().join("a.toml")).config.server.workers, 2);
}

#[test]
fn a_refused_variable_or_flag_is_named() {
    let refused = |name, value| refusal(arauto(["config"]).env(name, value));
    assert_eq!(
        refused("ARAUTO_SERVER_WORKERS", "many\x1b"),
        "arauto: ARAUTO_SERVER_WORKERS must be a whole number from 0 to 64, not \"many\\u{1b}\"\n"
    );
    assert_eq!(
        refused("ARAUTO_SERVER_LISTEN", "127.0.0.1:1,localhost"),
        "arauto: ARAUTO_SERVER_LISTEN must be 0 to 16 addresses such as \"127.0.0.1:1234\" or \
         \"[::1]:1234\", and no names (localhost is 127.0.0.1), not \"127.0.0.1:1,localhost\"\n"
    );
    assert_eq!(
        refused("ARAUTO_LOG_LEVEL", ""),
        "arauto: ARAUTO_LOG_LEVEL must be one of error, warn, info, debug, trace, not \"\"\n"
    );
    assert_eq!(
        refused("ARAUTO_SERVER_WORKER", "3"),
        "arauto: ARAUTO_SERVER_WORKER is unknown; did you mean ARAUTO_SERVER_WORKERS?\n"
    );
    assert_eq!(
        refused("ARAUTO_CONFG", "3"),
        "arauto: ARAUTO_CONFG is unknown; did you mean ARAUTO_CONFIG?\n"
    );
    assert_eq!(
        refused("ARAUTO_LIMITS_OUTBOX_BYTES", "4096\n"),
        "arauto: ARAUTO_LIMITS_OUTBOX_BYTES must be a whole number from 4096 to 1073741824, not \"4096\\n\"\n"
    );
    assert_eq!(
        refusal(&mut arauto(["serve", "--workers", "-1"])),
        "arauto: --workers must be a whole number from 0 to 64, not \"-1\"\n"
    );
    assert_eq!(
        refusal(&mut arauto(["serve", "--listen", "1234"])),
        "arauto: --listen must be 0 to 16 addresses such as \"127.0.0.1:1234\" or \"[::1]:1234\", and no names (localhost is 127.0.0.1), not \"1234\"\n"
    );
}

#[test]
#[cfg(unix)]
fn a_variable_that_is_not_unicode_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(b"info\xff");
    assert_eq!(
        refusal(arauto(["config"]).env("ARAUTO_LOG_LEVEL", value)),
        "arauto: ARAUTO_LOG_LEVEL must be one of error, warn, info, debug, trace, not \"info\u{fffd}\"\n"
    );
}

#[test]
fn of_two_limits_that_cannot_be_together_the_one_given_last_is_blamed() {
    let directory = file("[limits]\noutbox_bytes = 8192\n");
    let mut command = arauto(["config", "--config", "a.toml"]);
    command.env("ARAUTO_LIMITS_MESSAGE_BYTES", "4097");
    assert_eq!(
        refusal(in_directory(&mut command, &directory)),
        "arauto: ARAUTO_LIMITS_MESSAGE_BYTES must be at most half of limits.outbox_bytes: 4096 or less, \
         not \"4097\"\n"
    );

    let directory = file("[limits]\nmessage_bytes = 4097\n");
    let mut command = arauto(["config", "--config", "a.toml"]);
    command.env("ARAUTO_LIMITS_OUTBOX_BYTES", "8192");
    assert_eq!(
        refusal(in_directory(&mut command, &directory)),
        "arauto: ARAUTO_LIMITS_OUTBOX_BYTES must be at least twice limits.message_bytes: 8194 or more, \
         not \"8192\"\n"
    );
}

#[test]
fn every_range_holds_at_both_ends() {
    let most = ["127.0.0.1:1"; 16].join(",");
    let too_many = ["127.0.0.1:1"; 17].join(",");
    let (names, too_many_names) = (["a"; 16].join(","), ["a"; 17].join(","));
    let too_many_servers = ["nats://a:1"; 17].join(",");
    let (longest, too_long) = (&*"n".repeat(32), &*"n".repeat(33));
    for (variable, within, beyond) in [
        ("SERVER_LISTEN", vec!["[::]:0", &most, ""], vec![&too_many, "127.0.0.1", "127.0.0.1:65536"]),
        ("WEB_LISTEN", vec!["[::]:0", &most, ""], vec![&too_many, "localhost:80"]),
        ("MONITORING_LISTEN", vec!["[::]:0", &most, ""], vec![&too_many, "localhost:80"]),
        (
            "WEB_HOSTS",
            vec!["", "a-1.example", "chat_server", &names],
            vec!["a..b", "-a", "a-", "a:80", "a b", "ç", &too_many_names],
        ),
        ("SERVER_WORKERS", vec!["0", "64"], vec!["-1", "65", "1.5", "99999999999999999999"]),
        ("SERVER_DRAIN_TIMEOUT", vec!["0s", "10m"], vec!["10m 1ms", "5", "-1s"]),
        (
            "CLUSTER_SERVERS",
            vec![""],
            vec![
                "a:4222",
                "http://a:1",
                "nats://a",
                "nats://a:0",
                "nats://u:p@a:1",
                "nats://a:1/x",
                &too_many_servers,
            ],
        ),
        ("CLUSTER_NAME", vec!["a", "lab-2", longest], vec!["", "Lab", "a.b", "a b", "ç", too_long]),
        ("CLUSTER_NODE", vec!["", "n1", longest], vec!["N1", "n1 ", "*", too_long]),
        ("CLUSTER_REPLICAS", vec!["1", "3"], vec!["0", "4"]),
        ("CLUSTER_LOG_BYTES", vec!["1048576", "1099511627776"], vec!["1048575", "1099511627777"]),
        ("CLUSTER_LOG_AGE", vec!["1m", "1day"], vec!["59s", "1day 1ms"]),
        ("CLUSTER_PATIENCE", vec!["10s", "10m"], vec!["9s", "10m 1ms"]),
        ("CLUSTER_TRUST_NATS", vec!["true", "false"], vec!["yes"]),
        ("CLUSTER_ONCE", vec!["true", "false"], vec!["1"]),
        ("LIMITS_MESSAGE_BYTES", vec!["64", "65536"], vec!["63", "65537"]),
        ("LIMITS_NAME_TIMEOUT", vec!["10ms", "1h"], vec!["9ms", "1h 1ms"]),
        ("LIMITS_LINE_TIMEOUT", vec!["0s", "1h"], vec!["1h 1ms", "-1s"]),
        ("LIMITS_IDLE_TIMEOUT", vec!["0s", "1day"], vec!["1day 1ms", "5"]),
        ("LIMITS_MAX_SESSIONS", vec!["1", "1000000"], vec!["0", "1000001"]),
        ("LIMITS_OUTBOX_BYTES", vec!["4096", "1073741824"], vec!["4095", "1073741825"]),
        ("LIMITS_SLOW_READER_GRACE", vec!["0s", "10m"], vec!["-1s", "10m 1ms", "250"]),
        ("LIMITS_SLOW_READER_WAIT", vec!["0s", "10s"], vec!["-1s", "10s 1ms", "2"]),
        ("LIMITS_INFLIGHT_BYTES", vec!["1024", "67108864"], vec!["1023", "67108865"]),
        ("FLOOD_LOOPBACK", vec!["true", "false"], vec!["yes", "1", ""]),
        ("FLOOD_MESSAGE_RATE", vec!["0", "1000000"], vec!["1000001", "-1"]),
        ("FLOOD_MESSAGE_BURST", vec!["1", "1000000"], vec!["0", "1000001"]),
        ("FLOOD_BYTE_RATE", vec!["0", "1073741824"], vec!["1073741825"]),
        ("FLOOD_BYTE_BURST", vec!["1", "1073741824"], vec!["0", "1073741825"]),
        ("FLOOD_REFUSALS", vec!["1", "1000000"], vec!["0", "1000001"]),
        ("FLOOD_REFUSAL_WINDOW", vec!["1s", "1h"], vec!["999ms", "1h 1ms"]),
        ("FLOOD_SESSIONS_PER_ADDRESS", vec!["0", "1000000"], vec!["1000001"]),
        ("FLOOD_JOINS_PER_MINUTE", vec!["0", "1000000"], vec!["1000001"]),
        ("COMPAT_UNFRAMED_GAP_MS", vec!["0", "5000"], vec!["5001", "50ms"]),
        ("COMPAT_UNFRAMED_WAIT_MS", vec!["1", "5000"], vec!["0", "5001"]),
        ("ACCOUNTS_FILE", vec!["", "accounts.toml", "/a b"], vec!["a\0b", "a\u{fffd}b"]),
        ("ACCOUNTS_BANS_FILE", vec!["", "bans.toml"], vec!["a\0b"]),
        ("ACCOUNTS_REQUIRED", vec!["false"], vec!["true", "yes", "1", ""]),
        ("ACCOUNTS_ALLOW_PLAINTEXT", vec!["true", "false"], vec!["TRUE", "0"]),
        ("CLOSE_SERVER_ALLOW", vec!["anyone", "operators", "loopback", "nobody"], vec!["Anyone", "none"]),
        ("LOG_LEVEL", vec!["error", "warn", "info", "debug", "trace"], vec!["warning", "off"]),
        ("LOG_FORMAT", vec!["text", "json"], vec!["xml"]),
    ] {
        let name = format!("ARAUTO_{variable}");
        for value in within {
            assert!(load(&[(&name, value)]).is_ok(), "{name}={value}");
        }
        for value in beyond {
            assert!(
                load(&[(&name, value)]).unwrap_err().starts_with(&format!("{name} must be ")),
                "{name}={value}"
            );
        }
    }
}

proptest! {
    #[test]
    fn no_file_brings_it_down_or_reaches_the_terminal_raw(
        at in 0..3600_usize,
        length in 0..40_usize,
        with in prop::collection::vec(prop_oneof![any::<char>(), prop::char::range('\0', '\u{ff}')], 0..20),
    ) {
        let mut text = include_str!("../config/arauto.toml").to_owned();
        let start = text.floor_char_boundary(at.min(text.len()));
        let end = text.floor_char_boundary((start + length).min(text.len()));
        text.replace_range(start..end, &String::from_iter(with));
        let directory = file(text);

        for fault in config::check(&directory.path().join("a.toml")).1 {
            let said = fault.to_string();
            prop_assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
            prop_assert!(said.contains("a.toml:") && said.ends_with('^'), "{said:?}");
        }
    }
}

#[test]
fn all_faults_of_a_file_and_of_the_files_it_names_are_told() {
    let directory = file(
        "[limits]\nmax_sessions = 0\n[server]\nlisten = 'nowhere'\n[tls]\ncertificate = 'cert.pem'\nkey = 'key.pem'\n\
         client_ca = 'ca.pem'\n[accounts]\nfile = 'accounts.toml'\nbans_file = 'bans.toml'\n",
    );
    let path = |name: &str| directory.path().join(name);
    fs::write(path("cert.pem"), "junk").unwrap();
    fs::write(path("ca.pem"), "").unwrap();
    fs::write(path("accounts.toml"), "[[accounts]]\nname = 'a|b'\n[[accounts]]\nname = 'bob'\n").unwrap();
    fs::write(path("bans.toml"), "[[bans]]\nname = 7\n").unwrap();
    let check = || arauto(["config", "--check", path("a.toml").to_str().unwrap()]).output().unwrap();
    let output = check();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
    let said = String::from_utf8(output.stderr).unwrap();
    let folder = directory.path().display();
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("arauto: ")).collect();
    for (line, expected) in lines.iter().zip([
        "/a.toml:2:16: limits.max_sessions must be ",
        "/a.toml:4:10: server.listen must be ",
        "/cert.pem holds no certificate in PEM",
        "/key.pem: No such file or directory (os error 2)",
        "/ca.pem holds no certificate in PEM",
        "/accounts.toml:2:8: A name must not hold the character |",
        "/accounts.toml:3:1: hash is missing",
        "/bans.toml:2:8: name must be a text in quotes",
    ]) {
        assert!(line.contains(&format!("{folder}{expected}")), "{expected}: {line}");
    }
    assert_eq!(lines.len(), 8, "{said}");

    // Files that are valid each, but do not belong together.
    let issue = |name: &str| {
        let folder = path(name);
        fs::create_dir(&folder).unwrap();
        stdout(arauto(["cert", "--out-dir", folder.to_str().unwrap()]).current_dir(&folder));
    };
    issue("one");
    issue("other");
    fs::write(path("a.toml"), "[tls]\ncertificate = 'one/cert.pem'\nkey = 'other/key.pem'\n").unwrap();
    assert_eq!(
        String::from_utf8(check().stderr).unwrap(),
        format!(
            "arauto: tls.key: the key in {folder}/other/key.pem does not belong to the first certificate in {folder}/one/cert.pem\n"
        )
    );
    fs::write(path("a.toml"), "[tls]\ncertificate = 'one/cert.pem'\nkey = 'one/key.pem'\n").unwrap();
    assert!(check().status.success());
}

#[cfg(feature = "tui")]
#[test]
fn all_faults_of_a_clients_settings_are_told() {
    let directory =
        file("tls = true\nca = 'none.pem'\ncert = 'none.pem'\npassword_file = 'none'\ncolours = 'red'\n");
    let path = directory.path().join("a.toml");
    let output = arauto(["config", "--client", "--check", path.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in
        ["colours must be ", "ca: cannot read ", "cert is given without key", "password_file: cannot read "]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn an_address_that_takes_ipv6_alone_is_pointed_out() {
    let process = Process::serve(&[("ARAUTO_SERVER_LISTEN", "[::]:0")]);
    let said = process.logged("this address accepts only IPv6; for IPv4, add another");
    let port = process.address().port();
    assert_eq!(said["setting"], "server.listen");
    assert_eq!(
        (&said["address"], &said["add"]),
        (&format!("[::]:{port}").into(), &format!("0.0.0.0:{port}").into())
    );
}

#[test]
fn what_kubernetes_sets_for_services_called_like_sections_is_left_alone() {
    for (variable, value) in [
        ("ARAUTO_SERVER_PORT", "tcp://10.0.0.1:1234"),
        ("ARAUTO_SERVER_SERVICE_HOST", "10.0.0.1"),
        ("ARAUTO_SERVER_SERVICE_PORT", "1234"),
        ("ARAUTO_SERVER_SERVICE_PORT_TR2", "1234"),
        ("ARAUTO_SERVER_PORT_1234_TCP", "tcp://10.0.0.1:1234"),
        ("ARAUTO_SERVER_PORT_1234_TCP_PROTO", "tcp"),
        ("ARAUTO_SERVER_PORT_1234_TCP_PORT", "1234"),
        ("ARAUTO_SERVER_PORT_1234_TCP_ADDR", "10.0.0.1"),
        ("ARAUTO_MEDIA_PORT", "udp://10.0.0.1:1554"),
        ("ARAUTO_MEDIA_UDP_PORT", "tcp://10.0.0.1:1554"),
        ("ARAUTO_WEB_PORT_80_UDP_ADDR", "10.0.0.1"),
        ("ARAUTO_CLIENT_PORT", "tcp://10.0.0.1:1"),
    ] {
        for arguments in [
            &["config"][..],
            #[cfg(feature = "tui")]
            &["config", "--client"],
        ] {
            let output = arauto([]).args(arguments).env(variable, value).output().unwrap();
            assert!(output.status.success(), "{variable}: {output:?}");
        }
    }
    // A variable that is most likely meant for this server is still refused.
    for (variable, value) in [
        ("ARAUTO_SERVER_PORT", "1234"),
        ("ARAUTO_SERVER_PORT", "tcp:10.0.0.1"),
        ("ARAUTO_SERVER_PORT_1234", "tcp"),
        ("ARAUTO_SERVER_LISTENS", "tcp://10.0.0.1:1234"),
    ] {
        let output = arauto(["config"]).env(variable, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{variable}={value}: {output:?}");
    }
}

#[test]
fn a_variable_that_is_none_of_ours_is_left_alone() {
    for variable in ["ARAUTO_PORT", "ARAUTO_REQUIRE_TOOLS", "ARAUTO_SERVICE_HOST"] {
        let output = arauto(["config"]).env(variable, "tcp://10.0.0.1:80").output().unwrap();
        assert!(output.status.success(), "{variable}: {output:?}");
    }
    for variable in ["ARAUTO_SEVER_LISTEN", "ARAUTO_SERVER_PROT", "ARAUTO_LOGLEVEL"] {
        let output = arauto(["config"]).env(variable, "x").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{variable}: {output:?}");
    }
}
