//! [`Roster`]: who is connected, by name and in joining order. A plain table, no actor.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use super::{
    seat::{Seat, SessionId},
    who::Peer,
};
use crate::protocol::{Name, NameKey};

/// Someone who was given a name.
#[derive(Clone, Debug)]
pub struct Member {
    /// As shown.
    pub name: Name,
    /// Where to reach them.
    pub seat: Seat,
    /// The other end of their connection.
    pub peer: Peer,
    /// Their place in joining order.
    joined: u64,
}

/// The name table. Each name is borne by at most one session.
#[derive(Debug, Default)]
pub struct Roster {
    members: HashMap<SessionId, Member>,
    by_name: HashMap<NameKey, SessionId>,
    by_joining: BTreeMap<u64, SessionId>,
    joins: u64,
}

impl Roster {
    /// Gives the name to the session.
    ///
    /// # Errors
    /// The member who bears it already.
    pub fn join(&mut self, name: &Name, seat: Seat, peer: Peer) -> Result<(), &Member> {
        match self.by_name.entry(name.key().clone()) {
            Entry::Occupied(taken) => Err(&self.members[taken.get()]),
            Entry::Vacant(free) => {
                free.insert(seat.id);
                self.joins += 1;
                self.by_joining.insert(self.joins, seat.id);
                self.members.insert(seat.id, Member { name: name.clone(), seat, peer, joined: self.joins });
                Ok(())
            }
        }
    }

    /// Frees the session's name.
    pub fn leave(&mut self, id: SessionId) -> Option<Member> {
        let member = self.members.remove(&id)?;
        self.by_name.remove(member.name.key());
        self.by_joining.remove(&member.joined);
        // A crowd that has left gives its room back. Not at each leave, which would cost what the crowd did.
        if self.members.len() < self.members.capacity() / 8 {
            self.members.shrink_to(2 * self.members.len());
            self.by_name.shrink_to(2 * self.by_name.len());
        }
        Some(member)
    }

    /// The member this session is.
    #[must_use]
    pub fn get(&self, id: SessionId) -> Option<&Member> {
        self.members.get(&id)
    }

    /// The member who bears the name.
    #[must_use]
    pub fn find(&self, name: &NameKey) -> Option<&Member> {
        self.by_name.get(name).and_then(|id| self.members.get(id))
    }

    /// All names in joining order.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.by_joining.values().filter_map(|id| self.members.get(id)).map(|member| &member.name)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(id: u64) -> Seat {
        Seat { id: SessionId(id), courier: 0, slot: 0 }
    }

    fn name(text: &str) -> Name {
        Name::parse(text, 489).unwrap()
    }

    fn join(roster: &mut Roster, text: &str, id: u64) -> bool {
        roster.join(&name(text), seat(id), Peer::elsewhere()).is_ok()
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
        assert_eq!(roster.find(name("alan").key()).unwrap().seat, seat(2));
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
