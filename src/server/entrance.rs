//! What someone has to say to be let in: a name, and if that is an account's, its password ([`Claim`]). No actor.

use tokio::sync::OwnedSemaphorePermit;

use super::close::CloseReason;
use crate::{
    accounts::{Account, Accounts, PasswordHash, Secret, Verdict},
    config,
    protocol::{Frame, Line, Name, password, reply, request, telnet},
};

/// How many passwords a connection may try.
const TRIES: u8 = 3;

/// Why someone is not let in.
#[derive(Debug)]
pub struct Refusal {
    /// For the log and the counters.
    pub reason: CloseReason,
    /// For whom it concerns.
    pub farewell: Line,
}

/// Takes the answer to the name request.
///
/// # Errors
/// If it is no name.
pub fn name(frame: &Frame, limit: usize) -> Result<Name, Refusal> {
    let (reason, farewell) = match frame {
        Frame::Line(line) => match request::introduction(line, limit) {
            Ok(name) => return Ok(name),
            Err((request::NoName::NotAName, farewell)) => (CloseReason::NotAName, farewell),
            Err((request::NoName::Invalid, farewell)) => (CloseReason::NameInvalid, farewell),
        },
        // Of first lines, only one that passed the limit is given up: for others there is the name timeout.
        Frame::TooLong | Frame::Overdue => (CloseReason::NotAName, reply::name_line_too_long(limit)),
        Frame::Unfinished => (CloseReason::NotAName, reply::name_line_unfinished(limit)),
        Frame::Http => (CloseReason::Http, reply::other_protocol(limit)),
        Frame::Tls => (CloseReason::Tls, reply::other_protocol(limit)),
        Frame::Goodbye | Frame::Breach(_) => unreachable!("these end the session before"),
    };
    Err(Refusal { reason, farewell })
}

/// Takes the name that a certificate says.
///
/// # Errors
/// If it is no name.
pub fn certified_name(name: &str, limit: usize) -> Result<Name, Refusal> {
    let refused = |farewell| Refusal { reason: CloseReason::NameInvalid, farewell };
    request::certified(name, limit).map_err(refused)
}

/// Whom a name belongs to.
#[derive(Debug)]
pub enum Found {
    /// Nobody in particular.
    Name(Name),
    /// This account.
    Account(Account),
}

/// Who is let in, and how.
#[derive(Debug)]
pub struct Rules<'a> {
    /// Which names are given for a password only.
    pub accounts: &'a Accounts,
    /// What holds for them.
    pub settings: &'a config::Accounts,
    /// Nobody else can read what this one sends.
    pub is_private: bool,
    /// The longest message.
    pub limit: usize,
}

impl Rules<'_> {
    /// Finds out whether a name is an account's.
    ///
    /// # Errors
    /// If nobody of this name is let in here.
    pub fn look_up(&self, name: Name) -> Result<Found, Refusal> {
        if let Some(account) = self.accounts.find_look_alike(&name) {
            let farewell = reply::looks_like_account(self.limit, &name, &account.name);
            return Err(Refusal { reason: CloseReason::LookAlike, farewell });
        }
        match self.accounts.find(name.key()) {
            None if self.settings.required => {
                let farewell = reply::no_account(self.limit, &name);
                Err(Refusal { reason: CloseReason::NoAccount, farewell })
            }
            None => Ok(Found::Name(name)),
            Some(account) if self.is_private || self.settings.allow_plaintext => {
                Ok(Found::Account(account.clone()))
            }
            Some(account) => {
                let farewell = reply::password_in_the_open(self.limit, &account.name);
                Err(Refusal { reason: CloseReason::InTheOpen, farewell })
            }
        }
    }
}

/// What shows that an account is somebody's own.
#[derive(Debug)]
pub enum Proof {
    /// A password of this hash.
    Password(PasswordHash),
    /// A certificate in its name, which only the operator's own authority signs.
    Certificate,
}

impl Proof {
    /// Whether it still shows that, as the account is now.
    #[must_use]
    pub fn holds_for(&self, account: &Account) -> bool {
        match self {
            Self::Password(hash) => *hash == account.hash,
            Self::Certificate => true,
        }
    }
}

/// Someone who gave an account's name and has to show that it is theirs.
#[derive(Debug)]
pub struct Claim {
    /// As the account spells it.
    pub name: Name,
    hash: PasswordHash,
    tries_left: u8,
    stage: Stage,
    /// A telnet client was asked not to show what is typed, and has not answered that yet.
    hiding: bool,
    kept: Vec<Kept>,
    /// The other end sends no more, which counts once all that is kept is seen to.
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// What is seen to was read before the request was sent.
    Before,
    /// What is read can be an answer to the request.
    Asked,
    /// A password is being compared; what comes meanwhile is kept.
    Comparing,
}

/// What was read while a password was being compared.
#[derive(Debug)]
pub struct Kept {
    /// In the order read.
    pub frames: Vec<Frame>,
    /// Its share of `limits.inflight_bytes`, which bounds it.
    pub credit: Option<OwnedSemaphorePermit>,
}

/// What a comparison leads to.
#[derive(Debug)]
pub enum Outcome {
    /// It is whose name it gave.
    Enter(Proof),
    /// It is told this, and asked again.
    Again(Line),
    /// It is not let in.
    Refused(Refusal),
}

impl Claim {
    /// Someone who wants to be this account.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        Self {
            name: account.name.clone(),
            hash: account.hash.clone(),
            tries_left: TRIES,
            stage: Stage::Before,
            hiding: false,
            kept: Vec::new(),
            ended: false,
        }
    }

    /// A telnet client is asked not to show what is typed.
    pub fn hide(&mut self) {
        self.hiding = true;
    }

    /// What telnet's commands are answered with, without the refusal of what the client was asked for.
    #[must_use]
    pub fn pass_on(&mut self, mut replies: Vec<u8>) -> Vec<u8> {
        if self.hiding && telnet::take_out_refusal(&mut replies) {
            self.hiding = false;
        }
        replies
    }

    /// All that came before the request was sent has been seen to: from here on bare lines are answers to it.
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

    /// Takes an answer to the password request; gives what is to be compared with what.
    ///
    /// # Errors
    /// If it is no password.
    pub fn answer(&mut self, frame: &Frame, limit: usize) -> Result<(PasswordHash, Secret), Refusal> {
        let refused = |farewell| Refusal { reason: CloseReason::NotAPassword, farewell };
        let Frame::Line(line) = frame else {
            return Err(refused(reply::no_password(limit, &self.name)));
        };
        let answer = password::answer(line, self.stage == Stage::Asked);
        let answer = answer.ok_or_else(|| refused(reply::password_comes_first(limit, &self.name)))?;
        let secret = Secret::typed(answer).map_err(|_| refused(reply::no_password(limit, &self.name)))?;
        self.stage = Stage::Comparing;
        Ok((self.hash.clone(), secret))
    }

    /// Takes the result.
    pub fn judged(&mut self, verdict: Verdict, limit: usize) -> Outcome {
        self.stage = Stage::Before;
        let (reason, farewell) = match verdict {
            Verdict::Right => return Outcome::Enter(Proof::Password(self.hash.clone())),
            Verdict::Wrong => {
                self.tries_left = self.tries_left.saturating_sub(1);
                if self.tries_left > 0 {
                    return Outcome::Again(reply::wrong_password(limit, &self.name, self.tries_left));
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
        Outcome::Refused(Refusal { reason, farewell })
    }

    /// Keeps what came while a password is being compared.
    pub fn keep(&mut self, kept: Kept) {
        self.kept.push(kept);
    }

    /// What was kept, in the order read.
    pub fn take_kept(&mut self) -> Vec<Kept> {
        std::mem::take(&mut self.kept)
    }

    /// The other end sends no more.
    pub fn end_input(&mut self) {
        self.ended = true;
    }

    /// Whether the other end sends no more, and was not seen out because a password was being compared.
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
            let Outcome::Refused(refusal) = Claim::of(&account).judged(verdict, 1024) else {
                panic!("{verdict:?} is not refused");
            };
            let expected = format!("server | new_client: alan | connection_error | {words}");
            assert_eq!((refusal.reason, refusal.farewell.text().to_string()), (reason, expected));
        }
    }
}
