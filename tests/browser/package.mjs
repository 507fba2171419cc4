// Runs tests/js/*.test.mjs in headless Chromium, in a page and in a module worker, and ends with the same lines
// `# pass N` and `# fail N` as Node's runner. Files named *.node.test.mjs are Node's alone.
//
//   node tests/browser/package.mjs URL      (URL serves the repository's root)

import { readdirSync } from 'node:fs';

import { complaints, launch } from './chromium.mjs';

const base = process.argv[2];
const files = readdirSync(new URL('../js/', import.meta.url))
  .filter((name) => name.endsWith('.test.mjs') && !name.endsWith('.node.test.mjs'))
  .sort()
  .map((name) => `/tests/js/${name}`);

const inPage = async (urls) => {
  const { run } = await import('/tests/js/harness.mjs');
  return run(urls);
};

const inWorker = (urls) =>
  new Promise((resolve, reject) => {
    const worker = new Worker('/tests/browser/worker.mjs', { type: 'module' });
    worker.onerror = (event) => reject(new Error(`worker: ${event.message ?? 'cannot be loaded'}`));
    worker.onmessage = ({ data }) => {
      if (data === 'ready') return worker.postMessage(urls);
      worker.terminate();
      return resolve(data);
    };
  });

const browser = await launch();
let passed = 0;
let failed = 0;
try {
  for (const [place, body] of [['page', inPage], ['worker', inWorker]]) {
    const page = await browser.newPage();
    const wrong = complaints(page);
    await page.goto(new URL('tests/browser/package.html', base).href);
    const shared = await page.evaluate(() => globalThis.crossOriginIsolated);
    const results = await page.evaluate(body, files).catch((error) => [{ name: 'all', error: error.message }]);
    if (!shared) results.push({ name: 'isolation', error: 'the page is not cross-origin isolated' });
    for (const error of wrong) results.push({ name: 'page', error });
    for (const { name, error } of results) {
      console.log(`${error === undefined ? 'ok' : 'not ok'} - ${place}: ${name}`);
      if (error === undefined) passed += 1;
      else {
        failed += 1;
        console.log(error.replace(/^/gm, '    '));
      }
    }
    await page.close();
  }
} finally {
  await browser.close();
}
console.log(`# pass ${passed}\n# fail ${failed}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
