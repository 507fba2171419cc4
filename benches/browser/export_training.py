"""Writes what onnxruntime-web 1.19.2 trains T1 to T3 from, with random weights: python export_training.py FOLDER.

It needs onnxruntime-training 1.19.2 and onnx. Graphs are built node by node, so PyTorch, which the package
`onnxruntime.training` imports for other parts of it, is not needed.
"""

import pathlib
import sys
import types

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

# Stands for the package, so that its `__init__` is not run, which imports PyTorch.
training = types.ModuleType("onnxruntime.training")
training.__path__ = [str(pathlib.Path(onnxruntime.__file__).parent / "training")]
sys.modules["onnxruntime.training"] = training

from onnxruntime.training import artifacts, onnxblock  # noqa: E402


# The version of the format that onnxruntime 1.19 reads.
IR_VERSION = 8


class Graph:
    """Nodes and weights, grown layer by layer from the value `x`."""

    def __init__(self, shape):
        self.shape, self.last, self.nodes, self.weights, self.fixed = shape, "x", [], [], []
        self.rng = np.random.default_rng(1)

    def node(self, op, *weights, fixed=(), unused=0, **attributes):
        """An operation on the last value, weights that are trained, and values that are not; some of its results have no
        use."""
        name = f"{op}{len(self.nodes)}"
        names = [f"{name}.{i}" for i in range(len(weights) + len(fixed))]
        made = [numpy_helper.from_array(np.asarray(w), n) for w, n in zip([*weights, *fixed], names)]
        self.weights += made[:len(weights)]
        self.fixed += made[len(weights):]
        results = [name, *(f"{name}.unused{i}" for i in range(unused))]
        self.nodes.append(helper.make_node(op, [self.last, *names], results, name, **attributes))
        self.last = name
        return self

    def uniform(self, shape, fan_in, fan_out):
        limit = np.sqrt(6 / (fan_in + fan_out))
        return self.rng.uniform(-limit, limit, shape).astype(np.float32)

    def dense(self, i, o):
        return self.node("Gemm", self.uniform((i, o), i, o), np.zeros(o, np.float32))

    def conv(self, i, o, kernel, pad):
        weights = self.uniform((o, i, kernel, kernel), i * kernel**2, o * kernel**2)
        return self.node("Conv", weights, np.zeros(o, np.float32), kernel_shape=[kernel] * 2, pads=[pad] * 4)

    def relu(self):
        return self.node("Relu")

    def pool(self):
        return self.node("MaxPool", kernel_shape=[2, 2], strides=[2, 2])

    def norm(self, channels):
        zeros, ones = np.zeros(channels, np.float32), np.ones(channels, np.float32)
        return self.node("BatchNormalization", ones, zeros, fixed=[zeros, ones], unused=2, epsilon=1e-3, training_mode=1)

    def dropout(self, rate):
        return self.node("Dropout", fixed=[np.float32(rate), np.bool_(True)], unused=1)

    def model(self):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *self.shape])
        y = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, ["batch", 10])
        graph = helper.make_graph(self.nodes, "model", [x], [y], self.weights + self.fixed)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model


def mlp():
    return Graph([784]).dense(784, 128).relu().dense(128, 10)


def lenet():
    graph = Graph([1, 28, 28]).conv(1, 6, 5, 2).relu().pool().conv(6, 16, 5, 0).relu().pool()
    return graph.node("Flatten").dense(400, 120).relu().dense(120, 84).relu().dense(84, 10)


def baseline():
    graph = Graph([3, 32, 32]).conv(3, 6, 5, 2).norm(6).relu().pool().dropout(0.2)
    return graph.node("Flatten").dense(1536, 128).relu().dropout(0.2).dense(128, 10)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, graph in [("T1", mlp()), ("T2", lenet()), ("T3", baseline())]:
        artifacts.generate_artifacts(
            graph.model(),
            requires_grad=[weight.name for weight in graph.weights],
            frozen_params=[value.name for value in graph.fixed],
            loss=artifacts.LossType.CrossEntropyLoss,
            optimizer=onnxblock.optim.AdamW(eps=1e-7),
            artifact_directory=folder,
            prefix=f"{name}-",
        )
        # The optimizer's graph has the newest version of the format that the package onnx knows.
        path = folder / f"{name}-optimizer_model.onnx"
        optimizer = onnx.load(path)
        optimizer.ir_version = IR_VERSION
        onnx.save(optimizer, path)


if __name__ == "__main__":
    main()
