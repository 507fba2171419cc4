// The peers in the page. Each loader returns systems: with `tf`, TensorFlow.js's names, they run `workloads.mjs`; the
// others make jobs ready by `prepare`. `works` names the workloads that a system has, all where it is absent.

import { prepare as prepareJax } from '/jax.mjs';
import { batches, inferenceInput, sample, uniform } from '/workloads.mjs';

/** Trained numbers of the models that peers write by themselves. */
const PARAMETERS = { T1: 101770, T2: 61706, T3: 198494 };

/** The names that `--peers=` takes, in the order of the report. */
const LOADERS = { tfjs, 'onnxruntime-web': ort, 'onnxruntime-web-training': ortTraining, 'jax-js': jax };

/** Loads the peers named; `versions` are of their packages, `threads` the counts of threads measured. */
export async function load(names, options) {
  const systems = [];
  for (const name of names) systems.push(...(await LOADERS[name](options)));
  return systems;
}

function script(src) {
  return new Promise((resolve, reject) => {
    const element = document.createElement('script');
    element.src = src;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${src} did not load`));
    document.head.append(element);
  });
}

function verified(job, parameters) {
  if (parameters !== PARAMETERS[job.work]) {
    throw new Error(`has ${parameters} parameters instead of ${PARAMETERS[job.work]}`);
  }
}

async function tfjs({ webgpu }) {
  await script('/tfjs/tf.min.js');
  await script('/tfjs/tf-backend-wasm.min.js');
  const { tf } = globalThis;
  tf.wasm.setWasmPaths('/tfjs/');
  const backend = (name) => async () => {
    await tf.setBackend(name);
    await tf.ready();
  };
  await backend('wasm')();
  const name = tf.version.tfjs;
  if (webgpu) {
    await script('/tfjs/tf-backend-webgpu.min.js');
    return [{ name: `tfjs webgpu ${name}`, tf, enter: backend('webgpu'), fits: true, works: ['T1', 'T2', 'T3'] }];
  }
  return [
    { name: `tfjs wasm ${name}`, tf, enter: backend('wasm') },
    // Where the wasm backend lacks a kernel; without a graphics card in software.
    { name: `tfjs webgl ${name}`, tf, enter: backend('webgl'), works: ['T2', 'T3'] },
  ];
}

/** onnxruntime-web runs the models that `export_onnx.py` writes. */
async function ort() {
  const ort = await import('/ort/ort.wasm.min.mjs');
  ort.env.wasm.wasmPaths = '/ort/';
  ort.env.wasm.numThreads = 1;
  const prepare = async (job) => {
    const name = { MLP: 'mlp', LeNet: 'lenet', 'ResNet-18': 'resnet18', MobileNetV2: 'mobilenetv2' }[job.net];
    const session = await ort.InferenceSession.create(`/models/${name}.onnx`, { executionProviders: ['wasm'] });
    const shape = sample(job);
    const dims = shape.length === 3 ? [1, shape[2], shape[0], shape[1]] : [1, ...shape];
    const x = new ort.Tensor('float32', inferenceInput(job), dims);
    return {
      async run(iterations) {
        let y;
        for (let i = 0; i < iterations; i++) ({ y } = await session.run({ x }));
        if (!Number.isFinite(y.data[0])) throw new Error(`the result is ${y.data[0]}`);
      },
      dispose: () => session.release(),
    };
  };
  return [{ name: `onnxruntime-web ${ort.env.versions.web}`, works: ['I1'], prepare }];
}

/** The last onnxruntime-web that trains, from the graphs that `export_training.py` writes. */
async function ortTraining({ versions }) {
  const ort = await import('/ort-training/ort.training.wasm.min.mjs');
  ort.env.wasm.wasmPaths = '/ort-training/';
  ort.env.wasm.numThreads = 1;
  const prepare = async (job) => {
    const file = (name) => `/models/${job.work}-${name}`;
    const there = await fetch(file('optimizer_model.onnx'), { method: 'HEAD' });
    if (!there.ok) throw new Error('export_training.py did not write its graphs');
    const session = await ort.TrainingSession.create(
      {
        checkpointState: file('checkpoint'),
        trainModel: file('training_model.onnx'),
        optimizerModel: file('optimizer_model.onnx'),
      },
      { executionProviders: ['wasm'] },
    );
    verified(job, await session.getParametersSize(true));
    const [height, width, channels] = sample(job);
    const dims = width === undefined ? [job.batch, height] : [job.batch, channels, height, width];
    const feeds = batches(job).map(({ x, y }) => ({
      x: new ort.Tensor('float32', x, dims),
      labels: new ort.Tensor('int64', BigInt64Array.from(y, BigInt), [job.batch]),
    }));
    const [lossName] = session.trainingOutputNames;
    return {
      async run(iterations) {
        let loss;
        for (let i = 0; i < iterations; i++) {
          const results = await session.runTrainStep(feeds[i % feeds.length]);
          await session.runOptimizerStep();
          await session.lazyResetGrad();
          loss = results[lossName].data[0];
        }
        if (!Number.isFinite(loss)) throw new Error(`${job.work}: the loss is ${loss}`);
        return loss;
      },
      dispose: () => session.release(),
    };
  };
  return [{ name: `onnxruntime-web ${versions['onnxruntime-web-training']}`, works: ['T1', 'T2', 'T3'], prepare }];
}

/**
 * jax-js with each count of threads, from a module of its own: it takes as many as the processor has wherever memory can
 * be shared, so that the page tells it another number, and the server hides shared memory from the one with one thread.
 */
async function jax({ versions, threads }) {
  const systems = [];
  for (const count of threads) {
    Object.defineProperty(navigator, 'hardwareConcurrency', { value: count, configurable: true });
    const module = await import(`/jax${count}/index.js`);
    delete navigator.hardwareConcurrency;
    await module.init('wasm');
    const prepare = async (job) => {
      const work = prepareJax(module, job, batches(job), uniform());
      verified(job, work.parameters);
      return work;
    };
    const name = `jax-js ${versions['jax-js']}${count === 1 ? '' : ` ${count} threads`}`;
    systems.push({ name, works: ['T1', 'T2', 'T3'], prepare });
  }
  return systems;
}
