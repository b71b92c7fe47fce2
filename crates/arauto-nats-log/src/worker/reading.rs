//! Reads what comes from the server: the tail, the answers to requests, and the chunks of a state.

use std::{ops::RangeInclusive, time::Instant};

use arauto_cluster::{NodeName, frame::MAX_FRAME_BYTES, transfer::Chunk};
use async_nats::{Message as Received, StatusCode};

use super::Worker;
use crate::{
    api::{LeaderAnswer, MESSAGE_NOT_FOUND, PubAck, STREAM_NOT_FOUND, StreamInfo, parse},
    error::Warning,
    head::{Place, place},
    report::{Message, Report, StateChunk},
    subjects::Reply,
};

/// Most messages that the leader is asked for by one command.
const MAX_VERIFIED: usize = 64;

impl<D: FnMut(Report)> Worker<D> {
    /// Reads a message of the tail: one that the server has stored, or one that another client has published there.
    pub(super) fn read_tail(&mut self, received: &Received) {
        if received.payload == self.subjects.secret() && received.subject.as_str() == self.subjects.own_tail()
        {
            return self.admission.probe_came_back();
        }
        let suspect = match place(received, self.subjects.stream()) {
            Ok(Place { position, subject }) if self.subjects.repeats(&received.subject, &subject) => {
                return self.deliver(position, &subject, received.payload.to_vec());
            }
            Ok(Place { position, .. }) => Some(position),
            Err(suspect) => suspect.claimed,
        };
        self.reports.warn(Warning::Forged(received.subject.to_string().into()));
        let fetched = suspect.filter(|_| self.admission.is_admitted());
        if let Some(position) = fetched.filter(|position| self.holes.suspect(*position, Instant::now())) {
            self.get_from_replica(position);
        }
    }

    /// Reports a message, if there is room.
    fn deliver(&mut self, position: u64, subject: &str, bytes: Vec<u8>) {
        self.report_message(Report::Message, position, subject, bytes);
    }

    fn report_message(
        &mut self,
        report: impl FnOnce(Message) -> Report,
        position: u64,
        subject: &str,
        bytes: Vec<u8>,
    ) {
        let (node, bytes) = match self.subjects.writer(subject) {
            Some(node) => (node, bytes),
            None => (no_node(), Vec::new()),
        };
        match self.room.reserve(bytes.len()) {
            Some(reserved) => {
                self.reports.report(report(Message { position, node, bytes, _reserved: reserved }));
            }
            None => self.reports.warn(Warning::Lagging),
        }
    }

    /// Reads a chunk of a state that is sent to this node.
    pub(super) fn read_chunk(&mut self, received: &Received) {
        let is_short = received.payload.len() <= MAX_FRAME_BYTES;
        let donor = self.subjects.donor(&received.subject).filter(|_| is_short);
        let (Some(node), Ok(chunk)) = (donor, Chunk::decode(&received.payload)) else { return };
        match self.room.reserve(chunk.bytes.len()) {
            Some(reserved) => {
                self.reports.report(Report::Chunk(StateChunk { node, chunk, _reserved: reserved }));
            }
            None => self.reports.warn(Warning::Lagging),
        }
    }

    /// Reads an answer to a request.
    pub(super) fn read_answer(&mut self, received: &Received) {
        let Some(reply) = self.subjects.reply(&received.subject) else { return };
        if received.status == Some(StatusCode::NO_RESPONDERS) {
            return self.heed_no_responders(reply);
        }
        let bytes = &received.payload;
        match reply {
            Reply::Append { .. } => self.read_ack(reply, parse(bytes)),
            Reply::End | Reply::Create => {
                if let Some(info) = parse(bytes) {
                    self.read_end(info);
                }
            }
            Reply::Check => {
                if let Some(info) = parse(bytes) {
                    self.read_check(info);
                }
            }
            Reply::Bounds(position) => self.read_bounds(position, parse(bytes)),
            Reply::Direct(position) => self.read_from_replica(position, received),
            Reply::Leader(position) => self.read_from_leader(position, parse(bytes)),
            Reply::Verify(position) => self.read_verified(position, parse(bytes)),
            Reply::VerifyBounds(position) => self.read_absence(position, parse(bytes)),
            Reply::Probe => {}
        }
    }

    /// Acts on a request that has no receiver: JetStream is not there, or chooses a leader, or the stream is gone.
    fn heed_no_responders(&mut self, reply: Reply) {
        match reply {
            Reply::Append { .. } => {
                self.ask_for_info(Reply::Check);
            }
            Reply::Direct(position) => self.get_from_leader(position),
            Reply::Leader(position) | Reply::Bounds(position) => {
                self.holes.end(position);
            }
            Reply::End | Reply::Check | Reply::Create => self.reports.warn(Warning::NoJetStream),
            // The node asks again.
            Reply::Verify(_) | Reply::VerifyBounds(_) | Reply::Probe => {}
        }
    }

    fn read_ack(&mut self, reply: Reply, ack: Option<PubAck>) {
        let (Reply::Append { instance, number }, Some(ack)) = (reply, ack) else { return };
        if let Some(error) = ack.error {
            self.reports.report(Report::Rejected { instance, number, error });
        } else if ack.stream == self.subjects.stream() && ack.seq > 0 {
            self.reports.report(Report::Acknowledged { instance, number, position: ack.seq });
            self.note_acknowledged(ack.seq);
        }
    }

    /// Asks any replica for a message. Returns whether the client took the question.
    pub(super) fn get_from_replica(&mut self, position: u64) -> bool {
        self.get("DIRECT.GET", Reply::Direct(position), position)
    }

    /// Asks the leader for a message.
    fn get_from_leader(&mut self, position: u64) {
        if self.holes.is_under_way(position) {
            self.get("STREAM.MSG.GET", Reply::Leader(position), position);
        }
    }

    fn get(&mut self, request: &str, reply: Reply, position: u64) -> bool {
        let is_sent = self.ask_for_message(request, reply, position);
        if !is_sent {
            self.holes.end(position);
        }
        is_sent
    }

    /// Sends a request for the message at a position. Returns whether the client took it.
    fn ask_for_message(&self, request: &str, reply: Reply, position: u64) -> bool {
        self.publish(self.subjects.api(request), Some(reply), format!(r#"{{"seq":{position}}}"#))
    }

    /// Asks the leader for messages that the program wants to compare. What the client does not take is lost.
    pub(super) fn verify(&mut self, positions: RangeInclusive<u64>) {
        for position in positions.take(MAX_VERIFIED) {
            self.ask_for_message("STREAM.MSG.GET", Reply::Verify(position), position);
        }
    }

    /// Reads a message as the leader has it, which the program wants to compare.
    fn read_verified(&mut self, position: u64, answer: Option<LeaderAnswer>) {
        let Some(LeaderAnswer { error, message }) = answer else { return };
        match (error, message) {
            (Some(error), _) if error.number == MESSAGE_NOT_FOUND => {
                self.ask_for_info(Reply::VerifyBounds(position));
            }
            (Some(error), _) => self.heed_stream_error(error),
            (None, Some(message)) if message.seq == position => {
                if let Some(bytes) = message.bytes() {
                    self.report_message(Report::Verified, position, &message.subject, bytes);
                }
            }
            (None, _) => {}
        }
    }

    /// Reads where the log begins, after the leader has said that it has no message to compare at a position.
    fn read_absence(&mut self, position: u64, info: Option<StreamInfo>) {
        match info {
            Some(StreamInfo { error: Some(error), .. }) => self.heed_stream_error(error),
            Some(StreamInfo { state: Some(state), .. }) => {
                self.reports.report(Report::Absent { position, first: state.first_seq });
            }
            _ => {}
        }
    }

    /// Reads a message as a replica has it. The leader says what is true if the replica lags behind, or if the message
    /// has headers of its publisher.
    fn read_from_replica(&mut self, position: u64, received: &Received) {
        if !self.holes.is_under_way(position) {
            return;
        }
        match place(received, self.subjects.stream()) {
            Ok(place) if place.position == position => {
                self.holes.end(position);
                self.deliver(position, &place.subject, received.payload.to_vec());
            }
            _ => self.get_from_leader(position),
        }
    }

    /// Reads a message as the leader has it.
    fn read_from_leader(&mut self, position: u64, answer: Option<LeaderAnswer>) {
        if !self.holes.is_under_way(position) {
            return;
        }
        let Some(answer) = answer else {
            self.holes.end(position);
            return;
        };
        match (answer.error, answer.message) {
            (Some(error), _) if error.number == MESSAGE_NOT_FOUND => {
                if !self.ask_for_info(Reply::Bounds(position)) {
                    self.holes.end(position);
                }
            }
            (Some(error), _) => {
                self.holes.end(position);
                self.heed_stream_error(error);
            }
            (None, Some(message)) if message.seq == position => {
                self.holes.end(position);
                if let Some(bytes) = message.bytes() {
                    self.deliver(position, &message.subject, bytes);
                }
            }
            (None, _) => {
                self.holes.end(position);
            }
        }
    }

    /// Reads where the log begins and ends, after the leader has said that a message is gone.
    fn read_bounds(&mut self, position: u64, info: Option<StreamInfo>) {
        let is_wanted = self.holes.end(position);
        let Some(info) = info else { return };
        if let Some(error) = info.error.filter(|error| error.number == STREAM_NOT_FOUND) {
            return self.heed_stream_error(error);
        }
        let Some(state) = info.state.filter(|_| is_wanted) else { return };
        if position < state.first_seq {
            // What else is fetched is likely to be gone as well, and is told by this one report.
            self.holes.clear();
            self.reports.report(Report::Gap { position, first: state.first_seq });
        } else if position <= state.last_seq {
            self.reports.warn(Warning::Missing(position));
        } else {
            // What comes after it is not there yet either.
            self.holes.end_after(state.last_seq);
        }
    }
}

/// Stands for the writer of a message that no node has written.
fn no_node() -> NodeName {
    let Ok(name) = "-".parse() else { unreachable!("a hyphen is a name") };
    name
}
