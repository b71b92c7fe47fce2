//! Tests of the commands that F1 lists.

use super::*;

/// The commands in the help, without the slash.
fn listed() -> Vec<String> {
    let mut desk = Desk::ana(80, 100);
    desk.key(KeyCode::F(1));
    let rows = desk.picture();
    let words = rows.iter().filter_map(|row| row.trim_start().strip_prefix('/')?.split(' ').next());
    words.map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_help_is_completed_and_suggested() {
    let listed = listed();
    for word in ["msg", "volume", "pause", "stop", "quit", "kick"] {
        assert!(listed.iter().any(|listed| listed == word), "{word}: {listed:?}");
    }
    for word in listed {
        let mut desk = Desk::ana(80, 8);
        desk.type_in(&format!("/{}", &word[..word.len() - 1]));
        desk.key(KeyCode::Tab);
        let candidates = desk.last_row();
        let is_there = candidates.split("  ").any(|candidate| candidate == format!("/{word}"));
        assert!(is_there, "{word}: {candidates}");
        desk.control('u');
        desk.enter(&format!("/{word}x"));
        let hint = desk.last_row();
        assert!(hint.contains(&format!("Did you mean /{word}?")), "{word}: {hint}");
    }
}
