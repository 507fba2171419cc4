//! Layers of several inputs.

use super::{Config, Family};

pub(super) fn layer(_class: &str, _config: &Config) -> Family {
    Ok(None)
}
