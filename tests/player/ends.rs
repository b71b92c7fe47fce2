//! Tests of how `arauto play` ends with its stream: the message, the exit status, and what was written until then.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread::JoinHandle,
};

use arauto_client::audio::play::{Spec, sink::wav};
use arauto_needs::needs;
use tempfile::TempDir;

use super::play::{Running, client, read_wav, samples, share, write_wav};
use crate::accounts::{AccountsFile, log_in};
use crate::cli::arauto;
use crate::harness::{
    TestServer,
    cable::{Cable, Netcat, SERVER},
    process::{Process, signal},
    terminal::Terminal,
    wait_until,
};

/// Ana, who shares a song of a minute.
struct Ana {
    folder: TempDir,
    sent: Vec<i16>,
    program: Option<Running>,
}

impl Ana {
    fn share(server: SocketAddr) -> Self {
        let ana = Self::with_song();
        Self { program: Some(share(server, ana.folder.path())), ..ana }
    }

    /// Makes the song without sharing it.
    fn with_song() -> Self {
        let folder = TempDir::new().unwrap();
        let sent = samples(60 * 44_100);
        write_wav(&folder.path().join("a song.wav"), 44_100, &sent);
        Self { program: None, folder, sent }
    }

    fn program(&mut self) -> &mut Child {
        &mut self.program.as_mut().unwrap().0
    }
}

/// A running player, and its output.
struct Player {
    program: Running,
    said: JoinHandle<String>,
    /// A file, or a pipe that a thread reads.
    written: Written,
}

enum Written {
    File(PathBuf),
    Pipe(JoinHandle<Vec<u8>>, PathBuf),
}

impl Player {
    /// Plays to a file, or into a pipe, and waits until some sound is written.
    fn start(mut command: Command, to: PathBuf, is_pipe: bool) -> Self {
        if is_pipe {
            command.args(["--output", "-"]).stdout(Stdio::piped());
        } else {
            command.arg("--output").arg(&to);
        }
        let mut program = Running(command.stderr(Stdio::piped()).spawn().unwrap());
        let mut stderr = program.0.stderr.take().unwrap();
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            said
        });
        let written = match program.0.stdout.take() {
            None => Written::File(to),
            Some(mut stdout) => {
                let copy = to.clone();
                let read = std::thread::spawn(move || {
                    let (mut all, mut bytes) = (Vec::new(), [0; 4096]);
                    let mut file = fs::File::create(copy).unwrap();
                    loop {
                        let length = stdout.read(&mut bytes).unwrap();
                        if length == 0 {
                            return all;
                        }
                        all.extend(&bytes[..length]);
                        file.write_all(&bytes[..length]).unwrap();
                    }
                });
                Written::Pipe(read, to)
            }
        };
        let (Written::File(path) | Written::Pipe(_, path)) = &written;
        wait_until("sound to be written", || fs::metadata(path).is_ok_and(|file| file.len() > 200_000));
        Self { program, said, written }
    }

    /// Waits for the end. Returns the exit status, standard error and the samples.
    fn ended(mut self) -> (ExitStatus, String, Vec<i16>) {
        let mut status = None;
        wait_until("the player to end", || {
            status = self.program.0.try_wait().unwrap();
            status.is_some()
        });
        let wav = match self.written {
            Written::File(path) => {
                let wav = fs::read(path).unwrap();
                assert_ne!(wav[40..44], [0xff; 4], "the header says how long it is");
                wav
            }
            Written::Pipe(read, _) => read.join().unwrap(),
        };
        (status.unwrap(), self.said.join().unwrap(), read_wav(&wav))
    }
}

/// Plays the song to a file and into a pipe, and calls `happens`. Checks that both players end with the status
/// `expected` and one of `words`.
#[track_caller]
fn expect_end(
    mut ana: Ana,
    command: impl Fn() -> Command,
    happens: impl FnOnce(&mut Ana),
    words: &[&str],
    expected: i32,
) {
    let to = ana.folder.path().join("heard");
    let players: Vec<_> = [false, true]
        .map(|is_pipe| Player::start(command(), to.with_extension(is_pipe.to_string()), is_pipe))
        .into_iter()
        .collect();
    happens(&mut ana);
    for player in players {
        let (status, said, heard) = player.ended();
        // Under load some sound is lost on the way, which is reported first.
        let last = said.lines().last().unwrap_or_default();
        let (place, why) = last
            .strip_prefix("arauto: ana: a song.wav broke off at 0:")
            .and_then(|rest| rest.split_once(" of 1:00: "))
            .unwrap_or_else(|| panic!("{status}: {said}"));
        assert!(words.contains(&why), "{said}");
        assert_eq!(status.code(), Some(expected), "{said}");
        // The message gives the position at which the written part ends. Its beginning shows which part of the song it
        // is.
        let begin = ana.sent.windows(64).position(|part| part == &heard[..64]).unwrap();
        if said.lines().count() == 1 {
            assert!(heard == ana.sent[begin..begin + heard.len()]);
        }
        // Two channels, 44,100 samples a second each.
        let ends = (begin + heard.len()) / 88_200;
        assert!(place.parse::<usize>().unwrap().abs_diff(ends) <= 1, "{place}, and {ends} s");
    }
}

fn play(server: SocketAddr) -> impl Fn() -> Command {
    move || client(server, ["play", "ana/a song.wav"])
}

#[test]
fn the_publisher_is_killed() {
    let server = TestServer::start();
    let ana = Ana::share(server.address());
    // Both connections of the publisher end at once, and the server may notice either first.
    let words = ["ana has left", "the connection to ana broke"];
    expect_end(ana, play(server.address()), |ana| ana.program().kill().unwrap(), &words, 3);
}

#[test]
fn the_publisher_leaves() {
    let server = TestServer::start();
    let ana = Ana::share(server.address());
    let words = ["ana has left", "the connection to ana broke"];
    expect_end(ana, play(server.address()), |ana| drop(ana.program().stdin.take()), &words, 3);
}

#[test]
fn the_publisher_stops_it() {
    let server = TestServer::start();
    let ana = Ana::with_song();
    let mut join = arauto(["join", "ana", "--server", &server.address().to_string()]);
    join.arg("--share").arg(ana.folder.path());
    let mut terminal = Terminal::run(join, 100, 24);
    terminal.shows("You are ana on");
    let stop = |_: &mut Ana| terminal.enter("/stop");
    expect_end(ana, play(server.address()), stop, &["ana ended it"], 3);
}

#[test]
fn an_operator_stops_it() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let ana = Ana::share(server.address());
    let mut alan = log_in(&server, "alan");
    let stop = |_: &mut Ana| {
        alan.send("/stop a song.wav");
        alan.expect("server | alan | stop | ana: a song.wav ended: alan ended it");
    };
    expect_end(ana, play(server.address()), stop, &["alan ended it"], 3);
}

#[test]
fn the_server_is_killed() {
    let server = Process::serve(&[]);
    let ana = Ana::share(server.address());
    let words = [
        "the server ended the connection",
        "the connection broke: Connection reset by peer (os error 104)",
        "the connection broke: Broken pipe (os error 32)",
    ];
    expect_end(ana, play(server.address()), |_| signal(server.id(), "KILL"), &words, 4);
}

#[test]
fn the_server_closes() {
    let server = TestServer::start();
    let ana = Ana::share(server.address());
    expect_end(ana, play(server.address()), |_| server.stop(), &["the server closed"], 4);
}

/// Starts a server that keeps its control connection open, and closes its RTSP connection after two seconds of sound.
fn cuts_rtsp() -> (SocketAddr, JoinHandle<()>) {
    let [control, rtsp] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let (address, port) = (control.local_addr().unwrap(), rtsp.local_addr().unwrap().port());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = control.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut line = || {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            line
        };
        stream.write_all(b"server | client | name | no data\n").unwrap();
        let first = line();
        let name = first.split(" | ").next().unwrap().trim();
        let joined =
            format!("server | {name} | connection_confirmation | You are now connected to the server\n");
        stream.write_all(joined.as_bytes()).unwrap();
        assert_eq!(line(), format!("{name} | ana | play | a song.wav\n"));
        let offer = format!("ana | {name} | play | rtsp://127.0.0.1:{port}/7f3a - a song.wav\n");
        stream.write_all(offer.as_bytes()).unwrap();
        play_and_cut(&rtsp);
        // The control connection stays open until the player leaves.
        stream.read_to_end(&mut Vec::new()).unwrap();
    });
    (address, serving)
}

fn play_and_cut(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let sdp =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\na=range:npt=0-60\r\nm=audio 0 RTP/AVP 11\r\n";
    for (more, body) in [
        ("Content-Type: application/sdp\r\n", sdp),
        ("Session: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n", ""),
        ("Session: 1\r\n", ""),
    ] {
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            assert_ne!(lines.read_line(&mut request).unwrap(), 0);
        }
        let number = request.lines().find(|line| line.starts_with("CSeq")).unwrap();
        let length = body.len();
        let answer = format!("RTSP/1.0 200 OK\r\n{number}\r\n{more}Content-Length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).unwrap();
    }
    for at in 0..200_u16 {
        let mut packet = b"$\0\0\0\x80\x0b".to_vec();
        packet.extend(at.to_be_bytes());
        packet.extend((u32::from(at) * 441).to_be_bytes());
        packet.extend(7_u32.to_be_bytes());
        packet.extend((0..441_i16).flat_map(i16::to_be_bytes));
        let length = u16::try_from(packet.len() - 4).unwrap();
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        stream.write_all(&packet).unwrap();
    }
}

#[test]
fn the_connection_that_carries_it_is_cut() {
    let folder = TempDir::new().unwrap();
    let to = folder.path().join("heard.wav");
    let (server, serving) = cuts_rtsp();
    let mut command = client(server, ["play", "ana/a song.wav", "--tcp"]);
    let output = command.arg("--output").arg(&to).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let words =
        "arauto: ana: a song.wav broke off at 0:02 of 1:00: the connection that carried it was closed\n";
    assert_eq!((output.status.code(), said.as_str()), (Some(4), words));
    let heard: Vec<i16> = (0..200).flat_map(|_| 0..441).collect();
    let header = wav::header(Spec { rate: 44_100, channels: 1 }, Some(2 * 88_200));
    let bytes: Vec<u8> = heard.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    assert!(fs::read(&to).unwrap() == [&header[..], &bytes].concat());
    serving.join().unwrap();
}

/// Returns the command as one that runs on one of the two machines.
pub fn on(namespace: &str, program: &Command) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::null());
    command
}

#[needs("root", "ip", "tc", "nc")]
#[test]
#[ignore = "slow: waits for two of the players' timeouts, 10 s each"]
fn the_network_goes_away() {
    let Some(cable) = Cable::lay() else { return };
    let serve = arauto(["serve"]);
    let any = format!("{SERVER}:0");
    let listen = [("ARAUTO_SERVER_LISTEN", any.as_str()), ("ARAUTO_MEDIA_LISTEN", &any)];
    let server = Process::run(on(&cable.server, &serve), &listen);
    let mut ana = Ana::with_song();
    let mut join = client(server.address(), ["join", "ana", "--plain"]);
    join.arg("--share").arg(ana.folder.path());
    let mut join = on(&cable.server, &join);
    join.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut eva = Netcat::join(&cable.server, &server, "eva");
    ana.program = Some(Running(join.spawn().unwrap()));
    wait_until("ana to be there", || {
        eva.send("/list");
        eva.line().contains("ana")
    });
    let words = ["the server did not answer GET_PARAMETER within 10 s"];
    let play = || on(&cable.faraway, &client(server.address(), ["play", "ana/a song.wav"]));
    expect_end(ana, play, |_| cable.cut(), &words, 4);
}
