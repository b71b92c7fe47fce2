//! Texts about files that users play to each other.

use std::time::Duration;

use super::{SERVER, error_message, presentable, server_says, server_says_within, within};
use crate::{line::Line, message::Message, name::Name, operation::Operation};

/// Reply to `play` without a destination.
#[must_use]
pub fn nobody_to_play(limit: usize, to: &Name) -> Line {
    let example = Operation::Play.typed();
    error_message(limit, to, &format!("DESTINATION is missing: who has the file? Type: {example}"))
}

/// Reply to `play` or `stop` without a file.
#[must_use]
pub fn no_file_named(limit: usize, to: &Name, operation: Operation) -> Line {
    error_message(limit, to, &format!("DATA is missing: which file? Type: {}", operation.typed()))
}

/// Reply to `publish` from a client.
#[must_use]
pub fn only_the_server_publishes(limit: usize, to: &Name) -> Line {
    let example = Operation::Play.typed();
    let why = format!("Only the server says publish. Whoever wants to hear a file types: {example}");
    error_message(limit, to, &why)
}

/// Tells a client why a file that it asked for is not played.
#[must_use]
pub fn not_played(limit: usize, to: &Name, why: &str) -> Line {
    server_says_within(limit, to.as_str(), Operation::Play.wire(), why)
}

/// Reply to a client that declines to play a file for a user who does not wait for one.
#[must_use]
pub fn nobody_waits(limit: usize, to: &Name, typed: &str) -> Line {
    let typed = presentable(typed, 32);
    error_message(limit, to, &format!("{typed} does not wait for a file of yours. There is nothing to do"))
}

/// Asks `to` to send a file that `from` wants to hear. `None` if the message would exceed the limit, because an address
/// must not be cut.
#[must_use]
pub fn publish(limit: usize, from: &Name, to: &Name, summons: &str) -> Option<Line> {
    whole(limit, from.as_str(), to, Operation::Publish, summons)
}

/// Tells `to` where a file of `from` can be heard. `None` if the message would exceed the limit.
#[must_use]
pub fn plays(limit: usize, from: &Name, to: &Name, offer: &str) -> Option<Line> {
    whole(limit, from.as_str(), to, Operation::Play, offer)
}

/// Forwards the reason why a file will not be played, in the name of its publisher. A reason that fits into the
/// publisher's message to one user may be too long for another, whose name is longer: then it is cut.
#[must_use]
pub fn cannot_play(limit: usize, from: &Name, to: &Name, why: &str) -> Line {
    let data = format!("cannot: {why}");
    let (destination, operation) = (to.as_str(), Operation::Play.wire());
    within(limit, &Message { sender: from.as_str(), destination, operation, data: &data })
}

fn whole(limit: usize, sender: &str, to: &Name, operation: Operation, data: &str) -> Option<Line> {
    let message = Message { sender, destination: to.as_str(), operation: operation.wire(), data };
    (message.encoded_len() <= limit).then(|| Line::lossy(&message))
}

/// A stream, as a line of the list of streams.
#[must_use]
pub fn stream(
    limit: usize,
    to: &Name,
    (publisher, file): (&Name, &str),
    listeners: usize,
    elapsed: Duration,
    length: Option<Duration>,
) -> Line {
    let of = length.map(|length| format!(" of {}", clock(length))).unwrap_or_default();
    let figures = format!(", {listeners} listening, {}{of}", clock(elapsed));
    let operation = Operation::ListStreams.wire();
    let data = format!("{publisher}: {file}{figures}");
    let over = Message { sender: SERVER, destination: to.as_str(), operation, data: &data }
        .encoded_len()
        .saturating_sub(limit);
    if over == 0 {
        return server_says(to.as_str(), operation, &data);
    }
    // The file's name is cut to the limit, and not the figures behind it.
    let kept = file.floor_char_boundary(file.len().saturating_sub(over + '…'.len_utf8()));
    server_says_within(limit, to.as_str(), operation, &format!("{publisher}: {}…{figures}", &file[..kept]))
}

/// Reply to `list_streams` if there are none.
#[must_use]
pub fn no_streams(limit: usize, to: &Name) -> Line {
    server_says_within(limit, to.as_str(), Operation::ListStreams.wire(), "no streams")
}

/// Tells a client that a stream has ended. `why` is given unless the publisher ended it.
#[must_use]
pub fn stream_ended(limit: usize, to: &Name, (publisher, file): (&Name, &str), why: Option<&str>) -> Line {
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let data = format!("{publisher}: {file} ended{why}");
    server_says_within(limit, to.as_str(), Operation::Stop.wire(), &data)
}

/// Reply to `stop` of a file that is not played.
#[must_use]
pub fn not_on(limit: usize, to: &Name, file: &str) -> Line {
    let file = presentable(file, 60);
    let example = Operation::ListStreams.typed();
    error_message(limit, to, &format!("{file} is not played. {example} shows what is"))
}

/// Reply to `stop` of another user's stream.
#[must_use]
pub fn not_yours_to_stop(limit: usize, to: &Name, publisher: &Name, file: &str) -> Line {
    let file = presentable(file, 60);
    let why = format!(
        "{file} is played by {publisher}: only {publisher} or an operator can end it. To hear no more of it, stop your player"
    );
    error_message(limit, to, &why)
}

/// Reply to an operator's `stop` of a file that several users play.
#[must_use]
pub fn several_play(limit: usize, to: &Name, publisher: &Name, file: &str) -> Line {
    let file = presentable(file, 60);
    let why = format!("Several play {file}. Say whose: {to} | {publisher} | {} | {file}", Operation::Stop);
    error_message(limit, to, &why)
}

/// A time in a file: `01:12`, or `1:01:12`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text, 489).unwrap()
    }

    #[test]
    fn a_stream_in_one_line_with_and_without_a_length() {
        let (ana, rui) = (name("ana"), name("rui"));
        let line = |limit, file, elapsed, length: Option<u64>| {
            let (elapsed, length) = (Duration::from_secs(elapsed), length.map(Duration::from_secs));
            stream(limit, &rui, (&ana, file), 3, elapsed, length).text().to_owned()
        };
        assert_eq!(
            line(1024, "song.mp3", 72, Some(220)),
            "server | rui | list_streams | ana: song.mp3, 3 listening, 01:12 of 03:40"
        );
        assert_eq!(
            line(1024, "song.mp3", 3672, None),
            "server | rui | list_streams | ana: song.mp3, 3 listening, 1:01:12"
        );
        let long = line(80, &"é".repeat(100), 72, Some(220));
        assert_eq!(
            long,
            "server | rui | list_streams | ana: éé…, 3 listening, 01:12 of 03:40"
                .replace("éé", &"é".repeat(6))
        );
        assert!(long.len() <= 80, "{}", long.len());
    }

    #[test]
    fn an_address_is_whole_or_not_said() {
        let (ana, rui) = (name("ana"), name("rui"));
        let said = "rui | ana | publish | rtsp://h x";
        let line = publish(said.len(), &rui, &ana, "rtsp://h x").unwrap();
        assert_eq!(line.text(), said);
        assert_eq!(publish(said.len() - 1, &rui, &ana, "rtsp://h x"), None);
    }
}
