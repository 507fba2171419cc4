// Loading the core. The first file to run where all files share one page: nothing may have loaded it before.

import * as tf from '../../wasm/pkg/index.js';
import { assert, test } from './harness.mjs';

test('a synchronous call before ready is a clear error', () => {
  assert.throws(() => tf.scalar(1), /^MisuseError: .*tf\.ready\(\)/);
});

test('ready may be called any number of times', async () => {
  await Promise.all([tf.ready(), tf.ready()]);
  await tf.ready();
  assert.equal(tf.getBackend(), 'cpu');
  assert.equal(await tf.setBackend('cpu'), true);
  assert.equal(await tf.setBackend('quantum'), false);
});

test('the version is that of the package', async () => {
  const { default: manifest } = await import('../../wasm/pkg/package.json', { with: { type: 'json' } });
  assert.equal(tf.version, manifest.version);
  assert.equal(manifest.name, 'gradling');
});

test('the report of backends has every op, on the core and as a shader', async () => {
  const rows = await tf.backendReport();
  assert.equal(rows.length > 60, true);
  for (const row of rows) assert.equal(row.cpu && row.webgpu && row.gradient !== false, true, row.op);
  assert.equal(rows.some(({ op, gradient }) => op === 'conv2d' && gradient === true), true);
  assert.equal(rows.some(({ op, gradient }) => op === 'argmax' && gradient === undefined), true);
});
