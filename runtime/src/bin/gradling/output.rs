//! Standard output and standard error without panics.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use gradling::{Error, Result, misuse};

/// Why a command ends early.
pub enum Failure {
    /// The reader of standard output went away.
    Closed,
    /// Everything else.
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Error(error)
    }
}

/// Writes `line` and a line feed to standard output at once.
pub fn say(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::Error(Error::Device(format!("standard output: {error}"))),
    })
}

/// Writes `line` and a line feed to standard error, if anybody reads it.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Checks that a file can be made at `path`, before hours of work are to end in it.
///
/// **Errors**: the folder does not exist, or `path` is a folder.
pub fn check_target(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(misuse!("{}: the folder {} does not exist", path.display(), folder.display()));
    }
    if path.is_dir() {
        return Err(misuse!("{}: expected the name of a file, got a folder", path.display()));
    }
    Ok(())
}
