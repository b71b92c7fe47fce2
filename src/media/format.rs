//! [`Format`]: what a stream can hold.

/// What a stream holds, and so how RTP carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// MPEG audio frames, layer I to III, as they stand in a file (RFC 2250, section 3.5).
    Mp3,
    /// Opus packets (RFC 7587).
    Opus {
        /// 1 or 2: whether there is any use in playing it as stereo. RTP's own figure is always 2.
        channels: u8,
    },
    /// Samples of 16 bits, the high byte first (RFC 3551, section 4.5.11).
    L16 {
        /// Samples a second in each channel, up to [`MOST_RATE`].
        rate: u32,
        /// 1 or 2.
        channels: u8,
    },
}

/// The most samples a second that a stream has in each channel.
pub const MOST_RATE: u32 = 96_000;

/// The payload type of everything that has none of its own (RFC 3551, section 6: 96 to 127).
pub const DYNAMIC: u8 = 96;

impl Format {
    /// RTP's number for it.
    #[must_use]
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Mp3 => 14,
            Self::L16 { rate: 44_100, channels: 2 } => 10,
            Self::L16 { rate: 44_100, channels: 1 } => 11,
            Self::L16 { .. } | Self::Opus { .. } => DYNAMIC,
        }
    }

    /// How many of RTP's timestamps make a second.
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

    /// What HTTP calls the stream that a browser is given.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Mp3 => "audio/mpeg",
            Self::Opus { .. } => "audio/ogg; codecs=opus",
            Self::L16 { .. } => "audio/wav",
        }
    }
}
