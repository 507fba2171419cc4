// The tests of the npm package run unchanged in Node, in a page and in a module worker:
//
//   import * as tf from '../../wasm/pkg/index.js';
//   import { test, assert } from './harness.mjs';
//   test('adds', async () => { assert.equal(1 + 1, 2); });
//
// In Node the runner is node:test (`node --test tests/js/*.test.mjs`); elsewhere `run` below.

const inNode = globalThis.process?.versions?.node !== undefined;
const registered = [];

/** Registers a test; the body may be asynchronous and fails by throwing. */
export const test = inNode
  ? (await import('node:test')).test
  : (name, body) => {
      registered.push({ name, body });
    };

/** Imports the files and runs their tests one after the other: `[{ name, error? }]`. For pages and workers. */
export async function run(urls) {
  const results = [];
  for (const url of urls) {
    registered.length = 0;
    try {
      await import(url);
    } catch (error) {
      results.push({ name: `import ${url}`, error: explain(error) });
      continue;
    }
    for (const { name, body } of registered.splice(0)) {
      try {
        await limited(body);
        results.push({ name });
      } catch (error) {
        results.push({ name, error: explain(error) });
      }
    }
  }
  return results;
}

async function limited(body, seconds = 60) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`ran longer than ${seconds} s`)), seconds * 1000);
  });
  try {
    await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function explain(error) {
  return error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
}

/** A failed assertion. */
export class AssertionError extends Error {
  name = 'AssertionError';
}

function fail(message, note) {
  throw new AssertionError(note === undefined ? message : `${note}: ${message}`);
}

function show(value) {
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} ${show([...value])}`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text !== undefined && text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

function same(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

function expected(error, pattern, note) {
  if (!(error instanceof Error)) fail(`threw ${show(error)}, not an Error`, note);
  if (pattern !== undefined && !pattern.test(`${error.name}: ${error.message}`)) {
    fail(`threw ${show(error)}, which does not match ${pattern}`, note);
  }
  return error;
}

export const assert = {
  ok(value, note) {
    if (!value) fail(`expected something true, got ${show(value)}`, note);
  },
  equal(actual, wanted, note) {
    if (!Object.is(actual, wanted)) fail(`expected ${show(wanted)}, got ${show(actual)}`, note);
  },
  /** Equal structures; typed arrays and plain arrays are different things. */
  deepEqual(actual, wanted, note) {
    if (!same(actual, wanted)) fail(`expected ${show(wanted)}, got ${show(actual)}`, note);
  },
  /** Numbers, or sequences of numbers, that differ by at most `tolerance`. NaN is close to nothing. */
  close(actual, wanted, tolerance = 1e-6, note = undefined) {
    const [a, b] = [actual, wanted].map((value) => (typeof value === 'number' ? [value] : [...value]));
    if (a.length !== b.length) fail(`expected ${b.length} numbers, got ${a.length}`, note);
    const index = a.findIndex((value, i) => !(Math.abs(value - b[i]) <= tolerance));
    if (index >= 0) fail(`expected ${b[index]}, got ${a[index]} (element ${index}, tolerance ${tolerance})`, note);
  },
  /** The function throws an Error whose `name: message` matches; returns the error. */
  throws(body, pattern, note) {
    let result;
    try {
      result = body();
    } catch (error) {
      return expected(error, pattern, note);
    }
    return fail(`expected an error, got ${show(result)}`, note);
  },
  /** The promise, or the promise that the function returns, rejects with such an Error; resolves to the error. */
  async rejects(promise, pattern, note) {
    let result;
    try {
      result = await (typeof promise === 'function' ? promise() : promise);
    } catch (error) {
      return expected(error, pattern, note);
    }
    return fail(`expected an error, got ${show(result)}`, note);
  },
};
