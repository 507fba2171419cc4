// The smallest page that trains the MLP: what `cargo xtask size` weighs.

import * as tf from 'gradling/mlp';

/** Trains on `count` pictures of 28 x 28 numbers in [0, 1] and their digits; returns the ten probabilities of the first. */
export async function train(pictures, digits, count) {
  const model = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [28, 28] }),
      tf.layers.dense({ units: 128, activation: 'relu' }),
      tf.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  const xs = tf.tensor3d(pictures, [count, 28, 28]);
  const ys = tf.tensor1d(digits);
  await model.fit(xs, ys, { epochs: 1, batchSize: 32 });
  return model.predict(tf.tensor3d(pictures.slice(0, 784), [1, 28, 28])).data();
}
