//! What the steps of a data set do, as `tf.data` has it.
#![cfg(feature = "std")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gradling::data::{Dataset, Shuffle};
use gradling::{Error, Tensor, misuse};

fn values(dataset: &Dataset) -> Vec<i32> {
    dataset.iter().flat_map(|e| e.unwrap()[0].as_i32().unwrap().to_vec()).collect()
}

fn lists(dataset: &Dataset) -> Vec<Vec<i32>> {
    dataset.iter().map(|e| e.unwrap()[0].as_i32().unwrap().to_vec()).collect()
}

fn message(dataset: &Dataset) -> String {
    match dataset.iter().find_map(Result::err) {
        Some(Error::Misuse(message)) => message,
        other => panic!("expected a misuse, got {other:?}"),
    }
}

fn ten() -> Dataset {
    Dataset::range(0, 10, 1)
}

#[test]
fn ranges() {
    assert_eq!(values(&Dataset::range(1, 8, 3)), [1, 4, 7]);
    assert_eq!(values(&Dataset::range(5, 0, -2)), [5, 3, 1]);
    assert!(values(&Dataset::range(3, 3, 1)).is_empty());
    assert_eq!(values(&Dataset::range(i32::MAX - 1, i32::MAX, 1)), [i32::MAX - 1]);
    assert_eq!(values(&Dataset::range(i32::MAX - 3, i32::MAX, 2)), [i32::MAX - 3, i32::MAX - 1]);
    assert!(message(&Dataset::range(0, 1, 0)).contains("step other than 0"));
    for (start, stop, step) in [(0, 10, 3), (0, 9, 3), (5, 5, 1), (9, 0, -4), (8, 0, -4), (4, 2, 1)] {
        let range = Dataset::range(start, stop, step);
        assert_eq!(range.cardinality(), Some(values(&range).len()), "{range:?}");
    }
}

#[test]
fn every_iteration_starts_anew() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let generator = Dataset::from_generator(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        (0..3).map(|i| Ok(vec![Tensor::scalar_i32(i)]))
    });
    assert_eq!([values(&generator), values(&generator)], [[0, 1, 2], [0, 1, 2]]);
    assert_eq!(made.load(Ordering::Relaxed), 2);
    assert_eq!(values(&generator.clone().repeat(2)), [0, 1, 2, 0, 1, 2]);
    let one_inside_the_other = ten();
    let pairs = one_inside_the_other.iter().take(2).flat_map(|_| values(&one_inside_the_other)).count();
    assert_eq!(pairs, 20);
}

#[test]
fn filter_enumerate_zip_concatenate() {
    let even = ten().filter(|element| Ok(element[0].as_i32()?[0] % 2 == 0));
    assert_eq!(values(&even), [0, 2, 4, 6, 8]);
    let numbered: Vec<(i32, i32)> = even
        .enumerate()
        .iter()
        .map(|e| e.map(|e| (e[0].as_i32().unwrap()[0], e[1].as_i32().unwrap()[0])).unwrap())
        .collect();
    assert_eq!(numbered, [(0, 0), (1, 2), (2, 4), (3, 6), (4, 8)]);
    for (a, b) in [(3, 5), (5, 3)] {
        let zipped = Dataset::range(0, a, 1).zip(Dataset::range(10, 10 + b, 1));
        assert_eq!(zipped.cardinality(), Some(3));
        let pairs: Vec<usize> = zipped.iter().map(|e| e.unwrap().len()).collect();
        assert_eq!(pairs, [2, 2, 2]);
    }
    let longer =
        Dataset::range(0, 2, 1).concatenate(Dataset::range(5, 8, 1)).concatenate(Dataset::range(0, 0, 1));
    assert_eq!(values(&longer), [0, 1, 5, 6, 7]);
    assert_eq!(longer.cardinality(), Some(5));
    let refused = ten().filter(|_| Err(misuse!("no opinion")));
    assert!(message(&refused).contains("no opinion"));
}

#[test]
fn repeat_and_batch_meet_at_the_boundary() {
    // Batches after repeating cross from one pass to the next; batches before repeating do not.
    assert_eq!(lists(&Dataset::range(0, 3, 1).repeat(2).batch(2, false)), [[0, 1], [2, 0], [1, 2]]);
    let inside = Dataset::range(0, 3, 1).batch(2, false).repeat(2);
    assert_eq!(lists(&inside), [vec![0, 1], vec![2], vec![0, 1], vec![2]]);
    assert_eq!(inside.cardinality(), Some(4));
    assert_eq!(lists(&Dataset::range(0, 3, 1).batch(2, true).repeat(2)), [[0, 1], [0, 1]]);
    assert_eq!(values(&Dataset::range(0, 2, 1).repeat(None).take(5)), [0, 1, 0, 1, 0]);
    assert_eq!(Dataset::range(0, 2, 1).repeat(None).cardinality(), None);
    assert_eq!(ten().batch(4, false).cardinality(), Some(3));
    assert_eq!(ten().batch(4, true).cardinality(), Some(2));
}

#[test]
fn unbatch_takes_batch_back() {
    assert_eq!(lists(&ten().batch(4, false).unbatch()), lists(&ten()));
    assert_eq!(lists(&ten().batch(4, false).unbatch().batch(3, true)), [[0, 1, 2], [3, 4, 5], [6, 7, 8]]);
    assert!(message(&ten().unbatch()).contains("expected tensors with a first axis"));
    let empty = Dataset::from_generator(|| (0..2).map(|n| Ok(vec![Tensor::zeros(&[n, 3])?])));
    assert_eq!(empty.unbatch().iter().count(), 1);
}

#[test]
fn windows() {
    let windows =
        |size, shift, stride, drop| lists(&Dataset::range(0, 6, 1).window(size, shift, stride, drop));
    assert_eq!(windows(3, 1, 1, true), [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]);
    assert_eq!(windows(2, 2, 2, true), [[0, 2], [2, 4]]);
    assert_eq!(windows(2, 4, 1, false), [[0, 1], [4, 5]]);
    assert_eq!(windows(1, 4, 1, true), [[0], [4]]);
    assert_eq!(windows(4, 2, 1, false), [vec![0, 1, 2, 3], vec![2, 3, 4, 5], vec![4, 5]]);
    assert_eq!(windows(3, 2, 2, false), [vec![0, 2, 4], vec![2, 4], vec![4]]);
    assert!(windows(7, 1, 1, true).is_empty());
    for size in 1..5 {
        for shift in 1..5 {
            for stride in 1..4 {
                for drop in [false, true] {
                    let w = ten().window(size, shift, stride, drop);
                    assert_eq!(w.cardinality(), Some(w.iter().count()), "{w:?}");
                }
            }
        }
    }
    assert!(message(&ten().window(2, 0, 1, true)).contains("at least 1, got 2, 0, 1"));
}

#[test]
fn padded_batches() {
    let triangle = Dataset::from_generator(|| {
        (1..4).map(|n| Ok(vec![Tensor::full(&[n, 4 - n], n as f32)?, Tensor::scalar_i32(n as i32)]))
    });
    let batch = triangle.clone().padded_batch(3, false, -1.0).iter().next().unwrap().unwrap();
    assert_eq!(batch[0].shape().dims(), [3, 3, 3]);
    let expected = [
        [1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0],
        [2.0, 2.0, -1.0, 2.0, 2.0, -1.0, -1.0, -1.0, -1.0],
        [3.0, -1.0, -1.0, 3.0, -1.0, -1.0, 3.0, -1.0, -1.0],
    ];
    assert_eq!(batch[0].as_f32().unwrap(), expected.as_flattened());
    assert_eq!(batch[1].as_i32().unwrap(), [1, 2, 3]);
    assert!(message(&triangle.batch(3, false)).contains("Dataset::batch: expected elements of shape [1, 3]"));
    let ranks = Dataset::from_tensor_slices(Tensor::zeros(&[2, 2]).unwrap())
        .concatenate(ten())
        .padded_batch(4, false, 0.0);
    assert!(message(&ranks).contains("expected tensors of 1 dimensions, got shape []"));
    let empty = Dataset::from_generator(|| (0..2).map(|n| Ok(vec![Tensor::zeros(&[2, n])?])));
    let batch = empty.padded_batch(2, false, 7.0).iter().next().unwrap().unwrap();
    assert_eq!(batch[0].as_f32().unwrap(), [7.0, 7.0, 0.0, 0.0]);
}

#[test]
fn shuffles_do_not_depend_on_who_looks_ahead() {
    let make = || ten().shuffle(10, 5);
    let once = Shuffle { buffer: 10, seed: 5, reshuffle_each_iteration: false };
    let same = ten().shuffle_with(once);
    assert_eq!(values(&same), values(&same));
    assert_eq!(values(&same), values(&make()));
    assert_eq!(values(&ten().shuffle_with(once).repeat(2))[10..], values(&same));
    // A thread that runs into the next pass before it is stopped changes nothing.
    let ahead = make().repeat(None).prefetch(7).take(12);
    let plain = make().repeat(None).take(12);
    for _ in 0..20 {
        assert_eq!(values(&ahead), values(&plain));
    }
    // One seed shuffles two data sets alike.
    let pairs = make().zip(
        ten()
            .map(|mut e| {
                e[0] = Tensor::scalar_i32(10 * e[0].as_i32()?[0]);
                Ok(e)
            })
            .shuffle(10, 5),
    );
    for _ in 0..2 {
        for pair in &pairs {
            let pair = pair.unwrap();
            assert_eq!(10 * pair[0].as_i32().unwrap()[0], pair[1].as_i32().unwrap()[0]);
        }
    }
    let copy = pairs.clone();
    assert_eq!(values(&copy), values(&pairs));
}

#[test]
fn prefetch_keeps_the_order_and_works_ahead() {
    assert_eq!(values(&ten().prefetch(1)), values(&ten()));
    assert_eq!(values(&ten().batch(3, false).prefetch(100).prefetch(2)), values(&ten()));
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let slow = ten().map(move |e| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(e)
    });
    let prefetched = slow.prefetch(3);
    let mut items = prefetched.iter();
    let start = Instant::now();
    while made.load(Ordering::SeqCst) < 3 && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(made.load(Ordering::SeqCst), 3, "before the first element is asked for");
    assert_eq!(items.next().unwrap().unwrap()[0].as_i32().unwrap(), [0]);
    drop(items);
    assert!(message(&ten().prefetch(0)).contains("count of at least 1"));
}

#[test]
fn errors_and_panics_come_through_a_prefetch() {
    let failing =
        || ten().map(|e| if e[0].as_i32()?[0] == 2 { Err(misuse!("number two")) } else { Ok(e) }).prefetch(4);
    let items: Vec<_> = failing().iter().collect();
    assert_eq!(items.len(), 3);
    assert!(matches!(&items[2], Err(Error::Misuse(m)) if m == "number two"));
    assert!(message(&failing().batch(2, false)).contains("number two"));
    let panicking = ten().map(|_| -> gradling::Result<Vec<Tensor>> { panic!("on purpose") }).prefetch(2);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panicking.iter().count()));
    assert!(caught.is_err());
}

#[test]
fn a_prefetch_that_is_dropped_leaves_no_thread() {
    let owned = Arc::new(());
    for taken in [0, 1, 5] {
        let own = owned.clone();
        let mut items = Dataset::from_generator(move || {
            let own = own.clone();
            (0..).map(move |i| {
                let _ = &own;
                Ok(vec![Tensor::scalar_i32(i)])
            })
        })
        .prefetch(2)
        .iter();
        assert_eq!(items.by_ref().take(taken).count(), taken);
        drop(items);
        // The thread held the iterator, and with it a count, until it ended.
        assert_eq!(Arc::strong_count(&owned), 1, "after {taken} elements");
    }
}

#[test]
fn a_cache_is_filled_by_the_first_whole_iteration() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let cached = ten()
        .map(move |e| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(e)
        })
        .cache();
    assert_eq!(cached.iter().take(3).count(), 3);
    assert_eq!(made.load(Ordering::Relaxed), 3);
    for _ in 0..3 {
        assert_eq!(values(&cached), values(&ten()));
    }
    assert_eq!(made.load(Ordering::Relaxed), 13);
    let shuffled = cached.shuffle(10, 1);
    assert_ne!(values(&shuffled), values(&shuffled));
    assert_eq!(made.load(Ordering::Relaxed), 13);
}

#[test]
fn mistakes_go_through_later_steps() {
    let bad = || ten().batch(0, false);
    assert!(message(&ten().zip(bad())).contains("batch"));
    assert!(message(&ten().concatenate(bad()).cache().prefetch(1)).contains("batch"));
    assert!(message(&bad().zip(ten().shuffle(0, 1)).enumerate()).contains("batch"));
    assert!(message(&bad().repeat(None).take(3)).contains("batch"));
    let text = format!("{:?}", ten().shuffle(4, 2).batch(2, true).prefetch(1));
    assert_eq!(text, "range(0, 10, 1).shuffle(4, 2).batch(2, true).prefetch(1)");
}
