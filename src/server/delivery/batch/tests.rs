use arauto_protocol::Message;
use proptest::prelude::*;

use super::*;
use crate::server::common::session_ref::SessionId;

const SESSIONS: u32 = 4;

/// An addition to a batch for one of the sessions.
#[derive(Clone, Copy, Debug)]
enum Step {
    Broadcast,
    BroadcastNotMe,
    Tell,
    Enter,
    Close,
}

fn line(number: usize) -> Line {
    let data = number.to_string();
    Line::lossy(&Message { sender: "a", destination: "b", operation: "echo", data: &data })
}

fn session_ref(slot: u32) -> SessionRef {
    SessionRef { id: SessionId(u64::from(slot)), courier: u16::from(slot % 2 == 1), slot }
}

/// The output of each session if every message were sent to every session by itself.
fn one_by_one(steps: &[(Step, u32)]) -> Vec<(String, bool)> {
    let mut sessions = vec![(String::new(), false, false); SESSIONS as usize];
    for (number, (step, slot)) in steps.iter().enumerate() {
        let text = String::from_utf8(line(number).as_bytes().to_vec()).unwrap();
        for (other, (got, member, closed)) in (0..).zip(&mut sessions) {
            let hears = match step {
                Step::Broadcast => *member,
                Step::BroadcastNotMe => *member && other != *slot,
                Step::Tell => other == *slot,
                Step::Enter | Step::Close => false,
            };
            if hears && !*closed {
                got.push_str(&text);
            }
            if other == *slot {
                *member |= matches!(step, Step::Enter);
                *closed |= matches!(step, Step::Close);
            }
        }
    }
    sessions.into_iter().map(|(got, _, closed)| (got, closed)).collect()
}

fn by_batches(steps: &[(Step, u32)], flush_every: usize) -> Vec<(String, bool)> {
    let mut sessions = vec![(String::new(), false, false); SESSIONS as usize];
    let mut batch = Batch::new(2);
    for (number, (step, slot)) in steps.iter().enumerate() {
        match step {
            Step::Broadcast => batch.broadcast(&line(number), None),
            Step::BroadcastNotMe => batch.broadcast(&line(number), Some(session_ref(*slot))),
            Step::Tell => batch.tell(session_ref(*slot), line(number)),
            Step::Enter => batch.enter(session_ref(*slot)),
            Step::Close => batch.close(session_ref(*slot), CloseReason::Exit),
        }
        if number % flush_every == 0 || number + 1 == steps.len() {
            for (courier, shared, edits) in batch.take(None, |_| true) {
                for (slot, (got, member, closed)) in (0..).zip(&mut sessions) {
                    if usize::from(session_ref(slot).courier) == courier && !*closed {
                        let mine = edits.iter().filter(|edit| edit.session_ref.slot == slot);
                        let reason = shared.for_session(mine, member, |segment| {
                            let bytes = match segment {
                                Segment::Shared(range) => shared.lines(Kind::Line, range).bytes,
                                Segment::Own(line) => line.framed(Kind::Line),
                            };
                            got.push_str(std::str::from_utf8(&bytes).unwrap());
                        });
                        *closed = reason.is_some();
                    }
                }
            }
        }
    }
    sessions.into_iter().map(|(got, _, closed)| (got, closed)).collect()
}

proptest! {
    #[test]
    fn a_batch_gives_each_session_what_single_messages_would(
        steps in prop::collection::vec((
            prop::sample::select(vec![Step::Broadcast, Step::BroadcastNotMe, Step::Tell, Step::Enter, Step::Enter, Step::Close]),
            0..SESSIONS,
        ), 0..40),
        flush_every in 1..12_usize,
    ) {
        prop_assert_eq!(by_batches(&steps, flush_every), one_by_one(&steps));
    }
}

#[test]
fn each_kind_gets_its_line_endings() {
    let mut batch = Batch::new(1);
    let session_ref = SessionRef { id: SessionId(1), courier: 0, slot: 0 };
    for number in 0..3 {
        batch.broadcast(&line(number), (number == 1).then_some(session_ref));
    }
    let deliver: Vec<_> = batch.take(None, |_| true).collect();
    let shared = &deliver[0].1;
    assert_eq!(&shared.lines(Kind::Line, 0..2).bytes[..], b"a | b | echo | 0\na | b | echo | 1\n");
    assert_eq!(&shared.lines(Kind::Telnet, 1..3).bytes[..], b"a | b | echo | 1\r\na | b | echo | 2\r\n");
    assert_eq!(&shared.lines(Kind::Telnet, 0..3).bytes[..], &shared.all_lines(Kind::Telnet)[..]);
}

#[test]
fn a_small_share_does_not_keep_the_whole_batch() {
    let mut batch = Batch::new(1);
    for number in 0..100 {
        batch.broadcast(&line(number), None);
    }
    let (_, shared, _) = batch.take(None, |_| true).next().unwrap();
    let is_copied = |range| {
        let Excerpt { bytes, is_copy } = shared.lines(Kind::Line, range);
        assert_eq!(is_copy, !shared.lines.as_ptr_range().contains(&bytes.as_ptr()));
        is_copy
    };
    assert!(!is_copied(0..100) && !is_copied(1..100) && is_copied(50..51));
    // Telnet and WebSocket clients share the converted bytes of the whole batch only.
    for kind in [Kind::Telnet, Kind::WebSocket] {
        assert!(!shared.lines(kind, 0..100).is_copy && shared.lines(kind, 1..100).is_copy);
    }
}

#[test]
fn a_courier_with_nothing_to_do_is_left_alone() {
    let mut batch = Batch::new(2);
    batch.tell(session_ref(1), line(0));
    let couriers: Vec<usize> = batch.take(None, |_| true).map(|(courier, ..)| courier).collect();
    assert_eq!(couriers, [1]);
    assert_eq!(batch.take(None, |_| true).count(), 0);

    // A courier without members needs no broadcasts, unless one of its sessions has an edit.
    for own in [None, Some(session_ref(1))] {
        batch.broadcast(&line(0), None);
        if let Some(leaver) = own {
            batch.close(leaver, CloseReason::Exit);
        }
        let couriers: Vec<usize> =
            batch.take(None, |courier| courier == 0).map(|(courier, ..)| courier).collect();
        assert_eq!(couriers, if own.is_some() { vec![0, 1] } else { vec![0] });
    }
}
