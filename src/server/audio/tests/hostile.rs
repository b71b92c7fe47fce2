//! Tests that hostile clients, with and without a key, cannot disturb others.

use std::net::UdpSocket;

use super::{super::outgoing::MAX_WAITING, client::udp, *};

/// Sends a datagram and expects it at a listener.
pub fn goes_through(from: &UdpSocket, to: SocketAddr, ear: &mut Client, number: u16) {
    let text = format!("heard {number}");
    from.send_to(&rtp(7, number, &text), to).unwrap();
    assert!(ear.sound().ends_with(text.as_bytes()), "{text}");
}

/// A stream that has begun by UDP, with one listener.
pub fn begun(rig: &Rig) -> (Client, UdpSocket, SocketAddr, Client, String) {
    let (publish, listen, _) = rig.open(SONG);
    let from = udp();
    let mut publisher = Client::to(&publish);
    let to = publisher.publish_by_udp(&from);
    from.send_to(&rtp(7, 0, "first"), to).unwrap();
    rig.expect(Told::Began(SONG));
    let mut ear = Client::to(&listen);
    ear.listen();
    (publisher, from, to, ear, listen)
}

#[test]
fn only_the_publisher_is_heard() {
    let rig = Rig::new();
    let (_publisher, from, to, mut ear, _) = begun(&rig);
    // From another port, another address and another sender; then of another type, not RTP, and too long.
    udp().send_to(&rtp(7, 1, "forged"), to).unwrap();
    UdpSocket::bind("127.0.0.2:0").unwrap().send_to(&rtp(7, 1, "forged"), to).unwrap();
    from.send_to(&rtp(8, 1, "forged"), to).unwrap();
    rig.until(|counts| counts.foreign == 3);
    let mut other = rtp(7, 1, "forged");
    other[1] = 96;
    from.send_to(&other, to).unwrap();
    from.send_to(b"hello", to).unwrap();
    from.send_to(&rtp(7, 1, &"x".repeat(3_000)), to).unwrap();
    rig.until(|counts| counts.strange == 2);
    goes_through(&from, to, &mut ear, 1);
}

#[test]
fn a_stray_datagram_does_not_take_the_publishers_place() {
    let rig = Rig::new();
    let (publish, ..) = rig.open(SONG);
    let from = udp();
    let mut publisher = Client::to(&publish);
    publisher.announce().expect(200);
    let to = publisher.set_up_udp(&from);
    // Before RECORD every datagram is ignored; after it, only one as announced determines the publisher's port.
    from.send_to(&rtp(7, 0, "early"), to).unwrap();
    rig.until(|counts| counts.datagrams_in == 1);
    publisher.ask("RECORD", "", "").expect(200);
    udp().send_to(b"stray", to).unwrap();
    rig.until(|counts| counts.strange == 1);
    from.send_to(&rtp(7, 1, "first"), to).unwrap();
    rig.expect(Told::Began(SONG));
    udp().send_to(&rtp(7, 2, "late"), to).unwrap();
    rig.until(|counts| counts.foreign == 1);
}

#[test]
fn sound_goes_to_nobody_who_did_not_ask() {
    let rig = Rig::new();
    let (_publisher, from, to, mut ear, listen) = begun(&rig);
    let third = udp();
    let port = third.local_addr().unwrap().port();
    let mut client = Client::to(&listen);
    for transport in [
        format!("RTP/AVP;unicast;destination=127.0.0.2;client_port={port}-{}", port ^ 1),
        format!("RTP/AVP;unicast;source=192.0.2.1;client_port={port}-{}", port ^ 1),
        format!("RTP/AVP;multicast;destination=239.0.0.1;port={port}-{}", port ^ 1),
        // These ports are the relay's own.
        format!("RTP/AVP;unicast;client_port={}-{}", to.port(), to.port() + 1),
        "RTP/AVP;unicast;client_port=0-1".to_owned(),
        "RTP/AVP;unicast;client_port=52-53".to_owned(),
        format!("RTP/AVP;unicast;client_port={}-{}", port + 1, port + 2),
    ] {
        client.ask("SETUP", &format!("Transport: {transport}\r\n"), "").expect(461);
        client.ask("PLAY", "", "").expect(455);
    }
    goes_through(&from, to, &mut ear, 1);
    third.set_nonblocking(true).unwrap();
    assert_eq!(third.recv(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn who_guesses_keys_is_sent_away() {
    let rig = Rig::new();
    let (_publisher, from, to, mut ear, listen) = begun(&rig);
    let (before, key) = listen.split_at(listen.len() - 32);
    let mut client = Client::to(&listen);
    let other = format!("{before}{}", Key::random().unwrap().reveal());
    client.ask_at(&other, "DESCRIBE", "", "").expect(403);
    client.ask_at(&other.replace("7f3a", "7f3b"), "DESCRIBE", "", "").expect(404);
    let last = client.ask_at(before, "SETUP", "Transport: RTP/AVP/TCP;unicast\r\n", "").expect(403);
    assert_eq!(last.header("Connection"), "close");
    assert_eq!(client.rest(), b"");
    // A listener's key does not authorize publishing.
    Client::to(&listen).announce().expect(403);
    assert!(rig.subscribe(&other).is_err() && rig.subscribe(&format!("x?key={key}")).is_ok());
    goes_through(&from, to, &mut ear, 1);
}

#[test]
fn a_publisher_that_floods_is_ended() {
    let rig = Rig::with(Media { bit_rate: 100_000, ..Media::default() });
    let (_publisher, from, to, mut ear, _) = begun(&rig);
    let datagram = rtp(7, 1, &"x".repeat(1_200));
    let begin = std::time::Instant::now();
    loop {
        from.send_to(&datagram, to).unwrap();
        if let Ok(told) = rig.told.try_recv() {
            assert_eq!(told, Told::Ended(SONG, StreamEnd::TooFast));
            break;
        }
        assert!(begin.elapsed() < DEADLINE);
    }
    // The burst of 5 s was relayed.
    let heard = rig.until(|counts| counts.streams == 0).datagrams_out;
    assert!((30..60).contains(&heard), "{heard}");
    while !ear.rest().is_empty() {}
}

#[test]
fn who_takes_nothing_misses_sound_and_the_others_hear_all() {
    let rig = Rig::with(Media { bit_rate: 1_000_000_000, ..Media::default() });
    let (_publisher, from, to, mut ear, listen) = begun(&rig);
    let mut paused = Client::to(&listen);
    paused.listen();
    let stats = rig.until(|counts| counts.listeners == 2);
    assert_eq!(stats.streams, 1);
    let text = "x".repeat(1_400);
    let mut number: u16 = 1;
    // The kernel's buffers fill up first, then the queue.
    until(|| {
        for _ in 0..100 {
            from.send_to(&rtp(7, number, &text), to).unwrap();
            assert!(ear.sound().ends_with(text.as_bytes()));
            number = number.wrapping_add(1);
        }
        (rig.counters.counts().lost > 1_000).then_some(())
    });
    assert!(usize::from(number) * 1_400 > MAX_WAITING);
    // The listener continues with the current audio.
    let mut last = 0;
    until(|| {
        from.send_to(&rtp(7, number, &format!("now {number}")), to).unwrap();
        ear.sound();
        number = number.wrapping_add(1);
        let heard = paused.sound();
        last += 1;
        heard.windows(4).any(|four| four == b"now ").then_some(())
    });
    assert!(last < 5_000, "{last}");
    paused.ask("GET_PARAMETER", "", "").expect(200);
    assert_eq!(rig.counters.counts().listeners, 2);
    goes_through(&from, to, &mut ear, number);
}

#[test]
fn silence_ends_a_stream_and_a_report_is_none() {
    let rig = Rig::with(Media {
        silence_timeout: Duration::from_secs(2),
        unheard_timeout: Duration::ZERO,
        ..Media::default()
    });
    let (publish, ..) = rig.open(SONG);
    let mut publisher = Client::to(&publish);
    publisher.publish();
    publisher.send_frame(0, &rtp(7, 0, "first"));
    rig.expect(Told::Began(SONG));
    // An empty receiver report counts as a sign of life, here for twice the timeout.
    let begin = std::time::Instant::now();
    while begin.elapsed() < Duration::from_secs(4) {
        publisher.send_frame(1, &[0x80, 201, 0, 1, 0, 0, 0, 7]);
        assert_eq!(rig.told.recv_timeout(Duration::from_millis(100)), Err(mpsc::RecvTimeoutError::Timeout));
    }
    rig.expect(Told::Ended(SONG, StreamEnd::Silent));
}

#[test]
fn a_listener_behind_a_router_is_found() {
    let rig = Rig::new();
    let (_publisher, from, to, _ear, listen) = begun(&rig);
    let (said, real) = (udp(), udp());
    let mut player = Client::to(&listen);
    let relay = player.set_up_udp(&said);
    player.ask("PLAY", "", "").expect(200);
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    stranger.send_to(&rtp(1, 1, ""), relay).unwrap();
    rig.until(|counts| counts.foreign == 1);
    real.send_to(&rtp(1, 1, ""), relay).unwrap();
    // Only the first datagram confirms the listener's address.
    udp().send_to(&rtp(1, 1, ""), relay).unwrap();
    rig.until(|counts| counts.foreign == 2);
    from.send_to(&rtp(7, 1, "found"), to).unwrap();
    let mut bytes = [0; 2048];
    let length = real.recv(&mut bytes).unwrap();
    assert!(bytes[..length].ends_with(b"found"));
}

#[test]
fn a_report_from_a_new_port_says_whose_it_is() {
    let rig = Rig::new();
    let (_publisher, _from, _to, _ear, listen) = begun(&rig);
    let mut players = Vec::new();
    for port in [40_001, 40_003] {
        let mut player = Client::to(&listen);
        let transport = format!("Transport: RTP/AVP;unicast;client_port={}-{port}\r\n", port - 1);
        let answer = player.ask("SETUP", &transport, "").expect(200);
        let part = |name: &str| {
            let rest = answer.header("Transport").split(name).nth(1).unwrap();
            rest.split(['-', ';']).next().unwrap().to_owned()
        };
        let ssrc = u32::from_str_radix(&part("ssrc="), 16).unwrap();
        players.push((part("server_port=").parse::<u16>().unwrap() + 1, ssrc, player));
    }
    let from = udp();
    let to = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // Either listener could have sent this report.
    from.send_to(&[0x80, 201, 0, 1, 0, 0, 0, 7], to(players[0].0)).unwrap();
    rig.until(|counts| counts.foreign == 1);
    let about = |ssrc: u32| [&[0x81, 201, 0, 7, 0, 0, 0, 7][..], &ssrc.to_be_bytes(), &[0; 20]].concat();
    from.send_to(&about(players[1].1), to(players[1].0)).unwrap();
    rig.until(|counts| counts.reports == 1);
    // The second listener is now known by this port, so its anonymous reports are accepted. Only the first listener's
    // port is still unknown.
    from.send_to(&[0x80, 201, 0, 1, 0, 0, 0, 7], to(players[0].0)).unwrap();
    from.send_to(&about(players[1].1), to(players[1].0)).unwrap();
    assert_eq!(rig.until(|counts| counts.reports == 2).foreign, 1);
}

#[test]
fn a_publisher_may_try_again_until_it_has_begun() {
    let rig = Rig::new();
    let (publish, ..) = rig.open(SONG);
    let from = udp();
    let mut publisher = Client::to(&publish);
    publisher.publish_by_udp(&from);
    publisher.ask("TEARDOWN", "", "").expect(200);
    publisher.publish();
    drop(publisher);
    let mut publisher = Client::to(&publish);
    // The end of the other connection takes effect with a delay.
    until(|| (publisher.announce().status == 200).then_some(()));
    publisher.ask("SETUP", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", "").expect(200);
    publisher.ask("RECORD", "", "").expect(200);
    publisher.send_frame(0, &rtp(7, 0, "first"));
    rig.expect(Told::Began(SONG));
    drop(publisher);
    rig.expect(Told::Ended(SONG, StreamEnd::Gone));
}

#[test]
fn what_is_no_rtsp_is_told_so() {
    let rig = Rig::new();
    let (_, listen, _) = rig.open(SONG);
    for (sent, told) in [
        (
            "GET /7f3a HTTP/1.1\r\nHost: x\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\
             Content-Length: 69\r\n\r\nAudio by RTSP is here, and no page. Its addresses begin with rtsp://\n",
        ),
        ("\x16\x03\x01\x02 hello\n", "RTSP/1.0 400 Bad Request\r\nConnection: close\r\n\r\n"),
        (
            "OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n",
            "RTSP/1.0 505 RTSP Version Not Supported\r\nConnection: close\r\n\r\n",
        ),
    ] {
        let mut client = Client::to(&listen);
        client.write(sent.as_bytes());
        assert_eq!(String::from_utf8(client.rest()).unwrap(), told);
    }
}

#[test]
fn the_end_of_the_server_is_the_end_of_all() {
    let rig = Rig::new();
    let (mut publisher, _from, _to, mut ear, listen) = begun(&rig);
    let mut stranger = Client::to(&listen);
    stranger.ask("OPTIONS", "", "").expect(200);
    let mut http = rig.subscribe(&listen).unwrap();
    let begin = std::time::Instant::now();
    rig.audio.close.do_send(CloseServer { by: String::new() });
    assert_eq!(publisher.rest(), b"");
    assert!(ear.rest().windows(2).any(|two| two == [0x81, 203]));
    assert_eq!(stranger.rest(), b"");
    while http.bytes.blocking_recv().is_some() {}
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}
