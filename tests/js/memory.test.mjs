// The life of tensors: dispose, tidy, keep, collection.

import * as tf from '../../wasm/pkg/index.js';
import { assert, test } from './harness.mjs';

const count = () => tf.memory().numTensors;

test('dispose frees at once, and twice is once', async () => {
  await tf.ready();
  const before = tf.memory();
  const a = tf.zeros([1000]);
  assert.equal(tf.memory().numTensors, before.numTensors + 1);
  assert.equal(tf.memory().numBytes, before.numBytes + 4000);
  a.dispose();
  a.dispose();
  assert.equal(a.isDisposed, true);
  assert.deepEqual(a.shape, [1000]);
  assert.equal(tf.memory().numTensors, before.numTensors);
  assert.equal(tf.memory().numBytes, before.numBytes);
  assert.throws(() => a.add(1), /^MisuseError: .*disposed/);
  assert.throws(() => a.dataSync(), /^MisuseError: .*disposed/);
});

test('operations leave no intermediate tensors', async () => {
  await tf.ready();
  const x = tf.tensor([[1, 2], [3, 4]]);
  const before = count();
  const results = [x.add(1), x.squaredDifference(1), x.clipByValue(0, 1), x.softmax(), tf.oneHot([1, 0], 2)];
  results.push(tf.stack([x, x]), ...tf.split(x, 2), ...tf.unstack(x), x.gather([0]), tf.dot([1], [1]), tf.addN([x, x]));
  assert.equal(count(), before + results.length);
  tf.dispose(results);
  assert.equal(count(), before);
  assert.throws(() => x.add([1, 2, 3]), /MisuseError/);
  assert.equal(count(), before, 'an operation that fails leaves nothing');
  x.dispose();
});

test('tidy disposes all but what it returns', async () => {
  await tf.ready();
  const before = count();
  const kept = [];
  const { y } = tf.tidy(() => {
    const a = tf.ones([3]);
    const inner = tf.tidy('named', () => a.add(1).mul(2));
    kept.push(tf.keep(a.sub(1)));
    return { y: inner.square(), text: 'beside' };
  });
  assert.deepEqual(y.arraySync(), [16, 16, 16]);
  assert.deepEqual(kept[0].arraySync(), [0, 0, 0]);
  assert.equal(count(), before + 2);
  tf.dispose({ y, kept });
  assert.equal(count(), before);
});

test('tidy disposes also when its function throws or is asynchronous', async () => {
  await tf.ready();
  const before = count();
  assert.throws(() => tf.tidy(() => { tf.ones([3]); throw new Error('of the user'); }), /of the user/);
  assert.throws(() => tf.tidy(async () => tf.ones([3])), /^MisuseError: tidy/);
  await Promise.resolve();
  assert.ok(count() <= before + 1);
});

test('tensors that nothing refers to are freed without help', async () => {
  await tf.ready();
  const before = count();
  const x = tf.ones([256, 256]);
  // Without collection this would be 1,000 tensors and 262 MB.
  for (let i = 0; i < 1000; i++) {
    x.add(i);
    if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  // Memory that is not JavaScript's own is shown to the collector, so it runs by itself; it is not told to.
  for (let wait = 0; wait < 100 && count() > before + 500; wait++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    x.add(1);
  }
  assert.ok(count() <= before + 500, `${count() - before} tensors of 1000 are left`);
  assert.equal(x.sum().arraySync(), 65536);
  x.dispose();
});

test('memory tells the size of the heap', async () => {
  await tf.ready();
  const { numBytesInWasm, numDataBuffers, numTensors, unreliable } = tf.memory();
  assert.ok(numBytesInWasm >= 1 << 16);
  assert.equal(numDataBuffers, numTensors);
  assert.equal(unreliable, false);
});

test('training leaves no tensors', async () => {
  await tf.ready();
  const model = tf.sequential({ seed: 1, layers: [tf.layers.dense({ units: 4, inputShape: [3] })] });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const [x, y] = [tf.randomNormal([64, 3]), tf.zeros([64, 4])];
  const before = count();
  await model.fit(x, y, { epochs: 2 });
  await model.trainOnBatch(x, y);
  model.predict(x).dispose();
  tf.dispose(model.evaluate(x, y));
  tf.dispose(model.getWeights());
  // Tensors of earlier tests may be collected meanwhile.
  assert.ok(count() <= before, `${count() - before} tensors are left`);
  const heap = tf.memory().numBytesInWasm;
  for (let i = 0; i < 500; i++) await model.trainOnBatch(x, y);
  assert.equal(tf.memory().numBytesInWasm, heap, 'train steps do not grow the memory');
  model.dispose();
  tf.dispose([x, y]);
});
