// Trains the models of quality.json with the npm package in headless Chromium, as `quality` of the tests does
// natively, and prints a line a run: {"item":"mnist_mlp","seed":1,"accuracy":0.9766}.
//
//   node tests/browser/quality.mjs URL DATA IRIS
//
// URL serves the repository's root, DATA is the folder with the MNIST files, IRIS the file that `quality` wrote.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { complaints, launch } from './chromium.mjs';

const [base, data, iris] = process.argv.slice(2);
const FILES = ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'];

/** In the page: trains one model and gives the share of test samples it tells. */
const train = async ({ item, seed }) => {
  const tf = await import('/wasm/pkg/index.js');
  await tf.ready();
  const { layers } = tf;
  const accuracy = async (model, [x, y], [testX, testY], fit) => {
    await model.fit(x, y, fit);
    const [, result] = model.evaluate(testX, testY, { batchSize: 500 });
    return (await result.data())[0];
  };

  if (item === 'iris_softmax') {
    const parts = await (await fetch('/data/iris')).json();
    const part = ({ x, y }) => [
      tf.tensor2d(x, [y.length, 4]),
      tf.tensor2d(y.flatMap((label) => [0, 1, 2].map((n) => Number(n === label))), [y.length, 3]),
    ];
    const model = tf.sequential({ seed, layers: [layers.dense({ units: 3, activation: 'softmax', inputShape: [4] })] });
    const small = (shape) => tf.truncatedNormal(shape, 0, 0.1, 'float32', seed);
    model.layers[0].setWeights([small([4, 3]), small([3])]);
    model.compile({ optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError', metrics: ['accuracy'] });
    return accuracy(model, part(parts.train), part(parts.test), { batchSize: 32, epochs: 500, shuffle: false });
  }

  const read = async (name) => new Uint8Array(await (await fetch(`/data/${name}`)).arrayBuffer());
  const pictures = async (name, shape) => {
    const pixels = Float32Array.from((await read(name)).subarray(16), (byte) => byte / 255);
    return tf.tensor(pixels, [pixels.length / 784, ...shape]);
  };
  const labels = async (name) => {
    const values = Int32Array.from((await read(name)).subarray(8));
    return tf.tensor1d(values, 'int32');
  };
  const lenet = item === 'mnist_lenet5';
  const shape = lenet ? [28, 28, 1] : [28, 28];
  const own = { kernelInitializer: 'glorotUniform' };
  const relu = { ...own, activation: 'relu' };
  const model = tf.sequential({
    seed,
    layers: lenet
      ? [
          layers.conv2d({ ...relu, filters: 6, kernelSize: 5, inputShape: shape }),
          layers.maxPooling2d({ poolSize: 2 }),
          layers.conv2d({ ...relu, filters: 16, kernelSize: 5 }),
          layers.maxPooling2d({ poolSize: 2 }),
          layers.flatten(),
          layers.dense({ ...relu, units: 120 }),
          layers.dense({ ...relu, units: 84 }),
          layers.dense({ ...own, units: 10, activation: 'softmax' }),
        ]
      : [
          layers.flatten({ inputShape: shape }),
          layers.dense({ ...relu, units: 128 }),
          layers.dense({ ...own, units: 10, activation: 'softmax' }),
        ],
  });
  model.compile({ optimizer: tf.train.adam(), loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  const [x, y, testX, testY] = [
    await pictures('train-images-idx3', shape),
    await labels('train-labels-idx1'),
    await pictures('t10k-images-idx3', shape),
    await labels('t10k-labels-idx1'),
  ];
  return accuracy(model, [x, y], [testX, testY], { batchSize: 32, epochs: lenet ? 2 : 5 });
};

const RUNS = [
  ...[1, 2, 3].map((seed) => ({ item: 'iris_softmax', seed })),
  ...[1, 2, 3].map((seed) => ({ item: 'mnist_mlp', seed })),
  { item: 'mnist_lenet5', seed: 1 },
];

const browser = await launch();
try {
  for (const run of RUNS) {
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    const wrong = complaints(page);
    await page.route('**/data/*', (route) => {
      const name = route.request().url().split('/').at(-1);
      const body = FILES.includes(name) ? gunzipSync(readFileSync(join(data, `${name}-ubyte.gz`))) : readFileSync(iris);
      return route.fulfill({ body });
    });
    await page.goto(new URL('tests/browser/package.html', base).href);
    const accuracy = await page.evaluate(train, run);
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
    console.log(JSON.stringify({ ...run, accuracy }));
    await page.close();
  }
} catch (error) {
  console.error(`quality: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
