//! Tests with servers that accept connections and go silent: how long `arauto send` waits for them, and its messages.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Output, Stdio},
    thread::{self, JoinHandle},
};

use crate::{
    cli::arauto,
    harness::{NAME_REQUEST, confirmation},
};

/// Starts a server for one client, `ana`. It confirms the name and then runs `then`.
fn server<T: Send + 'static>(
    then: impl FnOnce(BufReader<TcpStream>) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let mut client = BufReader::new(listener.accept().unwrap().0);
        writeln!(client.get_mut(), "{NAME_REQUEST}").unwrap();
        let mut name = String::new();
        client.read_line(&mut name).unwrap();
        assert_eq!(name, "ana | server | name | ana\n");
        writeln!(client.get_mut(), "{}", confirmation("ana")).unwrap();
        then(client)
    });
    (address, thread)
}

fn send(server: SocketAddr, timeout: &str, input: &[u8]) -> Output {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), input).unwrap();
    let mut send = arauto(["send", "--as", "ana", "--all", "--timeout", timeout, "--server"]);
    send.arg(server.to_string()).stdin(Stdio::from(fs::File::open(file.path()).unwrap()));
    send.output().unwrap()
}

#[track_caller]
fn expect(output: &Output, status: i32, stderr: &str) {
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(status), b"".as_slice()));
}

#[test]
fn a_server_that_confirms_nothing_is_not_waited_for_without_end() {
    let (address, thread) = server(|mut client| {
        let mut heard = Vec::new();
        for line in client.by_ref().lines() {
            heard.push(line.unwrap());
        }
        // Held until the client is gone: `lines` ended when the client had sent its last.
        (heard, client)
    });
    let output = send(address, "300ms", b"one\ntwo\n");
    let why = "the server confirmed nothing for 300ms (--timeout): the messages may not have been delivered";
    expect(&output, 5, &format!("arauto: {why}\n"));
    let (heard, _) = thread.join().unwrap();
    let [one, two] = ["one", "two"].map(|text| format!("ana | all clients | broadcast | {text}"));
    let [limits, exit] =
        ["limits | no data", "exit | client ana closed"].map(|rest| format!("ana | server | {rest}"));
    assert_eq!(heard, [limits, one, two, exit]);
}

#[test]
fn a_server_that_takes_nothing_is_not_waited_for_without_end() {
    let (address, thread) = server(|client| client);
    // More than the sockets' buffers hold.
    let output = send(address, "300ms", &[&[b'x'; 900][..], b"\n"].concat().repeat(10_000));
    let why = "the server read nothing for 300ms (--timeout): the last messages may not have been delivered";
    expect(&output, 5, &format!("arauto: {why}\n"));
    drop(thread.join().unwrap());
}
