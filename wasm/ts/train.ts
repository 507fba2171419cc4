// Optimizers, as `tf.train` names them.

/** How weights follow their gradients. Give it to `model.compile`. */
export class Optimizer {
  #learningRate: number;

  /** @internal Optimizers are made by `tf.train`. */
  constructor(
    /** The core's name of it. */
    readonly kind: 'sgd' | 'adam',
    learningRate: number,
    /** What follows the learning rate in the core's list of numbers. */
    readonly rest: readonly number[],
  ) {
    this.#learningRate = learningRate;
  }

  /** The step size. A change takes effect at the next step. */
  get learningRate(): number {
    return this.#learningRate;
  }

  set learningRate(rate: number) {
    this.#learningRate = rate;
  }

  /** Changes the step size from the next step on. */
  setLearningRate(rate: number): void {
    this.#learningRate = rate;
  }

  /** The name of the class, as TensorFlow.js has it. */
  getClassName(): string {
    return this.kind === 'adam' ? 'Adam' : this.rest[0] === 0 ? 'SGD' : 'Momentum';
  }
}

/** Makers of optimizers. */
export const train = {
  /** Gradient descent: `w -= learningRate * gradient`. */
  sgd(learningRate: number): Optimizer {
    return new Optimizer('sgd', learningRate, [0, 0]);
  },
  /** Gradient descent that keeps the share `momentum` of its last step. */
  momentum(learningRate: number, momentum: number, useNesterov = false): Optimizer {
    return new Optimizer('sgd', learningRate, [momentum, Number(useNesterov)]);
  },
  /** Adam (Kingma and Ba 2015). `epsilon` is added to the root, as in Keras. */
  adam(learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7): Optimizer {
    return new Optimizer('adam', learningRate, [beta1, beta2, epsilon]);
  },
};
