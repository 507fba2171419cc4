//! Folders and archives of pictures: with a list of labels, or a folder for each class.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::time::UNIX_EPOCH;
use std::vec::Vec;
use std::{format, vec};

use crate::io::atomic;
use crate::rng::Rng;
use crate::{Error, Result, Tensor, device_error, format_error, misuse};

use super::image::Decode;
use super::{Dataset, archive, npy};

/// A line `name label` of a list.
struct Labelled {
    name: String,
    label: i32,
}

/// Reads the pictures that the text file `list` names, one `name label` a line, from `folder`.
///
/// With `cache`, a path without its ending, the result is kept as `<cache>-<key>-x.npy` and `<cache>-<key>-y.npy`;
/// the key changes with the list, with `how` and with the sizes and times of the pictures, so a cache is never
/// stale and its two files always belong together.
///
/// **Shape**: pictures `U8 [samples, height, width, channels]`, labels `I32 [samples]`.
///
/// **Errors**: a line that is not `name label`, no line, a picture that cannot be read, pictures of different sizes
/// where `how` gives none. Errors name the list and its line, or the picture.
pub fn read_labelled(
    folder: &Path,
    list: &Path,
    how: Decode,
    cache: Option<&Path>,
) -> Result<(Tensor, Tensor)> {
    let text = atomic::read(list)?;
    let lines = parse_list(&text).map_err(|error| error.within(&list.to_string_lossy()))?;
    let make = || {
        let pictures = lines.iter().map(|line| {
            let path = folder.join(&line.name);
            Ok((path.to_string_lossy().into_owned(), how.read(&path)?))
        });
        join(pictures, &lines)
    };
    let Some(cache) = cache else { return make() };
    let mut key = crc32fast::Hasher::new();
    key.update(&text);
    key.update(format!("{how:?}").as_bytes());
    for line in &lines {
        key.update(stamp(&folder.join(&line.name))?.as_bytes());
    }
    cached(cache, key.finalize(), make)
}

/// As [`read_labelled`], from a `.tar` or `.tar.gz` that has the pictures and the file `list`; it is read without
/// unpacking it to the disk.
///
/// **Errors**: as [`read_labelled`], a damaged archive, a picture of the list that is not in it.
pub fn read_labelled_archive(
    path: &Path,
    list: &str,
    how: Decode,
    cache: Option<&Path>,
) -> Result<(Tensor, Tensor)> {
    /// Longest list and largest picture that are read.
    const MAX_BYTES: u64 = 1 << 28;
    let make = || {
        let mut text = None;
        archive::read(path, |entry| {
            if entry.name == list {
                text = Some(entry.read(MAX_BYTES)?);
            }
            Ok(text.is_none())
        })?;
        let named = |error: Error| error.within(list).within(&path.to_string_lossy());
        let text = text.ok_or_else(|| misuse!("{}: no file {list} in the archive", path.display()))?;
        let lines = parse_list(&text).map_err(named)?;
        let places: BTreeMap<&str, usize> =
            lines.iter().enumerate().map(|(i, line)| (line.name.as_str(), i)).collect();
        let mut pictures: Vec<Option<Tensor>> = vec![None; lines.len()];
        archive::read(path, |entry| {
            if let Some(&at) = places.get(entry.name.as_str()) {
                let bytes = entry.read(MAX_BYTES)?;
                pictures[at] = Some(how.parse(&bytes).map_err(|error| error.within(&entry.name))?);
            }
            Ok(true)
        })?;
        let pictures = pictures.into_iter().zip(&lines).map(|(picture, line)| {
            let missing = || misuse!("{}: no picture {} in the archive", path.display(), line.name);
            Ok((line.name.clone(), picture.ok_or_else(missing)?))
        });
        join(pictures, &lines)
    };
    let Some(cache) = cache else { return make() };
    cached(cache, crc32fast::hash(format!("{}{list}{how:?}", stamp(path)?).as_bytes()), make)
}

/// The pair of array files at `stem` with `key` in their names; it is made where it is missing or damaged.
fn cached(
    stem: &Path,
    key: u32,
    make: impl FnOnce() -> Result<(Tensor, Tensor)>,
) -> Result<(Tensor, Tensor)> {
    let name = stem.file_name().ok_or_else(|| misuse!("cache: {} names no file", stem.display()))?;
    let file = |end: &str| stem.with_file_name(format!("{}-{key:08x}-{end}.npy", name.to_string_lossy()));
    let (x_file, y_file) = (file("x"), file("y"));
    if let (Ok(x), Ok(y)) = (npy::read(&x_file), npy::read(&y_file)) {
        let fits = x.shape().rank() == 4 && y.shape().rank() == 1 && x.shape().dim(0) == y.numel();
        if fits && x.as_u8().is_ok() && y.as_i32().is_ok() {
            return Ok((x, y));
        }
    }
    let (x, y) = make()?;
    npy::write(&x_file, &x)?;
    npy::write(&y_file, &y)?;
    Ok((x, y))
}

/// Path, size and time of a file, which change when the file does.
fn stamp(path: &Path) -> Result<String> {
    let meta = fs::metadata(path).map_err(|e| device_error!("cannot read {}: {e}", path.display()))?;
    let time = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok(format!("{} {} {time:?}\n", path.display(), meta.len()))
}

fn parse_list(text: &[u8]) -> Result<Vec<Labelled>> {
    let text = std::str::from_utf8(text).map_err(|_| format_error!("expected UTF-8 text"))?;
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty()).map(|(at, line)| {
        // The name may have blanks in it.
        let parts = line.trim().rsplit_once(char::is_whitespace);
        let read = |(name, label): (&str, &str)| {
            Some(Labelled { name: name.trim_end().to_string(), label: label.parse().ok()? })
        };
        parts.and_then(read).ok_or_else(|| {
            format_error!(
                "line {}: expected the name of a picture, a blank and a whole number, got {line:?}",
                at + 1
            )
        })
    });
    let lines: Vec<Labelled> = lines.collect::<Result<_>>()?;
    if lines.is_empty() {
        return Err(format_error!("expected lines `name label`, got none"));
    }
    Ok(lines)
}

/// Pictures, with their names, as one tensor, and their labels.
fn join(
    pictures: impl Iterator<Item = Result<(String, Tensor)>>,
    lines: &[Labelled],
) -> Result<(Tensor, Tensor)> {
    let mut all = Vec::new();
    let mut first: Option<(String, crate::Shape)> = None;
    for item in pictures {
        let (name, picture) = item?;
        let (expected_by, shape) = first.get_or_insert_with(|| {
            all.reserve(lines.len().saturating_mul(picture.numel()).min(1 << 30));
            (name.clone(), *picture.shape())
        });
        if picture.shape() != shape {
            return Err(format_error!(
                "{name}: expected {} x {} pixels as in {expected_by}, got {} x {}; give a size to bring pictures to",
                shape.dim(0),
                shape.dim(1),
                picture.shape().dim(0),
                picture.shape().dim(1)
            ));
        }
        all.extend_from_slice(picture.as_u8()?);
    }
    let (_, shape) = first.ok_or_else(|| misuse!("expected at least one picture"))?;
    let mut dims = vec![lines.len()];
    dims.extend_from_slice(&shape.list());
    let labels: Vec<i32> = lines.iter().map(|line| line.label).collect();
    Ok((Tensor::new(&dims, all)?, Tensor::new(&[labels.len()], labels)?))
}

/// How [`image_dataset_from_directory`] goes about it.
#[derive(Clone, Debug)]
pub struct FromDirectory {
    /// Height and width to bring pictures to, and colours; without a size all must have one.
    pub decode: Decode,
    /// Pictures in a batch.
    pub batch_size: usize,
    /// Whether pictures come in random order, another one every iteration.
    pub shuffle: bool,
    /// Seed of the order and of the split.
    pub seed: u64,
    /// Which part of the pictures.
    pub part: Part,
}

/// A part of a folder's pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Part {
    /// All pictures.
    #[default]
    All,
    /// All but a share, in 0 to 1, that is kept for validation.
    Training(f32),
    /// The share that `Training` leaves, with the same seed.
    Validation(f32),
}

impl Default for FromDirectory {
    /// Batches of 32 shuffled colour pictures of 256x256, all of them, as Keras has it.
    fn default() -> FromDirectory {
        FromDirectory {
            decode: Decode { size: Some([256, 256]), ..Decode::default() },
            batch_size: 32,
            shuffle: true,
            seed: 0,
            part: Part::All,
        }
    }
}

/// The pictures (`.png`, `.jpg`, `.jpeg`) in the folders of `folder`, each of which is a class, and the names of
/// the classes in the order of their labels, which is that of the alphabet. Pictures are read while iterating.
///
/// **Shape**: `F32 [batch, height, width, channels]` from 0 to 255 and labels `I32 [batch]`.
///
/// **Errors**: no folder or no picture in it, a share outside 0 to 1; at iteration a picture that cannot be read.
/// Errors name the file.
///
/// Reference: `keras.utils.image_dataset_from_directory`.
pub fn image_dataset_from_directory(
    folder: impl AsRef<Path>,
    how: &FromDirectory,
) -> Result<(Dataset, Vec<String>)> {
    let folder = folder.as_ref();
    let classes: Vec<PathBuf> = entries(folder)?.into_iter().filter(|path| path.is_dir()).collect();
    let mut files: Vec<(PathBuf, i32)> = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let pictures = entries(class)?.into_iter().filter(|path| is_picture(path));
        files.extend(pictures.map(|path| (path, label as i32)));
    }
    let share = match how.part {
        Part::All => 0.0,
        Part::Training(share) | Part::Validation(share) => share,
    };
    if !(0.0..=1.0).contains(&share) {
        return Err(misuse!(
            "image_dataset_from_directory: expected a share for validation in 0 to 1, got {share}"
        ));
    }
    // One order for both parts, so that they never share a picture.
    if how.part != Part::All || how.shuffle {
        Rng::new(how.seed).shuffle(&mut files);
    }
    let kept = files.len() - (files.len() as f32 * share) as usize;
    match how.part {
        Part::All => {}
        Part::Training(_) => files.truncate(kept),
        Part::Validation(_) => drop(files.drain(..kept)),
    }
    if files.is_empty() {
        return Err(misuse!(
            "{}: expected a folder for each class with .png, .jpg or .jpeg files, found no picture for this part",
            folder.display()
        ));
    }
    let names = classes
        .iter()
        .map(|class| class.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()));
    let (count, decode) = (files.len(), how.decode);
    let index: Vec<i32> = (0..count as i32).collect();
    let mut dataset = Dataset::from_tensor_slices(Tensor::new(&[count], index)?);
    if how.shuffle {
        dataset = dataset.shuffle(count, how.seed);
    }
    let dataset = dataset.map(move |element| {
        let at = element.first().and_then(|index| index.as_i32().ok()?.first().copied()).unwrap_or(0);
        let (path, label) = &files[at as usize];
        Ok(vec![decode.read(path)?.to_f32(), Tensor::scalar_i32(*label)])
    });
    Ok((dataset.batch(how.batch_size, false), names.collect()))
}

/// What is in a folder, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let fail = |e: std::io::Error| device_error!("cannot read the folder {}: {e}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        paths.push(entry.map_err(fail)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn is_picture(path: &Path) -> bool {
    let end = path.extension().map(|end| end.to_string_lossy().to_ascii_lowercase());
    matches!(end.as_deref(), Some("png" | "jpg" | "jpeg")) && path.is_file()
}
