"""A learner in the middle of its last task, and its objective a second time, in `autograd.numpy`.

What the oracle knows of the past (which output stands for which class, which outputs belong to which task,
what the network was after the last task) it keeps itself: nothing is taken from the learner's terms.
"""

import copy
import math
from dataclasses import dataclass

import autograd.numpy as anp
import hypothesis.strategies as st
import numpy as np

from incrlearn import Learner, Linear, Method, Network, ReLU, Sigmoid, Tanh
from incrlearn.learning import (
    L1,
    L2,
    BinaryCrossEntropy,
    CrossEntropy,
    ElasticNet,
    Features,
    Logits,
    Memory,
    ProximalTerm,
    Relations,
    Replay,
    SquaredError,
)
from incrlearn.network import SGD
from tests import oracles

from .helpers import rng

INPUTS, HIDDEN, VALUES, ROWS = 3, 4, 3, 5

# ---- the learner -------------------------------------------------------------------------------------

#: the tasks of each scene: id, and labels (None where targets are values)
SCENES = {
    "new classes": [(None, [5, 7]), (None, [3, 7, 1])],
    "the same classes": [(None, [0, 1, 2]), (None, [0, 1, 2])],
    "tasks known by id": [("a", [4, 6]), ("b", [0, 6, 9]), ("a", [4, 1])],
    "values": [(None, None), (None, None)],
}
ACTIVATIONS = {
    "relu": (ReLU, lambda x: anp.maximum(x, 0)),
    "tanh": (Tanh, anp.tanh),
    "sigmoid": (Sigmoid, lambda x: (1 + anp.tanh(x / 2)) / 2),
}


class Few(Memory):
    """Keep three samples of every task."""

    def end_task(self, new, rng):
        self.samples = new[:3] if self.samples is None else self.samples + new[:3]


class Halfway(Learner):
    """A learner that keeps θ as its last task began, and a copy of itself before its last step."""

    def objective(self, new, replayed=None):
        if not self.objective_values:
            self.beginning = self.network.theta.copy()
        self.halfway = None
        stopped = copy.deepcopy(self)
        stopped.__class__ = Learner  # the copy keeps no copies
        self.halfway = stopped, new, replayed
        return super().objective(new, replayed)


@dataclass
class Moment:
    """A learner in the middle of its last task, the batches it was about to look at, and its past."""

    learner: Learner
    new: object
    replayed: object
    terms: list  # as they were given to the learner
    tasks: int
    before: Network  # the network after the last task
    beginning: np.ndarray  # θ at the beginning of this one, the units of its new classes among them
    competing: dict  # number of a task -> outputs; −1 for a task that is not known
    old_heads: list  # the outputs of every task known to the teacher

    @property
    def theta(self):
        return self.learner.network.theta

    def objective(self, theta):
        """The learner's objective at other parameters."""
        own = self.theta.copy()
        self.learner.network.theta = theta
        result = self.learner.objective(self.new, self.replayed)
        self.learner.network.theta = own
        return result

    def smooth(self, theta):
        """The objective's value without the proximal terms, which have a step and no gradient."""
        proximal = sum(term(theta) for term in self.learner.terms if isinstance(term, ProximalTerm))
        return self.objective(theta)[0] - proximal


def moment(scene, terms, loss, activation="tanh", seed=0, dtype="float64"):
    """Learn all tasks of a scene, stop in the middle of the last, and move θ well away from its past.

    To somewhere of ordinary size: training may have driven units so far that 1 − tanh² is rounding only.
    """
    random = rng(seed)
    activation, _ = ACTIVATIONS[activation]
    outputs = VALUES if scene == "values" else 0
    layers = [Linear(INPUTS, HIDDEN, bias=False), activation(), Linear(HIDDEN, outputs)]
    learner = Halfway(
        Network(layers, random, dtype),
        Method(terms, Few()),
        loss=loss,
        optimizer=SGD(0.1),
        steps=2,
        rng=random,
    )
    classes, heads = [], {}
    for task, labels in SCENES[scene]:
        before, old_heads = (
            copy.deepcopy(learner.network),
            list(heads.values()) or [list(range(len(classes)))],
        )
        x = random.normal(size=(ROWS, INPUTS))
        if labels is None:
            y, old_heads = random.normal(size=(ROWS, VALUES)), [list(range(VALUES))]
        else:
            y = random.permutation(np.resize(labels, ROWS))
            classes += sorted(set(labels) - set(classes))
        if task is not None:
            heads[task] = sorted({*heads.get(task, []), *(classes.index(label) for label in labels)})
        learner.learn(x, y, task=task)
    stopped, new, replayed = learner.halfway
    stopped.network.theta = random.normal(size=len(stopped.network.theta)) * 0.7
    competing = {-1: list(range(len(classes))), **dict(enumerate(heads.values()))}
    return Moment(
        stopped, new, replayed, terms, len(SCENES[scene]), before, learner.beginning, competing, old_heads
    )


# ---- its objective, a second time --------------------------------------------------------------------


def forward(network, theta, x):
    """Return all activations of the network's layers, with parameters θ."""
    a, start = [x], 0
    for layer in network.layers:
        if isinstance(layer, Linear):
            width = layer.inputs + layer.bias
            rows = anp.reshape(theta[start : start + layer.outputs * width], (layer.outputs, width))
            start += layer.outputs * width
            y = anp.dot(a[-1], rows[:, : layer.inputs].T)
            a.append(y + rows[:, layer.inputs] if layer.bias else y)
        else:
            a.append(next(f for kind, f in ACTIVATIONS.values() if isinstance(layer, kind))(a[-1]))
    return a


@dataclass
class Look:
    """What a term's oracle looks at: the activations a of its batch, θ, and the moment."""

    a: list
    theta: object
    samples: object
    moment: Moment
    learned: object  # the learner's own copy of the term, for what is measured and not derived: R

    def teacher(self, term):
        network = term.teacher if term.given else self.moment.before
        return forward(network, network.theta, self.samples.x)

    def heads(self, term):
        return [list(range(term.teacher.outputs))] if term.given else self.moment.old_heads

    def anchor(self, term):
        return self.moment.beginning if term.anchored else 0.0


def loss(name, look):
    """The mean over rows, one by one, of the loss over the outputs that compete for the row."""
    total = 0.0
    for i, (y, task) in enumerate(zip(look.samples.y, look.samples.task, strict=True)):
        z = look.a[-1][i : i + 1]
        if name == "squared_error":
            total = total + oracles.squared_error(z, y[None])
            continue
        columns = look.moment.competing[task]
        one_hot = np.eye(len(columns))[[columns.index(y)]]
        total = total + getattr(oracles, name)(z[:, columns], one_hot)
    return total / len(look.samples)


def logits(term, look):
    divergence = getattr(oracles, term.divergence.__name__)
    z, t, heads = look.a[-1], look.teacher(term)[-1], look.heads(term)
    kl = sum(divergence(z[:, columns], t[:, columns], term.T) for columns in heads) / len(heads)
    return (1 - term.alpha) * kl


def features(term, look):
    g = look.teacher(term)[term.at]
    return term.strength * oracles.feature_distance(look.a[term.at], g, look.learned.R)


def relations(term, look):
    g = look.teacher(term)[term.at]
    f = look.a[term.at][:, : g.shape[1]]
    return term.distance * oracles.relation_distance(f, g) + term.angle * oracles.relation_angle(f, g)


def alpha(term, tasks):
    """What the term leaves to L₀ at the last of so many tasks."""
    share = getattr(term, "alpha", 1.0)
    return 1 / tasks if share in ("1/k", "n/N") else share  # all tasks of a scene have as many rows


def replay(term, look):
    name = next(name for name, kind in LOSSES.items() if isinstance(term.loss, kind))
    return (1 - alpha(term, look.moment.tasks)) * loss(name, look)


LOSSES = {
    "cross_entropy": CrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "squared_error": SquaredError,
}
ORACLES = {
    CrossEntropy: lambda term, look: loss("cross_entropy", look),
    BinaryCrossEntropy: lambda term, look: loss("binary_cross_entropy", look),
    SquaredError: lambda term, look: loss("squared_error", look),
    Replay: replay,
    Logits: logits,
    Features: features,
    Relations: relations,
    L1: lambda term, look: oracles.l1(look.theta, term.strength, look.anchor(term)),
    L2: lambda term, look: oracles.l2(look.theta, term.strength, look.anchor(term)),
    ElasticNet: lambda term, look: oracles.elastic_net(
        look.theta, term.strength, term.ratio, look.anchor(term)
    ),
}


def objective(moment, theta, proximal=True):
    """Return the learner's objective: with the proximal terms its value, without what has a gradient."""

    def look(samples, learned=None):
        return Look(forward(moment.learner.network, theta, samples.x), theta, samples, moment, learned)

    name = next(name for name, kind in LOSSES.items() if isinstance(moment.learner.loss, kind))
    weight = math.prod(alpha(term, moment.tasks) for term in moment.terms)
    total = weight * loss(name, look(moment.new))
    for term, learned in zip(moment.terms, moment.learner.terms, strict=True):
        if proximal or not isinstance(term, ProximalTerm):
            samples = moment.replayed if isinstance(term, Replay) else moment.new
            total = total + ORACLES[type(term)](term, look(samples, learned))
    return total


# ---- terms, drawn ------------------------------------------------------------------------------------

STRENGTHS = st.sampled_from([0.0, 0.1, 1.0, 10.0])
SHARES = st.sampled_from([0.0, 0.3, 0.5, 1.0])


def teachers(scene):
    """Return a strategy for teachers: None, or one given, with more features and fewer outputs."""
    outputs = VALUES if scene == "values" else 2
    given = st.integers(0, 9).map(
        lambda seed: Network.mlp(
            INPUTS, HIDDEN + 1, outputs, rng=rng(seed), activation="tanh", dtype="float64"
        )
    )
    return st.none() | given


def drawn_terms(kind, scene, given):
    """Return a strategy for terms of a kind, with all that can be chosen about them."""
    at, teacher = st.sampled_from([1, -2, -1]), teachers(scene) if given else st.none()
    anchored = st.booleans()
    return {
        Replay: lambda: st.builds(Replay, SHARES | st.sampled_from(["1/k", "n/N"]), losses(scene)),
        Logits: lambda: st.builds(
            Logits,
            SHARES,
            st.sampled_from([0.5, 1.0, 2.0, 10.0]),
            st.sampled_from(["reverse", "forward", "cross_entropy"]),
            teacher,
        ),
        Features: lambda: st.builds(Features, STRENGTHS, at, teacher),
        Relations: lambda: st.builds(Relations, STRENGTHS, STRENGTHS, at, teacher),
        L1: lambda: st.builds(L1, STRENGTHS, anchored),
        L2: lambda: st.builds(L2, STRENGTHS, anchored),
        ElasticNet: lambda: st.builds(ElasticNet, STRENGTHS, SHARES, anchored),
    }.get(kind, lambda: st.builds(kind))()


def losses(scene):
    """Return a strategy for the names of losses that fit the scene's targets."""
    return st.sampled_from([name for name in LOSSES if (name == "squared_error") == (scene == "values")])


def scenes_for(kind):
    """Return the scenes whose targets a term of that kind can look at."""
    if kind is SquaredError:
        return ["values"]
    labels = kind in (CrossEntropy, BinaryCrossEntropy)
    return [scene for scene in SCENES if not (labels and scene == "values")]


@st.composite
def moments(draw, kinds=None, activations=tuple(ACTIVATIONS), dtype="float64", given=True):
    """Draw a moment: a scene, layers, a loss, and a term of each of the kinds, or of any few that fit."""
    fitting = set.intersection(*(set(scenes_for(kind)) for kind in kinds or [L2]))
    scene = draw(st.sampled_from(sorted(fitting)))
    if kinds is None:
        known = [kind for kind in ORACLES if scene in scenes_for(kind)]
        kinds = draw(st.lists(st.sampled_from(known), min_size=2, max_size=5))
    terms = [draw(drawn_terms(kind, scene, given)) for kind in kinds]
    activation = draw(st.sampled_from(activations))
    return moment(scene, terms, draw(losses(scene)), activation, draw(st.integers(0, 99)), dtype)
