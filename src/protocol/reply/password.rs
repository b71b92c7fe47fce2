//! What is said about passwords and accounts. No text here quotes what was sent.

use std::time::Duration;

use super::{connection_error, error_message, server_says, server_says_within};
use crate::protocol::{
    line::Line,
    message::NO_DATA,
    name::{NEW_CLIENT, Name},
    password::PASSWORD,
};

/// Asks for the password of the account whose name was given.
#[must_use]
pub fn password_request(name: &Name) -> Line {
    server_says(name.as_str(), PASSWORD, NO_DATA)
}

/// It was another password, and `left` more may be tried.
#[must_use]
pub fn wrong_password(limit: usize, name: &Name, left: u8) -> Line {
    let left = if left == 1 { "1 try is left".to_owned() } else { format!("{left} tries are left") };
    error_message(limit, name, &format!("That is not the password of {name}; {left}"))
}

/// It was another password once more.
#[must_use]
pub fn no_try_left(limit: usize, name: &Name) -> Line {
    refused(limit, name, &format!("That is not the password of {name}. You need to connect again"))
}

/// Too many wrong passwords came from that address.
#[must_use]
pub fn too_many_passwords(limit: usize, name: &Name, wait: Duration) -> Line {
    let wait = whole_seconds(wait);
    refused(limit, name, &format!("Too many wrong passwords came from your address. Try again in {wait}"))
}

/// An account's name was given together with too many wrong passwords, from whatever addresses.
#[must_use]
pub fn too_many_for_account(limit: usize, name: &Name, wait: Duration) -> Line {
    let wait = whole_seconds(wait);
    refused(
        limit,
        name,
        &format!(
            "Too many wrong passwords were given for {name}. Try again in {wait}, or from an address from which you gave the right one before"
        ),
    )
}

/// A time to wait, in seconds rounded up and never 0.
fn whole_seconds(wait: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(wait.as_secs() + 1))
}

/// The password could not be compared.
#[must_use]
pub fn password_unjudged(limit: usize, name: &Name) -> Line {
    refused(limit, name, "Your password could not be compared just now. Connect again later")
}

/// Last words to someone whose name, or one that looks the same, is an account's by now, and its owner came.
#[must_use]
pub fn name_claimed(limit: usize, to: &Name, account: &Name) -> Line {
    let whose = if account.key() == to.key() {
        format!("The name {to} has an account now")
    } else {
        format!("{to} looks like {account}, who has an account now")
    };
    let why = format!("{whose}, and its owner came. You need to connect again and use another name");
    error_message(limit, to, &why)
}

/// Something else than a password came.
#[must_use]
pub fn password_comes_first(limit: usize, name: &Name) -> Line {
    let why = format!(
        "A password is asked for before anything else. Type: {name} | server | password | and the password behind it, \
         or, once it is asked for, just the password"
    );
    refused(limit, name, &why)
}

/// What came cannot be a password: it is no text, or too long, or not whole.
#[must_use]
pub fn no_password(limit: usize, name: &Name) -> Line {
    let why = "That cannot be a password: one is a line of UTF-8 without control characters, and not longer than a message";
    refused(limit, name, why)
}

/// The password request was not answered within `limits.name_timeout`.
#[must_use]
pub fn no_password_in_time(limit: usize, name: &Name, waited: Duration) -> Line {
    let waited = humantime::format_duration(waited);
    refused(limit, name, &format!("No password came within {waited}. Connect again and type it and Enter"))
}

/// The name is an account's, and everyone on the way could read its password.
#[must_use]
pub fn password_in_the_open(limit: usize, name: &Name) -> Line {
    let why = format!(
        "{name} has a password, and it would cross the network for all to read. Connect by TLS, or from the server's own \
         machine"
    );
    refused(limit, name, &why)
}

/// Only accounts may enter (`accounts.required`), and this is no account's name.
#[must_use]
pub fn no_account(limit: usize, name: &Name) -> Line {
    let why = format!(
        "Only people with an account may enter, and {name} is none. Ask who runs this server for one"
    );
    refused(limit, name, &why)
}

/// It is no account's name, and looks like one.
#[must_use]
pub fn looks_like_account(limit: usize, name: &Name, account: &Name) -> Line {
    let why = name.resemblance_to_account(account);
    refused(limit, name, &format!("{why}. You need to connect again and use another one"))
}

/// A `password` message from someone who was not asked for one.
#[must_use]
pub fn no_password_asked(limit: usize, to: &Name) -> Line {
    error_message(limit, to, "No password is asked for now; nobody was shown your line")
}

/// A `password` message in place of a name.
#[must_use]
pub fn name_before_password(limit: usize) -> Line {
    connection_error(limit, "A name is asked for before a password. Type just your name: bob")
}

fn refused(limit: usize, name: &Name, why: &str) -> Line {
    server_says_within(limit, &format!("{NEW_CLIENT} {name}"), "connection_error", why)
}
