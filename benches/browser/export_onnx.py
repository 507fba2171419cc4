"""Writes the models of I1 as ONNX files, with random weights: python export_onnx.py FOLDER (needs torch and onnx)."""

import sys
from pathlib import Path

import torch
from torch import nn


def normed(c, o, kernel, stride, groups=1):
    return [nn.Conv2d(c, o, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]


class Block(nn.Module):
    """A basic block of ResNet."""

    def __init__(self, c, o, stride):
        super().__init__()
        self.body = nn.Sequential(*normed(c, o, 3, stride), nn.ReLU(), *normed(o, o, 3, 1))
        self.short = nn.Sequential(*(normed(c, o, 1, stride) if stride != 1 else []))

    def forward(self, x):
        return torch.relu(self.body(x) + self.short(x))


class Inverted(nn.Module):
    """An inverted residual of MobileNetV2."""

    def __init__(self, c, o, stride, expansion):
        super().__init__()
        wide = c * expansion
        layers = [*normed(c, wide, 1, 1), nn.ReLU6()] if expansion > 1 else []
        layers += [*normed(wide, wide, 3, stride, wide), nn.ReLU6(), *normed(wide, o, 1, 1)]
        self.body = nn.Sequential(*layers)
        self.skips = stride == 1 and c == o

    def forward(self, x):
        return self.body(x) + x if self.skips else self.body(x)


def mlp():
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10), nn.Softmax(1))


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10), nn.Softmax(1),
    )


def resnet18():
    layers, c = [*normed(3, 64, 3, 1), nn.ReLU()], 64
    for i, o in enumerate([64, 128, 256, 512]):
        for first in (True, False):
            layers.append(Block(c, o, 2 if first and i > 0 else 1))
            c = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10), nn.Softmax(1))


def mobilenetv2():
    layers, c = [*normed(3, 32, 3, 2), nn.ReLU6()], 32
    rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, o, repetitions, stride in rows:
        for n in range(repetitions):
            layers.append(Inverted(c, o, stride if n == 0 else 1, expansion))
            c = o
    layers += [*normed(320, 1280, 1, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    return nn.Sequential(*layers, nn.Softmax(1))


folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for make, shape in [(mlp, [784]), (lenet, [1, 28, 28]), (resnet18, [3, 32, 32]), (mobilenetv2, [3, 224, 224])]:
    torch.manual_seed(1)
    path = str(folder / f"{make.__name__}.onnx")
    torch.onnx.export(make().eval(), (torch.zeros(1, *shape),), path, input_names=["x"], output_names=["y"], dynamo=False)
