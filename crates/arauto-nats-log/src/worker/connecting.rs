//! Connecting for the first time, and watching the connection, which the NATS client makes again by itself.

use std::{sync::atomic::Ordering, time::Duration};

use arauto_cluster::{Instance, frame::MAX_FRAME_BYTES};
use async_nats::{
    Client, ClientError, ConnectErrorKind, ConnectOptions, Event, ServerError, ServerInfo, connection::State,
};
use futures_util::FutureExt;
use tokio::{sync::mpsc, task::unconstrained, time::sleep};

use super::{Reports, Worker};
use crate::{
    command::{Command, Waiting},
    error::{Access, Refusal, Warning},
    options::Options,
    report::Report,
};

/// From an attempt to connect for the first time to the next.
const RETRY_DELAY: Duration = Duration::from_millis(250);

/// Room for a frame's head of the protocol, which the server counts.
const MIN_PAYLOAD_BYTES: usize = MAX_FRAME_BYTES + 1_024;

/// The lowest version for a stream without replicas: Debian 12 has it.
const MIN_VERSION: (u32, u32, u32) = (2, 9, 10);
const MIN_VERSION_NAME: &str = "2.9.10";

/// The lowest version for a stream with replicas, which lost messages in earlier ones.
const MIN_REPLICATED_VERSION: (u32, u32, u32) = (2, 11, 0);
const MIN_REPLICATED_VERSION_NAME: &str = "2.11";

/// The client, with what the program asked for before a server was connected.
pub struct Connected {
    pub client: Client,
    pub asks_for_end: bool,
    pub listens_for: Option<Instance>,
}

/// Connects for the first time, and tries for ever. Returns `None` if the program has dropped the log, or has to end.
pub async fn connect<D: FnMut(Report)>(
    options: &Options,
    client: ConnectOptions,
    commands: &mut mpsc::Receiver<Waiting>,
    reports: &mut Reports<D>,
) -> Option<Connected> {
    let (mut asks_for_end, mut listens_for) = (false, None);
    let addresses = options.addresses().ok()?;
    reports.report(Report::Connected(false));
    let attempt = |delay| {
        let (client, addresses) = (client.clone(), addresses.clone());
        async move {
            sleep(delay).await;
            client.connect(addresses).await
        }
    };
    let mut connecting = Box::pin(attempt(Duration::ZERO));
    loop {
        tokio::select! {
            result = &mut connecting => match result {
                Ok(client) => return Some(Connected { client, asks_for_end, listens_for }),
                Err(error) => match error.kind() {
                    ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                        reports.report(Report::Refused(Refusal::Credentials));
                        return None;
                    }
                    _ => {
                        reports.warn(Warning::Unreachable(error.to_string().into()));
                        connecting = Box::pin(attempt(RETRY_DELAY));
                    }
                },
            },
            waiting = commands.recv() => match waiting?.command {
                Command::AskForEnd => asks_for_end = true,
                Command::ListenFor(instance) => listens_for = Some(instance),
                // The program sends these again.
                Command::Append(_)
                | Command::Fetch(_)
                | Command::Verify(_)
                | Command::SendState { .. } => {}
            },
        }
    }
}

impl<D: FnMut(Report)> Worker<D> {
    /// Sees whether the connection has broken or is there again. Events may be lost, so they only make this look sooner.
    pub(super) fn watch_connection(&mut self) {
        let is_connected = self.client.connection_state() == State::Connected;
        let connects = self.statistics.connects.load(Ordering::Relaxed);
        if self.is_connected && (!is_connected || connects != self.connects) {
            self.is_connected = false;
            self.holes.clear();
            self.transfers.abort_all();
            self.admission.connection_lost();
            self.reports.report(Report::Connected(false));
        }
        if is_connected && !self.is_connected {
            (self.is_connected, self.connects) = (true, connects);
            if let Some(refusal) = unfit(&self.client.server_info(), &self.options) {
                return self.refuse(refusal);
            }
            self.reports.report(Report::Connected(true));
            self.greet_stream();
        }
    }

    /// Acts on an event of the client.
    pub(super) fn heed(&mut self, event: &Event) {
        match event {
            Event::LameDuckMode => {
                self.reports.warn(Warning::LameDuck);
                let _ = unconstrained(self.client.force_reconnect()).now_or_never();
            }
            Event::SlowConsumer(_) => self.reports.warn(Warning::Lagging),
            Event::ServerError(ServerError::AuthorizationViolation) => {
                self.reports.warn(Warning::Credentials);
            }
            Event::ServerError(ServerError::Other(text)) => self.heed_error(text),
            Event::ClientError(ClientError::Other(text))
                if *text == ConnectErrorKind::AuthorizationViolation.to_string() =>
            {
                self.reports.warn(Warning::Credentials);
            }
            Event::ClientError(error) => self.reports.warn(Warning::Unreachable(error.to_string().into())),
            _ => {}
        }
    }

    /// Acts on an error that the server tells without closing the connection.
    fn heed_error(&mut self, text: &str) {
        match forbidden(text) {
            Some((Access::Publish, subject)) if subject == self.subjects.own_tail() => {
                // As it should be: this was the probe.
            }
            Some((access, subject)) => {
                let subject = subject.to_owned().into();
                self.refuse(Refusal::NotPermitted { access, subject });
            }
            None => self.reports.warn(Warning::Server(text.to_owned().into())),
        }
    }
}

/// The server's words about what its user may not do.
fn forbidden(text: &str) -> Option<(Access, &str)> {
    let rest = text.strip_prefix("Permissions Violation for ")?;
    let (access, rest) = match rest.strip_prefix("Publish to ") {
        Some(rest) => (Access::Publish, rest),
        None => (Access::Subscribe, rest.strip_prefix("Subscription to ")?),
    };
    let (subject, _) = rest.strip_prefix('"')?.split_once('"')?;
    Some((access, subject))
}

/// Why this server cannot be used.
fn unfit(server: &ServerInfo, options: &Options) -> Option<Refusal> {
    let (min, needed) = match options.replicas {
        1 => (MIN_VERSION, MIN_VERSION_NAME),
        _ => (MIN_REPLICATED_VERSION, MIN_REPLICATED_VERSION_NAME),
    };
    if version(&server.version).is_none_or(|version| version < min) {
        let version = server.version.clone().into();
        return Some(Refusal::TooOld { version, replicas: options.replicas, needed });
    }
    (server.max_payload < MIN_PAYLOAD_BYTES).then_some(Refusal::MaxPayload(server.max_payload))
}

/// The numbers of a version such as `2.11.0-preview.2`.
fn version(text: &str) -> Option<(u32, u32, u32)> {
    let numbers = text.strip_prefix('v').unwrap_or(text);
    let numbers = numbers.split_once('-').map_or(numbers, |(numbers, _)| numbers);
    let mut numbers = numbers.split('.').map(str::parse);
    let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some((major, minor, numbers.next().unwrap_or(Ok(0)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert_eq!(version("2.9.10"), Some((2, 9, 10)));
        assert_eq!(version("v2.11.0-preview.2"), Some((2, 11, 0)));
        assert_eq!(version("3.0"), Some((3, 0, 0)));
        assert_eq!(version("x"), None);
        assert_eq!(version("2.x.1"), None);

        let name = |name: &str| name.parse().expect("a name");
        let mut options = Options::new(vec!["127.0.0.1".into()], name("c"), name("n1"));
        let server = |version: &str, max_payload| ServerInfo {
            version: version.into(),
            max_payload,
            ..ServerInfo::default()
        };
        assert_eq!(unfit(&server("2.9.10", 1 << 20), &options), None);
        assert_eq!(unfit(&server("2.9.10", 1 << 18), &options), Some(Refusal::MaxPayload(1 << 18)));
        let refusal = unfit(&server("2.9.9", 1 << 20), &options).expect("a refusal");
        assert_eq!(
            refusal.to_string(),
            "this NATS server has version 2.9.9; a stream of 1 replica(s) needs at least 2.9.10"
        );
        options.replicas = 3;
        assert!(unfit(&server("2.10.29", 1 << 20), &options).is_some());
        assert_eq!(unfit(&server("2.11.0", 1 << 20), &options), None);
    }

    #[test]
    fn what_the_server_forbids_is_read_from_its_words() {
        let publish = r#"Permissions Violation for Publish to "arauto.c.log.n1""#;
        assert_eq!(forbidden(publish), Some((Access::Publish, "arauto.c.log.n1")));
        let subscribe = r#"Permissions Violation for Subscription to "a.>" using queue "q""#;
        assert_eq!(forbidden(subscribe), Some((Access::Subscribe, "a.>")));
        for other in ["", "Permissions Violation for Publish to x", "Stale Connection"] {
            assert_eq!(forbidden(other), None, "{other}");
        }
    }
}
