//! Faults outside the clients under test: a cut cable, signals, a lack of file descriptors, and other connections.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use fastrand::Rng;

use super::world::World;
use crate::harness::{cable::Cable, process::signal};

/// Counts how often a fault occurred; the outcome of a run shows it.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub fn rest(world: &World, random: &mut Rng, milliseconds: std::ops::Range<u64>) -> bool {
    world.stage.rest(Duration::from_millis(random.u64(milliseconds)))
}

/// Cuts the cable repeatedly for 20 ms to 400 ms. Every fourth cut on average lasts 2 s to 4.5 s, long enough for a
/// client that waits for the name of an unreachable one to get it.
pub fn cut(world: &World, mut random: Rng, cable: &Cable, count: &Count) {
    while !rest(world, &mut random, 300..1500) {
        let severed = random.u8(..4) == 0;
        world.stage.set_severed(severed);
        cable.cut();
        count.one();
        rest(world, &mut random, if severed { 2000..4500 } else { 20..400 });
        cable.mend();
        world.stage.set_severed(false);
    }
}

/// Sends the server SIGHUP every 20 ms to 300 ms, at which it reloads its settings.
pub fn hang_up(world: &World, mut random: Rng, server: u32, count: &Count) {
    while !rest(world, &mut random, 20..300) {
        signal(server, "HUP");
        count.one();
    }
}

/// Repeatedly opens at least as many connections as the server may have open files, and closes them.
pub fn use_up_descriptors(world: &World, mut random: Rng, allowed: usize, count: &Count) {
    while !rest(world, &mut random, 200..1200) {
        let crowd: Vec<TcpStream> =
            (0..allowed + random.usize(..40)).filter_map(|_| world.dial(0, None).ok()).collect();
        count.one();
        rest(world, &mut random, 50..600);
        drop(crowd);
    }
}

/// Opens connections outside the test that send at most a few bytes: some are reset at once, some closed, and some
/// stay for a while.
pub fn connect(world: &World, mut random: Rng, count: &Count) {
    const WORDS: [&[u8]; 6] = [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"stranger\n",
        b"half a na",
        b"\xff\xfd\x01",
    ];
    let mut staying = Vec::new();
    while !rest(world, &mut random, 1..15) {
        for _ in 0..random.usize(1..8) {
            let Ok(mut stranger) = world.dial(random.u16(..), None) else { continue };
            count.one();
            let said = random.choice(WORDS).unwrap_or_default();
            // The server may have closed it already.
            let _ = stranger.write_all(said);
            match random.u8(..3) {
                0 => drop(socket2::SockRef::from(&stranger).set_linger(Some(Duration::ZERO))),
                1 => staying.push(stranger),
                _ => {}
            }
        }
        if staying.len() > 30 {
            staying.drain(..random.usize(1..30));
        }
    }
}

/// Runs a client that sends only invalid input, and reads the server's answers.
pub fn talk_nonsense(world: &World, mut random: Rng, count: &Count) {
    let mut life = 0;
    while !rest(world, &mut random, 10..200) {
        let Ok(mut client) = world.dial(random.u16(..), None) else { continue };
        life += 1;
        let _ = client.set_read_timeout(Some(Duration::from_millis(1)));
        let _ = client.set_write_timeout(Some(Duration::from_secs(1)));
        let _ = client.write_all(format!("junk{life}\n").as_bytes());
        for _ in 0..random.usize(1..40) {
            let nonsense = nonsense(&mut random);
            count.one();
            if client.write_all(&nonsense).is_err() || drain(&mut client) || rest(world, &mut random, 1..20) {
                break;
            }
        }
    }
}

/// Input that is not a valid message, or only part of one.
fn nonsense(random: &mut Rng) -> Vec<u8> {
    let length = match random.u8(..10) {
        0 => random.usize(1000..4000),
        _ => random.usize(1..100),
    };
    match random.u8(..5) {
        0 => (0..length).map(|_| random.u8(..)).filter(|byte| *byte != 0xff).collect(),
        1 => format!("{} | all clients | broadcast | {}\n", "c0", "x".repeat(length)).into_bytes(),
        2 => "\n\r\n|||\n| | |\n".repeat(length / 8 + 1).into_bytes(),
        3 => format!("junk | all clients | dance | {}\n/nothing\n/msg\n", "é".repeat(length)).into_bytes(),
        _ => "x".repeat(length).into_bytes(),
    }
}

/// Reads what has arrived. Returns whether the connection has ended.
fn drain(client: &mut TcpStream) -> bool {
    let mut buffer = [0; 16 * 1024];
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                return !matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                );
            }
        }
    }
}
