//! [`Publication`]: one requested file, and the task that sends it.

use std::time::Duration;

use arauto_rtsp::Description;
use arauto_settings::escape::Printable;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::{Broadcast, Control, NoReading, OnAir, Over, PublishProgress, Reading};
use crate::{
    dial::Dialer,
    files::Opener,
    rtsp::{StreamSession, Transport},
};

/// Time that opening and probing a file may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(8);
/// Capacity of the queue of controls to the task. Further controls are dropped: no user types that fast.
const MAX_CONTROLS: usize = 8;

/// State of a file that is played or about to be.
pub(super) struct Publication {
    /// Name under which this client was asked.
    pub own: String,
    /// Name of the client that asked first.
    pub by: String,
    /// Name of the file as `list_files` writes it.
    pub file: String,
    controls: mpsc::Sender<Control>,
    progress: watch::Receiver<PublishProgress>,
    has_begun: bool,
    /// Length of the file, if known.
    length: Option<Duration>,
}

/// The task's ends of the channels.
pub(super) struct Task {
    pub file: String,
    pub controls: mpsc::Receiver<Control>,
    pub progress: watch::Sender<PublishProgress>,
}

/// Sent by the task when playback begins.
pub(super) struct Began {
    pub file: String,
    pub length: Option<Duration>,
}

/// Outcome of the task, in words fit for printing.
pub(super) enum Outcome {
    /// Nothing was played, for this reason.
    NotBegun(String),
    /// Playback is over. Holds the reason, if that is not the end of the file.
    Over(Option<String>),
}

impl Outcome {
    /// The task panicked.
    pub fn fallen() -> Self {
        Self::Over(Some("something went wrong here".to_owned()))
    }
}

impl Publication {
    pub fn new(own: String, by: String, file: String) -> (Self, Task) {
        let (controls, taken) = mpsc::channel(MAX_CONTROLS);
        let (progress, shown) = watch::channel(PublishProgress::default());
        let task = Task { file: file.clone(), controls: taken, progress };
        (Self { own, by, file, controls, progress: shown, has_begun: false, length: None }, task)
    }

    pub fn begun(&mut self, length: Option<Duration>) {
        (self.has_begun, self.length) = (true, length);
    }

    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether the task no longer receives controls.
    pub fn is_fallen(&self) -> bool {
        self.controls.is_closed()
    }

    pub fn control(&self, control: Control) {
        let _ = self.controls.try_send(control);
    }

    pub fn shown(&self) -> OnAir {
        let PublishProgress { elapsed, is_paused } = *self.progress.borrow();
        let (file, by) = (self.file.clone(), self.by.clone());
        OnAir { file, by, elapsed, length: self.length, is_paused }
    }
}

/// Plays a file to the server at the address `rtsp` until the file ends.
pub(super) async fn run(
    folder: &Opener,
    dialer: &Dialer,
    rtsp: &str,
    file: &str,
    (controls, progress, began): (
        mpsc::Receiver<Control>,
        watch::Sender<PublishProgress>,
        mpsc::Sender<Began>,
    ),
) -> Outcome {
    let not_begun = |why: &dyn std::fmt::Display| Outcome::NotBegun(Printable(why).to_string());
    let (folder, name) = (folder.clone(), file.to_owned());
    let reading = match timeout(OPEN_TIMEOUT, Reading::spawn(move || folder.open(&name))).await {
        Ok(Ok(reading)) => reading,
        Ok(Err(why)) => return not_begun(&why),
        Err(_) => return not_begun(&NoReading::from(std::io::Error::from(std::io::ErrorKind::TimedOut))),
    };
    let length = reading.length;
    let description = Description::new(reading.format, file, length);
    let broadcast = match StreamSession::publish(dialer, rtsp, &description, Transport::Udp).await {
        Ok(session) => Broadcast::new(session, reading, progress),
        Err(why) => return not_begun(&why),
    };
    let broadcast = match broadcast {
        Ok(broadcast) => broadcast,
        Err(why) => return not_begun(&why),
    };
    // If this is not received, the outcome still is.
    let _ = began.send(Began { file: file.to_owned(), length }).await;
    Outcome::Over(match broadcast.run(controls).await {
        Ok(Over::Finished) => None,
        Ok(Over::Stopped) => Some("you stopped it".to_owned()),
        Ok(Over::Closed) => Some("the server ended it".to_owned()),
        Ok(Over::CutOff(why)) => Some(Printable(why).to_string()),
        Err(failure) => Some(Printable(failure).to_string()),
    })
}
