//! Keras layers from their `get_config()`: one row a class that Gradling has, in a
//! file for each family of layers.
//!
//! An option that Gradling lacks makes the case unsupported unless it has the value that switches it off.

mod conv;
mod core;
mod merge;
mod norm;
mod pool;
mod rnn;

use gradling::Padding;
use gradling::nn::{Activation, Constraint, Layer, OrthogonalMode, Regularizer};
use serde_json::{Map, Value};

use crate::case::integers;
use crate::program::{Fault, unsupported};

type Config = Map<String, Value>;

/// The layer of this class.
///
/// **Errors** when Gradling has no such layer or not that option of it.
pub fn layer(class: &str, config: &Config) -> Result<Box<dyn Layer>, Fault> {
    for (key, value) in config.iter().filter(|(_, v)| !v.is_null()) {
        let weight = key.strip_suffix("_regularizer").or(key.strip_suffix("_constraint"));
        if weight.is_some_and(|weight| !penalized(class).contains(&weight)) {
            return unsupported(format!("{class} with {key} {}", value["class_name"]));
        }
    }
    if channels_first(config) && class != "Flatten" {
        return unsupported(format!("{class} with channels first"));
    }
    let trainable = config.get("trainable").and_then(Value::as_bool).unwrap_or(true);
    let families = [core::layer, conv::layer, pool::layer, merge::layer, norm::layer, rnn::layer];
    for family in families {
        if let Some(mut layer) = family(class, config)? {
            layer.set_trainable(trainable);
            return Ok(layer);
        }
    }
    unsupported(class)
}

/// What a layer of this class takes regularizers of, and constraints.
fn penalized(class: &str) -> &'static [&'static str] {
    match class {
        "Dense" | "Conv1D" | "Conv2D" | "Conv3D" | "Conv1DTranspose" | "Conv2DTranspose" => {
            &["kernel", "bias", "activity"]
        }
        "DepthwiseConv1D" | "DepthwiseConv2D" => &["depthwise", "bias", "activity"],
        "SeparableConv1D" | "SeparableConv2D" => &["depthwise", "pointwise", "bias", "activity"],
        "BatchNormalization" | "LayerNormalization" | "GroupNormalization" => &["gamma", "beta"],
        "PReLU" => &["alpha"],
        "SimpleRNN" | "LSTM" | "GRU" => &["kernel", "recurrent", "bias", "activity"],
        "RNN" => &["activity"],
        "Embedding" => &["embeddings", "activity"],
        "MultiHeadAttention" | "GroupedQueryAttention" | "GroupQueryAttention" => {
            &["kernel", "bias", "activity"]
        }
        _ => &[],
    }
}

/// The regularizer under this key, if there is one.
fn regularizer(config: &Config, key: &str) -> Result<Option<Regularizer>, Fault> {
    nested(config, key)?.map(|(class, own)| penalty(class, own)).transpose()
}

/// The regularizer of this class.
///
/// **Errors** when Gradling has no such regularizer.
pub fn penalty(class: &str, own: &Config) -> Result<Regularizer, Fault> {
    Ok(match class {
        "L1" => Regularizer::L1(number(own, "l1")?),
        "L2" => Regularizer::L2(number(own, "l2")?),
        "L1L2" => Regularizer::L1L2 { l1: number(own, "l1")?, l2: number(own, "l2")? },
        "OrthogonalRegularizer" => {
            let columns = own.get("mode").and_then(Value::as_str) == Some("columns");
            let mode = if columns { OrthogonalMode::Columns } else { OrthogonalMode::Rows };
            Regularizer::Orthogonal { factor: number(own, "factor")?, mode }
        }
        other => return unsupported(other),
    })
}

/// The constraint under this key, if there is one.
fn constraint(config: &Config, key: &str) -> Result<Option<Constraint>, Fault> {
    let Some((class, own)) = nested(config, key)? else { return Ok(None) };
    let axis = || list(own, "axis");
    let max_value = || number(own, "max_value");
    Ok(Some(match class {
        "NonNeg" => Constraint::NonNeg,
        "MaxNorm" => Constraint::MaxNorm { max_value: max_value()?, axis: axis()? },
        "UnitNorm" => Constraint::UnitNorm { axis: axis()? },
        "MinMaxNorm" => Constraint::MinMaxNorm {
            min_value: number(own, "min_value")?,
            max_value: max_value()?,
            rate: number(own, "rate")?,
            axis: axis()?,
        },
        other => return unsupported(other),
    }))
}

/// Class and configuration of an object under this key; null is none.
fn nested<'c>(config: &'c Config, key: &str) -> Result<Option<(&'c str, &'c Config)>, Fault> {
    let Some(value) = config.get(key).filter(|v| !v.is_null()) else { return Ok(None) };
    match (value["class_name"].as_str(), value["config"].as_object()) {
        (Some(class), Some(own)) => Ok(Some((class, own))),
        _ => Err(Fault::Failed(format!("{key} is {value}"))),
    }
}

/// Sets the regularizers and constraints of a layer that the configuration has.
macro_rules! penalize {
    ($config:expr, $layer:expr, $($regularizer:ident)+, $($constraint:ident)+) => {{
        let mut layer = $layer;
        $(if let Some(r) = $crate::layers::regularizer($config, stringify!($regularizer))? {
            layer = layer.$regularizer(r);
        })+
        $(if let Some(c) = $crate::layers::constraint($config, stringify!($constraint))? {
            layer = layer.$constraint(c);
        })+
        layer
    }};
}
use penalize;

fn channels_first(config: &Config) -> bool {
    config.get("data_format").and_then(Value::as_str).is_some_and(|f| f != "channels_last")
}

/// The layer of this class, if the family has it.
type Family = Result<Option<Box<dyn Layer>>, Fault>;

/// The activation named in a configuration.
///
/// **Errors** when Gradling has no such activation.
pub fn activation(value: Option<&Value>) -> Result<Activation, Fault> {
    match value {
        None | Some(Value::Null) => Ok(Activation::Linear),
        Some(Value::String(name)) => match Activation::from_name(name) {
            Some(activation) => Ok(activation),
            None => unsupported(format!("activation {name}")),
        },
        Some(other) => unsupported(format!("activation {}", other["class_name"])),
    }
}

/// Fails unless every one of `options` is absent, null, false or zero.
fn off(class: &str, config: &Config, options: &[&str]) -> Result<(), Fault> {
    let is_off = |v: &Value| v.is_null() || *v == Value::Bool(false) || v.as_f64() == Some(0.0);
    match options.iter().find(|o| config.get(**o).is_some_and(|v| !is_off(v))) {
        Some(option) => unsupported(format!("{class} with {option}")),
        None => Ok(()),
    }
}

/// `config[key]` as a number.
///
/// **Errors** when it is none.
pub fn number(config: &Config, key: &str) -> Result<f32, Fault> {
    let value = config.get(key).and_then(Value::as_f64).map(|n| n as f32);
    value.ok_or_else(|| Fault::Failed(format!("no number {key} in the configuration")))
}

fn whole(config: &Config, key: &str) -> Result<usize, Fault> {
    let value = config.get(key).and_then(Value::as_u64).map(|n| n as usize);
    value.ok_or_else(|| Fault::Failed(format!("no whole number {key} in the configuration")))
}

/// `config[key]` as a boolean; false where there is none.
pub fn flag(config: &Config, key: &str) -> bool {
    config.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn pair(config: &Config, key: &str) -> Result<[u32; 2], Fault> {
    match config.get(key).and_then(integers).as_deref() {
        Some([n]) => Ok([*n as u32; 2]),
        Some([a, b]) => Ok([*a as u32, *b as u32]),
        other => Err(Fault::Failed(format!("{key} is {other:?}"))),
    }
}

fn padding(config: &Config) -> Result<Padding, Fault> {
    match config.get("padding").and_then(Value::as_str) {
        Some("same") => Ok(Padding::Same),
        Some("valid") => Ok(Padding::Valid),
        other => unsupported(format!("padding {other:?}")),
    }
}

/// As many numbers as the layer has axes; one number stands for all.
fn each<const N: usize>(config: &Config, key: &str) -> Result<[u32; N], Fault> {
    match config.get(key).and_then(integers).as_deref() {
        Some([n]) => Ok([*n as u32; N]),
        Some(all) if all.len() == N => Ok(std::array::from_fn(|i| all[i] as u32)),
        other => Err(Fault::Failed(format!("{key} is {other:?}"))),
    }
}

fn single(config: &Config, key: &str) -> Result<u32, Fault> {
    each::<1>(config, key).map(|[n]| n)
}

/// Whole numbers; null is none.
fn list(config: &Config, key: &str) -> Result<Vec<i32>, Fault> {
    match config.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(value) => match integers(value) {
            Some(all) => Ok(all.into_iter().map(|n| n as i32).collect()),
            None => Err(Fault::Failed(format!("{key} is {value}"))),
        },
    }
}

/// Pairs `(before, after)` for each axis; one number stands for all, one for an axis for both of its ends.
fn borders<const N: usize>(config: &Config, key: &str) -> Result<[[u32; 2]; N], Fault> {
    let fault = || Fault::Failed(format!("{key} is {:?}", config.get(key)));
    let value = config.get(key).ok_or_else(fault)?;
    if let Some([n]) = integers(value).as_deref() {
        return Ok([[*n as u32; 2]; N]);
    }
    let pairs = if N == 1 { std::slice::from_ref(value) } else { value.as_array().ok_or_else(fault)? };
    let mut all = [[0; 2]; N];
    if pairs.len() != N {
        return Err(fault());
    }
    for (border, pair) in all.iter_mut().zip(pairs) {
        *border = match integers(pair).as_deref() {
            Some([n]) => [*n as u32; 2],
            Some([a, b]) => [*a as u32, *b as u32],
            _ => return Err(fault()),
        };
    }
    Ok(all)
}
