//! The table on the terminal and the JSON record.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::measure::Measurement;
use crate::workload::Job;

/// A job and what was measured; our own system first.
#[derive(Debug)]
pub struct Row {
    /// What was run.
    pub job: Job,
    /// One measurement a system.
    pub systems: Vec<Measurement>,
}

impl Row {
    /// How many times faster the first system is than `other`.
    fn ratio(&self, other: &Measurement) -> Option<f64> {
        let first = self.systems.first()?;
        (first.system != other.system).then(|| other.seconds / first.seconds)
    }
}

/// Column titles.
pub fn heading() -> String {
    format!(
        "{:<18} {:>7} {:<16} {:>10} {:>12} {:>9} {:>7}\n",
        "workload", "threads", "system", "ms", "samples/s", "GFLOP/s", "ratio"
    )
}

/// The lines of one row.
pub fn lines(row: &Row) -> String {
    let mut text = String::new();
    for m in &row.systems {
        let samples =
            if row.job.trains() { format!("{:.0}", row.job.batch as f64 / m.seconds) } else { "-".into() };
        let ratio = row.ratio(m).map(|r| format!("{r:.2}x")).unwrap_or_default();
        let _ = writeln!(
            text,
            "{:<18} {:>7} {:<16} {:>10.4} {:>12} {:>9.1} {:>7}",
            row.job.label(),
            row.job.threads,
            m.system,
            m.seconds * 1e3,
            samples,
            row.job.flops() / m.seconds / 1e9,
            ratio
        );
    }
    text
}

/// The record of a run.
pub fn record(rows: &[Row]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let systems: Vec<Value> = row
                .systems
                .iter()
                .map(|m| {
                    json!({
                        "system": m.system,
                        "ms": m.seconds * 1e3,
                        "samples_per_second": row.job.trains().then(|| row.job.batch as f64 / m.seconds),
                        "gflops": row.job.flops() / m.seconds / 1e9,
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
                "systems": systems,
            })
        })
        .collect();
    json!({"where": "native", "machine": machine(), "rows": rows})
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
