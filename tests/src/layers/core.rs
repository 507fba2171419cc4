//! Dense, activations, shapes and noise.

use gradling::nn::{
    ActivationLayer, ActivityRegularization, AlphaDropout, Cropping1D, Cropping2D, Dense, Dropout, ELU,
    Flatten, GaussianDropout, GaussianNoise, Interpolation, LeakyReLU, Masking, PReLU, Permute, ReLU,
    RepeatVector, Rescaling, Reshape, Softmax, SpatialDropout1D, SpatialDropout2D, UpSampling1D,
    UpSampling2D, ZeroPadding1D, ZeroPadding2D,
};
use serde_json::Value;

use super::{
    Config, Family, activation, borders, channels_first, flag, list, number, off, pair, penalize, single,
    whole,
};
use crate::program::{Fault, unsupported};

pub(super) fn layer(class: &str, config: &Config) -> Family {
    let rate = || number(config, "rate");
    Ok(Some(match class {
        "Dense" => {
            off(class, config, &["lora_rank", "quantization_config"])?;
            let layer = Dense::new(whole(config, "units")?).use_bias(flag(config, "use_bias"));
            let layer = layer.activation(activation(config.get("activation"))?);
            Box::new(penalize!(
                config,
                layer,
                kernel_regularizer bias_regularizer activity_regularizer,
                kernel_constraint bias_constraint
            ))
        }
        "Activation" => Box::new(ActivationLayer::new(activation(config.get("activation"))?)),
        "ReLU" => Box::new(
            ReLU::new()
                .max_value(config.get("max_value").and_then(Value::as_f64).map(|m| m as f32))
                .negative_slope(number(config, "negative_slope")?)
                .threshold(number(config, "threshold")?),
        ),
        "LeakyReLU" => Box::new(LeakyReLU::new(number(config, "negative_slope")?)),
        "ELU" => Box::new(ELU::new(number(config, "alpha")?)),
        "PReLU" => {
            let axes = list(config, "shared_axes")?;
            let layer = PReLU::new().shared_axes(&axes.iter().map(|a| *a as u32).collect::<Vec<u32>>());
            Box::new(penalize!(config, layer, alpha_regularizer, alpha_constraint))
        }
        "Softmax" => Box::new(Softmax::new().axis(&list(config, "axis")?)),
        "Flatten" => Box::new(Flatten::new().channels_first(channels_first(config))),
        "Reshape" => Box::new(Reshape::new(&list(config, "target_shape")?)),
        "Permute" => {
            let dims = list(config, "dims")?;
            Box::new(Permute::new(&dims.iter().map(|d| *d as u32).collect::<Vec<u32>>()))
        }
        "RepeatVector" => Box::new(RepeatVector::new(whole(config, "n")?)),
        "ZeroPadding1D" => Box::new(ZeroPadding1D::new(borders(config, "padding")?)),
        "ZeroPadding2D" => Box::new(ZeroPadding2D::new(borders(config, "padding")?)),
        "Cropping1D" => Box::new(Cropping1D::new(borders(config, "cropping")?)),
        "Cropping2D" => Box::new(Cropping2D::new(borders(config, "cropping")?)),
        "UpSampling1D" => Box::new(UpSampling1D::new(single(config, "size")?)),
        "UpSampling2D" => {
            let how = config.get("interpolation").and_then(Value::as_str).unwrap_or("nearest");
            let Some(how) = Interpolation::from_name(how) else {
                return unsupported(format!("{class} with interpolation {how}"));
            };
            Box::new(UpSampling2D::new(pair(config, "size")?).interpolation(how))
        }
        "Dropout" => {
            let layer = Dropout::new(rate()?);
            Box::new(match noise_shape(config)? {
                Some(shape) => layer.noise_shape(&shape),
                None => layer,
            })
        }
        "AlphaDropout" => {
            let layer = AlphaDropout::new(rate()?);
            Box::new(match noise_shape(config)? {
                Some(shape) => layer.noise_shape(&shape),
                None => layer,
            })
        }
        "SpatialDropout1D" => Box::new(SpatialDropout1D::new(rate()?)),
        "SpatialDropout2D" => Box::new(SpatialDropout2D::new(rate()?)),
        "GaussianDropout" => Box::new(GaussianDropout::new(rate()?)),
        "GaussianNoise" => Box::new(GaussianNoise::new(number(config, "stddev")?)),
        "ActivityRegularization" => {
            Box::new(ActivityRegularization::new(number(config, "l1")?, number(config, "l2")?))
        }
        "Rescaling" => {
            Box::new(Rescaling::of_channels(&numbers(config, "scale")?, &numbers(config, "offset")?))
        }
        "Masking" => Box::new(Masking::new(number(config, "mask_value")?)),
        _ => return Ok(None),
    }))
}

/// A number, or a list of numbers.
fn numbers(config: &Config, key: &str) -> Result<Vec<f32>, Fault> {
    match config.get(key) {
        Some(Value::Array(all)) => Ok(all.iter().filter_map(Value::as_f64).map(|n| n as f32).collect()),
        _ => Ok(vec![number(config, key)?]),
    }
}

/// Extents, null for that of the input.
fn noise_shape(config: &Config) -> Result<Option<Vec<Option<u32>>>, Fault> {
    match config.get("noise_shape") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(all)) => Ok(Some(all.iter().map(|d| d.as_u64().map(|d| d as u32)).collect())),
        Some(other) => Err(Fault::Failed(format!("noise_shape is {other}"))),
    }
}
