//! [`Joining`]: the exchange of name and password until the server confirms or refuses. No IO.

use std::time::Duration;

use arauto_protocol::{
    Line, Message,
    message::{NAME, NO_DATA},
    password::PASSWORD,
};

use super::{
    OwnedMessage,
    text::{MESSAGE_BYTES, Unfit, fit_data, fit_secret},
};

/// Sender name of the server in messages.
pub const SERVER: &str = "server";

/// Time limit for joining. It starts anew once the user has typed a password; the time spent typing is not limited.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum number of name requests, and of password requests, that the client answers on one connection. Arauto asks
/// for a name once and for a password three times; without this limit, a server could ask without end.
const MAX_REQUESTS: u32 = 16;

/// The server neither confirmed nor refused within [`JOIN_TIMEOUT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server did not confirm the name within {} s: is it a TR2.23 server?", JOIN_TIMEOUT.as_secs())]
pub struct LetsNobodyIn;

/// The state of joining under one name.
#[derive(Debug)]
pub struct Joining {
    name: String,
    /// Name requests received so far.
    name_requests: u32,
    /// Password requests received so far. Each after the first means that the password before it was wrong.
    password_requests: u32,
    /// The server's last `error_message`: its words about the last password.
    complaint: Option<String>,
}

/// The next action of the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the name: [`Joining::introduction`].
    Introduce,
    /// Obtain the password and send it: [`Joining::password`].
    AskPassword {
        /// The server's words about the last password, if one was tried.
        complaint: Option<String>,
    },
    /// The server confirmed the name. Holds the name as the server spells it.
    Joined(String),
    /// The server refused. Holds the reason.
    Refused(String),
    /// The server is shutting down.
    ServerClosed,
    /// Wait for the next message.
    Wait,
}

impl Joining {
    /// Begins to join under this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), name_requests: 0, password_requests: 0, complaint: None }
    }

    /// Returns the requested name. Once the server has asked for its password, the spelling is the account's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Processes a message from the server.
    pub fn take(&mut self, received: OwnedMessage) -> Step {
        let OwnedMessage { sender, destination, operation, data } = received;
        if sender != SERVER {
            return Step::Wait;
        }
        match operation.as_str() {
            NAME if self.name_requests == MAX_REQUESTS => {
                Step::Refused("The server asks for the name again and again".to_owned())
            }
            NAME => {
                self.name_requests += 1;
                Step::Introduce
            }
            PASSWORD if self.password_requests == MAX_REQUESTS => {
                Step::Refused("The server asks for the password again and again".to_owned())
            }
            PASSWORD => {
                // The destination is the name as the account spells it.
                self.name = destination;
                self.password_requests += 1;
                let said = self.complaint.take();
                let unsaid = || "The server asks for the password again".to_owned();
                let is_again = self.password_requests > 1;
                Step::AskPassword { complaint: is_again.then(|| said.unwrap_or_else(unsaid)) }
            }
            "connection_confirmation" => Step::Joined(destination),
            "connection_error" => Step::Refused(data),
            "broadcast" if data == "server closed" => Step::ServerClosed,
            "error_message" => {
                self.complaint = Some(data);
                Step::Wait
            }
            _ => Step::Wait,
        }
    }

    /// Returns the answer to the name request.
    ///
    /// # Errors
    /// If the name cannot be sent in a message.
    pub fn introduction(&self) -> Result<Line, Unfit> {
        fit_data(
            Message { sender: &self.name, destination: SERVER, operation: NAME, data: &self.name },
            MESSAGE_BYTES,
        )
    }

    /// Returns the answer to the password request.
    ///
    /// # Errors
    /// If the password cannot be sent in a message.
    pub fn password(&self, password: &str) -> Result<Line, Unfit> {
        fit_secret(
            Message { sender: &self.name, destination: SERVER, operation: PASSWORD, data: password },
            MESSAGE_BYTES,
        )
    }

    /// Returns a command from `name` to the server, without data.
    #[must_use]
    pub fn command<'a>(name: &'a str, operation: &'a str) -> Message<'a> {
        Message { sender: name, destination: SERVER, operation, data: NO_DATA }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> OwnedMessage {
        Message::parse(line).unwrap().into()
    }

    #[test]
    fn a_name_without_an_account() {
        let mut joining = Joining::new("alan");
        assert_eq!(joining.take(said("server | client | name | no data")), Step::Introduce);
        let confirmed = joining.take(said("server | alan | connection_confirmation | You are now connected"));
        assert_eq!(confirmed, Step::Joined("alan".to_owned()));
    }

    #[test]
    fn a_password_is_asked_for_until_it_is_right() {
        let mut joining = Joining::new("ALAN");
        assert_eq!(joining.take(said("server | client | name | no data")), Step::Introduce);
        let asked = joining.take(said("server | alan | password | no data"));
        assert_eq!(asked, Step::AskPassword { complaint: None });
        assert_eq!(joining.password("x").unwrap().text(), "alan | server | password | x");
        assert_eq!(joining.take(said("server | alan | error_message | 2 tries are left")), Step::Wait);
        let again = joining.take(said("server | alan | password | no data"));
        assert_eq!(again, Step::AskPassword { complaint: Some("2 tries are left".to_owned()) });
    }

    #[test]
    fn no_name_and_no_password_is_two_messages() {
        assert!(Joining::new("al\n/close").introduction().is_err());
        assert!(Joining::new("al | x").introduction().is_err());
        assert!(Joining::new("alan").password("x\n/close").is_err());
        assert!(Joining::new("alan").password("x | y").is_ok());
    }

    #[test]
    fn requests_without_end_are_not_answered_without_end() {
        let mut joining = Joining::new("alan");
        for _ in 0..MAX_REQUESTS {
            assert_eq!(joining.take(said("server | client | name | no data")), Step::Introduce);
        }
        let step = joining.take(said("server | client | name | no data"));
        assert_eq!(step, Step::Refused("The server asks for the name again and again".to_owned()));
        let request = "server | alan | password | no data";
        assert_eq!(joining.take(said(request)), Step::AskPassword { complaint: None });
        for _ in 1..MAX_REQUESTS {
            // A repeated request always has a complaint, even if the server sent none: by it, the caller knows that
            // the password of a file was wrong.
            let complaint = Some("The server asks for the password again".to_owned());
            assert_eq!(joining.take(said(request)), Step::AskPassword { complaint });
        }
        assert!(matches!(joining.take(said(request)), Step::Refused(_)));
    }

    #[test]
    fn refusals_and_ends() {
        for (line, step) in [
            ("server | new_client: alan | connection_error | taken", Step::Refused("taken".to_owned())),
            ("server | all clients | broadcast | server closed", Step::ServerClosed),
            ("bob | all clients | broadcast | server closed", Step::Wait),
            ("bob | alan | connection_error | taken", Step::Wait),
        ] {
            assert_eq!(Joining::new("alan").take(said(line)), step);
        }
    }
}
