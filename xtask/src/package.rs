//! The npm package `gradling` in `wasm/pkg`: crate -> wasm -> JavaScript glue -> TypeScript face -> package.json.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use wasm_bindgen_cli_support::Bindgen;

use crate::{
    shell::{self, root, run},
    toolchain::{Cross, Library, WASM, npm_install},
};

/// Instructions that every browser since 2023 and Node 20 have; wasm-opt must be told the same set.
const FEATURES: [(&str, &str); 5] = [
    ("simd128", "simd"),
    ("bulk-memory", "bulk-memory"),
    ("nontrapping-fptoint", "nontrapping-float-to-int"),
    ("sign-ext", "sign-ext"),
    ("mutable-globals", "mutable-globals"),
];

/// What keeps the module small: panics, which nothing catches in a browser, trap without text; `gradling_compact` chooses
/// loops written with vector instructions, which optimizing for size leaves as they are. Little is inlined: instructions
/// count so much that not even a function with one caller is, unless it is short, since functions of many variables
/// compress badly. A stack that ends below 1 MiB makes the addresses of all data a byte shorter.
const SMALL: [&str; 12] = [
    "--cfg=gradling_compact",
    "-Clink-arg=-zstack-size=917504",
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Zlocation-detail=none",
    "-Zmir-opt-level=3",
    "-Cllvm-args=-inline-instr-cost=250",
    "-Cllvm-args=-inline-call-penalty=1250",
    "-Cllvm-args=-inline-threshold=500",
    "-Cllvm-args=-inlinehint-threshold=500",
    "-Cllvm-args=-force-vector-interleave=1",
    "-Cllvm-args=-unroll-threshold=20",
];

/// Passes of wasm-opt: again few functions are merged, and functions of like names, which have like code, are neighbours.
const PASSES: [&str; 8] = [
    "--flatten",
    "--rereloop",
    "-Oz",
    "-Oz",
    "--one-caller-inline-max-function-size=20",
    "--reorder-functions-by-name",
    "--strip-debug",
    "--strip-producers",
];

/// A build of the crate and the part of the package that is for it.
struct Entry {
    /// Below the package's folder.
    folder: &'static str,
    /// What the crate is built with.
    features: &'static [&'static str],
    /// The project of the TypeScript face.
    project: &'static str,
}

/// The whole, and what training a multilayer perceptron takes.
const ENTRIES: [Entry; 2] = [
    Entry { folder: "", features: &[], project: "tsconfig.json" },
    Entry { folder: "mlp", features: &["--no-default-features"], project: "tsconfig.mlp.json" },
];

/// Where the package is written.
pub fn folder() -> PathBuf {
    root().join("wasm/pkg")
}

/// Builds the package and returns the number of compiler warnings. `dev` keeps names and skips wasm-opt.
///
/// # Errors
/// A compiler or a tool is missing or fails.
pub fn build(dev: bool) -> Result<usize> {
    npm_install("wasm")?;
    npm_install("tests")?;
    clear(&folder())?;
    let mut warnings = 0;
    for entry in &ENTRIES {
        warnings += write_entry(entry, dev)?;
    }
    write_manifest()?;
    for (from, to) in [
        ("wasm/README.md", "README.md"),
        ("LICENSE-MIT", "LICENSE-MIT"),
        ("LICENSE-APACHE", "LICENSE-APACHE"),
    ] {
        if root().join(from).is_file() {
            fs::copy(root().join(from), folder().join(to))?;
        }
    }
    Ok(warnings)
}

/// Builds one entry of the package and returns the number of compiler warnings.
fn write_entry(entry: &Entry, dev: bool) -> Result<usize> {
    let (wasm, warnings) = compile(entry, dev)?;
    let out = folder().join(entry.folder);
    let core = out.join("core");
    Bindgen::new()
        .input_path(&wasm)
        .web(true)?
        .typescript(true)
        .keep_debug(dev)
        .remove_producers_section(!dev)
        .generate(&core)
        .context("wasm-bindgen failed")?;
    let wasm = core.join("gradling_wasm_bg.wasm");
    if !dev {
        optimize(&wasm)?;
    }
    run(Command::new("node")
        .current_dir(root().join("wasm"))
        .args(["node_modules/typescript/bin/tsc", "--project", entry.project, "--outDir"])
        .arg(&out))?;
    println!(
        "package: {}, {} bytes",
        wasm.strip_prefix(root()).unwrap_or(&wasm).display(),
        fs::metadata(&wasm)?.len()
    );
    Ok(warnings)
}

fn compile(entry: &Entry, dev: bool) -> Result<(PathBuf, usize)> {
    let cross = Cross::with_sources(WASM)?;
    let mut flags: Vec<String> =
        vec![format!("-Ctarget-feature={}", FEATURES.map(|(rustc, _)| format!("+{rustc}")).join(","))];
    // File names in panic messages: without the machine's folders, and shorter.
    for (prefix, name) in remapped() {
        flags.push(format!("--remap-path-prefix={}={name}", prefix.display()));
    }
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    if !dev {
        flags.extend(SMALL);
    }
    let profile = if dev { "release" } else { "web" };
    let mut cargo = cross.cargo("build", Library::Std, &flags);
    cargo.args(["--package", "gradling-wasm", "--profile", profile]).args(entry.features);
    let built = shell::build(&mut cargo)?;
    let wasm = cross.artifacts(profile).join("gradling_wasm.wasm");
    if !wasm.is_file() {
        bail!(
            "gradling-wasm built no gradling_wasm.wasm; its [lib] needs crate-type = [\"cdylib\", \"rlib\"]"
        );
    }
    Ok((wasm, built.warnings))
}

fn remapped() -> Vec<(PathBuf, &'static str)> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let cargo =
        std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| home.map(|home| home.join(".cargo")));
    let mut pairs = vec![(root(), "gradling")];
    let sources = cargo.map(|cargo| cargo.join("registry/src")).and_then(|folder| fs::read_dir(folder).ok());
    pairs.extend(sources.into_iter().flatten().flatten().map(|entry| (entry.path(), "crates")));
    pairs
}

/// Empties the package folder but keeps the folder itself, to which npm links point.
fn clear(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}

fn optimize(wasm: &Path) -> Result<()> {
    let mut command = Command::new("node");
    command.current_dir(root()).arg("tests/node_modules/binaryen/bin/wasm-opt").arg(wasm).args(PASSES);
    command.args(FEATURES.map(|(_, binaryen)| format!("--enable-{binaryen}")));
    command.args(["--enable-reference-types", "--enable-multivalue", "-o"]).arg(wasm);
    run(&mut command)
}

/// `wasm/package.json` without what only development needs, with the workspace's version.
fn write_manifest() -> Result<()> {
    let path = root().join("wasm/package.json");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut manifest: Map<String, Value> = serde_json::from_str(&text).context("wasm/package.json")?;
    for name in ["private", "scripts", "devDependencies"] {
        manifest.shift_remove(name);
    }
    manifest.insert("version".into(), json!(env!("CARGO_PKG_VERSION")));
    let text = serde_json::to_string_pretty(&manifest)?;
    fs::write(folder().join("package.json"), text + "\n").context("cannot write wasm/pkg/package.json")
}
