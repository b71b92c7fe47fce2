//! [`StreamListener`]: one listener by RTSP: its transport, its header rewrite, and how much it was sent. Without IO,
//! apart from its connection's queue.

use std::{net::SocketAddr, rc::Rc};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    keys::Hold,
    outgoing::Outgoing,
    reports::{self, ReceptionReport, SenderInfo},
    rewrite::{HeaderRewrite, Rtp},
};

/// The transport of a listener's audio.
#[derive(Debug)]
pub enum Way {
    /// UDP.
    Udp {
        /// Index of the pair of sockets that it is sent from.
        pair: usize,
        /// Destination of audio.
        rtp: UdpDestination,
        /// Destination of reports.
        rtcp: UdpDestination,
    },
    /// Frames between RTSP's responses (RFC 2326, section 10.12).
    Interleaved {
        /// The channel of audio.
        rtp: u8,
        /// The channel of reports.
        rtcp: u8,
    },
}

/// A destination of datagrams, and whether it is confirmed: a router in between may have changed the port that the
/// listener named.
#[derive(Clone, Copy, Debug)]
pub struct UdpDestination {
    /// The address.
    pub at: SocketAddr,
    /// Whether the listener has confirmed the address.
    pub is_sure: bool,
}

impl UdpDestination {
    /// The address that the listener named, not confirmed yet.
    pub fn said(at: SocketAddr) -> Self {
        Self { at, is_sure: false }
    }

    /// Confirms the source of a datagram as the destination, unless one was confirmed before.
    fn settle(&mut self, from: SocketAddr) {
        if !self.is_sure {
            *self = Self { at: from, is_sure: true };
        }
    }
}

/// A listener by RTSP.
#[derive(Debug)]
pub struct StreamListener {
    /// Its SSRC, and its offsets of sequence numbers and timestamps.
    pub rewrite: HeaderRewrite,
    /// The transport of its audio.
    pub way: Way,
    /// The queue of its connection.
    pub outgoing: Rc<Outgoing>,
    /// Whether it plays, between PLAY and PAUSE.
    pub is_playing: bool,
    /// How much audio it was sent.
    pub sent: SenderInfo,
    /// Datagrams lost, as it reported last.
    pub lost: u32,
    /// When its last request or datagram arrived.
    pub heard: Instant,
    /// When its next report is due.
    pub report_due: Instant,
    /// Counts the listener for its key, and for its address.
    _hold: Hold,
}

impl StreamListener {
    /// A listener that does not play yet.
    pub fn new(rewrite: HeaderRewrite, way: Way, outgoing: Rc<Outgoing>, hold: Hold, now: Instant) -> Self {
        Self {
            rewrite,
            way,
            outgoing,
            is_playing: false,
            sent: SenderInfo::default(),
            lost: 0,
            heard: now,
            // Due at once, because a report maps timestamps to wall-clock time.
            report_due: now,
            _hold: hold,
        }
    }

    /// Counts a datagram of audio that it was sent.
    pub fn count(&mut self, rtp: &Rtp<'_>) {
        let octets = u32::try_from(rtp.payload.len()).unwrap_or_default();
        self.sent.packets = self.sent.packets.wrapping_add(1);
        self.sent.octets = self.sent.octets.wrapping_add(octets);
    }

    /// Processes an RTCP datagram of the listener's, received on its connection or by UDP. Returns the number of report
    /// blocks about its audio.
    pub fn hear(&mut self, bytes: &[u8], now: Instant) -> usize {
        self.heard = now;
        let about_him =
            reports::heard(bytes).into_iter().filter(|ReceptionReport { of, .. }| *of == self.rewrite.ssrc);
        let mut reports = 0;
        for ReceptionReport { lost, .. } in about_him {
            self.lost = lost;
            reports += 1;
        }
        // Only the listener knows its SSRC, so a report about it confirms that the audio arrives. From here on,
        // datagrams from other ports cannot redirect it.
        if let (1.., Way::Udp { rtp, .. }) = (reports, &mut self.way) {
            rtp.is_sure = true;
        }
        reports
    }

    /// Whether this address is the listener's: the destination of its reports if `is_report`, else of its audio.
    pub fn owns(&self, from: SocketAddr, is_report: bool) -> bool {
        let Way::Udp { rtp, rtcp, .. } = &self.way else { return false };
        let place = if is_report { rtcp } else { rtp };
        place.at == from
    }

    /// Whether a datagram from an unknown port could be the listener's first: it comes from the listener's IP address,
    /// and the destination is not confirmed yet.
    pub fn may_own(&self, from: SocketAddr, is_report: bool) -> bool {
        let Way::Udp { rtp, rtcp, .. } = &self.way else { return false };
        let place = if is_report { rtcp } else { rtp };
        !place.is_sure && place.at.ip() == from.ip()
    }

    /// Confirms the source of a datagram as the listener's destination.
    pub fn settle(&mut self, from: SocketAddr, is_report: bool) {
        if let Way::Udp { rtp, rtcp, .. } = &mut self.way {
            let place = if is_report { rtcp } else { rtp };
            place.settle(from);
        }
    }
}

/// Encodes a datagram as a frame between RTSP's responses. Returns `None` if it is longer than 65,535 bytes.
pub fn frame(channel: u8, parts: &[&[u8]]) -> Option<Bytes> {
    let length = u16::try_from(parts.iter().map(|part| part.len()).sum::<usize>()).ok()?;
    let mut bytes = Vec::with_capacity(4 + usize::from(length));
    bytes.extend([b'$', channel]);
    bytes.extend(length.to_be_bytes());
    for part in parts {
        bytes.extend_from_slice(part);
    }
    Some(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reports_what_he_hears_cannot_be_taken_for_somebody_else() {
        let at = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let way =
            Way::Udp { pair: 0, rtp: UdpDestination::said(at(5_000)), rtcp: UdpDestination::said(at(5_001)) };
        let now = Instant::now();
        let rewrite = HeaderRewrite { ssrc: 0x0102_0304, sequence: 0, timestamp: 0 };
        let mut listener = StreamListener::new(rewrite, way, Rc::default(), Hold::default(), now);
        let about = |ssrc: u32| [&[0x81, 201, 0, 7, 0, 0, 0, 7][..], &ssrc.to_be_bytes(), &[0; 20]].concat();
        // Any client could send this report.
        listener.hear(&about(7), now);
        assert!(listener.may_own(at(6_000), false));
        listener.hear(&about(0x0102_0304), now);
        assert!(!listener.may_own(at(6_000), false) && listener.owns(at(5_000), false));
    }
}
