//! A data set of one's own: a folder of pictures and a text file with a line `picture label` for each.
//!
//! The folder of `--data` has `train.txt`, `train/`, `test.txt` and `test/`; without one, the program makes it.

mod common;

use common::Options;
use gradling::data::folder::read_labelled;
use gradling::data::image::{ColorMode, Decode, encode_png};
use gradling::data::mnist::{self, Source, scaled};
use gradling::nn::{Activation, Dense, Fit, Flatten, Loss, Metric, Optimizer, Sequential, Verbose};
use gradling::{Result, Tensor};
use std::path::Path;

fn main() -> Result<()> {
    let options = Options::parse()?;
    let given = options.data.clone().filter(|data| data.join("train.txt").is_file());
    let folder = given.unwrap_or_else(|| options.out.join("own-data"));
    if !folder.join("train.txt").is_file() {
        println!("no folder with train.txt by --data; the program makes {}", folder.display());
        let digits = mnist::load(&Source::Subset)?;
        let count = if options.short { (1_000, 200) } else { (6_000, 1_000) };
        make(&folder, "train", &digits.train_x.rows(0..count.0)?, &digits.train_y)?;
        make(&folder, "test", &digits.test_x.rows(0..count.1)?, &digits.test_y)?;
    }

    let how = Decode { color_mode: ColorMode::Grayscale, ..Decode::default() };
    let read = |part: &str| {
        let (list, cache) = (folder.join(format!("{part}.txt")), folder.join(part));
        read_labelled(&folder.join(part), &list, how, Some(&cache))
    };
    let (x_train, y_train) = read("train")?;
    let (x_test, y_test) = read("test")?;
    println!("training pictures {}, test pictures {}", x_train.shape(), x_test.shape());
    let (x_train, x_test) = (scaled(&x_train)?, scaled(&x_test)?);

    let mut model = Sequential::new()
        .add(Flatten::new())
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    model.compile(
        Optimizer::adam(),
        Loss::SparseCategoricalCrossentropy { from_logits: false },
        &[Metric::SparseCategoricalAccuracy],
    )?;
    let mut fit = Fit {
        batch_size: 32,
        epochs: options.epochs(5, 5),
        validation: Some((x_test.into(), y_test.into())),
        verbose: Verbose::Bar,
        ..Fit::default()
    };
    let history = model.fit(&x_train, &y_train, &mut fit)?;
    println!("{}", model.summary());
    let last = |name| history.last(name).unwrap_or(0.0);
    println!("loss {:.4}, validation accuracy {:.4}", last("loss"), last("val_sparse_categorical_accuracy"));
    Ok(())
}

/// Writes pictures as files and the list of their labels.
fn make(folder: &Path, part: &str, pictures: &Tensor, labels: &Tensor) -> Result<()> {
    std::fs::create_dir_all(folder.join(part))?;
    let mut list = String::new();
    for (i, (picture, label)) in pictures.unstack(0)?.iter().zip(labels.as_u8()?).enumerate() {
        let name = format!("{i}_{label}.png");
        std::fs::write(folder.join(part).join(&name), encode_png(picture)?)?;
        list += &format!("{name} {label}\n");
    }
    std::fs::write(folder.join(format!("{part}.txt")), list)?;
    Ok(())
}
