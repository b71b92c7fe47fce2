//! [`Listener`]: one who listens by RTSP: by which way, under which numbers, and what he was sent. Without IO, but for his
//! connection's queue.

use std::{net::SocketAddr, rc::Rc};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    keys::Hold,
    numbering::{Numbering, Rtp},
    outgoing::Outgoing,
    reports::{self, Heard, Sent},
};

/// How sound comes to a listener.
#[derive(Debug)]
pub enum Way {
    /// By UDP from the pair of sockets of this number.
    Udp {
        /// Which sockets.
        pair: usize,
        /// Where sound goes.
        rtp: Place,
        /// Where reports go.
        rtcp: Place,
    },
    /// In frames between RTSP's answers (RFC 2326, section 10.12).
    Interleaved {
        /// The channel of sound.
        rtp: u8,
        /// The channel of reports.
        rtcp: u8,
    },
}

/// Where datagrams go, and whether one came from there: a router between may have given the port another number.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Where.
    pub at: SocketAddr,
    /// One came from there.
    pub is_sure: bool,
}

impl Place {
    /// As it was said.
    pub fn said(at: SocketAddr) -> Self {
        Self { at, is_sure: false }
    }

    /// One came from here. The first one says where it is.
    fn settle(&mut self, from: SocketAddr) {
        if !self.is_sure {
            *self = Self { at: from, is_sure: true };
        }
    }
}

/// One who listens.
#[derive(Debug)]
pub struct Listener {
    /// His numbers.
    pub numbering: Numbering,
    /// How sound comes to him.
    pub way: Way,
    /// His connection.
    pub outgoing: Rc<Outgoing>,
    /// He wants to hear now.
    pub is_playing: bool,
    /// What he was sent.
    pub sent: Sent,
    /// What he lost, as he says.
    pub lost: u32,
    /// When something of his came.
    pub heard: Instant,
    /// When he is to be told what he was sent.
    pub report_due: Instant,
    /// He counts for his key.
    _hold: Hold,
}

impl Listener {
    /// One more, who does not play yet.
    pub fn new(numbering: Numbering, way: Way, outgoing: Rc<Outgoing>, hold: Hold, now: Instant) -> Self {
        Self {
            numbering,
            way,
            outgoing,
            is_playing: false,
            sent: Sent::default(),
            lost: 0,
            heard: now,
            // Soon, so that he knows what time it is.
            report_due: now,
            _hold: hold,
        }
    }

    /// A datagram of sound was sent to him.
    pub fn count(&mut self, rtp: &Rtp<'_>) {
        let octets = u32::try_from(rtp.payload.len()).unwrap_or_default();
        self.sent.packets = self.sent.packets.wrapping_add(1);
        self.sent.octets = self.sent.octets.wrapping_add(octets);
    }

    /// A report of his came by his connection, or from where he is.
    pub fn hear(&mut self, bytes: &[u8], now: Instant) -> usize {
        self.heard = now;
        let about_him =
            reports::heard(bytes).into_iter().filter(|Heard { of, .. }| *of == self.numbering.ssrc);
        let mut reports = 0;
        for Heard { lost, .. } in about_him {
            self.lost = lost;
            reports += 1;
        }
        // Only who hears it knows its number: it goes where it should, and to no port that somebody else sends from.
        if let (1.., Way::Udp { rtp, .. }) = (reports, &mut self.way) {
            rtp.is_sure = true;
        }
        reports
    }

    /// A datagram came by UDP: from him, if it came from where he is, or says that it is about his sound.
    pub fn owns(&self, from: SocketAddr, is_report: bool) -> bool {
        let Way::Udp { rtp, rtcp, .. } = &self.way else { return false };
        let place = if is_report { rtcp } else { rtp };
        place.at == from
    }

    /// Whether a datagram from an unknown port of his address could be his first.
    pub fn may_own(&self, from: SocketAddr, is_report: bool) -> bool {
        let Way::Udp { rtp, rtcp, .. } = &self.way else { return false };
        let place = if is_report { rtcp } else { rtp };
        !place.is_sure && place.at.ip() == from.ip()
    }

    /// This is where he is.
    pub fn settle(&mut self, from: SocketAddr, is_report: bool) {
        if let Way::Udp { rtp, rtcp, .. } = &mut self.way {
            let place = if is_report { rtcp } else { rtp };
            place.settle(from);
        }
    }
}

/// A datagram as it stands between RTSP's answers. `None` if it is too long for that.
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
        let way = Way::Udp { pair: 0, rtp: Place::said(at(5_000)), rtcp: Place::said(at(5_001)) };
        let now = Instant::now();
        let numbering = Numbering { ssrc: 0x0102_0304, sequence: 0, timestamp: 0 };
        let mut listener = Listener::new(numbering, way, Rc::default(), Hold::default(), now);
        let about = |ssrc: u32| [&[0x81, 201, 0, 7, 0, 0, 0, 7][..], &ssrc.to_be_bytes(), &[0; 20]].concat();
        // Anybody could say this.
        listener.hear(&about(7), now);
        assert!(listener.may_own(at(6_000), false));
        listener.hear(&about(0x0102_0304), now);
        assert!(!listener.may_own(at(6_000), false) && listener.owns(at(5_000), false));
    }
}
