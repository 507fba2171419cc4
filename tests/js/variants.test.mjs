// Which build of the core runs, and profiles.

import * as tf from '../../wasm/pkg/index.js';
import { assert, test } from './harness.mjs';

test('the build and the threads are told', async () => {
  await tf.ready();
  assert.ok(['simd128', 'relaxed-simd'].includes(tf.getWasmVariant()), tf.getWasmVariant());
  const threads = tf.getThreadsCount();
  assert.ok(Number.isInteger(threads) && threads >= 1 && threads <= 4, `${threads} threads`);
  if (globalThis.crossOriginIsolated !== true || tf.getWasmVariant() === 'simd128') assert.equal(threads, 1);
});

test('builds and numbers of threads that there are not are errors', () => {
  assert.throws(() => tf.setWasmVariant('avx2'), /^MisuseError: setWasmVariant/);
  for (const threads of [0, 1.5, NaN]) assert.throws(() => tf.setThreadsCount(threads), /^MisuseError: setThreadsCount/);
});

function model() {
  const own = tf.sequential({
    seed: 1,
    layers: [
      tf.layers.dense({ units: 64, activation: 'relu', inputShape: [20] }),
      tf.layers.dense({ units: 3, activation: 'softmax' }),
    ],
  });
  own.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
  return own;
}

test('a profile tells the steps of a prediction', async () => {
  await tf.ready();
  const own = model();
  const { steps, ...all } = await own.profile({ batchSize: 8, milliseconds: 30 });
  const products = steps.filter(({ op, kernel }) => op === 'matmul+region' && kernel.startsWith('gemm'));
  assert.ok(products.length >= 1 && products.some(({ reads }) => reads[0] === 'float32[8, 20]'), JSON.stringify(steps));
  assert.equal(products.reduce((sum, step) => sum + step.flops, 0), 2 * 8 * (20 * 64 + 64 * 3) + 8 * (2 * 64 + 3));
  assert.ok(steps.every(({ writes, bytes, microseconds }) => writes.length > 0 && bytes > 0 && microseconds >= 0));
  assert.close(all.microseconds, steps.reduce((sum, step) => sum + step.microseconds, 0), 1e-6);
  assert.equal(all.flops, steps.reduce((sum, step) => sum + step.flops, 0));
  assert.ok(all.microseconds > 0 && all.bytes > 0);
  assert.equal(all.variant, tf.getWasmVariant());
  assert.equal(all.threads, tf.getThreadsCount());
  own.dispose();
});

test('a profile of a train step changes no weight', async () => {
  await tf.ready();
  const own = model();
  const before = own.getWeights().map((w) => w.dataSync());
  const predicted = await own.profile({ milliseconds: 20 });
  const trained = await own.profile({ train: true, milliseconds: 20 });
  assert.ok(trained.steps.length > predicted.steps.length && trained.flops > 2 * predicted.flops);
  assert.deepEqual(own.getWeights().map((w) => w.dataSync()), before);
  await assert.rejects(own.profile({ batchSize: 0 }), /^MisuseError: profile/);
  const bare = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
  await assert.rejects(bare.profile({ train: true }), /^MisuseError/);
});
