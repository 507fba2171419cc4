//! Samples on their way into a step: arrays in memory, visited in an order, or batches from a stream.

use super::compiled::{Key, Mode};
use crate::error::Number;
use crate::op::Kind;
use crate::{Data, Element, Result, Session, Shape, Tensor, misuse};
use alloc::string::String;
use alloc::vec::Vec;

/// The inputs or the targets of a model: one tensor for each, with samples along the first axis.
#[derive(Clone, Debug)]
pub struct Arrays(pub Vec<Tensor>);

impl From<&Tensor> for Arrays {
    fn from(one: &Tensor) -> Arrays {
        Arrays(alloc::vec![one.clone()])
    }
}

impl From<Tensor> for Arrays {
    fn from(one: Tensor) -> Arrays {
        Arrays(alloc::vec![one])
    }
}

impl From<&[Tensor]> for Arrays {
    fn from(list: &[Tensor]) -> Arrays {
        Arrays(list.to_vec())
    }
}

impl From<&Vec<&Tensor>> for Arrays {
    fn from(list: &Vec<&Tensor>) -> Arrays {
        Arrays(list.iter().map(|t| (*t).clone()).collect())
    }
}

impl From<&Vec<Tensor>> for Arrays {
    fn from(list: &Vec<Tensor>) -> Arrays {
        Arrays(list.clone())
    }
}

impl From<Vec<Tensor>> for Arrays {
    fn from(list: Vec<Tensor>) -> Arrays {
        Arrays(list)
    }
}

impl<const N: usize> From<[&Tensor; N]> for Arrays {
    fn from(list: [&Tensor; N]) -> Arrays {
        Arrays(list.into_iter().cloned().collect())
    }
}

impl Arrays {
    /// The number of samples.
    ///
    /// **Errors** when there is none, or tensors have different numbers of them.
    pub(super) fn samples(&self, what: &str) -> Result<usize> {
        let count = |t: &Tensor| if t.shape().rank() == 0 { 0 } else { t.shape().dim(0) };
        let n = self.0.first().map_or(0, count);
        if n == 0 {
            let got = self.0.first().map(|t| *t.shape()).unwrap_or(Shape::SCALAR);
            return Err(misuse!("{what}: expected at least one sample, got inputs of shape {got}"));
        }
        match self.0.iter().find(|t| count(t) != n) {
            Some(t) => Err(misuse!("{what}: {n} samples in one input, but another has shape {}", t.shape())),
            None => Ok(n),
        }
    }

    /// The shape of one sample of each.
    pub(super) fn sample_shapes(&self) -> Result<Vec<Shape>> {
        self.0.iter().map(|t| Shape::new(t.shape().list().get(1..).unwrap_or(&[]))).collect()
    }
}

/// One batch: inputs, targets, and a weight for each sample.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The inputs.
    pub x: Arrays,
    /// The targets.
    pub y: Arrays,
    /// What the loss of each sample is multiplied by, `[samples]`.
    pub sample_weight: Option<Tensor>,
}

/// A source of batches that is too large for memory or is made on the way, such as an augmented data set.
pub trait Batches {
    /// Starts again at the first batch; called before every epoch.
    ///
    /// **Errors** when the source cannot be opened.
    fn restart(&mut self, epoch: usize) -> Result<()>;
    /// The next batch; `None` after the last.
    ///
    /// **Errors** when it cannot be read.
    fn next_batch(&mut self) -> Result<Option<Batch>>;
}

/// Tensors with one order of visiting their rows: inputs, then targets, then weights.
pub(super) struct Samples {
    tensors: Vec<Tensor>,
    inputs: usize,
    pub targets: usize,
    pub order: Vec<u32>,
    pub at: usize,
    /// Whether batches can be taken again later.
    pub kept: bool,
}

impl Samples {
    pub fn new(batch: Batch, range: core::ops::Range<usize>) -> Samples {
        let (inputs, targets) = (batch.x.0.len(), batch.y.0.len());
        let tensors = batch.x.0.into_iter().chain(batch.y.0).chain(batch.sample_weight).collect();
        Samples { tensors, inputs, targets, order: range.map(|i| i as u32).collect(), at: 0, kept: true }
    }

    /// Where the next batch ends.
    pub fn end(&self, batch_size: usize) -> usize {
        (self.at + batch_size).min(self.order.len())
    }

    /// The kinds of a batch of `n` rows.
    pub fn kinds(&self, n: usize) -> impl Iterator<Item = Kind> + '_ {
        self.tensors.iter().map(move |t| (t.shape().with_dim(0, n), t.dtype()))
    }

    /// What a plan for a batch of `n` rows is compiled for.
    pub fn key(&self, mode: Mode, n: usize) -> Key {
        Key { mode, kinds: self.kinds(n).collect(), targets: self.targets }
    }

    /// Copies the rows up to `end` into a session's inputs.
    pub fn gather(&self, session: &mut Session, end: usize) -> Result<()> {
        let rows = &self.order[self.at..end];
        self.tensors.iter().enumerate().try_for_each(|(n, t)| gather(session, n, t, rows))
    }

    /// The inputs of the rows up to `end`.
    pub fn inputs(&self, end: usize) -> Result<Vec<Tensor>> {
        let rows: Vec<usize> = self.order[self.at..end].iter().map(|&i| i as usize).collect();
        self.tensors[..self.inputs].iter().map(|t| t.gather_rows(&rows)).collect()
    }
}

/// Copies rows of a tensor straight into an input of a session.
pub(super) fn gather(session: &mut Session, input: usize, t: &Tensor, rows: &[u32]) -> Result<()> {
    fn copy<T: Element>(to: &mut [T], from: &[T], rows: &[u32]) {
        let width = to.len().checked_div(rows.len()).unwrap_or(0);
        for (to, &row) in to.chunks_exact_mut(width.max(1)).zip(rows) {
            to.copy_from_slice(&from[row as usize * width..(row as usize + 1) * width]);
        }
    }
    match t.data() {
        Data::F32(v) => copy(session.input_mut(input)?, v, rows),
        Data::I32(v) => copy(session.input_mut(input)?, v, rows),
        Data::U8(v) => copy(session.input_mut(input)?, v, rows),
        Data::I8(v) => copy(session.input_mut(input)?, v, rows),
        Data::F16(v) => copy(session.input_mut(input)?, v, rows),
        Data::Bool(v) => copy::<u8>(session.input_mut(input)?, crate::arena::bytes_of_bools(v), rows),
    }
    Ok(())
}

/// Class indices must be whole numbers below the number of classes.
pub(super) fn check_labels(
    what: &str,
    layer: &str,
    y: &Tensor,
    classes: usize,
    ignored: Option<i32>,
) -> Result<()> {
    let wrong = |l: i32| (l < 0 || l as usize >= classes) && Some(l) != ignored;
    let bad = match y.data() {
        Data::U8(v) => v.iter().position(|&l| wrong(l as i32)).map(|i| (i, v[i] as f32)),
        Data::I32(v) => v.iter().position(|&l| wrong(l)).map(|i| (i, v[i] as f32)),
        Data::Bool(v) => v.iter().position(|&l| wrong(l as i32)).map(|i| (i, 1.0)),
        Data::I8(v) => v.iter().position(|&l| wrong(l as i32)).map(|i| (i, v[i] as f32)),
        Data::F32(_) | Data::F16(_) => {
            let v = y.to_f32();
            let whole = |l: f32| crate::math::floor(l) == l && !wrong(l as i32);
            v.as_f32()?.iter().enumerate().find(|(_, l)| !whole(**l)).map(|(i, l)| (i, *l))
        }
    };
    match bad {
        Some((i, label)) => Err(misuse!(
            "{what}: label {} at position {i} is no class of {layer}, which has {classes} (0 to {}); fix the \
             label or give the layer more units",
            Number(label),
            classes.saturating_sub(1)
        )),
        None => Ok(()),
    }
}

/// The weight of each sample: its own, times that of its class.
///
/// **Errors** when the weights are not one for each sample, or there is no single list of class indices.
pub(super) fn sample_weights(
    what: &str,
    own: Option<&Tensor>,
    classes: &[(usize, f32)],
    y: &Arrays,
    samples: usize,
) -> Result<Option<Tensor>> {
    if let Some(w) = own {
        let wanted = w.shape().rank() > 0 && w.shape().dim(0) == samples;
        if !wanted || w.dtype() != crate::DType::F32 {
            let got: String = alloc::format!("{} {}", w.dtype(), w.shape());
            return Err(misuse!("{what}: expected float32 weights for {samples} samples, got {got}"));
        }
    }
    if classes.is_empty() {
        return Ok(own.cloned());
    }
    let labels = match y.0.as_slice() {
        [y] if y.numel() == samples => y.to_f32_vec(),
        [y] if y.shape().rank() == 2 => y.to_f32_vec().chunks(y.shape().dim(1).max(1)).map(largest).collect(),
        _ => return Err(misuse!("{what}: class weights need one target of class indices or one-hot rows")),
    };
    let of = |l: &f32| classes.iter().find(|(class, _)| *class as f32 == *l).map_or(1.0, |(_, w)| *w);
    let mut weights: Vec<f32> = labels.iter().map(of).collect();
    if let Some(own) = own {
        let own = own.to_f32_vec();
        if own.len() != weights.len() {
            return Err(misuse!("{what}: class weights go with one weight a sample, got {}", own.len()));
        }
        weights.iter_mut().zip(own).for_each(|(w, o)| *w *= o);
    }
    Tensor::new(&[samples], weights).map(Some)
}

/// The position of the largest value.
fn largest(row: &[f32]) -> f32 {
    let better = |best: usize, i: usize| if row[i] > row[best] { i } else { best };
    (0..row.len()).fold(0, better) as f32
}
