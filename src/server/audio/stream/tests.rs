//! A stream that runs for an hour, by a simulated clock and without sockets.

use std::net::Ipv4Addr;

use arauto_rtsp::Format;

use super::{
    super::{keys::Hold, rewrite::HeaderRewrite},
    *,
};

const HOUR: u32 = 3_600;
/// Datagrams per second, about as many as MP3 at 44.1 kHz has.
const RATE: u32 = 40;

fn datagram(number: u32) -> Vec<u8> {
    let sequence = u16::try_from(number & 0xffff).unwrap();
    let timestamp = number.wrapping_mul(90_000 / RATE);
    let header =
        [&[0x80, 14][..], &sequence.to_be_bytes(), &timestamp.to_be_bytes(), &[0, 0, 0, 7, 0, 0, 0, 0]];
    [&header.concat()[..], &[0xff, 0xfb, 0x10, 0], &[0; 100]].concat()
}

/// A stream whose publisher has sent RECORD.
fn recording(now: Instant) -> RelayStream {
    let key = Key::random().unwrap();
    let mut stream = RelayStream::new(StreamId(1), 1, key, Arc::default(), "song.mp3".into(), Arc::default());
    let mut source = Source::new(Format::Mp3, 14, 128_000, now);
    source.hear(0, now).unwrap();
    stream.publisher = Some(Publisher {
        number: 1,
        description: Description::new(Format::Mp3, "song.mp3", None),
        source: Some(source),
        ip: Ipv4Addr::LOCALHOST.into(),
        from: [None; 2],
        pair: None,
        outgoing: Rc::default(),
    });
    stream
}

#[test]
fn a_report_begins_it_before_sound_does() {
    let now = Instant::now();
    let mut stream = recording(now);
    assert_eq!(stream.hear_connection(DatagramKind::Report, b"junk", now), Carried::Done);
    assert!(!stream.has_begun);
    let report = reports::sender_report(7, 0, reports::SenderInfo::default(), SystemTime::now());
    assert_eq!(stream.hear_connection(DatagramKind::Report, &report, now), Carried::Began);
    assert_eq!(stream.hear_connection(DatagramKind::Report, &report, now), Carried::Done);
    assert_eq!(stream.hear_connection(DatagramKind::Sound, &datagram(0), now), Carried::Done);
}

#[test]
fn an_hour_leaves_nothing_behind() {
    let mut now = Instant::now();
    let mut stream = recording(now);
    let outgoing = Rc::<Outgoing>::default();
    let rewrite = HeaderRewrite { ssrc: 1, sequence: 0xfff0, timestamp: 0xffff_0000 };
    let way = Way::Interleaved { rtp: 0, rtcp: 1 };
    let mut listener = StreamListener::new(rewrite, way, Rc::clone(&outgoing), Hold::default(), now);
    listener.is_playing = true;
    stream.listeners.insert(1, listener);
    let mut audience = Audience::new(Format::Mp3);
    let mut http = audience.add(1, Hold::default());
    stream.audience = Some(audience);
    let (mut frames, mut reports, mut bytes) = (0, 0, 0);
    let mut most_kept = 0;
    for number in 0..HOUR * RATE {
        now += Duration::from_secs(1) / RATE;
        let carried = stream.hear_connection(DatagramKind::Sound, &datagram(number), now);
        assert_eq!(carried, if number == 0 { Carried::Began } else { Carried::Done });
        stream.report(now, SystemTime::now());
        while let Some(frame) = outgoing.front() {
            if frame[1] == 0 {
                frames += 1;
            } else {
                reports += 1;
            }
            outgoing.written(frame.len());
        }
        while let Ok(chunk) = http.try_recv() {
            bytes += chunk.len();
        }
        most_kept = most_kept.max(stream.audience.as_ref().unwrap().kept());
    }
    assert_eq!((frames, bytes), (HOUR * RATE, (HOUR * RATE) as usize * 104));
    // The interval is 5 s on average, randomly 0.5 to 1.5 times that.
    assert!((600..900).contains(&reports), "{reports}");
    // At most about a second of audio is kept.
    assert!(most_kept <= (RATE as usize + 2) * 104, "{most_kept}");
    assert_eq!(stream.stats.elapsed(), Duration::from_secs(1) / RATE * (HOUR * RATE - 1));
    assert_eq!(stream.listeners[&1].sent.packets, HOUR * RATE);
}
