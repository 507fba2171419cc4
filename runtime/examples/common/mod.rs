//! What the programs of the course share: their options, and where their data come from.

// Each program is built with its own copy and uses a part of it.
#![allow(dead_code)]

use gradling::data::mnist::{self, Mnist, Source};
use gradling::data::{cifar10, fashion_mnist};
use gradling::rng::Rng;
use gradling::{Result, Tensor, misuse};
use std::path::{Path, PathBuf};

const USAGE: &str = "options:
  --epochs N    passes over the data, instead of the course's number
  --short       fewer passes and fewer data: what the tests run
  --data PATH   where the data lie, else GRADLING_DATA
  --out FOLDER  where files are written, else target/course";

/// What the command line says.
pub struct Options {
    pub epochs: Option<usize>,
    pub short: bool,
    pub data: Option<PathBuf>,
    pub out: PathBuf,
}

impl Options {
    pub fn parse() -> Result<Options> {
        let out = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/course").into();
        let data = std::env::var_os("GRADLING_DATA").map(PathBuf::from);
        let mut options = Options { epochs: None, short: false, data, out };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| misuse!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--epochs" => {
                    let number = value()?;
                    let read = number.parse().map_err(|_| misuse!("--epochs: {number} is no number"))?;
                    options.epochs = Some(read);
                }
                "--short" => options.short = true,
                "--data" => options.data = Some(value()?.into()),
                "--out" => options.out = value()?.into(),
                _ => return Err(misuse!("{word} is unknown\n{USAGE}")),
            }
        }
        std::fs::create_dir_all(&options.out)?;
        Ok(options)
    }

    /// The course's number of epochs, or that of a short run, or what `--epochs` says.
    pub fn epochs(&self, course: usize, short: usize) -> usize {
        self.epochs.unwrap_or(if self.short { short } else { course })
    }

    /// A file of the folder for results, whose name is printed.
    pub fn file(&self, name: &str) -> PathBuf {
        let path = self.out.join(name);
        println!("file {}", path.display());
        path
    }

    /// The file or folder `name` in the data folder, or the data path itself when that is its name.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let data = self.data.as_ref()?;
        let whole = Some(data.clone()).filter(|path| path.ends_with(name));
        whole.or_else(|| Some(data.join(name))).filter(|path| path.exists())
    }
}

/// Training and test data.
pub struct Data {
    pub x_train: Tensor,
    pub y_train: Tensor,
    pub x_test: Tensor,
    pub y_test: Tensor,
}

impl Data {
    /// Pictures of bytes as numbers from 0 to 1, at most `train` and `test` of them.
    fn of_bytes(data: [&Tensor; 4], train: usize, test: usize) -> Result<Data> {
        let first = |t: &Tensor, n: usize| t.rows(0..t.shape().dim(0).min(n));
        Ok(Data {
            x_train: mnist::scaled(&first(data[0], train)?)?,
            y_train: first(data[1], train)?,
            x_test: mnist::scaled(&first(data[2], test)?)?,
            y_test: first(data[3], test)?,
        })
    }
}

/// MNIST, scaled to 0 to 1: from the data folder, else the embedded subset.
pub fn mnist(options: &Options) -> Result<Data> {
    let folder = options.data.as_ref().filter(|folder| has_mnist(folder));
    let digits = match folder {
        Some(folder) => mnist::load(&Source::Folder(folder.clone()))?,
        None => {
            println!("MNIST: the embedded subset of 7,000 pictures; name a folder with the four files by --data");
            mnist::load(&Source::Subset)?
        }
    };
    let (train, test) = if options.short { (6_000, 1_000) } else { (60_000, 10_000) };
    let Mnist { train_x, train_y, test_x, test_y } = &digits;
    Data::of_bytes([train_x, train_y, test_x, test_y], train, test)
}

fn has_mnist(folder: &Path) -> bool {
    mnist::FILES.iter().all(|file| mnist::find(folder, file.name).is_some())
}

/// Fashion-MNIST, scaled to 0 to 1, from the folder `fashion-mnist` in the data folder or the data folder itself.
pub fn fashion(options: &Options) -> Result<Data> {
    let named = options.find("fashion-mnist").filter(|folder| has_mnist(folder));
    match named {
        Some(folder) => {
            let (train, test) = if options.short { (6_000, 1_000) } else { (60_000, 10_000) };
            let Mnist { train_x, train_y, test_x, test_y } = &fashion_mnist::load(folder)?;
            Data::of_bytes([train_x, train_y, test_x, test_y], train, test)
        }
        None => synthetic(
            options,
            "Fashion-MNIST",
            "the four files of github.com/zalandoresearch/fashion-mnist in a folder fashion-mnist",
            &[28, 28],
        ),
    }
}

/// CIFAR-10, scaled to 0 to 1, from the batch files or their archive.
pub fn cifar10(options: &Options) -> Result<Data> {
    let names = ["cifar-10-batches-bin", "cifar-10-binary.tar.gz", "cifar-10-binary-small.tar.gz"];
    let batches = |folder: &PathBuf| folder.join("test_batch.bin").is_file() || folder.is_file();
    let given = options.data.clone().filter(batches);
    match names.iter().find_map(|name| options.find(name)).or(given) {
        Some(path) => {
            let cifar10::Cifar10 { train_x, train_y, test_x, test_y } = &cifar10::load(path)?;
            let (train, test) = if options.short { (256, 64) } else { (50_000, 10_000) };
            Data::of_bytes([train_x, train_y, test_x, test_y], train, test)
        }
        None => synthetic(
            options,
            "CIFAR-10",
            "cifar-10-binary.tar.gz of www.cs.toronto.edu/~kriz/cifar.html, packed or unpacked",
            &[32, 32, 3],
        ),
    }
}

/// For `--short` without data: ten classes of pictures, each a pattern under noise.
fn synthetic(options: &Options, name: &str, where_from: &str, sample: &[usize]) -> Result<Data> {
    if !options.short {
        return Err(misuse!("{name}: expected {where_from}; name the folder by --data or GRADLING_DATA"));
    }
    println!("{name}: no data; this short run is on synthetic pictures. For real ones: {where_from}, by --data");
    let mut rng = Rng::new(10);
    let size: usize = sample.iter().product();
    let patterns: Vec<f32> = (0..10 * size).map(|_| rng.uniform()).collect();
    let mut draw = |n: usize| -> Result<(Tensor, Tensor)> {
        let labels: Vec<i32> = (0..n as i32).map(|i| i % 10).collect();
        let pattern = |&l: &i32| patterns[l as usize * size..][..size].iter();
        let pixels = labels.iter().flat_map(pattern).map(|p| 0.6 * p + 0.4 * rng.uniform()).collect::<Vec<_>>();
        let dims = [&[n], sample].concat();
        Ok((Tensor::new(&dims, pixels)?, Tensor::new(&[n], labels)?))
    };
    let ((x_train, y_train), (x_test, y_test)) = (draw(256)?, draw(64)?);
    Ok(Data { x_train, y_train, x_test, y_test })
}
