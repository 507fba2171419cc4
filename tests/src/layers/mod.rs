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
use gradling::nn::{Activation, Layer};
use serde_json::{Map, Value};

use crate::case::integers;
use crate::program::{Fault, unsupported};

type Config = Map<String, Value>;

/// The layer of this class.
///
/// **Errors** when Gradling has no such layer or not that option of it.
pub fn layer(class: &str, config: &Config) -> Result<Box<dyn Layer>, Fault> {
    let unknown = |k: &str| k.ends_with("regularizer") || k.ends_with("constraint");
    if let Some((key, value)) = config.iter().find(|(k, v)| unknown(k) && !v.is_null()) {
        return unsupported(format!("{class} with {key} {}", value["class_name"]));
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
