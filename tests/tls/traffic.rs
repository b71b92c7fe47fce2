//! Tests of much traffic over TLS: no connection hangs, and nothing is lost, to the last byte.

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, split},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::serve;
use crate::harness::{
    DEADLINE, NAME_REQUEST, TestServer, confirmation,
    tls::{Issuer, TLS12_ONLY, Trust, host},
};

/// Starts a server with one worker. What a client receives then comes after what others were sent before.
fn serve_by_one_worker(issuer: &Issuer) -> TestServer {
    let files = issuer.issue("server", "a server");
    TestServer::with(|config| {
        files.serve(config);
        config.server.workers = 1;
        config.limits.outbox_bytes = 64 * 1024 * 1024;
    })
}

#[test]
fn who_pauses_and_reads_on_gets_all_to_the_last_byte() {
    const MESSAGES: usize = 16 * 1024;
    let issuer = Issuer::new();
    let server = serve_by_one_worker(&issuer);
    let mut alan = Trust::of(&issuer).join(server.tls_address(), "alan");
    let mut bob = server.join("bob");
    let text = "x".repeat(900);
    for number in 0..MESSAGES {
        bob.send(&format!("/msg alan {number} {text}"));
    }
    bob.expect_nothing_before_an_echo("bob");
    let mut got = vec![0; 1024];
    for number in 0..MESSAGES {
        let message = format!("bob | alan | private_message | {number} {text}\n");
        alan.read_exact(&mut got[..message.len()]);
        assert!(got[..message.len()] == *message.as_bytes(), "message {number}");
    }
    alan.expect_nothing_before_an_echo("alan");
}

/// Writes and reads on one connection at the same time.
async fn echo(server: std::net::SocketAddr, trust: Trust<'_>, name: &str) {
    const MESSAGES: usize = 5000;
    let socket = TcpStream::connect(server).await.unwrap();
    let stream = TlsConnector::from(trust.config()).connect(host(), socket).await.unwrap();
    let (reader, mut writer) = split(stream);
    let mut lines = BufReader::new(reader).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), NAME_REQUEST);
    let text = "x".repeat(800);
    let write = async {
        writer.write_all(format!("{name}\n").as_bytes()).await.unwrap();
        for number in 0..MESSAGES {
            writer.write_all(format!("/echo {number} {text}\n").as_bytes()).await.unwrap();
        }
        writer.shutdown().await.unwrap();
    };
    let read = async {
        assert_eq!(lines.next_line().await.unwrap().unwrap(), confirmation(name));
        for number in 0..MESSAGES {
            let line = lines.next_line().await.unwrap().unwrap();
            assert!(line == format!("{name} | {name} | echo | {number} {text}"), "{name}: {number}");
        }
        // The client ended its sending side in order, so all its requests are answered, and then the server ends the
        // connection.
        assert_eq!(lines.next_line().await.unwrap(), None);
    };
    tokio::join!(write, read);
}

#[test]
fn much_both_ways_at_once_neither_hangs_nor_is_lost() {
    let issuer = Issuer::new();
    let server = serve(&issuer);
    let address = server.tls_address();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let all = async {
            tokio::join!(
                echo(address, Trust::of(&issuer), "alan"),
                echo(address, Trust::of(&issuer), "bob"),
                echo(address, Trust { versions: TLS12_ONLY, ..Trust::of(&issuer) }, "carol"),
            )
        };
        timeout(4 * DEADLINE, all).await.expect("an end in time");
    });
}
