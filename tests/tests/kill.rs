//! A process that saves a model over and over is killed at random instants: the file is always a whole
//! model, the one before or the one after.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gradling::nn::{Activation, Dense, Sequential};
use gradling::{Result, Tensor};

const CHILD: &str = "GRADLING_KILL_TEST_FILE";
const KILLS: usize = 30;

/// A model whose weights all hold `value`.
fn model(value: f32) -> Result<Sequential> {
    let mut model = Sequential::new().add(Dense::new(256).activation(Activation::Relu)).add(Dense::new(10));
    model.build(&[512])?;
    let weights: Vec<(String, Vec<usize>)> =
        model.weights().map(|(_, v)| (v.name.clone(), v.shape.to_vec())).collect();
    for (name, shape) in weights {
        model.set_weight(&name, &Tensor::full(&shape, value)?)?;
    }
    Ok(model)
}

/// Loads `file` and returns the value that all its weights hold.
fn whole(file: &Path) -> f32 {
    let model = Sequential::load(file).unwrap_or_else(|e| panic!("{} does not load: {e}", file.display()));
    let names: Vec<String> = model.weights().map(|(_, v)| v.name.clone()).collect();
    let weights: Vec<f32> =
        names.iter().flat_map(|n| model.weight(n).expect("a weight of the model").to_f32_vec()).collect();
    assert_eq!(weights.len(), 512 * 256 + 256 + 256 * 10 + 10);
    assert!(weights.iter().all(|&w| w == weights[0]), "weights of two saves are mixed");
    weights[0]
}

/// The child: saves until it is killed. Does nothing when the test runner calls it.
#[test]
fn child_saves_until_killed() {
    let Some(file) = std::env::var_os(CHILD) else { return };
    let file = PathBuf::from(file);
    let start = Instant::now();
    let mut n = 0;
    while start.elapsed() < Duration::from_secs(20) {
        n += 1;
        model(n as f32).and_then(|m| m.save(&file)).expect("save");
    }
}

#[test]
fn a_killed_save_leaves_a_whole_file() {
    let folder = std::env::temp_dir().join(format!("gradling-kill-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("folder");
    let file = folder.join("model.gradling");
    model(0.0).and_then(|m| m.save(&file)).expect("first save");
    let mut random = 0x2545_f491_4f6c_dd1du64;
    let mut changed = 0;
    for _ in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child_saves_until_killed", "--nocapture"])
            .env(CHILD, &file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("child");
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let before = whole(&file);
        std::thread::sleep(Duration::from_micros(20_000 + random % 120_000));
        child.kill().expect("kill");
        child.wait().expect("wait");
        if whole(&file) != before {
            changed += 1;
        }
    }
    assert!(changed > KILLS / 3, "only {changed} of {KILLS} children had saved before the kill");
    let left = std::fs::read_dir(&folder).expect("folder").count();
    println!("{KILLS} kills, {changed} after a save; {left} files in the folder");
    std::fs::remove_dir_all(&folder).expect("remove");
}
