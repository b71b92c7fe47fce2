//! Each rule of the state machine.

use arauto_cluster::{
    Agreed, Body, Checkpoint, Digest, Entry, Event, Frame, Instance, Verdict,
    frame::{Content, MAX_FRAME_BYTES},
    instances::{MAX_ENDED, MAX_INSTANCES},
    state::Why,
};

use crate::log::{Change, Log, Replica, Writer, cluster, enter, leave, node};

fn names(replica: &Replica) -> Vec<(&str, u64)> {
    replica.names.by_name.iter().map(|(name, (instance, _))| (&**name, instance.0)).collect()
}

#[test]
fn a_frame_that_was_appended_twice_counts_once() {
    let (mut log, mut replica, mut writers) = cluster(&["n1"]);
    log.write(&mut writers[0], vec![enter(1, "ana"), leave(1), enter(2, "ana")]);
    assert_eq!(replica.read(&log).0, Some(Verdict::Counts));
    let before = replica.clone();
    log.0.push(log.0.last().unwrap().clone());
    assert_eq!(replica.read(&log).0, Some(Verdict::Void(Why::WrongNumber)));
    assert_eq!((&replica.names, replica.checkpoint().digest), (&before.names, before.checkpoint().digest));
}

#[test]
fn a_writers_frames_count_in_order_without_a_gap() {
    let (mut log, mut replica, mut writers) = cluster(&["n1"]);
    let first = writers[0].frame(Checkpoint::default(), vec![enter(1, "ana")]);
    let second = writers[0].frame(Checkpoint::default(), vec![leave(1)]);
    for (frame, verdict) in [
        (&second, Verdict::Void(Why::WrongNumber)),
        (&first, Verdict::Counts),
        (&second, Verdict::Counts),
        (&first, Verdict::Void(Why::WrongNumber)),
    ] {
        log.append(&writers[0], frame.clone());
        assert_eq!(replica.read(&log).0, Some(verdict));
    }
    assert!(names(&replica).is_empty());
}

#[test]
fn what_a_reaped_node_appended_late_is_void_and_so_is_its_hello() {
    let (mut log, mut replica, mut writers) = cluster(&["n1", "n2"]);
    log.write(&mut writers[1], vec![enter(1, "ana")]);
    log.write(&mut writers[0], vec![Entry::Reap(Instance(2), 3), enter(1, "ana")]);
    let (_, events) = replica.read(&log);
    assert_eq!(events, [Event::Reaped { instance: Instance(2), by: Instance(1) }]);
    assert_eq!(names(&replica), [("ana", 1)]);
    log.write(&mut writers[1], vec![leave(1)]);
    assert_eq!(replica.read(&log).0, Some(Verdict::Void(Why::Stranger)));
    let hello = Writer::new("n2", 2).frame(Checkpoint::default(), vec![Entry::Hello(Agreed::default())]);
    log.append(&writers[1], hello);
    assert_eq!(replica.read(&log).0, Some(Verdict::Void(Why::Stranger)));
}

#[test]
fn a_reap_is_void_once_its_node_has_said_something() {
    let (mut log, mut replica, mut writers) = cluster(&["n1", "n2"]);
    log.write(&mut writers[1], Vec::new());
    log.write(&mut writers[0], vec![Entry::Reap(Instance(2), 2)]);
    log.write(&mut writers[0], vec![Entry::Reap(Instance(1), 3), Entry::Reap(Instance(9), 1)]);
    assert!(replica.read(&log).1.is_empty());
    assert_eq!(replica.state.instances().iter().count(), 2);
}

#[test]
fn a_frame_under_another_nodes_name_is_void() {
    let (mut log, mut replica, mut writers) = cluster(&["n1", "n2"]);
    let frame = writers[0].frame(Checkpoint::default(), vec![enter(1, "ana")]);
    log.append(&writers[1], frame);
    assert_eq!(replica.read(&log).0, Some(Verdict::Void(Why::WrongNode)));
}

#[test]
fn only_a_hello_may_come_from_a_stranger() {
    let (mut log, mut replica, _) = cluster(&["n1"]);
    for entries in [vec![], vec![Entry::Ready], vec![enter(1, "ana")], vec![Entry::CloseAll]] {
        log.write(&mut Writer::new("n2", 2), entries);
        assert_eq!(replica.read(&log).0, Some(Verdict::Void(Why::Stranger)));
    }
    let mut late = Writer { number: 1, ..Writer::new("n2", 2) };
    log.write(&mut late, vec![Entry::Hello(Agreed::default())]);
    assert_eq!(replica.read(&log).0, Some(Verdict::Void(Why::Stranger)));
    log.write(&mut Writer::new("n2", 2), vec![Entry::Hello(Agreed::default())]);
    assert_eq!(replica.read(&log).0, Some(Verdict::Counts));
}

#[test]
fn a_node_that_is_not_ready_changes_nothing() {
    let (mut log, mut replica, _) = cluster(&["n1"]);
    let mut newcomer = Writer::new("n2", 2);
    let hello = Entry::Hello(Agreed::default());
    log.write(&mut newcomer, vec![hello, enter(1, "ana"), Entry::CloseAll, Entry::Reap(Instance(1), 1)]);
    assert_eq!(replica.read(&log).1, [Event::Hello(Instance(2))]);
    assert!(names(&replica).is_empty() && !replica.state.is_closed());
}

#[test]
fn bytes_that_are_no_frame_are_void_and_a_frame_that_nobody_can_read_ends_its_writer() {
    let (mut log, mut replica, mut writers) = cluster(&["n1", "n2"]);
    log.write(&mut writers[1], vec![enter(1, "ana")]);
    replica.read(&log);
    let frame = writers[0].frame(Checkpoint::default(), Vec::new());
    let newer_format = frame[1] + 1;
    let newer = [&frame[..1], &[newer_format], &frame[2..]].concat();
    let sealed = [&frame[..3], &[1], &frame[4..]].concat();
    let too_long = [&frame[..], &vec![0; MAX_FRAME_BYTES]].concat();
    for (bytes, why) in [
        (Vec::new(), Why::NoFrame),
        (b"hello".to_vec(), Why::NoFrame),
        (frame[..19].to_vec(), Why::NoFrame),
        (newer, Why::Format(newer_format)),
        (sealed, Why::NoFrame),
        (too_long, Why::NoFrame),
    ] {
        log.append(&writers[0], bytes);
        assert_eq!(replica.read(&log).0, Some(Verdict::Void(why)));
    }
    let mut bytes = writers[1].frame(Checkpoint::default(), Vec::new());
    bytes.extend(b"more");
    log.append(&writers[1], bytes);
    let (verdict, events) = replica.read(&log);
    assert_eq!((verdict, events), (Some(Verdict::Counts), vec![Event::Malformed(Instance(2))]));
    assert!(names(&replica).is_empty());
    assert!(replica.state.instances().get(Instance(2)).is_none());
}

#[test]
fn a_founding_counts_only_where_it_was_to_be() {
    let (mut log, mut replica, mut writers) = cluster(&["n1", "n2"]);
    log.write(&mut writers[0], vec![enter(1, "ana")]);
    let late = Writer::new("n3", 3).founding(log.last() - 1, &Agreed::default());
    log.append(&Writer::new("n3", 3), late);
    assert_eq!(replica.read(&log).0, Some(Verdict::Void(Why::NotHere)));
    let never = Writer::new("n3", 3).founding(u64::MAX, &Agreed::default());
    log.append(&Writer::new("n3", 3), never);
    assert_eq!(replica.read(&log).0, Some(Verdict::Void(Why::NotHere)));
    let right = Writer::new("n3", 3).founding(log.last(), &Agreed(vec![1]));
    log.append(&Writer::new("n3", 3), right);
    let (verdict, events) = replica.read(&log);
    assert_eq!((verdict, events), (Some(Verdict::Counts), vec![Event::Founded(Instance(3))]));
    assert!(names(&replica).is_empty());
    // A node that knew nothing of what was before agrees.
    let mut fresh = Replica { state: arauto_cluster::State::new(log.last() - 1), ..Replica::default() };
    fresh.read(&log);
    assert_eq!(fresh, Replica { state: fresh.state.clone(), ..replica.clone() });
    assert_eq!(fresh.checkpoint(), replica.checkpoint());
    assert_eq!((replica.names.token, replica.state.token()), (76, 76));
}

#[test]
fn a_restarted_node_replaces_one_that_is_silent_and_not_one_that_lives() {
    let (mut log, mut replica, mut writers) = cluster(&["n1", "n2"]);
    log.write(&mut writers[1], vec![enter(1, "ana")]);
    let mut again = Writer::new("n2", 3);
    log.write(&mut again, vec![Entry::Hello(Agreed::default())]);
    log.write(&mut writers[1], Vec::new());
    log.write(&mut again, vec![Entry::Ready]);
    assert_eq!(replica.read(&log).1, [Event::Hello(Instance(3)), Event::NameTaken(Instance(3))]);
    assert_eq!(names(&replica), [("ana", 2)]);

    let mut third = Writer::new("n2", 4);
    log.write(&mut third, vec![Entry::Hello(Agreed::default())]);
    log.write(&mut third, vec![Entry::Ready, enter(1, "ana")]);
    let replaced = Event::Replaced { instance: Instance(2), by: Instance(4) };
    assert_eq!(replica.read(&log).1, [Event::Hello(Instance(4)), replaced, Event::Ready(Instance(4))]);
    assert_eq!(names(&replica), [("ana", 4)]);
}

#[test]
fn settings_that_all_must_have_are_those_of_the_founder() {
    let mut log = Log::default();
    let mut founder = Writer::new("n1", 1);
    let founding = founder.founding(0, &Agreed(vec![7]));
    log.append(&founder, founding);
    for (instance, agreed, event) in
        [(2, Agreed(vec![8]), Event::Disagrees(Instance(2))), (3, Agreed(vec![7]), Event::Ready(Instance(3)))]
    {
        let mut writer = Writer::new("n2", instance);
        log.write(&mut writer, vec![Entry::Hello(agreed)]);
        log.write(&mut writer, vec![Entry::Ready]);
        let mut replica = Replica::default();
        assert_eq!(replica.read(&log).1.last(), Some(&event));
        assert_eq!(*replica.state.agreed(), Agreed(vec![7]));
    }
}

#[test]
fn donors_take_turns_and_are_ready_those_of_the_same_node_last() {
    let (mut log, mut replica, mut writers) = cluster(&["n1", "n2", "n3"]);
    let hello = || vec![Entry::Hello(Agreed::default())];
    let mut joiner = Writer::new("n2", 9);
    let mut other = Writer::new("n4", 8);
    log.write(&mut other, hello());
    let mut donors = Vec::new();
    for _ in 0..4 {
        log.write(&mut joiner, hello());
        replica.read(&log);
        donors.push(replica.state.instances().donor_for(Instance(9)));
    }
    assert_eq!(donors, [1, 3, 2, 1].map(|number| Some(Instance(number))));
    for writer in &mut writers {
        log.write(writer, vec![Entry::Bye]);
    }
    replica.read(&log);
    assert_eq!(replica.state.instances().donor_for(Instance(9)), None);
    assert_eq!(replica.state.instances().donor_for(Instance(1)), None);
}

#[test]
fn one_wrong_clock_of_three_does_not_move_the_time_and_time_never_goes_back() {
    let (mut log, mut replica, mut writers) = cluster(&["n1", "n2", "n3"]);
    assert_eq!(replica.state.time(), 1_000);
    writers[0].time = u64::MAX;
    log.write(&mut writers[0], Vec::new());
    replica.read(&log);
    assert_eq!(replica.state.time(), 1_000);
    // The clock of a node that is not ready does not count.
    let mut newcomer = Writer { time: u64::MAX, ..Writer::new("n4", 4) };
    log.write(&mut newcomer, vec![Entry::Hello(Agreed::default())]);
    replica.read(&log);
    assert_eq!(replica.state.time(), 1_000);
    writers[1].time = 2_000;
    log.write(&mut writers[1], Vec::new());
    replica.read(&log);
    assert_eq!(replica.state.time(), 2_000);
    log.write(&mut writers[0], vec![Entry::Reap(Instance(2), 3)]);
    writers[2].time = 1_500;
    log.write(&mut writers[2], Vec::new());
    replica.read(&log);
    assert_eq!(replica.state.time(), 2_000, "of two clocks, the lower one; but no less than before");
}

#[test]
fn after_the_end_of_the_cluster_all_is_void() {
    let (mut log, mut replica, mut writers) = cluster(&["n1", "n2"]);
    log.write(&mut writers[0], vec![enter(1, "ana"), Entry::CloseAll, enter(2, "bob")]);
    assert_eq!(replica.read(&log).1, [Event::Closed(Instance(1))]);
    assert_eq!(names(&replica), [("ana", 1)]);
    log.write(&mut writers[1], vec![enter(1, "rui")]);
    assert_eq!(replica.read(&log).0, Some(Verdict::Void(Why::Closed)));
}

#[test]
fn a_node_that_leaves_frees_its_names_and_says_nothing_more() {
    let (mut log, mut replica, mut writers) = cluster(&["n1", "n2"]);
    log.write(&mut writers[1], vec![enter(1, "ana"), Entry::Bye, enter(2, "bob")]);
    assert_eq!(replica.read(&log).1, [Event::Bye(Instance(2))]);
    assert!(names(&replica).is_empty());
}

#[test]
fn a_node_that_has_read_another_log_is_found() {
    let (mut log, mut replica, mut writers) = cluster(&["n1", "n2"]);
    log.write(&mut writers[1], vec![enter(1, "ana")]);
    replica.read(&log);
    let right = replica.checkpoint();
    let wrong = [
        Checkpoint { digest: Digest([1; 16]), ..right },
        Checkpoint { fingerprint: right.fingerprint ^ 1, ..right },
        Checkpoint { position: right.position + 9, ..right },
    ];
    for (checkpoint, differs) in [(right, false)].into_iter().chain(wrong.map(|wrong| (wrong, true))) {
        let frame = writers[0].frame(checkpoint, Vec::new());
        log.append(&writers[0], frame);
        let event = Event::Differs { instance: Instance(1), position: checkpoint.position };
        assert_eq!(replica.read(&log).1, if differs { vec![event] } else { Vec::new() });
    }
    // A newcomer has read nothing yet.
    let mut newcomer = Writer::new("n3", 3);
    let frame = newcomer.frame(wrong[0], vec![Entry::Hello(Agreed::default())]);
    log.append(&newcomer, frame);
    assert_eq!(replica.read(&log).1, [Event::Hello(Instance(3))]);
}

#[test]
fn nodes_whose_tables_judged_an_entry_otherwise_differ_from_there_on() {
    let (mut log, mut replica, mut writers) = cluster(&["n1"]);
    let mut other = replica.clone();
    other.names.by_name.insert("ana".to_owned(), (Instance(1), 9));
    log.write(&mut writers[0], vec![enter(1, "ana")]);
    replica.read(&log);
    other.read(&log);
    assert_ne!(replica.checkpoint().digest, other.checkpoint().digest);
    // The tables may become equal again; the digests do not.
    other.names = replica.names.clone();
    log.write(&mut writers[0], Vec::new());
    replica.read(&log);
    other.read(&log);
    assert_eq!(replica.checkpoint().fingerprint, other.checkpoint().fingerprint);
    assert_ne!(replica.checkpoint().digest, other.checkpoint().digest);
}

#[test]
fn instances_and_their_memory_are_bounded() {
    let (mut log, mut replica, mut writers) = cluster(&["n1"]);
    for instance in 2..=MAX_INSTANCES as u64 + 1 {
        log.write(&mut Writer::new("x", instance), vec![Entry::Hello(Agreed::default())]);
    }
    assert_eq!(replica.read(&log).0, Some(Verdict::Void(Why::Stranger)));
    assert_eq!(replica.state.instances().iter().count(), MAX_INSTANCES);
    for round in 0..20 {
        for instance in 2..=MAX_INSTANCES as u64 {
            log.write(&mut writers[0], vec![Entry::Reap(Instance(round * 1_000 + instance), 1)]);
            let mut next = Writer::new("x", (round + 1) * 1_000 + instance);
            log.write(&mut next, vec![Entry::Hello(Agreed::default())]);
        }
    }
    replica.read(&log);
    assert_eq!(replica.state.instances().iter().count(), MAX_INSTANCES);
    let size = replica.state.encode().len();
    assert!(size < MAX_ENDED * 10 + MAX_INSTANCES * 200, "{size}");
}

#[test]
fn a_message_that_is_not_the_next_one_is_not_read() {
    let (mut log, mut replica, mut writers) = cluster(&["n1"]);
    log.write(&mut writers[0], vec![enter(1, "ana")]);
    let (node, bytes) = log.0.last().unwrap();
    let before = replica.clone();
    for position in [0, 1, 3, u64::MAX] {
        let message = arauto_cluster::Message { position, node, bytes };
        let verdict = replica.state.read(message, &mut replica.names, &mut Vec::new());
        assert_eq!((verdict, &replica), (Verdict::NotNext, &before));
    }
}

#[test]
fn a_frame_that_would_be_too_long_is_not_encoded() {
    let body = Body {
        written: 1,
        is_joining: false,
        checkpoint: Checkpoint::default(),
        entries: vec![Entry::Table(Change::Enter(1, "x".repeat(MAX_FRAME_BYTES)))],
    };
    let frame = Frame { instance: Instance(1), number: 1, content: Content::Body(body) };
    assert!(frame.encode().unwrap_err().0 > MAX_FRAME_BYTES);
    assert!("N1".parse::<arauto_cluster::NodeName>().is_err() && node("n-1").as_str() == "n-1");
}
