//! [`Life`]: one session of a client that writes letters and records what it hears.

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
    journal::{Journal, Pace, tick},
    letter::{Id, Letter, To, name},
    speech::{Ear, Speech},
};
use crate::harness::DEADLINE;

/// How long a reader waits at the most before it looks whether it is to stop.
const LOOK_UP: Duration = Duration::from_millis(20);

/// What carries a session.
pub enum Link {
    Socket(Arc<TcpStream>),
    /// A netcat, so that it is a process that dies.
    Program(Child, ChildStdin),
}

impl Link {
    pub fn socket(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(LOOK_UP))?;
        stream.set_write_timeout(Some(2 * DEADLINE))?;
        Ok(Self::Socket(Arc::new(stream)))
    }

    /// A program that passes on what it reads and writes.
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

/// A session that has begun.
pub struct Life {
    id: Id,
    conduct: Conduct,
    link: Link,
    speech: Speech,
    journal: Arc<Journal>,
    reader: JoinHandle<()>,
    sent: Vec<Sent>,
    echoes: u32,
    /// The client's own address, by which the log knows it.
    peer: Option<String>,
}

/// A history, and by which address the log knows it.
pub struct Recorded {
    pub history: History,
    pub peer: Option<String>,
}

impl Life {
    /// Asks for its name. `Ok` once it has it; else what there is to record.
    pub fn begin(id: Id, speech: Speech, mut link: Link) -> Result<Self, Box<Recorded>> {
        let journal = Arc::new(Journal::new(id));
        let peer = match &link {
            Link::Socket(stream) => stream.local_addr().ok().map(|address| address.to_string()),
            Link::Program(..) => None,
        };
        let (source, notes) = (link.reader(), Arc::clone(&journal));
        let reader = std::thread::spawn(move || read_all(source, Ear::of(speech), &notes));
        let conduct = Conduct::Eager;
        let mut life = Self { id, conduct, link, speech, journal, reader, sent: Vec::new(), echoes: 0, peer };
        let bytes = [speech.greeting(), &speech.framed(&name(id.slot))].concat();
        let written = life.link.write_all(&bytes).is_ok();
        let told = written && life.journal.wait(|notes| notes.joined.is_some() || notes.refused.is_some());
        if told && life.journal.notes().joined.is_some() { Ok(life) } else { Err(Box::new(life.give_up())) }
    }

    /// Whether nothing more comes.
    pub fn is_over(&self) -> bool {
        self.journal.notes().over.is_some()
    }

    /// How it reads from here on.
    pub fn read_at(&mut self, pace: Pace) {
        match (pace, self.conduct) {
            (Pace::Stalled, _) => self.conduct = Conduct::Remiss,
            (Pace::Trickling(..), Conduct::Eager) => self.conduct = Conduct::Trickling,
            _ => {}
        }
        self.journal.set_pace(pace);
    }

    /// The network is not to be relied on from here on.
    pub fn is_far_away(&mut self) {
        self.conduct = Conduct::Remiss;
    }

    /// Writes letters in one go. `false` if that fails.
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

    /// Writes letters, of which not the last part.
    pub fn send_torn(&mut self, letters: impl IntoIterator<Item = (To, u16)>, missing: usize) {
        let bytes = self.letters(letters);
        // That it dies of something else before is as well.
        let _ = self.link.write_all(&bytes[..bytes.len().saturating_sub(missing)]);
    }

    /// Waits until all that it sent was carried out: its last echo comes back. `false` if it did not.
    pub fn settle(&mut self) -> bool {
        let sent = self.send([(To::Myself, 0)]);
        let echoes = self.echoes;
        sent && self.journal.wait(|notes| notes.echoes == echoes) && !self.is_over()
    }

    /// Leaves by `exit`.
    pub fn exit(mut self) -> Recorded {
        let leaving = tick();
        let line = self.speech.framed(&format!("{} | server | exit | no data", name(self.id.slot)));
        self.read_at(Pace::Eager);
        let written = self.link.write_all(&line).is_ok();
        self.read_to_the_end(written.then_some(End::Exited(leaving)), What::Goodbye)
    }

    /// Ends its sending side and reads the rest.
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

    /// Reads on until the server closes.
    pub fn stay(mut self) -> Recorded {
        self.read_at(Pace::Eager);
        self.read_to_the_end(Some(End::Stayed), What::Closed)
    }

    /// The server or the network ended it: reads what there still is.
    pub fn mourn(mut self) -> Recorded {
        self.read_at(Pace::Eager);
        self.read_to_the_end(None, What::Closed)
    }

    /// Ends as asked for, if the last that it hears is what it should be.
    fn read_to_the_end(mut self, end: Option<End>, last: What) -> Recorded {
        if let Link::Program(child, _) = &mut self.link {
            // It stays when its connection has ended, until its input does.
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

    /// Dies: a program by SIGKILL, a socket by a reset.
    pub fn die(mut self) -> Recorded {
        match &mut self.link {
            Link::Program(child, _) => {
                child.kill().expect("a child to kill");
                child.wait().expect("a child that dies");
            }
            Link::Socket(stream) => {
                // Closing with a linger of zero resets the connection. It is closed with the last handle to it.
                let _ = socket2::SockRef::from(&**stream).set_linger(Some(Duration::ZERO));
            }
        }
        self.give_up()
    }

    /// Ends by itself, however that comes about.
    pub fn give_up(self) -> Recorded {
        self.journal.stop();
        self.record(End::Gone)
    }

    fn record(self, end: End) -> Recorded {
        let Self { id, conduct, link, journal, reader, sent, peer, .. } = self;
        journal.stop();
        if let Link::Program(mut child, stdin) = link {
            drop(stdin);
            // It may be dead already.
            let _ = child.kill();
            let _ = child.wait();
        }
        reader.join().expect("a reader that does not panic");
        let mut notes = journal.notes();
        let (joined, mut heard) = (notes.joined, std::mem::take(&mut notes.heard));
        // Of one that died, or was given up because it did not read, a message may be left in the middle.
        let has_last_words = heard.last().is_some_and(|heard| is_last(&heard.what));
        if !notes.rest.is_empty() && (has_last_words || !matches!(end, End::Cut | End::Gone)) {
            let what = What::Strange(format!("{} and the end", notes.rest.escape_ascii()));
            heard.push(Heard { at: tick(), what });
        }
        let history = History { id, conduct, joined, sent, heard, end, reason: None };
        Recorded { history, peer }
    }

    /// What its reader writes to, for whoever may tell it to hurry.
    pub fn reader(&self) -> Weak<Journal> {
        Arc::downgrade(&self.journal)
    }
}

/// Whether nothing may come after that.
fn is_last(what: &What) -> bool {
    matches!(what, What::Cut(_) | What::Closed | What::Goodbye)
}

/// Notes lines until the end, or until told to stop.
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
