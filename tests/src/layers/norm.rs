//! Normalization.

use gradling::nn::{
    BatchNormalization, GroupNormalization, LayerNormalization, RMSNormalization, UnitNormalization,
};

use super::{Config, Family, flag, list, number, off, penalize};
use crate::program::Fault;

pub(super) fn layer(class: &str, config: &Config) -> Family {
    let axes = || list(config, "axis");
    let axis = || match axes()?.as_slice() {
        [axis] => Ok(*axis),
        other => Err(Fault::Failed(format!("axis is {other:?}"))),
    };
    let epsilon = || number(config, "epsilon");
    let (center, scale) = (flag(config, "center"), flag(config, "scale"));
    macro_rules! affine {
        ($layer:expr) => {
            penalize!(config, $layer, gamma_regularizer beta_regularizer, gamma_constraint beta_constraint)
        };
    }
    Ok(Some(match class {
        "BatchNormalization" => {
            off(class, config, &["renorm"])?;
            let layer = BatchNormalization::new().axis(axis()?).center(center).scale(scale);
            Box::new(affine!(layer.momentum(number(config, "momentum")?).epsilon(epsilon()?)))
        }
        "LayerNormalization" => {
            let layer = LayerNormalization::new().axis(&axes()?).center(center).scale(scale);
            Box::new(affine!(layer.rms_scaling(flag(config, "rms_scaling")).epsilon(epsilon()?)))
        }
        "GroupNormalization" => {
            let groups = match list(config, "groups")?.as_slice() {
                [groups] => *groups,
                other => return Err(Fault::Failed(format!("groups is {other:?}"))),
            };
            let layer = GroupNormalization::new(groups).axis(axis()?).epsilon(epsilon()?);
            Box::new(affine!(layer.center(center).scale(scale)))
        }
        "RMSNormalization" => Box::new(RMSNormalization::new().axis(&axes()?).epsilon(epsilon()?)),
        "UnitNormalization" => Box::new(UnitNormalization::new().axis(&axes()?)),
        _ => return Ok(None),
    }))
}
