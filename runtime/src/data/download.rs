//! Fills a cache folder with the files of a data set, from mirrors, on first use (feature `cli`).

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::time::Duration;
use std::vec::Vec;
use std::{format, process};

use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use ureq::Agent;

use crate::{Result, device_error, format_error};

use super::mnist::{self, MnistFile};

/// Where the files of MNIST are kept on the network; a file's address is the mirror, its name and `.gz`.
pub const MIRRORS: [&str; 2] =
    ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"];

/// A cache folder and how to fill it.
#[derive(Clone, Debug)]
pub struct Download {
    /// The folder that keeps the files; made when missing.
    pub cache: PathBuf,
    /// Addresses that end in `/`, tried in this order.
    pub mirrors: Vec<String>,
    /// How long to wait for a name to resolve and for a connection, each.
    pub connect_timeout: Duration,
    /// Whether to draw a progress bar on standard error.
    pub progress: bool,
}

impl Download {
    /// MNIST in `cache`, filled from [`MIRRORS`]; 5 seconds to connect, with a progress bar.
    pub fn new(cache: PathBuf) -> Download {
        Download {
            cache,
            mirrors: MIRRORS.iter().map(ToString::to_string).collect(),
            connect_timeout: Duration::from_secs(5),
            progress: true,
        }
    }

    /// Whether the cache has all of `files`.
    pub fn is_filled(&self, files: &[MnistFile]) -> bool {
        files.iter().all(|file| mnist::find(&self.cache, file.name).is_some())
    }

    /// Downloads those of `files` that the cache lacks. A file enters the cache whole and with the right checksum or
    /// not at all.
    ///
    /// **Errors**: no mirror gave the file (each mirror's failure is told), a cache that cannot be written.
    pub fn fill(&self, files: &[MnistFile]) -> Result<()> {
        for file in files {
            if mnist::find(&self.cache, file.name).is_none() {
                let bytes = self.fetch(file)?;
                let path = self.cache.join(format!("{}.gz", file.name));
                replace(&path, &bytes).map_err(|e| device_error!("cannot write {}: {e}", path.display()))?;
            }
        }
        Ok(())
    }

    fn fetch(&self, file: &MnistFile) -> Result<Vec<u8>> {
        let agent: Agent = Agent::config_builder()
            .timeout_resolve(Some(self.connect_timeout))
            .timeout_connect(Some(self.connect_timeout))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .timeout_recv_body(Some(Duration::from_secs(900)))
            .user_agent(concat!("gradling/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let mut failures: Vec<String> = Vec::new();
        for mirror in &self.mirrors {
            let address = format!("{mirror}{}.gz", file.name);
            match self.get(&agent, &address, file).and_then(|bytes| verify(&bytes, file).map(|()| bytes)) {
                Ok(bytes) => return Ok(bytes),
                Err(error) => failures.push(format!("{address}: {error}")),
            }
        }
        Err(device_error!(
            "{}.gz is not in {} and could not be downloaded; give a folder that has it: {}",
            file.name,
            self.cache.display(),
            failures.join("; ")
        ))
    }

    /// The body at `address`, which may not be larger than `file` decompressed.
    fn get(&self, agent: &Agent, address: &str, file: &MnistFile) -> Result<Vec<u8>> {
        let response = agent.get(address).call().map_err(|e| device_error!("{e}"))?;
        let length = response.body().content_length();
        let bar = if self.progress {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}");
            ProgressBar::new(length.unwrap_or(0))
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_message(file.name)
        } else {
            ProgressBar::hidden()
        };
        // Stored blocks make a gzip file a little larger than its content.
        let limit = file.bytes as u64 + file.bytes as u64 / 1000 + 1024;
        let mut bytes = Vec::new();
        let received =
            bar.wrap_read(response.into_body().into_reader().take(limit + 1)).read_to_end(&mut bytes);
        bar.finish_and_clear();
        received.map_err(|e| device_error!("broken off after {} bytes: {e}", bytes.len()))?;
        if bytes.len() as u64 > limit {
            return Err(format_error!("expected at most {limit} bytes, got more"));
        }
        Ok(bytes)
    }
}

/// Whether `bytes`, gzip-compressed or not, are the content of `file`.
fn verify(bytes: &[u8], file: &MnistFile) -> Result<()> {
    let mut content = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        MultiGzDecoder::new(bytes)
            .take(file.bytes as u64 + 1)
            .read_to_end(&mut content)
            .map_err(|e| format_error!("broken gzip after {} bytes: {e}", content.len()))?;
    } else {
        content.extend_from_slice(bytes);
    }
    let got: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    if got != file.sha256 {
        return Err(format_error!("wrong checksum: expected SHA-256 {}, got {got}", file.sha256));
    }
    Ok(())
}

/// Writes `bytes` to a temporary file beside `path` and moves it there.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension(format!("{}.tmp", process::id()));
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}
