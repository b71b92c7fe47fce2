//! Tests of refused configuration files: the messages, byte for byte.

use super::{file, in_directory};
use crate::cli::{arauto, refusal};

/// Content of a file, position and reason of the refusal, and the line with carets.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "[server]\nworkers = 65\n",
        "2:11: server.workers must be a whole number from 0 to 64",
        "2 | workers = 65\n  |           ^^",
    ),
    (
        "server.workers = -1",
        "1:18: server.workers must be a whole number from 0 to 64",
        "1 | server.workers = -1\n  |                  ^^",
    ),
    (
        "[server]\nworkers = \"3\"\n",
        "2:11: server.workers must be a whole number from 0 to 64",
        "2 | workers = \"3\"\n  |           ^^^",
    ),
    (
        "[server]\nworker = 3\n",
        "2:1: unknown key in [server]; did you mean workers?",
        "2 | worker = 3\n  | ^^^^^^",
    ),
    (
        "[server]\ncolour = 3\n",
        "2:1: unknown key in [server]; there are listen, workers, spread_above, drain_timeout, local_connections",
        "2 | colour = 3\n  | ^^^^^^",
    ),
    (
        "[log]\nmax_sessions = 3\n",
        "2:1: max_sessions belongs in section [limits]",
        "2 | max_sessions = 3\n  | ^^^^^^^^^^^^",
    ),
    ("\n\n[ sever ]\n", "3:3: unknown section; did you mean [server]?", "3 | [ sever ]\n  |   ^^^^^"),
    (
        "smtp = {}\n",
        "1:1: unknown section; there are server, tls, web, media, monitoring, cluster, limits, flood, compat, accounts, close_server, log",
        "1 | smtp = {}\n  | ^^^^",
    ),
    ("listen = \"a\"\n", "1:1: listen belongs in section [server]", "1 | listen = \"a\"\n  | ^^^^^^"),
    ("server = 5\n", "1:10: server must be a section, [server]", "1 | server = 5\n  |          ^"),
    (
        "[server]\nlisten = [\"[::1]:1\", \"localhost:2\"]\n",
        "2:22: server.listen must be 0 to 16 addresses such as \"127.0.0.1:1234\" or \"[::1]:1234\", and no names (localhost is 127.0.0.1)",
        "2 | listen = [\"[::1]:1\", \"localhost:2\"]\n  |                      ^^^^^^^^^^^^^",
    ),
    (
        "[server]\nlisten = []\n[web]\nlisten = []\n",
        "2:10: server.listen must be at least one address, because tls.listen, web.listen and web.tls_listen have none",
        "2 | listen = []\n  |          ^^",
    ),
    (
        "[web]\nlisten = []\nhosts = ['lab', 'http://lab']\n",
        "3:17: web.hosts must be 0 to 16 host names such as \"lab.example\"",
        "3 | hosts = ['lab', 'http://lab']\n  |                 ^^^^^^^^^^^^",
    ),
    (
        "[web]\ntls_listen = '[::1]:1'\n",
        "2:14: web.tls_listen must be [], because tls.certificate is not set",
        "2 | tls_listen = '[::1]:1'\n  |              ^^^^^^^^^",
    ),
    (
        "[media]\ntls_listen = '[::1]:1'\n",
        "2:14: media.tls_listen must be [], because tls.certificate is not set",
        "2 | tls_listen = '[::1]:1'\n  |              ^^^^^^^^^",
    ),
    (
        "[tls]\nlisten = '[::1]:1'\nkey = 'k'\n",
        "2:10: tls.listen must be [], because tls.certificate is not set",
        "2 | listen = '[::1]:1'\n  |          ^^^^^^^^^",
    ),
    (
        "[tls]\nlisten = '[::1]:1'\ncertificate = 'c'\n",
        "2:10: tls.listen must be [], because tls.key is not set",
        "2 | listen = '[::1]:1'\n  |          ^^^^^^^^^",
    ),
    (
        "[tls]\nkey = [\"k\"]\n",
        "2:7: tls.key must be the path of a file, or \"\" for none",
        "2 | key = [\"k\"]\n  |       ^^^^^",
    ),
    (
        "[limits]\nname_timeout = 60 # s\n",
        "2:16: limits.name_timeout must be a duration such as \"500ms\" or \"5s\", from 10ms to 1h",
        "2 | name_timeout = 60 # s\n  |                ^^",
    ),
    (
        "[limits]\nname_timeout = \"2h\"\n",
        "2:16: limits.name_timeout must be a duration such as \"500ms\" or \"5s\", from 10ms to 1h",
        "2 | name_timeout = \"2h\"\n  |                ^^^^",
    ),
    (
        "[compat]\nunframed_wait_ms = 0\n",
        "2:20: compat.unframed_wait_ms must be a whole number of milliseconds from 1 to 5000",
        "2 | unframed_wait_ms = 0\n  |                    ^",
    ),
    (
        "[close_server]\n\tallow = 'everyone'\r\n",
        "2:10: close_server.allow must be one of anyone, operators, loopback, nobody",
        "2 |  allow = 'everyone'\n  |          ^^^^^^^^^^",
    ),
    (
        "[limits]\nmessage_bytes = 4096\noutbox_bytes = 8191\n",
        "3:16: limits.outbox_bytes must be at least twice limits.message_bytes: 8192 or more",
        "3 | outbox_bytes = 8191\n  |                ^^^^",
    ),
    (
        "[accounts]\nrequired = true\n",
        "2:12: accounts.required must be false, because accounts.file is not set",
        "2 | required = true\n  |            ^^^^",
    ),
    (
        "[accounts]\nrequired = \"true\"\n",
        "2:12: accounts.required must be true or false",
        "2 | required = \"true\"\n  |            ^^^^^^",
    ),
    (
        "[accounts]\nfile = true\n",
        "2:8: accounts.file must be the path of a file, or \"\" for none",
        "2 | file = true\n  |        ^^^^",
    ),
    (
        "[cluster]\nnode = ''\nservers = ['nats://a:4222']\n",
        "2:8: cluster.node must be a name, because cluster.servers is set",
        "2 | node = ''\n  |        ^^",
    ),
    (
        "[cluster]\nnode = 'n1'\nreplicas = 2\nservers = ['nats://a:4222']\n",
        "3:12: cluster.replicas must be 1 or 3",
        "3 | replicas = 2\n  |            ^",
    ),
    (
        "[cluster]\nnode = 'n1'\nservers = ['nats://a:4222']\n[limits]\noutbox_bytes = 524287\n",
        "5:16: limits.outbox_bytes must be at least 524288, because cluster.servers is set",
        "5 | outbox_bytes = 524287\n  |                ^^^^^^",
    ),
    (
        "[cluster]\nnode = 'n1'\nservers = ['nats://a:4222']\n[limits]\nslow_reader_wait = '6s'\n",
        "5:20: limits.slow_reader_wait must be at most 5s, because cluster.servers is set",
        "5 | slow_reader_wait = '6s'\n  |                    ^^^^",
    ),
    ("[log]\nlevel = \"info\"\nlevel = \"info\"\n", "3:1: duplicate key", "3 | level = \"info\"\n  | ^^^^^"),
    ("[log\n", "1:5: unclosed table, expected `]`", "1 | [log\n  |     ^"),
    // Of two faults, the upper one is reported.
    (
        "[server]\nworkers = 65\n[limits]\nmax_sessions = 0\n",
        "2:11: server.workers must be a whole number from 0 to 64",
        "2 | workers = 65\n  |           ^^",
    ),
    (
        "# \u{1b}[2J\u{9b}\n[log]\n'\u{202e}' = 1 # \u{2028}\n",
        "1:3: invalid comment character, expected printable characters",
        "1 | # \\u{1b}[2J\\u{9b}\n  |   ^^^^^^",
    ),
    (
        "[log]\n'\u{202e}' = 1 # \u{9b}\u{2028}.\n",
        "2:1: unknown key in [log]; there are level, format",
        "2 | '\\u{202e}' = 1 # \\u{9b}\\u{2028}.\n  | ^^^^^^^^^^",
    ),
];

#[test]
fn a_refused_file_is_shown_where_and_why() {
    for (text, message, excerpt) in REFUSED {
        let directory = file(text);
        let expected = format!("arauto: a.toml:{message}\n  |\n{excerpt}\n");
        let said = |arguments| refusal(in_directory(&mut arauto(arguments), &directory));
        // `--check` reports further faults after the first.
        let check = said(["config", "--check", "a.toml"]);
        assert!(check.starts_with(&expected), "{text}: {check}");
        assert_eq!(said(["config", "--config", "a.toml"]), expected, "{text}");
    }
    let directory = file("[server]\nworkers = 65\n");
    let mut serve = arauto(["serve", "--config", "a.toml"]);
    assert!(refusal(in_directory(&mut serve, &directory)).starts_with("arauto: a.toml:2:11: "));
}

#[test]
fn what_is_no_configuration_file_is_refused() {
    let directory = file(b"[log]\nlevel = \"\xff\"\n");
    let check = |path| refusal(in_directory(&mut arauto(["config", "--check", path]), &directory));
    assert_eq!(
        check("a.toml"),
        "arauto: a.toml:2:10: not UTF-8 text\n  |\n2 | level = \"\u{fffd}\"\n  |          ^\n"
    );
    assert_eq!(check("b.toml"), "arauto: cannot read b.toml: No such file or directory (os error 2)\n");
    assert_eq!(check("."), "arauto: cannot read .: Is a directory (os error 21)\n");
    assert_eq!(check("\x1b"), "arauto: cannot read \\u{1b}: No such file or directory (os error 2)\n");
    if cfg!(target_os = "linux") {
        assert_eq!(
            check("/dev/zero"),
            "arauto: /dev/zero has more than 1048576 bytes: not a configuration\n"
        );
    }
}
