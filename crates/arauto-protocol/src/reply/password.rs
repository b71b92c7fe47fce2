//! Texts about passwords and accounts. None of them quotes a client's line.

use std::time::Duration;

use super::{connection_error, error_message, server_says, server_says_within};
use crate::{
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

/// Reply to a wrong password if the client may try `left` more.
#[must_use]
pub fn wrong_password(limit: usize, name: &Name, left: u8) -> Line {
    let left = if left == 1 { "1 try is left".to_owned() } else { format!("{left} tries are left") };
    error_message(limit, name, &format!("That is not the password of {name}; {left}"))
}

/// Refusal after the last wrong password.
#[must_use]
pub fn no_try_left(limit: usize, name: &Name) -> Line {
    refused(limit, name, &format!("That is not the password of {name}. You need to connect again"))
}

/// Refusal: too many wrong passwords came from the client's address.
#[must_use]
pub fn too_many_passwords(limit: usize, name: &Name, wait: Duration) -> Line {
    let wait = whole_seconds(wait);
    refused(limit, name, &format!("Too many wrong passwords came from your address. Try again in {wait}"))
}

/// Refusal: too many wrong passwords were given for this account, from any addresses.
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

/// A time to wait in whole seconds, longer than `wait` by at most 1 s.
fn whole_seconds(wait: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(wait.as_secs() + 1))
}

/// Refusal: the password could not be compared.
#[must_use]
pub fn password_unjudged(limit: usize, name: &Name) -> Line {
    refused(limit, name, "Your password could not be compared just now. Connect again later")
}

/// Last message to a client whose name now belongs to an account, or looks like the name of one, when the account's
/// owner joins.
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

/// Refusal: another line came in place of the password.
#[must_use]
pub fn password_comes_first(limit: usize, name: &Name) -> Line {
    let why = format!(
        "A password is asked for before anything else. Type: {name} | server | password | and the password behind it, \
         or, once it is asked for, just the password"
    );
    refused(limit, name, &why)
}

/// Refusal: the line cannot be a password, because it is not text, too long, or incomplete.
#[must_use]
pub fn no_password(limit: usize, name: &Name) -> Line {
    let why = "That cannot be a password: one is a line of UTF-8 without control characters, and not longer than a message";
    refused(limit, name, why)
}

/// Refusal: the password request was not answered within `limits.name_timeout`.
#[must_use]
pub fn no_password_in_time(limit: usize, name: &Name, waited: Duration) -> Line {
    let waited = humantime::format_duration(waited);
    refused(limit, name, &format!("No password came within {waited}. Connect again and type it and Enter"))
}

/// Refusal: the name belongs to an account, and its password could be read on the network.
#[must_use]
pub fn password_in_the_open(limit: usize, name: &Name) -> Line {
    let why = format!(
        "{name} has a password, and it would cross the network for all to read. Connect by TLS, or from the server's own \
         machine"
    );
    refused(limit, name, &why)
}

/// Refusal: accounts are required (`accounts.required`), and none has this name.
#[must_use]
pub fn no_account(limit: usize, name: &Name) -> Line {
    let why = format!(
        "Only people with an account may enter, and {name} is none. Ask who runs this server for one"
    );
    refused(limit, name, &why)
}

/// Refusal: the name looks like that of an account.
#[must_use]
pub fn looks_like_account(limit: usize, name: &Name, account: &Name) -> Line {
    let why = name.resemblance_to_account(account);
    refused(limit, name, &format!("{why}. You need to connect again and use another one"))
}

/// Reply to a `password` message from a client that was not asked for a password.
#[must_use]
pub fn no_password_asked(limit: usize, to: &Name) -> Line {
    error_message(limit, to, "No password is asked for now; nobody was shown your line")
}

/// Refusal of a `password` message in place of a name.
#[must_use]
pub fn name_before_password(limit: usize) -> Line {
    connection_error(limit, "A name is asked for before a password. Type just your name: bob")
}

fn refused(limit: usize, name: &Name, why: &str) -> Line {
    server_says_within(limit, &format!("{NEW_CLIENT} {name}"), "connection_error", why)
}
