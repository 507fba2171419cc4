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
    shell::{self, root, run, target_dir},
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

/// The passes of wasm-opt for the builds that are fast first: constants are added to addresses by the instructions that use
/// them, where no address is in the first kilobyte of memory, which is the far end of the stack; and again functions of like
/// names are neighbours.
const ADDRESSES: [&str; 5] = [
    "--low-memory-unused",
    "--optimize-added-constants",
    "--reorder-functions-by-name",
    "--strip-debug",
    "--strip-producers",
];

/// What the builds that are fast first share: much optimization, but little is inlined where it is not asked for, since
/// most of the code runs once a model.
const FAST: [&str; 13] = [
    "--cfg=gradling_compact",
    "--cfg=gradling_fast",
    "-Clink-arg=-zstack-size=1048576",
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

/// What memory that threads share takes: each has a stack and thread-local data of its own.
const SHARED: [&str; 8] = [
    "-Ctarget-feature=+atomics",
    "-Clink-arg=--shared-memory",
    "-Clink-arg=--import-memory",
    "-Clink-arg=--max-memory=2147483648",
    "-Clink-arg=--export=__wasm_init_tls",
    "-Clink-arg=--export=__tls_size",
    "-Clink-arg=--export=__tls_align",
    "-Clink-arg=--export=__tls_base",
];

/// A build of the crate: a WebAssembly file in a folder with its glue.
struct Variant {
    /// Below the entry's folder.
    folder: &'static str,
    /// The WebAssembly file. Variants in one folder share the glue.
    file: &'static str,
    /// Whether it is fast first, not small first.
    fast: bool,
    /// Whether fused multiply-add is used.
    relaxed: bool,
    /// Whether its memory is shared by threads.
    threads: bool,
}

/// A part of the package with its TypeScript face.
struct Entry {
    /// Below the package's folder.
    folder: &'static str,
    /// The crate.
    package: &'static str,
    /// What it is built with.
    features: &'static [&'static str],
    /// The project of the TypeScript face, unless another entry's has it.
    project: Option<&'static str>,
    variants: &'static [Variant],
}

const SIMD: &str = "gradling_wasm_bg.wasm";
const RELAXED: &str = "gradling_wasm_relaxed.wasm";
const SHADERS: &str = "gradling_wasm_gpu_bg.wasm";

/// What makes plans shaders, the whole in the variants of `wasm/ts/variants.ts`, and what training a multilayer
/// perceptron takes.
const ENTRIES: [Entry; 3] = [
    Entry {
        folder: "",
        package: "gradling-wasm-gpu",
        features: &[],
        project: None,
        variants: &[Variant { folder: "gpu", file: SHADERS, fast: false, relaxed: false, threads: false }],
    },
    Entry {
        folder: "",
        package: "gradling-wasm",
        features: &[],
        project: Some("tsconfig.json"),
        variants: &[
            Variant { folder: "core", file: SIMD, fast: true, relaxed: false, threads: false },
            Variant { folder: "core", file: RELAXED, fast: true, relaxed: true, threads: false },
            Variant { folder: "threads", file: RELAXED, fast: true, relaxed: true, threads: true },
        ],
    },
    Entry {
        folder: "mlp",
        package: "gradling-wasm",
        features: &["--no-default-features"],
        project: Some("tsconfig.mlp.json"),
        variants: &[Variant { folder: "core", file: SIMD, fast: false, relaxed: false, threads: false }],
    },
];

/// Where the package is written.
pub fn folder() -> PathBuf {
    root().join("wasm/pkg")
}

/// The WebAssembly files of the whole entry.
pub fn whole() -> impl Iterator<Item = PathBuf> {
    ENTRIES[1].variants.iter().map(|variant| folder().join(variant.folder).join(variant.file))
}

/// The WebAssembly file that pages with a GPU load besides.
pub fn shaders() -> PathBuf {
    folder().join("gpu").join(SHADERS)
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
    let out = folder().join(entry.folder);
    let mut warnings = 0;
    for variant in entry.variants {
        warnings += write_variant(entry, variant, dev)?;
    }
    if let Some(project) = entry.project {
        run(Command::new("node")
            .current_dir(root().join("wasm"))
            .args(["node_modules/typescript/bin/tsc", "--project", project, "--outDir"])
            .arg(&out))?;
    }
    Ok(warnings)
}

/// Builds a variant into its folder and returns the number of compiler warnings.
fn write_variant(entry: &Entry, variant: &Variant, dev: bool) -> Result<usize> {
    let (built, warnings) = compile(entry, variant, dev)?;
    let core = folder().join(entry.folder).join(variant.folder);
    let stem = entry.package.replace('-', "_");
    let glue = core.join(format!("{stem}.js"));
    let other = fs::read(&glue).ok();
    let mut bindgen = Bindgen::new();
    bindgen.input_path(&built).web(true)?.typescript(true).keep_debug(dev).remove_producers_section(!dev);
    let staged = target_dir().join("package").join(variant.folder);
    bindgen.generate(&staged).context("wasm-bindgen failed")?;
    fs::create_dir_all(&core)?;
    for end in [".js", ".d.ts", "_bg.wasm.d.ts"] {
        let file = format!("{stem}{end}");
        fs::copy(staged.join(&file), core.join(&file))?;
    }
    if other.is_some_and(|other| fs::read(&glue).is_ok_and(|new| new != other)) {
        bail!("{} cannot have the glue of the other variants in its folder", variant.file);
    }
    let wasm = core.join(variant.file);
    fs::copy(staged.join(format!("{stem}_bg.wasm")), &wasm)?;
    if !dev {
        optimize(&wasm, if variant.fast { &ADDRESSES } else { &PASSES })?;
    }
    println!(
        "package: {}, {} bytes",
        wasm.strip_prefix(root()).unwrap_or(&wasm).display(),
        fs::metadata(&wasm)?.len()
    );
    Ok(warnings)
}

fn compile(entry: &Entry, variant: &Variant, dev: bool) -> Result<(PathBuf, usize)> {
    let cross = Cross::with_sources(WASM)?;
    let mut flags: Vec<String> =
        vec![format!("-Ctarget-feature={}", FEATURES.map(|(rustc, _)| format!("+{rustc}")).join(","))];
    // File names in panic messages: without the machine's folders, and shorter.
    for (prefix, name) in remapped() {
        flags.push(format!("--remap-path-prefix={}={name}", prefix.display()));
    }
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    if !dev {
        flags.extend(if variant.fast { FAST.as_slice() } else { &SMALL });
    }
    if variant.threads {
        flags.extend(SHARED);
    }
    let profile = match (dev, variant.fast) {
        (true, _) => "release",
        (_, true) if variant.threads => "web-threads",
        (_, true) => "web-fast",
        _ => "web",
    };
    let mut cargo = cross.cargo("build", Library::Std, &flags);
    cargo.args(["--package", entry.package, "--profile", profile]).args(entry.features);
    if variant.relaxed {
        // For the runtime alone, so that variants share the standard library.
        let own =
            format!("profile.{profile}.package.gradling.rustflags=[\"-Ctarget-feature=+relaxed-simd\"]");
        cargo.args(["-Zprofile-rustflags", "--config", &own]);
    }
    let built = shell::build(&mut cargo)?;
    let file = entry.package.replace('-', "_") + ".wasm";
    let wasm = cross.artifacts(profile).join(&file);
    if !wasm.is_file() {
        bail!("{} built no {file}; its [lib] needs crate-type = [\"cdylib\", \"rlib\"]", entry.package);
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

fn optimize(wasm: &Path, passes: &[&str]) -> Result<()> {
    let mut command = Command::new("node");
    command.current_dir(root()).arg("tests/node_modules/binaryen/bin/wasm-opt").arg(wasm).args(passes);
    command.args(FEATURES.map(|(_, binaryen)| format!("--enable-{binaryen}")));
    command.args(["--enable-relaxed-simd", "--enable-threads"]);
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
