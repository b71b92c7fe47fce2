//! Tests of the page in a real browser: runs `tests/browser/`, some of the files against a server of their own.

use std::{
    ffi::OsString,
    fs,
    net::TcpListener,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use arauto_needs::needs;
use arauto_protocol::hidden::hidden;
use tempfile::TempDir;

use crate::cli::without_settings;

/// A server that a script can kill and start again at the same addresses.
struct Restartable {
    folder: TempDir,
    tcp: u16,
    web: u16,
}

impl Restartable {
    fn start() -> Self {
        let (tcp, web, media) = (free_port(), free_port(), free_port());
        let folder = tempfile::tempdir().unwrap();
        // A killed server may hold its addresses for a moment longer, so the script tries again. It removes the log first,
        // because the log of the server before says "started" as well.
        let script = format!(
            "cd '{}' || exit 1\n\
             [ -f pid ] && kill -9 \"$(cat pid)\"\n\
             for try in $(seq 100); do\n\
             rm -f log\n\
             ARAUTO_SERVER_LISTEN=127.0.0.1:{tcp} ARAUTO_WEB_LISTEN=127.0.0.1:{web} ARAUTO_MONITORING_LISTEN= \
             ARAUTO_MEDIA_LISTEN=127.0.0.1:{media} \
             '{}' serve </dev/null >log 2>&1 &\n\
             echo $! >pid\n\
             until grep -qs started log; do kill -0 \"$(cat pid)\" 2>/dev/null || continue 2; done\n\
             exit 0\n\
             done\n\
             cat log; exit 1\n",
            folder.path().display(),
            env!("CARGO_BIN_EXE_arauto"),
        );
        fs::write(folder.path().join("start"), script).unwrap();
        let server = Self { folder, tcp, web };
        let mut start = Command::new("sh");
        without_settings(&mut start);
        assert!(start.arg(server.script()).stdin(Stdio::null()).status().unwrap().success());
        server
    }

    fn script(&self) -> PathBuf {
        self.folder.path().join("start")
    }
}

impl Drop for Restartable {
    fn drop(&mut self) {
        // The last test may have closed the server.
        let kill = "kill -9 \"$(cat pid)\" 2>/dev/null || true";
        let _ = Command::new("sh").args(["-c", kill]).current_dir(self.folder.path()).status();
    }
}

/// Returns a port that is free now and not among those that the system gives to clients, so that a server can bind it
/// again later.
fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(10_000..32_000));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// Runs a test file with `node --test`, against this server if it needs one.
fn run(file: &str, server: Option<&Restartable>) {
    let Some(server) = server else { return run_with(file, []) };
    run_with(
        file,
        [
            ("ARAUTO_URL", format!("http://127.0.0.1:{}/", server.web).into()),
            ("ARAUTO_TCP", server.tcp.to_string().into()),
            ("ARAUTO_RESTART", format!("sh '{}'", server.script().display()).into()),
            ("ARAUTO_CLOSE", "1".into()),
        ],
    );
}

/// Runs a test file with these variables. The reporter repeats failed tests at the end of its output.
fn run_with<const COUNT: usize>(file: &str, variables: [(&str, OsString); COUNT]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let mut node = Command::new("node");
    node.current_dir(&folder).args(["--test", "--test-reporter=spec", file]).stdin(Stdio::null());
    let output = node.envs(variables).output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
fn what_the_page_knows() {
    run("state.test.js", None);
    run("connection.test.js", None);
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn the_page_as_people_use_it() {
    run("page.test.js", Some(&Restartable::start()));
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules", "ffmpeg")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn sound_is_heard() {
    run("sound.test.js", Some(&Restartable::start()));
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn files_streams_and_the_player() {
    run("files.test.js", None);
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn a_click_acts_on_what_was_pressed() {
    run("press.test.js", None);
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn the_list_shows_conversations_and_people() {
    run("list.test.js", None);
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn short_forms_are_carried_out() {
    run("commands.test.js", None);
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn whoever_comes_after_a_leave_begins_empty() {
    run("leaving.test.js", None);
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn a_page_is_right_again_after_a_cut() {
    run("cuts.test.js", None);
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn a_server_that_stops_answering_is_noticed() {
    run("liveness.test.js", None);
}

/// Texts in which each character takes the place of `X`: it may be hidden, or another one needed because of it.
const CONTEXTS: [&str; 14] = [
    "X",
    "aXb",
    "سXس",
    "❤X",
    "葛X",
    "ᠠX",
    "X\u{200c}",
    "\u{200c}X",
    "X\u{301}\u{200d}",
    "X\u{200c}X",
    "👩\u{200d}X",
    "X\u{fe0f}\u{200d}💻",
    "X\u{fe0f}X\u{e0100}X\u{180b}",
    "\u{1f3f4}\u{e0067}XX\u{e007f}",
];

/// Characters that are compared: of the ideographs, the first of those that a long range holds.
const COMPARED: [RangeInclusive<char>; 2] = ['\u{1}'..='\u{200ff}', '\u{e0000}'..='\u{e0fff}'];

/// The compared characters, and the contexts with those that the server refuses in them, in JSON.
fn refused() -> serde_json::Value {
    let is_refused =
        |context: &str, c: char| hidden(&context.replace('X', c.encode_utf8(&mut [0; 4]))).next().is_some();
    let refused = |context: &str| -> Vec<u32> {
        let compared = COMPARED.into_iter().flatten();
        compared.filter(|c| is_refused(context, *c)).map(u32::from).collect()
    };
    let contexts =
        CONTEXTS.map(|context| serde_json::json!({ "context": context, "refused": refused(context) }));
    let compared = COMPARED.map(|range| (u32::from(*range.start()), u32::from(*range.end())));
    serde_json::json!({ "compared": compared, "contexts": contexts })
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn the_page_holds_back_what_the_server_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hidden.json");
    fs::write(&file, refused().to_string()).unwrap();
    run_with("hidden.test.js", [("ARAUTO_HIDDEN", file.into_os_string())]);
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn long_names_look_different() {
    run("names.test.js", None);
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn names_languages_and_input_methods() {
    run("input.test.js", None);
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules", "nginx")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn the_page_behind_nginx() {
    run("proxy.test.js", Some(&Restartable::start()));
}

#[needs("node", "chromium", "nc", "tests/browser/node_modules")]
#[test]
#[ignore = "slow: drives Chromium for half a minute or more"]
fn ten_thousand_messages_and_five_thousand_people() {
    run("load.test.js", None);
}
