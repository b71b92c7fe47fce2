//! [`Completion`]: what Tab makes of an unfinished line: commands, names and files, one after the other.

use arauto_protocol::Operation;
use unicode_normalization::UnicodeNormalization;

use super::commands;
use arauto_client::files::unquote;

/// The candidates to complete a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The line before the completed part.
    before: String,
    /// The line after it.
    after: String,
    /// The candidates: each as shown, and as put into the line.
    candidates: Vec<(String, String)>,
    /// Index of the candidate that the line shows.
    at: usize,
}

impl Completion {
    /// Finds the candidates at the cursor, which comes after `cursor` characters. Returns `None` if there are none.
    /// `files`: returns the audio files of a user, as far as they are known.
    #[must_use]
    pub fn new(
        line: &str,
        cursor: usize,
        names: &[String],
        files: impl Fn(&str) -> Vec<String>,
    ) -> Option<Self> {
        let cut = line.char_indices().nth(cursor).map_or(line.len(), |(at, _)| at);
        let (before, after) = line.split_at(cut);
        let (start, candidates) = match before.strip_prefix('/') {
            Some(word) if !word.contains(' ') => (0, begun_commands(word)),
            Some(command) if let Some((start, of)) = file_argument(command) => {
                (start + 1, begun_files(&before[start + 1..], &files(of)))
            }
            Some(command) => match name_argument(command) {
                Some(start) => (start + 1, quoted_names(&before[start + 1..], names)),
                None => (word_start(before), spoken_names(&before[word_start(before)..], "", names)),
            },
            None => {
                let start = word_start(before);
                let ending = if start == 0 { ": " } else { " " };
                (start, spoken_names(&before[start..], ending, names))
            }
        };
        let (before, after) = (before[..start].to_owned(), after.to_owned());
        (!candidates.is_empty()).then_some(Self { before, after, candidates, at: 0 })
    }

    /// Selects the next candidate, and after the last the first.
    pub fn next(&mut self) {
        self.at = (self.at + 1) % self.candidates.len();
    }

    /// Selects the previous candidate, and before the first the last.
    pub fn previous(&mut self) {
        self.at = (self.at + self.candidates.len() - 1) % self.candidates.len();
    }

    /// The whole line, and the number of characters before the cursor.
    #[must_use]
    pub fn line(&self) -> (String, usize) {
        let begin = format!("{}{}", self.before, self.candidates[self.at].1);
        let cursor = begin.chars().count();
        (begin + &self.after, cursor)
    }

    /// All candidates, as shown.
    pub fn candidates(&self) -> impl Iterator<Item = &str> {
        self.candidates.iter().map(|(shown, _)| shown.as_str())
    }

    /// Index of the candidate that the line shows.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}

/// Commands that begin with `word`, each once.
fn begun_commands(word: &str) -> Vec<(String, String)> {
    let word = word.to_lowercase();
    let mut begun: Vec<_> = Vec::new();
    for command in commands::all().filter(|command| command.word.starts_with(&word)) {
        if !begun.contains(&command.word) {
            begun.push(command.word);
        }
    }
    begun.into_iter().map(|word| (format!("/{word}"), format!("/{word} "))).collect()
}

/// Where the name begins, in bytes, in a command (without its slash) that takes one, if the cursor is still in it.
fn name_argument(command: &str) -> Option<usize> {
    let (word, rest) = command.split_once(' ')?;
    let start = command.len() - rest.trim_start_matches(' ').len();
    let rest = &command[start..];
    let is_begun = match Operation::from_short(word)? {
        Operation::PrivateMessage | Operation::Play | Operation::Kick | Operation::Ban => {
            match rest.strip_prefix('"') {
                Some(quoted) => !quoted.contains('"'),
                None => !rest.contains(' '),
            }
        }
        Operation::ListFiles | Operation::Unban => true,
        _ => false,
    };
    is_begun.then_some(start)
}

/// Where the file begins, in bytes, in a command that takes a user's file, and the name of that user.
fn file_argument(command: &str) -> Option<(usize, &str)> {
    let (word, rest) = command.split_once(' ')?;
    if Operation::from_short(word)? != Operation::Play {
        return None;
    }
    let rest = rest.trim_start_matches(' ');
    let (of, file) = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once("\" ")?,
        None => rest.split_once(' ')?,
    };
    let file = file.trim_start_matches(' ');
    Some((command.len() - file.len(), of))
}

/// Files whose names begin with `begun`, typed as they are or in quotes. The inserted text is quoted where needed, so
/// that it reads back.
fn begun_files(begun: &str, files: &[String]) -> Vec<(String, String)> {
    let is_begun = |file: &&String| {
        let name = unquote(file).map(|name| name.to_string_lossy().into_owned());
        let raw = begun.strip_prefix('"').unwrap_or(begun);
        begins(file, begun) || name.is_some_and(|name| begins(&name, begun) || begins(&name, raw))
    };
    files.iter().filter(is_begun).map(|file| (file.clone(), file.clone())).collect()
}

/// Names that begin with `begun`, as an argument of a command: in quotes if they hold blanks.
fn quoted_names(begun: &str, names: &[String]) -> Vec<(String, String)> {
    let begun = begun.strip_prefix('"').unwrap_or(begun);
    let can_be_typed =
        |name: &&String| if name.contains(' ') { !name.contains('"') } else { !name.starts_with('"') };
    let quoted = |name: &String| {
        let put = if name.contains(' ') { format!("\"{name}\" ") } else { format!("{name} ") };
        (name.clone(), put)
    };
    names.iter().filter(|name| begins(name, begun)).filter(can_be_typed).map(quoted).collect()
}

/// Names that begin with `begun`, within a text.
fn spoken_names(begun: &str, ending: &str, names: &[String]) -> Vec<(String, String)> {
    if begun.is_empty() {
        return Vec::new();
    }
    let spoken = |name: &String| (name.clone(), format!("{name}{ending}"));
    names.iter().filter(|name| begins(name, begun)).map(spoken).collect()
}

fn begins(name: &str, begun: &str) -> bool {
    // Letters are composed before comparing: a keyboard composes them, and a disk may not.
    let folded = |text: &str| text.nfc().collect::<String>().to_lowercase();
    folded(name).starts_with(&folded(begun))
}

fn word_start(text: &str) -> usize {
    text.rfind(' ').map_or(0, |blank| blank + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that Tab makes of a line, pressed again and again, with the cursor where `^` is.
    fn tabs(line: &str, count: usize) -> Vec<String> {
        let names = ["ana", "Ana Maria", "rui", "x\"y z", "\"q"].map(str::to_owned);
        let cursor = line.chars().position(|c| c == '^').unwrap();
        let files = |of: &str| match of {
            "Ana Maria" => ["a.mp3", "a song.mp3", "b.wav"].map(str::to_owned).to_vec(),
            "rui" => [r#""01 - Artist (feat. X).mp3""#, r#""02, \"live\".mp3""#, "Mu\u{301}sica.mp3"]
                .map(str::to_owned)
                .to_vec(),
            _ => Vec::new(),
        };
        let Some(mut completion) = Completion::new(&line.replace('^', ""), cursor, &names, files) else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        for _ in 0..count {
            let (line, cursor) = completion.line();
            let at = line.char_indices().nth(cursor).map_or(line.len(), |(at, _)| at);
            lines.push(format!("{}^{}", &line[..at], &line[at..]));
            completion.next();
        }
        lines
    }

    #[test]
    fn operations_and_names() {
        for (line, made) in [
            ("/m^", &["/msg ^", "/msg ^"][..]),
            ("/e^", &["/echo ^", "/exit ^", "/echo ^"]),
            ("/KI^", &["/kick ^"]),
            ("/q^", &["/quit ^"]),
            ("/v^", &["/volume ^"]),
            ("/pa^", &["/pause ^"]),
            ("/st^", &["/streams ^", "/stop ^", "/streams ^"]),
            ("/zzz^", &[]),
            ("/msg ^", &["/msg ana ^", "/msg \"Ana Maria\" ^", "/msg rui ^", "/msg ana ^"]),
            ("/msg A^ hi", &["/msg ana ^ hi", "/msg \"Ana Maria\" ^ hi"]),
            ("/msg \"ana m^", &["/msg \"Ana Maria\" ^"]),
            ("/files ana m^", &["/files \"Ana Maria\" ^"]),
            ("/play an^", &["/play ana ^", "/play \"Ana Maria\" ^"]),
            (
                "/play \"Ana Maria\" ^",
                &[
                    "/play \"Ana Maria\" a.mp3^",
                    "/play \"Ana Maria\" a song.mp3^",
                    "/play \"Ana Maria\" b.wav^",
                ],
            ),
            ("/play \"Ana Maria\" a s^", &["/play \"Ana Maria\" a song.mp3^"]),
            ("/play ana ^", &[]),
            // Names may be typed as they are or in quotes. The inserted text reads back.
            ("/play rui 01^", &["/play rui \"01 - Artist (feat. X).mp3\"^"]),
            ("/play rui 01 - artist (f^", &["/play rui \"01 - Artist (feat. X).mp3\"^"]),
            ("/play rui \"01^", &["/play rui \"01 - Artist (feat. X).mp3\"^"]),
            ("/play rui 02, \"l^", &["/play rui \"02, \\\"live\\\".mp3\"^"]),
            ("/play rui \"02, \\\"^", &["/play rui \"02, \\\"live\\\".mp3\"^"]),
            ("/play rui m\u{fa}s^", &["/play rui Mu\u{301}sica.mp3^"]),
            ("/play rui x^", &[]),
            ("/msg ana r^", &["/msg ana rui^"]),
            ("r^", &["rui: ^"]),
            ("ask r^ why", &["ask rui ^ why"]),
            ("^", &[]),
            ("ask ^", &[]),
            ("/list r^", &["/list rui^"]),
        ] {
            assert_eq!(tabs(line, made.len()), made, "{line}");
        }
    }

    #[test]
    fn backwards_too() {
        let mut completion = Completion::new("/e", 2, &[], |_| Vec::new()).unwrap();
        completion.previous();
        assert_eq!(completion.line(), ("/exit ".to_owned(), 6));
        assert_eq!(completion.candidates().collect::<Vec<_>>(), ["/echo", "/exit"]);
        assert_eq!(completion.at(), 1);
    }
}
