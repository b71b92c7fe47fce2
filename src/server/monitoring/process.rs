//! Reads what the system says about this process. Values that the system does not tell are left out.

use std::{fs, time::Duration};

use rlimit::Resource;
use rustix::time::{ClockId, clock_gettime};

/// Resources that the process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Processor time in user and kernel mode.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub resident_bytes: Option<u64>,
    /// Virtual memory (size of the address space) in bytes.
    pub virtual_bytes: Option<u64>,
    /// Number of threads.
    pub threads: Option<u64>,
    /// Number of open descriptors.
    pub open_files: Option<u64>,
    /// Soft limit of open descriptors.
    pub max_files: Option<u64>,
}

impl Process {
    /// Reads the present values.
    pub fn look() -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kib = |key| row(&status, key).map(|kib| kib * 1024);
        Self {
            cpu: cpu.try_into().unwrap_or_default(),
            resident_bytes: kib("VmRSS:"),
            virtual_bytes: kib("VmSize:"),
            threads: row(&status, "Threads:"),
            open_files: open_files(),
            max_files: Resource::NOFILE.get_soft().ok(),
        }
    }
}

/// Returns the number in the row of `/proc/self/status` that begins with `key`.
fn row(status: &str, key: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

fn open_files() -> Option<u64> {
    // Since Linux 6.2, the size of the directory is the number of descriptors. Before, it is 0 and they have to be
    // counted.
    let folder = "/proc/self/fd";
    match fs::metadata(folder).ok()?.len() {
        // Without the descriptor that reads the directory.
        0 => fs::read_dir(folder).ok().map(|files| (files.count() as u64).saturating_sub(1)),
        count => Some(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_this_process() {
        let before = open_files().unwrap();
        let many: Vec<_> = (0..200).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let seen = Process::look();
        // Other tests of this process open files, too.
        assert!(seen.open_files.unwrap() + 100 > before + 200, "{before} {seen:?}");
        drop(many);
        assert!(seen.resident_bytes.unwrap() > 1024 * 1024 && seen.virtual_bytes > seen.resident_bytes);
        assert!(seen.threads.unwrap() >= 1 && seen.max_files.unwrap() >= seen.open_files.unwrap());
        assert!(seen.cpu > Duration::ZERO);
    }

    #[test]
    fn a_row_is_found_by_its_whole_key() {
        let status = "VmSize:\t 100 kB\nVmRSS:\t  12 kB\nThreads:\t3\n";
        assert_eq!(
            (row(status, "VmRSS:"), row(status, "Threads:"), row(status, "Vm:")),
            (Some(12), Some(3), None)
        );
    }
}
