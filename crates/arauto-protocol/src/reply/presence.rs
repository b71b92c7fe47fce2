//! Lists of clients, and the messages to clients that watch for joins and leaves.

use super::{ALL_CLIENTS, SERVER, server_says};
use crate::{line::Line, message::Message, name::Name, operation::Operation};

/// Separates two names of a list.
const BETWEEN: &str = " , ";
/// DATA of a list before its first name.
const CONNECTED: &str = "clients connected: ";
/// OPERATION of a message that names clients which have joined.
const JOINED: &str = "joined";
/// OPERATION of a message that names clients which have left.
const LEFT: &str = "left";

/// Number of names in a part of a list, and the names as they are written.
type Part = (usize, String);

/// The list of connected clients in the order of joining, in as many messages as the limit requires.
pub fn list_clients<'a>(limit: usize, to: &Name, names: impl Iterator<Item = &'a Name>) -> Vec<Line> {
    let write = |data: &str| server_says(to.as_str(), Operation::ListClients.wire(), data);
    let parts = split(names, room(limit, to.as_str(), Operation::ListClients.wire(), CONNECTED));
    parts.into_iter().map(|(_, names)| write(&format!("{CONNECTED}{names}"))).collect()
}

/// Reply to `watch`: the list of connected clients. A list of several messages numbers the names of each, so that its end
/// is known.
///
/// ```
/// use arauto_protocol::{Name, reply};
///
/// let names: Vec<Name> = (0..5).map(|n| Name::parse(&format!("client{n}"), 489)).collect::<Result<_, _>>()?;
/// let list = reply::watch(1024, &names[0], &names.iter().collect::<Vec<_>>());
/// assert!(list[0].text().starts_with("server | client0 | watch | clients connected: client0 , client1 , "));
///
/// let parts = reply::watch(80, &names[0], &names.iter().collect::<Vec<_>>());
/// assert_eq!(parts[0].text(), "server | client0 | watch | clients connected, 1 to 2 of 5: client0 , client1");
/// # Ok::<(), arauto_protocol::NameError>(())
/// ```
#[must_use]
pub fn watch(limit: usize, to: &Name, names: &[&Name]) -> Vec<Line> {
    let operation = Operation::Watch.wire();
    let write = |data: String| server_says(to.as_str(), operation, &data);
    let parts_for = |head: &str| split(names.iter().copied(), room(limit, to.as_str(), operation, head));
    let parts = parts_for(CONNECTED);
    let count = names.len();
    let longest = names.iter().map(|name| name.as_str().len()).max().unwrap_or(0);
    let widest = numbered(count, count, count);
    // Under the smallest limits, two of the longest names leave no room for numbers.
    if parts.len() == 1 || room(limit, to.as_str(), operation, &widest) < longest {
        return parts.into_iter().map(|(_, names)| write(format!("{CONNECTED}{names}"))).collect();
    }
    let mut last = 0;
    let number = |(more, names): Part| {
        let first = last + 1;
        last += more;
        write(format!("{}{names}", numbered(first, last, count)))
    };
    parts_for(&widest).into_iter().map(number).collect()
}

/// Reply to `unwatch`.
#[must_use]
pub fn unwatched(to: &Name) -> Line {
    server_says(to.as_str(), Operation::Unwatch.wire(), "joins and leaves are no longer sent to you")
}

/// The messages to watchers that these clients have left, and those have joined. They are the same for all watchers.
pub fn changes<'a>(
    limit: usize,
    left: impl Iterator<Item = &'a Name>,
    joined: impl Iterator<Item = &'a Name>,
) -> Vec<Line> {
    let mut lines = written(limit, LEFT, left);
    lines.extend(written(limit, JOINED, joined));
    lines
}

fn written<'a>(limit: usize, operation: &str, names: impl Iterator<Item = &'a Name>) -> Vec<Line> {
    let parts = split(names, room(limit, ALL_CLIENTS, operation, ""));
    let named = parts.into_iter().filter(|(count, _)| *count > 0);
    named.map(|(_, names)| server_says(ALL_CLIENTS, operation, &names)).collect()
}

fn numbered(first: usize, last: usize, of: usize) -> String {
    format!("clients connected, {first} to {last} of {of}: ")
}

/// Bytes for names in a message whose DATA begins with `head`.
fn room(limit: usize, destination: &str, operation: &str, head: &str) -> usize {
    let empty = Message { sender: SERVER, destination, operation, data: head };
    limit.saturating_sub(empty.encoded_len())
}

/// Splits names into parts of at most `room` bytes, or of one name that is longer. One empty part if there are no names.
fn split<'a>(names: impl Iterator<Item = &'a Name>, room: usize) -> Vec<Part> {
    let mut parts = vec![(0, String::new())];
    for name in names.map(Name::as_str) {
        let (count, written) = parts.last().map_or((0, 0), |(count, names)| (*count, names.len()));
        if count > 0 && written + BETWEEN.len() + name.len() > room {
            parts.push((0, String::new()));
        }
        let Some((count, names)) = parts.last_mut() else { continue };
        if *count > 0 {
            names.push_str(BETWEEN);
        }
        names.push_str(name);
        *count += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::max_bytes;

    fn names(range: std::ops::Range<usize>, limit: usize) -> Vec<Name> {
        range.map(|n| Name::parse(&format!("client {n}"), max_bytes(limit)).unwrap()).collect()
    }

    /// The names of a list's messages, and their numbers where they have some.
    fn read(lines: &[Line]) -> Vec<String> {
        let of = |line: &Line| {
            let data = line.message().data.to_owned();
            let names = data.split_once(": ").map_or(data.as_str(), |(_, names)| names);
            names.split(BETWEEN).map(str::to_owned).collect::<Vec<_>>()
        };
        lines.iter().flat_map(of).collect()
    }

    #[test]
    fn every_name_is_in_exactly_one_part_and_no_part_exceeds_the_limit() {
        for limit in [128, 200, 1024] {
            for count in [1, 2, 9, 10, 11, 99, 100, 1234] {
                let all = names(0..count, limit);
                let refs: Vec<&Name> = all.iter().collect();
                let whole: Vec<String> = all.iter().map(|name| name.as_str().to_owned()).collect();
                let to = &all[0];
                let lists = [
                    watch(limit, to, &refs),
                    list_clients(limit, to, all.iter()),
                    changes(limit, all.iter(), std::iter::empty()),
                ];
                for list in lists {
                    assert!(list.iter().all(|line| line.text().len() <= limit), "{limit} {count}");
                    assert_eq!(read(&list), whole, "{limit} {count}");
                }
            }
        }
    }

    #[test]
    fn the_numbers_of_parts_follow_one_another_to_the_count() {
        let all = names(0..1234, 1024);
        let list = watch(1024, &all[0], &all.iter().collect::<Vec<_>>());
        let mut last = 0;
        for line in &list {
            let data = line.message().data;
            let (head, names) = data.split_once(": ").unwrap();
            let count = names.split(BETWEEN).count();
            assert_eq!(head, format!("clients connected, {} to {} of 1234", last + 1, last + count));
            last += count;
        }
        assert_eq!(last, 1234);
    }

    #[test]
    fn the_longest_names_under_the_smallest_limit_fit_without_numbers() {
        let limit = 128;
        let longest = |letter: &str| Name::parse(&letter.repeat(32), max_bytes(limit)).unwrap();
        let all = [longest("a"), longest("b"), longest("c")];
        let refs: Vec<&Name> = all.iter().collect();
        let list = watch(limit, &all[0], &refs);
        assert!(list.iter().all(|line| line.text().len() <= limit), "{list:?}");
        assert_eq!(read(&list), all.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>());
    }

    #[test]
    fn left_comes_before_joined_and_no_message_is_empty() {
        let [alan, bob] = ["alan", "bob"].map(|name| Name::parse(name, 489).unwrap());
        let texts = |left: &[&Name], joined: &[&Name]| -> Vec<String> {
            let lines = changes(1024, left.iter().copied(), joined.iter().copied());
            lines.iter().map(|line| line.text().to_owned()).collect()
        };
        assert_eq!(texts(&[], &[]), [""; 0]);
        assert_eq!(
            texts(&[&bob], &[&alan, &bob]),
            ["server | all clients | left | bob", "server | all clients | joined | alan , bob"]
        );
    }
}
