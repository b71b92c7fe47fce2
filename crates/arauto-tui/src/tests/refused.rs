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

#[test]
fn what_the_server_answered_has_arrived() {
    let mut ana = Desk::ana(80, 12);
    ana.enter("/files nobody");
    ana.hear("server | ana | list_files | Destination client (nobody) not found!");
    ana.enter("/play nobody song.mp3");
    ana.hear("server | ana | play | Destination client (nobody) not found!");
    ana.enter("/kick nobody");
    ana.hear("server | ana | kick | Destination client (nobody) not found!");
    ana.enter("/kick ana");
    let why = "You were disconnected by ana";
    ana.hear(&format!("server | ana | error_message | {why}"));
    ana.app.event(Event::Ended(End::SentAway(why.to_owned())), ana.now);
    let shown = ana.picture().join("\n");
    assert!(shown.contains("You stay out until you press Enter."), "{shown}");
    assert!(!shown.contains("Not known whether"), "{shown}");
}

#[test]
fn what_the_server_did_not_answer_may_not_have_arrived() {
    let mut ana = Desk::ana(80, 12);
    ana.enter("/msg rui hi");
    ana.enter("/kick rui");
    let why = "You were disconnected by eva";
    ana.hear(&format!("server | ana | error_message | {why}"));
    ana.app.event(Event::Ended(End::SentAway(why.to_owned())), ana.now);
    ana.shows_above_line(&[
        "09:30 ! You were disconnected by eva",
        "09:30 ! Not known whether this arrived: /msg rui hi",
        "09:30 ! Not known whether this arrived: /kick rui",
        "09:30 - You stay out until you press Enter.",
    ]);
}

#[test]
fn the_words_of_the_server_are_shown_without_the_operation() {
    let mut ana = Desk::ana(80, 10);
    ana.hear("server | ana | list_streams | no streams");
    ana.hear("server | ana | stop | rui: a song.mp3 ended: rui has left");
    ana.hear("server | ana | kick | bia was disconnected");
    ana.hear("server | ana | list_bans | nobody is banned");
    ana.shows_above_line(&[
        "09:30 - server: no streams",
        "09:30 - server: rui: a song.mp3 ended: rui has left",
        "09:30 - server: bia was disconnected",
        "09:30 - server: nobody is banned",
    ]);
}
