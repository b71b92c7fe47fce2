//! Tests of moderation: operators' rights, kicks, and bans with and without an end.

use std::{fs, net::SocketAddr, path::PathBuf, process::Command};

use arauto::{config::Allow, server::Ended};
use arauto_needs::needs;
use socket2::{Domain, Socket, Type};

use super::{AccountsFile, PASSWORD, log_in, not_let_in, password_request};
use crate::{
    cli::{arauto, refusal, without_settings},
    harness::{Client, NAME_REQUEST, TestServer, confirmation, process::Process, wait_until},
};

const IN_MEMORY: &str = ". This lasts until the server ends, because accounts.bans_file is not set";

/// Connects from the loopback address `address`.
pub(super) fn connect_from(address: &str, server: SocketAddr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(address.parse().unwrap(), 0).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    Client::from_stream(socket.into())
}

fn join_from(address: &str, server: &TestServer, name: &str) -> Client {
    let mut client = connect_from(address, server.address());
    client.expect(NAME_REQUEST);
    client.ask(name, &confirmation(name));
    client
}

#[test]
fn only_operators_may_and_only_they_are_shown_how() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    // An account without the right, and a client without an account.
    let mut bob = log_in(&server, "bob");
    let mut carl = server.join("carl");
    for (name, client) in [("bob", &mut bob), ("carl", &mut carl)] {
        for (line, operation) in [
            ("/kick carl", "kick"),
            ("/ban carl 1h rude", "ban"),
            ("/ban 127.0.0.1", "ban"),
            ("/unban carl", "unban"),
            ("/bans", "list_bans"),
            (&format!("{name} | carl | kick | rude"), "kick"),
        ] {
            let why = format!("Only operators of this server may use {operation}");
            client.ask(line, &format!("server | {name} | error_message | {why}"));
        }
        client.send("/help");
        for _ in 0..15 {
            let line = client.line();
            assert!(!line.contains("kick") && !line.contains("ban"), "{line}");
        }
        client.expect_nothing_before_an_echo(name);
    }
    let mut alan = log_in(&server, "alan");
    alan.send("/help");
    let help: Vec<String> = (0..19).map(|_| alan.line()).collect();
    assert_eq!(
        help[14..18],
        [
            "server | alan | help | /kick bob being rude: disconnect a user, who may come back; the reason may be left out \
             (kick)",
            "server | alan | help | /ban bob 1h being rude: keep a name out, or addresses such as 192.0.2.7 or \
             2001:db8::/48, but not both at once; time and reason may be left out (ban)",
            "server | alan | help | /unban bob: let a name or addresses in again (unban)",
            "server | alan | help | /bans: who is kept out (list_bans)",
        ]
    );
    alan.ask("/bans", "server | alan | list_bans | nobody is banned");
}

#[test]
fn operators_may_close_the_server_where_they_alone_may() {
    let file = AccountsFile::new();
    let server = file.serve(|config| config.close_server.allow = Allow::Operators);
    let mut bob = log_in(&server, "bob");
    bob.ask("/close", "server | bob | error_message | Only an operator of this server may close it");
    let mut alan = log_in(&server, "alan");
    alan.ask("/close", "server | all clients | broadcast | server closed");
    bob.expect("server | all clients | broadcast | server closed");
    drop((alan, bob));
    assert_eq!(server.ended().unwrap(), Ended::Closed);
}

#[test]
fn who_is_kicked_is_told_by_whom_and_why_and_may_come_back() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut alan = log_in(&server, "alan");
    let joins: [fn(&TestServer, &str) -> Client; 3] =
        [TestServer::join, TestServer::join_by_telnet, TestServer::join_unframed];
    for join in joins {
        let mut carl = join(&server, "carl");
        alan.ask("/kick carl being rude | twice", "server | alan | kick | carl was disconnected");
        carl.expect("server | carl | error_message | You were disconnected by alan: being rude | twice");
        carl.expect_closed();
    }
    let mut ana = server.join("Ana Maria");
    alan.ask("alan | ana maria | kick | no data", "server | alan | kick | Ana Maria was disconnected");
    ana.expect("server | Ana Maria | error_message | You were disconnected by alan");
    ana.expect_closed();
    // Anything that a kicked client still sends is ignored, and its name is free at once.
    let mut carl = server.join("carl");
    alan.send_bytes(b"/kick carl\n/list\n");
    alan.expect("server | alan | kick | carl was disconnected");
    alan.expect("server | alan | list_clients | clients connected: alan");
    carl.expect("server | carl | error_message | You were disconnected by alan");
    alan.ask("/kick carl", "server | alan | kick | Destination client (carl) not found!");
    alan.ask(
        "/kick",
        "server | alan | error_message | After /kick a name is missing. Type: /kick bob being rude",
    );
    alan.ask(
        "alan |  | kick | rude",
        "server | alan | error_message | DESTINATION is missing: who is meant? Type: /kick bob being rude",
    );
}

#[test]
fn a_banned_name_is_refused_until_it_is_let_in_again() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut alan = log_in(&server, "alan");
    let mut carl = server.join("carl");
    alan.ask(
        "/ban Carl being rude",
        &format!(
            "server | alan | ban | Carl is banned for good by alan: being rude (1 session ended); that is a name{IN_MEMORY}"
        ),
    );
    carl.expect("server | carl | error_message | You were banned by alan: being rude");
    carl.expect_closed();
    let mut again = server.connect();
    again.ask("CARL", &not_let_in("CARL", "The name CARL is banned for good by alan: being rude"));
    again.expect_closed();
    // The ban is of the name, not of the address.
    server.join("carla");
    alan.ask("/bans", "server | alan | list_bans | Carl for good by alan: being rude");
    alan.ask("/unban cArL", &format!("server | alan | unban | cArL is no longer banned{IN_MEMORY}"));
    alan.ask("/unban carl", "server | alan | error_message | carl is not banned. /bans shows who is");
    server.join("carl");
}

#[test]
fn a_ban_of_a_name_holds_for_names_that_look_the_same() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut alan = log_in(&server, "alan");
    let mut here = server.join("maIlory");
    alan.ask(
        "/ban mallory being rude",
        &format!(
            "server | alan | ban | mallory is banned for good by alan: being rude (1 session ended); that is a name{IN_MEMORY}"
        ),
    );
    here.expect("server | maIlory | error_message | You were banned by alan: being rude");
    here.expect_closed();
    let why = "it looks like mallory, who is banned (for good by alan: being rude)";
    server.connect().ask("mallоry", &not_let_in("mallоry", &format!("mallоry has Cyrillic о; {why}")));
    server.connect().ask(
        "ma11ory",
        &not_let_in(
            "ma11ory",
            "ma11ory looks like mallory, who is banned: 11 looks like ll (for good by alan: being rude)",
        ),
    );
    alan.ask(
        "/unban mallоry",
        "server | alan | error_message | mallоry is not banned, but mallory is, and looks the same. Type: /unban mallory",
    );
    alan.ask("/bans", "server | alan | list_bans | mallory for good by alan: being rude");
    alan.ask("/unban Mallory", &format!("server | alan | unban | Mallory is no longer banned{IN_MEMORY}"));
    server.join("mallоry");
    // An operator cannot ban the look of their own name. An account's owner is not banned by a look-alike name.
    alan.ask(
        "/ban a1an",
        "server | alan | error_message | a1an was not banned, because that would keep you out as well",
    );
    let mut bob = log_in(&server, "bob");
    alan.ask(
        "/ban b0b",
        &format!("server | alan | ban | b0b is banned for good by alan (0 sessions ended); that is a name{IN_MEMORY}"),
    );
    bob.expect_nothing_before_an_echo("bob");
    bob.ask("/exit", "server | bob | exit | client disconnected");
    log_in(&server, "bob");
}

#[test]
fn what_may_be_a_mistyped_address_is_not_banned_as_a_name() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut alan = log_in(&server, "alan");
    let v4 = "it looks like an IPv4 address and is none: one has four decimal numbers from 0 to 255 without zeros before them, \
              such as 192.0.2.7 or 192.0.2.0/24";
    let v6 = "it looks like an IPv6 address and is none: one has no brackets, port or zone, such as 2001:db8::7 or 2001:db8::/48";
    for (typed, why) in [
        ("198.51.100.060", v4),
        ("0xc6.51.100.60", v4),
        ("198.51.100", v4),
        ("1.2.3.4.", v4),
        ("[::1]", v6),
        ("fe80::1%eth0", v6),
    ] {
        alan.ask(
            &format!("/ban {typed} 1h"),
            &format!("server | alan | error_message | {typed} was not banned: {why}"),
        );
    }
    alan.ask(
        "/ban 10.0.0.0/33",
        "server | alan | error_message | Behind the / of a network stands a number of bits, for IPv4 from 8 to 32, for IPv6 from \
         16 to 128",
    );
    alan.ask("/bans", "server | alan | list_bans | nobody is banned");
    // Such a text is banned as a name if a client with that name is connected.
    let mut here = server.join("1.2.3");
    alan.ask(
        "/ban 1.2.3",
        &format!("server | alan | ban | 1.2.3 is banned for good by alan (1 session ended); that is a name{IN_MEMORY}"),
    );
    here.expect("server | 1.2.3 | error_message | You were banned by alan");
}

#[test]
fn a_ban_for_a_time_says_until_when_and_ends() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut alan = log_in(&server, "alan");
    let mut carl = server.join("carl");
    alan.send("alan | carl | ban | 2h  being rude");
    let done = alan.line();
    let until = done.strip_prefix("server | alan | ban | carl is banned until ").expect(&done);
    let until = until
        .strip_suffix(&format!(" by alan: being rude (1 session ended); that is a name{IN_MEMORY}"))
        .expect(&done);
    let left = humantime::parse_rfc3339(until).unwrap().duration_since(std::time::SystemTime::now()).unwrap();
    assert!((7000..=7200).contains(&left.as_secs()), "{left:?}");
    carl.expect("server | carl | error_message | You were banned by alan for 2h: being rude");
    // A ban of an account's name is reported only once the right password is given. A shorter ban replaces a longer
    // one.
    alan.send("/ban bob 1s");
    alan.line();
    wait_until("the ban to be over", || {
        let mut bob = server.connect();
        bob.ask("bob", &password_request("bob"));
        bob.send(PASSWORD);
        let answer = bob.line();
        let refused =
            answer.starts_with("server | new_client: bob | connection_error | The name bob is banned until ");
        assert!(refused || answer == confirmation("bob"), "{answer}");
        !refused
    });
    for (line, why) in [
        (
            "/ban carl 0s",
            "0s is no time for a ban. One is from 1s to 3650d, such as 30m, 12h or 7d; without one it has no end",
        ),
        ("/ban server", "The name server is reserved"),
        (
            "/ban 10.0.0.0/3",
            "Behind the / of a network stands a number of bits, for IPv4 from 8 to 32, for IPv6 from 16 to 128",
        ),
    ] {
        alan.ask(line, &format!("server | alan | error_message | {why}"));
    }
}

#[test]
fn a_banned_address_is_cut_and_turned_away_at_the_door() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut alan = log_in(&server, "alan");
    let mut near = join_from("127.0.0.2", &server, "near");
    let mut nearer = join_from("127.0.0.3", &server, "nearer");
    let mut far = join_from("127.0.9.1", &server, "far");
    // A connection without a name yet.
    let mut nameless = connect_from("127.0.0.3", server.address());
    nameless.expect(NAME_REQUEST);
    alan.ask(
        "/ban 127.0.0.1",
        "server | alan | error_message | 127.0.0.1 was not banned, because that would keep you out as well",
    );
    alan.ask(
        "/ban 127.0.0.2/31 scanning",
        &format!("server | alan | ban | 127.0.0.2/31 is banned for good by alan: scanning (2 sessions ended); those are addresses{IN_MEMORY}"),
    );
    for (name, client) in [("near", &mut near), ("nearer", &mut nearer)] {
        client.expect(&format!("server | {name} | error_message | You were banned by alan: scanning"));
        client.expect_closed();
    }
    nameless.send("other");
    nameless.expect("server | client | connection_error | Your address is banned for good by alan: scanning");
    nameless.expect_closed();
    // The refusal is sent in place of the name request.
    let mut next = connect_from("127.0.0.2", server.address());
    next.expect("server | client | connection_error | Your address is banned for good by alan: scanning");
    next.expect_closed();
    far.expect_nothing_before_an_echo("far");
    // The name is free for clients of other addresses.
    server.join("near");
    alan.ask(
        "/unban 127.0.0.3/31",
        &format!("server | alan | unban | 127.0.0.2/31 is no longer banned{IN_MEMORY}"),
    );
    join_from("127.0.0.2", &server, "back");
}

/// A bans file beside an accounts file. Both are deleted when dropped.
struct BansFile {
    accounts: AccountsFile,
}

impl BansFile {
    fn new() -> Self {
        Self { accounts: AccountsFile::new() }
    }

    fn path(&self) -> PathBuf {
        self.accounts.path().with_file_name("bans.toml")
    }

    fn serve(&self) -> TestServer {
        self.accounts.serve(|config| config.accounts.bans_file = self.path())
    }

    fn process(&self) -> Process {
        let (accounts, bans) = (self.accounts.path(), self.path());
        Process::serve(&[
            ("ARAUTO_ACCOUNTS_FILE", accounts.to_str().unwrap()),
            ("ARAUTO_ACCOUNTS_BANS_FILE", bans.to_str().unwrap()),
        ])
    }
}

#[test]
fn bans_outlive_the_server() {
    let file = BansFile::new();
    let server = file.serve();
    let mut alan = log_in(&server, "alan");
    alan.ask(
        "/ban carl rude",
        "server | alan | ban | carl is banned for good by alan: rude (0 sessions ended); that is a name",
    );
    alan.send("/ban 127.0.0.2 1h");
    let until = alan.line();
    let until = until.strip_prefix("server | alan | ban | 127.0.0.2 is banned ").expect(&until);
    let until = until.strip_suffix(" (0 sessions ended); those are addresses").unwrap().to_owned();
    alan.ask(
        "/ban dora",
        "server | alan | ban | dora is banned for good by alan (0 sessions ended); that is a name",
    );
    // The last change is made right before the server closes.
    alan.send_bytes(b"/unban dora\n/close\n");
    alan.expect("server | alan | unban | dora is no longer banned");
    alan.expect("server | all clients | broadcast | server closed");
    drop(alan);
    assert_eq!(server.ended().unwrap(), Ended::Closed);

    let server = file.serve();
    let mut carl = server.connect();
    carl.ask("carl", &not_let_in("carl", "The name carl is banned for good by alan: rude"));
    let mut near = connect_from("127.0.0.2", server.address());
    near.expect(&format!("server | client | connection_error | Your address is banned {until}"));
    server.join("dora");
    let mut alan = log_in(&server, "alan");
    alan.send("/bans");
    alan.expect("server | alan | list_bans | carl for good by alan: rude");
    alan.expect(&format!("server | alan | list_bans | 127.0.0.2 {until}"));
    alan.expect_nothing_before_an_echo("alan");
}

#[test]
fn bans_outlive_a_server_that_is_killed() {
    let file = BansFile::new();
    let process = file.process();
    let mut alan = Client::to(process.address());
    alan.expect(NAME_REQUEST);
    alan.ask("alan", &password_request("alan"));
    alan.ask(PASSWORD, &confirmation("alan"));
    let mut carl = process.join("carl");
    alan.ask("/kick carl rude", "server | alan | kick | carl was disconnected");
    carl.expect("server | carl | error_message | You were disconnected by alan: rude");
    let kicked = process.logged("kicked");
    assert_eq!(
        (&kicked["name"], &kicked["by"], &kicked["why"]),
        (&"carl".into(), &"alan".into(), &"rude".into())
    );
    let left = process.logged("left");
    assert_eq!((&left["name"], &left["reason"]), (&"carl".into(), &"kicked".into()));
    alan.ask(
        "/ban carl",
        "server | alan | ban | carl is banned for good by alan (0 sessions ended); that is a name",
    );
    let banned = process.logged("banned");
    assert_eq!((&banned["target"], &banned["terms"]), (&"carl".into(), &"for good by alan".into()));
    wait_until("the ban to be on the disk", || fs::read_to_string(file.path()).unwrap().contains("carl"));
    drop(process);

    let process = file.process();
    let mut carl = Client::to(process.address());
    carl.expect(NAME_REQUEST);
    carl.ask("carl", &not_let_in("carl", "The name carl is banned for good by alan"));
    let refused = process.logged("refused");
    assert_eq!((&refused["wanted"], &refused["reason"]), (&"carl".into(), &"banned".into()));
}

#[test]
fn a_bans_file_that_cannot_be_read_or_written_keeps_the_server_from_starting() {
    let file = BansFile::new();
    let serve = || {
        let mut command = arauto(["serve", "--listen", "127.0.0.1:0"]);
        command.env("ARAUTO_ACCOUNTS_BANS_FILE", file.path());
        command
    };
    let torn = "[[bans]]\nname = \"carl\nby = \"alan\"\n";
    fs::write(file.path(), torn).unwrap();
    let complaint = refusal(&mut serve());
    assert!(complaint.starts_with(&format!("arauto: {}:2:", file.path().display())), "{complaint}");
    // The broken file is left unchanged.
    assert_eq!(fs::read_to_string(file.path()).unwrap(), torn);

    let nowhere = file.path().with_file_name("nowhere").join("bans.toml");
    let output = serve().env("ARAUTO_ACCOUNTS_BANS_FILE", &nowhere).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!("arauto: cannot write {}: No such file or directory (os error 2)\n", nowhere.display())
    );
}

/// Shell script that runs the server with its bans file on a full file system.
const ON_A_FULL_DISK: &str = "mount -t tmpfs -o size=64k tmpfs \"$1\" && cp \"$2\" \"$1/bans.toml\" &&
    { cat /dev/zero >\"$1/rest\" 2>/dev/null; exec \"$0\" serve; }";

#[needs("root", "unshare")]
#[test]
fn a_server_whose_disk_is_full_starts_with_the_bans_it_has() {
    let file = BansFile::new();
    let bans = "[[bans]]\nname = 'carl'\n";
    fs::write(file.path(), bans).unwrap();
    let disk = file.path().with_file_name("disk");
    fs::create_dir(&disk).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", ON_A_FULL_DISK, env!("CARGO_BIN_EXE_arauto")]);
    command.args([&disk, &file.path()]);
    without_settings(&mut command);
    let process = Process::run(
        command,
        &[
            ("ARAUTO_ACCOUNTS_FILE", file.accounts.path().to_str().unwrap()),
            ("ARAUTO_ACCOUNTS_BANS_FILE", disk.join("bans.toml").to_str().unwrap()),
        ],
    );
    let mut carl = Client::to(process.address());
    carl.expect(NAME_REQUEST);
    carl.ask("carl", &not_let_in("carl", "The name carl is banned for good"));
    // An operator who bans a client is told that the file could not be written.
    let mut alan = Client::to(process.address());
    alan.expect(NAME_REQUEST);
    alan.ask("alan", &password_request("alan"));
    alan.ask(PASSWORD, &confirmation("alan"));
    alan.ask(
        "/ban dora",
        "server | alan | ban | dora is banned for good by alan (0 sessions ended); that is a name. The bans file could not be written last \
         time; the log says why",
    );
    process.signal("KILL");
    let log = process.whole_log();
    assert!(log.contains("cannot write the bans file; bans made now are lost at the next restart"), "{log}");
}

#[test]
fn a_start_leaves_the_bans_file_as_it_is() {
    let file = BansFile::new();
    let bans = "# by hand\n[[bans]]\nname = 'carl'\n";
    fs::write(file.path(), bans).unwrap();
    let process = file.process();
    process.join("dora");
    assert_eq!(fs::read_to_string(file.path()).unwrap(), bans);
    assert!(!file.path().with_file_name("bans.toml.new").exists());
}

#[test]
fn a_ban_that_could_not_be_written_is_said_and_logged() {
    let file = BansFile::new();
    let process = file.process();
    let mut alan = Client::to(process.address());
    alan.expect(NAME_REQUEST);
    alan.ask("alan", &password_request("alan"));
    alan.ask(PASSWORD, &confirmation("alan"));
    // A directory in place of the new file: the server can neither write nor remove it as a file.
    fs::create_dir(file.path().with_file_name("bans.toml.new")).unwrap();
    alan.send("/ban carl");
    alan.line();
    let error = process.logged("cannot write the bans file");
    assert_eq!(error["level"], "error");
    alan.ask(
        "/ban dora",
        "server | alan | ban | dora is banned for good by alan (0 sessions ended); that is a name. The bans file could not be written last \
         time; the log says why",
    );
    // Both bans are in force nevertheless, and are written as soon as the file can be written.
    fs::remove_dir(file.path().with_file_name("bans.toml.new")).unwrap();
    alan.send("/ban eva");
    alan.line();
    let written = || fs::read_to_string(file.path()).unwrap();
    wait_until("all to be written", || ["carl", "dora", "eva"].iter().all(|name| written().contains(name)));
}

#[test]
fn operators_may_end_what_others_play_and_say_whose_where_several_do() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let (mut ana, mut rui, mut eva) = (server.join("ana"), server.join("rui"), server.join("eva"));
    let mut alan = log_in(&server, "alan");
    for (owner, client) in [("ana", &mut ana), ("rui", &mut rui)] {
        eva.send(&format!("/play {owner} song.mp3"));
        let asked = client.line();
        assert!(asked.starts_with(&format!("eva | {owner} | publish | ")), "{asked}");
    }
    rui.ask(
        "rui | ana | stop | song.mp3",
        "server | rui | error_message | song.mp3 is played by ana: only ana or an operator can end it. To hear no more of \
         it, stop your player",
    );
    alan.ask(
        "/stop song.mp3",
        "server | alan | error_message | Several play song.mp3. Say whose: alan | ana | stop | song.mp3",
    );
    alan.ask("alan | rui | stop | song.mp3", "server | alan | stop | rui: song.mp3 ended: alan ended it");
    eva.expect("server | eva | play | rui: song.mp3 does not play: alan ended it");
    alan.ask("/stop song.mp3", "server | alan | stop | ana: song.mp3 ended: alan ended it");
    eva.expect("server | eva | play | ana: song.mp3 does not play: alan ended it");
}
