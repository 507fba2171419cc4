//! `golden [--bless] [DIR]`: replays the recorded cases and prints a table.
//!
//! The folder is the argument, else `GRADLING_GOLDEN`, else `shared/golden` beside the workspace. `--bless`
//! rewrites the list of cases that must pass.

use std::process::ExitCode;

use gradling_tests::{case, expected, harness};

fn main() -> ExitCode {
    let mut bless = false;
    let mut dir = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--bless" => bless = true,
            "--help" | "-h" => {
                println!("usage: golden [--bless] [DIR]");
                return ExitCode::SUCCESS;
            }
            _ => dir = Some(argument),
        }
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
    match table.rows.iter().filter(|r| !r.passed() && listed.contains(&r.id())).count() {
        0 => ExitCode::SUCCESS,
        n => {
            eprintln!("golden: {n} cases that must pass do not");
            ExitCode::FAILURE
        }
    }
}
