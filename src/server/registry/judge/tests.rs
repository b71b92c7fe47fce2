use std::sync::Arc;

use arauto_protocol::{Asker, Kind, Request};

use super::*;
use crate::server::{admission::bans::Ban, common::peer::Peer};

const LIMIT: usize = 1024;
const OPERATOR: SessionId = SessionId(1);

fn name(text: &str) -> Name {
    Name::parse(text, 489).unwrap()
}

fn target(text: &str) -> Target {
    Target::parse(text, 489).unwrap()
}

/// A session from another machine.
fn enter(id: u64, text: &str, proven: bool) -> Enter {
    let session_ref = SessionRef { id: SessionId(id), courier: 0, slot: 0 };
    let name = name(text);
    Enter { session_ref, peer: Arc::new(Peer::elsewhere()), looks: name.looks(), name, proven }
}

fn join(roster: &mut Roster, Enter { session_ref, peer, name, looks, proven }: Enter) {
    roster.join(&name, &looks, proven, session_ref, peer).unwrap();
}

/// An operator with an account, `ana`, and a member without one, `paul`.
fn roster() -> Roster {
    let mut roster = Roster::default();
    join(&mut roster, enter(OPERATOR.0, "ana", true));
    join(&mut roster, enter(2, "paul", false));
    roster
}

fn bearers(roster: &mut Roster, text: &str) -> Box<Bearers> {
    let Enter { session_ref, peer, name, looks, proven } = enter(9, text, true);
    roster.join(&name, &looks, proven, session_ref, peer).unwrap_err()
}

#[test]
fn a_name_is_taken_from_a_member_without_proof_only() {
    let mut roster = roster();
    let (of_stranger, of_owner) = (bearers(&mut roster, "paul"), bearers(&mut roster, "ana"));
    assert!(
        matches!(claim(true, &of_stranger, false, |_| true), Claim::Displaces(paul) if paul.name.as_str() == "paul")
    );
    assert!(matches!(claim(true, &of_stranger, true, |_| true), Claim::Displaces(_)));
    assert!(matches!(claim(false, &of_stranger, false, |_| true), Claim::Waits));
    assert!(matches!(claim(true, &of_owner, false, |_| true), Claim::Waits));
    assert!(matches!(claim(true, &of_owner, true, |_| true), Claim::Refused(ana) if ana.as_str() == "ana"));
}

#[test]
fn no_session_waits_for_a_bearer_on_this_machine() {
    let mut roster = Roster::default();
    let mut peer = Peer::elsewhere();
    peer.is_local = true;
    join(&mut roster, Enter { peer: Arc::new(peer), ..enter(2, "paul", false) });
    assert!(matches!(claim(false, &bearers(&mut roster, "paul"), false, |_| true), Claim::Refused(_)));
}

#[test]
fn a_refused_name_is_said_to_be_taken_or_to_look_taken() {
    assert_eq!(taken(LIMIT, &name("Paul"), &name("paul")).1, CloseReason::NameTaken);
    assert_eq!(taken(LIMIT, &name("pau1"), &name("paul")).1, CloseReason::LookAlike);
}

#[test]
fn bans_keep_out_names_their_look_alikes_and_addresses() {
    let now = SystemTime::UNIX_EPOCH;
    let judged = |banned: &str, text: &str, proven: bool| {
        let mut bans = Bans::default();
        let ban = Ban { target: target(banned), until: None, by: "ana".into(), reason: "".into() };
        bans.add(ban, now).unwrap();
        admission(&bans, LIMIT, &enter(2, text, proven), now).is_ok()
    };
    assert!(!judged("paul", "PAUL", true));
    assert!(!judged("paul", "pau1", false));
    assert!(judged("paul", "pau1", true), "the owner of an account answers for no other name");
    assert!(judged("paul", "rui", false));
    let address = Peer::elsewhere().ip().to_string();
    assert!(!judged(&address, "rui", true));
    assert!(judged("198.51.100.7", "rui", true));
}

#[test]
fn a_private_message_needs_a_receiver_and_room() {
    let roster = roster();
    let ana = name("ana");
    let judged = |line: &str, limit: usize| {
        let asker = Asker { name: &ana, kind: Kind::Line, limit: LIMIT };
        let Request::Direct(message) = Request::read(line.as_bytes(), &asker) else { panic!("{line}") };
        let outcome = direct(&roster, limit, &ana, &message);
        outcome.map(|(receiver, line)| (receiver.id.0, line.text().to_owned())).map_err(|(why, _)| why)
    };
    let forwarded = "ana | paul | private_message | hi".to_owned();
    assert_eq!(judged("/msg PAUL hi", LIMIT), Ok((2, forwarded)));
    assert_eq!(judged("/msg pau1 hi", LIMIT), Err(Refusal::NotFound));
    assert_eq!(judged("/msg paul hi", 20), Err(Refusal::TooLong));
}

#[test]
fn an_operator_kicks_whoever_has_the_name() {
    let (roster, ana) = (roster(), name("ana"));
    let judged =
        |text: &str| kick(&roster, LIMIT, &ana, name(text).key(), text).map(|hit| hit.session_ref.id);
    assert_eq!(judged("Paul").unwrap(), SessionId(2));
    assert_eq!(judged("ana").unwrap(), OPERATOR);
    assert!(judged("pau1").unwrap_err().text().contains("pau1"));
}

#[test]
fn a_ban_hits_look_alikes_without_proof_and_never_the_operator() {
    let mut roster = roster();
    join(&mut roster, enter(3, "1an", true));
    let judged = |text: &str| {
        let hit = ban(&roster, LIMIT, (OPERATOR, &name("ana")), &target(text));
        hit.map(|hit| hit.iter().map(|member| member.session_ref.id.0).collect::<Vec<_>>()).ok()
    };
    assert_eq!(judged("pau1"), Some(vec![2]));
    assert_eq!(judged("rui"), Some(vec![]));
    assert_eq!(judged("1an"), Some(vec![3]));
    assert_eq!(judged("lan"), Some(vec![]), "an account is not hit by a ban of another name");
    assert_eq!(judged("ana"), None);
    assert_eq!(judged(&Peer::elsewhere().ip().to_string()), None);
    assert_eq!(judged("192.0.2.300"), None, "a mistyped address");
}
