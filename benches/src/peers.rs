//! The peers that this machine has.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::peer::Peer;

/// A kind of peer: its name on the command line and how it is found.
struct Kind {
    name: &'static str,
    find: fn(&Places, &'static str) -> Result<Peer, String>,
}

/// All peers, in the order of the report.
const PEERS: [Kind; 9] = [
    Kind { name: "torch", find: |places, name| places.python(name, "torch_steps.py", "torch, numpy") },
    Kind {
        name: "tensorflow",
        find: |places, name| places.python(name, "tensorflow_steps.py", "tensorflow, numpy"),
    },
    Kind { name: "onnxruntime", find: onnxruntime },
    Kind { name: "numpy", find: |places, name| places.python(name, "numpy_products.py", "numpy") },
    Kind { name: "tract", find: |places, name| places.models().and_then(|()| places.rust("tract", name)) },
    Kind { name: "burn", find: |places, name| places.rust("burn", name) },
    Kind { name: "candle", find: |places, name| places.rust("candle", name) },
    Kind { name: "gemm", find: |places, name| places.rust("products", name) },
    Kind { name: "matrixmultiply", find: |places, name| places.rust("products", name) },
];

/// Where peers are and what they write.
struct Places {
    /// Python programs.
    pythons: Vec<PathBuf>,
    /// The scripts and the Rust package.
    scripts: PathBuf,
    /// What is built and exported, and the logs.
    made: PathBuf,
}

/// The peers named, all of them for `all`, and why the others are not there.
///
/// **Errors** when a name is none, or nothing can be written beside the running program.
pub fn find(names: &[String]) -> Result<(Vec<Peer>, Vec<String>), String> {
    let known = |name: &String| name == "all" || PEERS.iter().any(|kind| kind.name == name);
    if let Some(name) = names.iter().find(|name| !known(name)) {
        let all: Vec<&str> = PEERS.iter().map(|kind| kind.name).collect();
        return Err(format!("no peer {name}; there are {} and all", all.join(", ")));
    }
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let made = program.parent().unwrap_or(Path::new(".")).join("peers");
    std::fs::create_dir_all(&made).map_err(|e| format!("{}: {e}", made.display()))?;
    let pythons = std::env::var_os("GRADLING_PEER_PYTHON").unwrap_or_else(|| "python3".into());
    let places = Places {
        pythons: std::env::split_paths(&pythons).collect(),
        scripts: Path::new(env!("CARGO_MANIFEST_DIR")).join("peers"),
        made,
    };
    let (mut peers, mut reasons) = (Vec::new(), Vec::new());
    for kind in PEERS.iter().filter(|kind| names.iter().any(|name| name == "all" || name == kind.name)) {
        match (kind.find)(&places, kind.name) {
            Ok(peer) => peers.push(peer),
            Err(reason) => reasons.push(format!("{}: {reason}", kind.name)),
        }
    }
    Ok((peers, reasons))
}

impl Places {
    fn log(&self, name: &str) -> PathBuf {
        self.made.join(format!("{name}.log"))
    }

    fn models_folder(&self) -> PathBuf {
        self.made.join("models")
    }

    /// The first Python that has the modules.
    fn python_with(&self, modules: &str) -> Result<&Path, String> {
        let has = |python: &&PathBuf| quiet(Command::new(python).args(["-c", &format!("import {modules}")]));
        self.pythons.iter().find(has).map(PathBuf::as_path).ok_or_else(|| {
            format!(
                "no Python imports {modules}; `cargo xtask bench --peers` installs them unless GRADLING_PEER_PYTHON \
                 names a Python, which then must have them"
            )
        })
    }

    /// A script that takes the number of threads and the folder of models.
    fn python(&self, name: &str, script: &str, modules: &str) -> Result<Peer, String> {
        let (python, script) = (self.python_with(modules)?.to_owned(), self.scripts.join(script));
        let models = self.models_folder();
        Ok(Peer::new(name, self.log(name), move |threads| {
            let mut command = Command::new(&python);
            command.arg(&script).arg(threads.to_string()).arg(&models);
            command
        }))
    }

    /// Exports the models of I1, once.
    fn models(&self) -> Result<(), String> {
        let folder = self.models_folder();
        if folder.join("MobileNetV2.output").is_file() {
            return Ok(());
        }
        let python = self.python_with("torch, onnx, onnxscript")?;
        eprintln!("exporting the models of I1 as ONNX files");
        let log = std::fs::File::create(self.log("export")).map_err(|e| e.to_string())?;
        let exported = Command::new(python)
            .arg(self.scripts.join("export_onnx.py"))
            .arg(folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::null())
            .stderr(log)
            .status();
        match exported {
            Ok(status) if status.success() => Ok(()),
            _ => Err(format!("the models could not be exported; see {}", self.log("export").display())),
        }
    }

    /// A system of a program of the Rust package, which is built first.
    fn rust(&self, program: &str, name: &'static str) -> Result<Peer, String> {
        eprintln!("building the Rust peer {program}");
        let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--release", "--quiet", "--locked", "--features", program, "--bin", program])
            .arg("--target-dir")
            .arg(self.made.join("rust"))
            .current_dir(self.scripts.join("rust"))
            .status();
        if !built.is_ok_and(|status| status.success()) {
            return Err(format!("the program {program} of benches/peers/rust does not build"));
        }
        let (program, models) = (self.made.join("rust/release").join(program), self.models_folder());
        Ok(Peer::new(name, self.log(name), move |threads| {
            let mut command = Command::new(&program);
            command.arg(name).arg(threads.to_string()).arg(&models);
            command
        }))
    }
}

fn onnxruntime(places: &Places, name: &'static str) -> Result<Peer, String> {
    let peer = places.python(name, "onnx_runs.py", "onnxruntime, onnx, numpy")?;
    places.models()?;
    Ok(peer)
}

/// Whether a command that says nothing ends well.
fn quiet(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_peers_are_named() {
        let error = find(&["torch".into(), "tourch".into()]).err().unwrap_or_default();
        assert!(error.contains("no peer tourch") && error.contains("onnxruntime"), "{error}");
        let (peers, reasons) = find(&[]).unwrap_or_else(|e| panic!("{e}"));
        assert!(peers.is_empty() && reasons.is_empty());
    }

    #[test]
    fn a_peer_that_is_not_there_says_why() {
        let made = std::env::temp_dir();
        let places = Places { pythons: vec!["no-such-python".into()], scripts: "peers".into(), made };
        let reason = places.python("torch", "torch_steps.py", "torch, numpy").err().unwrap_or_default();
        assert!(reason.contains("torch, numpy") && reason.contains("GRADLING_PEER_PYTHON"), "{reason}");
    }
}
