use super::*;

#[test]
fn every_reason_is_counted_in_its_own_place() {
    let tally = Tally::default();
    for (place, reason) in CloseReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, place);
        tally.count_end(reason);
        assert_eq!(tally.ended(reason), 1);
    }
}

#[test]
fn every_refusal_is_counted_in_its_own_place() {
    let tally = Tally::default();
    for (place, why) in Refusal::ALL.into_iter().enumerate() {
        assert_eq!(why as usize, place);
        tally.count_refused(why);
        assert_eq!(tally.refused(why), 1);
    }
}

#[test]
fn only_what_occurred_is_shown() {
    let tally = Tally::default();
    assert_eq!(tally.ends().to_string(), "none");
    tally.count_end(CloseReason::Exit);
    tally.count_end(CloseReason::Exit);
    tally.count_end(CloseReason::Tls);
    assert_eq!(tally.ends().to_string(), "exit 2, spoke tls 1");
}

#[test]
fn marks_only_rise() {
    let tally = Tally::default();
    for bytes in [5, 9, 7] {
        tally.mark_outbox(bytes);
    }
    assert_eq!(tally.marks().fullest_outbox_bytes, 9);
}

#[test]
fn every_operation_is_counted_in_its_own_place_and_runs_at_once() {
    let tally = Tally::default();
    let run: Vec<_> =
        Operation::all().zip(1..).flat_map(|(operation, times)| vec![operation; times]).collect();
    tally.count_operations(run.iter().copied().chain([Operation::Echo]));
    for (operation, times) in Operation::all().zip(1..) {
        assert_eq!(
            tally.operations(operation),
            times + u64::from(operation == Operation::Echo),
            "{operation}"
        );
    }
}

#[test]
fn sessions_of_each_kind_are_apart() {
    let tally = Tally::default();
    for (place, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, place);
        tally.add_session(kind, true);
        tally.add_session(kind, false);
        tally.take_session(kind, false);
        assert_eq!((tally.sessions(kind, true), tally.sessions(kind, false)), (1, 0));
    }
}

#[test]
fn what_is_under_way_is_so_until_it_is_dropped() {
    let tally = Arc::<Tally>::default();
    for (place, stage) in Stage::ALL.into_iter().enumerate() {
        assert_eq!(stage as usize, place);
        let first = tally.begin(stage);
        let second = tally.begin(stage);
        assert_eq!(tally.under_way(stage), 2);
        drop(first);
        assert_eq!(tally.under_way(stage), 1);
        drop(second);
        assert_eq!(tally.under_way(stage), 0);
    }
}

#[test]
fn steps_rise() {
    assert!(BATCH_MESSAGES.is_sorted() && BATCH_BYTES.is_sorted() && FAN_OUT_NANOS.is_sorted());
}
