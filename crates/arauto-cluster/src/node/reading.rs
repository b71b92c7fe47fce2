//! How a node reads the log: in order, its own frames included, also before it has the state.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use super::{Action, End, Node, Now, Reason, Stage, liveness::Liveness, window::Forged};
use crate::{
    encoding::{decoded, encoded},
    frame::{Body, Entry, FORMAT, Founding, Head, Instance},
    node_name::NodeName,
    state::{Event, Message, Verdict},
    table::Table,
};

impl<E: Serialize + DeserializeOwned> Node<E> {
    /// Reads the messages that are next.
    pub(super) fn read(&mut self, now: Now, table: &mut impl Table<Entry = E>) {
        while table.has_room() && !matches!(self.stage, Stage::Asking { .. } | Stage::Ended) {
            let position = self.state.position() + 1;
            // What comes after its Hello is read again once it has the state.
            let message = match self.stage {
                Stage::Joining { hello: Some(_), .. } => self.ahead.get(position).cloned(),
                _ => self.ahead.take(position),
            };
            let Some((node, bytes)) = message else { return };
            self.read_one(position, &node, &bytes, now, table);
        }
    }

    /// Looks through messages that have come and cannot be carried out yet, because the tables have no room. A frame of
    /// this node among them lets the next one go out, and shows that the node has its place. If the node was given up, it
    /// is noticed here, before it serves clients any longer.
    pub(super) fn receive(&mut self, now: Now) {
        while self.has_state() {
            let next = self.received.max(self.state.position()) + 1;
            let Some((_, bytes)) = self.ahead.get(next) else { return };
            self.received = next;
            let Ok((head, rest)) = Head::read(bytes) else { continue };
            if head.format != FORMAT {
                continue;
            }
            if head.instance == self.instance && !head.is_founding {
                let came_back = self.window.read_back(head.number, bytes);
                self.heed_own(next, came_back, now);
            } else if self.gives_up_this(next, head, rest) {
                self.begin_again(Some(Reason::GivenUp), now);
            }
        }
    }

    /// Whether a frame of another node begins the cluster anew, or gives this node up. Whether its writer may is not
    /// checked here: a void frame costs a node that lags a needless rejoin.
    fn gives_up_this(&self, position: u64, head: Head, rest: &[u8]) -> bool {
        if head.is_founding {
            return decoded::<Founding>(rest).is_ok_and(|founding| founding.last == position - 1);
        }
        let reap = (self.instance, self.window.last_read_back());
        let is_it = |entry: &Entry<E>| matches!(entry, Entry::Reap(whom, number) if (*whom, *number) == reap);
        decoded::<Body<E>>(rest).is_ok_and(|body| body.entries.iter().any(is_it))
    }

    fn read_one(
        &mut self,
        position: u64,
        node: &NodeName,
        bytes: &[u8],
        now: Now,
        table: &mut impl Table<Entry = E>,
    ) {
        let head = Head::read(bytes).ok();
        let own = head.filter(|(head, _)| head.instance == self.instance && !head.is_founding);
        if let Some((head, _)) = own
            && position > self.received
        {
            let came_back = self.window.read_back(head.number, bytes);
            if !self.heed_own(position, came_back, now) {
                return;
            }
        }
        self.read_bytes.add(position, bytes.len());
        let mut events = Vec::new();
        // Without the state, all frames of others are void.
        let has_state = self.has_state();
        let verdict = self.state.read(Message { position, node, bytes }, table, &mut events);
        self.void_frames += u64::from(has_state && matches!(verdict, Verdict::Void(_)));
        if has_state {
            self.verification.note(position, node, bytes, now.boot);
        }
        if let Stage::Joining { .. } | Stage::Founding { .. } = self.stage {
            self.watch_log(position, head, verdict, now);
        }
        for event in events {
            self.react(position, event, now, table);
        }
        self.liveness.note(self.state.instances(), now.boot);
    }

    /// Acts on a frame of this node that has come. Returns whether this node wrote it.
    fn heed_own(&mut self, position: u64, came_back: Result<Option<Duration>, Forged>, now: Now) -> bool {
        match came_back {
            Ok(Some(first)) => {
                self.judge_absence(position, now);
                self.came_back(first, now);
            }
            Ok(None) => {}
            Err(Forged) => self.begin_again(Some(Reason::Forged), now),
        }
        came_back.is_ok()
    }

    /// A frame of this node has come back.
    fn came_back(&mut self, first: Duration, now: Now) {
        let stood_still = self.ok + self.config.timing.hold <= now.boot;
        self.ok = self.ok.max(first);
        if stood_still {
            self.liveness.restart(now.boot);
            self.sign_of_life = now.boot;
        }
        self.release(now);
    }

    /// Learns from a message, without the state, that a ready node lives, and where this node's own Hello is.
    fn watch_log(&mut self, position: u64, head: Option<(Head, &[u8])>, verdict: Verdict, now: Now) {
        if let Stage::Founding { last, .. } = self.stage
            && position == last + 1
            && verdict != Verdict::Counts
        {
            // Somebody was faster, and not with a founding.
            return self.begin_again(None, now);
        }
        let Some((head, rest)) = head else { return };
        if head.is_founding && verdict == Verdict::Counts {
            // Its own founding is seen by its event. Another's begins a cluster that this node joins.
            if head.instance != self.instance {
                self.sign_of_life = now.boot;
                self.next_instance();
                self.join(now);
            }
            return;
        }
        let Ok(body) = decoded::<Body<E>>(rest) else { return };
        if !body.is_joining {
            self.sign_of_life = now.boot;
        }
        if !body.is_joining && body.entries.iter().any(|entry| matches!(entry, Entry::CloseAll)) {
            return self.stop(End::Closed);
        }
        let says_hello = matches!(body.entries.first(), Some(Entry::Hello(_)));
        if let Stage::Joining { hello, .. } = &mut self.stage
            && head.instance == self.instance
            && says_hello
        {
            *hello = Some(position);
        }
    }

    fn react(&mut self, position: u64, event: Event, now: Now, table: &impl Table<Entry = E>) {
        let own = self.instance;
        match &event {
            Event::Founded(instance) if *instance == own => {
                self.window.founded();
                self.ok = now.boot;
                self.liveness = Liveness::default();
                self.serve();
            }
            Event::Founded(_) if self.has_state() => self.begin_again(Some(Reason::GivenUp), now),
            Event::Hello(joiner) => {
                // A node of this one's name wants its place, and may have it only if this one is dead.
                if *joiner != own && self.has_name_of(*joiner) {
                    self.window.make_due();
                }
                self.give_state(position, *joiner, table);
            }
            Event::Ready(instance) if *instance == own => {
                self.liveness.restart(now.boot);
                self.serve();
            }
            Event::NameTaken(instance) if *instance == own => self.stop(End::NameTaken),
            Event::Disagrees(instance) if *instance == own => self.stop(End::Disagrees),
            Event::Replaced { instance, .. } if *instance == own => self.stop(End::NameTaken),
            Event::Reaped { instance, .. } | Event::Malformed(instance) if *instance == own => {
                self.begin_again(Some(Reason::GivenUp), now);
            }
            Event::Differs { instance, position } => self.heed_difference(*instance, *position, now),
            Event::Bye(instance) if *instance == own => self.stop(End::Left),
            Event::Closed(_) => self.stop(End::Closed),
            _ => {}
        }
        self.actions.push(Action::Report(event));
    }

    /// Sends the state to a node that has said Hello, if it is this node's turn.
    fn give_state(&mut self, position: u64, joiner: Instance, table: &impl Table<Entry = E>) {
        if matches!(self.stage, Stage::Ready { .. })
            && self.state.instances().donor_for(joiner) == Some(self.instance)
        {
            let bytes = encoded(&(&self.state, table.encode()));
            self.actions.push(Action::SendState { to: joiner, position, bytes });
        }
    }

    fn has_name_of(&self, other: Instance) -> bool {
        self.state.instances().get(other).is_some_and(|other| other.node == self.config.name)
    }

    pub(super) fn has_state(&self) -> bool {
        matches!(self.stage, Stage::CatchingUp { .. } | Stage::Ready { .. } | Stage::Leaving { .. })
    }
}
