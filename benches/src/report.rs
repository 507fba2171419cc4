//! The table on the terminal and the JSON record.

use std::fmt::Write;

use gradling::kernel::ceiling::{Ceilings, Memory as Where};
use serde_json::{Value, json};

use crate::measure::{Measured, Measurement};
use crate::ours::Facts;
use crate::workload::Job;

/// A job and what was measured; our own system first.
#[derive(Debug)]
pub struct Row {
    /// What was run.
    pub job: Job,
    /// What is known of it without running it.
    pub facts: Facts,
    /// What was measured.
    pub measured: Measured,
}

impl Row {
    /// How many times faster the first system is than `other`.
    fn ratio(&self, other: &Measurement) -> Option<f64> {
        let first = self.measured.systems.first()?;
        (first.system != other.system).then(|| other.seconds / first.seconds)
    }

    /// How near a system comes to the limit of the machine, in percent.
    fn share(&self, m: &Measurement) -> f64 {
        100.0 * self.facts.least / m.seconds
    }
}

/// What the machine does at most.
pub fn ceilings(c: &Ceilings) -> String {
    let copies: Vec<String> =
        Where::ALL.iter().zip(c.copy).map(|(place, bytes)| format!("{place:?} {:.0}", bytes / 1e9)).collect();
    format!(
        "one core, {}: multiply-adds {:.0} GFLOP/s, tile of the product {:.0} GFLOP/s, copies {} GB/s\n",
        c.level,
        c.registers / 1e9,
        c.tile / 1e9,
        copies.join(", ")
    )
}

/// Column titles.
pub fn heading() -> String {
    format!(
        "{:<18} {:>7} {:<20} {:>10} {:>12} {:>9} {:>6} {:>9} {:>7}\n",
        "workload", "threads", "system", "ms", "samples/s", "GFLOP/s", "limit", "MB", "ratio"
    )
}

/// The lines of one row.
pub fn lines(row: &Row) -> String {
    let mut text = String::new();
    for m in &row.measured.systems {
        let samples =
            if row.job.trains() { format!("{:.0}", row.job.batch as f64 / m.seconds) } else { "-".into() };
        let ratio = row.ratio(m).map(|r| format!("{r:.2}x")).unwrap_or_default();
        let bytes = m.bytes.map_or("-".into(), |bytes| format!("{:.2}", bytes as f64 / 1e6));
        let _ = writeln!(
            text,
            "{:<18} {:>7} {:<20} {:>10.4} {:>12} {:>9.1} {:>5.0}% {:>9} {:>7}",
            row.job.label(),
            row.job.threads,
            m.system,
            m.seconds * 1e3,
            samples,
            row.job.flops() / m.seconds / 1e9,
            row.share(m),
            bytes,
            ratio
        );
    }
    if let Some(memory) = row.facts.memory {
        let mb = |bytes: usize| bytes as f64 / 1e6;
        let _ = writeln!(
            text,
            "{:<18} arena {:.2} MB, {:.3} times the least ({:.2}); all tensors {:.2}",
            "",
            mb(memory.arena),
            memory.arena as f64 / memory.least as f64,
            mb(memory.least),
            mb(memory.tensors)
        );
    }
    text
}

/// A row of a run on a GPU: every system that ran, and why others did not.
#[cfg(feature = "gpu")]
pub fn on_gpu(job: &Job, measured: &Measured) -> String {
    let mut text = String::new();
    for m in &measured.systems {
        let ratio = m.seconds / measured.systems[0].seconds;
        let _ = writeln!(
            text,
            "{:<16} {:<44} {:>10.4} ms {:>10.1} a second {:>10.1} GFLOP/s {ratio:>7.2}x",
            job.label(),
            m.system,
            m.seconds * 1e3,
            1.0 / m.seconds,
            job.flops() / m.seconds / 1e9,
        );
    }
    for (system, why) in &measured.left_out {
        let _ = writeln!(text, "{:<16} not measured: {system}: {why}", job.label());
    }
    text
}

/// Why systems are missing from rows, each reason once.
pub fn left_out(rows: &[Row]) -> String {
    let mut all: Vec<String> = Vec::new();
    for (system, reason) in rows.iter().flat_map(|row| &row.measured.left_out) {
        let line = format!("not measured: {system}: {reason}");
        if !all.contains(&line) {
            all.push(line);
        }
    }
    all.iter().map(|line| format!("{line}\n")).collect()
}

/// The record of a run.
pub fn record(ceilings: &Ceilings, rows: &[Row]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let systems: Vec<Value> = row
                .measured
                .systems
                .iter()
                .map(|m| {
                    json!({
                        "system": m.system,
                        "ms": m.seconds * 1e3,
                        "samples_per_second": row.job.trains().then(|| row.job.batch as f64 / m.seconds),
                        "gflops": row.job.flops() / m.seconds / 1e9,
                        "percent_of_limit": row.share(m),
                        "step_bytes": m.bytes,
                        "gradling_is_faster_by": row.ratio(m),
                        "repetitions_ms": m.repetitions.iter().map(|s| s * 1e3).collect::<Vec<_>>(),
                    })
                })
                .collect();
            json!({
                "workload": row.job.work.to_string(),
                "batch": row.job.batch,
                "threads": row.job.threads,
                "input": row.job.input,
                "least_ms": row.facts.least * 1e3,
                "memory": row.facts.memory,
                "systems": systems,
                "left_out": row.measured.left_out,
            })
        })
        .collect();
    let copies: Vec<Value> = Where::ALL
        .iter()
        .zip(ceilings.copy)
        .map(|(place, b)| json!([format!("{place:?}"), b / 1e9]))
        .collect();
    let ceilings = json!({
        "level": ceilings.level.to_string(),
        "multiply_adds_gflops": ceilings.registers / 1e9,
        "tile_gflops": ceilings.tile / 1e9,
        "copies_gb_per_second": copies,
    });
    json!({"where": "native", "machine": machine(), "ceilings_of_one_core": ceilings, "rows": rows})
}

/// Processor name, cores and target of this build.
fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .unwrap_or("")
        .trim_start_matches([' ', '\t', ':']);
    json!({
        "cpu": model,
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ours::Memory;
    use crate::workload::{Input, Work};

    fn row() -> Row {
        let measurement = |system: &str, seconds: f64, bytes| Measurement {
            system: system.into(),
            seconds,
            repetitions: vec![seconds; 5],
            bytes,
        };
        Row {
            job: Job { work: Work::T1, batch: 32, threads: 1, input: Input::Normal },
            facts: Facts {
                least: 1e-4,
                memory: Some(Memory { arena: 1_010_000, tensors: 3_000_000, least: 1_000_000 }),
            },
            measured: Measured {
                systems: vec![
                    measurement("gradling", 2e-4, Some(1_010_000)),
                    measurement("peer", 5e-4, None),
                ],
                left_out: vec![("other".into(), "is not there".into()); 2],
            },
        }
    }

    #[test]
    fn lines_give_ratio_share_of_the_limit_and_memory() {
        let text = lines(&row());
        let all: Vec<&str> = text.lines().collect();
        assert!(all[0].contains("0.2000") && all[0].contains("50%") && all[0].contains("1.01"), "{text}");
        assert!(all[1].contains("20%") && all[1].trim_end().ends_with("2.50x"), "{text}");
        assert!(all[2].contains("1.010 times the least (1.00); all tensors 3.00"), "{text}");
        assert_eq!(left_out(&[row(), row()]), "not measured: other: is not there\n");
    }

    #[test]
    fn records_hold_what_the_lines_show() {
        let ceilings = Ceilings {
            level: gradling::Level::Portable,
            registers: 2e11,
            tile: 1e11,
            copy: [4e11, 2e11, 1e11, 5e10],
        };
        let record = record(&ceilings, &[row()]);
        assert_eq!(record["ceilings_of_one_core"]["tile_gflops"], 100.0);
        let row = &record["rows"][0];
        assert_eq!(row["memory"]["arena"], 1_010_000);
        assert_eq!(row["systems"][1]["gradling_is_faster_by"], 2.5);
        assert_eq!(row["systems"][0]["percent_of_limit"], 50.0);
    }
}
