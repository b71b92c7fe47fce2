//! [`reply`]: the layout in which the report's client shows a message. No IO.

use crate::{
    OwnedMessage,
    spelt::{Keep, Spelt},
};

/// Returns the lines that show this message, with an empty line after them. Control characters and hidden characters
/// are escaped, so that they cannot harm a terminal.
#[must_use]
pub fn reply(received: &OwnedMessage) -> String {
    let OwnedMessage { sender, destination, operation, data } = received;
    let [sender, destination, operation, data] =
        [sender, destination, operation, data].map(|text| Spelt(text, Keep::Backslashes));
    format!(
        "-----\n\
         Reply: \n\
         \x20   Client sender: {sender}\n\
         \x20   Client destination: {destination}\n\
         \x20   Operation: {operation}\n\
         \x20   Message: \n\
         \x20       {data}\n\
         -----\n\
         \n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_and_hostile_text() {
        let [sender, destination, operation] = ["b\u{202e}ob", "alan", "echo"].map(str::to_owned);
        let data = "C:\\dir\u{1b}[2J\n-----".to_owned();
        assert_eq!(
            reply(&OwnedMessage { sender, destination, operation, data }),
            "-----\nReply: \n    Client sender: b\\u{202e}ob\n    Client destination: alan\n    Operation: echo\n    \
             Message: \n        C:\\dir\\u{1b}[2J\\n-----\n-----\n\n"
        );
    }
}
