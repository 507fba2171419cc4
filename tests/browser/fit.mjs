// In the page: `fit` on WebGPU beside `fit` on the core, through the package's names alone. gpu.mjs calls these; each
// gives what it found, empty where all is well.

import * as tf from '/wasm/pkg/index.js';

/** Buffers that were made and not destroyed, and what is done before each submission. */
let alive = 0;
let before = () => {};
const { createBuffer } = GPUDevice.prototype;
const { destroy } = GPUBuffer.prototype;
const { submit } = GPUQueue.prototype;
const gone = new WeakSet();
GPUDevice.prototype.createBuffer = function (...values) {
  alive += 1;
  return createBuffer.apply(this, values);
};
GPUBuffer.prototype.destroy = function () {
  if (!gone.has(this)) alive -= 1;
  gone.add(this);
  destroy.call(this);
};
GPUQueue.prototype.submit = function (...values) {
  before();
  submit.apply(this, values);
};

/** What the console was told. */
const warnings = [];
console.warn = (text) => warnings.push(String(text));

/** Numbers between -1 and 1, the same on every run. */
function numbers(count) {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const file = async (name) => tf.loadModelBytes(new Uint8Array(await (await fetch(`/models/${name}.gradling`)).arrayBuffer()));

const { conv2d, dense, flatten, maxPooling2d, dropout } = tf.layers;

/** Each with the shape of a sample and how many classes it tells, 0 for a number. */
const MODELS = {
  mlp: [() => tf.sequential({ seed: 2, layers: [dense({ units: 32, activation: 'relu', inputShape: [20] }), dropout({ rate: 0.2 }), dense({ units: 4, activation: 'softmax' })] }), [20], 4],
  lenet: [
    () =>
      tf.sequential({
        seed: 3,
        layers: [
          conv2d({ filters: 6, kernelSize: 5, padding: 'same', activation: 'relu', inputShape: [28, 28, 1] }),
          maxPooling2d({ poolSize: 2 }),
          conv2d({ filters: 16, kernelSize: 5, activation: 'relu' }),
          maxPooling2d({ poolSize: 2 }),
          flatten(),
          dense({ units: 84, activation: 'relu' }),
          dense({ units: 10, activation: 'softmax' }),
        ],
      }),
    [28, 28, 1],
    10,
  ],
  cifar: [() => file('cifar'), [32, 32, 3], 10],
  lstm: [() => file('lstm'), [12, 4], 0],
};

/** Trains a model of a name; gives it with its history. */
async function trained(name, backend, { samples = 100, device, ...args } = {}) {
  if (!(await tf.setBackend(backend))) throw new Error(`no ${backend}: ${warnings.join()}`);
  const [make, sample, classes] = MODELS[name];
  const model = await make();
  const loss = classes > 0 ? 'sparseCategoricalCrossentropy' : 'meanSquaredError';
  // Before a batch normalization the gradient of a bias is nothing but rounding, which Adam makes steps of full length.
  const optimizer = name === 'cifar' ? tf.train.momentum(0.02, 0.9) : tf.train.adam(0.002);
  model.compile({ optimizer, loss, metrics: classes > 0 ? ['accuracy'] : ['mae'], device });
  const x = tf.tensor(numbers(samples * sample.reduce((a, b) => a * b)), [samples, ...sample]);
  const y = classes > 0 ? tf.tensor(Int32Array.from({ length: samples }, (_, n) => (n * 7 + 3) % classes), [samples]) : tf.tensor(numbers(samples), [samples, 1]);
  const { callbacks = {}, ...rest } = args;
  const own = typeof callbacks === 'function' ? callbacks(model, x, y) : callbacks;
  const { history } = await model.fit(x, y, { epochs: 3, batchSize: 32, callbacks: own, ...rest });
  return { model, history, x, y };
}

/** Where two lists of numbers are further apart than they may be. */
function apart(what, got, wanted) {
  if (got.length !== wanted.length) return [`${what}: ${got.length} values instead of ${wanted.length}`];
  const wrong = wanted.findIndex((w, n) => !(Math.abs(got[n] - w) <= 1e-3 * Math.max(Math.abs(w), 1e-2)));
  return wrong < 0 ? [] : [`${what}: ${got[wrong]} instead of ${wanted[wrong]} at ${wrong}`];
}

/** What differs in the histories and weights of two runs. */
function differences(got, wanted) {
  const names = Object.keys(wanted.history);
  const found = names.flatMap((name) => apart(name, got.history[name] ?? [], wanted.history[name]));
  const [a, b] = [got, wanted].map(({ model }) => model.getWeights().map((w) => w.dataSync()));
  b.forEach((values, n) => {
    const most = values.reduce((m, v) => Math.max(m, Math.abs(v)), 0.1);
    const wrong = values.reduce((m, v, i) => Math.max(m, Math.abs(a[n][i] - v)), 0);
    if (!(wrong <= 1e-3 * most)) found.push(`weights ${n}: apart by ${wrong}, the largest is ${most}`);
  });
  return found;
}

/** The same run on both: three epochs with a last batch that is smaller, and validation. */
export async function same(name) {
  const args = { validationSplit: 0.3 };
  const wanted = await trained(name, 'cpu', args);
  const got = await trained(name, 'webgpu', args);
  const found = differences(got, wanted);
  if (got.model.computesOn !== 'webgpu' || tf.getBackend() !== 'webgpu') found.push(`computed on ${got.model.computesOn}`);
  if (!('val_loss' in got.history)) found.push('no validation');
  // What is synchronous has the newest weights.
  const [a, b] = [got, wanted].map(({ model, x, y }) => [...model.predict(x).dataSync(), ...model.evaluate(x, y).map((t) => t.dataSync()[0])]);
  found.push(...apart('predict and evaluate', a, b));
  got.model.dispose();
  return found;
}

/** The logs of every batch, weights in callbacks, a learning rate that changes, training that is stopped in an epoch. */
export async function heard() {
  const run = async (backend) => {
    const [batches, sums] = [[], []];
    const callbacks = (model, x) => ({
      onBatchEnd(batch, logs) {
        batches.push(logs.size, logs.loss, logs.acc);
        if (batch === 1) sums.push(model.getWeights()[0].sum().dataSync()[0], model.predict(x).sum().dataSync()[0]);
        if (batches.length > 24) model.stopTraining = true;
      },
      onEpochEnd() {
        model.optimizer.setLearningRate?.(1e-3);
        model.optimizer.learningRate = 1e-3;
      },
    });
    return { ...(await trained('mlp', backend, { callbacks, yieldEvery: 'batch' })), batches, sums };
  };
  const [wanted, got] = [await run('cpu'), await run('webgpu')];
  const found = [...differences(got, wanted), ...apart('batches', got.batches, wanted.batches), ...apart('sums', got.sums, wanted.sums)];
  if (wanted.batches.length !== 27) found.push(`${wanted.batches.length} logs`);
  // A step outside of a run, and another run after it.
  const step = async ({ model, x, y }) => [...(await model.trainOnBatch(x, y)), ...(await model.fit(x, y)).history.loss];
  return [...found, ...apart('after', await step(got), await step(wanted)), ...differences(got, wanted)];
}

/** Rates that change while steps are queued. */
export async function rates() {
  const run = (backend) =>
    trained('mlp', backend, { samples: 700, callbacks: (model) => ({ onYield: () => (model.optimizer.learningRate = 5e-4), onEpochBegin: (epoch) => (model.optimizer.learningRate = 1e-3 / (epoch + 1)) }), yieldEvery: 'epoch' });
  const [wanted, got] = [await run('cpu'), await run('webgpu')];
  return differences(got, wanted);
}

/** The GPU is lost in the middle of an epoch, in one way or another. */
export async function lost(way) {
  const wanted = await trained('mlp', 'cpu', { samples: 300 });
  await tf.setBackend('webgpu');
  const { openGpu } = await import('/wasm/pkg/backend.js');
  const gpu = await openGpu('webgpu');
  let submissions = 0;
  before = () => {
    submissions += 1;
    if (submissions !== 15) return;
    if (way === 'lose') gpu.lose();
    else gpu.device.destroy();
  };
  warnings.length = 0;
  const got = await trained('mlp', 'webgpu', { samples: 300 });
  before = () => {};
  const found = differences(got, wanted);
  if (!/training goes on on the cpu/.test(warnings.join())) found.push(`warnings: ${warnings.join()}`);
  if (warnings.length !== 1) found.push(`${warnings.length} warnings`);
  if (submissions < 15) found.push(`${submissions} submissions`);
  await gpu.lost;
  if (tf.getBackend() !== 'cpu' || got.model.computesOn !== 'cpu') found.push(`after it on ${tf.getBackend()}`);
  // Another one is opened.
  const again = await trained('mlp', 'webgpu', { samples: 300 });
  if (again.model.computesOn !== 'webgpu') found.push('no other GPU');
  return [...found, ...differences(again, wanted)];
}

/** From one to the other and back, for all models and for one. */
export async function switched() {
  const found = [];
  const { model, x, y } = await trained('mlp', 'webgpu');
  const held = alive;
  await tf.setBackend('cpu');
  if (tf.getBackend() !== 'cpu') found.push(`backend ${tf.getBackend()}`);
  await model.fit(x, y);
  if (model.computesOn !== 'cpu') found.push(`computes on ${model.computesOn}`);
  if (alive >= held) found.push(`${alive} buffers of ${held}`);
  const here = await trained('mlp', 'webgpu', { device: 'cpu' });
  const there = await trained('mlp', 'cpu', { device: 'webgpu' });
  if (here.model.computesOn !== 'cpu' || there.model.computesOn !== 'webgpu') found.push(`compiled for cpu: ${here.model.computesOn}, for webgpu: ${there.model.computesOn}`);
  try {
    there.model.compile({ optimizer: 'adam', loss: 'meanSquaredError', device: 'quantum' });
    found.push('quantum');
  } catch (error) {
    if (error.name !== 'MisuseError') found.push(error.message);
  }
  for (const run of [here, there]) run.model.dispose();
  return found;
}

/** The faster of both, which one depends on the machine. */
export async function automatic() {
  const args = { samples: 3000 };
  const wanted = await trained('mlp', 'cpu', args);
  const got = await trained('mlp', 'auto', args);
  console.log(`the faster: ${got.model.computesOn}`);
  return [...differences(got, wanted), ...(tf.getBackend() === 'auto' ? [] : [tf.getBackend()])];
}

/** Memory does not grow. */
export async function steady() {
  const counts = [];
  const { model } = await trained('mlp', 'webgpu', { epochs: 20, validationSplit: 0.2, callbacks: { onEpochEnd: () => void counts.push(alive) } });
  const found = counts[1] === counts[19] ? [] : [`buffers after each epoch: ${counts.join(' ')}`];
  model.dispose();
  const left = alive;
  (await trained('mlp', 'webgpu', { epochs: 2 })).model.dispose();
  return alive === left ? found : [...found, `${alive} buffers of ${left} after another model`];
}

/** A page without WebGPU stays on the processor and says so. */
export async function without() {
  Object.defineProperty(navigator, 'gpu', { value: undefined });
  const found = [];
  for (const name of ['webgpu', 'auto']) {
    if ((await tf.setBackend(name)) !== false || tf.getBackend() !== 'cpu') found.push(`${name}: ${tf.getBackend()}`);
  }
  if (warnings.length !== 2 || !warnings.every((text) => /there is no WebGPU here/.test(text))) found.push(warnings.join('\n'));
  const { model } = await trained('mlp', 'cpu', { device: 'webgpu' });
  return model.computesOn === 'cpu' ? found : [...found, model.computesOn];
}
