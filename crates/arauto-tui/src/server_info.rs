//! [`ServerInfo`]: the server, and the dangers of the connection to it.

use arauto_client::dial::Dialer;

/// The server, and the dangers of the connection to it.
#[derive(Clone, Debug, Default)]
pub struct ServerInfo {
    /// Host and port.
    pub server: String,
    /// Warnings to show at once.
    pub warnings: Vec<String>,
    /// Warning to show before a password is typed.
    pub exposure: Option<&'static str>,
    /// Whether any certificate is accepted. This is shown all the time.
    pub is_insecure: bool,
}

impl From<&Dialer> for ServerInfo {
    fn from(dialer: &Dialer) -> Self {
        Self {
            server: dialer.target().to_string(),
            warnings: dialer.warnings(),
            exposure: dialer.exposure(),
            is_insecure: dialer.is_insecure(),
        }
    }
}
