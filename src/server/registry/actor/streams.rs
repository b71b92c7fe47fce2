//! Forwards to [`Streams`](super::super::streams::Streams) the reports of the relay and timeouts of publishers.

use actix::{Context, Handler, Message};
use arauto_rtsp::StreamId;

use super::{
    super::streams::{Opening, StreamRequests},
    Registry,
};
use crate::server::messages::{StreamBegan, StreamEnded};

/// From the registry to itself: the time is over in which this publisher had to begin.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct PublishOver(pub StreamId, pub Opening);

impl Registry {
    /// Has a report change the streams, unless the server is closing.
    fn report(&mut self, ctx: &mut Context<Self>, report: impl FnOnce(&mut StreamRequests<'_>)) {
        self.begin_batch();
        if !self.closing {
            report(&mut self.streams());
            self.flush_later(ctx);
        }
    }
}

impl Handler<StreamBegan> for Registry {
    type Result = ();

    fn handle(&mut self, StreamBegan { stream }: StreamBegan, ctx: &mut Context<Self>) {
        self.report(ctx, |streams| streams.begun(stream));
    }
}

impl Handler<StreamEnded> for Registry {
    type Result = ();

    fn handle(&mut self, StreamEnded { stream, why }: StreamEnded, ctx: &mut Context<Self>) {
        self.report(ctx, |streams| streams.ended(stream, why));
    }
}

impl Handler<PublishOver> for Registry {
    type Result = ();

    fn handle(&mut self, PublishOver(stream, opening): PublishOver, ctx: &mut Context<Self>) {
        self.report(ctx, |streams| streams.publish_over(stream, opening));
    }
}
