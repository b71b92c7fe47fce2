//! Tests of messages that the server refuses or answers.

use super::*;

/// Sends the echo that confirms earlier messages, and answers it.
fn confirm(desk: &mut Desk) {
    desk.now.at = desk.app.deadline(desk.now.at).unwrap();
    desk.app.tick(desk.now);
    desk.answer_echoes();
}

#[test]
fn a_refused_private_message_has_the_sign_of_an_error() {
    let mut ana = Desk::ana(80, 10);
    ana.enter("/msg rui one");
    ana.enter("/msg nobody two");
    ana.enter("/msg rui three");
    ana.hear("server | ana | private_message | Destination client (nobody) not found!");
    // The refusal confirms what was sent before it.
    ana.shows_above_line(&[
        "09:30 * ana → rui: one",
        "09:30 ! ana → nobody: two",
        "09:30 … ana → rui: three",
        "09:30 ! Destination client (nobody) not found!",
    ]);
    confirm(&mut ana);
    ana.shows_above_line(&[
        "09:30 * ana → rui: one",
        "09:30 ! ana → nobody: two",
        "09:30 * ana → rui: three",
        "09:30 ! Destination client (nobody) not found!",
    ]);
}

#[test]
fn a_message_that_was_too_much_has_the_sign_of_an_error() {
    let mut ana = Desk::ana(80, 10);
    ana.enter("/others hi");
    let why = "Your message was not sent: you may send 1 messages a second, 1 at once";
    ana.hear(&format!("server | ana | error_message | {why}"));
    confirm(&mut ana);
    let shown = ana.picture();
    assert!(shown.iter().any(|row| row.starts_with("09:30 ! ana → others: hi")), "{shown:#?}");
}
