//! `cargo xtask bench --check`: instructions of two builds, which a noisy machine does not change.

use std::{
    ffi::OsString,
    fs, iter,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;

use crate::shell::{self, root, target_dir};

/// How `cargo xtask bench --check` runs.
#[derive(Parser)]
#[command(name = "cargo xtask bench --check")]
struct Options {
    /// The revision that the work tree is compared with
    #[arg(long, default_value = "HEAD")]
    against: String,
    /// The most instructions more, in percent, before the check fails
    #[arg(long, default_value_t = 2.0)]
    threshold: f64,
    /// Workloads, comma-separated [default: the train steps T1, T2, T3 and T5, and I1; under callgrind without
    /// T5 LSTM and T5 GRU]
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// The workloads, and how many steps more the longer of two runs has.
const WORKLOADS: [(&str, usize); 10] = [
    ("T1", 8),
    ("T2", 4),
    ("T3", 4),
    ("T5 SimpleRNN", 1),
    ("T5 LSTM", 1),
    ("T5 GRU", 1),
    ("I1 Mlp", 64),
    ("I1 LeNet", 32),
    ("I1 ResNet18", 1),
    ("I1 MobileNetV2", 1),
];

/// Minutes each under callgrind, which therefore runs them only when they are named.
const SLOW: [&str; 2] = ["T5 LSTM", "T5 GRU"];

/// What counts the instructions of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counter {
    /// The processor itself.
    Perf,
    /// A simulated processor, which knows instructions up to AVX2.
    Callgrind,
}

/// Instructions of one step before and after.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: &'static str,
    before: f64,
    after: f64,
}

impl Row {
    /// The change in percent.
    fn change(&self) -> f64 {
        (self.after / self.before - 1.0) * 100.0
    }
}

/// Compares the work tree with a revision.
///
/// # Errors
/// A workload takes more instructions than the threshold allows, or one of the builds cannot be made or run.
pub fn check(arguments: &[OsString]) -> Result<()> {
    let options = Options::parse_from(iter::once(&OsString::from("bench")).chain(arguments));
    let counter = Counter::find()?;
    let chosen = chosen(&options.only, counter)?;
    let level = match counter {
        Counter::Perf => best_level(),
        Counter::Callgrind => simulated_level(),
    };
    let after = build(&root(), None)?;
    let before = build_revision(&options.against)?;
    println!(
        "instructions of one step at level {level} by {counter:?}, {} and the work tree",
        options.against
    );
    println!("{:<18}{:>16}{:>16}{:>10}", "workload", "before", "after", "change");
    let mut rows = Vec::new();
    for (name, steps) in chosen {
        let count = |program: &Path| counter.step(program, name, steps, level);
        // Side by side: other programs change times, not instructions.
        let (before, after) = thread::scope(|scope| {
            let before = scope.spawn(|| count(&before));
            let after = count(&after);
            (before.join().unwrap_or_else(|_| Err(anyhow!("counting {name} panicked"))), after)
        });
        let row = Row { name, before: before?, after: after? };
        println!("{}", line(&row));
        rows.push(row);
    }
    verdict(&rows, options.threshold)
}

fn chosen(only: &[String], counter: Counter) -> Result<Vec<(&'static str, usize)>> {
    let is = |name: &str, asked: &String| name == asked || name.split(' ').next() == Some(asked.as_str());
    if let Some(unknown) = only.iter().find(|asked| !WORKLOADS.iter().any(|(name, _)| is(name, asked))) {
        bail!("no workload {unknown}; there are {}", WORKLOADS.map(|(name, _)| name).join(", "));
    }
    let skipped = |name: &str| counter == Counter::Callgrind && SLOW.contains(&name);
    let wanted = |name: &str| match only {
        [] => !skipped(name),
        only => only.iter().any(|asked| name == asked || (is(name, asked) && !skipped(name))),
    };
    Ok(WORKLOADS.into_iter().filter(|(name, _)| wanted(name)).collect())
}

fn line(row: &Row) -> String {
    format!("{:<18}{:>16.0}{:>16.0}{:>+9.2}%", row.name, row.before, row.after, row.change())
}

/// An error that names every workload above the threshold.
fn verdict(rows: &[Row], threshold: f64) -> Result<()> {
    let slower: Vec<String> = rows
        .iter()
        .filter(|row| row.change() > threshold)
        .map(|row| format!("{} {:+.2}%", row.name, row.change()))
        .collect();
    if !slower.is_empty() {
        bail!("more than {threshold}% above: {}", slower.join(", "));
    }
    Ok(())
}

fn best_level() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        return "neon";
    }
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has = |names: &[&str]| names.iter().all(|name| flags.split_whitespace().any(|flag| flag == *name));
    match () {
        () if has(&["avx512f", "avx512vl", "avx512bw", "avx512dq", "avx2", "fma"]) => "avx512",
        () => simulated_level(),
    }
}

fn simulated_level() -> &'static str {
    if cfg!(target_arch = "x86_64") { "avx2" } else { "portable" }
}

/// Builds `count` in a tree.
fn build(tree: &Path, target: Option<&Path>) -> Result<PathBuf> {
    let mut command = shell::cargo();
    command.current_dir(tree).args(["build", "--release", "--package", "gradling-benches", "--bin", "count"]);
    if let Some(target) = target {
        command.arg("--target-dir").arg(target);
    }
    let built = shell::build(&mut command)
        .with_context(|| "the program `count` does not build; revisions that lack it cannot be compared")?;
    let program = built.programs.into_iter().find(|(name, kind, _)| name == "count" && kind == "bin");
    Ok(program.context("cargo built no program `count`")?.2)
}

/// Builds `count` of a revision in a copy of its tree.
fn build_revision(revision: &str) -> Result<PathBuf> {
    let folder = target_dir().join("bench-check");
    let (tree, archive) = (folder.join("tree"), folder.join("tree.tar"));
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| tree.display().to_string())?;
    }
    fs::create_dir_all(&tree).with_context(|| tree.display().to_string())?;
    let mut git = Command::new("git");
    git.current_dir(root()).args(["archive", "--format=tar", "--output"]).arg(&archive).arg(revision);
    shell::run(&mut git)?;
    // Files as new as the build, so that cargo compiles what differs from the revision built before.
    shell::run(Command::new("tar").arg("-xmf").arg(&archive).arg("-C").arg(&tree))?;
    build(&tree, Some(&folder.join("build")))
}

impl Counter {
    /// The processor's own counter where it can be read, else the simulation.
    fn find() -> Result<Counter> {
        let count = |counter: Counter| counter.count(&mut Command::new("true")).is_ok();
        let found = [Counter::Perf, Counter::Callgrind].into_iter().find(|&counter| count(counter));
        found.context("neither `perf` nor `valgrind` counts instructions here; install one of them")
    }

    /// Instructions of one step: the difference of a longer and a shorter run, in which making ready is the same.
    fn step(self, program: &Path, name: &str, steps: usize, level: &str) -> Result<f64> {
        let run = |steps: usize| {
            let mut command = Command::new(program);
            command.args([name, &steps.to_string(), level]);
            self.count(&mut command).with_context(|| format!("counting {name}"))
        };
        let (short, long) = (run(1)?, run(1 + steps)?);
        if long <= short {
            bail!("{name}: {} steps took {long} instructions, one took {short}", 1 + steps);
        }
        Ok((long - short) as f64 / steps as f64)
    }

    /// Instructions of a process.
    fn count(self, command: &mut Command) -> Result<u64> {
        let mut counted = match self {
            Counter::Perf => {
                let mut perf = Command::new("perf");
                perf.args(["stat", "-x", ",", "-e", "instructions:u"]);
                perf
            }
            Counter::Callgrind => {
                let mut valgrind = Command::new("valgrind");
                valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
                valgrind
            }
        };
        counted.arg(command.get_program()).args(command.get_args());
        let output = counted
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .output()
            .with_context(|| format!("cannot start `{}`", shell::shown(&counted)))?;
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!("`{}` failed: {}", shell::shown(&counted), text.trim());
        }
        let read = match self {
            Counter::Perf => of_perf(&text),
            Counter::Callgrind => of_callgrind(&text),
        };
        read.with_context(|| format!("`{}` gave no number of instructions", shell::shown(&counted)))
    }
}

/// The line `123456,,instructions:u,…`; the number is a text where the processor cannot count.
fn of_perf(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.split(',').any(|field| field == "instructions:u"))?;
    line.split(',').next()?.parse().ok()
}

/// The line `==123== Collected : 123456`.
fn of_callgrind(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.split_once("Collected :"))?;
    line.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Counter, Row, chosen, line, of_callgrind, of_perf, verdict};

    #[test]
    fn counts_are_read_from_reports() {
        assert_eq!(of_perf("149531,,instructions:u,411035,100.00,,\n"), Some(149_531));
        assert_eq!(of_perf("<not supported>,,instructions:u,0,100.00,,\n"), None);
        assert_eq!(of_perf(""), None);
        let text = "==77== Callgrind, a call-graph generating cache profiler\n==77== \n==77== Events    : Ir\n\
                    ==77== Collected : 1530244\n==77== \n==77== I   refs:      1,530,244\n";
        assert_eq!(of_callgrind(text), Some(1_530_244));
        assert_eq!(of_callgrind("==77== valgrind: no such program\n"), None);
    }

    #[test]
    fn more_instructions_than_the_threshold_fail() {
        let row = |name, before, after| Row { name, before, after };
        let rows = [row("T1", 1000.0, 1019.0), row("T2", 1000.0, 1021.0), row("T3", 1000.0, 500.0)];
        assert!(verdict(&rows[..1], 2.0).is_ok());
        assert!(verdict(&rows[2..], 2.0).is_ok());
        assert!(verdict(&rows, 3.0).is_ok());
        let error = verdict(&rows, 2.0).unwrap_err().to_string();
        assert!(error.contains("T2 +2.10%") && !error.contains("T1") && !error.contains("T3"), "{error}");
        assert!(line(&rows[2]).ends_with("-50.00%"), "{}", line(&rows[2]));
    }

    #[test]
    fn workloads_are_chosen_by_group_or_name() {
        let names_by = |counter, only: &[&str]| {
            let only: Vec<String> = only.iter().map(|s| (*s).to_string()).collect();
            chosen(&only, counter).map(|all| all.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        };
        let names = |only: &[&str]| names_by(Counter::Callgrind, only);
        assert_eq!(names_by(Counter::Perf, &[]).unwrap().len(), super::WORKLOADS.len());
        assert_eq!(names(&[]).unwrap().len(), super::WORKLOADS.len() - super::SLOW.len());
        assert_eq!(names_by(Counter::Perf, &["T5"]).unwrap().len(), 3);
        assert_eq!(names(&["T5"]).unwrap(), ["T5 SimpleRNN"]);
        assert_eq!(names(&["T5 GRU"]).unwrap(), ["T5 GRU"]);
        assert_eq!(names(&["I1"]).unwrap().len(), 4);
        assert_eq!(names(&["I1 LeNet", "T1"]).unwrap(), ["T1", "I1 LeNet"]);
        assert!(names(&["T9"]).is_err());
    }
}
