"""State: a learner taken apart into JSON and arrays, and put together again, bit for bit.

`FIELDS` is the whole of what a learner may consist of: which classes, what each of them holds, and what kind
of value that must be. What does not stand there is neither written nor read, so that a file can only ever
become a learner, whoever made it. What no single field can tell, `WHOLE` looks at for each object, and
`check_learner` for all of them together.

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


def size(value):
    """A whole number ≥ 1."""
    return count(value) and value > 0


def index(value):
    """A whole number, maybe negative."""
    return type(value) is int and abs(value) < LARGEST


def number(value):
    """A finite number ≥ 0."""
    return count(value) or (type(value) is float and 0 <= value < math.inf)


def positive(value):
    """A finite number > 0."""
    return number(value) and value > 0


def share(value):
    """A number in [0, 1]."""
    return number(value) and value <= 1


def rate(value):
    """A number in [0, 1)."""
    return number(value) and value < 1


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


def counts(value):
    """A vector of whole numbers ≥ 0, as floats."""
    return floats(value) and bool(((value >= 0) & (value < LARGEST) & (value == np.floor(value))).all())


def integers(value):
    """A vector of integers."""
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype == np.int64


def labels(value):
    """A vector of integer, string or boolean labels, each but once."""
    return (
        isinstance(value, np.ndarray)
        and value.ndim == 1
        and (value.dtype in (np.int64, np.bool_) or value.dtype.kind == "U")
        and len(set(value.tolist())) == len(value)  # np.unique would import numpy.ma
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


def nothing(value):
    """None: what is there during a call only."""
    return value is None


def one_of(*options):
    """Return the kind that is one of the options: words, functions or classes."""
    return lambda value: any(
        value is option or (type(value) is str and value == option) for option in options
    )


def a(*classes):
    """Return the kind that is an object of one of the classes."""
    return lambda value: isinstance(value, classes)


def maybe(kind):
    """Return the kind that may be missing."""
    return lambda value: value is None or kind(value)


def either(*kinds):
    """Return the kind that is any of the kinds."""
    return lambda value: any(kind(value) for kind in kinds)


def list_of(kind):
    """Return the kind that is a list."""
    return lambda value: type(value) is list and all(map(kind, value))


def by_task(kind):
    """Return the kind that is a dictionary from tasks' ids."""
    return lambda value: type(value) is dict and all(map(kind, value.values()))


def columns(value):
    """Say whether value selects outputs: a slice, or integers."""
    if isinstance(value, slice):
        return value.step is None and all(map(maybe(count), (value.start, value.stop)))
    return integers(value)


_anchored = {"strength": number, "anchored": flag, "anchor": maybe(floats), "tasks": count}
_taught = {"teacher": maybe(a(Network)), "given": flag, "heads": maybe(list_of(columns))}
_reservoir = {"samples": maybe(a(Samples)), "size": size, "keys": floats}

#: everything that a learner may consist of
FIELDS = {
    Linear: {"inputs": count, "outputs": count, "bias": flag, "initialization": one_of(*INITIALIZATIONS)},
    ReLU: {},
    Tanh: {},
    Sigmoid: {},
    Standardize: {
        **{"inputs": size, "count": count, "dtype": precision},
        **{"mean": floats, "squares": floats, "scale": floats},
    },
    StandardizeSparse: {
        **{"inputs": size, "scaled": flag, "dtype": precision},
        **{"columns": integers, "filled": counts, "squares": floats, "scale": floats},
    },
    Network: {"layers": list_of(a(Layer)), "dtype": precision, "_theta": floats},
    SGD: {"learning_rate": positive, "momentum": share, "v": maybe(floats)},
    Adam: {
        **{"learning_rate": positive, "beta1": rate, "beta2": rate, "epsilon": positive},
        **{"m": maybe(floats), "v": maybe(floats), "t": count},
    },
    CrossEntropy: {},
    BinaryCrossEntropy: {},
    SquaredError: {"targets": one_of(Values, StandardizedValues)},
    Replay: {
        **{"alpha": either(one_of("1/k", "n/N"), share)},
        **{"loss": maybe(a(Loss)), "tasks": count, "n": count, "seen": count},
    },
    Logits: {**_taught, "alpha": share, "T": positive, "divergence": one_of(*DIVERGENCES.values())},
    Features: {**_taught, "at": index, "strength": number, "R": maybe(matrix)},
    Relations: {**_taught, "at": index, "distance": number, "angle": number},
    L1: _anchored,
    L2: _anchored,
    ElasticNet: {**_anchored, "ratio": share},
    Samples: {"x": features, "y": targets, "task": integers},
    ReservoirMemory: _reservoir,
    ClassBalancedMemory: {**_reservoir, "per_class": size},
    SharedMemory: {**_reservoir, "seen": counts},
    Everything: {"samples": maybe(a(Samples))},
    Method: {"terms": list_of(a(Term)), "memory": maybe(a(Memory))},
    Classes: {"labels": maybe(labels), "tasks": by_task(integers), "untold": integers},
    Values: {"tasks": by_task(columns)},
    StandardizedValues: {
        **{"tasks": by_task(columns), "statistics": maybe(a(Standardize)), "moved": nothing},
    },
    Learner: {
        **{"network": a(Network), "terms": list_of(a(Term)), "memory": maybe(a(Memory)), "rng": generator},
        **{"loss": a(Loss), "optimizer": a(SGD, Adam), "_targets": a(Classes, Values)},
        **{"batch_size": size, "epochs": size, "steps": maybe(size), "n_tasks": count},
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
        return [_item(part, f"{name}.{k}", arrays) for k, part in enumerate(thing)]
    if type(thing) is tuple:
        return {"tuple": _apart(list(thing), name, arrays)}
    if type(thing) is dict and all(map(_is_word, thing)):
        return {"dict": {key: _item(value, f"{name}.{key}", arrays) for key, value in thing.items()}}
    if type(thing) is dict:
        return {"pairs": _apart([list(pair) for pair in thing.items()], name, arrays)}
    if type(thing) in FIELDS:
        fields = FIELDS[type(thing)]
        parts = {
            field: _apart(getattr(thing, field), f"{name}.{field.lstrip('_')}", arrays) for field in fields
        }
        return {"class": type(thing).__name__, **parts}
    return _apart_array(thing, name, arrays)


def _item(thing, name, arrays):
    """Take apart one of many: of thousands of tasks the outputs stand in the tree, not in arrays."""
    return {"integers": thing.tolist()} if integers(thing) else _apart(thing, name, arrays)


def _is_word(key):
    """Say whether a key can stand in an array's name."""
    return isinstance(key, str) and key.isidentifier() and key.isascii() and len(key) < 64


def _apart_array(thing, name, arrays):
    if isinstance(thing, np.generic):
        return _apart(thing.item(), name, arrays)
    if type(thing) is np.ndarray:
        while name in arrays:
            name += "_"
        arrays[name] = thing
        return {"array": name}
    if _checks.is_sparse(thing):
        parts = {"data": thing.data, "indices": thing.indices, "indptr": thing.indptr}
        tree = {part: _apart_array(array, f"{name}.{part}", arrays) for part, array in parts.items()}
        return {"csr": {**tree, "shape": list(map(int, thing.shape))}}
    if isinstance(thing, np.dtype):
        return {"dtype": thing.name}
    if isinstance(thing, slice) and thing.step is None:
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
    unread = dict(arrays)
    try:
        thing = _together(tree, unread, name)
    except StateError:
        raise
    except Exception as error:  # a tree made by hand can be wrong in any way
        what = str(error) or type(error).__name__
        raise StateError(f"{name} is not what was taken apart: {what}") from None
    if unread:
        raise StateError(f"{name} has no place for {next(iter(unread))}")
    return thing


def _together(tree, arrays, name):
    if tree is None or type(tree) in (bool, int, float, str):
        return tree
    if type(tree) is list:
        return [_together(part, arrays, f"{name}.{k}") for k, part in enumerate(tree)]
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
    thing = object.__new__(kind)
    for field, fits in FIELDS[kind].items():
        value = _together(tree[field], arrays, f"{name}.{field}")
        if not fits(value):
            raise StateError(f"{name}.{field} does not hold what a {kind.__name__} must have there")
        vars(thing)[field] = value
    if kind in WHOLE:
        WHOLE[kind](thing, name)
    if kind is Network:
        thing.__setstate__({})  # binds its layers
    return thing


def _csr(content, arrays, name):
    from scipy.sparse import csr_array

    parts = {part: _together(content[part], arrays, name) for part in ("data", "indices", "indptr")}
    data, indices, indptr = parts.values()
    shape = content["shape"]
    plain = floats(data) and _is_index(indices) and _is_index(indptr)
    if not plain or len(shape) != 2 or not all(map(count, shape)):
        raise StateError(f"{name} is not a sparse matrix")
    array = csr_array((data, indices, indptr), shape=tuple(shape))
    array.check_format(full_check=True)
    array.indices, array.indptr = indices, indptr  # SciPy may have made them narrower
    return array


def _is_index(value):
    """Say whether value may be the indices of a sparse matrix."""
    return integers(value) or (isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype == np.int32)


def _generator(content, arrays, name):
    bits = np.random.PCG64(0)
    bits.state = content
    if bits.state != content:
        raise StateError(f"{name} is not the state of a generator")
    return np.random.Generator(bits)


def _dict(content, arrays, name):
    return {key: _together(value, arrays, f"{name}.{key}") for key, value in content.items()}


def _integers(content, arrays, name):
    if not all(type(number) is int for number in content):
        raise StateError(f"{name} does not hold integers")
    return np.array(content, np.int64)


_READERS = {
    "array": lambda content, arrays, name: arrays.pop(content),  # each has one place
    "csr": _csr,
    "dict": _dict,
    "dtype": lambda content, arrays, name: np.dtype({"float32": np.float32, "float64": np.float64}[content]),
    "float": lambda content, arrays, name: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content],
    "floats": lambda content, arrays, name: _together(content, arrays, name).tolist(),
    "generator": _generator,
    "integers": _integers,
    "named": lambda content, arrays, name: _NAMED[content],
    "pairs": lambda content, arrays, name: dict(_together(content, arrays, name)),
    "slice": lambda content, arrays, name: slice(*content),
    "tuple": lambda content, arrays, name: tuple(_together(content, arrays, name)),
}


# ---- what no single field can tell ---------------------------------------------------------------------


def _require(holds, what):
    if not holds:
        raise StateError(f"its parts do not fit together: not true that {what}")


def _whole_statistics(statistics, name):
    vectors = statistics.mean, statistics.squares, statistics.scale
    _require(all(len(v) == statistics.inputs for v in vectors), f"{name} has statistics of every feature")
    _check_scale(statistics, name)


def _check_scale(statistics, name):
    _require((statistics.scale >= np.finfo(float).tiny).all(), f"{name} can divide by its scales")
    _require((statistics.squares >= 0).all(), f"{name}'s squares are ≥ 0")


def _whole_columns(statistics, name):
    columns, filled = statistics.columns, statistics.filled
    vectors = filled, statistics.squares, statistics.scale, np.unique(columns)
    _require(all(len(v) == len(columns) for v in vectors), f"{name} has statistics of every column")
    _require(((columns >= 0) & (columns < statistics.inputs)).all(), f"{name}'s columns are inputs")
    _require((filled > 0).all(), f"{name}'s columns were filled")
    _check_scale(statistics, name)


def _whole_network(network, name):
    """Look at a network before its layers are bound: that takes every size for granted."""
    layers, theta = network.layers, network.theta
    _require(layers and isinstance(layers[-1], Linear), f"{name} has layers, the last a Linear")
    width = None
    for layer in layers:
        width = layer.connect(width)
    _require(network.inputs, f"{name} has inputs")
    _require(all(layer.outputs for layer in _linear(network)), f"{name} has units in every layer")
    for layer, behind in pairwise(layers):
        front = isinstance(layer, Standardize | StandardizeSparse)
        _require(not front or layer is layers[0], f"{name} standardizes in front only")
        _require(not front or (isinstance(behind, Linear) and behind.bias), f"{name} compensates what moves")
    _require(sum(layer.n_parameters for layer in layers) == len(theta), f"{name}'s layers make up its θ")
    _require(theta.dtype == network.dtype, f"{name}'s θ has its dtype")


def _linear(network):
    return [layer for layer in network.layers if isinstance(layer, Linear)]


def _whole_adam(adam, name):
    _require(adam.epsilon >= 1e-30, f"{name} never divides by 0")
    _require(adam.v is None or (adam.v >= 0).all(), f"{name}'s squares are ≥ 0")
    _require((adam.m is None) == (adam.v is None) == (not adam.t), f"{name} has moments once it has moved")


def _whole_distillation(term, name):
    teacher = term.teacher
    _require((teacher is None) == (term.heads is None), f"{name} has a teacher and its heads, or neither")
    _require(teacher is not None or not term.given, f"{name} has the teacher that was given")
    if teacher is not None:
        outputs = [np.arange(teacher.outputs)[head] for head in term.heads]  # refuses what is no output
        _require(outputs and all(map(len, outputs)), f"{name}'s teacher has heads with outputs")
        last = max(head.stop or 0 if isinstance(head, slice) else 1 + head.max() for head in term.heads)
        least = min(0 if isinstance(head, slice) else head.min() for head in term.heads)
        _require(least >= 0 and last <= teacher.outputs, f"{name}'s heads are outputs")
        at = vars(term).get("at", -1)
        _require(-len(teacher.layers) - 1 <= at <= len(teacher.layers), f"{name} compares what there is")


def _whole_samples(samples, name):
    n = len(samples.y)
    _require(n and samples.x.shape[0] == n == len(samples.task), f"{name} has rows, with a task each")


def _whole_memory(memory, name):
    _require(len(memory.keys) == len(memory), f"{name} has a key for every sample")
    if isinstance(memory, SharedMemory) and memory.samples is not None:
        y, seen = memory.samples.y, memory.seen
        _require(integers(y) and (y >= 0).all() and len(seen) > y.max(), f"{name} holds classes")
        _require((seen[y] > 0).all(), f"{name} has seen what it holds")


def _whole_classes(classes, name):
    for outputs in (classes.untold, *classes.tasks.values()):
        _require(len(outputs) < 2 or (np.diff(outputs) > 0).all(), f"{name} has a task's outputs in order")
        _require(((outputs >= 0) & (outputs < len(classes))).all(), f"{name} has a task's outputs")
    _require(all(map(len, classes.tasks.values())), f"{name} has outputs of every task")


def _whole_values(values, name):
    _require(all(one == ALL for one in values.tasks.values()), f"{name} has all outputs in every task")


#: what must hold for an object, once each of its fields is of its kind
WHOLE = {
    Standardize: _whole_statistics,
    StandardizeSparse: _whole_columns,
    Network: _whole_network,
    Adam: _whole_adam,
    Logits: _whole_distillation,
    Features: _whole_distillation,
    Relations: _whole_distillation,
    Samples: _whole_samples,
    ReservoirMemory: _whole_memory,
    ClassBalancedMemory: _whole_memory,
    SharedMemory: _whole_memory,
    Classes: _whole_classes,
    Values: _whole_values,
    StandardizedValues: _whole_values,
}


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
    network, targets = learner.network, learner._targets
    _require(type(targets) is learner.loss.targets, "the loss and its targets are of one kind")
    for vector in (*vars(learner.optimizer).values(), *(vars(term).get("anchor") for term in learner.terms)):
        known = isinstance(vector, np.ndarray)
        _require(not known or len(vector) <= len(network.theta), "moments and anchors are no longer than θ")
        _require(not known or vector.dtype == network.dtype, "moments and anchors have θ's dtype")
    if isinstance(targets, Classes):
        _require(len(targets) <= network.outputs, "every class has an output")
    elif isinstance(targets, StandardizedValues):
        statistics = targets.statistics
        _require(statistics is None or statistics.inputs == network.outputs, "every value has an output")
        _require(network.layers[-1].bias, "an output has a bias, to be moved by")
    if learner.memory is not None:
        _check_memory(learner.memory, learner)
    for term in learner.terms:
        _check_term(term, learner)


def _check_term(term, learner):
    network, teacher = learner.network, vars(term).get("teacher")
    of_values = issubclass(learner.loss.targets, Values)
    for loss in (term, vars(term).get("loss")):
        if isinstance(loss, Loss):
            _require(issubclass(loss.targets, Values) == of_values, "all losses are of one kind")
    if isinstance(term, Replay):
        _require(term.loss is not None and learner.memory is not None, "what is replayed has a memory")
    if teacher is None:
        return
    _require(teacher.inputs == network.inputs, "a teacher takes what the student takes")
    if not term.given:
        _require(_has_been(teacher, network), "a teacher is what the student was")
        _require(not of_values or teacher.outputs == network.outputs, "a teacher has all values")


def _has_been(teacher, student):
    """Say whether a network may be an earlier copy: of another only the first and last layer grow."""
    pairs = list(zip(teacher.layers, student.layers, strict=False))
    head, first = student.layers[-1], _linear(student)[0]
    return (
        len(teacher.layers) == len(student.layers)
        and teacher.dtype == student.dtype
        and all(type(t) is type(s) for t, s in pairs)
        and all((t.bias, t.outputs) <= (s.bias, s.outputs) for t, s in pairs if isinstance(s, Linear))
        and all(t.outputs == s.outputs for t, s in pairs if isinstance(s, Linear) and s is not head)
        and _linear(teacher)[0].inputs <= first.inputs
    )


def _check_memory(memory, learner):
    targets, samples = learner._targets, memory.samples
    of_values = isinstance(targets, Values)
    _require(not (of_values and memory.of_classes), "what keeps samples by class has classes")
    if samples is None:
        return
    x, y, task, outputs = samples.x, samples.y, samples.task, learner.network.outputs
    _require(x.shape[1] == learner.network.inputs, "remembered rows have all features")
    if of_values:
        _require(y.ndim == 2 and y.shape[1] == outputs, "remembered values have all outputs")
        _require((task == -1).all(), "values are of no task")
        return
    _require(integers(y) and ((y >= 0) & (y < len(targets))).all(), "remembered labels are known")
    of_tasks = [np.arange(len(targets)), *targets.tasks.values()]
    _require(((task >= -1) & (task < len(of_tasks) - 1)).all(), "a task's number is one of a task")
    for number in set(task.tolist()):  # np.unique would import numpy.ma
        _require(np.isin(y[task == number], of_tasks[number + 1]).all(), "a row's class is one of its task")
