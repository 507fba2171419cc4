// T1 to T3 by jax-js: a train step is one compiled function of parameters, moments of Adam and a batch. Arrays are
// consumed by what takes them; `.ref` keeps one for another use.

/** Shapes of the trained parameters. Kernels of convolutions are [out, in, height, width]. */
const SHAPES = {
  T1: [[784, 128], [128], [128, 10], [10]],
  T2: [[6, 1, 5, 5], [6], [16, 6, 5, 5], [16], [400, 120], [120], [120, 84], [84], [84, 10], [10]],
  T3: [[6, 3, 5, 5], [6], [6], [6], [1536, 128], [128], [128, 10], [10]],
};
const INPUTS = { T1: [784], T2: [1, 28, 28], T3: [3, 32, 32] };
/** Running mean and variance of the batch normalisation. */
const RUNNING = { T1: [], T2: [], T3: [[6], [6]] };

const size = (shape) => shape.reduce((a, b) => a * b, 1);

/** The workloads as functions of parameters, running statistics, a random key and inputs: logits and new statistics. */
function nets({ lax, nn, numpy: np, random }) {
  const dense = (x, w, b) => np.matmul(x, w).add(b);
  const conv = (x, w, b, padding) => lax.conv(x, w, [1, 1], padding).add(b.reshape([1, b.shape[0], 1, 1]));
  // Faster than its `reduceWindow`.
  const pool = (x) => {
    const [n, c, h, w] = x.shape;
    return np.max(x.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5]);
  };
  const flat = (x) => x.reshape([x.shape[0], size(x.shape.slice(1))]);
  const dropout = (x, key) => np.where(random.bernoulli(key, 0.8, x.shape), x.mul(1 / 0.8), 0);
  const channels = (a) => a.reshape([1, a.shape[0], 1, 1]);
  return {
    T1([w1, b1, w2, b2], running, key, x) {
      key.dispose();
      return [dense(nn.relu(dense(x, w1, b1)), w2, b2), running];
    },
    T2([w1, b1, w2, b2, w3, b3, w4, b4, w5, b5], running, key, x) {
      key.dispose();
      const y = pool(nn.relu(conv(x, w1, b1, 'SAME')));
      const z = flat(pool(nn.relu(conv(y, w2, b2, 'VALID'))));
      return [dense(nn.relu(dense(nn.relu(dense(z, w3, b3)), w4, b4)), w5, b5), running];
    },
    T3([w1, b1, scale, shift, w2, b2, w3, b3], [mean, variance], key, x) {
      const [k1, k2] = random.split(key);
      const y = conv(x, w1, b1, 'SAME');
      const now = np.mean(y.ref, [0, 2, 3]);
      const centred = y.sub(channels(now.ref));
      const spread = np.mean(np.square(centred.ref), [0, 2, 3]);
      const factor = scale.div(np.sqrt(spread.ref.add(1e-3)));
      const normed = centred.mul(channels(factor)).add(channels(shift));
      const z = flat(dropout(pool(nn.relu(normed)), k1));
      const logits = dense(dropout(nn.relu(dense(z, w2, b2)), k2), w3, b3);
      const moved = (old, value) => old.mul(0.99).add(lax.stopGradient(value).mul(0.01));
      return [logits, [moved(mean, now), moved(variance, spread)]];
    },
  };
}

/** Parameters, moments, running statistics, key and loss after a step of Adam. */
function stepOf(jax, net) {
  const { nn, numpy: np, random, tree, valueAndGrad } = jax;
  const objective = (parameters, running, key, x, y) => {
    const [logits, after] = net(parameters, running, key, x);
    return [np.mean(np.sum(nn.logSoftmax(logits).mul(y), -1)).mul(-1), after];
  };
  return jax.jit((parameters, means, squares, running, key, rate, x, y) => {
    const [next, drop] = random.split(key);
    const [[loss, after], gradients] = valueAndGrad(objective, { hasAux: true })(tree.ref(parameters), running, drop, x, y);
    const updated = parameters.map((p, i) => {
      const mean = means[i].mul(0.9).add(gradients[i].ref.mul(0.1));
      const square = squares[i].mul(0.999).add(np.square(gradients[i]).mul(0.001));
      const change = mean.ref.mul(rate.ref).div(np.sqrt(square.ref).add(1e-7));
      return [p.sub(change), mean, square];
    });
    rate.dispose();
    const [p, m, s] = [0, 1, 2].map((part) => updated.map((row) => row[part]));
    return [p, m, s, after, next, loss];
  });
}

/** Makes a train step ready on jax-js. `batches` are pairs of inputs and classes, `uniform` gives numbers in [0, 1). */
export function prepare(jax, job, batches, uniform) {
  const { numpy: np, random, tree } = jax;
  const weights = (shape) => {
    const [fanIn, fanOut] = shape.length === 2 ? shape : [size(shape.slice(1)), shape[0] * size(shape.slice(2))];
    const limit = shape.length === 1 ? 0 : Math.sqrt(6 / (fanIn + fanOut));
    return np.array(Float32Array.from({ length: size(shape) }, () => limit * (2 * uniform() - 1))).reshape(shape);
  };
  let parameters = SHAPES[job.work].map(weights);
  // The scale of the normalisation starts with ones.
  if (job.work === 'T3') parameters[2] = np.ones([6]);
  let means = SHAPES[job.work].map((shape) => np.zeros(shape));
  let squares = SHAPES[job.work].map((shape) => np.zeros(shape));
  let running = RUNNING[job.work].map((shape, i) => (i === 0 ? np.zeros(shape) : np.ones(shape)));
  let key = random.key(1);
  const data = batches.map(({ x, y }) => {
    const hot = new Float32Array(job.batch * 10);
    y.forEach((label, row) => (hot[row * 10 + label] = 1));
    return [np.array(x).reshape([job.batch, ...INPUTS[job.work]]), np.array(hot).reshape([job.batch, 10])];
  });
  const step = stepOf(jax, nets(jax)[job.work]);
  let steps = 0;
  return {
    parameters: SHAPES[job.work].reduce((sum, shape) => sum + size(shape), 0),
    async run(iterations) {
      let value;
      for (let i = 0; i < iterations; i++) {
        steps++;
        const rate = np.array([(0.001 * Math.sqrt(1 - 0.999 ** steps)) / (1 - 0.9 ** steps)]);
        const [x, y] = data[i % data.length];
        let loss;
        [parameters, means, squares, running, key, loss] = step(parameters, means, squares, running, key, rate, x.ref, y.ref);
        // Nothing is computed before it is read.
        [value] = await loss.data();
      }
      await jax.blockUntilReady(parameters);
      if (!Number.isFinite(value)) throw new Error(`${job.work}: the loss is ${value}`);
      return value;
    },
    dispose() {
      tree.dispose([parameters, means, squares, running, key, data]);
      step.dispose();
    },
  };
}
