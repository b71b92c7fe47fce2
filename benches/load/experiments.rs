//! The experiments that put load on servers: which loads, in which order, how long.

use std::{io, time::Instant};

use anyhow::{Context, Result};

use crate::{
    drive::{Clients, Load},
    report::{progress, row},
    servers::{Kind, Server},
};

/// Deliveries that a run is to make: enough that what goes on beside them does not count.
const DELIVERIES: usize = 300_000;

/// Windows that a run is to have at least: what one costs hangs on how the messages in it happen to meet.
const WINDOWS: usize = 20;

/// Bytes of DATA that a run is to deliver at most, so that large messages do not take longer than many.
const DATA_BYTES: usize = 1024 * 1024 * 1024;

/// A run is so many windows, however large these are.
const LEAST_WINDOWS: usize = 3;

const SMALL: usize = 64;

/// Loads that belong together.
pub struct Experiment {
    /// The name in the first column.
    pub name: &'static str,
    loads: Vec<Load>,
}

impl Experiment {
    /// How the cost of a delivery changes with the number of receivers.
    pub fn receivers() -> Self {
        let receivers = [10, 30, 100, 300, 1_000, 3_000, 10_000];
        Self::grid("receivers", &receivers, &[SMALL], &[1, 16])
    }

    /// How it changes with the size of messages.
    pub fn sizes() -> Self {
        Self::grid("sizes", &[1_000], &[64, 256, 1_024, 4_096, 16_384], &[1, 16])
    }

    /// Where the servers stand beside each other.
    pub fn table() -> Self {
        Self::grid("table", &[1_000], &[SMALL], &[1, 16, 256])
    }

    /// What a WebSocket adds.
    pub fn websockets() -> Self {
        Self { name: "websockets", ..Self::table() }
    }

    /// Whether many senders cost more than one that sends as much.
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
    /// All servers take turns within a round, so that what else the machine does meets them alike.
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

/// Nanoseconds of the server's CPU time that a delivery costs, with one decimal. The server is a fresh one.
fn run(kind: Kind, load: Load) -> Result<String> {
    let server = Server::start(kind, load.size)?;
    let mut clients = Clients::join(&server, load)?;
    let heard_by = clients.deliveries(1);
    let messages = (DELIVERIES / heard_by)
        .max(WINDOWS * load.on_the_way())
        .min(DATA_BYTES / load.size / heard_by)
        .max(LEAST_WINDOWS * load.on_the_way());
    // The first messages find nothing ready: buffers grow, code is read.
    clients.deliver((messages / 10).max(load.on_the_way()))?;
    let before = server.cpu()?;
    clients.deliver(messages)?;
    let spent = usize::try_from(server.cpu()? - before)?;
    let tenths = 10 * spent / clients.deliveries(messages);
    Ok(format!("{}.{}", tenths / 10, tenths % 10))
}
