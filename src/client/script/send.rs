//! `arauto send`: messages out, until the server has carried out all of them.

use std::pin::pin;

use tokio::{
    select,
    sync::{Notify, mpsc::Receiver},
};

use super::{Errand, Failure, errand};
use crate::{
    client::{
        Received,
        dial::Dialer,
        input,
        joining::Joining,
        meaning::Meaning,
        text::{To, Unfit, fit},
        wire,
    },
    protocol::{Message, Operation},
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
    One(Option<Received>),
    Lines { lines: Receiver<std::io::Result<input::Line>>, number: u64, to: To },
}

/// Sends messages, and waits until the server has carried out all of them. The first that the server refuses is the
/// last that is sent.
///
/// # Errors
/// If a message cannot be sent, or the server refuses one, or the connection breaks.
pub async fn send(dialer: &Dialer, name: &str, to: To, words: Words) -> Result<(), Failure> {
    // Judged before anybody hears of it.
    let text = match words {
        Words::Text(text) => Some(fit(name, &to, &text).map_err(Failure::Text)?),
        Words::Input => None,
    };
    let (name, mut receiver, mut sender) = Errand::begin(dialer, name).await?.into_parts();
    // Not read before: a password may have been typed.
    let mut source = match text {
        Some(message) => Source::One(Some(Received { sender: name.clone(), ..message })),
        None => Source::Lines { lines: input::lines().map_err(Failure::Input)?, number: 0, to },
    };
    let refused = Notify::new();
    // Reading goes on while sending waits: else the server, which holds what is for us, would in the end take nothing.
    let mut hearing = pin!(hear(&mut receiver, &refused));
    let mut sending = pin!(say(&mut source, &name, &mut sender, &refused));
    let mut said = None;
    let heard = loop {
        select! {
            heard = &mut hearing => break heard,
            result = &mut sending, if said.is_none() => said = Some(result),
        }
    };
    heard.and(said.unwrap_or(Ok(())))
}

/// Sends all there is, or what there is before a refusal; then leaves.
async fn say(
    source: &mut Source,
    name: &str,
    sender: &mut wire::Sender,
    refused: &Notify,
) -> Result<(), Failure> {
    let said = loop {
        let next = select! {
            biased;
            () = refused.notified() => break Ok(()),
            next = source.next(name) => next,
        };
        match next {
            Ok(Some(message)) => sender.send(&message.as_message()).await?,
            Ok(None) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    let data = format!("client {name} closed");
    let exit = Message { data: &data, ..Joining::command(name, Operation::Exit.wire()) };
    sender.send(&exit).await?;
    // A server that refuses even this ends the connection all the same, once it has answered everything.
    sender.finish().await?;
    said
}

/// Hears what the server says until it has confirmed the leaving.
async fn hear(receiver: &mut wire::Receiver, refused: &Notify) -> Result<(), Failure> {
    let mut refusals = Refusals::default();
    loop {
        match errand::next(receiver).await {
            Ok(message) => match message.meaning() {
                Meaning::Left => return refusals.judged(Ok(())),
                Meaning::Refusal { why, .. } => {
                    refusals.add(why);
                    refused.notify_one();
                }
                _ => {}
            },
            // What the server said before tells why.
            Err(failure) => return refusals.judged(Err(failure)),
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
    async fn next(&mut self, name: &str) -> Result<Option<Received>, Failure> {
        let (lines, number, to) = match self {
            Self::One(message) => return Ok(message.take()),
            Self::Lines { lines, number, to } => (lines, number, &*to),
        };
        loop {
            let line = match lines.recv().await {
                None => return Ok(None),
                Some(line) => line.map_err(Failure::Input)?,
            };
            *number += 1;
            let read = match &line {
                input::Line::TooLong => Err(Unfit::Endless { most: input::MOST_BYTES }),
                input::Line::Bytes(bytes) if bytes.is_empty() => continue,
                input::Line::Bytes(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) => fit(name, to, text),
                    Err(error) => Err(Unfit::NotUtf8 { byte: error.valid_up_to() + 1 }),
                },
            };
            return read.map(Some).map_err(|why| Failure::Line { number: *number, why });
        }
    }
}
