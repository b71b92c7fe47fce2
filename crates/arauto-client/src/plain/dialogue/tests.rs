//! Tests of what `tests/plain.rs` cannot show: refusals in time, passwords, silence, the ways to end.

use super::*;

const NEXT: &str = "Operation: \n";
const CLOSING: &str = "Closing client...\n";

fn said(line: &str) -> OwnedMessage {
    Message::parse(line).unwrap().into()
}

fn sent(line: &str) -> Act {
    Act::Send(Line::new(&Message::parse(line).unwrap()).unwrap())
}

fn printed(text: impl Into<String>) -> Act {
    Act::Print(text.into())
}

/// The action that prints this message.
fn shown(line: &str) -> Act {
    printed(reply(&said(line)))
}

/// The dialogue of the user alan, who has joined and is asked for an operation.
fn joined() -> Dialogue {
    let mut dialogue = Dialogue::new("ALAN", None);
    dialogue.hear(said("server | client | name | no data"));
    assert_eq!(dialogue.acts(), [sent("ALAN | server | name | ALAN")]);
    assert!(!dialogue.wants_line());
    let confirmed = "server | alan | connection_confirmation | You are now connected to the server";
    dialogue.hear(said(confirmed));
    assert_eq!(dialogue.acts(), [shown(confirmed), printed(NEXT)]);
    dialogue
}

/// Types these lines and returns the actions.
fn typed(dialogue: &mut Dialogue, lines: &[&str]) -> Vec<Act> {
    for line in lines {
        assert!(dialogue.wants_line(), "{line}");
        dialogue.typed(line);
    }
    dialogue.acts()
}

#[test]
fn the_next_operation_is_asked_for_after_the_answer() {
    for (lines, answer) in [
        (["private_message", "bob", "hi"].as_slice(), "server | alan | private_message | not found!"),
        (&["broadcast_not_me", "hi"], "server | alan | error_message | too fast"),
        (&["broadcast", "n", "hi"], "alan | all clients | broadcast | hi"),
        (&["list_files", "bob"], "bob | alan | list_files | a"),
    ] {
        let mut dialogue = joined();
        typed(&mut dialogue, lines);
        assert!(!dialogue.wants_line());
        // A private message from another client is not an answer.
        let other = "carl | alan | private_message | hi";
        dialogue.hear(said(other));
        assert_eq!(dialogue.acts(), [shown(other)]);
        dialogue.hear(said(answer));
        let mut acts = dialogue.acts();
        acts.retain(|act| !matches!(act, Act::Refused(_)));
        assert_eq!(acts, [shown(answer), printed(NEXT)], "{lines:?}");
        assert!(dialogue.wants_line());
    }
}

#[test]
fn silence_is_an_answer_in_the_end() {
    for (lines, timeout) in [
        (["private_message", "bob", "hi"].as_slice(), REFUSAL_TIMEOUT),
        (&["broadcast_not_me", "hi"], REFUSAL_TIMEOUT),
        (&["list_files", "bob"], ANSWER_TIMEOUT),
    ] {
        let mut dialogue = joined();
        typed(&mut dialogue, lines);
        let turn = dialogue.turn();
        assert_eq!(dialogue.timeout(), Some(timeout), "{lines:?}");
        dialogue.waited();
        assert_eq!((dialogue.acts(), dialogue.timeout()), (vec![printed(NEXT)], None));
        assert_ne!(dialogue.turn(), turn);
    }
}

#[test]
fn a_password_is_asked_for_and_sent() {
    let mut dialogue = Dialogue::new("alan", None);
    dialogue.hear(said("server | client | name | no data"));
    dialogue.hear(said("server | alan | password | no data"));
    assert_eq!(dialogue.acts(), [sent("alan | server | name | alan"), printed("Password: \n")]);
    assert!(dialogue.wants_secret());
    assert_eq!(typed(&mut dialogue, &["wrong"]), [sent("alan | server | password | wrong")]);
    assert!(!dialogue.wants_secret() && !dialogue.wants_line());
    let complaint = "server | alan | error_message | That is another password. 2 tries are left";
    dialogue.hear(said(complaint));
    dialogue.hear(said("server | alan | password | no data"));
    assert_eq!(dialogue.acts(), [shown(complaint), printed("Password: \n")]);
    assert!(dialogue.wants_secret());
    // The server's time limit for a password expires while the user types.
    let error = "server | new_client: alan | connection_error | too late";
    dialogue.hear(said(error));
    assert_eq!(dialogue.acts(), [shown(error), printed(CLOSING)]);
    assert!(matches!(dialogue.outcome(), Err(ScriptError::Refused(why)) if why == "too late"));
}

#[test]
fn of_a_long_list_of_files_the_last_part_is_the_answer() {
    let mut dialogue = joined();
    typed(&mut dialogue, &["list_files", "bob"]);
    let (first, last) = (
        "bob | alan | list_files | files 1 to 1 of 2: a (1 byte)",
        "bob | alan | list_files | files 2 to 2 of 2: b (1 byte)",
    );
    dialogue.hear(said(first));
    assert_eq!(dialogue.acts(), [shown(first)]);
    dialogue.hear(said(last));
    assert_eq!(dialogue.acts(), [shown(last), printed(NEXT)]);
}

const MARKED: [&str; 2] =
    ["alan | server | list_clients | no data", "alan | alan | echo | end of list_clients"];

#[test]
fn all_of_a_long_list_of_clients_is_the_answer() {
    let mut dialogue = joined();
    let [asked, mark] = MARKED;
    assert_eq!(typed(&mut dialogue, &["list_clients"]), [sent(asked), sent(mark)]);
    for part in ["alan , bob", "carl"] {
        let part = format!("server | alan | list_clients | clients connected: {part}");
        let (turn, question) = (dialogue.turn(), dialogue.question());
        dialogue.hear(said(&part));
        assert_eq!(dialogue.acts(), [shown(&part)]);
        // Each part starts the wait anew.
        assert_ne!(dialogue.turn(), turn);
        assert_eq!(dialogue.timeout(), Some(ANSWER_TIMEOUT));
        // All parts together have a limit as well: `question` stays as it is.
        assert_eq!(dialogue.question(), question);
    }
    // Only the user's own echo is the mark; another sender may use its text.
    let others = "bob | alan | echo | end of list_clients";
    dialogue.hear(said(others));
    assert_eq!(dialogue.acts(), [shown(others)]);
    dialogue.hear(said(mark));
    assert_eq!(dialogue.acts(), [printed(NEXT)]);
    // Only as many returns are hidden as marks were sent.
    dialogue.hear(said(mark));
    assert_eq!(dialogue.acts(), [shown(mark)]);
}

#[test]
fn a_list_of_clients_that_is_refused_or_ends_late_disturbs_nothing() {
    let [_, mark] = MARKED;
    let mut dialogue = joined();
    typed(&mut dialogue, &["list_clients"]);
    let refusal = "server | alan | error_message | too fast";
    dialogue.hear(said(refusal));
    assert_eq!(dialogue.acts(), [Act::Refused("too fast".to_owned()), shown(refusal), printed(NEXT)]);
    typed(&mut dialogue, &["list_clients"]);
    dialogue.waited();
    assert_eq!(dialogue.acts(), [printed(NEXT)]);
    // Both marks come late, while another question is open.
    typed(&mut dialogue, &["echo"]);
    for _ in 0..2 {
        dialogue.hear(said(mark));
    }
    assert_eq!(dialogue.acts(), []);
    assert!(dialogue.wants_line());
}

#[test]
fn who_asks_for_files_is_answered_and_not_shown() {
    let mut dialogue = joined();
    dialogue.hear(said("bob | alan | list_files | no data"));
    assert_eq!(dialogue.acts(), [Act::Answer("bob".to_owned())]);
    let refusal = "server | alan | error_message | too long";
    dialogue.hear(said(refusal));
    assert_eq!(dialogue.acts(), [Act::Refused("too long".to_owned()), shown(refusal)]);
}

#[test]
fn a_password_from_a_file_is_tried_once() {
    let given = (Zeroizing::new("secret".to_owned()), "secret.txt".to_owned());
    let mut dialogue = Dialogue::new("alan", Some(given));
    dialogue.hear(said("server | client | name | no data"));
    dialogue.hear(said("server | alan | password | no data"));
    let introduced = sent("alan | server | name | alan");
    assert_eq!(dialogue.acts(), [introduced, sent("alan | server | password | secret")]);
    let complaint = "server | alan | error_message | 2 tries are left";
    dialogue.hear(said(complaint));
    dialogue.hear(said("server | alan | password | no data"));
    assert_eq!(dialogue.acts(), [shown(complaint), printed(CLOSING)]);
    assert!(
        matches!(dialogue.outcome(), Err(ScriptError::PasswordWrong { file, .. }) if file == "secret.txt")
    );
}

#[test]
fn no_password_is_a_refusal() {
    let mut dialogue = Dialogue::new("alan", None);
    dialogue.hear(said("server | client | name | no data"));
    dialogue.hear(said("server | alan | password | no data"));
    dialogue.leave();
    assert!(matches!(dialogue.outcome(), Err(ScriptError::PasswordMissing(name)) if name == "alan"));
}

#[test]
fn leaving_waits_for_its_confirmation_and_not_for_ever() {
    let exit = sent("alan | server | exit | client alan closed");
    let left = "server | alan | exit | client disconnected";
    let mut dialogue = joined();
    dialogue.leave();
    assert_eq!(dialogue.acts(), [exit]);
    assert_eq!(dialogue.timeout(), Some(LEAVE_TIMEOUT));
    // Messages that come before the confirmation are shown.
    dialogue.hear(said("bob | alan | private_message | wait"));
    dialogue.hear(said(left));
    assert_eq!(
        dialogue.acts(),
        [shown("bob | alan | private_message | wait"), shown(left), printed(CLOSING)]
    );
    assert!(dialogue.is_over() && dialogue.outcome().is_ok());
    for end in [Dialogue::waited, Dialogue::leave, |dialogue: &mut Dialogue| dialogue.cut(ScriptError::Ended)]
    {
        let mut dialogue = joined();
        typed(&mut dialogue, &["exit"]);
        end(&mut dialogue);
        assert_eq!(dialogue.acts(), [printed(CLOSING)]);
        assert!(dialogue.is_over() && dialogue.outcome().is_ok());
    }
}

#[test]
fn a_server_that_says_nothing_lets_nobody_in() {
    let mut dialogue = Dialogue::new("alan", None);
    assert_eq!(dialogue.timeout(), Some(JOIN_TIMEOUT));
    dialogue.waited();
    assert_eq!(dialogue.acts(), [printed(CLOSING)]);
    assert!(matches!(dialogue.outcome(), Err(ScriptError::NotLetIn(_))));
}

#[test]
fn words_of_operations_are_the_same_with_blanks_hyphens_and_capitals() {
    for word in ["list clients", "list_clients", "LIST_CLIENTS", "list-clients", " List  Clients "] {
        let mut dialogue = joined();
        let [asked, mark] = MARKED;
        assert_eq!(typed(&mut dialogue, &[word]), [sent(asked), sent(mark)], "{word}");
    }
    for (word, question) in [
        ("list files", "Client name: \n"),
        ("Private-Message", "Client name: \n"),
        ("ECHO", "Echo message: \n"),
        ("broadcast not me", "Broadcast message: \n"),
    ] {
        assert_eq!(typed(&mut joined(), &[word]), [printed(question)], "{word}");
    }
    for word in ["close server", "close_server", "CLOSE-SERVER"] {
        assert_eq!(
            typed(&mut joined(), &[word]),
            [sent("alan | server | close_server | close server")],
            "{word}"
        );
    }
}

#[test]
fn a_word_that_is_no_operation_shows_all_of_them() {
    let mut dialogue = joined();
    assert_eq!(typed(&mut dialogue, &["help"]), [printed(question::OPERATIONS), printed(NEXT)]);
    assert_eq!(typed(&mut dialogue, &["Dance -_"]), [sent("alan | server | Unknown operation | Dance -_")]);
    let unknown = "server | alan | Unknown_operation | Operation (Dance -_) is not supported";
    dialogue.hear(said(unknown));
    let refused = Act::Refused("Operation (Dance -_) is not supported".to_owned());
    assert_eq!(dialogue.acts(), [refused, shown(unknown), printed(question::OPERATIONS), printed(NEXT)]);
    // The operations are printed only once.
    assert_eq!(typed(&mut dialogue, &[""]), [printed(NEXT)]);
}

#[test]
fn a_server_with_line_endings_is_asked_for_its_limit() {
    for (answer, limit) in [
        ("server | alan | limits | message_bytes=300", 300),
        ("server | alan | Unknown_operation | Operation (limits) is not supported", 1024),
    ] {
        let mut dialogue = Dialogue::new("alan", None);
        dialogue.asks_limits(true);
        dialogue.hear(said("server | client | name | no data"));
        let confirmed = "server | alan | connection_confirmation | You are now connected to the server";
        dialogue.hear(said(confirmed));
        let introduced = sent("alan | server | name | alan");
        assert_eq!(dialogue.acts(), [introduced, shown(confirmed), sent("alan | server | limits | no data")]);
        assert!(!dialogue.wants_line());
        dialogue.hear(said(answer));
        let mut acts = dialogue.acts();
        assert_eq!(acts.pop(), Some(printed(NEXT)), "{answer}");
        assert_eq!(acts, if limit == 300 { vec![Act::Limited(300)] } else { vec![] });
        let fits = "x".repeat(limit - "alan | alan | echo | ".len());
        assert!(matches!(typed(&mut dialogue, &["echo", &fits])[..], [_, Act::Send(_)]), "{answer}");
        // A later answer is shown like any other message.
        dialogue.hear(said(answer));
        assert!(dialogue.acts().contains(&shown(answer)));
    }
}

#[test]
fn a_server_that_does_not_say_its_limit_is_not_waited_for() {
    let mut dialogue = Dialogue::new("alan", None);
    dialogue.asks_limits(true);
    dialogue.hear(said("server | alan | connection_confirmation | You are now connected to the server"));
    dialogue.acts();
    assert_eq!(dialogue.timeout(), Some(limits::ANSWER_TIMEOUT));
    dialogue.waited();
    assert_eq!(dialogue.acts(), [printed(NEXT)]);
}
