"""The PyTorch side of `bench --peers`: one JSON request a line on stdin, one JSON answer a line on stdout.

    {"prepare": "T1", "batch": 32, "input": "normal"}   -> {"id": 0, "system": "PyTorch 2.15.0"}
    {"run": 0, "iterations": 100}                       -> {"seconds": 0.054}

The asking process decides when a repetition runs, so that systems can be interleaved. Arguments: the number of
threads.
"""

import json
import sys
import time

import numpy as np
import torch
from torch import nn

BATCHES = 16


def inputs(kind, shape, rng):
    if kind == "uniform":
        return torch.from_numpy(rng.random(shape, dtype=np.float32))
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def mlp():
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)), (784,)


def lenet():
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )
    return model, (1, 28, 28)


def baseline():
    model = nn.Sequential(
        nn.Conv2d(3, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.2),
        nn.Flatten(), nn.Linear(1536, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10),
    )
    return model, (3, 32, 32)


def normed(channels, filters, kernel, stride=1, groups=1):
    conv = nn.Conv2d(channels, filters, kernel, stride, kernel // 2, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(filters)


class Residual(nn.Module):
    """`after(path(x) + shortcut(x))`."""

    def __init__(self, path, shortcut, after):
        super().__init__()
        self.path, self.shortcut, self.after = path, shortcut, after

    def forward(self, x):
        return self.after(self.path(x) + self.shortcut(x))


def resnet18():
    layers, channels = [*normed(3, 64, 3), nn.ReLU()], 64
    for block, filters in enumerate((64, 128, 256, 512)):
        for layer in range(2):
            stride = 2 if block > 0 and layer == 0 else 1
            path = nn.Sequential(*normed(channels, filters, 3, stride), nn.ReLU(), *normed(filters, filters, 3))
            shortcut = nn.Sequential(*normed(channels, filters, 1, 2)) if stride == 2 else nn.Identity()
            layers.append(Residual(path, shortcut, nn.ReLU()))
            channels = filters
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)]
    return nn.Sequential(*layers), (3, 32, 32)


def mobilenet_v2():
    layers, channels = [*normed(3, 32, 3, 2), nn.ReLU6()], 32
    blocks = (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)
    for expansion, filters, repetitions, first in blocks:
        for n in range(repetitions):
            stride = first if n == 0 else 1
            wide = expansion * channels
            path = [*normed(channels, wide, 1), nn.ReLU6()] if expansion > 1 else []
            path += [*normed(wide, wide, 3, stride, groups=wide), nn.ReLU6(), *normed(wide, filters, 1)]
            skips = stride == 1 and channels == filters
            path = nn.Sequential(*path)
            layers.append(Residual(path, nn.Identity(), nn.Identity()) if skips else path)
            channels = filters
    layers += [*normed(320, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    return nn.Sequential(*layers), (3, 224, 224)


class Stock(nn.Module):
    """Two recurrent layers and a dense one."""

    def __init__(self, cell):
        super().__init__()
        self.first, self.second = cell(1, 80, batch_first=True), cell(80, 100, batch_first=True)
        self.dropout, self.last = nn.Dropout(0.2), nn.Linear(100, 1)

    def forward(self, x):
        y = self.dropout(self.first(x)[0])
        return self.last(self.dropout(self.second(y)[0][:, -1]))


CELLS = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
NETS = {"Mlp": mlp, "LeNet": lenet, "ResNet18": resnet18, "MobileNetV2": mobilenet_v2}


def infer(make, kind):
    model, shape = make()
    model.eval()
    x = inputs(kind, (1, *shape), np.random.default_rng(1))

    @torch.inference_mode()
    def run(iterations):
        for _ in range(iterations):
            y = torch.softmax(model(x), 1)
        return float(y[0, 0])

    return run


def train_step(make, batch, kind, regression=False):
    rng = np.random.default_rng(1)
    model, shape = make()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    criterion = nn.MSELoss() if regression else nn.CrossEntropyLoss()
    xs = [inputs(kind, (batch, *shape), rng) for _ in range(BATCHES)]
    if regression:
        ys = [inputs(kind, (batch, 1), rng) for _ in range(BATCHES)]
    else:
        ys = [torch.from_numpy(rng.integers(0, 10, batch)) for _ in range(BATCHES)]

    def run(iterations):
        for i in range(iterations):
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(xs[i % BATCHES]), ys[i % BATCHES])
            loss.backward()
            optimizer.step()
        return loss.item()

    return run


def matmul(n, kind):
    rng = np.random.default_rng(1)
    a, b = inputs(kind, (n, n), rng), inputs(kind, (n, n), rng)

    @torch.inference_mode()
    def run(iterations):
        for _ in range(iterations):
            c = a @ b
        return float(c[0, 0])

    return run


def conv(kind):
    rng = np.random.default_rng(1)
    x = inputs(kind, (1, 64, 56, 56), rng)
    w = inputs(kind, (64, 64, 3, 3), rng)

    @torch.inference_mode()
    def run(iterations):
        for _ in range(iterations):
            y = nn.functional.conv2d(x, w, padding=1)
        return float(y[0, 0, 0, 0])

    return run


def add(kind):
    rng = np.random.default_rng(1)
    a, b = inputs(kind, (1000,), rng), inputs(kind, (1000,), rng)

    @torch.inference_mode()
    def run(iterations):
        for _ in range(iterations):
            c = a + b
        return float(c[0])

    return run


def prepare(request):
    name, batch, kind = request["prepare"], request.get("batch", 1), request.get("input", "normal")
    if name == "T1":
        return train_step(mlp, batch, kind)
    if name == "T2":
        return train_step(lenet, batch, kind)
    if name == "T3":
        return train_step(baseline, batch, kind)
    if name == "T4":
        return train_step(resnet18, batch, kind)
    if name.startswith("T5 "):
        cell = CELLS[name[len("T5 "):]]
        return train_step(lambda: (Stock(cell), (60, 1)), batch, kind, regression=True)
    if name.startswith("I1 "):
        return infer(NETS[name[len("I1 "):]], kind)
    if name.startswith("matmul"):
        return matmul(int(name[len("matmul"):]), kind)
    if name == "conv":
        return conv(kind)
    if name == "add":
        return add(kind)
    raise ValueError(f"no workload {name}")


def main():
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    torch.set_num_interop_threads(1)
    torch.manual_seed(1)
    jobs = []
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                jobs.append(prepare(request))
                answer = {"id": len(jobs) - 1, "system": "PyTorch " + torch.__version__.split("+")[0]}
            else:
                job = jobs[request["run"]]
                start = time.perf_counter()
                job(request["iterations"])
                answer = {"seconds": time.perf_counter() - start}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
