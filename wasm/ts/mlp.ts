/**
 * Gradling for a page that trains a multilayer perceptron: the models of `gradling` with the layers dense, flatten,
 * dropout and activation, on a smaller core. There are no operations on tensors, no images, no summary and no files;
 * what is absent throws an `UnsupportedError`.
 *
 *     import * as tf from 'gradling/mlp';
 *     const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
 *
 * @module
 */

import { absent } from './absent.js';
import { layers as plainLayers } from './layers.js';
import { Stack } from './model.js';
import type { SequentialArgs } from './model.js';

/** Makers of layers. */
export const layers = {
  ...plainLayers,
  conv2d: absent('layers.conv2d'),
  maxPooling2d: absent('layers.maxPooling2d'),
};

/** A stack of layers. */
export class Sequential extends Stack {
  /** Not in this entry. */
  readonly summary = absent('summary');
  /** Not in this entry. */
  readonly profile = absent('profile');
  /** Not in this entry. */
  readonly save = absent('save');
  /** Not in this entry. */
  readonly saveBytes = absent('saveBytes');
}

/** A model of layers one after the other. */
export function sequential(args: SequentialArgs = {}): Sequential {
  return new Sequential(args);
}

export { getBackend, ready, setBackend, setWasmPath, version } from './core.js';
export type { WasmSource } from './core.js';
export {
  dispose,
  eye,
  fill,
  keep,
  linspace,
  memory,
  ones,
  onesLike,
  range,
  scalar,
  Tensor,
  tensor,
  tensor1d,
  tensor2d,
  tensor3d,
  tensor4d,
  tidy,
  zeros,
  zerosLike,
} from './tensor.js';
export type { DataType, MemoryInfo, NestedArray, TensorContainer, TensorLike, TypedArray } from './tensor.js';
export { Layer } from './layers.js';
export type {
  ActivationIdentifier,
  ActivationLayerArgs,
  DenseLayerArgs,
  DropoutLayerArgs,
  InitializerIdentifier,
  LayerArgs,
  Shape,
} from './layers.js';
export { History } from './model.js';
export type {
  CustomCallbackArgs,
  Logs,
  LossIdentifier,
  MetricIdentifier,
  ModelBatchArgs,
  ModelCompileArgs,
  ModelFitArgs,
  SequentialArgs,
} from './model.js';
export { Optimizer, train } from './train.js';
export { nextFrame } from './yield.js';
export {
  abs,
  add,
  addN,
  argMax,
  argMin,
  avgPool,
  backendReport,
  broadcastTo,
  cast,
  ceil,
  clipByValue,
  concat,
  conv2d,
  cos,
  div,
  dot,
  equal,
  erf,
  exp,
  expandDims,
  expm1,
  floor,
  gather,
  getThreadsCount,
  getWasmVariant,
  greater,
  greaterEqual,
  io,
  less,
  lessEqual,
  loadLayersModel,
  loadModelBytes,
  log,
  log1p,
  logicalAnd,
  logicalNot,
  logicalOr,
  logSoftmax,
  matMul,
  max,
  maximum,
  maxPool,
  mean,
  min,
  minimum,
  mul,
  neg,
  notEqual,
  oneHot,
  pad,
  pow,
  prod,
  randomNormal,
  randomUniform,
  reciprocal,
  relu,
  reshape,
  round,
  rsqrt,
  setThreadsCount,
  setWasmPaths,
  setWasmVariant,
  sigmoid,
  sign,
  sin,
  slice,
  softmax,
  softplus,
  split,
  sqrt,
  square,
  squaredDifference,
  squeeze,
  stack,
  sub,
  sum,
  tanh,
  transpose,
  truncatedNormal,
  unstack,
  where,
} from './absent.js';
