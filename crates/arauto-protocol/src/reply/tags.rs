//! Answers to `tags`.

use super::{error_message, server_says};
use crate::{line::Line, name::Name, operation::Operation};

/// Reply to `tags` with `on`. `log` is the token of the log that the numbers belong to.
#[must_use]
pub fn tags_on(to: &Name, log: &str) -> Line {
    server_says(to.as_str(), Operation::Tags.wire(), &format!("on, log {log}"))
}

/// Reply to `tags` with `off`.
#[must_use]
pub fn tags_off(to: &Name) -> Line {
    server_says(to.as_str(), Operation::Tags.wire(), "off")
}

/// Reply to `tags` from an unframed client, which could not tell where a tag begins.
#[must_use]
pub fn tags_need_line_endings(limit: usize, to: &Name) -> Line {
    error_message(limit, to, "tags need line endings, and your client sends none")
}

/// Reply to `tags` with other DATA.
#[must_use]
pub fn tags_on_or_off(limit: usize, to: &Name) -> Line {
    error_message(limit, to, "tags are on or off. Type: /tags on")
}
