//! Input pipelines with the vocabulary of `tf.data`.

mod element;
mod group;
mod order;
mod prefetch;
mod stage;

use std::boxed::Box;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::vec;
use std::vec::Vec;

use crate::{Error, Result, Tensor, misuse};

use stage::{Items, Stage};

pub use order::Shuffle;

/// A sequence of elements, each a list of tensors, that is produced anew by every [`iter`](Dataset::iter).
///
/// Steps are chained as in `tf.data`. A step that has no meaning, such as a batch of size zero, is remembered and
/// comes out as the first and only item of an iteration. Two data sets that are made alike give the same elements in
/// the same order at their n-th iteration: what is random depends on seeds and on n alone.
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
pub struct Dataset {
    stage: Arc<Stage>,
    /// The number of iterations begun.
    epoch: AtomicU64,
}

/// What a data set holds: for example a picture and its label.
pub(super) type Element = Vec<Tensor>;

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

/// Where elements come from.
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
        Dataset::of(stage)
    }

    /// What the iterator that `make` gives produces; `make` is called once for each iteration.
    ///
    /// ```
    /// use gradling::{Tensor, data::Dataset};
    /// let squares = Dataset::from_generator(|| (0..4).map(|i| Ok(vec![Tensor::scalar_i32(i * i)])));
    /// let last = squares.iter().last().expect("four elements")?;
    /// assert_eq!(last[0].as_i32()?, [9]);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    pub fn from_generator<I>(make: impl Fn() -> I + Send + Sync + 'static) -> Dataset
    where
        I: Iterator<Item = Result<Vec<Tensor>>> + Send + 'static,
    {
        Dataset::from_epochs(None, move |_| make())
    }

    /// What the iterator that `make` gives for the number of an epoch produces: numbers are equal where the same
    /// data set is iterated for the same time. `len` is the number of elements, if known.
    pub(crate) fn from_epochs<I>(
        len: Option<usize>,
        make: impl Fn(u64) -> I + Send + Sync + 'static,
    ) -> Dataset
    where
        I: Iterator<Item = Result<Vec<Tensor>>> + Send + 'static,
    {
        Dataset::of(Stage::Generator { len, make: Box::new(move |epoch| Box::new(make(epoch))) })
    }

    /// The int32 scalars `start`, `start + step`, … before `stop`.
    ///
    /// **Errors** (at iteration): a step of zero.
    pub fn range(start: i32, stop: i32, step: i32) -> Dataset {
        Dataset::of(if step == 0 {
            Stage::Invalid(misuse!("Dataset::range: expected a step other than 0"))
        } else {
            Stage::Range { start, stop, step }
        })
    }

    /// No elements but `error`, for functions that give a data set and cannot.
    pub fn from_error(error: Error) -> Dataset {
        Dataset::of(Stage::Invalid(error))
    }
}

/// What is done with elements.
impl Dataset {
    /// Elements in random order: each is drawn from a buffer of the next `buffer` elements. A perfect shuffle needs
    /// a buffer as large as the data set. Every iteration has another order, the same in every run with `seed`.
    ///
    /// **Errors** (at iteration): a buffer of size zero.
    pub fn shuffle(self, buffer: usize, seed: u64) -> Dataset {
        self.shuffle_with(Shuffle { buffer, seed, reshuffle_each_iteration: true })
    }

    /// [`shuffle`](Dataset::shuffle), with the choice of the same order in every iteration.
    ///
    /// **Errors** (at iteration): a buffer of size zero.
    pub fn shuffle_with(self, how: Shuffle) -> Dataset {
        if how.buffer == 0 {
            return self.invalid(misuse!("Dataset::shuffle: expected a buffer of at least 1, got 0"));
        }
        self.then(|from| Stage::Shuffle { from, how })
    }

    /// Groups of `size` elements, stacked along a new first axis. The last group may be smaller, unless
    /// `drop_remainder`.
    ///
    /// **Errors** (at iteration): a size of zero, elements of different shape or type.
    pub fn batch(self, size: usize, drop_remainder: bool) -> Dataset {
        if size == 0 {
            return self.invalid(misuse!("Dataset::batch: expected a size of at least 1, got 0"));
        }
        self.then(|from| Stage::Batch { from, size, drop_remainder, padding: None })
    }

    /// [`batch`](Dataset::batch) of elements whose dimensions differ: each is filled with `padding` at the end of
    /// its axes up to the largest of its batch.
    ///
    /// **Errors** (at iteration): a size of zero, elements of different rank or type.
    pub fn padded_batch(self, size: usize, drop_remainder: bool, padding: f32) -> Dataset {
        if size == 0 {
            return self.invalid(misuse!("Dataset::padded_batch: expected a size of at least 1, got 0"));
        }
        self.then(|from| Stage::Batch { from, size, drop_remainder, padding: Some(padding) })
    }

    /// The rows of each element as elements of their own: takes [`batch`](Dataset::batch) back.
    ///
    /// **Errors** (at iteration): scalars, tensors of one element with first axes of different length.
    pub fn unbatch(self) -> Dataset {
        self.then(|from| Stage::Unbatch { from })
    }

    /// Windows of `size` elements, each begun `shift` elements after the one before and made of every
    /// `stride`-th element, stacked along a new first axis. Windows that the end cuts short are dropped if
    /// `drop_remainder`.
    ///
    /// `tf.data.Dataset.window` gives each window as a data set; this is that, with each batched.
    ///
    /// ```
    /// use gradling::data::Dataset;
    /// let windows = Dataset::range(0, 7, 1).window(3, 2, 1, true);
    /// let all: Vec<_> = windows.iter().map(|w| Ok(w?[0].as_i32()?.to_vec())).collect::<gradling::Result<_>>()?;
    /// assert_eq!(all, [[0, 1, 2], [2, 3, 4], [4, 5, 6]]);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    ///
    /// **Errors** (at iteration): a size, shift or stride of zero, elements of different shape or type.
    pub fn window(self, size: usize, shift: usize, stride: usize, drop_remainder: bool) -> Dataset {
        if size == 0 || shift == 0 || stride == 0 {
            return self.invalid(misuse!(
                "Dataset::window: expected size, shift and stride of at least 1, got {size}, {shift}, {stride}"
            ));
        }
        self.then(|from| Stage::Window { from, size, shift, stride, drop_remainder })
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

    /// The elements for which `keep` is true.
    pub fn filter(self, keep: impl Fn(&[Tensor]) -> Result<bool> + Send + Sync + 'static) -> Dataset {
        self.then(|from| Stage::Filter { from, keep: Box::new(keep) })
    }

    /// Elements with their number, an int32 scalar from 0 on, as their first tensor.
    pub fn enumerate(self) -> Dataset {
        self.then(|from| Stage::Enumerate { from })
    }

    /// Elements of this and `other` side by side: the tensors of the one, then those of the other. It ends with
    /// the shorter.
    pub fn zip(self, other: Dataset) -> Dataset {
        self.both(other, |left, right| Stage::Zip { left, right })
    }

    /// The elements of this, then those of `other`.
    pub fn concatenate(self, other: Dataset) -> Dataset {
        self.both(other, |left, right| Stage::Concatenate { left, right })
    }

    /// Keeps the elements of the first whole iteration in memory for the later ones.
    pub fn cache(self) -> Dataset {
        self.then(|from| Stage::Cache { from, kept: Mutex::new(None) })
    }

    /// Elements are made ahead by a thread, at most `count` of them; order and values are the same. The thread ends
    /// when the iteration is dropped, which waits for the element that it is making.
    ///
    /// **Errors** (at iteration): a count of zero, a thread that the system does not give.
    pub fn prefetch(self, count: usize) -> Dataset {
        if count == 0 {
            return self.invalid(misuse!("Dataset::prefetch: expected a count of at least 1, got 0"));
        }
        self.then(|from| Stage::Prefetch { from, count })
    }

    /// Produces the elements once, from the first. After an error there is no further item.
    pub fn iter(&self) -> Batches {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        Batches { items: stage::iter(&self.stage, epoch), failed: false }
    }

    /// As [`iter`](Dataset::iter), with up to `count` elements made ahead by a thread where the system gives one.
    pub(crate) fn iter_ahead(&self, count: usize) -> Batches {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        let items = match &*self.stage {
            Stage::Prefetch { .. } => None,
            _ => prefetch::Prefetched::new(self.stage.clone(), epoch, count).ok(),
        };
        let items = items.map_or_else(|| stage::iter(&self.stage, epoch), |items| Box::new(items) as Items);
        Batches { items, failed: false }
    }

    /// The number of elements of one iteration if it can be told without producing them; `None` also for an
    /// infinite data set. An iteration that fails ends earlier.
    pub fn cardinality(&self) -> Option<usize> {
        self.stage.cardinality()
    }
}

impl Dataset {
    fn of(stage: Stage) -> Dataset {
        Dataset { stage: Arc::new(stage), epoch: AtomicU64::new(0) }
    }

    fn then(self, stage: impl FnOnce(Arc<Stage>) -> Stage) -> Dataset {
        match *self.stage {
            Stage::Invalid(_) => self,
            _ => Dataset::of(stage(self.stage)),
        }
    }

    fn both(self, other: Dataset, stage: impl FnOnce(Arc<Stage>, Arc<Stage>) -> Stage) -> Dataset {
        if matches!(*other.stage, Stage::Invalid(_)) && !matches!(*self.stage, Stage::Invalid(_)) {
            return other;
        }
        self.then(|left| stage(left, other.stage))
    }

    fn invalid(self, error: Error) -> Dataset {
        self.then(|_| Stage::Invalid(error))
    }
}

impl Clone for Dataset {
    /// The same elements; the clone goes on counting iterations where the original stands.
    fn clone(&self) -> Dataset {
        Dataset { stage: self.stage.clone(), epoch: AtomicU64::new(self.epoch.load(Ordering::Relaxed)) }
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.stage, f)
    }
}

impl IntoIterator for &Dataset {
    type Item = Result<Vec<Tensor>>;
    type IntoIter = Batches;

    fn into_iter(self) -> Batches {
        self.iter()
    }
}

/// The elements of a [`Dataset`], one iteration of it.
pub struct Batches {
    items: Items,
    failed: bool,
}

impl Iterator for Batches {
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
