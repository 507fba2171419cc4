//! Data is prepared while the model trains: shown by a source and a callback that wait for each other.

use gradling::data::Dataset;
use gradling::nn::callback::LambdaCallback;
use gradling::nn::{
    Batch, Batches, Dense, Fit, Flow, History, Loss, Metric, Model, Optimizer, Prefetch, Sequential,
};
use gradling::{Result, Tensor, misuse};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const BATCHES: usize = 4;
/// Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

fn model() -> Result<Model> {
    let mut model = Sequential::new().add(Dense::new(1)).seed(4);
    model.compile(Optimizer::adam(), Loss::MeanSquaredError, &[Metric::MeanAbsoluteError])?;
    Ok(model)
}

/// Batch `n` of an epoch; tells of each that is begun.
struct Source {
    at: usize,
    begun: Sender<usize>,
    /// The batch that cannot be made, and whether it panics.
    broken: Option<(usize, bool)>,
    alive: Arc<()>,
}

impl Source {
    fn make(&self, n: usize) -> Result<Tensor> {
        let _ = (self.begun.send(n), &self.alive);
        match self.broken {
            Some((at, panics)) if at == n => {
                assert!(!panics, "batch {n} panics");
                Err(misuse!("batch {n} is broken"))
            }
            _ => Tensor::new(&[4, 1], (0..4).map(|i| (n * 4 + i) as f32 / 8.0).collect::<Vec<f32>>()),
        }
    }
}

impl Batches for Source {
    fn restart(&mut self, _: usize) -> Result<()> {
        self.at = 0;
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<Batch>> {
        self.at += 1;
        if self.at > BATCHES {
            return Ok(None);
        }
        let x = self.make(self.at - 1)?;
        Ok(Some(Batch { x: (&x).into(), y: x.into(), sample_weight: None }))
    }
}

fn source(broken: Option<(usize, bool)>) -> (Source, Receiver<usize>) {
    let (begun, seen) = channel();
    (Source { at: 0, begun, broken, alive: Arc::new(()) }, seen)
}

/// The same batches as a data set.
fn dataset(source: Source) -> Dataset {
    let source = Arc::new(Mutex::new(source));
    Dataset::from_generator(move || {
        let source = source.clone();
        (0..BATCHES).map(move |n| {
            let x = source.lock().map_err(|e| misuse!("{e}"))?.make(n)?;
            Ok(vec![x.clone(), x])
        })
    })
}

/// Options whose callback ends a step only when a later batch of the epoch is begun; counts the steps.
fn overlapping(seen: Receiver<usize>, epochs: usize) -> (Fit, Rc<Cell<usize>>) {
    let steps = Rc::new(Cell::new(0));
    let counter = steps.clone();
    let mut fit = Fit { epochs, ..Fit::default() };
    fit.callbacks.push(Box::new(LambdaCallback::new().on_batch_end(move |step, _, _| {
        counter.set(counter.get() + 1);
        // `step` counts from 1, so it is the number of the next batch.
        let mut begun = if step < BATCHES { usize::MAX } else { step };
        while begun != step {
            begun = seen.recv_timeout(PATIENCE).map_err(|e| misuse!("batch {step} is not begun: {e}"))?;
        }
        Ok(Flow::Continue)
    })));
    (fit, steps)
}

fn plain() -> Result<(History, Tensor)> {
    let mut model = model()?;
    let history = model.fit_batches(source(None).0, &mut Fit { epochs: 2, ..Fit::default() })?;
    Ok((history, model.weight("dense/kernel")?))
}

#[test]
fn batches_are_made_while_the_model_trains() -> Result<()> {
    let expected = plain()?;
    let (from, seen) = source(None);
    let (mut fit, steps) = overlapping(seen, 2);
    let mut trained = model()?;
    let history = trained.fit_batches(Prefetch::new(from, 1), &mut fit)?;
    assert_eq!((history, trained.weight("dense/kernel")?), expected);
    assert_eq!(steps.get(), 2 * BATCHES);

    let (from, seen) = source(None);
    let (mut fit, steps) = overlapping(seen, 2);
    let mut trained = model()?;
    let history = trained.fit_dataset(&dataset(from), &mut fit)?;
    assert_eq!((history, trained.weight("dense/kernel")?), expected);
    assert_eq!(steps.get(), 2 * BATCHES);
    Ok(())
}

#[test]
fn without_a_prefetch_nothing_is_made_ahead() -> Result<()> {
    let (from, seen) = source(None);
    let mut fit = Fit::default();
    fit.callbacks.push(Box::new(LambdaCallback::new().on_batch_end(move |step, _, _| {
        let begun: Vec<usize> = seen.try_iter().collect();
        if begun == [step - 1] { Ok(Flow::Continue) } else { Err(misuse!("begun {begun:?}")) }
    })));
    model()?.fit_batches(from, &mut fit)?;
    Ok(())
}

#[test]
fn errors_and_panics_come_after_the_batches_before_them() -> Result<()> {
    for panics in [false, true] {
        for as_dataset in [false, true] {
            let (from, seen) = source(Some((2, panics)));
            let (mut fit, steps) = overlapping(seen, 3);
            let mut trained = model()?;
            let result = catch_unwind(AssertUnwindSafe(|| {
                if as_dataset {
                    trained.fit_dataset(&dataset(from), &mut fit)
                } else {
                    trained.fit_batches(Prefetch::new(from, 3), &mut fit)
                }
            }));
            match result {
                Ok(result) => {
                    assert!(!panics);
                    let text = result.err().map(|e| e.to_string()).unwrap_or_default();
                    assert!(text.contains("batch 2 is broken"), "{text}");
                }
                Err(_) => assert!(panics),
            }
            assert_eq!(steps.get(), 2);
        }
    }
    Ok(())
}

#[test]
fn training_that_stops_early_leaves_no_thread() -> Result<()> {
    for as_dataset in [false, true] {
        let (from, _seen) = source(None);
        let alive = from.alive.clone();
        let mut fit = Fit { epochs: 3, ..Fit::default() };
        fit.callbacks.push(Box::new(LambdaCallback::new().on_batch_end(|_, _, _| Ok(Flow::Stop))));
        if as_dataset {
            model()?.fit_dataset(&dataset(from), &mut fit)?;
        } else {
            model()?.fit_batches(Prefetch::new(from, 2), &mut fit)?;
        }
        assert_eq!(Arc::strong_count(&alive), 1);
    }
    Ok(())
}
