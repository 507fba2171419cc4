// The workloads on any namespace that has TensorFlow.js's names: `tf` is Gradling's npm package or the peer.

const SIZES = [64, 128, 256, 512, 1024, 2048];
const CELLS = ['SimpleRNN', 'LSTM', 'GRU'];
const NETS = ['MLP', 'LeNet', 'ResNet-18', 'MobileNetV2'];
const NAMES = ['T1', 'T2', 'T3', 'T4', 'T5', 'I1', 'K1'];

/** Rows of the report for these names; `T1`, or `T1/32` for one batch size, `I1/LeNet`, `K1/1024`. */
export function jobs(names, inputs) {
  const rows = [];
  for (const name of names) {
    const [work, only] = name.split('/');
    const of = (list) => (only === undefined ? list : list.filter((item) => String(item).toLowerCase() === only.toLowerCase()));
    if (['T1', 'T2', 'T3'].includes(work)) {
      for (const batch of of([32, 128])) for (const input of inputs) rows.push({ work, batch, input });
    } else if (work === 'T4') {
      rows.push({ work, batch: 16, input: inputs[0], slow: true });
    } else if (work === 'T5') {
      for (const cell of of(CELLS)) rows.push({ work, cell, batch: 64, input: inputs[0] });
    } else if (work === 'I1') {
      for (const net of of(NETS)) rows.push({ work, net, input: inputs[0] });
    } else if (work === 'K1') {
      for (const size of of(SIZES)) rows.push({ work: `matmul${size}`, size, input: inputs[0] });
      for (const kernel of of(['conv', 'add'])) rows.push({ work: kernel, input: inputs[0] });
    } else {
      throw new Error(`no workload ${name}; there are ${NAMES.join(', ')}`);
    }
  }
  return rows;
}

/** Multiply-adds of a cell of 80 units and one of 100 for one sample and time step, by gates. */
const CELL = { SimpleRNN: 1, LSTM: 4, GRU: 3 };
/** Least floating-point operations of one inference. */
const NET = { MLP: 203e3, LeNet: 833e3, 'ResNet-18': 1.11e9, MobileNetV2: 601e6 };

/** Least floating-point operations of one step or call. */
export function flops(job) {
  if (job.work === 'T1') return (13e6 * job.batch) / 32;
  if (job.work === 'T2') return (73e6 * job.batch) / 32;
  if (job.work === 'T3') return (97e6 * job.batch) / 32;
  if (job.work === 'T4') return 53e9;
  if (job.work === 'T5') return (2.3e9 * CELL[job.cell] * job.batch) / (4 * 64);
  if (job.work === 'I1') return NET[job.net];
  if (job.work === 'conv') return 2 * 56 * 56 * 64 * 64 * 9;
  if (job.work === 'add') return 1000;
  return 2 * job.size ** 3;
}

/** Name in tables. */
export function label(job) {
  if (job.work === 'I1') return `I1 ${job.net}`;
  if (job.work === 'T5') return `T5 ${job.cell}`;
  if (!job.batch) return job.work;
  return `${job.work} b${job.batch}${job.input === 'uniform' ? ' uniform' : ''}`;
}

const BATCHES = 16;
const CLASSES = 10;

/** A stream of numbers in [0, 1): a xorshift generator, so that both systems and every run see the same. */
function stream(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}

function numbers(next, input, n) {
  const values = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    if (input === 'uniform') {
      values[i] = next();
    } else {
      values[i] = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    }
  }
  return values;
}

function mlp(tf) {
  const model = tf.sequential();
  model.add(tf.layers.dense({ units: 128, activation: 'relu', inputShape: [784] }));
  model.add(tf.layers.dense({ units: CLASSES, activation: 'softmax' }));
  return model;
}

function lenet(tf) {
  const model = tf.sequential();
  model.add(
    tf.layers.conv2d({ filters: 6, kernelSize: 5, padding: 'same', activation: 'relu', inputShape: [28, 28, 1] }),
  );
  model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
  model.add(tf.layers.conv2d({ filters: 16, kernelSize: 5, activation: 'relu' }));
  model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 120, activation: 'relu' }));
  model.add(tf.layers.dense({ units: 84, activation: 'relu' }));
  model.add(tf.layers.dense({ units: CLASSES, activation: 'softmax' }));
  return model;
}

/** The course's baseline, for the peers; Gradling's comes from a file. */
function baseline(tf) {
  const model = tf.sequential();
  model.add(tf.layers.conv2d({ filters: 6, kernelSize: 5, padding: 'same', inputShape: [32, 32, 3] }));
  model.add(tf.layers.batchNormalization());
  model.add(tf.layers.reLU());
  model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
  model.add(tf.layers.dropout({ rate: 0.2 }));
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 128, activation: 'relu' }));
  model.add(tf.layers.dropout({ rate: 0.2 }));
  model.add(tf.layers.dense({ units: CLASSES, activation: 'softmax' }));
  return model;
}

function stock(tf, cell) {
  const layer = { SimpleRNN: tf.layers.simpleRNN, LSTM: tf.layers.lstm, GRU: tf.layers.gru }[cell];
  const model = tf.sequential();
  model.add(layer({ units: 80, returnSequences: true, inputShape: [60, 1] }));
  model.add(tf.layers.dropout({ rate: 0.2 }));
  model.add(layer({ units: 100 }));
  model.add(tf.layers.dropout({ rate: 0.2 }));
  model.add(tf.layers.dense({ units: 1 }));
  return model;
}

/** The model of a job: made by layers, or loaded where the system has no makers for them. */
async function modelOf({ tf, files }, job) {
  if (job.work === 'T1' || job.net === 'MLP') return mlp(tf);
  if (job.work === 'T2' || job.net === 'LeNet') return lenet(tf);
  if (files) {
    const name = { T5: `T5-${job.cell}`, I1: { 'ResNet-18': 'resnet18', MobileNetV2: 'mobilenetv2' }[job.net] }[job.work] ?? job.work;
    return tf.loadLayersModel(`/models/${name}.gradling`);
  }
  if (job.work === 'T3') return baseline(tf);
  if (job.work === 'T5') return stock(tf, job.cell);
  throw new Error('not built for this system');
}

/** The shape of a sample. */
export function sample(job) {
  const net = { MLP: [784], LeNet: [28, 28, 1], 'ResNet-18': [32, 32, 3], MobileNetV2: [224, 224, 3] };
  return net[job.net] ?? { T1: [784], T2: [28, 28, 1], T3: [32, 32, 3], T4: [32, 32, 3], T5: [60, 1] }[job.work];
}

/** The batches that a train step is fed in turn: inputs, and classes or numbers. */
export function batches(job) {
  const next = stream(1);
  const size = sample(job).reduce((a, b) => a * b, 1);
  const label = () => Math.floor(next() * CLASSES);
  return Array.from({ length: BATCHES }, () => {
    const x = numbers(next, job.input, job.batch * size);
    const y = job.work === 'T5' ? numbers(next, job.input, job.batch) : Int32Array.from({ length: job.batch }, label);
    return { x, y };
  });
}

/** Numbers in [0, 1), the same in every run. */
export const uniform = () => stream(1);

/** Train steps through `fit`, as a device is used that is not waited for; the batches in turn as in `trainStep`. */
function fitSteps({ tf, device }, model, shape, job) {
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'categoricalCrossentropy', device });
  const all = batches(job);
  const size = shape.reduce((a, b) => a * b, 1);
  const held = [];
  const data = (count) => {
    const x = new Float32Array(count * job.batch * size);
    const hot = new Float32Array(count * job.batch * CLASSES);
    all.slice(0, count).forEach((batch, n) => {
      x.set(batch.x, n * job.batch * size);
      batch.y.forEach((label, row) => (hot[(n * job.batch + row) * CLASSES + label] = 1));
    });
    held.push(tf.tensor(x, [count * job.batch, ...shape]), tf.tensor2d(hot, [count * job.batch, CLASSES]));
    return held.slice(-2);
  };
  const whole = data(BATCHES);
  return {
    async run(iterations) {
      const [epochs, rest] = [Math.floor(iterations / BATCHES), iterations % BATCHES];
      const runs = [...(epochs > 0 ? [[whole, epochs]] : []), ...(rest > 0 ? [[data(rest), 1]] : [])];
      for (const [[x, y], times] of runs) {
        const { history } = await model.fit(x, y, { batchSize: job.batch, epochs: times, shuffle: false, yieldEvery: 'never', verbose: 0 });
        const loss = history.loss.at(-1);
        if (!Number.isFinite(loss)) throw new Error(`${job.work}: the loss is ${loss}`);
      }
      for (const t of held.splice(2)) t.dispose();
    },
    dispose() {
      for (const t of held) t.dispose();
      model.dispose();
    },
  };
}

function trainStep(tf, model, loaded, shape, job) {
  const name = job.work === 'T5' ? 'meanSquaredError' : 'categoricalCrossentropy';
  if (!loaded) model.compile({ optimizer: tf.train.adam(0.001), loss: name });
  const xs = [];
  const ys = [];
  for (const { x, y } of batches(job)) {
    xs.push(tf.tensor(x, [job.batch, ...shape]));
    if (job.work === 'T5') {
      ys.push(tf.tensor2d(y, [job.batch, 1]));
      continue;
    }
    const hot = new Float32Array(job.batch * CLASSES);
    y.forEach((label, row) => (hot[row * CLASSES + label] = 1));
    ys.push(tf.tensor2d(hot, [job.batch, CLASSES]));
  }
  let loss = 0;
  return {
    async run(iterations) {
      for (let i = 0; i < iterations; i++) {
        const answer = await model.trainOnBatch(xs[i % BATCHES], ys[i % BATCHES]);
        loss = Array.isArray(answer) ? answer[0] : answer;
      }
      if (!Number.isFinite(loss)) throw new Error(`${job.work}: the loss is ${loss}`);
    },
    dispose() {
      for (const t of [...xs, ...ys]) t.dispose();
    },
  };
}

function kernel(operands, call) {
  return {
    async run(iterations) {
      for (let i = 1; i < iterations; i++) call().dispose();
      const last = call();
      const value = (await last.data())[0];
      last.dispose();
      if (!Number.isFinite(value)) throw new Error(`the result is ${value}`);
    },
    dispose() {
      for (const t of operands) t.dispose();
    },
  };
}

function inference(tf, model, x) {
  return {
    async run(iterations) {
      for (let i = 1; i < iterations; i++) model.predict(x).dispose();
      const last = model.predict(x);
      const value = (await last.data())[0];
      last.dispose();
      if (!Number.isFinite(value)) throw new Error(`the result is ${value}`);
    },
    dispose() {
      x.dispose();
      model.dispose();
    },
  };
}

/** The same sample for every system, rows before channels. */
export function inferenceInput(job) {
  return numbers(stream(1), job.input, sample(job).reduce((a, b) => a * b, 1));
}

/** Makes a job ready on a system whose `tf` has TensorFlow.js's names: `{run(iterations), dispose()}`. */
export async function prepare(system, job) {
  const { tf } = system;
  await system.enter?.();
  if (job.work === 'I1') return inference(tf, await modelOf(system, job), tf.tensor(inferenceInput(job), [1, ...sample(job)]));
  if (job.work.startsWith('T')) {
    const model = await modelOf(system, job);
    if (system.fits) return fitSteps(system, model, sample(job), job);
    return trainStep(tf, model, system.files && !['T1', 'T2'].includes(job.work), sample(job), job);
  }
  const next = stream(1);
  const tensor = (shape) => tf.tensor(numbers(next, job.input, shape.reduce((a, b) => a * b, 1)), shape);
  if (job.work === 'conv') {
    const x = tensor([1, 56, 56, 64]);
    const w = tensor([3, 3, 64, 64]);
    return kernel([x, w], () => tf.conv2d(x, w, 1, 'same'));
  }
  const shape = job.work === 'add' ? [1000] : [job.size, job.size];
  const a = tensor(shape);
  const b = tensor(shape);
  return kernel([a, b], () => (job.work === 'add' ? tf.add(a, b) : tf.matMul(a, b)));
}
