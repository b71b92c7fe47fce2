//! What the relay tells.

use actix::{Context, Handler};

use super::{
    super::messages::{StreamBegan, StreamEnded},
    Registry,
};

impl Handler<StreamBegan> for Registry {
    type Result = ();

    fn handle(&mut self, _: StreamBegan, _: &mut Context<Self>) {}
}

impl Handler<StreamEnded> for Registry {
    type Result = ();

    fn handle(&mut self, _: StreamEnded, _: &mut Context<Self>) {}
}
