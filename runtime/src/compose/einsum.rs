//! Einstein summation by transposition, reshaping and products of matrices.

use crate::op::{Op, Var};
use crate::{Result, Shape, misuse};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// A label of an axis: a letter, or an axis of the ellipsis counted from its end.
type Label = u32;

/// The label of axis `i` of an ellipsis of `n` axes; not a letter.
fn of_ellipsis(i: usize, n: usize) -> Label {
    0x11_0000 + (n - i) as u32
}

impl<'b> Var<'b> {
    /// `tf.einsum`: sums over the letters that the result does not have. Ellipses broadcast; without `->` the result
    /// has the letters that come once, in alphabetical order; a letter that comes twice in one operand is its
    /// diagonal.
    ///
    /// ```
    /// use gradling::{Tape, Tensor, Var};
    /// let tape = Tape::new();
    /// let x = tape.constant(&Tensor::new(&[2, 2], [1.0, 2.0, 3.0, 4.0])?);
    /// assert_eq!(tape.value(Var::einsum("ii", &[x]))?.item()?, 5.0);
    /// let square = Var::einsum("ij,jk->ik", &[x, x]);
    /// assert_eq!(tape.value(square)?.as_f32()?, [7.0, 10.0, 15.0, 22.0]);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    pub fn einsum(equation: &str, operands: &[Var<'b>]) -> Var<'b> {
        einsum(equation, operands).unwrap_or_else(|e| operands[0].poison(e))
    }
}

/// A value whose axes have labels, each once.
#[derive(Clone)]
struct Labelled<'b> {
    value: Var<'b>,
    labels: Vec<Label>,
}

fn einsum<'b>(equation: &str, operands: &[Var<'b>]) -> Result<Var<'b>> {
    let text: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = match text.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (text.as_str(), None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != operands.len() {
        return Err(misuse!("einsum: {equation} has {} operands, got {}", terms.len(), operands.len()));
    }
    // Axes of the longest ellipsis.
    let mut longest = 0;
    let mut parsed = Vec::new();
    for (term, x) in terms.iter().zip(operands) {
        let letters = term.replacen("...", "", 1);
        if !letters.chars().all(char::is_alphabetic) {
            return Err(misuse!("einsum: {term} of {equation} is no list of letters"));
        }
        let count = letters.chars().count();
        let hidden = x.rank().checked_sub(count).filter(|&h| h == 0 || term.contains("..."));
        let Some(hidden) = hidden else {
            return Err(misuse!("einsum: {term} of {equation} does not fit shape {}", x.shape()));
        };
        longest = longest.max(hidden);
        parsed.push(labels_of(term, hidden));
    }
    let output = match right {
        Some(right) => labels_of(right, longest),
        None => {
            let mut letters: Vec<Label> =
                parsed.iter().flatten().copied().filter(|&l| l < 0x11_0000).collect();
            letters.sort_unstable();
            let all = letters.clone();
            letters.retain(|l| all.iter().filter(|m| *m == l).count() == 1);
            let mut labels: Vec<Label> = (0..longest).map(|i| of_ellipsis(i, longest)).collect();
            labels.append(&mut letters);
            labels
        }
    };
    let known = |l: &Label| parsed.iter().flatten().any(|m| m == l);
    let repeated = (0..output.len()).any(|i| output[..i].contains(&output[i]));
    if repeated || !output.iter().all(known) {
        return Err(misuse!(
            "einsum: the result of {equation} repeats a letter or has one that no operand has"
        ));
    }
    let mut values = Vec::new();
    for (x, labels) in operands.iter().zip(parsed) {
        values.push(diagonals(Labelled { value: *x, labels })?);
    }
    // From left to right; a label is summed as soon as nothing further needs it.
    let mut rest = values.into_iter();
    let Some(mut sum) = rest.next() else { return Err(misuse!("einsum: expected an operand")) };
    while let Some(next) = rest.next() {
        let later = |l: &Label| output.contains(l) || rest.as_slice().iter().any(|v| v.labels.contains(l));
        sum = product(sum, next, &later, equation)?;
    }
    let sum = reduced(sum, &|l| output.contains(l));
    let order: Vec<usize> = output.iter().filter_map(|l| sum.labels.iter().position(|m| m == l)).collect();
    Ok(sum.value.transpose_to(&order))
}

fn labels_of(term: &str, hidden: usize) -> Vec<Label> {
    let letters = |text: &str| text.chars().map(|c| c as Label).collect::<Vec<_>>();
    match term.split_once("...") {
        Some((before, after)) => {
            let mut labels = letters(before);
            labels.extend((0..hidden).map(|i| of_ellipsis(i, hidden)));
            labels.extend(letters(after));
            labels
        }
        None => letters(term),
    }
}

/// Equal labels of one value merged into their diagonal.
fn diagonals(mut x: Labelled<'_>) -> Result<Labelled<'_>> {
    loop {
        let labels = x.labels.clone();
        let pair =
            (0..labels.len()).find_map(|j| labels[..j].iter().position(|l| *l == labels[j]).map(|i| (i, j)));
        let Some((i, j)) = pair else { return Ok(x) };
        if x.value.dim(i as isize) != x.value.dim(j as isize) {
            return Err(misuse!("einsum: a repeated letter has two extents in {}", x.value.shape()));
        }
        let others: Vec<usize> = (0..labels.len()).filter(|&a| a != i && a != j).collect();
        let order = [others.clone(), vec![i, j]].concat();
        x.value = x.value.transpose_to(&order).diag_part();
        x.labels = others.iter().map(|&a| labels[a]).chain([labels[i]]).collect();
    }
}

/// Sums over the labels that are not `kept`.
fn reduced<'b>(x: Labelled<'b>, kept: &dyn Fn(&Label) -> bool) -> Labelled<'b> {
    let gone: Vec<isize> = (0..x.labels.len() as isize).filter(|&a| !kept(&x.labels[a as usize])).collect();
    if gone.is_empty() {
        return x;
    }
    Labelled { value: x.value.sum(&gone, false), labels: x.labels.into_iter().filter(|l| kept(l)).collect() }
}

/// The product of two values, summed over the labels that are not needed `later`.
fn product<'b>(
    a: Labelled<'b>,
    b: Labelled<'b>,
    later: &dyn Fn(&Label) -> bool,
    equation: &str,
) -> Result<Labelled<'b>> {
    // What only one of them has and nothing needs is summed first.
    let a = reduced(a, &|l| later(l) || b.labels.contains(l));
    let b = reduced(b, &|l| later(l) || a.labels.contains(l));
    let extent = |x: &Labelled<'b>, l: &Label| {
        x.labels.iter().position(|m| m == l).map_or(1, |axis| x.value.dim(axis as isize))
    };
    let mut both: Vec<Label> = a.labels.iter().copied().filter(|l| b.labels.contains(l)).collect();
    both.sort_unstable();
    let (mut batch, mut inner): (Vec<Label>, Vec<Label>) = both.iter().copied().partition(|l| later(l));
    let fits = |l: &Label| {
        let (m, n) = (extent(&a, l), extent(&b, l));
        m == n || m == 1 || n == 1
    };
    if !both.iter().all(fits) {
        return Err(misuse!(
            "einsum: a letter of {equation} has different extents in {} and {}",
            a.value.shape(),
            b.value.shape()
        ));
    }
    let common =
        |l: &Label| extent(&a, l).max(extent(&b, l)) * usize::from(extent(&a, l).min(extent(&b, l)) > 0);
    let only = |x: &Labelled<'b>| x.labels.iter().copied().filter(|l| !both.contains(l)).collect::<Vec<_>>();
    let (free_a, free_b) = (only(&a), only(&b));
    // Axes of extent 1 broadcast.
    let spread = |x: &Labelled<'b>, order: &[Label], free: &[Label]| -> Result<Var<'b>> {
        let place = |l: &Label| x.labels.iter().position(|m| m == l);
        let axes: Vec<usize> = order.iter().filter_map(place).collect();
        let dims: Vec<usize> =
            order.iter().map(|l| if free.contains(l) { extent(x, l) } else { common(l) }).collect();
        Ok(x.value.transpose_to(&axes).broadcast(Shape::new(&dims)?))
    };
    let size = |labels: &[Label], of: &dyn Fn(&Label) -> usize| labels.iter().map(of).product::<usize>();
    let (n_batch, n_inner) = (size(&batch, &common), size(&inner, &common));
    let (n_a, n_b) = (size(&free_a, &|l| extent(&a, l)), size(&free_b, &|l| extent(&b, l)));
    let x = spread(&a, &[batch.clone(), free_a.clone(), inner.clone()].concat(), &free_a)?;
    let y = spread(&b, &[batch.clone(), inner.clone(), free_b.clone()].concat(), &free_b)?;
    let (x, y) = (x.reshape(&[n_batch, n_a, n_inner]), y.reshape(&[n_batch, n_inner, n_b]));
    let z = Var::op(Op::Matmul(false, false), &[x, y]);
    let mut dims: Vec<usize> = batch.iter().map(common).collect();
    dims.extend(free_a.iter().map(|l| extent(&a, l)));
    dims.extend(free_b.iter().map(|l| extent(&b, l)));
    batch.extend(free_a);
    batch.extend(free_b);
    inner.clear();
    Ok(Labelled { value: z.reshape(&dims), labels: batch })
}
