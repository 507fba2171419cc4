//! The demo page: build, serve, and train through it without a screen.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Result, bail};

use crate::{
    package,
    serve::serve,
    shell::{node, root, run, target_dir, tee},
    toolchain::{chromium, npm_install},
};

/// How `cargo xtask demo` runs.
#[derive(clap::Args)]
pub struct Options {
    /// Open the page in Chromium without a screen, train the MLP for one epoch, print `demo: val_accuracy X`
    #[arg(long)]
    pub headless: bool,
    /// Port to serve on [default: 8080, or any free one]
    #[arg(long)]
    pub port: Option<u16>,
    /// Build only
    #[arg(long)]
    pub no_serve: bool,
}

/// Builds the page into demo-site/dist, the package first unless it is `built` already.
///
/// # Errors
/// A tool is missing or fails.
pub fn build(built: bool) -> Result<()> {
    if !built {
        package::build(false)?;
    }
    npm_install("demo-site")?;
    run(Command::new("npm").current_dir(root().join("demo-site")).args(["run", "--silent", "build"]))
}

/// `cargo xtask demo`.
///
/// # Errors
/// The page does not build, the port is taken, or the headless run fails.
pub fn demo(options: &Options) -> Result<()> {
    build(false)?;
    if options.headless {
        return train(None);
    }
    if options.no_serve {
        println!("demo: built demo-site/dist");
        return Ok(());
    }
    let site = root().join("demo-site/dist");
    let served = match options.port {
        Some(port) => serve(&site, port)?,
        None => serve(&site, 8080).or_else(|_| serve(&site, 0))?,
    };
    println!("demo: {} (Ctrl-C ends it)", served.url());
    served.forever();
    Ok(())
}

/// Trains through the built page in headless Chromium and saves a screenshot to target/demo.png: one epoch on the
/// subset that comes with the page, or five on the MNIST files in a folder.
///
/// # Errors
/// There is no browser, the page reports an error, or the accuracy is too low.
pub fn train(files: Option<&Path>) -> Result<()> {
    npm_install("tests")?;
    let browser = chromium()?;
    let served = serve(&root().join("demo-site/dist"), 0)?;
    let picture = target_dir().join("demo.png");
    let mut command = node("tests/browser/demo.mjs");
    command.arg(served.url()).arg(&picture).args(files).env("CHROMIUM", browser);
    let (success, _) = tee(&mut command, Duration::from_secs(600))?;
    if !success {
        bail!("the demo page failed; see target/demo.png");
    }
    Ok(())
}
