//! [`Life`]: a session of a client that writes letters and records what it receives.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    process::{Child, ChildStdin},
    sync::{Arc, Weak},
    thread::JoinHandle,
    time::Duration,
};

use super::{
    check::{Conduct, End, Heard, History, Sent, What},
    connection::Connection,
    journal::{Journal, Pace, tick},
    letter::{Id, Letter, To, name},
    speech::{Ear, Speech},
};
use crate::harness::DEADLINE;

/// Maximum time that a reader blocks before it checks whether it must stop.
const LOOK_UP: Duration = Duration::from_millis(20);

/// The transport of a session.
pub enum Link {
    Socket(Arc<TcpStream>),
    /// A netcat, so that a process can be killed.
    Program(Child, ChildStdin),
}

impl Link {
    pub fn socket(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(LOOK_UP))?;
        stream.set_write_timeout(Some(2 * DEADLINE))?;
        Ok(Self::Socket(Arc::new(stream)))
    }

    /// A program that connects its standard input and output to the server.
    pub fn program(mut child: Child) -> Self {
        let stdin = child.stdin.take().expect("a pipe to it");
        Self::Program(child, stdin)
    }

    fn reader(&mut self) -> Box<dyn Read + Send> {
        match self {
            Self::Socket(stream) => Box::new(SharedStream(Arc::clone(stream))),
            Self::Program(child, _) => Box::new(child.stdout.take().expect("a pipe from it")),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Socket(stream) => (&**stream).write_all(bytes),
            Self::Program(_, stdin) => stdin.write_all(bytes),
        }
    }
}

struct SharedStream(Arc<TcpStream>);

impl Read for SharedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

/// A session whose name is confirmed.
pub struct Life {
    id: Id,
    conduct: Conduct,
    link: Link,
    speech: Speech,
    journal: Arc<Journal>,
    reader: JoinHandle<()>,
    sent: Vec<Sent>,
    echoes: u32,
    connection: Option<Connection>,
}

/// A history, and the connection by which the client is found in a server's log. `None` if it ended before its addresses
/// were read.
pub struct Recorded {
    pub history: History,
    pub connection: Option<Connection>,
}

impl Life {
    /// Sends the client's name and waits for the answer. If the name is not confirmed, the error is what was recorded.
    pub fn begin(id: Id, speech: Speech, mut link: Link) -> Result<Self, Box<Recorded>> {
        let journal = Arc::new(Journal::new(id));
        let (source, notes) = (link.reader(), Arc::clone(&journal));
        let reader = std::thread::spawn(move || read_all(source, Ear::of(speech), &notes));
        let conduct = Conduct::Eager;
        let (sent, connection) = (Vec::new(), None);
        let mut life = Self { id, conduct, link, speech, journal, reader, sent, echoes: 0, connection };
        let bytes = [speech.greeting(), &speech.framed(&name(id.slot))].concat();
        let written = life.link.write_all(&bytes).is_ok();
        let told = written && life.journal.wait(|notes| notes.joined.is_some() || notes.refused.is_some());
        life.connection = Connection::of(&life.link);
        if told && life.journal.notes().joined.is_some() { Ok(life) } else { Err(Box::new(life.give_up())) }
    }

    /// Whether the connection has ended.
    pub fn is_over(&self) -> bool {
        self.journal.notes().over.is_some()
    }

    /// Changes how the client reads, and records that in its conduct.
    pub fn read_at(&mut self, pace: Pace) {
        match (pace, self.conduct) {
            (Pace::Stalled, _) => self.conduct = Conduct::Remiss,
            (Pace::Trickling(..), Conduct::Eager) => self.conduct = Conduct::Trickling,
            _ => {}
        }
        self.journal.set_pace(pace);
    }

    /// Records that the client's network is unreliable.
    pub fn is_far_away(&mut self) {
        self.conduct = Conduct::Remiss;
    }

    /// Writes letters in one write. Returns `false` if it fails.
    pub fn send(&mut self, letters: impl IntoIterator<Item = (To, u16)>) -> bool {
        let bytes = self.letters(letters);
        self.link.write_all(&bytes).is_ok()
    }

    fn letters(&mut self, letters: impl IntoIterator<Item = (To, u16)>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (to, size) in letters {
            let number = u32::try_from(self.sent.len()).expect("fewer messages");
            self.sent.push(Sent { at: tick(), to, size });
            self.echoes += u32::from(to == To::Myself);
            let letter = Letter { from: self.id, number, to, size };
            bytes.extend_from_slice(&self.speech.framed(&letter.line()));
        }
        bytes
    }

    /// Writes letters in one write, without the last `missing` bytes.
    pub fn send_torn(&mut self, letters: impl IntoIterator<Item = (To, u16)>, missing: usize) {
        let bytes = self.letters(letters);
        // Fails if the session has already ended; the caller ends it anyway.
        let _ = self.link.write_all(&bytes[..bytes.len().saturating_sub(missing)]);
    }

    /// Sends a last echo and waits for it: then the server has carried out all messages of this session. Returns
    /// `false` if the echo does not come back, or if the session has ended.
    pub fn settle(&mut self) -> bool {
        let sent = self.send([(To::Myself, 0)]);
        let echoes = self.echoes;
        sent && self.journal.wait(|notes| notes.echoes == echoes) && !self.is_over()
    }

    /// Sends `exit` and reads to the end.
    pub fn exit(mut self) -> Recorded {
        let leaving = tick();
        let line = self.speech.framed(&format!("{} | server | exit | no data", name(self.id.slot)));
        self.read_at(Pace::Eager);
        let written = self.link.write_all(&line).is_ok();
        self.read_to_the_end(written.then_some(End::Exited(leaving)), What::Goodbye)
    }

    /// Closes its sending side and reads to the end.
    pub fn finish(mut self) -> Recorded {
        let leaving = tick();
        self.read_at(Pace::Eager);
        let shut = match &self.link {
            Link::Socket(stream) => stream.shutdown(Shutdown::Write).is_ok(),
            Link::Program(..) => unreachable!("netcat is killed"),
        };
        self.journal.wait(|_| false);
        let in_order = shut && self.journal.notes().over == Some(true) && self.last_words().is_none();
        self.record(if in_order { End::Finished(leaving) } else { End::Cut })
    }

    /// Reads until the server closes.
    pub fn stay(mut self) -> Recorded {
        self.read_at(Pace::Eager);
        self.read_to_the_end(Some(End::Stayed), What::Closed)
    }

    /// Reads what is left of a session that the server or the network ended.
    pub fn mourn(mut self) -> Recorded {
        self.read_at(Pace::Eager);
        self.read_to_the_end(None, What::Closed)
    }

    /// Reads to the end. Records `end` if the last line received is `last`, and [`End::Cut`] otherwise.
    fn read_to_the_end(mut self, end: Option<End>, last: What) -> Recorded {
        if let Link::Program(child, _) = &mut self.link {
            // Netcat does not exit at the end of its connection while its input is open.
            self.journal.wait(|notes| notes.heard.last().is_some_and(|heard| heard.what == last));
            let _ = child.kill();
        }
        self.journal.wait(|_| false);
        let is_last = self.last_words() == Some(last);
        let end = end.filter(|_| is_last).unwrap_or(End::Cut);
        self.record(end)
    }

    fn last_words(&self) -> Option<What> {
        let notes = self.journal.notes();
        let last = notes.heard.last().map(|heard| heard.what.clone());
        last.filter(is_last)
    }

    /// Kills a program with SIGKILL, or resets a socket.
    pub fn die(mut self) -> Recorded {
        match &mut self.link {
            Link::Program(child, _) => {
                child.kill().expect("a child to kill");
                child.wait().expect("a child that dies");
            }
            Link::Socket(stream) => {
                // Closing a socket with a linger time of 0 resets the connection. Dropping its last handle closes it.
                let _ = socket2::SockRef::from(&**stream).set_linger(Some(Duration::ZERO));
            }
        }
        self.give_up()
    }

    /// Abandons the session without reading further.
    pub fn give_up(self) -> Recorded {
        self.journal.stop();
        self.record(End::Gone)
    }

    fn record(self, end: End) -> Recorded {
        let Self { id, conduct, link, journal, reader, sent, connection, .. } = self;
        journal.stop();
        if let Link::Program(mut child, stdin) = link {
            drop(stdin);
            // Fails if the process has already ended.
            let _ = child.kill();
            let _ = child.wait();
        }
        reader.join().expect("a reader that does not panic");
        let mut notes = journal.notes();
        let (joined, mut heard) = (notes.joined, std::mem::take(&mut notes.heard));
        // The last message may be incomplete if the client died, or if the server disconnected it as a slow reader.
        let has_last_words = heard.last().is_some_and(|heard| is_last(&heard.what));
        if !notes.rest.is_empty() && (has_last_words || !matches!(end, End::Cut | End::Gone)) {
            let what = What::Strange(format!("{} and the end", notes.rest.escape_ascii()));
            heard.push(Heard { at: tick(), what });
        }
        let history = History { id, conduct, joined, sent, heard, end, reason: None };
        Recorded { history, connection }
    }

    /// The journal of its reader, through which another thread can change the reader's pace.
    pub fn reader(&self) -> Weak<Journal> {
        Arc::downgrade(&self.journal)
    }
}

/// Whether the server sends nothing more after this line.
fn is_last(what: &What) -> bool {
    matches!(what, What::Cut(_) | What::Closed | What::Goodbye)
}

/// Reads and records messages until the connection ends or the journal says to stop.
fn read_all(mut source: Box<dyn Read + Send>, mut ear: Ear, journal: &Journal) {
    let mut buffer = vec![0; 64 * 1024];
    let mut unread: Vec<u8> = Vec::new();
    let in_order = loop {
        let Some(room) = journal.turn(buffer.len()) else { break false };
        match source.read(&mut buffer[..room]) {
            Ok(0) => break true,
            Ok(read) => unread.extend_from_slice(&buffer[..read]),
            Err(error) if is_passing(error.kind()) => continue,
            Err(_) => break false,
        }
        ear.take(&mut unread, |message| journal.note(message));
    };
    journal.note_end(in_order, unread);
}

fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
