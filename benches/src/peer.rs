//! Peers as child processes that speak lines of JSON.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::measure::{Check, Prepared, Ready, System};
use crate::workload::{Input, Job};

/// A peer: one child for each thread count.
pub struct Peer {
    name: String,
    /// The program and its arguments, for so many threads.
    start: Box<dyn Fn(usize) -> Command>,
    /// What the children write to standard error.
    log: PathBuf,
    children: HashMap<usize, Asked>,
    handles: Vec<(usize, u64)>,
}

struct Asked {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    /// A peer that `start` starts for a number of threads. Until the first answer, which has the version, it is called
    /// `name`.
    pub fn new(name: &str, log: PathBuf, start: impl Fn(usize) -> Command + 'static) -> Peer {
        Peer { name: name.into(), start: Box::new(start), log, children: HashMap::new(), handles: Vec::new() }
    }

    fn ask(&mut self, threads: usize, request: &Value) -> Result<Value, String> {
        if !self.children.contains_key(&threads) {
            let asked = self.spawn(threads)?;
            self.children.insert(threads, asked);
        }
        let child = self.children.get_mut(&threads).ok_or("no such child")?;
        let answer = child.ask(request);
        answer.map_err(|error| {
            if let Some(Asked { mut child, .. }) = self.children.remove(&threads) {
                // It may have ended by itself.
                let _ = child.kill();
                let _ = child.wait();
            }
            format!("{error}; see {}", self.log.display())
        })
    }

    fn spawn(&self, threads: usize) -> Result<Asked, String> {
        let mut command = (self.start)(threads);
        for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS", "MATMUL_NUM_THREADS"]
        {
            command.env(variable, threads.to_string());
        }
        let log = std::fs::File::create(&self.log).map_err(|e| format!("{}: {e}", self.log.display()))?;
        let mut child = command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("{}: {e}", command.get_program().display()))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the peer's standard streams are not there".into());
        };
        Ok(Asked { child, stdin, stdout: BufReader::new(stdout) })
    }

    fn handle(&self, handle: usize) -> Result<(usize, u64), String> {
        self.handles.get(handle).copied().ok_or_else(|| "no such handle".to_string())
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
        serde_json::from_str(&line).map_err(|e| format!("the peer said {line:?}: {e}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        for (_, Asked { mut child, stdin, .. }) in self.children.drain() {
            drop(stdin);
            let _ = child.wait();
        }
    }
}

/// The error that an answer names.
fn failed(answer: &Value) -> Result<(), String> {
    answer["error"].as_str().map_or(Ok(()), |error| Err(error.into()))
}

impl System for Peer {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn prepare(&mut self, job: &Job) -> Result<Prepared, String> {
        let input = if job.input == Input::Uniform { "uniform" } else { "normal" };
        let request = json!({"prepare": job.work.to_string(), "batch": job.batch, "input": input});
        let answer = self.ask(job.threads, &request)?;
        failed(&answer)?;
        if let Some(reason) = answer["none"].as_str() {
            return Ok(Prepared::Nothing(reason.into()));
        }
        let id = answer["id"].as_u64().ok_or("the peer gave no id")?;
        if let Some(name) = answer["system"].as_str() {
            self.name = name.into();
        }
        self.handles.push((job.threads, id));
        Ok(Prepared::Ready(Ready { handle: self.handles.len() - 1, check: check(&answer) }))
    }

    fn run(&mut self, handle: usize, iterations: usize) -> Result<f64, String> {
        let (threads, id) = self.handle(handle)?;
        let answer = self.ask(threads, &json!({"run": id, "iterations": iterations}))?;
        failed(&answer)?;
        answer["seconds"].as_f64().ok_or_else(|| "the peer gave no seconds".to_string())
    }

    fn memory(&mut self, handle: usize) -> Result<Option<u64>, String> {
        let (threads, id) = self.handle(handle)?;
        let answer = self.ask(threads, &json!({"memory": id}))?;
        failed(&answer)?;
        Ok(answer["bytes"].as_u64())
    }
}

/// What an answer tells of what is computed.
fn check(answer: &Value) -> Check {
    let values = answer["values"].as_array().map(Vec::as_slice).unwrap_or_default();
    Check {
        parameters: answer["parameters"].as_u64(),
        values: values.iter().filter_map(|v| v.as_f64().map(|v| v as f32)).collect(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::workload::Work;

    /// A child that gives these answers, one a line, whatever it is asked.
    fn saying(name: &str, answers: &str) -> Peer {
        let log = std::env::temp_dir().join(format!("gradling-peer-{name}-{}", std::process::id()));
        // The questions are left unread.
        let script =
            format!("while read -r answer; do echo \"$answer\"; done <<'END'\n{answers}\nEND\nsleep 0.1");
        Peer::new(name, log, move |_| {
            let mut shell = Command::new("sh");
            shell.args(["-c", &script]);
            shell
        })
    }

    fn job() -> Job {
        Job { work: Work::Matmul(64), batch: 1, threads: 1, input: Input::Normal }
    }

    #[test]
    fn answers_become_handles_reasons_and_errors() {
        let answers = r#"{"id": 3, "system": "peer 1.0", "parameters": 7, "values": [0.5, 1]}
{"seconds": 0.25}
{"none": "products only"}
{"error": "ValueError: no"}
{"bytes": 12}"#;
        let mut peer = saying("answers", answers);
        let Ok(Prepared::Ready(ready)) = peer.prepare(&job()) else { panic!("not ready") };
        assert_eq!(ready.check, Check { parameters: Some(7), values: vec![0.5, 1.0] });
        assert_eq!(peer.name(), "peer 1.0");
        assert_eq!(peer.run(ready.handle, 5), Ok(0.25));
        assert!(matches!(peer.prepare(&job()), Ok(Prepared::Nothing(reason)) if reason == "products only"));
        assert_eq!(peer.run(ready.handle, 5), Err("ValueError: no".into()));
        assert_eq!(peer.memory(ready.handle), Ok(Some(12)));
    }

    #[test]
    fn a_peer_that_ends_or_babbles_is_an_error() {
        for answers in ["", "not json"] {
            let error = saying("ends", answers).prepare(&job()).err();
            assert!(error.is_some_and(|e| e.contains("the peer said") || e.contains("the peer ended")));
        }
    }
}
