// Operations as methods of tensors.

import * as ops from './ops.js';
import { Tensor } from './tensor.js';
import type { DataType, TensorLike } from './tensor.js';

/** What `gradling` adds to the tensors of `gradling/mlp`. */
export interface Methods {
  /** `a + b` with broadcasting. */
  add(b: TensorLike): Tensor;
  /** `a - b` with broadcasting. */
  sub(b: TensorLike): Tensor;
  /** `a * b` with broadcasting. */
  mul(b: TensorLike): Tensor;
  /** `a / b` with broadcasting; of two integers the floor. */
  div(b: TensorLike): Tensor;
  /** `a ^ b` with broadcasting. */
  pow(b: TensorLike): Tensor;
  /** The larger of each pair. */
  maximum(b: TensorLike): Tensor;
  /** The smaller of each pair. */
  minimum(b: TensorLike): Tensor;
  /** `(a - b) ^ 2` with broadcasting. */
  squaredDifference(b: TensorLike): Tensor;
  /** `a == b` as bool. */
  equal(b: TensorLike): Tensor;
  /** `a != b` as bool. */
  notEqual(b: TensorLike): Tensor;
  /** `a < b` as bool. */
  less(b: TensorLike): Tensor;
  /** `a <= b` as bool. */
  lessEqual(b: TensorLike): Tensor;
  /** `a > b` as bool. */
  greater(b: TensorLike): Tensor;
  /** `a >= b` as bool. */
  greaterEqual(b: TensorLike): Tensor;
  /** `a and b` of bool tensors. */
  logicalAnd(b: TensorLike): Tensor;
  /** `a or b` of bool tensors. */
  logicalOr(b: TensorLike): Tensor;
  /** `not a` of a bool tensor. */
  logicalNot(): Tensor;
  /** Elements of `a` where this is true, else of `b`. */
  where(a: TensorLike, b: TensorLike): Tensor;
  /** `-x` */
  neg(): Tensor;
  /** `|x|` */
  abs(): Tensor;
  /** -1, 0 or 1. */
  sign(): Tensor;
  /** `e ^ x` */
  exp(): Tensor;
  /** `e ^ x - 1` */
  expm1(): Tensor;
  /** The natural logarithm. */
  log(): Tensor;
  /** `log(1 + x)` */
  log1p(): Tensor;
  /** The square root. */
  sqrt(): Tensor;
  /** `1 / sqrt(x)` */
  rsqrt(): Tensor;
  /** `x ^ 2` */
  square(): Tensor;
  /** `1 / x` */
  reciprocal(): Tensor;
  /** `1 / (1 + e ^ -x)` */
  sigmoid(): Tensor;
  /** The hyperbolic tangent. */
  tanh(): Tensor;
  /** `max(x, 0)` */
  relu(): Tensor;
  /** `log(1 + e ^ x)` */
  softplus(): Tensor;
  /** The largest integer not above x. */
  floor(): Tensor;
  /** The smallest integer not below x. */
  ceil(): Tensor;
  /** The nearest integer, ties to even. */
  round(): Tensor;
  /** The sine. */
  sin(): Tensor;
  /** The cosine. */
  cos(): Tensor;
  /** The error function. */
  erf(): Tensor;
  /** `max(min(x, high), low)` */
  clipByValue(low: number, high: number): Tensor;
  /** Exponentials over the last axis, divided by their sum. */
  softmax(dim?: number): Tensor;
  /** The logarithm of `softmax`. */
  logSoftmax(axis?: number): Tensor;
  /** The sum over axes, or of all. */
  sum(axis?: number | number[], keepDims?: boolean): Tensor;
  /** The product over axes, or of all. */
  prod(axis?: number | number[], keepDims?: boolean): Tensor;
  /** The mean over axes, or of all. */
  mean(axis?: number | number[], keepDims?: boolean): Tensor;
  /** The maximum over axes, or of all. */
  max(axis?: number | number[], keepDims?: boolean): Tensor;
  /** The minimum over axes, or of all. */
  min(axis?: number | number[], keepDims?: boolean): Tensor;
  /** The index of the largest element along an axis. */
  argMax(axis?: number): Tensor;
  /** The index of the smallest element along an axis. */
  argMin(axis?: number): Tensor;
  /** The same elements under another shape; -1 stands for what is left. */
  reshape(shape: number[]): Tensor;
  /** The same elements under the shape of another tensor. */
  reshapeAs(x: Tensor): Tensor;
  /** The same elements in one axis. */
  flatten(): Tensor;
  /** The same elements in one axis. */
  as1D(): Tensor;
  /** The same element without axes. */
  asScalar(): Tensor;
  /** A new axis of size 1. */
  expandDims(axis?: number): Tensor;
  /** Without axes of size 1, or without these. */
  squeeze(axis?: number[]): Tensor;
  /** Axes in another order, by default the reverse. */
  transpose(perm?: number[]): Tensor;
  /** The box of shape `size` at `begin`; -1, or nothing, takes the rest of an axis. */
  slice(begin: number | number[], size?: number | number[]): Tensor;
  /** The rows at these indices. */
  gather(indices: TensorLike): Tensor;
  /** A constant around each axis: `[before, after]` of each. */
  pad(paddings: [number, number][], constantValue?: number): Tensor;
  /** A larger shape, repeating along axes of size 1. */
  broadcastTo(shape: number[]): Tensor;
  /** Joined with others along an axis. */
  concat(others: Tensor | Tensor[], axis?: number): Tensor;
  /** The matrix product over the last two axes. */
  matMul(b: TensorLike, transposeA?: boolean, transposeB?: boolean): Tensor;
  /** The product of vectors or matrices. */
  dot(b: TensorLike): Tensor;
  /** Indices as rows of zeros with a one. */
  oneHot(depth: number): Tensor;
  /** Another element type. */
  cast(dtype: DataType): Tensor;
  /** As float32. */
  toFloat(): Tensor;
  /** As int32. */
  toInt(): Tensor;
  /** As bool. */
  toBool(): Tensor;
}

declare module './tensor.js' {
  interface Tensor extends Methods {}
}

/** Each method as a function of the tensor. */
const METHODS: { [name in keyof Methods]: (t: Tensor, ...rest: Parameters<Methods[name]>) => Tensor } = {
  add: ops.add,
  sub: ops.sub,
  mul: ops.mul,
  div: ops.div,
  pow: ops.pow,
  maximum: ops.maximum,
  minimum: ops.minimum,
  squaredDifference: ops.squaredDifference,
  equal: ops.equal,
  notEqual: ops.notEqual,
  less: ops.less,
  lessEqual: ops.lessEqual,
  greater: ops.greater,
  greaterEqual: ops.greaterEqual,
  logicalAnd: ops.logicalAnd,
  logicalOr: ops.logicalOr,
  logicalNot: ops.logicalNot,
  where: ops.where,
  neg: ops.neg,
  abs: ops.abs,
  sign: ops.sign,
  exp: ops.exp,
  expm1: ops.expm1,
  log: ops.log,
  log1p: ops.log1p,
  sqrt: ops.sqrt,
  rsqrt: ops.rsqrt,
  square: ops.square,
  reciprocal: ops.reciprocal,
  sigmoid: ops.sigmoid,
  tanh: ops.tanh,
  relu: ops.relu,
  softplus: ops.softplus,
  floor: ops.floor,
  ceil: ops.ceil,
  round: ops.round,
  sin: ops.sin,
  cos: ops.cos,
  erf: ops.erf,
  clipByValue: ops.clipByValue,
  softmax: ops.softmax,
  logSoftmax: ops.logSoftmax,
  sum: ops.sum,
  prod: ops.prod,
  mean: ops.mean,
  max: ops.max,
  min: ops.min,
  argMax: ops.argMax,
  argMin: ops.argMin,
  reshape: ops.reshape,
  reshapeAs: (t, x) => ops.reshape(t, x.shape),
  flatten: (t) => ops.reshape(t, [-1]),
  as1D: (t) => ops.reshape(t, [-1]),
  asScalar: (t) => ops.reshape(t, []),
  expandDims: ops.expandDims,
  squeeze: ops.squeeze,
  transpose: ops.transpose,
  slice: ops.slice,
  gather: ops.gather,
  pad: ops.pad,
  broadcastTo: ops.broadcastTo,
  concat: (t, others, axis) => ops.concat([t, ...(Array.isArray(others) ? others : [others])], axis),
  matMul: ops.matMul,
  dot: ops.dot,
  oneHot: ops.oneHot,
  cast: ops.cast,
  toFloat: (t) => ops.cast(t, 'float32'),
  toInt: (t) => ops.cast(t, 'int32'),
  toBool: (t) => ops.cast(t, 'bool'),
};

for (const [name, method] of Object.entries(METHODS) as [string, (t: Tensor, ...rest: unknown[]) => Tensor][]) {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]): Tensor {
      return method(this, ...rest);
    },
    configurable: true,
    writable: true,
  });
}
