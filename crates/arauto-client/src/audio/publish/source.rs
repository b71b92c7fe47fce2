//! [`Source`]: reads a file unit by unit as a stream carries it: MPEG audio and Opus unchanged, all else decoded.

use std::{fs::File, io, time::Duration};

use arauto_rtsp::{
    Format,
    format::MAX_RATE,
    payload::{l16, mpeg::FrameHeader},
};
use symphonia::core::{
    codecs::{
        CodecParameters,
        audio::{
            AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
            well_known::{CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_OPUS},
        },
    },
    errors::{Error, Result as ReadResult},
    formats::{
        FormatReader, TrackType,
        well_known::{FORMAT_ID_MP1, FORMAT_ID_MP2, FORMAT_ID_MP3},
    },
    packet::Packet,
};

use super::mix::Mix;
use crate::files::sound;

/// Packets of the audio track tried for each unit. If none of them yields one, the file counts as damaged.
const MAX_BROKEN: usize = 200;

/// Reason why a file cannot be streamed.
#[derive(Debug, thiserror::Error)]
pub enum NoSource {
    /// The file holds no audio of a known kind.
    #[error("it holds no audio that can be read here")]
    NoAudio,
    /// The codec cannot be decoded here.
    #[error("its codec is not known here")]
    Codec,
    /// The stated sample rate is 0.
    #[error("it states 0 samples a second, which is no sample rate")]
    NoRate,
    /// The sample rate is above [`MAX_RATE`].
    #[error("it has {0} samples a second, and {MAX_RATE} are the most")]
    Rate(u32),
    /// Opus with more than two channels. Opus is not decoded here, and so cannot be mixed.
    #[error("it is Opus with {0} channels, and 2 are the most")]
    OpusChannels(usize),
    /// More than two channels whose positions are unknown.
    #[error("it has {0} channels, and does not say where they belong")]
    Channels(usize),
}

/// A file that is being read.
pub struct Source {
    reader: Box<dyn FormatReader>,
    track: u32,
    kind: Kind,
    /// Format of the units.
    pub format: Format,
    /// Length of the audio, if the file states it.
    pub length: Option<Duration>,
}

enum Kind {
    /// Packets are sent as units.
    AsIs,
    Decoded {
        decoder: Box<dyn AudioDecoder>,
        mix: Mix,
        rate: u32,
        samples: Vec<i16>,
    },
}

impl Source {
    /// Probes a file. Blocks on reads of the disk.
    ///
    /// # Errors
    /// If the file cannot be streamed.
    pub fn open(file: File) -> Result<Self, NoSource> {
        let reader = sound::reader(file).ok_or(NoSource::NoAudio)?;
        let track = reader.default_track(TrackType::Audio).ok_or(NoSource::NoAudio)?;
        let Some(CodecParameters::Audio(audio)) = &track.codec_params else { return Err(NoSource::NoAudio) };
        let (format, kind) = match audio.codec {
            CODEC_ID_MP1 | CODEC_ID_MP2 | CODEC_ID_MP3 if is_bare(reader.as_ref()) => {
                (Format::Mp3, Kind::AsIs)
            }
            CODEC_ID_OPUS => (opus(audio)?, Kind::AsIs),
            _ => decoded(audio)?,
        };
        let (track, length) = (track.id, sound::length(reader.as_ref(), track));
        Ok(Self { reader, track, kind, format, length })
    }

    /// Reads the next unit. Returns `None` at the end; a truncated file ends where it was cut. Blocks on reads of the
    /// disk.
    ///
    /// # Errors
    /// If the file cannot be read, if 200 packets of the audio track in a row hold no audio, or if its sample rate or
    /// channels change.
    pub fn next_unit(&mut self) -> io::Result<Option<Vec<u8>>> {
        for _ in 0..MAX_BROKEN {
            let packet = match self.next_packet() {
                Ok(Some(packet)) => packet,
                // Another stream follows in the same file, which may have any format.
                Ok(None) | Err(Error::ResetRequired) => return Ok(None),
                Err(Error::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(None);
                }
                Err(Error::IoError(error)) => return Err(error),
                Err(_) => continue,
            };
            match self.kind.unit(&packet) {
                Unit::Whole(unit) => return Ok(Some(unit)),
                Unit::None => {}
                Unit::Other => {
                    return Err(io::Error::other(
                        "its sample rate or channels change, which a stream cannot",
                    ));
                }
            }
        }
        Err(io::Error::other(format!("{MAX_BROKEN} packets in a row hold no audio that can be read")))
    }

    /// Reads the next packet of the audio track. Packets of other tracks are skipped, however many stand in a row: a
    /// video may have hundreds between two packets of audio.
    fn next_packet(&mut self) -> ReadResult<Option<Packet>> {
        loop {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id != self.track => {}
                other => return other,
            }
        }
    }
}

/// The content of a packet.
enum Unit {
    Whole(Vec<u8>),
    /// Nothing: the packet is broken, or holds no audio.
    None,
    /// The sample rate or channel count differs, which a stream cannot change.
    Other,
}

impl Kind {
    fn unit(&mut self, packet: &Packet) -> Unit {
        match self {
            Self::AsIs => {
                let is_information = FrameHeader::parse(&packet.data)
                    .is_some_and(|header| header.is_information(&packet.data));
                if is_information { Unit::None } else { Unit::Whole(packet.data.to_vec()) }
            }
            Self::Decoded { decoder, mix, rate, samples } => {
                let Ok(decoded) = decoder.decode(packet) else { return Unit::None };
                let spec = decoded.spec();
                if spec.rate() != *rate || spec.channels().count() != mix.inputs() {
                    return Unit::Other;
                }
                samples.clear();
                decoded.copy_to_vec_interleaved(samples);
                if samples.is_empty() { Unit::None } else { Unit::Whole(l16::to_bytes(mix.apply(samples))) }
            }
        }
    }
}

/// Whether the file is a plain sequence of frames, so that packets are frames.
fn is_bare(reader: &dyn FormatReader) -> bool {
    matches!(reader.format_info().format, FORMAT_ID_MP1 | FORMAT_ID_MP2 | FORMAT_ID_MP3)
}

fn opus(audio: &AudioCodecParameters) -> Result<Format, NoSource> {
    match audio.channels.as_ref().map_or(2, symphonia::core::audio::Channels::count) {
        channels @ 1..=2 => Ok(Format::Opus { channels: if channels == 1 { 1 } else { 2 } }),
        channels => Err(NoSource::OpusChannels(channels)),
    }
}

fn decoded(audio: &AudioCodecParameters) -> Result<(Format, Kind), NoSource> {
    let rate = audio.sample_rate.ok_or(NoSource::Codec)?;
    match rate {
        0 => return Err(NoSource::NoRate),
        1..=MAX_RATE => {}
        _ => return Err(NoSource::Rate(rate)),
    }
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(audio, &AudioDecoderOptions::default())
        .map_err(|_| NoSource::Codec)?;
    let channels = audio.channels.as_ref().ok_or(NoSource::Codec)?;
    let mix = Mix::new(channels).ok_or(NoSource::Channels(channels.count()))?;
    let format = Format::L16 { rate, channels: mix.outputs() };
    Ok((format, Kind::Decoded { decoder, mix, rate, samples: Vec::new() }))
}

#[cfg(test)]
pub(super) mod tests;
