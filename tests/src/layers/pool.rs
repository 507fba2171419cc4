//! Pooling.

use gradling::nn::{
    AveragePooling1D, AveragePooling2D, GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D,
    GlobalMaxPooling2D, MaxPooling1D, MaxPooling2D,
};

use super::{Config, Family, flag, padding, pair, single};

pub(super) fn layer(class: &str, config: &Config) -> Family {
    let size = || single(config, "pool_size");
    let sizes = || pair(config, "pool_size");
    let stride = || single(config, "strides");
    let strides = || pair(config, "strides");
    let keep = flag(config, "keepdims");
    Ok(Some(match class {
        "MaxPooling1D" => Box::new(MaxPooling1D::new(size()?).strides(stride()?).padding(padding(config)?)),
        "MaxPooling2D" => Box::new(MaxPooling2D::new(sizes()?).strides(strides()?).padding(padding(config)?)),
        "AveragePooling1D" => {
            Box::new(AveragePooling1D::new(size()?).strides(stride()?).padding(padding(config)?))
        }
        "AveragePooling2D" => {
            Box::new(AveragePooling2D::new(sizes()?).strides(strides()?).padding(padding(config)?))
        }
        "GlobalMaxPooling1D" => Box::new(GlobalMaxPooling1D::new().keepdims(keep)),
        "GlobalMaxPooling2D" => Box::new(GlobalMaxPooling2D::new().keepdims(keep)),
        "GlobalAveragePooling1D" => Box::new(GlobalAveragePooling1D::new().keepdims(keep)),
        "GlobalAveragePooling2D" => Box::new(GlobalAveragePooling2D::new().keepdims(keep)),
        _ => return Ok(None),
    }))
}
