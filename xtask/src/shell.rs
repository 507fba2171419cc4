//! Paths of the tree and child processes.

use std::{
    env,
    io::{self, BufRead, BufReader, IsTerminal, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The workspace root: the parent of this crate's folder.
pub fn root() -> PathBuf {
    let manifest =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest.parent().map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// Where the workspace's own toolchain builds (`CARGO_TARGET_DIR`, else `target`).
pub fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// True under continuous integration (`CI` set to anything but empty, `0` or `false`): a check that
/// cannot run is then a failure.
pub fn ci() -> bool {
    env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// The toolchain's own cargo, in the workspace root, without what the outer `cargo run` put into the environment.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    command.current_dir(root());
    command
}

/// Node running a script of the tree.
pub fn node(script: impl AsRef<Path>) -> Command {
    let mut command = Command::new("node");
    command.current_dir(root()).arg(root().join(script));
    command
}

/// The program and its arguments as one line, paths inside the tree shortened.
pub fn shown(command: &Command) -> String {
    let root = format!("{}/", root().display());
    let program =
        Path::new(command.get_program()).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut line = program;
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy().replace(&root, ""));
    }
    line
}

/// Runs to the end with the terminal passed through; an error unless it exits with 0.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("+ {}", shown(command));
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// The standard output of a command that must succeed, trimmed.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", shown(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether the command exits with 0 within `limit`; nothing is shown.
pub fn succeeds(command: &mut Command, limit: Duration) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .is_ok_and(|mut child| wait(&mut child, limit).is_ok_and(|success| success))
}

/// Runs to the end, standard output both shown and returned with whether the exit code was 0.
/// The child is killed after `limit`.
pub fn tee(command: &mut Command, limit: Duration) -> Result<(bool, String)> {
    piped(command, limit, show_lines)
}

/// As [`tee`], but nothing is shown.
pub fn captured(command: &mut Command, limit: Duration) -> Result<(bool, String)> {
    piped(command, limit, |mut pipe| {
        let mut bytes = Vec::new();
        // What came before an error is still worth reading.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn piped(command: &mut Command, limit: Duration, read: fn(ChildStdout) -> String) -> Result<(bool, String)> {
    eprintln!("+ {}", shown(command));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let pipe = child.stdout.take();
    let reader = thread::spawn(move || pipe.map_or_else(String::new, read));
    let success = wait(&mut child, limit);
    let text = reader.join().unwrap_or_default();
    match success {
        Ok(success) => Ok((success, text)),
        Err(error) => Err(error.context(format!("`{}`", shown(command)))),
    }
}

fn show_lines(pipe: impl Read) -> String {
    let mut text = String::new();
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let shown = String::from_utf8_lossy(&line);
        print!("{shown}");
        text.push_str(&shown);
        line.clear();
    }
    text
}

fn wait(child: &mut Child, limit: Duration) -> Result<bool> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("killed: it ran longer than {} s", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The first program of that name on `PATH`.
pub fn which(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(format!("{program}{}", env::consts::EXE_SUFFIX)))
        .find(|path| path.is_file())
}

/// What a cargo build reported.
#[derive(Default)]
pub struct Built {
    /// Name, kind (`bin`, `example`, …) and path of every program built.
    pub programs: Vec<(String, String, PathBuf)>,
    /// Compiler warnings about the tree's own code.
    pub warnings: usize,
}

/// Warnings about flags that the build means, not about code: shared memory takes a standard library of one's own, and
/// so a compiler that lets one build it.
const OF_FLAGS: &str = "unstable feature specified for `-Ctarget-feature`";

/// Runs a `cargo build` or `cargo check` and collects its programs and warnings, which are shown as always.
pub fn build(command: &mut Command) -> Result<Built> {
    eprintln!("+ {}", shown(command));
    let format = if io::stderr().is_terminal() { "json-diagnostic-rendered-ansi" } else { "json" };
    let output = command
        .arg(format!("--message-format={format}"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let mut built = Built::default();
    for message in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(message) else { continue };
        let said = message.pointer("/message/message").and_then(Value::as_str);
        if said.is_some_and(|said| said.starts_with(OF_FLAGS)) {
            continue;
        }
        if let Some(text) = message.pointer("/message/rendered").and_then(Value::as_str) {
            eprint!("{text}");
        }
        if message.pointer("/message/level").and_then(Value::as_str) == Some("warning") {
            built.warnings += 1;
        }
        let text = |path: &str| message.pointer(path).and_then(Value::as_str).map(str::to_owned);
        if let (Some(name), Some(kind), Some(path)) =
            (text("/target/name"), text("/target/kind/0"), text("/executable"))
        {
            built.programs.push((name, kind, path.into()));
        }
    }
    if !output.status.success() {
        bail!("`{}` failed ({})", shown(command), output.status);
    }
    Ok(built)
}
