"""Terms: alone and together they are what their formulas say, and to evaluate them changes nothing."""

import autograd
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import minimize_scalar

from incrlearn import SGD, Adam, Learner, Linear, Method, Network, Tanh, learning
from incrlearn.formulas import (
    cross_entropy,
    distilled_cross_entropy,
    forward_kl,
    l2,
    reverse_kl,
    soft_cross_entropy,
)
from incrlearn.learning import (
    EWC,
    L1,
    L2,
    MAS,
    SI,
    AsymmetricCrossEntropy,
    BatchTerm,
    ClassBalancedMemory,
    CrossEntropy,
    DarkReplay,
    DistilledBinaryCrossEntropy,
    ElasticNet,
    Features,
    Logits,
    ParameterTerm,
    Projection,
    ProximalTerm,
    Relations,
    Replay,
    ReservoirMemory,
    Samples,
    SharedMemory,
    SoftReplay,
    Term,
    distillation,
    projection,
    regularization,
    replay,
    terms,
)
from tests import oracles
from tests.oracles import agree, central_difference

from .helpers import points, rng, small_network, state
from .scenes import ORACLES, SCENES, Few, Halfway, fisher, forward, moment, moments, objective, padded


def concrete_terms():
    """Return every Term of the package that adds to the objective and says how."""
    abstract = {Term, BatchTerm, ParameterTerm, ProximalTerm, Projection}
    kinds = [getattr(learning, name) for name in learning.__all__]
    kinds = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Term)]
    kinds = [kind for kind in kinds if not issubclass(kind, Projection)]  # these have a file of their own
    return [kind for kind in kinds if any("__call__" in vars(c) for c in set(kind.mro()) - abstract)]


def test_every_term_can_be_imported_from_the_folder():
    families = (terms, regularization, distillation, replay, projection)
    kinds = {kind for family in families for kind in vars(family).values() if isinstance(kind, type)}
    public = {kind.__name__ for kind in kinds if issubclass(kind, Term) and kind.__name__[0] != "_"}
    assert public <= set(learning.__all__)


TERMS = pytest.mark.parametrize("kind", concrete_terms(), ids=lambda kind: kind.__name__)
FEWER = settings(max_examples=max(settings.default.max_examples // 3, 1))
DATA = st.data()


def test_every_term_has_an_oracle():
    assert set(concrete_terms()) == set(ORACLES)


# ---- gradients ---------------------------------------------------------------------------------------


def agrees_with_autograd(here):
    value, gradient = here.objective(here.theta)
    agree(value, objective(here, here.theta), 1e-12, floor=1)
    agree(gradient, autograd.grad(lambda theta: objective(here, theta, proximal=False))(here.theta), 1e-10)


@TERMS
@FEWER
@given(DATA)
def test_every_single_term_agrees_with_autograd(kind, data):
    agrees_with_autograd(data.draw(moments([kind])))


@given(moments())
def test_every_combination_of_terms_agrees_with_autograd(here):
    agrees_with_autograd(here)


@TERMS
@settings(max_examples=2)
@given(DATA)
def test_every_single_term_agrees_with_central_differences(kind, data):
    here = data.draw(moments([kind], activations=("tanh", "sigmoid")))
    _, gradient = here.objective(here.theta)
    agree(gradient, central_difference(here.smooth, here.theta), 1e-7, floor=1e-3)


@FEWER
@given(moments())
def test_evaluating_the_objective_changes_nothing(here):
    before = state(here.learner)
    first = here.learner.objective(here.new, here.replayed)
    assert state(here.learner) == before
    assert state(here.learner.objective(here.new, here.replayed)) == state(first)


@FEWER
@given(moments(dtype="float32", given=False))
def test_every_combination_of_terms_is_computed_in_float32_as_well(here):
    value, gradient = here.objective(here.theta)
    assert gradient.dtype == np.float32
    theta = here.theta.astype(np.float64)
    agree(value, objective(here, theta), 1e-4, floor=1)
    agree(gradient, autograd.grad(lambda theta: objective(here, theta, proximal=False))(theta), 1e-4, floor=1)


# ---- the document's formulas, in full ----------------------------------------------------------------


@pytest.mark.parametrize("divergence", [reverse_kl, forward_kl, soft_cross_entropy])
def test_the_logits_term_and_the_loss_are_formula_4_2(divergence):
    name = {reverse_kl: "reverse", forward_kl: "forward", soft_cross_entropy: "cross_entropy"}[divergence]
    here = moment("the same classes", [Logits(0.3, 4.0, name)], "cross_entropy")
    student, teacher = here.learner.network, here.before
    a = student.forward(here.new.x)
    expected, slope = distilled_cross_entropy(
        a[-1], here.new.y, teacher(here.new.x), alpha=0.3, T=4.0, divergence=divergence
    )
    value, gradient = here.objective(here.theta)
    agree(value, expected, 1e-14)
    agree(gradient, student.backward(a, {-1: slope}), 1e-14)


def test_formula_4_2_with_anchored_4_1_is_a_list_of_two_terms():
    here = moment("the same classes", [Logits(0.3, 4.0), L2(0.7, anchored=True)], "cross_entropy")
    a = here.learner.network.forward(here.new.x)
    distilled, slope = distilled_cross_entropy(a[-1], here.new.y, here.before(here.new.x), alpha=0.3, T=4.0)
    penalty, pull = l2(here.theta, 0.7, here.before.theta)
    value, gradient = here.objective(here.theta)
    agree(value, distilled + penalty, 1e-14)
    agree(gradient, here.learner.network.backward(a, {-1: slope}) + pull, 1e-14)


def test_the_objective_reproduces_the_worked_numbers_of_formula_4_2():
    def constant(z):
        network = Network([Linear(1, 3)], rng(), "float64")
        network.theta = np.column_stack([np.zeros(3), z]).ravel()
        return network

    term = Logits(alpha=0.5, T=2.0, teacher=constant([0.8, 0.1, 0.1]))
    learner = Halfway(constant([0.7, 0.2, 0.1]), [term], rng=rng(), classes=[0, 1, 2], steps=1)
    learner.learn([[0.0]], [0])
    stopped, new, _ = learner.halfway
    value, gradient = stopped.objective(new)
    agree(value, 0.385716032815477, 1e-12)
    agree(gradient[1::2], [-0.286120412938630, 0.157515537551551, 0.128604875387079], 1e-12)


# ---- before the first task, and what is remembered after it ------------------------------------------

#: one of every term that waits for the end of a task
WAITING = [
    Logits(),
    Features(),
    Relations(),
    Replay(),
    Replay("1/k"),
    Replay("n/N"),
    Logits("1/k", divergence="forward", over="all"),
    EWC(),
    EWC(online=True, labels="sampled"),
    SI(),
    MAS(),
    L1(1.0, anchored=True),
    L2(1.0, anchored=True),
    ElasticNet(1.0, anchored=True),
]


def by_kind(term):
    return type(term).__name__


def learned(recipe, tasks=1, **options):
    """Return a learner that has learned so many tasks of two classes, and its values of the objective."""
    learner = Halfway(small_network(dtype="float64"), recipe, rng=rng(), epochs=2, batch_size=8, **options)
    values = []
    for k in range(tasks):
        learner.learn(*points([2 * k, 2 * k + 1], seed=k))
        values.append(learner.objective_values)
    return learner, values


@pytest.mark.parametrize("term", WAITING, ids=by_kind)
def test_the_objective_of_the_first_task_is_the_loss_alone(term):
    _, plain_values = learned([], tasks=2)
    _, values = learned(Method([term], Few()), tasks=2)
    assert values[0] == plain_values[0]
    assert values[1] != plain_values[1]


@pytest.mark.parametrize(
    "term", [L1(1.0), L2(1.0), ElasticNet(1.0), Logits(teacher=small_network(outputs=2))]
)
def test_what_needs_no_past_is_active_from_the_first_task(term):
    assert learned([term])[1] != learned([])[1]


@pytest.mark.parametrize(
    "term", [L1(anchored=True), L2(anchored=True), ElasticNet(anchored=True)], ids=by_kind
)
def test_an_anchor_is_a_copy_of_where_the_task_began_the_units_of_new_classes_among_it(term):
    learner, _ = learned([term])
    assert learner.terms[0].anchor is None
    after_the_first = learner.network.theta.copy()
    learner.learn(*points([2, 3]))
    anchor = learner.terms[0].anchor
    assert (anchor[: len(after_the_first)] == after_the_first).all()
    assert (anchor == learner.beginning).all()
    assert (anchor != learner.network.theta).any()


@pytest.mark.parametrize("term", [Logits(), Features(), Relations()], ids=by_kind)
def test_a_teacher_is_a_copy_of_the_network_at_the_end_of_the_last_task(term):
    learner, _ = learned([term])
    after_the_first = learner.network.theta.copy()
    learner.learn(*points([2, 3]))
    assert (learner.halfway[0].terms[0].teacher.theta == after_the_first).all()
    assert (learner.terms[0].teacher.theta == learner.network.theta).all()
    assert not np.shares_memory(learner.terms[0].teacher.theta, learner.network.theta)


@pytest.mark.parametrize("term", [Logits, DistilledBinaryCrossEntropy])
def test_a_teacher_that_is_asked_once_for_a_row_teaches_what_it_does_when_asked_at_every_step(term):
    def theta(kind):
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(50, 4)), rng.integers(3, size=50)
        learner = Learner(Network.mlp(4, 8, 0, rng=rng, dtype="float64"), [kind()], rng=rng, batch_size=16)
        learner.learn(x, y).learn(x[:37], y[:37] + 2)
        assert learner.terms[0].answers is None  # between tasks nothing is kept
        return learner.network.theta

    class Asked(term):
        def ask(self, batch):
            return self.teacher(batch.x)

    agree(theta(term), theta(Asked), 1e-12)


def test_a_given_teacher_stays_as_it_was_given():
    teacher = small_network(outputs=2, seed=5)
    learner, _ = learned([Logits(teacher=teacher)], tasks=2)
    assert (learner.terms[0].teacher.theta == teacher.theta).all()
    assert learner.terms[0].teacher is not teacher


def test_features_of_another_width_are_mapped_by_least_squares_on_the_task():
    teacher = Network.mlp(2, 5, 2, rng=rng(5), dtype="float64")
    term = Features(teacher=teacher)
    network = small_network(dtype="float64")
    learner = Halfway(network, [term], rng=rng(), steps=1, batch_size=99)
    x, y = points([0, 1])
    learner.learn(x, y)
    stopped, _, _ = learner.halfway
    f = forward(stopped.network, stopped.network.theta, x)[-2]
    g = forward(teacher, teacher.theta, x)[-2]
    agree(stopped.terms[0].R, np.linalg.pinv(f) @ g, 1e-10)


def test_dependent_features_of_float32_are_mapped_without_blowing_up_their_rounding_errors():
    random = rng()
    teacher = Network.mlp(3, 5, 2, rng=random)
    network = Network([Linear(3, 8, bias=False), Linear(8, 0)], random)  # 8 features of rank 3
    learner = Learner(network, [Features(at=1, teacher=teacher)], rng=random, steps=1)
    learner.learn(random.normal(size=(50, 3)), np.arange(50) % 2)
    assert np.abs(learner.terms[0].R).max() < 1000


def test_several_teachers_divide_what_is_left_to_the_loss_between_them():
    here = moment("the same classes", [Logits(0.5), Logits(0.2, divergence="forward")], "cross_entropy")
    parts = [term(here.learner.network.forward(here.new.x), _batch(here))[0] for term in here.learner.terms]
    plain = moment("the same classes", [], "cross_entropy")
    plain_value, _ = plain.objective(here.theta)
    agree(here.objective(here.theta)[0], 0.5 * 0.2 * plain_value + sum(parts), 1e-12)


def _batch(here):
    return here.learner._targets.batch(here.new)


def test_replay_by_one_over_k_weighs_every_task_alike():
    weights = []
    for tasks in range(1, 5):
        learner, _ = learned(Method([Replay("1/k")], Few()), tasks=tasks)
        term = learner.halfway[0].terms[0]
        weights.append(term.loss_weight if term.active else 1.0)
    assert weights == [1, 1 / 2, 1 / 3, 1 / 4]


SIZES = [4, 1, 10, 3]  # rows of each of a few tasks


def sized_tasks():
    """Return tasks of very different sizes, in which classes come and come again."""
    x, y = points([0, 1, 2], n=6)
    ends = np.cumsum(SIZES)
    return [(x[end - n : end], y[end - n : end]) for n, end in zip(SIZES, ends, strict=True)]


def test_replay_by_n_over_all_weighs_every_sample_alike():
    learner = Halfway(
        small_network(), Method([Replay("n/N")], Few()), rng=rng(), steps=1, batch_size=3, classes=[0, 1, 2]
    )
    weights = []
    for x, y in sized_tasks():
        learner.learn(x, y)
        term = learner.halfway[0].terms[0]
        weights.append(term.loss_weight if term.active else 1.0)
    assert weights == [1, 1 / 5, 10 / 15, 3 / 18]


@pytest.mark.parametrize("memory", [ReservoirMemory(100), SharedMemory(100)], ids=by_kind)
def test_replay_by_n_over_all_follows_on_average_the_gradient_of_all_samples_ever_seen(memory):
    """The mean over every pair of a new sample and a replayed one, where a memory has kept all."""
    learner = Learner(
        small_network(dtype="float64"), Method([Replay("n/N")], memory), rng=rng(), batch_size=1, epochs=1
    )
    *before, (x, y) = sized_tasks()
    for task in before:
        learner.learn(*task)
    for _ in learner.learn_steps(x, y):  # the memory does not hold this task yet
        new, old = Samples(x, learner._targets.outputs(y), np.full(3, -1)), learner.memory.samples
        assert len(old) == sum(SIZES[:-1])
        pairs = [learner.objective(new[[i]], old[[j]]) for i in range(3) for j in range(len(old))]
        a = learner.network.forward(np.concatenate([x, old.x]))
        value, slope = cross_entropy(a[-1], np.concatenate([new.y, old.y]))
        agree(np.mean([value for value, _ in pairs]), value, 1e-13)
        agree(
            sum(gradient for _, gradient in pairs) / len(pairs),
            learner.network.backward(a, {-1: slope}),
            1e-12,
        )


@pytest.mark.parametrize("memory", [ReservoirMemory(3), SharedMemory(3)], ids=by_kind)
def test_a_draw_from_a_small_memory_is_of_one_sample_after_another_of_those_seen(memory):
    """Over the memory's own draws too: each class stands in a replayed batch as often as it was seen."""
    random, y = rng(), np.repeat([0, 1, 2], [1, 3, 8])
    seen = Samples(np.arange(12.0)[:, None], y, np.full(12, -1))
    counts, runs = np.zeros(3), 1000
    for _ in range(runs):
        memory.__init__(3)
        memory.end_task(None, seen, None, random)
        counts += np.bincount(memory.draw(1, random).y, minlength=3)
    p = np.bincount(y) / 12
    assert (np.abs(counts / runs - p) < 5 * np.sqrt(p * (1 - p) / runs)).all()


# ---- importance --------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", ["exact", "empirical"])
def test_the_penalty_of_ewc_is_the_sum_of_one_per_task_to_its_own_anchor_but_for_a_constant(labels):
    here = moment("tasks known by id", [EWC(3.0, labels)], "cross_entropy")
    (term,), random, differences = here.learner.terms, rng(1), []
    assert len(here.past) == 2
    for scale in (0.0, 0.1, 1.0, 3.0):
        theta = here.theta + scale * random.normal(size=len(here.theta))
        total, slope = 0.0, 0.0
        for task in here.past:
            F, own = (padded(vector, theta) for vector in (fisher(task, labels), task.network.theta))
            total, slope = total + 1.5 * np.sum(F * (theta - own) ** 2), slope + 3.0 * F * (theta - own)
        value, gradient = term(theta)
        agree(gradient, slope, 1e-12)
        differences.append(total - value)
    assert differences[0] > 0
    agree(differences, np.full(4, differences[0]), 1e-7)


def test_online_ewc_with_decay_zero_holds_to_the_last_task_alone_and_with_one_to_all_at_the_last_anchor():
    forgetful, faithful = (
        moment("tasks known by id", [EWC(1.0, online=True, decay=decay)], "cross_entropy")
        for decay in (0.0, 1.0)
    )
    for here, tasks in ((forgetful, forgetful.past[-1:]), (faithful, faithful.past)):
        (term,) = here.learner.terms
        agree(term.importance, sum(padded(fisher(task, "exact"), here.theta) for task in tasks), 1e-12)
        assert (term.anchor == padded(here.before.theta, here.theta)).all()


def test_the_sampled_fisher_information_is_on_average_the_exact_one():
    """Over many labels drawn for the same samples."""
    network, random = small_network(outputs=3, dtype="float64"), rng()
    data = _as_batch(network, *points([0, 1, 2], n=5))
    exact, sampled = EWC(), EWC(labels="sampled", online=True)
    exact.end_task(network, data, random)
    runs = 600
    for _ in range(runs):
        sampled.end_task(network, data, random)
    gap = sampled.importance / runs - exact.importance
    assert np.linalg.norm(gap) < 0.1 * np.linalg.norm(exact.importance)


def _as_batch(network, x, y):
    learner = Learner(network, rng=rng(), classes=[0, 1, 2])
    return learner._targets.batch(Samples(x, y, np.full(len(y), -1)))


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_si_is_what_a_plain_second_loop_computes(momentum):
    """The whole run again, with the gradient by autograd: ω by the data's gradient and the step as taken."""
    c, xi, rate, tasks = (
        0.7,
        0.05,
        0.1,
        [points([0, 1], n=4), points([1, 0], n=4, seed=1), points([0, 1], n=3)],
    )
    options = {"optimizer": SGD(rate, momentum), "steps": 6, "batch_size": 99, "classes": [0, 1]}
    layers = [Linear(2, 3), Tanh(), Linear(3, 2)]
    learner = Learner(Network(layers, rng(), "float64"), [SI(2 * c, xi)], rng=rng(), **options)
    theta = learner.network.theta.copy()
    omega, anchor, v = np.zeros_like(theta), theta.copy(), np.zeros_like(theta)
    for x, y in tasks:

        def data_loss(theta, x=x, y=y):
            return oracles.cross_entropy(forward(learner.network, theta, x)[-1], y)

        start, w = theta.copy(), np.zeros_like(theta)
        for _ in range(6):
            g = autograd.grad(data_loss)(theta)
            v = momentum * v + g + 2 * c * omega * (theta - anchor)
            w, theta = w + g * rate * v, theta - rate * v
        omega = omega + np.maximum(0, w / ((theta - start) ** 2 + xi))
        anchor = theta
        learner.learn(x, y)
        agree(learner.network.theta, theta, 1e-10)
        agree(learner.terms[0].importance, omega, 1e-9)
        agree(learner.terms[0].anchor, anchor, 1e-10)
    assert (omega > 0).mean() > 0.3


@pytest.mark.parametrize("term", [EWC(5.0), SI(5.0), MAS(5.0)], ids=by_kind)
def test_units_of_new_classes_are_free(term):
    learner, _ = learned([term], tasks=2)
    stopped, _, _ = learner.halfway
    (held,), size = stopped.terms, 12 * 3 + 2 * 13  # θ after the first task
    assert (held.importance[size:] == 0).all()
    assert held.importance[:size].any()
    assert learner.terms[0].importance[size:].any()  # until their task has ended


@pytest.mark.parametrize("name", ["ewc", "si", "mas"])
def test_what_matters_moves_less_where_it_is_held(name):
    """In tasks known by id; weighted by what mattered, the way of the second task is shorter."""
    ways = {}
    for strength in (0, 1000):
        option = {"si": "c"}.get(name, "strength")
        learner, _ = learned(f"{name}({option}={strength})", optimizer=Adam(0.02), steps=60)
        omega, theta = learner.terms[0].importance.copy(), learner.network.theta.copy()
        learner.learn(*points([2, 3]), task="b")
        ways[strength] = np.sum(omega * (learner.network.theta[: len(theta)] - theta) ** 2)
    assert ways[1000] < 0.5 * ways[0]


# ---- what stands in place of L₀ ----------------------------------------------------------------------


def test_new_samples_give_no_gradient_to_the_logits_of_classes_that_are_not_among_them():
    learner = Learner(small_network(dtype="float64"), "er_ace", rng=rng(), steps=3)
    for labels in ([0, 1], [2, 3], [4, 5]):
        learner.learn(*points(labels))
    x, y = points([2, 5], n=3)
    new, old = (Samples(x, y, np.full(6, -1)), learner.memory.draw(20, rng(1)))
    head = slice(12 * 3, None)
    rows = learner.objective(new)[1][head].reshape(6, 13)
    assert rows.any(axis=1).tolist() == [False, False, True, False, False, True]
    rows = learner.objective(new, old)[1][head].reshape(6, 13)
    assert rows.any(axis=1).all()  # it is the replayed samples that set all classes apart
    one = new[new.y == 5]
    value, gradient = learner.objective(one)
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("kind", [AsymmetricCrossEntropy, DistilledBinaryCrossEntropy])
def test_a_term_in_place_of_the_loss_is_computed_instead_of_it(kind):
    class Unasked(CrossEntropy):
        def __call__(self, a, batch):
            raise AssertionError("this loss is not to be computed")

    learner = Learner(small_network(), [kind()], rng=rng(), loss=Unasked(), steps=2)
    learner.learn(*points([0, 1])).learn(*points([1, 2]))
    assert learner.n_tasks == 2


def test_in_the_first_task_distilled_binary_cross_entropy_is_plain_binary_cross_entropy():
    x, y = points([0, 1])
    options = {"rng": rng(), "steps": 5, "batch_size": 99}
    own = Learner(small_network(), [DistilledBinaryCrossEntropy()], **options).learn(x, y)
    options["rng"] = rng()
    plain = Learner(small_network(), loss="binary_cross_entropy", **options).learn(x, y)
    agree(own.network.theta, plain.network.theta, 1e-6)


# ---- learning without forgetting over all classes ----------------------------------------------------


def test_over_all_classes_there_is_no_reverse_divergence():
    with pytest.raises(ValueError, match="over='all' is not for the reverse divergence, which is infinite"):
        Logits(over="all")


def test_an_old_head_that_was_divided_among_several_is_distilled_over_all_of_them():
    """All four classes were one head; now two of them are a task's own, and the others are not."""
    term = Logits(0.25, 2.0, "forward", over="all")
    options = {"rng": rng(), "steps": 2, "classes": [0, 1, 2, 3]}
    learner = Halfway(small_network(dtype="float64"), [term], **options)
    learner.learn(*points([0, 1]))
    before = learner.network.copy()
    learner.learn(*points([2, 3]), task="a")
    stopped, new, _ = learner.halfway
    z, t = stopped.network(new.x), before(new.x)
    own = oracles.cross_entropy(z[:, 2:], new.y - 2)
    agree(stopped.objective(new)[0], 0.25 * own + 0.75 * oracles.forward_kl(z, t, 2.0), 1e-12)


# ---- proximal steps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("ratio", [1.0, 0.6, 0.0])
def test_a_proximal_step_goes_to_the_argmin(ratio, anchored):
    """θ ← argmin_x ½(x − θ)² + η term(x), one parameter at a time."""
    term = L1(0.8, anchored) if ratio == 1 else ElasticNet(0.8, ratio, anchored)
    theta = np.linspace(-1, 1, 41)
    anchor = np.zeros(41)
    if anchored:
        anchor = rng().normal(size=41) / 3
        term.anchor = anchor
    stepped = theta.copy()
    term.step(stepped, 0.5)
    for start, pulled_to, end in zip(theta, anchor, stepped, strict=True):

        def cost(x, start=start, pulled_to=pulled_to):
            return (x - start) ** 2 / 2 + 0.5 * oracles.elastic_net(np.array([x]), 0.8, ratio, pulled_to)

        best = minimize_scalar(cost, bounds=(-2, 2), method="bounded", options={"xatol": 1e-12}).x
        assert cost(end) <= cost(best) + 1e-15
        assert abs(end - best) < 1e-6
    if ratio:
        assert (stepped == anchor).any()


@pytest.mark.parametrize("term", [L1(0.3), ElasticNet(0.3, 0.5)], ids=by_kind)
def test_a_learner_takes_the_proximal_step_after_the_optimizers(term):
    x, y = points([0, 1])
    steps = {"rng": rng(), "optimizer": SGD(0.2), "steps": 1, "batch_size": 99}
    plain = Learner(small_network(dtype="float64"), **{**steps, "rng": rng()}).learn(x, y)
    learner = Learner(small_network(dtype="float64"), [term], **{**steps, "rng": rng()}).learn(x, y)
    expected = plain.network.theta.copy()
    term.step(expected, 0.2)
    agree(learner.network.theta, expected, 1e-14)


# ---- bad arguments -----------------------------------------------------------------------------------

BAD = [
    *[(Logits, "alpha", bad) for bad in (-0.1, 1.1, np.nan, "1", None, True)],
    *[
        (kind, "T", bad)
        for kind in (Logits, DistilledBinaryCrossEntropy)
        for bad in (0, -1, np.inf, np.nan, "2", None)
    ],
    *[(Logits, "divergence", bad) for bad in ("backward", None, reverse_kl)],
    *[(kind, "teacher", bad) for kind in (Logits, Features, Relations) for bad in (3, Network, "last")],
    *[(Features, "strength", bad) for bad in (-1, np.nan, "1", None)],
    *[(Relations, name, bad) for name in ("distance", "angle") for bad in (-1, np.inf, None)],
    *[(kind, "strength", bad) for kind in (L1, L2, ElasticNet) for bad in (-1, np.nan, np.inf, "1", None)],
    *[(ElasticNet, "ratio", bad) for bad in (-0.1, 1.1, np.nan, None)],
    *[(Logits, "over", bad) for bad in ("new", None, 3)],
    *[(kind, "strength", bad) for kind in (EWC, SI, MAS) for bad in (-1, np.nan, np.inf, "1", None)],
    *[(EWC, "labels", bad) for bad in ("all", None, 3)],
    *[(EWC, "decay", bad) for bad in (-0.1, 1.1, np.nan, None)],
    *[(SI, "damping", bad) for bad in (0, -1, np.nan, "1", None)],
    *[(SoftReplay, "T", bad) for bad in (0, -1, np.nan, "1", None)],
    *[(SoftReplay, "alpha", bad) for bad in (-0.1, 1.1, "1/n", None)],
    *[(DarkReplay, name, bad) for name in ("alpha", "beta") for bad in (-1, np.nan, "1", None)],
    *[(Replay, "alpha", bad) for bad in (-0.1, 1.1, "1/2", None)],
    *[(Replay, "loss", bad) for bad in ("hinge", CrossEntropy, L2())],
]
BAD_AT = [(kind, "at", bad) for kind in (Features, Relations) for bad in (1.5, "-2", None)]


@pytest.mark.parametrize(("kind", "name", "bad"), BAD + BAD_AT)
def test_a_bad_argument_is_refused_by_name(kind, name, bad):
    with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
        kind(**{name: bad})


@pytest.mark.parametrize("kind", [Features, Relations])
@pytest.mark.parametrize("at", [-5, 4])
def test_an_index_that_the_network_does_not_have_is_refused_before_the_first_step(kind, at):
    learner = Learner(small_network(), [kind(at=at)], rng=rng())
    assert len(learner.network.layers) == 3
    with pytest.raises(ValueError, match="at must be the index of one of 4 activations"):
        learner.learn(*points([0, 1]))
    assert learner.n_tasks == 0


@pytest.mark.parametrize(
    ("term", "widths", "message"),
    [
        (Logits, (3, 2), "teacher takes 3 features, the student 2"),
        (Features, (3, 2), "teacher takes 3 features, the student 2"),
        (Logits, (2, 5), "teacher has 5 outputs, the student only 2"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused_before_the_first_step(term, widths, message):
    learner = Learner(small_network(), [term(teacher=Network.mlp(*widths, rng=rng()))], rng=rng())
    with pytest.raises(ValueError, match=message):
        learner.learn(*points([0, 1]))


def test_relations_of_an_inner_layer_are_those_of_all_its_units():
    teacher = Network.mlp(2, 1, 2, rng=rng())
    learner = Learner(small_network(), [Relations(at=-2, teacher=teacher)], rng=rng(), steps=1)
    learner.learn(*points([0, 1]))
    a = learner.network.forward(points([0, 1])[0])
    batch = learner._targets.batch(Samples(a[0], np.arange(len(a[0])) % 2, np.full(len(a[0]), -1)))
    _, gradients = learner.terms[0](a, batch)
    assert gradients[-2].any(axis=0).sum() > 1


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_replay_uses_the_learner_s_loss_unless_another_is_given(loss):
    own = Learner(small_network(), "replay", rng=rng(), loss=loss)
    assert own.terms[0].loss is own.loss
    other = Method([Replay(loss="cross_entropy")], ClassBalancedMemory(2))
    assert type(Learner(small_network(), other, rng=rng(), loss=loss).terms[0].loss) is CrossEntropy


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_stops_where_the_oracle_expects_it(scene):
    """The oracle of this folder is worth something only if student and teacher really differ."""
    here = moment(scene, [L2()], "squared_error" if scene == "values" else "cross_entropy")
    grown = here.learner.network.outputs - here.before.outputs
    assert grown == {"new classes": 2, "tasks known by id": 1}.get(scene, 0)
    assert len(set(here.new.task)) == 1
    assert len(set(here.replayed.task)) == (2 if scene == "tasks known by id" else 1)
    old = here.before.theta
    assert (here.beginning[: len(old)] == old).all()
    assert (here.theta[: len(old)] != old).all()
