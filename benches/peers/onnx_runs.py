"""Inference by onnxruntime of the models that `export_onnx.py` wrote, and a convolution. It speaks the protocol of
`protocol.py`. Arguments: the number of threads and the folder of the models.
"""

import pathlib
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from protocol import pattern, serve


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(sys.argv[1])
    options.inter_op_num_threads = 1
    # A thread that waits must not take time from the system that runs next.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def runner(made, x):
    name = made.get_inputs()[0].name

    def run(iterations):
        for _ in range(iterations):
            made.run(None, {name: x})

    return run, made.run(None, {name: x})[0]


def infer(net):
    folder = pathlib.Path(sys.argv[2])
    made = session(str(folder / f"{net}.onnx"))
    shape = made.get_inputs()[0].shape
    x = np.fromfile(folder / f"{net}.input", np.float32).reshape(shape)
    run, y = runner(made, x)
    if not np.allclose(y.ravel(), np.fromfile(folder / f"{net}.output", np.float32), atol=1e-3):
        raise ValueError(f"onnxruntime computes something else than the exported {net}")
    return {"run": run}


def conv():
    x = np.ascontiguousarray(pattern((1, 56, 56, 64), 1).transpose(0, 3, 1, 2))
    w = np.ascontiguousarray(pattern((3, 3, 64, 64), 2).transpose(3, 2, 0, 1))
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    operand = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, x.shape)
    graph = helper.make_graph([node], "conv", [operand], [result], [numpy_helper.from_array(w, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    run, y = runner(session(model.SerializeToString()), x)
    return {"run": run, "values": y.transpose(0, 2, 3, 1).ravel()[:4].tolist()}


def prepare(name, batch, kind):
    if name.startswith("I1 "):
        return infer(name[len("I1 "):])
    if name == "conv":
        return conv()
    return "onnxruntime only infers"


if __name__ == "__main__":
    serve("onnxruntime " + onnxruntime.__version__, prepare)
