//! Recognizes the answer to the password request, and other lines that hold a password.

/// OPERATION of the password request and of its answer.
pub const PASSWORD: &str = "password";

/// The password in a line. `asked`: the line was read after the password request was sent.
///
/// - In `alan | server | password | ...`, the password is all of DATA, whatever it holds, whether asked or not: users
///   do not write that by accident.
/// - Otherwise, the password is the line itself, as a user types it in netcat. But a line that looks like a message,
///   because it holds ` | ` or begins with `/`, is no password; nor is any line before the request, because scripts
///   send further lines right after their name.
///
/// ```
/// use arauto_protocol::password::answer;
///
/// assert_eq!(answer(b"alan | server | password | open | sesame", false), Some(&b"open | sesame"[..]));
/// assert_eq!(answer(b"opensesame", true), Some(&b"opensesame"[..]));
/// assert_eq!(answer(b"opensesame", false), None);
/// assert_eq!(answer(b"/list", true), None);
/// ```
#[must_use]
pub fn answer(line: &[u8], asked: bool) -> Option<&[u8]> {
    let looks_like_a_message = || line.starts_with(b"/") || line.windows(3).any(|window| window == b" | ");
    match fields(line) {
        Some(mut data) => data.next().map(|data| data.strip_prefix(b" ").unwrap_or(data)),
        None => (asked && !looks_like_a_message()).then_some(line),
    }
}

/// Whether a line is a `password` message, well-formed or not. Such a line may hold a password and must not be shown.
///
/// ```
/// use arauto_protocol::password::is_one;
///
/// assert!(is_one(b"alan | server | password | opensesame"));
/// assert!(!is_one(b"alan | server | list_clients"));
/// ```
#[must_use]
pub fn is_one(line: &[u8]) -> bool {
    fields(line).is_some()
}

/// The fields behind OPERATION, at most DATA, if the line is a `password` message.
fn fields(line: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let mut fields = line.splitn(4, |byte| *byte == b'|');
    let operation = fields.nth(2)?.trim_ascii();
    operation.eq_ignore_ascii_case(PASSWORD.as_bytes()).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_gives_all_after_the_third_pipe() {
        for (line, password) in [
            (&b"alan | server | password | opensesame"[..], &b"opensesame"[..]),
            (b"|| password |opensesame", b"opensesame"),
            (b"alan | server | password |  two blanks ", b" two blanks "),
            (b"alan | server | password | a | b|c", b"a | b|c"),
            (b"alan | server | password | /slash", b"/slash"),
            (b"alan | server | password | ", b""),
            (b"alan | server | Password | caf\xe9", b"caf\xe9"),
        ] {
            assert_eq!(answer(line, false), Some(password), "{line:?}");
            assert_eq!(answer(line, true), Some(password), "{line:?}");
            assert!(is_one(line));
        }
    }

    #[test]
    fn a_bare_line_is_one_only_if_asked_for_and_no_message() {
        for line in [&b"opensesame"[..], b" open sesame ", b"a|b", b"a/b", b"caf\xe9"] {
            assert_eq!(answer(line, true), Some(line), "{line:?}");
            assert_eq!(answer(line, false), None, "{line:?}");
            assert!(!is_one(line));
        }
        for line in
            [&b"/list"[..], b"alan | server | list_clients", b"alan | all clients | broadcast | hi", b"a | b"]
        {
            assert_eq!(answer(line, true), None, "{line:?}");
        }
    }

    #[test]
    fn one_without_data_gives_none_and_is_one_all_the_same() {
        assert_eq!(answer(b"alan | server | password", true), None);
        assert!(is_one(b"alan | server | password"));
        assert!(is_one(b"\xff | \x1b | PASSWORD | \x00"));
    }
}
