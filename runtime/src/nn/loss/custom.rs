//! Losses of the program's own.

use crate::Var;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

type Function = dyn for<'b> Fn(Var<'b>, Var<'b>) -> Var<'b>;

/// A function of target and output that gives the loss of each element or of each sample.
///
/// ```
/// use gradling::nn::loss::{CustomLoss, Loss};
/// use gradling::{Tape, Tensor};
///
/// let loss = Loss::from(CustomLoss::new("cubic", |t, y| (y - t).abs().pow(3.0)));
/// let tape = Tape::new();
/// let t = tape.constant(&Tensor::new(&[2], [0.0, 1.0])?);
/// let y = tape.constant(&Tensor::new(&[2], [2.0, 1.0])?);
/// let value = loss.of(t, y, None)?;
/// assert_eq!(tape.value(value)?.item()?, 4.0);
/// # Ok::<(), gradling::Error>(())
/// ```
#[derive(Clone)]
pub struct CustomLoss {
    name: String,
    function: Arc<Function>,
}

impl CustomLoss {
    /// The loss `function(target, output)` under a name.
    pub fn new(name: &str, function: impl for<'b> Fn(Var<'b>, Var<'b>) -> Var<'b> + 'static) -> CustomLoss {
        CustomLoss { name: name.into(), function: Arc::new(function) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The losses.
    pub fn values<'b>(&self, target: Var<'b>, output: Var<'b>) -> Var<'b> {
        (self.function)(target, output)
    }
}

impl fmt::Debug for CustomLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for CustomLoss {
    fn eq(&self, other: &CustomLoss) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.function, &other.function)
    }
}
