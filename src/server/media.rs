//! Audio on the server: streams that one client publishes and others listen to.
//!
//! The registry decides who is asked to publish and who may listen; the relay, on a thread of its own, carries the sound.
//! Datagrams pass no mailbox; opening and closing a stream do.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix::{Actor, Addr, Handler, Recipient};
use actix_rt::ArbiterHandle;
use slog::Logger;

use super::{
    bans::Barrier,
    messages::{CloseServer, StreamBegan, StreamEnded, ToRelay, Tune},
    tls::credentials::Credentials,
    vigil::Vigil,
};
use crate::config::InForce;

mod container;
pub mod counters;
mod crowd;
mod door;
mod fan_out;
pub mod figures;
mod keys;
mod listener;
mod numbering;
mod outgoing;
mod ports;
mod pump;
mod relay;
mod reports;
pub mod rtsp;
mod shares;
mod source;
mod stream;
mod streams;
mod tuned;

use counters::Counters;
use relay::Relay;

/// Open files beside those of sessions: connections, and four sockets for each of the most streams of by default.
pub const OPEN_FILES: u64 = crowd::MAX_CONNECTIONS as u64 + 4 * 32;

/// A socket that is listened on for RTSP.
#[derive(Debug)]
pub struct Door {
    /// The socket.
    pub socket: TcpListener,
    /// Connections are to speak TLS, and this is what they are answered with.
    pub credentials: Option<Credentials>,
}

/// What the relay begins with.
pub struct Opening {
    /// Where it runs.
    pub thread: ArbiterHandle,
    /// Where RTSP is spoken.
    pub doors: Vec<Door>,
    /// Their addresses.
    pub addresses: Vec<SocketAddr>,
    /// The addresses of those that speak TLS.
    pub secure_addresses: Vec<SocketAddr>,
}

/// What the relay needs of the rest of the server.
pub struct Around {
    /// The actor that streams are reported to.
    pub registry: ToRegistry,
    /// Which addresses are kept out.
    pub barrier: Barrier,
    /// The current configuration.
    pub config: InForce,
    /// The counters of audio.
    pub counters: Arc<Counters>,
}

/// What the relay tells the registry, without knowing it.
#[derive(Clone)]
pub struct ToRegistry {
    /// A publisher has begun.
    pub began: Recipient<StreamBegan>,
    /// A stream that had begun is over.
    pub ended: Recipient<StreamEnded>,
}

impl<A> From<Addr<A>> for ToRegistry
where
    A: Actor<Context = actix::Context<A>> + Handler<StreamBegan> + Handler<StreamEnded>,
{
    fn from(registry: Addr<A>) -> Self {
        Self { began: registry.clone().recipient(), ended: registry.recipient() }
    }
}

/// Audio as the rest of the server sees it.
#[derive(Clone)]
pub struct Audio {
    /// What the registry says.
    pub relay: ToRelay,
    /// Who listens by HTTP.
    pub tune: Recipient<Tune>,
    /// Ends all streams and connections.
    pub close: Recipient<CloseServer>,
    /// Where RTSP is spoken.
    pub addresses: Arc<[SocketAddr]>,
    /// Where it is spoken over TLS.
    pub secure_addresses: Arc<[SocketAddr]>,
}

/// Starts the relay.
pub fn start(
    opening: Opening,
    registry: ToRegistry,
    barrier: Barrier,
    config: &InForce,
    counters: Arc<Counters>,
    vigil: Vigil,
    log: &Logger,
) -> Audio {
    let Opening { thread, doors, addresses, secure_addresses } = opening;
    let (config, log) = (config.clone(), log.clone());
    let around = Around { registry, barrier, config, counters };
    let relay = Relay::start_in_arbiter(&thread, move |_| Relay::new(doors, around, vigil, log));
    Audio {
        relay: ToRelay {
            open: relay.clone().recipient(),
            admit: relay.clone().recipient(),
            shut: relay.clone().recipient(),
        },
        tune: relay.clone().recipient(),
        close: relay.recipient(),
        addresses: addresses.into(),
        secure_addresses: secure_addresses.into(),
    }
}

#[cfg(test)]
mod tests;
