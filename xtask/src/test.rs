//! `cargo xtask test`: every check of the tree, stage by stage, with one closing line.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    course, demo, firmware, package, quality,
    shell::{self, Built, ci, node, root, tee},
    size,
    toolchain::{self, Cross, Library, Missing, THUMB_V6M, THUMB_V7EM},
};

/// How `cargo xtask test` runs.
#[derive(clap::Args)]
pub struct Options {
    /// The inner loop: clippy, cargo tests and, where the package is built, its tests in Node
    #[arg(long)]
    quick: bool,
    /// Run only these stages
    #[arg(long, value_delimiter = ',', value_name = "STAGE")]
    only: Vec<String>,
    /// Leave out these stages
    #[arg(long, value_delimiter = ',', value_name = "STAGE")]
    except: Vec<String>,
}

/// Checks of one stage.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Count {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Count {
    pub const PASSED: Count = Count { passed: 1, failed: 0, skipped: 0 };
    pub const FAILED: Count = Count { passed: 0, failed: 1, skipped: 0 };
    pub const SKIPPED: Count = Count { passed: 0, failed: 0, skipped: 1 };

    pub fn add(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

type Stage = (&'static str, fn() -> Result<Count>);

/// In order: what fails fastest first, what others need before them.
const STAGES: [Stage; 17] = [
    ("fmt", fmt),
    ("clippy", clippy),
    ("cargo", cargo_tests),
    ("doc", doc),
    ("examples", examples),
    ("course", || course::course(&programs()?)),
    ("golden", || golden(false)),
    ("gpu", || golden(true)),
    ("thumb", thumb),
    ("firmware", || {
        firmware::firmware(program(&programs()?, "example", "firmware_model")?).map(|()| Count::PASSED)
    }),
    ("package", || no_warnings(package::build(false)?)),
    ("node", node_tests),
    ("browser", browser_tests),
    ("webgpu", || webgpu_tests(program(&programs()?, "bin", "page_models")?)),
    ("demo", demo_page),
    ("quality", || quality::quality(program(&programs()?, "bin", "quality")?)),
    ("size", || size::size().map(|()| Count::PASSED)),
];

const QUICK: [&str; 3] = ["clippy", "cargo", "node"];

/// Runs the stages; the closing line `N passed, N failed, N skipped` is the last on standard output.
///
/// # Errors
/// A check failed.
pub fn test(options: &Options) -> Result<()> {
    for name in options.only.iter().chain(&options.except) {
        if !STAGES.iter().any(|(stage, _)| stage == name) {
            bail!("no stage `{name}`; there are: {}", STAGES.map(|(stage, _)| stage).join(", "));
        }
    }
    let chosen = |name: &str| {
        let listed = |list: &[String]| list.iter().any(|other| other == name);
        let quick =
            QUICK.contains(&name) && (name != "node" || package::folder().join("package.json").is_file());
        (!options.quick || quick)
            && (options.only.is_empty() || listed(&options.only))
            && !listed(&options.except)
    };
    let mut rows = Vec::new();
    let mut total = Count::default();
    for (name, stage) in STAGES.into_iter().filter(|(name, _)| chosen(name)) {
        println!("── {name}");
        let start = Instant::now();
        let count = stage().unwrap_or_else(|error| verdict(name, &error));
        let seconds = start.elapsed().as_secs_f64();
        println!("── {name}: {} in {seconds:.1} s", if count.failed == 0 { "ok" } else { "FAILED" });
        total.add(count);
        rows.push((name, count, seconds));
    }
    println!("\n{:<10}{:>8}{:>8}{:>9}{:>9}", "stage", "passed", "failed", "skipped", "seconds");
    for (name, count, seconds) in rows {
        println!("{name:<10}{:>8}{:>8}{:>9}{seconds:>9.1}", count.passed, count.failed, count.skipped);
    }
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    if total.failed > 0 {
        bail!("{} checks failed", total.failed);
    }
    Ok(())
}

/// A stage that could not run for want of a tool is skipped on a person's machine; every other error is a failure.
fn verdict(name: &str, error: &anyhow::Error) -> Count {
    let missing = error.chain().any(|cause| cause.is::<Missing>());
    if missing && !ci() {
        println!("{name}: skipped: {error:#}");
        return Count::SKIPPED;
    }
    println!("{name}: failed: {error:#}");
    Count::FAILED
}

fn no_warnings(warnings: usize) -> Result<Count> {
    if warnings > 0 {
        bail!("{warnings} compiler warnings");
    }
    Ok(Count::PASSED)
}

fn fmt() -> Result<Count> {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))?;
    Ok(Count::PASSED)
}

fn clippy() -> Result<Count> {
    let mut command = shell::cargo();
    command.args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]);
    shell::run(&mut command)?;
    Ok(Count::PASSED)
}

fn doc() -> Result<Count> {
    let mut command = shell::cargo();
    command.args([
        "doc",
        "--quiet",
        "--workspace",
        "--no-deps",
        "--all-features",
        "--document-private-items",
    ]);
    shell::run(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Count::PASSED)
}

/// Seed of the random graphs and shapes: the same on every run of this command, another on each `cargo test`.
const RANDOM_SEED: &str = "PROPTEST_RNG_SEED";

fn cargo_tests() -> Result<Count> {
    if let Err(error) = toolchain::vulkan() {
        println!("cargo: tests on a GPU will be skipped: {error:#}");
    }
    let workspace = ["--workspace", "--exclude", "xtask", "--all-features"].as_slice();
    let mut total = Count::default();
    for packages in [workspace, &["--package", "xtask", "--profile", "xtask"]] {
        let mut command = shell::cargo();
        command.args(["test", "--quiet", "--no-fail-fast"]).args(packages);
        if std::env::var_os(RANDOM_SEED).is_none() {
            command.env(RANDOM_SEED, "1");
        }
        let (success, text) = tee(&mut command, Duration::from_secs(1800))?;
        total.add(settled(cargo_count(&text), success));
    }
    Ok(total)
}

/// The sum of the lines `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn cargo_count(text: &str) -> Count {
    let mut total = Count::default();
    for line in text.lines().filter_map(|line| line.trim().strip_prefix("test result: ")) {
        let number = |name: &str| {
            line.split([';', '.'])
                .find_map(|part| part.trim().strip_suffix(name)?.trim().parse::<usize>().ok())
        };
        total.add(Count {
            passed: number("passed").unwrap_or(0),
            failed: number("failed").unwrap_or(0),
            skipped: number("ignored").unwrap_or(0),
        });
    }
    total
}

/// The lines `# pass N`, `# fail N` and `# skipped N` of a TAP report.
fn tap_count(text: &str) -> Count {
    let number = |name: &str| {
        let rows = text
            .lines()
            .filter_map(|line| line.strip_prefix("# ")?.strip_prefix(name)?.trim().parse::<usize>().ok());
        rows.sum()
    };
    Count {
        passed: number("pass "),
        failed: number("fail ") + number("cancelled "),
        skipped: number("skipped "),
    }
}

/// A runner that ends with an error without naming a failed check (it did not compile, it crashed) is one failure,
/// and so is one that ran nothing.
fn settled(mut count: Count, success: bool) -> Count {
    if count.failed == 0 && (!success || count == Count::default()) {
        count.failed = 1;
    }
    count
}

/// The workspace's programs and examples, built as the cargo tests are.
fn programs() -> Result<Built> {
    let mut command = shell::cargo();
    command.args([
        "build",
        "--quiet",
        "--workspace",
        "--exclude",
        "xtask",
        "--all-features",
        "--bins",
        "--examples",
    ]);
    shell::build(&mut command)
}

fn program<'b>(built: &'b Built, kind: &str, name: &str) -> Result<&'b Path> {
    let found = built.programs.iter().find(|(program, of, _)| program == name && of == kind);
    found.map(|(_, _, path)| path.as_path()).with_context(|| format!("the workspace has no {kind} `{name}`"))
}

fn examples() -> Result<Count> {
    let mut total = Count::default();
    let built = programs()?;
    let examples = built.programs.iter().filter(|(_, kind, _)| kind == "example");
    for (name, _, path) in examples.filter(|(name, _, _)| !course::is_program(name)) {
        let result = tee(Command::new(path).current_dir(root()), Duration::from_secs(300));
        let success = matches!(result, Ok((true, _)));
        println!("example {name}: {}", if success { "ok" } else { "FAILED" });
        total.add(if success { Count::PASSED } else { Count::FAILED });
    }
    if total == Count::default() {
        bail!("runtime/examples has no program");
    }
    Ok(total)
}

/// Replays the recorded cases, on the processor or on a GPU. Every case counts. Which of them the tree claims to pass is
/// the harness's to say: its exit code decides whether the others are failures.
fn golden(gpu: bool) -> Result<Count> {
    if gpu {
        toolchain::vulkan()?;
    }
    let built = programs()?;
    let path = program(&built, "bin", "golden")?;
    let folder = std::env::var_os("GRADLING_GOLDEN")
        .map_or_else(|| root().join("../shared/golden"), |dir| root().join(dir));
    if !folder.is_dir() {
        let message =
            "no recorded cases: ../shared/golden does not exist and GRADLING_GOLDEN names no folder";
        if ci() {
            bail!(message);
        }
        println!("golden: skipped: {message}");
        return Ok(Count::SKIPPED);
    }
    let mut command = Command::new(path);
    command.current_dir(root()).arg(&folder).args(gpu.then_some("--gpu"));
    let (success, text) = tee(&mut command, Duration::from_secs(1200))?;
    let score = text.lines().rev().find_map(|line| {
        let (passed, total) = line.strip_prefix("golden: ")?.trim().split_once('/')?;
        Some((passed.parse::<usize>().ok()?, total.parse::<usize>().ok()?))
    });
    if score.is_none() && success && text.contains("golden: skipped: ") {
        return Ok(Count::SKIPPED);
    }
    let Some((passed, total)) = score else { bail!("no line `golden: PASSED/TOTAL`") };
    let failed = if success { 0 } else { total.saturating_sub(passed).max(1) };
    Ok(Count { passed, failed, skipped: 0 })
}

/// Each build of the runtime for a microcontroller is a check.
fn thumb() -> Result<Count> {
    let builds = [
        (THUMB_V7EM, Library::Core, [].as_slice()),
        (THUMB_V6M, Library::Core, &[]),
        (THUMB_V7EM, Library::Alloc, &["--features", "alloc"]),
    ];
    let mut total = Count::default();
    for (target, library, features) in builds {
        let mut cargo = Cross::new(target)?.cargo("build", library, &[]);
        cargo
            .args(["--quiet", "--package", "gradling", "--no-default-features", "--profile", "embedded"])
            .args(features);
        let count = shell::build(&mut cargo).and_then(|built| no_warnings(built.warnings));
        total.add(count.unwrap_or_else(|error| verdict(target, &error)));
    }
    Ok(total)
}

fn js_tests() -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join("tests/js"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.mjs") {
            files.push(format!("tests/js/{name}"));
        }
    }
    if files.is_empty() {
        bail!("tests/js has no *.test.mjs");
    }
    files.sort();
    Ok(files)
}

fn node_tests() -> Result<Count> {
    toolchain::check_node()?;
    let mut command = Command::new("node");
    command.current_dir(root()).args(["--test", "--test-reporter=tap"]).args(js_tests()?);
    let (success, text) = tee(&mut command, Duration::from_secs(900))?;
    Ok(settled(tap_count(&text), success))
}

fn browser_tests() -> Result<Count> {
    js_tests()?;
    toolchain::npm_install("tests")?;
    let served = crate::serve::serve(&root(), 0)?;
    let mut command = node("tests/browser/package.mjs");
    command.arg(served.url()).env("CHROMIUM", toolchain::chromium()?);
    let (success, text) = tee(&mut command, Duration::from_secs(900))?;
    Ok(settled(tap_count(&text), success))
}

/// Train steps on a GPU that is a program on the processor, beside those of the core.
fn webgpu_tests(models: &Path) -> Result<Count> {
    toolchain::npm_install("tests")?;
    let folder = shell::target_dir().join("page-models");
    shell::run(Command::new(models).arg(&folder))?;
    let served = crate::serve::serve(&root(), 0)?;
    let mut command = node("tests/browser/gpu.mjs");
    command.arg(served.url()).arg(&folder).env("CHROMIUM", toolchain::chromium()?);
    let (success, text) = tee(&mut command, Duration::from_secs(900))?;
    Ok(settled(tap_count(&text), success))
}

/// The page trains with the package that the stage before built.
fn demo_page() -> Result<Count> {
    demo::build(package::folder().join("package.json").is_file())?;
    demo::train(None)?;
    let data = std::env::var_os("GRADLING_DATA").map_or_else(|| root().join("../shared/data"), Into::into);
    if data.join("train-images-idx3-ubyte.gz").is_file() {
        demo::train(Some(&data))?;
        return Ok(Count { passed: 2, ..Count::default() });
    }
    let message = "no full MNIST: neither GRADLING_DATA nor ../shared/data has its files";
    if ci() {
        bail!(message);
    }
    println!("demo: skipped: {message}");
    Ok(Count { passed: 1, skipped: 1, ..Count::default() })
}

#[cfg(test)]
mod tests {
    use super::{Count, STAGES, cargo_count, settled, tap_count};

    #[test]
    fn counts_are_read_from_reports() {
        let text = "\nrunning 3 tests\n...\ntest result: FAILED. 2 passed; 1 failed; 4 ignored; 0 measured; \
                    0 filtered out; finished in 0.00s\n\ntest result: ok. 5 passed; 0 failed; 0 ignored\n";
        assert_eq!(cargo_count(text), Count { passed: 7, failed: 1, skipped: 4 });
        let text = "TAP version 13\n# tests 4\n# pass 2\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n";
        assert_eq!(tap_count(text), Count { passed: 2, failed: 1, skipped: 1 });
    }

    #[test]
    fn a_runner_that_reports_nothing_has_failed() {
        assert_eq!(settled(Count::default(), true), Count::FAILED);
        assert_eq!(settled(Count { passed: 3, failed: 0, skipped: 0 }, false).failed, 1);
        assert_eq!(settled(Count { passed: 3, failed: 2, skipped: 0 }, false).failed, 2);
        assert_eq!(settled(Count::PASSED, true), Count::PASSED);
    }

    #[test]
    fn the_inner_loop_names_stages() {
        assert!(super::QUICK.iter().all(|name| STAGES.iter().any(|(stage, _)| stage == name)));
    }
}
