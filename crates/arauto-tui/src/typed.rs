//! [`read`]: the meaning of a typed line.

use arauto_protocol::{
    Line, Message, Operation,
    message::NO_DATA,
    reply::ALL_CLIENTS,
    short_form::{self, NoShortForm, ShortForm},
};

use super::{commands, people::Request, sentences::sentence};
use arauto_client::{
    audio::publish::PublishCommand,
    joining::SERVER,
    text::{Unfit, fit_data},
};

/// The meaning of a typed line.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// Nothing was typed.
    Nothing,
    /// Send this message.
    Send(Line),
    /// Show the connected users.
    List,
    /// Show the help.
    Help,
    /// Leave the server.
    Leave,
    /// End the server, after asking the user.
    Close,
    /// Give a command about this file that is played to others, or about all such files.
    Control(PublishCommand, Option<String>),
    /// The line cannot be carried out: why, and what to type instead.
    Wrong(String),
}

/// Reads a line that `own` typed. A message may have at most `limit` bytes.
#[must_use]
pub fn read(line: &str, own: &str, limit: usize) -> Typed {
    if line.trim().is_empty() {
        return Typed::Nothing;
    }
    if let Some((command, file)) = publish_command(line) {
        return Typed::Control(command, file);
    }
    let (form, command) = match line.strip_prefix('/') {
        // Two slashes begin a text whose first character is a slash.
        Some(text) if text.starts_with('/') => (Ok(to_everyone(text)), None),
        Some(short) => (short_form::parse(short.trim_end()), Some(short)),
        None => (Ok(to_everyone(line)), None),
    };
    let form = match (form, command) {
        (Ok(form), _) => form,
        (Err(NoShortForm::Unknown(word)), Some(_)) if word.eq_ignore_ascii_case("quit") => {
            return Typed::Leave;
        }
        (Err(why), _) => return Typed::Wrong(wrong(&why)),
    };
    match form.operation {
        // This screen shows joins and leaves anyway.
        Operation::ListClients | Operation::Watch => return Typed::List,
        Operation::Tags => {
            return Typed::Wrong("This screen shows the time of each message. Nothing was sent".to_owned());
        }
        Operation::Unwatch => {
            return Typed::Wrong(
                "This screen always shows who joins and leaves. Nothing was sent".to_owned(),
            );
        }
        Operation::Help => return Typed::Help,
        Operation::Exit => return Typed::Leave,
        Operation::CloseServer => return Typed::Close,
        _ => {}
    }
    match fit_data(message(&form, own), limit) {
        Ok(line) => Typed::Send(line),
        Err(Unfit::TooLong { over, limit }) => {
            let bytes = if over == 1 { "byte" } else { "bytes" };
            Typed::Wrong(format!("{over} {bytes} too long; a message has at most {limit}, names included"))
        }
        Err(why) => Typed::Wrong(format!("This {why}")),
    }
}

/// Reads `/pause`, `/pause song.mp3` and `/stop`. `/stop` with a file is a message to the server: the file may be
/// another user's.
fn publish_command(line: &str) -> Option<(PublishCommand, Option<String>)> {
    let line = line.strip_prefix('/')?.trim_end();
    let (word, file) = line.split_once(' ').map_or((line, None), |(word, file)| (word, Some(file.trim())));
    match (word.to_ascii_lowercase().as_str(), file) {
        ("pause", file) => Some((PublishCommand::Pause, file.map(str::to_owned))),
        ("stop", None) => Some((PublishCommand::Stop, None)),
        _ => None,
    }
}

fn to_everyone(text: &str) -> ShortForm<'_> {
    ShortForm { operation: Operation::Broadcast, destination: "", data: text }
}

fn message<'a>(form: &ShortForm<'a>, own: &'a str) -> Message<'a> {
    let destination = match form.operation {
        Operation::Echo => own,
        Operation::Broadcast | Operation::BroadcastNotMe => ALL_CLIENTS,
        Operation::PrivateMessage
        | Operation::ListFiles
        | Operation::Play
        | Operation::Kick
        | Operation::Ban
        | Operation::Unban => form.destination,
        _ => SERVER,
    };
    Message { sender: own, destination, operation: form.operation.wire(), data: form.data }
}

fn wrong(why: &NoShortForm<'_>) -> String {
    match why {
        NoShortForm::Unknown(word) => match commands::nearest(word) {
            Some(near) => format!("/{word} is not known. Did you mean /{}? Type: {}", near.word, near.typed),
            None => format!("/{word} is not known. F1 shows what is; // begins a text with a slash"),
        },
        NoShortForm::Incomplete(operation, what) => {
            let what = sentence(what);
            format!("{what} is missing after /{}. Type: {}", operation.short(), operation.typed())
        }
        NoShortForm::NotAlone(operation) => {
            format!("nothing may follow after /{0}. To do it, type /{0} alone", operation.short())
        }
    }
}

/// Returns `close_server` from `own`.
#[must_use]
pub fn close_server(own: &str) -> Line {
    command(own, Operation::CloseServer)
}

/// Returns the request for the list of clients from `own`.
#[must_use]
pub fn request(own: &str, request: Request) -> Line {
    let operation = match request {
        Request::Watch => Operation::Watch,
        Request::List => Operation::ListClients,
    };
    command(own, operation)
}

/// Returns an `echo` of `text` from `own`.
#[must_use]
pub fn echo(own: &str, text: &str) -> Line {
    Line::lossy(&message(&ShortForm { operation: Operation::Echo, destination: "", data: text }, own))
}

fn command(own: &str, operation: Operation) -> Line {
    Line::lossy(&message(&ShortForm { operation, destination: "", data: NO_DATA }, own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(line: &str) -> String {
        match read(line, "rui", 1024) {
            Typed::Send(line) => line.text().to_owned(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_is_sent() {
        for (line, message) in [
            ("hi | there", "rui | all clients | broadcast | hi | there"),
            (" /list", "rui | all clients | broadcast |  /list"),
            ("//list", "rui | all clients | broadcast | /list"),
            ("/all hi", "rui | all clients | broadcast | hi"),
            ("/others hi", "rui | all clients | broadcast_not_me | hi"),
            ("/msg \"Ana Maria\" hi you", "rui | Ana Maria | private_message | hi you"),
            ("/files Ana Maria", "rui | Ana Maria | list_files | no data"),
            ("/echo hi", "rui | rui | echo | hi"),
            ("/play ana a song.mp3", "rui | ana | play | a song.mp3"),
            ("/streams", "rui | server | list_streams | no data"),
            ("/stop a song.mp3", "rui | server | stop | a song.mp3"),
            ("/kick ana being rude", "rui | ana | kick | being rude"),
            ("/ban 192.0.2.7 1h", "rui | 192.0.2.7 | ban | 1h"),
            ("/unban ana", "rui | ana | unban | no data"),
            ("/bans", "rui | server | list_bans | no data"),
        ] {
            assert_eq!(sent(line), message);
        }
    }

    #[test]
    fn what_is_done_here() {
        for (line, typed) in [
            ("", Typed::Nothing),
            ("  ", Typed::Nothing),
            ("/list ", Typed::List),
            ("/help", Typed::Help),
            ("/exit", Typed::Leave),
            ("/quit", Typed::Leave),
            ("/close", Typed::Close),
            ("/stop ", Typed::Control(PublishCommand::Stop, None)),
            ("/pause", Typed::Control(PublishCommand::Pause, None)),
            ("/Pause  a song.mp3 ", Typed::Control(PublishCommand::Pause, Some("a song.mp3".to_owned()))),
        ] {
            assert_eq!(read(line, "rui", 1024), typed, "{line}");
        }
    }

    #[test]
    fn what_is_wrong() {
        let too_long = format!("/msg ana {}", "x".repeat(1024));
        for (line, why) in [
            ("/mgs ana hi", "/mgs is not known. Did you mean /msg? Type: /msg bob hi"),
            ("/volum 50", "/volum is not known. Did you mean /volume? Type: /volume 50"),
            ("/puase", "/puase is not known. Did you mean /pause? Type: /pause [FILE]"),
            ("/dance", "/dance is not known. F1 shows what is; // begins a text with a slash"),
            ("/msg ana", "The text is missing after /msg. Type: /msg bob hi"),
            ("/msg", "A name is missing after /msg. Type: /msg bob hi"),
            ("/kick ana so\n/close", "This cannot be sent: character 3 is a control character (U+000A)"),
            ("/play ana a\rb", "This cannot be sent: character 2 is a control character (U+000D)"),
            ("/files a|b", "This cannot be sent: character 2 of DESTINATION is a |, which separates fields"),
            (&too_long, "30 bytes too long; a message has at most 1024, names included"),
        ] {
            assert_eq!(read(line, "rui", 1024), Typed::Wrong(why.to_owned()), "{line}");
        }
        let exact = "x".repeat(1024 - "rui | all clients | broadcast | ".len());
        assert_eq!(sent(&exact).len(), 1024);
        let one_more = format!("{exact}x");
        let why = "1 byte too long; a message has at most 1024, names included".to_owned();
        assert_eq!(read(&one_more, "rui", 1024), Typed::Wrong(why));
        assert!(matches!(read(&one_more, "rui", 1025), Typed::Send(_)));
        let why = "769 bytes too long; a message has at most 256, names included".to_owned();
        assert_eq!(read(&one_more, "rui", 256), Typed::Wrong(why));
    }
}
