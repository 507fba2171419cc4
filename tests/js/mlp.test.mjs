// The entry `gradling/mlp`: the same training as `gradling`, bit for bit where that runs the same instructions, and errors
// for what it lacks.

import * as full from '../../wasm/pkg/index.js';
import * as mlp from '../../wasm/pkg/mlp/mlp.js';
import { assert, test } from './harness.mjs';

/** Inputs `[60, 2, 3]` of both signs, classes, and numbers for each class. */
function samples(tf) {
  const wave = (n, step) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * step));
  const classes = Int32Array.from({ length: 60 }, (_, i) => (i * 7) % 4);
  const rows = new Float32Array(240);
  classes.forEach((c, i) => (rows[i * 4 + c] = 1));
  return {
    x: tf.tensor3d(wave(360, 0.37), [60, 2, 3]),
    bytes: tf.tensor(Uint8Array.from({ length: 360 }, (_, i) => i % 251), [60, 2, 3], 'uint8'),
    classes: tf.tensor1d(classes),
    rows: tf.tensor2d(rows, [60, 4]),
  };
}

/** The numbers in nested arrays and objects. */
const flat = (x) => (typeof x === 'number' ? [x] : x !== null && typeof x === 'object' ? Object.values(x).flatMap(flat) : []);

/** Fused multiply-add rounds differently. */
function assertSame(actual, wanted, note) {
  if (full.getWasmVariant() === 'simd128') return assert.deepEqual(actual, wanted, note);
  return assert.close(flat(actual), flat(wanted), 1e-3, note);
}

const losses = [
  ['meanSquaredError', 'rows', ['mse', 'mae']],
  ['categoricalCrossentropy', 'rows', ['accuracy', 'mse']],
  ['sparseCategoricalCrossentropy', 'classes', ['accuracy']],
];

const optimizers = {
  sgd: (tf) => tf.train.sgd(0.1),
  momentum: (tf) => tf.train.momentum(0.05, 0.9),
  nesterov: (tf) => tf.train.momentum(0.05, 0.9, true),
  adam: (tf) => tf.train.adam(0.01),
};

/** Every number that a model of all layers gives, from weights to logs. */
async function everything(tf, loss, metrics, optimizer, target, last, fromLogits) {
  await tf.ready();
  const data = samples(tf);
  const model = tf.sequential({
    seed: 11,
    layers: [
      tf.layers.dense({ units: 5, activation: 'tanh', inputShape: [2, 3], kernelInitializer: 'heUniform' }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 7, activation: 'sigmoid', useBias: false }),
      tf.layers.dropout({ rate: 0.3 }),
      tf.layers.dense({ units: 6, biasInitializer: 'ones' }),
      tf.layers.activation({ activation: 'relu' }),
      tf.layers.dense({ units: 4, activation: last, kernelInitializer: 'randomNormal' }),
    ],
  });
  model.compile({ optimizer: optimizers[optimizer](tf), loss, metrics, fromLogits });
  const out = [];
  const callbacks = { onBatchEnd: (_, logs) => void out.push(Object.values(logs)) };
  const targets = data[target];
  const { history } = await model.fit(data.x, targets, { epochs: 2, batchSize: 16, validationSplit: 0.2, callbacks });
  out.push(Object.keys(history), Object.values(history));
  model.optimizer.learningRate = 0.002;
  await model.fit(data.bytes, targets, { batchSize: 25, shuffle: false, validationData: [data.x, targets] });
  out.push(await model.trainOnBatch(data.x, targets));
  out.push([model.evaluate(data.x, targets)].flat().map((t) => t.arraySync()), model.predict(data.x).arraySync());
  out.push(model.getWeights().map((w) => w.arraySync()), model.layers.map((l) => [l.name, l.outputShape]));
  model.setWeights(model.getWeights().map((w) => tf.zeros(w.shape)));
  out.push(model.predict(data.x).arraySync(), model.countParams());
  return out;
}

for (const [loss, target, metrics] of losses) {
  for (const optimizer of Object.keys(optimizers)) {
    test(`${loss} with ${optimizer} trains as in the whole package`, async () => {
      const cross = loss !== 'meanSquaredError';
      for (const [last, fromLogits] of cross ? [['softmax', false], ['linear', true], ['sigmoid', false]] : [['linear', false]]) {
        const args = [loss, metrics, optimizer, target, last, fromLogits];
        assertSame(await everything(mlp, ...args), await everything(full, ...args), `${last}`);
      }
    });
  }
}

test('tensors go in and out', async () => {
  await mlp.ready();
  const before = mlp.memory().numTensors;
  const t = mlp.tensor2d([[1.5, -2], [300, 0]]);
  assert.deepEqual(t.arraySync(), [[1.5, -2], [300, 0]]);
  for (const dtype of ['int32', 'uint8', 'bool', 'float32']) {
    await full.ready();
    assert.deepEqual(mlp.tensor(t, undefined, dtype).dataSync(), full.tensor(full.tensor2d([[1.5, -2], [300, 0]]), undefined, dtype).dataSync());
    assert.deepEqual(mlp.tensor(t, undefined, dtype).dataSync(), full.cast([[1.5, -2], [300, 0]], dtype).dataSync());
  }
  assert.deepEqual([...mlp.tidy(() => mlp.ones([2])).dataSync()], [1, 1]);
  assert.equal(mlp.scalar(3).dataSync()[0], 3);
  t.dispose();
  assert.ok(mlp.memory().numTensors >= before);
});

test('a loss that is not finite names the layer, a wrong label its number', async () => {
  await mlp.ready();
  const model = mlp.sequential({ layers: [mlp.layers.dense({ units: 2, inputShape: [1], activation: 'softmax' })] });
  model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
  const x = mlp.tensor2d([[1], [NaN]]);
  await assert.rejects(model.fit(x, mlp.tensor1d([0, 1])), /^MisuseError: fit: .*not finite/);
  await assert.rejects(model.fit(mlp.ones([2, 1]), mlp.tensor1d([0, 2.5])), /^MisuseError: fit: label 2\.5 at position 1/);
  await assert.rejects(model.fit(mlp.ones([2, 3]), mlp.tensor1d([0, 1])), /^MisuseError: .*\[2, 3\]/);
});

test('what the entry lacks says where it is', async () => {
  await mlp.ready();
  const wanted = /^UnsupportedError: .*gradling\/mlp does not have it; import 'gradling' instead$/;
  for (const name of Object.keys(full)) {
    assert.equal(typeof mlp[name], typeof full[name], name);
  }
  const own = ['dispose', 'eye', 'fill', 'keep', 'linspace', 'memory', 'ones', 'onesLike', 'range', 'scalar', 'tensor', 'tensor1d'];
  own.push('tensor2d', 'tensor3d', 'tensor4d', 'tidy', 'zeros', 'zerosLike', 'getBackend', 'ready', 'setBackend', 'setWasmPath');
  own.push('sequential', 'nextFrame', 'Sequential', 'Layer', 'Tensor', 'History', 'Optimizer');
  for (const [name, value] of Object.entries(mlp)) {
    if (typeof value === 'function' && !own.includes(name)) assert.throws(() => value([1], [2]), wanted, name);
  }
  for (const name of ['conv2d', 'maxPooling2d']) assert.throws(() => mlp.layers[name]({}), wanted);
  assert.deepEqual(Object.keys(mlp.layers).sort(), Object.keys(full.layers).sort());
  const model = mlp.sequential();
  for (const name of ['summary', 'save', 'saveBytes']) assert.throws(() => model[name]('x'), wanted);
  for (const name of Object.keys(full.io)) assert.throws(() => mlp.io[name]('x'), wanted);
  assert.equal(mlp.scalar(1).add, undefined);
});
