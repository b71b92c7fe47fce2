//! [`Command`]: the commands that can be typed after a slash. The help, completion and suggestions have no other table.

use arauto_protocol::Operation;

/// A command that can be typed after a slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// The word after the slash.
    pub word: &'static str,
    /// An example of the whole line.
    pub typed: &'static str,
    /// Its effect, for the help.
    pub does: &'static str,
    /// Whether the server lets only operators use it.
    pub is_for_operators: bool,
    /// Words for which [`nearest`] suggests the command, besides its own.
    also: &'static [&'static str],
}

/// Longest word in bytes for which a command is suggested: no typo of a command is longer, and the cost of a comparison
/// grows with the length.
const MAX_WORD_BYTES: usize = 32;

/// Commands that are no operations of the protocol.
const HERE: [Command; 4] = [
    here("volume", "/volume 50", "set the volume, from 0 to 100", &["vol", "loud", "louder"]),
    here("pause", "/pause [FILE]", "pause what you play to others; again: resume", &["resume", "unpause"]),
    here("stop", "/stop", "stop hearing; if you hear nothing, end all that you play to others", &[]),
    here("quit", "/quit", "leave, as /exit does", &[]),
];

const fn here(
    word: &'static str,
    typed: &'static str,
    does: &'static str,
    also: &'static [&'static str],
) -> Command {
    Command { word, typed, does, is_for_operators: false, also }
}

impl From<Operation> for Command {
    fn from(operation: Operation) -> Self {
        Self {
            word: operation.short(),
            typed: operation.typed(),
            does: operation.does(),
            is_for_operators: operation.is_for_operators(),
            also: operation.aliases(),
        }
    }
}

/// All commands, in the order of the help. A word that has two meanings is there twice.
pub fn all() -> impl Iterator<Item = Command> {
    // This screen shows joins, leaves and times anyway.
    let is_here =
        |operation: &Operation| !matches!(operation, Operation::Watch | Operation::Unwatch | Operation::Tags);
    Operation::for_people().filter(is_here).map(Command::from).chain(HERE)
}

/// The command that a mistyped word or a synonym most likely means, by the rule of [`Operation::nearest`].
pub fn nearest(word: &str) -> Option<Command> {
    let word = word.to_lowercase();
    let operation = Operation::nearest(&word).map(Command::from);
    let is_short = word.len() <= MAX_WORD_BYTES;
    let here = HERE.into_iter().filter(|_| is_short).map(|command| (distance(command, &word), command));
    let here = here.filter(|(distance, command)| distance * 3 <= command.word.len());
    let here = here.min_by_key(|(distance, _)| *distance);
    match (operation, here) {
        (Some(operation), Some((near, _))) if distance(operation, &word) <= near => Some(operation),
        (operation, here) => here.map(|(_, here)| here).or(operation),
    }
}

/// Number of edits between a word and a command; 0 for a synonym.
fn distance(command: Command, word: &str) -> usize {
    if command.also.contains(&word) { 0 } else { strsim::osa_distance(command.word, word) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_commands_of_both_kinds() {
        for (slip, meant) in [
            ("volum", Some("/volume 50")),
            ("Voluem", Some("/volume 50")),
            ("vol", Some("/volume 50")),
            ("puase", Some("/pause [FILE]")),
            ("resume", Some("/pause [FILE]")),
            ("stpo", Some("/stop song.mp3")),
            ("mgs", Some("/msg bob hi")),
            ("whisper", Some("/msg bob hi")),
            ("private_mesage", Some("/msg bob hi")),
            ("dance", None),
            ("", None),
        ] {
            assert_eq!(nearest(slip).map(|command| command.typed), meant, "{slip}");
        }
        assert_eq!(nearest(&"x".repeat(100_000)), None);
    }
}
