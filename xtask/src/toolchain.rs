//! Compilers and tools that may be missing: probe, install, and say precisely what to do where that cannot work.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context, Error, Result};

use crate::shell::{self, output, root, run, succeeds, which};

/// The browser's target.
pub const WASM: &str = "wasm32-unknown-unknown";
/// Cortex-M4F and M7.
pub const THUMB_V7EM: &str = "thumbv7em-none-eabihf";
/// Cortex-M0 and M0+.
pub const THUMB_V6M: &str = "thumbv6m-none-eabi";

/// The oldest compiler that builds the workspace (`rust-version` in Cargo.toml).
const MINIMUM: (u32, u32) = (1, 95);

/// The parts of the standard library that a build for a target links.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// `core` alone.
    Core,
    /// `core` and `alloc`.
    Alloc,
    /// All of `std`, aborting on panic.
    Std,
}

impl Library {
    fn crates(self) -> &'static str {
        match self {
            Library::Core => "core",
            Library::Alloc => "core,alloc",
            Library::Std => "std,panic_abort",
        }
    }
}

/// A cargo that can build for a target, and where it puts what it builds.
pub struct Cross {
    target: &'static str,
    target_dir: PathBuf,
    fallback: Option<Fallback>,
    /// Whether the standard library is built from its sources.
    from_sources: bool,
}

#[derive(Clone)]
struct Fallback {
    rustc: PathBuf,
    cargo: PathBuf,
    linker: PathBuf,
}

impl Cross {
    /// A compiler for `target`: the current toolchain if it has the target, else after `rustup target add`,
    /// else a distribution's compiler that builds the standard library from source
    /// (`GRADLING_FALLBACK=1` goes straight to that one).
    ///
    /// # Errors
    /// None of the three works; the message says what to install.
    pub fn new(target: &'static str) -> Result<Cross> {
        let forced = env::var_os("GRADLING_FALLBACK").is_some();
        if !forced && installed(target)? {
            return Ok(Cross {
                target,
                target_dir: shell::target_dir(),
                fallback: None,
                from_sources: false,
            });
        }
        if !forced && which("rustup").is_some() && !known_unavailable(target) {
            eprintln!("target {target} is not installed: trying rustup");
            let added =
                succeeds(Command::new("rustup").args(["target", "add", target]), Duration::from_secs(120));
            if added && installed(target)? {
                return Ok(Cross {
                    target,
                    target_dir: shell::target_dir(),
                    fallback: None,
                    from_sources: false,
                });
            }
            remember_unavailable(target);
        }
        let fallback = fallback().with_context(|| {
            format!("no compiler for {target}: run `rustup target add {target}` and try again")
        })?;
        let target_dir = shell::target_dir().join("fallback");
        Ok(Cross { target, target_dir, fallback: Some(fallback), from_sources: true })
    }

    /// A compiler that builds the standard library along, so that flags which change the size of every function
    /// reach it too: the current toolchain if it has the sources, else after `rustup component add rust-src`,
    /// else a distribution's.
    ///
    /// # Errors
    /// None of the three works; the message says what to install.
    pub fn with_sources(target: &'static str) -> Result<Cross> {
        let forced = env::var_os("GRADLING_FALLBACK").is_some();
        if !forced && !sources(&sysroot()?) && which("rustup").is_some() && !known_unavailable("rust-src") {
            eprintln!("the sources of the standard library are not installed: trying rustup");
            let mut add = Command::new("rustup");
            if !succeeds(add.args(["component", "add", "rust-src"]), Duration::from_secs(120)) {
                remember_unavailable("rust-src");
            }
        }
        if !forced && sources(&sysroot()?) {
            let target_dir = shell::target_dir().join("web");
            return Ok(Cross { target, target_dir, fallback: None, from_sources: true });
        }
        let fallback =
            fallback().context("no library sources: run `rustup component add rust-src` and try again")?;
        let target_dir = shell::target_dir().join("fallback");
        Ok(Cross { target, target_dir, fallback: Some(fallback), from_sources: true })
    }

    /// `cargo SUBCOMMAND` for the target with the given rustc flags, in the workspace root.
    /// What the outer cargo put into the environment does not reach it.
    pub fn cargo(&self, subcommand: &str, library: Library, rustflags: &[&str]) -> Command {
        let mut command = match &self.fallback {
            None => shell::cargo(),
            Some(fallback) => {
                let mut command = Command::new(&fallback.cargo);
                command.current_dir(root());
                for (name, _) in env::vars_os() {
                    if name.to_str().is_some_and(of_outer_toolchain) {
                        command.env_remove(name);
                    }
                }
                let upper = self.target.to_uppercase().replace('-', "_");
                command.env("RUSTC", &fallback.rustc);
                command.env(format!("CARGO_TARGET_{upper}_LINKER"), &fallback.linker);
                command
            }
        };
        command.env("CARGO_TARGET_DIR", &self.target_dir);
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        if !rustflags.is_empty() {
            command.env("CARGO_ENCODED_RUSTFLAGS", rustflags.join("\x1f"));
        }
        command.args([subcommand, "--target", self.target]);
        if self.from_sources {
            command.env("RUSTC_BOOTSTRAP", "1");
            command.arg(format!("-Zbuild-std={}", library.crates()));
            // Sorting and number formatting in their short forms: browsers download them, flash holds them.
            command.arg("-Zbuild-std-features=optimize_for_size");
        }
        command
    }

    /// The folder where a profile's artifacts land.
    pub fn artifacts(&self, profile: &str) -> PathBuf {
        self.target_dir.join(self.target).join(profile)
    }
}

/// Names that the workspace's cargo and rustup set for their children and that would redirect another toolchain.
/// Settings of the user (registries, network, home, jobs) stay.
fn of_outer_toolchain(name: &str) -> bool {
    let kept = ["CARGO_HOME", "CARGO_BUILD_JOBS", "CARGO_INCREMENTAL", "CARGO_TERM_COLOR"];
    let kept_groups = ["CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR", "CARGO_SOURCE_"];
    if kept.contains(&name) || kept_groups.iter().any(|group| name.starts_with(group)) {
        return false;
    }
    ["CARGO", "RUSTUP_", "RUSTC", "RUSTDOC", "RUSTFLAGS", "RUST_RECURSION_COUNT", "LD_LIBRARY_PATH"]
        .iter()
        .any(|group| name.starts_with(group))
}

/// The current toolchain's compiler.
fn rustc() -> Command {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.current_dir(root());
    command
}

fn sysroot() -> Result<PathBuf> {
    Ok(PathBuf::from(output(rustc().args(["--print", "sysroot"]))?))
}

fn installed(target: &str) -> Result<bool> {
    let libraries = sysroot()?.join("lib/rustlib").join(target).join("lib");
    Ok(fs::read_dir(libraries).is_ok_and(|mut entries| entries.next().is_some()))
}

/// A note that rustup could not fetch a target, so that not every build asks the network again; valid for an hour.
fn note(target: &str) -> PathBuf {
    shell::target_dir().join(format!("xtask/no-rustup-{target}"))
}

fn known_unavailable(target: &str) -> bool {
    let modified = note(target).metadata().and_then(|meta| meta.modified());
    modified.is_ok_and(|time| {
        let age = time.elapsed().unwrap_or_else(|_| UNIX_EPOCH.elapsed().unwrap_or_default());
        age < Duration::from_secs(3600)
    })
}

fn remember_unavailable(target: &str) {
    let note = note(target);
    if let Some(folder) = note.parent() {
        // Only a shortcut is lost if this fails.
        let _ = fs::create_dir_all(folder).and_then(|()| fs::write(&note, ""));
    }
}

/// The distribution's compiler with the library's sources, installed if it is missing.
fn fallback() -> Result<Fallback> {
    if find_fallback().is_none() {
        apt_install(&["rustc-web", "cargo-web", "rust-web-src"])?;
    }
    let (rustc, cargo) = find_fallback().context("/usr/bin/rustc has no library sources or is too old")?;
    Ok(Fallback { rustc, cargo, linker: linker()? })
}

fn find_fallback() -> Option<(PathBuf, PathBuf)> {
    let (rustc, cargo) = (PathBuf::from("/usr/bin/rustc"), PathBuf::from("/usr/bin/cargo"));
    if !cargo.is_file() {
        return None;
    }
    let version = output(Command::new(&rustc).arg("--version")).ok()?;
    let mut numbers =
        version.split_whitespace().nth(1)?.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    if (numbers.next()?, numbers.next()?) < MINIMUM {
        return None;
    }
    let sysroot = output(Command::new(&rustc).args(["--print", "sysroot"])).ok()?;
    sources(Path::new(&sysroot)).then_some((rustc, cargo))
}

/// Whether a toolchain has the sources of the standard library.
fn sources(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/Cargo.lock").is_file()
}

/// An LLVM linker that rustc can drive for wasm and for Cortex-M alike.
fn linker() -> Result<PathBuf> {
    let host = output(rustc().arg("-vV"))?;
    let host =
        host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV prints no host")?;
    let bundled = sysroot()?.join("lib/rustlib").join(host).join("bin/rust-lld");
    if bundled.is_file() {
        return Ok(bundled);
    }
    if let Some(path) = ["rust-lld", "lld"].into_iter().find_map(which) {
        return Ok(path);
    }
    apt_install(&["lld"])?;
    which("lld").context("no LLVM linker: install lld")
}

/// A tool that is not there and cannot be installed from here.
#[derive(Debug)]
pub struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

fn missing(message: impl Into<String>) -> Error {
    Error::new(Missing(message.into()))
}

/// Installs Debian packages, as root or through sudo without a password.
///
/// # Errors
/// There is no apt-get, no right to use it, or it fails: [`Missing`], which names the packages.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    static UPDATED: OnceLock<bool> = OnceLock::new();
    let wanted = packages.join(" ");
    if which("apt-get").is_none() {
        return Err(missing(format!("missing: {wanted} (Debian's package names; there is no apt-get here)")));
    }
    let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    if !root && !succeeds(Command::new("sudo").args(["-n", "true"]), Duration::from_secs(10)) {
        return Err(missing(format!("missing: {wanted}; run `sudo apt-get install {wanted}`")));
    }
    let apt = || {
        let mut command = Command::new(if root { "apt-get" } else { "sudo" });
        if !root {
            command.args(["-n", "apt-get"]);
        }
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq").stdout(Stdio::null());
        command
    };
    UPDATED.get_or_init(|| run(apt().arg("update")).is_ok());
    run(apt().args(["install", "-y", "--no-install-recommends"]).args(packages))
        .map_err(|error| missing(format!("missing: {wanted}; {error}")))
}

/// Node's version is at least 20.
///
/// # Errors
/// It is missing or older.
pub fn check_node() -> Result<()> {
    let version = output(Command::new("node").arg("--version"))
        .map_err(|_| missing("Node is missing: install Node 20 or newer (https://nodejs.org)"))?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|part| part.parse::<u32>().ok());
    if major.is_none_or(|major| major < 20) {
        return Err(missing(format!(
            "Node {version} is too old: install Node 20 or newer (https://nodejs.org)"
        )));
    }
    which("npm")
        .map(drop)
        .ok_or_else(|| missing("npm is missing: it comes with Node (on Debian: apt-get install npm)"))
}

/// Installs the npm dependencies of a folder of the tree unless they are there already.
///
/// # Errors
/// Node is missing, or npm fails.
pub fn npm_install(folder: &str) -> Result<()> {
    check_node()?;
    let folder = root().join(folder);
    let modified = |name: &str| folder.join(name).metadata().and_then(|meta| meta.modified()).ok();
    let done = modified("node_modules/.package-lock.json");
    if done.is_some() && done >= modified("package.json") && done >= modified("package-lock.json") {
        return Ok(());
    }
    let verb = if modified("package-lock.json").is_some() { "ci" } else { "install" };
    let quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--omit-lockfile-registry-resolved"];
    run(Command::new("npm").current_dir(&folder).arg(verb).args(quiet))
}

/// A Chromium, installed if it is missing. `CHROMIUM` names one that is elsewhere.
///
/// # Errors
/// There is none and it cannot be installed.
pub fn chromium() -> Result<PathBuf> {
    if let Some(path) = env::var_os("CHROMIUM") {
        let path = PathBuf::from(path);
        return path.is_file().then_some(path).context("CHROMIUM names no file");
    }
    if let Some(path) = find_chromium() {
        return Ok(path);
    }
    apt_install(&["chromium"])
        .context("no Chromium or Chrome found: install one, or name its program in CHROMIUM")?;
    find_chromium().context("apt-get installed no program named chromium")
}

fn find_chromium() -> Option<PathBuf> {
    let bundle = PathBuf::from("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
        .into_iter()
        .find_map(which)
        .or_else(|| bundle.is_file().then_some(bundle))
}

/// A Vulkan driver for the tests on a GPU: the machine's, else one that computes on the processor, installed.
///
/// # Errors
/// There is none and it cannot be installed.
pub fn vulkan() -> Result<()> {
    let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let driver = |folder: &&str| fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
    if cfg!(target_os = "linux") && !folders.iter().any(driver) {
        apt_install(&["mesa-vulkan-drivers", "libvulkan1"])?;
    }
    Ok(())
}

/// The Cortex-M emulator, installed if it is missing.
///
/// # Errors
/// There is none and it cannot be installed.
pub fn qemu() -> Result<PathBuf> {
    if which("qemu-system-arm").is_none() {
        apt_install(&["qemu-system-arm"])?;
    }
    which("qemu-system-arm").context("qemu-system-arm is missing: install QEMU for ARM systems")
}
