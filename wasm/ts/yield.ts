// Letting other tasks run.

import { inNode } from './core.js';

let channel: MessageChannel | undefined;
const waiting: (() => void)[] = [];

/**
 * Resolves in a task of its own, after those that wait already: messages, input, drawing. A message to oneself comes
 * at once where a timer would wait milliseconds.
 */
export function nextTask(): Promise<void> {
  if (inNode) return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    if (channel === undefined) {
      channel = new MessageChannel();
      channel.port1.onmessage = () => waiting.shift()?.();
    }
    waiting.push(resolve);
    channel.port2.postMessage(null);
  });
}

/** Resolves before the next frame is drawn; in workers and Node in the next task. */
export function nextFrame(): Promise<void> {
  if (typeof requestAnimationFrame === 'undefined') return nextTask();
  return new Promise((resolve) => requestAnimationFrame(() => resolve()));
}
