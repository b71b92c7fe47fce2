//! [`Listener`]: plays a stream on a thread of its own, so that no other work delays it.

use std::{io, thread};

use tokio::{
    runtime, select,
    sync::{mpsc, oneshot, watch},
};

use super::{
    player::{Failed, Order, Played, Progress, Wanted, play},
    sink::Output,
    volume::Volume,
};
use crate::{dial::Dialer, rtsp::Way};

/// Capacity of the queue of orders to the player thread.
const MAX_ORDERS: usize = 8;

/// A stream that plays or is about to. Dropping it stops the stream.
pub struct Listener {
    orders: mpsc::Sender<Order>,
    progress: watch::Receiver<Progress>,
    over: oneshot::Receiver<Result<Played, Failed>>,
}

/// An event of a [`Listener`].
#[derive(Debug)]
pub enum Heard {
    /// New progress.
    More(Progress),
    /// The stream ended, or failed.
    Over(Result<Played, Failed>),
}

impl Listener {
    /// Starts playing the stream at `address` to the sound card.
    ///
    /// # Errors
    /// If the runtime or the thread cannot be created.
    pub fn begin(dialer: Dialer, address: String, volume: Volume) -> io::Result<Self> {
        let (orders, mut ordered) = mpsc::channel(MAX_ORDERS);
        let (tell, progress) = watch::channel(Progress::default());
        let (end, over) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("player".to_owned()).spawn(move || {
            let heard = runtime.block_on(async {
                let ready = Output::Card.prepare()?;
                let wanted = Wanted { dialer: &dialer, address: &address, way: Way::Udp, ready, volume };
                play(wanted, &mut ordered, &tell).await
            });
            // The receiver is gone if the listener was dropped.
            let _ = end.send(heard);
        })?;
        Ok(Self { orders, progress, over })
    }

    /// Waits for the next event. Cancel-safe. Must not be called again after [`Heard::Over`].
    pub async fn next(&mut self) -> Heard {
        select! {
            biased;
            over = &mut self.over => {
                Heard::Over(over.unwrap_or_else(|_| Err(Failed::Sink(io::Error::other("the player died")))))
            }
            Ok(()) = self.progress.changed() => Heard::More(self.progress.borrow_and_update().clone()),
        }
    }

    /// Sends an order to the player thread. Drops the order if the queue is full.
    pub fn order(&self, order: Order) {
        let _ = self.orders.try_send(order);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.order(Order::Stop);
    }
}
