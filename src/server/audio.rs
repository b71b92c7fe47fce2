//! Audio on the server: streams that one client publishes and others listen to.
//!
//! The registry decides which client is asked to publish and which may listen; the relay, on a thread of its own,
//! forwards the audio. Opening and closing a stream are messages to the relay's actor. Datagrams pass through no
//! mailbox.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix::{Actor, Addr, Handler, Recipient};
use actix_rt::ArbiterHandle;
use slog::Logger;

use crate::{
    config::{self, InForce},
    server::{
        admission::bans::Barrier,
        common::exit_guard::ExitGuard,
        http::subscribe::Subscribe,
        messages::{CloseServer, StreamBegan, StreamEnded},
        metrics::audio::Counters,
        net::tls::credentials::Credentials,
    },
};

mod connection_limiter;
mod container;
mod fan_out;
mod http_listeners;
mod keys;
mod listener;
pub mod messages;
mod outgoing;
mod outlet;
mod ports;
mod relay;
mod reports;
mod rewrite;
pub mod rtsp;
mod server;
mod shares;
mod source;
mod stream;
mod streams;
mod udp_reader;

use messages::ToRelay;
use relay::Relay;

/// Returns the most open files that audio needs with this configuration: all audio connections, and the UDP sockets of
/// all streams.
///
/// A publisher has a pair of sockets for its audio, and one for the parts that the server does not relay. A stream that
/// plays also has a pair for each of the server's addresses that it is sent from. Every socket has a port of
/// `media.udp_ports` of its own, which limits their number as well.
pub fn open_files(media: &config::Media) -> u64 {
    const OF_PUBLISHER: usize = 2;
    let used = OF_PUBLISHER * (media.streams + media.waiting) + outlet::MAX_OUTLETS * media.streams;
    let pairs = used.min(ports::pairs(&media.udp_ports).into());
    (connection_limiter::MAX_CONNECTIONS + 2 * pairs) as u64
}

/// A listening socket for RTSP.
#[derive(Debug)]
pub struct RtspListener {
    /// The socket.
    pub socket: TcpListener,
    /// The TLS credentials of its connections; `None` for plain RTSP.
    pub credentials: Option<Credentials>,
}

/// Parameters that the relay starts with.
pub struct RelayParams {
    /// The thread that the relay runs on.
    pub thread: ArbiterHandle,
    /// The listening sockets for RTSP, plain and over TLS.
    pub listeners: Vec<RtspListener>,
    /// The addresses of the plain ones.
    pub addresses: Vec<SocketAddr>,
    /// The addresses of those with TLS.
    pub secure_addresses: Vec<SocketAddr>,
}

/// The parts of the server that the relay depends on.
pub struct RelayContext {
    /// Receives reports of streams that begin or end.
    pub registry: RelayToRegistry,
    /// The banned addresses.
    pub barrier: Barrier,
    /// The current configuration.
    pub config: InForce,
    /// The counters of audio.
    pub counters: Arc<Counters>,
}

/// The messages that the relay sends to the registry, without knowing its type.
#[derive(Clone)]
pub struct RelayToRegistry {
    /// A publisher has begun.
    pub began: Recipient<StreamBegan>,
    /// A stream that had begun has ended.
    pub ended: Recipient<StreamEnded>,
}

impl<A> From<Addr<A>> for RelayToRegistry
where
    A: Actor<Context = actix::Context<A>> + Handler<StreamBegan> + Handler<StreamEnded>,
{
    fn from(registry: Addr<A>) -> Self {
        Self { began: registry.clone().recipient(), ended: registry.recipient() }
    }
}

/// Handle of the relay for the rest of the server.
#[derive(Clone)]
pub struct Audio {
    /// Recipients of the registry's messages.
    pub relay: ToRelay,
    /// Recipient of requests to listen by HTTP.
    pub subscribe: Recipient<Subscribe>,
    /// Recipient of the message that ends all streams and connections.
    pub close: Recipient<CloseServer>,
    /// Addresses of plain RTSP.
    pub addresses: Arc<[SocketAddr]>,
    /// Addresses of RTSP over TLS.
    pub secure_addresses: Arc<[SocketAddr]>,
}

/// Starts the relay on its thread.
pub fn start(
    params: RelayParams,
    registry: RelayToRegistry,
    barrier: Barrier,
    config: &InForce,
    counters: Arc<Counters>,
    exit_guard: ExitGuard,
    log: &Logger,
) -> Audio {
    let RelayParams { thread, listeners, addresses, secure_addresses } = params;
    let (config, log) = (config.clone(), log.clone());
    let context = RelayContext { registry, barrier, config, counters };
    let relay = Relay::start_in_arbiter(&thread, move |_| Relay::new(listeners, context, exit_guard, log));
    Audio {
        relay: ToRelay {
            open: relay.clone().recipient(),
            admit: relay.clone().recipient(),
            shut: relay.clone().recipient(),
        },
        subscribe: relay.clone().recipient(),
        close: relay.recipient(),
        addresses: addresses.into(),
        secure_addresses: secure_addresses.into(),
    }
}

#[cfg(test)]
mod tests;
