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
    /// A message with a number, for one session.
    Say,
    SetTagged(bool),
    Enter,
    Close,
}

/// The tag of a line that has no number.
const UNNUMBERED: Tag = Tag { id: None, millis: 0 };

fn tag(number: usize) -> Tag {
    Tag { id: Some(number as u64), millis: 1_000 * number as u64 }
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
    let mut tagged = [false; SESSIONS as usize];
    for (number, (step, slot)) in steps.iter().enumerate() {
        let tag = if matches!(step, Step::Tell) { UNNUMBERED } else { tag(number) };
        for (other, (got, member, closed)) in (0..).zip(&mut sessions) {
            let hears = match step {
                Step::Broadcast => *member,
                Step::BroadcastNotMe => *member && other != *slot,
                Step::Tell | Step::Say => other == *slot,
                Step::Enter | Step::Close | Step::SetTagged(_) => false,
            };
            if hears && !*closed {
                let tag = if tagged[other as usize] { tag.to_string() } else { String::new() };
                *got += &[tag.as_str(), line(number).text(), "\n"].concat();
            }
            if other == *slot {
                *member |= matches!(step, Step::Enter);
                *closed |= matches!(step, Step::Close);
                if let Step::SetTagged(is_tagged) = step {
                    tagged[other as usize] = *is_tagged;
                }
            }
        }
    }
    sessions.into_iter().map(|(got, _, closed)| (got, closed)).collect()
}

fn by_batches(steps: &[(Step, u32)], flush_every: usize) -> Vec<(String, bool)> {
    let mut sessions = vec![(String::new(), false, false); SESSIONS as usize];
    let mut tagged = [false; SESSIONS as usize];
    let mut batch = Batch::new(2);
    for (number, (step, slot)) in steps.iter().enumerate() {
        match step {
            Step::Broadcast => batch.broadcast(&line(number), tag(number), None),
            Step::BroadcastNotMe => {
                batch.broadcast(&line(number), tag(number), Some(session_ref(*slot)));
            }
            Step::Tell => batch.tell(session_ref(*slot), line(number)),
            Step::Say => {
                batch.tag(session_ref(*slot), tag(number));
                batch.tell(session_ref(*slot), line(number));
            }
            Step::SetTagged(is_tagged) => batch.set_tagged(session_ref(*slot), *is_tagged),
            Step::Enter => batch.enter(session_ref(*slot)),
            Step::Close => batch.close(session_ref(*slot), CloseReason::Exit),
        }
        if number % flush_every == 0 || number + 1 == steps.len() {
            for (courier, shared, edits) in batch.take(None, |_| true) {
                for (slot, (got, member, closed)) in (0..).zip(&mut sessions) {
                    if usize::from(session_ref(slot).courier) == courier && !*closed {
                        let mine = edits.iter().filter(|edit| edit.session_ref.slot == slot);
                        let is_tagged = &mut tagged[slot as usize];
                        let reason = shared.for_session(mine, member, |segment| {
                            let bytes = match segment {
                                Segment::Shared(range) => shared.lines(Kind::Line, *is_tagged, range).bytes,
                                Segment::Own(line, tag) if *is_tagged => {
                                    line.tagged(tag.unwrap_or(UNNUMBERED), Kind::Line)
                                }
                                Segment::Own(line, _) => line.framed(Kind::Line),
                                Segment::SetTagged(now) => {
                                    *is_tagged = now;
                                    return;
                                }
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
            prop::sample::select(vec![
                Step::Broadcast,
                Step::BroadcastNotMe,
                Step::Tell,
                Step::Say,
                Step::SetTagged(true),
                Step::SetTagged(false),
                Step::Enter,
                Step::Enter,
                Step::Close,
            ]),
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
        batch.broadcast(&line(number), tag(number), (number == 1).then_some(session_ref));
    }
    let deliver: Vec<_> = batch.take(None, |_| true).collect();
    let shared = &deliver[0].1;
    let lines = |kind, is_tagged, range| {
        String::from_utf8(shared.lines(kind, is_tagged, range).bytes.to_vec()).unwrap()
    };
    assert_eq!(lines(Kind::Line, false, 0..2), "a | b | echo | 0\na | b | echo | 1\n");
    assert_eq!(lines(Kind::Telnet, false, 1..3), "a | b | echo | 1\r\na | b | echo | 2\r\n");
    assert_eq!(
        lines(Kind::Telnet, true, 1..3),
        "@1 1970-01-01T00:00:01.000Z a | b | echo | 1\r\n@2 1970-01-01T00:00:02.000Z a | b | echo | 2\r\n"
    );
    for is_tagged in [false, true] {
        let whole = &shared.lines(Kind::Telnet, is_tagged, 0..3).bytes;
        assert_eq!(whole, shared.all_lines(Kind::Telnet, is_tagged));
    }
}

#[test]
fn a_small_share_does_not_keep_the_whole_batch() {
    let mut batch = Batch::new(1);
    for number in 0..100 {
        batch.broadcast(&line(number), tag(number), None);
    }
    let (_, shared, _) = batch.take(None, |_| true).next().unwrap();
    for is_tagged in [false, true] {
        let whole = shared.all_lines(Kind::Line, is_tagged);
        let is_copied = |range| {
            let Excerpt { bytes, is_copy } = shared.lines(Kind::Line, is_tagged, range);
            assert_eq!(is_copy, !whole.as_ptr_range().contains(&bytes.as_ptr()));
            is_copy
        };
        assert!(!is_copied(0..100) && !is_copied(1..100) && is_copied(50..51));
    }
    // Telnet and WebSocket clients share the converted bytes of the whole batch only.
    for kind in [Kind::Telnet, Kind::WebSocket] {
        assert!(!shared.lines(kind, false, 0..100).is_copy && shared.lines(kind, false, 1..100).is_copy);
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
        batch.broadcast(&line(0), tag(0), None);
        if let Some(leaver) = own {
            batch.close(leaver, CloseReason::Exit);
        }
        let couriers: Vec<usize> =
            batch.take(None, |courier| courier == 0).map(|(courier, ..)| courier).collect();
        assert_eq!(couriers, if own.is_some() { vec![0, 1] } else { vec![0] });
    }
}
