use proptest::prelude::*;

use super::*;

const TYPE: u8 = 96;

fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Vec<u8> {
    let mut packet = vec![0x80, TYPE];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    packet
}

fn buffer() -> JitterBuffer {
    JitterBuffer::new(TYPE, 8_000)
}

impl JitterBuffer {
    fn hear(&mut self, sequence: u16) -> Taken {
        self.take(Duration::ZERO, &packet(7, sequence, 160 * u32::from(sequence)))
    }

    fn played(&mut self) -> Vec<u16> {
        std::iter::from_fn(|| self.pop()).map(|held| held.sequence).collect()
    }
}

#[test]
fn in_order_whatever_order_they_come_in() {
    let mut buffer = buffer();
    for sequence in [65_534, 65_533, 1, 0, 65_535, 3] {
        assert_eq!(buffer.hear(sequence), Taken::Kept, "{sequence}");
    }
    assert_eq!(buffer.hear(1), Taken::Doubled);
    assert_eq!(buffer.played(), [65_533, 65_534, 65_535, 0, 1, 3]);
    // Number 2 was missing at its turn; the others are duplicates.
    assert!(matches!(buffer.hear(2), Taken::Late(_)));
    for sequence in [2, 3, 65_533] {
        assert_eq!(buffer.hear(sequence), Taken::Doubled, "{sequence}");
    }
    let counts = Counts { received: 11, played: 6, missed: 1, late: 1, doubled: 4, ..Counts::default() };
    assert_eq!(buffer.counts(), counts);
    assert_eq!(counts.lost(), 0);
}

#[test]
fn what_is_missing_is_known() {
    let mut buffer = buffer();
    for sequence in [10, 11, 15] {
        buffer.hear(sequence);
    }
    assert_eq!(buffer.head().unwrap().missing, 0);
    buffer.pop();
    buffer.pop();
    let head = buffer.head().unwrap();
    assert_eq!((head.missing, head.ticks), (3, 5 * 160));
    // A datagram that arrives before its turn is no longer missing.
    buffer.hear(13);
    assert_eq!(buffer.head().unwrap().missing, 1);
    assert_eq!(buffer.played(), [13, 15]);
    assert_eq!(buffer.counts().missed, 2);
}

#[test]
fn timestamps_go_round() {
    let mut buffer = buffer();
    for (sequence, timestamp) in [(1, u32::MAX - 159), (3, 160), (2, 0)] {
        buffer.take(Duration::ZERO, &packet(7, sequence, timestamp));
    }
    let ticks: Vec<_> = std::iter::from_fn(|| buffer.pop()).map(|held| held.ticks).collect();
    assert_eq!(ticks, [0, 160, 320]);
}

#[test]
fn a_sender_that_begins_anew() {
    let mut buffer = buffer();
    buffer.hear(10);
    // Numbers far from all before, and another SSRC, are accepted only from the second consecutive datagram.
    assert_eq!(buffer.hear(30_000), Taken::Doubtful);
    assert_eq!(buffer.hear(11), Taken::Kept);
    assert_eq!(buffer.hear(40_000), Taken::Doubtful);
    assert_eq!(buffer.hear(40_001), Taken::Kept);
    let stranger = |sequence| packet(8, sequence, 5);
    assert_eq!(buffer.take(Duration::ZERO, &stranger(500)), Taken::Doubtful);
    assert_eq!(buffer.take(Duration::ZERO, &stranger(502)), Taken::Doubtful);
    assert_eq!(buffer.take(Duration::ZERO, &stranger(503)), Taken::Kept);
    assert_eq!(buffer.take(Duration::ZERO, &stranger(504)), Taken::Kept);
    let all: Vec<_> =
        std::iter::from_fn(|| buffer.pop()).map(|held| (held.sequence, held.is_first)).collect();
    assert_eq!(all, [(10, false), (11, false), (40_001, true), (503, true), (504, false)]);
    let counts = buffer.counts();
    assert_eq!((counts.missed, counts.restarts, counts.foreign), (0, 2, 4));
}

#[test]
fn what_is_none_of_it() {
    let mut buffer = buffer();
    let mut other = packet(7, 1, 0);
    other[1] = 97;
    for datagram in [&other[..], &[], b"hello", &packet(7, 1, 0)[..11]] {
        assert_eq!(buffer.take(Duration::ZERO, datagram), Taken::Foreign);
    }
    assert!(buffer.is_empty());
}

#[test]
fn bounded() {
    let mut buffer = buffer();
    for sequence in 0..5_000 {
        buffer.hear(sequence);
    }
    assert_eq!(buffer.len(), MAX_DATAGRAMS);
    // Before the first datagram is played, overflow does not count as received.
    let counts = buffer.counts();
    assert_eq!((counts.received, counts.skipped, counts.missed), (MAX_DATAGRAMS as u64, 0, 0));
    buffer.pop();
    for sequence in 5_000..6_000 {
        buffer.hear(sequence);
    }
    let counts = buffer.counts();
    assert_eq!((buffer.len(), counts.skipped, counts.missed), (MAX_DATAGRAMS, 999, 0));
    let mut buffer = JitterBuffer::new(TYPE, 8_000);
    for sequence in 0..100 {
        let mut large = packet(7, sequence, 0);
        large.resize(60_000, 0);
        buffer.take(Duration::ZERO, &large);
        assert!(buffer.bytes <= MAX_BYTES);
    }
    assert_eq!(buffer.len(), MAX_BYTES / (60_000 - 12));
}

proptest! {
    /// Every datagram that arrives at least once is played exactly once and in order, despite reordering and
    /// duplicates.
    #[test]
    fn each_once_and_in_order(
        begin in any::<u16>(),
        keys in prop::collection::vec((0_u32..40, any::<bool>(), prop::bool::weighted(0.9)), 1..200),
    ) {
        let mut sent: Vec<_> = (0_u16..).zip(&keys).filter(|(_, key)| key.2)
            .flat_map(|(at, key)| {
                std::iter::repeat_n((u32::from(at) + key.0, begin.wrapping_add(at)), 1 + usize::from(key.1))
            })
            .collect();
        prop_assume!(!sent.is_empty());
        sent.sort_by_key(|(when, _)| *when);
        let mut buffer = buffer();
        for (_, sequence) in &sent {
            buffer.hear(*sequence);
        }
        let arrived: Vec<_> = (0_u16..).zip(&keys).filter(|(_, key)| key.2)
            .map(|(at, _)| begin.wrapping_add(at)).collect();
        prop_assert_eq!(buffer.played(), arrived.clone());
        let counts = buffer.counts();
        prop_assert_eq!(counts.played + counts.doubled, sent.len() as u64);
        let first = arrived.first().unwrap().wrapping_sub(begin);
        let last = arrived.last().unwrap().wrapping_sub(begin);
        prop_assert_eq!(counts.lost(), u64::from(last - first) + 1 - arrived.len() as u64);
    }

    #[test]
    fn whatever_comes(datagrams in prop::collection::vec(
        (any::<bool>(), any::<u16>(), any::<u32>(), any::<u64>(), any::<bool>()), 0..300,
    )) {
        let mut buffer = buffer();
        let mut in_hand = 0;
        for (ssrc, sequence, timestamp, nanos, pops) in datagrams {
            buffer.take(Duration::from_nanos(nanos), &packet(u32::from(ssrc), sequence, timestamp));
            in_hand += u64::from(pops && buffer.pop().is_some());
            let _ = (buffer.head(), buffer.report());
        }
        let counts = buffer.counts();
        prop_assert_eq!(counts.played, in_hand);
        prop_assert_eq!(
            counts.received,
            counts.played + counts.late + counts.doubled + counts.foreign + buffer.len() as u64
        );
    }
}
