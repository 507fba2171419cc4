//! Shapes and elements of ops that move, pick and combine, on random shapes, against loops over coordinates.

use gradling::compose::{PadMode, SliceMasks};
use gradling::{Shape, Tape, Tensor, Var};
use proptest::prelude::*;

/// A tensor that holds 0, 1, 2, …
fn counting(dims: &[usize]) -> Tensor {
    let n = dims.iter().product::<usize>();
    Tensor::new(dims, (0..n).map(|i| i as f32).collect::<Vec<f32>>()).expect("tensor")
}

fn computed(x: &[&Tensor], f: impl for<'t> FnOnce(&[Var<'t>]) -> Var<'t>) -> (Vec<usize>, Vec<f32>) {
    let y = Tape::compute(x, f).unwrap_or_else(|e| panic!("{e}"));
    (y.shape().to_vec(), y.to_f32_vec())
}

/// The elements of a result of `dims` by a function of the coordinates.
fn by_coordinates(dims: &[usize], mut f: impl FnMut(&[usize]) -> f32) -> (Vec<usize>, Vec<f32>) {
    let n: usize = dims.iter().product();
    let mut at = vec![0; dims.len()];
    let mut all = Vec::with_capacity(n);
    for i in 0..n {
        let mut rest = i;
        for (at, &d) in at.iter_mut().zip(dims).rev() {
            *at = rest % d;
            rest /= d;
        }
        all.push(f(&at));
    }
    (dims.to_vec(), all)
}

/// The element of `counting(dims)` at these coordinates.
fn element(dims: &[usize], at: &[usize]) -> f32 {
    at.iter().zip(dims).fold(0, |sum, (&i, &d)| sum * d + i) as f32
}

fn dims(rank: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1usize..5, rank)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn broadcasting(full in dims(0..=4), ones in any::<u8>(), drop in 0usize..5) {
        // The second operand has some axes of extent 1 and lacks some leading ones.
        let thin = |(a, &d): (usize, &usize)| if ones >> a & 1 == 1 { 1 } else { d };
        let thin: Vec<usize> = full.iter().enumerate().map(thin).skip(drop.min(full.len())).collect();
        let lead = full.len() - thin.len();
        let own = |at: &[usize]| -> Vec<usize> {
            at[lead..].iter().zip(&thin).map(|(&i, &d)| if d == 1 { 0 } else { i }).collect()
        };
        let got = computed(&[&counting(&full), &counting(&thin)], |x| x[0] + x[1] * 0.5);
        let want = by_coordinates(&full, |at| element(&full, at) + 0.5 * element(&thin, &own(at)));
        prop_assert_eq!(got, want);
        let (a, b) = (Shape::new(&full).expect("shape"), Shape::new(&thin).expect("shape"));
        prop_assert_eq!(Shape::broadcast(&a, &b), Some(a));
        prop_assert!(b.broadcasts_to(&a));
    }

    #[test]
    fn slices_with_strides(n in dims(1..=3), raw in proptest::collection::vec((-7isize..8, -7isize..8, -3isize..4), 3), begin in 0u32..8, end in 0u32..8) {
        let rank = n.len();
        let raw: Vec<(isize, isize, isize)> = raw[..rank].iter().map(|&(b, e, s)| (b, e, if s == 0 { 1 } else { s })).collect();
        let list = |f: fn(&(isize, isize, isize)) -> isize| raw.iter().map(f).collect::<Vec<isize>>();
        // The coordinates that a Python slice goes through.
        let walk = |a: usize| -> Vec<usize> {
            let (d, (b, e, s)) = (n[a] as isize, raw[a]);
            let (low, high) = if s > 0 { (0, d) } else { (-1, d - 1) };
            let place = |i: isize| (if i < 0 { i + d } else { i }).clamp(low, high);
            let from = if begin >> a & 1 == 1 { if s > 0 { 0 } else { d - 1 } } else { place(b) };
            let to = if end >> a & 1 == 1 { if s > 0 { d } else { -1 } } else { place(e) };
            let mut i = from;
            let mut all = Vec::new();
            while (s > 0 && i < to) || (s < 0 && i > to) {
                all.push(i as usize);
                i += s;
            }
            all
        };
        let walks: Vec<Vec<usize>> = (0..rank).map(walk).collect();
        let masks = SliceMasks { begin, end, ..SliceMasks::default() };
        let got = computed(&[&counting(&n)], |x| x[0].strided_slice(&list(|r| r.0), &list(|r| r.1), &list(|r| r.2), &masks));
        let sizes: Vec<usize> = walks.iter().map(Vec::len).collect();
        let want = by_coordinates(&sizes, |at| {
            let from: Vec<usize> = at.iter().zip(&walks).map(|(&i, walk)| walk[i]).collect();
            element(&n, &from)
        });
        prop_assert_eq!(got, want);
    }

    #[test]
    fn copies_and_turns(n in dims(1..=3), seed in proptest::collection::vec(0usize..4, 6), shift in -9isize..9) {
        let rank = n.len();
        let x = counting(&n);
        let axis = seed[0] % rank;
        let times = &seed[1..=rank];
        let wide: Vec<usize> = n.iter().zip(times).map(|(d, t)| d * t).collect();
        let got = computed(&[&x], |x| x[0].tile(times));
        let modulo = |at: &[usize]| -> Vec<usize> { at.iter().zip(&n).map(|(&i, &d)| i % d).collect() };
        prop_assert_eq!(got, by_coordinates(&wide, |at| element(&n, &modulo(at))));

        let mut long = n.clone();
        long[axis] *= seed[4];
        let got = computed(&[&x], |x| x[0].repeat(seed[4], axis as isize));
        let divided = |at: &[usize]| { let mut at = at.to_vec(); at[axis] /= seed[4].max(1); at };
        prop_assert_eq!(got, by_coordinates(&long, |at| element(&n, &divided(at))));

        let got = computed(&[&x], |x| x[0].roll(&[shift], &[axis as isize - rank as isize]));
        let turned = |at: &[usize]| {
            let mut at = at.to_vec();
            at[axis] = (at[axis] as isize - shift).rem_euclid(n[axis] as isize) as usize;
            at
        };
        prop_assert_eq!(got, by_coordinates(&n, |at| element(&n, &turned(at))));

        let got = computed(&[&x], |x| x[0].reverse(&[axis as isize]));
        let mirrored = |at: &[usize]| { let mut at = at.to_vec(); at[axis] = n[axis] - 1 - at[axis]; at };
        prop_assert_eq!(got, by_coordinates(&n, |at| element(&n, &mirrored(at))));
    }

    #[test]
    fn mirrored_borders(n in dims(1..=3), raw in proptest::collection::vec((0usize..4, 0usize..4), 3), reflect in any::<bool>()) {
        let edge = usize::from(reflect);
        let pads: Vec<(usize, usize)> =
            n.iter().zip(&raw).map(|(d, p)| (p.0.min(d - edge), p.1.min(d - edge))).collect();
        let wide: Vec<usize> = n.iter().zip(&pads).map(|(d, p)| d + p.0 + p.1).collect();
        let mode = if reflect { PadMode::Reflect } else { PadMode::Symmetric };
        let got = computed(&[&counting(&n)], |x| x[0].pad_with(&pads, mode));
        let source = |i: usize, d: usize, before: usize| -> usize {
            let (i, d, e) = (i as isize - before as isize, d as isize, edge as isize);
            let i = if i < 0 { -i - 1 + e } else { i };
            (if i >= d { 2 * d - 1 - e - i } else { i }) as usize
        };
        let want = by_coordinates(&wide, |at| {
            let from: Vec<usize> = (0..n.len()).map(|a| source(at[a], n[a], pads[a].0)).collect();
            element(&n, &from)
        });
        prop_assert_eq!(got, want);
    }

    #[test]
    fn gathers(n in dims(1..=3), index in proptest::collection::vec(0usize..100, 1..6), axis in 0usize..3) {
        let axis = axis % n.len();
        let index: Vec<i32> = index.iter().map(|i| (i % n[axis]) as i32).collect();
        let picks = Tensor::new(&[1, index.len()], index.clone()).expect("index");
        let mut out = n[..axis].to_vec();
        out.extend([1, index.len()]);
        out.extend(&n[axis + 1..]);
        let got = computed(&[&counting(&n), &picks], |x| x[0].gather(x[1], axis as isize));
        let from = |at: &[usize]| {
            let mut from = at[..axis].to_vec();
            from.push(index[at[axis + 1]] as usize);
            from.extend(&at[axis + 2..]);
            from
        };
        prop_assert_eq!(got, by_coordinates(&out, |at| element(&n, &from(at))));
        // Adding back at the same indices counts how often each was picked.
        let counts = computed(&[&picks], |x| {
            let ones = x[0].cast(gradling::DType::F32).ones_like().reshape(&[index.len()]);
            ones.unsorted_segment_sum(x[0].reshape(&[index.len()]), n[axis])
        });
        let want = (0..n[axis]).map(|i| index.iter().filter(|&&j| j as usize == i).count() as f32);
        prop_assert_eq!(counts, (vec![n[axis]], want.collect::<Vec<f32>>()));
    }

    #[test]
    fn sums_of_products(n in proptest::collection::vec(1usize..4, 4), which in 0usize..6) {
        let (i, j, k, b) = (n[0], n[1], n[2], n[3]);
        let (equation, left, right, out): (&str, Vec<usize>, Vec<usize>, Vec<usize>) = match which {
            0 => ("bij,bjk->bik", vec![b, i, j], vec![b, j, k], vec![b, i, k]),
            1 => ("ij,kj->ki", vec![i, j], vec![k, j], vec![k, i]),
            2 => ("i,j->ij", vec![i], vec![j], vec![i, j]),
            3 => ("bi,bj->", vec![b, i], vec![b, j], vec![]),
            4 => ("bij,j->ib", vec![b, i, j], vec![j], vec![i, b]),
            _ => ("ijb,kb->bk", vec![i, j, b], vec![k, b], vec![b, k]),
        };
        let (x, y) = (counting(&left), counting(&right));
        let got = computed(&[&x, &y], |v| Var::einsum(equation, v));
        let (terms, result) = equation.split_once("->").expect("arrow");
        let (first, second) = terms.split_once(',').expect("two terms");
        let extent = |c: char| match c { 'i' => i, 'j' => j, 'k' => k, _ => b };
        let want = by_coordinates(&out, |at| {
            // Every assignment of the letters that agrees with the coordinates of the result.
            let letters: Vec<char> = "ijkb".chars().filter(|c| terms.contains(*c)).collect();
            let extents: Vec<usize> = letters.iter().map(|&c| extent(c)).collect();
            let mut sum = 0.0;
            by_coordinates(&extents, |values| {
                let value = |c: char| letters.iter().position(|&l| l == c).map_or(0, |p| values[p]);
                if result.chars().zip(at).all(|(c, &i)| value(c) == i) {
                    let place = |term: &str| term.chars().map(value).collect::<Vec<usize>>();
                    sum += element(&left, &place(first)) * element(&right, &place(second));
                }
                0.0
            });
            sum
        });
        prop_assert_eq!(got, want);
    }
}

#[test]
fn indices_out_of_range_are_errors_that_say_so() {
    let x = counting(&[3, 2]);
    let cases: [(&[usize], &[i32], &str); 3] = [
        (&[1], &[3], "index 3 is out of range"),
        (&[1], &[-1], "index -1"),
        (&[1, 2], &[0, 2], "out of range"),
    ];
    for (dims, index, text) in cases {
        let index = Tensor::new(dims, index.to_vec()).expect("index");
        let result = Tape::compute(&[&x, &index], |v| {
            if dims.len() == 1 { v[0].gather(v[1], 0) } else { v[0].gather_nd(v[1]) }
        });
        let message = result.expect_err("out of range").to_string();
        assert!(message.starts_with("gather") && message.contains(text), "{message}");
    }
    for bad in ["ij,jk->iz", "ij->ii", "ij,j,k->i", "i1,jk->k"] {
        assert!(Tape::compute(&[&x, &x], |v| Var::einsum(bad, v)).is_err(), "{bad}");
    }
    assert!(Tape::compute(&[&x], |v| v[0].pad_with(&[(3, 0), (0, 0)], PadMode::Reflect)).is_err());
    assert!(Tape::compute(&[&x], |v| v[0].strided_slice(&[0], &[1], &[0], &SliceMasks::default())).is_err());
    assert!(Tape::compute(&[&x], |v| v[0].top_k(3).0).is_err());
}
