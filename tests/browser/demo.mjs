// Trains the MLP for one epoch through the real demo page in headless Chromium, prints `demo: val_accuracy X` and
// saves pictures of the page, at desktop and at phone width.
//
//   node tests/browser/demo.mjs URL PICTURE.png

import { complaints, launch } from './chromium.mjs';

/** A page that trains nothing stays near 0.1. */
const LEAST_ACCURACY = 0.8;
const MINUTE = 60_000;

const [url, picture] = process.argv.slice(2);
const browser = await launch();
let page;
try {
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const wrong = complaints(page);
  await page.goto(url);
  const state = (states) =>
    page.waitForFunction((wanted) => wanted.includes(document.documentElement.dataset.state), states, {
      timeout: 8 * MINUTE,
    });
  const hook = (name) => page.locator(`[data-testid=${name}]`);

  await state(['idle', 'error']);
  await hook('model').selectOption('mlp');
  await hook('epochs').fill('1');
  await hook('start').click({ timeout: MINUTE });
  await state(['training', 'done', 'error']);
  await state(['done', 'error']);

  const result = await page.evaluate(() => ({ ...document.documentElement.dataset }));
  if (result.state === 'error') wrong.push(`the page reports: ${await page.locator('body').innerText()}`);
  const accuracy = Number(result.valAccuracy);
  if (!(accuracy >= LEAST_ACCURACY && accuracy <= 1)) {
    wrong.push(`val_accuracy is ${result.valAccuracy}, expected at least ${LEAST_ACCURACY}`);
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
