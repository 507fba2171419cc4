//! `golden [--bless] [--gpu] [DIR]`: replays the recorded cases and prints a table.
//!
//! The folder is the argument, else `GRADLING_GOLDEN`, else `shared/golden` beside the workspace. `--bless`
//! rewrites the list of cases that must pass; with `--gpu` a GPU replays them alone.

use std::process::ExitCode;

use gradling_tests::{case, executor, expected, harness};

fn main() -> ExitCode {
    let (mut bless, mut gpu) = (false, false);
    let mut dir = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--bless" => bless = true,
            "--gpu" => gpu = true,
            "--help" | "-h" => {
                println!("usage: golden [--bless] [--gpu] [DIR]");
                return ExitCode::SUCCESS;
            }
            _ => dir = Some(argument),
        }
    }
    if gpu && let Err(error) = executor::only_gpu() {
        if std::env::var_os("CI").is_some() {
            eprintln!("golden: {error}");
            return ExitCode::FAILURE;
        }
        println!("golden: skipped: {error}");
        return ExitCode::SUCCESS;
    }
    let table = match case::groups(&case::folder(dir.as_deref())) {
        Ok(groups) => harness::run(&groups),
        Err(error) => {
            eprintln!("golden: {error}");
            return ExitCode::FAILURE;
        }
    };
    if bless && let Err(error) = expected::write(&table) {
        eprintln!("golden: {error}");
        return ExitCode::FAILURE;
    }
    print!("{}", table.render());
    // Cases of what does not exist yet are failures in the table; only a case that must pass fails the run.
    let listed = match expected::read() {
        Ok(listed) => listed,
        Err(error) => {
            eprintln!("golden: {error}");
            return ExitCode::FAILURE;
        }
    };
    let excused = |id: &str| gpu && executor::LEFT_OPEN.iter().any(|(name, _)| *name == id);
    for (name, why) in executor::LEFT_OPEN.iter().filter(|_| gpu) {
        println!("golden: {name} need not pass on a GPU: {why}");
    }
    match table.rows.iter().filter(|r| !r.passed() && listed.contains(&r.id()) && !excused(&r.id())).count() {
        0 => ExitCode::SUCCESS,
        n => {
            eprintln!("golden: {n} cases that must pass do not");
            ExitCode::FAILURE
        }
    }
}
