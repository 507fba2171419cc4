// The functions of `gradling` that `gradling/mlp` lacks. A bundler drops those that are not called.

import { unsupported } from './core.js';

/** A function that says where to find what it stands for. */
export function absent(name: string): (...args: unknown[]) => never {
  return () => {
    throw unsupported(`${name}: gradling/mlp does not have it; import 'gradling' instead`);
  };
}

export const neg = /* @__PURE__ */ absent('neg');
export const abs = /* @__PURE__ */ absent('abs');
export const sign = /* @__PURE__ */ absent('sign');
export const exp = /* @__PURE__ */ absent('exp');
export const expm1 = /* @__PURE__ */ absent('expm1');
export const log = /* @__PURE__ */ absent('log');
export const log1p = /* @__PURE__ */ absent('log1p');
export const sqrt = /* @__PURE__ */ absent('sqrt');
export const rsqrt = /* @__PURE__ */ absent('rsqrt');
export const square = /* @__PURE__ */ absent('square');
export const reciprocal = /* @__PURE__ */ absent('reciprocal');
export const sigmoid = /* @__PURE__ */ absent('sigmoid');
export const tanh = /* @__PURE__ */ absent('tanh');
export const relu = /* @__PURE__ */ absent('relu');
export const softplus = /* @__PURE__ */ absent('softplus');
export const floor = /* @__PURE__ */ absent('floor');
export const ceil = /* @__PURE__ */ absent('ceil');
export const round = /* @__PURE__ */ absent('round');
export const sin = /* @__PURE__ */ absent('sin');
export const cos = /* @__PURE__ */ absent('cos');
export const erf = /* @__PURE__ */ absent('erf');
export const add = /* @__PURE__ */ absent('add');
export const sub = /* @__PURE__ */ absent('sub');
export const mul = /* @__PURE__ */ absent('mul');
export const div = /* @__PURE__ */ absent('div');
export const pow = /* @__PURE__ */ absent('pow');
export const maximum = /* @__PURE__ */ absent('maximum');
export const minimum = /* @__PURE__ */ absent('minimum');
export const equal = /* @__PURE__ */ absent('equal');
export const notEqual = /* @__PURE__ */ absent('notEqual');
export const less = /* @__PURE__ */ absent('less');
export const lessEqual = /* @__PURE__ */ absent('lessEqual');
export const greater = /* @__PURE__ */ absent('greater');
export const greaterEqual = /* @__PURE__ */ absent('greaterEqual');
export const logicalAnd = /* @__PURE__ */ absent('logicalAnd');
export const logicalOr = /* @__PURE__ */ absent('logicalOr');
export const logicalNot = /* @__PURE__ */ absent('logicalNot');
export const squaredDifference = /* @__PURE__ */ absent('squaredDifference');
export const where = /* @__PURE__ */ absent('where');
export const clipByValue = /* @__PURE__ */ absent('clipByValue');
export const addN = /* @__PURE__ */ absent('addN');
export const softmax = /* @__PURE__ */ absent('softmax');
export const logSoftmax = /* @__PURE__ */ absent('logSoftmax');
export const sum = /* @__PURE__ */ absent('sum');
export const prod = /* @__PURE__ */ absent('prod');
export const max = /* @__PURE__ */ absent('max');
export const min = /* @__PURE__ */ absent('min');
export const mean = /* @__PURE__ */ absent('mean');
export const argMax = /* @__PURE__ */ absent('argMax');
export const argMin = /* @__PURE__ */ absent('argMin');
export const reshape = /* @__PURE__ */ absent('reshape');
export const expandDims = /* @__PURE__ */ absent('expandDims');
export const squeeze = /* @__PURE__ */ absent('squeeze');
export const transpose = /* @__PURE__ */ absent('transpose');
export const broadcastTo = /* @__PURE__ */ absent('broadcastTo');
export const slice = /* @__PURE__ */ absent('slice');
export const concat = /* @__PURE__ */ absent('concat');
export const stack = /* @__PURE__ */ absent('stack');
export const split = /* @__PURE__ */ absent('split');
export const unstack = /* @__PURE__ */ absent('unstack');
export const pad = /* @__PURE__ */ absent('pad');
export const gather = /* @__PURE__ */ absent('gather');
export const oneHot = /* @__PURE__ */ absent('oneHot');
export const cast = /* @__PURE__ */ absent('cast');
export const matMul = /* @__PURE__ */ absent('matMul');
export const dot = /* @__PURE__ */ absent('dot');
export const conv2d = /* @__PURE__ */ absent('conv2d');
export const maxPool = /* @__PURE__ */ absent('maxPool');
export const avgPool = /* @__PURE__ */ absent('avgPool');
export const randomNormal = /* @__PURE__ */ absent('randomNormal');
export const randomUniform = /* @__PURE__ */ absent('randomUniform');
export const truncatedNormal = /* @__PURE__ */ absent('truncatedNormal');
export const loadLayersModel = /* @__PURE__ */ absent('loadLayersModel');
export const loadModelBytes = /* @__PURE__ */ absent('loadModelBytes');
export const backendReport = /* @__PURE__ */ absent('backendReport');
export const getThreadsCount = /* @__PURE__ */ absent('getThreadsCount');
export const getWasmVariant = /* @__PURE__ */ absent('getWasmVariant');
export const setThreadsCount = /* @__PURE__ */ absent('setThreadsCount');
export const setWasmPaths = /* @__PURE__ */ absent('setWasmPaths');
export const setWasmVariant = /* @__PURE__ */ absent('setWasmVariant');

/** What `tf.io` offers. */
export const io = {
  browserDownloads: /* @__PURE__ */ absent('io.browserDownloads'),
  browserFiles: /* @__PURE__ */ absent('io.browserFiles'),
  removeModel: /* @__PURE__ */ absent('io.removeModel'),
};
