//! TensorFlow's ops by path: one row an op that Gradling has.
//!
//! A row calls what a user would call. An op of TensorFlow that a user would have to build from several others
//! has no row and counts as unsupported.

mod eager;
mod math;
mod nn;
mod reduce;
mod shape;

pub use eager::eager;

use gradling::{Padding, Trace, Var, Window};
use serde_json::Value;

use crate::case::{Case, integers};
use crate::program::{Fault, unsupported};

/// What a row gets.
pub struct Args<'c, 'b> {
    /// The case, for its keyword arguments.
    pub case: &'c Case,
    /// The inputs in call order.
    pub x: &'c [Var<'b>],
    /// Where ops without inputs go.
    pub trace: &'b Trace,
}

type Outputs<'b> = Result<Vec<Var<'b>>, Fault>;
type Rule = for<'c, 'b> fn(&Args<'c, 'b>) -> Outputs<'b>;

impl<'b> Args<'_, 'b> {
    fn flag(&self, key: &str) -> bool {
        self.case.flag(key)
    }

    fn number(&self, key: &str) -> Result<f32, Fault> {
        let number = self.case.number(key).map(|n| n as f32);
        number.ok_or_else(|| Fault::Failed(format!("no number {key} in the configuration")))
    }

    fn integer(&self, key: &str) -> Option<isize> {
        self.case.config.get(key).and_then(Value::as_i64).map(|n| n as isize)
    }

    fn integers(&self, key: &str) -> Result<Vec<i64>, Fault> {
        let list = self.case.integers(key);
        list.ok_or_else(|| Fault::Failed(format!("no integers {key} in the configuration")))
    }

    /// The axes to reduce; none means all.
    fn axes(&self) -> Vec<isize> {
        self.list("axis")
    }

    fn list(&self, key: &str) -> Vec<isize> {
        self.case.integers(key).unwrap_or_default().into_iter().map(|a| a as isize).collect()
    }

    fn reduce(&self, f: fn(Var<'b>, &[isize], bool) -> Var<'b>) -> Outputs<'b> {
        // An empty list of axes reduces nothing, which is a new axis of extent 1.
        if matches!(self.case.config.get("axis"), Some(Value::Array(axes)) if axes.is_empty()) {
            return one(f(self.x[0].expand_dims(0), &[0], false));
        }
        one(f(self.x[0], &self.axes(), self.flag("keepdims")))
    }

    /// A shape in which one extent may be -1.
    fn shape(&self, key: &str) -> Result<Vec<usize>, Fault> {
        let list = self.integers(key)?;
        let known: i64 = list.iter().filter(|&&d| d >= 0).product();
        let n = self.x[0].shape().numel();
        let free = n.checked_div(known as usize).unwrap_or(0);
        Ok(list.iter().map(|&d| if d < 0 { free } else { d as usize }).collect())
    }

    fn window(&self, kernel: [u32; 2]) -> Result<Window, Fault> {
        let strides = pair(self.case.config.get("strides"), kernel)?;
        let padding = match self.case.config.get("padding") {
            Some(Value::String(s)) if s == "SAME" => Padding::Same,
            Some(Value::String(s)) if s == "VALID" => Padding::Valid,
            Some(Value::Array(sides)) if sides.len() == 4 => {
                let side = |i: usize| pair(sides.get(i), [0, 0]);
                Padding::Explicit([side(1)?, side(2)?])
            }
            other => return unsupported(format!("padding {other:?}")),
        };
        Ok(Window { strides, padding, ..Window::new(kernel) })
    }
}

fn one(y: Var) -> Outputs {
    Ok(vec![y])
}

fn pair(value: Option<&Value>, default: [u32; 2]) -> Result<[u32; 2], Fault> {
    match value.map(|v| integers(v).unwrap_or_default()).as_deref() {
        None => Ok(default),
        Some([n]) => Ok([*n as u32; 2]),
        Some([a, b]) | Some([1, a, b, 1]) => Ok([*a as u32, *b as u32]),
        Some(other) => unsupported(format!("window {other:?}")),
    }
}

/// Emits the op of `args.case`.
///
/// **Errors** when Gradling has no such op or it refuses the arguments.
pub fn emit<'b>(args: &Args<'_, 'b>) -> Outputs<'b> {
    let mut rules = [math::RULES, reduce::RULES, shape::RULES, nn::RULES].into_iter().flatten();
    match rules.find(|(name, _)| *name == args.case.class_name) {
        Some((_, rule)) => rule(args),
        None => unsupported(args.case.class_name.clone()),
    }
}
