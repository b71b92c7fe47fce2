//! Tests of packing and unpacking.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A frame with this header, filled with bytes of this value.
fn frame(header: [u8; 4], fill: u8) -> Vec<u8> {
    let bytes = mpeg::FrameHeader::parse(&header).unwrap().bytes;
    let mut frame = vec![fill; bytes];
    frame[..4].copy_from_slice(&header);
    frame
}

/// 128 kbit/s at 44.1 kHz: 417 bytes. 32 kbit/s at 48 kHz: 96 bytes. Layer II, 384 kbit/s at 32 kHz: 1,728 bytes.
const MIDDLE: [u8; 4] = [0xff, 0xfb, 0x90, 0x00];
const SMALL: [u8; 4] = [0xff, 0xfb, 0x14, 0x00];
const LARGE: [u8; 4] = [0xff, 0xfd, 0xe8, 0x00];

fn pack(format: Format, units: &[Vec<u8>]) -> Vec<Payload> {
    let mut packer = Packer::new(format);
    let mut payloads: Vec<_> = units.iter().flat_map(|unit| packer.push(unit)).collect();
    payloads.extend(packer.finish());
    assert_eq!(packer.finish(), None);
    payloads
}

/// Unpacks all payloads except the lost ones.
fn unpack(format: Format, payloads: &[Payload], lost: &BTreeSet<usize>) -> Vec<Unit> {
    let mut unpacker = Unpacker::new(format);
    let arrived = payloads.iter().enumerate().filter(|(at, _)| !lost.contains(at));
    let take = |(at, payload): (usize, &Payload)| {
        // Both wrap around during the test.
        let sequence = u16::try_from(at).unwrap().wrapping_sub(1);
        let timestamp = u32::try_from(payload.position).unwrap().wrapping_sub(1_000);
        unpacker.take(sequence, timestamp, &payload.bytes)
    };
    arrived.flat_map(take).collect()
}

#[test]
fn frames_share_a_datagram_or_take_several() {
    let frames: Vec<_> = [MIDDLE, MIDDLE, MIDDLE, MIDDLE, LARGE, SMALL, SMALL, SMALL, SMALL, SMALL]
        .iter()
        .zip(0..)
        .map(|(header, fill)| frame(*header, fill))
        .collect();
    let payloads = pack(Format::Mp3, &frames);
    let shapes: Vec<_> =
        payloads.iter().map(|payload| (payload.position, payload.ticks, payload.bytes.len())).collect();
    // 1,152 samples are 2,351.02 ticks at 44.1 kHz, 3,240 at 32 kHz and 2,160 at 48 kHz. 4 small frames are 96 ms.
    assert_eq!(
        shapes,
        [
            (0, 7_053, 4 + 3 * 417),
            (7_053, 2_351, 4 + 417),
            (9_404, 0, 1_400),
            (9_404, 3_240, 4 + 1_728 - 1_396),
            (12_644, 8_640, 4 + 4 * 96),
            (21_284, 2_160, 4 + 96),
        ]
    );
    assert_eq!(payloads[0].bytes[..4], [0; 4]);
    assert_eq!(payloads[2].bytes[..4], [0; 4]);
    assert_eq!(payloads[3].bytes[..4], [0, 0, 5, 116]);

    let units = unpack(Format::Mp3, &payloads, &BTreeSet::new());
    assert_eq!(units.iter().map(|unit| unit.bytes.clone()).collect::<Vec<_>>(), frames);
    let begins: Vec<_> = units.iter().map(|unit| unit.timestamp.wrapping_add(1_000)).collect();
    assert_eq!(begins, [0, 2_351, 4_702, 7_053, 9_404, 12_644, 14_804, 16_964, 19_124, 21_284]);
    assert_eq!(units[4].ticks, 3_240);

    // A missing fragment drops its frame, and no remainder of that frame affects later ones.
    for lost in [2, 3] {
        let units = unpack(Format::Mp3, &payloads, &BTreeSet::from([lost]));
        let expected: Vec<_> = frames.iter().filter(|frame| frame[..4] != LARGE).cloned().collect();
        assert_eq!(units.into_iter().map(|unit| unit.bytes).collect::<Vec<_>>(), expected);
    }
}

/// The lost fragments are the second of one frame and the first of the next; the rest would fit together.
#[test]
fn fragments_of_two_frames_make_none() {
    let payloads = pack(Format::Mp3, &[frame(LARGE, 1), frame(LARGE, 2)]);
    assert_eq!(payloads.len(), 4);
    assert_eq!(unpack(Format::Mp3, &payloads, &BTreeSet::from([1, 2])), []);
}

#[test]
fn an_hour_of_frames_is_an_hour() {
    let one = frame(SMALL, 0);
    let other = frame(MIDDLE, 0);
    let mut packer = Packer::new(Format::Mp3);
    let mut end = 0;
    // 150,000 frames of 24 ms, and as many of 1,152 samples at 44.1 kHz.
    for frame in [one, other] {
        for _ in 0..150_000 {
            for payload in packer.push(&frame) {
                assert_eq!(payload.position, end);
                end = payload.position + u64::from(payload.ticks);
            }
        }
    }
    end += u64::from(packer.finish().unwrap().ticks);
    assert_eq!(end, 3_600 * 90_000 + 150_000 * 1_152 * 90_000 / 44_100);
}

#[test]
fn samples_in_payloads_of_20_ms_or_1400_bytes() {
    for (rate, channels, ticks) in
        [(44_100, 2, 350), (48_000, 1, 700), (96_000, 2, 350), (8_000, 1, 160), (22_050, 1, 441)]
    {
        let format = Format::L16 { rate, channels };
        let samples: Vec<i16> = (0..2_000 * i16::from(channels)).collect();
        // Chunks whose length is no multiple of a payload's.
        let units: Vec<_> = samples.chunks(246).map(|part| l16::to_bytes(part.iter().copied())).collect();
        let payloads = pack(format, &units);
        for (at, payload) in payloads[..payloads.len() - 1].iter().enumerate() {
            assert_eq!((payload.position, payload.ticks), (at as u64 * u64::from(ticks), ticks));
            assert_eq!(payload.bytes.len(), 2 * usize::from(channels) * ticks as usize);
        }
        let units = unpack(format, &payloads, &BTreeSet::new());
        let heard: Vec<_> = units.iter().flat_map(|unit| l16::samples(&unit.bytes)).collect();
        assert_eq!(heard, samples);
        assert_eq!(units.iter().map(|unit| unit.ticks).sum::<u32>(), 2_000);
    }
    // An incomplete sample yields no unit.
    assert_eq!(Unpacker::new(Format::L16 { rate: 8_000, channels: 2 }).take(0, 0, &[1, 2, 3]), []);
}

fn headers() -> impl Strategy<Value = [u8; 4]> {
    any::<[u8; 4]>().prop_filter_map("no header", |[_, kind, rates, mode]| {
        let header = [0xff, kind | 0xe0, rates, mode];
        mpeg::FrameHeader::parse(&header).map(|_| header)
    })
}

proptest! {
    #[test]
    fn frames_come_whole_or_not_at_all(
        headers in prop::collection::vec(headers(), 1..40),
        lost in prop::collection::btree_set(0_usize..40, 0..5),
    ) {
        let frames: Vec<_> = headers.iter().zip(0..).map(|(header, fill)| frame(*header, fill)).collect();
        let payloads = pack(Format::Mp3, &frames);
        prop_assert!(payloads.iter().all(|payload| payload.bytes.len() <= MAX_BYTES));
        let bytes = |units: Vec<Unit>| units.into_iter().map(|unit| unit.bytes).collect::<Vec<_>>();
        prop_assert_eq!(&bytes(unpack(Format::Mp3, &payloads, &BTreeSet::new())), &frames);
        // The frames received are a subset of those sent, in order.
        let mut all = frames.iter();
        for frame in bytes(unpack(Format::Mp3, &payloads, &lost)) {
            prop_assert!(all.any(|sent| *sent == frame));
        }
    }

    #[test]
    fn whatever_comes_gives_no_more_than_came(
        datagrams in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..200)), 0..20),
        follow in any::<bool>(),
        headers in prop::collection::vec(headers(), 20),
    ) {
        for format in [Format::Mp3, Format::Opus { channels: 2 }, Format::L16 { rate: 44_100, channels: 2 }] {
            let mut unpacker = Unpacker::new(format);
            let (mut came, mut given) = (0, 0);
            for (at, (sequence, payload)) in datagrams.iter().enumerate() {
                let sequence = if follow { u16::try_from(at).unwrap() } else { *sequence };
                // Every second payload begins like a valid one.
                let valid: &[u8] = if at % 2 == 0 { &[&[0; 4], &headers[at][..]].concat() } else { &[] };
                let payload = [valid, payload].concat();
                came += payload.len();
                let units = unpacker.take(sequence, u32::MAX, &payload);
                given += units.iter().map(|unit| unit.bytes.len()).sum::<usize>();
                prop_assert!(given <= came);
            }
        }
    }
}
