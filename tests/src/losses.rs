//! Keras losses from their `get_config()`.

use gradling::nn::Loss;
use gradling::nn::loss::{
    BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossentropy, Dice, Reduction, SparseCategoricalCrossentropy, Tversky,
};
use serde_json::{Map, Value};

use crate::case::integers;
use crate::layers::{flag, number};
use crate::program::{Fault, unsupported};

type Config = Map<String, Value>;

/// The loss of this class, with its reduction.
///
/// **Errors** when Gradling has no such loss or not that option of it.
pub fn loss(class: &str, config: &Config) -> Result<Loss, Fault> {
    let loss = plain(class, config)?;
    match config.get("reduction") {
        None => Ok(loss),
        Some(Value::Null) => Ok(loss.reduced(Reduction::None)),
        Some(name) => match Reduction::from_name(name.as_str().unwrap_or_default()) {
            Some(reduction) => Ok(loss.reduced(reduction)),
            None => unsupported(format!("{class} with reduction {name}")),
        },
    }
}

fn plain(class: &str, config: &Config) -> Result<Loss, Fault> {
    let from_logits = flag(config, "from_logits");
    let or = |key: &str, default: f32| number(config, key).unwrap_or(default);
    let (label_smoothing, axis) = (or("label_smoothing", 0.0), or("axis", -1.0) as i32);
    let axes = || -> Vec<i32> {
        config.get("axis").and_then(integers).unwrap_or_default().into_iter().map(|a| a as i32).collect()
    };
    Ok(match class {
        "MeanSquaredError" => Loss::MeanSquaredError,
        "MeanAbsoluteError" => Loss::MeanAbsoluteError,
        "MeanAbsolutePercentageError" => Loss::MeanAbsolutePercentageError,
        "MeanSquaredLogarithmicError" => Loss::MeanSquaredLogarithmicError,
        "Huber" => Loss::Huber { delta: or("delta", 1.0) },
        "LogCosh" => Loss::LogCosh,
        "CosineSimilarity" => Loss::CosineSimilarity { axis },
        "Poisson" => Loss::Poisson,
        "Hinge" => Loss::Hinge,
        "SquaredHinge" => Loss::SquaredHinge,
        "CategoricalHinge" => Loss::CategoricalHinge,
        "KLDivergence" => Loss::KlDivergence,
        "BinaryCrossentropy" => BinaryCrossentropy { from_logits, label_smoothing, axis }.into(),
        "BinaryFocalCrossentropy" => BinaryFocalCrossentropy {
            apply_class_balancing: flag(config, "apply_class_balancing"),
            alpha: or("alpha", 0.25),
            gamma: or("gamma", 2.0),
            from_logits,
            label_smoothing,
            axis,
        }
        .into(),
        "CategoricalCrossentropy" if label_smoothing == 0.0 && axis == -1 => {
            Loss::CategoricalCrossentropy { from_logits }
        }
        "CategoricalCrossentropy" => CategoricalCrossentropy { from_logits, label_smoothing, axis }.into(),
        "CategoricalFocalCrossentropy" => {
            let (alpha, gamma) = (or("alpha", 0.25), or("gamma", 2.0));
            CategoricalFocalCrossentropy { alpha, gamma, from_logits, label_smoothing, axis }.into()
        }
        "CategoricalGeneralizedCrossEntropy" => CategoricalGeneralizedCrossentropy { q: or("q", 0.5) }.into(),
        "SparseCategoricalCrossentropy" => match config.get("ignore_class").and_then(Value::as_i64) {
            None => Loss::SparseCategoricalCrossentropy { from_logits },
            Some(class) => {
                let ignore_class = Some(class as i32);
                SparseCategoricalCrossentropy { from_logits, ignore_class }.into()
            }
        },
        "Dice" => Dice { axis: axes() }.into(),
        "Tversky" => Tversky { alpha: or("alpha", 0.5), beta: or("beta", 0.5), axis: axes() }.into(),
        other => return unsupported(other),
    })
}
