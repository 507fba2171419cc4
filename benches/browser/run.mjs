// The browser benchmark: serves a page, opens it in headless Chromium and measures T1 to T5, I1 and K1 through the npm
// package, beside the peers with --peers, or some of them: --peers=tfjs,jax-js.
//
//   node benches/browser/run.mjs [--only T1,T2/32,K1/1024] [--inputs normal,uniform] [--peers[=…]] [--json FILE]
//                                [--threads 1,2] [--variant relaxed-simd] [--repetitions 7] [--seconds 0.3]
//                                [--without-gradling] [--webgpu]
//
// --webgpu measures training on WebGPU beside the core's, and of TensorFlow.js its webgpu backend; the adapter is a program
// on the processor, SwiftShader, so that the same is measured on every machine.
//
// Models that the package has no layers for come from files, which the program `browser_models` of benches writes to
// target/browser-models, and those of onnxruntime-web from `export_onnx.py` and `export_training.py`.

import { createReadStream, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { dirname, extname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { flops, jobs, label } from './workloads.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');

const PEERS = ['tfjs', 'onnxruntime-web', 'onnxruntime-web-training', 'jax-js'];

const { values: args } = parseArgs({
  args: process.argv.slice(2).map((argument) => (argument === '--peers' ? '--peers=all' : argument)),
  options: {
    only: { type: 'string', default: 'T1,T2,K1' },
    threads: { type: 'string', default: '1' },
    variant: { type: 'string', default: 'auto' },
    inputs: { type: 'string', default: 'normal,uniform' },
    peers: { type: 'string', default: '' },
    'without-gradling': { type: 'boolean', default: false },
    webgpu: { type: 'boolean', default: false },
    json: { type: 'string' },
    repetitions: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '0.3' },
  },
});

function fail(message) {
  console.error(`bench: ${message}`);
  process.exit(1);
}

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};

const pkg = join(root, 'wasm', 'pkg');
const peerPackage = (name) => join(here, 'node_modules', name);
const threadCounts = args.threads.split(',');
const FOLDERS = [
  ['/gradling/', [pkg]],
  ['/tfjs/', ['tfjs', 'tfjs-backend-wasm', 'tfjs-backend-webgpu'].map((name) => join(peerPackage(`@tensorflow/${name}`), 'dist'))],
  ['/ort/', [join(peerPackage('onnxruntime-web'), 'dist')]],
  ['/ort-training/', [join(peerPackage('onnxruntime-web-training'), 'dist')]],
  ['/models/', [join(root, 'target', 'browser-models')]],
  // Each count of threads has modules of its own, and so a core of its own.
  ...threadCounts.map((threads) => [`/threads${threads}/`, [pkg]]),
  ...threadCounts.map((threads) => [`/jax${threads}/`, [join(peerPackage('@jax-js/jax'), 'dist')]]),
  ['/', [here]],
];

/** What is served before a file: jax-js runs on the page's own thread where there is no shared memory. */
const before = (path) => (/^\/jax1\/.*\.js$/.test(path) ? 'const SharedArrayBuffer = undefined;\n' : '');

function locate(path) {
  const wanted = path === '/' ? '/page.html' : path;
  for (const [prefix, folders] of FOLDERS) {
    if (!wanted.startsWith(prefix)) continue;
    for (const folder of folders) {
      const file = normalize(join(folder, wanted.slice(prefix.length)));
      if (file.startsWith(folder + sep) && existsSync(file) && statSync(file).isFile()) return file;
    }
    return undefined;
  }
  return undefined;
}

function serve() {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://page').pathname);
    const file = locate(path);
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    });
    response.write(before(path));
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** Paths of the package's modules for pages, below /gradling/; the small one has no images and no operations. */
function entries() {
  const manifest = join(pkg, 'package.json');
  if (!existsSync(manifest)) fail('wasm/pkg is not there; run `cargo xtask package` first');
  const { exports } = JSON.parse(readFileSync(manifest, 'utf8'));
  const address = (name) => `/gradling/${exports[name].default.replace(/^\.\//, '')}`;
  const whole = threadCounts.map((threads) => ({
    name: threads === '1' ? 'gradling' : `gradling ${threads} threads`,
    address: address('.').replace('/gradling/', `/threads${threads}/`),
    variant: args.variant,
    threads: Number(threads),
  }));
  return [...whole, { name: 'gradling/mlp', address: address('./mlp'), only: 'T1' }];
}

function chromium() {
  const require = createRequire(join(root, 'tests', 'package.json'));
  try {
    return require('playwright-core').chromium;
  } catch {
    return fail('playwright-core is not installed; run `npm install` in tests');
  }
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function line(...cells) {
  const widths = [-18, -22, 10, 12, 9, 9, 8];
  return cells
    .map((cell, i) => (widths[i] < 0 ? String(cell).padEnd(-widths[i]) : String(cell).padStart(widths[i])))
    .join(' ')
    .trimEnd();
}

/** GFLOP/s of a product of matrices in the first-level cache by one thread, which shares are of. */
let ceiling = Infinity;

/** Prints the lines of one job and returns its record. */
function report(job, systems) {
  const first = systems.find((s) => !s.error);
  const record = [];
  for (const { system, repetitions, error } of systems) {
    if (error) {
      console.log(line(label(job), system, `throws: ${error.split('\n')[0]}`));
      record.push({ system, error });
      continue;
    }
    const time = median(repetitions);
    const ratio = system === first.system ? undefined : time / median(first.repetitions);
    const samples = job.batch ? job.batch / time : undefined;
    console.log(
      line(
        label(job),
        system,
        (time * 1e3).toFixed(4),
        samples ? samples.toFixed(0) : '-',
        (flops(job) / time / 1e9).toFixed(1),
        `${((flops(job) / time / 1e7) / ceiling).toFixed(0)}%`,
        ratio ? `${ratio.toFixed(2)}x` : '',
      ),
    );
    record.push({
      system,
      ms: time * 1e3,
      samples_per_second: samples ?? null,
      gflops: flops(job) / time / 1e9,
      gradling_is_faster_by: system.startsWith('gradling') || first.system !== 'gradling' ? null : ratio,
      repetitions_ms: repetitions.map((s) => s * 1e3),
    });
  }
  return { workload: label(job), batch: job.batch ?? 1, input: job.input, systems: record };
}

const repetitions = Math.max(5, Number(args.repetitions));
const least = Number(args.seconds);
if (!Number.isFinite(repetitions) || !Number.isFinite(least)) fail('--repetitions and --seconds are numbers');

/** The peers asked for, and the versions of their packages. */
const peers = args.peers === 'all' ? PEERS : args.peers.split(',').filter((name) => name);
const versions = {};
for (const name of peers) {
  if (!PEERS.includes(name)) fail(`no peer ${name}; there are ${PEERS.join(', ')} and all`);
  const manifest = join(peerPackage({ tfjs: '@tensorflow/tfjs', 'jax-js': '@jax-js/jax' }[name] ?? name), 'package.json');
  if (!existsSync(manifest)) fail('the peers are not installed; run `npm install` in benches/browser');
  versions[name] = JSON.parse(readFileSync(manifest, 'utf8')).version;
}

const server = await serve();
const browser = await chromium().launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    ...(args.webgpu ? ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'] : []),
  ],
});
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(`page: ${error.message}`));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction(() => globalThis.loaded === true);
  const names = await page.evaluate((options) => globalThis.load(options), {
    entries: args['without-gradling'] ? [] : entries(),
    peers,
    versions,
    threads: threadCounts.map(Number),
    webgpu: args.webgpu,
  });
  console.log(names.join('; '));
  const limits = await page.evaluate(() => globalThis.ceilings());
  ceiling = limits.cache;
  console.log(`at most, one thread: ${Object.entries(limits).map(([n, v]) => `${n} ${v.toFixed(1)}`).join(', ')} GFLOP/s`);
  console.log(line('workload', 'system', 'ms', 'samples/s', 'GFLOP/s', 'share', 'ratio'));
  const rows = [];
  for (const job of jobs(args.only.split(','), args.inputs.split(','))) {
    const systems = await page.evaluate(([j, effort]) => globalThis.measure(j, effort), [job, job.slow ? { repetitions: 5, least: 0 } : { repetitions, least }]);
    rows.push(report(job, systems));
  }
  if (args.json) {
    const machine = { cpu: cpus()[0].model, cores: cpus().length, browser: `Chromium ${browser.version()}` };
    writeFileSync(args.json, `${JSON.stringify({ where: 'browser', machine, systems: names, limits, rows }, null, 2)}\n`);
  }
} finally {
  await browser.close();
  server.close();
}
