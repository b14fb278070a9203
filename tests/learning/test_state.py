"""A learner taken apart is a learner again; whatever is not what a learner consists of is refused."""

import copy

import numpy as np
import pytest
from scipy.sparse import csr_array

import incrlearn
from incrlearn import SGD, Adam, Learner, Linear, Method, Network, ReLU
from incrlearn.learning import (
    AGEM,
    EWC,
    L1,
    L2,
    OGD,
    SI,
    BatchTerm,
    ClassBalancedMemory,
    ConditionalGeneratorMemory,
    CrossEntropy,
    DarkReplay,
    Decision,
    Distillation,
    DistilledBinaryCrossEntropy,
    ElasticNet,
    Everything,
    Features,
    Gating,
    GenerativeClassifier,
    GeneratorMemory,
    HerdingMemory,
    Isolation,
    Logits,
    Loss,
    Memory,
    NearestMean,
    ParameterTerm,
    Projection,
    ProximalTerm,
    Relations,
    Replay,
    ReservoirMemory,
    Samples,
    Separate,
    SharedMemory,
    SquaredError,
    Term,
    distillation,
    regularization,
    replay,
)
from incrlearn.learning.samples import Classes, StandardizedValues, Values
from incrlearn.learning.state import FIELDS, WHOLE, StateError, check_learner, put_together, take_apart
from incrlearn.network import (
    OPTIMIZERS,
    Gate,
    Layer,
    Standardize,
    StandardizeSparse,
    VariationalAutoencoder,
)
from tests.saved import bits, examples, learned

from .helpers import points, rng, small_network

# ---- FIELDS is the whole of it -----------------------------------------------------------------------

#: what a file can not hold, because there is never an object of just this class
ABSTRACT = {Layer, Term, BatchTerm, ParameterTerm, ProximalTerm, Loss, Memory}
ABSTRACT |= {Projection, Isolation, Decision, Distillation}
ABSTRACT |= {distillation._InnerDistillation, regularization._Consolidation, replay._Rehearsal}
#: what is made for a pass through the network, and never held
PASSING = {Gate}
#: what an object makes of its other fields, when its network binds it
DERIVED = {Linear: {"W", "b"}, Network: {"_slices", "_first"}}


def below(kind):
    """Return the classes of the package that are made from one, but for those that only test others."""
    own = [sub for sub in kind.__subclasses__() if sub.__module__.startswith(f"{incrlearn.__name__}.")]
    own = [sub for sub in own if not sub.__module__.startswith(f"{incrlearn.__name__}.testing.")]
    return set(own).union(*map(below, own))


@pytest.mark.parametrize("base", [Layer, Term, Memory, Isolation, Decision, Classes, Values])
def test_every_class_that_a_learner_may_consist_of_has_its_fields(base):
    assert {base, *below(base)} - ABSTRACT - PASSING <= set(FIELDS)


def test_every_optimizer_has_its_fields():
    assert set(OPTIMIZERS.values()) <= set(FIELDS)


def objects(thing):
    """Yield all objects of the package's classes that a thing consists of."""
    if type(thing) in FIELDS:
        yield thing
        thing = list(vars(thing).values())
    parts = thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list | tuple) else ()
    for part in parts:
        yield from objects(part)


def everything():
    """Return all objects in all examples: what they have learned, and the recipes that they were given."""
    models = [learned(name)[0] for name in examples()]
    return [thing for model in models for thing in objects([model._learner, model.get_params()])]


def test_what_an_object_has_learned_is_in_its_fields():
    for thing in everything():
        derived = set(vars(thing)) - set(FIELDS[type(thing)])
        assert derived == DERIVED.get(type(thing), set()) & set(vars(thing)), type(thing).__name__


def test_the_examples_hold_an_object_of_every_class_and_a_value_in_every_field():
    found = everything()
    assert {type(thing) for thing in found} == set(FIELDS)
    empty = {
        (kind.__name__, field)
        for kind, fields in FIELDS.items()
        for field in fields
        if all(getattr(thing, field) is None for thing in found if type(thing) is kind)
    }
    # of these there is something only in the middle of a call, with an option, or for another network
    during = {("StandardizedValues", "moved"), ("SI", "w"), ("SI", "start")}
    assert empty == during | {("Learner", "steps"), ("SGD", "v")} | {
        (kind, "samples") for kind in ("GeneratorMemory", "ConditionalGeneratorMemory")
    }


def test_every_class_with_arrays_of_one_length_is_looked_at_as_a_whole():
    assert set(WHOLE) <= set(FIELDS)


# ---- there and back ----------------------------------------------------------------------------------

THINGS = {
    "nothing": None,
    "truth": [True, False],
    "numbers": [1, -(2**70), 0.1 + 0.2, -0.0, 5e-324, float("inf"), float("-inf"), float("nan")],
    "floats alone": [0.1, float("nan")],
    "words": ["", "ä", "\ud800", "a" * 1000],
    "tuples in lists": [(), (1, (2.0, "a")), [()]],
    "a dictionary": {"a": 1, "b_": [None], "": 2},
    "keys of every kind": {1: "a", "1": "b", (1, "b"): "c", None: "d", 2.5: "e"},
    "no dictionary": {},
    "arrays": [np.arange(3.0), np.empty((0, 4)), np.asfortranarray(np.eye(3)[:2]), np.array("text")],
    "integers": [np.arange(3), np.empty(0, np.int64)],
    "types": [np.dtype("float32"), np.dtype("float64")],
    "slices": [slice(None), slice(0, 7)],
    "a generator": rng(5),
    "an optimizer": SGD(0.1, momentum=0.5),
    "a network": small_network(outputs=3),
}


@pytest.mark.parametrize("thing", THINGS.values(), ids=THINGS)
def test_what_was_taken_apart_is_put_together_again(thing):
    again = put_together(*take_apart(thing))
    assert type(again) is type(thing)
    assert bits(again) == bits(thing)


@pytest.mark.parametrize("name", examples())
def test_a_learner_is_put_together_again_and_shares_nothing_that_changes(name):
    learner = learned(name)[0]._learner
    tree, arrays = take_apart(learner)
    before = copy.deepcopy((tree, arrays))
    again = put_together(tree, copy.deepcopy(arrays))
    check_learner(again)
    assert bits(again) == bits(learner)
    again.network.theta[:] = 0
    again.optimizer.learning_rate = 1.0
    assert bits(take_apart(learner)) == bits(before)


def test_a_network_that_is_put_together_computes_with_its_own_parameters():
    network = put_together(*take_apart(small_network(outputs=3)))
    network.theta[:] = 0
    assert (network(np.ones((1, 2))) == 0).all()


@pytest.mark.parametrize("thing", [object(), {1, 2}, b"x", 1j, len, np.random.RandomState(0), slice(0, 1, 2)])
def test_what_no_file_brings_back_is_named(thing):
    with pytest.raises(TypeError, match=r"^model\.0\.a can not be saved: no file brings back"):
        take_apart([{"a": thing}])


class Own(SGD):
    """A class of one's own."""


def test_a_class_that_is_made_from_one_of_ours_is_not_taken_for_it():
    with pytest.raises(TypeError, match="the class Own"):
        take_apart(Own(0.1))


# ---- what is not of its kind -------------------------------------------------------------------------

TREES = {
    "an unknown kind": {"pickle": "abc"},
    "two kinds": {"tuple": [], "dict": {}},
    "no kind": {},
    "an unknown class": {"class": "Popen", "args": ["rm"]},
    "a class that is no name": {"class": ["SGD"]},
    "a field that is missing": {"class": "SGD", "learning_rate": 0.1, "momentum": 0.0},
    "a field too many": {"class": "ReLU", "forward": 1},
    "an array that there is not": {"array": "a"},
    "an array by a number": {"array": 0},
    "a key that can not be one": {"pairs": [[[1], 2]]},
    "pairs of three": {"pairs": [[1, 2, 3]]},
    "a tuple of nothing": {"tuple": None},
    "a type that there is not": {"dtype": "float16"},
    "a function that there is not": {"named": "os.system"},
    "a float that is none": {"float": "1.0"},
    "integers that are none": {"integers": [1.5]},
    "integers that are too large": {"integers": [2**63]},
    "integers that are truth": {"integers": [True]},
    "integers that are an object": {"integers": {}},
    "a generator of another kind": {"generator": {**rng().bit_generator.state, "bit_generator": "MT19937"}},
    "a generator without a state": {"generator": {}},
    "a generator that it would not be": {"generator": {**rng().bit_generator.state, "uinteger": -1}},
    "a generator with something more": {"generator": {**rng().bit_generator.state, "more": 1}},
    "a sparse matrix of nothing": {"csr": {}},
    "a slice of nothing": {"slice": 5},
    "a divergence for a class": {"class": "SquaredError", "targets": {"named": "divergence reverse"}},
    "a name for a class": {"class": "SquaredError", "targets": "Values"},
}


@pytest.mark.parametrize(
    ("tree", "match"),
    [
        ({"pickle": "abc"}, r"^model\.0 is of the unknown kind 'pickle'$"),
        ({"class": "Popen"}, r"^model\.0 is not a Popen with the fields of this version$"),
        ({"class": "ReLU", "more": 1}, r"^model\.0 is not a ReLU with the fields of this version$"),
        ({"class": "Standardize"}, r"^model\.0 is not a Standardize with the fields of this version$"),
        ({"array": "a"}, r"^model is not what was taken apart: 'a'$"),
    ],
)
def test_an_error_says_where_and_what(tree, match):
    with pytest.raises(StateError, match=match):
        put_together([tree], {})


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_a_tree_that_was_never_taken_apart_is_refused(tree):
    with pytest.raises(StateError):
        put_together([tree], {})


def test_each_array_has_one_place():
    array = {"a": np.zeros(2)}
    assert bits(put_together([{"array": "a"}], array)) == bits([np.zeros(2)])
    with pytest.raises(StateError, match="'a'"):
        put_together([{"array": "a"}, {"array": "a"}], array)
    with pytest.raises(StateError, match="no place for a"):
        put_together([], array)
    assert list(array) == ["a"]


def sparse(**parts):
    arrays = {"data": np.ones(2), "indices": np.array([0, 1]), "indptr": np.array([0, 1, 2]), **parts}
    shape = arrays.pop("shape", [2, 3])
    return {"csr": {**{name: {"array": name} for name in arrays}, "shape": shape}}, arrays


SPARSE = {
    "a column that there is not": {"indices": np.array([0, 3])},
    "a negative column": {"indices": np.array([0, -1])},
    "too few columns": {"indices": np.array([0])},
    "rows that go backwards": {"indptr": np.array([0, 2, 1])},
    "rows that end too late": {"indptr": np.array([0, 1, 10**12])},
    "too few rows": {"indptr": np.array([0, 2])},
    "endless rows": {"shape": [10**15, 3]},
    "a shape of three": {"shape": [2, 3, 1]},
    "a negative shape": {"shape": [-2, -3]},
    "NaN": {"data": np.array([1.0, np.nan])},
    "integers": {"data": np.array([1, 2])},
    "fractional columns": {"indices": np.array([0.0, 1.0])},
}


@pytest.mark.parametrize("parts", SPARSE.values(), ids=SPARSE)
def test_a_sparse_matrix_that_is_none_is_refused(parts):
    assert put_together(*sparse()).shape == (2, 3)
    with pytest.raises(StateError):
        put_together(*sparse(**parts))


def with_(thing, **fields):
    """Return a copy of an object with other fields, whatever its class thinks of them."""
    thing = copy.deepcopy(thing)
    vars(thing).update(fields)
    return thing


def moved(optimizer):
    """Return an optimizer that has taken a step."""
    optimizer.step(np.ones(3), np.ones(3))
    return optimizer


def observed(layer, x=((1.0, 0.0, 3.0), (0.0, 0.0, 5.0))):
    """Return a layer that standardizes, and has seen two rows."""
    layer.observe(csr_array(np.array(x)))
    return layer


DENSE, COLUMNS = observed(Standardize(3)), observed(StandardizeSparse(3))
FRONT = Network([Standardize(2), Linear(2, 2), ReLU(), Linear(2, 1)], rng())
X, Y = points([0, 1, 2], 4)
LEARNER = Learner(small_network(dtype="float64"), "replay+logits+features", rng=rng(), epochs=1)
LEARNER.learn(X, Y, task="a").learn(X, Y, task="b")
SAMPLES, FLOATS = LEARNER.memory.samples, np.zeros(3)
TEACHER = small_network(outputs=3)
KEYS = {"keys": np.zeros(len(SAMPLES)), "came": np.zeros(len(SAMPLES), np.int64), "tasks": 1}
SHARED = with_(SharedMemory(5), samples=SAMPLES, seen=np.full(3, 9.0), **KEYS)
CLASSES = LEARNER._targets
REPLAY, LOGITS, FEATURES = LEARNER.terms


def learner_of(recipe, x=X, tasks=(None, None), **options):
    """Return a learner of that method that has learned two tasks."""
    learner = Learner(small_network(dtype="float64"), recipe, rng=rng(), epochs=1, **options)
    for task in tasks:
        learner.learn(x, Y, task=task)
    return learner


UNIT = (X - X.min(axis=0)) / (X.max(axis=0) - X.min(axis=0))
CONSOLIDATED = learner_of([EWC(), SI(), OGD(3)])
DARK = learner_of(Method([DarkReplay(0.3, 0.5)], ReservoirMemory(6, logits=True)))
ICARL = learner_of("icarl(per_class=2)")
IMAGINED = learner_of("generative_replay(hidden=(3,), latent=2)", UNIT)
BY_CLASS = learner_of("bir(hidden=(3,), latent=2)", UNIT)
MODELS = learner_of("generative_classifier(hidden=(3,), latent=2)", UNIT)
GATES, SEPARATE = (learner_of(name, tasks="ab") for name in ("xdg", "separate"))
KINDS = {"icarl": ICARL, "imagined": IMAGINED, "models": MODELS, "gates": GATES, "separate": SEPARATE}
KINDS |= {"consolidated": CONSOLIDATED, "dark": DARK, "by class": BY_CLASS}
EWC_, SI_, OGD_ = CONSOLIDATED.terms
PAINTER, CONDITIONAL = IMAGINED.memory.generator, BY_CLASS.memory.generator


def other_painter(inputs, dtype="float64", latent=2):
    return VariationalAutoencoder(inputs, (3,), latent, rng=rng(), dtype=dtype)


def standardizing(network):
    """Return a network with a layer in front that standardizes."""
    return with_(network, layers=[Standardize(network.inputs), *network.layers])


WRONG = {
    "a learning rate of 0": with_(SGD(), learning_rate=0.0),
    "a learning rate that is infinite": with_(SGD(), learning_rate=float("inf")),
    "a learning rate that is no float any more": with_(SGD(), learning_rate=10**400),
    "a learning rate that is true": with_(SGD(), learning_rate=True),
    "a momentum above 1": with_(SGD(), momentum=1.5),
    "a momentum that is NaN": with_(SGD(), momentum=float("nan")),
    "a velocity that is NaN": with_(SGD(), v=np.array([np.nan])),
    "a velocity in rows": with_(SGD(), v=np.zeros((1, 2))),
    "a velocity of integers": with_(SGD(), v=np.zeros(3, np.int8)),
    "β₁ = 1, where Adam divides by 0": with_(Adam(), beta1=1.0),
    "ε = 0": with_(Adam(), epsilon=0.0),
    "ε that vanishes in float32": with_(Adam(), epsilon=1e-300),
    "squares below 0": with_(moved(Adam()), v=-np.ones(3)),
    "moments without a step": with_(moved(Adam()), t=0),
    "a step without moments": with_(Adam(), t=1),
    "a temperature of 0": with_(Logits(), T=0.0),
    "α as an array": with_(Logits(), alpha=np.array([0.5])),
    "a divergence by name": with_(Logits(), divergence="reverse"),
    "an α that is a word": with_(Replay(), alpha="1/2"),
    "a teacher without heads": with_(LOGITS, heads=None),
    "a teacher with no head": with_(LOGITS, heads=[]),
    "heads without a teacher": with_(Logits(), heads=[slice(0, 1)]),
    "a given teacher that is missing": with_(Logits(), given=True),
    "a head beyond the outputs": with_(LOGITS, heads=[slice(0, 4)]),
    "an empty head": with_(LOGITS, heads=[slice(2, 1)]),
    "an output beyond the outputs": with_(LOGITS, heads=[np.array([0, 3])]),
    "an output below 0": with_(LOGITS, heads=[np.array([-1, 0])]),
    "no outputs": with_(LOGITS, heads=[np.empty(0, np.int64)]),
    "features that a teacher does not have": with_(FEATURES, at=9),
    "anchored by a word": with_(L2(), anchored="yes"),
    "a strength below 0": with_(L1(), strength=-1.0),
    "a ratio above 1": with_(ElasticNet(), ratio=2.0),
    "a weight that is infinite": with_(Relations(), angle=float("inf")),
    "an R in one row": with_(Features(), R=FLOATS),
    "an unknown initialization": with_(Linear(1, 1), initialization="theirs"),
    "an initialization that only looks like one": with_(Linear(1, 1), initialization=np.array("he")),
    "widths below 0": with_(Linear(1, 1), inputs=-1),
    "no samples": SAMPLES[:0],
    "fewer labels than rows": with_(SAMPLES, y=SAMPLES.y[1:]),
    "fewer rows than labels": with_(SAMPLES, x=SAMPLES.x[1:]),
    "fewer tasks than rows": with_(SAMPLES, task=SAMPLES.task[1:]),
    "features that are NaN": with_(SAMPLES, x=np.full_like(SAMPLES.x, np.nan)),
    "a memory of no size": with_(ReservoirMemory(5), size=0),
    "a memory of no sample a class": with_(ClassBalancedMemory(5), per_class=0),
    "more keys than samples": with_(SHARED, keys=np.zeros(99)),
    "keys without samples": with_(ReservoirMemory(5), keys=FLOATS),
    "a class that was never seen": with_(SHARED, seen=np.array([9.0, 0.0, 9.0])),
    "fewer classes than labels": with_(SHARED, seen=np.array([9.0])),
    "half a sample seen": with_(SHARED, seen=np.array([9.0, 9.5, 9.0])),
    "labels below 0": with_(SHARED, samples=with_(SAMPLES, y=-SAMPLES.y - 1)),
    "a label twice": with_(CLASSES, labels=np.array([0, 1, 1])),
    "labels that are fractions": with_(CLASSES, labels=np.array([0.0, 1.0, 2.0])),
    "outputs in another order": with_(CLASSES, tasks={"a": np.array([1, 0])}),
    "outputs of no class": with_(CLASSES, tasks={"a": np.array([0, 3])}),
    "a task without outputs": with_(CLASSES, tasks={"a": np.empty(0, np.int64)}),
    "outputs of classes that are not there": with_(Classes(), untold=np.array([0])),
    "a value for a task": with_(Values(), tasks={"a": slice(0, 1)}),
    "outputs of values": with_(Values(), tasks={"a": np.array([0])}),
    "a θ that is too short": with_(TEACHER, _theta=TEACHER.theta[1:]),
    "a θ of another type": with_(TEACHER, _theta=TEACHER.theta.astype(float)),
    "a θ with infinity": with_(TEACHER, _theta=np.full_like(TEACHER.theta, np.inf)),
    "a θ that is too long": with_(TEACHER, _theta=np.append(TEACHER.theta, np.float32(0))),
    "no units": Network([Linear(2, 0), ReLU(), Linear(0, 3)], rng()),
    "no inputs": Network([Linear(0, 3)], rng()),
    "standardized twice": with_(FRONT, layers=[Standardize(2), *FRONT.layers], _theta=FRONT.theta),
    "standardized in the middle": with_(
        TEACHER, layers=[TEACHER.layers[0], Standardize(12), TEACHER.layers[2]]
    ),
    "standardized before what has no bias": with_(
        FRONT, layers=[Standardize(2), Linear(2, 3, bias=False)], _theta=np.zeros(6, np.float32)
    ),
    "standardized before what has none": with_(TEACHER, layers=[Standardize(2), ReLU(), *TEACHER.layers]),
    **{
        f"{name} of fewer features": with_(DENSE, **{name: getattr(DENSE, name)[1:]})
        for name in ("mean", "squares", "scale")
    },
    **{
        f"{name} of fewer columns": with_(COLUMNS, **{name: getattr(COLUMNS, name)[1:]})
        for name in ("columns", "filled", "squares", "scale")
    },
    **{
        f"{kind} with {name} of {value}": with_(thing, **{name: np.full_like(getattr(thing, name), value)})
        for kind, thing in (("Standardize", DENSE), ("StandardizeSparse", COLUMNS))
        for name, value in (("scale", 0.0), ("scale", -1.0), ("scale", 1e-320), ("squares", -1.0))
    },
    "a mean that is NaN": with_(DENSE, mean=np.full(3, np.nan)),
    "features of endless number": with_(DENSE, inputs=10**12),
    "no features": with_(COLUMNS, inputs=0),
    "a column that there is not": with_(COLUMNS, columns=np.array([0, 3])),
    "a column below 0": with_(COLUMNS, columns=np.array([-1, 2])),
    "a column twice": with_(COLUMNS, columns=np.array([2, 2])),
    "a column that was never filled": with_(COLUMNS, filled=np.array([1.0, 0.0])),
    "an importance below 0": with_(EWC_, importance=-EWC_.importance - 1),
    "an importance without an anchor": with_(EWC_, anchor=None),
    "an importance of another length than its anchor": with_(EWC_, anchor=EWC_.anchor[1:]),
    "labels of another kind of Fisher information": with_(EWC_, labels="mine"),
    "a decay above 1": with_(EWC_, decay=1.5),
    "a path in the middle": with_(SI_, w=FLOATS),
    "a damping of 0": with_(SI_, damping=0.0),
    "a basis of other lengths": with_(OGD_, basis=2 * OGD_.basis),
    "a basis that is a vector": with_(OGD_, basis=OGD_.basis[0]),
    "a basis that is NaN": with_(OGD_, basis=np.full_like(OGD_.basis, np.nan)),
    "a divergence that would be infinite": with_(Logits(), over="all"),
    "classes over which there is no divergence": with_(Logits(), over="new"),
    "old classes without a teacher": with_(DistilledBinaryCrossEntropy(), old=np.array([0])),
    "old classes that the teacher does not know": with_(ICARL.terms[0], old=np.array([0, 3])),
    "old classes in another order": with_(ICARL.terms[0], old=np.array([1, 0])),
    "more times than samples": with_(SHARED, came=np.zeros(99, np.int64)),
    "a sample that came before the first task": with_(DARK.memory, came=DARK.memory.came - 9),
    "a sample that came with a later task": with_(DARK.memory, came=DARK.memory.came + 9),
    "fewer logits than rows": with_(DARK.memory.samples, logits=DARK.memory.samples.logits[1:]),
    "logits that are infinite": with_(DARK.memory.samples, logits=np.full((6, 3), np.inf)),
    "a memory that shares nothing": with_(HerdingMemory(size=5), size=0),
    "a mask that is open by half": with_(Gating(), masks={0: [np.full(3, 0.5)]}),
    "masks of no task": with_(Gating(), masks={"a": [np.ones(3)]}),
    "one mask for all": with_(Gating(), masks={0: np.ones(3)}),
    "a share of all units": with_(Gating(), share=1.0),
    "a task that has no number": with_(Separate(), current="a"),
    "a θ of no task": with_(Separate(), thetas={None: FLOATS}),
    "a θ in rows": with_(Separate(), thetas={0: np.zeros((1, 3))}),
    "means that are infinite": with_(ICARL.decision, means=np.full((3, 12), np.inf)),
    "means that are partly missing": with_(ICARL.decision, means=np.diag(np.full(3, np.nan))),
    "means of no width": with_(NearestMean(), means=np.empty((3, 0))),
    "means that are integers": with_(NearestMean(), means=np.ones((3, 2), np.int64)),
    "a painter that looks at less than it paints": with_(PAINTER, encoder=other_painter(1).encoder),
    "a painter of two types": with_(PAINTER, decoder=other_painter(2, "float32").decoder),
    "a painter that paints from less than it sees": with_(
        PAINTER, decoder=other_painter(2, latent=1).decoder
    ),
    "a painter that standardizes": with_(PAINTER, encoder=standardizing(PAINTER.encoder)),
    "a painter whose steps are large": with_(PAINTER, encoder_optimizer=Adam(1.5)),
    "moments that are longer than a painter": with_(
        PAINTER, encoder_optimizer=with_(PAINTER.encoder_optimizer, m=np.zeros(999))
    ),
    "a painter that is not as large as is said": with_(IMAGINED.memory, hidden=(10**12,)),
    "models that are not as large as is said": with_(MODELS.decision, latent=10**12),
    "widths in a list": with_(IMAGINED.memory, hidden=[3]),
    "a painter that does not learn": with_(IMAGINED.memory, learning_rate=0.0),
    "a painter without a labeller": with_(IMAGINED.memory, labeller=None),
    "a painter that has learned no task": with_(IMAGINED.memory, tasks=0),
    "a painter of no classes": with_(IMAGINED.memory, heads={-1: np.empty(0, np.int64)}),
    "a painter of nothing": with_(IMAGINED.memory, heads={}),
    "a painter of one kind for another": with_(IMAGINED.memory, generator=CONDITIONAL),
    "a painter of another kind for one": with_(BY_CLASS.memory, generator=PAINTER),
    "a model of another kind": with_(MODELS.decision, models={0: CONDITIONAL}),
    "a prior of another width": with_(CONDITIONAL, prior=CONDITIONAL.prior[:, 1:]),
    "a prior in one row": with_(CONDITIONAL, prior=CONDITIONAL.prior[0]),
    "a prior that is infinite": with_(CONDITIONAL, prior=np.full((3, 4), np.inf)),
    "a prior of another type": with_(CONDITIONAL, prior=CONDITIONAL.prior.astype(np.float32)),
    "a prior of fewer classes than there are moments": with_(CONDITIONAL, prior=CONDITIONAL.prior[1:]),
    "a prior whose steps are large": with_(CONDITIONAL, prior_optimizer=Adam(1.5)),
    "a conditional painter that looks at less than it paints": with_(
        CONDITIONAL, encoder=other_painter(1).encoder
    ),
    "fewer priors than classes": with_(
        BY_CLASS.memory,
        generator=with_(CONDITIONAL, prior=CONDITIONAL.prior[:2], prior_optimizer=Adam()),
    ),
    "a conditional painter without a labeller": with_(BY_CLASS.memory, labeller=None),
    "old classes below 0": with_(BY_CLASS.terms[0], old=np.array([-1, 0])),
    "old classes twice": with_(BY_CLASS.terms[0], old=np.array([0, 0])),
    "a temperature of 0, replayed": with_(BY_CLASS.terms[0], T=0.0),
    "a painter of classes that are not known": with_(IMAGINED.memory, heads={-1: np.array([0, 3])}),
    "a painter of a task that is none": with_(IMAGINED.memory, heads={-2: np.array([0])}),
    "likelihoods from more z than can be held": with_(MODELS.decision, samples=10**9),
    "a model of a class that has a name": with_(MODELS.decision, models={"a": PAINTER}),
    "a method that replays nothing": with_(Method([L2()]), terms=[AGEM()]),
    "a method with two masters": with_(Method(isolation=Gating()), restart=True),
    "no layers": with_(TEACHER, layers=[], _theta=FLOATS[:0]),
    "a last layer that can not grow": with_(TEACHER, layers=[*TEACHER.layers, ReLU()]),
    "layers that do not fit": with_(TEACHER, layers=[TEACHER.layers[0], *TEACHER.layers]),
    "10¹² units without parameters": with_(
        TEACHER, layers=[with_(Linear(0, 1, bias=False), outputs=10**12)], _theta=np.zeros(0, np.float32)
    ),
}


@pytest.mark.parametrize("thing", WRONG.values(), ids=WRONG)
def test_an_object_that_could_never_be_is_refused(thing):
    tree, arrays = take_apart(thing)
    with pytest.raises(StateError):
        put_together(tree, arrays)


# ---- what does not fit together ----------------------------------------------------------------------


def changed(**fields):
    return with_(LEARNER, **fields)


def with_term(k, **fields):
    terms = [with_(term, **fields) if k == number else term for number, term in enumerate(LEARNER.terms)]
    return changed(terms=terms)


def with_samples(**fields):
    return changed(memory=with_(LEARNER.memory, samples=with_(SAMPLES, **fields)))


def with_part(name):
    """Return a function that changes a part of a learner."""
    return lambda learner, **fields: with_(learner, **{name: with_(getattr(learner, name), **fields)})


with_memory, with_isolation, with_decision = map(with_part, ("memory", "isolation", "decision"))


def other_network(*widths, dtype="float64", **options):
    return Network.mlp(*widths, rng=rng(), dtype=dtype, **options)


UNFIT = {
    "targets of another kind than the loss": changed(_targets=Values()),
    "a loss of another kind than the targets": changed(loss=SquaredError()),
    "values that are not standardized, for a loss of those": changed(
        loss=SquaredError(True), _targets=Values(), terms=[], memory=None
    ),
    "a given teacher of other features": changed(terms=[Logits(teacher=other_network(3, 2, 3))]),
    "moments longer than θ": changed(optimizer=with_(SGD(), v=np.zeros(999))),
    "moments of another type": changed(optimizer=with_(SGD(), v=np.zeros(3, np.float32))),
    "an anchor longer than θ": changed(terms=[with_(L2(anchored=True), anchor=np.zeros(999))]),
    "an anchor of another type": changed(terms=[with_(L2(anchored=True), anchor=np.zeros(3, np.float32))]),
    "more classes than outputs": changed(_targets=with_(CLASSES, labels=np.arange(4))),
    "replay without a memory": changed(memory=None),
    "replay without a loss": with_term(0, loss=None),
    "replay of values": with_term(0, loss=SquaredError()),
    "a loss of values among the terms": changed(terms=[SquaredError()]),
    "a teacher of other features": with_term(1, teacher=other_network(3, 12, 3)),
    "a teacher of other layers": with_term(1, teacher=other_network(2, 3)),
    "a teacher of other activations": with_term(1, teacher=other_network(2, 12, 3, activation="tanh")),
    "a teacher that is wider": with_term(1, teacher=other_network(2, 13, 3)),
    "a teacher that knows more": with_term(1, teacher=other_network(2, 12, 4)),
    "a teacher of another type": with_term(1, teacher=other_network(2, 12, 3, dtype="float32")),
    "remembered rows of another width": with_samples(x=np.zeros((len(SAMPLES), 3))),
    "remembered labels that are unknown": with_samples(y=np.full(len(SAMPLES), 3)),
    "remembered values": with_samples(y=np.zeros((len(SAMPLES), 3))),
    "a task that there is not": with_samples(task=np.full(len(SAMPLES), 2)),
    "a task below the one that is not known": with_samples(task=np.full(len(SAMPLES), -2)),
    "a label of another task": changed(_targets=with_(CLASSES, tasks=dict.fromkeys("ab", np.array([0])))),
    "logits that nobody keeps": with_samples(logits=np.zeros((len(SAMPLES), 3))),
    "logits of more outputs than there are": with_memory(
        DARK, samples=with_(DARK.memory.samples, logits=np.zeros((6, 4)))
    ),
    "logits that were not kept": with_memory(DARK, samples=with_(DARK.memory.samples, logits=None)),
    "stored logits that nobody stores": with_memory(DARK, logits=False),
    "dark replay without a loss": with_(DARK, terms=[with_(DARK.terms[0], loss=None)]),
    "an importance longer than θ": with_(
        CONSOLIDATED, terms=[with_(EWC_, importance=np.ones(999), anchor=np.ones(999))]
    ),
    "an importance of another type": with_(
        CONSOLIDATED, terms=[with_(EWC_, importance=EWC_.importance.astype(np.float32))]
    ),
    "a basis longer than θ": with_(CONSOLIDATED, terms=[with_(OGD_, basis=np.eye(999))]),
    "a basis of another type": with_(CONSOLIDATED, terms=[with_(OGD_, basis=OGD_.basis.astype(np.float32))]),
    "samples that are chosen by activations that are not there": with_memory(ICARL, at=9),
    "means of activations that are not there": with_decision(ICARL, at=-9),
    "means of fewer classes": with_decision(ICARL, means=ICARL.decision.means[1:]),
    "means of another width": with_decision(ICARL, means=ICARL.decision.means[:, 1:]),
    "no means": with_decision(ICARL, means=None),
    "means before anything was learned": with_(ICARL, n_tasks=0),
    "means without samples": with_(ICARL, memory=None),
    "a painter of other features": with_memory(
        IMAGINED, generator=other_painter(5), labeller=other_network(5, 12, 3)
    ),
    "a painter of another type": with_memory(IMAGINED, generator=other_painter(2, "float32")),
    "a labeller of other layers": with_memory(IMAGINED, labeller=other_network(2, 3)),
    "a labeller that knows more": with_memory(IMAGINED, labeller=other_network(2, 12, 4)),
    "painted samples of a task that there is not": with_memory(IMAGINED, heads={0: np.array([0])}),
    "nothing imagined": with_memory(IMAGINED, generator=None, labeller=None, heads={}, tasks=0),
    "old classes of which there are no logits": with_(
        BY_CLASS, terms=[with_(BY_CLASS.terms[0], old=np.array([0, 3]))]
    ),
    "old classes before anything was learned": with_(BY_CLASS, terms=[with_(BY_CLASS.terms[0], tasks=0)]),
    "no old classes": with_(BY_CLASS, terms=[with_(BY_CLASS.terms[0], old=np.empty(0, np.int64))]),
    "a model of a class that there is not": with_decision(MODELS, models={3: PAINTER}),
    "a model of a class below 0": with_decision(MODELS, models={-1: PAINTER}),
    "a model of other features": with_decision(MODELS, models={0: other_painter(5)}),
    "no models": with_decision(MODELS, models={}),
    "gates of other tasks": with_isolation(GATES, masks={0: GATES.isolation.masks[0], 2: [np.ones(12)]}),
    "gates of one task only": with_isolation(GATES, masks={0: GATES.isolation.masks[0]}),
    "gates of another width": with_isolation(GATES, masks={0: [np.ones(11)], 1: [np.ones(11)]}),
    "fewer gates than layers": with_isolation(GATES, masks={0: [], 1: []}),
    "gates and a memory": with_(GATES, memory=LEARNER.memory),
    "gates and a restart": with_(GATES, restart=True),
    "gates and a teacher": with_(GATES, terms=[LOGITS]),
    "a task without a θ": with_isolation(SEPARATE, thetas={}),
    "a task with two": with_isolation(SEPARATE, thetas=dict.fromkeys((0, 1), SEPARATE.network.theta)),
    "no task at all": with_isolation(SEPARATE, current=None),
    "a θ that is longer": with_isolation(SEPARATE, thetas={0: np.zeros(999)}),
    "a θ of another dtype": with_isolation(SEPARATE, thetas={0: np.zeros(3, np.float32)}),
}


def test_the_learner_that_is_changed_below_fits_together():
    for learner in (LEARNER, *KINDS.values()):
        check_learner(put_together(*take_apart(learner)))


@pytest.mark.parametrize("learner", UNFIT.values(), ids=UNFIT)
def test_parts_that_do_not_fit_together_are_refused(learner):
    with pytest.raises(StateError, match="do not fit together"):
        check_learner(put_together(*take_apart(learner)))


def values_learner(**options):
    network = Network([Linear(2, 1)], rng(), "float64")
    return Learner(network, loss=SquaredError(True), rng=rng(), **options).learn(X, Y.astype(float))


VALUES_UNFIT = {
    "an output without a bias": {
        "network": Network([Linear(2, 1, bias=False)], rng(), "float64"),
        "optimizer": SGD(),
    },
    "a teacher of fewer values": {
        "network": Network([Linear(2, 2)], rng(), "float64"),
        "_targets": with_(StandardizedValues(), statistics=Standardize(2)),
        "terms": [with_(Features(), teacher=Network([Linear(2, 1)], rng(), "float64"), heads=[slice(None)])],
    },
    "remembered values of another number": {
        "memory": with_(
            Everything(), samples=Samples(X, np.zeros((len(X), 2)), np.full(len(X), -1, np.int64))
        )
    },
    "statistics of two values": {"network": Network([Linear(2, 2)], rng(), "float64")},
    "a memory of classes": {"memory": SharedMemory(5)},
    "a loss of classes": {"terms": [CrossEntropy()]},
    "remembered labels": {"memory": with_(Everything(), samples=SAMPLES)},
    "remembered values of a task that there is not": {
        "memory": with_(Everything(), samples=Samples(X, np.zeros((len(X), 1)), np.zeros(len(X), np.int64)))
    },
    "a binary cross entropy that takes a teacher's part": {"terms": [DistilledBinaryCrossEntropy()]},
    "models of classes": {"decision": GenerativeClassifier()},
    "samples that are imagined with their classes": {"memory": GeneratorMemory()},
    "samples that are imagined by class": {"memory": ConditionalGeneratorMemory()},
}


@pytest.mark.parametrize("fields", VALUES_UNFIT.values(), ids=VALUES_UNFIT)
def test_parts_of_a_learner_of_values_that_do_not_fit_together_are_refused(fields):
    check_learner(put_together(*take_apart(values_learner())))
    with pytest.raises(StateError, match="do not fit together"):
        check_learner(put_together(*take_apart(with_(values_learner(), **fields))))
