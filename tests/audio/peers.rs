//! Tests with other programs: ffmpeg publishes; ffmpeg, mpv and `GStreamer` listen. The received sound is compared with
//! the file.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use arauto_needs::needs;
use arauto_protocol::{Offer, Summons};

use super::sound::{Running, convert, expect_piece_of, expect_rest_of, make, quiet, wait_for_bytes};
use crate::harness::{Client, TestServer};

/// A server; ana, who was asked to publish a file; and rui, who asked for it.
struct Stage {
    _server: TestServer,
    _ana: Client,
    /// The RTSP address at which ana is to publish the file.
    summons: String,
    rui: Client,
    folder: tempfile::TempDir,
}

impl Stage {
    fn asked_for(file: &str) -> Self {
        // Programs start slowly on a busy machine, and these tests do not judge how fast they start.
        let server = TestServer::with(|config| {
            config.media.publish_timeout = Duration::from_mins(1);
            config.media.unheard_timeout = Duration::ZERO;
        });
        let mut ana = server.join("ana");
        let mut rui = server.join("rui");
        rui.send(&format!("/play ana {file}"));
        let line = ana.line();
        let data = line.strip_prefix("rui | ana | publish | ").unwrap_or_else(|| panic!("{line}"));
        let summons = Summons::parse(data).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(summons.file, file);
        let summons = summons.rtsp.to_owned();
        Self { _server: server, _ana: ana, summons, rui, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Has ffmpeg publish the file, with the command that a netcat user would type after reading the message.
    fn publish(&self, file: &Path, arguments: &str) -> Running {
        let mut command = quiet("ffmpeg");
        command.args(["-v", "error", "-re", "-i"]).arg(file).args(arguments.split_whitespace());
        command.args(["-f", "rtsp", &self.summons]);
        Running::start(&mut command)
    }

    /// Reads the `play` message that rui receives. Returns the addresses for RTSP and HTTP.
    #[track_caller]
    fn offer(&mut self) -> (String, String) {
        let line = self.rui.line();
        let data = line.strip_prefix("ana | rui | play | ").unwrap_or_else(|| panic!("{line}"));
        let offer = Offer::parse(data).unwrap_or_else(|| panic!("{line}"));
        (offer.rtsp.to_owned(), offer.http.unwrap().to_owned())
    }
}

/// Has ffmpeg listen at `rtsp` and write the sound to `to` as it arrives.
fn ffmpeg_listens(rtsp: &str, transport: &str, to: &Path, arguments: &str) -> Running {
    let mut command = quiet("ffmpeg");
    command.args(["-v", "error", "-y", "-rtsp_transport", transport, "-i", rtsp]);
    command.args(arguments.split_whitespace()).args(["-flush_packets", "1"]).arg(to);
    Running::start(&mut command)
}

/// Arguments for bare MPEG frames: no tags, and no Xing frame, which only states the length.
const BARE_MP3: &str = "-c:a libmp3lame -b:a 96k -write_xing 0 -id3v2_version 0 -write_id3v1 0";
const BARE_MP3_COPY: &str = "-c copy -f mp3 -write_xing 0 -id3v2_version 0 -write_id3v1 0";

/// A frequency sweep, so that no two seconds of it are alike.
const SWEEP: &str = "aevalsrc=0.4*sin(2*PI*(200+100*t)*t):s=44100:d=5";

/// Maximum number of bytes at the end of a file that ffmpeg loses: it collects MPEG frames until they fill a datagram,
/// and drops the collected ones when the file ends.
const LOST_BY_FFMPEG: usize = 1_460;

fn mp3_is_heard_by(publishing: &str, listening: &str) {
    let mut stage = Stage::asked_for("song.mp3");
    let song = make(stage.folder.path(), "song.mp3", SWEEP, BARE_MP3);
    let publisher = stage.publish(&song, &format!("-c copy -rtsp_transport {publishing}"));
    let (rtsp, _) = stage.offer();
    let heard = stage.path("heard.mp3");
    let listener = ffmpeg_listens(&rtsp, listening, &heard, BARE_MP3_COPY);
    publisher.expect_success();
    listener.expect_success();
    expect_rest_of(&fs::read(&song).unwrap(), &fs::read(&heard).unwrap(), LOST_BY_FFMPEG);
    stage.rui.expect("server | rui | stop | ana: song.mp3 ended");
}

#[needs("ffmpeg")]
#[test]
fn mp3_by_udp() {
    mp3_is_heard_by("udp", "udp");
}

#[needs("ffmpeg")]
#[test]
fn mp3_by_tcp() {
    mp3_is_heard_by("tcp", "tcp");
}

#[needs("ffmpeg")]
#[test]
fn mp3_by_udp_and_then_by_tcp() {
    mp3_is_heard_by("udp", "tcp");
}

/// Publishes a file with a cover, which ffmpeg announces as a second medium. ffmpeg then holds the sound back for 10 s
/// in case more pictures come. The server lets listeners in before that.
#[needs("ffmpeg")]
#[test]
fn a_cover_is_passed_over() {
    for publishing in ["udp", "tcp"] {
        let mut stage = Stage::asked_for("song.mp3");
        let bare = make(stage.folder.path(), "bare.mp3", SWEEP, BARE_MP3);
        let cover =
            make(stage.folder.path(), "cover.jpg", "testsrc=s=320x320:d=1", "-frames:v 1 -pix_fmt yuvj420p");
        let song = stage.path("song.mp3");
        let mut command = quiet("ffmpeg");
        command.args(["-v", "error", "-y", "-i"]).arg(&bare).arg("-i").arg(&cover);
        command.args(
            "-map 0:a -map 1:v -c copy -write_xing 0 -id3v2_version 3 -disposition:v attached_pic".split(' '),
        );
        assert!(command.arg(&song).status().unwrap().success());
        let publisher = stage.publish(&song, &format!("-c copy -rtsp_transport {publishing}"));
        let (rtsp, _) = stage.offer();
        let heard = stage.path("heard.mp3");
        let listener = ffmpeg_listens(&rtsp, "tcp", &heard, BARE_MP3_COPY);
        publisher.expect_success();
        listener.expect_success();
        expect_rest_of(&fs::read(&bare).unwrap(), &fs::read(&heard).unwrap(), LOST_BY_FFMPEG);
    }
}

/// All samples arrive unchanged: mono and stereo, at rates with and without a static payload type.
#[needs("ffmpeg")]
#[test]
fn samples_as_they_are() {
    for (rate, channels) in [(44_100, 2), (44_100, 1), (8_000, 1), (48_000, 2)] {
        let mut stage = Stage::asked_for("song.wav");
        let source = format!("aevalsrc=0.4*sin(2*PI*(200+100*t)*t):s={rate}:d=3");
        let song = make(stage.folder.path(), "song.wav", &source, &format!("-ac {channels} -c:a pcm_s16le"));
        let publisher = stage.publish(&song, "-c:a pcm_s16be");
        let (rtsp, _) = stage.offer();
        let heard = stage.path("heard.raw");
        let listener = ffmpeg_listens(&rtsp, "udp", &heard, "-c:a pcm_s16le -f s16le");
        publisher.expect_success();
        listener.expect_success();
        let played = stage.path("played.raw");
        convert(&song, &played, "-c:a pcm_s16le -f s16le");
        expect_rest_of(&fs::read(&played).unwrap(), &fs::read(&heard).unwrap(), 0);
    }
}

/// Opus packets have no byte pattern between them to find them by, so the hashes of the packets are compared.
#[needs("ffmpeg")]
#[test]
fn opus() {
    let mut stage = Stage::asked_for("song.opus");
    let song = make(stage.folder.path(), "song.opus", SWEEP, "-c:a libopus -b:a 64k");
    let publisher = stage.publish(&song, "-c copy");
    let (rtsp, _) = stage.offer();
    let heard = stage.path("heard.opus");
    let listener = ffmpeg_listens(&rtsp, "udp", &heard, "-c copy");
    publisher.expect_success();
    listener.expect_success();
    let packets = |file: &Path| -> Vec<String> {
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-show_packets", "-show_data_hash", "md5", "-of", "csv"]).arg(file);
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        said.split("MD5:").skip(1).map(|hash| hash[..32].to_owned()).collect()
    };
    let (played, heard) = (packets(&song), packets(&heard));
    assert!(heard.len() > 50, "{} packets", heard.len());
    assert!(played.ends_with(&heard), "{} of {}", heard.len(), played.len());
}

/// `GStreamer` starts slowly on a busy machine, so the song goes on until `GStreamer` has written some sound. Then the
/// publisher ends it.
#[needs("ffmpeg", "gst-launch-1.0")]
#[test]
fn gstreamer_listens() {
    for protocols in ["udp", "tcp"] {
        let mut stage = Stage::asked_for("song.mp3");
        let song = make(stage.folder.path(), "song.mp3", &SWEEP.replace("d=5", "d=60"), BARE_MP3);
        let publisher = stage.publish(&song, "-c copy");
        let (rtsp, _) = stage.offer();
        let heard = stage.path("heard.mp3");
        let mut command = quiet("gst-launch-1.0");
        let pipeline = format!(
            "rtspsrc location={rtsp} protocols={protocols} latency=200 ! rtpmpadepay ! filesink location={} buffer-mode=2",
            heard.display()
        );
        let words = stage.path("words");
        let output = fs::File::create(&words).unwrap();
        let listener = Running::start_writing(command.args(pipeline.split_whitespace()), output);
        // At least one second of sound.
        wait_for_bytes(&heard, 12_000);
        publisher.interrupt();
        publisher.expect_end();
        // Sometimes GStreamer closes its connection before its own last request and reports that it could not send it.
        // So its exit status does not judge the server. `a_listener_has_time_for_its_teardown_after_the_end` shows that
        // a TEARDOWN is answered after the end.
        listener.expect_end();
        let words = fs::read_to_string(words).unwrap();
        assert!(words.contains("Got EOS from element \"pipeline0\""), "{words}");
        expect_piece_of(&fs::read(&song).unwrap(), &fs::read(&heard).unwrap());
        stage.rui.expect("server | rui | stop | ana: song.mp3 ended");
    }
}

#[needs("ffmpeg", "mpv")]
#[test]
fn mpv_listens() {
    let mut stage = Stage::asked_for("song.mp3");
    let song = make(stage.folder.path(), "song.mp3", SWEEP, BARE_MP3);
    let publisher = stage.publish(&song, "-c copy");
    let (rtsp, _) = stage.offer();
    let heard = stage.path("heard.wav");
    let mut command = quiet("mpv");
    command.args(["--no-config", "--no-video", "--ao=pcm", "--no-terminal"]);
    command.arg(format!("--ao-pcm-file={}", heard.display())).arg(&rtsp);
    let listener = Running::start(&mut command);
    publisher.expect_success();
    listener.expect_success();
    // Two seconds at 44.1 kHz in 16 bits, of at least one channel.
    wait_for_bytes(&heard, 2 * 44_100 * 2);
}

/// Several listeners come to one stream at different times and by all transports, and all hear the same from then on.
#[needs("ffmpeg")]
#[test]
fn all_hear_the_same() {
    let mut stage = Stage::asked_for("song.mp3");
    let song = make(stage.folder.path(), "song.mp3", SWEEP, BARE_MP3);
    let publisher = stage.publish(&song, "-c copy");
    let (rtsp, http) = stage.offer();
    let mut listeners = Vec::new();
    for (number, transport) in ["udp", "tcp", "udp", "tcp"].into_iter().enumerate() {
        let heard = stage.path(&format!("heard{number}.mp3"));
        listeners.push((ffmpeg_listens(&rtsp, transport, &heard, BARE_MP3_COPY), heard.clone()));
        // The next listener comes once this one has received sound.
        wait_for_bytes(&heard, 1);
    }
    let browser = stage.path("browser.mp3");
    let mut command = quiet("ffmpeg");
    command.args(["-v", "error", "-y", "-i", &http]).args(BARE_MP3_COPY.split_whitespace()).arg(&browser);
    listeners.push((Running::start(&mut command), browser));
    // The list shows the stream and how many listen.
    stage.rui.send("/streams");
    let line = stage.rui.line();
    assert!(line.starts_with("server | rui | list_streams | ana: song.mp3, "), "{line}");
    publisher.expect_success();
    let played = fs::read(&song).unwrap();
    for (listener, heard) in listeners {
        listener.expect_success();
        expect_rest_of(&played, &fs::read(&heard).unwrap(), LOST_BY_FFMPEG);
    }
    stage.rui.expect("server | rui | stop | ana: song.mp3 ended");
}

/// Listening fails without a key, with a wrong key, and with the publisher's address and key.
#[needs("ffmpeg")]
#[test]
fn nothing_is_to_be_had_without_a_key() {
    let mut stage = Stage::asked_for("song.mp3");
    let song = make(stage.folder.path(), "song.mp3", SWEEP, BARE_MP3);
    let _publisher = stage.publish(&song, "-c copy");
    let (rtsp, _) = stage.offer();
    let (address, key) = rtsp.split_once("key=").unwrap();
    let guessed = format!("{address}key={}", key.chars().rev().collect::<String>());
    for wrong in [address.trim_end_matches('?'), &guessed, &stage.summons] {
        let mut command = quiet("ffmpeg");
        command.args(["-v", "error", "-i", wrong, "-t", "1", "-f", "null", "-"]);
        assert!(!command.output().unwrap().status.success(), "{wrong}");
    }
    let _: SocketAddr = address.trim_start_matches("rtsp://").split('/').next().unwrap().parse().unwrap();
}
