//! [`OneShot`]: a connection that joins for one purpose.

use std::{io, time::Duration};

use arauto_protocol::{Line, reply::CONNECT_AGAIN};
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroizing;

use super::ScriptError;
use crate::{
    OwnedMessage,
    again::is_elsewhere,
    decoder::Item,
    dial::{Dialer, Stream},
    generated_name::{MAX_TRIES, generated_name},
    joining::{JOIN_TIMEOUT, Joining, LetsNobodyIn, Step},
    limits,
    logout::{LEAVE_TIMEOUT, exit},
    meaning::Meaning,
    password,
    text::MESSAGE_BYTES,
    wire,
};

/// A connection whose name the server has confirmed.
pub struct OneShot {
    /// The name, as the server spells it.
    pub name: String,
    /// Deadline of the connection, if it has one.
    until: Option<Instant>,
    receiver: wire::Receiver,
    sender: wire::Sender,
}

impl OneShot {
    /// Connects and joins under `name`. Without a `name`, it uses a generated one; if another client has that, it
    /// generates the next, at most [`MAX_TRIES`] in all. A password that the server asks for is the dialer's, or else
    /// is asked for on the terminal.
    ///
    /// # Errors
    /// If connecting or joining fails.
    pub async fn join<'a>(dialer: &Dialer, name: impl Into<Option<&'a str>>) -> Result<Self, ScriptError> {
        Self::join_by(dialer, name.into(), &mut None).await
    }

    /// As [`Self::join`], for a connection that may take at most `within` in all, see [`Self::until`]. Time in which a
    /// user types a password does not count.
    ///
    /// # Errors
    /// If connecting or joining fails, or takes longer.
    pub async fn join_within(
        dialer: &Dialer,
        name: Option<&str>,
        within: Duration,
    ) -> Result<Self, ScriptError> {
        let mut until = Some(Instant::now() + within);
        match Self::join_by(dialer, name, &mut until).await {
            Err(ScriptError::NotLetIn(_)) if until.is_some_and(|until| until <= Instant::now()) => {
                Err(ScriptError::NoAnswer { who: "the server".to_owned(), within })
            }
            begun => begun,
        }
    }

    async fn join_by(
        dialer: &Dialer,
        name: Option<&str>,
        until: &mut Option<Instant>,
    ) -> Result<Self, ScriptError> {
        if let Some(name) = name {
            return Self::under(dialer, name, until).await;
        }
        for _ in 1..MAX_TRIES {
            match Self::under(dialer, &generated_name(), until).await {
                Err(ScriptError::Refused(why)) if why.contains(CONNECT_AGAIN) => {}
                done => return done,
            }
        }
        Self::under(dialer, &generated_name(), until).await
    }

    /// Joins at the first address that lets the client in: a server that has lost its cluster does not.
    async fn under(dialer: &Dialer, name: &str, until: &mut Option<Instant>) -> Result<Self, ScriptError> {
        for _ in 1..dialer.address_count() {
            match Self::at_next(dialer, name, until).await {
                Err(ScriptError::Refused(why)) if is_elsewhere(&why) => {}
                done => return done,
            }
        }
        Self::at_next(dialer, name, until).await
    }

    async fn at_next(dialer: &Dialer, name: &str, until: &mut Option<Instant>) -> Result<Self, ScriptError> {
        let stream = match *until {
            None => dialer.dial().await?,
            Some(until) => timeout_at(until, dialer.dial()).await.map_err(|_| LetsNobodyIn)??,
        };
        Self::over(stream, dialer, name, until).await
    }

    /// `whole`: deadline of the connection. It is extended by the time in which a password is typed.
    async fn over(
        stream: Box<dyn Stream>,
        dialer: &Dialer,
        name: &str,
        whole: &mut Option<Instant>,
    ) -> Result<Self, ScriptError> {
        let (receiver, sender) = wire::halves(stream);
        let mut one_shot = Self { name: name.to_owned(), until: *whole, receiver, sender };
        let mut joining = Joining::new(name);
        let join_until = |whole: &Option<Instant>| {
            let until = Instant::now() + JOIN_TIMEOUT;
            whole.map_or(until, |whole| whole.min(until))
        };
        let mut until = join_until(whole);
        loop {
            let item = in_time(until, one_shot.receiver.next()).await?;
            let Some(item) = item else { return Err(ScriptError::Ended) };
            let Item::Message(message) = item else { continue };
            match joining.take(message) {
                Step::Introduce => {
                    one_shot.receiver.call_me(joining.name());
                    let line =
                        joining.introduction().map_err(|why| ScriptError::Argument { what: "NAME", why })?;
                    in_time(until, one_shot.sender.send(&line)).await?;
                }
                Step::AskPassword { complaint } => {
                    let asked = Instant::now();
                    let password = password(dialer, joining.name(), complaint)?;
                    *whole = whole.map(|whole| whole + asked.elapsed());
                    until = join_until(whole);
                    let line = joining.password(&password).map_err(|why| {
                        let name = joining.name().to_owned();
                        ScriptError::PasswordUnfit { name, why }
                    })?;
                    in_time(until, one_shot.sender.send(&line)).await?;
                }
                Step::Joined(name) => {
                    (one_shot.name, one_shot.until) = (name, *whole);
                    return Ok(one_shot);
                }
                Step::Refused(why) => return Err(ScriptError::Refused(why)),
                Step::ServerClosed => return Err(ScriptError::ServerClosed),
                Step::Wait => {}
            }
        }
    }

    /// Deadline of the connection, see [`Self::join_within`]. A connection without one has 24 h from now.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.until.unwrap_or_else(|| Instant::now() + Duration::from_hours(24))
    }

    /// Asks the server for its message limit in bytes, and waits at most [`limits::ANSWER_TIMEOUT`] for the answer.
    /// Without an answer, the limit is [`MESSAGE_BYTES`]. Other messages that come meanwhile are dropped. A server
    /// without line endings is not asked, because it is not Arauto.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn message_bytes(&mut self) -> Result<usize, ScriptError> {
        if self.receiver.is_unframed() {
            return Ok(MESSAGE_BYTES);
        }
        let asking = async {
            self.sender.send(&limits::request(&self.name)).await?;
            loop {
                if let Some(limits) = limits::answer(&next(&mut self.receiver).await?) {
                    return Ok(limits.message_bytes.unwrap_or(MESSAGE_BYTES));
                }
            }
        };
        timeout(limits::ANSWER_TIMEOUT, asking).await.unwrap_or(Ok(MESSAGE_BYTES))
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn send(&mut self, line: &Line) -> Result<(), ScriptError> {
        Ok(self.sender.send(line).await?)
    }

    /// Receives the next message.
    ///
    /// # Errors
    /// If none comes: the server closed or refused the client, or the connection ended.
    pub async fn next(&mut self) -> Result<OwnedMessage, ScriptError> {
        next(&mut self.receiver).await
    }

    /// Leaves, and waits for the server to confirm it. Once it is confirmed, all that was sent is carried out and the
    /// name is free. Returns `Ok` without a confirmation after [`LEAVE_TIMEOUT`].
    ///
    /// # Errors
    /// If the connection breaks first.
    pub async fn leave(mut self) -> Result<(), ScriptError> {
        let left = async {
            self.sender.send(&exit(&self.name)).await?;
            loop {
                if next(&mut self.receiver).await?.meaning() == Meaning::Left {
                    return Ok(());
                }
            }
        };
        timeout(LEAVE_TIMEOUT, left).await.unwrap_or(Ok(()))
    }

    /// Returns the name, the receiver and the sender, for a connection that sends and receives at once.
    #[must_use]
    pub fn into_parts(self) -> (String, wire::Receiver, wire::Sender) {
        (self.name, self.receiver, self.sender)
    }
}

/// Waits for `work` until `until`, and then fails with [`LetsNobodyIn`].
async fn in_time<T>(until: Instant, work: impl Future<Output = io::Result<T>>) -> Result<T, ScriptError> {
    Ok(timeout_at(until, work).await.map_err(|_| LetsNobodyIn)??)
}

/// Receives the next message. Input that is not a message is skipped.
///
/// # Errors
/// If none comes: the server closed or refused the client, or the connection ended.
pub(super) async fn next(receiver: &mut wire::Receiver) -> Result<OwnedMessage, ScriptError> {
    loop {
        let Some(item) = receiver.next().await? else { return Err(ScriptError::Ended) };
        let Item::Message(message) = item else { continue };
        match message.meaning() {
            Meaning::ServerClosed => return Err(ScriptError::ServerClosed),
            Meaning::NotLetIn(why) => return Err(ScriptError::Refused(why.to_owned())),
            _ => return Ok(message),
        }
    }
}

fn password(
    dialer: &Dialer,
    name: &str,
    complaint: Option<String>,
) -> Result<Zeroizing<String>, ScriptError> {
    match (dialer.password(), complaint) {
        (Some(given), None) => Ok(given.text().clone()),
        (Some(given), Some(complaint)) => {
            Err(ScriptError::PasswordWrong { file: given.file().to_owned(), complaint })
        }
        (None, complaint) => password::ask(name, dialer.exposure(), complaint.as_deref())?
            .ok_or_else(|| ScriptError::PasswordMissing(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufStream, duplex},
        net::TcpListener,
        time::sleep,
    };

    use super::*;

    /// Opens a connection under `name` with a server that gives each connection the next of `answers`. Returns the
    /// result, and the names that were tried.
    async fn begun(name: Option<&str>, answers: &[&str]) -> (Result<OneShot, ScriptError>, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialer = Dialer::new(listener.local_addr().unwrap().to_string().parse().unwrap());
        let mut names = Vec::new();
        let answering = async {
            for answer in answers {
                let (server, _) = listener.accept().await.unwrap();
                let mut server = BufStream::new(server);
                server.write_all(b"server | client | name | no data\n").await.unwrap();
                server.flush().await.unwrap();
                let mut line = String::new();
                server.read_line(&mut line).await.unwrap();
                let name = line.split(" | ").next().unwrap().to_owned();
                let answer = answer.replace("NAME", &name);
                names.push(name);
                server.write_all(format!("server | {answer}\n").as_bytes()).await.unwrap();
                server.flush().await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        let begun = tokio::select! {
            begun = OneShot::join(&dialer, name) => begun,
            () = answering => unreachable!("it never ends"),
        };
        (begun, names)
    }

    const TAKEN: &str = "new_client: NAME | connection_error | This username is already taken. You need to connect again \
                         and use another one";
    const LOOKS: &str = "new_client: NAME | connection_error | NAME looks like ana. You need to connect again and use \
                         another one";
    const FULL: &str = "client | connection_error | There is no place";
    const JOINED: &str = "NAME | connection_confirmation | You are now connected to the server";

    #[tokio::test]
    async fn a_made_up_name_that_somebody_has_is_no_failure() {
        let (begun, mut names) = begun(None, &[TAKEN, LOOKS, TAKEN, TAKEN, JOINED]).await;
        assert_eq!(begun.unwrap().name, names[4]);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 5, "{names:?}");
    }

    #[tokio::test]
    async fn names_are_not_made_up_without_end() {
        let refused = |begun| match begun {
            Err(ScriptError::Refused(why)) => why,
            _ => panic!("let in"),
        };
        let (end, names) = begun(None, &[TAKEN; 6]).await;
        let why = "This username is already taken. You need to connect again and use another one";
        assert_eq!((refused(end).as_str(), names.len()), (why, 5));
        // Another name would not help, or is not wanted.
        let (end, names) = begun(None, &[FULL; 2]).await;
        assert_eq!((refused(end).as_str(), names.len()), ("There is no place", 1));
        let (end, names) = begun(Some("ana"), &[TAKEN; 2]).await;
        assert_eq!((refused(end).as_str(), names.as_slice()), (why, &["ana".to_owned()][..]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_much_and_lets_nobody_in_is_given_up() {
        let (ours, mut theirs) = duplex(1024);
        let dialer = Dialer::new("127.0.0.1".parse().unwrap());
        let begin = Instant::now();
        let talking = async {
            theirs.write_all(b"server | client | name | no data\n").await.unwrap();
            for _ in 0..30 {
                theirs.write_all(b"server | ana | error_message | wait\n").await.unwrap();
                sleep(JOIN_TIMEOUT / 3).await;
            }
        };
        let mut whole = None;
        let begun = tokio::select! {
            begun = OneShot::over(Box::new(ours), &dialer, "ana", &mut whole) => begun,
            () = talking => panic!("it waits without end"),
        };
        assert!(matches!(begun, Err(ScriptError::NotLetIn(_))));
        assert_eq!(begin.elapsed(), JOIN_TIMEOUT);
    }
}
