//! What a tree of processes has used, from `/proc`.
//!
//! The kernel adds what a dead child used to its parent when the parent waits for it, so the sum
//! over the living is the sum over all.

use std::ops::Range;

/// Sums since the processes started, and memory as it is now.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Usage {
    pub(super) cpu_seconds: f64,
    /// Resident, shared pages divided among those who share them.
    pub(super) memory_kib: u64,
    /// Resident, shared pages counted for each who has them.
    pub(super) resident_kib: u64,
    /// Open files and sockets.
    pub(super) descriptors: usize,
    /// Octets that went to the disk.
    pub(super) written: u64,
}

/// Of the process and all below it; a process that ends meanwhile counts as nothing.
pub(super) fn of_tree(pid: u32) -> Usage {
    let mut sum = Usage::default();
    let mut todo = vec![pid];
    while let Some(pid) = todo.pop() {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
        sum.cpu_seconds += read("stat").map_or(0.0, |text| cpu_seconds(&text));
        let memory = read("smaps_rollup").unwrap_or_default();
        sum.memory_kib += field(&memory, "Pss:");
        sum.resident_kib += field(&memory, "Rss:");
        sum.descriptors += std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        sum.written += read("io").map_or(0, |text| field(&text, "write_bytes:"));
        todo.extend(children(pid));
    }
    sum
}

/// CPU seconds of the children of this process that it has waited for.
pub(super) fn of_ended_children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    ticks(&stat, 13..15)
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists = tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|child| child.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

/// utime, stime, cutime and cstime: proc(5).
fn cpu_seconds(stat: &str) -> f64 {
    ticks(stat, 11..15)
}

/// The sum of some times behind the name, in seconds. That stands in brackets and may hold spaces.
fn ticks(stat: &str, which: Range<usize>) -> f64 {
    let Some((_, rest)) = stat.rsplit_once(')') else {
        return 0.0;
    };
    let times = rest.split_whitespace().skip(which.start).take(which.len());
    times
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS_PER_SECOND
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// `sysconf(_SC_CLK_TCK)` has been 100 on Linux for user programs ever since.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 100 50 25 25 20 0 1 0 5";
        assert!((cpu_seconds(stat) - 2.0).abs() < 1e-9);
        assert!((ticks(stat, 13..15) - 0.5).abs() < 1e-9);
        assert_eq!(
            field("Rss: 9 kB\nPss:      1234 kB\nPss_Dirty: 1 kB\n", "Pss:"),
            1234
        );
        assert_eq!(field("wchar: 1\nwrite_bytes: 4096\n", "write_bytes:"), 4096);
        assert_eq!(field("", "Pss:"), 0);
    }

    #[test]
    fn this_very_process_uses_memory_and_descriptors() {
        let usage = of_tree(std::process::id());
        assert!(usage.memory_kib > 0 && usage.resident_kib >= usage.memory_kib);
        assert!(usage.descriptors > 0);
    }
}
