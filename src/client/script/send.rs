//! `arauto send`: messages out, until the server has carried out all of them.

use std::{cell::Cell, io, pin::pin, time::Duration};

use tokio::{
    select,
    sync::Notify,
    time::{Instant, timeout},
};

use super::{
    Errand, Failure, errand,
    lines::{Lines, OnBadLine},
};
use crate::{
    client::{
        dial::Dialer,
        joining::SERVER,
        leaving::exit_in_words,
        meaning::Meaning,
        moment::reached,
        text::{MAX_MESSAGE_BYTES, MESSAGE_BYTES, To, fit},
        wire,
    },
    protocol::Line,
};

/// What is to be said.
#[derive(Clone, Debug)]
pub enum Words {
    /// This.
    Text(String),
    /// Each line of standard input that is not empty.
    Input,
}

/// Where messages come from.
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
    /// Time for which the server may accept nothing while there is something to send, and for which it may confirm nothing
    /// after that.
    pub within: Duration,
}

/// Sends messages, and waits until the server has carried out all of them. The first that the server refuses is the
/// last that is sent.
///
/// # Errors
/// If a message cannot be sent, or the server refuses one, or does nothing for too long, or the connection breaks.
pub async fn send(dialer: &Dialer, name: &str, sending: Sending) -> Result<(), Failure> {
    let Sending { to, words, on_bad_line, within } = sending;
    // Judged before anybody hears of it, by what any server could take.
    let text = match words {
        Words::Text(text) => {
            fit_argument(name, &to, &text, MAX_MESSAGE_BYTES)?;
            Some(text)
        }
        Words::Input => None,
    };
    let dialer = dialer.clone().with_no_answer(within);
    let mut errand = Errand::begin(&dialer, name).await?;
    let limit = match &text {
        // A server that takes less says so itself.
        Some(text) if fit(&errand.name, &to, text, MESSAGE_BYTES).is_ok() => MESSAGE_BYTES,
        _ => errand.message_bytes().await?,
    };
    let (name, mut receiver, mut sender) = errand.into_parts();
    // Not read before: a password may have been typed.
    let mut source = match text {
        Some(text) => Source::One(Some(fit_argument(&name, &to, &text, limit)?)),
        None => Source::Lines(Lines::begin(to, limit, on_bad_line)?),
    };
    let (mut refusals, signs) = (Refusals::default(), Signs::default());
    let end = {
        // Reading goes on while sending waits: else the server, which holds what is for us, would in the end take nothing.
        let mut hearing = pin!(hear(&mut receiver, &name, within, &mut refusals, &signs));
        let mut sending = pin!(say(&mut source, &name, within, &mut sender, &signs));
        let mut said = None;
        loop {
            select! {
                heard = &mut hearing => break heard.and(said.unwrap_or(Ok(()))),
                result = &mut sending, if said.is_none() => match result {
                    Err(Failure::NotTaken { .. }) => break result,
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

/// The message that says TEXT.
fn fit_argument(name: &str, to: &To, text: &str, limit: usize) -> Result<Line, Failure> {
    fit(name, to, text, limit).map_err(|why| Failure::Argument { what: "TEXT", why })
}

/// What those who send and hear tell each other.
#[derive(Default)]
struct Signs {
    /// The server refused something.
    refused: Notify,
    /// All is sent, or nothing more will be.
    said: Notify,
    /// How much longer than usual the confirmation may take because of what was sent before.
    backlog: Cell<Duration>,
    /// How many messages were sent.
    sent: Cell<u64>,
}

/// Sends all there is, or what there is before a refusal; then leaves.
async fn say(
    source: &mut Source,
    name: &str,
    within: Duration,
    sender: &mut wire::Sender,
    signs: &Signs,
) -> Result<(), Failure> {
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
    // A server that refuses even this ends the connection all the same, once it has answered everything.
    taken(within, sender.finish()).await?;
    signs.backlog.set(sender.backlog().await);
    said
}

/// Waits for the server to take this, as long as it may take.
async fn taken(within: Duration, sending: impl Future<Output = io::Result<()>>) -> Result<(), Failure> {
    Ok(timeout(within, sending).await.map_err(|_| Failure::NotTaken { within })??)
}

/// Hears what the server says until it has confirmed the leaving, or says nothing for too long that could lead to it. Each
/// message that was sent gives it one answer's time, so that no server can be waited for without end.
async fn hear(
    receiver: &mut wire::Receiver,
    name: &str,
    within: Duration,
    refusals: &mut Refusals,
    signs: &Signs,
) -> Result<(), Failure> {
    // While there is something to send, that is what the server is waited for with.
    let (mut until, mut answers) = (None, 0);
    loop {
        let message = select! {
            message = errand::next(receiver) => message?,
            () = signs.said.notified() => {
                until = Some(Instant::now() + within + signs.backlog.get());
                continue;
            }
            () = reached(until) => return Err(Failure::NotConfirmed { within }),
        };
        // It is at work for this one; what others say does not show that, nor what nothing was sent for.
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

/// What the server did not carry out.
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

    fn judged(self, end: Result<(), Failure>) -> Result<(), Failure> {
        match self {
            Self { first: None, .. } => end,
            Self { first: Some(why), count: 1 } => Err(Failure::Refused(why)),
            Self { first: Some(why), count } => Err(Failure::Refused(format!(
                "{why} ({count} messages were refused, this is why the first was)"
            ))),
        }
    }
}

impl Source {
    /// The next message. Dropped before it is done, it loses nothing.
    async fn next(&mut self, name: &str) -> Result<Option<Line>, Failure> {
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
    use crate::client::decoder::Framing;

    const WITHIN: Duration = Duration::from_mins(1);

    /// What is heard of a server that is told here when to say what, all having been sent at the beginning; and when.
    async fn heard(sent: u64, lines: &[(u64, &str)]) -> (Result<(), Failure>, u64) {
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
        let not_confirmed = |heard| matches!(heard, Err(Failure::NotConfirmed { within: WITHIN }));
        let (end, after) = heard(2, &[]).await;
        assert!(not_confirmed(end));
        assert_eq!(after, 60);
        // Others go on talking: that shows nothing of what becomes of ours.
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
        assert!(matches!(end, Err(Failure::NotConfirmed { within: WITHIN })));
        assert_eq!(after, 160);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_before_tells_why() {
        let (end, after) = heard(1, &[(50, "server | ana | private_message | no such client")]).await;
        assert_eq!(end.unwrap_err().to_string(), "no such client");
        assert_eq!(after, 110);
    }
}
