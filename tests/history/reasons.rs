//! [`Reasons`]: why sessions ended, as the server's log has it.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{
    check::{Rule, Violation},
    letter::name,
    life::Recorded,
};

/// A session that the log says was given its name.
struct Joined {
    name: String,
    peer: String,
    reasons: Vec<String>,
}

/// The joined sessions of a log, in order.
pub struct Reasons {
    sessions: Vec<Joined>,
    /// How often which reason was given.
    pub counts: HashMap<String, usize>,
    /// How often the server warned of what.
    pub warnings: HashMap<String, usize>,
    /// What does not belong into the log of a server that is well.
    pub violations: Vec<Violation>,
}

impl Reasons {
    pub fn read(log: &[Value]) -> Self {
        let mut sessions: Vec<Joined> = Vec::new();
        let mut place: HashMap<u64, usize> = HashMap::new();
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut warnings: HashMap<String, usize> = HashMap::new();
        let mut violations = Vec::new();
        for record in log {
            let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
            if record.is_string() || record["level"] == "error" || text("msg").contains("overflow") {
                let story = format!("the log says {record}");
                violations.push(Violation { rule: Rule::WrongEnd, story });
            }
            if record["level"] == "warning" || record["level"] == "warn" {
                *warnings.entry(text("msg")).or_default() += 1;
            }
            let Some(id) = record["id"].as_u64() else { continue };
            if record["msg"] == "joined" {
                place.insert(id, sessions.len());
                sessions.push(Joined { name: text("name"), peer: text("peer"), reasons: Vec::new() });
            } else if let (Some(&place), Some(reason)) = (place.get(&id), record["reason"].as_str()) {
                sessions[place].reasons.push(reason.to_owned());
                *counts.entry(reason.to_owned()).or_default() += 1;
            }
        }
        for Joined { name, peer, reasons } in &sessions {
            if reasons.len() != 1 {
                let story = format!("{name} from {peer} ended {} times: {reasons:?}", reasons.len());
                violations.push(Violation { rule: Rule::NoReason, story });
            }
        }
        Self { sessions, counts, warnings, violations }
    }

    /// How many were given a name.
    pub fn joined(&self) -> usize {
        self.sessions.len()
    }

    /// Writes into each history why it ended. Whose address the log does not know is found by name and order.
    pub fn assign(&self, recorded: &mut [Recorded]) {
        let mut taken = vec![false; self.sessions.len()];
        let logged: HashSet<&str> = self.sessions.iter().map(|session| session.peer.as_str()).collect();
        let by_address =
            |one: &Recorded| one.peer.as_ref().is_some_and(|peer| logged.contains(peer.as_str()));
        let (known, unknown): (Vec<_>, Vec<_>) = recorded.iter_mut().partition(|one| by_address(one));
        for one in known.into_iter().chain(unknown) {
            if one.history.joined.is_none() {
                continue;
            }
            let name = name(one.history.id.slot);
            let found = self.sessions.iter().enumerate().find(|(place, session)| {
                let same_peer = !by_address(one) || one.peer.as_ref() == Some(&session.peer);
                !taken[*place] && session.name == name && same_peer
            });
            if let Some((place, session)) = found {
                taken[place] = true;
                one.history.reason = session.reasons.first().cloned();
            }
        }
    }
}
