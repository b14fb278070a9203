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
    ConditionalAutoencoder,
    Layer,
    Linear,
    Network,
    ReLU,
    Sigmoid,
    Standardize,
    StandardizeSparse,
    Tanh,
    VariationalAutoencoder,
)
from .decisions import Decision, NearestMean
from .distillation import DIVERGENCES, DistilledBinaryCrossEntropy, Features, Logits, Relations
from .generative import MOST_SAMPLES, ConditionalGeneratorMemory, GenerativeClassifier, GeneratorMemory
from .isolation import Gating, Isolation, Separate, gates
from .learner import Learner
from .memory import (
    ClassBalancedMemory,
    Everything,
    GreedyMemory,
    HerdingMemory,
    Memory,
    ReservoirMemory,
    SharedMemory,
)
from .methods import Method
from .projection import AGEM, GEM, OGD
from .regularization import EWC, L1, L2, MAS, SI, ElasticNet
from .replay import AsymmetricCrossEntropy, DarkReplay, Replay, SoftReplay
from .samples import ALL, Classes, Samples, StandardizedValues, Values
from .terms import BinaryCrossEntropy, CrossEntropy, Loss, SquaredError, Term

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


def nonnegative(value):
    """A vector of finite floats ≥ 0."""
    return floats(value) and bool((value >= 0).all())


def means(value):
    """A matrix of finite floats, but for rows of NaN: of what there is no mean."""
    if not isinstance(value, np.ndarray) or value.ndim != 2 or not value.shape[1]:
        return False
    missing = np.isnan(value).all(axis=1) if value.dtype.kind == "f" else []
    return matrix(value[~np.asarray(missing, bool)])


def mask(value):
    """A vector of zeros and ones, as floats."""
    return floats(value) and bool(((value == 0) | (value == 1)).all())


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


def exactly(kind):
    """Return the kind that is an object of one class, and of none made from it."""
    return lambda value: type(value) is kind


def maybe(kind):
    """Return the kind that may be missing."""
    return lambda value: value is None or kind(value)


def either(*kinds):
    """Return the kind that is any of the kinds."""
    return lambda value: any(kind(value) for kind in kinds)


def list_of(kind):
    """Return the kind that is a list."""
    return lambda value: type(value) is list and all(map(kind, value))


def tuple_of(kind):
    """Return the kind that is a tuple."""
    return lambda value: type(value) is tuple and all(map(kind, value))


def by_task(kind):
    """Return the kind that is a dictionary from tasks' ids."""
    return lambda value: type(value) is dict and all(map(kind, value.values()))


def by_number(kind):
    """Return the kind that is a dictionary from the numbers of tasks or outputs."""
    return lambda value: by_task(kind)(value) and all(map(index, value))


def draws(value):
    """How many z are drawn for a likelihood."""
    return size(value) and value <= MOST_SAMPLES


def columns(value):
    """Say whether value selects outputs: a slice, or integers."""
    if isinstance(value, slice):
        return value.step is None and all(map(maybe(count), (value.start, value.stop)))
    return integers(value)


_anchored = {"strength": number, "anchored": flag, "anchor": maybe(floats), "tasks": count}
_consolidated = {"strength": number, "importance": maybe(nonnegative), "anchor": maybe(floats)}
_taught = {"teacher": maybe(a(Network)), "given": flag, "heads": maybe(list_of(columns))}
_reservoir = {
    **{"samples": maybe(a(Samples)), "size": size, "logits": flag, "at_once": flag},
    **{"keys": floats, "came": integers, "tasks": count},
}
_balanced = {**_reservoir, "per_class": size, "per_task": flag}
_shared = {**_reservoir, "seen": counts}
_autoencoder = {
    **{"encoder": a(Network), "decoder": a(Network)},
    **{"encoder_optimizer": a(Adam), "decoder_optimizer": a(Adam)},
}
_painting = {"hidden": tuple_of(size), "latent": size, "learning_rate": share}
_imagining = {
    **{**_painting, "samples": nothing, "tasks": count, "heads": by_number(integers)},
    "labeller": maybe(a(Network)),
}
_method = {
    **{"terms": list_of(a(Term)), "memory": maybe(a(Memory))},
    **{"isolation": maybe(a(Isolation)), "decision": maybe(a(Decision)), "restart": flag},
}

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
    VariationalAutoencoder: _autoencoder,
    ConditionalAutoencoder: {**_autoencoder, "prior": matrix, "prior_optimizer": a(Adam)},
    CrossEntropy: {},
    BinaryCrossEntropy: {},
    SquaredError: {"targets": one_of(Values, StandardizedValues)},
    Replay: {
        **{"alpha": either(one_of("1/k", "n/N"), share)},
        **{"loss": maybe(a(Loss)), "tasks": count, "n": count, "seen": count},
    },
    SoftReplay: {
        **{"alpha": either(one_of("1/k", "n/N"), share), "T": positive},
        **{"tasks": count, "n": count, "seen": count, "old": integers},
    },
    AsymmetricCrossEntropy: {},
    DarkReplay: {"alpha": number, "beta": number, "loss": maybe(a(Loss))},
    Logits: {
        **{**_taught, "alpha": either(one_of("1/k"), share), "T": positive},
        **{"divergence": one_of(*DIVERGENCES.values()), "over": one_of("old", "all"), "tasks": count},
    },
    Features: {**_taught, "at": index, "strength": number, "R": maybe(matrix)},
    Relations: {**_taught, "at": index, "distance": number, "angle": number},
    DistilledBinaryCrossEntropy: {**_taught, "old": integers, "T": positive},
    L1: _anchored,
    L2: _anchored,
    ElasticNet: {**_anchored, "ratio": share},
    EWC: {
        **{**_consolidated, "online": flag, "decay": share},
        "labels": one_of("exact", "sampled", "empirical"),
    },
    SI: {**_consolidated, "damping": positive, "w": nothing, "start": nothing},
    MAS: _consolidated,
    AGEM: {},
    GEM: {},
    OGD: {"per_task": size, "basis": maybe(matrix)},
    Samples: {"x": features, "y": targets, "task": integers, "logits": maybe(matrix)},
    ReservoirMemory: _reservoir,
    ClassBalancedMemory: _balanced,
    HerdingMemory: {**_balanced, "size": maybe(size), "at": index, "mixed": flag},
    SharedMemory: _shared,
    GreedyMemory: _shared,
    Everything: {"samples": maybe(a(Samples))},
    GeneratorMemory: {**_imagining, "generator": maybe(exactly(VariationalAutoencoder))},
    ConditionalGeneratorMemory: {**_imagining, "generator": maybe(exactly(ConditionalAutoencoder))},
    Gating: {"share": rate, "masks": by_number(list_of(mask))},
    Separate: {"current": maybe(count), "thetas": by_number(floats)},
    NearestMean: {"at": index, "means": maybe(means)},
    GenerativeClassifier: {
        **{**_painting, "samples": draws, "seed": count},
        "models": by_number(exactly(VariationalAutoencoder)),
    },
    Method: _method,
    Classes: {"labels": maybe(labels), "tasks": by_task(integers), "untold": integers},
    Values: {"tasks": by_task(columns)},
    StandardizedValues: {
        **{"tasks": by_task(columns), "statistics": maybe(a(Standardize)), "moved": nothing},
    },
    Learner: {
        **{**_method, "network": a(Network), "rng": generator},
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
        _require(_is_activation(vars(term).get("at", -1), teacher), f"{name} compares what there is")


def _is_activation(at, network):
    return -len(network.layers) - 1 <= at <= len(network.layers)


def _whole_logits(term, name):
    _whole_distillation(term, name)
    infinite = term.over == "all" and term.divergence is DIVERGENCES["reverse"]
    _require(not infinite, f"{name} has a divergence that is finite")


def _whole_binary(term, name):
    _whole_distillation(term, name)
    known = 0 if term.teacher is None else term.teacher.outputs
    _require(_are_outputs(term.old, known), f"{name}'s old classes are the teacher's")


def _are_outputs(outputs, n):
    """Say whether these are outputs among the first n, in order."""
    return bool(((outputs >= 0) & (outputs < n)).all() and (np.diff(outputs) > 0).all())


def _whole_consolidation(term, name):
    """Look at an importance and its anchor."""
    sizes = {None if vector is None else len(vector) for vector in (term.importance, term.anchor)}
    _require(len(sizes) == 1, f"{name} has an importance and an anchor of one length, or neither")


def _whole_ogd(term, name):
    if term.basis is not None:
        length = np.sqrt(np.einsum("ij,ij->i", term.basis, term.basis, dtype=np.float64))
        _require((np.abs(length - 1) <= 1e-3).all(), f"{name}'s basis has rows of length 1")


def _whole_autoencoder(model, name):
    encoder, decoder = model.encoder, model.decoder
    _require(encoder.outputs == 2 * decoder.inputs, f"{name}'s encoder says what its decoder paints from")
    _require(decoder.outputs == encoder.inputs, f"{name} paints what it looks at")
    _require(encoder.dtype == decoder.dtype, f"{name} is of one dtype")
    for network, adam in ((encoder, model.encoder_optimizer), (decoder, model.decoder_optimizer)):
        layers = network.layers
        _require(all(isinstance(layer, Linear | ReLU) for layer in layers), f"{name} is of plain layers")
        _require(adam.learning_rate <= 1, f"{name}'s steps are small")
        _check_layout(vars(adam).values(), network)


def _whole_conditional(model, name):
    _whole_autoencoder(model, name)
    prior, adam = model.prior, model.prior_optimizer
    _require(prior.shape[1] == 2 * model.latent, f"{name} has a mean and a variance for every entry of z")
    _require(prior.dtype == model.dtype, f"{name}'s prior has its dtype")
    _require(adam.learning_rate <= 1, f"{name}'s steps are small")
    for vector in (adam.m, adam.v):
        fits = vector is None or (vector.dtype == prior.dtype and len(vector) <= prior.size)
        _require(fits, f"{name}'s prior has moved with all its moments")


def _widths(network):
    return tuple(layer.outputs for layer in _linear(network)[:-1])


def _whole_painting(part, name):
    """Look at models that a memory or a decision paints with, and what new ones will be like."""
    models = part.models.values() if isinstance(part, GenerativeClassifier) else [part.generator]
    _require(part.learning_rate > 0, f"{name} has a learning rate")
    for model in models:
        sizes = model is None or (_widths(model.encoder), model.latent) == (part.hidden, part.latent)
        _require(sizes, f"{name}'s models are of the sizes that it says")


def _whole_generator(memory, name):
    _whole_painting(memory, name)
    here = {memory.generator is not None, memory.labeller is not None, bool(memory.heads), memory.tasks > 0}
    _require(len(here) == 1, f"{name} has a generator, a labeller and heads, or nothing")
    _require(min(memory.heads, default=0) >= -1, f"{name} has numbers of tasks")
    for outputs in memory.heads.values():
        fits = len(outputs) and _are_outputs(outputs, memory.labeller.outputs)
        _require(fits, f"{name}'s heads are outputs, in order")


def _whole_conditions(memory, name):
    _whole_generator(memory, name)
    for outputs in memory.heads.values():
        _require(outputs[-1] < len(memory.generator.prior), f"{name} has a prior for every class")


def _whole_soft(term, name):
    _require(_are_outputs(term.old, LARGEST), f"{name}'s old classes are outputs, in order")


def _whole_samples(samples, name):
    n = len(samples.y)
    _require(n and samples.x.shape[0] == n == len(samples.task), f"{name} has rows, with a task each")
    _require(samples.logits is None or len(samples.logits) == n, f"{name} has logits of every row")


def _whole_memory(memory, name):
    for each in (memory.keys, memory.came):
        _require(len(each) == len(memory), f"{name} has a key and a time for every sample")
    _require(((memory.came >= 0) & (memory.came < memory.tasks)).all(), f"{name}'s samples came with a task")
    if isinstance(memory, SharedMemory) and memory.samples is not None:
        y, seen = memory.samples.y, memory.seen
        _require(integers(y) and (y >= 0).all() and len(seen) > y.max(), f"{name} holds classes")
        _require((seen[y] > 0).all(), f"{name} has seen what it holds")


def _whole_classes(classes, name):
    for outputs in (classes.untold, *classes.tasks.values()):
        _require(_are_outputs(outputs, len(classes)), f"{name} has a task's outputs, in order")
    _require(all(map(len, classes.tasks.values())), f"{name} has outputs of every task")


def _whole_values(values, name):
    _require(all(one == ALL for one in values.tasks.values()), f"{name} has all outputs in every task")


def _whole_method(method, name):
    """Look at what a recipe, or a learner, is made of."""
    try:
        Method(*(getattr(method, field) for field in FIELDS[Method]))
    except (TypeError, ValueError) as error:
        raise StateError(f"its parts do not fit together: in {name}, {error}") from None


#: what must hold for an object, once each of its fields is of its kind
WHOLE = {
    Standardize: _whole_statistics,
    StandardizeSparse: _whole_columns,
    Network: _whole_network,
    Adam: _whole_adam,
    VariationalAutoencoder: _whole_autoencoder,
    ConditionalAutoencoder: _whole_conditional,
    SoftReplay: _whole_soft,
    Logits: _whole_logits,
    Features: _whole_distillation,
    Relations: _whole_distillation,
    DistilledBinaryCrossEntropy: _whole_binary,
    EWC: _whole_consolidation,
    SI: _whole_consolidation,
    MAS: _whole_consolidation,
    OGD: _whole_ogd,
    Samples: _whole_samples,
    ReservoirMemory: _whole_memory,
    ClassBalancedMemory: _whole_memory,
    HerdingMemory: _whole_memory,
    SharedMemory: _whole_memory,
    GreedyMemory: _whole_memory,
    GeneratorMemory: _whole_generator,
    ConditionalGeneratorMemory: _whole_conditions,
    GenerativeClassifier: _whole_painting,
    Method: _whole_method,
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
    _whole_method(learner, "the learner")
    _check_layout(vars(learner.optimizer).values(), network)
    if isinstance(targets, Classes):
        _require(len(targets) <= network.outputs, "every class has an output")
    else:
        _require(not any(part.of_classes for part in learner.ingredients), "values are no classes")
    if isinstance(targets, StandardizedValues):
        statistics = targets.statistics
        _require(statistics is None or statistics.inputs == network.outputs, "every value has an output")
        _require(network.layers[-1].bias, "an output has a bias, to be moved by")
    if learner.memory is not None:
        _check_memory(learner.memory, learner)
    for term in learner.terms:
        _check_term(term, learner)
    if learner.isolation is not None:
        _check_isolation(learner.isolation, learner)
    if learner.decision is not None:
        _check_decision(learner.decision, learner)


def _check_layout(vectors, network):
    """Look at vectors of θ's layout, which may be shorter: what came later is then 0. Others are none."""
    for vector in vectors:
        known = isinstance(vector, np.ndarray)
        _require(not known or vector.shape[-1] <= len(network.theta), "what is like θ is no longer than θ")
        _require(not known or vector.dtype == network.dtype, "what is like θ has its dtype")


def _check_term(term, learner):
    network, teacher = learner.network, vars(term).get("teacher")
    of_values = issubclass(learner.loss.targets, Values)
    for loss in (term, vars(term).get("loss")):
        if isinstance(loss, Loss):
            _require(issubclass(loss.targets, Values) == of_values, "all losses are of one kind")
    if isinstance(term, Replay | DarkReplay):
        _require(term.loss is not None, "what is replayed has a loss")
    if isinstance(term, SoftReplay):
        _require(bool(term.tasks) == bool(len(term.old)), "who has learned knows classes")
        _require((term.old < _remembered(learner.memory)).all(), "there are logits of every old class")
    _check_layout([vars(term).get(name) for name in ("anchor", "importance", "basis")], network)
    if teacher is None:
        return
    _require(teacher.inputs == network.inputs, "a teacher takes what the student takes")
    if not term.given:
        _require(_has_been(teacher, network), "a teacher is what the student was")
        _require(not of_values or teacher.outputs == network.outputs, "a teacher has all values")


def _remembered(memory):
    """Return how many outputs have logits in a memory."""
    if isinstance(memory, GeneratorMemory):
        return 0 if memory.labeller is None else memory.labeller.outputs
    return 0 if memory.samples is None else memory.samples.logits.shape[1]


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
    network, samples = learner.network, memory.samples
    if isinstance(memory, HerdingMemory):
        _require(_is_activation(memory.at, network), "a memory looks at what there is")
    if isinstance(memory, GeneratorMemory):
        _check_generator(memory, learner)
    if samples is None:
        return
    _require((samples.logits is not None) == memory.logits, "a memory that keeps logits has them")
    if memory.logits:
        _require(samples.logits.shape[1] <= network.outputs, "remembered logits are of outputs")
    x, y, task, targets = samples.x, samples.y, samples.task, learner._targets
    _require(x.shape[1] == network.inputs, "remembered rows have all features")
    _require(((task >= -1) & (task < len(targets.tasks))).all(), "a task's number is one of a task")
    if isinstance(targets, Values):
        _require(y.ndim == 2 and y.shape[1] == network.outputs, "remembered values have all outputs")
        return
    _require(integers(y) and ((y >= 0) & (y < len(targets))).all(), "remembered labels are known")
    for number in set(task.tolist()):  # np.unique would import numpy.ma
        _check_of_task(y[task == number], number, targets)


def _check_of_task(outputs, number, targets):
    """Look at outputs that are said to be of a task, by its number, −1 for none."""
    of_tasks = [np.arange(len(targets)), *targets.tasks.values()]
    _require(-1 <= number < len(targets.tasks), "a task's number is one of a task")
    _require(np.isin(outputs, of_tasks[number + 1]).all(), "a row's class is one of its task")


def _check_generator(memory, learner):
    if memory.generator is None:
        _require(not learner.n_tasks, "who imagines has learned to")
        return
    network = learner.network
    _require(_paints_for(memory.generator, network), "a generator paints what the network takes")
    _require(memory.labeller.inputs == network.inputs, "a labeller takes what the network takes")
    _require(_has_been(memory.labeller, network), "a labeller is what the network was")
    for number, outputs in memory.heads.items():
        _check_of_task(outputs, number, learner._targets)


def _paints_for(model, network):
    return model.inputs == network.inputs and model.dtype == network.dtype


def _check_isolation(isolation, learner):
    """Look at what belongs to each task: every task has its part, and nobody else has."""
    network, numbers = learner.network, set(range(len(learner._targets.tasks)))
    if isinstance(isolation, Gating):
        _require(set(isolation.masks) == numbers, "every task has its gates")
        widths = [width for _, width in gates(network)]
        for masks in isolation.masks.values():
            _require([len(one) for one in masks] == widths, "gates are as wide as their layers")
    else:
        current = {isolation.current} - {None}
        _require({*isolation.thetas, *current} == numbers, "every task has its θ")
        _require(not current & set(isolation.thetas), "a task has but one θ")
        _require(bool(current) == bool(numbers), "the network is a task's")
        _check_layout(isolation.thetas.values(), network)


def _check_decision(decision, learner):
    network, n = learner.network, len(learner._targets)
    if isinstance(decision, NearestMean):
        means = decision.means
        _require(_is_activation(decision.at, network), "means are of what there is")
        _require((means is None) == (not learner.n_tasks), "means are there once something was learned")
        shape = (network.outputs, _width(network, decision.at))
        _require(means is None or means.shape == shape, "there is a mean of every class")
        return
    _require(bool(decision.models) == bool(learner.n_tasks), "models are there once something was learned")
    _require(all(0 <= output < n for output in decision.models), "models are of classes")
    models = decision.models.values()
    _require(all(_paints_for(model, network) for model in models), "models paint what the network takes")


def _width(network, at):
    """Return how wide the activations a[at] are."""
    widths = [network.inputs]
    for layer in network.layers:
        widths.append(layer.connect(widths[-1]))
    return widths[at]


def try_learner(learner):
    """Let a learner answer for an ordinary row, a last trial: what can not predict is no model."""
    if isinstance(learner.decision, GenerativeClassifier):  # with one z: how many it takes is for its owner
        for model in learner.decision.models.values():
            model.log_likelihood(np.zeros((1, model.inputs)), 1, np.random.default_rng(0))
    elif learner.isolation is None:
        learner.predict(_row(learner.network))
    else:
        for task in learner._targets.tasks:
            learner.predict(_row(learner.network), task)


def _row(network):
    """Return an ordinary row, as the network takes it."""
    front = network.layers[0]
    if isinstance(front, Standardize):
        return front.mean[None]
    if not isinstance(front, StandardizeSparse):
        return np.zeros((1, network.inputs))
    from scipy.sparse import csr_array

    return csr_array((1, network.inputs))
