//! How the NATS client is set up by the [`Options`].

use std::{fs, io, net::IpAddr, time::Duration};

use async_nats::{ConnectOptions, ServerAddr};

use crate::{Options, credentials::Credentials, error::StartError, subjects::Subjects};

/// From the last sign of life of the server to a ping, and from that to the next. With the third ping due and no answer,
/// so after three times as long, the client gives the connection up.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// From the first packet to a server to its welcome.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest pause before a server is tried again.
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(250);

/// How much longer each pause is than the one before.
const RECONNECT_DELAY_STEP: Duration = Duration::from_millis(50);

/// Messages of a subscription that the client keeps until the log's thread takes them.
const SUBSCRIPTION_CAPACITY: usize = 8_192;

/// Messages that the client keeps until they are written to the server. A full one drops appends.
const WRITE_CAPACITY: usize = 256;

impl Options {
    /// Whether all servers are addressed on the loopback interface.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = |server: &String| server.parse::<ServerAddr>().is_ok_and(|addr| is_loopback(addr.host()));
        self.servers.iter().all(host)
    }

    /// The addresses of the servers.
    pub(crate) fn addresses(&self) -> Result<Vec<ServerAddr>, StartError> {
        if self.servers.is_empty() {
            return Err(StartError::NoServer);
        }
        let address = |(index, server): (usize, &String)| {
            let number = index + 1;
            let address: ServerAddr = server.parse().map_err(|_| StartError::Server(number))?;
            if address.has_user_pass() || address.password().is_some() {
                return Err(StartError::SecretInAddress(number));
            }
            let is_nats = matches!(address.scheme(), "nats" | "tls") && !address.host().is_empty();
            if is_nats { Ok(address) } else { Err(StartError::Server(number)) }
        };
        self.servers.iter().enumerate().map(address).collect()
    }

    /// Checks the options, and reads the files.
    pub(crate) fn client(&self) -> Result<ConnectOptions, StartError> {
        self.addresses()?;
        if !matches!(self.replicas, 1 | 3) {
            return Err(StartError::Replicas(self.replicas));
        }
        let mut client = ConnectOptions::new()
            .name(format!("arauto {}", self.node))
            .custom_inbox_prefix(Subjects::inbox_prefix(&self.cluster, &self.node))
            .ping_interval(PING_INTERVAL)
            .connection_timeout(CONNECT_TIMEOUT)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .client_capacity(WRITE_CAPACITY)
            // Learnt addresses may be those of another network.
            .ignore_discovered_servers()
            .max_reconnects(None)
            .reconnect_delay_callback(reconnect_delay);
        if let Some(path) = &self.tls_ca {
            let pem =
                fs::read_to_string(path).map_err(|error| StartError::File { path: path.clone(), error })?;
            if !pem.contains("BEGIN CERTIFICATE") {
                let error = io::Error::new(io::ErrorKind::InvalidData, "no certificate is in it");
                return Err(StartError::File { path: path.clone(), error });
            }
            client = client.add_root_certificates(path.clone()).require_tls(true);
        }
        match &self.credentials {
            Some(path) => Credentials::from_file(path)?
                .add_to(client)
                .map_err(|_| StartError::Credentials(path.clone())),
            None => Ok(client),
        }
    }
}

/// The pause before the `attempt`-th attempt in a row to connect.
fn reconnect_delay(attempt: usize) -> Duration {
    let steps = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    RECONNECT_DELAY_STEP.saturating_mul(steps).min(MAX_RECONNECT_DELAY)
}

/// Whether this is an address of the loopback interface.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(servers: &[&str]) -> Options {
        let name = |name: &str| name.parse().expect("a name");
        Options::new(servers.iter().map(ToString::to_string).collect(), name("c"), name("n1"))
    }

    #[test]
    fn wrong_options_are_refused_without_their_secrets() {
        let error = |options: &Options| options.client().expect_err("an error").to_string();
        assert!(options(&["127.0.0.1", "nats://[::1]:4222", "tls://nats.example.org"]).client().is_ok());
        assert!(error(&options(&[])).contains("no NATS server"));
        for wrong in ["http://x", "ws://x", "nats://", "nats://x:y", ""] {
            assert!(error(&options(&["127.0.0.1", wrong])).contains("server 2"), "{wrong}");
        }
        for secret in ["nats://u:hidden@127.0.0.1", "nats://:hidden@127.0.0.1", "nats://hidden@127.0.0.1"] {
            let error = error(&options(&[secret]));
            assert!(error.contains("server 1") && !error.contains("hidden"), "{error}");
        }
        let mut two = options(&["127.0.0.1"]);
        two.replicas = 2;
        assert!(error(&two).contains("not 2"));
        let mut without_ca = options(&["127.0.0.1"]);
        without_ca.tls_ca = Some("/nowhere/ca.pem".into());
        assert!(error(&without_ca).contains("/nowhere/ca.pem"));
        without_ca.tls_ca = Some("/dev/null".into());
        assert!(error(&without_ca).contains("no certificate"));
    }

    #[test]
    fn only_all_servers_on_the_loopback_interface_count() {
        assert!(options(&["nats://127.0.0.1:4222", "localhost", "nats://[::1]"]).is_loopback());
        assert!(!options(&["nats://127.0.0.1:4222", "10.0.0.5"]).is_loopback());
    }

    #[test]
    fn pauses_between_attempts_grow_to_250_ms() {
        let millis: Vec<_> =
            [0, 1, 2, 3, 6, 7, usize::MAX].map(|attempt| reconnect_delay(attempt).as_millis()).into();
        assert_eq!(millis, [0, 0, 50, 100, 250, 250, 250]);
    }
}
