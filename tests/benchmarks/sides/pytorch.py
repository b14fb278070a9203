"""PyTorch: as it is written by hand, with fused optimizers, and compiled."""

import os
from functools import partial

import numpy as np
import torch
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy, log_softmax

from incrlearn.benchmark import datasets

from .. import data, processes
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


def fisher(widths, samples, chunk=None):
    """The exact Fisher information: a loop over samples and classes, or `vmap` of `grad` in chunks."""
    network = _network(widths)
    x = torch.from_numpy(data.rows_like_digits(samples, widths[0], widths[-1])[0])
    of_samples = partial(_looped, network) if chunk is None else partial(_chunked, network, chunk=chunk)

    def unit():
        squares = of_samples(x)
        pairs = [(squares[f"{k}.weight"], squares[f"{k}.bias"]) for k in range(0, len(network), 2)]
        return data.theta_of([(W.numpy() / samples, b.numpy() / samples) for W, b in pairs])

    return Work(unit, outcome=unit)


def _looped(network, x):
    """Return Σᵢ Σ_c p_c (∂ log p_c/∂θ)², one gradient at a time."""
    parameters = dict(network.named_parameters())
    squares = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    for row in x:
        log_p = log_softmax(network(row[None])[0], dim=0)
        for c in range(len(log_p)):
            gradient = torch.autograd.grad(log_p[c], parameters.values(), retain_graph=True)
            for name, part in zip(parameters, gradient, strict=True):
                squares[name] += log_p[c].detach().exp() * part.square()
    return squares


def _chunked(network, x, chunk):
    """Return the same, the gradients of a chunk of samples at once."""
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}
    squares = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}

    def log_p_of(parameters, row, c):
        log_p = log_softmax(functional_call(network, parameters, row[None])[0], dim=0)[c]
        return log_p, log_p

    gradients = vmap(grad(log_p_of, has_aux=True), in_dims=(None, 0, None))
    outputs = network[-1].out_features
    for rows in x.split(chunk):
        for c in range(outputs):
            gradient, log_p = gradients(parameters, rows, c)
            for name, part in gradient.items():
                squares[name] += torch.tensordot(log_p.exp(), part.square(), 1)
    return squares


def growth(widths, how):
    """A class more, and the next step of Adam, whose state is moved by hand; then the old head comes back."""
    network = _network(widths)
    optimizer = _optimizer(network, "adam", how)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    old = network[-1]
    states = [optimizer.state[parameter] for parameter in old.parameters()]

    def unit():
        network[-1] = new = torch.nn.Linear(old.in_features, old.out_features + 1)
        with torch.no_grad():
            for grown, parameter in zip(new.parameters(), old.parameters(), strict=True):
                grown[:-1] = parameter
        optimizer.param_groups[0]["params"] = list(network.parameters())
        for grown, state in zip(new.parameters(), states, strict=True):
            optimizer.state[grown] = {name: _padded(value) for name, value in state.items()}
            grown.grad = torch.ones_like(grown)
        optimizer.step()
        for grown in new.parameters():
            del optimizer.state[grown]
        return _theta(network)

    return Work(unit, outcome=unit)


def _padded(state):
    """Return the state of a head with a class more; the number of steps as it is."""
    return torch.cat([state, torch.zeros_like(state[:1])]) if state.ndim else state.clone()


def runs(how, steps):
    """The plain run of Split MNIST by hand: five tasks, all classes seen so far compete."""
    mnist = datasets.load("mnist")
    x, y = torch.from_numpy(mnist.x.astype(np.float32)), torch.from_numpy(mnist.y.astype(np.int64))
    x_test, y_test = torch.from_numpy(mnist.x_test.astype(np.float32)), torch.from_numpy(mnist.y_test)

    def unit():
        network = _network((784, 400, 400, 10))
        optimizer = _optimizer(network, "adam", how)
        for seen in range(2, 11, 2):
            task = torch.nonzero((y >= seen - 2) & (y < seen))[:, 0].numpy()
            batches = data.batches(len(task), 128)
            for _ in range(steps):
                rows = torch.from_numpy(task[next(batches)])
                optimizer.zero_grad()
                cross_entropy(network(x[rows])[:, :seen], y[rows]).backward()
                optimizer.step()
            with torch.inference_mode():
                accuracy = (network(x_test)[:, :seen].argmax(1) == y_test).float().mean()
        return float(accuracy)

    return Work(unit, outcome=unit)


NETWORK = """
import numpy as np, torch
network = torch.nn.Sequential(torch.nn.Linear(64, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10))
"""


def startup(what):
    """A process that loads weights and predicts a row."""
    path = str(processes.FOLDER / "torch.pt")
    torch.save(_network((64, 100, 10)).state_dict(), path)
    return processes.started(f"""{NETWORK}
network.load_state_dict(torch.load({path!r}))
with torch.inference_mode():
    network(torch.zeros(1, 64)).argmax(1).numpy()
""")


def memory(what):
    """The peak memory of a process that trains on the digits, a class at a time."""
    x, y = processes.digits(processes.FOLDER)
    return processes.peak(f"""{NETWORK}
x, y = np.load({x!r}), np.load({y!r})
optimizer = torch.optim.Adam(network.parameters(), 0.003)
for digit in range(10):
    rows = torch.from_numpy(x[y == digit]), torch.from_numpy(y[y == digit])
    for _ in range(50):
        for batch in torch.randperm(len(rows[0])).split(32):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(rows[0][batch]), rows[1][batch]).backward()
            optimizer.step()
""")
