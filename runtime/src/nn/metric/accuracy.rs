//! Shares of right answers.

use super::Metric;
use crate::nn::loss::matching;
use crate::{DType, Result, Var, misuse};

impl Metric {
    /// 1 for each right answer, else 0.
    pub(super) fn hits<'b>(&self, target: Var<'b>, output: Var<'b>) -> Result<Var<'b>> {
        let name = self.name();
        match self {
            #[cfg(feature = "full")]
            Metric::Equality => {
                let output = output.cast(DType::F32);
                Ok(output.equal(matching(name, target, output)?).cast(DType::F32))
            }
            #[cfg(feature = "full")]
            Metric::BinaryAccuracy { threshold } => binary(name, target, output, *threshold),
            #[cfg(feature = "full")]
            Metric::CategoricalAccuracy => classes(dense(name, target, output)?, output),
            #[cfg(feature = "full")]
            Metric::SparseCategoricalAccuracy => classes(sparse(name, target, output)?, output),
            #[cfg(feature = "full")]
            Metric::TopKCategoricalAccuracy { k } => {
                let target = dense(name, target, output)?;
                Ok(top_k(target, output, *k))
            }
            #[cfg(feature = "full")]
            Metric::SparseTopKCategoricalAccuracy { k } => {
                let target = sparse(name, target, output)?;
                Ok(top_k(target, output, *k))
            }
            _ if output.dim(-1) == 1 => binary(name, target, output, 0.5),
            _ if target.shape() == output.shape() => classes(dense(name, target, output)?, output),
            _ => classes(sparse(name, target, output)?, output),
        }
    }
}

fn binary<'b>(name: &str, target: Var<'b>, output: Var<'b>, threshold: f32) -> Result<Var<'b>> {
    let target = matching(name, target, output)?;
    let answer = output.greater(output.scalar_like(threshold)).cast(DType::F32);
    Ok(answer.equal(target).cast(DType::F32))
}

/// The classes of one-hot targets.
fn dense<'b>(name: &str, target: Var<'b>, output: Var<'b>) -> Result<Var<'b>> {
    Ok(matching(name, target, output)?.argmax(-1))
}

/// Class indices, one for each sample.
fn sparse<'b>(name: &str, target: Var<'b>, output: Var<'b>) -> Result<Var<'b>> {
    let (t, y) = (target.shape(), output.shape());
    if y.rank() == 0 || t.numel() * y.dim(-1) != y.numel() {
        return Err(misuse!(
            "{name}: expected one class index per sample for outputs of shape {y}, got targets of shape {t}"
        ));
    }
    Ok(target.cast(DType::I32).reshape(&y.list()[..y.rank() - 1]))
}

fn classes<'b>(target: Var<'b>, output: Var<'b>) -> Result<Var<'b>> {
    Ok(output.argmax(-1).equal(target).cast(DType::F32))
}

/// Whether fewer than `k` outputs are larger than that of the class.
#[cfg(feature = "full")]
fn top_k<'b>(class: Var<'b>, output: Var<'b>, k: u32) -> Var<'b> {
    let hot = class.one_hot(output.dim(-1));
    let own = Var::select(hot.greater(hot.scalar_like(0.5)), output, output.scalar_like(0.0));
    let larger = output.greater(own.sum(&[-1], true)).cast(DType::F32).sum(&[-1], false);
    larger.less(larger.scalar_like(k as f32)).cast(DType::F32)
}
