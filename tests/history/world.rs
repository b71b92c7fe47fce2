//! [`World`]: the addresses and the state that all clients of a run share.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::journal::{Journal, Pace};
use crate::harness::{DEADLINE, cable::dial, process::Process};

/// The means by which the clients of a run connect, and the state of the run.
pub struct World {
    pub stage: Stage,
    /// The namespace of the server and the near clients; `None` for this machine's own.
    pub near: Option<String>,
    /// The addresses of the server, or of each node of a cluster, in that namespace.
    pub doors: Vec<Mutex<Door>>,
    /// The namespace of the other machine, and the server's address as seen from it.
    pub far: Option<(String, SocketAddr)>,
    /// The address to which the first client connects instead.
    pub detour: Option<SocketAddr>,
    /// Number of clients.
    pub slots: u16,
}

/// The addresses of a server in its namespace.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    pub address: SocketAddr,
    /// The address for WebSockets.
    pub web: SocketAddr,
}

impl Door {
    pub fn of(server: &Process) -> Self {
        Self { address: server.addresses()[0], web: server.web_address() }
    }
}

impl World {
    /// The node at which a client connects: clients take turns.
    fn door(&self, slot: u16) -> Door {
        let door = &self.doors[usize::from(slot) % self.doors.len()];
        *door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the addresses of a node that was started again.
    pub fn set_door(&self, node: usize, door: Door) {
        *self.doors[node].lock().unwrap_or_else(PoisonError::into_inner) = door;
    }

    /// Connects from the server's machine.
    pub fn dial(&self, slot: u16, receive_buffer: Option<usize>) -> io::Result<TcpStream> {
        dial(self.near.as_deref(), self.door(slot).address, receive_buffer)
    }

    /// Connects from the server's machine to the address for WebSockets.
    pub fn dial_web(&self, slot: u16, receive_buffer: Option<usize>) -> io::Result<TcpStream> {
        dial(self.near.as_deref(), self.door(slot).web, receive_buffer)
    }

    /// Connects the first client to the detour if there is one, and as [`Self::dial`] otherwise.
    pub fn dial_by_detour(&self) -> io::Result<TcpStream> {
        self.detour.map_or_else(|| self.dial(0, None), TcpStream::connect)
    }

    /// Connects from the other machine; `None` if there is none.
    pub fn dial_from_afar(&self) -> Option<io::Result<TcpStream>> {
        let (namespace, address) = self.far.as_ref()?;
        Some(dial(Some(namespace), *address, None))
    }

    /// Starts a netcat on the server's machine.
    pub fn netcat(&self, slot: u16) -> io::Result<Child> {
        let Door { address, .. } = self.door(slot);
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
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

/// The state of a run, and an event for its changes.
#[derive(Default)]
pub struct Stage {
    state: Mutex<State>,
    changed: Condvar,
}

impl Stage {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `time` or until the run ends. Returns whether the run is ending.
    pub fn rest(&self, time: Duration) -> bool {
        let state = self.state();
        let waited = self.changed.wait_timeout_while(state, time, |state| !state.ending);
        waited.unwrap_or_else(PoisonError::into_inner).0.ending
    }

    pub fn is_ending(&self) -> bool {
        self.state().ending
    }

    /// Registers a reader that has to read at full speed when the run ends.
    pub fn enroll(&self, reader: Weak<Journal>) {
        let mut state = self.state();
        state.readers.retain(|reader| reader.strong_count() > 0);
        state.readers.push(reader);
    }

    /// Ends the run: clients begin nothing new, and all registered readers read at full speed.
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

    /// Records whether the cable is cut for seconds.
    pub fn set_severed(&self, severed: bool) {
        self.state().severed = severed;
    }

    pub fn is_severed(&self) -> bool {
        self.state().severed
    }

    /// Counts a client that has settled, or that has no session.
    pub fn arrive(&self) {
        self.state().arrived += 1;
        self.changed.notify_all();
    }

    /// Waits until `count` clients have arrived; `false` if that takes more than 3 × [`DEADLINE`].
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
