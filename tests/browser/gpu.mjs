// Runs train steps through the browser's WebGPU and on the core, from the same weights, and compares them, then whole
// runs of `fit` (fit.mjs); in headless Chromium, with SwiftShader as the GPU. Ends with the same lines `# pass N` and
// `# fail N` as Node's runner.
//
//   node tests/browser/gpu.mjs URL MODELS
//
// URL serves the repository's root, MODELS is the folder that `page_models` of the tests wrote.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { complaints, launch, WEBGPU } from './chromium.mjs';

const [base, models] = process.argv.slice(2);

/** In the page: the core, and functions that tests share, as `gradling`. */
const prepare = async () => {
  const glue = await import('/wasm/pkg/core/gradling_wasm.js');
  await glue.default({ module_or_path: new URL('/wasm/pkg/core/gradling_wasm_bg.wasm', location.href) });
  const core = new glue.Core();
  const { Gpu } = await import('/wasm/pkg/gpu.js');
  const gpu = await Gpu.open();

  /** Numbers between -1 and 1, the same on every run. */
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };

  /** The model of a name, compiled, the shape of one sample and how many classes it tells, 0 for a number. */
  const makers = {
    mlp: async () => {
      const model = core.model(1);
      model.dense(128, 'relu', true, 'glorot_uniform', 'zeros');
      model.dense(10, 'softmax', true, 'glorot_uniform', 'zeros');
      model.build(Uint32Array.of(784));
      model.compile('adam', Float32Array.of(0.001, 0.9, 0.999, 1e-7), 'sparse_categorical_crossentropy', false, '');
      return [model, [784], 10];
    },
    cnn: async () => [await file('cnn'), [28, 28, 1], 10],
    lstm: async () => [await file('lstm'), [12, 4], 0],
  };
  const file = async (name) => core.load_model(new Uint8Array(await (await fetch(`/models/${name}.gradling`)).arrayBuffer()));

  /** A batch as bytes for the GPU and as tensors for the core. */
  const batch = (size, sample, classes) => {
    const x = Float32Array.from({ length: size * sample.reduce((a, b) => a * b) }, random);
    const y = classes > 0 ? Int32Array.from({ length: size }, (_, n) => (n * 7 + 3) % classes) : Float32Array.from({ length: size }, random);
    const tensors = [
      core.f32(x, Uint32Array.of(size, ...sample)),
      classes > 0 ? core.i32(y, Uint32Array.of(size)) : core.f32(y, Uint32Array.of(size, 1)),
    ];
    return { x: new Uint8Array(x.buffer), y: new Uint8Array(y.buffer), tensors };
  };

  /** The largest difference of words, relative to numbers above 1; infinite where integers differ. */
  const difference = (a, b) => {
    const words = (bytes, Type) => new Type(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    const [x, y, m, n] = [words(a, Float32Array), words(b, Float32Array), words(a, Uint32Array), words(b, Uint32Array)];
    return y.reduce((most, value, i) => {
      if (m[i] === n[i]) return most;
      const apart = Math.abs(x[i] - value) / Math.max(1, Math.abs(value));
      // Counters look like numbers too small to be normal, and so would any garbage.
      return Number.isNaN(apart) || (n[i] !== 0 && Math.abs(value) < 2 ** -126) ? Infinity : Math.max(most, apart);
    }, 0);
  };
  globalThis.gradling = { core, gpu, makers, batch, difference };
  return gpu.name;
};

/** In the page: 20 train steps of a model on both; gives the largest differences. */
const train = async ({ name, size }) => {
  const { gpu, makers, batch, difference } = globalThis.gradling;
  const [model, sample, classes] = await makers[name]();
  const sessions = gpu.sessions();
  const start = performance.now();
  const session = await sessions.prepare(model.gpu_plan(size));
  const prepared = performance.now() - start;
  const before = model.variables();
  sessions.writeVariables(0, before);
  let [loss, last, sum] = [0, 0, 0];
  for (let step = 0; step < 20; step++) {
    const { x, y, tensors } = batch(size, sample, classes);
    sessions.writeInput(session, 0, x);
    sessions.writeInput(session, 1, y);
    sessions.run(session);
    [last] = model.train_on_batch(...tensors);
    sum += size * last;
    const [value] = await sessions.readOutputs(session);
    loss = Math.max(loss, Math.abs(new Float32Array(value.bytes.buffer)[0] - last));
  }
  const got = await sessions.readVariables();
  const wanted = model.variables();
  const moved = difference(wanted, before);
  // The core takes single batches out of the sums over an epoch: samples, loss.
  const numbers = new Float32Array(wanted.buffer);
  const totals = new Float32Array(got.buffer).findIndex((value, n) => value === 20 * size && numbers[n] === 0);
  numbers.set([20 * size, sum], totals);
  sessions.dispose();
  return { loss, last, variables: difference(got, wanted.subarray(0, got.length)), words: got.length / 4, moved, prepared };
};

/** In the page: what goes wrong says so. */
const refuse = async () => {
  const { gpu, makers, batch } = globalThis.gradling;
  const name = async (body) => {
    try {
      await body();
      return 'nothing';
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  };
  const [model, sample, classes] = await makers.mlp();
  const plan = model.gpu_plan(2);
  const sessions = gpu.sessions();
  const session = await sessions.prepare(plan);
  const { x, y, tensors } = batch(2, sample, classes);
  const before = {
    damaged: await name(() => sessions.prepare(plan.map((byte, n) => (n === 100 ? byte ^ 1 : byte)))),
    shorter: await name(() => sessions.writeInput(session, 0, x.subarray(4))),
    unknown: await name(() => sessions.run(9)),
    healthy: await name(() => sessions.readVariables()),
  };
  // An input in memory that threads share, two reads at once, and variables that grow while a plan holds them.
  const shared = new Uint8Array(new SharedArrayBuffer(x.length));
  shared.set(x);
  sessions.writeInput(session, 0, shared);
  sessions.writeInput(session, 1, y);
  sessions.writeVariables(0, model.variables());
  sessions.writeVariables(model.variables().length + 4096, new Uint8Array(8).fill(7));
  sessions.run(session);
  const [[loss], variables] = await Promise.all([sessions.readOutputs(session), sessions.readVariables()]);
  const wanted = model.train_on_batch(...tensors)[0];
  const kept = Math.abs(new Float32Array(loss.bytes.buffer)[0] - wanted) < 1e-3 && variables.at(-1) === 7;
  // An adapter that gives zeros.
  const { check } = await import('/wasm/pkg/sample.js');
  const zeros = async () => [{ name: 'exp', bytes: new Uint8Array(37 * 53 * 4) }];
  const nothing = { prepareSample: async () => 0, writeInput() {}, run() {}, readOutputs: zeros, dispose() {} };
  const wrong = await name(() => check({ name: 'zeros', sessions: () => nothing }));
  // Plans that are asked about, not waited for.
  const other = gpu.sessions();
  const [good, bad] = [other.begin(plan), name(() => other.begin(plan.subarray(1)))];
  const early = [other.isReady(good), await name(() => other.run(good)), await bad];
  while (!other.isReady(good)) await new Promise((resolve) => setTimeout(resolve, 1));
  other.forget();
  const begun = [...early, await name(() => other.run(good))].join('; ');
  const shader = await name(() => gpu.pipeline('exp', 'fn main() { no }'));
  const whole = await name(() => gpu.settled());
  gpu.device.destroy();
  sessions.run(session);
  const lost = await name(() => sessions.readVariables());
  const why = await gpu.lost;
  return { ...before, kept: String(kept), wrong, begun, shader, whole, lost, why: typeof why, after: await name(() => sessions.prepare(plan)) };
};

/** In the page: trains without a word of WebGPU. */
const plain = async () => {
  const tf = await import('/wasm/pkg/index.js');
  await tf.ready();
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  await model.fit(tf.ones([4, 2]), tf.ones([4, 1]));
};

const browser = await launch(WEBGPU);
let passed = 0;
let failed = 0;

function report(name, error) {
  console.log(`${error === undefined ? 'ok' : 'not ok'} - ${name}`);
  if (error === undefined) passed += 1;
  else {
    failed += 1;
    console.log(error.replace(/^/gm, '    '));
  }
}

/** Opens an empty page and calls `body` with it. */
async function inside(place, body) {
  const page = await browser.newPage();
  const wrong = complaints(page);
  await page.route('**/models/*', (route) => {
    const name = new URL(route.request().url()).pathname.split('/').at(-1);
    return route.fulfill({ body: readFileSync(join(models, name)) });
  });
  try {
    await page.goto(new URL('tests/browser/package.html', base).href);
    await body(page);
  } catch (error) {
    report(place, error.stack);
  } finally {
    for (const error of wrong) report(place, error);
    await page.close();
  }
}

try {
  await inside('a page without a GPU', async (page) => {
    const asked = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await page.evaluate(plain);
    const more = asked.filter((path) => /gpu|sample/.test(path));
    report('a page that asks for no GPU loads nothing for it', more.length > 0 ? more.join('\n') : undefined);
  });
  await inside('WebGPU', async (page) => {
    console.log(`adapter: ${await page.evaluate(prepare)}`);
    for (const [name, size] of [['mlp', 32], ['mlp', 5], ['cnn', 32], ['lstm', 32]]) {
      const got = await page.evaluate(train, { name, size });
      console.log(`${name}, batches of ${size}: ${JSON.stringify(got)}`);
      const close = got.loss <= 1e-3 && got.variables <= 1e-3 && got.moved > 1e-3;
      report(`${name}: 20 train steps on batches of ${size} as on the processor`, close ? undefined : JSON.stringify(got));
    }
    const got = await page.evaluate(refuse);
    const wanted = {
      damaged: /^FormatError: plan file/,
      shorter: /^MisuseError: webgpu: input x: expected/,
      unknown: /^MisuseError: webgpu: session 9 is not ready/,
      healthy: /^nothing$/,
      kept: /^true$/,
      wrong: /^UnsupportedError: webgpu: zeros computes wrong values: exp gives 0 where/,
      begun: /^false; MisuseError: webgpu: session 0 is not ready.*; FormatError: .*; MisuseError: webgpu: the plan was let go of/,
      shader: /^UnsupportedError: webgpu: the shader of exp is refused: /,
      whole: /^nothing$/,
      lost: /^DeviceError: webgpu: /,
      why: /^string$/,
      after: /^DeviceError: webgpu: the device was lost/,
    };
    for (const [name, pattern] of Object.entries(wanted)) report(`what goes wrong: ${name}`, pattern.test(got[name]) ? undefined : got[name]);
  });
  /** Calls a function of fit.mjs, with values. */
  const fits = async (page, what, name, ...values) => {
    const call = async ([called, given]) => (await import('/tests/browser/fit.mjs'))[called](...given);
    report(what, (await page.evaluate(call, [name, values])).join('\n') || undefined);
  };
  await inside('fit', async (page) => {
    page.on('console', (message) => message.type() === 'log' && console.log(message.text()));
    for (const name of ['mlp', 'lenet', 'cifar', 'lstm']) await fits(page, `fit: ${name} as on the processor`, 'same', name);
    await fits(page, 'fit: callbacks hear what they hear on the processor', 'heard');
    await fits(page, 'fit: learning rates', 'rates');
    for (const way of ['lose', 'destroy']) await fits(page, `fit: a GPU that is lost (${way})`, 'lost', way);
    await fits(page, 'fit: from one device to the other', 'switched');
    await fits(page, 'fit: whichever is faster', 'automatic');
    await fits(page, 'fit: memory', 'steady');
  });
  await inside('no WebGPU', (page) => fits(page, 'fit: a browser without WebGPU', 'without'));
} finally {
  await browser.close();
}
console.log(`# pass ${passed}\n# fail ${failed}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
