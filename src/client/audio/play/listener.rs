//! [`Listener`]: a stream that is heard on a thread of its own, so that nothing else holds it up.

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
use crate::client::{dial::Dialer, rtsp::Way};

/// Orders that were not carried out yet.
const MOST_ORDERS: usize = 8;

/// A stream that is heard, or is about to be. Dropped, it ends.
pub struct Listener {
    orders: mpsc::Sender<Order>,
    progress: watch::Receiver<Progress>,
    over: oneshot::Receiver<Result<Played, Failed>>,
}

/// What happens with it.
#[derive(Debug)]
pub enum Heard {
    /// It goes on.
    More(Progress),
    /// It is over: how it ended, or why it failed.
    Over(Result<Played, Failed>),
}

impl Listener {
    /// Begins to listen to the stream at this address.
    ///
    /// # Errors
    /// If there are no threads.
    pub fn begin(dialer: Dialer, address: String, volume: Volume) -> io::Result<Self> {
        let (orders, mut ordered) = mpsc::channel(MOST_ORDERS);
        let (tell, progress) = watch::channel(Progress::default());
        let (end, over) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("player".to_owned()).spawn(move || {
            let heard = runtime.block_on(async {
                let ready = Output::Card.prepare()?;
                let wanted = Wanted { dialer: &dialer, address: &address, way: Way::Udp, ready, volume };
                play(wanted, &mut ordered, &tell).await
            });
            // Who listens no more does not want to know.
            let _ = end.send(heard);
        })?;
        Ok(Self { orders, progress, over })
    }

    /// What happens next. Dropped before it is done, it loses nothing. Not to be called again after [`Heard::Over`].
    pub async fn next(&mut self) -> Heard {
        select! {
            biased;
            over = &mut self.over => {
                Heard::Over(over.unwrap_or_else(|_| Err(Failed::Sink(io::Error::other("the player died")))))
            }
            Ok(()) = self.progress.changed() => Heard::More(self.progress.borrow_and_update().clone()),
        }
    }

    /// Has this done. Where too many orders wait, it is not.
    pub fn order(&self, order: Order) {
        let _ = self.orders.try_send(order);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.order(Order::Stop);
    }
}
