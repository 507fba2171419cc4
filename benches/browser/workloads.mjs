// The workloads on any namespace that has TensorFlow.js's names: `tf` is Gradling's npm package or the peer.

/** Rows of the report for the names T1, T2 and K1. */
export function jobs(names, inputs) {
  const rows = [];
  for (const name of names) {
    if (name === 'T1' || name === 'T2') {
      for (const batch of [32, 128]) for (const input of inputs) rows.push({ work: name, batch, input });
    } else if (name === 'K1') {
      for (const size of [64, 128, 256, 512, 1024, 2048]) rows.push({ work: `matmul${size}`, size, input: inputs[0] });
      rows.push({ work: 'conv', input: inputs[0] }, { work: 'add', input: inputs[0] });
    } else {
      throw new Error(`no workload ${name}; there are T1, T2 and K1`);
    }
  }
  return rows;
}

/** Least floating-point operations of one step or call. */
export function flops(job) {
  if (job.work === 'T1') return (13e6 * job.batch) / 32;
  if (job.work === 'T2') return (73e6 * job.batch) / 32;
  if (job.work === 'conv') return 2 * 56 * 56 * 64 * 64 * 9;
  if (job.work === 'add') return 1000;
  return 2 * job.size ** 3;
}

/** Name in tables. */
export function label(job) {
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

function trainStep(tf, model, shape, job) {
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'categoricalCrossentropy' });
  const next = stream(1);
  const size = shape.reduce((a, b) => a * b, 1);
  const xs = [];
  const ys = [];
  for (let i = 0; i < BATCHES; i++) {
    xs.push(tf.tensor(numbers(next, job.input, job.batch * size), [job.batch, ...shape]));
    const y = new Float32Array(job.batch * CLASSES);
    for (let row = 0; row < job.batch; row++) y[row * CLASSES + Math.floor(next() * CLASSES)] = 1;
    ys.push(tf.tensor2d(y, [job.batch, CLASSES]));
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

/** Makes a job ready on `tf`: `{run(iterations), dispose()}`. */
export function prepare(tf, job) {
  if (job.work === 'T1') return trainStep(tf, mlp(tf), [784], job);
  if (job.work === 'T2') return trainStep(tf, lenet(tf), [28, 28, 1], job);
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
