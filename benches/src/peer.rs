//! Peers that run in a child process and answer one repetition at a time over its standard streams.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::measure::System;
use crate::workload::{Input, Job};

/// PyTorch, eager, with its fused Adam: one child for each thread count.
#[derive(Debug)]
pub struct Torch {
    python: PathBuf,
    children: HashMap<usize, Asked>,
    handles: Vec<(usize, u64)>,
    name: String,
}

#[derive(Debug)]
struct Asked {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Torch {
    /// PyTorch as `python` imports it: `GRADLING_PEER_PYTHON`, else `python3`.
    ///
    /// **Errors** when that Python has no torch or numpy.
    pub fn new() -> Result<Torch, String> {
        let python = std::env::var_os("GRADLING_PEER_PYTHON").unwrap_or_else(|| "python3".into());
        let python = PathBuf::from(python);
        let found = Command::new(&python)
            .args(["-c", "import torch, numpy"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success());
        if !found {
            return Err(format!(
                "{} cannot import torch and numpy; install them as benches/README.md says and name that Python in \
                 GRADLING_PEER_PYTHON",
                python.display()
            ));
        }
        Ok(Torch { python, children: HashMap::new(), handles: Vec::new(), name: "PyTorch".into() })
    }

    fn child(&mut self, threads: usize) -> Result<&mut Asked, String> {
        if !self.children.contains_key(&threads) {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/torch_steps.py");
            let mut child = Command::new(&self.python)
                .arg(script)
                .arg(threads.to_string())
                .env("OMP_NUM_THREADS", threads.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .map_err(|e| format!("{}: {e}", self.python.display()))?;
            let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
                return Err("the peer's standard streams are not there".into());
            };
            let asked = Asked { child, stdin, stdout: BufReader::new(stdout) };
            self.children.insert(threads, asked);
        }
        self.children.get_mut(&threads).ok_or_else(|| "no such child".to_string())
    }
}

impl Asked {
    fn ask(&mut self, request: &Value) -> Result<Value, String> {
        writeln!(self.stdin, "{request}").map_err(|e| format!("asking the peer: {e}"))?;
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line).map_err(|e| format!("hearing the peer: {e}"))?;
        if read == 0 {
            return Err("the peer ended".into());
        }
        let answer: Value =
            serde_json::from_str(&line).map_err(|e| format!("the peer said {line:?}: {e}"))?;
        match answer["error"].as_str() {
            Some(error) => Err(format!("the peer failed: {error}")),
            None => Ok(answer),
        }
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        for (_, asked) in self.children.drain() {
            let Asked { mut child, stdin, .. } = asked;
            drop(stdin);
            let _ = child.wait();
        }
    }
}

impl System for Torch {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn prepare(&mut self, job: &Job) -> Result<Option<usize>, String> {
        let input = if job.input == Input::Uniform { "uniform" } else { "normal" };
        let request = json!({"prepare": job.work.to_string(), "batch": job.batch, "input": input});
        let answer = self.child(job.threads)?.ask(&request)?;
        let id = answer["id"].as_u64().ok_or("the peer gave no id")?;
        if let Some(name) = answer["system"].as_str() {
            self.name = name.into();
        }
        self.handles.push((job.threads, id));
        Ok(Some(self.handles.len() - 1))
    }

    fn run(&mut self, handle: usize, iterations: usize) -> Result<f64, String> {
        let (threads, id) = self.handles[handle];
        let answer = self.child(threads)?.ask(&json!({"run": id, "iterations": iterations}))?;
        answer["seconds"].as_f64().ok_or_else(|| "the peer gave no seconds".to_string())
    }
}
