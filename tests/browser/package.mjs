// Runs tests/js/*.test.mjs in headless Chromium, in a page and in a module worker, then a train run on each build of the
// core, and ends with the same lines `# pass N` and `# fail N` as Node's runner. Files named *.node.test.mjs are Node's
// alone.
//
//   node tests/browser/package.mjs URL      (URL serves the repository's root)

import { readdirSync } from 'node:fs';

import { complaints, launch } from './chromium.mjs';

const base = process.argv[2];
// All files share one page: what a package says that has not loaded its core yet can only be asked first.
const FIRST = 'load.test.mjs';
const files = readdirSync(new URL('../js/', import.meta.url))
  .filter((name) => name.endsWith('.test.mjs') && !name.endsWith('.node.test.mjs'))
  .sort((a, b) => Number(b === FIRST) - Number(a === FIRST) || a.localeCompare(b))
  .map((name) => `/tests/js/${name}`);

const inPage = async ({ files: urls, threads, variant }) => {
  const tf = await import('/wasm/pkg/index.js');
  if (threads !== undefined) tf.setThreadsCount(threads);
  if (variant !== undefined) tf.setWasmVariant(variant);
  const { run } = await import('/tests/js/harness.mjs');
  return run(urls);
};

const inWorker = ({ files: urls }) =>
  new Promise((resolve, reject) => {
    const worker = new Worker('/tests/browser/worker.mjs', { type: 'module' });
    worker.onerror = (event) => reject(new Error(`worker: ${event.message ?? 'cannot be loaded'}`));
    worker.onmessage = ({ data }) => {
      if (data === 'ready') return worker.postMessage(urls);
      worker.terminate();
      return resolve(data);
    };
  });

const browser = await launch();
let passed = 0;
let failed = 0;

function report(place, name, error) {
  console.log(`${error === undefined ? 'ok' : 'not ok'} - ${place}: ${name}`);
  if (error === undefined) passed += 1;
  else {
    failed += 1;
    console.log(error.replace(/^/gm, '    '));
  }
}

/** Opens an empty page, without isolation where that is asked for, and gives what `body` gives in it. */
async function inside(place, isolated, body, argument) {
  const page = await browser.newPage();
  const wrong = complaints(page);
  if (!isolated) {
    await page.route('**/*', async (route) => {
      const response = await route.fetch();
      const headers = response.headers();
      delete headers['cross-origin-opener-policy'];
      delete headers['cross-origin-embedder-policy'];
      await route.fulfill({ response, headers });
    });
  }
  try {
    await page.goto(new URL('tests/browser/package.html', base).href);
    if ((await page.evaluate(() => globalThis.crossOriginIsolated)) !== isolated) {
      report(place, 'isolation', `the page is ${isolated ? 'not ' : ''}cross-origin isolated`);
    }
    return await page.evaluate(body, argument);
  } catch (error) {
    report(place, 'all', error.message);
    return undefined;
  } finally {
    for (const error of wrong) report(place, 'page', error);
    await page.close();
  }
}

/** Trains LeNet on a core that is chosen and gives what runs, the bits of the weights, and a profile. */
const lenet = async ({ variant, threads }) => {
  const tf = await import('/wasm/pkg/index.js');
  if (variant !== undefined) tf.setWasmVariant(variant);
  if (threads !== undefined) tf.setThreadsCount(threads);
  await tf.ready();
  const model = tf.sequential({
    seed: 7,
    layers: [
      tf.layers.conv2d({ filters: 6, kernelSize: 5, padding: 'same', activation: 'relu', inputShape: [28, 28, 1] }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d({ filters: 16, kernelSize: 5, activation: 'relu' }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 120, activation: 'relu' }),
      tf.layers.dense({ units: 84, activation: 'relu' }),
      tf.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
  const x = tf.randomNormal([512, 28, 28, 1], 0, 1, 'float32', 3);
  const y = tf.tensor1d(Int32Array.from({ length: 512 }, (_, i) => i % 10));
  const { history } = await model.fit(x, y, { epochs: 2, batchSize: 128 });
  // A product that is split over rows and one over columns.
  const [a, b] = [tf.randomNormal([700, 300], 0, 1, 'float32', 4), tf.randomNormal([300, 900], 0, 1, 'float32', 5)];
  const all = [...model.getWeights(), a.matMul(b), b.transpose().matMul(a.transpose()), model.predict(x)];
  const sums = all.map((tensor) => {
    const bits = new Uint32Array(tensor.dataSync().buffer);
    return bits.reduce((hash, word) => Math.imul(hash ^ word, 16777619) >>> 0, 2166136261);
  });
  return { variant: tf.getWasmVariant(), threads: tf.getThreadsCount(), loss: history.loss, bits: sums.join() };
};

try {
  const suites = [
    ['page', inPage, {}],
    ['worker', inWorker, {}],
    ['page, one thread', inPage, { threads: 1 }],
    ['page, simd128', inPage, { variant: 'simd128', files: files.filter((name) => name.includes('mlp')) }],
  ];
  for (const [place, body, options] of suites) {
    const results = (await inside(place, true, body, { files, ...options })) ?? [];
    for (const { name, error } of results) report(place, name, error);
  }
  const runs = [
    ['relaxed-simd, 2 threads', true, { variant: 'relaxed-simd', threads: 2 }, 'relaxed-simd 2'],
    ['relaxed-simd, 3 threads', true, { threads: 3 }, 'relaxed-simd 3'],
    ['relaxed-simd, 1 thread', true, { threads: 1 }, 'relaxed-simd 1'],
    ['not isolated', false, {}, 'relaxed-simd 1'],
    ['simd128', true, { variant: 'simd128', threads: 2 }, 'simd128 1'],
  ];
  let first;
  for (const [place, isolated, options, wanted] of runs) {
    const got = await inside(place, isolated, lenet, options);
    if (got === undefined) continue;
    const runsOn = `${got.variant} ${got.threads}`;
    report(place, 'the build that was asked for', runsOn === wanted ? undefined : `expected ${wanted}, got ${runsOn}`);
    report(place, 'training lowers the loss', got.loss[1] < got.loss[0] ? undefined : `losses ${got.loss}`);
    first ??= got;
    if (got.variant === first.variant) {
      report(place, 'the bits of other numbers of threads', got.bits === first.bits ? undefined : `${first.bits}\n${got.bits}`);
    }
  }
} finally {
  await browser.close();
}
console.log(`# pass ${passed}\n# fail ${failed}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
