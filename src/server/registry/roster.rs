//! [`Roster`]: the members by name and in joining order. A plain table, no actor.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use arauto_protocol::{Look, Looks, Name, NameKey};

use crate::server::common::{
    peer::Peer,
    session_ref::{SessionId, SessionRef},
};

/// A session that was given a name.
#[derive(Clone, Debug)]
pub struct Member {
    /// The name as shown.
    pub name: Name,
    /// The member proved that it owns the account of this name.
    pub proven: bool,
    /// The looks of the name.
    pub looks: Looks,
    /// The session and where its output goes.
    pub session_ref: SessionRef,
    /// The peer of the connection.
    pub peer: Arc<Peer>,
    /// Whether its lines begin with tags.
    pub is_tagged: bool,
    /// The position in joining order.
    joined: u64,
}

/// The members whose names conflict with a requested name: they have the same name, or one that shares a look with
/// it.
#[derive(Debug)]
pub struct Bearers {
    /// The member with the same name, if there is one; otherwise any conflicting member.
    pub first: Member,
    /// Further conflicting members: a name of several looks may share each with a different member.
    pub others: Vec<Member>,
}

impl Bearers {
    /// Iterates over all conflicting members.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// The name table. Each name, and each look of a name, belongs to at most one session.
#[derive(Debug, Default)]
pub struct Roster {
    /// Boxed, because hash tables reserve more room than they fill.
    members: HashMap<SessionId, Box<Member>>,
    /// Finds the receiver of a message.
    by_name: HashMap<NameKey, SessionId>,
    /// Finds members that conflict with a requested name. Not for messages: a typed name that only looks like a
    /// member's reaches no member.
    by_look: HashMap<Look, SessionId>,
    by_joining: BTreeMap<u64, SessionId>,
    /// The number of members at each courier.
    at_couriers: Vec<usize>,
    joins: u64,
}

impl Roster {
    /// Gives the name to the session.
    ///
    /// # Errors
    /// With the conflicting members, if the name or one of its looks is taken.
    pub fn join(
        &mut self,
        name: &Name,
        looks: &Looks,
        proven: bool,
        session_ref: SessionRef,
        peer: Arc<Peer>,
    ) -> Result<(), Box<Bearers>> {
        let bearers: Vec<Member> = self.find_alike(looks).cloned().collect();
        let mut bearers = bearers.into_iter();
        if let Some(first) = bearers.next() {
            return Err(Box::new(Bearers { first, others: bearers.collect() }));
        }
        self.by_look.extend(looks.iter().map(|look| (look.clone(), session_ref.id)));
        self.by_name.insert(name.key().clone(), session_ref.id);
        self.joins += 1;
        self.by_joining.insert(self.joins, session_ref.id);
        if session_ref.is_here() {
            let courier = usize::from(session_ref.courier);
            if self.at_couriers.len() <= courier {
                self.at_couriers.resize(courier + 1, 0);
            }
            self.at_couriers[courier] += 1;
        }
        let (name, looks) = (name.clone(), looks.clone());
        let member = Member { name, proven, looks, session_ref, peer, is_tagged: false, joined: self.joins };
        self.members.insert(session_ref.id, Box::new(member));
        Ok(())
    }

    /// Removes a session and frees its name. `None` if it is no member.
    pub fn leave(&mut self, id: SessionId) -> Option<Member> {
        let member = self.members.remove(&id)?;
        self.by_name.remove(member.name.key());
        for look in member.looks.iter() {
            self.by_look.remove(look);
        }
        self.by_joining.remove(&member.joined);
        if member.session_ref.is_here() {
            self.at_couriers[usize::from(member.session_ref.courier)] -= 1;
        }
        // Release memory after a crowd has left. Shrinking at every leave would cost time in proportion to the
        // members.
        if self.members.len() < self.members.capacity() / 8 {
            self.members.shrink_to(2 * self.members.len());
            self.by_name.shrink_to(2 * self.by_name.len());
            self.by_look.shrink_to(2 * self.by_look.len());
        }
        Some(*member)
    }

    /// Records whether a member's lines begin with tags.
    pub fn set_tagged(&mut self, id: SessionId, is_tagged: bool) {
        if let Some(member) = self.members.get_mut(&id) {
            member.is_tagged = is_tagged;
        }
    }

    /// Treats a member as one of another server from now on: nothing is sent to it.
    pub fn detach(&mut self, id: SessionId) {
        if let Some(member) = self.members.get_mut(&id).filter(|member| member.session_ref.is_here()) {
            self.at_couriers[usize::from(member.session_ref.courier)] -= 1;
            member.session_ref = SessionRef::elsewhere(id);
        }
    }

    /// The member with this session ID.
    #[must_use]
    pub fn get(&self, id: SessionId) -> Option<&Member> {
        self.members.get(&id).map(Box::as_ref)
    }

    /// The member with this name.
    #[must_use]
    pub fn find(&self, name: &NameKey) -> Option<&Member> {
        self.by_name.get(name).and_then(|id| self.get(*id))
    }

    /// The members whose names share one of these looks, including a member of the same name.
    pub fn find_alike(&self, looks: &Looks) -> impl Iterator<Item = &Member> {
        let mut found: Vec<&Member> = Vec::new();
        for member in looks.iter().filter_map(|look| self.get(*self.by_look.get(look)?)) {
            if found.iter().all(|other| other.session_ref.id != member.session_ref.id) {
                found.push(member);
            }
        }
        found.into_iter()
    }

    /// All names in joining order.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.in_joining_order().map(|member| &member.name)
    }

    /// All members in joining order.
    pub fn in_joining_order(&self) -> impl Iterator<Item = &Member> {
        self.by_joining.values().filter_map(|id| self.get(*id))
    }

    /// All members, in no particular order.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values().map(Box::as_ref)
    }

    /// Whether a member belongs to this courier.
    #[must_use]
    pub fn has_members_at(&self, courier: usize) -> bool {
        self.at_couriers.get(courier).is_some_and(|members| *members > 0)
    }

    /// The number of members at this server.
    #[must_use]
    pub fn here(&self) -> usize {
        self.at_couriers.iter().sum()
    }

    /// The number of members, at this server and elsewhere.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session_ref(id: u64) -> SessionRef {
        SessionRef { id: SessionId(id), courier: 0, slot: 0 }
    }

    fn name(text: &str) -> Name {
        Name::parse(text, 489).unwrap()
    }

    fn enter(roster: &mut Roster, text: &str, id: u64) -> Result<(), Box<Bearers>> {
        let name = name(text);
        roster.join(&name, &name.looks(), false, session_ref(id), Arc::new(Peer::elsewhere()))
    }

    fn join(roster: &mut Roster, text: &str, id: u64) -> bool {
        enter(roster, text, id).is_ok()
    }

    fn names(roster: &Roster) -> Vec<String> {
        roster.names().map(Name::to_string).collect()
    }

    #[test]
    fn names_are_unique_while_borne_and_free_at_once_after() {
        let mut roster = Roster::default();
        assert!(join(&mut roster, "alan", 1));
        assert!(!join(&mut roster, "ALAN", 2));
        assert_eq!(roster.leave(SessionId(1)).unwrap().name.as_str(), "alan");
        assert!(roster.leave(SessionId(1)).is_none());
        assert!(join(&mut roster, "Alan", 2));
        assert_eq!(names(&roster), ["Alan"]);
        assert_eq!(roster.find(name("alan").key()).unwrap().session_ref, session_ref(2));
    }

    #[test]
    fn a_look_is_unique_as_well_but_a_message_needs_the_name_itself() {
        let mut roster = Roster::default();
        assert!(join(&mut roster, "paul", 1));
        for alike in ["раul", "PauI", "paul", "pau1"] {
            let bearers = enter(&mut roster, alike, 2).unwrap_err();
            assert_eq!(
                bearers.iter().map(|bearer| bearer.session_ref.id).collect::<Vec<_>>(),
                [SessionId(1)]
            );
        }
        assert!(roster.find(name("PAUL").key()).is_some());
        for alike in ["раul", "PauI", "pau1"] {
            assert!(roster.find(name(alike).key()).is_none(), "{alike}");
        }
        roster.leave(SessionId(1));
        assert!(join(&mut roster, "PauI", 2));
        assert!(!join(&mut roster, "paul", 3));
        roster.leave(SessionId(2));
        assert!(roster.by_look.is_empty() && roster.by_name.is_empty());
    }

    #[test]
    fn a_name_of_two_looks_can_meet_a_bearer_of_each() {
        let mut roster = Roster::default();
        assert!(join(&mut roster, "lan", 1));
        assert!(join(&mut roster, "ian", 2));
        let bearers = enter(&mut roster, "IAN", 3).unwrap_err();
        assert_eq!(bearers.iter().map(|bearer| bearer.name.as_str()).collect::<Vec<_>>(), ["ian", "lan"]);
        roster.leave(SessionId(2));
        let bearers = enter(&mut roster, "IAN", 3).unwrap_err();
        assert_eq!(bearers.iter().map(|bearer| bearer.name.as_str()).collect::<Vec<_>>(), ["lan"]);
    }

    #[test]
    fn listed_in_joining_order_whatever_the_sessions_numbers() {
        let mut roster = Roster::default();
        for (text, id) in [("zoe", 9), ("alan", 3), ("bob", 5)] {
            assert!(join(&mut roster, text, id));
        }
        roster.leave(SessionId(3));
        assert!(join(&mut roster, "alan", 1));
        assert_eq!(names(&roster), ["zoe", "bob", "alan"]);
    }

    #[test]
    fn which_couriers_have_members_is_known() {
        let mut roster = Roster::default();
        for (text, id, courier) in [("alan", 1, 0), ("ana", 2, 2), ("bob", 3, 2)] {
            let (name, session_ref) = (name(text), SessionRef { courier, ..session_ref(id) });
            roster.join(&name, &name.looks(), false, session_ref, Arc::new(Peer::elsewhere())).unwrap();
        }
        let with_members = |roster: &Roster| -> Vec<usize> {
            (0..4).filter(|courier| roster.has_members_at(*courier)).collect()
        };
        assert_eq!(with_members(&roster), [0, 2]);
        roster.leave(SessionId(2));
        assert_eq!(with_members(&roster), [0, 2]);
        roster.leave(SessionId(3));
        roster.leave(SessionId(3));
        assert_eq!(with_members(&roster), [0]);
    }

    #[test]
    fn a_crowd_that_has_left_gives_its_room_back() {
        let mut roster = Roster::default();
        for id in 0..1_000 {
            assert!(join(&mut roster, &format!("user-{id}"), id));
        }
        for id in 10..1_000 {
            roster.leave(SessionId(id));
        }
        assert!(roster.members.capacity() < 200, "{}", roster.members.capacity());
        assert!(roster.by_name.capacity() < 200, "{}", roster.by_name.capacity());
        assert!(roster.by_look.capacity() < 400, "{}", roster.by_look.capacity());
        assert_eq!(roster.names().count(), 10);
    }

    #[test]
    fn a_refused_join_leaves_no_trace() {
        let mut roster = Roster::default();
        join(&mut roster, "alan", 1);
        join(&mut roster, "alan", 2);
        assert_eq!(roster.len(), 1);
        assert!(roster.leave(SessionId(2)).is_none());
        assert!(roster.get(SessionId(1)).is_some());
    }
}
