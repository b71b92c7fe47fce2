//! The actions of a node as time passes: it appends, says Hello, founds, holds, cuts, gives up others, begins again.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Action, End, MAX_CLOCK_DIFFERENCE, MAX_HELLOS, Node, Now, Reason, Stage, ahead::Ahead, window::Rest,
};
use crate::{
    digest::{Checkpoint, Digest},
    frame::{Content, Entry, Founding, Frame, Instance},
    state::State,
    table::Table,
};

impl<E: Serialize + DeserializeOwned> Node<E> {
    /// When something may be due next.
    pub(super) fn deadline(&self, now: Now) -> Option<Duration> {
        let timing = &self.config.timing;
        let mut deadlines = vec![self.ok + timing.hold, self.ok + timing.cut, self.ok + timing.patience];
        deadlines.extend(self.window.deadline(timing));
        deadlines.extend(self.liveness.deadline(self.instance, timing));
        if let Stage::Asking { again_at } | Stage::Founding { again_at, .. } = self.stage {
            deadlines.push(again_at);
        }
        if let Stage::Joining { again_at, .. } = self.stage {
            deadlines.extend([again_at, self.sign_of_life + timing.found]);
        }
        deadlines.extend(self.fetching.map(|(_, again_at)| again_at));
        deadlines.extend(self.verification.deadline());
        if let Some(doubt) = self.verification.doubt() {
            deadlines.push(doubt.since + timing.patience);
            deadlines.extend(doubt.proven.map(|proven| proven + 2 * timing.beat));
        }
        let after = deadlines.into_iter().filter(|deadline| *deadline > now.boot);
        after.min().or(Some(now.boot + timing.beat))
    }

    /// Fetches the messages that are missing; again only after a while, so that what comes meanwhile asks for nothing more.
    pub(super) fn fetch(&mut self, now: Now) {
        if matches!(self.stage, Stage::Asking { .. } | Stage::Ended) {
            return;
        }
        // What waits for room in the tables is here.
        let read = self.state.position().max(self.received);
        let is_under_way = self.fetching.is_some_and(|(last, again_at)| read < last && now.boot < again_at);
        if is_under_way {
            return;
        }
        self.fetching = self.ahead.missing(read).map(|missing| {
            let last = *missing.end();
            self.actions.push(Action::Fetch(missing));
            (last, now.boot + self.config.timing.resend)
        });
    }

    /// Holds, cuts, gives up others, says Hello again, or founds, as the time says.
    pub(super) fn watch(&mut self, now: Now) {
        let timing = self.config.timing;
        let since_ok = now.boot.saturating_sub(self.ok);
        self.judge_differences(now);
        if since_ok >= timing.hold && matches!(self.stage, Stage::Ready { holds: false, .. }) {
            self.hold();
            self.verify_newest();
        }
        match &mut self.stage {
            Stage::Ready { serves, .. } => {
                let limit = if self.is_connected { timing.patience } else { timing.cut };
                if since_ok >= limit && *serves {
                    *serves = false;
                    self.actions.push(Action::Cut(Reason::LostTouch));
                    self.verify_newest();
                }
                if since_ok < timing.hold {
                    for (instance, number) in self.liveness.lost(self.instance, &timing, now.boot) {
                        // If it has no effect, the next comes as late.
                        self.liveness.restart_of(instance, now.boot);
                        self.window.push(Entry::Reap(instance, number));
                    }
                }
            }
            Stage::Asking { again_at } if self.is_connected && now.boot >= *again_at => {
                *again_at = now.boot + timing.hello;
                self.actions.push(Action::AskForEnd);
            }
            // Only while its own frames come back: a log that stands still brings no sign of life.
            Stage::Joining { .. }
                if now.boot >= self.sign_of_life + timing.found && since_ok < timing.hold =>
            {
                self.found(self.ahead.newest().max(self.state.position()), now);
            }
            // The founding does not stand where it was to.
            Stage::Founding { .. } if self.is_connected && since_ok >= timing.found => {
                self.begin_again(None, now);
            }
            Stage::Founding { bytes, again_at, .. } if self.is_connected && now.boot >= *again_at => {
                *again_at = now.boot + timing.resend;
                self.actions.push(Action::Append(bytes.clone()));
            }
            // The log may have lost its Hello, so that nobody knows it.
            Stage::CatchingUp { .. } if self.is_connected && since_ok >= timing.patience => {
                self.begin_again(None, now);
            }
            // The others may have given it up, which it cannot see without the state.
            Stage::Joining { again_at, hellos: MAX_HELLOS, .. } if now.boot >= *again_at => {
                self.begin_again(None, now);
            }
            Stage::Joining { again_at, hello, hellos, assembly } if now.boot >= *again_at => {
                *again_at = now.boot + timing.hello;
                *hellos += 1;
                (*hello, *assembly) = (None, None);
                self.ahead.drop_to(self.state.position());
                self.window.push(Entry::Hello(self.config.agreed.clone()));
            }
            _ => {}
        }
    }

    /// Says that it is ready, or leaves, once that is its turn; and appends what is due.
    pub(super) fn send(&mut self, now: Now, table: &impl Table<Entry = E>) {
        if matches!(self.stage, Stage::Asking { .. } | Stage::Founding { .. } | Stage::Ended) {
            return;
        }
        match &mut self.stage {
            Stage::CatchingUp { says_ready, since }
                if !*says_ready && self.state.position() >= self.ahead.newest() =>
            {
                // An older instance that lives says something at once when it reads the Hello.
                let has_older = self.state.instances().ready_of(&self.config.name, self.instance).is_some();
                if has_older && now.boot < *since + self.config.timing.beat {
                    return self.append_due(now, table);
                }
                let difference = now.wall.abs_diff(self.state.time());
                if u128::from(difference) > MAX_CLOCK_DIFFERENCE.as_millis() {
                    return self.stop(End::ClockOff);
                }
                *says_ready = true;
                self.window.push(Entry::Ready);
            }
            Stage::Leaving { says_bye } if !*says_bye => {
                *says_bye = true;
                self.window.push(Entry::Bye);
            }
            _ => {}
        }
        self.append_due(now, table);
    }

    /// Appends the next frame, if one is due.
    fn append_due(&mut self, now: Now, table: &impl Table<Entry = E>) {
        let (state, stage) = (&self.state, &self.stage);
        let instance = self.instance;
        let is_joining = matches!(stage, Stage::Joining { .. } | Stage::CatchingUp { .. });
        let has_state = !matches!(stage, Stage::Joining { .. });
        let says = || Rest {
            instance,
            is_joining,
            checkpoint: if has_state { state.checkpoint(table) } else { Checkpoint::default() },
        };
        if let Some(bytes) = self.window.due(now, &self.config.timing, says) {
            self.actions.push(Action::Append(bytes));
        }
    }

    /// Says Hello as a new member.
    pub(super) fn join(&mut self, now: Now) {
        self.window.reset(now);
        self.window.push(Entry::Hello(self.config.agreed.clone()));
        self.ok = now.boot;
        let again_at = now.boot + self.config.timing.hello;
        self.stage = Stage::Joining { hello: None, hellos: 1, again_at, assembly: None };
    }

    /// Founds a cluster after this position.
    pub(super) fn found(&mut self, last: u64, now: Now) {
        let instance = self.next_instance();
        let founding = Founding {
            written: now.wall,
            last,
            token: instance.0 ^ now.wall,
            agreed: self.config.agreed.clone(),
        };
        let frame: Frame<E> = Frame { instance, number: 1, content: Content::Found(founding) };
        let Ok(bytes) = frame.encode() else { unreachable!("settings are short") };
        self.window.reset(now);
        self.state = State::new(last);
        self.stage = Stage::Founding { last, bytes, again_at: now.boot };
        self.ok = now.boot;
    }

    /// A number for the next run, which follows from the one before. The program chose the first at random.
    pub(super) fn next_instance(&mut self) -> Instance {
        let hash = Digest::of(&self.instance.0.to_le_bytes());
        let (first, _) = hash.0.split_at(8);
        self.instance = Instance(first.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        self.instance
    }

    /// Begins again as another instance, because this one was given up.
    pub(super) fn begin_again(&mut self, why: Option<Reason>, now: Now) {
        if matches!(self.stage, Stage::Leaving { .. }) {
            return self.stop(End::Left);
        }
        if let (Stage::Ready { serves: true, .. }, Some(why)) = (&self.stage, why) {
            self.actions.push(Action::Cut(why));
        }
        // The other nodes may have carried out differently what clients sent since.
        let agreed_until = self.verification.doubt().map(|doubt| doubt.agreed_until);
        self.ok = agreed_until.map_or(self.ok, |agreed_until| self.ok.min(agreed_until));
        let pause =
            if why == Some(Reason::Differs) { self.pause_after_difference(now) } else { Duration::ZERO };
        self.next_instance();
        self.window.reset(now);
        // The log may have lost what was heard of.
        (self.ahead, self.received) = (Ahead::default(), 0);
        self.verification.clear();
        self.stage = Stage::Asking { again_at: now.boot + pause };
    }

    /// Ends the node. If it was to end, the program tells its clients so itself.
    pub(super) fn stop(&mut self, end: End) {
        let is_expected = matches!(end, End::Closed | End::Left);
        if matches!(self.stage, Stage::Ready { serves: true, .. }) && !is_expected {
            self.actions.push(Action::Cut(Reason::GivenUp));
        }
        self.stage = Stage::Ended;
        self.actions.push(Action::Stop(end));
    }

    /// Lets clients in.
    pub(super) fn serve(&mut self) {
        self.stage = Stage::Ready { serves: true, holds: false };
        self.actions.push(Action::Serve);
        if self.is_in_doubt() {
            self.hold();
        }
    }
}
