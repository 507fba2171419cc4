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


def train_step(make, batch, kind):
    rng = np.random.default_rng(1)
    model, shape = make()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    criterion = nn.CrossEntropyLoss()
    xs = [inputs(kind, (batch, *shape), rng) for _ in range(BATCHES)]
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
