//! A layer inside another.

use super::{Call, Layer, LayerConfig, Weights};
use crate::{Result, Shape, Var, misuse};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A layer that another one holds. It is copied, compared and saved by its configuration; a custom layer has
/// none, so that the copy of one fails when it is built.
pub(super) struct Nested(pub Box<dyn Layer>);

impl Nested {
    /// The configuration.
    ///
    /// **Errors** for custom layers.
    pub fn config(&self) -> Result<LayerConfig> {
        self.0.config().ok_or_else(|| {
            misuse!(
                "{}: a custom layer can be neither copied nor saved; build it anew and load its weights",
                self.0.class_name()
            )
        })
    }
}

impl Clone for Nested {
    fn clone(&self) -> Nested {
        match self.config() {
            Ok(config) => Nested(config.into_layer()),
            Err(_) => Nested(Box::new(NotCopied(self.0.class_name().to_string()))),
        }
    }
}

impl PartialEq for Nested {
    fn eq(&self, other: &Nested) -> bool {
        match (self.0.config(), other.0.config()) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.class_name())
    }
}

impl Serialize for Nested {
    fn serialize<S: Serializer>(&self, serializer: S) -> core::result::Result<S::Ok, S::Error> {
        self.config().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> core::result::Result<Nested, D::Error> {
        Ok(Nested(LayerConfig::deserialize(deserializer)?.into_layer()))
    }
}

/// Stands where a custom layer could not be copied.
struct NotCopied(String);

impl Layer for NotCopied {
    fn class_name(&self) -> &'static str {
        "NotCopied"
    }

    fn name(&self) -> &str {
        &self.0
    }

    fn set_name(&mut self, _: &str) {}

    fn build(&mut self, _: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        Err(misuse!("{}: a custom layer cannot be copied; make the copy yourself", self.0))
    }

    fn call<'b>(&self, _: &mut Call<'b>, _: Var<'b>) -> Result<Var<'b>> {
        Err(misuse!("{}: a custom layer cannot be copied; make the copy yourself", self.0))
    }
}
