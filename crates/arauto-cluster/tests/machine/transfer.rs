//! The state of a node that joins.

use arauto_cluster::{
    Instance,
    transfer::{Assembled, Assembly, CHUNK_BYTES, Chunk, MAX_STATE_BYTES, chunks},
};

fn state(bytes: usize) -> Vec<u8> {
    (0..251).cycle().take(bytes).collect()
}

#[test]
fn a_state_comes_whole_whatever_the_order_of_its_chunks() {
    for bytes in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES] {
        let state = state(bytes);
        let mut all: Vec<Chunk> = chunks(Instance(1), 7, &state).collect();
        all.reverse();
        let mut assembly = Assembly::new(Instance(1), 7);
        let last = all.pop().unwrap();
        for chunk in all {
            let chunk = Chunk::decode(&chunk.encode()).unwrap();
            assert_eq!(assembly.take(chunk.clone()), Assembled::Incomplete);
            assert_eq!(assembly.take(chunk), Assembled::Incomplete, "twice");
        }
        assert_eq!(assembly.take(last), Assembled::Whole(state));
    }
}

#[test]
fn chunks_of_another_state_are_rejected_and_a_wrong_one_spoils_nothing_after() {
    let state = state(2 * CHUNK_BYTES);
    let all: Vec<Chunk> = chunks(Instance(1), 7, &state).collect();
    let mut assembly = Assembly::new(Instance(1), 7);
    assert_eq!(assembly.take(all[0].clone()), Assembled::Incomplete);
    let other = |change: fn(&mut Chunk)| {
        let mut chunk = all[1].clone();
        change(&mut chunk);
        chunk
    };
    for chunk in [
        other(|chunk| chunk.donor = Instance(2)),
        other(|chunk| chunk.position = 8),
        other(|chunk| chunk.number = 2),
        other(|chunk| chunk.count = 3),
        other(|chunk| chunk.count = u32::MAX),
        other(|chunk| chunk.hash.0[0] ^= 1),
        other(|chunk| chunk.bytes = vec![0; CHUNK_BYTES + 1]),
    ] {
        assert_eq!(assembly.take(chunk), Assembled::Rejected);
    }
    assert_eq!(assembly.take(other(|chunk| chunk.bytes[0] ^= 1)), Assembled::Rejected);
    // What the hash did not fit is forgotten as a whole.
    assert_eq!(assembly.take(all[1].clone()), Assembled::Incomplete);
    assert_eq!(assembly.take(all[0].clone()), Assembled::Whole(state));
    let count = u32::try_from(MAX_STATE_BYTES / CHUNK_BYTES + 1).unwrap();
    let huge = Chunk { count, ..all[0].clone() };
    assert_eq!(Assembly::new(Instance(1), 7).take(huge), Assembled::Rejected);
}
