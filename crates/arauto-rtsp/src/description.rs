//! [`Description`]: a stream in SDP (RFC 8866), as RTSP's ANNOUNCE accepts it and DESCRIBE returns it.

use std::{net::IpAddr, time::Duration};

use sdp_types::{Attribute, Connection, MediaType, Origin, Session, Time, TransportProto};

use crate::format::{Format, MAX_RATE};

/// The largest description that a program should accept, in bytes: 16 KiB. Most are a few hundred bytes long.
/// [`Input`](crate::input::Input) stops waiting for a longer body; [`Description::parse`] checks no length.
pub const MAX_BYTES: usize = 16 * 1024;

/// The longest length that a description may claim: 30 days. A longer one is ignored.
const MAX_SECONDS: f64 = 30.0 * 24.0 * 3600.0;

/// The properties of a stream that are known before its first datagram.
///
/// ```
/// use arauto_rtsp::{Description, Format};
/// use std::{net::Ipv4Addr, time::Duration};
///
/// let length = Some(Duration::from_millis(1_500));
/// let description = Description::new(Format::Opus { channels: 2 }, "a song.opus", length);
/// let sdp = description.to_sdp(Ipv4Addr::LOCALHOST.into(), 1);
/// assert!(sdp.ends_with(b"a=rtpmap:96 opus/48000/2\r\na=fmtp:96 sprop-stereo=1\r\na=range:npt=0-1.500\r\n"));
/// assert_eq!(Description::parse(&sdp), Ok(description));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The format of its audio.
    pub format: Format,
    /// The RTP payload type of its datagrams, 0 to 127. [`Self::new`] uses [`Format::payload_type`]; other programs
    /// choose any number that RFC 3551 leaves free.
    pub payload_type: u8,
    /// Title for display.
    pub title: String,
    /// Time from the beginning to the end, if it is known. SDP carries it with a precision of 1 ms.
    pub length: Option<Duration>,
    /// The URL of the audio part for SETUP, from `a=control`; `None` stands for the stream's own address.
    pub control: Option<String>,
    /// `a=control` of the parts that are not audio, such as a cover picture. A client may set them up; their datagrams
    /// are ignored.
    pub passed_over: Vec<String>,
}

/// The most parts (`m=` sections) that a description may have.
const MAX_PARTS: usize = 8;

/// Reasons to reject a description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDescription {
    /// The text is not SDP as RFC 8866 defines it.
    #[error("that is no SDP")]
    Malformed,
    /// The number of audio parts is not one, that part is not RTP/AVP with one payload type, or there are more than 8
    /// parts.
    #[error("a stream has one audio part by RTP/AVP")]
    NotOneStream,
    /// The audio's format is not a [`Format`].
    #[error("only MP3, Opus and L16 of 1 or 2 channels are relayed")]
    Format,
}

impl Description {
    /// Describes a stream in this format, with [`Format::payload_type`] and no `a=control`.
    #[must_use]
    pub fn new(format: Format, title: impl Into<String>, length: Option<Duration>) -> Self {
        let payload_type = format.payload_type();
        Self { format, payload_type, title: title.into(), length, control: None, passed_over: Vec::new() }
    }

    /// Encodes the description as SDP. `from` is the sender's address and `number` the session's number, both for the
    /// line `o=`. Control characters in the title are omitted. [`Self::passed_over`] is not written.
    #[must_use]
    pub fn to_sdp(&self, from: IpAddr, number: u64) -> Vec<u8> {
        let Self { format, payload_type, title, length, control, passed_over: _ } = self;
        let origin = Origin::with_ip_addr(number, 1, from);
        let title: String = title.chars().filter(|character| !character.is_control()).collect();
        // RFC 8866 writes an empty name as a blank (section 5.3).
        let mut session = Session::new(origin, if title.is_empty() { " " } else { &title });
        // RTSP negotiates the destination, so the address is 0.0.0.0 or `::`.
        session.set_connection(Connection::from_ip_addr(match from {
            IpAddr::V4(_) => IpAddr::from([0; 4]),
            IpAddr::V6(_) => IpAddr::from([0; 16]),
        }));
        session.add_time(Time::new(0, 0));
        let mut media = sdp_types::Media::new(MediaType::Audio, 0, TransportProto::RtpAvp, payload_type);
        let mut say = |name: &str, value: String| media.add_attribute(Attribute::with_value(name, value));
        say("rtpmap", format!("{payload_type} {}", format.rtpmap()));
        if let Format::Opus { channels: 2 } = format {
            say("fmtp", format!("{payload_type} sprop-stereo=1"));
        }
        if let Some(length) = length {
            say("range", format!("npt=0-{:.3}", length.as_secs_f64()));
        }
        if let Some(control) = control {
            say("control", control.clone());
        }
        session.medias.push(media);
        let mut sdp = Vec::new();
        let Ok(()) = session.write(&mut sdp) else { unreachable!("a Vec takes everything") };
        sdp
    }

    /// Parses SDP. Exactly one part has to be audio; other parts, such as pictures, are passed over.
    ///
    /// # Errors
    /// - [`NoDescription::Malformed`] if the bytes are not SDP.
    /// - [`NoDescription::NotOneStream`] if they do not have exactly one audio part by RTP/AVP.
    /// - [`NoDescription::Format`] if that part's format is not a [`Format`].
    pub fn parse(sdp: &[u8]) -> Result<Self, NoDescription> {
        let session = Session::parse(sdp).map_err(|_| NoDescription::Malformed)?;
        let is_sound = |media: &&sdp_types::Media| media.try_parse_mediatype() == Ok(MediaType::Audio);
        let (sounds, others): (Vec<_>, Vec<_>) = session.medias.iter().partition(is_sound);
        let (&[media], true) = (&sounds[..], session.medias.len() <= MAX_PARTS) else {
            return Err(NoDescription::NotOneStream);
        };
        let is_rtp = media.parse_transport_proto() == TransportProto::RtpAvp;
        let (true, Ok(payload_type)) = (is_rtp, media.fmt.trim().parse::<u8>()) else {
            return Err(NoDescription::NotOneStream);
        };
        let value = |name| media.get_first_attribute_value(name).flatten();
        let control = |media: &sdp_types::Media| {
            let control = media.get_first_attribute_value("control").flatten();
            control.filter(|control| *control != "*").map(str::to_owned)
        };
        let described = |name| value(name).and_then(|value| of_payload(value, payload_type));
        let format = match described("rtpmap") {
            Some(rtpmap) => named_format(rtpmap, described("fmtp").unwrap_or_default()),
            None => numbered_format(payload_type),
        };
        let length = value("range").or_else(|| session.get_first_attribute_value("range").flatten());
        Ok(Self {
            format: format.ok_or(NoDescription::Format)?,
            payload_type,
            title: session.session_name.trim().to_owned(),
            length: length.and_then(parse_length),
            control: control(media),
            passed_over: others.into_iter().filter_map(control).collect(),
        })
    }
}

/// The rest of an attribute's value that begins with this payload type; `None` if it begins with another.
fn of_payload(value: &str, payload_type: u8) -> Option<&str> {
    let (number, rest) = value.split_once(' ')?;
    (number.parse() == Ok(payload_type)).then_some(rest.trim())
}

/// The format that `rtpmap` and `fmtp` name.
fn named_format(rtpmap: &str, fmtp: &str) -> Option<Format> {
    let mut parts = rtpmap.split('/');
    let (name, rate) = (parts.next()?, parts.next()?.parse::<u32>().ok()?);
    let channels = parts.next().map_or(Some(1), |channels| channels.parse::<u8>().ok())?;
    match name.to_ascii_uppercase().as_str() {
        "MPA" if rate == 90_000 => Some(Format::Mp3),
        "OPUS" if rate == 48_000 && channels == 2 => {
            let is_stereo = fmtp.split(';').any(|parameter| parameter.trim() == "sprop-stereo=1");
            Some(Format::Opus { channels: if is_stereo { 2 } else { 1 } })
        }
        "L16" if (1..=2).contains(&channels) && (1..=MAX_RATE).contains(&rate) => {
            Some(Format::L16 { rate, channels })
        }
        _ => None,
    }
}

/// The format of a static payload type (RFC 3551, section 6).
fn numbered_format(payload_type: u8) -> Option<Format> {
    match payload_type {
        10 => Some(Format::L16 { rate: 44_100, channels: 2 }),
        11 => Some(Format::L16 { rate: 44_100, channels: 1 }),
        14 => Some(Format::Mp3),
        _ => None,
    }
}

/// Parses a range such as `npt=0-220.5` (RFC 2326, section 3.6) and returns its length.
fn parse_length(range: &str) -> Option<Duration> {
    let (begin, end) = range.trim().strip_prefix("npt=")?.split_once('-')?;
    let (begin, end) = (begin.parse::<f64>().ok()?, end.parse::<f64>().ok()?);
    let seconds = end - begin;
    (0.0..=MAX_SECONDS).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [Format; 7] = [
        Format::Mp3,
        Format::Opus { channels: 1 },
        Format::Opus { channels: 2 },
        Format::L16 { rate: 44_100, channels: 2 },
        Format::L16 { rate: 44_100, channels: 1 },
        Format::L16 { rate: 8_000, channels: 1 },
        Format::L16 { rate: 48_000, channels: 2 },
    ];

    #[test]
    fn what_is_written_is_read() {
        for format in FORMATS {
            for (length, control) in
                [(None, None), (Some(Duration::from_millis(220_040)), Some("audio".to_owned()))]
            {
                let description = Description { control, ..Description::new(format, "a song.mp3", length) };
                let sdp = description.to_sdp(IpAddr::from([192, 0, 2, 7]), 1);
                assert_eq!(Description::parse(&sdp), Ok(description), "{}", String::from_utf8_lossy(&sdp));
            }
        }
    }

    #[test]
    fn exactly() {
        let length = Some(Duration::from_millis(1_500));
        let description = Description::new(Format::Opus { channels: 2 }, "a\r\nb", length);
        let sdp = String::from_utf8(description.to_sdp("::1".parse().unwrap(), 7)).unwrap();
        assert_eq!(
            sdp,
            "v=0\r\no=- 7 1 IN IP6 ::1\r\ns=ab\r\nc=IN IP6 ::\r\nt=0 0\r\nm=audio 0 RTP/AVP 96\r\n\
             a=rtpmap:96 opus/48000/2\r\na=fmtp:96 sprop-stereo=1\r\na=range:npt=0-1.500\r\n"
        );
    }

    /// Descriptions as other programs write them.
    #[test]
    fn of_other_programs() {
        let begin =
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=No Name\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=tool:x\r\n";
        let parse = |media: &str| Description::parse(format!("{begin}{media}").as_bytes());
        let mp3 = parse("m=audio 0 RTP/AVP 14\r\nb=AS:128\r\na=control:streamid=0\r\n").unwrap();
        assert_eq!((mp3.format, mp3.payload_type), (Format::Mp3, 14));
        assert_eq!(mp3.control.as_deref(), Some("streamid=0"));
        let pcm = parse("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L16/48000/2\r\n").unwrap();
        assert_eq!((pcm.format, pcm.payload_type), (Format::L16 { rate: 48_000, channels: 2 }, 97));
        for (media, why) in [
            ("", NoDescription::NotOneStream),
            ("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n", NoDescription::NotOneStream),
            ("m=audio 0 RTP/AVP 14\r\nm=audio 0 RTP/AVP 14\r\n", NoDescription::NotOneStream),
            ("m=audio 0 RTP/SAVP 14\r\n", NoDescription::NotOneStream),
            ("m=audio 0 RTP/AVP 14 10\r\n", NoDescription::NotOneStream),
            ("m=audio 0 RTP/AVP 0\r\n", NoDescription::Format),
            ("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L16/48000/6\r\n", NoDescription::Format),
            ("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L16/0/2\r\n", NoDescription::Format),
            ("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/48000/2\r\n", NoDescription::Format),
        ] {
            assert_eq!(parse(media), Err(why), "{media}");
        }
        assert_eq!(Description::parse(b"hello"), Err(NoDescription::Malformed));
    }

    #[test]
    fn lengths_that_are_none() {
        for range in ["npt=0-", "npt=now-", "clock=0-1", "npt=5-1", "npt=0-1e300", "npt=0-NaN", ""] {
            assert_eq!(parse_length(range), None, "{range}");
        }
    }
}
