//! Where the command takes MNIST from.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gradling::Result;
use gradling::data::download::Download;
use gradling::data::mnist::{self, FILES, Mnist, Source};

use crate::output::note;

/// MNIST from `folder`, else from the folder that the environment variable `GRADLING_DATA` names, else from the cache
/// (downloaded on first use if `download`), else the embedded subset, which a line on standard error tells.
pub fn load(folder: Option<&Path>, download: bool) -> Result<Mnist> {
    if let Some(folder) = folder.map(PathBuf::from).or_else(|| variable("GRADLING_DATA")) {
        return mnist::load(&Source::Folder(folder));
    }
    let reason = match cache_folder().map(Download::new) {
        Some(source) if source.is_filled(&FILES) => return mnist::load(&Source::Download(source)),
        Some(source) if download => match source.fill(&FILES) {
            Ok(()) => return mnist::load(&Source::Download(source)),
            Err(error) => error.to_string(),
        },
        Some(source) => format!("MNIST is not in {}", source.cache.display()),
        None => "there is no folder to keep downloads in".to_string(),
    };
    note(&format!(
        "note: using the embedded subset of MNIST (6,000 + 1,000 pictures; --data DIR gives all): {reason}"
    ));
    mnist::load(&Source::Subset)
}

/// The folder for files that can be had again, by the customs of the system.
fn cache_folder() -> Option<PathBuf> {
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Caches"))
    } else {
        variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("gradling").join("mnist"))
}

/// The path in an environment variable that is set and not empty.
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from)
}
