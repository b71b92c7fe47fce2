//! [`Arrow`]: the last arrow key, for telling the wheel from typed keys.

use std::time::Instant;

use super::line::LineSnapshot;

/// The last arrow key.
#[derive(Debug)]
pub struct Arrow {
    pub(super) at: Instant,
    pub(super) is_up: bool,
    /// The line before this key, if the key changed it.
    pub(super) before: Option<LineSnapshot>,
}
