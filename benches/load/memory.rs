//! Measures arauto's memory while many clients are connected and idle, and after they have left.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    drive,
    report::{progress, row},
    servers::{DEADLINE, Kind, LOOK_AGAIN, Server},
};

const CLIENTS: usize = 10_000;

/// The clients come and go twice: memory not returned the first time should be reused the second.
const TURNS: usize = 2;

/// Time without change after which memory is final: allocators return free memory after about a second.
const UNCHANGED: Duration = Duration::from_secs(3);

/// Prints a row for each stage.
pub fn measure(workers: &[usize]) -> Result<()> {
    row("experiment,server,workers,stage,kib")?;
    for &workers in workers {
        let server = Server::start(Kind::arauto(workers), 64)?;
        // Remains connected, so that everything allocated for the first client exists before anything is measured.
        let _keeper = drive::join(&server, CLIENTS, true)?;
        let open_files = server.open_files()?;
        let report = |stage: &str| {
            let kib = server.resident_kib()?;
            progress(&format!("memory: {workers} workers, {stage}: {kib} KiB"))?;
            anyhow::Ok(row(&format!("memory,arauto,{workers},{stage},{kib}"))?)
        };
        report("fresh")?;
        for turn in 1..=TURNS {
            let clients: Vec<_> =
                (0..CLIENTS).map(|number| drive::join(&server, number, true)).collect::<Result<_>>()?;
            report(&format!("joined {turn}"))?;
            drop(clients);
            closed(&server, open_files)?;
            report(&format!("left {turn}"))?;
            settled(&server)?;
            report(&format!("settled {turn}"))?;
        }
    }
    Ok(())
}

/// Waits until the server has at most `open_files` files open.
fn closed(server: &Server, open_files: usize) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let open = server.open_files()?;
        if open <= open_files {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "the server still has {open} files open, and had {open_files} before anybody came"
        );
        thread::sleep(LOOK_AGAIN);
    }
}

/// Waits until the server's memory no longer changes, or until the deadline.
fn settled(server: &Server) -> Result<()> {
    let begun = Instant::now();
    let (mut kib, mut since) = (server.resident_kib()?, begun);
    while since.elapsed() < UNCHANGED && begun.elapsed() < DEADLINE {
        thread::sleep(LOOK_AGAIN);
        let now = server.resident_kib()?;
        if now != kib {
            (kib, since) = (now, Instant::now());
        }
    }
    Ok(())
}
