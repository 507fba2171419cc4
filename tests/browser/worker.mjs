// Runs the tests in a module worker.

import { run } from '../js/harness.mjs';

addEventListener('message', async ({ data }) => {
  postMessage(await run(data));
});
postMessage('ready');
