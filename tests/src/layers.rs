//! Keras layers from their `get_config()`: one row a class that Gradling has.
//!
//! An option that Gradling lacks makes the case unsupported unless it has the value that switches it off.

use gradling::Padding;
use gradling::nn::{Activation, ActivationLayer, Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D};
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
    if config.get("data_format").and_then(Value::as_str).is_some_and(|f| f != "channels_last") {
        return unsupported(format!("{class} with channels first"));
    }
    Ok(match class {
        "Dense" => Box::new(
            Dense::new(whole(config, "units")?)
                .activation(activation(config.get("activation"))?)
                .use_bias(flag(config, "use_bias")),
        ),
        "Flatten" => Box::new(Flatten::new()),
        "Dropout" if config.get("noise_shape").is_none_or(Value::is_null) => {
            Box::new(Dropout::new(number(config, "rate")?))
        }
        "Activation" => Box::new(ActivationLayer::new(activation(config.get("activation"))?)),
        "Conv2D" => Box::new(
            Conv2D::new(whole(config, "filters")?, pair(config, "kernel_size")?)
                .strides(pair(config, "strides")?)
                .padding(padding(config)?)
                .dilation_rate(pair(config, "dilation_rate")?)
                .groups(whole(config, "groups")? as u32)
                .activation(activation(config.get("activation"))?)
                .use_bias(flag(config, "use_bias")),
        ),
        "MaxPooling2D" => Box::new(
            MaxPooling2D::new(pair(config, "pool_size")?)
                .strides(pair(config, "strides")?)
                .padding(padding(config)?),
        ),
        other => return unsupported(other),
    })
}

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
