// A thread of the core: an instance of the module on the page's memory, which computes what the page asks for.

import init, { serve } from './threads/gradling_wasm.js';

interface Start {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
}

addEventListener('message', async (event) => {
  const { module, memory } = (event as MessageEvent<Start>).data;
  try {
    await init({ module_or_path: module, memory });
  } catch (error) {
    postMessage(String(error) || 'the module does not start');
    return;
  }
  postMessage('');
  serve();
});
