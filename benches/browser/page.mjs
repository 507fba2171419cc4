// The page side: loads the systems and measures one job at a time, A, B, A, B.

import { prepare } from '/workloads.mjs';

const systems = [];

function script(src) {
  return new Promise((resolve, reject) => {
    const element = document.createElement('script');
    element.src = src;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${src} did not load`));
    document.head.append(element);
  });
}

async function gradling({ name, address, only }) {
  const module = await import(address);
  const tf = module.default && typeof module.default === 'object' ? module.default : module;
  if (typeof tf.ready === 'function') await tf.ready();
  return { name, tf, only };
}

async function tfjs() {
  await script('/tfjs/tf.min.js');
  await script('/tfjs/tf-backend-wasm.min.js');
  const { tf } = globalThis;
  tf.wasm.setWasmPaths('/tfjs/');
  await tf.setBackend('wasm');
  await tf.ready();
  return { name: `tfjs wasm ${tf.version.tfjs}`, tf };
}

/** Loads the entries of Gradling's package and, when asked, the peer; returns their names. */
globalThis.load = async ({ entries, peers }) => {
  for (const entry of entries) systems.push(await gradling(entry));
  if (peers) systems.push(await tfjs());
  return systems.map((s) => s.name);
};

async function seconds(work, iterations) {
  const start = performance.now();
  await work.run(iterations);
  return (performance.now() - start) / 1000;
}

/** Iterations that take about `least` seconds, after a first one that compiles what is compiled on first use. */
async function calibrate(work, least) {
  await work.run(1);
  let iterations = 1;
  for (;;) {
    const taken = await seconds(work, iterations);
    if (taken >= least / 4) return Math.max(1, Math.ceil((iterations * least) / taken));
    iterations *= taken < least / 40 ? 8 : 2;
  }
}

/** Seconds per step or call of each repetition, or the error, for each system. */
globalThis.measure = async (job, { repetitions, least }) => {
  const ready = [];
  for (const system of systems.filter(({ only }) => only === undefined || only === job.work)) {
    const row = { system: system.name, repetitions: [] };
    try {
      row.work = prepare(system.tf, job);
      row.iterations = await calibrate(row.work, least);
    } catch (error) {
      row.error = String(error.message ?? error);
    }
    ready.push(row);
  }
  for (let i = 0; i < repetitions; i++) {
    for (const row of ready) {
      if (!row.error) row.repetitions.push((await seconds(row.work, row.iterations)) / row.iterations);
    }
  }
  for (const row of ready) row.work?.dispose();
  return ready.map(({ system, repetitions: times, error }) => ({ system, repetitions: times, error }));
};

globalThis.loaded = true;
