//! [`World`]: what all clients of a run share, and how they connect.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::journal::{Journal, Pace};
use crate::harness::{DEADLINE, cable::dial};

/// A run's clients, their machines and their clock.
pub struct World {
    pub stage: Stage,
    /// The namespace that the server is in; `None` is this machine.
    pub near: Option<String>,
    /// The server's address there.
    pub near_address: SocketAddr,
    /// The same for WebSockets.
    pub near_web: SocketAddr,
    /// The other machine, and the server's address from there.
    pub far: Option<(String, SocketAddr)>,
    /// Where the first client connects to instead.
    pub detour: Option<SocketAddr>,
    /// How many clients there are.
    pub slots: u16,
}

impl World {
    /// A connection from the server's machine.
    pub fn dial(&self, receive_buffer: Option<usize>) -> io::Result<TcpStream> {
        dial(self.near.as_deref(), self.near_address, receive_buffer)
    }

    /// A connection from the server's machine that is to become a WebSocket.
    pub fn dial_web(&self, receive_buffer: Option<usize>) -> io::Result<TcpStream> {
        dial(self.near.as_deref(), self.near_web, receive_buffer)
    }

    /// A connection by the detour, or as any other.
    pub fn dial_by_detour(&self) -> io::Result<TcpStream> {
        self.detour.map_or_else(|| self.dial(None), TcpStream::connect)
    }

    /// A connection from the other machine, if there is one.
    pub fn dial_from_afar(&self) -> Option<io::Result<TcpStream>> {
        let (namespace, address) = self.far.as_ref()?;
        Some(dial(Some(namespace), *address, None))
    }

    /// A netcat on the server's machine.
    pub fn netcat(&self) -> io::Result<Child> {
        let (ip, port) = (self.near_address.ip().to_string(), self.near_address.port().to_string());
        let mut command = match &self.near {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace, "nc"]);
                command
            }
            None => Command::new("nc"),
        };
        command.args([&ip, &port]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
    }
}

#[derive(Default)]
struct State {
    ending: bool,
    severed: bool,
    arrived: usize,
    readers: Vec<Weak<Journal>>,
}

/// Where all clients of a run stand.
#[derive(Default)]
pub struct Stage {
    state: Mutex<State>,
    changed: Condvar,
}

impl Stage {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass, until the run ends at the most. Whether it does.
    pub fn rest(&self, time: Duration) -> bool {
        let state = self.state();
        let waited = self.changed.wait_timeout_while(state, time, |state| !state.ending);
        waited.unwrap_or_else(PoisonError::into_inner).0.ending
    }

    pub fn is_ending(&self) -> bool {
        self.state().ending
    }

    /// A reader that is not to dawdle any more when the run ends.
    pub fn enroll(&self, reader: Weak<Journal>) {
        let mut state = self.state();
        state.readers.retain(|reader| reader.strong_count() > 0);
        state.readers.push(reader);
    }

    /// The run ends: nobody begins anything, and everybody reads.
    pub fn end(&self) {
        let mut state = self.state();
        state.ending = true;
        let readers = std::mem::take(&mut state.readers);
        drop(state);
        self.changed.notify_all();
        for reader in readers.iter().filter_map(Weak::upgrade) {
            reader.set_pace(Pace::Eager);
        }
    }

    /// The cable was cut, or mended.
    pub fn set_severed(&self, severed: bool) {
        self.state().severed = severed;
    }

    pub fn is_severed(&self) -> bool {
        self.state().severed
    }

    /// One client's messages are all carried out.
    pub fn arrive(&self) {
        self.state().arrived += 1;
        self.changed.notify_all();
    }

    /// Waits until all have arrived; whether they did in time.
    pub fn all_arrived(&self, count: usize) -> bool {
        let end = Instant::now() + 3 * DEADLINE;
        let mut state = self.state();
        while state.arrived < count {
            let Some(left) = end.checked_duration_since(Instant::now()) else { return false };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
