//! Convolutions.

use gradling::nn::Conv2D;

use super::{Config, Family, activation, flag, padding, pair, whole};

pub(super) fn layer(class: &str, config: &Config) -> Family {
    Ok(Some(match class {
        "Conv2D" => Box::new(
            Conv2D::new(whole(config, "filters")?, pair(config, "kernel_size")?)
                .strides(pair(config, "strides")?)
                .padding(padding(config)?)
                .dilation_rate(pair(config, "dilation_rate")?)
                .groups(whole(config, "groups")? as u32)
                .activation(activation(config.get("activation"))?)
                .use_bias(flag(config, "use_bias")),
        ),
        _ => return Ok(None),
    }))
}
