//! The header rule: [`place`] takes a message's position from its header only if the header is the server's own.
//!
//! A publisher may add headers, and the server writes its own *after* them. With `Nats-Sequence: 7` from a publisher, a
//! reader that takes the first line of that name believes that the message stands at 7. A header is the server's own if it
//! has the server's lines, each once, and no others. Any other message is fetched by its number.

use async_nats::{HeaderMap, Message};

/// The line that has the position.
const SEQUENCE: &str = "Nats-Sequence";

/// The lines that have to be there.
const REQUIRED: [&str; 3] = ["Nats-Stream", "Nats-Subject", SEQUENCE];

/// The lines that may be there. Servers from 2.10 on add the time to what they republish.
const OPTIONAL: [&str; 2] = ["Nats-Last-Sequence", "Nats-Time-Stamp"];

/// Where a message stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its position, from 1.
    pub position: u64,
    /// The subject under which it was stored.
    pub subject: String,
}

/// A message whose header is not the server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Where the message stands if the server has stored it. The server's line is the last of its name.
    pub claimed: Option<u64>,
}

/// The place of a message that the server took from this stream.
pub fn place(message: &Message, stream: &str) -> Result<Place, Suspect> {
    let headers = message.headers.as_ref().ok_or(Suspect { claimed: None })?;
    let claimed = headers.get_last(SEQUENCE).and_then(|value| position(value.as_str()));
    let value = |name| only(headers, name);
    let is_own = message.status.is_none()
        && headers.iter().all(|(name, values)| {
            let name: &str = name.as_ref();
            values.len() == 1 && (REQUIRED.contains(&name) || OPTIONAL.contains(&name))
        })
        && value("Nats-Stream") == Some(stream);
    match (is_own, claimed, value("Nats-Subject")) {
        (true, Some(position), Some(subject)) => Ok(Place { position, subject: subject.to_owned() }),
        _ => Err(Suspect { claimed }),
    }
}

/// The value of the only line of this name.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let value = values.next()?;
    values.next().is_none().then_some(value.as_str())
}

/// A position as the server writes it.
fn position(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|position| is_number && *position > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [(&str, &str); 4] = [
        ("Nats-Stream", "ARAUTO_c"),
        ("Nats-Subject", "arauto.c.log.n1"),
        ("Nats-Sequence", "12"),
        ("Nats-Last-Sequence", "11"),
    ];

    fn message(lines: &[(&str, &str)]) -> Message {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, *value);
        }
        Message {
            subject: "arauto.c.tail.n1".into(),
            reply: None,
            payload: bytes::Bytes::new(),
            headers: Some(headers),
            status: None,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn a_header_of_the_servers_own_lines_is_believed() {
        let expected = Place { position: 12, subject: "arauto.c.log.n1".into() };
        assert_eq!(place(&message(&OWN), "ARAUTO_c"), Ok(expected.clone()));
        let newer = [&OWN[..], &[("Nats-Time-Stamp", "2026-11-30T12:00:00Z")]].concat();
        assert_eq!(place(&message(&newer), "ARAUTO_c"), Ok(expected));
    }

    #[test]
    fn any_other_line_makes_a_message_suspect_and_the_last_position_is_the_servers() {
        for forged in
            [("Nats-Sequence", "7"), ("Nats-Subject", "arauto.c.log.n2"), ("X", "y"), ("nats-sequence", "7")]
        {
            let lines = [&[forged], &OWN[..]].concat();
            assert_eq!(place(&message(&lines), "ARAUTO_c"), Err(Suspect { claimed: Some(12) }), "{forged:?}");
        }
        for missing in 0..3 {
            let mut lines = OWN.to_vec();
            lines.remove(missing);
            let claimed = (missing != 2).then_some(12);
            assert_eq!(place(&message(&lines), "ARAUTO_c"), Err(Suspect { claimed }), "{missing}");
        }
        assert_eq!(place(&message(&OWN), "ARAUTO_d"), Err(Suspect { claimed: Some(12) }));
        let mut with_status = message(&OWN);
        with_status.status = Some(async_nats::StatusCode::NOT_FOUND);
        assert!(place(&with_status, "ARAUTO_c").is_err());
        let mut bare = message(&OWN);
        bare.headers = None;
        assert_eq!(place(&bare, "ARAUTO_c"), Err(Suspect { claimed: None }));
        for number in ["0", "+12", "-1", "", " 12", "1e3", "99999999999999999999"] {
            let mut lines = OWN;
            lines[2].1 = number;
            assert!(place(&message(&lines), "ARAUTO_c").is_err(), "{number}");
        }
    }
}
