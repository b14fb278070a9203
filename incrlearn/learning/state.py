"""State: a learner taken apart into JSON and arrays, and put together again, bit for bit.

`FIELDS` is the whole of what a learner may consist of: which classes, what each of them holds, and what kind
of value that must be. What does not stand there is neither written nor read, so that a file can only ever
become a learner, whoever made it. What no single field can tell, `check_learner` looks at.

    take_apart(learner) ─► JSON, {name: array}          put_together(JSON, arrays) ─► learner
"""

import math
from itertools import pairwise

import numpy as np

from .. import _checks
from ..network import (
    INITIALIZATIONS,
    SGD,
    Adam,
    Layer,
    Linear,
    Network,
    ReLU,
    Sigmoid,
    Standardize,
    StandardizeSparse,
    Tanh,
)
from .learner import Learner
from .memory import ClassBalancedMemory, Everything, Memory, ReservoirMemory, SharedMemory
from .methods import Method
from .samples import ALL, Classes, Samples, StandardizedValues, Values
from .terms import (
    DIVERGENCES,
    L1,
    L2,
    BinaryCrossEntropy,
    CrossEntropy,
    ElasticNet,
    Features,
    Logits,
    Loss,
    Relations,
    Replay,
    SquaredError,
    Term,
)

LARGEST = 2**53


class StateError(ValueError):
    """A value is not of the kind that stands in its place."""


# ---- kinds: what a field may hold ----------------------------------------------------------------------


def flag(value):
    """True or False."""
    return isinstance(value, bool)


def count(value):
    """A whole number ≥ 0."""
    return type(value) is int and 0 <= value < LARGEST


def index(value):
    """A whole number, maybe negative."""
    return type(value) is int and abs(value) < LARGEST


def number(value):
    """A finite number ≥ 0: all settings of terms and optimizers are."""
    return type(value) in (int, float) and 0 <= value < math.inf


def share(value):
    """A number in [0, 1]."""
    return number(value) and value <= 1


def floats(value):
    """A vector of finite floats."""
    return (
        isinstance(value, np.ndarray)
        and value.ndim == 1
        and value.dtype in (np.float32, np.float64)
        and bool(np.isfinite(value).all())
    )


def matrix(value):
    """A matrix of finite floats."""
    return isinstance(value, np.ndarray) and value.ndim == 2 and floats(value.reshape(-1))


def integers(value):
    """A vector of integers."""
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype == np.int64


def labels(value):
    """A vector of integer, string or boolean labels, each but once."""
    return (
        isinstance(value, np.ndarray)
        and value.ndim == 1
        and (value.dtype in (np.int64, np.bool_) or value.dtype.kind == "U")
        and len(np.unique(value)) == len(value)
    )


def features(value):
    """A matrix of finite floats, or a sparse one."""
    return matrix(value) or (_checks.is_sparse(value) and floats(value.data))


def targets(value):
    """Outputs of samples, or their values."""
    return integers(value) or matrix(value)


def precision(value):
    """float32 or float64."""
    return isinstance(value, np.dtype) and value in (np.float32, np.float64)


def generator(value):
    """A generator of NumPy's default kind."""
    return isinstance(value, np.random.Generator) and isinstance(value.bit_generator, np.random.PCG64)


def one_of(*options):
    """Return the kind that is one of the options."""
    return lambda value: any(value is option or value == option for option in options)


def a(*classes):
    """Return the kind that is an object of one of the classes."""
    return lambda value: isinstance(value, classes)


def maybe(kind):
    """Return the kind that may be missing."""
    return lambda value: value is None or kind(value)


def list_of(kind):
    """Return the kind that is a list."""
    return lambda value: isinstance(value, list) and all(map(kind, value))


def by_task(kind):
    """Return the kind that is a dictionary from tasks' ids."""
    return lambda value: isinstance(value, dict) and all(map(kind, value.values()))


def columns(value):
    """Say whether value selects outputs: a slice, or integers."""
    if isinstance(value, slice):
        return value.step is None and all(map(maybe(count), (value.start, value.stop)))
    return integers(value)


_anchored = {"strength": number, "anchored": flag, "anchor": maybe(floats), "tasks": count}
_taught = {"teacher": maybe(a(Network)), "given": flag, "heads": maybe(list_of(columns))}
_reservoir = {"samples": maybe(a(Samples)), "size": count, "keys": floats}

#: everything that a learner may consist of
FIELDS = {
    Linear: {"inputs": count, "outputs": count, "bias": flag, "initialization": one_of(*INITIALIZATIONS)},
    ReLU: {},
    Tanh: {},
    Sigmoid: {},
    Standardize: {
        **{"inputs": count, "count": count, "dtype": precision},
        **{"mean": floats, "squares": floats, "scale": floats},
    },
    StandardizeSparse: {
        **{"inputs": count, "scaled": flag, "dtype": precision},
        **{"columns": integers, "filled": floats, "squares": floats, "scale": floats},
    },
    Network: {"layers": list_of(a(Layer)), "dtype": precision, "_theta": floats},
    SGD: {"learning_rate": number, "momentum": share, "v": maybe(floats)},
    Adam: {
        **{"learning_rate": number, "beta1": share, "beta2": share, "epsilon": number},
        **{"m": maybe(floats), "v": maybe(floats), "t": count},
    },
    CrossEntropy: {},
    BinaryCrossEntropy: {},
    SquaredError: {"targets": one_of(Values, StandardizedValues)},
    Replay: {
        **{"alpha": lambda value: value in ("1/k", "n/N") or share(value)},
        **{"loss": maybe(a(Loss)), "tasks": count, "n": count, "seen": count},
    },
    Logits: {**_taught, "alpha": share, "T": number, "divergence": one_of(*DIVERGENCES.values())},
    Features: {**_taught, "at": index, "strength": number, "R": maybe(matrix)},
    Relations: {**_taught, "at": index, "distance": number, "angle": number},
    L1: _anchored,
    L2: _anchored,
    ElasticNet: {**_anchored, "ratio": share},
    Samples: {"x": features, "y": targets, "task": integers},
    ReservoirMemory: _reservoir,
    ClassBalancedMemory: {**_reservoir, "per_class": count},
    SharedMemory: {**_reservoir, "seen": floats},
    Everything: {"samples": maybe(a(Samples))},
    Method: {"terms": list_of(a(Term)), "memory": maybe(a(Memory))},
    Classes: {"labels": maybe(labels), "tasks": by_task(integers), "untold": integers},
    Values: {"tasks": by_task(columns)},
    StandardizedValues: {
        **{"tasks": by_task(columns), "statistics": maybe(a(Standardize)), "moved": one_of(None)},
    },
    Learner: {
        **{"network": a(Network), "terms": list_of(a(Term)), "memory": maybe(a(Memory)), "rng": generator},
        **{"loss": a(Loss), "optimizer": a(SGD, Adam), "_targets": a(Classes, Values)},
        **{"batch_size": count, "epochs": count, "steps": maybe(count), "n_tasks": count},
        **{"objective_values": list_of(lambda value: type(value) is float)},
    },
}
_CLASSES = {kind.__name__: kind for kind in FIELDS}
#: functions and classes that stand in a field, by name
_NAMED = {
    **{f"divergence {name}": function for name, function in DIVERGENCES.items()},
    **{f"targets {kind.__name__}": kind for kind in (Values, StandardizedValues)},
}


# ---- taking apart --------------------------------------------------------------------------------------


def take_apart(thing, name="model"):
    """Return a learner, or what it consists of, as JSON values and named arrays.

    Parameters
    ----------
    thing : object
        Of the classes in `FIELDS`, or a list, tuple, dictionary, number, string, array of such.
    name : str
        What the thing is called, the beginning of the arrays' names.

    Returns
    -------
    tree : JSON value
    arrays : dict of str to ndarray

    Raises
    ------
    TypeError
        If something in it is of a class of one's own, which no file could bring back.

    Examples
    --------
    >>> take_apart(SGD(0.5), "optimizer")
    ({'class': 'SGD', 'learning_rate': 0.5, 'momentum': 0.0, 'v': None}, {})
    """
    arrays = {}
    return _apart(thing, name, arrays), arrays


def _apart(thing, name, arrays):
    if thing is None or type(thing) in (bool, int, str):
        return thing
    if type(thing) is float:
        return thing if math.isfinite(thing) else {"float": repr(thing)}
    if type(thing) is list and thing and all(type(part) is float for part in thing):
        return {"floats": _apart(np.array(thing), name, arrays)}
    if type(thing) is list:
        return [_apart(part, f"{name}.{k}", arrays) for k, part in enumerate(thing)]
    if type(thing) is tuple:
        return {"tuple": _apart(list(thing), name, arrays)}
    if type(thing) is dict and all(map(_is_word, thing)):
        return {"dict": {key: _apart(value, f"{name}.{key}", arrays) for key, value in thing.items()}}
    if type(thing) is dict:
        return {"pairs": _apart([list(pair) for pair in thing.items()], name, arrays)}
    if type(thing) in FIELDS:
        fields = FIELDS[type(thing)]
        parts = {
            field: _apart(getattr(thing, field), f"{name}.{field.lstrip('_')}", arrays) for field in fields
        }
        return {"class": type(thing).__name__, **parts}
    return _apart_array(thing, name, arrays)


def _is_word(key):
    """Say whether a key can stand in an array's name."""
    return isinstance(key, str) and key.isidentifier() and key.isascii()


def _apart_array(thing, name, arrays):
    if isinstance(thing, np.generic):
        return _apart(thing.item(), name, arrays)
    if isinstance(thing, np.ndarray):
        while name in arrays:
            name += "_"
        arrays[name] = thing
        return {"array": name}
    if _checks.is_sparse(thing):
        parts = [np.asarray(thing.indices, np.int64), np.asarray(thing.indptr, np.int64)]
        return {"csr": _apart([thing.data, *parts, list(map(int, thing.shape))], name, arrays)}
    if isinstance(thing, np.dtype):
        return {"dtype": thing.name}
    if isinstance(thing, slice):
        return {"slice": [thing.start, thing.stop]}
    if generator(thing):
        return {"generator": thing.bit_generator.state}
    for known, value in _NAMED.items():
        if thing is value:
            return {"named": known}
    raise TypeError(f"{name} can not be saved: no file brings back the class {type(thing).__name__}")


# ---- putting together ----------------------------------------------------------------------------------


def put_together(tree, arrays, name="model"):
    """Return what `take_apart` took apart: the same thing, or an error.

    Parameters
    ----------
    tree : JSON value
    arrays : dict of str to ndarray
    name : str
        What the thing is called in an error.

    Returns
    -------
    object

    Raises
    ------
    StateError
        If a class is unknown, a field is missing or too many, or holds a value of another kind.

    Examples
    --------
    >>> put_together(*take_apart(SGD(0.5)))
    SGD(learning_rate=0.5, momentum=0.0)
    """
    if tree is None or type(tree) in (bool, int, float, str):
        return tree
    if type(tree) is list:
        return [put_together(part, arrays, f"{name}.{k}") for k, part in enumerate(tree)]
    if "class" in tree:
        return _object(tree, arrays, name)
    ((what, content),) = tree.items()
    if what not in _READERS:
        raise StateError(f"{name} is of the unknown kind {what!r}")
    return _READERS[what](content, arrays, name)


def _object(tree, arrays, name):
    kind = _CLASSES.get(tree["class"])
    if kind is None or set(tree) != {"class", *FIELDS[kind]}:
        raise StateError(f"{name} is not a {tree['class']} with the fields of this version")
    state = {}
    for field, fits in FIELDS[kind].items():
        state[field] = put_together(tree[field], arrays, f"{name}.{field}")
        if not fits(state[field]):
            raise StateError(f"{name}.{field} does not hold what a {kind.__name__} must have there")
    thing = object.__new__(kind)
    if kind is Network:
        _check_layers(state, name)
        thing.__setstate__(state)
    else:
        vars(thing).update(state)
    return thing


def _csr(content, arrays, name):
    from scipy.sparse import csr_array

    data, indices, indptr, shape = put_together(content, arrays, name)
    plain = floats(data) and integers(indices) and integers(indptr)
    if not plain or len(shape) != 2 or not all(map(count, shape)):
        raise StateError(f"{name} is not a sparse matrix")
    array = csr_array((data, indices, indptr), shape=tuple(shape))
    array.check_format(full_check=True)
    return array


def _generator(content, arrays, name):
    bits = np.random.PCG64(0)
    bits.state = content
    return np.random.Generator(bits)


def _dict(content, arrays, name):
    return {key: put_together(value, arrays, f"{name}.{key}") for key, value in content.items()}


_READERS = {
    "array": lambda content, arrays, name: arrays[content],
    "csr": _csr,
    "dict": _dict,
    "dtype": lambda content, arrays, name: np.dtype({"float32": np.float32, "float64": np.float64}[content]),
    "float": lambda content, arrays, name: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content],
    "floats": lambda content, arrays, name: put_together(content, arrays, name).tolist(),
    "generator": _generator,
    "named": lambda content, arrays, name: _NAMED[content],
    "pairs": lambda content, arrays, name: dict(put_together(content, arrays, name)),
    "slice": lambda content, arrays, name: slice(*content),
    "tuple": lambda content, arrays, name: tuple(put_together(content, arrays, name)),
}


# ---- what no single field can tell ---------------------------------------------------------------------


def check_learner(learner):
    """Raise a StateError unless the parts of a learner fit together.

    Parameters
    ----------
    learner : Learner
        As `put_together` has made it.

    Raises
    ------
    StateError
        If sizes differ that must be equal, or an index points nowhere.
    """
    network, targets, size = learner.network, learner._targets, len(learner.network.theta)
    _require(type(targets) is learner.loss.targets, "the loss and its targets are of one kind")
    _require(learner.batch_size and learner.epochs and learner.steps != 0, "batch_size and epochs are ≥ 1")
    _require(learner.optimizer.learning_rate > 0, "the learning rate is > 0")
    for vector in vars(learner.optimizer).values():
        _require(not isinstance(vector, np.ndarray) or len(vector) <= size, "moments are no longer than θ")
    _check_targets(targets, network)
    for memory in (learner.memory, *(vars(term).get("memory") for term in learner.terms)):
        if memory is not None and memory.samples is not None:
            _check_memory(memory, learner)
    for term in learner.terms:
        anchor, teacher = vars(term).get("anchor"), vars(term).get("teacher")
        _require(anchor is None or len(anchor) <= size, "an anchor is no longer than θ")
        if teacher is not None:
            _require(teacher.inputs == network.inputs, "a teacher takes what the student takes")
            for head in term.heads or []:
                last = (head.stop or 0) - 1 if isinstance(head, slice) else head.max(initial=-1)
                _require(last < teacher.outputs, "a teacher's heads are its outputs")


def _require(holds, what):
    if not holds:
        raise StateError(f"its parts do not fit together: not true that {what}")


def _check_layers(state, name):
    """Look at a network before it exists: binding it takes every size for granted."""
    layers, theta = state["layers"], state["_theta"]
    _require(layers and isinstance(layers[-1], Linear), f"{name} has layers, the last a Linear")
    width = None
    for layer in layers:
        width = layer.connect(width)
    empty = [layer for layer in layers if isinstance(layer, Linear) and not layer.outputs]
    _require(not empty, f"{name} has units in every layer")
    for layer, behind in pairwise(layers):
        front = isinstance(layer, Standardize | StandardizeSparse)
        _require(not front or layer is layers[0], f"{name} standardizes in front only")
        _require(not front or (isinstance(behind, Linear) and behind.bias), f"{name} compensates what moves")
    _require(sum(layer.n_parameters for layer in layers) == len(theta), f"{name}'s layers make up its θ")
    _require(theta.dtype == state["dtype"], f"{name}'s θ has its dtype")
    front = layers[0]
    if isinstance(front, Standardize):
        _check_statistics(front)
    if isinstance(front, StandardizeSparse):
        vectors = front.filled, front.squares, front.scale, np.unique(front.columns)
        _require({len(front.columns)} == {len(v) for v in vectors}, "every column has its statistics")
        _require(((front.columns >= 0) & (front.columns < front.inputs)).all(), "columns are inputs")
        _require((front.filled > 0).all() and (front.scale > 0).all(), "scales are > 0")


def _check_statistics(statistics):
    vectors = statistics.mean, statistics.squares, statistics.scale
    _require(all(len(v) == statistics.inputs for v in vectors), "every feature has its statistics")
    _require((statistics.scale > 0).all() and (statistics.squares >= 0).all(), "scales are > 0")


def _check_targets(targets, network):
    if isinstance(targets, Classes):
        _require(len(targets) <= network.outputs, "every class has an output")
        for outputs in (targets.untold, *targets.tasks.values()):
            ordered = np.unique(outputs)
            _require(np.array_equal(outputs, ordered), "a task's outputs are in order")
            _require(((outputs >= 0) & (outputs < len(targets))).all(), "a task's outputs are of classes")
        _require(all(len(outputs) for outputs in targets.tasks.values()), "a task has classes")
    else:
        _require(all(columns == ALL for columns in targets.tasks.values()), "a task's outputs are all")
        if isinstance(targets, StandardizedValues) and targets.statistics is not None:
            _require(targets.statistics.inputs == network.outputs, "every value has an output")
            _check_statistics(targets.statistics)


def _check_memory(memory, learner):
    x, y, task = memory.samples.x, memory.samples.y, memory.samples.task
    n, targets = len(y), learner._targets
    _require(x.shape == (n, learner.network.inputs), "remembered rows have all features")
    _require(len(task) == n and n > 0, "remembered rows have a task each")
    _require(n == len(vars(memory).get("keys", y)), "remembered rows have a key each")
    _require(((task >= -1) & (task < max(len(targets.tasks), 1))).all(), "a task's number is one of a task")
    if isinstance(targets, Values):
        _require(y.ndim == 2 and y.shape[1] == learner.network.outputs, "remembered values have all outputs")
        return
    _require(y.ndim == 1 and integers(y) and ((y >= 0) & (y < len(targets))).all(), "labels are known")
    seen = vars(memory).get("seen")
    _require(seen is None or (len(seen) > y.max() and (seen[y] > 0).all()), "remembered classes were seen")
