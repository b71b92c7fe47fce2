//! Tests of many passwords at once: all right ones are accepted, and abandoned or wrong ones delay no other client.

use std::{
    fmt::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

use super::{AccountsFile, HASH, PASSWORD, log_in, not_let_in, password_request};
use crate::harness::{Client, NAME_REQUEST, TestServer, confirmation};

/// [`HASH`] with parameters that make a comparison take about 250 ms. No password matches it.
const SLOW_HASH: &str =
    "$argon2id$v=19$m=19456,t=20,p=1$JxC1FujfBD9pbWEqCy8J4A$Qg19MzloKYi6Ggv4dUX1PwW4oFToxnIlg7UAfIN7DbY";

/// A hash of [`PASSWORD`]: a cheap one, or with `ARAUTO_PASSWORDS=full` one of full cost, for the figures in
/// docs/security.md.
fn hash() -> String {
    if !is_full() {
        return HASH.to_owned();
    }
    let output = super::passwd::piped(["passwd", "x"], &format!("{PASSWORD}\n"));
    let entry = String::from_utf8(output.stdout).unwrap();
    entry.split('"').find(|part| part.starts_with("$argon2id$")).unwrap().to_owned()
}

fn is_full() -> bool {
    std::env::var_os("ARAUTO_PASSWORDS").is_some_and(|value| value == "full")
}

/// An accounts file with one account for each hash. The number of the hash is part of the account's name.
fn accounts<'a>(hashes: impl IntoIterator<Item = &'a str>) -> AccountsFile {
    let file = AccountsFile::new();
    let mut text = String::new();
    for (number, hash) in hashes.into_iter().enumerate() {
        write!(text, "[[accounts]]\nname = 'student {number:03}'\nhash = '{hash}'\n").unwrap();
    }
    file.write(&text);
    file
}

/// Connects from this loopback address. Each loopback address counts as an address of its own.
fn connect_from(server: &TestServer, from: Ipv4Addr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&server.address().into()).unwrap();
    let mut client = Client::from_stream(TcpStream::from(socket));
    client.expect(NAME_REQUEST);
    client
}

/// Connects 500 clients from one address. All of them are asked for a password before the first one gives it. Returns
/// how long it takes until all are confirmed.
fn all_enter_at_once(file: &AccountsFile) -> Duration {
    let server = file.serve(|_| {});
    let name = |number: usize| format!("student {number:03}");
    let mut clients: Vec<Client> = (0..500).map(|_| server.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.ask(&name(number), &password_request(&name(number)));
    }
    let start = Instant::now();
    for client in &mut clients {
        client.send(PASSWORD);
    }
    for (number, client) in clients.iter_mut().enumerate() {
        client.expect(&confirmation(&name(number)));
    }
    start.elapsed()
}

#[test]
fn five_hundred_right_passwords_at_once_from_one_address_all_enter() {
    let file = accounts([hash().as_str(); 500]);
    {
        let server = file.serve(|_| {});
        let start = Instant::now();
        log_in(&server, "student 000");
        eprintln!("alone: {:?}", start.elapsed());
    }
    eprintln!("the last of 500 right ones at once: {:?}", all_enter_at_once(&file));
}

/// Returns how long a client with the right password waits while 400 others, from 40 addresses, have given a password
/// and disconnected. `resets`: they end their connections by a reset.
fn enters_beside_abandoned_ones(file: &AccountsFile, resets: bool) -> Duration {
    let server = file.serve(|_| {});
    let mut owner = connect_from(&server, Ipv4Addr::new(127, 0, 1, 1));
    owner.ask("student 000", &password_request("student 000"));
    for number in 0..400_u16 {
        let host = 2 + u8::try_from(number % 40).unwrap();
        let mut client = connect_from(&server, Ipv4Addr::new(127, 0, 0, host));
        client.ask("student 001", &password_request("student 001"));
        client.send("wrong");
        if resets {
            socket2::SockRef::from(client.stream()).set_linger(Some(Duration::ZERO)).unwrap();
        }
    }
    let start = Instant::now();
    owner.ask(PASSWORD, &confirmation("student 000"));
    start.elapsed()
}

#[test]
fn passwords_whose_connections_are_gone_keep_nobody_waiting() {
    let hash = hash();
    // The comparisons would take 50 s one after another.
    let file = accounts([hash.as_str(), if is_full() { hash.as_str() } else { SLOW_HASH }]);
    eprintln!("beside 400 that were reset: {:?}", enters_beside_abandoned_ones(&file, true));
    if is_full() {
        eprintln!("beside 400 that were closed: {:?}", enters_beside_abandoned_ones(&file, false));
    }
}

#[test]
fn wrong_passwords_count_when_they_are_found_to_be_wrong() {
    let file = AccountsFile::new();
    let server = file.serve(|_| {});
    let mut guessers: Vec<Client> = (0..20).map(|_| super::asked(&server, "alan")).collect();
    for guesser in &mut guessers {
        guesser.send("wrong");
    }
    let answers: Vec<String> = guessers.iter_mut().map(Client::line).collect();
    let wrong = "server | alan | error_message | That is not the password of alan; 2 tries are left";
    assert_eq!(answers.iter().filter(|answer| *answer == wrong).count(), 10);
    let refused = not_let_in("alan", "Too many wrong passwords came from your address. Try again in ");
    assert_eq!(answers.iter().filter(|answer| answer.starts_with(&refused)).count(), 10);
}
