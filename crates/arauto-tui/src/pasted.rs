//! [`Pasted`]: pasted lines that wait for the user's decision.

/// Pasted lines that wait for the user's decision.
pub struct Pasted {
    /// Each line as it would be typed, in order.
    pub(super) lines: Vec<String>,
    /// The whole paste, unchanged.
    pub(super) whole: String,
}

impl Pasted {
    /// Returns the pasted text unchanged.
    #[must_use]
    pub fn into_whole(self) -> String {
        self.whole
    }
}
