//! Activation functions of TensorFlow and Keras.

use crate::misuse;
use crate::op::Var;

impl<'b> Var<'b> {
    /// `tf.nn.relu6`: `min(max(x, 0), 6)`; the gradient is 0 at both ends.
    pub fn relu6(self) -> Var<'b> {
        self.scalar_like(6.0).minimum(self.relu())
    }

    /// `tf.nn.leaky_relu`: `x` above 0, else `alpha x`.
    pub fn leaky_relu(self, alpha: f32) -> Var<'b> {
        Var::select(self.greater(self.scalar_like(0.0)), self, self * alpha)
    }

    /// `f` where `below` holds, this value elsewhere. `f` sees zero elsewhere, so that no infinity of its other side
    /// reaches the gradient.
    fn where_below(self, below: Var<'b>, f: impl FnOnce(Var<'b>) -> Var<'b>) -> Var<'b> {
        Var::select(below, f(Var::select(below, self, self.scalar_like(0.0))), self)
    }

    /// `keras.activations.elu`, with `alpha` 1 `tf.nn.elu`: `x` above 0, else `alpha (e^x - 1)`.
    pub fn elu(self, alpha: f32) -> Var<'b> {
        let zero = self.scalar_like(0.0);
        let y = self.where_below(self.less(zero), Var::expm1);
        if alpha == 1.0 {
            return y;
        }
        Var::select(self.greater(zero), y, y * alpha)
    }

    /// `tf.nn.selu` (Klambauer et al. 2017).
    pub fn selu(self) -> Var<'b> {
        const ALPHA: f32 = 1.673_263_2;
        const SCALE: f32 = 1.050_701;
        // Where the exponential rounds to 1 the linear side begins, as in TensorFlow.
        let below = self.exp().less(self.scalar_like(1.0));
        self.where_below(below, |x| x.expm1() * ALPHA) * SCALE
    }

    /// `keras.activations.celu`: `max(x, 0) + alpha (e^(min(x, 0) / alpha) - 1)`.
    pub fn celu(self, alpha: f32) -> Var<'b> {
        let zero = self.scalar_like(0.0);
        self.maximum(zero) + (self.minimum(zero) / alpha).expm1() * alpha
    }

    /// `tf.nn.gelu`: `x Φ(x)`, by the error function or, `approximate`, by a hyperbolic tangent.
    pub fn gelu(self, approximate: bool) -> Var<'b> {
        let half = self * 0.5;
        if approximate {
            const ROOT: f32 = 0.797_884_6;
            let cubic = self + self * self * self * 0.044_715;
            half * ((cubic * ROOT).tanh() + 1.0)
        } else {
            half * ((self * core::f32::consts::FRAC_1_SQRT_2).erf() + 1.0)
        }
    }

    /// `tf.nn.silu`, also called swish: `x / (1 + e^-x)`.
    pub fn silu(self) -> Var<'b> {
        self * self.sigmoid()
    }

    /// `keras.activations.mish`: `x tanh(log(1 + e^x))` (Misra 2019).
    pub fn mish(self) -> Var<'b> {
        self * self.softplus().tanh()
    }

    /// `tf.nn.softsign`: `x / (1 + |x|)`.
    pub fn softsign(self) -> Var<'b> {
        self / (self.abs() + 1.0)
    }

    /// `tf.math.log_sigmoid`: `-log(1 + e^-x)`.
    pub fn log_sigmoid(self) -> Var<'b> {
        -(-self).softplus()
    }

    /// `keras.activations.hard_sigmoid`: `relu6(x + 3) / 6`.
    pub fn hard_sigmoid(self) -> Var<'b> {
        (self + 3.0).relu6() / 6.0
    }

    /// `keras.activations.hard_silu`: `x hard_sigmoid(x)`.
    pub fn hard_silu(self) -> Var<'b> {
        self * self.hard_sigmoid()
    }

    /// `keras.activations.hard_tanh`: clipped to -1 and 1.
    pub fn hard_tanh(self) -> Var<'b> {
        self.clip(-1.0, 1.0)
    }

    /// `keras.activations.tanh_shrink`: `x - tanh(x)`.
    pub fn tanh_shrink(self) -> Var<'b> {
        self - self.tanh()
    }

    /// `keras.activations.hard_shrink`: `x` where `|x|` is above the threshold, else 0; NaN gives 0.
    pub fn hard_shrink(self, threshold: f32) -> Var<'b> {
        let zero = self.scalar_like(0.0);
        Var::select(self.abs().greater(self.scalar_like(threshold)), self, zero)
    }

    /// `keras.activations.soft_shrink`: `x` moved toward 0 by the threshold, 0 where it would pass; NaN gives 0.
    pub fn soft_shrink(self, threshold: f32) -> Var<'b> {
        let below = self.less(self.scalar_like(-threshold));
        let low = Var::select(below, self + threshold, self.scalar_like(0.0));
        Var::select(self.greater(self.scalar_like(threshold)), self - threshold, low)
    }

    /// `keras.activations.squareplus`: `(x + sqrt(x² + b)) / 2`.
    pub fn squareplus(self, b: f32) -> Var<'b> {
        (self + (self.square() + b).sqrt()) * 0.5
    }

    /// `keras.activations.threshold`: `x` above the threshold, else `value`.
    pub fn threshold(self, threshold: f32, value: f32) -> Var<'b> {
        Var::select(self.greater(self.scalar_like(threshold)), self, self.scalar_like(value))
    }

    /// `keras.activations.sparse_plus`: 0 up to -1, `(x + 1)² / 4` up to 1, then `x`.
    pub fn sparse_plus(self) -> Var<'b> {
        let one = self.scalar_like(1.0);
        let middle = Var::select(self.less(one), (self + 1.0).square() * 0.25, self);
        Var::select(self.less_equal(-one), self.scalar_like(0.0), middle)
    }

    /// `keras.activations.sparse_sigmoid`: 0 up to -1, `(x + 1) / 2` up to 1, then 1.
    pub fn sparse_sigmoid(self) -> Var<'b> {
        let one = self.scalar_like(1.0);
        let middle = Var::select(self.greater_equal(one), one, (self + 1.0) * 0.5);
        Var::select(self.less_equal(-one), self.scalar_like(0.0), middle)
    }

    /// `keras.activations.relu` with all its arguments: `x` between the threshold and `max_value`, `max_value` above,
    /// `negative_slope (x - threshold)` below.
    pub fn relu_with(self, negative_slope: f32, max_value: Option<f32>, threshold: f32) -> Var<'b> {
        if negative_slope != 0.0 && max_value.is_none() && threshold == 0.0 {
            return self.leaky_relu(negative_slope);
        }
        let mut y = if threshold != 0.0 {
            self * self.greater(self.scalar_like(threshold)).cast(self.dtype())
        } else {
            self.relu()
        };
        y = match max_value {
            Some(6.0) if threshold == 0.0 => self.relu6(),
            Some(max) => y.clip(0.0, max),
            None => y,
        };
        if negative_slope != 0.0 {
            y = y - (-self + threshold).relu() * negative_slope;
        }
        y
    }

    /// `keras.activations.glu`: the first half along `axis` times the sigmoid of the second (Dauphin et al. 2017).
    ///
    /// **Shape**: half the extent along `axis`, which is even.
    pub fn glu(self, axis: isize) -> Var<'b> {
        let n = self.dim(axis);
        match self.shape().axis(axis) {
            Some(axis) if n.is_multiple_of(2) => {
                let half = |start| self.slice_axis(axis, start, n / 2);
                half(0) * half(n / 2).sigmoid()
            }
            _ => self.poison(misuse!("glu: expected an even extent along axis {axis} of {}", self.shape())),
        }
    }
}
