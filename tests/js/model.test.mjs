// Models: building, training, callbacks, using, saving, errors.

import * as tf from '../../wasm/pkg/index.js';
import { assert, test } from './harness.mjs';

const inNode = globalThis.process?.versions?.node !== undefined;

/** Three clouds of points in the plane and their numbers. */
function clouds(samples = 300, seed = 1) {
  const noise = tf.randomNormal([samples, 2], 0, 0.4, 'float32', seed).dataSync();
  const centers = [[0, 2], [2, -1], [-2, -1]];
  const labels = Int32Array.from({ length: samples }, (_, i) => i % 3);
  const points = noise.map((v, i) => v + centers[labels[i >> 1]][i & 1]);
  return { x: tf.tensor2d(points, [samples, 2]), y: tf.tensor1d(labels), labels };
}

function classifier(seed = 1) {
  const model = tf.sequential({
    seed,
    layers: [
      tf.layers.dense({ units: 16, activation: 'relu', inputShape: [2] }),
      tf.layers.dense({ units: 3, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(0.02), loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

test('fit learns to tell clouds of points apart', async () => {
  await tf.ready();
  const { x, y, labels } = clouds();
  const model = classifier();
  const { history, epoch } = await model.fit(x, y, { epochs: 15, batchSize: 32 });
  assert.deepEqual(epoch, Array.from({ length: 15 }, (_, i) => i));
  assert.deepEqual(Object.keys(history), ['loss', 'acc']);
  assert.equal(history.loss.length, 15);
  assert.ok(history.loss[14] < history.loss[0] / 3, `loss ${history.loss}`);
  assert.ok(history.acc[14] > 0.95, `accuracy ${history.acc}`);
  const [loss, accuracy] = model.evaluate(x, y);
  assert.deepEqual(loss.shape, []);
  assert.ok(accuracy.dataSync()[0] > 0.95);
  const output = model.predict(x);
  assert.deepEqual(output.shape, [300, 3]);
  assert.close(output.sum(1).dataSync(), new Float32Array(300).fill(1), 1e-5);
  const answers = output.argMax(1).dataSync();
  assert.close(answers.filter((a, i) => a === labels[i]).length / 300, accuracy.dataSync()[0], 1e-6);
});

test('one seed gives one model', async () => {
  await tf.ready();
  const { x, y } = clouds();
  const runs = [];
  for (const seed of [4, 4, 5]) {
    const model = classifier(seed);
    runs.push((await model.fit(x, y, { epochs: 2 })).history.loss);
  }
  assert.deepEqual(runs[0], runs[1]);
  assert.ok(runs[0][0] !== runs[2][0]);
});

test('XOR with mean squared error, sigmoid and tanh', async () => {
  await tf.ready();
  const x = tf.tensor2d([[0, 0], [0, 1], [1, 0], [1, 1]]);
  const y = tf.tensor2d([[0], [1], [1], [0]]);
  const model = tf.sequential({ seed: 3 });
  model.add(tf.layers.dense({ units: 8, activation: 'tanh', inputDim: 2, kernelInitializer: 'glorotUniform' }));
  model.add(tf.layers.dense({ units: 1 }));
  model.add(tf.layers.activation({ activation: 'sigmoid' }));
  model.compile({ optimizer: tf.train.adam(0.1), loss: 'meanSquaredError', metrics: 'accuracy' });
  const { history } = await model.fit(x, y, { epochs: 300, batchSize: 4 });
  assert.ok(history.loss.at(-1) < 0.02, `loss ${history.loss.at(-1)}`);
  assert.deepEqual(model.predict(x).round().arraySync(), [[0], [1], [1], [0]]);
});

test('a convolutional net learns where the bright square is', async () => {
  await tf.ready();
  const [n, side] = [64, 8];
  const pixels = new Float32Array(n * side * side);
  const labels = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    labels[i] = i % 4;
    const [top, left] = [labels[i] >> 1, labels[i] & 1].map((half) => half * 4 + (i % 2));
    for (let r = 0; r < 3; r++) for (let c = 0; c < 3; c++) pixels[i * 64 + (top + r) * side + left + c] = 1;
  }
  const model = tf.sequential({ seed: 2 });
  model.add(tf.layers.conv2d({ inputShape: [side, side, 1], filters: 4, kernelSize: 3, padding: 'same', activation: 'relu', kernelInitializer: 'heNormal' }));
  model.add(tf.layers.maxPooling2d({ poolSize: 2, strides: 2 }));
  model.add(tf.layers.dropout({ rate: 0.1 }));
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 4, activation: 'softmax', name: 'corners' }));
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  assert.deepEqual(model.layers.map((l) => l.outputShape), [[null, 8, 8, 4], [null, 4, 4, 4], [null, 4, 4, 4], [null, 64], [null, 4]]);
  const x = tf.tensor4d(pixels, [n, side, side, 1]);
  const y = tf.oneHot(labels, 4);
  const { history } = await model.fit(x, y, { epochs: 60, batchSize: 16 });
  assert.ok(history.acc.at(-1) > 0.9, `accuracy ${history.acc.at(-1)}`);
});

test('uint8 inputs and labels take a quarter of the memory and give the same', async () => {
  await tf.ready();
  const bytes = Uint8Array.from({ length: 80 }, (_, i) => (i * 37) % 200);
  const labels = Uint8Array.from({ length: 20 }, (_, i) => i % 2);
  const losses = [];
  for (const dtype of ['uint8', 'float32']) {
    const model = tf.sequential({ seed: 1, layers: [tf.layers.dense({ units: 2, activation: 'softmax', inputShape: [4] })] });
    model.compile({ optimizer: tf.train.sgd(0.001), loss: 'sparseCategoricalCrossentropy' });
    const x = tf.tensor(bytes, [20, 4], dtype);
    losses.push((await model.fit(x, tf.tensor(labels, [20, 1], dtype), { epochs: 2, batchSize: 8 })).history.loss);
  }
  assert.deepEqual(losses[0], losses[1]);
});

test('callbacks come in order, with logs, and promises are waited for', async () => {
  await tf.ready();
  const { x, y } = clouds(70);
  const model = classifier();
  const seen = [];
  const sizes = [];
  let sum = 0;
  const { history } = await model.fit(x, y, {
    epochs: 2,
    batchSize: 32,
    shuffle: false,
    validationData: [x, y],
    callbacks: {
      onTrainBegin: () => void seen.push('train'),
      onEpochBegin: async (epoch) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        seen.push(`epoch ${epoch}`);
      },
      onBatchBegin: (batch, logs) => void seen.push(`batch ${batch} ${logs.size}`),
      onBatchEnd: (batch, logs) => {
        sizes.push(logs.size);
        sum += logs.acc * logs.size;
        assert.ok(logs.loss > 0 && logs.acc >= 0 && logs.acc <= 1 && logs.batch === batch, JSON.stringify(logs));
        assert.close(logs.acc * logs.size, Math.round(logs.acc * logs.size), 1e-3);
        seen.push(`end ${batch}`);
      },
      onEpochEnd: (epoch, logs) => {
        assert.deepEqual(Object.keys(logs), ['loss', 'acc', 'val_loss', 'val_acc']);
        assert.close(sum / 70, logs.acc, 1e-4, 'the batches make the epoch');
        sum = 0;
        seen.push(`done ${epoch}`);
      },
      onTrainEnd: () => void seen.push('over'),
    },
  });
  assert.deepEqual(sizes, [32, 32, 6, 32, 32, 6]);
  const steps = ['batch 0 32', 'end 0', 'batch 1 32', 'end 1', 'batch 2 6', 'end 2'];
  assert.deepEqual(seen, ['train', 'epoch 0', ...steps, 'done 0', 'epoch 1', ...steps, 'done 1', 'over']);
  assert.deepEqual(Object.keys(history), ['loss', 'acc', 'val_loss', 'val_acc']);
  assert.equal(history.val_acc.length, 2);
});

test('several callbacks, an initial epoch, a validation split', async () => {
  await tf.ready();
  const { x, y } = clouds(100);
  const model = classifier();
  const epochs = [[], []];
  const make = (list) => ({ onEpochEnd: (epoch) => void list.push(epoch) });
  const { epoch, history } = await model.fit(x, y, { epochs: 5, initialEpoch: 3, validationSplit: 0.2, callbacks: epochs.map(make) });
  assert.deepEqual(epochs, [[3, 4], [3, 4]]);
  assert.deepEqual(epoch, [3, 4]);
  assert.equal(history.val_loss.length, 2);
});

test('stopTraining ends within an epoch', async () => {
  await tf.ready();
  const { x, y } = clouds();
  const model = classifier();
  const batches = [];
  const { history } = await model.fit(x, y, {
    epochs: 5,
    validationSplit: 0.1,
    callbacks: {
      onBatchEnd: (batch) => {
        batches.push(batch);
        if (batch === 2) model.stopTraining = true;
      },
    },
  });
  assert.deepEqual(batches, [0, 1, 2]);
  assert.equal(history.loss.length, 1);
  assert.equal(history.val_loss, undefined);
  const again = await model.fit(x, y, { epochs: 1 });
  assert.equal(again.history.loss.length, 1, 'the next fit starts anew');
});

test('fit lets other tasks run', async () => {
  await tf.ready();
  const [x, y] = [tf.randomNormal([4000, 64]), tf.zeros([4000, 32])];
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 256, inputShape: [64] }), tf.layers.dense({ units: 32 })] });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  let [ticks, running, longest, last] = [0, true, 0, performance.now()];
  const tick = () => {
    ticks += 1;
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
    if (running) setTimeout(tick);
  };
  setTimeout(tick);
  let yields = 0;
  const start = performance.now();
  await model.fit(x, y, { epochs: 3, callbacks: { onYield: () => void (yields += 1) } });
  running = false;
  const elapsed = performance.now() - start;
  assert.ok(ticks >= Math.floor(elapsed / 60), `${ticks} turns in ${elapsed} ms, longest pause ${longest} ms`);
  assert.ok(yields >= Math.floor(elapsed / 60), `${yields} yields in ${elapsed} ms`);
  yields = 0;
  await model.fit(x, y, { epochs: 1, yieldEvery: 'never', callbacks: { onYield: () => void (yields += 1) } });
  assert.equal(yields, 0);
});

test('trainOnBatch, learning rates, momentum', async () => {
  await tf.ready();
  const { x, y } = clouds(64);
  for (const optimizer of ['adam', 'sgd', tf.train.sgd(0.1), tf.train.momentum(0.05, 0.9), tf.train.momentum(0.05, 0.9, true)]) {
    const model = classifier();
    model.compile({ optimizer, loss: 'sparseCategoricalCrossentropy' });
    const first = await model.trainOnBatch(x, y);
    assert.equal(typeof first, 'number');
    let last = first;
    for (let i = 0; i < 30; i++) last = await model.trainOnBatch(x, y);
    assert.ok(last < first, `${first} to ${last}`);
  }
  const model = classifier();
  assert.equal((await model.trainOnBatch(x, y)).length, 2);
  model.optimizer.learningRate = 0;
  const before = model.getWeights().map((w) => w.dataSync());
  await model.trainOnBatch(x, y);
  model.getWeights().forEach((w, i) => assert.deepEqual(w.dataSync(), before[i]));
});

test('weights, names, shapes, parameters, summary', async () => {
  await tf.ready();
  const model = classifier();
  assert.deepEqual(model.layers.map((l) => l.name), ['dense', 'dense_1']);
  assert.equal(model.layers[0].getClassName(), 'Dense');
  assert.deepEqual(model.inputShape, [null, 2]);
  assert.deepEqual(model.outputShape, [null, 3]);
  assert.deepEqual(model.getWeights().map((w) => w.shape), [[2, 16], [16], [16, 3], [3]]);
  assert.deepEqual(model.getLayer('dense_1').getWeights().map((w) => w.shape), [[16, 3], [3]]);
  assert.equal(model.countParams(), 2 * 16 + 16 + 16 * 3 + 3);
  assert.equal(model.getLayer(1).countParams(), 51);
  model.layers[1].setWeights([tf.zeros([16, 3]), tf.tensor([0, 0, Math.log(2)])]);
  assert.close(model.predict(tf.ones([1, 2])).dataSync(), [0.25, 0.25, 0.5], 1e-6);
  const other = classifier(9);
  other.setWeights(model.getWeights());
  assert.deepEqual(other.predict(tf.ones([1, 2])).dataSync(), model.predict(tf.ones([1, 2])).dataSync());
  const lines = [];
  model.summary(undefined, undefined, (line) => lines.push(line));
  assert.ok(lines.some((l) => /dense_1 \(Dense\).*\(None, 3\).*51/.test(l)), lines.join('\n'));
  assert.ok(lines.some((l) => l.includes('Total params: 99')));
});

test('a saved model goes on where it was', async () => {
  await tf.ready();
  const { x, y } = clouds();
  const model = classifier();
  await model.fit(x, y, { epochs: 2 });
  const bytes = model.saveBytes();
  const loaded = tf.loadModelBytes(bytes);
  assert.deepEqual(loaded.layers.map((l) => [l.name, l.getClassName(), l.outputShape]), model.layers.map((l) => [l.name, l.getClassName(), l.outputShape]));
  assert.deepEqual(loaded.predict(x).dataSync(), model.predict(x).dataSync());
  assert.deepEqual(await loaded.trainOnBatch(x, y), await model.trainOnBatch(x, y));
  assert.deepEqual(await loaded.trainOnBatch(x, y), await model.trainOnBatch(x, y), 'also the optimizer is as it was');

  let kept;
  const { modelArtifactsInfo } = await model.save({ save: async (artifacts) => void (kept = artifacts) });
  assert.equal(modelArtifactsInfo.weightDataBytes, kept.bytes.length);
  for (const source of [{ load: () => kept }, { load: async () => kept.bytes }, kept.bytes, kept.bytes.slice().buffer, new Blob([kept.bytes])]) {
    assert.deepEqual((await tf.loadLayersModel(source)).predict(x).dataSync(), model.predict(x).dataSync());
  }
  assert.deepEqual((await tf.loadLayersModel(tf.io.browserFiles([new Blob([kept.bytes])]))).predict(x).dataSync(), model.predict(x).dataSync());
});

test('places to save to', async () => {
  await tf.ready();
  const model = classifier();
  const x = tf.ones([1, 2]);
  for (const place of ['indexeddb', 'localstorage']) {
    const there = globalThis[place === 'indexeddb' ? 'indexedDB' : 'localStorage'] !== undefined;
    const address = `${place}://test of gradling`;
    if (!there) {
      await assert.rejects(model.save(address), /^UnsupportedError: save: .*there is none here/);
      continue;
    }
    await model.save(address);
    assert.deepEqual((await tf.loadLayersModel(address)).predict(x).dataSync(), model.predict(x).dataSync());
    await tf.io.removeModel(address);
    const error = await assert.rejects(tf.loadLayersModel(address), /^MisuseError: loadLayersModel: .*no model is saved there/);
    assert.ok(error.cause instanceof Error);
  }
  if (globalThis.document === undefined) await assert.rejects(model.save('downloads://x'), /^UnsupportedError: .*only a page/);
  await assert.rejects(model.save('nowhere://x'), /^MisuseError: save: expected/);
  await assert.rejects(tf.loadLayersModel({}), /^MisuseError: loadLayersModel/);
  const failing = { load: () => Promise.reject(new Error('no luck')) };
  const error = await assert.rejects(tf.loadLayersModel(failing), /^DeviceError: loadLayersModel: the handler: no luck/);
  assert.equal(error.cause.message, 'no luck');
});

test('damaged files are FormatErrors', async () => {
  await tf.ready();
  const bytes = classifier().saveBytes();
  assert.throws(() => tf.loadModelBytes(new Uint8Array()), /^FormatError/);
  assert.throws(() => tf.loadModelBytes(bytes.subarray(0, 40)), /^FormatError/);
  for (let at = 0; at < bytes.length; at += 7) {
    const damaged = bytes.slice();
    damaged[at] ^= 0x10;
    assert.throws(() => tf.loadModelBytes(damaged), /^(Format|Unsupported)Error/, `byte ${at}`);
  }
});

test('mistakes are told by name', async () => {
  await tf.ready();
  const { x, y } = clouds(12);
  const model = classifier();
  await assert.rejects(model.fit(tf.zeros([12, 5]), y), /^MisuseError: .*dense.*\[batch, 2\]/);
  await assert.rejects(model.fit(x, tf.zeros([11])), /^MisuseError: .*12 inputs/);
  await assert.rejects(model.fit(x, tf.fill([12], 3, 'int32')), /^MisuseError: .*label 3/);
  await assert.rejects(model.fit(x, y, { batchSize: 0 }), /^MisuseError: fit: .*batch size/);
  await assert.rejects(model.fit(x, y, { batchSize: 2.5 }), /^MisuseError: fit: batchSize/);
  await assert.rejects(model.fit(x, y, { epochs: -1 }), /^MisuseError: fit: epochs/);
  await assert.rejects(model.fit(x, y, { validationSplit: 1 }), /^MisuseError: fit: .*split/);
  await assert.rejects(model.fit(tf.fill([12, 2], NaN), y), /^MisuseError: fit: .*not finite/);
  assert.throws(() => model.predict(tf.zeros([1, 3])), /^MisuseError: dense/);
  assert.throws(() => model.evaluate(x, tf.zeros([3])), /^MisuseError/);
  assert.throws(() => model.compile({ optimizer: 'lbfgs', loss: 'meanSquaredError' }), /^UnsupportedError: compile: optimizer lbfgs/);
  assert.throws(() => model.compile({ optimizer: 'sgd', loss: 'wobble' }), /^UnsupportedError: loss wobble/);
  assert.throws(() => model.compile({ optimizer: 'sgd', loss: 'meanSquaredError', metrics: ['wobble'] }), /^UnsupportedError: metric wobble/);
  assert.throws(() => tf.layers.dense({ units: 0 }), /^MisuseError: dense: units/);
  assert.throws(() => tf.layers.dropout({ rate: 1 }), /^MisuseError: dropout/);
  assert.throws(() => tf.layers.conv2d({ filters: 1, kernelSize: [1, 2, 3] }), /^MisuseError: conv2d: kernelSize/);
  assert.throws(() => tf.sequential({ layers: [tf.layers.dense({ units: 1, activation: 'swish9' })] }), /^UnsupportedError: activation swish9/);
  assert.throws(() => model.getLayer('nobody'), /^MisuseError: getLayer/);
  assert.throws(() => model.setWeights([tf.zeros([1])]), /^MisuseError: setWeights/);
  assert.throws(() => model.layers[0].setWeights([tf.zeros([2, 15]), tf.zeros([16])]), /^MisuseError/);
  const layer = tf.layers.flatten();
  tf.sequential({ layers: [layer] });
  assert.throws(() => tf.sequential({ layers: [layer] }), /^MisuseError: add/);
  const bare = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
  await assert.rejects(bare.fit(x, tf.zeros([12, 1])), /^MisuseError: .*compile/);
  const image = tf.sequential({ layers: [tf.layers.dense({ units: 4, inputShape: [784] })] });
  image.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  await assert.rejects(image.fit(tf.zeros([32, 28, 28]), tf.zeros([32, 4])), /^MisuseError: dense: expected input of shape \[batch, 784\], got \[32, 28, 28\]; add a Flatten layer before it/);
});

test('one fit at a time', async () => {
  await tf.ready();
  const { x, y } = clouds();
  const model = classifier();
  const first = model.fit(x, y, { epochs: 1, yieldEvery: 'batch' });
  await Promise.resolve();
  await assert.rejects(model.fit(x, y), /^MisuseError: fit: another fit/);
  await first;
  await model.fit(x, y);
});

test('a model is found by its address', async () => {
  await tf.ready();
  const address = URL.createObjectURL(new Blob([classifier().saveBytes()]));
  assert.equal((await tf.loadLayersModel(address)).countParams(), 99);
  if (inNode) await assert.rejects(tf.loadLayersModel('/nowhere/at/all'), /^DeviceError: loadLayersModel: .*ENOENT/);
});
