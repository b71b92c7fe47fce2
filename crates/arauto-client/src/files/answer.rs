//! [`answer`]: builds the messages that answer `list_files`.

use arauto_protocol::{Line, Message, Operation};

use super::Listing;

/// Returns the answer of `own` to `asker`, in messages of at most `message_bytes` bytes, to be sent in this order.
///
/// ```
/// use arauto_client::{files::{Listing, answer}, text::MESSAGE_BYTES};
/// let messages = answer("ana", "rui", &Listing::no_folder(), MESSAGE_BYTES);
/// assert_eq!(messages[0].text(), "ana | rui | list_files | no folder is shared");
/// ```
#[must_use]
pub fn answer(own: &str, asker: &str, listing: &Listing, message_bytes: usize) -> Vec<Line> {
    let operation = Operation::ListFiles.wire();
    let header = Message { sender: own, destination: asker, operation, data: "" };
    let texts = listing.texts(message_bytes.saturating_sub(header.encoded_len()));
    texts.iter().map(|data| Line::lossy(&Message { data, ..header })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::MESSAGE_BYTES;
    use crate::{OwnedMessage, files::listing::tests::file, meaning::Meaning};

    #[test]
    fn messages_within_the_limit() {
        let long = "ñ".repeat(32);
        let entries = (0..500).map(|at| file(&format!("{at}, {}", "x".repeat(at)))).collect();
        let listing = Listing { entries, ..Listing::default() };
        let messages = answer(&long, &long, &listing, MESSAGE_BYTES);
        assert!(messages.len() > 100);
        for message in &messages {
            assert!(message.text().len() <= MESSAGE_BYTES);
            assert!(
                matches!(OwnedMessage::from(message.message()).meaning(), Meaning::Files { of, .. } if of == long)
            );
        }
        // The messages are filled up to the limit.
        assert!(messages[0].text().len() > MESSAGE_BYTES - 60);
    }

    #[test]
    fn never_taken_for_a_question() {
        let mut named = Listing { entries: vec![file("no data")], ..Listing::default() };
        for listing in [Listing::default(), Listing::no_folder(), named.clone()] {
            for room in [0, 20, 64, 1024] {
                for message in answer("a", "b", &listing, room) {
                    let received = OwnedMessage::from(message.message());
                    assert!(matches!(received.meaning(), Meaning::Files { .. }), "{message:?}");
                }
            }
        }
        named.entries[0].name = "x".repeat(2000).into();
        assert_eq!(
            answer("a", "b", &named, 1024)[0].message().data,
            "no files are shared; 1 file is not listed"
        );
    }
}
