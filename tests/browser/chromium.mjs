// A headless Chromium; `CHROMIUM` names its program.

import { existsSync } from 'node:fs';

import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What gives pages WebGPU on the processor, whatever the machine has. */
export const WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/** Starts the browser, with more arguments where there are some; the caller closes it. */
export function launch(more = []) {
  const places = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const executablePath = places.find((path) => path && existsSync(path));
  if (executablePath === undefined) {
    throw new Error('no Chromium found: name its program in CHROMIUM (on Debian: apt-get install chromium)');
  }
  return chromium.launch({ executablePath, args: [...ARGUMENTS, ...more] });
}

/** Collects what goes wrong in a page: errors on the console, uncaught errors, requests that fail. */
export function complaints(page) {
  const list = [];
  page.on('console', (message) => {
    if (message.type() === 'error') list.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => list.push(`uncaught: ${error.stack ?? error.message}`));
  page.on('crash', () => list.push('the page crashed'));
  page.on('response', (response) => {
    if (response.status() >= 400) list.push(`${response.status()} ${response.url()}`);
  });
  return list;
}
