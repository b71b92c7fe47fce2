//! [`Errand`]: joined for one purpose.

use std::io;

use zeroize::Zeroizing;

use crate::{
    client::{
        Received,
        decoder::Item,
        dial::{Dialer, NoConnection},
        joining::{Joining, Step},
        meaning::Meaning,
        password, wire,
    },
    protocol::Message,
};

/// A connection with a name.
pub struct Errand {
    /// As the server spells it.
    pub name: String,
    receiver: wire::Receiver,
    sender: wire::Sender,
}

/// Why an errand came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no connection.
    #[error(transparent)]
    NoConnection(#[from] NoConnection),
    /// There was one, and it broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The server ended it without a word.
    #[error("the server ended the connection")]
    Ended,
    /// The server says no.
    #[error("{0}")]
    Refused(String),
    /// The server ended.
    #[error("the server closed")]
    ServerClosed,
    /// The name is an account's.
    #[error("{0} has a password, and none was given: name a file that holds it with --password-file")]
    PasswordMissing(String),
    /// The password that was given is another.
    #[error("the password in {file} is refused: {complaint}")]
    PasswordWrong {
        /// Where it was read from.
        file: String,
        /// What the server says of it.
        complaint: String,
    },
}

impl Errand {
    /// Connects and takes the name. A password that is asked for is the dialer's, or else asked for on the terminal.
    ///
    /// # Errors
    /// If either fails.
    pub async fn begin(dialer: &Dialer, name: &str) -> Result<Self, Failure> {
        let (receiver, sender) = wire::halves(dialer.dial().await?);
        let mut errand = Self { name: name.to_owned(), receiver, sender };
        let mut joining = Joining::new(name);
        loop {
            let Some(item) = errand.receiver.next().await? else { return Err(Failure::Ended) };
            let Item::Message(message) = item else { continue };
            match joining.take(message) {
                Step::Introduce => errand.sender.send(&joining.introduction()).await?,
                Step::AskPassword { complaint } => {
                    let password = password(dialer, joining.name(), complaint)?;
                    errand.sender.send(&joining.password(&password)).await?;
                }
                Step::Joined(name) => {
                    errand.name = name;
                    return Ok(errand);
                }
                Step::Refused(why) => return Err(Failure::Refused(why)),
                Step::ServerClosed => return Err(Failure::ServerClosed),
                Step::Wait => {}
            }
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn send(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        Ok(self.sender.send(message).await?)
    }

    /// The next message.
    ///
    /// # Errors
    /// If there is none: the server ended, or the connection did.
    pub async fn next(&mut self) -> Result<Received, Failure> {
        loop {
            let Some(item) = self.receiver.next().await? else { return Err(Failure::Ended) };
            let Item::Message(received) = item else { continue };
            match received.meaning() {
                Meaning::ServerClosed => return Err(Failure::ServerClosed),
                Meaning::NotLetIn(why) => return Err(Failure::Refused(why.to_owned())),
                _ => return Ok(received),
            }
        }
    }
}

fn password(dialer: &Dialer, name: &str, complaint: Option<String>) -> Result<Zeroizing<String>, Failure> {
    match (dialer.password(), complaint) {
        (Some(given), None) => Ok(given.text().clone()),
        (Some(given), Some(complaint)) => {
            Err(Failure::PasswordWrong { file: given.file().to_owned(), complaint })
        }
        (None, complaint) => password::ask(name, dialer.exposure(), complaint.as_deref())?
            .ok_or_else(|| Failure::PasswordMissing(name.to_owned())),
    }
}
