// Operations on tensors, with the names and arguments of TensorFlow.js.

import { core, misuse, unsupported } from './core.js';
import { checkShape, dtypeCode, sizeOf, Tensor, toTensor, wrap } from './tensor.js';
import type { DataType, TensorLike } from './tensor.js';

/** Padding of a convolution or pooling: as many windows as fit, or one for each stride. */
export type Padding = 'valid' | 'same';

/** The number of a tensor, or of what becomes one for the time of the operation. */
function using(values: TensorLike[], compute: (handles: number[]) => number): Tensor {
  const made: Tensor[] = [];
  try {
    const handles = values.map((value) => {
      const operand = toTensor(value);
      if (operand !== value) made.push(operand);
      return operand.handle;
    });
    return wrap(compute(handles));
  } finally {
    for (const tensor of made) tensor.dispose();
  }
}

function unary(code: number, x: TensorLike): Tensor {
  return x instanceof Tensor ? wrap(core().unary(code, x.handle)) : using([x], ([h = 0]) => core().unary(code, h));
}

function binary(code: number, a: TensorLike, b: TensorLike): Tensor {
  if (a instanceof Tensor && b instanceof Tensor) return wrap(core().binary(code, a.handle, b.handle));
  return using([a, b], ([g = 0, h = 0]) => core().binary(code, g, h));
}

function compare(code: number, a: TensorLike, b: TensorLike): Tensor {
  return using([a, b], ([g = 0, h = 0]) => core().compare(code, g, h));
}

/** A function of each element, by its place in the core's list. */
type Unary = (x: TensorLike) => Tensor;
/** A function of each pair of elements, with broadcasting, in the wider of their types. */
type Binary = (a: TensorLike, b: TensorLike) => Tensor;

/** `-x` */
export const neg: Unary = (x) => unary(0, x);
/** `|x|` */
export const abs: Unary = (x) => unary(1, x);
/** -1, 0 or 1. */
export const sign: Unary = (x) => unary(2, x);
/** `e ^ x` */
export const exp: Unary = (x) => unary(3, x);
/** `e ^ x - 1` */
export const expm1: Unary = (x) => unary(4, x);
/** The natural logarithm. */
export const log: Unary = (x) => unary(5, x);
/** `log(1 + x)` */
export const log1p: Unary = (x) => unary(6, x);
/** The square root. */
export const sqrt: Unary = (x) => unary(7, x);
/** `1 / sqrt(x)` */
export const rsqrt: Unary = (x) => unary(8, x);
/** `x ^ 2` */
export const square: Unary = (x) => unary(9, x);
/** `1 / x` */
export const reciprocal: Unary = (x) => unary(10, x);
/** `1 / (1 + e ^ -x)` */
export const sigmoid: Unary = (x) => unary(11, x);
/** The hyperbolic tangent. */
export const tanh: Unary = (x) => unary(12, x);
/** `max(x, 0)` */
export const relu: Unary = (x) => unary(13, x);
/** `log(1 + e ^ x)` */
export const softplus: Unary = (x) => unary(14, x);
/** The largest integer not above x. */
export const floor: Unary = (x) => unary(15, x);
/** The smallest integer not below x. */
export const ceil: Unary = (x) => unary(16, x);
/** The nearest integer, ties to even. */
export const round: Unary = (x) => unary(17, x);
/** The sine. */
export const sin: Unary = (x) => unary(18, x);
/** The cosine. */
export const cos: Unary = (x) => unary(19, x);
/** The error function. */
export const erf: Unary = (x) => unary(20, x);

/** `a + b` */
export const add: Binary = (a, b) => binary(0, a, b);
/** `a - b` */
export const sub: Binary = (a, b) => binary(1, a, b);
/** `a * b` */
export const mul: Binary = (a, b) => binary(2, a, b);
/** `a / b`; of two integers the floor. */
export const div: Binary = (a, b) => binary(3, a, b);
/** `a ^ b` */
export const pow: Binary = (a, b) => binary(4, a, b);
/** The larger of each pair. */
export const maximum: Binary = (a, b) => binary(5, a, b);
/** The smaller of each pair. */
export const minimum: Binary = (a, b) => binary(6, a, b);

/** `a == b` as bool. */
export const equal: Binary = (a, b) => compare(0, a, b);
/** `a != b` as bool. */
export const notEqual: Binary = (a, b) => compare(1, a, b);
/** `a < b` as bool. */
export const less: Binary = (a, b) => compare(2, a, b);
/** `a <= b` as bool. */
export const lessEqual: Binary = (a, b) => compare(3, a, b);
/** `a > b` as bool. */
export const greater: Binary = (a, b) => compare(4, a, b);
/** `a >= b` as bool. */
export const greaterEqual: Binary = (a, b) => compare(5, a, b);

/** `a and b` of bool tensors. */
export const logicalAnd: Binary = (a, b) => using([a, b], ([g = 0, h = 0]) => core().logical(false, g, h));
/** `a or b` of bool tensors. */
export const logicalOr: Binary = (a, b) => using([a, b], ([g = 0, h = 0]) => core().logical(true, g, h));
/** `not x` of a bool tensor. */
export const logicalNot: Unary = (x) => using([x], ([h = 0]) => core().composed(2, h));

/** The intermediate tensors of `compute` are disposed. */
function composed(compute: (own: (t: Tensor) => Tensor) => Tensor): Tensor {
  const made: Tensor[] = [];
  try {
    return compute((tensor) => {
      made.push(tensor);
      return tensor;
    });
  } finally {
    for (const tensor of made) tensor.dispose();
  }
}

/** `(a - b) ^ 2` */
export const squaredDifference: Binary = (a, b) => composed((own) => square(own(sub(a, b))));

/** Elements of `a` where the condition is true, else of `b`. */
export function where(condition: TensorLike, a: TensorLike, b: TensorLike): Tensor {
  return using([condition, a, b], ([c = 0, g = 0, h = 0]) => core().select(c, g, h));
}

/** `max(min(x, high), low)` */
export function clipByValue(x: TensorLike, low: number, high: number): Tensor {
  return composed((own) => maximum(own(minimum(x, high)), low));
}

/** The sum of several tensors. */
export function addN(tensors: Tensor[]): Tensor {
  const [first, ...rest] = tensors;
  if (first === undefined) throw misuse('addN: expected at least one tensor');
  return composed((own) => rest.reduce((sum, t) => own(add(sum, t)), first).clone());
}

function lastAxis(name: string, axis: number, rank: number): void {
  if (axis !== -1 && axis !== rank - 1) throw unsupported(`${name}: axis ${axis}; only the last axis is supported, transpose first`);
}

/** Exponentials over the last axis, divided by their sum. */
export function softmax(logits: TensorLike, dim = -1): Tensor {
  return composed((own) => {
    const x = logits instanceof Tensor ? logits : own(toTensor(logits));
    lastAxis('softmax', dim, x.rank);
    return wrap(core().composed(0, x.handle));
  });
}

/** The logarithm of `softmax`. */
export function logSoftmax(logits: TensorLike, axis = -1): Tensor {
  return composed((own) => {
    const x = logits instanceof Tensor ? logits : own(toTensor(logits));
    lastAxis('logSoftmax', axis, x.rank);
    return wrap(core().composed(1, x.handle));
  });
}

/** A function that combines the elements along axes, by default of all. */
type Reduction = (x: TensorLike, axis?: number | number[] | null, keepDims?: boolean) => Tensor;

function axes(axis: number | number[] | null | undefined): Int32Array {
  return Int32Array.from(axis === undefined || axis === null ? [] : typeof axis === 'number' ? [axis] : axis);
}

const reduction =
  (code: number): Reduction =>
  (x, axis, keepDims = false) =>
    using([x], ([h = 0]) => core().reduce(code, h, axes(axis), keepDims));

/** The sum; of integers and truth values an integer. */
export const sum: Reduction = (x, axis, keepDims) => reduction(0)(x, axis, keepDims);
/** The product. */
export const prod: Reduction = (x, axis, keepDims) => reduction(1)(x, axis, keepDims);
/** The maximum. */
export const max: Reduction = (x, axis, keepDims) => reduction(2)(x, axis, keepDims);
/** The minimum. */
export const min: Reduction = (x, axis, keepDims) => reduction(3)(x, axis, keepDims);
/** The mean, in float32. */
export const mean: Reduction = (x, axis, keepDims = false) => using([x], ([h = 0]) => core().mean(h, axes(axis), keepDims));

/** The index of the largest element along an axis, the first among equals. */
export function argMax(x: TensorLike, axis = 0): Tensor {
  return using([x], ([h = 0]) => core().arg(h, axis, false));
}

/** The index of the smallest element along an axis, the first among equals. */
export function argMin(x: TensorLike, axis = 0): Tensor {
  return using([x], ([h = 0]) => core().arg(h, axis, true));
}

/** The same elements under another shape; one size may be -1, for what is left. */
export function reshape(x: TensorLike, shape: number[]): Tensor {
  return using([x], ([h = 0]) => {
    const open = shape.indexOf(-1);
    if (open < 0) return core().reshape(h, checkShape(shape));
    const known = sizeOf(shape.filter((_, i) => i !== open));
    const size = core().elements(h);
    if (known === 0 || size % known !== 0) throw misuse(`reshape: ${size} elements do not fit shape [${shape}]`);
    return core().reshape(h, checkShape(shape.map((dim, i) => (i === open ? size / known : dim))));
  });
}

/** An axis counted from the front. */
function front(name: string, axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(at) || at < 0 || at >= rank) throw misuse(`${name}: axis ${axis} is beyond rank ${rank}`);
  return at;
}

/** A new axis of size 1. */
export function expandDims(x: TensorLike, axis = 0): Tensor {
  return composed((own) => {
    const t = x instanceof Tensor ? x : own(toTensor(x));
    const shape = t.shape.slice();
    shape.splice(front('expandDims', axis, t.rank + 1), 0, 1);
    return reshape(t, shape);
  });
}

/** Without the axes of size 1, or without these. */
export function squeeze(x: TensorLike, axis?: number[]): Tensor {
  return composed((own) => {
    const t = x instanceof Tensor ? x : own(toTensor(x));
    const drop = axis?.map((a) => front('squeeze', a, t.rank));
    for (const a of drop ?? []) {
      if (t.shape[a] !== 1) throw misuse(`squeeze: axis ${a} of shape [${t.shape}] is not of size 1`);
    }
    return reshape(
      t,
      t.shape.filter((dim, a) => (drop === undefined ? dim !== 1 : !drop.includes(a))),
    );
  });
}

/** Axes in another order, by default the reverse. */
export function transpose(x: TensorLike, perm?: number[]): Tensor {
  return using([x], ([h = 0]) => core().transpose(h, checkShape(perm ?? [])));
}

/** A larger shape, repeating along axes of size 1. */
export function broadcastTo(x: TensorLike, shape: number[]): Tensor {
  return using([x], ([h = 0]) => core().broadcast(h, checkShape(shape)));
}

/** The box of shape `size` at `begin`. A size of -1, or none, takes the rest of an axis. */
export function slice(x: TensorLike, begin: number | number[], size?: number | number[]): Tensor {
  return composed((own) => {
    const t = x instanceof Tensor ? x : own(toTensor(x));
    const { shape, rank } = t;
    const starts = typeof begin === 'number' ? [begin] : begin;
    const sizes = typeof size === 'number' ? [size] : (size ?? []);
    if (rank === 0 || starts.length > rank || sizes.length > rank) {
      throw misuse(`slice: begin [${starts}] and size [${sizes}] do not fit shape [${shape}]`);
    }
    const from = shape.map((_, a) => starts[a] ?? 0);
    const box = shape.map((dim, a) => ((sizes[a] ?? -1) === -1 ? dim - (from[a] ?? 0) : (sizes[a] ?? 0)));
    if (box.some((n, a) => n < 0 || (from[a] ?? 0) + n > (shape[a] ?? 0))) {
      throw misuse(`slice: begin [${from}] and size [${box}] are not inside shape [${shape}]`);
    }
    return wrap(core().slice(t.handle, checkShape(from), checkShape(box)));
  });
}

/** Tensors joined along an axis. */
export function concat(tensors: TensorLike[], axis = 0): Tensor {
  return using(tensors, (handles) => core().concat(Uint32Array.from(handles), axis));
}

/** Tensors of one shape, side by side along a new axis. */
export function stack(tensors: TensorLike[], axis = 0): Tensor {
  return composed((own) => concat(tensors.map((t) => own(expandDims(t, axis))), axis));
}

/** A tensor in parts along an axis: this many equal ones, or of these sizes. */
export function split(x: TensorLike, numOrSizeSplits: number | number[], axis = 0): Tensor[] {
  const parts: Tensor[] = [];
  composed((own) => {
    const t = x instanceof Tensor ? x : own(toTensor(x));
    const at = front('split', axis, t.rank);
    const whole = t.shape[at] ?? 0;
    const sizes = typeof numOrSizeSplits === 'number' ? Array<number>(numOrSizeSplits).fill(whole / numOrSizeSplits) : numOrSizeSplits;
    if (sizeOf(sizes.map((n) => Number(Number.isInteger(n)))) !== 1 || sizes.reduce((a, b) => a + b, 0) !== whole) {
      throw misuse(`split: ${numOrSizeSplits} do not divide the ${whole} of axis ${axis}`);
    }
    let start = 0;
    for (const n of sizes) {
      const begin = t.shape.map((_, a) => (a === at ? start : 0));
      parts.push(slice(t, begin, t.shape.map((dim, a) => (a === at ? n : dim))));
      start += n;
    }
    return t;
  });
  return parts;
}

/** The tensors along an axis, without it. */
export function unstack(x: TensorLike, axis = 0): Tensor[] {
  const whole = toTensor(x);
  const parts = split(whole, whole.shape[front('unstack', axis, whole.rank)] ?? 0, axis);
  if (whole !== x) whole.dispose();
  return parts.map((part) => {
    const squeezed = squeeze(part, [axis]);
    part.dispose();
    return squeezed;
  });
}

/** A constant around each axis: `[before, after]` of each. */
export function pad(x: TensorLike, paddings: [number, number][], constantValue = 0): Tensor {
  return using([x], ([h = 0]) => core().pad(h, checkShape(paddings.flat()), constantValue));
}

/** The rows at these indices, along the first axis. */
export function gather(x: TensorLike, indices: TensorLike, axis = 0): Tensor {
  if (axis !== 0) throw unsupported(`gather: axis ${axis}; only the first axis is supported, transpose first`);
  return composed((own) => {
    const index = indices instanceof Tensor ? indices : own(toTensor(indices));
    const [t, list] = [x instanceof Tensor ? x : own(toTensor(x)), checkShape(Array.from(index.dataSync()))];
    const rows = own(wrap(core().gather(t.handle, list)));
    return reshape(rows, [...index.shape, ...t.shape.slice(1)]);
  });
}

/** Indices as rows of zeros with a one. An index out of range gives zeros. */
export function oneHot(indices: TensorLike, depth: number, onValue = 1, offValue = 0, dtype: DataType = 'int32'): Tensor {
  return composed((own) => {
    const hot = own(using([indices], ([h = 0]) => core().one_hot(h, depth)));
    const scaled = onValue === 1 && offValue === 0 ? hot : own(add(own(mul(hot, onValue - offValue)), offValue));
    return cast(scaled, dtype);
  });
}

/** Another element type; floats are truncated to integers. */
export function cast(x: TensorLike, dtype: DataType): Tensor {
  return using([x], ([h = 0]) => core().cast(h, dtypeCode(dtype)));
}

/** The matrix product over the last two axes; leading axes broadcast. */
export function matMul(a: TensorLike, b: TensorLike, transposeA = false, transposeB = false): Tensor {
  return using([a, b], ([g = 0, h = 0]) => core().matmul(g, h, transposeA, transposeB));
}

/** The product of vectors or matrices. */
export function dot(a: TensorLike, b: TensorLike): Tensor {
  return composed((own) => {
    const [x, y] = [toTensor(a), toTensor(b)];
    if (x !== a) own(x);
    if (y !== b) own(y);
    if (x.rank < 1 || x.rank > 2 || y.rank < 1 || y.rank > 2) throw misuse(`dot: expected vectors or matrices, got shapes [${x.shape}] and [${y.shape}]`);
    const left = x.rank === 1 ? own(expandDims(x, 0)) : x;
    const right = y.rank === 1 ? own(expandDims(y, 1)) : y;
    const product = own(matMul(left, right));
    return reshape(product, [...x.shape.slice(0, -1), ...y.shape.slice(1)]);
  });
}

function pair(value: number | number[]): Uint32Array {
  return checkShape(typeof value === 'number' ? [value, value] : value);
}

/** A convolution of `[batch, height, width, channels]` with a filter `[height, width, channels, outputs]`. */
export function conv2d(
  x: TensorLike,
  filter: TensorLike,
  strides: number | [number, number],
  padding: Padding,
  dataFormat: 'NHWC' = 'NHWC',
  dilations: number | [number, number] = 1,
): Tensor {
  if (dataFormat !== 'NHWC') throw unsupported(`conv2d: data format ${String(dataFormat)}; expected NHWC`);
  return using([x, filter], ([g = 0, h = 0]) => core().conv2d(g, h, pair(strides), pair(dilations), padding === 'same'));
}

/** The maximum of each window of `[batch, height, width, channels]`. */
export function maxPool(x: TensorLike, filterSize: number | [number, number], strides: number | [number, number], padding: Padding): Tensor {
  return using([x], ([h = 0]) => core().pool2d(h, pair(filterSize), pair(strides), padding === 'same', false));
}

/** The average of each window of `[batch, height, width, channels]`. */
export function avgPool(x: TensorLike, filterSize: number | [number, number], strides: number | [number, number], padding: Padding): Tensor {
  return using([x], ([h = 0]) => core().pool2d(h, pair(filterSize), pair(strides), padding === 'same', true));
}
