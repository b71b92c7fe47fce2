//! Defines the load experiments: which loads, in which order, and how long.

use std::{io, time::Instant};

use anyhow::{Context, Result};

use crate::{
    drive::{Clients, Load},
    report::{progress, row},
    servers::{Kind, Server},
};

/// Target number of deliveries per run: enough to make other costs negligible.
const DELIVERIES: usize = 300_000;

/// Target number of windows per run: the cost of a window depends on how its messages happen to be combined.
const WINDOWS: usize = 20;

/// Maximum bytes of DATA per run, so that large messages do not take longer than many small ones.
const DATA_BYTES: usize = 1024 * 1024 * 1024;

/// Minimum number of windows per run, however large they are.
const MIN_WINDOWS: usize = 3;

const SMALL: usize = 64;

/// A set of loads.
pub struct Experiment {
    /// Name in the first column.
    pub name: &'static str,
    loads: Vec<Load>,
}

impl Experiment {
    /// How the cost of a delivery depends on the number of receivers.
    pub fn receivers() -> Self {
        let receivers = [10, 30, 100, 300, 1_000, 3_000, 10_000];
        Self::grid("receivers", &receivers, &[SMALL], &[1, 16])
    }

    /// How it depends on the size of messages.
    pub fn sizes() -> Self {
        Self::grid("sizes", &[1_000], &[64, 256, 1_024, 4_096, 16_384], &[1, 16])
    }

    /// How the servers compare.
    pub fn table() -> Self {
        Self::grid("table", &[1_000], &[SMALL], &[1, 16, 256])
    }

    /// The additional cost of a WebSocket.
    pub fn websockets() -> Self {
        Self { name: "websockets", ..Self::table() }
    }

    /// The additional cost of numbers and times.
    pub fn tags() -> Self {
        Self { name: "tags", ..Self::table() }
    }

    /// Whether many senders cost more than a single sender of as many messages.
    pub fn senders() -> Self {
        let mut loads = Vec::new();
        for number in [1, 2, 8, 32, 128, 200] {
            let many = Load { receivers: 200, size: SMALL, senders: number, window: 1 };
            loads.push(many);
            if number > 1 {
                loads.push(Load { senders: 1, window: number, ..many });
            }
        }
        Self { name: "senders", loads }
    }

    fn grid(name: &'static str, receivers: &[usize], sizes: &[usize], windows: &[usize]) -> Self {
        let mut loads = Vec::new();
        for &receivers in receivers {
            for &size in sizes {
                loads.extend(windows.iter().map(|&window| Load { receivers, size, senders: 1, window }));
            }
        }
        Self { name, loads }
    }

    /// Prints a row for each load, server and round. A round before the first only warms up.
    ///
    /// All servers take turns within a round, so that other work of the machine affects them alike.
    pub fn measure(&self, servers: &[Kind], rounds: usize) -> Result<()> {
        row("experiment,server,workers,receivers,size,senders,window,round,ns_per_delivery")?;
        let runs = (rounds + 1) * self.loads.len() * servers.len();
        let begun = Instant::now();
        let mut done = 0;
        for round in 0..=rounds {
            for &load in &self.loads {
                for &server in servers {
                    let cost = run(server, load).with_context(|| format!("{server}, {load:?}"))?;
                    done += 1;
                    let elapsed = begun.elapsed().as_secs();
                    self.report(&format!("{done}/{runs}, {elapsed} s"), server, load, round, &cost)?;
                }
            }
        }
        Ok(())
    }

    fn report(&self, done: &str, server: Kind, load: Load, round: usize, cost: &str) -> io::Result<()> {
        let Load { receivers, size, senders, window } = load;
        let (name, warm_up) = (self.name, if round == 0 { " (warm-up)" } else { "" });
        progress(&format!(
            "{name} {done}: {server}, {receivers} receivers, {size} bytes, {senders}x{window} on the way: {cost} \
             ns{warm_up}"
        ))?;
        if round == 0 {
            return Ok(());
        }
        let workers = server.workers.map_or(String::new(), |workers| workers.to_string());
        let server = server.name();
        row(&format!("{name},{server},{workers},{receivers},{size},{senders},{window},{round},{cost}"))
    }
}

/// Nanoseconds of the server's CPU time per delivery, with one decimal. Starts a new server.
fn run(kind: Kind, load: Load) -> Result<String> {
    let server = Server::start(kind, load.size)?;
    let mut clients = Clients::join(&server, load)?;
    let heard_by = clients.deliveries(1);
    let messages = (DELIVERIES / heard_by)
        .max(WINDOWS * load.on_the_way())
        .min(DATA_BYTES / load.size / heard_by)
        .max(MIN_WINDOWS * load.on_the_way());
    // Warm-up: the first messages make buffers grow and code be loaded.
    clients.deliver((messages / 10).max(load.on_the_way()))?;
    let before = server.cpu()?;
    clients.deliver(messages)?;
    let spent = usize::try_from(server.cpu()? - before)?;
    let tenths = 10 * spent / clients.deliveries(messages);
    Ok(format!("{}.{}", tenths / 10, tenths % 10))
}
