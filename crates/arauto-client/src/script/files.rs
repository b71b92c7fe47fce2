//! `arauto files`: the files that a user shares.

use std::time::{Duration, Instant};

use arauto_protocol::{Message, Operation};
use tokio::time::timeout_at;

use super::{
    OneShot, ScriptError,
    show::{self, Form},
};
use crate::{
    dial::Dialer,
    display_name::is_same,
    files::{Assembled, Assembly, Listing},
    joining::Joining,
    meaning::Meaning,
    text::{MESSAGE_BYTES, fit_data},
};

/// A user's answer, for printing.
#[derive(Debug, Default)]
pub struct Files {
    /// Lines with their endings, one per file, or the user's answer in other words.
    pub lines: Vec<String>,
    /// Remarks for people, printed apart from the list.
    pub remarks: Vec<String>,
    /// Number of files on the list that did not come.
    pub missing: usize,
}

/// Asks `of` for the list of files. Joining and the whole answer may take at most `within`.
///
/// # Errors
/// If joining fails, no client has that name, no answer comes in time, or the connection breaks.
pub async fn files(
    dialer: &Dialer,
    name: Option<&str>,
    of: &str,
    within: Duration,
    form: Form,
) -> Result<Files, ScriptError> {
    let mut one_shot = OneShot::join_within(dialer, name, within).await?;
    let until = one_shot.until();
    let own = one_shot.name.clone();
    let asked = Message { destination: of, ..Joining::command(&own, Operation::ListFiles.wire()) };
    let asked = fit_data(asked, MESSAGE_BYTES).map_err(|why| ScriptError::Argument { what: "NAME", why })?;
    let silence = || ScriptError::NoAnswer { who: of.to_owned(), within };
    timeout_at(until, one_shot.send(&asked)).await.map_err(|_| silence())??;
    let mut assembly = Assembly::default();
    let mut sender: Option<String> = None;
    let files = loop {
        let Ok(answered) = timeout_at(until, answer(&mut one_shot, of)).await else {
            // The part of the list that came is returned.
            match sender.and_then(|sender| assembly.end(&sender)) {
                Some(rest) => break listed(rest, of, form),
                None => return Err(silence()),
            }
        };
        let (answer, text) = answered?;
        match assembly.take(&answer, &text, Instant::now()) {
            Assembled::More => sender = Some(answer),
            Assembled::FreeText => break Files { lines: vec![show::words(form, &text)], ..Files::default() },
            whole => break listed(whole, of, form),
        }
    };
    one_shot.leave().await?;
    Ok(files)
}

fn listed(list: Assembled, of: &str, form: Form) -> Files {
    let (listing, missing) = match list {
        Assembled::Complete(listing) => (listing, 0),
        Assembled::Incomplete { listing, missing } => (listing, missing),
        Assembled::More | Assembled::FreeText => return Files::default(),
    };
    let Listing { entries, left_out, no_folder } = listing;
    let lines = entries.iter().map(|entry| show::file(form, entry)).collect();
    let mut remarks = Vec::new();
    if no_folder {
        remarks.push(format!("{of} shares no folder"));
    } else if entries.is_empty() {
        remarks.push(format!("{of} shares no files"));
    }
    remarks.extend(left_out.to_string().strip_prefix("; ").map(str::to_owned));
    Files { lines, remarks, missing }
}

/// Receives the next message of an answer. Returns its sender and its text.
async fn answer(one_shot: &mut OneShot, of: &str) -> Result<(String, String), ScriptError> {
    loop {
        let received = one_shot.next().await?;
        match received.meaning() {
            // Any client can send a list, so the sender is compared. The server accepts several spellings of a name.
            Meaning::Files { of: sender, text } if is_same(sender, of) => {
                return Ok((sender.to_owned(), text.to_owned()));
            }
            Meaning::Refusal { operation, why } if operation == Operation::ListFiles.wire() => {
                return Err(ScriptError::Refused(why.to_owned()));
            }
            Meaning::Refusal { operation: "error_message", why } => {
                return Err(ScriptError::Refused(format!("{of} could not be asked: {why}")));
            }
            _ => {}
        }
    }
}
