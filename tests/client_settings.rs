//! Tests of the client's settings: their layers, refusals, and the effect of each setting.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use arauto::config::CommandLine;
use arauto_client::{Settings, settings};
use tempfile::TempDir;

use crate::{
    accounts::{AccountsFile, PASSWORD},
    cli::{arauto, refusal, stdout},
    harness::{TestServer, tls::Issuer},
};

/// A value other than the default for each setting: the variable, its value, and the line that `config` shows for it.
const OTHERS: &[(&str, &str, &str)] = &[
    ("NAME", " José \"Zé\" ", r#"name = "José \"Zé\"""#),
    ("SERVER", "[::1]", r#"server = "[::1]:1234""#),
    ("COLOURS", "never", r#"colours = "never""#),
    ("TLS", "true", "tls = true"),
    ("CA", "/a \"b\".pem", r#"ca = "/a \"b\".pem""#),
    ("CERT", "/cert.pem", r#"cert = "/cert.pem""#),
    ("KEY", "/key.pem", r#"key = "/key.pem""#),
    ("PASSWORD_FILE", "/dev/fd/3", r#"password_file = "/dev/fd/3""#),
    ("SHARE_ASK", "true", "ask = true"),
    ("AUDIO_PORTS", "1554,8000-8999", r#"ports = "1554, 8000-8999""#),
    ("AUDIO_ALLOW_PLAIN", "true", "allow_plain = true"),
];

/// A user's settings: a folder with `arauto/client.toml`.
struct Home(TempDir);

impl Home {
    fn new(text: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir(home.0.path().join("arauto")).unwrap();
        fs::write(home.file(), text).unwrap();
        home
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("arauto/client.toml")
    }

    fn shown(&self) -> String {
        self.file().display().to_string()
    }

    /// `arauto` with these settings.
    fn arauto<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = arauto(arguments);
        command.env("XDG_CONFIG_HOME", self.0.path()).env_remove("ARAUTO_CLIENT_AUDIO_PORTS");
        command
    }
}

fn load(file: &Path) -> settings::Loaded {
    let command_line = CommandLine { file: Some(file.to_owned()), flags: Vec::new() };
    settings::load(&command_line, []).unwrap()
}

#[test]
fn the_file_that_comes_with_it_is_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/client.toml");
    let loaded = load(&path);
    assert_eq!(loaded.config, Settings::default());
    assert!(!loaded.to_string().contains("# default"), "not in the file: {loaded}");
    let text = fs::read_to_string(path).unwrap();
    for setting in settings::describe() {
        assert!(text.contains(&setting.variable), "{} is not mentioned", setting.variable);
    }
}

#[test]
fn flag_over_environment_over_file_over_default() {
    let ports: Vec<_> = (0..3).map(|_| TestServer::start()).collect();
    let _there: Vec<_> = ports.iter().zip(["anna", "bob", "carol"]).map(|(at, name)| at.join(name)).collect();
    let [flag, variable, file] = [0, 1, 2].map(|index: usize| ports[index].address().to_string());
    let home = Home::new(&format!("server = '{file}'\n"));
    assert_eq!(stdout(&mut home.arauto(["list"])), "carol\n");
    assert_eq!(stdout(home.arauto(["list"]).env("ARAUTO_CLIENT_SERVER", &variable)), "bob\n");
    let mut all = home.arauto(["list", "--server", &flag]);
    assert_eq!(stdout(all.env("ARAUTO_CLIENT_SERVER", &variable)), "anna\n");

    let mut listing = home.arauto(["config", "--client"]);
    assert_eq!(
        stdout(listing.env("ARAUTO_CLIENT_NAME", "ana")),
        format!(
            "name = \"ana\"  # environment ARAUTO_CLIENT_NAME\n\
             server = \"{file}\"  # file {}:1\n\
             colours = \"auto\"  # default\n\
             tls = false  # default\n\
             ca = \"\"  # default\n\
             cert = \"\"  # default\n\
             key = \"\"  # default\n\
             password_file = \"\"  # default\n\
             [share]\n\
             ask = false  # default\n\n\
             [audio]\n\
             ports = \"322, 554, 1554, 8554\"  # default\n\
             allow_plain = false  # default\n",
            home.shown()
        )
    );
}

#[test]
fn every_variable_is_heeded_and_the_listing_gives_the_same_again() {
    assert_eq!(OTHERS.len(), settings::describe().count());
    let variables = OTHERS
        .iter()
        .map(|(name, value, _)| (OsString::from(format!("ARAUTO_CLIENT_{name}")), OsString::from(value)));
    let given = settings::load(&CommandLine::default(), variables).unwrap();
    let listing = given.to_string();
    for (variable, _, line) in OTHERS {
        let line = format!("{line}  # environment ARAUTO_CLIENT_{variable}\n");
        assert!(listing.contains(&line), "{line}: {listing}");
    }
    let home = Home::new(&listing);
    assert_eq!(load(&home.file()).config, given.config);
    assert_ne!(given.config, Settings::default());
    assert_eq!(given.config.name(None).as_deref(), Some("José \"Zé\""));
}

#[test]
fn the_file_is_where_others_keep_theirs_or_where_one_says() {
    let (mine, other) = (Home::new("name = 'mine'\n"), Home::new("name = 'other'\n"));
    let listing = |command: &mut Command| stdout(command.args(["config", "--client"]));
    let shown = |name: &str, home: &Home| format!("name = \"{name}\"  # file {}:1\n", home.shown());
    assert!(listing(&mut mine.arauto([])).starts_with(&shown("mine", &mine)));
    assert!(
        listing(mine.arauto([]).env("ARAUTO_CLIENT_CONFIG", other.file()))
            .starts_with(&shown("other", &other))
    );
    // If `$XDG_CONFIG_HOME` is not set, or is a relative path, which must be ignored, the file is below the home
    // folder.
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".config")).unwrap();
    fs::rename(mine.0.path().join("arauto"), home.path().join(".config/arauto")).unwrap();
    let expected =
        format!("name = \"mine\"  # file {}/.config/arauto/client.toml:1\n", home.path().display());
    for relative in [None, Some("settings")] {
        let mut command = arauto([]);
        command.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME");
        command.envs(relative.map(|relative| ("XDG_CONFIG_HOME", relative)));
        assert!(listing(&mut command).starts_with(&expected), "{relative:?}");
    }
    // The file is optional, even if the folder for it does not exist.
    for nowhere in ["/no/such/folder", "/dev/null"] {
        let mut command = arauto([]);
        assert!(listing(command.env("XDG_CONFIG_HOME", nowhere)).starts_with("name = \"\"  # default\n"));
    }
    // But a file that is named must exist.
    assert_eq!(
        refusal(&mut mine.arauto(["list", "--config", "/no/such/file"])),
        "arauto: cannot read /no/such/file: No such file or directory (os error 2)\n"
    );
}

/// Content of a file, position and reason of the refusal, and the line with carets.
const REFUSED: &[(&str, &str, &str)] = &[
    ("nmae = 'ana'\n", "1:1: unknown key; did you mean name?", "1 | nmae = 'ana'\n  | ^^^^"),
    (
        "\nlisten = '[::1]:1'\n",
        "2:1: unknown key; there are name, server, colours, tls, ca, cert, key, password_file",
        "2 | listen = '[::1]:1'\n  | ^^^^^^",
    ),
    ("ask = true\n", "1:1: ask belongs in section [share]", "1 | ask = true\n  | ^^^"),
    ("[shared]\nask = true\n", "1:2: unknown section; did you mean [share]?", "1 | [shared]\n  |  ^^^^^^"),
    ("[share]\nname = 'ana'\n", "2:1: name belongs before the first section", "2 | name = 'ana'\n  | ^^^^"),
    ("[share]\nask = 1\n", "2:7: share.ask must be true or false", "2 | ask = 1\n  |       ^"),
    (
        "name = 'all clients'\n",
        "1:8: name must be a name of at most 32 characters without | , or control characters, or \"\" for none",
        "1 | name = 'all clients'\n  |        ^^^^^^^^^^^^^",
    ),
    (
        "server = '::1'\n",
        "1:10: server must be a host, with or without a port, such as \"chat.example\", \"192.0.2.1:1234\" or \"[::1]:1234\", and no URL; or up to 16 of them, separated by commas",
        "1 | server = '::1'\n  |          ^^^^^",
    ),
    (
        "colours = true\n",
        "1:11: colours must be one of auto, always, never",
        "1 | colours = true\n  |           ^^^^",
    ),
    (
        "password = 'open sesame'\n",
        "1:1: unknown key; did you mean password_file?",
        "1 | password = 'open sesame'\n  | ^^^^^^^^",
    ),
    (
        "ca = 'ca.pem'\n",
        "1:6: ca must be \"\", because tls is not true",
        "1 | ca = 'ca.pem'\n  |      ^^^^^^^^",
    ),
    (
        "tls = false\nkey = 'key.pem'\n",
        "2:7: key must be \"\", because tls is not true",
        "2 | key = 'key.pem'\n  |       ^^^^^^^^^",
    ),
];

#[test]
fn a_refused_file_is_shown_where_and_why() {
    for (text, message, excerpt) in REFUSED {
        let home = Home::new(text);
        let expected = format!("arauto: {}:{message}\n  |\n{excerpt}\n", home.shown());
        let said = |mut command: Command| refusal(&mut command);
        assert_eq!(said(home.arauto(["config", "--client"])), expected, "{text}");
        assert_eq!(said(home.arauto(["list"])), expected, "{text}");
        assert_eq!(said(arauto(["list", "--config", &home.shown()])), expected, "{text}");
        // `--check` reports further faults after the first.
        let check = said(arauto(["config", "--client", "--check", &home.shown()]));
        assert!(check.starts_with(&expected), "{text}: {check}");
    }
    let home = Home::new("name = 'ana'\n");
    assert_eq!(
        stdout(&mut arauto(["config", "--client", "--check", &home.shown()])),
        format!("{}: ok\n", home.shown())
    );
    // The server refuses the client's file.
    let home = Home::new("password_file = 'x'\n");
    let check = refusal(&mut arauto(["config", "--check", &home.shown()]));
    assert!(check.contains(": unknown section; "), "{check}");
}

#[test]
fn a_refused_variable_or_flag_is_named() {
    let refused = |name, value| refusal(arauto(["list"]).env(name, value));
    assert_eq!(
        refused("ARAUTO_CLIENT_COLOURS", "yes\x1b"),
        "arauto: ARAUTO_CLIENT_COLOURS must be one of auto, always, never, not \"yes\\u{1b}\"\n"
    );
    assert_eq!(
        refused("ARAUTO_CLIENT_SERVR", "localhost"),
        "arauto: ARAUTO_CLIENT_SERVR is unknown; did you mean ARAUTO_CLIENT_SERVER?\n"
    );
    assert_eq!(
        refused("ARAUTO_CLIENT_CA", "/ca.pem"),
        "arauto: ARAUTO_CLIENT_CA must be \"\", because tls is not true, not \"/ca.pem\"\n"
    );
    assert_eq!(
        refusal(&mut arauto(["list", "--tls=false", "--ca", "/ca.pem"])),
        "arauto: --ca must be \"\", because tls is not true, not \"/ca.pem\"\n"
    );
}

#[test]
fn the_server_and_the_client_mind_their_own_variables() {
    let server = TestServer::start();
    let _alan = server.join("alan");
    let mut list = arauto(["list", "--server", &server.address().to_string()]);
    assert_eq!(stdout(list.env("ARAUTO_SERVER_WORKERS", "many").env("ARAUTO_CONFIG", "/no/such")), "alan\n");
    let mut config = arauto(["config"]);
    assert!(
        stdout(config.env("ARAUTO_CLIENT_SERVER", "::").env("ARAUTO_CLIENT_NONE", "")).contains("[server]")
    );
}

#[test]
fn files_are_seen_from_the_file_and_tls_can_be_left_out_for_a_call() {
    let issuer = Issuer::new();
    let server = TestServer::with(|config| issuer.issue("server", "a server").serve(config));
    let _alan = server.join("alan");
    let encrypted = format!("localhost:{}", server.tls_address().port());
    let home = Home::new(&format!("server = '{encrypted}'\ntls = true\nca = 'ca.pem'\n"));
    fs::copy(issuer.ca(), home.0.path().join("arauto/ca.pem")).unwrap();
    assert_eq!(stdout(&mut home.arauto(["list"])), "alan\n");
    let plain = server.address().to_string();
    assert_eq!(stdout(&mut home.arauto(["list", "--server", &plain, "--tls=false"])), "alan\n");
}

/// A password file in the settings is only for the server in the settings: the operator of another server could ask for
/// the password to learn it.
#[test]
fn a_password_in_the_file_is_for_the_server_in_the_file() {
    let accounts = AccountsFile::new();
    let (server, other) = (accounts.serve(|_| {}), accounts.serve(|_| {}));
    let _there = [server.join("carol"), other.join("carol")];
    let home = Home::new(&format!("server = '{}'\npassword_file = 'password'\n", server.address()));
    let password = home.0.path().join("arauto/password");
    fs::write(&password, PASSWORD).unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(stdout(&mut home.arauto(["list", "--as", "alan"])), "carol\n");

    let elsewhere = other.address().to_string();
    let mut list = home.arauto(["list", "--as", "alan", "--server", &elsewhere]);
    let output = list.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let mut list = home.arauto(["list", "--as", "alan", "--server", &elsewhere]);
    assert_eq!(stdout(list.args(["--password-file", password.to_str().unwrap()])), "carol\n");
}
