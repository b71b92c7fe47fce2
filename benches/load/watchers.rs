//! Measures what a join costs beside 1,000 clients that watch for joins, and beside as many that do not.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    drive,
    report::{progress, row},
    servers::{Kind, Server},
};

/// Clients that are there before the others join.
const PRESENT: usize = 1_000;
/// Clients that join one after the other, and stay.
const JOINS: u32 = 8_000;
/// Interval at which the present clients read. Their sockets hold what comes meanwhile.
const READ_INTERVAL: Duration = Duration::from_millis(20);

/// Prints a row for each round, without watchers and with them. A round before the first only warms up.
pub fn measure(workers: &[usize], rounds: usize) -> Result<()> {
    row("experiment,server,workers,watchers,round,cpu_us_per_join,joins_per_s")?;
    for round in 0..=rounds {
        for &workers in workers {
            for watch in [false, true] {
                let watchers = if watch { PRESENT } else { 0 };
                let figures = run(workers, watch)?;
                progress(&format!("watchers {round}/{rounds}: {workers} workers, {watchers}: {figures}"))?;
                if round > 0 {
                    row(&format!("watchers,arauto,{workers},{watchers},{round},{figures}"))?;
                }
            }
        }
    }
    Ok(())
}

/// Starts a server, and returns the figures of [`JOINS`] joins.
fn run(workers: usize, watch: bool) -> Result<String> {
    let server = Server::start(Kind::arauto(workers), 64)?;
    let present: Vec<TcpStream> =
        (0..PRESENT).map(|number| drive::join(&server, number, true)).collect::<Result<_>>()?;
    for mut client in &present {
        if watch {
            client.write_all(b"/watch\n")?;
        }
        client.set_nonblocking(true)?;
    }
    let is_over = AtomicBool::new(false);
    let (cpu, elapsed, heard) = thread::scope(|scope| {
        let reader = scope.spawn(|| read_all(&present, &is_over));
        let joined = join_all(&server);
        is_over.store(true, Ordering::Relaxed);
        let heard = reader.join().expect("no panic")?;
        joined.map(|(cpu, elapsed)| (cpu, elapsed, heard))
    })?;
    ensure!(watch == (heard > 0), "the present clients received {heard} bytes");
    let per_join = Duration::from_nanos(cpu) / JOINS;
    let joins_per_s = f64::from(JOINS) / elapsed.as_secs_f64();
    Ok(format!("{:.1},{joins_per_s:.0}", per_join.as_secs_f64() * 1e6))
}

/// Joins the clients. Returns the server's CPU time in nanoseconds, and the time that passed.
fn join_all(server: &Server) -> Result<(u64, Duration)> {
    let (before, begun) = (server.cpu()?, Instant::now());
    let joins = (PRESENT..).take(JOINS as usize).map(|number| drive::join(server, number, true));
    let joined: Vec<TcpStream> = joins.collect::<Result<_>>()?;
    let elapsed = begun.elapsed();
    let cpu = server.cpu()? - before;
    drop(joined);
    Ok((cpu, elapsed))
}

/// Reads what arrives at these clients. Returns the number of bytes.
fn read_all(clients: &[TcpStream], is_over: &AtomicBool) -> Result<usize> {
    let mut buffer = vec![0; 64 * 1024];
    let mut heard = 0;
    while !is_over.load(Ordering::Relaxed) {
        for mut client in clients {
            match client.read(&mut buffer) {
                Ok(read) => heard += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        thread::sleep(READ_INTERVAL);
    }
    Ok(heard)
}
