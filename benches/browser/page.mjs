// The page side: loads the systems and measures one job at a time, A, B, A, B.

import { ceilings } from '/ceiling.mjs';
import { load as loadPeers } from '/peers.mjs';
import { prepare } from '/workloads.mjs';

const systems = [];

/** An entry of the package, in a variant and with so many threads where that is asked for. */
async function gradling({ name, address, only, variant, threads }) {
  const tf = await import(address);
  if (variant) tf.setWasmVariant(variant);
  if (threads) tf.setThreadsCount(threads);
  await tf.ready();
  const files = only === undefined;
  const runs = files ? `${tf.getWasmVariant()}, ${tf.getThreadsCount()} threads` : 'simd128, 1 thread';
  return { name, tf, only, files, runs };
}

/** Loads the entries of Gradling's package and the peers; returns their names and what they run on. */
globalThis.load = async ({ entries, peers, ...options }) => {
  for (const entry of entries) systems.push(await gradling(entry));
  if (options.webgpu && systems.length > 0) systems.push({ ...systems[0], name: 'gradling webgpu', device: 'webgpu', fits: true, works: ['T1', 'T2', 'T3'] });
  systems.push(...(await loadPeers(peers, options)));
  return systems.map(({ name, runs }) => (runs ? `${name} (${runs})` : name));
};

/** What multiply-adds reach at most: in registers, and as a product of matrices in the first-level cache. */
globalThis.ceilings = ceilings;

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
  const suits = ({ only, works }) => (only ?? job.work) === job.work && (works?.includes(job.work) ?? true);
  for (const system of systems.filter(suits)) {
    const row = { system: system.name, enter: system.enter, repetitions: [] };
    try {
      row.work = await (system.prepare?.(job) ?? prepare(system, job));
      row.iterations = await calibrate(row.work, least);
    } catch (error) {
      row.error = String(error.message ?? error);
    }
    ready.push(row);
  }
  for (let i = 0; i < repetitions; i++) {
    for (const row of ready) {
      await row.enter?.();
      if (!row.error) row.repetitions.push((await seconds(row.work, row.iterations)) / row.iterations);
    }
  }
  for (const row of ready) row.work?.dispose();
  return ready.map(({ system, repetitions: times, error }) => ({ system, repetitions: times, error }));
};

globalThis.loaded = true;
