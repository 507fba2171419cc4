//! What the programs of the course share: their options, and where their data come from.

// Each program is built with its own copy and uses a part of it.
#![allow(dead_code)]

use gradling::data::mnist::{self, Mnist, Source};
use gradling::data::stock::{self, Stock};
use gradling::data::{cifar10, fashion_mnist};
use gradling::nn::{Fit, Loss, Metric, Mode, Model, ModelCheckpoint, Optimizer, Verbose};
use gradling::rng::Rng;
use gradling::{Result, Tensor, misuse, plot};
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
            let mut value = || words.next().ok_or_else(|| misuse!("{word} needs a value"));
            match word.as_str() {
                "--epochs" => {
                    let number = value()?;
                    let read = number.parse().map_err(|_| misuse!("--epochs: {number} is no number"))?;
                    options.epochs = Some(read);
                }
                "--short" => options.short = true,
                "--data" => options.data = Some(value()?.into()),
                "--out" => options.out = value()?.into(),
                _ => {
                    eprintln!("{USAGE}");
                    return Err(misuse!("{word} is none of the options"));
                }
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
            println!(
                "MNIST: the embedded subset of 7,000 pictures; name a folder with the four files by --data"
            );
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

/// Fashion-MNIST, scaled to 0 to 1, from the folder `fashion-mnist`: the data path, or in the data folder.
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
            (&[28, 28], 256),
        ),
    }
}

/// CIFAR-10, scaled to 0 to 1, from the batch files or their archive; with `--short` the first `short` pictures.
pub fn cifar10(options: &Options, short: usize) -> Result<Data> {
    let names = ["cifar-10-batches-bin", "cifar-10-binary.tar.gz", "cifar-10-binary-small.tar.gz"];
    let batches = |folder: &PathBuf| folder.join("test_batch.bin").is_file() || folder.is_file();
    let given = options.data.clone().filter(batches);
    match names.iter().find_map(|name| options.find(name)).or(given) {
        Some(path) => {
            let cifar10::Cifar10 { train_x, train_y, test_x, test_y } = &cifar10::load(path)?;
            let (train, test) = if options.short { (short, short / 4) } else { (50_000, 10_000) };
            Data::of_bytes([train_x, train_y, test_x, test_y], train, test)
        }
        None => synthetic(
            options,
            "CIFAR-10",
            "cifar-10-binary.tar.gz of www.cs.toronto.edu/~kriz/cifar.html, packed or unpacked",
            (&[32, 32, 3], short),
        ),
    }
}

/// Opening prices of a share: from SH600519.csv or another file with columns `date` and `open`, else a random walk.
/// With `--short` the last 1,000 days.
pub fn stock(options: &Options) -> Result<Stock> {
    let given = options.data.clone().filter(|path| path.is_file());
    let mut stock = match options.find("SH600519.csv").or(given) {
        Some(path) => stock::load(path, "open")?,
        None => {
            println!("share: no SH600519.csv in a data folder; this is a random walk that the program makes");
            let (mut rng, mut price) = (Rng::new(600_519), 100.0);
            let mut next = || {
                price *= 1.0005 + 0.02 * rng.normal();
                price
            };
            let prices: Vec<f32> = (0..2426).map(|_| next()).collect();
            let dates = (0..2426).map(|day| format!("day {day}")).collect();
            Stock { dates, values: Tensor::new(&[2426, 1], prices)? }
        }
    };
    let days = stock.dates.len();
    if options.short && days > 1_000 {
        stock.values = stock.values.rows(days - 1_000..days)?;
        stock.dates.drain(..days - 1_000);
    }
    Ok(stock)
}

/// For `--short` without data: ten classes of pictures, each a pattern under noise.
fn synthetic(
    options: &Options,
    name: &str,
    where_from: &str,
    (sample, train): (&[usize], usize),
) -> Result<Data> {
    if !options.short {
        return Err(misuse!(
            "{name}: no data; expected {where_from}, in the folder that --data or GRADLING_DATA names"
        ));
    }
    println!(
        "{name}: no data; this short run is on synthetic pictures. For real ones: {where_from}, by --data"
    );
    let mut rng = Rng::new(10);
    let size: usize = sample.iter().product();
    let patterns: Vec<f32> = (0..10 * size).map(|_| rng.uniform()).collect();
    let mut draw = |n: usize| -> Result<(Tensor, Tensor)> {
        let labels: Vec<i32> = (0..n as i32).map(|i| i % 10).collect();
        let pattern = |&l: &i32| patterns[l as usize * size..][..size].iter();
        let pixels =
            labels.iter().flat_map(pattern).map(|p| 0.6 * p + 0.4 * rng.uniform()).collect::<Vec<_>>();
        let dims = [&[n], sample].concat();
        Ok((Tensor::new(&dims, pixels)?, Tensor::new(&[n], labels)?))
    };
    let ((x_train, y_train), (x_test, y_test)) = (draw(train)?, draw(64)?);
    Ok(Data { x_train, y_train, x_test, y_test })
}

/// What all programs of chapter 5 do with their model: compile, go on from a checkpoint, fit, print and plot.
pub fn train(options: &Options, mut model: Model, data: Data, name: &str) -> Result<()> {
    model.compile(
        Optimizer::adam(),
        Loss::SparseCategoricalCrossentropy { from_logits: false },
        &[Metric::SparseCategoricalAccuracy],
    )?;

    let checkpoint = options.file(&format!("{name}.weights"));
    if checkpoint.exists() {
        println!("load the model");
        model.load_weights(&checkpoint)?;
    }
    let save =
        ModelCheckpoint::new(&checkpoint).save_weights_only(true).save_best_only("val_loss", Mode::Min);
    let mut fit = Fit {
        batch_size: 32,
        epochs: options.epochs(5, 3),
        validation: Some((data.x_test.into(), data.y_test.into())),
        callbacks: vec![Box::new(save)],
        verbose: Verbose::Bar,
        ..Fit::default()
    };
    let history = model.fit(&data.x_train, &data.y_train, &mut fit)?;

    println!("{}", model.summary());
    println!("loss {:?}", history.get("loss"));
    println!("validation accuracy {:?}", history.get("val_sparse_categorical_accuracy"));
    plot::history(&history).save(options.file(&format!("{name}.png")))
}
