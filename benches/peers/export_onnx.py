"""Writes the models of I1, as `torch_steps.py` has them, as ONNX files, each with an input and PyTorch's output for it
as raw little-endian float32. Arguments: the folder.
"""

import pathlib
import sys

import torch

from torch_steps import NETS


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in NETS.items():
        torch.manual_seed(1)
        model, shape = make()
        model = torch.nn.Sequential(model, torch.nn.Softmax(1)).eval()
        x = torch.randn(1, *shape)
        with torch.inference_mode():
            y = model(x)
        torch.onnx.export(model, (x,), str(folder / f"{name}.onnx"), dynamo=True, external_data=False, verbose=False)
        (folder / f"{name}.input").write_bytes(x.numpy().tobytes())
        (folder / f"{name}.output").write_bytes(y.numpy().tobytes())


if __name__ == "__main__":
    main()
