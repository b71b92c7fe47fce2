//! Tests of the prompts for the name and the password.

use super::*;

#[test]
fn a_password_that_the_client_gave_itself_is_said() {
    let mut ana = Desk::ana(120, 8);
    ana.app.event(Event::Cut { why: "x".to_owned(), retry_in: Duration::from_secs(1) }, ana.now);
    // Another address of the same cluster.
    let (name, server) = ("ana".to_owned(), "n2.example:1234".to_owned());
    ana.app.event(Event::Joined { name, server, with_kept_password: true }, ana.now);
    ana.shows_above_line(&[
        "09:30 - You are ana on n2.example:1234 again. The client gave your password itself; you need not",
        "        type it.",
    ]);
    ana.app.event(Event::Cut { why: "x".to_owned(), retry_in: Duration::from_secs(1) }, ana.now);
    ana.app.event(joined("ana"), ana.now);
    ana.shows_above_line(&["09:30 - You are ana on 127.0.0.1:1234. /help shows what you can do."]);
}

fn wants_password(name: &str) -> Event {
    Event::PasswordWanted { name: name.to_owned(), complaint: None }
}

#[test]
fn esc_at_a_prompt_returns_to_the_newest_message() {
    for event in [Event::Ended(End::NotLetIn("taken".to_owned())), wants_password("ana")] {
        let mut desk = Desk::new(Some("ana"), 40, 7);
        for number in 0..20 {
            desk.hear(&format!("server | ana | error_message | {number}"));
        }
        desk.app.event(event, desk.now);
        desk.hear("server | ana | error_message | the newest");
        desk.key(KeyCode::PageUp);
        assert!(desk.picture()[4].contains("older messages"), "{:?}", desk.picture());
        desk.key(KeyCode::Esc);
        assert_eq!(desk.picture()[3], "09:30 ! the newest");
    }
}

#[test]
fn typing_replaces_a_refused_name_also_after_esc() {
    let mut desk = Desk::new(Some("ana"), 40, 7);
    desk.app.event(Event::Ended(End::NotLetIn("already taken".to_owned())), desk.now);
    desk.key(KeyCode::Esc);
    desk.enter("bea");
    desk.carry_out();
    assert_eq!(desk.sent, ["begin as ana", "begin as bea"]);
}

#[test]
fn a_narrow_screen_shows_what_is_wanted() {
    for (columns, password, name) in [
        (80, "Password of Maria Silva:", "Your name: Maria Silva"),
        (40, "Password:", "Your name: Maria Silva"),
        (20, "Password:", "Name: Maria Silva"),
        (11, "PW:", "‹ ia Silva"),
    ] {
        let mut desk = Desk::new(Some("Maria Silva"), columns, 7);
        desk.app.event(wants_password("Maria Silva"), desk.now);
        // The hint goes with the first key.
        desk.key(KeyCode::Left);
        assert_eq!(desk.picture()[5], password);
        desk.app.event(Event::Ended(End::NotLetIn("no".to_owned())), desk.now);
        desk.key(KeyCode::End);
        assert_eq!(desk.picture()[5], name);
    }
}
