//! `arauto files`: what files someone has.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    Errand, Failure,
    show::{self, Form},
};
use crate::{
    client::{dial::Dialer, joining::Joining, meaning::Meaning},
    protocol::{Message, Operation},
};

/// Lines, with their endings, that show what `of` answers.
///
/// # Errors
/// If nobody is called so, or no answer comes `within` this time, or the connection breaks.
pub async fn files(
    dialer: &Dialer,
    name: &str,
    of: &str,
    within: Duration,
    form: Form,
) -> Result<Vec<String>, Failure> {
    let mut errand = Errand::begin(dialer, name).await?;
    let own = errand.name.clone();
    let asked = Message { destination: of, ..Joining::command(&own, Operation::ListFiles.wire()) };
    errand.send(&asked).await?;
    let answer = timeout(within, answer(&mut errand, of)).await;
    let text = answer.map_err(|_| Failure::NoAnswer { who: of.to_owned(), within })??;
    errand.leave().await?;
    Ok(vec![show::file_list(form, of, &text)])
}

async fn answer(errand: &mut Errand, of: &str) -> Result<String, Failure> {
    loop {
        let received = errand.next().await?;
        match received.meaning() {
            // The server knows names in more spellings than one, and nobody else was asked.
            Meaning::Files { text, .. } => return Ok(text.to_owned()),
            Meaning::Refusal { operation, why } if operation == Operation::ListFiles.wire() => {
                return Err(Failure::Refused(why.to_owned()));
            }
            Meaning::Refusal { operation: "error_message", why } => {
                return Err(Failure::Refused(format!("{of} could not be asked: {why}")));
            }
            _ => {}
        }
    }
}
