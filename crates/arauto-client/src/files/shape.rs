//! [`Shaped`]: presents an audio file without the tags around it, and with lengths in its header that fit the file.
//!
//! Format readers search for the beginning of the audio within a bounded number of bytes, which a cover picture in a
//! tag exceeds. Programs that write WAV into a pipe put a made-up length into its header, because they cannot seek
//! back to it.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// Maximum number of tags at either end of a file. Files tagged by several programs have two or three.
const MAX_TAGS: usize = 16;
/// Maximum number of chunks of a WAV file before its samples.
const MAX_CHUNKS: usize = 256;
/// Lower bound of made-up WAV lengths. A length of at least this that exceeds the file is made up: programs write the
/// maximum of 31 or 32 bits, less some kilobytes for headers. A smaller one belongs to a truncated file.
const MIN_MADE_UP: u64 = 0x7f00_0000;
/// Length that readers interpret as *up to the end of the file*.
const UNKNOWN: u32 = u32::MAX;

const ID3V1_BYTES: u64 = 128;
const APE_HEADER_BYTES: u64 = 32;

/// A part of a file in which some bytes are replaced. Offsets count from the beginning of the part.
pub struct Shaped<S> {
    source: S,
    begin: u64,
    /// Length of the part.
    bytes: u64,
    at: u64,
    /// Replacement bytes by offset.
    patches: Vec<(u64, [u8; 4])>,
}

impl<S: MediaSource> Shaped<S> {
    /// Finds the part of the file that holds the audio.
    ///
    /// # Errors
    /// If the file cannot be read, or its length is unknown.
    pub fn new(mut source: S) -> io::Result<Self> {
        let whole = source.byte_len().ok_or(io::ErrorKind::Unsupported)?;
        let begin = skip_leading(&mut source, whole)?;
        let mut marker = [0; 12];
        let has_marker = begin + 12 <= whole && read_at(&mut source, begin, &mut marker).is_ok();
        let (mut end, mut patches) = (whole, Vec::new());
        if has_marker {
            match (&marker[..4], &marker[4..8], &marker[8..]) {
                (b"RIFF" | b"RF64" | b"BW64", _, b"WAVE") => {
                    patches = wav_patches(&mut source, begin, whole)?;
                }
                (b"fLaC" | b"OggS", ..) | (_, b"ftyp", _) => {}
                // Consecutive frames of MPEG audio or AAC: a reader would search a tag at the end for frames.
                _ => end = cut_trailing(&mut source, begin, whole)?,
            }
        }
        source.seek(SeekFrom::Start(begin))?;
        Ok(Self { source, begin, bytes: end - begin, at: 0, patches })
    }
}

fn read_at(source: &mut (impl Read + Seek), at: u64, buffer: &mut [u8]) -> io::Result<()> {
    source.seek(SeekFrom::Start(at))?;
    source.read_exact(buffer)
}

/// Decodes a number of 28 bits in four bytes, as in `ID3v2`.
fn synchsafe(bytes: [u8; 4]) -> Option<u64> {
    let is_valid = bytes.iter().all(|byte| *byte < 0x80);
    is_valid.then(|| bytes.iter().fold(0, |number, byte| number << 7 | u64::from(*byte)))
}

/// Returns the end of the tags at the beginning. A tag that is longer than the file is not skipped.
fn skip_leading(source: &mut (impl Read + Seek), whole: u64) -> io::Result<u64> {
    let mut begin = 0;
    for _ in 0..MAX_TAGS {
        let mut head = [0; 16];
        if begin + 16 > whole {
            break;
        }
        read_at(source, begin, &mut head)?;
        let length = match head {
            // See <https://id3.org/id3v2.4.0-structure>, section 3.1. A footer repeats the header.
            [b'I', b'D', b'3', major, _, flags, a, b, c, d, ..] if major != 0xff => {
                let footer = if flags & 0x10 == 0 { 0 } else { 10 };
                synchsafe([a, b, c, d]).map(|length| 10 + length + footer)
            }
            // See <https://wiki.hydrogenaud.io/index.php?title=APE_Tags_Header>. The length excludes the header.
            [b'A', b'P', b'E', b'T', b'A', b'G', b'E', b'X', _, _, _, _, a, b, c, d] => {
                Some(APE_HEADER_BYTES + u64::from(u32::from_le_bytes([a, b, c, d])))
            }
            _ => None,
        };
        match length {
            Some(length) if begin + length < whole => begin += length,
            _ => break,
        }
    }
    Ok(begin)
}

/// Returns the beginning of the tags at the end.
fn cut_trailing(source: &mut (impl Read + Seek), begin: u64, whole: u64) -> io::Result<u64> {
    let mut end = whole;
    for _ in 0..MAX_TAGS {
        let length = trailing_tag(source, begin, end)?;
        match length {
            Some(length) if begin + length < end => end -= length,
            _ => break,
        }
    }
    Ok(end)
}

/// Returns the length of the tag that ends at `end`, if there is one.
fn trailing_tag(source: &mut (impl Read + Seek), begin: u64, end: u64) -> io::Result<Option<u64>> {
    let room = end - begin;
    if room > ID3V1_BYTES {
        let mut tag = [0; 3];
        read_at(source, end - ID3V1_BYTES, &mut tag)?;
        if tag == *b"TAG" {
            return Ok(Some(ID3V1_BYTES));
        }
    }
    if room > APE_HEADER_BYTES {
        let mut footer = [0; 32];
        read_at(source, end - APE_HEADER_BYTES, &mut footer)?;
        if footer.starts_with(b"APETAGEX") {
            let length = u32::from_le_bytes([footer[12], footer[13], footer[14], footer[15]]);
            // The length excludes a header, whose presence the highest flag states.
            let header = if footer[23] & 0x80 == 0 { 0 } else { APE_HEADER_BYTES };
            return Ok(Some(u64::from(length) + header));
        }
        // The footer of ID3v2.
        if let [b'3', b'D', b'I', _, _, _, a, b, c, d] = footer[22..] {
            return Ok(synchsafe([a, b, c, d]).map(|length| length + 20));
        }
    }
    Ok(None)
}

/// Returns the changes to a WAV header that let a reader read all samples of the file. The formats are RIFF, and RF64
/// and BW64 (EBU Tech 3306, ITU-R BS.2088) with 64-bit lengths in a chunk of their own.
fn wav_patches(source: &mut (impl Read + Seek), begin: u64, whole: u64) -> io::Result<Vec<(u64, [u8; 4])>> {
    let mut riff = [0; 12];
    read_at(source, begin, &mut riff)?;
    let riff_bytes = u64::from(u32::from_le_bytes([riff[4], riff[5], riff[6], riff[7]]));
    // Readers look for the samples up to the end of the file, whatever the header says.
    let mut patches = vec![(0, *b"RIFF"), (4, UNKNOWN.to_le_bytes())];
    let (mut at, mut long_data) = (12, None);
    for _ in 0..MAX_CHUNKS {
        let mut chunk = [0; 8];
        if begin + at + 8 > whole {
            break;
        }
        read_at(source, begin + at, &mut chunk)?;
        let length = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        at += 8;
        match &chunk[..4] {
            b"data" => {
                let there = whole - begin - at;
                let stated = long_data.filter(|_| length == UNKNOWN).unwrap_or(u64::from(length));
                // An empty chunk is genuine if the length of the whole file agrees.
                let is_empty = stated == 0 && riff_bytes + 8 != whole - begin;
                let is_made_up = is_empty || stated > there && stated >= MIN_MADE_UP;
                let actual = if is_made_up { there } else { stated };
                patches.push((at - 4, u32::try_from(actual).unwrap_or(UNKNOWN).to_le_bytes()));
                break;
            }
            b"ds64" if length >= 16 && begin + at + 16 <= whole => {
                let mut lengths = [0; 16];
                read_at(source, begin + at, &mut lengths)?;
                long_data = lengths[8..].first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
            }
            _ => {}
        }
        // Chunks begin at even offsets.
        at += u64::from(length) + u64::from(length % 2);
    }
    Ok(patches)
}

impl<S: Read + Seek> Read for Shaped<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most =
            usize::try_from(self.bytes.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.source.read(&mut buffer[..most])?;
        for (place, bytes) in &self.patches {
            for (offset, byte) in (*place..).zip(bytes) {
                if let Some(at) = offset.checked_sub(self.at).and_then(|at| usize::try_from(at).ok())
                    && at < read
                {
                    buffer[at] = *byte;
                }
            }
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl<S: Read + Seek> Seek for Shaped<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.bytes.checked_add_signed(by),
        };
        let to = to.filter(|to| *to <= self.bytes).ok_or(io::ErrorKind::InvalidInput)?;
        self.source.seek(SeekFrom::Start(self.begin + to))?;
        self.at = to;
        Ok(to)
    }
}

impl<S: MediaSource> MediaSource for Shaped<S> {
    fn is_seekable(&self) -> bool {
        self.source.is_seekable()
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.bytes)
    }
}
