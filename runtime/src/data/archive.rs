//! The entries of a tar archive, compressed by gzip or not, one after another and without unpacking.
//!
//! Reference: POSIX.1-2017, `pax`, ustar interchange format; long names also in GNU's form.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::string::{String, ToString};
use std::vec::Vec;

use flate2::read::MultiGzDecoder;

use crate::{Result, device_error, format_error};

const BLOCK: usize = 512;
/// Longest name or extended header that is read.
const MAX_META: u64 = 1 << 20;

/// A file in an archive.
pub struct Entry<'a> {
    /// Its path in the archive.
    pub name: String,
    /// Its size in bytes, as promised.
    pub size: u64,
    source: io::Take<&'a mut dyn Read>,
}

impl Entry<'_> {
    /// The content.
    ///
    /// **Errors**: a size above `limit`, an archive that ends before.
    pub fn read(&mut self, limit: u64) -> Result<Vec<u8>> {
        if self.size > limit {
            return Err(format_error!("{}: expected at most {limit} bytes, got {}", self.name, self.size));
        }
        let mut bytes = Vec::new();
        self.source.read_to_end(&mut bytes).map_err(|e| format_error!("{}: {e}", self.name))?;
        if (bytes.len() as u64) < self.size {
            return Err(format_error!(
                "truncated: {} has {} bytes, the archive ends after {}",
                self.name,
                self.size,
                bytes.len()
            ));
        }
        Ok(bytes)
    }
}

/// Gives each plain file of the archive at `path` to `visit`, in order, until it returns false.
///
/// **Errors**: those of `visit`, a file that cannot be read, a damaged archive. Errors name the archive.
pub fn read(path: &Path, visit: impl FnMut(&mut Entry) -> Result<bool>) -> Result<()> {
    let file = File::open(path).map_err(|e| device_error!("cannot read {}: {e}", path.display()))?;
    walk(BufReader::new(file), visit).map_err(|error| error.within(&path.to_string_lossy()))
}

/// As [`read`], of the bytes of an archive.
pub fn parse(bytes: &[u8], visit: impl FnMut(&mut Entry) -> Result<bool>) -> Result<()> {
    walk(bytes, visit)
}

fn walk(mut source: impl Read, visit: impl FnMut(&mut Entry) -> Result<bool>) -> Result<()> {
    let mut magic = Vec::new();
    source.by_ref().take(2).read_to_end(&mut magic).map_err(|e| device_error!("{e}"))?;
    let packed = magic == [0x1f, 0x8b];
    let whole = io::Cursor::new(magic).chain(source);
    if packed { entries(MultiGzDecoder::new(whole), visit) } else { entries(whole, visit) }
}

fn entries(mut source: impl Read, mut visit: impl FnMut(&mut Entry) -> Result<bool>) -> Result<()> {
    let mut long_name: Option<String> = None;
    let mut long_size: Option<u64> = None;
    loop {
        let mut block = [0; BLOCK];
        source.read_exact(&mut block).map_err(|e| format_error!("truncated or damaged archive: {e}"))?;
        if block.iter().all(|&b| b == 0) {
            return Ok(());
        }
        let stored = octal(&block[148..156]);
        let sum: u64 = block.iter().map(|&b| u64::from(b)).sum::<u64>()
            - block[148..156].iter().map(|&b| u64::from(b)).sum::<u64>()
            + 8 * u64::from(b' ');
        if stored != Some(sum) {
            return Err(format_error!("no tar archive, or a damaged one: the checksum of a header is wrong"));
        }
        let kind = block[156];
        let meta = matches!(kind, b'x' | b'g' | b'L' | b'K');
        let size = match long_size.filter(|_| !meta) {
            Some(size) => size,
            None => octal(&block[124..136])
                .ok_or_else(|| format_error!("a header of the archive has no size that can be read"))?,
        };
        let mut entry =
            Entry { name: String::new(), size, source: (&mut source as &mut dyn Read).take(size) };
        match kind {
            b'L' => {
                let bytes = entry.read(MAX_META)?;
                long_name = Some(text(&bytes));
            }
            b'x' => {
                let bytes = entry.read(MAX_META)?;
                for (key, value) in records(&bytes) {
                    match key {
                        "path" => long_name = Some(value.to_string()),
                        "size" => long_size = value.parse().ok(),
                        _ => {}
                    }
                }
            }
            b'0' | 0 => {
                entry.name = long_name.take().unwrap_or_else(|| short_name(&block));
                long_size = None;
                if !visit(&mut entry)? {
                    return Ok(());
                }
            }
            _ => {
                if !meta {
                    (long_name, long_size) = (None, None);
                }
            }
        }
        // What was not read, and the zeros up to the next block.
        let unread = entry.source.limit();
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        let skip = unread + padding;
        let skipped = io::copy(&mut source.by_ref().take(skip), &mut io::sink())
            .map_err(|e| format_error!("truncated or damaged archive: {e}"))?;
        if skipped < skip {
            return Err(format_error!("truncated archive: {} bytes are missing", skip - skipped));
        }
    }
}

/// A number in octal digits that ends at a blank or zero byte; below 2^53, so that sums of sizes stay in range.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches(|c| c == ' ' || c == '\0');
    u64::from_str_radix(digits, 8).ok().filter(|&n| n < 1 << 53)
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn short_name(block: &[u8; BLOCK]) -> String {
    let (name, prefix) = (text(&block[..100]), text(&block[345..500]));
    if block[257..262] == *b"ustar" && !prefix.is_empty() { std::format!("{prefix}/{name}") } else { name }
}

/// The records `LENGTH KEY=VALUE` of an extended header.
fn records(bytes: &[u8]) -> Vec<(&str, &str)> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once(' ')?.1.split_once('=')).collect()
}
