//! Initializers against the limits and spreads that Keras's were observed to have.

use gradling::nn::{Distribution, FanMode, Initializer};
use gradling::rng::Rng;
use gradling::{Shape, Tensor};
use gradling_tests::case;
use serde_json::Value;

/// A file of the recorded cases; `None`, with the reason printed, when there is none.
///
/// # Panics
/// Where the variable CI is true and there is none.
fn document(file: &str) -> Option<Value> {
    let path = case::folder(None).join(file);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).expect("a JSON document")),
        Err(e) => {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{}: {e}", path.display());
            println!("skipped: {}: {e}", path.display());
            None
        }
    }
}

fn initializer(class: &str, config: &Value) -> Option<Initializer> {
    let number = |key: &str, default: f32| config[key].as_f64().map_or(default, |n| n as f32);
    Some(match class {
        "Zeros" => Initializer::Zeros,
        "Ones" => Initializer::Ones,
        "Constant" => Initializer::Constant(number("value", 0.0)),
        "RandomNormal" => Initializer::RandomNormal(number("mean", 0.0), number("stddev", 0.05)),
        "TruncatedNormal" => Initializer::TruncatedNormal(number("mean", 0.0), number("stddev", 0.05)),
        "RandomUniform" => Initializer::RandomUniform(number("minval", -0.05), number("maxval", 0.05)),
        "GlorotUniform" => Initializer::GlorotUniform,
        "GlorotNormal" => Initializer::GlorotNormal,
        "HeUniform" => Initializer::HeUniform,
        "HeNormal" => Initializer::HeNormal,
        "LecunUniform" => Initializer::LecunUniform,
        "LecunNormal" => Initializer::LecunNormal,
        "Orthogonal" | "OrthogonalInitializer" => Initializer::Orthogonal(number("gain", 1.0)),
        "Identity" | "IdentityInitializer" => Initializer::Identity(number("gain", 1.0)),
        "VarianceScaling" => Initializer::VarianceScaling {
            scale: number("scale", 1.0),
            mode: match config["mode"].as_str() {
                Some("fan_out") => FanMode::FanOut,
                Some("fan_avg") => FanMode::FanAvg,
                _ => FanMode::FanIn,
            },
            distribution: match config["distribution"].as_str() {
                Some("untruncated_normal") => Distribution::UntruncatedNormal,
                Some("uniform") => Distribution::Uniform,
                _ => Distribution::TruncatedNormal,
            },
        },
        _ => return None,
    })
}

fn shape(value: &Value) -> Shape {
    let dims = value.as_array().expect("a shape");
    let dims: Vec<usize> = dims.iter().filter_map(Value::as_u64).map(|d| d as usize).collect();
    Shape::new(&dims).expect("a shape")
}

struct Spread {
    n: f64,
    mean: f64,
    stddev: f64,
    largest: f64,
}

fn spread(t: &Tensor) -> Spread {
    let values: Vec<f64> = t.to_f32_vec().into_iter().map(f64::from).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    let largest = values.iter().fold(0.0f64, |m, v| m.max((v - mean).abs()));
    Spread { n, mean, stddev: variance.sqrt(), largest }
}

/// Five standard errors of a mean and of a deviation.
fn assert_like(what: &str, got: &Spread, mean: f64, stddev: f64) {
    let error = 5.0 * stddev / got.n.sqrt();
    assert!((got.mean - mean).abs() <= 2.0 * error + 1e-7, "{what}: mean {}, expected {mean}", got.mean);
    let off = (got.stddev - stddev).abs();
    assert!(off <= 2.0 * error + 1e-7, "{what}: deviation {}, expected {stddev}", got.stddev);
}

#[test]
fn initializers_spread_as_recorded() {
    let Some(document) = document("initializers.json") else { return };
    let mut rng = Rng::new(3);
    let list = document["initializers"].as_array().expect("a list");
    assert!(!list.is_empty());
    for row in list {
        let class = row["class_name"].as_str().expect("a class");
        let init = initializer(class, &row["config"]).unwrap_or_else(|| panic!("no initializer {class}"));
        if row["sample_shape"].is_null() {
            continue;
        }
        let shape = shape(&row["sample_shape"]);
        let weight = init.tensor(&shape, &mut rng).expect("a weight");
        assert_eq!(weight.shape(), &shape);
        if let Initializer::Orthogonal(gain) = init {
            assert!(error_of_rows(&weight, gain) < 1e-5 * gain * gain, "{class} {}", row["config"]);
        }
        let observed = |key: &str| row["observed"][key].as_f64();
        let (Some(mean), Some(stddev)) = (observed("mean"), observed("std")) else { continue };
        let got = spread(&weight);
        assert_like(&format!("{class} {}", row["config"]), &got, mean, stddev);
        // What has limits keeps within them, and comes close.
        let tail = class.contains("RandomNormal") || row["config"]["distribution"] == "untruncated_normal";
        if let (Some(max), false) = (observed("max"), tail || class.starts_with("Orthogonal")) {
            assert!(
                got.largest <= max * 1.01 + 1e-6 && got.largest >= max * 0.99 - 1e-6,
                "{class}: {} reaches {}, recorded {max}",
                row["config"],
                got.largest
            );
        }
    }
}

#[test]
fn fans_are_those_of_the_stored_shape() {
    let Some(document) = document("initializers.json") else { return };
    let mut rng = Rng::new(4);
    for row in document["layers"].as_array().expect("a list") {
        let what = format!("{} {}", row["layer"], row["weight"]);
        let shape = shape(&row["shape"]);
        match (row["init"].as_str(), row["limit"].as_f64()) {
            (Some("glorot_uniform"), Some(limit)) => {
                let fan = |key: &str| row[key].as_f64().expect("a fan") as f32;
                let fans = (fan("fan_in"), fan("fan_out"));
                let attention = row["layer"].as_str().is_some_and(|l| l.starts_with("MultiHeadAttention"));
                let weight = match attention {
                    true => Initializer::GlorotUniform.tensor_with_fans(&shape, fans, &mut rng),
                    false => Initializer::GlorotUniform.tensor(&shape, &mut rng),
                };
                let got = spread(&weight.expect("a weight"));
                assert_like(&what, &got, 0.0, limit / 3f64.sqrt());
                assert!(
                    got.largest <= limit * 1.05 && got.largest >= limit * 0.95,
                    "{what}: {}",
                    got.largest
                );
            }
            (Some("orthogonal"), _) => {
                let weight = Initializer::Orthogonal(1.0).tensor(&shape, &mut rng).expect("a weight");
                assert!(error_of_rows(&weight, 1.0) < 1e-5, "{what}");
            }
            _ => {}
        }
    }
}

/// The largest difference of `W W^T` to the identity times `gain^2`.
fn error_of_rows(w: &Tensor, gain: f32) -> f32 {
    let n = w.shape().dim(-1);
    let values = w.to_f32_vec();
    let rows: Vec<&[f32]> = values.chunks(n).collect();
    let mut worst = 0.0f32;
    for (i, a) in rows.iter().enumerate() {
        for (j, b) in rows.iter().enumerate() {
            let dot: f32 = a.iter().zip(*b).map(|(x, y)| x * y).sum();
            let want = if i == j { gain * gain } else { 0.0 };
            worst = worst.max((dot - want).abs());
        }
    }
    worst
}

#[test]
fn orthogonal_matrices_have_a_gain_and_any_shape() {
    let mut rng = Rng::new(5);
    let wide = Shape::new(&[2, 3, 10]).expect("a shape");
    let weight = Initializer::Orthogonal(2.0).tensor(&wide, &mut rng).expect("a weight");
    assert!(error_of_rows(&weight, 2.0) < 1e-5);
    let tall = Shape::new(&[10, 4]).expect("a shape");
    let weight = Initializer::Orthogonal(1.0).tensor(&tall, &mut rng).expect("a weight");
    let values = weight.to_f32_vec();
    let turned: Vec<f32> = (0..40).map(|i| values[i % 10 * 4 + i / 10]).collect();
    assert!(error_of_rows(&Tensor::new(&[4, 10], turned).expect("a tensor"), 1.0) < 1e-5);
    let line = Shape::new(&[4]).expect("a shape");
    assert!(Initializer::Orthogonal(1.0).tensor(&line, &mut rng).is_err());
    assert!(Initializer::Identity(1.0).tensor(&line, &mut rng).is_err());
}

#[test]
fn truncated_normals_keep_within_two_deviations() {
    let Some(document) = document("random_facts.json") else { return };
    let facts = &document["facts"]["tf.random.truncated_normal(mean=1, stddev=2)"];
    let shape = Shape::new(&[1_000_000]).expect("a shape");
    let weight = Initializer::TruncatedNormal(1.0, 2.0).tensor(&shape, &mut Rng::new(6)).expect("numbers");
    let fact = |key: &str| facts[key].as_f64().expect("a fact");
    let got = spread(&weight);
    assert_like("truncated normal", &got, fact("mean"), fact("std"));
    assert!(weight.to_f32_vec().iter().all(|v| (-3.0..=5.0).contains(v)));
}
