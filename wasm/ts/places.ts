// What `tf.io` offers.

export { browserDownloads, browserFiles, removeModel } from './io.js';
