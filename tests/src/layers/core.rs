//! Dense, activations, shapes and noise.

use gradling::nn::{ActivationLayer, Dense, Dropout, Flatten};
use serde_json::Value;

use super::{Config, Family, activation, flag, number, whole};

pub(super) fn layer(class: &str, config: &Config) -> Family {
    Ok(Some(match class {
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
        _ => return Ok(None),
    }))
}
