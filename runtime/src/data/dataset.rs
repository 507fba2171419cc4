//! Input pipelines with the vocabulary of `tf.data`.

use std::boxed::Box;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::vec;
use std::vec::Vec;

use crate::rng::Rng;
use crate::{Data, Error, Result, Shape, Tensor, misuse};

/// A sequence of elements, each a list of tensors, that is produced anew by every [`iter`](Dataset::iter).
///
/// Steps are chained as in `tf.data`. A step that has no meaning, such as a batch of size zero, is remembered and
/// comes out as the first and only item of an iteration.
///
/// ```
/// use gradling::{Tensor, data::Dataset};
/// let x = Tensor::new(&[3, 2], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])?;
/// let y = Tensor::new(&[3], [0, 1, 0])?;
/// let batches = Dataset::from_tensor_slices((x, y)).batch(2, false);
/// let shapes: Vec<_> = batches.iter().map(|b| b.map(|b| b[0].shape().to_vec())).collect::<Result<_, _>>()?;
/// assert_eq!(shapes, [[2, 2], [1, 2]]);
/// # Ok::<(), gradling::Error>(())
/// ```
///
/// Reference: `tf.data.Dataset`.
#[derive(Debug)]
pub struct Dataset {
    stage: Stage,
}

type Element = Vec<Tensor>;
type Mapping = Box<dyn Fn(Element) -> Result<Element> + Send + Sync>;

enum Stage {
    Invalid(Error),
    Slices(Vec<Tensor>),
    Shuffle { from: Box<Stage>, buffer: usize, seed: u64, epoch: AtomicU64 },
    Batch { from: Box<Stage>, size: usize, drop_remainder: bool },
    Repeat { from: Box<Stage>, count: Option<usize> },
    Take { from: Box<Stage>, count: usize },
    Skip { from: Box<Stage>, count: usize },
    Map { from: Box<Stage>, f: Mapping },
}

/// What [`Dataset::from_tensor_slices`] accepts: one tensor, a pair, a triple or a list.
pub struct Slices(Vec<Tensor>);

impl From<Tensor> for Slices {
    fn from(x: Tensor) -> Slices {
        Slices(vec![x])
    }
}

impl From<(Tensor, Tensor)> for Slices {
    fn from((x, y): (Tensor, Tensor)) -> Slices {
        Slices(vec![x, y])
    }
}

impl From<(Tensor, Tensor, Tensor)> for Slices {
    fn from((x, y, weight): (Tensor, Tensor, Tensor)) -> Slices {
        Slices(vec![x, y, weight])
    }
}

impl From<Vec<Tensor>> for Slices {
    fn from(tensors: Vec<Tensor>) -> Slices {
        Slices(tensors)
    }
}

impl Dataset {
    /// The rows of `tensors`: element i is row i of each, without the first axis.
    ///
    /// **Errors** (at iteration): no tensor, a scalar, first axes of different length or of length zero.
    pub fn from_tensor_slices(tensors: impl Into<Slices>) -> Dataset {
        let Slices(tensors) = tensors.into();
        let rows = tensors.first().map_or(0, |t| t.shape().dim(0));
        let stage = if let Some(scalar) = tensors.iter().find(|t| t.shape().rank() == 0) {
            Stage::Invalid(misuse!(
                "Dataset: expected tensors with a first axis, got shape {}",
                scalar.shape()
            ))
        } else if let Some(other) = tensors.iter().find(|t| t.shape().dim(0) != rows) {
            Stage::Invalid(misuse!(
                "Dataset: expected first axes of equal length, got {rows} and {}",
                other.shape().dim(0)
            ))
        } else if rows == 0 {
            Stage::Invalid(misuse!("Dataset: expected at least one row, got none"))
        } else {
            Stage::Slices(tensors)
        };
        Dataset { stage }
    }

    /// Elements in random order: each is drawn from a buffer of the next `buffer` elements. A perfect shuffle needs
    /// a buffer as large as the data set. Every iteration has another order, the same in every run with `seed`.
    ///
    /// **Errors** (at iteration): a buffer of size zero.
    pub fn shuffle(self, buffer: usize, seed: u64) -> Dataset {
        if buffer == 0 {
            return self.invalid(misuse!("Dataset::shuffle: expected a buffer of at least 1, got 0"));
        }
        self.then(|from| Stage::Shuffle { from, buffer, seed, epoch: AtomicU64::new(0) })
    }

    /// Groups of `size` elements, stacked along a new first axis. The last group may be smaller, unless
    /// `drop_remainder`.
    ///
    /// **Errors** (at iteration): a size of zero, elements of different shape or type.
    pub fn batch(self, size: usize, drop_remainder: bool) -> Dataset {
        if size == 0 {
            return self.invalid(misuse!("Dataset::batch: expected a size of at least 1, got 0"));
        }
        self.then(|from| Stage::Batch { from, size, drop_remainder })
    }

    /// The elements `count` times over, without end for `None`.
    pub fn repeat(self, count: impl Into<Option<usize>>) -> Dataset {
        let count = count.into();
        self.then(|from| Stage::Repeat { from, count })
    }

    /// The first `count` elements.
    pub fn take(self, count: usize) -> Dataset {
        self.then(|from| Stage::Take { from, count })
    }

    /// All but the first `count` elements.
    pub fn skip(self, count: usize) -> Dataset {
        self.then(|from| Stage::Skip { from, count })
    }

    /// `f` of each element.
    pub fn map(self, f: impl Fn(Vec<Tensor>) -> Result<Vec<Tensor>> + Send + Sync + 'static) -> Dataset {
        self.then(|from| Stage::Map { from, f: Box::new(f) })
    }

    /// Produces the elements once, from the first. After an error there is no further item.
    pub fn iter(&self) -> Batches<'_> {
        Batches { items: self.stage.iter(), failed: false }
    }

    fn then(self, stage: impl FnOnce(Box<Stage>) -> Stage) -> Dataset {
        match self.stage {
            Stage::Invalid(_) => self,
            from => Dataset { stage: stage(Box::new(from)) },
        }
    }

    fn invalid(self, error: Error) -> Dataset {
        self.then(|_| Stage::Invalid(error))
    }
}

impl<'a> IntoIterator for &'a Dataset {
    type Item = Result<Vec<Tensor>>;
    type IntoIter = Batches<'a>;

    fn into_iter(self) -> Batches<'a> {
        self.iter()
    }
}

/// The elements of a [`Dataset`], one iteration of it.
pub struct Batches<'a> {
    items: Items<'a>,
    failed: bool,
}

type Items<'a> = Box<dyn Iterator<Item = Result<Element>> + 'a>;

impl Iterator for Batches<'_> {
    type Item = Result<Vec<Tensor>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.items.next();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}

impl Stage {
    fn iter(&self) -> Items<'_> {
        match self {
            Stage::Invalid(error) => Box::new(std::iter::once(Err(error.clone()))),
            Stage::Slices(tensors) => {
                let rows = tensors.first().map_or(0, |t| t.shape().dim(0));
                Box::new((0..rows).map(|row| tensors.iter().map(|t| row_of(t, row)).collect()))
            }
            Stage::Shuffle { from, buffer, seed, epoch } => {
                let epoch = epoch.fetch_add(1, Ordering::Relaxed);
                // The stream of an epoch is keyed by a seed that no neighbouring (seed, epoch) shares.
                let rng = Rng::new(seed.wrapping_add(epoch.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
                Box::new(Shuffled { from: from.iter(), capacity: *buffer, buffer: Vec::new(), rng })
            }
            Stage::Batch { from, size, drop_remainder } => {
                let mut from = from.iter();
                Box::new(std::iter::from_fn(move || {
                    let group: Result<Vec<Element>> = from.by_ref().take(*size).collect();
                    match group {
                        Err(error) => Some(Err(error)),
                        Ok(group) if group.is_empty() || *drop_remainder && group.len() < *size => None,
                        Ok(group) => Some(stack(&group)),
                    }
                }))
            }
            Stage::Repeat { from, count } => Box::new(Repeated { from, left: *count, items: None }),
            Stage::Take { from, count } => Box::new(from.iter().take(*count)),
            Stage::Skip { from, count } => {
                let (mut from, mut left) = (from.iter(), *count);
                Box::new(std::iter::from_fn(move || {
                    while left > 0 {
                        left -= 1;
                        if let Err(error) = from.next()? {
                            return Some(Err(error));
                        }
                    }
                    from.next()
                }))
            }
            Stage::Map { from, f } => Box::new(from.iter().map(move |element| element.and_then(f))),
        }
    }
}

struct Shuffled<'a> {
    from: Items<'a>,
    capacity: usize,
    buffer: Vec<Element>,
    rng: Rng,
}

impl Iterator for Shuffled<'_> {
    type Item = Result<Element>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.buffer.len() < self.capacity {
            match self.from.next() {
                Some(Ok(element)) => self.buffer.push(element),
                Some(error) => return Some(error),
                None => break,
            }
        }
        if self.buffer.is_empty() {
            return None;
        }
        let bound = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX);
        Some(Ok(self.buffer.swap_remove(self.rng.below(bound) as usize)))
    }
}

struct Repeated<'a> {
    from: &'a Stage,
    left: Option<usize>,
    items: Option<Items<'a>>,
}

impl Iterator for Repeated<'_> {
    type Item = Result<Element>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.items.as_mut().and_then(Iterator::next) {
            return Some(item);
        }
        match &mut self.left {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        // An iteration that is empty from its start ends the repetition, or it would never return.
        let first = self.items.insert(self.from.iter()).next();
        if first.is_none() {
            self.left = Some(0);
        }
        first
    }
}

/// Row `row` of `tensor`, without the first axis.
fn row_of(tensor: &Tensor, row: usize) -> Result<Tensor> {
    tensor.rows(row..row + 1)?.reshape(&tensor.shape().list()[1..])
}

/// Component i of every element, stacked along a new first axis.
fn stack(group: &[Element]) -> Result<Element> {
    let components = group.first().map_or(0, Vec::len);
    if let Some(other) = group.iter().find(|e| e.len() != components) {
        return Err(misuse!(
            "Dataset::batch: expected elements of {components} tensors, got one of {}",
            other.len()
        ));
    }
    (0..components)
        .map(|i| {
            let parts: Vec<&Tensor> = group.iter().map(|element| &element[i]).collect();
            stack_tensors(&parts)
        })
        .collect()
}

fn stack_tensors(parts: &[&Tensor]) -> Result<Tensor> {
    let first = parts.first().ok_or_else(|| misuse!("Dataset::batch: nothing to stack"))?;
    let shape: &Shape = first.shape();
    if let Some(other) = parts.iter().find(|t| t.shape() != shape || t.dtype() != first.dtype()) {
        return Err(misuse!(
            "Dataset::batch: expected elements of shape {shape} and type {}, got {} and {}",
            first.dtype(),
            other.shape(),
            other.dtype()
        ));
    }
    let mut dims = vec![parts.len()];
    dims.extend_from_slice(&shape.list());
    fn join<'t, T: Copy + 't>(
        parts: &[&'t Tensor],
        of: impl Fn(&'t Tensor) -> Result<&'t [T]>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::with_capacity(parts.iter().map(|t| t.numel()).sum());
        for part in parts {
            all.extend_from_slice(of(part)?);
        }
        Ok(all)
    }
    match first.data() {
        Data::F32(_) => Tensor::new(&dims, join(parts, Tensor::as_f32)?),
        Data::I32(_) => Tensor::new(&dims, join(parts, Tensor::as_i32)?),
        Data::U8(_) => Tensor::new(&dims, join(parts, Tensor::as_u8)?),
        Data::Bool(_) => Tensor::new(&dims, join(parts, Tensor::as_bool)?),
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Invalid(error) => write!(f, "Invalid({error})"),
            Stage::Slices(tensors) => f.debug_list().entries(tensors.iter().map(Tensor::shape)).finish(),
            Stage::Shuffle { from, buffer, seed, .. } => write!(f, "{from:?}.shuffle({buffer}, {seed})"),
            Stage::Batch { from, size, drop_remainder } => {
                write!(f, "{from:?}.batch({size}, {drop_remainder})")
            }
            Stage::Repeat { from, count } => write!(f, "{from:?}.repeat({count:?})"),
            Stage::Take { from, count } => write!(f, "{from:?}.take({count})"),
            Stage::Skip { from, count } => write!(f, "{from:?}.skip({count})"),
            Stage::Map { from, .. } => write!(f, "{from:?}.map(..)"),
        }
    }
}
