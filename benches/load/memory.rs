//! How much memory arauto holds while many clients are connected and do nothing, and once they have left.

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

/// They come and go twice: what is not given back the first time should serve again the second.
const TURNS: usize = 2;

/// Memory that has not changed for so long is what stays: allocators give back what is free after a second or so.
const UNCHANGED: Duration = Duration::from_secs(3);

/// Prints a row for each stage.
pub fn measure(workers: &[usize]) -> Result<()> {
    row("experiment,server,workers,stage,kib")?;
    for &workers in workers {
        let server = Server::start(Kind::arauto(workers), 64)?;
        // Stays, so that everything that comes with the first client is there before anything is counted.
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

/// Waits until the server has closed all but so many files.
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

/// Waits until the server's memory no longer changes. If it goes on changing, what it is at the deadline has to do.
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
