//! Taking elements apart and putting them together.

use std::vec;
use std::vec::Vec;

use crate::{Data, Result, Shape, Tensor, f16, misuse};

use super::Element;

/// Row `row` of `tensor`, without the first axis.
pub(super) fn row_of(tensor: &Tensor, row: usize) -> Result<Tensor> {
    tensor.rows(row..row + 1)?.reshape(&tensor.shape().list()[1..])
}

/// Component i of every element, stacked along a new first axis; `step` is asked for it.
pub(super) fn stack(group: &[&Element], step: &str) -> Result<Element> {
    let components = same_length(group, step)?;
    (0..components)
        .map(|i| {
            let parts: Vec<&Tensor> = group.iter().map(|element| &element[i]).collect();
            stack_tensors(&parts, step)
        })
        .collect()
}

/// As [`stack`], each component filled with `value` at the end of its axes up to the largest of the group.
pub(super) fn stack_padded(group: &[Element], value: f32) -> Result<Element> {
    const STEP: &str = "padded_batch";
    let group: Vec<&Element> = group.iter().collect();
    let components = same_length(&group, STEP)?;
    (0..components)
        .map(|i| {
            let parts: Vec<&Tensor> = group.iter().map(|element| &element[i]).collect();
            let mut dims = parts.first().map_or(Vec::new(), |t| t.shape().to_vec());
            for part in &parts {
                let list = part.shape().list();
                if list.len() != dims.len() {
                    return Err(misuse!(
                        "Dataset::{STEP}: expected tensors of {} dimensions, got shape {}",
                        dims.len(),
                        part.shape()
                    ));
                }
                dims.iter_mut().zip(list).for_each(|(most, dim)| *most = dim.max(*most));
            }
            let whole = Shape::new(&dims)?;
            let padded: Vec<Tensor> = parts.iter().map(|t| pad(t, &whole, value)).collect::<Result<_>>()?;
            stack_tensors(&padded.iter().collect::<Vec<_>>(), STEP)
        })
        .collect()
}

fn same_length(group: &[&Element], step: &str) -> Result<usize> {
    let components = group.first().map_or(0, |element| element.len());
    match group.iter().find(|element| element.len() != components) {
        Some(other) => Err(misuse!(
            "Dataset::{step}: expected elements of {components} tensors, got one of {}",
            other.len()
        )),
        None => Ok(components),
    }
}

fn stack_tensors(parts: &[&Tensor], step: &str) -> Result<Tensor> {
    let first = parts.first().ok_or_else(|| misuse!("Dataset::{step}: nothing to stack"))?;
    let shape: &Shape = first.shape();
    if let Some(other) = parts.iter().find(|t| t.shape() != shape || t.dtype() != first.dtype()) {
        return Err(misuse!(
            "Dataset::{step}: expected elements of shape {shape} and type {}, got {} and {}",
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
        Data::I8(_) => Tensor::new(&dims, join(parts, Tensor::as_i8)?),
        Data::F16(_) => Tensor::new(&dims, join(parts, Tensor::as_f16)?),
    }
}

/// `tensor` in the corner of one of shape `whole`, which is nowhere smaller, and `value` elsewhere.
fn pad(tensor: &Tensor, whole: &Shape, value: f32) -> Result<Tensor> {
    fn place<T: Copy>(from: &[T], part: &Shape, whole: &Shape, value: T) -> Vec<T> {
        let mut to = vec![value; whole.numel()];
        let run = part.dim(-1);
        let strides = whole.strides();
        for (line, run) in from.chunks_exact(run.max(1)).enumerate() {
            let (mut at, mut rest) = (0, line);
            for axis in (0..part.rank().saturating_sub(1)).rev() {
                let dim = part.dim(axis as isize);
                at += rest % dim * strides[axis];
                rest /= dim;
            }
            to[at..at + run.len()].copy_from_slice(run);
        }
        to
    }
    if tensor.shape() == whole {
        return Ok(tensor.clone());
    }
    let (part, dims) = (tensor.shape(), whole.list());
    match tensor.data() {
        Data::F32(v) => Tensor::new(&dims, place(v, part, whole, value)),
        Data::I32(v) => Tensor::new(&dims, place(v, part, whole, value as i32)),
        Data::U8(v) => Tensor::new(&dims, place(v, part, whole, value as u8)),
        Data::Bool(v) => Tensor::new(&dims, place(v, part, whole, value != 0.0)),
        Data::I8(v) => Tensor::new(&dims, place(v, part, whole, value as i8)),
        Data::F16(v) => Tensor::new(&dims, place(v, part, whole, f16::from_f32(value))),
    }
}
