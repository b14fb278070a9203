"""PyTorch: as it is written by hand, with fused optimizers, and compiled."""

import os

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from .. import data
from . import STEPS, Work

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def _network(widths):
    layers = []
    for W, b in data.parameters(widths):
        layer = torch.nn.Linear(W.shape[1], W.shape[0])
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(W))
            layer.bias.copy_(torch.from_numpy(b))
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def _optimizer(network, name, how):
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[name]
    return kind(network.parameters(), lr=STEPS[name], fused=None if how == "eager" else True)


def _theta(network):
    layers = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
    return data.theta_of([(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in layers])


def step(widths, batch, optimizer, how):
    """A step: how is "eager", "fused" (the optimizer), or "compiled" (network and loss, fused optimizer)."""
    x, y = map(torch.from_numpy, data.samples_for(widths))
    network = _network(widths)
    optimizer = _optimizer(network, optimizer, how)
    batches = data.batches(len(x), batch)

    def loss_of(x, y):
        return cross_entropy(network(x), y)

    if how == "compiled":
        loss_of = torch.compile(loss_of, dynamic=False)

    def unit():
        rows = torch.from_numpy(next(batches))
        optimizer.zero_grad()
        loss_of(x[rows], y[rows]).backward()
        optimizer.step()

    return Work(unit, outcome=lambda: _theta(network))


def predict(widths, rows, how):
    """Labels for rows: how is "eager" or "compiled"."""
    network = _network(widths)
    run = torch.compile(network, dynamic=False) if how == "compiled" else network
    x, _ = data.rows_like_digits(rows, widths[0], widths[-1])

    def unit():
        with torch.inference_mode():
            return run(torch.from_numpy(x)).argmax(1).numpy()

    return Work(unit, outcome=lambda: np.array(unit()))
