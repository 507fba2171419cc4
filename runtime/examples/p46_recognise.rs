//! Reads pictures of handwritten digits, such as photos: a PNG or JPEG for each digit, named `<digit>….png`.

mod common;

use common::{Data, Options};
use gradling::data::{image, mnist, picture};
use gradling::nn::{Activation, Dense, Fit, Flatten, Loss, Metric, Model, Optimizer, Sequential, Verbose};
use gradling::plot::{Figure, Pictures, Shading};
use gradling::{Result, Tape, Tensor};
use std::path::PathBuf;

fn main() -> Result<()> {
    let options = Options::parse()?;
    let mut model = trained(&options)?;
    let digits = options.find("pictures/digits").or_else(|| options.data.clone());
    let folder = match digits.filter(|folder| folder.join("0.png").is_file()) {
        Some(folder) => folder,
        None => drawn(&options)?,
    };

    let mut names: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        names.push(entry?.path());
    }
    names.sort();
    let (mut pictures, mut titles, mut right) = (Vec::new(), Vec::new(), 0);
    for path in &names {
        let x = picture::read(path)?;
        let result = model.predict(&x, 1)?;
        let digit = Tape::compute(&[&result], |y| y[0].argmax(1))?.as_i32()?[0];
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        println!("{name}: {digit}");
        right += usize::from(name.starts_with(&digit.to_string()));
        titles.push(format!("{name}: {digit}"));
        pictures.push(x);
    }
    println!("right {right} of {}", names.len());
    let pictures =
        Pictures::new("As the model sees them", &Tensor::concat(&pictures, 0)?, 5, Shading::Light)?;
    Figure::new([pictures.titles(titles)]).save(options.file("p46_recognise.png"))
}

/// The model of an earlier run, else a new one.
fn trained(options: &Options) -> Result<Model> {
    let file = options.file("p46_recognise.gradling");
    if file.exists() {
        println!("load the model");
        return Model::load(&file);
    }
    let Data { x_train, y_train, .. } = common::mnist(options)?;
    let mut model = Sequential::new()
        .add(Flatten::new())
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
    model.compile(Optimizer::adam(), loss, &[Metric::SparseCategoricalAccuracy])?;
    let mut fit = Fit { epochs: options.epochs(5, 5), verbose: Verbose::Bar, ..Fit::default() };
    model.fit(&x_train, &y_train, &mut fit)?;
    model.save(&file)?;
    Ok(model)
}

/// A folder with test digits of MNIST as dark ink on white.
fn drawn(options: &Options) -> Result<PathBuf> {
    println!("no folder with 0.png, 1.png, … by --data; the program draws digits of MNIST");
    let folder = options.out.join("digits");
    std::fs::create_dir_all(&folder)?;
    let digits = mnist::load(&mnist::Source::Subset)?;
    for (i, (x, y)) in digits.test_x.unstack(0)?.iter().zip(digits.test_y.as_u8()?).enumerate().take(10) {
        let white: Vec<u8> = x.as_u8()?.iter().map(|ink| 255 - ink).collect();
        image::write_png(folder.join(format!("{y}_{i}.png")), &Tensor::new(&[28, 28], white)?)?;
    }
    Ok(folder)
}
