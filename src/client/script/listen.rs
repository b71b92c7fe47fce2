//! `arauto listen`: messages in, one line each.

use std::time::SystemTime;

use tokio::{select, sync::mpsc::Sender, time::Instant};

use super::{
    Errand, Failure,
    show::{self, Form},
};
use crate::client::{
    decoder::Item,
    dial::Dialer,
    files::{self, Listing},
    leaving::{LEAVE_WITHIN, exit},
    meaning::Meaning,
    moment::reached,
    names::in_sentence,
    output::{Noise, Printer, say},
    signals::Signals,
    text::MESSAGE_BYTES,
    wire,
};
use crate::protocol::Line;

/// What to print.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// In which form.
    pub form: Form,
    /// From this one alone.
    pub from: Option<String>,
    /// So many, and then no more.
    pub count: Option<u64>,
    /// Whether to say on standard error under which name it has joined.
    pub verbose: bool,
}

/// Prints what is received, until there was enough of it, the server ends, standard output is closed, or SIGINT or
/// SIGTERM says so. Questions for files are answered and not printed.
///
/// # Errors
/// If the connection breaks, or the server ends before there was enough.
pub async fn listen(dialer: &Dialer, name: &str, wanted: Wanted) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(Failure::Input)?;
    let (name, mut receiver, sender) = Errand::begin(dialer, name).await?.into_parts();
    if wanted.verbose {
        say(&format!("joined as {name}"));
    }
    let mut printer = Printer::begin().map_err(Failure::Output)?;
    let outgoing = wire::queue(sender);
    let mut listening = Listening {
        name,
        wanted,
        outgoing,
        line: None,
        leaving: None,
        ended: false,
        noise: Noise::default(),
    };
    let end = listening.run(&mut receiver, &mut printer, &mut signals).await;
    // Whatever the end was, what came before is not lost; but a second signal does not wait for a reader.
    select! {
        written = printer.finish() => written.map_err(Failure::Output)?,
        () = signals.next() => {}
    }
    end
}

struct Listening {
    name: String,
    wanted: Wanted,
    outgoing: Sender<Line>,
    /// Received, and not yet with the printer.
    line: Option<String>,
    /// It has been said that we leave; until when the confirmation is waited for.
    leaving: Option<Instant>,
    /// Nothing more is to be printed than `line`.
    ended: bool,
    noise: Noise,
}

impl Listening {
    async fn run(
        &mut self,
        receiver: &mut wire::Receiver,
        printer: &mut Printer,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        loop {
            if self.enough() && self.leaving.is_none() {
                self.leave();
            }
            let until = self.leaving;
            let lines = printer.lines.clone();
            select! {
                place = lines.reserve(), if self.line.is_some() => {
                    if let (Ok(place), Some(line)) = (place, self.line.take()) {
                        place.send(line);
                        if self.ended {
                            return self.judged();
                        }
                    }
                }
                item = receiver.next(), if self.line.is_none() => {
                    if self.take(item?)? && self.line.is_none() {
                        return self.judged();
                    }
                }
                error = printer.failed() => return Err(Failure::Output(error)),
                () = signals.next() => {
                    if self.leaving.is_some() {
                        return Ok(());
                    }
                    self.leave();
                }
                () = reached(until), if self.line.is_none() => return Ok(()),
            }
        }
    }

    fn enough(&self) -> bool {
        self.wanted.count == Some(0)
    }

    fn leave(&mut self) {
        self.leaving = Some(Instant::now() + LEAVE_WITHIN);
        // If it cannot be said, the end of the connection says it.
        let _ = self.outgoing.try_send(exit(&self.name));
    }

    /// Takes what came; whether it was the last.
    fn take(&mut self, item: Option<Item>) -> Result<bool, Failure> {
        let received = match item {
            None if self.leaving.is_some() => return Ok(true),
            None => return Err(Failure::Ended),
            Some(Item::Noise(text)) => {
                self.noise.tell(&text);
                return Ok(false);
            }
            Some(Item::Message(received)) => received,
        };
        match received.meaning() {
            Meaning::FilesWanted { by } => {
                self.answer(by);
                return Ok(false);
            }
            Meaning::Left if self.leaving.is_some() => return Ok(true),
            Meaning::NotLetIn(why) => return Err(Failure::Refused(why.to_owned())),
            Meaning::ServerClosed => self.ended = true,
            _ => {}
        }
        if !self.enough() && self.wanted.from.as_ref().is_none_or(|from| *from == received.sender) {
            self.line = Some(show::message(self.wanted.form, &received, SystemTime::now()));
            if let Some(count) = &mut self.wanted.count {
                *count -= 1;
            }
        }
        Ok(self.ended)
    }

    /// At the end of all: whether there was enough.
    fn judged(&self) -> Result<(), Failure> {
        let missing = self.wanted.count.is_some_and(|missing| missing > 0);
        if self.ended && missing { Err(Failure::ServerClosed) } else { Ok(()) }
    }

    fn answer(&self, asker: &str) {
        for answer in files::answer(&self.name, asker, &Listing::no_folder(), MESSAGE_BYTES) {
            if self.outgoing.try_send(answer).is_err() {
                say(&format!(
                    "{} asked for the list of files, but the server takes no answer",
                    in_sentence(asker)
                ));
            }
        }
    }
}
