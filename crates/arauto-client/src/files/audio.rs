//! Determines the type and duration of an audio file by its content.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    time::Instant,
};

use symphonia::core::{
    formats::{
        FormatId, FormatReader, Track, TrackType,
        well_known::{
            FORMAT_ID_ADTS, FORMAT_ID_FLAC, FORMAT_ID_ISOMP4, FORMAT_ID_MP1, FORMAT_ID_MP2, FORMAT_ID_MP3,
            FORMAT_ID_OGG, FORMAT_ID_WAVE,
        },
    },
    io::MediaSource,
};

use super::{
    prober::Sound,
    sound::{self, audio},
};

/// Maximum number of bytes read of one file. The headers with the duration are at its beginning or its end and take
/// some kilobytes, but may follow cover pictures: at most 16 MiB in FLAC (24-bit length), a third more in Ogg
/// (Base64).
const MAX_BYTES: u64 = 24 * 1024 * 1024;
/// Lower bound of the bytes per second of any audio format, below that of compressed silence. A header that claims
/// less is wrong.
const MIN_BYTES_PER_SECOND: u64 = 50;

/// Examines a file of `bytes` bytes, at most until `deadline`. `None` if it is not audio, or broken.
pub fn probe(file: File, bytes: u64, deadline: Instant) -> Option<Sound> {
    let source = Bounded { file, bytes, at: 0, left: MAX_BYTES, deadline };
    let reader = sound::reader(source)?;
    let kind = kind(reader.format_info().format)?;
    let track = reader.default_track(TrackType::Audio)?;
    if kind == "audio/wav" && needed_bytes(track).is_some_and(|needed| needed > bytes) {
        // The file is truncated.
        return None;
    }
    let seconds = seconds(reader.as_ref(), track).filter(|seconds| bytes / MIN_BYTES_PER_SECOND >= *seconds);
    Some(Sound { kind, seconds })
}

fn kind(format: FormatId) -> Option<&'static str> {
    Some(match format {
        FORMAT_ID_MP1 | FORMAT_ID_MP2 | FORMAT_ID_MP3 => "audio/mpeg",
        FORMAT_ID_ADTS => "audio/aac",
        FORMAT_ID_FLAC => "audio/flac",
        FORMAT_ID_ISOMP4 => "audio/mp4",
        FORMAT_ID_OGG => "audio/ogg",
        FORMAT_ID_WAVE => "audio/wav",
        _ => return None,
    })
}

/// Returns the duration, rounded to the nearest second.
fn seconds(reader: &dyn FormatReader, track: &Track) -> Option<u64> {
    let ms = sound::length(reader, track)?.as_millis();
    u64::try_from((ms + 500) / 1000).ok()
}

/// Returns the minimum size of the samples of a WAV file, in bytes.
fn needed_bytes(track: &Track) -> Option<u64> {
    let audio = audio(track)?;
    let channels = u64::try_from(audio.channels.as_ref()?.count()).ok()?;
    let bits = u64::from(audio.bits_per_coded_sample?).checked_mul(channels)?;
    Some(track.num_frames?.checked_mul(bits)? / 8)
}

/// A file of which at most `left` bytes can be read, and only until `deadline`.
struct Bounded {
    file: File,
    /// Size of the file when it was listed. Readers must not see a file grow.
    bytes: u64,
    at: u64,
    left: u64,
    deadline: Instant,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || Instant::now() >= self.deadline {
            return Err(io::Error::other("enough was read"));
        }
        let most = usize::try_from(self.left.min(self.bytes.saturating_sub(self.at))).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let read = self.file.read(&mut buffer[..most])?;
        self.left -= read as u64;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.bytes.checked_add_signed(by),
        };
        let to = to.filter(|to| *to <= self.bytes).ok_or(io::ErrorKind::InvalidInput)?;
        self.at = self.file.seek(SeekFrom::Start(to))?;
        Ok(self.at)
    }
}

impl MediaSource for Bounded {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.bytes)
    }
}

#[cfg(test)]
pub(crate) mod tests;
