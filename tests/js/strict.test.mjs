// Arithmetic in WebAssembly without relaxed SIMD is strict: the models of tests/tests/strict.rs, trained here, have the bits recorded there.

import * as full from '../../wasm/pkg/index.js';
import * as mlp from '../../wasm/pkg/mlp/mlp.js';
import { assert, test } from './harness.mjs';

const SAMPLES = 125;

// Keras's default, not that of TensorFlow.js.
const kernelInitializer = 'glorotUniform';
const first = { inputShape: [28, 28, 1], kernelInitializer };

const models = {
  mlp: ({ layers }) => [
    layers.flatten({ inputShape: [28, 28, 1] }),
    layers.dense({ units: 128, activation: 'relu', kernelInitializer }),
    layers.dropout({ rate: 0.2 }),
    layers.dense({ units: 10, activation: 'softmax', kernelInitializer }),
  ],
  lenet: ({ layers }) => [
    layers.conv2d({ ...first, filters: 6, kernelSize: 5, padding: 'same', activation: 'relu' }),
    layers.maxPooling2d({ poolSize: 2 }),
    layers.conv2d({ filters: 16, kernelSize: 5, activation: 'relu', kernelInitializer }),
    layers.maxPooling2d({ poolSize: 2 }),
    layers.flatten(),
    layers.dense({ units: 120, activation: 'relu', kernelInitializer }),
    layers.dense({ units: 84, activation: 'relu', kernelInitializer }),
    layers.dense({ units: 10, activation: 'softmax', kernelInitializer }),
  ],
  strided: ({ layers }) => [
    layers.conv2d({ ...first, filters: 5, kernelSize: 3, strides: 2, padding: 'same', activation: 'tanh' }),
    layers.conv2d({ filters: 20, kernelSize: 3, dilationRate: 2, activation: 'sigmoid', kernelInitializer }),
    layers.maxPooling2d({ poolSize: 3, strides: 2 }),
    layers.flatten(),
    layers.dense({ units: 10, activation: 'softmax', kernelInitializer }),
  ],
  pools: ({ layers }) => [
    layers.conv2d({ ...first, filters: 7, kernelSize: 3, activation: 'tanh' }),
    layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
    layers.conv2d({ filters: 3, kernelSize: 2, kernelInitializer }),
    layers.maxPooling2d({ poolSize: 2, padding: 'same' }),
    layers.conv2d({ filters: 1, kernelSize: 1, kernelInitializer }),
    layers.maxPooling2d({ poolSize: 2, strides: 1 }),
    layers.conv2d({ filters: 6, kernelSize: 2, kernelInitializer }),
    layers.maxPooling2d({ poolSize: 2, strides: 3, padding: 'same' }),
    layers.flatten(),
    layers.dense({ units: 10, activation: 'softmax', kernelInitializer }),
  ],
};

/** FNV-1a over the bits of the weights after training. */
async function trained(tf, layers, epochs) {
  await tf.ready();
  const pixels = Float32Array.from({ length: SAMPLES * 784 }, (_, i) => (((i * 7919) % 1009) - 504) / 256);
  const labels = Int32Array.from({ length: SAMPLES }, (_, i) => (i * i) % 10);
  const model = tf.sequential({ seed: 11, layers: layers(tf) });
  model.compile({ optimizer: tf.train.adam(), loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  await model.fit(tf.tensor(pixels, [SAMPLES, 28, 28, 1]), tf.tensor1d(labels), { epochs, batchSize: 24 });
  let hash = 0xcbf29ce484222325n;
  for (const weight of model.getWeights()) {
    const values = Float32Array.from(weight.dataSync());
    for (const byte of new Uint8Array(values.buffer)) {
      hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
    }
  }
  return `0x${hash.toString(16).padStart(16, '0')}`;
}

const recorded = [
  ['an MLP', full, models.mlp, 2, '0x640139e4bae0112d'],
  ['an MLP from gradling/mlp', mlp, models.mlp, 2, '0x640139e4bae0112d'],
  ['LeNet-5', full, models.lenet, 1, '0x3540cb079ced7773'],
  ['a net of strides and dilation', full, models.strided, 1, '0x4f36eb57bf911814'],
  ['a net of pools', full, models.pools, 1, '0x55d7e1e3225f6a5f'],
];

for (const [name, tf, layers, epochs, hash] of recorded) {
  test(`strict: ${name} has the bits of every target`, async () => {
    await tf.ready();
    // Fused products have other bits; the small entry has none, and the whole one none where Node lacks them.
    if (tf === full && full.getWasmVariant() === 'relaxed-simd') return;
    assert.equal(await trained(tf, layers, epochs), hash);
  });
}
