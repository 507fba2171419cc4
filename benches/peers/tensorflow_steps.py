"""The TensorFlow side of `bench --peers`: train steps and inference as `tf.function` graphs. It speaks the protocol of
`torch_steps.py`. Arguments: the number of threads.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from keras import Sequential, layers, losses, optimizers

from protocol import BATCHES, inputs, pattern, serve


def mlp():
    return [layers.Input((784,)), layers.Dense(128, activation="relu"), layers.Dense(10)]


def lenet():
    return [
        layers.Input((28, 28, 1)),
        layers.Conv2D(6, 5, padding="same", activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(16, 5, activation="relu"), layers.MaxPooling2D(),
        layers.Flatten(), layers.Dense(120, activation="relu"), layers.Dense(84, activation="relu"), layers.Dense(10),
    ]


def baseline():
    return [
        layers.Input((32, 32, 3)),
        layers.Conv2D(6, 5, padding="same"), layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(),
        layers.Dropout(0.2), layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dropout(0.2),
        layers.Dense(10),
    ]


def stock(cell):
    return lambda: [
        layers.Input((60, 1)),
        cell(80, return_sequences=True), layers.Dropout(0.2), cell(100), layers.Dropout(0.2), layers.Dense(1),
    ]


def normed(x, filters, kernel, stride=1):
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False)(x)
    return layers.BatchNormalization()(x)


def resnet18():
    import keras

    start = keras.Input((32, 32, 3))
    x = layers.ReLU()(normed(start, 64, 3))
    for block, filters in enumerate((64, 128, 256, 512)):
        for layer in range(2):
            stride = 2 if block > 0 and layer == 0 else 1
            y = normed(layers.ReLU()(normed(x, filters, 3, stride)), filters, 3)
            shortcut = normed(x, filters, 1, 2) if stride == 2 else x
            x = layers.ReLU()(layers.Add()([y, shortcut]))
    return keras.Model(start, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def mobilenet_v2():
    import keras

    return keras.applications.MobileNetV2(weights=None, classifier_activation=None)


CELLS = {"SimpleRNN": layers.SimpleRNN, "LSTM": layers.LSTM, "GRU": layers.GRU}
NETS = {"Mlp": mlp, "LeNet": lenet, "ResNet18": resnet18, "MobileNetV2": mobilenet_v2}


def made(make):
    model = make()
    return Sequential(model) if isinstance(model, list) else model


def infer(make, kind):
    model = made(make)
    x = tf.constant(inputs(kind, (1, *model.input_shape[1:]), np.random.default_rng(1)))
    predict = tf.function(lambda x: tf.nn.softmax(model(x, training=False)))

    def run(iterations):
        for _ in range(iterations):
            predict(x).numpy()

    return {"run": run, "parameters": trained(model)}


def trained(model):
    return int(sum(np.prod(w.shape) for w in model.trainable_weights))


def train_step(make, batch, kind, regression=False):
    rng = np.random.default_rng(1)
    model = made(make)
    optimizer = optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    criterion = losses.MeanSquaredError() if regression else losses.SparseCategoricalCrossentropy(from_logits=True)
    xs = [tf.constant(inputs(kind, (batch, *model.input_shape[1:]), rng)) for _ in range(BATCHES)]
    if regression:
        ys = [tf.constant(inputs(kind, (batch, 1), rng)) for _ in range(BATCHES)]
    else:
        ys = [tf.constant(rng.integers(0, 10, batch)) for _ in range(BATCHES)]

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = criterion(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss

    def run(iterations):
        for i in range(iterations):
            loss = step(xs[i % BATCHES], ys[i % BATCHES])
        loss.numpy()

    return {"run": run, "parameters": trained(model)}


def kernel(op, *operands):
    op = tf.function(op)
    operands = [tf.constant(x) for x in operands]

    def run(iterations):
        for _ in range(iterations):
            y = op(*operands)
        y.numpy()

    return {"run": run, "values": op(*operands).numpy().ravel()[:4].tolist()}


def prepare(name, batch, kind):
    steps = {"T1": mlp, "T2": lenet, "T3": baseline, "T4": resnet18}
    if name in steps:
        return train_step(steps[name], batch, kind)
    if name.startswith("T5 "):
        return train_step(stock(CELLS[name[3:]]), batch, kind, regression=True)
    if name.startswith("I1 "):
        return infer(NETS[name[3:]], kind)
    if name.startswith("matmul"):
        n = int(name[len("matmul"):])
        return kernel(tf.matmul, pattern((n, n), 1), pattern((n, n), 2))
    if name == "conv":
        return kernel(
            lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), pattern((1, 56, 56, 64), 1), pattern((3, 3, 64, 64), 2)
        )
    if name == "add":
        return kernel(tf.add, pattern((1000,), 1), pattern((1000,), 2))
    return None


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.random.set_seed(1)
    serve("TensorFlow " + tf.__version__, prepare)
