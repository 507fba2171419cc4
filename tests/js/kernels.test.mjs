// Kernels of the WebAssembly build against plain loops, on numbers of channels and rows that leave parts of vectors.

import * as tf from '../../wasm/pkg/index.js';
import { assert, test } from './harness.mjs';

/** Largest cells of windows of `size` at `stride` without padding; NaN counts as less than every number. */
function largest(x, [h, w, c], size, stride) {
  const [oh, ow] = [h, w].map((extent) => Math.floor((extent - size) / stride) + 1);
  const y = [];
  for (let i = 0; i < oh * ow * c; i++) {
    const [row, column, channel] = [Math.floor(i / (ow * c)), Math.floor(i / c) % ow, i % c];
    let best = NaN;
    for (let k = 0; k < size * size; k++) {
      const [iy, ix] = [row * stride + Math.floor(k / size), column * stride + (k % size)];
      const cell = x[(iy * w + ix) * c + channel];
      if (cell > best || Number.isNaN(best)) best = cell;
    }
    y.push(best);
  }
  return y;
}

test('maxPool of every number of channels, with NaN', async () => {
  await tf.ready();
  for (let c = 1; c <= 9; c++) {
    const shape = [7, 8, c];
    const x = Float32Array.from({ length: 56 * c }, (_, i) => (i % 11 === 3 ? NaN : ((i * 37) % 101) - 50));
    // A window of NaN alone.
    for (const i of [0, c, 8 * c, 9 * c]) x[i] = NaN;
    for (const [size, stride] of [[2, 2], [2, 1], [3, 2], [3, 1], [1, 1]]) {
      const y = tf.maxPool(tf.tensor(x, [1, ...shape]), size, stride, 'valid').dataSync();
      assert.deepEqual([...y], largest(x, shape, size, stride), `${c} channels, ${size} by ${size} at ${stride}`);
    }
  }
});

test('reductions over rows of every length', async () => {
  await tf.ready();
  for (const [rows, columns] of [[1, 1], [5, 3], [70, 6], [33, 17], [3, 130], [700, 203]]) {
    const x = Float32Array.from({ length: rows * columns }, (_, i) => ((i * 37) % 101) / 50 - 1);
    const join = (f, first) =>
      Array.from({ length: columns }, (_, j) => {
        let all = first;
        for (let i = 0; i < rows; i++) all = f(all, x[i * columns + j]);
        return all;
      });
    const matrix = tf.tensor(x, [rows, columns]);
    const sums = matrix.sum(0).dataSync();
    join((a, b) => a + b, 0).forEach((sum, j) => assert.close(sums[j], sum, 1e-3));
    assert.deepEqual([...matrix.max(0).dataSync()], join(Math.max, -Infinity));
    assert.deepEqual([...matrix.min(0).dataSync()], join(Math.min, Infinity));
  }
});
