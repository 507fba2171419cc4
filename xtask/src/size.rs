//! Bytes that a page downloads to train the MLP, and those of each build of the whole package.

use std::{fs, io::Write, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::{
    package,
    shell::{root, run, target_dir},
    toolchain::npm_install,
};

/// The most that JavaScript and WebAssembly together may take, gzipped.
const LIMIT: usize = 120_000;
/// The most that a build of the whole package may take, gzipped.
const WHOLE: usize = 300_000;

/// Bundles benches/size/mlp.js with the built package's entries, prints the gzipped sizes.
///
/// # Errors
/// The package is not built, or the page is too large.
pub fn size() -> Result<()> {
    npm_install("tests")?;
    let (full, _) = page("index.js", "core")?;
    println!("size: the same page on the whole package {full} bytes gzip");
    for wasm in package::whole() {
        let bytes = gzipped(&wasm)?;
        let name = wasm.strip_prefix(package::folder()).unwrap_or(&wasm).display();
        println!("size: {name} {bytes} bytes gzip, limit {WHOLE}");
        if bytes > WHOLE {
            bail!("{name} takes {bytes} bytes, more than {WHOLE}");
        }
    }
    println!("size: gpu {} bytes gzip, for pages that ask for a GPU", gzipped(&package::shaders())?);
    let (total, parts) = page("mlp/mlp.js", "mlp/core")?;
    println!("size: MLP page {total} bytes gzip ({parts}), limit {LIMIT}");
    if total > LIMIT {
        bail!("the MLP page downloads {total} bytes, more than {LIMIT}");
    }
    Ok(())
}

/// The gzipped bytes of the page on an entry of the package, and what they are made of.
fn page(entry: &str, core: &str) -> Result<(usize, String)> {
    let bundle = target_dir().join("size").join(entry);
    let package = package::folder();
    let options = json!({
        "entryPoints": ["benches/size/mlp.js"],
        "outfile": bundle,
        "bundle": true,
        "minify": true,
        "format": "esm",
        "target": "es2022",
        "platform": "browser",
        "external": ["node:*"],
        "alias": { "gradling/mlp": package.join(entry) },
        "logLevel": "warning",
    });
    let build = "require('./tests/node_modules/esbuild').buildSync(JSON.parse(process.argv[1]))";
    run(Command::new("node").current_dir(root()).args(["-e", build]).arg(options.to_string()))?;
    let script = gzipped(&bundle)?;
    let wasm = gzipped(&package.join(core).join("gradling_wasm_bg.wasm"))?;
    Ok((script + wasm, format!("{script} JavaScript + {wasm} WebAssembly")))
}

fn gzipped(path: &Path) -> Result<usize> {
    let bytes = fs::read(path)
        .with_context(|| format!("{} is missing: run `cargo xtask package`", path.display()))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&bytes)?;
    Ok(encoder.finish()?.len())
}
