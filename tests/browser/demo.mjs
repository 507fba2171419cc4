// Trains the MLP through the real demo page in headless Chromium, prints `demo: val_accuracy X` and saves pictures of
// the page, at desktop and at phone width: one epoch on the subset that comes with the page, or, where a folder with
// the four MNIST files is named, five epochs on them.
//
//   node tests/browser/demo.mjs URL PICTURE.png [FOLDER]

import { join } from 'node:path';

import { complaints, launch } from './chromium.mjs';

const MINUTE = 60_000;
const FILES = ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'];

const [url, picture, folder] = process.argv.slice(2);
/** A page that trains nothing stays near 0.1. */
const [epochs, leastAccuracy] = folder ? ['5', 0.975] : ['1', 0.8];
const browser = await launch();
let page;
try {
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const wrong = complaints(page);
  await page.goto(`${url}?seed=1`);
  const state = (states) =>
    page.waitForFunction((wanted) => wanted.includes(document.documentElement.dataset.state), states, {
      timeout: 8 * MINUTE,
    });
  const hook = (name) => page.locator(`[data-testid=${name}]`);

  await state(['idle', 'error']);
  if (folder) {
    await hook('files').setInputFiles(FILES.map((name) => join(folder, `${name}-ubyte.gz`)));
    await page.getByText('60,000').first().waitFor({ timeout: MINUTE });
  }
  await hook('model').selectOption('mlp');
  await hook('epochs').fill(epochs);
  await hook('start').click({ timeout: MINUTE });
  await state(['training', 'done', 'error']);
  await state(['done', 'error']);

  const result = await page.evaluate(() => ({ ...document.documentElement.dataset }));
  if (result.state === 'error') wrong.push(`the page reports: ${await page.locator('body').innerText()}`);
  const accuracy = Number(result.valAccuracy);
  if (!(accuracy >= leastAccuracy && accuracy <= 1)) {
    wrong.push(`val_accuracy is ${result.valAccuracy}, expected at least ${leastAccuracy}`);
  }
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
  console.log(`demo: val_accuracy ${accuracy}`);
} catch (error) {
  console.log(`demo: failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  await page?.screenshot({ path: picture, fullPage: true }).catch(() => {});
  await page?.setViewportSize({ width: 390, height: 844 }).catch(() => {});
  await page?.screenshot({ path: picture.replace(/\.png$/, '-phone.png'), fullPage: true }).catch(() => {});
  await browser.close();
}
