//! Tests of connections to servers that answer, refuse, or say nothing.

use tokio::net::TcpListener;

use super::*;
use crate::tls::TlsOptions;

/// A server that waits for a TLS handshake sends nothing, as does a server of another protocol whose client
/// speaks first.
#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_is_not_waited_for_without_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target: Target = listener.local_addr().unwrap().to_string().parse().unwrap();
    let plain = Dialer::new(target.clone().into());
    let tls = Tls::new(&TlsOptions { insecure: true, ..TlsOptions::default() }).unwrap();
    let encrypted = Dialer::new(target.clone().into()).with_tls(tls);
    for (dialer, hint) in [
        (
            plain,
            "it may be the port for TLS (--tls), for the page or for audio, or no TR2.23 server; the usual port for messages is 1234",
        ),
        (
            encrypted,
            "it may be the port without TLS, for the page or for audio, or no TR2.23 server; the usual port for messages is 1235",
        ),
    ] {
        let Err(error) = dialer.dial().await else { panic!("a connection") };
        let said = format!("{target} accepted the connection and sent nothing within 10 s: {hint}");
        assert_eq!(error.to_string(), said);
    }
}

/// A server that speaks, and a port at which none listens.
async fn speaking_and_closed() -> (TcpListener, Target, Target) {
    let speaking = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let [here, closed] =
        [speaking.local_addr().unwrap(), closed].map(|address| address.to_string().parse().unwrap());
    (speaking, here, closed)
}

async fn speak(listener: &TcpListener) {
    use tokio::io::AsyncWriteExt as _;
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(b"server | client | name | no data\n").await.unwrap();
}

#[tokio::test]
async fn the_next_address_is_tried_where_one_refuses_and_at_each_attempt() {
    let (first, one, closed) = speaking_and_closed().await;
    let (second, other, _) = speaking_and_closed().await;
    let targets: Targets = format!("{closed}, {one}, {other}").parse().unwrap();
    let dialer = Dialer::new(targets);
    assert_eq!((dialer.target(), dialer.address_count()), (closed, 3));
    for (listener, at) in [(&first, &one), (&second, &other), (&first, &one)] {
        let (stream, ()) = tokio::join!(dialer.dial(), speak(listener));
        assert!(stream.is_ok());
        // The conversation's other connections, for sound, go to the same server.
        assert_eq!(dialer.clone().target(), *at);
    }
}

#[tokio::test]
async fn the_errors_of_all_addresses_are_told() {
    let (_, _, one) = speaking_and_closed().await;
    let (_, _, other) = speaking_and_closed().await;
    let Err(error) = Dialer::new(format!("{one},{other}").parse().unwrap()).dial().await else {
        panic!("a connection")
    };
    let refused = |target: &Target| {
        format!(
            "cannot connect to {target}: Connection refused (os error 111); no server listens there: is it running (arauto serve), and is this its port?"
        )
    };
    let all =
        format!("none of the 2 addresses lets this client connect: {}; {}", refused(&one), refused(&other));
    assert_eq!(error.to_string(), all);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_says_nothing_delays_the_next_by_seconds() {
    let (mute, silent, _) = speaking_and_closed().await;
    let (_, _, closed) = speaking_and_closed().await;
    let dialer = Dialer::new(format!("{silent},{closed}").parse().unwrap());
    let began = tokio::time::Instant::now();
    assert!(matches!(dialer.dial().await, Err(NoConnection::NoneOf(_))));
    assert_eq!(began.elapsed().as_secs(), NEXT_ADDRESS_TIMEOUT.as_secs());
    drop(mute);
}

#[test]
fn what_leaves_this_machine_unencrypted_is_exposed() {
    let some = Dialer::new("127.0.0.1, 192.0.2.1".parse().unwrap());
    assert!(some.is_exposed(), "one address of two is on the network");
    for (host, exposed) in [
        ("127.0.0.1", false),
        ("127.1.2.3", false),
        ("[::1]", false),
        ("[::ffff:127.0.0.1]", false),
        ("LocalHost", false),
        ("192.0.2.1", true),
        ("localhost.example", true),
    ] {
        let dialer = Dialer::new(host.parse().unwrap());
        assert_eq!(dialer.is_exposed(), exposed, "{host}");
        let tls = Tls::new(&TlsOptions { insecure: true, ..TlsOptions::default() }).unwrap();
        assert!(!dialer.with_tls(tls).is_exposed(), "{host}");
    }
}
