//! MNIST: 28x28 grey pictures of handwritten digits with their labels, 0 is the paper and 255 the ink.

use alloc::vec::Vec;
use std::path::{Path, PathBuf};
use std::string::String;

use crate::{Result, Tensor, format_error, misuse};

use super::idx;

/// The data set as it lies in its files. Pictures are `U8` of shape `[count, 28, 28]`, labels `U8` of shape `[count]`.
#[derive(Clone, Debug)]
pub struct Mnist {
    /// Training pictures.
    pub train_x: Tensor,
    /// Training labels, 0 to 9.
    pub train_y: Tensor,
    /// Test pictures.
    pub test_x: Tensor,
    /// Test labels, 0 to 9.
    pub test_y: Tensor,
}

/// Where [`load`] takes MNIST from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Source {
    /// A folder with the four files [`FILES`], each plain or with `.gz` at its name's end.
    Folder(PathBuf),
    /// A cache folder that is filled from the network where files are missing.
    #[cfg(feature = "cli")]
    Download(super::download::Download),
    /// The embedded subset of 6,000 training and 1,000 test pictures.
    #[cfg(feature = "mnist-subset")]
    Subset,
}

/// One of the files that MNIST is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MnistFile {
    /// File name, without `.gz`.
    pub name: &'static str,
    /// Size in bytes, decompressed.
    pub bytes: usize,
    /// SHA-256 of the decompressed file, in hexadecimal.
    pub sha256: &'static str,
}

/// The four files of MNIST: training pictures, training labels, test pictures, test labels.
pub const FILES: [MnistFile; 4] = [
    MnistFile {
        name: "train-images-idx3-ubyte",
        bytes: 47_040_016,
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    MnistFile {
        name: "train-labels-idx1-ubyte",
        bytes: 60_008,
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    MnistFile {
        name: "t10k-images-idx3-ubyte",
        bytes: 7_840_016,
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    MnistFile {
        name: "t10k-labels-idx1-ubyte",
        bytes: 10_008,
        sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];

/// Pictures of bytes as float32 from 0 to 1, the shape unchanged.
///
/// **Errors** when the pictures are not of type uint8.
pub fn scaled(pictures: &Tensor) -> Result<Tensor> {
    let pixels: Vec<f32> = pictures.as_u8()?.iter().map(|&p| f32::from(p) / 255.0).collect();
    Tensor::new(&pictures.shape().to_vec(), pixels)
}

/// Loads MNIST.
///
/// **Errors**: a file that is missing, cannot be read or downloaded, is not IDX; pictures that are not 28x28;
/// numbers of pictures and labels that differ; a label above 9. Errors name the file or folder.
pub fn load(source: &Source) -> Result<Mnist> {
    match source {
        Source::Folder(folder) => from_folder("MNIST", folder),
        #[cfg(feature = "cli")]
        Source::Download(download) => {
            download.fill(&FILES)?;
            from_folder("MNIST", &download.cache)
        }
        #[cfg(feature = "mnist-subset")]
        Source::Subset => super::mnist_subset::load(),
    }
}

/// The file `name` or `name.gz` in `folder`, if there is one.
pub fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = folder.join(name);
    if plain.is_file() {
        return Some(plain);
    }
    let mut packed = String::from(name);
    packed.push_str(".gz");
    Some(folder.join(packed)).filter(|path| path.is_file())
}

/// The four files in `folder` of the data set called `name`.
pub(super) fn from_folder(name: &str, folder: &Path) -> Result<Mnist> {
    if !folder.is_dir() {
        return Err(misuse!("{name}: expected a folder, got {}", folder.display()));
    }
    let [train_x, train_y, test_x, test_y] = FILES.map(|file| {
        let path = find(folder, file.name).ok_or_else(|| {
            misuse!("{name}: expected {0} or {0}.gz in {1}, found neither", file.name, folder.display())
        })?;
        idx::read(&path)
    });
    Mnist { train_x: train_x?, train_y: train_y?, test_x: test_x?, test_y: test_y? }
        .check()
        .map_err(|error| error.within(&folder.to_string_lossy()))
}

impl Mnist {
    /// The same, once pictures and labels agree.
    pub(super) fn check(self) -> Result<Mnist> {
        for (half, x, y) in [("training", &self.train_x, &self.train_y), ("test", &self.test_x, &self.test_y)]
        {
            let (pictures, labels) = (x.shape().to_vec(), y.shape().to_vec());
            if pictures.len() != 3 || pictures[1..] != [28, 28] {
                return Err(format_error!(
                    "{half} pictures: expected shape [count, 28, 28], got {pictures:?}"
                ));
            }
            if labels != pictures[..1] {
                return Err(format_error!(
                    "{half} labels: expected shape [{}] for as many pictures, got {labels:?}",
                    pictures[0]
                ));
            }
            if let Some(label) = y.as_u8()?.iter().find(|&&label| label > 9) {
                return Err(format_error!("{half} labels: expected 0 to 9, got {label}"));
            }
        }
        Ok(self)
    }
}
