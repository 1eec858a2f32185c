//! The kernel's figures of the server's process.

use std::path::Path;

use crate::error::Error;

/// Microseconds in one clock tick of `/proc/PID/stat`: `USER_HZ` is 100 on Linux.
const MICROS_PER_TICK: u64 = 10_000;

/// The figures at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Usage {
    /// Time on a CPU, of all threads, in user and kernel mode.
    pub(crate) cpu_micros: u64,
    /// Resident memory in bytes.
    pub(crate) resident: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Result<Self, Error> {
        let folder = Path::new("/proc").join(pid.to_string());
        let read = |name: &str| std::fs::read_to_string(folder.join(name));
        let failed = |reason: String| Error::Process { pid, reason };
        let stat = read("stat").map_err(|error| failed(error.to_string()))?;
        let status = read("status").map_err(|error| failed(error.to_string()))?;
        Self::parse(&stat, &status).ok_or_else(|| failed("its format is unknown".to_owned()))
    }

    /// Reads `stat` (proc_pid_stat(5): fields 14 and 15) and the line `VmRSS` of `status`.
    fn parse(stat: &str, status: &str) -> Option<Self> {
        // The name of the program, field 2, may contain anything, also spaces and parentheses.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut times = fields.split_whitespace().skip(11);
        let mut ticks = || times.next()?.parse::<u64>().ok();
        let ticks = ticks()?.checked_add(ticks()?)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(Self {
            cpu_micros: ticks.checked_mul(MICROS_PER_TICK)?,
            resident: kib.checked_mul(1024)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn the_kernels_figures_are_read_behind_any_program_name() {
        let stat = "7 (a) b ) S 1 7 7 0 -1 4194560 90 0 0 0 123 77 0 0 20 0 9 0 55 1 2";
        let status = "Name:\ta\nVmRSS:\t    2048 kB\nThreads:\t9\n";
        let usage = Usage { cpu_micros: 2_000_000, resident: 2 << 20 };
        assert_eq!(Usage::parse(stat, status), Some(usage));
        assert_eq!(Usage::parse("7 (a) S 1", status), None);
        assert_eq!(Usage::parse(stat, "Name:\ta\n"), None);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(Usage::of(std::process::id()).expect("our own figures").resident > 0);
    }
}
