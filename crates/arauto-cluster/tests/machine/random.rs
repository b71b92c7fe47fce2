//! Logs at random: whatever was appended, all who read the log agree.

use std::collections::HashMap;

use arauto_cluster::{
    Agreed, Checkpoint, Entry, Frame, Instance, Verdict,
    frame::{Content, Head},
    state::Why,
};
use proptest::prelude::*;

use crate::log::{Change, Log, Replica, Writer, enter, leave, node};

/// A message that is appended. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    /// A writer's next frame.
    Write {
        writer: usize,
        change: Vec<(u8, u8, u8)>,
        time: u16,
    },
    /// A writer's next frame, with these entries about the cluster.
    Join {
        writer: usize,
        bye: bool,
    },
    Ready {
        writer: usize,
    },
    Reap {
        writer: usize,
        whom: usize,
        is_stale: bool,
    },
    CloseAll {
        writer: usize,
    },
    Found {
        writer: usize,
        is_right: bool,
    },
    /// A message that was appended before, perhaps under another name.
    Again {
        which: usize,
        node: Option<usize>,
    },
    /// A message that was appended before, with some bytes changed.
    Spoilt {
        which: usize,
        at: usize,
        by: u8,
    },
    Junk(Vec<u8>),
    /// A writer of this place begins again, as another instance.
    Restart {
        writer: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let writer = 0..4_usize;
    let changes = prop::collection::vec((0..2_u8, 0..4_u8, 0..4_u8), 0..5);
    prop_oneof![
        12 => (writer.clone(), changes, any::<u16>())
            .prop_map(|(writer, change, time)| Step::Write { writer, change, time }),
        4 => (writer.clone(), prop::bool::weighted(0.1)).prop_map(|(writer, bye)| Step::Join { writer, bye }),
        4 => writer.clone().prop_map(|writer| Step::Ready { writer }),
        2 => (writer.clone(), writer.clone(), any::<bool>())
            .prop_map(|(writer, whom, is_stale)| Step::Reap { writer, whom, is_stale }),
        1 => (writer.clone(), any::<bool>()).prop_map(|(writer, is_right)| Step::Found { writer, is_right }),
        3 => (any::<usize>(), prop::option::of(writer.clone()))
            .prop_map(|(which, node)| Step::Again { which, node }),
        2 => (any::<usize>(), any::<usize>(), 1..=u8::MAX)
            .prop_map(|(which, at, by)| Step::Spoilt { which, at, by }),
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Step::Junk),
        1 => writer.clone().prop_map(|writer| Step::Restart { writer }),
        1 => (writer, prop::bool::weighted(0.05)).prop_map(|(writer, is_it)| {
            if is_it { Step::CloseAll { writer } } else { Step::Ready { writer } }
        }),
    ]
}

/// Appends what a step says. `replica` has read the log so far.
fn append(log: &mut Log, writers: &mut [Writer], replica: &Replica, step: Step, fresh: &mut u64) {
    let checkpoint = replica.checkpoint();
    let mut write = |log: &mut Log, writer: usize, entries| {
        let frame = writers[writer].frame(checkpoint, entries);
        log.append(&writers[writer], frame);
    };
    match step {
        Step::Write { writer, change, time } => {
            let entries = change
                .into_iter()
                .map(|(kind, session, name)| {
                    if kind == 0 {
                        enter(session.into(), &format!("name {name}"))
                    } else {
                        leave(session.into())
                    }
                })
                .collect();
            writers[writer].time = 1_000 + u64::from(time);
            let frame = writers[writer].frame(checkpoint, entries);
            log.append(&writers[writer], frame);
        }
        Step::Join { writer, bye } => {
            write(log, writer, vec![if bye { Entry::Bye } else { Entry::Hello(Agreed::default()) }]);
        }
        Step::Ready { writer } => write(log, writer, vec![Entry::Ready]),
        Step::CloseAll { writer } => write(log, writer, vec![Entry::CloseAll]),
        Step::Reap { writer, whom, is_stale } => {
            let (instance, number) = (writers[whom].instance, writers[whom].number);
            let frame = writers[writer]
                .frame(checkpoint, vec![Entry::Reap(instance, number.saturating_sub(u64::from(is_stale)))]);
            log.append(&writers[writer], frame);
        }
        Step::Found { writer, is_right } => {
            let last = log.last().saturating_sub(u64::from(!is_right));
            let frame = writers[writer].founding(last, &Agreed::default());
            log.append(&writers[writer], frame);
        }
        Step::Again { which, node } => {
            let Some((of, bytes)) = log.0.get(which % log.0.len().max(1)).cloned() else { return };
            log.0.push((node.map_or(of, |node| writers[node].node.clone()), bytes));
        }
        Step::Spoilt { which, at, by } => {
            let Some((node, mut bytes)) = log.0.get(which % log.0.len().max(1)).cloned() else { return };
            let at = at % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= by;
            }
            log.0.push((node, bytes));
        }
        Step::Junk(bytes) => log.0.push((node("n0"), bytes)),
        Step::Restart { writer } => {
            *fresh += 1;
            writers[writer] = Writer::new(&format!("n{}", writer % 3), *fresh);
        }
    }
}

/// Appends these steps to a new log, and checks after each what holds for every log.
fn run(steps: Vec<Step>, transfer_at: usize) -> Result<(), TestCaseError> {
    let (mut log, mut fresh) = (Log::default(), 10);
    let mut writers: Vec<Writer> =
        (0..4).map(|place| Writer::new(&format!("n{}", place % 3), place + 1)).collect();
    let founding = writers[0].founding(0, &Agreed::default());
    log.append(&writers[0], founding);
    let mut replica = Replica::default();
    let mut joined: Option<Replica> = None;
    replica.read(&log);
    let mut counted: HashMap<Instance, u64> = HashMap::from([(writers[0].instance, 1)]);
    for (place, step) in steps.into_iter().enumerate() {
        let before = replica.clone();
        append(&mut log, &mut writers, &replica, step, &mut fresh);
        let (verdict, _) = replica.read(&log);
        let Some(verdict) = verdict else { continue };
        let bytes = &log.0.last().unwrap().1;
        if verdict == Verdict::Counts {
            let (head, _) = Head::read(bytes).unwrap();
            if head.is_founding {
                counted.clear();
            } else {
                let number = counted.get(&head.instance).copied().unwrap_or(0);
                prop_assert_eq!(head.number, number + 1, "frames of an instance count in order, each once");
            }
            counted.insert(head.instance, head.number);
        } else {
            prop_assert_ne!(verdict, Verdict::NotNext);
            prop_assert_eq!(&before.names, &replica.names);
            prop_assert_eq!(before.checkpoint().digest, replica.checkpoint().digest);
            prop_assert_eq!(before.state.instances(), replica.state.instances());
        }
        for (instance, _) in replica.names.by_name.values() {
            let bearer = replica.state.instances().get(*instance);
            prop_assert!(bearer.is_some_and(|bearer| bearer.is_ready), "only ready instances have names");
        }
        if place == transfer_at {
            joined = Some(replica.transferred());
        }
        if let Some(joined) = &mut joined {
            joined.read(&log);
            prop_assert_eq!(joined.checkpoint(), replica.checkpoint());
        }
    }
    let mut again = Replica::default();
    again.read(&log);
    prop_assert_eq!(&again, &replica);
    Ok(())
}

proptest! {
    #[test]
    fn all_who_read_a_log_agree_whatever_was_appended(
        steps in prop::collection::vec(step(), 0..120),
        transfer_at in 0..120_usize,
    ) {
        run(steps, transfer_at)?;
    }

    #[test]
    fn every_frame_reads_back(
        instance in any::<u64>(),
        number in any::<u64>(),
        written in any::<u64>(),
        names in prop::collection::vec(".{0,40}", 0..10),
    ) {
        let entries = names.iter().zip(0..).map(|(name, session)| enter(session, name)).collect();
        let body = arauto_cluster::Body { written, is_joining: false, checkpoint: Checkpoint::default(), entries };
        let frame: Frame<Change> =
            Frame { instance: Instance(instance), number, content: Content::Body(body) };
        prop_assert_eq!(Frame::decode(&frame.encode().unwrap()), Ok(frame));
    }

    #[test]
    fn any_bytes_are_read_without_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut log = Log::default();
        log.append(&Writer::new("n1", 1), bytes.clone());
        let (verdict, _) = Replica::default().read(&log);
        prop_assert!(matches!(verdict, Some(Verdict::Void(Why::NoFrame | Why::Format(_) | Why::Stranger | Why::NotHere))));
        let _ = Frame::<Change>::decode(&bytes);
        let _ = arauto_cluster::transfer::Chunk::decode(&bytes);
    }
}
