//! Tests of the messages about files that users play to each other: requests, refusals, ends. The sound is in no
//! message.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use arauto_needs::needs;

use crate::harness::{Client, DEADLINE, TestServer, process::Process};

/// The parts of a stream's address. The server chooses number and key at random.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    stream: String,
    key: String,
}

impl Address {
    /// Parses an address, which must have this scheme, host and port.
    fn parse(text: &str, scheme: &str, at: &str) -> Self {
        let rest = text
            .strip_prefix(&format!("{scheme}://{at}/"))
            .unwrap_or_else(|| panic!("{scheme} {at}: {text}"));
        let (stream, key) = rest.split_once("?key=").unwrap();
        let is_number = |digits: &str, length: usize| {
            digits.len() == length && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        assert!(is_number(stream, 4) && is_number(key, 32), "{text}");
        Self { stream: stream.to_owned(), key: key.to_owned() }
    }
}

/// Reads a message with this header. Returns its data.
fn data(client: &mut Client, header: &str) -> String {
    let line = client.line();
    line.strip_prefix(&format!("{header} | ")).unwrap_or_else(|| panic!("{header}: {line}")).to_owned()
}

/// Reads a `publish` message. Checks all but the stream's number and key.
fn published(client: &mut Client, from: &str, to: &str, at: SocketAddr, file: &str) -> Address {
    let data = data(client, &format!("{from} | {to} | publish"));
    let (address, said) = data.split_once(' ').unwrap();
    assert_eq!(said, file);
    Address::parse(address, "rtsp", &at.to_string())
}

#[test]
fn who_has_a_file_is_asked_for_it_once() {
    let server = TestServer::start();
    let (mut ana, mut rui, mut eva) = (server.join("ana"), server.join("rui"), server.join("eva"));
    rui.send("rui | ana | play | a song.mp3");
    published(&mut ana, "rui", "ana", server.media_address(), "a song.mp3");
    eva.send("/play ANA a song.mp3");
    eva.expect_nothing_before_an_echo("eva");
    rui.send("/play ana a song.mp3");
    rui.expect_nothing_before_an_echo("rui");
    ana.expect_nothing_before_an_echo("ana");
    rui.send("/play ana other.mp3");
    published(&mut ana, "rui", "ana", server.media_address(), "other.mp3");
}

#[test]
fn who_will_not_play_says_why_to_everyone_who_waits() {
    let server = TestServer::start();
    let (mut ana, mut rui, mut eva) = (server.join("ana"), server.join("rui"), server.join("eva"));
    rui.send("/play ana song.mp3");
    published(&mut ana, "rui", "ana", server.media_address(), "song.mp3");
    eva.send("/play ana song.mp3");
    eva.expect_nothing_before_an_echo("eva");
    ana.send("ana | rui | play | cannot: no such file");
    rui.expect("ana | rui | play | cannot: no such file");
    eva.expect("ana | eva | play | cannot: no such file");
    ana.ask(
        "ana | rui | play | cannot: no such file",
        "server | ana | error_message | rui does not wait for a file of yours. There is nothing to do",
    );
    rui.expect_nothing_before_an_echo("rui");
    // The request is forgotten: the next one makes the server ask the owner again.
    eva.send("/play ana song.mp3");
    published(&mut ana, "eva", "ana", server.media_address(), "song.mp3");
}

#[test]
fn a_reason_that_is_too_long_for_a_longer_name_is_cut_and_stays_its_senders() {
    let server = TestServer::start();
    let (mut ana, mut rui, mut eva) = (server.join("ana"), server.join("rui"), server.join("evangeline"));
    rui.send("/play ana song.mp3");
    published(&mut ana, "rui", "ana", server.media_address(), "song.mp3");
    eva.send("/play ana song.mp3");
    eva.expect_nothing_before_an_echo("evangeline");
    let why = "x".repeat(1024 - "ana | rui | play | cannot: ".len());
    ana.send(&format!("ana | rui | play | cannot: {why}"));
    rui.expect(&format!("ana | rui | play | cannot: {why}"));
    let kept = "x".repeat(1024 - "ana | evangeline | play | cannot: …".len());
    eva.expect(&format!("ana | evangeline | play | cannot: {kept}…"));
}

#[test]
fn who_sends_nothing_in_time_is_not_waited_for() {
    let server = TestServer::with(|config| config.media.publish_timeout = Duration::from_secs(1));
    let (mut ana, mut rui) = (server.join("ana"), server.join("rui"));
    rui.send("/play ana song.mp3");
    published(&mut ana, "rui", "ana", server.media_address(), "song.mp3");
    rui.expect(
        "server | rui | play | ana: song.mp3 does not play: nothing came within 1s. Does ana share files?",
    );
    ana.expect_nothing_before_an_echo("ana");
}

#[test]
fn who_is_not_there_or_leaves_plays_nothing() {
    let server = TestServer::start();
    let (mut ana, mut rui) = (server.join("ana"), server.join("rui"));
    rui.ask("/play eva song.mp3", "server | rui | play | Destination client (eva) not found!");
    rui.send("/play ana song.mp3");
    published(&mut ana, "rui", "ana", server.media_address(), "song.mp3");
    ana.ask("/exit", "server | ana | exit | client disconnected");
    rui.expect("server | rui | play | ana: song.mp3 does not play: ana has left");
}

#[test]
fn who_was_asked_may_stop_before_it_begins_and_others_may_not() {
    let server = TestServer::start();
    let (mut ana, mut rui) = (server.join("ana"), server.join("rui"));
    rui.send("/play ana song.mp3");
    published(&mut ana, "rui", "ana", server.media_address(), "song.mp3");
    rui.ask(
        "/stop song.mp3",
        "server | rui | error_message | song.mp3 is played by ana: only ana or an operator can end it. To hear no more of \
         it, stop your player",
    );
    ana.ask("ana | server | stop | song.mp3", "server | ana | stop | ana: song.mp3 ended");
    rui.expect("server | rui | play | ana: song.mp3 does not play: ana ended it");
    ana.ask(
        "/stop song.mp3",
        "server | ana | error_message | song.mp3 is not played. /streams shows what is",
    );
}

#[test]
fn nothing_is_on() {
    let server = TestServer::start();
    let mut rui = server.join("rui");
    rui.ask("rui | server | list_streams", "server | rui | list_streams | no streams");
    rui.ask("/streams", "server | rui | list_streams | no streams");
}

#[test]
fn one_who_waits_for_four_files_waits_for_no_fifth() {
    let server = TestServer::start();
    let (mut ana, mut rui) = (server.join("ana"), server.join("rui"));
    for number in 1..=4 {
        rui.send(&format!("/play ana {number}.mp3"));
        published(&mut ana, "rui", "ana", server.media_address(), &format!("{number}.mp3"));
    }
    rui.ask(
        "/play ana 5.mp3",
        "server | rui | play | You wait for 4 files, which is the most. Try again when one of them plays",
    );
}

#[test]
fn limits_of_the_settings_are_told() {
    let server = TestServer::with(|config| {
        config.media.streams = 2;
        config.media.waiting = 1;
    });
    let (mut ana, mut rui) = (server.join("ana"), server.join("rui"));
    rui.send("/play ana 1.mp3");
    published(&mut ana, "rui", "ana", server.media_address(), "1.mp3");
    rui.ask(
        "/play ana 2.mp3",
        "server | rui | play | As many are asked for a file at the moment as may be (1). Try again in a moment",
    );
}

#[test]
fn who_holds_all_places_gives_way_to_others() {
    let server = TestServer::start();
    let (mut mute, mut ana) = (server.join("mute"), server.join("ana"));
    let mut greedy = [server.join("rui"), server.join("leo")];
    let media = server.media_address();
    for (one, client) in ["rui", "leo"].iter().zip(&mut greedy) {
        for number in 1..=4 {
            client.send(&format!("/play mute {one}{number}.mp3"));
            published(&mut mute, one, "mute", media, &format!("{one}{number}.mp3"));
        }
    }
    let mut eva = server.join("eva");
    eva.send("/play ana song.mp3");
    published(&mut ana, "eva", "ana", media, "song.mp3");
    greedy[0].expect(
        "server | rui | play | mute: rui1.mp3 does not play: mute had not started, and its place went to another request (at most 8 may wait)",
    );
    ana.send("ana | eva | play | cannot: no");
    eva.expect("ana | eva | play | cannot: no");
}

#[test]
fn without_audio_it_is_said_what_to_set() {
    let server = TestServer::with(|config| config.media.listen.clear());
    let (mut ana, mut rui) = (server.join("ana"), server.join("rui"));
    rui.ask(
        "/play ana song.mp3",
        "server | rui | play | This server carries no audio: its operator has to set media.listen",
    );
    rui.ask("/streams", "server | rui | list_streams | no streams");
    ana.expect_nothing_before_an_echo("ana");
}

#[test]
fn what_fits_into_no_message_is_not_asked_for() {
    let server = TestServer::with(|config| config.limits.message_bytes = 120);
    let (mut ana, mut rui) = (server.join("ana"), server.join("rui"));
    rui.ask(
        &format!("/play ana {}", "x".repeat(90)),
        "server | rui | play | The address of the stream and the name of the file are too long for a message of 120 bytes",
    );
    ana.expect_nothing_before_an_echo("ana");
    rui.send("/play ana x");
    published(&mut ana, "rui", "ana", server.media_address(), "x");
}

#[test]
fn only_the_server_asks_to_publish() {
    let server = TestServer::start();
    let (mut ana, mut rui) = (server.join("ana"), server.join("rui"));
    let why = "Only the server says publish. Whoever wants to hear a file types: /play ana song.mp3";
    for line in ["rui | ana | publish | rtsp://127.0.0.1:1/7f3a?key=0 song.mp3", "/publish song.mp3"] {
        rui.ask(line, &format!("server | rui | error_message | {why}"));
    }
    ana.expect_nothing_before_an_echo("ana");
}

#[test]
fn streams_are_called_by_the_public_name_where_there_is_one() {
    let server = TestServer::with(|config| config.media.public_host = "lab.example".to_owned());
    let (mut ana, mut rui) = (server.join("ana"), server.join("rui"));
    rui.send("/play ana song.mp3");
    let said = data(&mut ana, "rui | ana | publish");
    let (address, file) = said.split_once(' ').unwrap();
    Address::parse(address, "rtsp", &format!("lab.example:{}", server.media_address().port()));
    assert_eq!(file, "song.mp3");
}

/// A running program, killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if the program has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has ffmpeg make a song of half a minute.
fn make_song(file: &Path) {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:duration=30", "-b:a", "128k"])
        .arg(file)
        .stdin(Stdio::null())
        .status();
    assert!(made.unwrap().success());
}

/// Has ffmpeg publish a file at the address in the server's message.
fn publish(file: &Path, address: &str) -> Running {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "quiet", "-re", "-i"]).arg(file).args(["-c", "copy", "-f", "rtsp", address]);
    let silenced = ffmpeg.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Running(silenced.spawn().unwrap())
}

/// Sends a request by HTTP. Returns the connection to read the answer from.
fn ask_http(at: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: {at}\r\n\r\n").as_bytes()).unwrap();
    stream
}

/// A whole course: netcat is asked, ffmpeg publishes, others get the address and listen by HTTP, and the owner ends it.
#[needs("ffmpeg")]
#[test]
fn a_song_is_asked_for_sent_heard_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let song = folder.path().join("a song.mp3");
    make_song(&song);
    let server = TestServer::start();
    let (mut ana, mut rui, mut eva) = (server.join("ana"), server.join("rui"), server.join("eva"));
    rui.send("/play ana a song.mp3");
    let media = server.media_address();
    let for_ana = published(&mut ana, "rui", "ana", media, "a song.mp3");
    let _ffmpeg = publish(&song, &format!("rtsp://{media}/{}?key={}", for_ana.stream, for_ana.key));
    let for_rui = offered(&mut rui, "ana", "rui", &server, "a song.mp3");
    eva.send("/play ana a song.mp3");
    let for_eva = offered(&mut eva, "ana", "eva", &server, "a song.mp3");
    assert!([&for_rui, &for_eva].iter().all(|address| address.stream == for_ana.stream));
    assert!(for_ana.key != for_rui.key && for_ana.key != for_eva.key && for_rui.key != for_eva.key);

    let path = |address: &Address| format!("/{}?key={}", address.stream, address.key);
    let began = Instant::now();
    let mut heard = ask_http(server.web_address(), &format!("GET {}", path(&for_rui)));
    let mut bytes = vec![0; 4096];
    heard.read_exact(&mut bytes).unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let body = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&bytes[..body]).into_owned();
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("content-type: audio/mpeg\r\n"),
        "{head}"
    );
    let chunk = bytes[body..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let frame = &bytes[body + chunk..];
    assert!(frame[0] == 0xff && frame[1] & 0xe0 == 0xe0, "a frame of MP3 begins so: {:?}", &frame[..4]);

    ana.send("/streams");
    let listed = data(&mut ana, "server | ana | list_streams");
    assert!(listed.starts_with("ana: a song.mp3, 1 listening, 00:"), "{listed}");
    // The key for publishing is not valid for listening.
    let mut refused = String::new();
    let mut strange = ask_http(
        server.web_address(),
        &format!("GET {} HTTP/1.1\r\nConnection: close\r\nX:", path(&for_ana)),
    );
    strange.read_to_string(&mut refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 404 Not Found\r\n"), "{refused}");

    ana.ask("/stop a song.mp3", "server | ana | stop | ana: a song.mp3 ended");
    for (name, client) in [("rui", &mut rui), ("eva", &mut eva)] {
        client.expect(&format!("server | {name} | stop | ana: a song.mp3 ended"));
        client.ask("/streams", &format!("server | {name} | list_streams | no streams"));
    }
    // The listener's connection ends in order.
    heard.read_to_end(&mut bytes).unwrap();
    assert!(bytes.ends_with(b"\r\n0\r\n\r\n"));
}

/// Reads a `play` message with the addresses to listen at. Checks all but the stream's number and key.
fn offered(client: &mut Client, from: &str, to: &str, server: &TestServer, file: &str) -> Address {
    let data = data(client, &format!("{from} | {to} | play"));
    let mut parts = data.splitn(3, ' ');
    let rtsp = Address::parse(parts.next().unwrap(), "rtsp", &server.media_address().to_string());
    let http = Address::parse(parts.next().unwrap(), "http", &server.web_address().to_string());
    assert_eq!((rtsp.clone(), parts.next().unwrap()), (http, file));
    rtsp
}

#[test]
fn no_key_is_in_the_log() {
    let mut process = Process::serve(&[("ARAUTO_LOG_LEVEL", "debug")]);
    let (mut ana, mut rui) = (process.join("ana"), process.join("rui"));
    rui.send("/play ana song.mp3");
    let asked = data(&mut ana, "rui | ana | publish");
    let (address, key) = asked.split_once("?key=").unwrap();
    let key = &key[..32];
    // Not even if the owner sends the key in a message.
    ana.ask(&format!("/echo {asked}"), &format!("ana | ana | echo | {asked}"));
    process.signal("TERM");
    assert!(process.ended().success());
    let log = process.whole_log();
    assert!(!log.contains(key), "{log}");
    let shown = |line: &str| log.contains(&line.replace('"', "\\\""));
    assert!(shown(&format!("Server sends: \"rui | ana | publish | {address}?key=… song.mp3\"")), "{log}");
    assert!(shown(&format!("Server receive: \"/echo {address}?key=… song.mp3\"")), "{log}");
}
