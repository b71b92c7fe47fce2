//! [`Place`]: which server, and what is dangerous about the way there.

use crate::client::dial::Dialer;

/// Which server, and what is dangerous about the way there.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Host and port.
    pub server: String,
    /// What is to be said at once.
    pub warnings: Vec<String>,
    /// What is to be said before a password is typed.
    pub exposure: Option<&'static str>,
    /// Any certificate is accepted: shown for as long as it lasts.
    pub is_insecure: bool,
}

impl From<&Dialer> for Place {
    fn from(dialer: &Dialer) -> Self {
        Self {
            server: dialer.target().to_string(),
            warnings: dialer.warnings(),
            exposure: dialer.exposure(),
            is_insecure: dialer.is_insecure(),
        }
    }
}
