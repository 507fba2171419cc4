// Tensors: making them, reading them, operations, errors.

import * as tf from '../../wasm/pkg/index.js';
import { assert, test } from './harness.mjs';

test('tensors from nested, flat and typed arrays', async () => {
  await tf.ready();
  const a = tf.tensor([[1, 2, 3], [4, 5, 6]]);
  assert.deepEqual(a.shape, [2, 3]);
  assert.equal(a.dtype, 'float32');
  assert.equal(a.rank, 2);
  assert.equal(a.size, 6);
  assert.deepEqual(a.arraySync(), [[1, 2, 3], [4, 5, 6]]);
  assert.deepEqual(await a.array(), [[1, 2, 3], [4, 5, 6]]);
  assert.deepEqual(await a.data(), new Float32Array([1, 2, 3, 4, 5, 6]));
  assert.deepEqual(tf.tensor([1, 2, 3, 4], [2, 2]).arraySync(), [[1, 2], [3, 4]]);
  assert.deepEqual(tf.tensor2d(new Float32Array([1, 2]), [2, 1]).arraySync(), [[1], [2]]);
  assert.equal(tf.tensor(new Int32Array([1])).dtype, 'int32');
  assert.equal(tf.tensor(new Uint8Array([1])).dtype, 'int32');
  assert.equal(tf.tensor(new Uint8Array([1]), [1], 'uint8').dtype, 'uint8');
  assert.deepEqual(tf.tensor([200, 7], [2], 'uint8').dataSync(), new Uint8Array([200, 7]));
  assert.equal(tf.tensor([true, false]).dtype, 'bool');
  assert.deepEqual(tf.tensor([true, false]).arraySync(), [1, 0]);
  assert.equal(tf.scalar(3).arraySync(), 3);
  assert.deepEqual(tf.scalar(3).shape, []);
  assert.deepEqual(tf.tensor1d([]).shape, [0]);
  assert.deepEqual(tf.tensor3d([[[1], [2]]]).shape, [1, 2, 1]);
  assert.deepEqual(tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]).shape, [1, 2, 2, 1]);
});

test('dataSync gives copies', async () => {
  await tf.ready();
  const source = new Float32Array([1, 2]);
  const a = tf.tensor(source);
  source[0] = 9;
  const out = a.dataSync();
  out[1] = 9;
  assert.deepEqual(a.arraySync(), [1, 2]);
});

test('tensors of constants, counts and random numbers', async () => {
  await tf.ready();
  assert.deepEqual(tf.zeros([2, 2]).arraySync(), [[0, 0], [0, 0]]);
  assert.deepEqual(tf.ones([2], 'int32').dataSync(), new Int32Array([1, 1]));
  assert.deepEqual(tf.fill([2], 7).arraySync(), [7, 7]);
  assert.deepEqual(tf.zerosLike(tf.ones([3])).arraySync(), [0, 0, 0]);
  assert.deepEqual(tf.onesLike(tf.zeros([1, 2])).arraySync(), [[1, 1]]);
  assert.deepEqual(tf.range(0, 5, 2).arraySync(), [0, 2, 4]);
  assert.deepEqual(tf.range(3, 0).arraySync(), [3, 2, 1]);
  assert.deepEqual(tf.linspace(0, 1, 3).arraySync(), [0, 0.5, 1]);
  assert.deepEqual(tf.eye(2).arraySync(), [[1, 0], [0, 1]]);
  const u = tf.randomUniform([1000], -1, 1, 'float32', 5).dataSync();
  assert.ok(u.every((v) => v >= -1 && v < 1));
  assert.close(tf.randomNormal([10000], 3, 2, 'float32', 5).mean().dataSync(), [3], 0.1);
  assert.ok(tf.truncatedNormal([1000], 0, 1, 'float32', 5).abs().max().dataSync()[0] <= 2);
  assert.deepEqual(tf.randomUniform([4], 0, 1, 'float32', 5).dataSync(), tf.randomUniform([4], 0, 1, 'float32', 5).dataSync());
});

const UNARY = [
  ['neg', (x) => -x],
  ['abs', Math.abs],
  ['sign', Math.sign],
  ['exp', Math.exp],
  ['expm1', Math.expm1],
  ['log', Math.log],
  ['log1p', Math.log1p],
  ['sqrt', Math.sqrt],
  ['rsqrt', (x) => 1 / Math.sqrt(x)],
  ['square', (x) => x * x],
  ['reciprocal', (x) => 1 / x],
  ['sigmoid', (x) => 1 / (1 + Math.exp(-x))],
  ['tanh', Math.tanh],
  ['relu', (x) => Math.max(x, 0)],
  ['softplus', (x) => Math.log1p(Math.exp(x))],
  ['floor', Math.floor],
  ['ceil', Math.ceil],
  ['round', Math.round],
  ['sin', Math.sin],
  ['cos', Math.cos],
];

for (const [name, reference] of UNARY) {
  test(`${name} as a function and as a method`, async () => {
    await tf.ready();
    const positive = ['log', 'sqrt', 'rsqrt', 'log1p', 'reciprocal'].includes(name);
    const values = positive ? [0.2, 0.7, 1.3, 2.6, 4.4] : [-2.3, -0.4, 0.2, 1.3, 3.6];
    const wanted = values.map((v) => reference(Math.fround(v)));
    assert.close(tf[name](values).dataSync(), wanted, 2e-6 * 40);
    assert.close(tf.tensor(values)[name]().dataSync(), wanted, 2e-6 * 40);
  });
}

test('erf', async () => {
  await tf.ready();
  assert.close(tf.erf([0, 0.5, -1]).dataSync(), [0, 0.5204999, -0.8427008], 1e-5);
});

test('binary operations broadcast and take numbers', async () => {
  await tf.ready();
  const a = tf.tensor([[1, 2], [3, 4]]);
  assert.deepEqual(a.add([10, 20]).arraySync(), [[11, 22], [13, 24]]);
  assert.deepEqual(a.sub(1).arraySync(), [[0, 1], [2, 3]]);
  assert.deepEqual(tf.sub(1, a).arraySync(), [[0, -1], [-2, -3]]);
  assert.deepEqual(a.mul([[2], [3]]).arraySync(), [[2, 4], [9, 12]]);
  assert.deepEqual(a.div(2).arraySync(), [[0.5, 1], [1.5, 2]]);
  assert.deepEqual(a.pow(2).arraySync(), [[1, 4], [9, 16]]);
  assert.deepEqual(a.maximum(2).arraySync(), [[2, 2], [3, 4]]);
  assert.deepEqual(a.minimum(2).arraySync(), [[1, 2], [2, 2]]);
  assert.deepEqual(a.squaredDifference(2).arraySync(), [[1, 0], [1, 4]]);
  assert.deepEqual(tf.addN([a, a, a]).arraySync(), [[3, 6], [9, 12]]);
  assert.deepEqual(a.clipByValue(2, 3).arraySync(), [[2, 2], [3, 3]]);
});

test('types of results', async () => {
  await tf.ready();
  const i = tf.tensor([7, -7], [2], 'int32');
  assert.equal(i.add(i).dtype, 'int32');
  assert.deepEqual(i.div(tf.tensor([2, 2], [2], 'int32')).arraySync(), [3, -4]);
  assert.equal(i.add(0.5).dtype, 'float32');
  assert.deepEqual(i.relu().dataSync(), new Int32Array([7, 0]));
  assert.deepEqual(i.abs().dataSync(), new Int32Array([7, 7]));
  assert.equal(i.sqrt().dtype, 'float32');
  assert.equal(i.sum().dtype, 'int32');
  assert.equal(i.mean().dtype, 'float32');
  assert.equal(tf.tensor([true, true]).sum().arraySync(), 2);
  assert.deepEqual(tf.cast([1.7, -1.7], 'int32').arraySync(), [1, -1]);
  assert.equal(tf.tensor([2]).toBool().dtype, 'bool');
  assert.equal(tf.tensor([2]).toInt().toFloat().dtype, 'float32');
});

test('comparisons and logic', async () => {
  await tf.ready();
  const a = tf.tensor([1, 2, 3]);
  assert.deepEqual(a.equal(2).arraySync(), [0, 1, 0]);
  assert.deepEqual(a.notEqual(2).arraySync(), [1, 0, 1]);
  assert.deepEqual(a.less(2).arraySync(), [1, 0, 0]);
  assert.deepEqual(a.lessEqual(2).arraySync(), [1, 1, 0]);
  assert.deepEqual(a.greater(2).arraySync(), [0, 0, 1]);
  assert.deepEqual(a.greaterEqual(2).arraySync(), [0, 1, 1]);
  assert.equal(a.less(2).dtype, 'bool');
  const [p, q] = [tf.tensor([true, false]), tf.tensor([true, true])];
  assert.deepEqual(p.logicalAnd(q).arraySync(), [1, 0]);
  assert.deepEqual(p.logicalOr(q).arraySync(), [1, 1]);
  assert.deepEqual(p.logicalNot().arraySync(), [0, 1]);
  assert.deepEqual(p.where([1, 2], [3, 4]).arraySync(), [1, 4]);
});

test('reductions', async () => {
  await tf.ready();
  const a = tf.tensor([[1, 2, 3], [4, 5, 6]]);
  assert.equal(a.sum().arraySync(), 21);
  assert.deepEqual(a.sum(0).arraySync(), [5, 7, 9]);
  assert.deepEqual(a.sum(-1, true).arraySync(), [[6], [15]]);
  assert.deepEqual(a.sum([0, 1]).arraySync(), 21);
  assert.deepEqual(a.mean(1).arraySync(), [2, 5]);
  assert.deepEqual(a.prod(1).arraySync(), [6, 120]);
  assert.deepEqual(a.max(0).arraySync(), [4, 5, 6]);
  assert.equal(a.min().arraySync(), 1);
  assert.deepEqual(a.argMax(1).arraySync(), [2, 2]);
  assert.deepEqual(a.argMin().arraySync(), [0, 0, 0]);
  assert.equal(a.argMax(1).dtype, 'int32');
});

test('softmax', async () => {
  await tf.ready();
  const a = tf.tensor([[0, Math.log(3)], [1000, 1000]]);
  assert.close(a.softmax().dataSync(), [0.25, 0.75, 0.5, 0.5], 1e-6);
  assert.close(a.logSoftmax().dataSync(), [Math.log(0.25), Math.log(0.75), Math.log(0.5), Math.log(0.5)], 1e-6);
});

test('shapes', async () => {
  await tf.ready();
  const a = tf.range(0, 6).reshape([2, 3]);
  assert.deepEqual(a.transpose().arraySync(), [[0, 3], [1, 4], [2, 5]]);
  assert.deepEqual(tf.zeros([2, 3, 4]).transpose([2, 0, 1]).shape, [4, 2, 3]);
  assert.deepEqual(a.reshape([3, -1]).shape, [3, 2]);
  assert.deepEqual(a.flatten().shape, [6]);
  assert.deepEqual(a.expandDims(1).shape, [2, 1, 3]);
  assert.deepEqual(a.expandDims(-1).shape, [2, 3, 1]);
  assert.deepEqual(tf.zeros([1, 2, 1]).squeeze().shape, [2]);
  assert.deepEqual(tf.zeros([1, 2, 1]).squeeze([0]).shape, [2, 1]);
  assert.deepEqual(a.slice([0, 1], [2, 1]).arraySync(), [[1], [4]]);
  assert.deepEqual(a.slice(1).arraySync(), [[3, 4, 5]]);
  assert.deepEqual(a.slice([0, 1], [-1, 2]).arraySync(), [[1, 2], [4, 5]]);
  assert.deepEqual(tf.concat([a, a], 1).shape, [2, 6]);
  assert.deepEqual(a.concat(a).shape, [4, 3]);
  assert.deepEqual(tf.stack([a, a]).shape, [2, 2, 3]);
  assert.deepEqual(tf.split(a, [1, 2], 1).map((t) => t.arraySync()), [[[0], [3]], [[1, 2], [4, 5]]]);
  assert.deepEqual(tf.unstack(a).map((t) => t.arraySync()), [[0, 1, 2], [3, 4, 5]]);
  assert.deepEqual(tf.tensor([[1]]).pad([[1, 0], [0, 1]]).arraySync(), [[0, 0], [1, 0]]);
  assert.deepEqual(tf.tensor([[1]]).pad([[1, 0], [0, 1]], 5).arraySync(), [[5, 5], [1, 5]]);
  assert.deepEqual(a.gather([1, 0, 1]).arraySync(), [[3, 4, 5], [0, 1, 2], [3, 4, 5]]);
  assert.deepEqual(tf.tensor([1, 2]).broadcastTo([2, 2]).arraySync(), [[1, 2], [1, 2]]);
  assert.deepEqual(tf.oneHot([1, 0], 3).arraySync(), [[0, 1, 0], [1, 0, 0]]);
  assert.equal(tf.oneHot([1], 2).dtype, 'int32');
});

test('products, convolutions, pools', async () => {
  await tf.ready();
  const [a, b] = [tf.tensor([[1, 2], [3, 4]]), tf.tensor([[5, 6], [7, 8]])];
  assert.deepEqual(a.matMul(b).arraySync(), [[19, 22], [43, 50]]);
  assert.deepEqual(a.matMul(b, true, false).arraySync(), [[26, 30], [38, 44]]);
  assert.deepEqual(a.matMul(b, false, true).arraySync(), [[17, 23], [39, 53]]);
  assert.equal(tf.dot([1, 2], [3, 4]).arraySync(), 11);
  assert.deepEqual(tf.dot([[1, 2], [3, 4]], [1, 1]).arraySync(), [3, 7]);
  const image = tf.range(0, 9).reshape([1, 3, 3, 1]);
  const box = tf.ones([2, 2, 1, 1]);
  assert.deepEqual(tf.conv2d(image, box, 1, 'valid').flatten().arraySync(), [8, 12, 20, 24]);
  assert.deepEqual(tf.conv2d(image, box, 1, 'same').shape, [1, 3, 3, 1]);
  assert.deepEqual(tf.maxPool(image, 2, 1, 'valid').flatten().arraySync(), [4, 5, 7, 8]);
  assert.deepEqual(tf.avgPool(image, 2, 1, 'valid').flatten().arraySync(), [2, 3, 5, 6]);
});

test('matMul of a size that takes every path of the kernel', async () => {
  await tf.ready();
  const [m, k, n] = [37, 29, 43];
  const [x, y] = [tf.randomNormal([m, k], 0, 1, 'float32', 1), tf.randomNormal([k, n], 0, 1, 'float32', 2)];
  const [a, b, c] = [x.dataSync(), y.dataSync(), x.matMul(y).dataSync()];
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[i * k + p] * b[p * n + j];
      assert.close(c[i * n + j], sum, 1e-4);
    }
  }
});

test('text of tensors', async () => {
  await tf.ready();
  assert.equal(tf.tensor([[1, 2], [3, 4]]).toString(), 'Tensor\n    [[1, 2],\n     [3, 4]]');
  assert.equal(tf.tensor([0.1, -2]).toString(), 'Tensor\n    [0.1, -2]');
  assert.ok(tf.tensor([true]).toString(true).includes('dtype: bool'));
  assert.ok(tf.zeros([1000]).toString().length < 200);
});

test('errors have names and say what was expected', async () => {
  await tf.ready();
  assert.throws(() => tf.tensor([1, 2, 3], [2]), /^MisuseError: .*expected 2 elements.*got 3/);
  assert.throws(() => tf.tensor([[1, 2], [3]]), /^MisuseError: .*ragged/);
  assert.throws(() => tf.tensor(['a']), /^UnsupportedError/);
  assert.throws(() => tf.tensor2d([1, 2]), /^MisuseError: tensor2d: .*shape/);
  assert.throws(() => tf.tensor([1], [1], 'float16'), /^UnsupportedError: dtype float16/);
  assert.throws(() => tf.zeros([-1]), /^MisuseError: shape/);
  assert.throws(() => tf.add([1, 2], [1, 2, 3]), /^MisuseError: add: shapes \[2\] and \[3\]/);
  assert.throws(() => tf.matMul([[1, 2]], [[1, 2]]), /^MisuseError: matmul/);
  assert.throws(() => tf.sum([1], 3), /^MisuseError: .*axis 3/);
  assert.throws(() => tf.reshape([1, 2, 3], [2, -1]), /^MisuseError: reshape/);
  assert.throws(() => tf.slice([1, 2], [1], [5]), /^MisuseError: slice/);
  assert.throws(() => tf.gather([1, 2], [5]), /^MisuseError: gather/);
  assert.throws(() => tf.softmax([[1]], 0), /^UnsupportedError: softmax/);
  assert.throws(() => tf.fill([40000, 40000], 1), /^DeviceError: .*memory/);
  assert.throws(() => tf.fill([1 << 20, 1 << 20], 1), /^MisuseError: shape/);
  assert.equal(tf.scalar(2).add(2).arraySync(), 4, 'the core works on after errors');
});
