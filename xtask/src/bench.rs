//! `cargo xtask bench`: the benchmark natively or in the browser, and what its peers need.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    check, package,
    shell::{self, root, run, target_dir},
    toolchain,
};

/// Names the Python, or several, that run peers.
const PEER_PYTHON: &str = "GRADLING_PEER_PYTHON";

/// PyTorch without support for graphics cards, where that index is there; else the gigabytes of the usual package.
const SMALL_TORCH: [&str; 2] = ["--extra-index-url", "https://download.pytorch.org/whl/cpu"];

/// TensorFlow without support for graphics cards.
const TENSORFLOW: &str = if cfg!(target_os = "linux") { "tensorflow-cpu" } else { "tensorflow" };

/// What a Python imports for something, and the packages that have it.
struct Needs {
    imports: &'static str,
    packages: &'static [&'static str],
}

const EXPORT: Needs =
    Needs { imports: "torch, onnx, onnxscript", packages: &["torch", "numpy", "onnx", "onnxscript"] };

/// What the native peers in Python need, and those that run the models which PyTorch exports.
const NATIVE: [(&str, Needs); 6] = [
    ("torch", Needs { imports: "torch, numpy", packages: &["torch", "numpy"] }),
    ("tensorflow", Needs { imports: "tensorflow, numpy", packages: &[TENSORFLOW, "numpy"] }),
    (
        "onnxruntime",
        Needs { imports: "onnxruntime, onnx, numpy", packages: &["onnxruntime", "onnx", "numpy"] },
    ),
    ("onnxruntime", EXPORT),
    ("numpy", Needs { imports: "numpy", packages: &["numpy"] }),
    ("tract", EXPORT),
];

/// The last onnxruntime with training, of the version that runs in the browser; it takes the place of onnxruntime.
const TRAINING: Needs = Needs {
    imports: "onnx; from onnxruntime.capi._pybind_state import TrainingParameters",
    packages: &["onnxruntime-training==1.19.2", "onnx", "numpy"],
};

/// Names the device of the peers that have several.
const PEER_DEVICE: &str = "GRADLING_PEER_DEVICE";

/// Runs the benchmark, or the check of instructions, with these arguments.
///
/// # Errors
/// It cannot be built or fails. Peers that cannot be installed are none: the report names them.
pub fn bench(mut arguments: Vec<OsString>) -> Result<()> {
    if let Some(at) = arguments.iter().position(|argument| argument == "--check") {
        arguments.remove(at);
        return check::check(&arguments);
    }
    let peers = peers(&arguments);
    let all = arguments.len();
    arguments.retain(|argument| argument != "--browser");
    if arguments.len() == all { native(&arguments, &peers) } else { browser(&arguments, &peers) }
}

/// The peers that `--peers` or `--peers=torch,burn` asks for.
fn peers(arguments: &[OsString]) -> Vec<String> {
    let value = |argument: &OsString| match argument.to_str()? {
        "--peers" => Some("all".to_owned()),
        argument => argument.strip_prefix("--peers=").map(str::to_owned),
    };
    let named = arguments.iter().find_map(value).unwrap_or_default();
    named.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn asks_for(peers: &[String], name: &str) -> bool {
    peers.iter().any(|peer| peer == "all" || peer == name)
}

fn native(arguments: &[OsString], peers: &[String]) -> Result<()> {
    let mut command = shell::cargo();
    command.args(["run", "--release", "--package", "gradling-benches", "--bin", "bench"]);
    if arguments.windows(2).any(|pair| pair[0] == "--device" && pair[1] == "gpu") {
        toolchain::vulkan()?;
        command.args(["--features", "gpu"]);
        // PyTorch is asked on the same card.
        if env::var_os(PEER_DEVICE).is_none() {
            command.env(PEER_DEVICE, "cuda");
        }
    }
    command.arg("--").args(arguments);
    if !peers.is_empty() && env::var_os(PEER_PYTHON).is_none() {
        let exported = target_dir().join("release/peers/models/MobileNetV2.output").is_file();
        for (name, needs) in NATIVE.iter().filter(|(name, _)| asks_for(peers, name)) {
            if exported && needs.imports == EXPORT.imports {
                continue;
            }
            if let Err(error) = python("python", needs) {
                eprintln!("the packages of {name} cannot be installed: {error:#}");
            }
        }
        // The benchmark runs each peer by the first that has its packages.
        command.env(PEER_PYTHON, env::join_paths(["python3".into(), environment("python")])?);
    }
    run(&mut command)
}

fn browser(arguments: &[OsString], peers: &[String]) -> Result<()> {
    package::build(false)?;
    let models = target_dir().join("browser-models");
    let mut command = shell::cargo();
    command.args(["run", "--release", "--package", "gradling-benches", "--bin", "browser_models", "--"]);
    run(command.arg(&models))?;
    toolchain::npm_install("tests")?;
    if !peers.is_empty() {
        toolchain::npm_install("benches/browser")?;
    }
    let exports = [
        ("onnxruntime-web", "mobilenetv2.onnx", "export_onnx.py", "python", EXPORT),
        (
            "onnxruntime-web-training",
            "T3-optimizer_model.onnx",
            "export_training.py",
            "python-training",
            TRAINING,
        ),
    ];
    for (peer, last, script, name, needs) in exports {
        if !asks_for(peers, peer) || models.join(last).is_file() {
            continue;
        }
        if let Err(error) = python(name, &needs).and_then(|python| export(&python, script, &models)) {
            eprintln!("the models of {peer} cannot be made: {error:#}");
        }
    }
    let mut command = shell::node("benches/browser/run.mjs");
    run(command.args(arguments).env("CHROMIUM", toolchain::chromium()?))
}

/// Writes models by a script of the browser benchmark, whose libraries report much that is no error.
fn export(python: &Path, script: &str, models: &Path) -> Result<()> {
    let log = target_dir().join("peers").join(script).with_extension("log");
    std::fs::create_dir_all(target_dir().join("peers"))?;
    let mut command = Command::new(python);
    command.arg(root().join("benches/browser").join(script)).arg(models).env("PYTHONDONTWRITEBYTECODE", "1");
    command.stderr(std::fs::File::create(&log).with_context(|| log.display().to_string())?);
    run(&mut command).with_context(|| format!("see {}", log.display()))
}

/// A Python that imports what is needed: one that `GRADLING_PEER_PYTHON` names; without that variable the system's, or
/// else the one of a virtual environment of that name in the target folder, where the packages are installed.
fn python(name: &str, needs: &Needs) -> Result<PathBuf> {
    let own = environment(name);
    let named = env::var_os(PEER_PYTHON);
    let known: Vec<PathBuf> = match &named {
        Some(named) => env::split_paths(named).collect(),
        None => vec!["python3".into(), own.clone()],
    };
    if let Some(python) = known.into_iter().find(|python| imports(python, needs.imports)) {
        return Ok(python);
    }
    if named.is_some() {
        bail!("no Python that {PEER_PYTHON} names has {}", needs.packages.join(", "));
    }
    if !imports(&own, "pip") {
        let folder = own.ancestors().nth(2).context("no folder for the environment")?;
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))
            .context("a virtual environment takes Python 3 with its module venv (on Debian: python3-venv)")?;
    }
    let mut pip = Command::new(&own);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(needs.packages);
    if needs.packages.contains(&"torch") {
        pip.args(SMALL_TORCH);
    }
    run(&mut pip)?;
    if !imports(&own, needs.imports) {
        bail!("{} does not import {} once installed", own.display(), needs.imports);
    }
    Ok(own)
}

/// The Python of a virtual environment in the target folder.
fn environment(name: &str) -> PathBuf {
    let program = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    target_dir().join("peers").join(name).join(program)
}

fn imports(python: impl AsRef<OsStr>, modules: &str) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", &format!("import {modules}")]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::{asks_for, peers};

    #[test]
    fn peers_are_read_from_arguments() {
        let peers = |arguments: &[&str]| peers(&arguments.iter().map(Into::into).collect::<Vec<_>>());
        assert!(peers(&["--only", "T1"]).is_empty());
        assert!(asks_for(&peers(&["--peers", "--only", "T1"]), "torch"));
        let some = peers(&["--peers=torch,burn"]);
        assert_eq!(some, ["torch", "burn"]);
        assert!(asks_for(&some, "burn") && !asks_for(&some, "tract"));
    }
}
