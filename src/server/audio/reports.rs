//! RTCP: the reports that the relay sends to listeners, and those that it receives from them. Without IO.

use std::time::{Duration, SystemTime};

use arauto_rtsp::ntp::Ntp;
use rtcp_types::{
    Bye, Compound, Packet, ReceiverReport, RtcpPacketWriterExt, Sdes, SdesChunk, SdesItem, SenderReport,
};

/// Average interval between reports to a listener (RFC 3550, section 6.2).
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// The relay's CNAME, which does not reveal its address.
const NAME: &str = "relay";

/// Buffer size in bytes, more than any report of the relay needs.
const ROOM: usize = 256;

/// How much a listener was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// Audio datagrams; wraps around.
    pub packets: u32,
    /// Bytes of audio in them; wraps around.
    pub octets: u32,
}

/// A listener's statement about the audio it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceptionReport {
    /// The SSRC of the audio.
    pub of: u32,
    /// Datagrams lost in all.
    pub lost: u32,
}

/// Encodes a sender report with the relay's name (section 6.4.1). `timestamp` is the audio's RTP timestamp at `now`.
pub fn sender_report(ssrc: u32, timestamp: u32, sent: SenderInfo, now: SystemTime) -> Vec<u8> {
    let report = SenderReport::builder(ssrc)
        .ntp_timestamp(Ntp::at(now).0)
        .rtp_timestamp(timestamp)
        .packet_count(sent.packets)
        .octet_count(sent.octets);
    write(&Compound::builder().add_packet(report).add_packet(name(ssrc)))
}

/// Encodes an empty report, which shows that the relay is present although it sent nothing recently (section 6.4.2).
pub fn presence(ssrc: u32) -> Vec<u8> {
    write(&Compound::builder().add_packet(ReceiverReport::builder(ssrc)).add_packet(name(ssrc)))
}

/// Encodes a BYE (section 6.6). A compound packet has to begin with a report, so an empty one precedes it.
pub fn farewell(ssrc: u32) -> Vec<u8> {
    let empty = ReceiverReport::builder(ssrc);
    write(
        &Compound::builder()
            .add_packet(empty)
            .add_packet(name(ssrc))
            .add_packet(Bye::builder().add_source(ssrc)),
    )
}

fn name(ssrc: u32) -> rtcp_types::SdesBuilder<'static> {
    let item = SdesItem::builder(SdesItem::CNAME, NAME);
    Sdes::builder().add_chunk(SdesChunk::builder(ssrc).add_item(item))
}

fn write(report: &impl RtcpPacketWriterExt) -> Vec<u8> {
    let mut bytes = vec![0; ROOM];
    match report.write_into(&mut bytes) {
        Ok(length) => bytes.truncate(length),
        Err(error) => unreachable!("a report of constant length: {error}"),
    }
    bytes
}

/// Whether these bytes are RTCP.
pub fn is_report(bytes: &[u8]) -> bool {
    // Checks for version 2, and for a packet type that RTCP uses.
    matches!(bytes, [first, 200..=207, ..] if first >> 6 == 2) && Compound::parse(bytes).is_ok()
}

/// Parses the report blocks of a listener's receiver reports, at most as many as a datagram holds.
pub fn heard(bytes: &[u8]) -> Vec<ReceptionReport> {
    let Ok(compound) = Compound::parse(bytes) else { return Vec::new() };
    let mut all = Vec::new();
    for packet in compound.flatten() {
        if let Packet::Rr(report) = packet {
            all.extend(
                report
                    .report_blocks()
                    .map(|block| ReceptionReport { of: block.ssrc(), lost: block.cumulative_lost() }),
            );
        }
    }
    all
}

/// Time from one report to the next: half to one and a half times the average interval, so that reports to many
/// listeners are spread out. `chance` is a random number.
pub fn next_interval(chance: u32) -> Duration {
    REPORT_INTERVAL.mul_f64(0.5 + f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtcp_types::ReportBlock;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        let sent = SenderInfo { packets: 3, octets: 500 };
        let bytes = sender_report(7, 90_000, sent, now);
        assert!(is_report(&bytes));
        let mut packets = Compound::parse(&bytes).unwrap();
        let Some(Ok(Packet::Sr(report))) = packets.next() else { panic!("a sender report") };
        assert_eq!((report.ssrc(), report.rtp_timestamp()), (7, 90_000));
        assert_eq!((report.packet_count(), report.octet_count()), (3, 500));
        assert_eq!(report.ntp_timestamp(), (2_208_988_801 << 32) | 1 << 31);
        let bytes = farewell(7);
        let last = Compound::parse(&bytes).unwrap().last();
        assert!(matches!(last, Some(Ok(Packet::Bye(bye))) if bye.ssrcs().eq([7])));
    }

    #[test]
    fn what_listeners_say_is_read() {
        let block = ReportBlock::builder(7).cumulative_lost(4);
        let report = write(&ReceiverReport::builder(1).add_report_block(block));
        assert_eq!(heard(&report), [ReceptionReport { of: 7, lost: 4 }]);
        assert!(heard(b"hello").is_empty() && !is_report(b"hello"));
    }

    #[test]
    fn intervals() {
        assert_eq!(next_interval(0), Duration::from_millis(2_500));
        assert_eq!(next_interval(u32::MAX), Duration::from_millis(7_500));
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>, kind in 200u8..208, length in 0u8..8) {
            for bytes in [bytes.clone(), [&[0x81, kind, 0, length][..], &bytes].concat()] {
                is_report(&bytes);
                heard(&bytes);
            }
        }
    }
}
