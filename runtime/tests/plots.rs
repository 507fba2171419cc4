//! Figures of training and data: what they hold, and that odd values do not break them. The files lie in the build
//! directory's `tmp/plots`, to be looked at.
#![cfg(feature = "plot")]

use std::path::{Path, PathBuf};

use gradling::data::{ImageDataGenerator, Table, mnist, stock};
use gradling::nn::{Activation, Dense, Fit, Flatten, History, Logs, Loss, Metric, Optimizer, Sequential};
use gradling::plot::{Figure, LineChart, Panel, Pictures, Scatter, Shading, history};
use gradling::{Result, Tensor};

fn target(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plots");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// A file beside the repository; `None` (and a line that says so) where it is not there.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing", path.display());
    println!("skipped: {} is missing", path.display());
    None
}

fn size(path: &Path) -> (u32, u32) {
    let picture = image::open(path).unwrap();
    (picture.width(), picture.height())
}

fn example() -> History {
    let epochs = (0..12).map(|epoch| {
        let t = epoch as f32;
        let mut logs = Logs::new();
        logs.push("loss", 1.6 * (-0.35 * t).exp() + 0.08);
        logs.push("sparse_categorical_accuracy", 1.0 - 0.6 * (-0.4 * t).exp());
        logs.push("val_loss", 1.5 * (-0.3 * t).exp() + 0.16 + 0.004 * t);
        logs.push("val_sparse_categorical_accuracy", 0.95 - 0.55 * (-0.38 * t).exp());
        logs
    });
    History { epochs: epochs.collect() }
}

#[test]
fn curves_of_a_history() {
    let path = target("history.png");
    history(&example()).save(&path).unwrap();
    assert_eq!(size(&path), (1200, 480));
    let svg = history(&example()).svg().unwrap();
    for word in ["Loss", "Sparse categorical accuracy", "training", "validation", "epoch"] {
        assert!(svg.contains(word), "{word}");
    }
    // One epoch, gaps and flat lines are drawn, too.
    let one = History { epochs: example().epochs[..1].to_vec() };
    history(&one).svg().unwrap();
    let odd =
        LineChart::new("", "", "").line("", &[f32::NAN, 1.0, 1.0, f32::INFINITY, 1.0]).line("none", &[]);
    Figure::new([odd.clone()]).save(target("odd.SVG")).unwrap();
    Figure::new([odd]).png().unwrap();
    Figure::new([LineChart::new("empty", "x", "y")]).png().unwrap();
}

#[test]
fn mistakes_are_named() {
    let message = |r: Result<()>| r.unwrap_err().to_string();
    let chart = || LineChart::new("a", "b", "c");
    assert!(message(Figure::new([chart()]).save("curves.gif")).contains("ends in .png or .svg"));
    assert!(message(history(&History::default()).save(target("none.png"))).contains("at least one panel"));
    assert!(message(Figure::new([chart()]).panel_size(0, 9).save(target("none.png"))).contains("got 0 x 9"));
    let points = Tensor::new(&[2, 2], [0.0, 1.0, 2.0, 3.0]).unwrap();
    let scatter = |points: &Tensor, classes: [f32; 2]| {
        Scatter::new("", points, &Tensor::new(&[2], classes).unwrap()).map(|_| ())
    };
    assert!(message(scatter(&points, [0.0, 0.5])).contains("got 0.5 at position 1"));
    assert!(message(scatter(&points.reshape(&[4]).unwrap(), [0.0, 1.0])).contains("got shape [4]"));
    let nan = Tensor::new(&[2, 2], [0.0, 1.0, f32::NAN, 3.0]).unwrap();
    assert!(message(scatter(&nan, [0.0, 1.0])).contains("at position 1"));
    let field = Scatter::new("", &points, &Tensor::new(&[2], [0, 1]).unwrap()).unwrap();
    assert!(message(field.boundary(|_| Tensor::zeros(&[3])).map(|_| ())).contains("a value for each of"));
    let pictures =
        |dims: &[usize], shading| Pictures::new("", &Tensor::zeros(dims).unwrap(), 2, shading).map(|_| ());
    assert!(message(pictures(&[2, 4, 4, 2], Shading::Light)).contains("got shape [2, 4, 4, 2]"));
    assert!(message(pictures(&[2, 4, 4, 3], Shading::Weights)).contains("only as Light"));
    pictures(&[2, 4, 4, 3], Shading::Light).unwrap();
}

#[test]
fn a_boundary_between_points() {
    let Some(path) = shared("dot.csv") else { return };
    let table = Table::read(path, true).unwrap();
    let (x, y) = (table.numbers(&["x1", "x2"]).unwrap(), table.integers("y_c").unwrap());
    let mut model = Sequential::new()
        .add(Dense::new(11).activation(Activation::Relu))
        .add(Dense::new(11).activation(Activation::Relu))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .seed(3);
    model.build(&[2]).unwrap();
    model.compile(Optimizer::adam(), Loss::MeanSquaredError, &[]).unwrap();
    let targets = y.to_f32().reshape(&[300, 1]).unwrap();
    model.fit(&x, &targets, &mut Fit { epochs: 150, ..Fit::default() }).unwrap();
    let mut scatter = Scatter::new("Two classes", &x, &y).unwrap();
    scatter.class_names = vec!["outside".into(), "inside".into()];
    let scatter = scatter.boundary(|points| model.predict(points, 4096)).unwrap();
    let figure = Figure::new([scatter]);
    figure.save(target("boundary.png")).unwrap();
    figure.save(target("boundary.svg")).unwrap();
    assert_eq!(size(&target("boundary.png")), (640, 560));
}

#[test]
fn true_and_predicted_series() {
    let Some(path) = shared("SH600519.csv") else { return };
    let windows = stock::load(path, "open").unwrap().windows(300, 60).unwrap();
    let truth = windows.scaler.inverse_transform(&windows.test_y).unwrap().to_f32_vec();
    // The mean of the last five days, as a plain forecast.
    let means: Vec<f32> = windows
        .test_x
        .as_f32()
        .unwrap()
        .chunks(60)
        .map(|window| window[55..].iter().sum::<f32>() / 5.0)
        .collect();
    let means = Tensor::new(&[means.len()], means).unwrap();
    let predicted = windows.scaler.inverse_transform(&means).unwrap().to_f32_vec();
    let chart = LineChart::series("Kweichow Moutai, opening price", "day", "CNY", &truth, &predicted);
    Figure::new([chart]).save(target("series.png")).unwrap();
    assert_eq!(size(&target("series.png")), (1000, 480));
}

#[test]
fn grids_of_pictures() {
    let Some(file) = shared("t10k-images-idx3-ubyte.gz") else { return };
    let mnist = mnist::load(&mnist::Source::Folder(file.parent().unwrap().to_path_buf())).unwrap();
    let x = mnist.test_x.rows(0..16).unwrap().reshape(&[16, 28, 28, 1]).unwrap();
    let titles = mnist.test_y.as_u8().unwrap()[..16].iter().map(|label| format!("a {label}"));
    let varied = ImageDataGenerator { rotation_range: 40.0, zoom_range: [0.8, 1.4], ..Default::default() };
    let varied = mnist::scaled(&x).and_then(|x| varied.transform(&x, 1)).unwrap();
    let digits = Pictures::new("Test digits", &x, 8, Shading::Ink).unwrap().titles(titles);
    let variants = Pictures::new("Variants of them", &varied, 8, Shading::Light).unwrap();
    let figure = Figure::new([Panel::from(digits), Panel::from(variants)]).columns(1);
    figure.save(target("digits.png")).unwrap();

    let mut model = Sequential::new()
        .add(Flatten::new())
        .add(Dense::new(16).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax))
        .seed(1);
    model.build(&[28, 28]).unwrap();
    let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
    model.compile(Optimizer::adam(), loss, &[Metric::Accuracy]).unwrap();
    let (x, y) = (mnist::scaled(&mnist.test_x).unwrap(), mnist.test_y);
    model.fit(&x, &y, &mut Fit { epochs: 3, ..Fit::default() }).unwrap();
    let name = model.weights().map(|(_, v)| v.name.clone()).find(|name| name.ends_with("kernel")).unwrap();
    let kernel = model.weight(&name).unwrap().to_f32_vec();
    let units: Vec<f32> = (0..16).flat_map(|unit| kernel[unit..].iter().step_by(16).copied()).collect();
    let units = Tensor::new(&[16, 28, 28], units).unwrap();
    let grid = Pictures::new("Weights of the first layer", &units, 8, Shading::Weights)
        .unwrap()
        .titles((0..16).map(|unit| format!("unit {unit}")));
    Figure::new([grid]).save(target("weights.png")).unwrap();
}
