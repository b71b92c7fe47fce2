//! Tests of the player on a simulated network that loses, delays, reorders and duplicates datagrams, with a simulated
//! clock.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "numbers of a test, small and exact"
)]

use std::{collections::BTreeMap, fs, time::Duration};

use arauto_needs::{has_tool, needs};
use arauto_rtsp::{
    Description, Format,
    payload::{Packer, Payload, Unpacker},
};

use arauto_client::{
    audio::play::{
        Output, PlaybackProgress, Ready, Spec, Volume,
        jitter::JitterBuffer,
        player::{Incoming, listen},
        playout::{ClockSource, Figures},
        sink::{Null, Sink},
    },
    rtsp::{RtspError, RtspEvent},
};
use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::sound::{encode, frames, packets};

/// A network between a sender and the player.
#[derive(Clone)]
struct Network {
    /// Lost datagrams, in percent.
    lost: u8,
    jitter_ms: u64,
    /// Milliseconds since the beginning during which nothing gets through.
    cut: std::ops::Range<u64>,
    doubled: u8,
}

const GOOD: Network = Network { lost: 0, jitter_ms: 0, cut: 0..0, doubled: 0 };
const BAD: Network = Network { lost: 5, jitter_ms: 30, cut: 8_000..11_000, doubled: 2 };

/// The datagrams that arrive. After the last one, the connection is closed.
struct Way {
    begun: Instant,
    /// Datagrams by their time of arrival in microseconds.
    coming: BTreeMap<(u64, usize), Vec<u8>>,
}

impl Incoming for Way {
    async fn next(&mut self) -> Result<RtspEvent, RtspError> {
        let Some(first) = self.coming.first_entry() else { return Ok(RtspEvent::Closed) };
        sleep_until(self.begun + Duration::from_micros(first.key().0)).await;
        Ok(RtspEvent::Rtp(self.coming.pop_first().unwrap().1))
    }

    async fn report(&self, packets: &[u8]) -> Result<(), RtspError> {
        assert!(!packets.is_empty());
        Ok(())
    }
}

fn datagram(format: Format, at: usize, payload: &Payload) -> Vec<u8> {
    let sequence = u16::try_from(at & 0xffff).unwrap().wrapping_add(65_000);
    let timestamp = u32::try_from(payload.position & 0xffff_ffff).unwrap().wrapping_sub(1_000_000);
    let mut datagram = vec![0x80, format.payload_type()];
    datagram.extend(sequence.to_be_bytes());
    datagram.extend(timestamp.to_be_bytes());
    datagram.extend(7_u32.to_be_bytes());
    datagram.extend(&payload.bytes);
    datagram
}

fn payloads(format: Format, units: &[Vec<u8>]) -> Vec<Payload> {
    let mut packer = Packer::new(format);
    let mut payloads: Vec<_> = units.iter().flat_map(|unit| packer.push(unit)).collect();
    payloads.extend(packer.finish());
    payloads
}

/// Sends these payloads. Returns the datagrams that arrive, and the total duration and the number of the lost payloads.
fn send(format: Format, payloads: &[Payload], network: &Network) -> (Way, Duration, u64) {
    let mut random = fastrand::Rng::with_seed(3);
    let (mut coming, mut gone, mut lost) = (BTreeMap::new(), 0_u64, 0);
    for (at, payload) in payloads.iter().enumerate() {
        let sent = payload.position * 1_000_000 / u64::from(format.clock_rate());
        let is_end = at == 0 || at + 20 > payloads.len();
        if !is_end && (network.cut.contains(&(sent / 1_000)) || random.u8(0..100) < network.lost) {
            gone += u64::from(payload.ticks);
            lost += 1;
            continue;
        }
        let copies = 1 + usize::from(random.u8(0..100) < network.doubled);
        for copy in 0..copies {
            let comes = sent + random.u64(0..=1_000 * network.jitter_ms);
            coming.insert((comes, 2 * at + copy), datagram(format, at, payload));
        }
    }
    let gone = Duration::from_secs(1).mul_f64(gone as f64 / f64::from(format.clock_rate()));
    (Way { begun: Instant::now(), coming }, gone, lost)
}

struct Heard {
    figures: Figures,
    took: Duration,
    frames: usize,
}

/// A sink that takes nothing before this moment.
struct Late(Null, Instant);

impl Sink for Late {
    fn clock(&self) -> ClockSource {
        self.0.clock()
    }

    fn room(&mut self) -> std::io::Result<usize> {
        if Instant::now() < self.1 { Ok(0) } else { self.0.room() }
    }

    fn write(&mut self, samples: &[f32]) -> std::io::Result<()> {
        self.0.write(samples)
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, std::io::Result<()>> {
        Box::new(self.0).finish()
    }
}

/// Plays the stream to a null sink that takes nothing before `begins`.
async fn play(format: Format, way: &mut Way, begins: Instant) -> Heard {
    let (tell, mut heard) = mpsc::unbounded_channel();
    let ready =
        Ready::Made(Box::new(move |spec: Spec| Box::new(Late(Null::new(spec, Some(tell.clone())), begins))));
    let (_commands, mut received) = mpsc::channel(1);
    let (progress, _) = watch::channel(PlaybackProgress::default());
    let description = Description::new(format, "", None);
    let begun = Instant::now();
    let figures = listen(way, &description, None, ready, Volume::default(), &mut received, &progress);
    let figures = figures.await.unwrap().figures;
    let mut frames = 0;
    while let Ok(samples) = heard.try_recv() {
        frames += samples.len();
    }
    Heard { figures, took: begun.elapsed(), frames }
}

/// Makes twenty seconds of each format. Without ffmpeg, only L16.
fn songs(folder: &TempDir) -> Vec<(&'static str, Format, Vec<Vec<u8>>)> {
    let samples = (0..20 * 44_100_u32).flat_map(|at| ((at % 200) as i16 * 100).to_be_bytes());
    let mut songs = vec![("L16", Format::L16 { rate: 44_100, channels: 1 }, vec![samples.collect()])];
    if has_tool!("ffmpeg") {
        let mp3 = ["-c:a", "libmp3lame", "-b:a", "128k", "-write_xing", "0", "-id3v2_version", "0"];
        let path = encode(folder, "song.mp3", 20, 2, &mp3);
        songs.push(("MP3", Format::Mp3, frames(&fs::read(path).unwrap())));
        let path = encode(folder, "song.opus", 20, 2, &["-c:a", "libopus", "-b:a", "64k"]);
        songs.push(("Opus", Format::Opus { channels: 2 }, packets(&fs::read(path).unwrap()).0));
    }
    songs
}

/// Lost sound is concealed, and the concealed time is within 10 % of the lost time. Playing takes as long as the song
/// and the usual delay.
#[tokio::test(start_paused = true)]
async fn it_goes_on_over_a_bad_network() {
    let folder = TempDir::new().unwrap();
    for (name, format, units) in songs(&folder) {
        let payloads = payloads(format, &units);
        let (mut way, gone, lost) = send(format, &payloads, &BAD);
        let Heard { figures, took, frames } = play(format, &mut way, Instant::now()).await;
        let told = format!("{name}: {gone:?} in {lost} lost, {took:?}, {frames} {figures:?}");
        assert!(gone > Duration::from_secs(3), "{told}");
        assert!(figures.concealed >= gone.mul_f64(0.9) && figures.concealed <= gone.mul_f64(1.1), "{told}");
        assert_eq!(figures.counts.lost(), lost, "{told}");
        assert!(figures.counts.doubled > 0, "{told}");
        assert!(took > Duration::from_millis(19_900) && took < Duration::from_millis(20_600), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_concealed_over_a_good_one() {
    let folder = TempDir::new().unwrap();
    for (name, format, units) in songs(&folder) {
        let payloads = payloads(format, &units);
        let (mut way, ..) = send(format, &payloads, &GOOD);
        let Heard { figures, .. } = play(format, &mut way, Instant::now()).await;
        assert_eq!((figures.concealed, figures.counts.missed), (Duration::ZERO, 0), "{name}: {figures:?}");
        let played = Duration::from_millis(19_900)..Duration::from_millis(20_100);
        assert!(played.contains(&figures.played), "{name}: {figures:?}");
    }
}

/// Sound that is sent before the sink begins is held for the sink, without loss.
#[tokio::test(start_paused = true)]
async fn a_card_that_begins_late_is_given_the_beginning() {
    let folder = TempDir::new().unwrap();
    for (name, format, units) in songs(&folder) {
        let payloads = payloads(format, &units);
        let (mut way, ..) = send(format, &payloads, &GOOD);
        let begins = Instant::now() + Duration::from_millis(600);
        let Heard { figures, .. } = play(format, &mut way, begins).await;
        let counts = figures.counts;
        assert_eq!(
            (counts.missed, counts.skipped, figures.skipped),
            (0, 0, Duration::ZERO),
            "{name}: {figures:?}"
        );
        assert_eq!(
            (counts.received, counts.played),
            (payloads.len() as u64, payloads.len() as u64),
            "{name}"
        );
    }
}

/// The player ends when the sender of its commands is dropped, because the user is gone then.
#[tokio::test(start_paused = true)]
async fn it_ends_when_nobody_gives_commands() {
    let format = Format::L16 { rate: 44_100, channels: 1 };
    let (mut way, ..) = send(format, &payloads(format, &[vec![0; 60 * 2 * 44_100]]), &GOOD);
    let ready = Ready::Made(Box::new(|spec: Spec| Box::new(Null::new(spec, None))));
    let (commands, mut received) = mpsc::channel(1);
    let (progress, _) = watch::channel(PlaybackProgress::default());
    let description = Description::new(format, "", None);
    tokio::spawn(async move {
        sleep_until(Instant::now() + Duration::from_secs(5)).await;
        drop(commands);
    });
    let played = listen(&mut way, &description, None, ready, Volume::default(), &mut received, &progress);
    let played = played.await.unwrap().figures.played;
    assert!(played > Duration::from_secs(4) && played < Duration::from_secs(6), "{played:?}");
}

/// Although datagrams are reordered and duplicated, the file holds sample for sample what was sent.
#[tokio::test(start_paused = true)]
async fn a_file_holds_what_was_sent() {
    let folder = TempDir::new().unwrap();
    let format = Format::L16 { rate: 44_100, channels: 2 };
    let sent: Vec<i16> = (0..5 * 2 * 44_100_i64).map(|at| (at * 7_919 % 65_536 - 32_768) as i16).collect();
    let payloads = payloads(format, &[sent.iter().flat_map(|sample| sample.to_be_bytes()).collect()]);
    let (mut way, ..) = send(format, &payloads, &Network { lost: 0, cut: 0..0, ..BAD });
    let path = folder.path().join("song.wav");
    let (_commands, mut received) = mpsc::channel(1);
    let (progress, _) = watch::channel(PlaybackProgress::default());
    let ready = Output::File(path.clone()).prepare().unwrap();
    let description = Description::new(format, "", None);
    listen(&mut way, &description, None, ready, Volume::default(), &mut received, &progress).await.unwrap();
    let wav = fs::read(path).unwrap();
    assert_eq!(wav.len(), 44 + 2 * sent.len());
    assert_eq!(wav[40..44], u32::try_from(2 * sent.len()).unwrap().to_le_bytes());
    let written = wav[44..].chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]]));
    assert!(written.eq(sent));
}

/// MP3 frames reach the decoder as they are in the file, byte for byte.
#[needs("ffmpeg")]
#[test]
fn frames_arrive_byte_for_byte() {
    let folder = TempDir::new().unwrap();
    // A variable bit rate, so that some datagrams hold several frames, and some frames take several datagrams.
    let arguments = ["-c:a", "libmp3lame", "-q:a", "0", "-write_xing", "0", "-id3v2_version", "0"];
    let path = encode(&folder, "song.mp3", 5, 2, &arguments);
    let sent = frames(&fs::read(path).unwrap());
    let payloads = payloads(Format::Mp3, &sent);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let way = runtime.block_on(async {
        send(Format::Mp3, &payloads, &Network { lost: 0, cut: 0..0, jitter_ms: 100, doubled: 20 }).0
    });
    let mut jitter = JitterBuffer::new(Format::Mp3.payload_type(), Format::Mp3.clock_rate());
    for ((comes, _), datagram) in &way.coming {
        jitter.take(Duration::from_micros(*comes), datagram);
    }
    let mut unpacker = Unpacker::new(Format::Mp3);
    let held = std::iter::from_fn(|| jitter.pop());
    let came = held.flat_map(|held| unpacker.take(held.sequence, held.timestamp, &held.payload));
    assert!(came.map(|unit| unit.bytes).eq(sent));
}
