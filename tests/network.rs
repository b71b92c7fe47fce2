//! Tests that need a network between two machines, in network namespaces of their own.
//!
//! Without root, these tests say so and pass.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc::{Sender, channel},
    time::{Duration, Instant},
};

use arauto_needs::needs;
use socket2::{Domain, Socket, Type};

use crate::harness::{
    DEADLINE, NAME_REQUEST,
    cable::{Cable, Netcat, SERVER, within},
    confirmation,
    process::Process,
    tls::Issuer,
    wait_until,
};

fn taken(name: &str) -> String {
    format!(
        "server | new_client: {name} | connection_error | This username is already taken. You need to connect again and \
         use another one"
    )
}

/// Time that the contract allows from a clash until the name is given to the next client.
const WITHIN: Duration = Duration::from_secs(3);

#[needs("root", "ip", "tc", "nc")]
#[test]
fn a_name_whose_bearer_is_cut_off_is_given_to_the_next_within_3_s() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let mut next = Netcat::on(&cable.server, &process);
    let _bearer = Netcat::join(&cable.faraway, &process, "alan");
    cable.settle();
    cable.cut();
    let asked = Instant::now();
    // The server heard from the bearer within the last second. Requests sent before the name is given are carried out
    // afterwards.
    next.send("alan\n/echo at last");
    next.expect(&confirmation("alan"));
    assert!(asked.elapsed() < WITHIN, "{:?}", asked.elapsed());
    next.expect("alan | alan | echo | at last");
    next.send("/list");
    next.expect("server | alan | list_clients | clients connected: alan");
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn the_same_after_more_than_a_second_of_silence() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let _bearer = Netcat::join(&cable.faraway, &process, "alan");
    cable.settle();
    be_silent();
    cable.cut();
    let mut next = Netcat::on(&cable.server, &process);
    let asked = Instant::now();
    next.send("alan");
    next.expect(&confirmation("alan"));
    assert!(asked.elapsed() < WITHIN, "{:?}", asked.elapsed());
}

/// Waits until the connections have been silent for over 1 s: from then on the kernel sends a keepalive probe as soon
/// as it is asked to.
fn be_silent() {
    let since = Instant::now();
    wait_until("a second of silence", || since.elapsed() > Duration::from_millis(1100));
}

/// Runs `attempt` between two keepalive probes of the kernel, which are 1 s apart. If this machine was too slow for
/// that, runs it again on another cable.
fn between_questions(attempt: impl Fn(&Cable) -> bool) {
    for _ in 0..5 {
        let Some(cable) = Cable::lay() else { return };
        if attempt(&cable) {
            return;
        }
    }
    panic!("five times, this machine took a second for what takes milliseconds");
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn one_lost_answer_costs_nobody_his_name() {
    for is_silent_before in [true, false] {
        between_questions(|cable| {
            let process = cable.serve(&[]);
            let mut next = Netcat::on(&cable.server, &process);
            let mut bearer = Netcat::join(&cable.faraway, &process, "alan");
            cable.settle();
            if is_silent_before {
                be_silent();
            }
            cable.lose_answers(true);
            next.send("alan");
            wait_until("a question", || cable.asked().is_some_and(|(_, asked)| asked > 0));
            let asked = Instant::now();
            cable.lose_answers(false);
            if asked.elapsed() > Duration::from_millis(700) {
                return false;
            }
            next.expect(&taken("alan"));
            bearer.send("/echo still here");
            bearer.expect("alan | alan | echo | still here");
            true
        });
    }
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn a_dead_bearer_to_whom_something_is_sent_while_he_is_asked_is_found_out_all_the_same() {
    between_questions(|cable| {
        let process = cable.serve(&[]);
        let mut bob = Netcat::join(&cable.server, &process, "bob");
        let mut next = Netcat::on(&cable.server, &process);
        let _bearer = Netcat::join(&cable.faraway, &process, "alan");
        cable.settle();
        cable.cut();
        let began = Instant::now();
        next.send("alan");
        wait_until("a question", || cable.asked().is_some_and(|(_, asked)| asked > 0));
        // From here on the kernel sends no more probes, but retransmits this message.
        bob.send("/others hi");
        if began.elapsed() > Duration::from_millis(1300) {
            return false;
        }
        next.expect(&confirmation("alan"));
        assert!(began.elapsed() < WITHIN, "{:?}", began.elapsed());
        true
    });
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn one_who_did_not_read_and_is_gone_since_loses_his_name_in_the_end() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[("ARAUTO_LIMITS_OUTBOX_BYTES", "64000000")]);
    let mut bob = Netcat::join(&cable.server, &process, "bob");
    let bearer = Netcat::join(&cable.faraway, &process, "alan");
    bearer.signal("STOP");
    for _ in 0..16 * 1024 {
        bob.send(&format!("/msg alan {}", "x".repeat(900)));
    }
    // Timer 04: the kernel probes whether there is room again, ever more rarely. No probe may fall into the time of one
    // check of the name.
    wait_until("no room", || cable.asked().is_some_and(|(timer, _)| timer == "04"));
    cable.cut();
    wait_until("the name to be free", || {
        let mut next = Netcat::on(&cable.server, &process);
        next.send("alan");
        next.line() == confirmation("alan")
    });
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn the_same_with_something_unacknowledged_on_the_way() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let _bearer = Netcat::join(&cable.faraway, &process, "alan");
    let mut bob = Netcat::join(&cable.server, &process, "bob");
    cable.cut();
    bob.send("/others hi");
    let mut next = Netcat::on(&cable.server, &process);
    let asked = Instant::now();
    next.send("alan");
    next.expect(&confirmation("alan"));
    assert!(asked.elapsed() < WITHIN, "{:?}", asked.elapsed());
}

/// Starts a server with an address for TLS, and joins a client on the faraway machine over TLS.
fn join_over_tls(cable: &Cable, name: &str, settings: &[(&str, &str)]) -> (Process, Netcat) {
    let issuer = Issuer::new();
    let files = issuer.issue("server", "a server");
    let address = format!("{SERVER}:0");
    let tls = [
        ("ARAUTO_TLS_LISTEN", address.as_str()),
        ("ARAUTO_TLS_CERTIFICATE", files.certificate.to_str().unwrap()),
        ("ARAUTO_TLS_KEY", files.key.to_str().unwrap()),
    ];
    let process = cable.serve(&[&tls, settings].concat());
    let address = process.tls_address().to_string();
    let arguments = ["s_client", "-quiet", "-verify_quiet", "-connect", &address];
    let mut joined = Netcat::run(&cable.faraway, &[&["openssl"], &arguments[..]].concat());
    joined.expect(NAME_REQUEST);
    joined.send(name);
    joined.expect(&confirmation(name));
    (process, joined)
}

#[needs("root", "ip", "tc", "nc", "openssl")]
#[test]
fn a_bearer_over_tls_is_asked_by_the_socket_below() {
    let Some(cable) = Cable::lay() else { return };
    let (process, mut bearer) = join_over_tls(&cable, "alan", &[]);
    let mut next = Netcat::on(&cable.server, &process);
    next.send("alan");
    next.expect(&taken("alan"));
    bearer.send("/echo still here");
    bearer.expect("alan | alan | echo | still here");
    cable.settle();
    cable.cut();
    let mut next = Netcat::on(&cable.server, &process);
    let asked = Instant::now();
    next.send("alan");
    next.expect(&confirmation("alan"));
    assert!(asked.elapsed() < WITHIN, "{:?}", asked.elapsed());
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn a_name_whose_bearer_answers_stays_his() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let mut bearer = Netcat::join(&cable.faraway, &process, "alan");
    let mut next = Netcat::on(&cable.server, &process);
    next.send("alan\n/others boo");
    next.expect(&taken("alan"));
    bearer.send("/echo still here");
    bearer.expect("alan | alan | echo | still here");
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn one_who_does_not_read_but_answers_keeps_his_name() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[("ARAUTO_LIMITS_OUTBOX_BYTES", "64000000")]);
    // A stopped client reads nothing. Its kernel still answers that there is no room.
    let bearer = Netcat::join(&cable.faraway, &process, "alan");
    bearer.signal("STOP");
    let mut bob = Netcat::join(&cable.server, &process, "bob");
    for _ in 0..16 * 1024 {
        bob.send(&format!("/msg alan {}", "x".repeat(900)));
    }
    bob.send("/echo sent");
    bob.expect("bob | bob | echo | sent");
    let mut next = Netcat::on(&cable.server, &process);
    next.send("alan");
    next.expect(&taken("alan"));
    bob.send("/list");
    bob.expect("server | bob | list_clients | clients connected: alan , bob");
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn a_name_is_given_when_all_who_look_like_it_are_cut_off() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let _bearers = ["lan", "ian"].map(|name| Netcat::join(&cable.faraway, &process, name));
    cable.cut();
    let mut next = Netcat::on(&cable.server, &process);
    let asked = Instant::now();
    // With a capital I, `IAN` looks like `lan`, and is the same name as `ian`.
    next.send("IAN\n/echo at last");
    next.expect(&confirmation("IAN"));
    assert!(asked.elapsed() < WITHIN, "{:?}", asked.elapsed());
    next.expect("IAN | IAN | echo | at last");
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn two_whom_one_bearer_keeps_from_different_names_both_get_theirs() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let mut bearer = Netcat::join(&cable.faraway, &process, "lan");
    // `Ian` looks like `lan`, and `LAN` is the same name as `lan`. `Ian` and `LAN` do not conflict.
    let [mut one, other] = ["Ian", "LAN"].map(|name| {
        let mut next = Netcat::on(&cable.server, &process);
        next.send(name);
        next
    });
    bearer.send("/exit");
    bearer.expect("server | lan | exit | client disconnected");
    one.expect(&confirmation("Ian"));
    other.expect(&confirmation("LAN"));
    one.send("/msg lan hi");
    other.expect("Ian | LAN | private_message | hi");
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn many_who_want_a_name_and_leave_at_once_are_passed_on_one_by_one() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&[]);
    let mut bearer = Netcat::join(&cable.faraway, &process, "alan");
    let mut waiting: Vec<Netcat> = (0..12).map(|_| Netcat::on(&cable.server, &process)).collect();
    for next in &mut waiting {
        next.send("alan\n/exit");
    }
    bearer.send("/exit");
    bearer.expect("server | alan | exit | client disconnected");
    // At most 8 clients may wait for a name. Of the others, those that came before the name was free are refused at
    // once.
    let mut given = 0;
    for next in &waiting {
        let answer = next.line();
        if answer != taken("alan") {
            assert_eq!(answer, confirmation("alan"));
            next.expect("server | alan | exit | client disconnected");
            given += 1;
        }
    }
    assert!(given >= 8, "{given}");
    Netcat::join(&cable.server, &process, "alan");
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn flood_control_holds_for_other_machines() {
    let Some(cable) = Cable::lay() else { return };
    let settings = [
        ("ARAUTO_FLOOD_MESSAGE_RATE", "1"),
        ("ARAUTO_FLOOD_MESSAGE_BURST", "1"),
        ("ARAUTO_FLOOD_SESSIONS_PER_ADDRESS", "1"),
    ];
    let process = cable.serve(&settings);
    let mut near = Netcat::join(&cable.server, &process, "near");
    let mut faraway = Netcat::join(&cable.faraway, &process, "faraway");
    near.send("/echo one\n/echo two\n/echo three");
    for word in ["one", "two", "three"] {
        near.expect(&format!("near | near | echo | {word}"));
    }
    faraway.send("/echo one\n/echo two");
    faraway.expect("faraway | faraway | echo | one");
    faraway.expect(
        "server | faraway | error_message | Your message was not sent: you may send 1 messages a second, 1 at once. Try again \
         in 1 s",
    );
    let full = Netcat::start(&cable.faraway, &process);
    full.expect(
        "server | client | connection_error | Your address has 1 connections, which is the most. Close one and connect again",
    );
    Netcat::join(&cable.server, &process, "another");
}

/// A small outbox, and broadcasts that wait for slow readers without end: the limit of 10 s is for any 10 s.
const PATIENT: [(&str, &str); 2] =
    [("ARAUTO_LIMITS_OUTBOX_BYTES", "131072"), ("ARAUTO_LIMITS_SLOW_READER_WAIT", "10s")];

#[needs("root", "ip", "tc", "nc")]
#[test]
fn a_slow_line_slows_who_sends_to_it_and_loses_nothing() {
    let Some(cable) = Cable::lay() else { return };
    let process = cable.serve(&PATIENT);
    let mut slow = Netcat::join(&cable.faraway, &process, "slow");
    let mut fast = Netcat::join(&cable.server, &process, "fast");
    // 512 kbit/s are 64 KB/s: now and then the kernel asks for more only after half a second.
    cable.slow_down(512);
    let text = "x".repeat(900);
    for number in 0..300 {
        fast.send(&format!("/others {number} {text}"));
    }
    for number in 0..300 {
        slow.expect(&format!("fast | all clients | broadcast_not_me | {number} {text}"));
    }
    slow.send("/echo still here");
    slow.expect("slow | slow | echo | still here");
}

#[needs("root", "ip", "tc", "nc", "openssl")]
#[test]
fn a_slow_line_over_tls_does_the_same() {
    let Some(cable) = Cable::lay() else { return };
    let (process, mut slow) = join_over_tls(&cable, "slow", &PATIENT);
    let mut fast = Netcat::join(&cable.server, &process, "fast");
    cable.slow_down(512);
    let text = "x".repeat(900);
    for number in 0..300 {
        fast.send(&format!("/others {number} {text}"));
    }
    for number in 0..300 {
        slow.expect(&format!("fast | all clients | broadcast_not_me | {number} {text}"));
    }
    slow.send("/echo still here");
    slow.expect("slow | slow | echo | still here");
}

/// Opens more connections from one address than there are places for the page, each with a head that never ends. Opens
/// a new connection for each that is closed, at most 70 per second, and sends to `renewed` for each. Returns once
/// `renewed` has no receiver.
fn renew_slow_heads(address: SocketAddr, renewed: &Sender<()>) {
    const PAUSE: Duration = Duration::from_millis(1000 / 70);
    let begin = || {
        let mut stream = TcpStream::connect_timeout(&address, DEADLINE).ok()?;
        stream.set_nonblocking(true).ok()?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\nX-More: ").ok()?;
        Some(stream)
    };
    let mut heads: Vec<_> = (0..1100).map(|_| begin()).collect();
    loop {
        for head in &mut heads {
            let is_open = |stream: &mut TcpStream| {
                stream.read(&mut [0; 512]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
            };
            if head.as_mut().is_some_and(is_open) {
                continue;
            }
            let began = Instant::now();
            *head = begin();
            if renewed.send(()).is_err() {
                return;
            }
            std::thread::park_timeout(PAUSE.saturating_sub(began.elapsed()));
        }
    }
}

/// Requests the page from the address `from`. Returns the first line of the answer.
fn ask_for_the_page(from: &str, address: SocketAddr) -> io::Result<String> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from.parse().unwrap(), 0).into())?;
    socket.connect_timeout(&address.into(), DEADLINE)?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[needs("root", "ip", "tc", "nc")]
#[cfg(feature = "page")]
#[test]
fn slow_heads_of_one_address_keep_no_other_from_the_page() {
    const LOADS: usize = 200;
    let Some(cable) = Cable::lay() else { return };
    rlimit::increase_nofile_limit(4096).unwrap();
    cable.add_faraway("192.0.2.6");
    let process = cable.serve(&[("ARAUTO_WEB_LISTEN", &format!("{SERVER}:0"))]);
    let address = process.web_address();
    let (renewed, renewals) = channel();
    let slow = within(&cable.faraway, move || renew_slow_heads(address, &renewed));
    let bystander = within(&cable.faraway, move || {
        let load = |_| {
            // Loads the page once for each connection that is renewed, so that all places are taken meanwhile.
            renewals.recv_timeout(DEADLINE).unwrap();
            ask_for_the_page("192.0.2.6", address)
        };
        (0..LOADS).map(load).collect::<Vec<_>>()
    });
    let answers = bystander.join().unwrap();
    slow.join().unwrap();
    let good = answers.iter().filter(|answer| answer.as_ref().is_ok_and(|line| line == "HTTP/1.1 200 OK"));
    let good = good.count();
    assert!(good * 100 >= LOADS * 99, "{good} of {LOADS}: {answers:?}");
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn only_who_is_on_the_servers_machine_may_close_it() {
    let Some(cable) = Cable::lay() else { return };
    let mut process = cable.serve(&[]);
    let mut faraway = Netcat::join(&cable.faraway, &process, "faraway");
    faraway.send("/close");
    faraway.expect(
        "server | faraway | error_message | Only someone connected from the server's own machine may close it",
    );
    let mut near = Netcat::join(&cable.server, &process, "near");
    near.send("/close");
    near.expect("server | all clients | broadcast | server closed");
    faraway.expect("server | all clients | broadcast | server closed");
    drop((near, faraway));
    assert_eq!(process.ended().code(), Some(0));
}
