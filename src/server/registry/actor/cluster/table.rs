//! The registry's tables as those of a cluster: carries out the entries of the log as all nodes do.

use arauto_cluster::{
    Instance, Table,
    encoding::{decoded, encoded},
    table::Context,
};
use arauto_protocol::Request;

use super::super::{
    super::{
        cluster::{
            log_entry::{Act, BanSnapshot, Claimant, LogEntry, PendingSnapshot, Snapshot},
            replica::Entering,
        },
        message_ids::MessageIds,
        pending_claim::{PendingClaim, PendingClaims},
        presence::Presence,
        roster::{Member, Roster},
    },
    Registry,
};
use crate::server::{
    admission::bans::{Ban, Bans},
    common::session_ref::{SessionId, SessionRef},
    messages::Enter,
};

impl Table for Registry {
    type Entry = LogEntry;

    fn has_room(&self) -> bool {
        !self.batch_is_full() && !self.is_anyone_full_but(None)
    }

    fn carry_out(&mut self, context: Context, LogEntry { session, act }: LogEntry) -> u64 {
        let Some(replica) = &mut self.replica else { return 0 };
        replica.begin(context);
        let is_own = replica.is_own_entry();
        if is_own {
            replica.note_list(&act, -1);
        }
        let outcome = match act {
            Act::Enter(claimant) => self.carry_out_enter(context.writer, session, claimant),
            act => match replica.number_of(context.writer, session) {
                Some(id) => self.carry_out_act(id, act),
                None => 0,
            },
        };
        self.give_freed_names();
        if is_own {
            if let Some(replica) = &mut self.replica {
                replica.count_read_back();
            }
            self.answer_behind();
        }
        outcome
    }

    fn heard(&mut self, context: Context) {
        if self.claims.is_empty() {
            return;
        }
        if let Some(replica) = &mut self.replica {
            replica.begin(context);
        }
        self.hear_bearers();
        self.give_freed_names();
    }

    fn end_of(&mut self, instance: Instance, context: Context) {
        let Some(replica) = &mut self.replica else { return };
        replica.begin(context);
        if instance == replica.own() && !replica.is_leaving() {
            // The others have given this node up: nobody here has a name any more.
            self.disconnect_all(false);
        }
        let Some(replica) = &self.replica else { return };
        let is_of = |id: &SessionId| replica.origin_of(*id).0 == instance;
        let members = self.roster.in_joining_order().map(|member| member.session_ref.id);
        let claimants = self.claims.in_order().map(|(_, claim)| claim.enter.session_ref.id);
        let gone: Vec<SessionId> = claimants.chain(members).filter(is_of).collect();
        for id in gone {
            self.leave(id);
        }
        self.give_freed_names();
    }

    fn found(&mut self, token: u64) {
        // The others have begun anew without this node, or this node begins, and nobody is here.
        self.disconnect_all(false);
        self.forget_members();
        self.message_ids = MessageIds::new(token);
    }

    fn fingerprint(&self) -> u64 {
        self.replica.as_ref().map_or(0, |replica| replica.fingerprint())
    }

    fn encode(&self) -> Vec<u8> {
        self.snapshot().map_or_else(Vec::new, |snapshot| encoded(&snapshot))
    }

    fn decode(&mut self, bytes: &[u8]) -> bool {
        let Ok(snapshot) = decoded(bytes) else { return false };
        self.forget_members();
        self.restore(snapshot);
        true
    }
}

impl Registry {
    /// A session's standing, which all nodes know alike: 0 if it is unknown, 1 if it waits for a name, 2 if it is a member.
    pub(super) fn standing(&self, id: SessionId) -> u64 {
        if self.roster.get(id).is_some() { 2 } else { u64::from(self.claims.bearer_of(id).is_some()) }
    }

    fn carry_out_enter(&mut self, writer: Instance, session: u64, claimant: Claimant) -> u64 {
        let Some(replica) = &mut self.replica else { return 0 };
        if replica.number_of(writer, session).is_some_and(|id| self.standing(id) > 0) {
            return 0;
        }
        let Some(replica) = &mut self.replica else { return 0 };
        let entering = if replica.is_own_entry() { replica.entered(SessionId(session)) } else { None };
        let Entering { enter, works } = entering.unwrap_or_else(|| {
            // A session of another node, or one that was disconnected while its request was on its way.
            let id =
                replica.number_of(writer, session).unwrap_or_else(|| replica.add_elsewhere(writer, session));
            Entering { enter: claimant.elsewhere(id), works: Vec::new() }
        });
        let id = enter.session_ref.id;
        self.enter(enter, works);
        let standing = self.standing(id);
        if standing == 0
            && let Some(replica) = &mut self.replica
        {
            replica.forget(id);
        }
        standing
    }

    /// Carries out what a session does. The outcome is its standing before and after, and whether a receiver was found.
    fn carry_out_act(&mut self, id: SessionId, act: Act) -> u64 {
        let before = self.standing(id);
        let session_ref = self.roster.get(id).map(|member| member.session_ref);
        let mut is_found = false;
        match (act, session_ref) {
            (Act::Leave, _) => match self.replica.as_mut().and_then(|replica| replica.left(id)) {
                Some(leave) => self.end(leave),
                None => self.leave(id),
            },
            (Act::ClaimOver, _) => self.end_claim(id),
            (Act::Say(line), Some(from)) => self.serve(from, Request::Broadcast(line)),
            (Act::SayOthers(line), Some(from)) => self.serve(from, Request::BroadcastNotMe(line)),
            (Act::Tell(direct), Some(from)) => {
                is_found = self.roster.find(&direct.to).is_some();
                self.serve(from, Request::Direct(direct));
            }
            (Act::ListClients, Some(asker)) if asker.is_here() => self.serve(asker, Request::ListClients),
            (Act::Moderate(moderation), Some(by)) => self.serve(by, Request::Moderate(Box::new(moderation))),
            (Act::Exit, Some(session_ref)) => self.serve(session_ref, Request::Exit),
            (Act::Enter(_) | Act::ListClients, _) | (_, None) => {}
        }
        self.standing(id) + 3 * before + 9 * u64::from(is_found)
    }

    fn snapshot(&self) -> Option<Snapshot> {
        let replica = self.replica.as_ref()?;
        let member = |Member { name, looks, proven, peer, session_ref, .. }: &Member| {
            let (instance, session) = replica.origin_of(session_ref.id);
            (instance, session, Claimant::of(name, looks, *proven, peer))
        };
        let claim = |(bearer, PendingClaim { enter, is_heard, .. }): (SessionId, &PendingClaim)| {
            let Enter { name, looks, proven, peer, session_ref } = enter;
            PendingSnapshot {
                session: replica.origin_of(session_ref.id),
                claimant: Claimant::of(name, looks, *proven, peer),
                bearer: replica.origin_of(bearer),
                is_heard: *is_heard,
            }
        };
        let ban = |Ban { target, until, by, reason }: &Ban| BanSnapshot {
            target: target.clone(),
            until: until.and_then(|until| until.duration_since(std::time::UNIX_EPOCH).ok()),
            by: by.clone(),
            reason: reason.clone(),
        };
        Some(Snapshot {
            members: self.roster.in_joining_order().map(member).collect(),
            claims: self.claims.in_order().map(claim).collect(),
            bans: self.ledger.bans().iter().map(ban).collect(),
            message_ids: self.message_ids.clone(),
        })
    }

    /// Forgets all members and claims: those of a cluster that is gone, or that another node will tell.
    fn forget_members(&mut self) {
        self.roster = Roster::default();
        self.claims = PendingClaims::default();
        self.presence = Presence::default();
        self.freed.clear();
        if let Some(replica) = &mut self.replica {
            replica.forget_all();
        }
    }

    /// Takes over the tables of another node. None of the sessions is at this one.
    fn restore(&mut self, snapshot: Snapshot) {
        self.message_ids = snapshot.message_ids;
        for (instance, session, claimant) in snapshot.members {
            let Some(replica) = &mut self.replica else { return };
            let id = replica.add_elsewhere(instance, session);
            let Enter { name, looks, proven, peer, .. } = claimant.elsewhere(id);
            if self.roster.join(&name, &looks, proven, SessionRef::elsewhere(id), peer).is_ok() {
                replica.add_bearer(id, name.key());
            }
        }
        for PendingSnapshot { session: (instance, session), claimant, bearer, is_heard } in snapshot.claims {
            let Some(replica) = &mut self.replica else { return };
            let Some(bearer) = replica.number_of(bearer.0, bearer.1) else { continue };
            let id = replica.add_elsewhere(instance, session);
            let claim = PendingClaim { enter: claimant.elsewhere(id), works: Vec::new(), is_heard };
            let _ = self.claims.add(claim, bearer);
        }
        let ban = |BanSnapshot { target, until, by, reason }| Ban {
            target,
            until: until.and_then(|until| std::time::UNIX_EPOCH.checked_add(until)),
            by,
            reason,
        };
        let bans: Bans = snapshot.bans.into_iter().map(ban).collect();
        self.ledger.change(|before| *before = bans);
    }
}
