//! [`Link::join`]: the exchange by which a connection gets its name, and the password that it may need.

use std::{collections::VecDeque, future::pending};

use arauto_protocol::{Line, Name};
use tokio::{
    sync::mpsc::Receiver,
    time::{Instant, sleep_until, timeout},
};
use zeroize::Zeroizing;

use super::{
    super::{
        decoder::Item,
        joining::{JOIN_TIMEOUT, Joining, Step},
        text::Unfit,
        wire,
    },
    COMMAND_CAPACITY, Command, End, Ending, Event, Link, Unheard, came,
};

impl Link {
    /// Returns the password that was right before, or else the configured one.
    fn known_password(&mut self) -> Option<Zeroizing<String>> {
        self.password.take().or_else(|| self.dialer.password().map(|set| set.text().clone()))
    }

    /// Drops commands given before this connection. Their user was told that they may not have arrived, so sending
    /// them now would surprise the user.
    fn forget_commands(&mut self) {
        self.held.clear();
        while self.commands.try_recv().is_ok() {}
    }

    /// Joins under the name. The outer error means that the receiver of events was dropped; the inner, that joining
    /// failed.
    pub(super) async fn join(
        &mut self,
        receiver: &mut wire::Receiver,
        sender: &mut wire::Sender,
    ) -> Result<Result<(), Ending>, Unheard> {
        let mut joining = Joining::new(&self.name);
        // Whether a password is awaited, and the last one that was given on this connection.
        let (mut wants_password, mut given) = (false, None);
        let mut with_kept_password = false;
        // The deadline does not apply while the user thinks of a password.
        let mut until = Instant::now() + JOIN_TIMEOUT;
        loop {
            // The end of the connection must be noticed while the user thinks of a password.
            let item = tokio::select! {
                item = receiver.next() => item,
                password = password_or_hold(&mut self.commands, &mut self.held), if wants_password => {
                    let password = password?;
                    let line = match joining.password(&password) {
                        Ok(line) => line,
                        Err(why) => {
                            let complaint = Some(format!("The password {why}"));
                            let name = joining.name().to_owned();
                            self.tell(Event::PasswordWanted { name, complaint }).await?;
                            continue;
                        }
                    };
                    wants_password = false;
                    until = Instant::now() + JOIN_TIMEOUT;
                    if let Err(ending) = give(sender, &line).await {
                        return Ok(Err(ending));
                    }
                    (given, with_kept_password) = (Some(password), false);
                    continue;
                }
                () = sleep_until(until), if !wants_password => return Ok(Err(Ending::LetsNobodyIn)),
                () = self.events.closed() => return Err(Unheard),
            };
            let item = match came(item) {
                Ok(item) => item,
                Err(ending) => return Ok(Err(ending)),
            };
            let Item::Message(message) = item else {
                self.tell(Event::Received(item)).await?;
                continue;
            };
            let sent = match joining.take(message) {
                Step::Introduce => {
                    receiver.call_me(joining.name());
                    match joining.introduction() {
                        Ok(line) => give(sender, &line).await,
                        Err(why) => Err(Ending::Over(End::NotLetIn(broken_rule(joining.name(), why)))),
                    }
                }
                Step::AskPassword { complaint } => {
                    // The password of a file has no control characters, so a message can carry it.
                    with_kept_password = self.password.is_some();
                    let known = self.known_password().filter(|_| given.is_none());
                    if let Some((password, Ok(line))) = known.map(|known| {
                        let line = joining.password(&known);
                        (known, line)
                    }) {
                        given = Some(password);
                        give(sender, &line).await
                    } else {
                        wants_password = true;
                        let name = joining.name().to_owned();
                        self.tell(Event::PasswordWanted { name, complaint }).await?;
                        Ok(())
                    }
                }
                Step::Joined(name) => {
                    self.name.clone_from(&name);
                    self.password = given.or(self.password.take());
                    if self.was_joined {
                        self.forget_commands();
                    }
                    self.was_joined = true;
                    self.retry.joined();
                    let server = self.dialer.target().to_string();
                    self.tell(Event::Joined { name, server, with_kept_password }).await?;
                    return Ok(Ok(()));
                }
                Step::Refused(why) => return Ok(Err(Ending::Over(End::NotLetIn(why)))),
                Step::ServerClosed => return Ok(Err(Ending::Over(End::ServerClosed))),
                Step::Wait => Ok(()),
            };
            if let Err(ending) = sent {
                return Ok(Err(ending));
            }
        }
    }
}

/// Returns why a name cannot be sent: the rule for names that it breaks, in the words of the command line.
fn broken_rule(name: &str, why: Unfit) -> String {
    match Name::parse(name, usize::MAX) {
        Err(rule) => rule.to_string(),
        Ok(_) => format!("The name {why}"),
    }
}

/// Returns the next password. Messages given before it are held until they can be sent; once [`COMMAND_CAPACITY`] are
/// held, no further command is taken. Cancel-safe.
async fn password_or_hold(
    commands: &mut Receiver<Command>,
    held: &mut VecDeque<Line>,
) -> Result<Zeroizing<String>, Unheard> {
    while held.len() < COMMAND_CAPACITY {
        match commands.recv().await {
            Some(Command::Password(password)) => return Ok(password),
            Some(Command::Send(message)) => held.push_back(message),
            None => return Err(Unheard),
        }
    }
    pending().await
}

/// Sends a message of the joining exchange. A server that does not take it within [`JOIN_TIMEOUT`] counts as one that
/// admits no client.
async fn give(sender: &mut wire::Sender, line: &Line) -> Result<(), Ending> {
    Ok(timeout(JOIN_TIMEOUT, sender.send(line)).await.map_err(|_| Ending::LetsNobodyIn)??)
}
