//! Finds the model and the picture to embed, and passes the memory map to the linker.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The command that writes the files.
const COMMAND: &str =
    "cargo run --release --package gradling --features mnist-subset --example firmware_model";

fn main() -> ExitCode {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    println!("cargo::rerun-if-env-changed=GRADLING_FIRMWARE_DIR");
    println!("cargo::rerun-if-changed=memory.x");
    println!("cargo::rustc-link-search={}", here.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    let folder = env::var_os("GRADLING_FIRMWARE_DIR")
        .map_or_else(|| here.join("../../../target/firmware"), PathBuf::from);
    for (variable, name) in [("GRADLING_PLAN", "mlp.plan"), ("GRADLING_DIGIT", "digit.bin")] {
        let path = folder.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        match path.canonicalize() {
            Ok(path) => println!("cargo::rustc-env={variable}={}", path.display()),
            Err(error) => {
                println!(
                    "cargo::error={} ({error}); in the workspace, run `{COMMAND}` first",
                    path.display()
                );
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
