//! [`Reasons`]: the reasons in the server's log for which sessions ended.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

use serde_json::Value;

use super::{
    check::{End, NODE_KILLED, PASSED_OVER, Rule, SLOW_READER, Violation},
    connection::Connection,
    letter::name,
    life::Recorded,
};

/// A session that joined, according to the log.
struct Joined {
    name: String,
    peer: String,
    /// The log, of those that were joined.
    log: usize,
    reasons: Vec<String>,
}

/// A log of those that were joined.
struct Source {
    /// The addresses of its server.
    addresses: Vec<SocketAddr>,
    /// It ends with the death of its server, so the last records may be missing.
    is_torn: bool,
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

/// The sessions in a log that joined, in order, and the log's statistics; or those of several logs.
pub struct Reasons {
    sessions: Vec<Joined>,
    /// Number of joined sessions by the reason for their end.
    pub counts: HashMap<String, usize>,
    /// Number of warnings by message.
    pub warnings: HashMap<String, usize>,
    /// Records that a correct server would not log, and contradictions.
    pub violations: Vec<Violation>,
    logs: Vec<Source>,
}

impl Reasons {
    /// Reads the log of a server that listened on these addresses and ended in order.
    pub fn read(log: &[Value], addresses: Vec<SocketAddr>) -> Self {
        let (mut reasons, ends) = Self::gather(log, Source { addresses, is_torn: false });
        reasons.violations.extend(miscounted(log, reasons.sessions.len(), &ends));
        reasons.expect_one_each();
        reasons
    }

    /// Reads the log of a node that was killed: its sessions ended with it.
    pub fn read_torn(log: &[Value], addresses: Vec<SocketAddr>) -> Self {
        let (mut reasons, _) = Self::gather(log, Source { addresses, is_torn: true });
        for session in &mut reasons.sessions {
            if session.reasons.is_empty() {
                session.reasons.push(NODE_KILLED.to_owned());
                *reasons.counts.entry(NODE_KILLED.to_owned()).or_default() += 1;
            }
        }
        reasons.expect_one_each();
        reasons
    }

    /// Joins the logs of several nodes.
    pub fn join(mut self, other: Self) -> Self {
        let add = |sums: &mut HashMap<String, usize>, counts: HashMap<String, usize>| {
            for (key, count) in counts {
                *sums.entry(key).or_default() += count;
            }
        };
        let log = |session: Joined| Joined { log: session.log + self.logs.len(), ..session };
        self.sessions.extend(other.sessions.into_iter().map(log));
        self.logs.extend(other.logs);
        add(&mut self.counts, other.counts);
        add(&mut self.warnings, other.warnings);
        self.violations.extend(other.violations);
        self
    }

    fn expect_one_each(&mut self) {
        for Joined { name, peer, reasons, .. } in &self.sessions {
            if reasons.len() != 1 {
                let story = format!("{name} from {peer} ended {} times: {reasons:?}", reasons.len());
                self.violations.push(Violation { rule: Rule::NoReason, story });
            }
        }
    }

    /// Gathers the sessions that joined, and the numbers of all sessions that ended, by reason.
    fn gather(log: &[Value], source: Source) -> (Self, BTreeMap<String, usize>) {
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
                sessions.push(Joined { name: text("name"), peer: text("peer"), log: 0, reasons: Vec::new() });
            } else if let (Some(&place), Some(mut reason)) = (place.get(&id), record["reason"].as_str()) {
                if reason == "outbox full" && counts.contains_key(SLOW_READER) {
                    reason = PASSED_OVER;
                }
                sessions[place].reasons.push(reason.to_owned());
                *counts.entry(reason.to_owned()).or_default() += 1;
            }
        }
        (Self { sessions, counts, warnings, violations, logs: vec![source] }, ends)
    }

    /// Number of sessions that joined.
    pub fn joined(&self) -> usize {
        self.sessions.len()
    }

    /// Sets the reason of each history. A client is found by both addresses of its connection; one that connected by way
    /// of a relay, or whose addresses are not known, by its name and by the order of the sessions.
    pub fn assign(&self, recorded: &mut [Recorded]) {
        let mut taken = vec![false; self.sessions.len()];
        let (known, unknown): (Vec<_>, Vec<_>) =
            recorded.iter_mut().partition(|one| self.log_of(one.connection).is_some());
        for Recorded { history, connection } in known.into_iter().chain(unknown) {
            if history.joined.is_none() {
                continue;
            }
            let (name, log) = (name(history.id.slot), self.log_of(*connection));
            let peer = connection.filter(|_| log.is_some()).map(|connection| connection.client.to_string());
            let found = self.sessions.iter().enumerate().find(|(place, session)| {
                let is_at = |peer| session.peer == peer && Some(session.log) == log;
                !taken[*place] && session.name == name && peer.as_deref().is_none_or(is_at)
            });
            let is_torn =
                log.map_or_else(|| self.logs.iter().any(|log| log.is_torn), |log| self.logs[log].is_torn);
            history.reason = match found {
                Some((place, session)) => {
                    taken[place] = true;
                    session.reasons.first().cloned()
                }
                // The record may be lost.
                None => is_torn.then(|| NODE_KILLED.to_owned()),
            };
            let ended_itself = matches!(history.end, End::Finished(_) | End::Exited(_));
            if history.reason.as_deref() == Some(NODE_KILLED) && ended_itself {
                // The end of its node looks the same to it, and may have come before its lines were read.
                history.end = End::Cut;
            }
        }
    }

    /// The log of the server to which a connection led.
    fn log_of(&self, connection: Option<Connection>) -> Option<usize> {
        let server = connection?.server;
        self.logs.iter().position(|log| log.addresses.contains(&server))
    }
}
