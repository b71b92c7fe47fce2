//! `arauto send`: sends messages, and waits until the server has carried out all of them.

use std::{cell::Cell, io, pin::pin, time::Duration};

use arauto_protocol::Line;
use tokio::{
    select,
    sync::Notify,
    time::{Instant, timeout},
};

use super::{
    OneShot, ScriptError,
    lines::{Lines, OnBadLine},
    one_shot,
};
use crate::{
    deadline::sleep_until_opt,
    dial::Dialer,
    joining::SERVER,
    logout::exit_in_words,
    meaning::Meaning,
    text::{MAX_MESSAGE_BYTES, MESSAGE_BYTES, To, fit},
    wire,
};

/// The texts to send.
#[derive(Clone, Debug)]
pub enum Words {
    /// This text.
    Text(String),
    /// Each line of standard input that is not empty.
    Input,
}

/// The source of messages.
enum Source {
    One(Option<Line>),
    Lines(Lines),
}

/// The messages to send, and how.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The receivers.
    pub to: To,
    /// The texts.
    pub words: Words,
    /// How lines that cannot be sent are treated.
    pub on_bad_line: OnBadLine,
    /// Maximum time for which the server may accept no data while there is some to send, and for which it may confirm
    /// nothing after that.
    pub within: Duration,
}

/// Sends messages, and waits until the server has carried out all of them. Sending stops at the first refusal.
///
/// # Errors
/// If joining fails, a message cannot be sent, the server refuses one or does nothing for too long, or the connection
/// breaks.
pub async fn send(dialer: &Dialer, name: &str, sending: Sending) -> Result<(), ScriptError> {
    let Sending { to, words, on_bad_line, within } = sending;
    // Text that no server can accept is rejected before the client connects.
    let text = match words {
        Words::Text(text) => {
            fit_argument(name, &to, &text, MAX_MESSAGE_BYTES)?;
            Some(text)
        }
        Words::Input => None,
    };
    let dialer = dialer.clone().with_no_answer(within);
    let mut one_shot = OneShot::join(&dialer, name).await?;
    let limit = match &text {
        // A server that accepts less than this says so itself.
        Some(text) if fit(&one_shot.name, &to, text, MESSAGE_BYTES).is_ok() => MESSAGE_BYTES,
        _ => one_shot.message_bytes().await?,
    };
    let (name, mut receiver, mut sender) = one_shot.into_parts();
    // Standard input is not read before this: a password may have been typed on the terminal.
    let mut source = match text {
        Some(text) => Source::One(Some(fit_argument(&name, &to, &text, limit)?)),
        None => Source::Lines(Lines::spawn(to, limit, on_bad_line)?),
    };
    let (mut refusals, signs) = (Refusals::default(), Signs::default());
    let end = {
        // Messages are read while sending waits. Otherwise the server, which holds messages for this client, would in
        // the end accept nothing.
        let mut hearing = pin!(hear(&mut receiver, &name, within, &mut refusals, &signs));
        let mut sending = pin!(say(&mut source, &name, within, &mut sender, &signs));
        let mut said = None;
        loop {
            select! {
                heard = &mut hearing => break heard.and(said.unwrap_or(Ok(()))),
                result = &mut sending, if said.is_none() => match result {
                    Err(ScriptError::NotTaken { .. }) => break result,
                    result => {
                        signs.said.notify_one();
                        said = Some(result);
                    }
                },
            }
        }
    };
    if let Source::Lines(lines) = &source {
        lines.tell_of_bad_ones();
    }
    refusals.judged(end)
}

/// Returns the message that carries TEXT.
fn fit_argument(name: &str, to: &To, text: &str, limit: usize) -> Result<Line, ScriptError> {
    fit(name, to, text, limit).map_err(|why| ScriptError::Argument { what: "TEXT", why })
}

/// Signals between `say` and `hear`.
#[derive(Default)]
struct Signs {
    /// The server refused something.
    refused: Notify,
    /// All messages are sent, or no more will be.
    said: Notify,
    /// Extra time that the confirmation may take because of earlier data.
    backlog: Cell<Duration>,
    /// Number of messages sent.
    sent: Cell<u64>,
}

/// Sends all messages, or those before a refusal, and then leaves.
async fn say(
    source: &mut Source,
    name: &str,
    within: Duration,
    sender: &mut wire::Sender,
    signs: &Signs,
) -> Result<(), ScriptError> {
    let said = loop {
        let next = select! {
            biased;
            () = signs.refused.notified() => break Ok(()),
            next = source.next(name) => next,
        };
        match next {
            Ok(Some(line)) => {
                sender.paused().await;
                signs.sent.set(signs.sent.get() + 1);
                taken(within, sender.send(&line)).await?;
            }
            Ok(None) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    sender.paused().await;
    taken(within, sender.send(&exit_in_words(name))).await?;
    // Even a server that refuses `exit` ends the connection, once it has answered everything.
    taken(within, sender.finish()).await?;
    signs.backlog.set(sender.backlog().await);
    said
}

/// Waits at most `within` for the server to accept the data.
async fn taken(within: Duration, sending: impl Future<Output = io::Result<()>>) -> Result<(), ScriptError> {
    Ok(timeout(within, sending).await.map_err(|_| ScriptError::NotTaken { within })??)
}

/// Reads messages until the server has confirmed `exit`, or shows no progress towards that for `within`. Each sent
/// message can extend the wait once, so that no server can extend it without end.
async fn hear(
    receiver: &mut wire::Receiver,
    name: &str,
    within: Duration,
    refusals: &mut Refusals,
    signs: &Signs,
) -> Result<(), ScriptError> {
    // While there is something to send, `taken` limits the wait.
    let (mut until, mut answers) = (None, 0);
    loop {
        let message = select! {
            message = one_shot::next(receiver) => message?,
            () = signs.said.notified() => {
                until = Some(Instant::now() + within + signs.backlog.get());
                continue;
            }
            () = sleep_until_opt(until) => return Err(ScriptError::NotConfirmed { within }),
        };
        // Messages from the server and returned own messages show progress. Messages from others do not, nor do more
        // answers than messages were sent.
        if [SERVER, name].contains(&message.sender.as_str()) {
            answers += 1;
            if until.is_some() && answers <= signs.sent.get() {
                until = Some(Instant::now() + within);
            }
        }
        match message.meaning() {
            Meaning::Left => return Ok(()),
            Meaning::Refusal { why, .. } => {
                refusals.add(why);
                signs.refused.notify_one();
            }
            _ => {}
        }
    }
}

/// Messages that the server refused.
#[derive(Default)]
struct Refusals {
    first: Option<String>,
    count: u64,
}

impl Refusals {
    fn add(&mut self, why: &str) {
        self.first.get_or_insert_with(|| why.to_owned());
        self.count += 1;
    }

    fn judged(self, end: Result<(), ScriptError>) -> Result<(), ScriptError> {
        match self {
            Self { first: None, .. } => end,
            Self { first: Some(why), count: 1 } => Err(ScriptError::Refused(why)),
            Self { first: Some(why), count } => Err(ScriptError::Refused(format!(
                "{why} ({count} messages were refused; this is the reason for the first)"
            ))),
        }
    }
}

impl Source {
    /// Returns the next message. Cancel safe: dropping the future loses no message.
    async fn next(&mut self, name: &str) -> Result<Option<Line>, ScriptError> {
        match self {
            Self::One(message) => Ok(message.take()),
            Self::Lines(lines) => lines.next(name).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncWriteExt, DuplexStream, duplex},
        time::sleep,
    };

    use super::*;
    use crate::decoder::Framing;

    const WITHIN: Duration = Duration::from_mins(1);

    /// Runs `hear` with a server that sends each of `lines` at its second, after all messages were sent at the
    /// beginning. Returns the result, and the second at which it came.
    async fn heard(sent: u64, lines: &[(u64, &str)]) -> (Result<(), ScriptError>, u64) {
        let (ours, theirs) = duplex(1024);
        let (mut receiver, _sender) = wire::halves_framed(Box::new(ours), Framing::Lines);
        let (mut refusals, signs) = (Refusals::default(), Signs::default());
        signs.said.notify_one();
        signs.sent.set(sent);
        let begin = Instant::now();
        let saying = say_when(theirs, lines, begin);
        let end = select! {
            end = hear(&mut receiver, "ana", WITHIN, &mut refusals, &signs) => end,
            () = saying => unreachable!("it never ends"),
        };
        (refusals.judged(end), begin.elapsed().as_secs())
    }

    async fn say_when(mut theirs: DuplexStream, lines: &[(u64, &str)], begin: Instant) {
        for (second, line) in lines {
            sleep((begin + Duration::from_secs(*second)).duration_since(Instant::now())).await;
            theirs.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }
        std::future::pending::<()>().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_confirms_nothing_is_waited_for_so_long() {
        let not_confirmed = |heard| matches!(heard, Err(ScriptError::NotConfirmed { within: WITHIN }));
        let (end, after) = heard(2, &[]).await;
        assert!(not_confirmed(end));
        assert_eq!(after, 60);
        // Messages from others show nothing about the client's own.
        let (end, after) = heard(2, &[(50, "bob | all clients | broadcast | hi")]).await;
        assert!(not_confirmed(end));
        assert_eq!(after, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_still_at_work_is_waited_for() {
        let ours = "ana | all clients | broadcast | hi";
        let (end, after) =
            heard(2, &[(50, ours), (100, ours), (150, "server | ana | exit | client disconnected")]).await;
        assert!(end.is_ok());
        assert_eq!(after, 150);
    }

    #[tokio::test(start_paused = true)]
    async fn more_answers_than_there_were_messages_are_not_waited_for() {
        let ours = "ana | ana | echo | still at it";
        let (end, after) = heard(2, &[(50, ours), (100, ours), (150, ours), (200, ours)]).await;
        assert!(matches!(end, Err(ScriptError::NotConfirmed { within: WITHIN })));
        assert_eq!(after, 160);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_before_tells_why() {
        let (end, after) = heard(1, &[(50, "server | ana | private_message | no such client")]).await;
        assert_eq!(end.unwrap_err().to_string(), "no such client");
        assert_eq!(after, 110);
    }
}
