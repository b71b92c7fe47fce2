//! The checks that a client passes to join: a name, and for an account's name its password ([`LoginAttempt`]). No
//! actor.

use arauto_protocol::{Frame, Line, Name, password, reply, request, telnet};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    accounts::{Account, AccountsFile, PasswordHash, Secret, Verdict},
    config,
    server::common::close::CloseReason,
};

/// Passwords that a connection may try.
const MAX_TRIES: u8 = 3;

/// Why a client may not join.
#[derive(Debug)]
pub struct LoginRefusal {
    /// The reason for the log and the counters.
    pub reason: CloseReason,
    /// The line that the client is sent.
    pub farewell: Line,
}

/// Reads the answer to the name request.
///
/// # Errors
/// If the answer is not a valid name.
pub fn name(frame: &Frame, limit: usize) -> Result<Name, LoginRefusal> {
    let (reason, farewell) = match frame {
        Frame::Line(line) => match request::introduction(line, limit) {
            Ok(name) => return Ok(name),
            Err((request::NoName::NotAName, farewell)) => (CloseReason::NotAName, farewell),
            Err((request::NoName::Invalid, farewell)) => (CloseReason::NameInvalid, farewell),
        },
        // A first line is `Overdue` only after it passed the limit; a shorter one falls under the name timeout.
        Frame::TooLong | Frame::Overdue => (CloseReason::NotAName, reply::name_line_too_long(limit)),
        Frame::Unfinished => (CloseReason::NotAName, reply::name_line_unfinished(limit)),
        Frame::Http => (CloseReason::Http, reply::other_protocol(limit)),
        Frame::Tls => (CloseReason::Tls, reply::other_protocol(limit)),
        Frame::Goodbye | Frame::Breach(_) => unreachable!("these end the session before"),
    };
    Err(LoginRefusal { reason, farewell })
}

/// Checks the name in a certificate.
///
/// # Errors
/// If the name is invalid.
pub fn certified_name(name: &str, limit: usize) -> Result<Name, LoginRefusal> {
    let refused = |farewell| LoginRefusal { reason: CloseReason::NameInvalid, farewell };
    request::certified(name, limit).map_err(refused)
}

/// The owner of a name.
#[derive(Debug)]
pub enum NameOwner {
    /// The name belongs to no account.
    Name(Name),
    /// The name belongs to this account.
    Account(Account),
}

/// The rules for joining.
#[derive(Debug)]
pub struct LoginPolicy<'a> {
    /// Accounts, whose names require a password.
    pub accounts: &'a AccountsFile,
    /// The settings for accounts.
    pub settings: &'a config::Accounts,
    /// Only the server can read what this client sends.
    pub is_private: bool,
    /// Longest message, in bytes.
    pub limit: usize,
}

impl LoginPolicy<'_> {
    /// Finds out whether a name belongs to an account.
    ///
    /// # Errors
    /// If the name looks like an account's, if it belongs to no account where only accounts may join, or if others could
    /// read the account's password on the way.
    pub fn look_up(&self, name: Name) -> Result<NameOwner, LoginRefusal> {
        if let Some(account) = self.accounts.find_look_alike(&name) {
            let farewell = reply::looks_like_account(self.limit, &name, &account.name);
            return Err(LoginRefusal { reason: CloseReason::LookAlike, farewell });
        }
        match self.accounts.find(name.key()) {
            None if self.settings.required => {
                let farewell = reply::no_account(self.limit, &name);
                Err(LoginRefusal { reason: CloseReason::NoAccount, farewell })
            }
            None => Ok(NameOwner::Name(name)),
            Some(account) if self.is_private || self.settings.allow_plaintext => {
                Ok(NameOwner::Account(account.clone()))
            }
            Some(account) => {
                let farewell = reply::password_in_the_open(self.limit, &account.name);
                Err(LoginRefusal { reason: CloseReason::InTheOpen, farewell })
            }
        }
    }
}

/// Shows that a session belongs to an account's owner.
#[derive(Debug)]
pub enum Credential {
    /// The session gave the password of this hash.
    Password(PasswordHash),
    /// The session has a certificate in the account's name, which only the operator's own authority signs.
    Certificate,
}

impl Credential {
    /// Whether the credential still holds for the account as it is now.
    #[must_use]
    pub fn holds_for(&self, account: &Account) -> bool {
        match self {
            Self::Password(hash) => *hash == account.hash,
            Self::Certificate => true,
        }
    }
}

/// A client that gave an account's name and has to give the password.
#[derive(Debug)]
pub struct LoginAttempt {
    /// The name as the account spells it.
    pub name: Name,
    hash: PasswordHash,
    tries_left: u8,
    stage: Stage,
    /// A telnet client was asked to hide what is typed, and has not answered yet.
    hiding: bool,
    buffered: Vec<Buffered>,
    /// The other end sends no more. This takes effect once all buffered frames have been handled.
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The frames being handled were read before the password request was sent.
    Before,
    /// Frames read from now on can be answers to the request.
    Asked,
    /// A password is being compared; frames that arrive meanwhile are buffered.
    Comparing,
}

/// Frames that were read while a password was being compared.
#[derive(Debug)]
pub struct Buffered {
    /// The frames, in the order read.
    pub frames: Vec<Frame>,
    /// Their share of `limits.inflight_bytes`, which bounds what is buffered.
    pub credit: Option<OwnedSemaphorePermit>,
}

/// Result of a comparison.
#[derive(Debug)]
pub enum LoginOutcome {
    /// The password is right.
    Enter(Credential),
    /// The password is wrong; the client is sent this line and asked again.
    Again(Line),
    /// The client may not join.
    Refused(LoginRefusal),
}

impl LoginAttempt {
    /// Creates the attempt to log in to this account.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        Self {
            name: account.name.clone(),
            hash: account.hash.clone(),
            tries_left: MAX_TRIES,
            stage: Stage::Before,
            hiding: false,
            buffered: Vec::new(),
            ended: false,
        }
    }

    /// Notes that a telnet client was asked to hide what is typed.
    pub fn hide(&mut self) {
        self.hiding = true;
    }

    /// Returns the replies to telnet commands without the refusal of the echo option, which the client asked for only
    /// to agree to the server's request to hide.
    #[must_use]
    pub fn pass_on(&mut self, mut replies: Vec<u8>) -> Vec<u8> {
        if self.hiding && telnet::take_out_refusal(&mut replies) {
            self.hiding = false;
        }
        replies
    }

    /// Everything read before the request was sent has been handled. From here on, a bare line is an answer to the
    /// request.
    pub fn await_answer(&mut self) {
        if self.stage == Stage::Before {
            self.stage = Stage::Asked;
        }
    }

    /// Whether a password is being compared.
    #[must_use]
    pub fn is_comparing(&self) -> bool {
        self.stage == Stage::Comparing
    }

    /// Reads an answer to the password request. Returns the hash and the password to be compared with it.
    ///
    /// # Errors
    /// If the answer is not a password.
    pub fn answer(&mut self, frame: &Frame, limit: usize) -> Result<(PasswordHash, Secret), LoginRefusal> {
        let refused = |farewell| LoginRefusal { reason: CloseReason::NotAPassword, farewell };
        let Frame::Line(line) = frame else {
            return Err(refused(reply::no_password(limit, &self.name)));
        };
        let answer = password::answer(line, self.stage == Stage::Asked);
        let answer = answer.ok_or_else(|| refused(reply::password_comes_first(limit, &self.name)))?;
        let secret = Secret::typed(answer).map_err(|_| refused(reply::no_password(limit, &self.name)))?;
        self.stage = Stage::Comparing;
        Ok((self.hash.clone(), secret))
    }

    /// Turns the verdict of a comparison into its outcome, and counts a wrong password.
    pub fn judged(&mut self, verdict: Verdict, limit: usize) -> LoginOutcome {
        self.stage = Stage::Before;
        let (reason, farewell) = match verdict {
            Verdict::Right => return LoginOutcome::Enter(Credential::Password(self.hash.clone())),
            Verdict::Wrong => {
                self.tries_left = self.tries_left.saturating_sub(1);
                if self.tries_left > 0 {
                    return LoginOutcome::Again(reply::wrong_password(limit, &self.name, self.tries_left));
                }
                (CloseReason::WrongPassword, reply::no_try_left(limit, &self.name))
            }
            Verdict::TooMany(wait) => {
                (CloseReason::TooManyPasswords, reply::too_many_passwords(limit, &self.name, wait))
            }
            Verdict::TooManyForAccount(wait) => {
                (CloseReason::TooManyPasswords, reply::too_many_for_account(limit, &self.name, wait))
            }
            Verdict::Failed => (CloseReason::Fault, reply::password_unjudged(limit, &self.name)),
        };
        LoginOutcome::Refused(LoginRefusal { reason, farewell })
    }

    /// Keeps frames that arrived while a password is being compared.
    pub fn buffer(&mut self, buffered: Buffered) {
        self.buffered.push(buffered);
    }

    /// Takes the buffered frames, in the order read.
    pub fn take_buffered(&mut self) -> Vec<Buffered> {
        std::mem::take(&mut self.buffered)
    }

    /// Notes that the other end sends no more.
    pub fn end_input(&mut self) {
        self.ended = true;
    }

    /// Whether the other end stopped sending while a password was being compared, so that the session still has to end.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::cheap_hash;

    #[test]
    fn each_verdict_has_its_words() {
        let name = Name::parse("alan", 489).unwrap();
        let account = Account { name, hash: cheap_hash(), operator: false };
        let minutes = std::time::Duration::from_secs(569);
        for (verdict, reason, words) in [
            (
                Verdict::TooMany(minutes),
                CloseReason::TooManyPasswords,
                "Too many wrong passwords came from your address. Try again in 9m 30s",
            ),
            (
                Verdict::TooManyForAccount(minutes),
                CloseReason::TooManyPasswords,
                "Too many wrong passwords were given for alan. Try again in 9m 30s, or from an address from which you gave the right one before",
            ),
            (
                Verdict::Failed,
                CloseReason::Fault,
                "Your password could not be compared just now. Connect again later",
            ),
        ] {
            let LoginOutcome::Refused(refusal) = LoginAttempt::of(&account).judged(verdict, 1024) else {
                panic!("{verdict:?} is not refused");
            };
            let expected = format!("server | new_client: alan | connection_error | {words}");
            assert_eq!((refusal.reason, refusal.farewell.text().to_string()), (reason, expected));
        }
    }
}
