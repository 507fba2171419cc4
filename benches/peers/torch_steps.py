"""The PyTorch side of `bench --peers`, eager with its fused Adam. It speaks the protocol of `protocol.py`. Arguments:
the number of threads. `GRADLING_PEER_DEVICE` names a device other than the processor, such as `cuda`.
"""

import os
import sys

import numpy as np
import torch
from torch import nn

import protocol
from protocol import BATCHES


DEVICE = os.environ.get("GRADLING_PEER_DEVICE", "cpu")


def inputs(kind, shape, rng):
    return torch.from_numpy(protocol.inputs(kind, shape, rng)).to(DEVICE)


def pattern(shape, seed):
    return torch.from_numpy(protocol.pattern(shape, seed)).to(DEVICE)


def parameters(model):
    """Trainable numbers. Keras keeps one bias for a cell but GRU where PyTorch has two."""
    extra = sum(
        p.numel()
        for module in model.modules()
        if isinstance(module, (nn.RNN, nn.LSTM))
        for name, p in module.named_parameters()
        if name.startswith("bias_hh")
    )
    return sum(p.numel() for p in model.parameters()) - extra


def peak(step):
    """The most bytes that one step holds at once beyond what was there before it."""
    step(1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        step(1)
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


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
    model = model.to(DEVICE)
    model.eval()
    x = inputs(kind, (1, *shape), np.random.default_rng(1))

    @torch.inference_mode()
    def run(iterations):
        for _ in range(iterations):
            y = torch.softmax(model(x), 1)
        return float(y[0, 0])

    return {"run": run, "parameters": parameters(model)}


def train_step(make, batch, kind, regression=False):
    rng = np.random.default_rng(1)
    model, shape = make()
    model = model.to(DEVICE)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    criterion = nn.MSELoss() if regression else nn.CrossEntropyLoss()
    xs = [inputs(kind, (batch, *shape), rng) for _ in range(BATCHES)]
    if regression:
        ys = [inputs(kind, (batch, 1), rng) for _ in range(BATCHES)]
    else:
        ys = [torch.from_numpy(rng.integers(0, 10, batch)).to(DEVICE) for _ in range(BATCHES)]

    def run(iterations):
        for i in range(iterations):
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(xs[i % BATCHES]), ys[i % BATCHES])
            loss.backward()
            optimizer.step()
        return loss.item()

    memory = {"memory": lambda: peak(run)} if DEVICE == "cpu" else {}
    return {"run": run, "parameters": parameters(model), **memory}


def kernel(op, *operands, by_channels=False):
    """An op on given operands; with `by_channels` the result is NCHW."""

    @torch.inference_mode()
    def run(iterations):
        for _ in range(iterations):
            y = op(*operands)
        return float(y.ravel()[0])

    y = op(*operands)
    values = (y.permute(0, 2, 3, 1) if by_channels else y).ravel()[:4].tolist()
    return {"run": run, "values": values}


def prepare(name, batch, kind):
    steps = {"T1": mlp, "T2": lenet, "T3": baseline, "T4": resnet18}
    if name in steps:
        return train_step(steps[name], batch, kind)
    if name.startswith("T5 "):
        cell = CELLS[name[len("T5 "):]]
        return train_step(lambda: (Stock(cell), (60, 1)), batch, kind, regression=True)
    if name.startswith("I1 "):
        return infer(NETS[name[len("I1 "):]], kind)
    if name.startswith("matmul"):
        n = int(name[len("matmul"):])
        return kernel(torch.matmul, pattern((n, n), 1), pattern((n, n), 2))
    if name == "conv":
        x = pattern((1, 56, 56, 64), 1).permute(0, 3, 1, 2).contiguous()
        w = pattern((3, 3, 64, 64), 2).permute(3, 2, 0, 1).contiguous()
        return kernel(lambda x, w: nn.functional.conv2d(x, w, padding=1), x, w, by_channels=True)
    if name == "add":
        return kernel(torch.add, pattern((1000,), 1), pattern((1000,), 2))
    return None


def main():
    if DEVICE != "cpu" and not torch.cuda.is_available():
        sys.exit("PyTorch finds no CUDA device")
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    torch.set_num_interop_threads(1)
    torch.manual_seed(1)
    protocol.serve("PyTorch " + torch.__version__.split("+")[0], prepare)


if __name__ == "__main__":
    main()
