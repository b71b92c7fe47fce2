//! The state that is sent to a node that joins.

use arauto_cluster::{
    Instance,
    transfer::{Assembled, Assembly},
};
use arauto_nats_log::{Command, Report};
use arauto_needs::needs;

use crate::{
    node::{INSTANCE, Node, options, options_of},
    server::Server,
};

const JOINER: Instance = Instance(0xb2);

/// Puts the state of this donor for this position together.
fn receive(joiner: &mut Node, donor: Instance, position: u64) -> Vec<u8> {
    let mut assembly = Assembly::new(donor, position);
    joiner.wait("the state", |report| {
        let Report::Chunk(chunk) = report else { return None };
        let (node, chunk) = chunk.into_parts();
        assert_eq!(node.as_str(), "n1");
        match assembly.take(chunk) {
            Assembled::Whole(state) => Some(state),
            Assembled::Incomplete => None,
            Assembled::Rejected => panic!("a chunk of another state"),
        }
    })
}

#[needs("nats-server")]
#[test]
fn a_state_arrives_whole_while_frames_are_appended() {
    let server = Server::start("");
    let mut donor = Node::join(options(&server));
    let mut joiner = Node::join(options_of("n2", server.url()));
    joiner.send(Command::ListenFor(JOINER));
    // Whatever the joiner sends next reaches the server after its subscription.
    joiner.append(1, 64);
    joiner.acknowledgement();
    for (position, length) in [(3, 1 << 20), (4, 0), (5, 20 << 20_usize)] {
        let state: Vec<u8> = (0..=250).flat_map(|byte| [byte; 7]).cycle().take(length).collect();
        donor.send(Command::SendState { to: JOINER, donor: INSTANCE, position, bytes: state.clone() });
        donor.append(position, 64);
        donor.wait("the frame", |report| match report {
            Report::Acknowledged { number, .. } => (number == position).then_some(()),
            _ => None,
        });
        assert!(receive(&mut joiner, INSTANCE, position) == state, "{length} bytes");
    }
}

#[needs("nats-server")]
#[test]
fn only_what_is_sent_to_the_present_instance_is_reported() {
    let server = Server::start("");
    let donor = Node::join(options(&server));
    let mut joiner = Node::join(options_of("n2", server.url()));
    let (first, second) = (Instance(1), Instance(2));
    joiner.send(Command::ListenFor(first));
    joiner.send(Command::ListenFor(second));
    joiner.append(1, 64);
    joiner.acknowledgement();
    let send = |to, position| {
        donor.send(Command::SendState { to, donor: INSTANCE, position, bytes: vec![1] });
    };
    send(first, 1);
    send(second, 2);
    let position = joiner.wait("a chunk", |report| match report {
        Report::Chunk(chunk) => Some(chunk.into_parts().1.position),
        _ => None,
    });
    assert_eq!(position, 2);
    donor.append(1, 64);
}
