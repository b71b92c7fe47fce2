//! Tests of `arauto play`: a file of a shared folder, through a real server, into a file, a pipe and a sound server.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "numbers of a test, small and exact"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::JoinHandle,
};

use arauto_client::audio::play::sink::wav;
use arauto_client::{
    Target,
    audio::play::{self, PlaybackOptions, PlaybackProgress, Spec, Stage, Volume, player},
    dial::Dialer,
    rtsp::Transport,
};
use arauto_needs::needs;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use super::{pulse::Pulse, sound::ffmpeg};
use crate::{
    cli::arauto,
    harness::{DEADLINE, TestServer, process::signal, wait_until},
};

/// A running program, killed when dropped.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program, with the server's address. It does not find a sound server that may run on this machine.
pub fn client<const N: usize>(server: SocketAddr, arguments: [&str; N]) -> Command {
    let mut command = arauto(arguments);
    command.arg("--server").arg(server.to_string()).stdin(Stdio::null());
    command
        .env("PULSE_SERVER", "unix:/nowhere")
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("PULSE_RUNTIME_PATH");
    command
}

/// Joins ana, who shares this folder.
pub fn share(server: SocketAddr, folder: &Path) -> Running {
    let mut command = client(server, ["join", "ana", "--plain"]);
    command.arg("--share").arg(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let ana = Running(command.spawn().unwrap());
    wait_until("ana to be there", || {
        client(server, ["files", "ana", "--timeout", "5s"]).output().unwrap().status.success()
    });
    ana
}

/// Makes stereo samples, no two seconds of which are alike.
pub fn samples(frames: u32) -> Vec<i16> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16
    };
    (0..2 * frames).map(|_| next()).collect()
}

pub fn write_wav(path: &Path, rate: u32, samples: &[i16]) {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let header = wav::header(Spec { rate, channels: 2 }, Some(u32::try_from(bytes.len()).unwrap()));
    fs::write(path, [&header[..], &bytes].concat()).unwrap();
}

/// Returns the samples of a WAV file. Checks the length in its header, unless the header leaves it open.
pub fn read_wav(bytes: &[u8]) -> Vec<i16> {
    let told = u32::from_le_bytes(bytes[40..44].try_into().unwrap());
    assert!(told == u32::MAX || told as usize == bytes.len() - 44, "{told} of {}", bytes.len());
    bytes[44..].chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]])).collect()
}

/// Checks that nothing but the beginning is missing, and less than half. A listener that joins a stream may miss its
/// beginning.
#[track_caller]
fn assert_heard(sent: &[i16], heard: &[i16]) {
    let missed = (sent.len() - heard.len().min(sent.len())) / 2;
    assert!(heard.len() > sent.len() / 2, "{} of {}", heard.len(), sent.len());
    assert!(heard == &sent[2 * missed..], "{missed} frames missed, and others heard than were sent");
}

pub fn outcome(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

#[test]
fn into_a_file_and_a_pipe_sample_for_sample() {
    let (server, folder) = (TestServer::start(), TempDir::new().unwrap());
    let sent = samples(4 * 48_000);
    write_wav(&folder.path().join("a song.wav"), 48_000, &sent);
    let _ana = share(server.address(), folder.path());
    let to = folder.path().join("heard.wav");
    for way in [None, Some("--tcp")] {
        let mut command = client(server.address(), ["play", "ana/a song.wav"]);
        let output = command.arg("--output").arg(&to).args(way).output().unwrap();
        assert_eq!(outcome(&output), (0, String::new()));
        assert_heard(&sent, &read_wav(&fs::read(&to).unwrap()));
    }
    let output = client(server.address(), ["play", "ana/a song.wav", "--output", "-"]).output().unwrap();
    assert_eq!(outcome(&output), (0, String::new()));
    assert_heard(&sent, &read_wav(&output.stdout));
}

#[test]
fn an_interrupt_leaves_a_whole_file() {
    let (server, folder) = (TestServer::start(), TempDir::new().unwrap());
    let sent = samples(60 * 44_100);
    write_wav(&folder.path().join("song.wav"), 44_100, &sent);
    let _ana = share(server.address(), folder.path());
    let to = folder.path().join("heard.wav");
    let mut command = client(server.address(), ["play", "ana/song.wav"]);
    let mut player = Running(command.arg("--output").arg(&to).stderr(Stdio::piped()).spawn().unwrap());
    wait_until("something to be written", || fs::metadata(&to).is_ok_and(|file| file.len() > 100_000));
    signal(player.0.id(), "INT");
    wait_until("the player to end", || player.0.try_wait().unwrap().is_some());
    assert_eq!(player.0.wait().unwrap().code(), Some(0));
    let heard = read_wav(&fs::read(&to).unwrap());
    let begin = sent.windows(64).position(|part| part == &heard[..64]).unwrap();
    assert!(heard == sent[begin..begin + heard.len()]);
}

#[test]
fn why_nothing_is_heard() {
    let (server, folder) = (TestServer::start(), TempDir::new().unwrap());
    write_wav(&folder.path().join("song.wav"), 44_100, &samples(10));
    let _ana = share(server.address(), folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let play = |what: &str, to: &str| {
        outcome(&client(server.address(), ["play", what, "--output", to]).output().unwrap())
    };
    let (status, why) = play("nobody/song.wav", &path("x.wav"));
    assert_eq!((status, why.as_str()), (3, "arauto: Destination client (nobody) not found!\n"));
    let (status, why) = play("ana/none.wav", &path("x.wav"));
    assert!(status == 3 && why.starts_with("arauto: ana: cannot: "), "{status} {why}");
    assert!(!folder.path().join("x.wav").exists());
    // The file cannot be created, which is found out before the server is asked.
    let (status, why) = play("ana/song.wav", &path("no folder/x.wav"));
    let told = format!("arauto: {}: No such file or directory (os error 2)\n", path("no folder/x.wav"));
    assert_eq!((status, why), (1, told));
    let home = home_of_card("{ type hw card 31 }");
    let output = client(server.address(), ["play", "ana/song.wav"])
        .envs(["HOME", "XDG_CONFIG_HOME"].map(|name| (name, home.path())))
        .output()
        .unwrap();
    let nor = if cfg!(feature = "cpal") { "; there is no sound card" } else { "" };
    let told = format!(
        "arauto: no audio output is available (PULSE_SERVER names unix:/nowhere: No such file or directory (os error 2){nor}); \
         arauto play with --output FILE.wav writes a file instead\n"
    );
    assert_eq!(outcome(&output), (1, told));
}

/// Makes a home folder in which ALSA finds this as its sound card. Only the feature `cpal` uses ALSA.
fn home_of_card(card: &str) -> TempDir {
    let home = TempDir::new().unwrap();
    write_card(home.path(), card);
    home
}

fn write_card(home: &Path, card: &str) {
    fs::write(home.join(".asoundrc"), format!("pcm.!default {card}\n")).unwrap();
}

/// This card has no clock and takes all samples at once, so the test shows only that playing begins and ends in order.
#[cfg(all(feature = "cpal", target_os = "linux"))]
#[test]
fn without_a_sound_server_the_system_is_given_it() {
    let (server, folder) = (TestServer::start(), TempDir::new().unwrap());
    write_wav(&folder.path().join("song.wav"), 44_100, &samples(44_100));
    let _ana = share(server.address(), folder.path());
    let home = home_of_card("{ type null }");
    let output = client(server.address(), ["play", "ana/song.wav"])
        .envs(["HOME", "XDG_CONFIG_HOME"].map(|name| (name, home.path())))
        .output()
        .unwrap();
    assert_eq!(outcome(&output).0, 0, "{output:?}");
}

/// Returns how much of the energy of these samples, at 48 kHz, is this tone: from 0 to 1 (Goertzel).
pub fn part_of_tone(samples: &[f64], hertz: f64) -> f64 {
    let turn = std::f64::consts::TAU * hertz / 48_000.0;
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let (sin, cos) = (turn * at as f64).sin_cos();
        re += sample * cos;
        im += sample * sin;
        all += sample * sample;
    }
    2.0 * (re * re + im * im) / (samples.len() as f64 * all.max(1e-9))
}

/// For three seconds, a tone of 1 kHz on the left and of 600 Hz on the right comes out of the sound server, at about
/// half the volume, and nothing else.
#[needs("pulseaudio", "parec", "ffmpeg")]
#[test]
fn a_sound_server_is_given_what_was_sent() {
    assert_tones_heard(|pulse, folder, command| {
        command.env("PULSE_SERVER", pulse.server()).env("HOME", folder).env("XDG_CONFIG_HOME", folder);
    });
}

/// Like the test above, but through ALSA, whose plugin passes the sound to PulseAudio, which has a clock and can be
/// recorded.
#[cfg(all(feature = "cpal", target_os = "linux"))]
#[needs("pulseaudio", "parec", "ffmpeg")]
#[test]
fn a_sound_card_is_given_what_was_sent() {
    let home = TempDir::new().unwrap();
    assert_tones_heard(|pulse, _, command| {
        write_card(home.path(), &format!("{{ type pulse server {:?} }}", pulse.server()));
        // ALSA's plugin makes a folder for its settings if there is none.
        command.env("HOME", home.path()).env("XDG_CONFIG_HOME", home.path());
    });
}

/// Plays the tones and checks the recording. `prepare` directs the command to the sound server, with a folder that may
/// be its home.
fn assert_tones_heard(prepare: impl FnOnce(&Pulse, &Path, &mut Command)) {
    let (server, folder) = (TestServer::start(), TempDir::new().unwrap());
    let tone = "aevalsrc=0.8*sin(2*PI*1000*t)|0.8*sin(2*PI*600*t):d=4:s=48000";
    ffmpeg(&["-f", "lavfi", "-i", tone, folder.path().join("tone.wav").to_str().unwrap()]);
    let _ana = share(server.address(), folder.path());
    let pulse = Pulse::start();
    let (recorder, path) = pulse.record();
    let mut command = client(server.address(), ["play", "ana/tone.wav", "--volume", "80"]);
    prepare(&pulse, folder.path(), &mut command);
    let output = command.output().unwrap();
    let (status, told) = outcome(&output);
    // On a busy machine some datagrams come too late.
    assert!(status == 0 && (told.is_empty() || told.starts_with("arauto: lost ")), "{status} {told}");
    // Sound that the sound server still holds is recorded before this silence.
    let length = fs::metadata(&path).unwrap().len();
    wait_until("the rest to be recorded", || fs::metadata(&path).unwrap().len() > length + 48_000);
    drop(recorder);
    let bytes = fs::read(&path).unwrap();
    let heard: Vec<f64> = bytes
        .chunks_exact(2)
        .map(|bytes| f64::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0)
        .collect();
    let begin = heard.iter().position(|sample| sample.abs() > 0.01).unwrap() / 2;
    // Pieces of 50 ms, in which a speed that differs by 0.5 % makes little difference.
    let pieces: Vec<_> = heard[2 * (begin + 9_600)..].chunks_exact(4_800).take(50).collect();
    for (channel, hertz) in [(0, 1_000.0), (1, 600.0)] {
        let is_tone = |piece: &&[f64]| {
            let samples: Vec<f64> = piece.iter().skip(channel).step_by(2).copied().collect();
            let loudest = samples.iter().fold(0.0_f64, |most, sample| most.max(sample.abs()));
            // Volume 80 of 100, to the third power.
            part_of_tone(&samples, hertz) > 0.75 && (loudest - 0.8 * 0.512).abs() < 0.01
        };
        let tones = pieces.iter().copied().filter(|piece| is_tone(piece)).count();
        assert!(tones >= 40, "{hertz} Hz: {tones} of {}", pieces.len());
    }
    let frames = heard.chunks_exact(2).filter(|frame| frame[0].abs().max(frame[1].abs()) > 0.01).count();
    // Datagrams that came too late are played after the sound that stood in for them.
    let most = 4.1 + concealed_seconds(&told);
    assert!((3 * 48_000..=(most * 48_000.0) as usize).contains(&frames), "{frames} {told}");
}

/// Returns the longest concealed time, in seconds, that the client's figure can stand for. It is rounded to tenths.
fn concealed_seconds(told: &str) -> f64 {
    let Some((before, _)) = told.split_once(" s concealed") else { return 0.0 };
    before.rsplit(' ').next().unwrap().parse::<f64>().unwrap() + 0.05
}

/// Answers RTSP like a server whose datagrams do not get through. Interleaved, it sends a second of samples.
fn deaf_to_udp(listener: TcpListener) -> JoinHandle<Vec<String>> {
    std::thread::spawn(move || {
        let mut asked = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            loop {
                let mut request = String::new();
                while !request.ends_with("\r\n\r\n") {
                    if lines.read_line(&mut request).unwrap() == 0 {
                        break;
                    }
                }
                let Some(method) = request.split(' ').next().filter(|method| !method.is_empty()) else {
                    break;
                };
                asked.push(method.to_owned());
                let number = request.lines().find(|line| line.starts_with("CSeq")).unwrap();
                let is_udp = request.contains("client_port");
                let (more, body) = match method {
                    "DESCRIBE" => (
                        "Content-Type: application/sdp\r\n".to_owned(),
                        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 11\r\n",
                    ),
                    "SETUP" if is_udp => (
                        "Session: 1\r\nTransport: RTP/AVP;unicast;client_port=5000-5001;server_port=65000-65001\r\n"
                            .to_owned(),
                        "",
                    ),
                    "SETUP" => ("Session: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n".to_owned(), ""),
                    _ => ("Session: 1\r\n".to_owned(), ""),
                };
                let length = body.len();
                let answer =
                    format!("RTSP/1.0 200 OK\r\n{number}\r\n{more}Content-Length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).unwrap();
                if method == "PLAY" && asked.iter().filter(|asked| *asked == "PLAY").count() == 2 {
                    for at in 0..100_u16 {
                        let mut packet = vec![b'$', 0, 0, 0, 0x80, 11];
                        packet.extend(at.to_be_bytes());
                        packet.extend((u32::from(at) * 441).to_be_bytes());
                        packet.extend(7_u32.to_be_bytes());
                        packet.extend((0..441_i16).flat_map(i16::to_be_bytes));
                        let length = u16::try_from(packet.len() - 4).unwrap();
                        packet[2..4].copy_from_slice(&length.to_be_bytes());
                        stream.write_all(&packet).unwrap();
                    }
                    break;
                }
            }
        }
        asked
    })
}

#[tokio::test]
async fn where_no_datagram_comes_it_goes_on_interleaved() {
    let folder = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = deaf_to_udp(listener);
    let path = folder.path().join("heard.wav");
    let (_commands, mut received) = mpsc::channel(1);
    let (progress, told) = watch::channel(PlaybackProgress::default());
    let wanted = PlaybackOptions {
        dialer: &Dialer::new(address.to_string().parse().unwrap()),
        address: &format!("rtsp://{address}/7f3a"),
        way: Transport::Udp,
        ready: play::Output::File(path.clone()).prepare().unwrap(),
        volume: Volume::default(),
    };
    let begun = std::time::Instant::now();
    let play::Played { figures, ending } = play::play(wanted, &mut received, &progress).await.unwrap();
    assert_eq!(ending, play::StreamEnd::Cut);
    assert!(begun.elapsed() >= player::FIRST_TIMEOUT);
    assert!(told.borrow().fell_back && told.borrow().stage != Stage::Asking);
    assert_eq!((figures.counts.played, figures.counts.lost()), (100, 0));
    assert_eq!(read_wav(&fs::read(path).unwrap()).len(), 44_100);
    let asked = server.join().unwrap();
    assert_eq!(asked, ["DESCRIBE", "SETUP", "PLAY", "TEARDOWN", "DESCRIBE", "SETUP", "PLAY"]);
}

/// The player does not wait for a server that does not answer.
#[tokio::test]
async fn stopped_while_the_server_is_asked() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let dialer = Dialer::new(Target { host: "127.0.0.1".to_owned(), port: 1 }.into());
    let address = format!("rtsp://127.0.0.1:{port}/7f3a?key=0");
    let (commands, mut received) = mpsc::channel(1);
    let (progress, _) = watch::channel(PlaybackProgress::default());
    let ready = play::Ready::Made(Box::new(|_| unreachable!("there is nothing to be heard")));
    let wanted = PlaybackOptions {
        dialer: &dialer,
        address: &address,
        way: Transport::Udp,
        ready,
        volume: Volume::default(),
    };
    let stopping = async {
        let taken = listener.accept().await.unwrap();
        commands.send(player::PlaybackCommand::Stop).await.unwrap();
        taken
    };
    let (heard, _) = tokio::join!(player::play(wanted, &mut received, &progress), stopping);
    let played = heard.unwrap();
    assert_eq!((played.figures.counts.received, played.ending), (0, play::StreamEnd::Stopped));
}
