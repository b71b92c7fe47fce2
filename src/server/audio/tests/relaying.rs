//! Tests that audio, reports and ends reach the listeners.

use rtcp_types::{Compound, Packet};

use super::{
    super::rewrite::Rtp,
    client::{udp, udp_pair},
    *,
};

/// The rest of an MP3 frame of 32 kbit/s at 44.1 kHz, which has 104 bytes, after its header: this text in place of
/// audio.
fn frame(text: &str) -> String {
    format!("{text:-<100}")
}

/// A datagram with such a frame.
fn datagram(sequence: u16, text: &str) -> Vec<u8> {
    let mut bytes = rtp(7, sequence, "");
    bytes.extend([0xff, 0xfb, 0x10, 0]);
    bytes.extend(frame(text).as_bytes());
    bytes
}

/// The text of such a datagram.
fn text(bytes: &[u8]) -> String {
    String::from_utf8(Rtp::parse(bytes).unwrap().payload[8..].to_vec()).unwrap()
}

#[test]
fn one_publishes_and_others_hear_by_any_way() {
    let rig = Rig::new();
    let (publish, listen, stats) = rig.open(SONG);
    let from = udp();
    let mut publisher = Client::to(&publish);
    let to = publisher.publish_by_udp(&from);
    assert_eq!(rig.subscribe(&listen).unwrap_err(), SubscribeError::NotYet);
    from.send_to(&datagram(0, "first"), to).unwrap();
    rig.expect(Told::Began(SONG));
    assert_eq!(stats.length(), Some(Duration::from_secs(10)));

    let mut tcp = Client::to(&listen);
    let sdp = tcp.ask("DESCRIBE", "Accept: application/sdp\r\n", "").expect(200);
    assert!(
        sdp.body.contains("s=a song.mp3\r\n") && sdp.body.contains("a=range:npt=0-10.000\r\n"),
        "{sdp:?}"
    );
    tcp.listen();
    let (ear, reports) = udp_pair();
    let mut player = Client::to(&listen);
    player.set_up_udp(&ear);
    let start = player.ask("PLAY", "Range: npt=0-\r\n", "").expect(200);
    let mut http = rig.subscribe(&listen).unwrap();
    assert_eq!(http.content_type, "audio/mpeg");
    until(|| (stats.listeners() == 3).then_some(()));

    let mut numbers = [Vec::new(), Vec::new()];
    for number in [1, 2, 4, 3, 3] {
        from.send_to(&datagram(number, &format!("frame {number}")), to).unwrap();
        let mut bytes = [0; 2048];
        let length = ear.recv(&mut bytes).unwrap();
        for (heard, numbers) in [bytes[..length].to_vec(), tcp.sound()].iter().zip(&mut numbers) {
            assert_eq!(text(heard), frame(&format!("frame {number}")));
            let rtp = Rtp::parse(heard).unwrap();
            numbers.push((rtp.ssrc, rtp.sequence, rtp.timestamp));
        }
    }
    // Numbers differ from the publisher's by a constant.
    for numbers in &numbers {
        let (ssrc, first, begin) = numbers[0];
        let after = numbers.iter().map(|(of, sequence, timestamp)| {
            assert_eq!((*of, ssrc == 7), (ssrc, false));
            (sequence.wrapping_sub(first), timestamp.wrapping_sub(begin))
        });
        assert!(after.eq([(0, 0), (1, 900), (3, 2_700), (2, 1_800), (2, 1_800)]), "{numbers:?}");
    }
    assert_ne!(numbers[0][0].0, numbers[1][0].0);
    let info = start.header("RTP-Info");
    assert!(info.contains(&format!(";seq={};", numbers[0][0].1)), "{info}, {numbers:?}");
    // A listener by HTTP receives the audio in order, and the second before it joined.
    let expected: Vec<u8> = ["first", "frame 1", "frame 2", "frame 4"]
        .iter()
        .flat_map(|text| [&[0xff, 0xfb, 0x10, 0][..], frame(text).as_bytes()].concat())
        .collect();
    let mut heard = Vec::new();
    while heard.len() < expected.len() {
        heard.extend(http.bytes.blocking_recv().unwrap());
    }
    assert_eq!(heard, expected);
    assert_eq!(stats.elapsed(), Duration::from_millis(40));

    let ssrc = numbers[0][0].0;
    let mut bytes = [0; 2048];
    let length = reports.recv(&mut bytes).unwrap();
    let Some(Ok(Packet::Sr(report))) = Compound::parse(&bytes[..length]).unwrap().next() else { panic!() };
    assert_eq!(report.ssrc(), ssrc);
    assert!((1..=5).contains(&report.packet_count()), "{report:?}");
    // The report's timestamp has the listener's offset, and is about that of the current audio.
    let ahead = report.rtp_timestamp().wrapping_sub(numbers[0][0].2);
    assert!(ahead.wrapping_add(90_000) < 20 * 90_000, "{ahead}");

    publisher.ask("TEARDOWN", "", "").expect(200);
    let length = reports.recv(&mut bytes).unwrap();
    let last = Compound::parse(&bytes[..length]).unwrap().last();
    assert!(matches!(last, Some(Ok(Packet::Bye(bye))) if bye.ssrcs().eq([ssrc])));
    rig.expect(Told::Ended(SONG, StreamEnd::Finished));
    assert_eq!(http.bytes.blocking_recv(), None);
    let is_bye = |bytes: &[u8]| bytes.windows(2).any(|two| two == [0x81, 203]);
    until(|| Some(tcp.frame()).filter(|(channel, bytes)| *channel == 1 && is_bye(bytes)));
    tcp.ask("TEARDOWN", "", "").expect(200);
    assert_eq!(tcp.rest(), b"");
    Client::to(&listen).ask("DESCRIBE", "", "").expect(404);
    let counts = rig.until(|counts| counts.streams == 0);
    assert_eq!((counts.datagrams_in, counts.datagrams_out, counts.lost), (6, 10, 0));
}

#[test]
fn over_tls_all_goes_in_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::secure(folder.path());
    let (_, listen, _) = rig.open(SONG);
    let publish = rig.open(StreamId(1)).0;
    // A plain-text client receives an error message.
    let mut plain = Client::to(&listen);
    plain.write(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    let told = String::from_utf8(plain.rest()).unwrap();
    assert_eq!(told, "RTSP/1.0 400 This port speaks RTSP over TLS: rtsps://\r\n\r\n");

    let mut publisher = rig.secure_client(&publish);
    publisher.announce().expect(200);
    let udp = "Transport: RTP/AVP;unicast;client_port=5000-5001;mode=record\r\n";
    publisher.ask("SETUP", udp, "").expect(461);
    publisher.ask("SETUP", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record\r\n", "").expect(200);
    publisher.ask("RECORD", "", "").expect(200);
    publisher.send_frame(0, &datagram(0, "first"));
    rig.expect(Told::Began(StreamId(1)));
    drop(publisher);
    rig.expect(Told::Ended(StreamId(1), StreamEnd::Gone));
}
