//! Tests of the server under a service manager: sockets and notifications, and the units under `packaging/`.

use std::{
    fs::{self, File},
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{MetadataExt, PermissionsExt},
            net::UnixDatagram,
        },
    },
    path::Path,
    process::{Command, Output, Stdio},
};

use arauto_needs::needs;
use socket2::{Domain, Socket, Type};

use crate::{
    cli::without_settings,
    harness::{Client, DEADLINE, NAME_REQUEST, confirmation, process::Process},
};

const CLOSED: &str = "server | all clients | broadcast | server closed";

/// The socket on which a service manager receives notifications.
struct Manager {
    _folder: tempfile::TempDir,
    path: String,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { path: path.to_str().unwrap().to_owned(), _folder: folder, socket }
    }

    #[track_caller]
    fn hears(&self, expected: &str) {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("a message in time");
        assert_eq!(str::from_utf8(&message[..length]).unwrap(), expected);
    }

    #[track_caller]
    fn hears_no_more(&self) {
        self.socket.set_nonblocking(true).unwrap();
        let heard = self.socket.recv(&mut [0; 4096]).map_err(|error| error.kind());
        assert_eq!(heard, Err(io::ErrorKind::WouldBlock));
    }
}

#[test]
fn the_manager_is_told_when_it_listens_and_when_it_ends() {
    for ends_by_signal in [true, false] {
        let manager = Manager::new();
        let mut process =
            Process::serve(&[("NOTIFY_SOCKET", &manager.path), ("ARAUTO_SERVER_DRAIN_TIMEOUT", "7s")]);
        manager.hears("READY=1\n");
        let mut alan = process.join("alan");
        if ends_by_signal {
            process.signal("TERM");
        } else {
            alan.send("/close");
        }
        // The drain timeout of 7 s, and 5 s more.
        manager.hears("STOPPING=1\nEXTEND_TIMEOUT_USEC=12000000\n");
        alan.expect(CLOSED);
        drop(alan);
        assert_eq!(process.ended().code(), Some(0));
        manager.hears_no_more();
    }
}

#[test]
fn the_manager_is_told_of_a_reload() {
    let manager = Manager::new();
    let process = Process::serve(&[("NOTIFY_SOCKET", &manager.path)]);
    manager.hears("READY=1\n");
    process.signal("HUP");
    let mut message = [0; 4096];
    let length = manager.socket.recv(&mut message).expect("a message in time");
    let begun = str::from_utf8(&message[..length]).unwrap();
    assert!(begun.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{begun}");
    manager.hears("READY=1\nSTATUS=Reloaded: 0 settings changed, same certificate\n");
}

/// Runs the commands of the unit's `ExecReload=` in order until one fails. Returns whether all succeed.
fn reload_as_the_unit_does(process: &Process, config: &Path) -> bool {
    let unit = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/systemd/arauto.service"));
    let unit = unit.unwrap();
    let commands: Vec<_> = unit.lines().filter_map(|line| line.strip_prefix("ExecReload=")).collect();
    assert_eq!(commands.len(), 2);
    commands.into_iter().all(|command| {
        let command = command
            .replace("/usr/bin/arauto", env!("CARGO_BIN_EXE_arauto"))
            .replace("/etc/arauto/arauto.toml", config.to_str().unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).env("MAINPID", process.id().to_string());
        without_settings(&mut shell);
        shell.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    })
}

#[test]
fn a_reload_of_a_broken_configuration_fails_and_its_status_says_why() {
    let manager = Manager::new();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("arauto.toml");
    fs::write(&config, "[limits]\nmax_sessions = 10\n").unwrap();
    let command = crate::cli::arauto(["serve", "--config", config.to_str().unwrap()]);
    let process = Process::run(command, &[("NOTIFY_SOCKET", &manager.path)]);
    manager.hears("READY=1\n");
    let hears = |status: &str| {
        assert!(manager.socket.recv(&mut [0; 4096]).is_ok(), "RELOADING=1");
        manager.hears(&format!("READY=1\nSTATUS={status}\n"));
    };
    assert!(reload_as_the_unit_does(&process, &config));
    hears("Reloaded: 0 settings changed, same certificate");

    let shown = config.display();
    fs::write(&config, "[limits]\nmax_sessions = 0\n").unwrap();
    assert!(!reload_as_the_unit_does(&process, &config));
    hears(&format!(
        "Reload refused; nothing changed: {shown}:2:16: limits.max_sessions must be a whole number from 1 to 1000000"
    ));
    fs::write(&config, "[accounts]\nfile = 'none.toml'\n").unwrap();
    assert!(!reload_as_the_unit_does(&process, &config));
    hears(&format!(
        "Reload refused; nothing changed: cannot read {}/none.toml: No such file or directory (os error 2)",
        folder.path().display()
    ));
    process.join("alan");
}

#[test]
fn a_manager_that_does_not_listen_is_no_reason_to_end() {
    let process = Process::serve(&[("NOTIFY_SOCKET", "/nowhere/at/all")]);
    process.join("alan");
}

/// Shell script that runs the server with the script's standard input as the first passed descriptor.
const PASS: &str = "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" serve";

/// Starts a server that is passed this socket.
fn serve_on(listener: &TcpListener) -> Process {
    let socket = Stdio::from(OwnedFd::from(listener.try_clone().unwrap()));
    let mut command = Command::new("sh");
    command.args(["-c", PASS, env!("CARGO_BIN_EXE_arauto")]);
    without_settings(&mut command);
    Process::run_with_input(command, &[], socket)
}

#[test]
fn a_socket_that_is_passed_takes_the_place_of_the_settings() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A client that connects before the server accepts connections is served as well.
    let mut early = Client::to(address);
    let mut process = serve_on(&listener);
    assert_eq!(process.addresses(), [address]);
    early.expect(NAME_REQUEST);
    early.ask("early", &confirmation("early"));
    let mut late = process.join("late");
    late.send("/others hi");
    early.expect("late | all clients | broadcast_not_me | hi");
    process.signal("TERM");
    early.expect(CLOSED);
    drop((early, late));
    assert_eq!(process.ended().code(), Some(0));
}

#[test]
fn who_connects_between_two_servers_is_served_by_the_second() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut first = serve_on(&listener);
    first.signal("TERM");
    assert_eq!(first.ended().code(), Some(0));
    let mut between = Client::to(listener.local_addr().unwrap());
    let _second = serve_on(&listener);
    between.expect(NAME_REQUEST);
    between.ask("between", &confirmation("between"));
}

#[test]
fn sockets_that_are_passed_to_another_are_left_alone() {
    let mut command = Command::new("sh");
    let script = "export LISTEN_FDS=1 LISTEN_PID=1; exec \"$0\" serve";
    command.args(["-c", script, env!("CARGO_BIN_EXE_arauto")]);
    without_settings(&mut command);
    Process::run(command, &[]).join("alan");
}

fn refused(descriptor: impl Into<OwnedFd>) -> (Option<i32>, String) {
    // `timeout` ends a server that accepts the descriptor and would not end by itself.
    let mut command = Command::new("timeout");
    command.args(["20", "sh", "-c", PASS, env!("CARGO_BIN_EXE_arauto")]);
    without_settings(&mut command);
    command.stdin(Stdio::from(descriptor.into())).stdout(Stdio::null()).stderr(Stdio::piped());
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn what_is_passed_and_is_no_listening_socket_is_a_clear_error() {
    let complaint = "arauto: descriptor 3 of LISTEN_FDS is not a listening TCP socket";
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    bound.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    assert_eq!(refused(bound), (Some(1), format!("{complaint}\n")));
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(refused(udp), (Some(1), format!("{complaint} (fd 3 is not a valid tcp socket)\n")));
    let file = File::open("/dev/null").unwrap();
    assert_eq!(refused(file), (Some(1), format!("{complaint} (fd 3 is not a socket)\n")));
}

#[test]
fn who_is_connected_but_not_accepted_when_it_ends_is_told() {
    for _ in 0..5 {
        let mut process = Process::serve(&[]);
        process.signal("STOP");
        // While the program is stopped, the kernel accepts connections for it.
        let mut waiting: Vec<Client> = (0..20).map(|_| Client::to(process.address())).collect();
        process.signal("TERM");
        process.signal("CONT");
        for client in &mut waiting {
            client.expect(NAME_REQUEST);
            client.expect(CLOSED);
            client.expect_closed();
        }
        drop(waiting);
        assert_eq!(process.ended().code(), Some(0));
        assert!(TcpStream::connect(process.address()).is_err(), "still listening");
    }
}

#[test]
fn the_journal_takes_priorities_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = File::create(folder.path().join("log")).unwrap();
    let found = log.metadata().unwrap();
    let mut command = crate::cli::arauto(["serve", "--listen", "127.0.0.1:0"]);
    // The program cannot listen at the address for the page, so it ends by itself.
    command.env("ARAUTO_TLS_CLIENT_CA", "/none").env("ARAUTO_WEB_LISTEN", "192.0.2.1:1");
    command.env("ARAUTO_ACCOUNTS_FILE", folder.path().join("accounts.toml"));
    fs::write(folder.path().join("accounts.toml"), "").unwrap();
    fs::set_permissions(folder.path().join("accounts.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    command.env("JOURNAL_STREAM", format!("{}:{}", found.dev(), found.ino()));
    let status = command.stdout(Stdio::null()).stderr(log).status().unwrap();
    assert!(!status.success());
    let said = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(said.starts_with("<4>WARN every local user can read the accounts file"), "{said}");
    assert!(said.contains("\n<6>INFO accounts, file: "), "{said}");
}

/// Copies the units to `folder`, with the path of the program under test.
fn units(folder: &Path) -> [String; 2] {
    ["arauto.service", "arauto.socket"].map(|name| {
        let unit = format!("{}/packaging/systemd/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(unit).unwrap();
        let path = folder.join(name);
        fs::write(&path, text.replace("/usr/bin/arauto", env!("CARGO_BIN_EXE_arauto"))).unwrap();
        path.to_str().unwrap().to_owned()
    })
}

fn analyze(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("systemd-analyze").args(arguments).env("SYSTEMD_COLORS", "0").output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[needs("systemd-analyze")]
#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let [service, socket] = units(folder.path());
    assert_eq!(analyze(&["verify", "--man=no", &service, &socket]), (Some(0), String::new()));
}

#[needs("systemd-analyze")]
#[test]
fn systemd_counts_the_service_among_the_hardened() {
    let folder = tempfile::tempdir().unwrap();
    let [service, _] = units(folder.path());
    // In tenths of the scale from 0 to 10. A service without any such setting has 9.6.
    let (status, complaints) = analyze(&["security", "--offline=true", "--threshold=15", &service]);
    assert_eq!((status, complaints.as_str()), (Some(0), ""));
}
