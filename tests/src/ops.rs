//! TensorFlow's ops by path: one row an op that Gradling has.
//!
//! A row calls what a user would call. An op of TensorFlow that a user would have to build from several others
//! has no row and counts as unsupported.

use gradling::{DType, Padding, Var, Window};
use serde_json::Value;

use crate::case::{Case, integers};
use crate::program::{Fault, dtype, unsupported};

/// What a row gets.
pub struct Args<'c, 'b> {
    /// The case, for its keyword arguments.
    pub case: &'c Case,
    /// The inputs in call order.
    pub x: &'c [Var<'b>],
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
        self.case.integers("axis").unwrap_or_default().into_iter().map(|a| a as isize).collect()
    }

    fn reduce(&self, f: fn(Var<'b>, &[isize], bool) -> Var<'b>) -> Outputs<'b> {
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

    /// Axis `key` counted from the front, of `rank` axes.
    fn axis(&self, key: &str, default: isize, rank: usize) -> usize {
        let axis = self.integer(key).unwrap_or(default);
        if axis < 0 { (axis + rank as isize) as usize } else { axis as usize }
    }

    fn last_axis_only(&self) -> Result<(), Fault> {
        let rank = self.x[0].shape().rank();
        match self.axis("axis", -1, rank) {
            axis if axis + 1 == rank => Ok(()),
            axis => unsupported(format!("{} along axis {axis} of {rank}", self.case.class_name)),
        }
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

    /// Pieces of `sizes` along `axis`.
    fn pieces(&self, axis: usize, sizes: &[usize]) -> Vec<Var<'b>> {
        let x = self.x[0];
        let whole: Vec<usize> = (0..x.shape().rank()).map(|a| x.shape().dim(a as isize)).collect();
        let mut start = 0;
        sizes
            .iter()
            .map(|&n| {
                let (mut begin, mut size) = (vec![0; whole.len()], whole.clone());
                (begin[axis], size[axis]) = (start, n);
                start += n;
                x.slice(&begin, &size)
            })
            .collect()
    }
}

fn one(y: Var) -> Outputs {
    Ok(vec![y])
}

fn pair(value: Option<&Value>, default: [u32; 2]) -> Result<[u32; 2], Fault> {
    match value.map(|v| integers(v).unwrap_or_default()).as_deref() {
        None => Ok(default),
        Some([n]) => Ok([*n as u32; 2]),
        Some([a, b]) => Ok([*a as u32, *b as u32]),
        Some(other) => unsupported(format!("window {other:?}")),
    }
}

/// Emits the op of `args.case`.
///
/// **Errors** when Gradling has no such op or it refuses the arguments.
pub fn emit<'b>(args: &Args<'_, 'b>) -> Outputs<'b> {
    match RULES.iter().find(|(name, _)| *name == args.case.class_name) {
        Some((_, rule)) => rule(args),
        None => unsupported(args.case.class_name.clone()),
    }
}

const RULES: &[(&str, Rule)] = &[
    // Arithmetic, comparison, choice.
    ("tf.add", |a| one(a.x[0] + a.x[1])),
    ("tf.subtract", |a| one(a.x[0] - a.x[1])),
    ("tf.multiply", |a| one(a.x[0] * a.x[1])),
    ("tf.divide", |a| one(a.x[0].cast(DType::F32) / a.x[1].cast(DType::F32))),
    ("tf.maximum", |a| one(a.x[0].maximum(a.x[1]))),
    ("tf.minimum", |a| one(a.x[0].minimum(a.x[1]))),
    ("tf.math.squared_difference", |a| one((a.x[0] - a.x[1]).square())),
    ("tf.pow", |a| match a.x.get(1) {
        Some(y) => one(a.x[0].pow(*y)),
        None => one(a.x[0].pow(a.number("exponent")?)),
    }),
    ("tf.equal", |a| one(a.x[0].equal(a.x[1]))),
    ("tf.not_equal", |a| one(a.x[0].not_equal(a.x[1]))),
    ("tf.less", |a| one(a.x[0].less(a.x[1]))),
    ("tf.less_equal", |a| one(a.x[0].less_equal(a.x[1]))),
    ("tf.greater", |a| one(a.x[0].greater(a.x[1]))),
    ("tf.greater_equal", |a| one(a.x[0].greater_equal(a.x[1]))),
    ("tf.logical_and", |a| one(a.x[0].logical_and(a.x[1]))),
    ("tf.logical_or", |a| one(a.x[0].logical_or(a.x[1]))),
    ("tf.where", |a| match a.x {
        [condition, x, y] => one(Var::select(*condition, *x, *y)),
        _ => unsupported("tf.where with one argument"),
    }),
    ("tf.matmul", |a| one(a.x[0].matmul_t(a.x[1], a.flag("transpose_a"), a.flag("transpose_b")))),
    // Functions of one number.
    ("tf.square", |a| one(a.x[0].square())),
    ("tf.sqrt", |a| one(a.x[0].sqrt())),
    ("tf.exp", |a| one(a.x[0].exp())),
    ("tf.math.log", |a| one(a.x[0].log())),
    ("tf.abs", |a| one(a.x[0].abs())),
    ("tf.negative", |a| one(-a.x[0])),
    ("tf.sign", |a| one(a.x[0].sign())),
    ("tf.math.rsqrt", |a| one(a.x[0].rsqrt())),
    ("tf.math.reciprocal", |a| one(a.x[0].reciprocal())),
    ("tf.sin", |a| one(a.x[0].sin())),
    ("tf.cos", |a| one(a.x[0].cos())),
    ("tf.math.log1p", |a| one(a.x[0].log1p())),
    ("tf.math.expm1", |a| one(a.x[0].expm1())),
    ("tf.floor", |a| one(a.x[0].floor())),
    ("tf.math.ceil", |a| one(a.x[0].ceil())),
    ("tf.round", |a| one(a.x[0].round())),
    ("tf.sigmoid", |a| one(a.x[0].sigmoid())),
    ("tf.tanh", |a| one(a.x[0].tanh())),
    ("tf.nn.relu", |a| one(a.x[0].relu())),
    ("tf.math.softplus", |a| one(a.x[0].softplus())),
    ("tf.math.erf", |a| one(a.x[0].erf())),
    ("tf.clip_by_value", |a| one(a.x[0].clip(a.number("clip_value_min")?, a.number("clip_value_max")?))),
    ("tf.cast", |a| match a.case.text("dtype") {
        Some(name) => one(a.x[0].cast(dtype(name)?)),
        None => unsupported("tf.cast without a type"),
    }),
    // Reductions.
    ("tf.reduce_sum", |a| a.reduce(|x, axes, keep| x.sum(axes, keep))),
    ("tf.reduce_mean", |a| a.reduce(|x, axes, keep| x.mean(axes, keep))),
    ("tf.reduce_max", |a| a.reduce(|x, axes, keep| x.max(axes, keep))),
    ("tf.reduce_min", |a| a.reduce(|x, axes, keep| x.min(axes, keep))),
    ("tf.reduce_prod", |a| a.reduce(|x, axes, keep| x.prod(axes, keep))),
    ("tf.reduce_logsumexp", |a| a.reduce(|x, axes, keep| x.logsumexp(axes, keep))),
    ("tf.argmax", |a| one(a.x[0].argmax(a.integer("axis").unwrap_or(0)))),
    ("tf.argmin", |a| one(a.x[0].argmin(a.integer("axis").unwrap_or(0)))),
    // Shapes.
    ("tf.concat", |a| one(Var::concat(a.x, a.integer("axis").unwrap_or(0)))),
    ("tf.stack", |a| {
        let axis = a.integer("axis").unwrap_or(0);
        let parts: Vec<Var> = a.x.iter().map(|x| x.expand_dims(axis)).collect();
        one(Var::concat(&parts, axis))
    }),
    ("tf.unstack", |a| {
        let axis = a.axis("axis", 0, a.x[0].shape().rank());
        let n = a.x[0].shape().dim(axis as isize);
        Ok(a.pieces(axis, &vec![1; n]).into_iter().map(|y| y.squeeze(&[axis as isize])).collect())
    }),
    ("tf.split", |a| {
        let axis = a.axis("axis", 0, a.x[0].shape().rank());
        let whole = a.x[0].shape().dim(axis as isize);
        let sizes: Vec<usize> = match a.case.config.get("num_or_size_splits") {
            Some(Value::Number(n)) => {
                let n = n.as_u64().unwrap_or(1) as usize;
                vec![whole / n; n]
            }
            other => {
                let list = other.and_then(integers).unwrap_or_default();
                let known: i64 = list.iter().filter(|&&n| n >= 0).sum();
                list.iter().map(|&n| if n < 0 { whole - known as usize } else { n as usize }).collect()
            }
        };
        Ok(a.pieces(axis, &sizes))
    }),
    ("tf.slice", |a| {
        let begin: Vec<usize> = a.integers("begin")?.iter().map(|&i| i as usize).collect();
        let shape = a.x[0].shape();
        let rest = |axis: usize| shape.dim(axis as isize) - begin[axis];
        let size = a.integers("size")?;
        let size: Vec<usize> =
            size.iter().enumerate().map(|(i, &n)| if n < 0 { rest(i) } else { n as usize }).collect();
        one(a.x[0].slice(&begin, &size))
    }),
    ("tf.transpose", |a| {
        let rank = a.x[0].shape().rank();
        let order: Vec<usize> = match a.case.integers("perm") {
            Some(order) => order.iter().map(|&i| i as usize).collect(),
            None => (0..rank).rev().collect(),
        };
        one(a.x[0].transpose(&order))
    }),
    ("tf.reshape", |a| one(a.x[0].reshape(&a.shape("shape")?))),
    ("tf.expand_dims", |a| one(a.x[0].expand_dims(a.integer("axis").unwrap_or(0)))),
    ("tf.squeeze", |a| one(a.x[0].squeeze(&a.axes()))),
    ("tf.broadcast_to", |a| one(a.x[0].broadcast_to(&a.shape("shape")?))),
    ("tf.pad", |a| match a.case.text("mode") {
        None | Some("CONSTANT") => {
            let sides = a.case.config.get("paddings").and_then(Value::as_array).cloned().unwrap_or_default();
            let sides: Result<Vec<(usize, usize)>, Fault> =
                sides.iter().map(|s| pair(Some(s), [0, 0]).map(|p| (p[0] as usize, p[1] as usize))).collect();
            one(a.x[0].pad(&sides?, a.case.number("constant_values").unwrap_or(0.0) as f32))
        }
        Some(mode) => unsupported(format!("tf.pad of mode {mode}")),
    }),
    ("tf.one_hot", |a| {
        if ["axis", "on_value", "off_value"].iter().any(|k| a.case.config.contains_key(*k)) {
            return unsupported("tf.one_hot with an axis or values");
        }
        one(a.x[0].one_hot(a.integer("depth").unwrap_or(0) as usize))
    }),
    ("tf.zeros_like", |a| one(a.x[0].zeros_like())),
    ("tf.ones_like", |a| one(a.x[0].ones_like())),
    // Neural networks.
    ("tf.nn.softmax", |a| {
        a.last_axis_only()?;
        one(a.x[0].softmax())
    }),
    ("tf.nn.log_softmax", |a| {
        a.last_axis_only()?;
        one(a.x[0].log_softmax())
    }),
    ("tf.nn.bias_add", |a| one(a.x[0] + a.x[1])),
    ("tf.nn.conv2d", |a| {
        let f = a.x[1].shape();
        let window = a.window([f.dim(0) as u32, f.dim(1) as u32])?;
        let window = match a.case.config.contains_key("strides") {
            true => window,
            false => Window { strides: [1, 1], ..window },
        };
        one(a.x[0].conv2d(a.x[1], &window))
    }),
    ("tf.nn.max_pool2d", |a| {
        let window = a.window(pair(a.case.config.get("ksize"), [1, 1])?)?;
        one(a.x[0].max_pool2d(&window))
    }),
    ("tf.nn.avg_pool2d", |a| {
        let window = a.window(pair(a.case.config.get("ksize"), [1, 1])?)?;
        one(a.x[0].avg_pool2d(&window))
    }),
];
