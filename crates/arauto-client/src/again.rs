//! [`Retry`]: decides whether and when the client reconnects. No IO; randomness comes from the system.
//!
//! | the connection ended by | the client reconnects |
//! |---|---|
//! | a cut, or a server that lost touch with its cluster | after a random 0.25 to 0.75 s, so that the clients of a node do not all return at once; each failed attempt doubles the wait, up to 30 s |
//! | the server's end (`server closed`), or one of its limits | after a random 2 to 30 s, so that the server's clients do not all return at once |
//! | an operator's kick or ban | only when the user asks for it |

use std::time::Duration;

use arauto_protocol::reply::{CONNECT_AGAIN, NO_CLUSTER};

use super::{OwnedMessage, joining::SERVER, meaning::Meaning};

/// Mean wait after a cut; each wait is between half of it and one and a half. Each attempt that fails doubles it.
pub const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait, after a cut as well as after the end of a server.
pub const MAX_WAIT: Duration = Duration::from_secs(30);
/// Shortest wait after the end of a server: about the time that a restart takes.
pub const MIN_WAIT_AFTER_CLOSE: Duration = Duration::from_secs(2);

/// Number of refusals of a name that this user held before the cut, after which the client gives up. The server may
/// not have noticed the end of the old connection yet.
const MAX_NAME_TRIES: u32 = 3;

/// Prefixes of the last message to a user whom an operator kicks or bans.
const SENT_AWAY: [&str; 2] = ["You were disconnected by ", "You were banned by "];
/// Prefix of the last message to a client that exceeded one of the server's limits.
const LIMITED: &str = "You were disconnected: ";
/// Prefix of the last message of a server that is no longer sure of its place in a cluster.
const LOST_TOUCH: &str = "You were disconnected: this server lost touch";
/// Prefixes of temporary refusals: the server is full, the address has or made too many connections, or the server
/// could not compare the password.
const FOR_NOW: [&str; 4] = [
    "The server is full",
    "Your address has ",
    "Your address may connect ",
    "Your password could not be compared just now",
];

/// How a connection ended on which the server had confirmed the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// Without a last message from the server.
    #[default]
    Cut,
    /// The server shut down: `server closed`.
    Closed,
    /// The server ended the connection because of one of its limits. Holds the server's words.
    Limited(String),
    /// An operator ended the connection. Holds the server's words.
    SentAway(String),
}

impl ConnectionEnd {
    /// Takes the next message of the connection. The last message decides how the connection ended.
    pub fn heard(&mut self, message: &OwnedMessage) {
        *self = match message.meaning() {
            Meaning::ServerClosed => Self::Closed,
            Meaning::Refusal { why, .. } if message.sender == SERVER => {
                if SENT_AWAY.iter().any(|begin| why.starts_with(begin)) {
                    Self::SentAway(why.to_owned())
                } else if why.starts_with(LIMITED) {
                    Self::Limited(why.to_owned())
                } else {
                    Self::Cut
                }
            }
            _ => Self::Cut,
        };
    }
}

/// Schedules the next attempt to connect.
#[derive(Debug)]
pub struct Retry {
    wait: Duration,
    /// The server shut down. All further waits are random, because an early attempt only meets a server that is still
    /// shutting down.
    is_closed: bool,
    /// Number of times that the name was refused since this user last held it.
    refusals: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { wait: FIRST_WAIT, is_closed: false, refusals: 0 }
    }
}

impl Retry {
    /// Resets the waits: a connection was made and the server confirmed the name.
    pub fn joined(&mut self) {
        *self = Self::default();
    }

    /// Returns the wait before the next attempt, after a connection ended or an attempt failed ([`ConnectionEnd::Cut`]).
    /// `None`: the client reconnects only when the user asks for it.
    pub fn after(&mut self, ending: &ConnectionEnd) -> Option<Duration> {
        match ending {
            ConnectionEnd::SentAway(_) => return None,
            // Another server of the cluster may let the client in at once.
            ConnectionEnd::Limited(why) if why.starts_with(LOST_TOUCH) => {}
            ConnectionEnd::Closed | ConnectionEnd::Limited(_) => self.is_closed = true,
            ConnectionEnd::Cut => {}
        }
        if self.is_closed {
            return Some(between(MIN_WAIT_AFTER_CLOSE, MAX_WAIT));
        }
        let wait = self.wait;
        self.wait = (2 * wait).min(MAX_WAIT);
        Some(between(wait / 2, (3 * wait / 2).min(MAX_WAIT)))
    }

    /// Returns the wait before the next attempt, after the server refused a name that this user held before
    /// (`connection_error`), or ended the connection with the words `why`. `None`: the client reconnects only when
    /// the user asks for it.
    pub fn after_refusal(&mut self, why: &str) -> Option<Duration> {
        if is_elsewhere(why) {
            return self.after(&ConnectionEnd::Cut);
        }
        if why.starts_with(LIMITED) || FOR_NOW.iter().any(|begin| why.starts_with(begin)) {
            return self.after(&ConnectionEnd::Limited(String::new()));
        }
        self.refusals += 1;
        if why.contains(CONNECT_AGAIN) && self.refusals < MAX_NAME_TRIES {
            return self.after(&ConnectionEnd::Cut);
        }
        None
    }
}

/// Whether another server of the cluster may let a client in that was refused with these words.
#[must_use]
pub fn is_elsewhere(why: &str) -> bool {
    why == NO_CLUSTER || why.starts_with(LOST_TOUCH)
}

/// Returns a random duration between the two.
fn between(shortest: Duration, longest: Duration) -> Duration {
    // If the system has no random numbers, a middle value is good enough: clients that return together are the lesser
    // problem.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    shortest + longest.saturating_sub(shortest).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use arauto_protocol::Message;

    use super::*;

    fn ending(lines: &[&str]) -> ConnectionEnd {
        let mut ending = ConnectionEnd::default();
        for line in lines {
            ending.heard(&Message::parse(line).unwrap().into());
        }
        ending
    }

    #[test]
    fn the_last_message_tells_how_it_ended() {
        const KICKED: &str = "server | ana | error_message | You were disconnected by rui: being rude";
        let sent_away = |why: &str| ConnectionEnd::SentAway(why.to_owned());
        for (lines, end) in [
            (&[][..], ConnectionEnd::Cut),
            (&["server | all clients | broadcast | server closed"], ConnectionEnd::Closed),
            (&["rui | all clients | broadcast | server closed"], ConnectionEnd::Cut),
            (&[KICKED], sent_away("You were disconnected by rui: being rude")),
            (
                &["server | ana | error_message | You were banned by rui for 1h"],
                sent_away("You were banned by rui for 1h"),
            ),
            (&[KICKED, "rui | all clients | broadcast | hi"], ConnectionEnd::Cut),
            (&["rui | ana | private_message | You were disconnected by rui"], ConnectionEnd::Cut),
            (&["server | ana | error_message | There is no operation x"], ConnectionEnd::Cut),
            (
                &["server | ana | error_message | You were disconnected: you sent nothing for 1h"],
                ConnectionEnd::Limited("You were disconnected: you sent nothing for 1h".to_owned()),
            ),
        ] {
            assert_eq!(ending(lines), end, "{lines:?}");
        }
    }

    #[test]
    fn a_cut_is_mended_soon_and_then_ever_later() {
        let lost_touch = ConnectionEnd::Limited(format!("{LOST_TOUCH} with the others. What you sent since"));
        for ending in [ConnectionEnd::Cut, lost_touch] {
            let mut retry = Retry::default();
            let mut seen = std::collections::HashSet::new();
            for wait in [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000] {
                let wait = Duration::from_millis(wait);
                let waited = retry.after(&ending).unwrap();
                assert!(
                    (wait / 2..=(3 * wait / 2).min(MAX_WAIT)).contains(&waited),
                    "{waited:?} of {wait:?}"
                );
                seen.insert(waited);
            }
            assert!(seen.len() > 6, "waits are random: {seen:?}");
            retry.joined();
            assert!(retry.after(&ending).unwrap() <= 3 * FIRST_WAIT / 2);
        }
    }

    #[test]
    fn a_server_without_its_cluster_is_left_for_another() {
        for why in
            [NO_CLUSTER, "You were disconnected: this server lost touch with the others. What you sent"]
        {
            assert!(is_elsewhere(why), "{why}");
            assert!(Retry::default().after_refusal(why).unwrap() <= 3 * FIRST_WAIT / 2, "{why}");
        }
        assert!(!is_elsewhere("You were disconnected: you sent nothing for 1h"));
        assert!(!is_elsewhere("This username is already taken"));
    }

    #[test]
    fn a_server_that_closed_is_given_time_and_not_met_by_all_at_once() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..100 {
            let mut retry = Retry::default();
            // Failed attempts after the first are spread, too.
            for ending in [ConnectionEnd::Closed, ConnectionEnd::Cut] {
                let wait = retry.after(&ending).unwrap();
                assert!((MIN_WAIT_AFTER_CLOSE..=MAX_WAIT).contains(&wait), "{wait:?}");
                seen.insert(wait);
            }
        }
        assert!(seen.len() > 150, "{}", seen.len());
    }

    #[test]
    fn whoever_was_sent_away_stays_out() {
        assert_eq!(Retry::default().after(&ConnectionEnd::SentAway(String::new())), None);
        for why in [
            "The name ana is banned for good by rui",
            "Your address is banned for good by rui",
            "Too many wrong passwords came from your address. Try again in 9m",
            "go away",
        ] {
            assert_eq!(Retry::default().after_refusal(why), None, "{why}");
        }
        let full = "The server is full: it serves 2 at most. Try again later";
        assert!(Retry::default().after_refusal(full).unwrap() >= MIN_WAIT_AFTER_CLOSE);
        let taken = "This username is already taken. You need to connect again and use another one";
        let mut retry = Retry::default();
        for wait in [FIRST_WAIT, 2 * FIRST_WAIT] {
            let waited = retry.after_refusal(taken).unwrap();
            assert!((wait / 2..=3 * wait / 2).contains(&waited), "{waited:?} of {wait:?}");
        }
        assert_eq!(retry.after_refusal(taken), None);
    }
}
