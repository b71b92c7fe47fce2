use super::*;

#[test]
fn every_reason_is_counted_in_its_own_place() {
    let metrics = Metrics::default();
    for (place, reason) in CloseReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, place);
        metrics.count_end(reason);
        assert_eq!(metrics.ended(reason), 1);
    }
}

#[test]
fn every_refusal_is_counted_in_its_own_place() {
    let metrics = Metrics::default();
    for (place, why) in Refusal::ALL.into_iter().enumerate() {
        assert_eq!(why as usize, place);
        metrics.count_refused(why);
        assert_eq!(metrics.refused(why), 1);
    }
}

#[test]
fn only_what_occurred_is_shown() {
    let metrics = Metrics::default();
    assert_eq!(metrics.ends().to_string(), "none");
    metrics.count_end(CloseReason::Exit);
    metrics.count_end(CloseReason::Exit);
    metrics.count_end(CloseReason::Tls);
    assert_eq!(metrics.ends().to_string(), "exit 2, spoke tls 1");
}

#[test]
fn marks_only_rise() {
    let metrics = Metrics::default();
    for bytes in [5, 9, 7] {
        metrics.mark_outbox(bytes);
    }
    assert_eq!(metrics.marks().fullest_outbox_bytes, 9);
}

#[test]
fn every_operation_is_counted_in_its_own_place_and_runs_at_once() {
    let metrics = Metrics::default();
    let run: Vec<_> =
        Operation::for_people().zip(1..).flat_map(|(operation, times)| vec![operation; times]).collect();
    metrics.count_operations(run.iter().copied().chain([Operation::Echo]));
    for (operation, times) in Operation::for_people().zip(1..) {
        assert_eq!(
            metrics.operations(operation),
            times + u64::from(operation == Operation::Echo),
            "{operation}"
        );
    }
}

#[test]
fn sessions_of_each_kind_are_apart() {
    let metrics = Metrics::default();
    for (place, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, place);
        metrics.add_session(kind, true);
        metrics.add_session(kind, false);
        metrics.take_session(kind, false);
        assert_eq!((metrics.sessions(kind, true), metrics.sessions(kind, false)), (1, 0));
    }
}

#[test]
fn what_is_under_way_is_so_until_it_is_dropped() {
    let metrics = Arc::<Metrics>::default();
    for (place, stage) in Stage::ALL.into_iter().enumerate() {
        assert_eq!(stage as usize, place);
        let first = metrics.begin(stage);
        let second = metrics.begin(stage);
        assert_eq!(metrics.under_way(stage), 2);
        drop(first);
        assert_eq!(metrics.under_way(stage), 1);
        drop(second);
        assert_eq!(metrics.under_way(stage), 0);
    }
}

#[test]
fn steps_rise() {
    assert!(BATCH_MESSAGES.is_sorted() && BATCH_BYTES.is_sorted() && FAN_OUT_NANOS.is_sorted());
}
