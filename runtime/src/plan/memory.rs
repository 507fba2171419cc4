//! Memory planning: lifetimes to offsets.

use super::{Place, Plan, Slot};
use crate::kernel::COMPACT;
use alloc::vec::Vec;

/// A value that needs room in the arena while steps `first..=last` run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    pub bytes: usize,
    pub first: usize,
    pub last: usize,
}

impl Lifetime {
    fn meets(&self, other: &Lifetime) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Every offset is a multiple of this.
pub(super) const ALIGN: usize = 64;

/// In which order values are placed: those with the largest key first.
type Order = fn(&Lifetime) -> usize;

/// Greedy by size (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020); by bytes times
/// steps; those that live longest first; those that begin first.
const ORDERS: [Order; 4] = [
    |v| v.bytes,
    |v| v.bytes.saturating_mul(v.last - v.first + 1),
    |v| v.last - v.first,
    |v| usize::MAX - v.first,
];

/// Offsets such that values alive at once do not overlap, and the size of the arena: the best of several orders, unless
/// the first is within 1/64 of the least.
pub(super) fn place(values: &[Lifetime]) -> (Vec<usize>, usize) {
    let mut best = place_by(ORDERS[0], values);
    if COMPACT {
        return best;
    }
    let least = peak(values).next_multiple_of(ALIGN);
    for order in &ORDERS[1..] {
        if best.1 <= least + least / 64 {
            break;
        }
        let other = place_by(*order, values);
        if other.1 < best.1 {
            best = other;
        }
    }
    best
}

/// One value after another, each at the lowest offset that is free during its lifetime.
fn place_by(order: Order, values: &[Lifetime]) -> (Vec<usize>, usize) {
    let key = |i: usize| (usize::MAX - order(&values[i]), usize::MAX - values[i].bytes, values[i].first, i);
    // Sorted by insertion: lists are short, and a page downloads the code of a sort.
    let mut order: Vec<(usize, usize, usize, usize)> = Vec::with_capacity(values.len());
    for key in (0..values.len()).map(key) {
        order.insert(order.partition_point(|other| *other < key), key);
    }
    let mut offsets = alloc::vec![0; values.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut total = 0;
    for (.., i) in order {
        // Neighbours in time, by offset.
        let mut at = 0;
        for &j in placed.iter().filter(|&&j| values[j].meets(&values[i])) {
            if offsets[j] >= at + values[i].bytes {
                break;
            }
            at = at.max((offsets[j] + values[j].bytes).next_multiple_of(ALIGN));
        }
        offsets[i] = at;
        total = total.max(at + values[i].bytes);
        let position = placed.partition_point(|&j| offsets[j] <= at);
        placed.insert(position, i);
    }
    (offsets, total.next_multiple_of(ALIGN))
}

/// The largest sum of the bytes alive at one step of a plan: inputs all the time, a value from the step that writes it
/// to the last that reads it, outputs to the end. A result in the place of an operand is the same value.
pub(super) fn live(plan: &Plan) -> usize {
    let (end, hoisted) = (plan.steps().len(), plan.hoisted());
    let arena = |slot: &&Slot| slot.place == Place::Arena && slot.bytes() > 0;
    let value = |slot: &Slot, first, last| Lifetime { bytes: slot.bytes(), first, last };
    // All values, and where those lie that are in the arena.
    let mut lives: Vec<Lifetime> = Vec::new();
    let mut present: Vec<(Slot, usize)> = Vec::new();
    let add = |present: &mut Vec<(Slot, usize)>, lives: &mut Vec<Lifetime>, slot: &Slot, first, last| {
        present.retain(|(other, _)| !other.overlaps(slot));
        present.push((*slot, lives.len()));
        lives.push(value(slot, first, last));
    };
    for input in plan.inputs() {
        add(&mut present, &mut lives, &input.slot, 0, end);
    }
    for (i, step) in plan.steps().iter().enumerate() {
        for read in step.reads.iter().filter(arena) {
            // An operand may be a part of a value, or several side by side.
            for (_, n) in present.iter().filter(|(slot, _)| slot.overlaps(read)) {
                let life = &mut lives[*n];
                life.last = life.last.max(i);
                if life.first < hoisted && i >= hoisted {
                    // What the first steps leave stays from run to run.
                    (life.first, life.last) = (0, end);
                }
            }
        }
        lives.extend(step.workspace.iter().map(|slot| value(slot, i, i)));
        for write in step.writes.iter().filter(arena) {
            if !step.reads.iter().any(|read| read.same_bytes(write)) {
                add(&mut present, &mut lives, write, i, i);
            }
        }
    }
    for output in plan.outputs() {
        for (_, n) in present.iter().filter(|(slot, _)| slot.overlaps(&output.slot)) {
            lives[*n].last = end;
        }
    }
    peak(&lives)
}

/// The largest sum of the bytes alive at one step: no placement needs less.
pub(super) fn peak(values: &[Lifetime]) -> usize {
    let last = values.iter().map(|v| v.last).max().unwrap_or(0);
    let mut change = alloc::vec![0isize; last + 2];
    for v in values {
        change[v.first] += v.bytes as isize;
        change[v.last + 1] -= v.bytes as isize;
    }
    let mut now = 0isize;
    change
        .iter()
        .map(|c| {
            now += c;
            now
        })
        .max()
        .unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn values_alive_at_once_never_overlap() {
        let mut rng = Rng::new(3);
        let mut better = 0;
        for _ in 0..50 {
            let values: Vec<Lifetime> = (0..60)
                .map(|_| {
                    let first = rng.below(40) as usize;
                    Lifetime { bytes: rng.below(5000) as usize, first, last: first + rng.below(12) as usize }
                })
                .collect();
            let (offsets, total) = place(&values);
            for i in 0..values.len() {
                assert!(offsets[i] + values[i].bytes <= total);
                for j in 0..i {
                    let apart = offsets[i] + values[i].bytes <= offsets[j]
                        || offsets[j] + values[j].bytes <= offsets[i];
                    assert!(apart || !values[i].meets(&values[j]) || values[i].bytes * values[j].bytes == 0);
                }
            }
            assert!(total + ALIGN > peak(&values));
            let alone = ORDERS.map(|order| place_by(order, &values).1);
            assert!(alone.iter().all(|&other| total <= other + other / 64), "{total} {alone:?}");
            better += usize::from(total < alone[0]);
        }
        assert!(better > 0, "the other orders never help");
    }
}
