//! [`Reports`]: reads and writes a listener's RTCP (RFC 3550, section 6). No IO; the caller passes the time.

use std::time::Duration;

use arauto_rtsp::ntp::Ntp;
use rtcp_types::{
    Compound, Packet, ReceiverReport, ReportBlock, RtcpPacketWriterExt, Sdes, SdesChunk, SdesItem,
};

use super::playout::Playout;

/// Interval between receiver reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// CNAME of this end. Constant, so it does not reveal the host.
const NAME: &str = "listener";

/// State of the stream according to received RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStatus {
    /// The stream goes on.
    More,
    /// The stream ended (BYE).
    Over,
}

/// The RTCP state of one listener.
#[derive(Debug)]
pub struct Reports {
    ssrc: u32,
    due: Duration,
    /// NTP timestamp of the last sender report, and when that report arrived.
    sender: Option<(Ntp, Duration)>,
}

impl Reports {
    /// Creates the state for a listener with this SSRC, which should be random.
    #[must_use]
    pub fn new(ssrc: u32, now: Duration) -> Self {
        Self { ssrc, due: now + REPORT_INTERVAL, sender: None }
    }

    /// Reads RTCP packets that arrived at `now`. Ignores invalid ones.
    pub fn take(&mut self, now: Duration, packets: &[u8]) -> StreamStatus {
        let Ok(packets) = Compound::parse(packets) else { return StreamStatus::More };
        for packet in packets {
            match packet {
                Ok(Packet::Sr(report)) => self.sender = Some((Ntp(report.ntp_timestamp()), now)),
                Ok(Packet::Bye(_)) => return StreamStatus::Over,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        StreamStatus::More
    }

    /// Returns a report if one is due and a datagram was received.
    pub fn due(&mut self, now: Duration, playout: &mut Playout) -> Option<Vec<u8>> {
        if now < self.due {
            return None;
        }
        self.due = now + REPORT_INTERVAL;
        let (ssrc, reception, jitter) = playout.report()?;
        let mut block = ReportBlock::builder(ssrc)
            .fraction_lost(reception.fraction_lost)
            // The field has 24 bits, enough for a hundred hours of lost audio.
            .cumulative_lost(u32::try_from(reception.lost).unwrap_or_default())
            .extended_sequence_number(reception.highest)
            .interarrival_jitter(jitter);
        if let Some((said, came)) = self.sender {
            let since = now.saturating_sub(came).as_micros() * 65_536 / 1_000_000;
            block = block
                .last_sender_report_timestamp(said.middle())
                .delay_since_last_sender_report_timestamp(u32::try_from(since).unwrap_or(u32::MAX));
        }
        let name = SdesChunk::builder(self.ssrc).add_item(SdesItem::builder(SdesItem::CNAME, NAME));
        let all = Compound::builder()
            .add_packet(ReceiverReport::builder(self.ssrc).add_report_block(block))
            .add_packet(Sdes::builder().add_chunk(name));
        let mut bytes = vec![0; 256];
        let length = all.write_into(&mut bytes).ok()?;
        bytes.truncate(length);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use arauto_rtsp::{Description, Format};
    use rtcp_types::{Bye, SenderReport};

    use super::*;
    use crate::audio::play::playout::ClockSource;

    fn packets(all: &rtcp_types::CompoundBuilder<'_>) -> Vec<u8> {
        let mut bytes = vec![0; 256];
        let length = all.write_into(&mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn what_was_received_is_said_every_five_seconds() {
        let s = Duration::from_secs;
        let format = Format::L16 { rate: 8_000, channels: 1 };
        let mut playout = Playout::new(&Description::new(format, "", None), ClockSource::Sender);
        let mut reports = Reports::new(5, s(0));
        assert_eq!(reports.due(s(5), &mut playout), None, "nothing was received");
        for sequence in [10_u8, 11, 13] {
            playout.take(s(5), &[0x80, 96, 0, sequence, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2]);
        }
        let said = SenderReport::builder(7).ntp_timestamp(0x0102_0304_0506_0708);
        assert_eq!(reports.take(s(9), &packets(&Compound::builder().add_packet(said))), StreamStatus::More);
        assert_eq!(reports.due(s(9), &mut playout), None);
        let report = reports.due(s(10), &mut playout).unwrap();
        let compound = Compound::parse(&report).unwrap();
        let Some(Ok(Packet::Rr(report))) = compound.into_iter().next() else { panic!() };
        let block = report.report_blocks().next().unwrap();
        assert_eq!((report.ssrc(), block.ssrc()), (5, 7));
        assert_eq!((block.fraction_lost(), block.cumulative_lost()), (64, 1));
        assert_eq!(block.extended_sequence_number(), 13);
        assert_eq!(block.last_sender_report_timestamp(), 0x0304_0506);
        assert_eq!(block.delay_since_last_sender_report_timestamp(), 65_536);
    }

    #[test]
    fn the_end_is_heard_and_nonsense_is_not() {
        let mut reports = Reports::new(5, Duration::ZERO);
        for nonsense in [&[][..], b"hello", &[0x80, 203], &[0x81, 200, 0, 9, 0]] {
            assert_eq!(reports.take(Duration::ZERO, nonsense), StreamStatus::More);
        }
        let all = Compound::builder()
            .add_packet(ReceiverReport::builder(7))
            .add_packet(Bye::builder().add_source(7));
        assert_eq!(reports.take(Duration::ZERO, &packets(&all)), StreamStatus::Over);
    }
}
