//! Tests of every limit: its effect, and the message about it.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use socket2::SockRef;

use crate::harness::{
    Client, DEADLINE, NAME_REQUEST, TestServer, confirmation, process::Process, wait_until,
};

/// Value of `limits.slow_reader_wait` with which broadcasts wait for full receivers without end: the limit is for any
/// 10 s.
const ANY_WAIT: Duration = Duration::from_secs(10);

#[test]
fn the_most_sessions_are_served_and_one_more_is_told() {
    let server = TestServer::with(|config| config.limits.max_sessions = 2);
    let alan = server.join("alan");
    let mut bob = server.join("bob");
    let mut third = server.connect_silently();
    third.expect(
        "server | client | connection_error | The server is full: it serves 2 at most. Try again later",
    );
    third.expect_closed();
    // A client that does not wait for the name request reads the refusal as well.
    for _ in 0..50 {
        let mut hasty = server.connect_silently();
        hasty.send_bytes(b"carl\n/list\n");
        hasty.expect(
            "server | client | connection_error | The server is full: it serves 2 at most. Try again later",
        );
        hasty.finish_sending();
        hasty.expect_closed();
    }
    bob.expect_nothing_before_an_echo("bob");
    drop(alan);
    wait_until("a place to be free", || {
        let mut next = server.connect_silently();
        next.line() == NAME_REQUEST
    });
}

/// Broadcasts until the client `jammed`, which does not read, is disconnected. `bystander` receives all broadcasts.
fn overflow(sender: &mut Client, bystander: &mut Client) {
    let line = format!("/others {}", "x".repeat(900));
    let heard = format!("sender | all clients | broadcast_not_me | {}", "x".repeat(900));
    // Returns as soon as the client is gone, because the client has only a few seconds to read the reason.
    for _ in 0..256 {
        for _ in 0..64 {
            sender.send(&line);
            bystander.expect(&heard);
        }
        sender.send("/list");
        if !sender.line().contains("jammed") {
            return;
        }
    }
    panic!("the one who does not read is still there after 15 MiB");
}

#[test]
fn a_receiver_that_does_not_read_is_cut_and_told_why() {
    let server = TestServer::with(|config| config.limits.outbox_bytes = 64 * 1024);
    let mut jammed = server.join("jammed");
    let mut bystander = server.join("bystander");
    let mut sender = server.join("sender");
    overflow(&mut sender, &mut bystander);
    sender.ask("/list", "server | sender | list_clients | clients connected: bystander , sender");
    // The name is free at once, before the disconnected client has noticed anything.
    let _again = server.join("jammed");
    // The client still reads what it was sent before the end, whole messages only, and then the reason.
    let message = format!("sender | all clients | broadcast_not_me | {}", "x".repeat(900));
    let mut heard = 0;
    let last = loop {
        let line = jammed.line();
        if line != message {
            break line;
        }
        heard += 1;
    };
    assert!(heard > 0);
    assert_eq!(
        last,
        "server | jammed | error_message | You were disconnected: more than 65536 bytes for you were waiting unread"
    );
    jammed.expect_closed();
}

#[test]
fn one_who_asks_for_more_than_any_outbox_holds_is_given_it_as_it_reads() {
    let server = TestServer::with(|config| {
        config.limits.outbox_bytes = 64 * 1024;
        // This machine may be busy.
        config.limits.slow_reader_grace = DEADLINE;
    });
    let names: Vec<String> =
        (0..60).map(|number| format!("a rather long name but not {number:02}")).collect();
    let mut crowd: Vec<Client> = names.iter().map(|name| server.join(name)).collect();
    let mut greedy = server.join("greedy");
    // Each request of 6 bytes is answered with about 2 KB: 24 KiB of requests with 8 MiB.
    let asked = 4 * 1024;
    let mut asking = Client::from_stream(greedy.stream().try_clone().unwrap());
    let asking = std::thread::spawn(move || asking.send_bytes("/list\n".repeat(asked).as_bytes()));
    for _ in 0..asked {
        let mut listed = 0;
        while listed < names.len() + 1 {
            let line = greedy.line();
            let list =
                line.split_once("server | greedy | list_clients | clients connected: ").expect(&line).1;
            listed += list.split(" , ").count();
        }
    }
    asking.join().unwrap();
    greedy.expect_nothing_before_an_echo("greedy");
    crowd[0].expect_nothing_before_an_echo(&names[0]);
}

#[test]
fn a_receiver_that_reads_slowly_slows_its_sender_and_is_not_cut() {
    let server = TestServer::with(|config| {
        config.limits.outbox_bytes = 16 * 1024;
        // A receiver's kernel makes room in large steps, and this machine may be busy.
        config.limits.slow_reader_grace = DEADLINE;
        config.limits.slow_reader_wait = ANY_WAIT;
    });
    let mut slow = server.join("slow");
    let mut sender = server.join("sender");
    let mut bystander = server.join("bystander");
    let messages = 2 * 1024;
    let sending = std::thread::spawn(move || {
        // Private messages and broadcasts in turn: both are held back.
        for number in 0..messages {
            let to = if number % 2 == 0 { "/msg slow" } else { "/others" };
            sender.send(&format!("{to} {number} {}", "x".repeat(900)));
        }
        sender.expect_nothing_before_an_echo("sender");
    });
    let hearing = std::thread::spawn(move || {
        for number in (1..messages).step_by(2) {
            let told = format!("sender | all clients | broadcast_not_me | {number} {}", "x".repeat(900));
            bystander.expect(&told);
        }
    });
    for number in 0..messages {
        let told = if number % 2 == 0 {
            format!("sender | slow | private_message | {number} {}", "x".repeat(900))
        } else {
            format!("sender | all clients | broadcast_not_me | {number} {}", "x".repeat(900))
        };
        slow.expect(&told);
        // The receiver reads far more slowly than the sender can send.
        std::thread::park_timeout(Duration::from_millis(1));
    }
    sending.join().unwrap();
    hearing.join().unwrap();
    slow.expect_nothing_before_an_echo("slow");
}

#[test]
fn a_program_that_reads_a_little_at_a_time_is_seen_to_read() {
    const GRACE: Duration = Duration::from_millis(1500);
    let server = TestServer::with(|config| {
        config.limits.outbox_bytes = 16 * 1024;
        config.limits.slow_reader_grace = GRACE;
    });
    let mut slow = server.join("slow");
    let mut sender = server.join("sender");
    let messages = 8 * 1024;
    let line = |number| format!("{number} {}", "x".repeat(900));
    let sending = std::thread::spawn(move || {
        for number in 0..messages {
            sender.send(&format!("/msg slow {}", line(number)));
        }
        sender.expect_nothing_before_an_echo("sender");
    });
    // The receiver reads so little that its kernel has no reason to ask for more. The grace period passes several
    // times.
    let began = Instant::now();
    let mut heard = 0;
    while began.elapsed() < 4 * GRACE {
        slow.expect(&format!("sender | slow | private_message | {}", line(heard)));
        heard += 1;
        std::thread::park_timeout(Duration::from_millis(120));
    }
    for number in heard..messages {
        slow.expect(&format!("sender | slow | private_message | {}", line(number)));
    }
    sending.join().unwrap();
    slow.expect_nothing_before_an_echo("slow");
}

#[test]
fn a_full_receiver_holds_back_only_those_who_send_to_it() {
    // A grace period so long that no receiver is disconnected meanwhile.
    let server = TestServer::with(|config| {
        config.limits.outbox_bytes = 16 * 1024;
        config.limits.slow_reader_grace = DEADLINE * 10;
    });
    let mut paused = server.join("paused");
    let mut sender = server.join("sender");
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = {
        let sent = Arc::clone(&sent);
        std::thread::spawn(move || {
            for number in 0..16 * 1024 {
                sender.send(&format!("/msg paused {number} {}", "x".repeat(900)));
                sent.store(number, Ordering::Relaxed);
            }
            sender.expect_nothing_before_an_echo("sender");
        })
    };
    // The sender is held back: its count stops short of the end.
    let mut before = usize::MAX;
    wait_until("the sender to be held back", || {
        std::thread::park_timeout(Duration::from_millis(200));
        let now = sent.load(Ordering::Relaxed);
        now > 0 && std::mem::replace(&mut before, now) == now
    });
    assert!(before < 16 * 1024 - 1, "{before}");
    // Other clients still exchange messages, list, join and leave.
    let mut alan = server.join("alan");
    let mut bob = server.join("bob");
    alan.send("/msg bob hi");
    bob.expect("alan | bob | private_message | hi");
    alan.ask("/list", "server | alan | list_clients | clients connected: paused , sender , alan , bob");
    bob.ask("/exit", "server | bob | exit | client disconnected");
    bob.expect_closed();
    for number in 0..16 * 1024 {
        paused.expect(&format!("sender | paused | private_message | {number} {}", "x".repeat(900)));
    }
    sending.join().unwrap();
}

#[test]
fn a_sender_that_is_held_back_frees_its_name_when_its_connection_breaks() {
    // A grace period so long that no receiver is disconnected meanwhile.
    let server = TestServer::with(|config| {
        config.limits.outbox_bytes = 16 * 1024;
        config.limits.slow_reader_grace = DEADLINE * 10;
    });
    let _paused = server.join("paused");
    let sender = server.join("sender");
    sender.stream().set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let line = format!("/msg paused {}\n", "x".repeat(900));
    while sender.stream().write_all(line.as_bytes()).is_ok() {}
    // With a linger of zero, dropping the connection resets it. The server does not read from it, and has to notice the
    // reset nevertheless.
    SockRef::from(sender.stream()).set_linger(Some(Duration::ZERO)).unwrap();
    drop(sender);
    wait_until("the name to be free", || {
        let mut next = server.connect();
        next.send("sender");
        next.line() == confirmation("sender")
    });
}

#[test]
fn many_fast_senders_lose_no_receiver() {
    let server = TestServer::with(|config| {
        config.limits.outbox_bytes = 64 * 1024;
        // The 16 threads of this test share the machine with the server.
        config.limits.slow_reader_grace = DEADLINE;
        config.limits.slow_reader_wait = ANY_WAIT;
    });
    let mut clients: Vec<Client> = (0..8).map(|number| server.join(&format!("c{number}"))).collect();
    let each = 500;
    let text = "x".repeat(400);
    let sending: Vec<_> = clients
        .iter()
        .enumerate()
        .map(|(number, client)| {
            let mut sender = Client::from_stream(client.stream().try_clone().unwrap());
            let lines: Vec<String> =
                (0..each).map(|count| format!("/all {number} {count} {text}\n")).collect();
            std::thread::spawn(move || sender.send_bytes(lines.concat().as_bytes()))
        })
        .collect();
    // All clients receive the same messages in the same order, and the messages of each sender in the order sent.
    let hearing: Vec<_> = clients
        .drain(..)
        .map(|mut client| {
            std::thread::spawn(move || (0..8 * each).map(|_| client.line()).collect::<Vec<_>>())
        })
        .collect();
    for sending in sending {
        sending.join().unwrap();
    }
    let heard: Vec<Vec<String>> = hearing.into_iter().map(|hearing| hearing.join().unwrap()).collect();
    assert!(heard.iter().all(|other| *other == heard[0]));
    for number in 0..8 {
        let mine = heard[0].iter().filter(|line| line.starts_with(&format!("c{number} |")));
        for (count, line) in mine.enumerate() {
            assert!(line.contains(&format!("| {number} {count} x")), "{line}");
        }
    }
}

#[test]
fn a_fast_sender_is_slowed_and_loses_nothing() {
    let server = TestServer::with(|config| config.limits.inflight_bytes = 1024);
    let mut alan = server.join("alan");
    let mut reader = Client::from_stream(alan.stream().try_clone().unwrap());
    let reading = std::thread::spawn(move || {
        for number in 0..20_000 {
            reader.expect(&format!("alan | alan | echo | {number}"));
        }
    });
    let lines: Vec<String> = (0..20_000).map(|number| format!("/echo {number}\n")).collect();
    alan.send_bytes(lines.concat().as_bytes());
    reading.join().unwrap();
}

#[test]
fn an_unframed_client_is_written_to_at_the_gap() {
    let gap = std::time::Duration::from_millis(200);
    let server = TestServer::with(|config| config.compat.unframed_gap = gap);
    let mut dora = server.join_unframed("dora");
    let mut alan = server.join("alan");
    let began = std::time::Instant::now();
    alan.send_bytes(b"/others one\n/others two\n/others three\n");
    for word in ["one", "two", "three"] {
        assert_eq!(dora.recv(), format!("alan | all clients | broadcast_not_me | {word}"));
    }
    // A lower bound: a slow machine can only take longer.
    assert!(began.elapsed() >= 2 * gap);
}

#[test]
fn a_small_message_limit_holds_for_what_the_server_composes() {
    let server = TestServer::with(|config| config.limits.message_bytes = 120);
    let mut alan = server.join("alan");
    alan.send("hello");
    let line = alan.line();
    assert!(line.len() <= 120 && line.ends_with('…'), "{line}");
    let mut long = server.connect();
    long.send(&"é".repeat(31));
    assert_eq!(
        long.line(),
        format!("server | new_client: {} | connection_error | A name has a…", "é".repeat(31))
    );
    let mut fits = server.connect();
    fits.ask(&"é".repeat(18), &confirmation(&"é".repeat(18)));
}

#[test]
fn a_receiver_that_paused_gets_everything_without_another_word() {
    let server = TestServer::with(|config| config.limits.outbox_bytes = 64 * 1024 * 1024);
    let mut paused = server.join("paused");
    let mut sender = server.join("sender");
    // The second burst comes while a task already waits for the socket to take the first.
    for burst in 0..2 {
        for number in 0..8000 {
            sender.send(&format!("/msg paused {burst} {number} {}", "x".repeat(900)));
        }
        sender.expect_nothing_before_an_echo("sender");
    }
    for burst in 0..2 {
        for number in 0..8000 {
            paused
                .expect(&format!("sender | paused | private_message | {burst} {number} {}", "x".repeat(900)));
        }
    }
}

#[test]
fn one_list_is_never_too_long_an_answer() {
    let server = TestServer::with(|config| config.limits.outbox_bytes = 4096);
    let names: Vec<String> = (0..300).map(|number| format!("{}{number:03}", "é".repeat(29))).collect();
    let mut crowd: Vec<Client> = names.iter().map(|name| server.join(name)).collect();
    crowd[0].send("/list");
    let mut listed = Vec::new();
    while listed.len() < names.len() {
        let line = crowd[0].line();
        let list = line.split_once("clients connected: ").expect(&line).1;
        listed.extend(list.split(" , ").map(str::to_owned));
    }
    assert_eq!(listed, names);
    crowd[0].expect_nothing_before_an_echo(&names[0]);
}

#[test]
fn what_a_cut_receiver_got_has_no_gap() {
    let server = TestServer::with(|config| config.limits.outbox_bytes = 64 * 1024);
    let mut jammed = Some(server.join("jammed"));
    let mut sender = server.join("sender");
    let mut sending = Client::from_stream(sender.stream().try_clone().unwrap());
    let sending = std::thread::spawn(move || {
        for number in 0..16 * 1024 {
            sending.send(&format!("/msg jammed {number} {}", "x".repeat(900)));
        }
        sending.send("/echo done");
    });
    let mut reading = None;
    while sender.line() != "sender | sender | echo | done" {
        // The sender's first answer says that there is no such client, so the server has disconnected the receiver. The
        // receiver has to read now: the server discards its last words after 3 s.
        if let Some(jammed) = jammed.take() {
            reading = Some(std::thread::spawn(move || read_to_the_end_without_a_gap(jammed)));
        }
    }
    sending.join().unwrap();
    reading.expect("the receiver was not disconnected").join().unwrap();
}

fn read_to_the_end_without_a_gap(mut jammed: Client) {
    let mut next = 0;
    loop {
        let line = jammed.line();
        if line.starts_with("server | jammed | error_message | You were disconnected") {
            break;
        }
        assert_eq!(line, format!("sender | jammed | private_message | {next} {}", "x".repeat(900)));
        next += 1;
    }
    jammed.expect_closed();
}

#[test]
fn a_line_whose_end_does_not_come_is_dropped_and_the_session_goes_on() {
    let server = TestServer::with(|config| config.limits.line_timeout = Duration::from_millis(50));
    let dropped = "error_message | Your line was dropped: its end did not come within 50ms. What follows up to its end is \
                   ignored; end it with Enter and type the line again";
    let (mut alan, mut dora) = (server.join("alan"), server.join_by_telnet("dora"));
    for (client, name) in [(&mut alan, "alan"), (&mut dora, "dora")] {
        client.send_bytes(b"/others this is the first half");
        client.expect(&format!("server | {name} | {dropped}"));
        client.send(", this the other");
        client.expect_nothing_before_an_echo(name);
    }
    // A name may take as long as `limits.name_timeout`.
    let mut slow = server.connect();
    slow.send_bytes(b"sl");
    alan.send_bytes(b"/echo");
    alan.expect(&format!("server | alan | {dropped}"));
    slow.ask("ow", &confirmation("slow"));
}

#[test]
fn one_who_sends_nothing_for_too_long_is_told_and_disconnected() {
    let process = Process::serve(&[("ARAUTO_LIMITS_IDLE_TIMEOUT", "300ms")]);
    let mut alan = process.join("alan");
    alan.expect(
        "server | alan | error_message | You were disconnected: you sent nothing for 300ms. An empty line now and then is \
         enough to stay",
    );
    alan.expect_closed();
    assert_eq!(process.logged("left")["reason"], "idle");
}

#[test]
fn a_crowd_that_sends_and_leaves_loses_nobody_who_reads() {
    let server = TestServer::with(|config| {
        config.limits.outbox_bytes = 64 * 1024;
        // This machine may be busy.
        config.limits.slow_reader_grace = DEADLINE;
        config.limits.slow_reader_wait = ANY_WAIT;
    });
    let mut reader = server.join("reader");
    let (crowd, each) = (40, 30);
    let leavers: Vec<_> = (0..crowd)
        .map(|number| {
            let mut leaver = server.join(&format!("leaver {number}"));
            std::thread::spawn(move || {
                for count in 0..each {
                    leaver.send(&format!("/others {number} {count} {}", "x".repeat(900)));
                }
                // Like `nc -N < file`, the client reads on until the server has carried out all its requests.
                leaver.finish_sending();
                let mut heard = 0;
                while let Some(line) = leaver.line_or_end() {
                    assert!(line.contains("| broadcast_not_me |"), "{line}");
                    heard += 1;
                }
                heard
            })
        })
        .collect();
    let mut counts = vec![0; crowd];
    for _ in 0..crowd * each {
        let line = reader.line();
        let data = line.split_once("| all clients | broadcast_not_me | ").expect(&line).1;
        let mut words = data.split(' ');
        let number: usize = words.next().unwrap().parse().unwrap();
        assert_eq!(words.next().unwrap().parse(), Ok(counts[number]), "in order, none missing");
        counts[number] += 1;
    }
    assert_eq!(counts, vec![each; crowd]);
    for leaver in leavers {
        leaver.join().unwrap();
    }
    reader.ask("/list", "server | reader | list_clients | clients connected: reader");
}

#[test]
fn one_who_asks_for_more_than_he_can_be_told_holds_back_nobody_else() {
    let server = TestServer::with(|config| {
        config.limits.outbox_bytes = 16 * 1024;
        config.compat.unframed_gap = Duration::from_secs(5);
    });
    let mut alan = server.join("alan");
    let mut bob = server.join("bob");
    let mut greedy = server.join_unframed("greedy");
    // Each request is answered after a pause, and the answers that wait are more than the outbox holds. Each message is
    // one `send()`.
    for _ in 0..500 {
        greedy.send_bytes(b"\ngreedy | server | list_clients | no data");
    }
    bob.send("/msg greedy do you hear?");
    bob.expect_nothing_before_an_echo("bob");
    alan.send("/others hi");
    bob.expect("alan | all clients | broadcast_not_me | hi");
}
