//! Decides when the requests of clients are appended to the order: at once, or when the batch and the outboxes have
//! room.

use arauto_protocol::{Moderation, Request};

use super::{Registry, order_log::Entry};
use crate::{
    config::Limits,
    server::{
        common::{fill_level::FillLevel, session_ref::SessionRef},
        courier::messages::ExpectDrain,
        delivery::{
            batch::BATCH_BYTES,
            blocked_work::{BlockedOn, Pending},
        },
        messages::Work,
    },
};

impl Registry {
    /// Runs the requests of one read. They are kept if the session still waits for its name, queued if earlier
    /// requests of the session wait, and ignored if the session is no member.
    pub(super) fn work(&mut self, work: Work) {
        let Some(work) = self.divert(work) else { return };
        if self.blocked.has(work.session_ref.id) {
            self.blocked.add(Pending::Work(work));
        } else {
            self.run(work);
        }
    }

    /// Runs waiting requests until the batch is full or none can run.
    pub(super) fn resume(&mut self) {
        while !self.batch_is_full()
            && let Some(pending) = self.blocked.next()
        {
            match pending {
                Pending::Work(work) => self.run(work),
                Pending::Leave(leave) => self.append(Entry::Leave(leave)),
            }
        }
        self.blocked.mark_tried();
    }

    /// Runs all waiting requests, because the server is shutting down. The couriers have lifted the limits of the
    /// outboxes.
    pub(super) fn run_all(&mut self) {
        for pending in self.blocked.take_all() {
            match pending {
                Pending::Work(Work { session_ref, requests, credit }) => {
                    for request in requests {
                        self.append(Entry::Request(session_ref, request));
                        if self.batch_is_full() {
                            self.flush(None);
                        }
                    }
                    self.hold_credit(credit);
                }
                Pending::Leave(leave) => self.append(Entry::Leave(leave)),
            }
        }
    }

    fn run(&mut self, Work { session_ref, requests, credit }: Work) {
        let mut requests = requests.into_iter();
        while let Some(request) = requests.next() {
            if let Some(blocked_on) = self.must_wait(session_ref, &request) {
                if blocked_on != BlockedOn::Batch {
                    self.metrics.count_held_back();
                    if self.is_at_least(session_ref.id, FillLevel::High) {
                        self.couriers[usize::from(session_ref.courier)].do_send(ExpectDrain { session_ref });
                    }
                }
                if blocked_on == BlockedOn::Node {
                    self.await_nodes();
                }
                let requests = std::iter::once(request).chain(requests).collect();
                return self.blocked.put_back(Work { session_ref, requests, credit }, blocked_on);
            }
            self.append(Entry::Request(session_ref, request));
        }
        self.hold_credit(credit);
    }

    /// The event that this request has to wait for, if any.
    fn must_wait(&self, session_ref: SessionRef, request: &Request) -> Option<BlockedOn> {
        if self.batch_is_full() {
            return Some(BlockedOn::Batch);
        }
        if self.waits_for_nodes(request) {
            return Some(BlockedOn::Node);
        }
        // Usually all outboxes are low, and every message passes here.
        if self.levels.is_empty() {
            return None;
        }
        let is_held = match request {
            Request::Broadcast(_) => return self.is_anyone_full_but(None).then_some(BlockedOn::AllReceivers),
            Request::BroadcastNotMe(_) => {
                return self.is_anyone_full_but(Some(session_ref.id)).then_some(BlockedOn::AllReceivers);
            }
            Request::Direct(direct) => {
                let receiver = self.roster.find(&direct.to);
                self.is_at_least(
                    receiver.map_or(session_ref.id, |receiver| receiver.session_ref.id),
                    FillLevel::Full,
                )
            }
            // The asker may get an answer, and the owner of the file a request.
            Request::Play(direct) => {
                let owner = self.roster.find(&direct.to);
                self.is_at_least(session_ref.id, FillLevel::High)
                    || owner.is_some_and(|owner| self.is_at_least(owner.session_ref.id, FillLevel::Full))
            }
            Request::Answer(_)
            | Request::Refuse(..)
            | Request::ListClients
            | Request::Watch
            | Request::Unwatch
            | Request::Tags(_)
            | Request::ListStreams
            | Request::Stop { .. }
            | Request::Help { .. } => self.is_at_least(session_ref.id, FillLevel::High),
            // Of the operators' commands only the list of bans waits.
            Request::Moderate(moderation) => {
                **moderation == Moderation::ListBans && self.is_at_least(session_ref.id, FillLevel::High)
            }
            Request::Exit | Request::CloseServer => false,
        };
        is_held.then_some(BlockedOn::Receiver)
    }

    /// Whether the batch has to be sent before more is added.
    pub(super) fn batch_is_full(&self) -> bool {
        self.batch.bytes() >= batch_bytes(&self.config.limits)
    }
}

/// The size of a full batch, at most a quarter of an outbox: batches in flight when an outbox becomes full come on
/// top of its limit.
pub(super) fn batch_bytes(limits: &Limits) -> usize {
    BATCH_BYTES.min(limits.outbox_bytes / 4)
}
