//! Opens audio files, for the list of files and for streaming alike.

use std::{num::NonZeroU32, sync::LazyLock, time::Duration};

use symphonia::{
    core::{
        codecs::{CodecParameters, audio::AudioCodecParameters},
        formats::{
            FormatOptions, FormatReader, Track,
            probe::{Hint, Probe, ProbeOptions},
        },
        io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions},
        meta::MetadataOptions,
        units::{self, TimeBase},
    },
    default::register_enabled_formats,
};

use super::shape::Shaped;

/// Only files with these extensions are opened.
const EXTENSIONS: [&str; 11] =
    ["mp3", "mp2", "ogg", "oga", "opus", "flac", "wav", "wave", "m4a", "m4b", "aac"];

/// Returns the extensions that [`may_be`] accepts, as text.
pub fn kinds() -> String {
    EXTENSIONS.map(|extension| format!(".{extension}")).join(", ")
}

/// Number of bytes after the leading tags within which the format is searched for. Some programs leave a gap there.
const MAX_JUNK_BYTES: u32 = 1024 * 1024;

static PROBE: LazyLock<Probe> = LazyLock::new(|| {
    let options = ProbeOptions { max_probe_depth: MAX_JUNK_BYTES, ..ProbeOptions::default() };
    let mut probe = Probe::new_with_options(&options);
    register_enabled_formats(&mut probe);
    probe
});

/// Whether a file with this extension, in lower case, may be audio.
pub fn may_be(extension: &str) -> bool {
    EXTENSIONS.contains(&extension)
}

/// Returns a reader for the file, or `None` if its format is unknown.
pub fn reader(source: impl MediaSource + 'static) -> Option<Box<dyn FormatReader>> {
    let shaped = Shaped::new(source).ok()?;
    let stream = MediaSourceStream::new(Box::new(shaped), MediaSourceStreamOptions::default());
    PROBE.probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default()).ok()
}

/// Returns the duration that the file states.
pub fn length(reader: &dyn FormatReader, track: &Track) -> Option<Duration> {
    let by_frames = || {
        let rate = NonZeroU32::new(audio(track)?.sample_rate?)?;
        Some((TimeBase::from_recip(rate), units::Duration::new(track.num_frames?)))
    };
    let media = reader.media_info();
    let stated = track.time_base.zip(track.duration).or_else(|| media.time_base.zip(media.duration));
    let (base, duration) = stated.or_else(by_frames)?;
    let ms = base.calc_duration(duration)?.as_millis();
    u64::try_from(ms).ok().map(Duration::from_millis)
}

/// Returns the parameters of an audio track, or `None` if the track is not audio.
pub fn audio(track: &Track) -> Option<&AudioCodecParameters> {
    match track.codec_params.as_ref()? {
        CodecParameters::Audio(audio) => Some(audio),
        _ => None,
    }
}
