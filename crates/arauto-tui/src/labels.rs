//! [`labels`]: the text before what is typed, for screens of any width.

use super::app::Prompt;

/// The labels of a prompt, the longest first. Each of them says what is wanted, and with which keys.
pub fn labels(prompt: &Prompt) -> Vec<String> {
    let short = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    match prompt {
        Prompt::Talk => short(&["> "]),
        Prompt::Name(_) => short(&["Your name: ", "Name: ", "> "]),
        Prompt::Password { name, .. } => {
            [format!("Password of {name}: ")].into_iter().chain(short(&["Password: ", "PW: "])).collect()
        }
        Prompt::Close => {
            short(&["End the server for everyone? y/n ", "End the server? y/n ", "End it? y/n "])
        }
        Prompt::Paste(pasted) => {
            let lines = pasted.lines.len();
            vec![
                format!("Paste {lines} lines as {lines} messages? y/n "),
                format!("Send {lines} lines? y/n "),
                format!("{lines} lines? y/n "),
            ]
        }
        Prompt::Over(_) => short(&["Enter tries again, Esc leaves. ", "Rejoin? Enter/Esc ", "Enter/Esc "]),
    }
}
