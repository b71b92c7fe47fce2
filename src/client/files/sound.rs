//! Files of sound, as far as those who list them and those who stream them have to know the same of them.

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

/// Only files with these endings are opened.
const EXTENSIONS: [&str; 11] =
    ["mp3", "mp2", "ogg", "oga", "opus", "flac", "wav", "wave", "m4a", "m4b", "aac"];

/// The endings that [`may_be`] knows, in words.
pub fn kinds() -> String {
    EXTENSIONS.map(|extension| format!(".{extension}")).join(", ")
}

/// How far behind the tags at the beginning of a file its format is looked for. Some programs leave room between both.
const MOST_JUNK_BYTES: u32 = 1024 * 1024;

static PROBE: LazyLock<Probe> = LazyLock::new(|| {
    let options = ProbeOptions { max_probe_depth: MOST_JUNK_BYTES, ..ProbeOptions::default() };
    let mut probe = Probe::new_with_options(&options);
    register_enabled_formats(&mut probe);
    probe
});

/// Whether a file whose name ends so (in small letters) may be audio.
pub fn may_be(extension: &str) -> bool {
    EXTENSIONS.contains(&extension)
}

/// What reads this file. `None` if it is of no known format.
pub fn reader(source: impl MediaSource + 'static) -> Option<Box<dyn FormatReader>> {
    let shaped = Shaped::of(source).ok()?;
    let stream = MediaSourceStream::new(Box::new(shaped), MediaSourceStreamOptions::default());
    PROBE.probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default()).ok()
}

/// How long a file plays, by what it says itself.
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

/// What is known of a track of sound.
pub fn audio(track: &Track) -> Option<&AudioCodecParameters> {
    match track.codec_params.as_ref()? {
        CodecParameters::Audio(audio) => Some(audio),
        _ => None,
    }
}
