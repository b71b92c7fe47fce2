//! `arauto passwd`: reads a password and makes an entry for the accounts file.

use std::{
    fmt::Write as _,
    io::{self, BufRead, IsTerminal},
};

use arauto_protocol::{Name, NameError, name::MAX_NAME_CHARS};
use arauto_settings::source::quoted;
use zeroize::Zeroizing;

use super::secret::{MAX_BYTES, NoSecret, PasswordHash, Secret};

/// Why no entry was made.
#[derive(Debug, thiserror::Error)]
pub enum PasswdError {
    /// The name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The password is empty.
    #[error("no password was given: type one, or give it as one line of standard input")]
    Nothing,
    /// The password breaks a rule.
    #[error(transparent)]
    Secret(#[from] NoSecret),
    /// The second password differs from the first.
    #[error("the two passwords differ")]
    Unlike,
    /// The user pressed Ctrl-C, or Ctrl-D on an empty line.
    #[error("interrupted")]
    Interrupted,
    /// The terminal or the pipe failed.
    #[error("cannot read the password: {0}")]
    Read(#[from] io::Error),
    /// The system has no random numbers or no memory.
    #[error("cannot hash the password: {0}")]
    Hash(argon2::password_hash::Error),
}

/// Reads a password from standard input and returns the entry for the accounts file. If standard input is a terminal,
/// the password is read twice, without echo.
///
/// # Errors
/// If the name or the password breaks a rule, or the password cannot be read or hashed.
pub fn entry(name: &str, operator: bool) -> Result<String, PasswdError> {
    let name = Name::parse(name, 4 * MAX_NAME_CHARS)?;
    let stdin = io::stdin();
    let secret = if stdin.is_terminal() {
        // Larger than the longest password, so that a password that is too long is detected and not cut.
        twice(|prompt| arauto_terminal::read_hidden(&mut io::stderr(), prompt, 2 * MAX_BYTES))?
    } else {
        one_line(stdin.lock())?
    };
    let hash = PasswordHash::of(&secret).map_err(PasswdError::Hash)?;
    Ok(written(&name, &hash, operator))
}

/// Asks twice, because the user does not see the password.
fn twice(mut ask: impl FnMut(&str) -> io::Result<Option<Zeroizing<Vec<u8>>>>) -> Result<Secret, PasswdError> {
    let mut ask = |prompt: &str| -> Result<Secret, PasswdError> {
        let typed = ask(prompt)?.ok_or(PasswdError::Interrupted)?;
        if typed.is_empty() { Err(PasswdError::Nothing) } else { Ok(Secret::typed(&typed)?) }
    };
    let secret = ask("Password: ")?;
    secret.judge_new()?;
    if ask("Repeat the password: ")?.is_the_same(&secret) { Ok(secret) } else { Err(PasswdError::Unlike) }
}

/// Reads one line without its ending.
fn one_line(input: impl BufRead) -> Result<Secret, PasswdError> {
    // Allocated at full size, because growing would leave copies of the password in memory.
    let most = MAX_BYTES + 3;
    let mut line = Zeroizing::new(Vec::with_capacity(2 * most));
    input.take(most as u64).read_until(b'\n', &mut line)?;
    for ending in *b"\n\r" {
        line.pop_if(|last| *last == ending);
    }
    if line.is_empty() {
        return Err(PasswdError::Nothing);
    }
    let secret = Secret::typed(&line)?;
    secret.judge_new()?;
    Ok(secret)
}

/// The entry as TOML.
fn written(name: &Name, hash: &PasswordHash, operator: bool) -> String {
    let mut entry = format!("[[accounts]]\nname = {}\nhash = \"{hash}\"\n", quoted(name.as_str()));
    if operator {
        let _ = writeln!(entry, "operator = true");
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piped(input: &[u8]) -> Result<Secret, String> {
        one_line(input).map_err(|error| error.to_string())
    }

    #[test]
    fn one_line_of_a_pipe_is_the_password() {
        let hash = PasswordHash::of(&Secret::typed(b" open sesame ").unwrap()).unwrap();
        for input in
            [&b" open sesame \n"[..], b" open sesame \r\n", b" open sesame ", b" open sesame \nmore\n"]
        {
            assert!(hash.matches(&piped(input).unwrap()).unwrap(), "{input:?}");
        }
        assert_eq!(
            piped(b"").unwrap_err(),
            "no password was given: type one, or give it as one line of standard input"
        );
        assert_eq!(piped(b"\nopensesame\n").unwrap_err(), piped(b"").unwrap_err());
        assert_eq!(piped(b"short\n").unwrap_err(), "a password has at least 8 characters");
        assert_eq!(piped(&[b'x'; 300]).unwrap_err(), "a password has at most 256 bytes");
        assert_eq!(piped(&[b'x'; 256]).map(drop), Ok(()));
        assert_eq!(
            piped(b"tab\tinside\n").unwrap_err(),
            "a password holds no control characters, tabs among them"
        );
    }

    #[test]
    fn a_terminal_is_asked_twice() {
        let mut typed = ["opensesame", "opensesame"].into_iter();
        let ask = |_: &str| Ok(typed.next().map(|typed| Zeroizing::new(typed.as_bytes().to_vec())));
        assert!(twice(ask).is_ok());
        for (typed, why) in [
            (["opensesame", "opensesami"], "the two passwords differ"),
            (["short", "opensesame"], "a password has at least 8 characters"),
            (["", ""], "no password was given: type one, or give it as one line of standard input"),
        ] {
            let mut typed = typed.into_iter();
            let ask = |_: &str| Ok(typed.next().map(|typed| Zeroizing::new(typed.as_bytes().to_vec())));
            assert_eq!(twice(ask).unwrap_err().to_string(), why);
        }
        assert!(matches!(twice(|_| Ok(None)), Err(PasswdError::Interrupted)));
    }
}
