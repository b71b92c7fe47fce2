//! Tests of decoding, compared with ffmpeg's decoding of the same file.

use arauto_needs::needs;
use arauto_rtsp::{
    Format,
    payload::{Unit, opus},
};

use arauto_client::audio::play::decode::{AudioDecoder, Decoded};
use tempfile::TempDir;

use super::{
    play::{client, outcome, part_of_tone, read_wav, share},
    sound::{encode, ffmpeg, frames, heard_by_ffmpeg, packets},
};
use crate::harness::TestServer;

fn unit(bytes: &[u8]) -> Unit {
    Unit { timestamp: 0, ticks: 0, bytes: bytes.to_vec() }
}

/// Returns how far the difference of two signals is below the first signal, in decibels.
fn below(one: &[f32], other: &[f32]) -> f64 {
    let energy = |samples: &mut dyn Iterator<Item = f64>| samples.map(|sample| sample * sample).sum::<f64>();
    let difference = energy(&mut one.iter().zip(other).map(|(one, other)| f64::from(one - other)));
    10.0 * (energy(&mut one.iter().map(|sample| f64::from(*sample))) / difference.max(1e-20)).log10()
}

/// SILK, hybrid, CELT, and a stream that changes between them, decode as with the reference decoder.
#[needs("ffmpeg")]
#[test]
fn opus_as_the_reference_decodes_it() {
    let folder = TempDir::new().unwrap();
    for (name, channels, arguments) in [
        ("silk narrow", 1, &["-application", "voip", "-b:a", "8k", "-cutoff", "4000"][..]),
        ("silk wide", 2, &["-application", "voip", "-b:a", "20k", "-cutoff", "8000"]),
        ("hybrid", 1, &["-application", "voip", "-b:a", "28k"]),
        ("hybrid of 60 ms", 1, &["-application", "voip", "-b:a", "28k", "-frame_duration", "60"]),
        ("hybrid stereo", 2, &["-application", "voip", "-b:a", "40k"]),
        ("celt of 2.5 ms", 1, &["-application", "lowdelay", "-b:a", "64k", "-frame_duration", "2.5"]),
        ("celt stereo", 2, &["-application", "audio", "-b:a", "128k"]),
        ("changing", 2, &["-application", "audio", "-b:a", "32k"]),
    ] {
        let encoder = ["-c:a", "libopus"].iter().chain(arguments).copied().collect::<Vec<_>>();
        let path = encode(&folder, &format!("{name}.opus"), 2, channels, &encoder);
        let expected = heard_by_ffmpeg(&path, &["-c:a", "libopus"]);
        let (packets, skipped) = packets(&std::fs::read(&path).unwrap());
        let mut decoder = AudioDecoder::new(Format::Opus { channels }, &unit(&packets[0])).unwrap();
        let mut heard = Vec::new();
        for packet in &packets {
            let before = heard.len();
            assert_eq!(decoder.decode(&unit(packet), false, &mut heard), Ok(Decoded::Whole));
            let frames = opus::ticks(packet).unwrap() as usize;
            assert_eq!(heard.len() - before, frames * usize::from(channels));
        }
        let heard = &heard[skipped * usize::from(channels)..];
        let below = below(&expected, heard);
        // Both decoders round to 16 bits, so about 70 dB are possible.
        assert!(below > 60.0, "{name}: {below} dB");
    }
}

/// MPEG 1 and 2, stereo and mono, with constant and variable bit rates.
#[needs("ffmpeg")]
#[test]
fn mp3_as_ffmpeg_decodes_it() {
    let folder = TempDir::new().unwrap();
    for (name, channels, arguments) in [
        ("128k", 2, &["-b:a", "128k", "-ar", "44100"][..]),
        ("vbr", 2, &["-q:a", "2", "-ar", "48000"]),
        ("mono of a low rate", 1, &["-b:a", "32k", "-ar", "22050"]),
    ] {
        let encoder: Vec<_> = ["-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        let path = encode(&folder, &format!("{name}.mp3"), 2, channels, &encoder);
        let expected = heard_by_ffmpeg(&path, &[]);
        let frames = frames(&std::fs::read(&path).unwrap());
        assert!(frames.len() > 50, "{name}: {}", frames.len());
        let mut decoder = AudioDecoder::new(Format::Mp3, &unit(&frames[0])).unwrap();
        let mut heard = Vec::new();
        for frame in &frames {
            assert_eq!(decoder.decode(&unit(frame), false, &mut heard), Ok(Decoded::Whole), "{name}");
        }
        // ffmpeg may leave out the decoder's delay at the beginning.
        let delay = (heard.len() - expected.len().min(heard.len())).min(2_304);
        let below = (0..=delay).map(|delay| below(&expected, &heard[delay..])).fold(0.0, f64::max);
        assert!(below > 80.0, "{name}: {below} dB");
    }
}

/// After a loss, the sound may be silent in parts, but is never louder than the original.
#[needs("ffmpeg")]
#[test]
fn no_noise_after_a_loss() {
    let folder = TempDir::new().unwrap();
    // A low bit rate, so that nearly every frame begins in the frames before it.
    let arguments =
        ["-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0", "-abr", "1", "-b:a", "64k"];
    let path = encode(&folder, "song.mp3", 2, 1, &arguments);
    let frames = frames(&std::fs::read(&path).unwrap());
    let mut whole = AudioDecoder::new(Format::Mp3, &unit(&frames[0])).unwrap();
    let mut lossy = AudioDecoder::new(Format::Mp3, &unit(&frames[0])).unwrap();
    let (mut damaged, mut lost) = (0, false);
    for (at, frame) in frames.iter().enumerate() {
        let (mut right, mut heard) = (Vec::new(), Vec::new());
        whole.decode(&unit(frame), false, &mut right).unwrap();
        if at % 10 == 5 {
            lost = true;
            continue;
        }
        damaged += u32::from(lossy.decode(&unit(frame), lost, &mut heard) == Ok(Decoded::Damaged));
        lost = false;
        assert_eq!(heard.len(), right.len());
        let loudest = |samples: &[f32]| samples.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
        assert!(
            loudest(&heard) <= 1.5 * loudest(&right) + 0.01,
            "{at}: {} {}",
            loudest(&heard),
            loudest(&right)
        );
    }
    assert!((4..30).contains(&damaged), "{damaged}");
}

/// The file keeps the sample rate of the beginning of the stream. Sound at other rates is converted, so that the pitch
/// of a tone stays the same.
#[needs("ffmpeg")]
#[test]
fn a_change_of_the_sample_rate_is_heard() {
    let (server, folder) = (TestServer::start(), TempDir::new().unwrap());
    let tone = |hertz: u16, rate: &str, channels: &str| {
        let path = folder.path().join("part");
        let source = format!("sine=frequency={hertz}:duration=3:sample_rate=48000");
        let encoder =
            ["-ar", rate, "-ac", channels, "-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0"];
        let output = ["-f", "mp3", path.to_str().unwrap()];
        ffmpeg(&[&["-f", "lavfi", "-i", &source], &encoder[..], &output[..]].concat());
        std::fs::read(&path).unwrap()
    };
    let parts = [
        tone(1_000, "48000", "2"),
        tone(600, "44100", "2"),
        tone(440, "24000", "1"),
        tone(800, "48000", "2"),
    ];
    std::fs::write(folder.path().join("song.mp3"), parts.concat()).unwrap();
    let _ana = share(server.address(), folder.path());
    let mut play = client(server.address(), ["play", "ana/song.mp3", "--output", "-"]);
    let output = play.output().unwrap();
    assert_eq!(outcome(&output).0, 0, "{output:?}");
    assert_eq!(output.stdout[22..28], [2, 0, 0x80, 0xbb, 0, 0], "2 channels, 48 kHz");
    let heard: Vec<f64> =
        read_wav(&output.stdout).into_iter().step_by(2).map(|sample| f64::from(sample) / 32_768.0).collect();
    // Measured from the end, because the beginning may be missed. A second in the middle of each part.
    let end = heard.len();
    for (part, hertz) in [(0, 1_000.0), (1, 600.0), (2, 440.0), (3, 800.0)] {
        let begin = end - (4 - part) * 3 * 48_000 + 48_000;
        let tone = part_of_tone(&heard[begin..begin + 48_000], hertz);
        assert!(tone > 0.98, "{hertz} Hz: {tone}");
    }
}
