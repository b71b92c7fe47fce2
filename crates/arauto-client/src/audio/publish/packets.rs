//! [`Packets`]: builds RTP packets from payloads, and their RTCP reports (RFC 3550). No IO, no clock.

use arauto_rtsp::ntp::Ntp;
use rtcp_types::{
    Bye, Compound, RtcpPacketWriter, RtcpPacketWriterExt, Sdes, SdesChunk, SdesItem, SenderReport,
};
use rtp_types::RtpPacketBuilder;

/// State of one RTP sender.
#[derive(Debug)]
pub(super) struct Packets {
    payload_type: u8,
    ssrc: u32,
    sequence: u16,
    /// Timestamp of the beginning.
    base: u32,
    /// CNAME. Random, so that it does not identify the user.
    name: String,
    sent: u32,
    octets: u32,
}

impl Packets {
    /// Creates a sender of this payload type. SSRC, first sequence number and first timestamp are random (section 5.1).
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub(super) fn new(payload_type: u8) -> Result<Self, getrandom::Error> {
        let name = [getrandom::u32()?, getrandom::u32()?, getrandom::u32()?];
        let [high, low, ..] = getrandom::u32()?.to_be_bytes();
        Ok(Self {
            payload_type,
            ssrc: getrandom::u32()?,
            sequence: u16::from_be_bytes([high, low]),
            base: getrandom::u32()?,
            name: name.map(|part| format!("{part:08x}")).concat(),
            sent: 0,
            octets: 0,
        })
    }

    /// Builds the next packet, for audio at `ticks` after the beginning.
    pub(super) fn rtp(&mut self, payload: &[u8], ticks: u64, is_first: bool) -> Vec<u8> {
        let packet = RtpPacketBuilder::<_, &[u8]>::new()
            .payload_type(self.payload_type)
            .sequence_number(self.sequence)
            .timestamp(self.timestamp(ticks))
            .ssrc(self.ssrc)
            .marker_bit(is_first)
            .payload(payload)
            .write_vec_unchecked();
        self.sequence = self.sequence.wrapping_add(1);
        self.sent = self.sent.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        packet
    }

    /// Builds a report: how much was sent, and that `ticks` after the beginning are played at `now`.
    pub(super) fn report(&self, now: Ntp, ticks: u64) -> Vec<u8> {
        written(&Compound::builder().add_packet(self.sender(now, ticks)).add_packet(self.description()))
    }

    /// Builds a report with a BYE: no more will be sent.
    pub(super) fn goodbye(&self, now: Ntp, ticks: u64) -> Vec<u8> {
        let bye = Bye::builder().add_source(self.ssrc);
        let compound = Compound::builder().add_packet(self.sender(now, ticks)).add_packet(self.description());
        written(&compound.add_packet(bye))
    }

    fn sender(&self, now: Ntp, ticks: u64) -> rtcp_types::SenderReportBuilder {
        SenderReport::builder(self.ssrc)
            .ntp_timestamp(now.0)
            .rtp_timestamp(self.timestamp(ticks))
            .packet_count(self.sent)
            .octet_count(self.octets)
    }

    fn description(&self) -> rtcp_types::SdesBuilder<'_> {
        let name = SdesItem::builder(SdesItem::CNAME, &self.name);
        Sdes::builder().add_chunk(SdesChunk::builder(self.ssrc).add_item(name))
    }

    #[expect(clippy::cast_possible_truncation, reason = "timestamps go round")]
    fn timestamp(&self, ticks: u64) -> u32 {
        self.base.wrapping_add(ticks as u32)
    }
}

fn written(packets: &impl RtcpPacketWriter) -> Vec<u8> {
    let mut bytes = vec![0; packets.calculate_size().unwrap_or_default()];
    // Packets built here are always valid.
    let length = packets.write_into(&mut bytes).unwrap_or_default();
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    use rtcp_types::Packet;
    use rtp_types::RtpPacket;

    use super::*;

    #[test]
    fn numbered_and_counted() {
        let mut packets = Packets::new(14).unwrap();
        let (ssrc, base, sequence) = (packets.ssrc, packets.base, packets.sequence);
        for (at, is_first) in [(0, true), (1, false), (70_000, false)] {
            packets.sequence = sequence.wrapping_add(u16::try_from(at % 65_536).unwrap());
            let bytes = packets.rtp(&[7; 100], 2_351 * u64::from(at), is_first);
            let packet = RtpPacket::parse(&bytes).unwrap();
            assert_eq!(packet.payload_type(), 14);
            assert_eq!(packet.sequence_number(), sequence.wrapping_add(u16::try_from(at % 65_536).unwrap()));
            assert_eq!(packet.timestamp(), base.wrapping_add(2_351 * at));
            assert_eq!((packet.ssrc(), packet.marker_bit()), (ssrc, is_first));
            assert_eq!(packet.payload(), [7; 100]);
        }
        let other = Packets::new(14).unwrap();
        assert_ne!((ssrc, base, &packets.name), (other.ssrc, other.base, &other.name));
    }

    #[test]
    fn reports() {
        let mut packets = Packets::new(96).unwrap();
        packets.rtp(&[7; 100], 0, true);
        packets.rtp(&[7; 60], 960, false);
        let report = packets.report(Ntp(7 << 32), 48_000);
        let parsed: Vec<_> = Compound::parse(&report).unwrap().map(Result::unwrap).collect();
        let [Packet::Sr(sender), Packet::Sdes(description)] = &parsed[..] else { panic!("{parsed:?}") };
        assert_eq!((sender.ssrc(), sender.ntp_timestamp()), (packets.ssrc, 7 << 32));
        assert_eq!(sender.rtp_timestamp(), packets.base.wrapping_add(48_000));
        assert_eq!((sender.packet_count(), sender.octet_count()), (2, 160));
        let chunk = description.chunks().next().unwrap();
        assert_eq!(chunk.ssrc(), packets.ssrc);
        assert_eq!(chunk.items().next().unwrap().get_value_string().unwrap(), packets.name);
        assert_eq!(packets.name.len(), 24);
        let goodbye = packets.goodbye(Ntp(0), 0);
        let last = Compound::parse(&goodbye).unwrap().map(Result::unwrap).last().unwrap();
        let Packet::Bye(bye) = last else { panic!("{last:?}") };
        assert_eq!(bye.ssrcs().collect::<Vec<_>>(), [packets.ssrc]);
    }
}
