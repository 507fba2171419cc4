//! Pooling.

use gradling::nn::MaxPooling2D;

use super::{Config, Family, padding, pair};

pub(super) fn layer(class: &str, config: &Config) -> Family {
    Ok(Some(match class {
        "MaxPooling2D" => Box::new(
            MaxPooling2D::new(pair(config, "pool_size")?)
                .strides(pair(config, "strides")?)
                .padding(padding(config)?),
        ),
        _ => return Ok(None),
    }))
}
