//! Measures the server's CPU time per delivery under loads of many shapes, beside a floor and other servers.
//!
//! A delivery is one message that arrives at one receiver. Wall-clock time would show how the system spreads threads
//! over cores, and how fast the clients read; the CPU time of the server's threads shows what a delivery costs. Servers
//! are separate processes, the clients are one thread of this process, and loopback connects them. Rows of CSV go to
//! stdout, progress to stderr. Linux only: it reads /proc.

use std::{num::NonZeroUsize, path::PathBuf};

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use experiments::Experiment;
use servers::Kind;

mod cluster;
mod datagrams;
mod drive;
mod experiments;
mod floor;
mod memory;
mod report;
mod servers;
mod slow_readers;
mod storms;
mod watchers;
mod wire;

/// 10,001 clients of a server, and the other open files of the process.
const OPEN_FILES: u64 = 10_001 + 100;

/// Measures what a delivery costs a server in CPU time. Rows of CSV go to stdout, progress to stderr.
#[derive(Parser)]
#[command(name = "load")]
struct Args {
    #[command(subcommand)]
    what: What,

    /// Number of times each load is measured, after a round that only warms up
    #[arg(long, global = true, default_value = "5")]
    rounds: NonZeroUsize,

    /// Number of arauto's workers; several numbers are measured in turn
    #[arg(long, global = true, value_delimiter = ',', default_value = "1")]
    workers: Vec<usize>,

    /// Also measure redis and nats, where installed; `table` always does
    #[arg(long, global = true)]
    peers: bool,

    /// Added by `cargo bench` to every command line
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum What {
    /// 10 to 10,000 receivers
    Receivers,
    /// 64 to 16,384 bytes to 1,000 receivers
    Sizes,
    /// 1 to 200 senders among 200 receivers, and a single sender with as many messages in flight
    Senders,
    /// 1,000 receivers and all servers, arauto with one worker and with two
    Table,
    /// 1,000 receivers by TCP and through WebSockets
    Websockets,
    /// 1,000 receivers with a number and a time before each line, and without
    Tags,
    /// Arauto's memory with 10,000 idle clients and without
    Memory,
    /// Latency of an echo beside 19,000 idle clients, 5,000 slow ones or a storm of joins, and alone
    Storms,
    /// CPU time of a join beside 1,000 clients that watch for joins, and beside as many that do not
    Watchers,
    /// Throughput of a client beside 1 to 100 receivers that read slowly, from loopback and from a network namespace
    SlowReaders {
        /// The server to run, in place of the one built here
        #[arg(long)]
        program: Option<PathBuf>,
    },
    /// Latency, CPU time, joins and the return of clients, without a cluster and with one and three nodes
    Cluster,
    /// A datagram of audio to 500 listeners, beside a bare `sendto()`
    Datagrams,
    /// The bare server that others are compared with; runs until it is killed
    #[command(hide = true)]
    Floor { port: u16 },
    /// The bare server for datagrams; runs until it is killed
    #[command(hide = true)]
    FloorOfDatagrams { port: u16 },
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let What::Floor { port } = args.what {
        return Ok(floor::serve(port)?);
    }
    if let What::FloorOfDatagrams { port } = args.what {
        return datagrams::serve_floor(port);
    }
    // Servers inherit the limit.
    let needed = if matches!(args.what, What::Storms) { storms::OPEN_FILES } else { OPEN_FILES };
    let allowed = rlimit::increase_nofile_limit(needed)?;
    ensure!(allowed >= needed, "{needed} open files are needed and {allowed} allowed: see ulimit -n");
    let experiment = match args.what {
        What::Receivers => Experiment::receivers(),
        What::Sizes => Experiment::sizes(),
        What::Senders => Experiment::senders(),
        What::Table => {
            return Experiment::table().measure(&servers(&[1, 2], true)?, args.rounds.get());
        }
        What::Websockets => {
            let by_both = |&workers| [Kind::arauto(workers), Kind::arauto_by_websocket(workers)];
            let servers: Vec<_> = args.workers.iter().flat_map(by_both).collect();
            return Experiment::websockets().measure(&servers, args.rounds.get());
        }
        What::Tags => {
            let both = |&workers| [Kind::arauto(workers), Kind::arauto_with_tags(workers)];
            let servers: Vec<_> = args.workers.iter().flat_map(both).collect();
            return Experiment::tags().measure(&servers, args.rounds.get());
        }
        What::Storms => return storms::measure(&args.workers, args.rounds.get()),
        What::Watchers => return watchers::measure(&args.workers, args.rounds.get()),
        What::SlowReaders { program } => return slow_readers::measure(program, args.rounds.get()),
        What::Cluster => return cluster::measure(args.rounds.get()),
        What::Datagrams => return datagrams::measure(args.rounds.get()),
        What::Memory | What::Floor { .. } | What::FloorOfDatagrams { .. } => {
            return memory::measure(&args.workers);
        }
    };
    experiment.measure(&servers(&args.workers, args.peers)?, args.rounds.get())
}

/// The servers that take turns. Servers that are not installed are left out, with a message.
fn servers(workers: &[usize], peers: bool) -> Result<Vec<Kind>> {
    let mut servers: Vec<_> = workers.iter().map(|&workers| Kind::arauto(workers)).collect();
    servers.push(Kind::FLOOR);
    if peers {
        for peer in Kind::PEERS {
            match peer.lacks() {
                Some(program) => report::progress(&format!("left out: {program} is not installed"))?,
                None => servers.push(peer),
            }
        }
    }
    Ok(servers)
}
