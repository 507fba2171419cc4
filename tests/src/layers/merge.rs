//! Layers of several inputs.

use gradling::nn::{Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract};

use super::{Config, Family, flag, list};
use crate::program::Fault;

pub(super) fn layer(class: &str, config: &Config) -> Family {
    Ok(Some(match class {
        "Add" => Box::new(Add::new()),
        "Subtract" => Box::new(Subtract::new()),
        "Multiply" => Box::new(Multiply::new()),
        "Average" => Box::new(Average::new()),
        "Maximum" => Box::new(Maximum::new()),
        "Minimum" => Box::new(Minimum::new()),
        "Concatenate" => match list(config, "axis")?.as_slice() {
            [axis] => Box::new(Concatenate::new(*axis)),
            other => return Err(Fault::Failed(format!("axis is {other:?}"))),
        },
        "Dot" => {
            let layer = match list(config, "axes")?.as_slice() {
                [axis] => Dot::new(*axis),
                [a, b] => Dot::over([*a, *b]),
                other => return Err(Fault::Failed(format!("axes are {other:?}"))),
            };
            Box::new(layer.normalize(flag(config, "normalize")))
        }
        _ => return Ok(None),
    }))
}
