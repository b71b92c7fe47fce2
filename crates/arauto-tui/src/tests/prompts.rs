//! Tests of the prompts for the name and the password.

use super::*;

#[test]
fn a_password_that_the_client_gave_itself_is_said() {
    let mut ana = Desk::ana(120, 8);
    ana.app.event(Event::Cut { why: "x".to_owned(), retry_in: Duration::from_secs(1) }, ana.now);
    ana.app.event(Event::Joined { name: "ana".to_owned(), with_kept_password: true }, ana.now);
    ana.shows_above_line(&[
        "09:30 - You are ana on 127.0.0.1:1234 again. The client gave your password itself; you need not",
        "        type it.",
    ]);
    ana.app.event(Event::Cut { why: "x".to_owned(), retry_in: Duration::from_secs(1) }, ana.now);
    ana.app.event(joined("ana"), ana.now);
    ana.shows_above_line(&["09:30 - You are ana on 127.0.0.1:1234. /help shows what you can do."]);
}
