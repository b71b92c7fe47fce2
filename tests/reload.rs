//! Tests of SIGHUP: the server reads configuration and certificates again, and connected clients notice nothing.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use arauto_needs::needs;

use crate::{
    cli::{arauto, stdout, without_settings},
    harness::{
        Client, NAME_REQUEST,
        process::Process,
        tls::{Files, Issuer, TlsClient, Trust},
    },
};

/// Starts a program that reads its settings from a file.
fn serve(config: &Path) -> Process {
    Process::run(arauto(["serve", "--config", config.to_str().unwrap()]), &[])
}

/// A configuration for TLS with the certificate of these files.
fn with_tls(files: &Files, more: &str) -> String {
    format!(
        "[tls]\nlisten = '127.0.0.1:0'\ncertificate = '{}'\nkey = '{}'\n{more}",
        files.certificate.display(),
        files.key.display()
    )
}

/// Returns the certificate that the server showed.
fn shown(client: &TlsClient) -> Vec<u8> {
    client.certificate().to_vec()
}

#[test]
fn a_new_certificate_is_shown_to_who_connects_next_and_the_others_stay() {
    let issuer = Issuer::new();
    let (first, second) = (issuer.issue("first", "first"), issuer.issue("second", "second"));
    let config = issuer.file("a.toml");
    // The page's address shows the same certificate.
    let page = "[web]\ntls_listen = '127.0.0.1:0'\n";
    fs::write(&config, with_tls(&first, page)).unwrap();
    let process = serve(&config);
    let address = process.tls_address();
    let by_https = || shown(&Trust::of(&issuer).connect_silently(process.secure_web_address()));
    assert_eq!(by_https(), first.der);
    let mut alan = Trust::of(&issuer).join(address, "alan");
    assert_eq!(shown(&alan), first.der);

    // New content in the files of the first certificate.
    fs::copy(&second.certificate, &first.certificate).unwrap();
    fs::copy(&second.key, &first.key).unwrap();
    process.signal("HUP");
    let reloaded = process.logged("reloaded");
    assert_eq!((&reloaded["certificate"], &reloaded["changes"]), (&"new".into(), &0.into()));
    let mut bob = Trust::of(&issuer).join(address, "bob");
    assert_eq!(shown(&bob), second.der);
    assert_eq!(by_https(), second.der);
    alan.ask("/all still here", "alan | all clients | broadcast | still here");
    bob.expect("alan | all clients | broadcast | still here");

    // Different files.
    let third = issuer.issue("third", "third");
    fs::write(&config, with_tls(&third, page)).unwrap();
    process.signal("HUP");
    let changed = process.logged("setting changed");
    assert_eq!(changed["setting"], "tls.certificate");
    assert_eq!(changed["to"], format!("\"{}\"", third.certificate.display()));
    assert_eq!(changed["applies"], "to new sessions");
    assert_eq!(process.logged("reloaded")["changes"], 2);
    assert_eq!(shown(&Trust::of(&issuer).connect(address)), third.der);

    process.signal("HUP");
    assert_eq!(process.logged("reloaded")["certificate"], "same");
}

#[test]
fn what_cannot_be_used_is_refused_with_why_and_the_old_stays() {
    let issuer = Issuer::new();
    let (first, second) = (issuer.issue("first", "first"), issuer.issue("second", "second"));
    let config = issuer.file("a.toml");
    fs::write(&config, with_tls(&first, "")).unwrap();
    let process = serve(&config);
    let address = process.tls_address();
    let mut alan = Trust::of(&issuer).join(address, "alan");

    let refused = |why: &str| {
        process.signal("HUP");
        let error = process.logged("reload refused; nothing changed")["error"].clone();
        assert_eq!(error, why);
        assert_eq!(shown(&Trust::of(&issuer).connect(address)), first.der);
    };
    let (path, folder) = (config.display(), config.parent().unwrap().display());
    fs::write(&config, with_tls(&second, "[close_server]\nallow = 'everyone'\n")).unwrap();
    refused(&format!("{path}:6:9: close_server.allow must be one of anyone, operators, loopback, nobody"));
    fs::write(&config, with_tls(&first, "[limits]\noutbox_bytes = 4096\nmessage_bytes = 64\n")).unwrap();
    process.signal("HUP");
    // Accepted, because the change of `limits.message_bytes` needs a restart and the rest is valid without it.
    assert_eq!(process.logged("this setting needs a restart to change")["setting"], "limits.message_bytes");
    process.logged("reloaded");
    fs::write(
        &config,
        with_tls(&second, "[close_server]\nallow = 'nobody'\n").replace("second.key", "first.key"),
    )
    .unwrap();
    refused(&format!(
        "tls.key: the key in {folder}/first.key does not belong to the first certificate in {folder}/second.pem"
    ));
    fs::remove_file(&config).unwrap();
    refused(&format!("cannot read {path}: No such file or directory (os error 2)"));
    alan.ask("/echo still here", "alan | alan | echo | still here");
    // Nothing of the refused files was applied.
    alan.ask("/close", "server | all clients | broadcast | server closed");
}

#[test]
fn settings_change_at_once_for_new_sessions_or_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("a.toml");
    fs::write(&config, "").unwrap();
    let process = serve(&config);
    let mut alan = process.join("alan");
    let mut nameless = Client::to(process.address());
    nameless.expect(NAME_REQUEST);
    // The session has begun once an option of telnet is refused.
    nameless.send_bytes(b"\xff\xfb\x18");
    nameless.expect_bytes(b"\xff\xfe\x18");
    nameless.ending = "\r\n";

    fs::write(
        &config,
        "[server]\nworkers = 7\n[limits]\nname_timeout = '10ms'\n[close_server]\nallow = 'nobody'\n[log]\nlevel = 'debug'\n",
    )
    .unwrap();
    process.signal("HUP");
    let restart = process.logged("this setting needs a restart to change");
    assert_eq!((&restart["setting"], &restart["to"]), (&"server.workers".into(), &"7".into()));
    for (setting, from, to, applies) in [
        ("limits.name_timeout", "\"1m\"", "\"10ms\"", "to new sessions"),
        ("close_server.allow", "\"loopback\"", "\"nobody\"", "at once"),
        ("log.level", "\"info\"", "\"debug\"", "at once"),
    ] {
        let changed = process.logged("setting changed");
        let said = ["setting", "from", "to", "applies"].map(|key| changed[key].as_str().unwrap());
        assert_eq!(said, [setting, from, to, applies]);
    }
    assert_eq!(process.logged("reloaded")["changes"], 4);

    let mut late = Client::to(process.address());
    late.expect(NAME_REQUEST);
    late.expect(
        "server | client | connection_error | No name came within 10ms. Connect again and type your name and Enter",
    );
    alan.ask("/close", "server | alan | error_message | Nobody may close this server by a message");
    process.logged("Server receive: \"/close\"");
    nameless.send("bob");
    nameless.expect("server | bob | connection_confirmation | You are now connected to the server");

    // A setting that needs a restart is reported at each reload until the restart.
    process.signal("HUP");
    process.logged("this setting needs a restart to change");
    assert_eq!(process.logged("reloaded")["changes"], 1);
}

#[needs("python3")]
#[test]
fn a_terminal_that_is_closed_ends_what_runs_in_it() {
    const IN_A_TERMINAL: &str = "
import os, pty, signal, sys
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
def shown(text):
    seen = b''
    while text not in seen:
        seen += os.read(terminal, 4096)
shown(b'started')
os.kill(child, signal.SIGHUP)
shown(b'reloaded')
os.close(terminal)
signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
signal.alarm(20)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";
    let mut python = Command::new("python3");
    let arauto = env!("CARGO_BIN_EXE_arauto");
    python.args(["-c", IN_A_TERMINAL, arauto, "serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    without_settings(&mut python);
    assert_eq!(stdout(&mut python), "0\n");
}

#[test]
fn a_hundred_reloads_under_traffic_lose_nothing() {
    let issuer = Issuer::new();
    let pair = [issuer.issue("first", "first"), issuer.issue("second", "second")];
    let config = issuer.file("a.toml");
    fs::write(&config, with_tls(&pair[0], "")).unwrap();
    let process = serve(&config);
    let address = process.tls_address();
    let done = AtomicBool::new(false);
    let mut sender = Trust::of(&issuer).join(address, "sender");
    let mut over_tls = Trust::of(&issuer).join(address, "over tls");
    let mut over_tcp = process.join("over tcp");
    thread::scope(|scope| {
        let (is_done, numbers) = (&done, 0_u32..);
        scope.spawn(move || {
            for number in numbers {
                let last = is_done.load(Ordering::Relaxed);
                let text = if last { "end".to_owned() } else { number.to_string() };
                sender.ask(&format!("/all {text}"), &format!("sender | all clients | broadcast | {text}"));
                if last {
                    break;
                }
            }
        });
        let readers = [
            scope.spawn(move || read_to_the_end(|| over_tls.line())),
            scope.spawn(move || read_to_the_end(|| over_tcp.line())),
        ];
        // Set even if this thread panics, because the scope waits for the sender.
        let ends = SetOnDrop(&done);
        for round in 0..100 {
            let limit = if round % 3 == 0 { "not a number".to_owned() } else { (4096 + round).to_string() };
            let more = format!("[limits]\ninflight_bytes = {limit}\n");
            fs::write(&config, with_tls(&pair[round % 2], &more)).unwrap();
            process.signal("HUP");
            if round % 3 == 0 {
                process.logged("reload refused; nothing changed");
            } else {
                process.logged("reloaded");
                let newcomer = Trust::of(&issuer).join(address, &format!("newcomer {round}"));
                assert_eq!(shown(&newcomer), pair[round % 2].der);
            }
        }
        drop(ends);
        let read = readers.map(|reader| reader.join().unwrap());
        assert_eq!(read[0], read[1]);
        assert!(read[0] > 0);
    });
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads the numbers that a sender counts, up to its end. Returns how many.
fn read_to_the_end(mut line: impl FnMut() -> String) -> u32 {
    for expected in 0.. {
        let line = line();
        let text =
            line.strip_prefix("sender | all clients | broadcast | ").unwrap_or_else(|| panic!("{line}"));
        if text == "end" {
            return expected;
        }
        assert_eq!(text, expected.to_string());
    }
    unreachable!("numbers do not end")
}
