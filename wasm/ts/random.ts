// Tensors of random numbers.

import { core } from './core.js';
import { cast } from './ops.js';
import { checkShape, wrap } from './tensor.js';
import type { DataType, Tensor } from './tensor.js';

const UNIFORM = 0;
const NORMAL = 1;
const TRUNCATED = 2;

function random(kind: number, shape: number[], a: number, b: number, dtype: DataType, seed?: number): Tensor {
  const drawn = wrap(core().random(kind, checkShape(shape), a, b, seed ?? Math.floor(Math.random() * 2 ** 53)));
  if (dtype === 'float32') return drawn;
  const converted = cast(drawn, dtype);
  drawn.dispose();
  return converted;
}

/** Uniform random numbers from `minval` up to, and without, `maxval`. */
export function randomUniform(shape: number[], minval = 0, maxval = 1, dtype: DataType = 'float32', seed?: number): Tensor {
  return random(UNIFORM, shape, minval, maxval, dtype, seed);
}

/** Normal random numbers. */
export function randomNormal(shape: number[], mean = 0, stdDev = 1, dtype: DataType = 'float32', seed?: number): Tensor {
  return random(NORMAL, shape, mean, stdDev, dtype, seed);
}

/** Normal random numbers within two standard deviations. */
export function truncatedNormal(shape: number[], mean = 0, stdDev = 1, dtype: DataType = 'float32', seed?: number): Tensor {
  return random(TRUNCATED, shape, mean, stdDev, dtype, seed);
}
