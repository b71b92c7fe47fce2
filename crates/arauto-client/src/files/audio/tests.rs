#![allow(clippy::cast_possible_truncation, reason = "small numbers, written as the bytes of a file")]

use std::{io::Write, time::Duration};

use super::*;

fn sound(content: &[u8]) -> Option<Sound> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    probe(file, content.len() as u64, Instant::now() + Duration::from_secs(20))
}

fn is(kind: &'static str, seconds: u64) -> Sound {
    Sound { kind, seconds: Some(seconds) }
}

/// Returns a WAV file with one channel and 8 bits per sample.
pub fn wav(rate: u32, samples: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(b"RIFF");
    bytes.extend((36 + samples).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend([1, 0, 1, 0]);
    bytes.extend(rate.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend([1, 0, 8, 0]);
    bytes.extend(b"data");
    bytes.extend(samples.to_le_bytes());
    bytes.resize(44 + samples as usize, 128);
    bytes
}

/// Returns a FLAC file with 44.1 kHz, two channels and 16 bits, and the header of a first block.
fn flac(samples: u64) -> Vec<u8> {
    let mut bytes = b"fLaC\x80\0\0\x22".to_vec();
    bytes.extend([16, 0, 16, 0]);
    bytes.extend([0; 6]);
    let (rate, channels_less_1, bits_less_1) = (44_100_u64, 1, 15);
    bytes.extend((rate << 44 | channels_less_1 << 41 | bits_less_1 << 36 | samples).to_be_bytes());
    bytes.extend([0; 16]);
    let header = [0xff, 0xf8, 0xc9, 0x18, 0];
    bytes.extend(header);
    bytes.push(checksum(&header, 8, 0x07) as u8);
    bytes.resize(8192, 0);
    bytes
}

/// Returns MP3 frames of 128 kbit/s and 44.1 kHz: 417 bytes and 1,152 samples per frame.
fn mp3(frames: usize) -> Vec<u8> {
    let mut frame = vec![0xff, 0xfb, 0x90, 0];
    frame.resize(417, 0);
    frame.repeat(frames)
}

/// Returns an `ID3v2` tag with a picture, and as much padding.
fn id3(picture: &[u8]) -> Vec<u8> {
    let size = |bytes: usize| [21, 14, 7, 0].map(|shift| (bytes >> shift & 0x7f) as u8);
    let content = [b"\0image/png\0\x03\0", picture].concat();
    let frame = [b"APIC", &size(content.len())[..], &[0; 2], &content].concat();
    let mut tag = [b"ID3\x04\0\0", &size(2 * frame.len())[..], &frame].concat();
    tag.resize(10 + 2 * frame.len(), 0);
    tag
}

/// Returns an Ogg file with Opus, which counts samples at 48 kHz. The last page states the number of samples.
fn ogg(samples: u64) -> Vec<u8> {
    let (pre_skip, rate) = (312_u16, 48_000_u32);
    let head = [&b"OpusHead\x01\x02"[..], &pre_skip.to_le_bytes(), &rate.to_le_bytes(), &[0; 3]].concat();
    let tags = b"OpusTags\0\0\0\0\0\0\0\0";
    let end = samples + u64::from(pre_skip);
    let pages = [
        page(2, 0, 0, &head),
        page(0, 0, 1, tags),
        page(0, 960, 2, &[0xf8; 200]),
        page(4, end, 3, &[0xf8; 200]),
    ];
    pages.concat()
}

fn page(flags: u8, position: u64, number: u32, packet: &[u8]) -> Vec<u8> {
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend(position.to_le_bytes());
    page.extend(7_u32.to_le_bytes());
    page.extend(number.to_le_bytes());
    page.extend([0; 4]);
    page.extend([1, packet.len() as u8]);
    page.extend(packet);
    let sum = checksum(&page, 32, 0x04c1_1db7);
    page[22..26].copy_from_slice(&sum.to_le_bytes());
    page
}

/// Returns an MP4 file with AAC at 44.1 kHz that states this duration.
fn mp4(seconds: u32) -> Vec<u8> {
    let number = |number: u32| number.to_be_bytes();
    let times = [[0; 12].as_slice(), &number(1000), &number(seconds * 1000)].concat();
    let mvhd = [&times[..], &[0; 80]].concat();
    let tkhd = [&number(7)[..], &[0; 8], &number(1), &[0; 4], &number(seconds * 1000), &[0; 60]].concat();
    let media_header = [&times[..], &[0; 4]].concat();
    let hdlr = [&[0; 8][..], b"soun", &[0; 13]].concat();
    // Object type 0x40 is MPEG-4 audio; 0x12 0x10 is AAC-LC, 44.1 kHz, two channels.
    let esds =
        [&[0; 4][..], &[3, 25, 0, 1, 0, 4, 17, 0x40, 0x15], &[0; 11], &[5, 2, 0x12, 0x10, 6, 1, 2]].concat();
    let mp4a = [
        &[0; 6][..],
        &[0, 1],
        &[0; 8],
        &[0, 2, 0, 16],
        &[0; 4],
        &number(44_100 << 16),
        &part("esds", &[&esds]),
    ];
    let tables = [
        part("stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], &part("mp4a", &mp4a)]),
        part("stts", &[&number(0), &number(1), &number(1), &number(seconds * 1000)]),
        part("stsc", &[&number(0), &number(1), &number(1), &number(1), &number(1)]),
        part("stsz", &[&number(0), &number(100), &number(1)]),
        part("stco", &[&number(0), &number(1), &number(32)]),
    ];
    let minf = part("minf", &[&part("smhd", &[&[0; 8]]), &part("stbl", &[&tables.concat()])]);
    let mdia = part("mdia", &[&part("mdhd", &[&media_header]), &part("hdlr", &[&hdlr]), &minf]);
    let trak = part("trak", &[&part("tkhd", &[&tkhd]), &mdia]);
    let ftyp = part("ftyp", &[b"M4A ", &[0; 4], b"M4A isom"]);
    [ftyp, part("mdat", &[&[0; 800]]), part("moov", &[&part("mvhd", &[&mvhd]), &trak])].concat()
}

fn part(name: &str, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    [&(content.len() as u32 + 8).to_be_bytes()[..], name.as_bytes(), &content].concat()
}

/// Returns a cyclic redundancy check of `bits` bits, with the initial value 0.
fn checksum(bytes: &[u8], bits: u32, polynomial: u32) -> u32 {
    let top = 1 << (bits - 1);
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << (bits - 8), |sum, _| {
            (sum << 1 ^ if sum & top == 0 { 0 } else { polynomial }) & (top | (top - 1))
        })
    })
}

#[test]
fn each_kind_and_its_length() {
    assert_eq!(sound(&wav(8000, 20_000)), Some(is("audio/wav", 3)));
    assert_eq!(sound(&flac(44_100 * 100)), Some(is("audio/flac", 100)));
    assert_eq!(sound(&mp3(383)), Some(is("audio/mpeg", 10)));
    assert_eq!(sound(&ogg(48_000 * 5)), Some(is("audio/ogg", 5)));
    assert_eq!(sound(&mp4(20)), Some(is("audio/mp4", 20)));
}

#[test]
fn tags_and_pictures_are_passed_over() {
    let tagged = [id3(&vec![0xff; 300_000]), mp3(383)].concat();
    assert_eq!(sound(&tagged), Some(is("audio/mpeg", 10)));
}

/// Returns a picture that looks like the beginning of audio at any offset: 3 MiB, more than a reader searches.
fn cover() -> Vec<u8> {
    [0xff, 0xfb, 0x90, 0x64, b'O', b'g', b'g', b'S'].repeat(3 * 1024 * 1024 / 8)
}

/// Returns an APE tag with a header and a footer.
fn ape(value: &[u8]) -> Vec<u8> {
    let item =
        [&(value.len() as u32).to_le_bytes()[..], &[0, 0, 0, 2], b"Cover Art (Front)\0", value].concat();
    let mark = |flags: u32| {
        let numbers = [2000, item.len() as u32 + 32, 1, flags].map(u32::to_le_bytes).concat();
        [b"APETAGEX", &numbers[..], &[0; 8]].concat()
    };
    [mark(0xa000_0000), item.clone(), mark(0x8000_0000)].concat()
}

/// Returns 10 s of AAC frames at 44.1 kHz.
fn adts() -> Vec<u8> {
    let length = 100_usize;
    let frame = [
        0xff,
        0xf1,
        0x50,
        0x80 | (length >> 11) as u8,
        (length >> 3) as u8,
        (length << 5) as u8 | 0x1f,
        0xfc,
    ];
    let mut frame = frame.to_vec();
    frame.resize(length, 0);
    frame.repeat(431)
}

#[test]
fn tags_of_any_length_are_skipped() {
    let large = id3(&cover());
    assert!(large.len() > 6 * 1024 * 1024);
    let mut with_footer = large.clone();
    with_footer[5] |= 0x10;
    with_footer.extend([b"3DI", &large[3..10]].concat());
    for (tags, sound_in_it, expected) in [
        (large.clone(), mp3(383), is("audio/mpeg", 10)),
        (with_footer, mp3(383), is("audio/mpeg", 10)),
        ([large.clone(), id3(b"another"), large.clone()].concat(), mp3(383), is("audio/mpeg", 10)),
        (ape(&cover()), mp3(383), is("audio/mpeg", 10)),
        ([ape(&cover()), large.clone()].concat(), mp3(383), is("audio/mpeg", 10)),
        (large.clone(), flac(44_100 * 100), is("audio/flac", 100)),
        (large.clone(), wav(8000, 20_000), is("audio/wav", 3)),
        (large.clone(), ogg(48_000 * 5), is("audio/ogg", 5)),
        (large.clone(), adts(), is("audio/aac", 10)),
    ] {
        assert_eq!(sound(&[tags, sound_in_it].concat()), Some(expected));
    }
    // A tag length beyond the end of the file is invalid.
    let mut wrong = id3(b"small");
    wrong[6..10].copy_from_slice(&[0x7f; 4]);
    assert_eq!(sound(&[wrong, mp3(383)].concat()), Some(is("audio/mpeg", 10)));
}

#[test]
fn tags_at_the_end_are_no_sound() {
    let mut id3v1 = b"TAG".to_vec();
    id3v1.resize(128, b' ');
    let mut appended = id3(&cover());
    appended[5] |= 0x10;
    appended.extend([b"3DI", &appended[3..10].to_vec()[..]].concat());
    for tags in [id3v1.clone(), ape(&cover()), [ape(&cover()), id3v1].concat(), appended] {
        assert_eq!(sound(&[mp3(383), tags].concat()), Some(is("audio/mpeg", 10)));
    }
}

/// Programs that write into a pipe cannot seek back to correct the length.
#[test]
fn a_wav_with_a_made_up_length_is_as_long_as_its_file() {
    let with_lengths = |riff: u32, data: u32| {
        let mut wav = wav(8000, 20_000);
        wav[4..8].copy_from_slice(&riff.to_le_bytes());
        wav[40..44].copy_from_slice(&data.to_le_bytes());
        wav
    };
    for (riff, data) in [
        (0x7fff_f024, 0x7fff_f000),
        (u32::MAX, u32::MAX),
        (0, 0),
        (36, 0),
        (0x8000_0024, 0x8000_0000),
        (0x7fff_0024, 0x7fff_0000),
        (0x7fff_ffff, 0x7fff_ffdb),
        (0xffff_fffe, 0xffff_ffda),
        // A wrong RIFF length has no effect.
        (0, 20_000),
        (u32::MAX, 20_000),
    ] {
        assert_eq!(sound(&with_lengths(riff, data)), Some(is("audio/wav", 3)), "{riff:x} {data:x}");
        assert_eq!(sound(&[id3(b"x"), with_lengths(riff, data)].concat()), Some(is("audio/wav", 3)));
    }
    let empty = [&wav(8000, 0)[..], b"LIST\x04\0\0\0INFO"].concat();
    let mut empty_and_right = empty.clone();
    empty_and_right[4..8].copy_from_slice(&(empty.len() as u32 - 8).to_le_bytes());
    assert_eq!(sound(&empty_and_right), Some(is("audio/wav", 0)));
}

#[test]
fn a_wav_of_64_bits_is_one() {
    for (marker, data) in [(b"RF64", 20_000), (b"BW64", 20_000), (b"RF64", 0), (b"RF64", u64::MAX)] {
        let wav = wav(8000, 20_000);
        let sizes = [20_080, data, 20_000].map(u64::to_le_bytes).concat();
        let bytes = [
            &marker[..],
            &[0xff; 4],
            b"WAVEds64\x1c\0\0\0",
            &sizes,
            &[0; 4],
            &wav[12..40],
            &[0xff; 4],
            &wav[44..],
            // A chunk after the samples is told apart by the length of the samples.
            if data == 20_000 { b"LIST\x04\0\0\0INFO" } else { b"" },
        ];
        assert_eq!(sound(&bytes.concat()), Some(is("audio/wav", 3)));
    }
}

#[test]
fn what_is_no_audio() {
    for content in [&b""[..], b"RIFF", b"fLaC", b"OggS", b"ID3", b"hello, this is text", &[0xff; 5000]] {
        assert_eq!(sound(content), None, "{}", content.escape_ascii());
    }
}

#[test]
fn cut_off_anywhere() {
    for whole in [wav(8000, 500), flac(44_100), mp3(3), ogg(960), mp4(1)] {
        for length in (0..whole.len()).step_by(7) {
            let _ = sound(&whole[..length]);
        }
    }
    assert_eq!(sound(&wav(8000, 16_000)[..1000]), None);
}

#[test]
fn a_length_that_cannot_be_is_not_believed() {
    let kind = |kind| Some(Sound { kind, seconds: None });
    assert_eq!(sound(&flac(44_100 * 3600)), kind("audio/flac"));
    assert_eq!(sound(&ogg(48_000 * 3600)), kind("audio/ogg"));
}

#[test]
fn no_time_no_sound() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&mp3(100)).unwrap();
    file.rewind().unwrap();
    assert_eq!(probe(file, 41_700, Instant::now()), None);
}
