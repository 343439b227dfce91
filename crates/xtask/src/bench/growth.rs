//! `cargo xtask bench growth`: the cost of a message in a store and in a queue ten, a hundred and a thousand
//! times as large. Writes its plots into `docs/plots`.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::form::Form;
use super::queue::{self, Figures};
use crate::process;

mod arriving;
mod verdict;

use super::plot::{Line, Plot, Series};
use arriving::Stage;
use verdict::{guide, n_log_n};

/// Messages at each stage, the last one being the whole.
fn stages(form: Form) -> Vec<u64> {
    let whole: u64 = form.choose(1_000_000, 10_000);
    [1_000, 100, 10, 1]
        .iter()
        .map(|part| whole / part)
        .collect()
}

/// Prints two tables for `docs/benchmarks.md` and draws three plots.
pub(super) fn run(form: Form) -> anyhow::Result<bool> {
    let sizes = stages(form);
    let arriving = arriving::measure(form, &sizes)?;
    println!("\n{}", arriving_table(&arriving));
    let mut queues = Vec::new();
    // Below a hundred messages there are too few destinations to speak of.
    for size in sizes.iter().filter(|size| **size >= 100) {
        let figures = queue::measure(form, *size)?;
        println!("\n{}", figures.table()?);
        queues.push((*size as f64, figures));
    }
    println!("\n{}", queue_table(&queues)?);
    // What the short form draws is for nobody's eyes but those of who runs it.
    let folder = form.choose(
        process::root().join("docs/plots"),
        process::target_folder().join("bench/plots"),
    );
    draw(&folder.join("growth-store.svg"), &arriving_plot(&arriving))?;
    draw(&folder.join("growth-restart.svg"), &restart_plot(&queues)?)?;
    draw(&folder.join("growth-queue.svg"), &size_plot(&queues)?)?;
    Ok(true)
}

fn microseconds(time: Duration, messages: u64) -> f64 {
    time.as_secs_f64() * 1e6 / messages as f64
}

fn arriving_table(stages: &[Stage]) -> String {
    let mut lines = vec![
        "| messages in the store | accepted/s | in their mailboxes/s | CPU s per 1000 | memory MiB | \
         disk for each, octets |"
            .to_owned(),
        "| --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for stage in stages {
        lines.push(format!(
            "| {} to {} | {:.0} | {:.0} | {:.3} | {:.0} | {:.0} |",
            stage.total - stage.messages,
            stage.total,
            1e6 / microseconds(stage.accepted, stage.messages),
            1e6 / microseconds(stage.delivered, stage.messages),
            stage.cpu_seconds * 1000.0 / stage.messages as f64,
            stage.memory_mib,
            stage.disk as f64 / stage.total as f64,
        ));
    }
    let costs: Vec<(f64, f64)> = arriving_points(stages, |stage| stage.delivered.as_secs_f64());
    lines.push(format!(
        "\ntime until in their mailboxes: {}",
        n_log_n(&costs)
    ));
    let costs = arriving_points(stages, |stage| stage.cpu_seconds);
    lines.push(format!("CPU: {}", n_log_n(&costs)));
    lines.join("\n")
}

/// What one message costs, in millionths of what `cost` says of all of a stage.
fn arriving_points(stages: &[Stage], cost: fn(&Stage) -> f64) -> Vec<(f64, f64)> {
    let each = |stage: &Stage| cost(stage) * 1e6 / stage.messages as f64;
    stages
        .iter()
        .map(|stage| (stage.total as f64, each(stage)))
        .collect()
}

fn arriving_plot(stages: &[Stage]) -> String {
    let measured = |name, cost| Series {
        name,
        line: Line::Measured,
        points: arriving_points(stages, cost),
    };
    let cpu = measured("CPU", |stage| stage.cpu_seconds);
    let series = [
        measured("until its 250", |stage| stage.accepted.as_secs_f64()),
        measured("until in its mailbox", |stage| {
            stage.delivered.as_secs_f64()
        }),
        Series {
            name: "log n, from the first CPU",
            line: Line::Guide,
            points: guide(&cpu.points),
        },
        cpu,
    ];
    let plot = Plot {
        title: "Time for a message while the store grows",
        x: "messages in the store",
        y: "microseconds for each message",
        series: &series,
    };
    plot.svg()
}

fn queue_table(queues: &[(f64, Figures)]) -> anyhow::Result<String> {
    let mut lines = vec![
        "| messages in the queue | to accept one, µs | memory MiB | disk for each, octets | first greeting s | \
         first delivery s | time for new mail, to the same beside an empty queue | audit s |"
            .to_owned(),
        "| --- | --- | --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for (size, figures) in queues {
        lines.push(format!(
            "| {size} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} |",
            figures.of("accepted")? * 1e6 / size,
            figures.memory_mib()?,
            figures.of("disk")? / size,
            figures.of("greeting")?,
            figures.of("first delivery")?,
            figures.of("slower")?,
            figures.of("audit")?,
        ));
    }
    let costs: Vec<(f64, f64)> = queues
        .iter()
        .map(|(size, figures)| Ok((*size, figures.of("accepted")? / size)))
        .collect::<anyhow::Result<_>>()?;
    lines.push(format!("\ntime to accept: {}", n_log_n(&costs)));
    Ok(lines.join("\n"))
}

/// One figure of every queue.
fn queue_series<'a>(
    name: &'a str,
    queues: &[(f64, Figures)],
    pick: impl Fn(&Figures) -> anyhow::Result<f64>,
) -> anyhow::Result<Series<'a>> {
    let points = queues
        .iter()
        .map(|(size, figures)| Ok((*size, pick(figures)?)));
    Ok(Series {
        name,
        line: Line::Measured,
        points: points.collect::<anyhow::Result<_>>()?,
    })
}

fn restart_plot(queues: &[(f64, Figures)]) -> anyhow::Result<String> {
    let series = [
        queue_series("first greeting", queues, |figures| figures.of("greeting"))?,
        queue_series("first delivery", queues, |figures| {
            figures.of("first delivery")
        })?,
        queue_series("audit of all", queues, |figures| figures.of("audit"))?,
    ];
    let plot = Plot {
        title: "A start with a queue for dead hosts",
        x: "messages in the queue",
        y: "seconds",
        series: &series,
    };
    Ok(plot.svg())
}

fn size_plot(queues: &[(f64, Figures)]) -> anyhow::Result<String> {
    let mib = |figures: &Figures| Ok(figures.of("disk")? / (1024.0 * 1024.0));
    let series = [
        queue_series("disk", queues, mib)?,
        queue_series("memory (RSS), most", queues, Figures::memory_mib)?,
    ];
    let plot = Plot {
        title: "Size of a queue for dead hosts",
        x: "messages in the queue",
        y: "MiB",
        series: &series,
    };
    Ok(plot.svg())
}

fn draw(path: &Path, svg: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    std::fs::write(path, svg).with_context(|| format!("writing {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}
