//! Tests of `arauto join --share`, which plays files on request: in the dialogue, on the full screen, and after a
//! question.

use std::{
    fmt::Write,
    fs,
    io::Read,
    os::unix::fs::symlink,
    path::Path,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

use arauto_protocol::Offer;
use arauto_rtsp::{Format, payload::Unpacker};

use arauto_client::{
    dial::Dialer,
    rtsp::{RtspEvent, StreamSession, Transport},
    tls::{Tls, TlsOptions},
};
use rtp_types::RtpPacket;
use tempfile::TempDir;
use tokio::{runtime::Builder, time::timeout};

use super::sound::expect_rest_of;
use crate::{
    cli::arauto,
    harness::{Client, DEADLINE, TestServer, terminal::Terminal, tls::Issuer, wait_until},
};

const RATE: u32 = 8_000;

/// Makes this many seconds of random samples, no two parts of which are alike. Returns them as a WAV file, and as
/// big-endian samples.
fn noise(seconds: u32) -> (Vec<u8>, Vec<u8>) {
    let mut random = fastrand::Rng::with_seed(7);
    let samples: Vec<i16> = (0..seconds * RATE).map(|_| random.i16(-9_000..9_000)).collect();
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let length = u32::try_from(bytes.len()).unwrap();
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + length).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&RATE.to_le_bytes());
    wav.extend_from_slice(&(2 * RATE).to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&length.to_le_bytes());
    wav.extend_from_slice(&bytes);
    (wav, samples.into_iter().flat_map(i16::to_be_bytes).collect())
}

/// Makes a folder with a song of this many seconds. Also returns the song's big-endian samples.
fn folder(seconds: u32) -> (TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let (wav, samples) = noise(seconds);
    fs::write(folder.path().join("a song.wav"), wav).unwrap();
    (folder, samples)
}

fn join(server: &TestServer, folder: &Path) -> Command {
    let address = server.address().to_string();
    let mut command = arauto(["join", "ana", "--server", &address, "--share"]);
    command.arg(folder);
    command
}

/// The client ana in the dialogue, which types nothing.
struct Dialogue {
    child: Child,
    complaints: Option<JoinHandle<String>>,
}

impl Dialogue {
    fn begin(server: &TestServer, mut command: Command) -> Self {
        let mut child = command
            .arg("--plain")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let complaints = std::thread::spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            said
        });
        let mut eva = server.join("eva");
        wait_until("ana to be there", || {
            eva.send("/list");
            eva.line().contains("ana")
        });
        Self { child, complaints: Some(complaints) }
    }

    /// Ends the client's input. Returns all that the client wrote to standard error.
    fn leaves(mut self) -> String {
        drop(self.child.stdin.take());
        self.complaints.take().unwrap().join().unwrap()
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the `play` message that rui receives. Returns the RTSP address.
#[track_caller]
fn offered(rui: &mut Client) -> String {
    let line = rui.line();
    let data = line.strip_prefix("ana | rui | play | ").unwrap_or_else(|| panic!("{line}"));
    let offer = Offer::parse(data).unwrap_or_else(|| panic!("{line}"));
    assert_eq!(offer.file, "a song.wav");
    offer.rtsp.to_owned()
}

/// Listens at this address up to the end of the stream. Returns the samples.
async fn heard(server: &TestServer, rtsp: &str, way: Transport) -> Vec<u8> {
    let dialer = Dialer::new(server.address().to_string().parse().unwrap());
    heard_by(&dialer, rtsp, (way, way)).await
}

/// Like [`heard`], with a given dialer. `asked` is the transport requested, `way` the one that the session ends up
/// with.
async fn heard_by(dialer: &Dialer, rtsp: &str, (asked, way): (Transport, Transport)) -> Vec<u8> {
    let (description, mut session) = StreamSession::play(dialer, rtsp, asked).await.unwrap();
    assert_eq!(session.way(), way);
    assert_eq!(description.format, Format::L16 { rate: RATE, channels: 1 });
    assert_eq!(description.title, "a song.wav");
    let mut unpacker = Unpacker::new(description.format);
    let mut samples = Vec::new();
    loop {
        match timeout(DEADLINE, session.next()).await.unwrap().unwrap() {
            RtspEvent::Rtp(packet) => {
                let packet = RtpPacket::parse(&packet).unwrap();
                let (sequence, timestamp) = (packet.sequence_number(), packet.timestamp());
                for unit in unpacker.take(sequence, timestamp, packet.payload()) {
                    samples.extend_from_slice(&unit.bytes);
                }
            }
            RtspEvent::Rtcp(_) => {}
            RtspEvent::Closed => return samples,
        }
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn heard_sample_for_sample() {
    let server = TestServer::start();
    let (folder, samples) = folder(3);
    let ana = Dialogue::begin(&server, join(&server, folder.path()));
    let mut rui = server.join("rui");
    rui.send("/play ana a song.wav");
    let rtsp = offered(&mut rui);
    let (by_udp, between) = run(async {
        tokio::join!(heard(&server, &rtsp, Transport::Udp), heard(&server, &rtsp, Transport::Interleaved))
    });
    for heard in [by_udp, between] {
        // A listener that is told of the stream may miss its beginning.
        expect_rest_of(&samples, &heard, 0);
        assert!(heard.len() > samples.len() / 3, "{} of {}", heard.len(), samples.len());
    }
    rui.expect("server | rui | stop | ana: a song.wav ended");
    // The file can be played a second time.
    rui.send("/play ana a song.wav");
    offered(&mut rui);
    assert_eq!(
        ana.leaves(),
        "arauto: rui hears a song.wav\narauto: a song.wav was played to its end\narauto: rui hears a song.wav\n"
    );
    rui.expect("server | rui | stop | ana: a song.wav ended: ana has left");
}

#[test]
fn encrypted_where_the_server_says_so() {
    let issuer = Issuer::new();
    let files = issuer.issue("server", "a server");
    let server = TestServer::with(|config| {
        files.serve(config);
        config.media.listen.clear();
        config.media.tls_listen = vec![([127, 0, 0, 1], 0).into()];
    });
    let (folder, samples) = folder(3);
    let address = format!("localhost:{}", server.tls_address().port());
    let mut command = arauto(["join", "ana", "--server", &address, "--share"]);
    command.arg(folder.path()).arg("--ca").arg(issuer.ca());
    let ana = Dialogue::begin(&server, command);
    let mut rui = server.join("rui");
    rui.send("/play ana a song.wav");
    let rtsp = offered(&mut rui);
    assert!(rtsp.starts_with("rtsps://127.0.0.1:"), "{rtsp}");
    let trust = |ca| Tls::new(&TlsOptions { tls: true, ca, ..TlsOptions::default() }).unwrap();
    let dialer = Dialer::new(address.parse().unwrap());
    let trusting = dialer.clone().with_tls(trust(Some(issuer.ca())));
    let heard = run(heard_by(&trusting, &rtsp, (Transport::Udp, Transport::Interleaved)));
    expect_rest_of(&samples, &heard, 0);
    rui.expect("server | rui | stop | ana: a song.wav ended");
    assert_eq!(ana.leaves(), "arauto: rui hears a song.wav\narauto: a song.wav was played to its end\n");
    // A client that does not trust the certificate gets no stream, and sends no key.
    let other = dialer.with_tls(trust(Some(Issuer::new().ca())));
    let failure = run(StreamSession::play(&other, &rtsp, Transport::Udp)).err().unwrap().to_string();
    assert!(failure.starts_with("TLS with localhost:"), "{failure}");
}

/// Names that are quoted in a list, both as users type them and as messages quote them.
#[test]
fn whatever_it_is_called() {
    let server = TestServer::start();
    let (folder, _) = folder(60);
    for name in ["a, b.wav", "ñ (1 byte).wav"] {
        fs::copy(folder.path().join("a song.wav"), folder.path().join(name)).unwrap();
    }
    let _ana = Dialogue::begin(&server, join(&server, folder.path()));
    let mut rui = server.join("rui");
    for (typed, file) in [
        ("/play ana \"a, b.wav\"", "a, b.wav"),
        ("rui | ana | play | \"a, b.wav\"", "\"a, b.wav\""),
        ("/play ana \"\\u{f1} (1 byte).wav\"", "\\u{f1} (1 byte).wav"),
    ] {
        rui.send(typed);
        let line = rui.line();
        assert!(line.starts_with("ana | rui | play | rtsp://"), "{typed}: {line}");
        assert!(line.ends_with(&format!(" {file}")), "{line}");
    }
}

#[test]
fn nothing_else_is_played() {
    let server = TestServer::start();
    let (outer, _) = folder(1);
    let shared = outer.path().join("shared");
    fs::create_dir_all(shared.join("deep")).unwrap();
    fs::create_dir(shared.join(".hidden")).unwrap();
    let song = fs::read(outer.path().join("a song.wav")).unwrap();
    for place in [".a.wav", ".hidden/a.wav", "deep/notes.txt", "cut.wav"] {
        fs::write(shared.join(place), &song).unwrap();
    }
    fs::write(shared.join("text.mp3"), "Dear diary,\n").unwrap();
    fs::create_dir(shared.join("folder.mp3")).unwrap();
    symlink(outer.path().join("a song.wav"), shared.join("link.wav")).unwrap();
    symlink(outer.path(), shared.join("up")).unwrap();
    let ana = Dialogue::begin(&server, join(&server, &shared));
    let mut rui = server.join("rui");
    let mut said = String::new();
    for (file, why) in [
        ("text.mp3", "it holds no audio that can be read here"),
        ("nothing.mp3", "no such file is shared"),
        ("../a song.wav", "no such file is shared"),
        ("up/a song.wav", "no such file is shared"),
        ("deep/../../a song.wav", "no such file is shared"),
        ("/etc/a.wav", "no such file is shared"),
        ("link.wav", "no such file is shared"),
    ] {
        rui.ask(&format!("/play ana {file}"), &format!("ana | rui | play | cannot: {file}: {why}"));
        writeln!(said, "arauto: rui wanted to hear {file} and does not: {why}").unwrap();
    }
    assert_eq!(ana.leaves(), said);
    let ana = Dialogue::begin(&server, join(&server, &shared));
    let mut said = String::new();
    let kinds = "it cannot be played: only files that end in .mp3, .mp2, .ogg, .oga, .opus, .flac, .wav, .wave, .m4a, .m4b, \
                 .aac can";
    for (file, why) in [
        (".a.wav", "no such file is shared"),
        (".hidden/a.wav", "no such file is shared"),
        ("deep/notes.txt", kinds),
        ("folder.mp3", "no such file is shared"),
        ("folder.mp3/x.mp3", "no such file is shared"),
        ("cut\\x", "no such file is shared"),
    ] {
        rui.ask(&format!("/play ana {file}"), &format!("ana | rui | play | cannot: {file}: {why}"));
        let shown = file.replace('\\', "\\\\");
        writeln!(said, "arauto: rui wanted to hear {shown} and does not: {why}").unwrap();
    }
    assert_eq!(ana.leaves(), said);
    let address = server.address().to_string();
    let ana = Dialogue::begin(&server, arauto(["join", "ana", "--server", &address]));
    rui.ask("/play ana cut.wav", "ana | rui | play | cannot: cut.wav: no folder is shared");
    assert_eq!(ana.leaves(), "arauto: rui wanted to hear cut.wav and does not: no folder is shared\n");
}

#[test]
fn paused_and_stopped_on_the_screen() {
    let server = TestServer::with(|config| config.media.unheard_timeout = Duration::ZERO);
    let (folder, _) = folder(600);
    let mut ana = Terminal::run(join(&server, folder.path()), 100, 24);
    ana.shows("You are ana on");
    ana.enter("/stop");
    ana.shows("! You play nothing to others.");
    let mut rui = server.join("rui");
    rui.send("/play ana a song.wav");
    offered(&mut rui);
    ana.shows("- You play a song.wav to rui. /pause pauses it");
    ana.shows("playing a song.wav 0:01 of 10:00");
    ana.enter("/pause");
    ana.shows("paused a song.wav 0:0");
    ana.enter("/pause another.wav");
    ana.shows("! You do not play another.wav to others.");
    ana.enter("/pause a song.wav");
    ana.shows("playing a song.wav 0:0");
    rui.send("/streams");
    let line = rui.line();
    assert!(line.starts_with("server | rui | list_streams | ana: a song.wav, 0 listening, 00:0"), "{line}");
    assert!(line.ends_with(" of 10:00"), "{line}");
    ana.enter("/stop");
    rui.expect("server | rui | stop | ana: a song.wav ended");
    ana.shows("- a song.wav is not played any more: you stopped it");
    ana.wait_for("nothing to be played", |screen| !screen.contents().contains("playing a song.wav 0"));
    rui.send("/play ana a song.wav");
    offered(&mut rui);
    ana.shows("playing a song.wav 0:0");
    ana.enter("/stop a song.wav");
    rui.expect("server | rui | stop | ana: a song.wav ended");
    // A word of the server about the end would come before the echo.
    ana.enter("/echo that is all");
    ana.shows("= echo: that is all");
    let told =
        |screen: &vt100::Screen| screen.contents().matches("a song.wav is not played any more").count();
    ana.wait_for("a word about each end", |screen| told(screen) == 2);
    ana.look(|screen| {
        let shown = screen.contents();
        assert_eq!(shown.matches("a song.wav is not played any more: you stopped it").count(), 2, "{shown}");
        assert!(!shown.contains("a song.wav ended"), "{shown}");
    });
}

#[test]
fn a_file_that_nobody_hears_is_not_played_to_its_end() {
    let server = TestServer::with(|config| config.media.unheard_timeout = Duration::from_secs(1));
    let (folder, _) = folder(600);
    for number in 1..=6 {
        fs::copy(folder.path().join("a song.wav"), folder.path().join(format!("{number}.wav"))).unwrap();
    }
    let ana = Terminal::run(join(&server, folder.path()), 100, 24);
    ana.shows("You are ana on");
    let mut rui = server.join("rui");
    // A listener that skips from file to file: more files than a sharer plays at once.
    for number in 1..=6 {
        rui.send(&format!("/play ana {number}.wav"));
        let line = rui.line();
        assert!(line.starts_with("ana | rui | play | rtsp://"), "{line}");
        rui.expect(&format!("server | rui | stop | ana: {number}.wav ended: nobody listened for 1s"));
    }
    ana.shows("ana: 6.wav ended: nobody listened for 1s");
    ana.shows("- 6.wav is not played any more: the server ended it");
}

#[test]
fn asked_first_where_one_wants_that() {
    let server = TestServer::start();
    let (folder, _) = folder(600);
    let asked = || {
        let mut command = join(&server, folder.path());
        command.env("ARAUTO_CLIENT_SHARE_ASK", "true");
        command
    };
    let mut ana = Terminal::run(asked(), 100, 24);
    ana.shows("You are ana on");
    let mut rui = server.join("rui");
    rui.send("/play ana a song.wav");
    ana.shows("- rui wants to hear a song.wav of yours. Type y or n, and Enter.");
    ana.shows_in_row_from_below(1, "rui wants to hear a song.wav: y or n, and Enter?");
    ana.enter("n");
    rui.expect("ana | rui | play | cannot: a song.wav: its user said no");
    ana.shows("! rui wanted to hear a song.wav and does not: its user said no");
    ana.shows_in_row_from_below(1, "ana @ ");
    rui.send("/play ana a song.wav");
    ana.shows_in_row_from_below(1, "rui wants to hear a song.wav: y or n, and Enter?");
    // Text that is not an answer is sent as a message.
    ana.enter("yes?");
    rui.expect("ana | all clients | broadcast | yes?");
    ana.enter("Y");
    offered(&mut rui);
    ana.shows("- You play a song.wav to rui. /pause pauses it");
    // After the answer, `y` is text like any other.
    ana.enter("y");
    rui.expect("ana | all clients | broadcast | y");
    ana.enter("/exit");
    assert_eq!(ana.ended(), 0);

    let ana = Dialogue::begin(&server, asked());
    rui.expect("server | rui | stop | ana: a song.wav ended: ana has left");
    let why = "its user wants to be asked first, and cannot be asked";
    rui.ask("/play ana a song.wav", &format!("ana | rui | play | cannot: a song.wav: {why}"));
    assert_eq!(ana.leaves(), format!("arauto: rui wanted to hear a song.wav and does not: {why}\n"));
}
