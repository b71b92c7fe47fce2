//! [`Listener`]: plays a stream on a thread of its own, so that no other work delays it.

use std::{io, thread};

use tokio::{
    runtime, select,
    sync::{mpsc, oneshot, watch},
};

use super::{
    player::{PlaybackCommand, PlaybackError, PlaybackOptions, PlaybackProgress, Played, play},
    sink::Output,
    volume::Volume,
};
use crate::{dial::Dialer, rtsp::Transport};

/// Capacity of the queue of commands to the player thread.
const MAX_COMMANDS: usize = 8;

/// A stream that plays or is about to. Dropping it stops the stream.
pub struct Listener {
    commands: mpsc::Sender<PlaybackCommand>,
    progress: watch::Receiver<PlaybackProgress>,
    over: oneshot::Receiver<Result<Played, PlaybackError>>,
}

/// An event of a [`Listener`].
#[derive(Debug)]
pub enum Heard {
    /// New progress.
    More(PlaybackProgress),
    /// The stream ended, or failed.
    Over(Result<Played, PlaybackError>),
}

impl Listener {
    /// Starts playing the stream at `address` to the sound card.
    ///
    /// # Errors
    /// If the runtime or the thread cannot be created.
    pub fn spawn(dialer: Dialer, address: String, volume: Volume) -> io::Result<Self> {
        let (commands, mut received) = mpsc::channel(MAX_COMMANDS);
        let (tell, progress) = watch::channel(PlaybackProgress::default());
        let (end, over) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("player".to_owned()).spawn(move || {
            let heard = runtime.block_on(async {
                let ready = Output::Card.prepare()?;
                let wanted = PlaybackOptions {
                    dialer: &dialer,
                    address: &address,
                    way: Transport::Udp,
                    ready,
                    volume,
                };
                play(wanted, &mut received, &tell).await
            });
            // The receiver is gone if the listener was dropped.
            let _ = end.send(heard);
        })?;
        Ok(Self { commands, progress, over })
    }

    /// Waits for the next event. Cancel-safe. Must not be called again after [`Heard::Over`].
    pub async fn next(&mut self) -> Heard {
        select! {
            biased;
            over = &mut self.over => {
                Heard::Over(over.unwrap_or_else(|_| Err(PlaybackError::Sink(io::Error::other("the player died")))))
            }
            Ok(()) = self.progress.changed() => Heard::More(self.progress.borrow_and_update().clone()),
        }
    }

    /// Sends a command to the player thread. Drops the command if the queue is full.
    pub fn command(&self, command: PlaybackCommand) {
        let _ = self.commands.try_send(command);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.command(PlaybackCommand::Stop);
    }
}
