//! Writing files so that a crash at any instant leaves the old or the new content, whole.

use crate::{Result, device_error};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::string::ToString;

/// Replaces the file at `path`: writes a temporary file beside it, flushes it to the disk, renames it over the
/// old one, and flushes the folder.
///
/// **Errors** when the folder cannot be written; the old file is then untouched.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = temporary_name(path)?;
    let fail = |what: &str, e: std::io::Error| device_error!("cannot {what} {}: {e}", path.display());
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()
    })();
    if let Err(e) = written.and_then(|()| fs::rename(&temporary, path)) {
        // The temporary file is of no use to anyone; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&temporary);
        return Err(fail("write", e));
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Folders cannot be opened for flushing on every system; where they can, the rename is made durable.
    if let Ok(folder) = File::open(folder) {
        folder.sync_all().map_err(|e| fail("flush the folder of", e))?;
    }
    Ok(())
}

/// A name beside `path` that no other process and no other call uses.
fn temporary_name(path: &Path) -> Result<PathBuf> {
    use core::sync::atomic::{AtomicU32, Ordering};
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().ok_or_else(|| device_error!("{} names no file", path.display()))?;
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let suffix = std::format!(".{}.{call}.tmp", std::process::id());
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(suffix);
    Ok(path.with_file_name(hidden))
}

/// Reads a whole file.
///
/// **Errors** with the path.
pub fn read(path: &Path) -> Result<std::vec::Vec<u8>> {
    fs::read(path).map_err(|e| device_error!("cannot read {}: {}", path.display(), e.to_string()))
}
