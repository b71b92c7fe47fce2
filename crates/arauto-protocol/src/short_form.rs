//! Short forms: lines that begin with `/`, which users at a terminal type in place of whole messages.

use super::{message::NO_DATA, operation::Operation};

/// The fields of the message that a short form stands for, without SENDER.
#[derive(Debug, PartialEq, Eq)]
pub struct ShortForm<'a> {
    /// The operation.
    pub operation: Operation,
    /// The receiver; empty if there is none.
    pub destination: &'a str,
    /// DATA of the message.
    pub data: &'a str,
}

/// Why a `/` line is not a short form.
#[derive(Debug, PartialEq, Eq)]
pub enum NoShortForm<'a> {
    /// No short form has this word.
    Unknown(&'a str),
    /// A part is missing after the word; the text names it.
    Incomplete(Operation, &'static str),
    /// Words follow after one that ends a session, or all of them: the line may be the beginning of a sentence.
    NotAlone(Operation),
}

/// Parses the text after the `/`.
///
/// ```
/// use arauto_protocol::{Operation, short_form::{NoShortForm, ShortForm, parse}};
///
/// let short = parse("msg \"Ana Maria\" hi there");
/// let (operation, destination) = (Operation::PrivateMessage, "Ana Maria");
/// assert_eq!(short, Ok(ShortForm { operation, destination, data: "hi there" }));
///
/// assert_eq!(parse("msg bob"), Err(NoShortForm::Incomplete(operation, "the text")));
/// assert_eq!(parse("dance"), Err(NoShortForm::Unknown("dance")));
/// ```
///
/// # Errors
/// If the word is unknown, a part is missing after it, or words follow where none may.
pub fn parse(line: &str) -> Result<ShortForm<'_>, NoShortForm<'_>> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let operation = Operation::from_short(word).ok_or(NoShortForm::Unknown(word))?;
    let (destination, data) = match operation {
        Operation::PrivateMessage => {
            let (name, data) = split_name(rest).ok_or(NoShortForm::Incomplete(operation, "a name"))?;
            (name, data)
        }
        Operation::Kick | Operation::Ban => {
            let (name, data) = split_name(rest).ok_or(NoShortForm::Incomplete(operation, "a name"))?;
            (name, if data.is_empty() { NO_DATA } else { data })
        }
        Operation::Play => {
            let (name, file) = split_name(rest).ok_or(NoShortForm::Incomplete(operation, "a name"))?;
            (name, named_file(operation, file)?)
        }
        Operation::Stop => ("", named_file(operation, rest)?),
        Operation::ListFiles | Operation::Unban => (unquoted(rest.trim()), NO_DATA),
        Operation::Tags => ("", if rest.trim().is_empty() { NO_DATA } else { rest.trim() }),
        Operation::Echo | Operation::Broadcast | Operation::BroadcastNotMe => ("", rest),
        Operation::Exit | Operation::CloseServer if !rest.trim().is_empty() => {
            return Err(NoShortForm::NotAlone(operation));
        }
        Operation::ListClients
        | Operation::Watch
        | Operation::Unwatch
        | Operation::ListStreams
        | Operation::Exit
        | Operation::CloseServer
        | Operation::ListBans
        | Operation::Help
        | Operation::Publish
        | Operation::Limits => ("", NO_DATA),
    };
    if data.is_empty() {
        return Err(NoShortForm::Incomplete(operation, "the text"));
    }
    Ok(ShortForm { operation, destination, data })
}

/// The name at the start, which is quoted if it holds blanks, and the text behind the blank after it.
fn split_name(rest: &str) -> Option<(&str, &str)> {
    let rest = rest.trim_start_matches(' ');
    let (name, data) = match rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
        Some((name, data)) => (name, data.strip_prefix(' ').unwrap_or(data)),
        None => rest.split_once(' ').unwrap_or((rest, "")),
    };
    (!name.is_empty()).then_some((name, data))
}

/// The file that a short form names: the rest of the line. Quotes around it are removed, because users quote names with
/// blanks.
fn named_file(operation: Operation, rest: &str) -> Result<&str, NoShortForm<'_>> {
    let file = unquoted(rest.trim_matches(' '));
    if file.is_empty() { Err(NoShortForm::Incomplete(operation, "a file")) } else { Ok(file) }
}

fn unquoted(name: &str) -> &str {
    name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(operation: Operation, destination: &'static str, data: &'static str) -> ShortForm<'static> {
        ShortForm { operation, destination, data }
    }

    #[test]
    fn each_short_form() {
        for (line, meant) in [
            ("all hi", short(Operation::Broadcast, "", "hi")),
            ("all  two  blanks ", short(Operation::Broadcast, "", " two  blanks ")),
            ("others hi | there", short(Operation::BroadcastNotMe, "", "hi | there")),
            ("msg bob hi you", short(Operation::PrivateMessage, "bob", "hi you")),
            ("msg \"Ana Maria\" hi", short(Operation::PrivateMessage, "Ana Maria", "hi")),
            ("list", short(Operation::ListClients, "", NO_DATA)),
            ("watch", short(Operation::Watch, "", NO_DATA)),
            ("unwatch", short(Operation::Unwatch, "", NO_DATA)),
            ("tags  on ", short(Operation::Tags, "", "on")),
            ("tags", short(Operation::Tags, "", NO_DATA)),
            ("files Ana Maria", short(Operation::ListFiles, "Ana Maria", NO_DATA)),
            ("files \"bob\"", short(Operation::ListFiles, "bob", NO_DATA)),
            ("files", short(Operation::ListFiles, "", NO_DATA)),
            ("play ana song.mp3", short(Operation::Play, "ana", "song.mp3")),
            ("play \"Ana Maria\"  a song.mp3 ", short(Operation::Play, "Ana Maria", "a song.mp3")),
            ("play ana \"a song.mp3\"", short(Operation::Play, "ana", "a song.mp3")),
            ("streams", short(Operation::ListStreams, "", NO_DATA)),
            ("stop a song.mp3", short(Operation::Stop, "", "a song.mp3")),
            ("publish x", short(Operation::Publish, "", NO_DATA)),
            ("echo hi", short(Operation::Echo, "", "hi")),
            ("kick bob", short(Operation::Kick, "bob", NO_DATA)),
            ("kick \"Ana Maria\" being rude", short(Operation::Kick, "Ana Maria", "being rude")),
            ("ban 192.0.2.0/24 1h being rude", short(Operation::Ban, "192.0.2.0/24", "1h being rude")),
            ("unban Ana Maria", short(Operation::Unban, "Ana Maria", NO_DATA)),
            ("bans", short(Operation::ListBans, "", NO_DATA)),
            ("exit", short(Operation::Exit, "", NO_DATA)),
            ("close", short(Operation::CloseServer, "", NO_DATA)),
            ("help", short(Operation::Help, "", NO_DATA)),
        ] {
            assert_eq!(parse(line), Ok(meant), "{line}");
        }
    }

    #[test]
    fn what_ends_something_is_typed_alone() {
        for (line, operation) in
            [("exit strategy for tomorrow", Operation::Exit), ("close bob", Operation::CloseServer)]
        {
            assert_eq!(parse(line), Err(NoShortForm::NotAlone(operation)), "{line}");
        }
        assert!(parse("exit  ").is_ok() && parse("close ").is_ok());
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(parse("al hi"), Err(NoShortForm::Unknown("al")));
        assert_eq!(parse(""), Err(NoShortForm::Unknown("")));
        assert_eq!(parse("msg"), Err(NoShortForm::Incomplete(Operation::PrivateMessage, "a name")));
        assert_eq!(parse("msg bob"), Err(NoShortForm::Incomplete(Operation::PrivateMessage, "the text")));
        assert_eq!(parse("ban"), Err(NoShortForm::Incomplete(Operation::Ban, "a name")));
        assert_eq!(parse("play"), Err(NoShortForm::Incomplete(Operation::Play, "a name")));
        for line in ["play ana", "play ana \"\"", "play \"ana\" "] {
            assert_eq!(parse(line), Err(NoShortForm::Incomplete(Operation::Play, "a file")), "{line}");
        }
        assert_eq!(parse("stop"), Err(NoShortForm::Incomplete(Operation::Stop, "a file")));
        assert_eq!(parse("all"), Err(NoShortForm::Incomplete(Operation::Broadcast, "the text")));
    }
}
