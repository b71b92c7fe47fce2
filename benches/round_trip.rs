//! Measures echoes to one client over loopback: one at a time, and 16 sent in one write.
//!
//! The floor is a bare thread that writes back what it reads. Client and sockets are the same, so the times of a group
//! divide into ratios. An echo passes through session, registry and courier. On idle cores, most of either time is the
//! system waking the other side.

use std::{
    cell::LazyCell,
    io::{Read, Write},
    net::TcpStream,
};

use arauto_protocol::Operation;
use common::{LocalServer, Relay};
use criterion::{Criterion, SamplingMode, Throughput};

mod common;

const NAME: &str = "alan";

const MESSAGE_BYTES: usize = 64;

fn main() {
    let mut criterion = common::criterion();
    round_trip(&mut criterion);
    criterion.final_summary();
}

fn round_trip(criterion: &mut Criterion) {
    // Created on first use, because the command line may select other benches. Clients come first in the tuple: fields
    // drop in order, and the servers end when their clients are gone.
    let floor = LazyCell::new(|| {
        let (relay, mut clients) = Relay::start(1);
        (clients.remove(0), relay)
    });
    let server = LazyCell::new(|| {
        let server = LocalServer::start();
        (server.join(NAME), server)
    });
    for on_the_way in [1, 16] {
        let echo = common::line(NAME, NAME, Operation::Echo, MESSAGE_BYTES);
        let echoes = echo.as_bytes().repeat(on_the_way);
        let mut answers = vec![0; echoes.len()];
        let mut group = criterion.benchmark_group(format!("round_trip/{on_the_way}_on_the_way"));
        group.throughput(Throughput::Elements(on_the_way as u64));
        // A round trip is long compared with reading the clock, so samples need not grow to show its cost.
        group.sampling_mode(SamplingMode::Flat);
        group.bench_function("floor_echo", |bencher| {
            let (client, _) = &*floor;
            bencher.iter(|| exchange(client, &echoes, &mut answers));
        });
        group.bench_function("server", |bencher| {
            let (client, _) = &*server;
            bencher.iter(|| exchange(client, &echoes, &mut answers));
        });
        group.finish();
    }
}

/// Sends echoes and waits until all are back.
fn exchange(mut client: &TcpStream, echoes: &[u8], answers: &mut [u8]) {
    client.write_all(echoes).expect("a server that reads");
    client.read_exact(answers).expect("an answer");
    assert!(answers == echoes, "an answer that is no echo");
}
