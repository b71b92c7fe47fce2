//! Tests of monitoring: its answers, figures that change as a conversation requires, and the tools that read them.

mod answers;
mod conversation;
mod tools;

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::harness::DEADLINE;

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    /// The status line and the headers, each with its line ending, without the date.
    pub head: String,
    pub body: String,
}

/// Sends a whole request, and reads until the server closes the connection.
pub fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("a server that listens");
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an orderly end");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {text:?}"));
    let lines = format!("{head}\r\n");
    let head = lines.split_inclusive('\n').filter(|line| !line.starts_with("date: ")).collect();
    Answer { head, body: body.to_owned() }
}

pub fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
}

/// Returns the figures of `/metrics` that are whole numbers, by name and labels.
pub fn figures(address: SocketAddr) -> BTreeMap<String, i64> {
    let answer = get(address, "/metrics");
    assert!(answer.head.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
    let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
    let numbers = lines.map(|line| line.rsplit_once(' ').unwrap());
    let whole = |number: &str| number.strip_suffix(".0").unwrap_or(number).parse().ok();
    numbers.filter_map(|(of, number)| Some((of.to_owned(), whole(number)?))).collect()
}
