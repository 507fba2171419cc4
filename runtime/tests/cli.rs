//! The `gradling` command from outside: what it prints, its exit codes, and what it says to bad input.
#![cfg(feature = "cli")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use flate2::{Compression, write::GzEncoder};
use gradling::data::mnist_subset;
use gradling::data::picture;
use serde_json::Value;

/// A new empty folder below the build directory.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The command, cut off from the data sets and caches of the machine.
fn gradling(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradling"));
    command.args(arguments).env_remove("GRADLING_DATA").stdin(Stdio::null());
    let nowhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-no-cache");
    for variable in ["XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"] {
        command.env(variable, &nowhere);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    gradling(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn succeeds(arguments: &[&str]) -> Output {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    output
}

/// The command ends with `code` and says `part` in an error of its own, not in a panic.
#[track_caller]
fn refuses(code: i32, arguments: &[&str], part: &str) {
    let output = run(arguments);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(text.contains("error: ") && text.contains(part), "{arguments:?}: {text:?} does not say {part:?}");
    assert!(!text.contains("panicked"), "{text}");
}

fn idx(dims: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend_from_slice(body);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder with the first pictures of the subset as MNIST files.
fn small_mnist(name: &str) -> PathBuf {
    let folder = folder(name);
    let mnist = mnist_subset::load().unwrap();
    for (half, x, y, count) in
        [("train", &mnist.train_x, &mnist.train_y, 256), ("t10k", &mnist.test_x, &mnist.test_y, 64)]
    {
        let pictures = idx(&[count, 28, 28], &x.as_u8().unwrap()[..count as usize * 784]);
        let labels = idx(&[count], &y.as_u8().unwrap()[..count as usize]);
        std::fs::write(folder.join(format!("{half}-images-idx3-ubyte.gz")), gzip(&pictures)).unwrap();
        std::fs::write(folder.join(format!("{half}-labels-idx1-ubyte")), labels).unwrap();
    }
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A multilayer perceptron after two epochs of the embedded subset.
fn trained() -> &'static Path {
    static MODEL: OnceLock<PathBuf> = OnceLock::new();
    MODEL.get_or_init(|| {
        let model = folder("trained").join("mlp.gradling");
        let output =
            succeeds(&["train", "mnist", "--no-download", "--epochs", "2", "--json", "--save", text(&model)]);
        assert!(stderr(&output).contains("note: using the embedded subset of MNIST"), "{}", stderr(&output));
        model
    })
}

#[test]
fn help_and_version() {
    assert!(stdout(&succeeds(&["--help"])).contains("train"));
    assert!(stdout(&succeeds(&["--version"])).starts_with("gradling "));
    assert!(stdout(&succeeds(&["train", "--help"])).contains("--learning-rate"));
}

#[test]
fn command_lines_without_meaning_exit_with_2() {
    refuses(2, &["train"], "<DATASET>");
    refuses(2, &["trian", "mnist"], "trian");
    refuses(2, &["train", "cifar"], "invalid value 'cifar'");
    refuses(2, &["train", "mnist", "--model", "resnet"], "[possible values: mlp, lenet]");
    refuses(2, &["train", "mnist", "--batch-size", "0"], "0 is not in 1..=60000");
    refuses(2, &["train", "mnist", "--epochs", "0"], "0 is not in");
    refuses(2, &["train", "mnist", "--threads", "0"], "--threads");
    refuses(2, &["train", "mnist", "--learning-rate=-1"], "expected a number above 0");
    refuses(2, &["train", "mnist", "--learning-rate", "NaN"], "expected a number above 0");
    refuses(2, &["train", "mnist", "--seed", "x"], "--seed");
    refuses(2, &["train", "mnist", "--plot", "curves.gif"], "ends in .png or .svg");
    refuses(2, &["predict", "model"], "--image");
}

#[test]
fn bad_data_is_named() {
    let data = small_mnist("bad-data");
    let train = |part: &str| refuses(1, &["train", "mnist", "--epochs", "1", "--data", text(&data)], part);
    let labels = data.join("train-labels-idx1-ubyte");
    let good = std::fs::read(&labels).unwrap();

    std::fs::write(&labels, &good[..good.len() - 100]).unwrap();
    train("train-labels-idx1-ubyte: truncated: IDX sizes [256] promise 256 bytes, got 156");
    std::fs::write(&labels, idx(&[200], &good[8..208])).unwrap();
    train("training labels: expected shape [256] for as many pictures, got [200]");
    std::fs::write(&labels, idx(&[256], &[12; 256])).unwrap();
    train("training labels: expected 0 to 9, got 12");
    std::fs::write(&labels, b"not a data set at all").unwrap();
    train("train-labels-idx1-ubyte: not an IDX file");
    std::fs::remove_file(&labels).unwrap();
    train("expected train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz");
    std::fs::write(&labels, &good).unwrap();

    let pictures = data.join("t10k-images-idx3-ubyte.gz");
    let packed = std::fs::read(&pictures).unwrap();
    std::fs::write(&pictures, &packed[..packed.len() / 2]).unwrap();
    train("t10k-images-idx3-ubyte.gz: IDX sizes [64, 28, 28]: broken gzip");
    refuses(1, &["train", "mnist", "--data", "no-such-folder"], "expected a folder, got no-such-folder");
    refuses(
        1,
        &["train", "mnist", "--save", "no-such-folder/model"],
        "the folder no-such-folder does not exist",
    );
}

#[test]
fn json_is_one_object_a_line() {
    let data = small_mnist("json");
    let drawing = data.join("curves.png");
    for model in ["mlp", "lenet"] {
        let arguments = ["train", "mnist", "--model", model, "--epochs", "2", "--batch-size", "50"];
        let more =
            ["--data", text(&data), "--plot", text(&drawing), "--json", "--seed", "7", "--threads", "2"];
        let output = succeeds(&[&arguments[..], &more].concat());
        let lines: Vec<Value> =
            stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        for (i, line) in lines.iter().enumerate() {
            let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(keys.len(), 6, "{keys:?}");
            assert_eq!(line["epoch"], i + 1);
            for key in ["loss", "accuracy", "val_loss", "val_accuracy", "seconds"] {
                assert!(line[key].as_f64().is_some_and(|v| v.is_finite() && v >= 0.0), "{key}: {line}");
            }
        }
        assert!(lines[1]["loss"].as_f64() < lines[0]["loss"].as_f64());
        let picture = image::open(&drawing).unwrap();
        assert_eq!((picture.width(), picture.height()), (1200, 480));
    }
}

#[test]
fn a_run_is_repeated_by_its_seed_whatever_the_threads() {
    let data = small_mnist("seeds");
    let losses = |seed: &str, threads: &str| -> Vec<Value> {
        let output = succeeds(&[
            "train",
            "mnist",
            "--epochs",
            "2",
            "--data",
            text(&data),
            "--json",
            "--seed",
            seed,
            "--threads",
            threads,
        ]);
        let lines = stdout(&output);
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].clone()).collect()
    };
    assert_eq!(losses("3", "1"), losses("3", "2"));
    assert_ne!(losses("3", "1"), losses("4", "1"));
}

#[test]
fn a_loss_that_is_not_finite_names_its_layer() {
    let data = small_mnist("not-finite");
    let arguments = ["train", "mnist", "--data", text(&data), "--epochs", "3", "--learning-rate", "1e30"];
    refuses(1, &arguments, "the loss is not finite in epoch 1, batch 2: dense");
}

#[test]
fn people_get_a_summary_and_a_line_for_each_epoch() {
    let data = small_mnist("people");
    let drawing = data.join("curves.svg");
    let output = gradling(&["train", "mnist", "--epochs", "1", "--plot", text(&drawing)])
        .env("GRADLING_DATA", &data)
        .output()
        .unwrap();
    let text = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(text.contains("Total params") && text.contains("101,770"), "{text}");
    assert!(text.contains("Epoch 1/1 - ") && text.contains("val_accuracy: "), "{text}");
    assert!(std::fs::read_to_string(drawing).unwrap().starts_with("<svg"));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let data = small_mnist("pipe");
    let mut child = gradling(&["train", "mnist", "--epochs", "50", "--json", "--data", text(&data)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn the_subset_is_learned_and_pictures_are_told() {
    let model = text(trained());
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/pictures/digits");
    if !pictures.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "{} is missing", pictures.display());
        println!("skipped: {} is missing", pictures.display());
        return;
    }
    let paths: Vec<PathBuf> = (0..10).map(|digit| pictures.join(format!("{digit}.png"))).collect();
    let mut arguments = vec!["predict", model, "--json", "--image"];
    arguments.extend(paths.iter().map(|path| text(path)));
    let lines = stdout(&succeeds(&arguments));
    let mut right = 0;
    for (digit, line) in lines.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let probabilities = line["probabilities"].as_array().unwrap();
        assert_eq!(probabilities.len(), 10);
        let sum: f64 = probabilities.iter().map(|p| p.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5);
        assert_eq!(line["image"], text(&paths[digit]));
        right += usize::from(line["answer"] == digit);
    }
    assert_eq!(lines.lines().count(), 10);
    assert!(right >= 8, "{right} of 10 drawn digits are told");
    arguments.retain(|argument| *argument != "--json");
    let table = stdout(&succeeds(&arguments));
    assert_eq!(table.lines().count(), 11);
    assert!(table.starts_with("picture"), "{table}");
}

#[test]
fn models_are_inspected_and_converted() {
    let model = text(trained());
    let about = stdout(&succeeds(&["inspect", model]));
    for part in ["Flatten", "Dense", "101,770", "arena", "steps"] {
        assert!(about.contains(part), "{about:?} lacks {part:?}");
    }
    let listed = stdout(&succeeds(&["inspect", model, "--plan"]));
    assert!(listed.len() > about.len() && listed.starts_with(&about), "{listed}");
    for part in [
        "kernel",
        "matmul+region float32[1, 784] @arena+",
        "tile loop",
        "MFLOP",
        "times the least",
        "all tensors",
    ] {
        assert!(listed.contains(part), "{listed:?} lacks {part:?}");
    }
    for options in [&["--profile"][..], &["--profile", "--train", "--batch-size", "8"]] {
        let timed = stdout(&succeeds(&[&["inspect", model], options].concat()));
        for part in ["GFLOP/s", "limit", "matmul", "all"] {
            assert!(timed.contains(part), "{timed:?} lacks {part:?}");
        }
    }
    let plan = trained().with_extension("plan");
    succeeds(&["convert", model, "-o", text(&plan)]);
    assert!(std::fs::metadata(plan).unwrap().len() > 4 * 101_770);
}

#[test]
fn bad_models_and_pictures_are_named() {
    let folder = folder("bad-models");
    let picture = folder.join("seven.png");
    let seven = image::GrayImage::from_fn(60, 60, |x, y| {
        let on = (10..14).contains(&y) && x > 15 && x < 45 || (38..42).contains(&x) && y > 10 && y < 50;
        image::Luma([if on { 0 } else { 255 }])
    });
    seven.save(&picture).unwrap();
    assert!(picture::read(&picture).is_ok());
    let good = std::fs::read(trained()).unwrap();
    let file = folder.join("model");
    let try_all = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        refuses(1, &["predict", text(&file), "--image", text(&picture)], "");
        refuses(1, &["inspect", text(&file)], "");
        refuses(1, &["convert", text(&file), "-o", text(&folder.join("plan"))], "");
        assert!(!folder.join("plan").exists());
    };
    try_all(b"");
    try_all(b"not a model");
    for end in [1, 16, 40, good.len() / 2, good.len() - 1] {
        try_all(&good[..end]);
    }
    for at in [0, 5, 9, 30, 200, good.len() / 2, good.len() - 1] {
        let mut torn = good.clone();
        torn[at] ^= 0x20;
        try_all(&torn);
    }
    try_all(&[&good[..], b"more"].concat());

    let model = text(trained());
    refuses(1, &["predict", "no-such-model", "--image", text(&picture)], "no-such-model");
    refuses(1, &["inspect", "no-such-model"], "no-such-model");
    refuses(1, &["predict", model, "--image", "no-such-picture.png"], "no-such-picture.png");
    let page = folder.join("page.png");
    std::fs::write(&page, b"<html>").unwrap();
    refuses(1, &["predict", model, "--image", text(&page)], "page.png: expected a PNG or JPEG picture");
    image::GrayImage::from_pixel(40, 40, image::Luma([255])).save(&page).unwrap();
    refuses(1, &["predict", model, "--image", text(&page)], "page.png: no digit in the picture");
    refuses(1, &["convert", model, "-o", "no-such-folder/plan"], "the folder no-such-folder does not exist");
}
