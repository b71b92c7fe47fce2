//! [`Command`]: what the program asks of the log, and [`Log`], which takes it without waiting.

use std::{fmt, ops::RangeInclusive};

use arauto_cluster::{Instance, frame::Head, transfer::MAX_STATE_BYTES};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::{
    error::SendError,
    room::{Reserved, Room},
};

/// Most commands that wait.
const MAX_WAITING_COMMANDS: usize = 256;

/// A request of the program to the log: one of the actions of `arauto_cluster::node` that concern it. Each may get lost, for
/// instance because no server is connected; a node asks again after a time. Bytes are not shown by `Debug`.
pub enum Command {
    /// Report the end of the log: [`Report::End`](crate::Report::End). Creates the stream if there is none, so only a node
    /// that joins sends this. Remembered until it can be answered.
    AskForEnd,
    /// Append this frame under the node's name. Lost unless a server is connected and the end of the log was reported.
    Append(Vec<u8>),
    /// Fetch the messages at these positions. What an earlier command of this kind asked for is forgotten, as far as it is
    /// not under way.
    Fetch(RangeInclusive<u64>),
    /// Report the messages that the log's leader has at these positions: [`Report::Verified`](crate::Report::Verified). At
    /// most 64.
    Verify(RangeInclusive<u64>),
    /// Send the state to an instance that joins. Lost while four are being sent.
    SendState {
        /// The instance that joins.
        to: Instance,
        /// The instance that sends.
        donor: Instance,
        /// The position as of which the state is.
        position: u64,
        /// The state.
        bytes: Vec<u8>,
    },
    /// Report the chunks of the state that are sent to this instance, and to no other. Remembered.
    ListenFor(Instance),
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AskForEnd => f.write_str("AskForEnd"),
            Self::Append(bytes) => write!(f, "Append({} bytes)", bytes.len()),
            Self::Fetch(positions) => write!(f, "Fetch({positions:?})"),
            Self::Verify(positions) => write!(f, "Verify({positions:?})"),
            Self::SendState { to, donor, position, bytes } => {
                write!(f, "SendState({} bytes for {position} from {donor} to {to})", bytes.len())
            }
            Self::ListenFor(instance) => write!(f, "ListenFor({instance})"),
        }
    }
}

impl Command {
    fn bytes(&self) -> usize {
        match self {
            Self::Append(bytes) | Self::SendState { bytes, .. } => bytes.len(),
            Self::AskForEnd | Self::Fetch(_) | Self::Verify(_) | Self::ListenFor(_) => 0,
        }
    }
}

/// A command that waits.
#[derive(Debug)]
pub struct Waiting {
    pub command: Command,
    /// Held as long as its bytes are.
    pub reserved: Reserved,
}

/// The log. Dropping this ends its thread.
#[derive(Debug)]
pub struct Log {
    commands: mpsc::Sender<Waiting>,
    room: Room,
}

impl Log {
    /// A log, and what its thread gets the commands from.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Waiting>) {
        let (commands, receiver) = mpsc::channel(MAX_WAITING_COMMANDS);
        (Self { commands, room: Room::new(MAX_STATE_BYTES) }, receiver)
    }

    /// Passes a command to the log's thread. Never waits.
    ///
    /// # Errors
    /// If 256 commands, or 256 MiB of frames and states, wait already; if what is to be appended is not a frame; or if
    /// the log has ended.
    pub fn send(&self, command: Command) -> Result<(), SendError> {
        if let Command::Append(bytes) = &command {
            Head::read(bytes).map_err(|_| SendError::NotAFrame)?;
        }
        let reserved = self.room.reserve(command.bytes()).ok_or(SendError::Full)?;
        self.commands.try_send(Waiting { command, reserved }).map_err(|error| match error {
            TrySendError::Full(_) => SendError::Full,
            TrySendError::Closed(_) => SendError::Ended,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_bounded_in_number_and_bytes() {
        let (log, mut receiver) = Log::new();
        for _ in 0..MAX_WAITING_COMMANDS {
            assert_eq!(log.send(Command::AskForEnd), Ok(()));
        }
        assert_eq!(log.send(Command::AskForEnd), Err(SendError::Full));
        while receiver.try_recv().is_ok() {}

        let state = |bytes| Command::SendState { to: Instance(1), donor: Instance(2), position: 3, bytes };
        assert_eq!(log.send(state(vec![0; MAX_STATE_BYTES])), Ok(()));
        assert_eq!(log.send(state(Vec::new())), Err(SendError::Full));
        drop(receiver.try_recv());
        assert_eq!(log.send(state(Vec::new())), Ok(()));
        drop(receiver);
        assert_eq!(log.send(Command::AskForEnd), Err(SendError::Ended));
    }

    #[test]
    fn only_frames_are_appended() {
        let (log, _receiver) = Log::new();
        assert_eq!(log.send(Command::Append(b"hello".to_vec())), Err(SendError::NotAFrame));
        let mut frame = vec![b'A', 1, 0, 0];
        frame.resize(arauto_cluster::frame::MAX_FRAME_BYTES, 0);
        assert_eq!(log.send(Command::Append(frame.clone())), Ok(()));
        frame.push(0);
        assert_eq!(log.send(Command::Append(frame)), Err(SendError::NotAFrame));
    }
}
