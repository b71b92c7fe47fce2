//! [`Reasons`]: the reasons in the server's log for which sessions ended.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::{
    check::{End, NODE_KILLED, Rule, Violation},
    letter::name,
    life::Recorded,
};

/// A session that joined, according to the log.
struct Joined {
    name: String,
    peer: String,
    reasons: Vec<String>,
}

/// Reasons for which the server also rejects connections before they become sessions.
const AT_THE_DOOR: [&str; 4] = ["server closed", "server full", "address full", "connects too often"];

/// Compares the counters that the server logs at its end with the rest of its log. `None` if they agree.
fn miscounted(log: &[Value], joined: usize, ends: &BTreeMap<String, usize>) -> Option<Violation> {
    let wrong = |story| Some(Violation { rule: Rule::NoReason, story });
    let Some(ended) = log.iter().find(|record| record["msg"] == "ended") else {
        return wrong("the server does not say what it counted".to_owned());
    };
    let counted: BTreeMap<String, usize> = ended["sessions"]
        .as_str()
        .unwrap_or_default()
        .split(", ")
        .filter_map(|part| part.rsplit_once(' '))
        .filter_map(|(reason, count)| Some((reason.to_owned(), count.parse().ok()?)))
        .collect();
    let of_sessions = |counts: &BTreeMap<String, usize>| {
        let mut counts = counts.clone();
        counts.retain(|reason, _| !AT_THE_DOOR.contains(&reason.as_str()));
        counts
    };
    if ended["joined"] == joined && of_sessions(&counted) == of_sessions(ends) {
        return None;
    }
    wrong(format!("logged were {joined} that joined, and {ends:?}; counted was {ended}"))
}

/// The sessions in a log that joined, in order, and the log's statistics.
pub struct Reasons {
    sessions: Vec<Joined>,
    /// Number of joined sessions by the reason for their end.
    pub counts: HashMap<String, usize>,
    /// Number of warnings by message.
    pub warnings: HashMap<String, usize>,
    /// Records that a correct server would not log, and contradictions.
    pub violations: Vec<Violation>,
    /// A log ends with the death of its server, so the last records may be missing.
    is_torn: bool,
}

impl Reasons {
    /// Reads the log of a server that ended in order.
    pub fn read(log: &[Value]) -> Self {
        let (mut reasons, ends) = Self::gather(log);
        reasons.violations.extend(miscounted(log, reasons.sessions.len(), &ends));
        reasons.expect_one_each();
        reasons
    }

    /// Reads the log of a node that was killed: its sessions ended with it.
    pub fn read_torn(log: &[Value]) -> Self {
        let (mut reasons, _) = Self::gather(log);
        for session in &mut reasons.sessions {
            if session.reasons.is_empty() {
                session.reasons.push(NODE_KILLED.to_owned());
                *reasons.counts.entry(NODE_KILLED.to_owned()).or_default() += 1;
            }
        }
        reasons.expect_one_each();
        reasons.is_torn = true;
        reasons
    }

    /// Joins the logs of several nodes.
    pub fn join(mut self, other: Self) -> Self {
        let add = |sums: &mut HashMap<String, usize>, counts: HashMap<String, usize>| {
            for (key, count) in counts {
                *sums.entry(key).or_default() += count;
            }
        };
        self.sessions.extend(other.sessions);
        add(&mut self.counts, other.counts);
        add(&mut self.warnings, other.warnings);
        self.violations.extend(other.violations);
        self.is_torn |= other.is_torn;
        self
    }

    fn expect_one_each(&mut self) {
        for Joined { name, peer, reasons } in &self.sessions {
            if reasons.len() != 1 {
                let story = format!("{name} from {peer} ended {} times: {reasons:?}", reasons.len());
                self.violations.push(Violation { rule: Rule::NoReason, story });
            }
        }
    }

    /// Gathers the sessions that joined, and the numbers of all sessions that ended, by reason.
    fn gather(log: &[Value]) -> (Self, BTreeMap<String, usize>) {
        let mut sessions: Vec<Joined> = Vec::new();
        let mut place: HashMap<u64, usize> = HashMap::new();
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut warnings: HashMap<String, usize> = HashMap::new();
        let mut ends: BTreeMap<String, usize> = BTreeMap::new();
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
            if let Some(reason) = record["reason"].as_str() {
                *ends.entry(reason.to_owned()).or_default() += 1;
            }
            if record["msg"] == "joined" {
                place.insert(id, sessions.len());
                sessions.push(Joined { name: text("name"), peer: text("peer"), reasons: Vec::new() });
            } else if let (Some(&place), Some(reason)) = (place.get(&id), record["reason"].as_str()) {
                sessions[place].reasons.push(reason.to_owned());
                *counts.entry(reason.to_owned()).or_default() += 1;
            }
        }
        (Self { sessions, counts, warnings, violations, is_torn: false }, ends)
    }

    /// Number of sessions that joined.
    pub fn joined(&self) -> usize {
        self.sessions.len()
    }

    /// Sets the reason of each history. Finds a session whose address is not in the log by its name and by the order
    /// of the sessions.
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
                if one.history.reason.as_deref() == Some(NODE_KILLED)
                    && matches!(one.history.end, End::Finished(_))
                {
                    // The end of its node looks the same to it, and may have come before its lines were read.
                    one.history.end = End::Cut;
                }
            } else if self.is_torn && matches!(one.history.end, End::Cut | End::Gone) {
                one.history.reason = Some(NODE_KILLED.to_owned());
            }
        }
    }
}
