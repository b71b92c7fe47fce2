//! [`Retry`]: whether a connection that ended is made again, and when. No IO; what is random comes from the system.
//!
//! | the connection ended by | it is made again |
//! |---|---|
//! | a cut | after 0.5 s; each attempt that fails doubles that, up to 30 s |
//! | the server's end (`server closed`), or one of its limits | after 2 to 30 s, random, so that all of a server's clients do not return at once |
//! | an operator's kick or ban | only when the user asks for it |

use std::time::Duration;

use super::{Received, joining::SERVER, meaning::Meaning};
use crate::protocol::reply::CONNECT_AGAIN;

/// The wait after a cut; it doubles with each attempt that fails.
pub const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait after a cut, and after the end of a server.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The shortest wait after the end of a server: as long as a restart takes.
pub const SHORTEST_WAIT_AFTER_CLOSE: Duration = Duration::from_secs(2);

/// How often a name is asked for again that was this user's before the cut. The server may not have missed the old
/// connection yet.
const NAME_TRIES: u32 = 3;

/// What begins the last words to a user whom an operator sends away.
const SENT_AWAY: [&str; 2] = ["You were disconnected by ", "You were banned by "];
/// What begins the last words to a client that met one of the server's limits.
const LIMITED: &str = "You were disconnected: ";
/// What begins refusals that do not last: there is no place, or there were too many connections.
const FOR_NOW: [&str; 4] = [
    "The server is full",
    "Your address has ",
    "Your address may connect ",
    "Your password could not be compared just now",
];

/// How a connection ended that had a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Without a word.
    #[default]
    Cut,
    /// The server ended: `server closed`.
    Closed,
    /// The server ended it because of one of its limits; its words.
    Limited(String),
    /// An operator ended it; the server's words.
    SentAway(String),
}

impl Ending {
    /// Takes the next message of a connection: the end is judged by the last of them.
    pub fn heard(&mut self, message: &Received) {
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

/// When the next attempt is made.
#[derive(Debug)]
pub struct Retry {
    wait: Duration,
    /// The server ended: whoever comes back too early only meets the rest of it.
    is_closed: bool,
    /// How often the name was refused since it was ours.
    refusals: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { wait: FIRST_WAIT, is_closed: false, refusals: 0 }
    }
}

impl Retry {
    /// There is a connection with a name.
    pub fn joined(&mut self) {
        *self = Self::default();
    }

    /// A connection ended, or could not be made ([`Ending::Cut`]). `None`: no attempt is made before the user asks for it.
    pub fn after(&mut self, ending: &Ending) -> Option<Duration> {
        match ending {
            Ending::SentAway(_) => return None,
            Ending::Closed | Ending::Limited(_) => self.is_closed = true,
            Ending::Cut => {}
        }
        if self.is_closed {
            return Some(between(SHORTEST_WAIT_AFTER_CLOSE, LONGEST_WAIT));
        }
        let wait = self.wait;
        self.wait = (2 * wait).min(LONGEST_WAIT);
        Some(wait)
    }

    /// The server refused a name that was ours before (`connection_error`), or ended the connection with these words. `None`: as
    /// above.
    pub fn after_refusal(&mut self, why: &str) -> Option<Duration> {
        if why.starts_with(LIMITED) || FOR_NOW.iter().any(|begin| why.starts_with(begin)) {
            return self.after(&Ending::Limited(String::new()));
        }
        self.refusals += 1;
        if why.contains(CONNECT_AGAIN) && self.refusals < NAME_TRIES {
            return self.after(&Ending::Cut);
        }
        None
    }
}

/// A random time between these, in milliseconds.
fn between(shortest: Duration, longest: Duration) -> Duration {
    // A system without random numbers has worse to fear than clients that come back together.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    shortest + longest.saturating_sub(shortest).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Message;

    fn ending(lines: &[&str]) -> Ending {
        let mut ending = Ending::default();
        for line in lines {
            ending.heard(&Message::parse(line).unwrap().into());
        }
        ending
    }

    #[test]
    fn the_last_message_tells_how_it_ended() {
        const KICKED: &str = "server | ana | error_message | You were disconnected by rui: being rude";
        let sent_away = |why: &str| Ending::SentAway(why.to_owned());
        for (lines, end) in [
            (&[][..], Ending::Cut),
            (&["server | all clients | broadcast | server closed"], Ending::Closed),
            (&["rui | all clients | broadcast | server closed"], Ending::Cut),
            (&[KICKED], sent_away("You were disconnected by rui: being rude")),
            (
                &["server | ana | error_message | You were banned by rui for 1h"],
                sent_away("You were banned by rui for 1h"),
            ),
            (&[KICKED, "rui | all clients | broadcast | hi"], Ending::Cut),
            (&["rui | ana | private_message | You were disconnected by rui"], Ending::Cut),
            (&["server | ana | error_message | There is no operation x"], Ending::Cut),
            (
                &["server | ana | error_message | You were disconnected: you sent nothing for 1h"],
                Ending::Limited("You were disconnected: you sent nothing for 1h".to_owned()),
            ),
        ] {
            assert_eq!(ending(lines), end, "{lines:?}");
        }
    }

    #[test]
    fn a_cut_is_mended_soon_and_then_ever_later() {
        let mut retry = Retry::default();
        let waits: Vec<_> = (0..8).map(|_| retry.after(&Ending::Cut).unwrap().as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        retry.joined();
        assert_eq!(retry.after(&Ending::Cut), Some(FIRST_WAIT));
    }

    #[test]
    fn a_server_that_closed_is_given_time_and_not_met_by_all_at_once() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..100 {
            let mut retry = Retry::default();
            // The attempts after the first, which meet nobody yet, are spread as well.
            for ending in [Ending::Closed, Ending::Cut] {
                let wait = retry.after(&ending).unwrap();
                assert!((SHORTEST_WAIT_AFTER_CLOSE..=LONGEST_WAIT).contains(&wait), "{wait:?}");
                seen.insert(wait);
            }
        }
        assert!(seen.len() > 150, "{}", seen.len());
    }

    #[test]
    fn whoever_was_sent_away_stays_out() {
        assert_eq!(Retry::default().after(&Ending::SentAway(String::new())), None);
        for why in [
            "The name ana is banned for good by rui",
            "Your address is banned for good by rui",
            "Too many wrong passwords came from your address. Try again in 9m",
            "go away",
        ] {
            assert_eq!(Retry::default().after_refusal(why), None, "{why}");
        }
        let full = "The server is full: it serves 2 at most. Try again later";
        assert!(Retry::default().after_refusal(full).unwrap() >= SHORTEST_WAIT_AFTER_CLOSE);
        let taken = "This username is already taken. You need to connect again and use another one";
        let mut retry = Retry::default();
        let tries: Vec<_> = (0..3).map(|_| retry.after_refusal(taken)).collect();
        assert_eq!(tries, [Some(FIRST_WAIT), Some(2 * FIRST_WAIT), None]);
    }
}
