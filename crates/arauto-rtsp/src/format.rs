//! [`Format`]: the audio formats that a stream can have.

/// A stream's audio format. It determines how RTP carries the audio.
///
/// ```
/// use arauto_rtsp::Format;
///
/// let cd = Format::L16 { rate: 44_100, channels: 2 };
/// assert_eq!((cd.payload_type(), cd.clock_rate()), (10, 44_100));
/// assert_eq!(cd.rtpmap(), "L16/44100/2");
/// assert_eq!((Format::Mp3.payload_type(), Format::Mp3.clock_rate()), (14, 90_000));
/// assert_eq!(Format::Mp3.content_type(), "audio/mpeg");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// MPEG audio frames, layers I to III, unchanged from the file (RFC 2250, section 3.5).
    Mp3,
    /// Opus packets (RFC 7587).
    Opus {
        /// 2 if playing the stream in stereo is of use, else 1. RTP's own channel count for Opus is always 2.
        channels: u8,
    },
    /// 16-bit samples, high byte first (RFC 3551, section 4.5.11).
    L16 {
        /// Samples per second in each channel, at most [`MAX_RATE`].
        rate: u32,
        /// 1 or 2.
        channels: u8,
    },
}

/// The highest sample rate of a stream, in samples per second and channel.
pub const MAX_RATE: u32 = 96_000;

/// The payload type of formats without a static one (RFC 3551, section 6, reserves 96 to 127 for them).
pub const DYNAMIC: u8 = 96;

impl Format {
    /// The RTP payload type that this crate uses for the format: the static one (RFC 3551, section 6), or [`DYNAMIC`].
    #[must_use]
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Mp3 => 14,
            Self::L16 { rate: 44_100, channels: 2 } => 10,
            Self::L16 { rate: 44_100, channels: 1 } => 11,
            Self::L16 { .. } | Self::Opus { .. } => DYNAMIC,
        }
    }

    /// RTP timestamp ticks per second.
    #[must_use]
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Mp3 => 90_000,
            Self::Opus { .. } => 48_000,
            Self::L16 { rate, .. } => rate,
        }
    }

    /// The value of SDP's `rtpmap`, without the payload type.
    #[must_use]
    pub fn rtpmap(self) -> String {
        match self {
            Self::Mp3 => "MPA/90000".to_owned(),
            Self::Opus { .. } => "opus/48000/2".to_owned(),
            Self::L16 { rate, channels } => format!("L16/{rate}/{channels}"),
        }
    }

    /// The HTTP `Content-Type` of the stream in the container for browsers: MP3 without one, Opus in Ogg, L16 in WAV.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Mp3 => "audio/mpeg",
            Self::Opus { .. } => "audio/ogg; codecs=opus",
            Self::L16 { .. } => "audio/wav",
        }
    }
}
