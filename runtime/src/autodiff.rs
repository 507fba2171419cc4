//! Reverse-mode differentiation over any [`Builder`](crate::op::Builder): one vector-Jacobian rule per op, written in ops, so that
//! gradients can be differentiated again.

use crate::op::{CustomGradient, Op, ValueId, Var};
use crate::{DType, misuse};
use alloc::vec;
use alloc::vec::Vec;

/// The gradients of `y` (summed over its elements where it is no scalar) with respect to `xs`; zeros where `y`
/// does not depend on an `x`.
///
/// The gradient of a float16 value is float32: casts between floats pass gradients as they are.
///
/// ```
/// use gradling::{Tape, Tensor, autodiff::grad};
/// let tape = Tape::new();
/// let x = tape.watch(&Tensor::scalar(3.0));
/// let y = x * x * x;
/// let dy = grad(y, &[x])[0];
/// let d2y = grad(dy, &[x])[0];
/// assert_eq!(tape.value(dy)?.item()?, 27.0);
/// assert_eq!(tape.value(d2y)?.item()?, 18.0);
/// # Ok::<(), gradling::Error>(())
/// ```
pub fn grad<'b>(y: Var<'b>, xs: &[Var<'b>]) -> Vec<Var<'b>> {
    grad_with(y, gradient_like(y, 1.0), xs)
}

/// The gradients of `sum(y * cotangent)` with respect to `xs`.
pub fn grad_with<'b>(y: Var<'b>, cotangent: Var<'b>, xs: &[Var<'b>]) -> Vec<Var<'b>> {
    let builder = y.builder();
    if y.id() == ValueId::POISON || xs.iter().any(|x| x.id() == ValueId::POISON) {
        return xs.to_vec();
    }
    let cotangent = if cotangent.dtype() == DType::F16 { cotangent.cast(DType::F32) } else { cotangent };
    let last = builder.producer(y.id());

    // Nodes through which y depends on some x.
    let mut active = vec![false; last + 1];
    let is_target = |v: ValueId| xs.iter().any(|x| x.id() == v);
    for i in 0..=last {
        let node = builder.node(i);
        let reaches = |v: &ValueId| is_target(*v) || active[builder.producer(*v)];
        active[i] = match builder.custom_gradient(i) {
            Some(rule) => rule.inputs.iter().any(reaches),
            None => node.inputs.iter().any(reaches),
        };
    }

    // By value; the cotangents themselves are values that come after all these.
    let end = builder.node(last);
    let mut cotangents: Vec<Option<Var<'b>>> = vec![None; end.first.index() + end.results];
    cotangents[y.id().index()] = Some(cotangent.broadcast(y.shape()));
    let known = |all: &[Option<Var<'b>>], v: ValueId| all.get(v.index()).copied().flatten();
    for i in (0..=last).rev() {
        if !active[i] {
            continue;
        }
        let node = builder.node(i);
        if !node.outputs().any(|o| known(&cotangents, o).is_some()) {
            continue;
        }
        let var = |v: ValueId| Var::new(builder, v);
        let custom = builder.custom_gradient(i);
        let operands = custom.as_ref().map_or(&node.inputs, |rule| &rule.inputs);
        let inputs: Vec<Var<'b>> = operands.iter().map(|&v| var(v)).collect();
        let outputs: Vec<Var<'b>> = node.outputs().map(var).collect();
        let given: Vec<Var<'b>> = outputs
            .iter()
            .map(|o| known(&cotangents, o.id()).unwrap_or_else(|| gradient_like(*o, 0.0)))
            .collect();
        let parts = match &custom {
            Some(rule) => applied(rule, &inputs, outputs[0], given[0]),
            None => node.op.vjp(&inputs, &outputs, &given),
        };
        for (x, dx) in inputs.iter().zip(parts) {
            let wanted = is_target(x.id()) || (x.id() != ValueId::POISON && active[builder.producer(x.id())]);
            if let (Some(dx), true) = (dx, wanted) {
                let sum = match known(&cotangents, x.id()) {
                    Some(so_far) => so_far + dx,
                    None => dx,
                };
                cotangents[x.id().index()] = Some(sum);
            }
        }
    }
    xs.iter().map(|x| known(&cotangents, x.id()).unwrap_or_else(|| gradient_like(*x, 0.0))).collect()
}

/// A gradient of `v` whose elements are all `value`. Float16 is storage only, so its gradients are float32.
fn gradient_like<'b>(v: Var<'b>, value: f32) -> Var<'b> {
    let one = match v.dtype() {
        DType::F16 => Var::new(v.builder(), v.builder().push(Op::Scalar(DType::F32, value.to_bits()), &[])),
        _ => v.scalar_like(value),
    };
    one.broadcast(v.shape())
}

/// The cotangents that a caller's rule gives.
fn applied<'b>(rule: &CustomGradient, x: &[Var<'b>], y: Var<'b>, g: Var<'b>) -> Vec<Option<Var<'b>>> {
    let parts = (rule.backward)(x, y, g);
    let fits = |(x, dx): (&Var<'b>, &Var<'b>)| x.shape() == dx.shape() || dx.id() == ValueId::POISON;
    if parts.len() != x.len() || !x.iter().zip(&parts).all(fits) {
        y.fail(misuse!(
            "custom_gradient: expected {} cotangents of the shapes of the inputs, got {}",
            x.len(),
            parts.len()
        ));
    }
    parts.into_iter().map(Some).collect()
}
