"""A learner in the middle of its last task, and its objective a second time, in `autograd.numpy`.

What the oracle knows of the past (which output stands for which class, which outputs belong to which task,
what the network was when a task began and when it ended, what mattered to it) it keeps itself: nothing is
taken from the learner's terms.
"""

import copy
import math
from dataclasses import dataclass
from itertools import product

import autograd
import autograd.numpy as anp
import hypothesis.strategies as st
import numpy as np

from incrlearn import Learner, Linear, Method, Network, ReLU, Sigmoid, Tanh
from incrlearn.learning import (
    EWC,
    L1,
    L2,
    MAS,
    SI,
    AsymmetricCrossEntropy,
    BinaryCrossEntropy,
    CrossEntropy,
    DarkReplay,
    DistilledBinaryCrossEntropy,
    ElasticNet,
    Features,
    Logits,
    Memory,
    ProximalTerm,
    Relations,
    Replay,
    ReservoirMemory,
    SoftReplay,
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
    "relu": (ReLU, lambda x: x * (x > 0)),  # at the kink the derivative is 0
    "tanh": (Tanh, anp.tanh),
    "sigmoid": (Sigmoid, lambda x: (1 + anp.tanh(x / 2)) / 2),
}


class Few(Memory):
    """Keep three samples of every task."""

    def end_task(self, network, new, batches, rng):
        self.samples = new[:3] if self.samples is None else self.samples + new[:3]


class Halfway(Learner):
    """A learner that keeps the way that θ came in its last task, and a copy of itself before its last step.

    The way is a list of pairs: θ before each step, and the gradient there of all that looks at samples.
    """

    def _of_batches(self, new, replayed):
        if not self.objective_values:
            self.way = []
        self.halfway = None
        stopped = copy.deepcopy(self)
        stopped.__class__ = Learner  # the copy keeps no copies
        self.halfway = stopped, new, replayed
        value, gradient = super()._of_batches(new, replayed)
        self.way = [*self.way, (self.network.theta.copy(), gradient.copy())]
        return value, gradient

    @property
    def beginning(self):
        """θ as the last task began, the units of its new classes among them."""
        return self.way[0][0]


@dataclass
class Past:
    """A task that has been learned, as the oracle remembers it."""

    x: np.ndarray
    y: np.ndarray  # outputs, or values
    competing: list  # the outputs among which its rows were told apart
    network: Network  # as the task left it
    way: list  # pairs of θ and the gradient of the data's loss, one a step


@dataclass
class Moment:
    """A learner in the middle of its last task, the batches it was about to look at, and its past."""

    learner: Learner
    new: object
    replayed: object
    terms: list  # as they were given to the learner
    tasks: int
    past: list  # a Past for every task before this one
    beginning: np.ndarray  # θ at the beginning of this one, the units of its new classes among them
    competing: dict  # number of a task -> outputs; −1 for a task that is not known
    old_heads: list  # the outputs of every task known to the teacher
    heads: list  # the outputs of every task known now

    @property
    def before(self):
        """The network after the last task."""
        return self.past[-1].network

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
    memory = ReservoirMemory(9, logits=True) if any(term.wants_logits for term in terms) else Few()
    learner = Halfway(
        Network(layers, random, dtype),
        Method(terms, memory),
        loss=loss,
        optimizer=SGD(0.1),
        steps=2,
        rng=random,
    )
    classes, heads, past = [], {}, []
    for task, labels in SCENES[scene]:
        old_heads = list(heads.values()) or [list(range(len(classes)))]
        x = random.normal(size=(ROWS, INPUTS))
        if labels is None:
            y, old_heads, competing = random.normal(size=(ROWS, VALUES)), [list(range(VALUES))], range(VALUES)
        else:
            y = random.permutation(np.resize(labels, ROWS))
            classes += sorted(set(labels) - set(classes))
            competing = range(len(classes))
        if task is not None:
            heads[task] = sorted({*heads.get(task, []), *(classes.index(label) for label in labels)})
            competing = heads[task]
        learner.learn(x, y, task=task)
        outputs = y if labels is None else np.array([classes.index(label) for label in y])
        past.append(
            Past(x.astype(dtype), outputs, list(competing), copy.deepcopy(learner.network), learner.way)
        )
    stopped, new, replayed = learner.halfway
    stopped.network.theta = random.normal(size=len(stopped.network.theta)) * 0.7
    competing = {-1: list(range(len(classes))), **dict(enumerate(heads.values()))}
    now = list(heads.values()) or [past[-1].competing]
    return Moment(
        stopped, new, replayed, terms, len(past), past[:-1], learner.beginning, competing, old_heads, now
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
    if term.over == "all":
        kl = sum(among_all(z, t, old, look.moment.heads, term) for old in heads) / len(heads)
    else:
        kl = sum(divergence(z[:, columns], t[:, columns], term.T) for columns in heads) / len(heads)
    return (1 - alpha(term, look.moment.tasks)) * kl


def among_all(z, t, old, heads, term):
    """The sum over old classes alone: p is 0 for the others, which only q knows."""
    head = next(head for head in heads if set(old) <= set(head))
    log_q = oracles.log_softmax(z[:, head] / term.T)[:, [head.index(column) for column in old]]
    log_p = oracles.log_softmax(t[:, old] / term.T)
    entropy = log_p if term.divergence.__name__ == "forward_kl" else 0.0
    return term.T**2 * anp.mean(anp.sum(np.exp(log_p) * (entropy - log_q), axis=1))


def features(term, look):
    g = look.teacher(term)[term.at]
    return term.strength * oracles.feature_distance(look.a[term.at], g, look.learned.R)


def relations(term, look):
    g = look.teacher(term)[term.at]
    f = look.a[term.at][:, : g.shape[1]]
    return term.distance * oracles.relation_distance(f, g) + term.angle * oracles.relation_angle(f, g)


def alpha(term, tasks):
    """What the term leaves to L₀ at the last of so many tasks."""
    if isinstance(term, AsymmetricCrossEntropy | DistilledBinaryCrossEntropy):
        return 0.0
    share = term.alpha if isinstance(term, Replay | SoftReplay | Logits) else 1.0
    return 1 / tasks if share in ("1/k", "n/N") else share  # all tasks of a scene have as many rows


def replay(term, look):
    name = next(name for name, kind in LOSSES.items() if isinstance(term.loss, kind))
    return (1 - alpha(term, look.moment.tasks)) * loss(name, look)


def asymmetric_cross_entropy(term, look):
    """Row by row, among the classes of those rows whose task is the same."""
    total, y, tasks = 0.0, look.samples.y, look.samples.task
    for i in range(len(y)):
        present = sorted({int(label) for label, task in zip(y, tasks, strict=True) if task == tasks[i]})
        one_hot = np.array([[float(label == y[i]) for label in present]])
        total = total + oracles.cross_entropy(look.a[-1][i : i + 1, present], one_hot)
    return total / len(y)


def distilled_binary_cross_entropy(term, look):
    t = look.teacher(term)[-1]
    old = {int(label) for past in look.moment.past for label in past.y}
    z = look.a[-1]
    y = np.array([[float(k == label) for k in range(z.shape[1])] for label in look.samples.y])
    for k in old:
        y[:, k] = 1 / (1 + np.exp(-t[:, k] / term.T))
    return oracles.binary_cross_entropy(z, y)


def stored_logits(row, moment):
    """What a replayed row was answered when it was stored, and for later outputs when they were added."""
    past = moment.past
    (came,) = [k for k, task in enumerate(past) if (task.x == row).all(axis=1).any()]
    h = forward(past[came].network, past[came].network.theta, row[None])[-1][0]
    moments = [(task.network, task.way[0][0]) for task in past[came + 1 :]]
    for network, theta in [*moments, (moment.learner.network, moment.beginning)]:
        h = np.concatenate([h, forward(network, theta, row[None])[-1][0, len(h) :]])
    return h


def soft_replay(term, look):
    """Row by row: the sum over old classes that compete for it alone, p being 0 for the others."""
    old, total = {int(label) for past in look.moment.past for label in past.y}, 0.0
    for i, (row, task) in enumerate(zip(look.samples.x, look.samples.task, strict=True)):
        competing = look.moment.competing[task]
        known = [k for k, output in enumerate(competing) if output in old]
        log_q = oracles.log_softmax(look.a[-1][i : i + 1, competing] / term.T)[0, known]
        h = stored_logits(row, look.moment)[competing][known]
        log_p = oracles.log_softmax(h[None] / term.T)[0]
        total = total + term.T**2 * anp.sum(np.exp(log_p) * (log_p - log_q))
    return (1 - alpha(term, look.moment.tasks)) * total / len(look.samples)


def dark_replay(term, look):
    """How far each replayed row is from what it was answered."""
    z, total = look.a[-1], 0.0
    for i, row in enumerate(look.samples.x):
        total = total + term.alpha * anp.sum((z[i] - stored_logits(row, look.moment)) ** 2)
    name = next(name for name, kind in LOSSES.items() if isinstance(look.moment.learner.loss, kind))
    return total / len(look.samples) + term.beta * loss(name, look)


# ---- importance, a second time: sample by sample --------------------------------------------------------


def jacobians(task):
    """Return for every row of a past task its competing logits, and their derivatives by θ."""

    def z(theta, row):
        return forward(task.network, theta, row[None])[-1][0, task.competing]

    theta = task.network.theta.astype(np.float64)
    return [(z(theta, row), autograd.jacobian(z)(theta, row)) for row in task.x]


def fisher(task, labels):
    total = 0.0
    for (z, J), y in zip(jacobians(task), task.y, strict=True):
        if np.ndim(y):  # p = N(z, 1)
            total = total + ((J**2).sum(axis=0) if labels == "exact" else ((y - z) @ J) ** 2)
            continue
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        scores = [J[c] - p @ J for c in range(len(p))]
        c = task.competing.index(y)
        total = total + (
            sum(p[k] * scores[k] ** 2 for k in range(len(p))) if labels == "exact" else scores[c] ** 2
        )
    return total / len(task.x)


def sensitivity(task):
    return sum(np.abs(2 * z @ J) for z, J in jacobians(task)) / len(task.x)


def path_integral(task, damping):
    thetas = [theta for theta, _ in task.way] + [task.network.theta]
    w = sum(-g * (end - start) for (start, g), end in zip(task.way, thetas[1:], strict=True))
    return np.maximum(w / ((thetas[-1] - thetas[0]) ** 2 + damping), 0)


def padded(vector, like):
    return np.concatenate([vector, np.zeros(len(like) - len(vector))])


def ewc(term, look):
    """Not the sum of the tasks' penalties but, as that is all that is kept, of one to their weighted mean."""
    omega = weighted = 0.0
    for task in look.moment.past:
        F, theta = (padded(v, look.moment.theta) for v in (fisher(task, term.labels), task.network.theta))
        if term.online:
            omega = term.decay * omega + F
            weighted = omega * theta
        else:
            omega, weighted = omega + F, weighted + F * theta
    anchor = weighted / np.where(omega > 0, omega, 1)
    return oracles.importance_weighted(look.theta, term.strength, omega, anchor)


def consolidation(of):
    """The penalty of SI or MAS: the sum of the tasks' importances, and θ as the last of them left it."""

    def penalty(term, look):
        omega = sum(padded(of(task, term), look.moment.theta) for task in look.moment.past)
        anchor = padded(look.moment.before.theta, look.moment.theta)
        return oracles.importance_weighted(look.theta, term.strength, omega, anchor)

    return penalty


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
    AsymmetricCrossEntropy: asymmetric_cross_entropy,
    SoftReplay: soft_replay,
    DarkReplay: dark_replay,
    DistilledBinaryCrossEntropy: distilled_binary_cross_entropy,
    EWC: ewc,
    SI: consolidation(lambda task, term: path_integral(task, term.damping)),
    MAS: consolidation(lambda task, term: sensitivity(task)),
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
            samples = moment.replayed if term.replayed else moment.new
            total = total + ORACLES[type(term)](term, look(samples, learned))
    return total


# ---- terms, drawn ------------------------------------------------------------------------------------

STRENGTHS = st.sampled_from([0.0, 0.1, 1.0, 10.0])
SHARES = st.sampled_from([0.0, 0.3, 0.5, 1.0])
BOTH = st.booleans()
TEMPERATURES = st.sampled_from([0.5, 1.0, 2.0, 10.0])


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
    anchored = BOTH
    return {
        Replay: lambda: st.builds(Replay, SHARES | st.sampled_from(["1/k", "n/N"]), losses(scene)),
        Logits: lambda: logits_terms(teacher),
        SoftReplay: lambda: st.builds(SoftReplay, SHARES | st.sampled_from(["1/k", "n/N"]), TEMPERATURES),
        DarkReplay: lambda: st.builds(DarkReplay, STRENGTHS, STRENGTHS),
        DistilledBinaryCrossEntropy: lambda: st.builds(DistilledBinaryCrossEntropy, TEMPERATURES),
        EWC: lambda: st.builds(EWC, STRENGTHS, st.sampled_from(["exact", "empirical"]), BOTH, SHARES),
        SI: lambda: st.builds(SI, STRENGTHS, st.sampled_from([0.001, 0.1])),
        MAS: lambda: st.builds(MAS, STRENGTHS),
        Features: lambda: st.builds(Features, STRENGTHS, at, teacher),
        Relations: lambda: st.builds(Relations, STRENGTHS, STRENGTHS, at, teacher),
        L1: lambda: st.builds(L1, STRENGTHS, anchored),
        L2: lambda: st.builds(L2, STRENGTHS, anchored),
        ElasticNet: lambda: st.builds(ElasticNet, STRENGTHS, SHARES, anchored),
    }.get(kind, lambda: st.builds(kind))()


def logits_terms(teacher):
    """Return a strategy for Logits; over all classes there is no reverse divergence."""
    shares = SHARES | st.just("1/k")
    divergences = st.sampled_from(
        [("reverse", "old"), *product(["forward", "cross_entropy"], ["old", "all"])]
    )
    return st.builds(
        lambda share, T, divergence, teacher: Logits(share, T, divergence[0], teacher, divergence[1]),
        shares,
        TEMPERATURES,
        divergences,
        teacher,
    )


def losses(scene):
    """Return a strategy for the names of losses that fit the scene's targets."""
    return st.sampled_from([name for name in LOSSES if (name == "squared_error") == (scene == "values")])


def scenes_for(kind):
    """Return the scenes whose targets a term of that kind can look at."""
    if kind is SquaredError:
        return ["values"]
    labels = kind in (CrossEntropy, BinaryCrossEntropy) or kind.of_classes
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
