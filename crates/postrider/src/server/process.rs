//! What the system knows of this process, by the names that every exporter gives it.

use std::fs;

use mailtypes::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// This process. What cannot be read is left out.
#[derive(Debug)]
pub(super) struct Process {
    started: Timestamp,
}

impl Process {
    pub(super) fn new(started: Timestamp) -> Self {
        Self { started }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let mut gauge = |name, help, value: Option<f64>| match value {
            Some(value) => {
                let into = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value).encode(into)
            }
            None => Ok(()),
        };
        gauge(
            "process_resident_memory_bytes",
            "Resident memory",
            resident(),
        )?;
        gauge("process_open_fds", "Open file descriptors", open_fds())?;
        gauge("process_max_fds", "Most file descriptors", max_fds())?;
        gauge(
            "process_start_time_seconds",
            "Start, in seconds since 1970",
            Some(self.started.as_millis() as f64 / 1000.0),
        )?;
        if let Some(seconds) = cpu_seconds() {
            let help = "Processor time, of user and system";
            let kind = MetricType::Counter;
            let into = encoder.encode_descriptor("process_cpu_seconds", help, None, kind)?;
            ConstCounter::new(seconds).encode(into)?;
        }
        Ok(())
    }
}

fn resident() -> Option<f64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as f64)
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may hold anything, utime and stime are the 12th and 13th.
    let (_, behind) = stat.rsplit_once(") ")?;
    let mut times = behind.split(' ').skip(11);
    let mut ticks = || times.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / rustix::param::clock_ticks_per_second() as f64)
}

fn open_fds() -> Option<f64> {
    // One of them is the folder that is read.
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as f64 - 1.0)
}

fn max_fds() -> Option<f64> {
    let (soft, _) =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).ok()?;
    Some(soft as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_knows_this_process() {
        assert!(resident().unwrap() > 1e6);
        assert!(cpu_seconds().unwrap() >= 0.0);
        let before = open_fds().unwrap();
        let _file = fs::File::open("/proc/self/stat").unwrap();
        // Other tests open files too.
        assert!(before >= 3.0 && open_fds().unwrap() > 3.0);
        assert!(max_fds().unwrap() >= before);
    }
}
