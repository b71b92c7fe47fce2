//! Tests of conversations with a server whose every step is scripted.

use std::time::Duration;

use arauto_protocol::Message;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};

use super::*;
use crate::joining::JOIN_TIMEOUT;

const DEADLINE: Duration = Duration::from_secs(20);

/// A conversation, and the listener to which it connects.
struct Stage {
    listener: TcpListener,
    commands: Sender<Command>,
    events: Receiver<Event>,
}

/// The server's end of a connection.
struct Puppet(BufStream<TcpStream>);

impl Stage {
    async fn set(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let targets = listener.local_addr().unwrap().to_string();
        Self::at(listener, &targets, name)
    }

    /// Begins a conversation with the server at these addresses; the listener is one of them.
    fn at(listener: TcpListener, targets: &str, name: &str) -> Self {
        let (commands, events) = Link::spawn(Dialer::new(targets.parse().unwrap()), name);
        Self { listener, commands, events }
    }

    /// Accepts the next connection, up to the client's answer to the name request.
    async fn accept(&self, name: &str) -> Puppet {
        let (stream, _) = timeout(DEADLINE, self.listener.accept()).await.unwrap().unwrap();
        let mut puppet = Puppet(BufStream::new(stream));
        puppet.say("server | client | name | no data").await;
        puppet.hear(&format!("{name} | server | name | {name}")).await;
        puppet
    }

    /// Returns the next event other than [`Event::Connecting`].
    async fn event(&mut self) -> Event {
        loop {
            match timeout(DEADLINE, self.events.recv()).await.unwrap().unwrap() {
                Event::Connecting => {}
                event => return event,
            }
        }
    }

    async fn give(&self, command: Command) {
        self.commands.send(command).await.unwrap();
    }
}

impl Puppet {
    async fn say(&mut self, line: &str) {
        self.0.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    async fn hear(&mut self, expected: &str) {
        let mut line = String::new();
        timeout(DEADLINE, self.0.read_line(&mut line)).await.unwrap().unwrap();
        assert_eq!(line.trim_end(), expected);
    }

    async fn confirm(&mut self, name: &str) {
        self.say(&format!("server | {name} | connection_confirmation | hello")).await;
        self.hear(&format!("{name} | server | limits | no data")).await;
    }
}

fn message(data: &str) -> Command {
    let line = format!("ana | all | broadcast | {data}");
    Command::Send(Line::new(&Message::parse(&line).unwrap()).unwrap())
}

fn password(text: &str) -> Command {
    Command::Password(Zeroizing::new(text.to_owned()))
}

#[tokio::test]
async fn a_server_that_goes_while_a_password_is_waited_for_is_noticed() {
    let mut stage = Stage::set("ana").await;
    let mut puppet = stage.accept("ana").await;
    puppet.say("server | ana | password | no data").await;
    assert!(matches!(stage.event().await, Event::PasswordWanted { complaint: None, .. }));
    puppet.say("server | new_client: ana | connection_error | too late").await;
    match stage.event().await {
        Event::Ended(End::NotLetIn(why)) => assert_eq!(why, "too late"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_name_that_no_message_can_carry_is_refused_by_the_rules_for_names() {
    for (name, rule) in [
        ("x|y", "A name must not hold the character | because it separates fields or names"),
        ("x\ny", "A name must not hold control or invisible characters: character 2 is U+000A"),
    ] {
        let mut stage = Stage::set(name).await;
        let (stream, _) = timeout(DEADLINE, stage.listener.accept()).await.unwrap().unwrap();
        let mut puppet = Puppet(BufStream::new(stream));
        puppet.say("server | client | name | no data").await;
        match stage.event().await {
            Event::Ended(End::NotLetIn(why)) => assert_eq!(why, rule),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_given_before_the_password_is_sent_after_it_in_order() {
    let mut stage = Stage::set("ana").await;
    let mut puppet = stage.accept("ana").await;
    puppet.say("server | ana | password | no data").await;
    assert!(matches!(stage.event().await, Event::PasswordWanted { .. }));
    for command in [message("one"), message("two"), password("secret"), message("three")] {
        stage.give(command).await;
    }
    puppet.hear("ana | server | password | secret").await;
    puppet.confirm("ana").await;
    assert!(matches!(stage.event().await, Event::Joined { .. }));
    for data in ["one", "two", "three"] {
        puppet.hear(&format!("ana | all | broadcast | {data}")).await;
    }
}

#[tokio::test]
async fn after_a_cut_the_password_is_given_again_once() {
    let mut stage = Stage::set("ana").await;
    let mut puppet = stage.accept("ana").await;
    puppet.say("server | ana | password | no data").await;
    assert!(matches!(stage.event().await, Event::PasswordWanted { .. }));
    stage.give(password("secret")).await;
    puppet.hear("ana | server | password | secret").await;
    puppet.confirm("ana").await;
    assert!(matches!(stage.event().await, Event::Joined { with_kept_password: false, .. }));
    drop(puppet);
    assert!(matches!(stage.event().await, Event::Cut { .. }));
    let mut puppet = stage.accept("ana").await;
    puppet.say("server | ana | password | no data").await;
    puppet.hear("ana | server | password | secret").await;
    puppet.confirm("ana").await;
    assert!(matches!(stage.event().await, Event::Joined { with_kept_password: true, .. }));
    drop(puppet);
    assert!(matches!(stage.event().await, Event::Cut { .. }));
    let mut puppet = stage.accept("ana").await;
    puppet.say("server | ana | password | no data").await;
    puppet.hear("ana | server | password | secret").await;
    // The password was changed meanwhile.
    puppet.say("server | ana | error_message | That is not it").await;
    puppet.say("server | ana | password | no data").await;
    match stage.event().await {
        Event::PasswordWanted { complaint, .. } => assert_eq!(complaint.as_deref(), Some("That is not it")),
        other => panic!("{other:?}"),
    }
    stage.give(password("new secret")).await;
    puppet.hear("ana | server | password | new secret").await;
    puppet.confirm("ana").await;
    assert!(matches!(stage.event().await, Event::Joined { with_kept_password: false, .. }));
}

#[tokio::test]
async fn the_servers_limit_is_asked_for_and_told() {
    for (answer, limit) in [
        ("server | ana | limits | message_bytes=8192", Some(8192)),
        ("server | ana | Unknown_operation | Operation (limits) is not supported", None),
    ] {
        let mut stage = Stage::set("ana").await;
        let mut puppet = stage.accept("ana").await;
        puppet.confirm("ana").await;
        assert!(matches!(stage.event().await, Event::Joined { .. }));
        puppet.say(answer).await;
        puppet.say("bob | ana | private_message | hi").await;
        if let Some(limit) = limit {
            assert!(matches!(stage.event().await, Event::MessageBytes(told) if told == limit));
        }
        // The answer itself produces no other event.
        match stage.event().await {
            Event::Received(Item::Message(message)) => assert_eq!(message.data, "hi"),
            other => panic!("{other:?}"),
        }
    }
}

/// Returns the next event. With the clock paused, time advances whenever all tasks are idle.
async fn ended_in_time(stage: &mut Stage) -> Event {
    timeout(10 * JOIN_TIMEOUT, stage.events.recv()).await.unwrap().unwrap()
}

const NOBODY_LET_IN: &str = "the server did not confirm the name within 30 s: is it a TR2.23 server?";

#[tokio::test]
async fn a_server_that_asks_for_the_name_and_says_no_more_is_given_up() {
    let mut stage = Stage::set("ana").await;
    let _silent = stage.accept("ana").await;
    assert!(matches!(stage.events.recv().await, Some(Event::Connecting)));
    tokio::time::pause();
    match ended_in_time(&mut stage).await {
        Event::Ended(end @ End::LetsNobodyIn(_)) => assert_eq!(end.to_string(), NOBODY_LET_IN),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_who_was_joined_before_tries_again() {
    let mut stage = Stage::set("ana").await;
    let mut puppet = stage.accept("ana").await;
    puppet.confirm("ana").await;
    assert!(matches!(stage.event().await, Event::Joined { .. }));
    drop(puppet);
    assert!(matches!(stage.event().await, Event::Cut { .. }));
    let _silent = stage.accept("ana").await;
    assert!(matches!(stage.events.recv().await, Some(Event::Connecting)));
    tokio::time::pause();
    match ended_in_time(&mut stage).await {
        Event::Cut { why, .. } => assert_eq!(why, NOBODY_LET_IN),
        other => panic!("{other:?}"),
    }
}

/// Commands given during a cut are dropped.
#[tokio::test]
async fn what_a_cut_left_unsent_is_not_sent_behind_the_users_back() {
    let mut stage = Stage::set("ana").await;
    let mut puppet = stage.accept("ana").await;
    puppet.confirm("ana").await;
    assert!(matches!(stage.event().await, Event::Joined { .. }));
    drop(puppet);
    assert!(matches!(stage.event().await, Event::Cut { .. }));
    stage.give(message("given in the cut")).await;
    let mut puppet = stage.accept("ana").await;
    puppet.confirm("ana").await;
    assert!(matches!(stage.event().await, Event::Joined { .. }));
    stage.give(message("after")).await;
    puppet.hear("ana | all | broadcast | after").await;
}

#[tokio::test]
async fn a_server_that_closes_is_tried_again_after_2_to_30_s() {
    let mut stage = Stage::set("ana").await;
    let mut puppet = stage.accept("ana").await;
    puppet.confirm("ana").await;
    assert!(matches!(stage.event().await, Event::Joined { .. }));
    // Taken before the wait begins: this task may get its turn some milliseconds after that.
    let before = Instant::now();
    puppet.say("server | all clients | broadcast | server closed").await;
    assert!(matches!(stage.event().await, Event::Received(_)));
    let retry_in = match stage.event().await {
        Event::Closed { retry_in } => retry_in,
        other => panic!("{other:?}"),
    };
    assert!((Duration::from_secs(2)..=Duration::from_secs(30)).contains(&retry_in), "{retry_in:?}");
    tokio::time::pause();
    assert!(matches!(ended_in_time(&mut stage).await, Event::Connecting));
    assert!(before.elapsed() >= retry_in);
}

#[tokio::test]
async fn who_is_kicked_or_banned_stays_out() {
    for why in ["You were disconnected by rui", "You were banned by rui for 1h: being rude"] {
        let mut stage = Stage::set("ana").await;
        let mut puppet = stage.accept("ana").await;
        puppet.confirm("ana").await;
        assert!(matches!(stage.event().await, Event::Joined { .. }));
        puppet.say(&format!("server | ana | error_message | {why}")).await;
        drop(puppet);
        assert!(matches!(stage.event().await, Event::Received(_)));
        match stage.event().await {
            Event::Ended(End::SentAway(said)) => assert_eq!(said, why),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_name_that_the_server_has_not_missed_yet_is_asked_for_again() {
    let mut stage = Stage::set("ana").await;
    let mut puppet = stage.accept("ana").await;
    puppet.confirm("ana").await;
    assert!(matches!(stage.event().await, Event::Joined { .. }));
    drop(puppet);
    let taken = "This username is already taken. You need to connect again and use another one";
    for _ in 0..2 {
        assert!(matches!(stage.event().await, Event::Cut { .. }));
        let mut puppet = stage.accept("ana").await;
        puppet.say(&format!("server | new_client: ana | connection_error | {taken}")).await;
    }
    assert!(matches!(stage.event().await, Event::Cut { .. }));
    let mut puppet = stage.accept("ana").await;
    puppet.confirm("ana").await;
    assert!(matches!(stage.event().await, Event::Joined { .. }));
}

#[tokio::test]
async fn who_thinks_of_a_password_may_take_long() {
    let mut stage = Stage::set("ana").await;
    let mut puppet = stage.accept("ana").await;
    puppet.say("server | ana | password | no data").await;
    assert!(matches!(stage.event().await, Event::PasswordWanted { .. }));
    tokio::time::pause();
    tokio::time::advance(5 * JOIN_TIMEOUT).await;
    assert!(timeout(5 * JOIN_TIMEOUT, stage.events.recv()).await.is_err(), "nothing happens meanwhile");
    // The deadline for the server starts anew with the password.
    stage.give(password("secret")).await;
    match ended_in_time(&mut stage).await {
        Event::Ended(End::LetsNobodyIn(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_without_its_cluster_is_left_for_the_next_address() {
    const REFUSED: &str = "server | new_client: ana | connection_error | This server has lost touch with the others. Connect again later, or to another one";
    let one = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let [first, second] = [&one, &other].map(|listener| listener.local_addr().unwrap().to_string());
    let mut stage = Stage::at(one, &format!("{first}, {second}"), "ana");
    let mut puppet = stage.accept("ana").await;
    puppet.say(REFUSED).await;
    let one = std::mem::replace(&mut stage.listener, other);
    let mut puppet = stage.accept("ana").await;
    puppet.confirm("ana").await;
    match stage.event().await {
        Event::Joined { server, .. } => assert_eq!(server, second),
        other => panic!("{other:?}"),
    }
    // After a cut, the client goes back, and a refusal makes it wait.
    drop(puppet);
    assert!(matches!(stage.event().await, Event::Cut { .. }));
    let other = std::mem::replace(&mut stage.listener, one);
    let mut puppet = stage.accept("ana").await;
    puppet.say(REFUSED).await;
    assert!(
        matches!(stage.event().await, Event::Cut { why, .. } if why.starts_with("This server has lost touch"))
    );
    stage.listener = other;
    stage.accept("ana").await;
}

#[tokio::test]
async fn each_address_is_tried_once_before_the_client_gives_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut stage = Stage::at(listener, &format!("{address}, localhost:{}", address.port()), "ana");
    for _ in 0..2 {
        let mut puppet = stage.accept("ana").await;
        puppet.say("server | new_client: ana | connection_error | This server has lost touch with the others. Connect again later, or to another one").await;
    }
    match stage.event().await {
        Event::Ended(End::NotLetIn(why)) => assert!(why.starts_with("This server has lost touch"), "{why}"),
        other => panic!("{other:?}"),
    }
}
