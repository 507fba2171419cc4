//! Convolutions.

use gradling::Padding;
use gradling::nn::{
    Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose, Conv3D, DepthwiseConv1D, DepthwiseConv2D,
    SeparableConv1D, SeparableConv2D,
};
use serde_json::Value;

use super::{Config, Family, activation, each, flag, off, padding, pair, penalize, single, whole};

/// Sets what every convolution has.
macro_rules! common {
    ($config:expr, $layer:expr, $tuple:ident) => {
        penalize!(
            $config,
            $layer
                .strides($tuple($config, "strides")?)
                .dilation_rate($tuple($config, "dilation_rate")?)
                .activation(activation($config.get("activation"))?)
                .use_bias(flag($config, "use_bias")),
            bias_regularizer activity_regularizer,
            bias_constraint
        )
    };
}

pub(super) fn layer(class: &str, config: &Config) -> Family {
    off(class, config, &["lora_rank"])?;
    let filters = || whole(config, "filters");
    let groups = || whole(config, "groups").map(|n| n as u32);
    let multiplier = || whole(config, "depth_multiplier");
    let causal = config.get("padding").and_then(Value::as_str) == Some("causal");
    let borders = || if causal { Ok(Padding::Valid) } else { padding(config) };
    let extra = config.get("output_padding").is_some_and(|p| !p.is_null());
    Ok(Some(match class {
        "Conv1D" => {
            let layer = Conv1D::new(filters()?, single(config, "kernel_size")?).groups(groups()?);
            Box::new(penalize!(
                config,
                common!(config, layer.causal(causal).padding(borders()?), single),
                kernel_regularizer,
                kernel_constraint
            ))
        }
        "Conv2D" => {
            let layer = Conv2D::new(filters()?, pair(config, "kernel_size")?).groups(groups()?);
            Box::new(penalize!(
                config,
                common!(config, layer.padding(padding(config)?), pair),
                kernel_regularizer,
                kernel_constraint
            ))
        }
        "Conv3D" => {
            let layer = Conv3D::new(filters()?, each(config, "kernel_size")?).groups(groups()?);
            Box::new(penalize!(
                config,
                common!(config, layer.padding(padding(config)?), each),
                kernel_regularizer,
                kernel_constraint
            ))
        }
        "DepthwiseConv1D" => {
            let layer = DepthwiseConv1D::new(single(config, "kernel_size")?).depth_multiplier(multiplier()?);
            Box::new(penalize!(
                config,
                common!(config, layer.padding(padding(config)?), single),
                depthwise_regularizer,
                depthwise_constraint
            ))
        }
        "DepthwiseConv2D" => {
            let layer = DepthwiseConv2D::new(pair(config, "kernel_size")?).depth_multiplier(multiplier()?);
            Box::new(penalize!(
                config,
                common!(config, layer.padding(padding(config)?), pair),
                depthwise_regularizer,
                depthwise_constraint
            ))
        }
        "SeparableConv1D" => {
            let layer = SeparableConv1D::new(filters()?, single(config, "kernel_size")?);
            let layer = layer.depth_multiplier(multiplier()?).padding(padding(config)?);
            Box::new(
                penalize!(config, common!(config, layer, single), depthwise_regularizer pointwise_regularizer, depthwise_constraint pointwise_constraint),
            )
        }
        "SeparableConv2D" => {
            let layer = SeparableConv2D::new(filters()?, pair(config, "kernel_size")?);
            let layer = layer.depth_multiplier(multiplier()?).padding(padding(config)?);
            Box::new(
                penalize!(config, common!(config, layer, pair), depthwise_regularizer pointwise_regularizer, depthwise_constraint pointwise_constraint),
            )
        }
        "Conv1DTranspose" => {
            let mut layer = Conv1DTranspose::new(filters()?, single(config, "kernel_size")?);
            if extra {
                layer = layer.output_padding(single(config, "output_padding")?);
            }
            Box::new(penalize!(
                config,
                common!(config, layer.padding(padding(config)?), single),
                kernel_regularizer,
                kernel_constraint
            ))
        }
        "Conv2DTranspose" => {
            let mut layer = Conv2DTranspose::new(filters()?, pair(config, "kernel_size")?);
            if extra {
                layer = layer.output_padding(pair(config, "output_padding")?);
            }
            Box::new(penalize!(
                config,
                common!(config, layer.padding(padding(config)?), pair),
                kernel_regularizer,
                kernel_constraint
            ))
        }
        _ => return Ok(None),
    }))
}
