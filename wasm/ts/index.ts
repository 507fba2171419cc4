/**
 * Gradling: neural networks that train and run in the browser and in Node, with the names of TensorFlow.js.
 *
 *     import * as tf from 'gradling';
 *     await tf.ready();
 *     tf.tensor2d([[1, 2], [3, 4]]).matMul(tf.eye(2)).print();
 *
 * @module
 */

import { imageLayers } from './images.js';
import { layers as plainLayers } from './layers.js';
import './methods.js';

/** Makers of layers. */
export const layers = { ...plainLayers, ...imageLayers };

export { ready, setWasmPath, version } from './core.js';
export type { WasmSource } from './core.js';
export { backendReport, getBackend, setBackend } from './backend.js';
export type { Backend } from './backend.js';
export type { OpSupport } from './support.js';
export { getThreadsCount, getWasmVariant, setThreadsCount, setWasmPaths, setWasmVariant } from './variants.js';
export type { WasmPaths, WasmVariant } from './variants.js';
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
export { randomNormal, randomUniform, truncatedNormal } from './random.js';
export type { Methods } from './methods.js';
export * from './ops.js';
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
export type { ConvLayerArgs, Pooling2DLayerArgs } from './images.js';
export { History } from './model.js';
export { loadLayersModel, loadModelBytes, Sequential, sequential } from './sequential.js';
export type { ModelCompileArgs } from './sequential.js';
export type {
  CustomCallbackArgs,
  Logs,
  LossIdentifier,
  MetricIdentifier,
  ModelBatchArgs,
  ModelFitArgs,
  SequentialArgs,
} from './model.js';
export type { ModelProfile, ModelProfileArgs, StepProfile } from './profile.js';
export { Optimizer, train } from './train.js';
export { nextFrame } from './yield.js';
export * as io from './places.js';
export type { IOHandler, ModelArtifacts, ModelSource, SaveResult } from './io.js';
