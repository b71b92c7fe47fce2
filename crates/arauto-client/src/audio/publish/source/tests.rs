//! Tests with files made by ffmpeg, and with files made here.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use arauto_needs::needs;
use arauto_rtsp::payload::opus;
use symphonia::core::{
    formats::{FormatInfo, MediaInfo, SeekMode, SeekTo, SeekedTo, Track},
    io::MediaSourceStream,
    meta::{Metadata, MetadataLog},
    units,
};
use tempfile::TempDir;

use super::*;

/// Makes a file with ffmpeg from a tone of 2 s, unless `arguments` names other inputs.
pub fn made(dir: &TempDir, name: &str, arguments: &str) -> PathBuf {
    let path = dir.path().join(name);
    let tone = "-f lavfi -i sine=frequency=440:duration=2:sample_rate=44100";
    let inputs = if arguments.contains("-i ") { "" } else { tone };
    let made = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(format!("{inputs} {arguments}").split_whitespace())
        .arg(&path)
        .stdin(Stdio::null())
        .status();
    assert!(made.unwrap().success(), "{arguments}");
    path
}

fn open(path: &Path) -> Result<Source, NoSource> {
    Source::open(File::open(path).unwrap())
}

fn units(path: &Path) -> (Format, Option<Duration>, Vec<Vec<u8>>) {
    let mut source = open(path).unwrap();
    let units = std::iter::from_fn(|| source.next_unit().unwrap()).collect();
    (source.format, source.length, units)
}

/// All frames of a file except the information frame, found without a library.
fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let tag = |at: usize| usize::from(bytes[at] & 0x7f);
    let mut rest = match bytes {
        [b'I', b'D', b'3', ..] => &bytes[10 + (tag(6) << 21 | tag(7) << 14 | tag(8) << 7 | tag(9))..],
        _ => bytes,
    };
    let mut frames = Vec::new();
    while let Some(header) = FrameHeader::parse(rest)
        && let Some((frame, after)) = rest.split_at_checked(header.bytes)
    {
        if !header.is_information(frame) {
            frames.push(frame.to_vec());
        }
        rest = after;
    }
    frames
}

#[needs("ffmpeg")]
#[test]
fn frames_as_they_stand_in_the_file() {
    let dir = TempDir::new().unwrap();
    for (name, arguments) in [
        ("constant.mp3", "-b:a 128k"),
        ("variable.mp3", "-q:a 4 -ac 2"),
        ("low.mp3", "-ar 8000 -ac 1 -b:a 8k"),
        ("high.mp3", "-ar 48000 -ac 2 -b:a 320k"),
        ("tagged.mp3", "-metadata title=Song -metadata artist=Somebody -id3v2_version 3 -write_id3v1 1"),
        ("layer2.mp2", "-b:a 384k -ac 2 -ar 32000"),
        (
            "picture.mp3",
            "-f lavfi -i sine=duration=2 -f lavfi -i testsrc2=size=600x600:rate=1:duration=1 \
             -map 0 -map 1 -c:v png -disposition:v attached_pic -id3v2_version 3",
        ),
    ] {
        let path = made(&dir, name, arguments);
        let (format, length, units) = units(&path);
        let expected = frames(&std::fs::read(&path).unwrap());
        assert_eq!(format, Format::Mp3, "{name}");
        assert!(units == expected && units.len() >= 25, "{name}: {} of {}", units.len(), expected.len());
        let off = length.unwrap().abs_diff(Duration::from_secs(2));
        assert!(off < Duration::from_millis(150), "{name}: {length:?}");
    }
    assert!(std::fs::metadata(dir.path().join("picture.mp3")).unwrap().len() > 33_000);
}

/// The cover is noise, which does not compress: it is larger than the range searched for the beginning of audio.
#[needs("ffmpeg")]
#[test]
fn a_cover_of_any_size_is_passed_over() {
    let dir = TempDir::new().unwrap();
    for (name, arguments) in [("a.mp3", "-id3v2_version 3"), ("b.flac", ""), ("c.m4a", "-c:a aac -f mp4")] {
        let arguments = format!(
            "-f lavfi -i sine=duration=2 -f lavfi -i nullsrc=s=1100x1100:r=1:d=1,geq=random(1)*255:random(2)*255:random(3)*255 \
             -map 0 -map 1 -c:v png -pix_fmt rgb24 -disposition:v attached_pic {arguments}"
        );
        let path = made(&dir, name, &arguments);
        assert!(std::fs::metadata(&path).unwrap().len() > 2 * 1024 * 1024, "{name}");
        let (_, length, units) = units(&path);
        assert!(length.unwrap().abs_diff(Duration::from_secs(2)) < Duration::from_millis(150), "{name}");
        // FLAC frames have 4,608 samples here.
        assert!(units.len() >= 2 * 44_100 / 4_608, "{name}");
    }
}

/// A program that writes WAV to a pipe states a length of all ones, or another made-up one. The file is played to its
/// end.
#[needs("ffmpeg")]
#[test]
fn a_wav_out_of_a_pipe_is_played_to_its_end() {
    let dir = TempDir::new().unwrap();
    let path = made(&dir, "a.wav", "");
    let (format, _, whole) = units(&path);
    let bytes = std::fs::read(&path).unwrap();
    let data = bytes.windows(4).position(|name| name == b"data").unwrap();
    for length in [0, 0x7fff_f000, 0x8000_0000, u32::MAX] {
        let mut piped = bytes.clone();
        piped[4..8].copy_from_slice(&length.wrapping_add(36).to_le_bytes());
        piped[data + 4..data + 8].copy_from_slice(&length.to_le_bytes());
        let path = dir.path().join("piped.wav");
        std::fs::write(&path, piped).unwrap();
        assert!(units(&path) == (format, Some(Duration::from_secs(2)), whole.clone()), "{length:x}");
    }
}

#[needs("ffmpeg")]
#[test]
fn opus_packets_as_they_stand_in_the_file() {
    let dir = TempDir::new().unwrap();
    for (name, channels, arguments) in [
        ("mono.opus", 1, "-c:a libopus -b:a 24k"),
        ("stereo.ogg", 2, "-c:a libopus -ac 2 -b:a 160k"),
        ("long.opus", 2, "-c:a libopus -ac 2 -b:a 256k -frame_duration 120"),
    ] {
        let path = made(&dir, name, arguments);
        let (format, length, units) = units(&path);
        assert_eq!(format, Format::Opus { channels }, "{name}");
        let ticks: u32 = units.iter().map(|unit| opus::ticks(unit).unwrap()).sum();
        assert!((96_000..=96_000 + 2 * 5_760).contains(&ticks), "{name}: {ticks}");
        let length = length.unwrap();
        assert!(length.abs_diff(Duration::from_secs(2)) < Duration::from_millis(20), "{name}: {length:?}");
    }
    let path = made(&dir, "six.opus", "-ac 6 -c:a libopus");
    assert_eq!(open(&path).err().unwrap().to_string(), "it is Opus with 6 channels, and 2 are the most");
}

/// Decodes a file with ffmpeg to big-endian samples.
fn decoded(path: &Path, arguments: &str) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-i"])
        .arg(path)
        .args(arguments.split_whitespace())
        .args(["-f", "s16be", "-"])
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout
}

#[needs("ffmpeg")]
#[test]
fn samples_as_others_decode_them() {
    let dir = TempDir::new().unwrap();
    for (name, arguments, rate, channels) in [
        ("a.wav", "", 44_100, 1),
        ("b.wav", "-ar 8000", 8_000, 1),
        ("c.wav", "-ar 48000 -ac 2", 48_000, 2),
        ("d.flac", "-ac 2", 44_100, 2),
        ("e.flac", "-ar 96000", 96_000, 1),
    ] {
        let path = made(&dir, name, arguments);
        let (format, length, units) = units(&path);
        assert_eq!(format, Format::L16 { rate, channels }, "{name}");
        assert_eq!(length, Some(Duration::from_secs(2)), "{name}");
        assert!(units.concat() == decoded(&path, ""), "{name}");
    }
    // Decoders of these formats may differ in the last bits and in where they begin.
    for (name, arguments, rate, channels) in [
        ("f.ogg", "-c:a libvorbis -ac 2", 44_100, 2),
        ("g.m4a", "-c:a aac", 44_100, 1),
        ("h.aac", "-c:a aac", 44_100, 1),
    ] {
        let path = made(&dir, name, arguments);
        let (format, _, units) = units(&path);
        assert_eq!(format, Format::L16 { rate, channels }, "{name}");
        let ticks = units.concat().len() / 2 / usize::from(channels);
        assert!((88_200 - 2_100..=88_200 + 4_200).contains(&ticks), "{name}: {ticks}");
        let loud = l16::samples(&units.concat()).filter(|sample| sample.unsigned_abs() > 2_000).count();
        assert!(loud > ticks / 2, "{name}: {loud}");
    }
}

#[needs("ffmpeg")]
#[test]
fn more_channels_become_two() {
    let dir = TempDir::new().unwrap();
    let path = made(&dir, "six.flac", "-ac 6 -channel_layout 5.1");
    let (format, _, units) = units(&path);
    assert_eq!(format, Format::L16 { rate: 44_100, channels: 2 });
    assert_eq!(units.concat().len(), 2 * 44_100 * 4);
    let path = made(&dir, "fast.wav", "-ar 192000");
    assert_eq!(
        open(&path).err().unwrap().to_string(),
        "it has 192000 samples a second, and 96000 are the most"
    );
}

#[needs("ffmpeg")]
#[test]
fn as_far_as_it_goes() {
    let dir = TempDir::new().unwrap();
    for (name, arguments) in [("a.mp3", ""), ("b.opus", "-c:a libopus"), ("c.flac", ""), ("d.wav", "")] {
        let path = made(&dir, name, arguments);
        let (_, _, whole) = units(&path);
        let bytes = std::fs::read(&path).unwrap();
        let cut = dir.path().join("cut");
        std::fs::write(&cut, &bytes[..bytes.len() * 6 / 10]).unwrap();
        let (_, _, units) = units(&cut);
        let (part, all) = (units.concat(), whole.concat());
        assert!((all.len() * 4 / 10..all.len() * 7 / 10).contains(&part.len()), "{name}: {}", part.len());
        assert!(all.starts_with(&part), "{name}");
    }
}

#[test]
fn no_audio_whatever_it_is_called() {
    let dir = TempDir::new().unwrap();
    for content in [
        &b""[..],
        b"Dear diary,\n",
        &b"lorem ipsum dolor sit amet ".repeat(5_000),
        b"ID3\x04\0\0\0\0\0\0",
        b"OggS\0\x02",
        b"RIFF\xff\xff\xff\xffWAVEfmt ",
        &vec![0; 100_000],
    ] {
        let path = dir.path().join("song.mp3");
        std::fs::write(&path, content).unwrap();
        assert_eq!(open(&path).err().unwrap().to_string(), "it holds no audio that can be read here");
    }
}

/// A reader whose packets are given in advance. The file ends after the last.
struct Packets {
    queue: VecDeque<ReadResult<Packet>>,
    info: FormatInfo,
    media: MediaInfo,
    metadata: MetadataLog,
}

impl FormatReader for Packets {
    fn format_info(&self) -> &FormatInfo {
        &self.info
    }

    fn media_info(&self) -> &MediaInfo {
        &self.media
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.metadata.metadata()
    }

    fn seek(&mut self, _: SeekMode, _: SeekTo) -> ReadResult<SeekedTo> {
        Err(Error::Unsupported("seek"))
    }

    fn tracks(&self) -> &[Track] {
        &[]
    }

    fn next_packet(&mut self) -> ReadResult<Option<Packet>> {
        self.queue.pop_front().transpose()
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        unreachable!("nothing takes the file back")
    }
}

/// An Opus file whose audio is track 1 and that holds these packets.
fn of_packets(packets: impl IntoIterator<Item = ReadResult<Packet>>) -> Source {
    let info = FormatInfo { format: FORMAT_ID_MP3, short_name: "made", long_name: "made" };
    let reader = Packets {
        queue: packets.into_iter().collect(),
        info,
        media: MediaInfo::default(),
        metadata: MetadataLog::default(),
    };
    let format = Format::Opus { channels: 2 };
    Source { reader: Box::new(reader), track: 1, kind: Kind::AsIs, format, length: None }
}

#[expect(clippy::unnecessary_wraps, reason = "a reader gives results")]
fn packet(track: u32, content: u8) -> ReadResult<Packet> {
    Ok(Packet::new(track, units::Timestamp::ZERO, units::Duration::ZERO, [content]))
}

#[test]
fn packets_of_other_tracks_end_nothing() {
    let video = || (0..10 * MAX_BROKEN).map(|_| packet(2, 0));
    let mut source =
        of_packets(video().chain([packet(1, 7)]).chain(video()).chain([packet(1, 8)]).chain(video()));
    let units: Vec<_> = std::iter::from_fn(|| source.next_unit().unwrap()).collect();
    assert_eq!(units, [[7], [8]]);
}

#[test]
fn a_damaged_file_is_not_taken_for_one_that_ended() {
    let broken = |count| (0..count).map(|_| Err(Error::DecodeError("made to fail")));
    let mut source =
        of_packets([packet(1, 7)].into_iter().chain(broken(MAX_BROKEN - 1)).chain([packet(1, 8)]));
    let units: Vec<_> = std::iter::from_fn(|| source.next_unit().unwrap()).collect();
    assert_eq!(units, [[7], [8]]);
    let mut source = of_packets([packet(1, 7)].into_iter().chain(broken(MAX_BROKEN)).chain([packet(1, 8)]));
    assert_eq!(source.next_unit().unwrap(), Some(vec![7]));
    assert_eq!(
        source.next_unit().unwrap_err().to_string(),
        "200 packets in a row hold no audio that can be read"
    );
}

#[test]
fn a_sample_rate_out_of_range_is_refused_in_words() {
    for (rate, words) in [
        (0, "it states 0 samples a second, which is no sample rate"),
        (96_001, "it has 96001 samples a second, and 96000 are the most"),
        (u32::MAX, "it has 4294967295 samples a second, and 96000 are the most"),
    ] {
        let audio = AudioCodecParameters { sample_rate: Some(rate), ..AudioCodecParameters::default() };
        assert_eq!(super::decoded(&audio).err().unwrap().to_string(), words);
    }
}
