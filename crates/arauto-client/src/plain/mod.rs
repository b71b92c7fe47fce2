//! The dialogue of the report's client, line by line: for use without a terminal, for users who know that client, and
//! for servers like the report's.
//!
//! - `question`, `reply`: the report's texts and layout.
//! - `awaited`: the answer to each operation, and how its end is known.
//! - `dialogue`: the order of questions and replies. No IO.
//! - `hidden`: a terminal that does not show a password. `sharing`: answers for users who want files.

mod awaited;
mod dialogue;
mod hidden;
mod question;
mod reply;
mod sharing;

use std::collections::VecDeque;

use arauto_protocol::Name;
use tokio::{
    select,
    sync::mpsc::{Receiver, Sender},
    time::Instant,
};

use self::{
    dialogue::{Act, Dialogue},
    hidden::Hidden,
    sharing::Sharing,
};
use super::{
    deadline::sleep_until_opt,
    decoder::{Framing, Item},
    dial::Dialer,
    files::Folder,
    input::{self, TypedLine},
    output::{Noise, Printer, say},
    script::ScriptError,
    signals::Signals,
    text::MESSAGE_BYTES,
    wire,
};

type Lines = Receiver<std::io::Result<TypedLine>>;

/// Joins, and holds the dialogue on standard input and output until it ends. Without a `name`, it asks for one. The
/// end of standard input, SIGINT and SIGTERM leave as `exit` does.
///
/// Users who ask for files get the list of those in `folder`, and can hear them. If the user wants to be asked first
/// (`asks`), no file is played, because lines typed here answer other questions.
///
/// # Errors
/// If no connection can be made or it breaks, if the server refuses or disconnects the client, or if standard input
/// or output fails.
pub async fn join(
    dialer: &Dialer,
    name: Option<String>,
    framing: Framing,
    folder: Option<Folder>,
    asks: bool,
) -> Result<(), ScriptError> {
    let mut signals = Signals::new().map_err(ScriptError::Input)?;
    let mut lines = input::lines().map_err(ScriptError::Input)?;
    let mut printer = Printer::spawn().map_err(ScriptError::Output)?;
    let mut given = name;
    if given.is_none() {
        let out = printer.lines.clone();
        given = select! {
            name = ask_name(&mut lines, &out) => name?,
            error = printer.failed() => return Err(ScriptError::Output(error)),
            () = signals.next() => None,
        };
    }
    let Some(name) = given else { return printer.finish().await.map_err(ScriptError::Output) };
    let stream = select! {
        stream = dialer.dial() => stream?,
        () = signals.next() => return Ok(()),
    };
    let password = dialer.password().map(|given| (given.text().clone(), given.file().to_owned()));
    let (receiver, sender) = wire::halves_framed(stream, framing);
    let outgoing = wire::queue(sender);
    let mut running = Running {
        dialogue: Dialogue::new(&name, password),
        exposure: dialer.exposure(),
        receiver,
        sharing: Sharing::spawn(folder, asks, dialer, outgoing.clone()),
        outgoing,
        to_print: VecDeque::new(),
        to_send: VecDeque::new(),
        turn: (0, Instant::now()),
        question: (0, Instant::now()),
        noise: Noise::default(),
        hidden: None,
    };
    running.run(&mut lines, &mut printer, &mut signals).await?;
    select! {
        written = printer.finish() => written.map_err(ScriptError::Output)?,
        // A signal ends the wait: perhaps nothing reads standard output.
        () = signals.next() => {}
    }
    running.dialogue.outcome()
}

/// Asks until the user types a valid name. Returns `None` at the end of standard input.
async fn ask_name(lines: &mut Lines, out: &Sender<String>) -> Result<Option<String>, ScriptError> {
    loop {
        // A failure to print is ignored here: the caller waits for `printer.failed()` as well.
        let _ = out.send(question::NAME.to_owned()).await;
        let why = match lines.recv().await {
            None => return Ok(None),
            Some(line) => {
                match line
                    .map_err(ScriptError::Input)?
                    .text(MESSAGE_BYTES)
                    .map(|text| Name::parse(text, usize::MAX))
                {
                    Ok(Ok(name)) => return Ok(Some(name.as_str().to_owned())),
                    Ok(Err(why)) => format!("{why}\n"),
                    Err(why) => format!("The name {why}\n"),
                }
            }
        };
        let _ = out.send(why).await;
    }
}

struct Running {
    dialogue: Dialogue,
    receiver: wire::Receiver,
    outgoing: Sender<arauto_protocol::Line>,
    sharing: Sharing,
    to_print: VecDeque<String>,
    to_send: VecDeque<arauto_protocol::Line>,
    /// Number of the dialogue's current turn, and when it began.
    turn: (u64, Instant),
    /// Number of the dialogue's current question, and when it was asked. All parts of an answer count from then.
    question: (u64, Instant),
    noise: Noise,
    /// Warning to print before a password is typed.
    exposure: Option<&'static str>,
    /// Present while the terminal does not show what is typed.
    hidden: Option<Hidden>,
}

impl Running {
    async fn run(
        &mut self,
        lines: &mut Lines,
        printer: &mut Printer,
        signals: &mut Signals,
    ) -> Result<(), ScriptError> {
        loop {
            self.act()?;
            let is_shown = self.to_print.is_empty();
            if self.dialogue.is_over() && is_shown {
                return Ok(());
            }
            let (going_on, wants_line) = (!self.dialogue.is_over(), self.dialogue.wants_line());
            let until = self
                .dialogue
                .timeout()
                .map(|timeout| (self.turn.1 + timeout).min(self.question.1 + dialogue::MAX_ANSWER));
            let out = printer.lines.clone();
            select! {
                place = out.reserve(), if !is_shown => {
                    if let (Ok(place), Some(text)) = (place, self.to_print.pop_front()) {
                        place.send(text);
                    }
                }
                place = self.outgoing.reserve(), if !self.to_send.is_empty() => match place {
                    Ok(place) => if let Some(message) = self.to_send.pop_front() { place.send(message) },
                    // The receiver reports the broken connection too.
                    Err(_) => self.to_send.clear(),
                },
                item = self.receiver.next(), if going_on && is_shown => match item {
                    Ok(Some(Item::Message(message))) => self.dialogue.hear(message),
                    Ok(Some(Item::Noise(text))) => self.noise.tell(&text),
                    Ok(None) => self.dialogue.cut(ScriptError::Ended),
                    Err(error) => self.dialogue.cut(error.into()),
                },
                line = lines.recv(), if is_shown && self.to_send.is_empty() && wants_line => match line {
                    Some(line) => match line.map_err(ScriptError::Input)?.text(self.dialogue.message_bytes()) {
                        Ok(text) => self.dialogue.typed(text),
                        Err(why) => self.dialogue.typed_unfit(why),
                    },
                    None => self.dialogue.leave(),
                },
                // That the server ends what is played is no news to a user who leaves or has left.
                message = self.sharing.next(), if going_on && self.to_send.is_empty() && !self.dialogue.is_leaving() => {
                    self.to_send.push_back(message);
                }
                error = printer.failed() => return Err(ScriptError::Output(error)),
                () = signals.next() => self.dialogue.leave(),
                () = sleep_until_opt(until) => self.dialogue.waited(),
            }
        }
    }

    /// Carries out the dialogue's actions.
    fn act(&mut self) -> Result<(), ScriptError> {
        self.receiver.call_me(self.dialogue.name());
        // A server without line endings is not Arauto, and does not know this question.
        self.dialogue.asks_limits(!self.receiver.is_unframed());
        for act in self.dialogue.acts() {
            match act {
                Act::Print(text) => self.to_print.push_back(text),
                Act::Send(message) => self.to_send.push_back(message),
                Act::Answer(asker) => self.sharing.list(self.dialogue.name(), &asker),
                Act::Publish(by, data) => self.sharing.play(self.dialogue.name(), &by, &data),
                Act::Refused(why) => self.sharing.refused(&why),
                Act::Limited(limit) => self.sharing.limited(limit),
            }
        }
        if self.turn.0 != self.dialogue.turn() {
            self.turn = (self.dialogue.turn(), Instant::now());
        }
        if self.question.0 != self.dialogue.question() {
            self.question = (self.dialogue.question(), Instant::now());
        }
        if !self.dialogue.wants_secret() {
            self.hidden = None;
            return Ok(());
        }
        if let Some(warning) = self.exposure.take() {
            say(&format!("warning: {warning}"));
        }
        if self.hidden.is_none() {
            self.hidden = Hidden::new().map_err(ScriptError::Input)?;
        }
        Ok(())
    }
}
