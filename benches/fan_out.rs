//! Measures broadcasts through the real actors over loopback, until every receiver has every message.
//!
//! A round is a window of messages, sent in one write, and their delivery. The sender is one of the receivers. The
//! floor replaces the server with a bare thread that writes what it reads to each receiver, with one `write()` per
//! window. Sender, sockets and reader are the same, so the times of a group divide into ratios.

use std::{
    cell::LazyCell,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use arauto_protocol::{Operation, reply};
use common::{LocalServer, Relay};
use criterion::{Criterion, SamplingMode, Throughput};

mod common;

const RECEIVERS: [usize; 3] = [10, 100, 1_000];

/// Number of messages in flight.
const WINDOWS: [usize; 2] = [1, 16];

const MESSAGE_BYTES: usize = 64;

/// Two sockets per receiver, at the server and at the floor, and the other open files of the process.
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
    // Created on first use, because the command line may select other benches. Receivers come first in the tuple:
    // fields drop in order, and the servers end when their clients are gone.
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
        // A round is long compared with reading the clock, so samples need not grow to show its cost.
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

/// Makes connections acknowledge every read, as connections do that have only listened for a while.
///
/// By default, a connection that has also sent acknowledges at once only after it was idle. Times would depend on how
/// that came about, and a floor whose members never sent could be slower than the server.
fn listeners(members: Vec<TcpStream>) -> Vec<TcpStream> {
    #[cfg(target_os = "linux")]
    for member in &members {
        socket2::SockRef::from(member).set_tcp_quickack(true).expect("a socket");
    }
    members
}

/// The first member sends a window of messages, and all read them. Returns the time until all could.
///
/// The last to join reads first. It is served last, so the data of the others is there by then, and reading it is not
/// part of the time. A reader that waits for all at once, for example by epoll, is woken again and again during the
/// writes and costs as much as they do: half of the measured time.
fn round(members: &[TcpStream], messages: &[u8], read: &mut [u8]) -> Duration {
    let [others @ .., last] = members else { panic!("nobody to send to") };
    let start = Instant::now();
    (&members[0]).write_all(messages).expect("a server that reads");
    receive(last, read);
    let mut took = start.elapsed();
    assert!(read == messages, "other messages than were sent");
    for member in others {
        if !receive_at_once(member, read) {
            // Served after the last member. The time then includes the reads before, which overestimates it slightly.
            took = start.elapsed();
        }
        assert!(read == messages, "other messages than were sent");
    }
    took
}

fn receive(mut member: &TcpStream, read: &mut [u8]) {
    member.read_exact(read).expect("all messages to be delivered");
}

/// Receives, and returns whether all data was already there.
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
