// The driver of WebGPU where there is none.

import { Gpu } from '../../wasm/pkg/gpu.js';
import { assert, test } from './harness.mjs';

test('without WebGPU nothing opens', async () => {
  await assert.rejects(Gpu.open(), /^UnsupportedError: webgpu: there is no WebGPU here/);
});
