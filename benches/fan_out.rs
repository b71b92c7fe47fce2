//! Broadcasts through the real actors over loopback, until every receiver has every message.
//!
//! A round is a window of messages, sent in one write, and their delivery; the sender is one of the receivers. The
//! floor puts a bare thread in the server's place that writes what it reads to each receiver, with one `write()` a
//! window: sender, sockets and reader are the same, so the times of a group divide into ratios.

use std::{
    cell::LazyCell,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use arauto::protocol::{Operation, reply};
use common::{LocalServer, Relay};
use criterion::{Criterion, SamplingMode, Throughput};

mod common;

const RECEIVERS: [usize; 3] = [10, 100, 1_000];

/// How many messages are on the way at once.
const WINDOWS: [usize; 2] = [1, 16];

const MESSAGE_BYTES: usize = 64;

/// Two sockets a receiver, at the server and at the floor, and what else a process has open.
const OPEN_FILES: u64 = 4 * 1_000 + 64;

fn main() {
    let allowed = rlimit::increase_nofile_limit(OPEN_FILES).expect("a limit of open files");
    assert!(allowed >= OPEN_FILES, "{OPEN_FILES} open files are needed and {allowed} allowed: see ulimit -n");
    let mut criterion = common::criterion();
    for receivers in RECEIVERS {
        fan_out(&mut criterion, receivers);
    }
    criterion.final_summary();
}

fn fan_out(criterion: &mut Criterion, receivers: usize) {
    // Made when first measured: the command line may have chosen other benches. Receivers come first, because what
    // comes first is dropped first, and servers end when their clients are gone.
    let floor = LazyCell::new(|| {
        let (relay, members) = Relay::start(receivers);
        (listeners(members), relay)
    });
    let server = LazyCell::new(|| {
        let server = LocalServer::start();
        let members = (0..receivers).map(|number| server.join(&member(number))).collect();
        (listeners(members), server)
    });
    for window in WINDOWS {
        let message = common::line(&member(0), reply::ALL_CLIENTS, Operation::Broadcast, MESSAGE_BYTES);
        let messages = message.as_bytes().repeat(window);
        let mut read = vec![0; messages.len()];
        let mut group =
            criterion.benchmark_group(format!("fan_out/{receivers}_receivers/{window}_on_the_way"));
        group.throughput(Throughput::Elements((receivers * window) as u64));
        // A round is long beside a look at the clock, so samples need not grow to show its cost.
        group.sampling_mode(SamplingMode::Flat);
        group.bench_function("floor_write", |bencher| {
            let (members, _) = &*floor;
            bencher.iter_custom(|rounds| (0..rounds).map(|_| round(members, &messages, &mut read)).sum());
        });
        group.bench_function("server", |bencher| {
            let (members, _) = &*server;
            bencher.iter_custom(|rounds| (0..rounds).map(|_| round(members, &messages, &mut read)).sum());
        });
        group.finish();
    }
}

fn member(number: usize) -> String {
    format!("member-{number}")
}

/// Makes connections acknowledge as those do that have only listened for a while: each read.
///
/// By itself a connection that has also spoken does so only once it was left waiting in between. Times would hang on
/// how that came about, and a floor whose members never spoke could stand above what is measured.
fn listeners(members: Vec<TcpStream>) -> Vec<TcpStream> {
    #[cfg(target_os = "linux")]
    for member in &members {
        socket2::SockRef::from(member).set_tcp_quickack(true).expect("a socket");
    }
    members
}

/// The first member sends a window of messages, and all read them. Returns how long it took until all could.
///
/// The last to join reads first. It is served last, so what the others have to read is there by then, and reading it is
/// no part of the time. (A reader that waits for all at once, as by epoll, is woken again and again in the midst of
/// the writing, and costs as much as the writing: it would be half of what is measured.)
fn round(members: &[TcpStream], messages: &[u8], read: &mut [u8]) -> Duration {
    let [others @ .., last] = members else { panic!("nobody to send to") };
    let start = Instant::now();
    (&members[0]).write_all(messages).expect("a server that reads");
    receive(last, read);
    let mut took = start.elapsed();
    assert!(read == messages, "other messages than were sent");
    for member in others {
        if !receive_at_once(member, read) {
            // It was served after the last: then the reads before count too, which is too much rather than too little.
            took = start.elapsed();
        }
        assert!(read == messages, "other messages than were sent");
    }
    took
}

fn receive(mut member: &TcpStream, read: &mut [u8]) {
    member.read_exact(read).expect("all messages to be delivered");
}

/// Receives, and tells whether all was there.
fn receive_at_once(mut member: &TcpStream, read: &mut [u8]) -> bool {
    member.set_nonblocking(true).expect("a socket");
    let there = match member.read(read) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => panic!("a receiver is cut off: {error}"),
    };
    member.set_nonblocking(false).expect("a socket");
    receive(member, &mut read[there..]);
    there == read.len()
}
