//! The steps of a pipeline and their iterators.

use std::boxed::Box;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::vec::Vec;

use crate::{Error, Result, Tensor};

use super::Element;
use super::element::row_of;
use super::group::{Grouped, Unbatched, Windowed};
use super::order::{Repeated, Shuffle, Shuffled};
use super::prefetch::prefetched;

pub(super) type Items = Box<dyn Iterator<Item = Result<Element>> + Send>;
type Generator = Box<dyn Fn(u64) -> Items + Send + Sync>;
type Mapping = Box<dyn Fn(Element) -> Result<Element> + Send + Sync>;
type Predicate = Box<dyn Fn(&[Tensor]) -> Result<bool> + Send + Sync>;

pub(super) enum Stage {
    Invalid(Error),
    Slices(Vec<Tensor>),
    Generator { len: Option<usize>, make: Generator },
    Range { start: i32, stop: i32, step: i32 },
    Shuffle { from: Arc<Stage>, how: Shuffle },
    Batch { from: Arc<Stage>, size: usize, drop_remainder: bool, padding: Option<f32> },
    Unbatch { from: Arc<Stage> },
    Window { from: Arc<Stage>, size: usize, shift: usize, stride: usize, drop_remainder: bool },
    Repeat { from: Arc<Stage>, count: Option<usize> },
    Take { from: Arc<Stage>, count: usize },
    Skip { from: Arc<Stage>, count: usize },
    Map { from: Arc<Stage>, f: Mapping },
    Filter { from: Arc<Stage>, keep: Predicate },
    Enumerate { from: Arc<Stage> },
    Zip { left: Arc<Stage>, right: Arc<Stage> },
    Concatenate { left: Arc<Stage>, right: Arc<Stage> },
    Cache { from: Arc<Stage>, kept: Mutex<Option<Arc<Vec<Element>>>> },
    Prefetch { from: Arc<Stage>, count: usize },
}

/// The elements of `stage` in iteration `epoch`.
pub(super) fn iter(stage: &Arc<Stage>, epoch: u64) -> Items {
    // Iterators outlive the borrow: they keep the stage whose functions and tensors they use.
    let own = stage.clone();
    match &**stage {
        Stage::Invalid(error) => Box::new(std::iter::once(Err(error.clone()))),
        Stage::Slices(tensors) => {
            let tensors = tensors.clone();
            let rows = tensors.first().map_or(0, |t| t.shape().dim(0));
            Box::new((0..rows).map(move |row| tensors.iter().map(|t| row_of(t, row)).collect()))
        }
        Stage::Generator { make, .. } => make(epoch),
        Stage::Range { start, stop, step } => {
            let (stop, step) = (*stop, *step);
            let inside = move |i: &i32| if step > 0 { *i < stop } else { *i > stop };
            let first = Some(*start).filter(inside);
            let numbers = std::iter::successors(first, move |i| i.checked_add(step).filter(inside));
            Box::new(numbers.map(|i| Ok(Vec::from([Tensor::scalar_i32(i)]))))
        }
        Stage::Shuffle { from, how } => Box::new(Shuffled::new(iter(from, epoch), how, epoch)),
        Stage::Batch { from, size, drop_remainder, padding } => {
            Box::new(Grouped::new(iter(from, epoch), *size, *drop_remainder, *padding))
        }
        Stage::Unbatch { from } => Box::new(Unbatched::new(iter(from, epoch))),
        Stage::Window { from, size, shift, stride, drop_remainder } => {
            Box::new(Windowed::new(iter(from, epoch), [*size, *shift, *stride], *drop_remainder))
        }
        Stage::Repeat { from, count } => Box::new(Repeated::new(from.clone(), *count, epoch)),
        Stage::Take { from, count } => Box::new(iter(from, epoch).take(*count)),
        Stage::Skip { from, count } => {
            let (mut from, mut left) = (iter(from, epoch), *count);
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
        Stage::Map { from, .. } => {
            let f = move |element| match &*own {
                Stage::Map { f, .. } => f(element),
                _ => Ok(element),
            };
            Box::new(iter(from, epoch).map(move |element| element.and_then(&f)))
        }
        Stage::Filter { from, .. } => {
            let keep = move |element: &[Tensor]| match &*own {
                Stage::Filter { keep, .. } => keep(element),
                _ => Ok(true),
            };
            Box::new(iter(from, epoch).filter_map(move |element| match element {
                Ok(element) => match keep(&element) {
                    Ok(true) => Some(Ok(element)),
                    Ok(false) => None,
                    Err(error) => Some(Err(error)),
                },
                error => Some(error),
            }))
        }
        Stage::Enumerate { from } => Box::new(iter(from, epoch).zip(0..).map(|(element, i)| {
            let mut numbered = Vec::from([Tensor::scalar_i32(i)]);
            numbered.extend(element?);
            Ok(numbered)
        })),
        Stage::Zip { left, right } => {
            Box::new(iter(left, epoch).zip(iter(right, epoch)).map(|(left, right)| {
                let mut both = left?;
                both.extend(right?);
                Ok(both)
            }))
        }
        Stage::Concatenate { left, right } => {
            let right = right.clone();
            // The second is begun when the first has ended.
            let rest = std::iter::once_with(move || iter(&right, epoch)).flatten();
            Box::new(iter(left, epoch).chain(rest))
        }
        Stage::Cache { from, kept } => {
            let ready = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match ready {
                Some(all) => Box::new((0..all.len()).map(move |i| Ok(all[i].clone()))),
                None => Box::new(Caching { from: iter(from, epoch), seen: Some(Vec::new()), stage: own }),
            }
        }
        Stage::Prefetch { from, count } => prefetched(from.clone(), epoch, *count),
    }
}

/// Hands elements on and gives them to the cache once all have been seen.
struct Caching {
    from: Items,
    seen: Option<Vec<Element>>,
    stage: Arc<Stage>,
}

impl Iterator for Caching {
    type Item = Result<Element>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.from.next();
        match &item {
            Some(Ok(element)) => {
                if let Some(seen) = &mut self.seen {
                    seen.push(element.clone());
                }
            }
            Some(Err(_)) => self.seen = None,
            None => {
                if let (Some(seen), Stage::Cache { kept, .. }) = (self.seen.take(), &*self.stage) {
                    *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(seen));
                }
            }
        }
        item
    }
}

impl Stage {
    pub(super) fn cardinality(&self) -> Option<usize> {
        match self {
            Stage::Invalid(_) => Some(1),
            Stage::Slices(tensors) => Some(tensors.first().map_or(0, |t| t.shape().dim(0))),
            Stage::Generator { len, .. } => *len,
            Stage::Range { start, stop, step } => {
                let (span, step) = (i64::from(*stop) - i64::from(*start), i64::from(*step));
                let count = if step > 0 { (span + step - 1) / step } else { (span + step + 1) / step };
                usize::try_from(count.max(0)).ok()
            }
            Stage::Batch { from, size, drop_remainder, .. } => {
                let n = from.cardinality()?;
                Some(if *drop_remainder { n / size } else { n.div_ceil(*size) })
            }
            Stage::Window { from, size, shift, stride, drop_remainder } => {
                let n = from.cardinality()?;
                let reach = if *drop_remainder { (size - 1).saturating_mul(*stride) } else { 0 };
                Some(n.saturating_sub(reach).div_ceil(*shift))
            }
            Stage::Repeat { from, count } => from.cardinality()?.checked_mul((*count)?),
            Stage::Take { from, count } => Some(from.cardinality()?.min(*count)),
            Stage::Skip { from, count } => Some(from.cardinality()?.saturating_sub(*count)),
            Stage::Zip { left, right } => Some(left.cardinality()?.min(right.cardinality()?)),
            Stage::Concatenate { left, right } => left.cardinality()?.checked_add(right.cardinality()?),
            Stage::Unbatch { .. } | Stage::Filter { .. } => None,
            Stage::Shuffle { from, .. }
            | Stage::Map { from, .. }
            | Stage::Enumerate { from }
            | Stage::Cache { from, .. }
            | Stage::Prefetch { from, .. } => from.cardinality(),
        }
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Invalid(error) => write!(f, "Invalid({error})"),
            Stage::Slices(tensors) => f.debug_list().entries(tensors.iter().map(Tensor::shape)).finish(),
            Stage::Generator { .. } => f.write_str("generator"),
            Stage::Range { start, stop, step } => write!(f, "range({start}, {stop}, {step})"),
            Stage::Shuffle { from, how } => write!(f, "{from:?}.shuffle({}, {})", how.buffer, how.seed),
            Stage::Batch { from, size, drop_remainder, padding: None } => {
                write!(f, "{from:?}.batch({size}, {drop_remainder})")
            }
            Stage::Batch { from, size, drop_remainder, padding: Some(value) } => {
                write!(f, "{from:?}.padded_batch({size}, {drop_remainder}, {value})")
            }
            Stage::Unbatch { from } => write!(f, "{from:?}.unbatch()"),
            Stage::Window { from, size, shift, stride, drop_remainder } => {
                write!(f, "{from:?}.window({size}, {shift}, {stride}, {drop_remainder})")
            }
            Stage::Repeat { from, count } => write!(f, "{from:?}.repeat({count:?})"),
            Stage::Take { from, count } => write!(f, "{from:?}.take({count})"),
            Stage::Skip { from, count } => write!(f, "{from:?}.skip({count})"),
            Stage::Map { from, .. } => write!(f, "{from:?}.map(..)"),
            Stage::Filter { from, .. } => write!(f, "{from:?}.filter(..)"),
            Stage::Enumerate { from } => write!(f, "{from:?}.enumerate()"),
            Stage::Zip { left, right } => write!(f, "{left:?}.zip({right:?})"),
            Stage::Concatenate { left, right } => write!(f, "{left:?}.concatenate({right:?})"),
            Stage::Cache { from, .. } => write!(f, "{from:?}.cache()"),
            Stage::Prefetch { from, count } => write!(f, "{from:?}.prefetch({count})"),
        }
    }
}
