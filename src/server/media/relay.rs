//! [`Relay`]: the actor that opens and closes streams.

use std::sync::Arc;

use actix::{Actor, Context, Handler};
use slog::Logger;

use super::{
    super::{
        messages::{AdmitListener, CloseServer, NotTuned, OpenStream, ShutStream, Tune},
        tally::Tally,
        vigil::Vigil,
    },
    Door, ToRegistry,
};
use crate::config::InForce;

/// The actor.
pub struct Relay {
    _doors: Vec<Door>,
    _vigil: Vigil,
}

impl Relay {
    /// Has these doors, and tells the registry.
    pub fn new(
        doors: Vec<Door>,
        _registry: ToRegistry,
        _config: InForce,
        _tally: Arc<Tally>,
        vigil: Vigil,
        _log: Logger,
    ) -> Self {
        Self { _doors: doors, _vigil: vigil }
    }
}

impl Actor for Relay {
    type Context = Context<Self>;
}

impl Handler<OpenStream> for Relay {
    type Result = ();

    fn handle(&mut self, _: OpenStream, _: &mut Context<Self>) {}
}

impl Handler<AdmitListener> for Relay {
    type Result = ();

    fn handle(&mut self, _: AdmitListener, _: &mut Context<Self>) {}
}

impl Handler<ShutStream> for Relay {
    type Result = ();

    fn handle(&mut self, _: ShutStream, _: &mut Context<Self>) {}
}

impl Handler<Tune> for Relay {
    type Result = ();

    fn handle(&mut self, tune: Tune, _: &mut Context<Self>) {
        // Whoever asked may be gone.
        let _ = tune.answer.send(Err(NotTuned::Unknown));
    }
}

impl Handler<CloseServer> for Relay {
    type Result = ();

    fn handle(&mut self, _: CloseServer, _: &mut Context<Self>) {}
}
