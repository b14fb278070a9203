"""What is measured, as data: contests, who enters them, and the numbers to meet."""

from dataclasses import dataclass, field

from incrlearn.learning.methods import METHODS, method

OURS, LIMIT = "incrlearn", "limit"
IMPORT_NUMPY, FIRST_PREDICTION = "import numpy", "incrlearn: load a model, predict a row"
TRAINING = "incrlearn: train on the digits"
#: what the reference's code takes here for the same run, as shared/reference/split_mnist.md has it
REFERENCE = "reference code"


@dataclass(frozen=True)
class Entrant:
    """Who does some work: a function of a side, with its arguments.

    label : its name in the tables; side : a file in `sides`, or "quoted": then its number is not measured,
    but arguments["value"]; function : the group's name when None; scale : what its number is multiplied with,
    where it does only a part of the work; remark : what is to be said of it.
    """

    label: str
    side: str
    arguments: dict = field(default_factory=dict)
    function: str | None = None
    scale: float = 1.0
    remark: str = ""


@dataclass(frozen=True)
class Contest:
    """The same work, done by several.

    base : everyone's ratio to this entrant is shown; ours to everyone's when None. unit : "s", measured by a
    clock, or what a unit of work returns: "MB", "×". warm : whether units are done before it counts. rounds :
    at most so many. once : whether it does not depend on the number of threads, and the largest will do.
    """

    group: str
    name: str
    entrants: tuple
    base: str | None = None
    unit: str = "s"
    warm: bool = True
    rounds: int | None = None
    once: bool = False

    def __str__(self):
        return f"{self.group}: {self.name}"


WIDTHS = (64, 32, 10), (784, 128, 10), (784, 400, 400, 10), (784, 1000, 1000, 10)
BATCHES = 1, 32, 128, 1024
OPTIMIZERS = {"SGD": "sgd", "Adam": "adam"}
ROWS = 1, 10_000
PYTORCH = {"PyTorch": "eager", "PyTorch, fused": "fused", "PyTorch, compiled": "compiled"}


def named(widths):
    """Return 784-128-10."""
    return "-".join(map(str, widths))


def everybody(arguments, pytorch):
    """Return all who do the whole of it, and the limit; of PyTorch the given ways."""
    return (
        Entrant(OURS, "ours", arguments),
        Entrant(LIMIT, "limit", arguments),
        *(Entrant(label, "pytorch", {**arguments, "how": how}) for label, how in pytorch.items()),
        Entrant("JAX", "jaxed", arguments),
        Entrant("scikit-learn", "scikit", arguments),
    )


def steps():
    """A step of learning."""
    for widths in WIDTHS:
        for label, optimizer in OPTIMIZERS.items():
            for batch in BATCHES:
                arguments = {"widths": widths, "batch": batch, "optimizer": optimizer}
                name = f"{named(widths)}, {label}, batch {batch}"
                yield Contest("step", name, everybody(arguments, PYTORCH))


def predictions():
    """Labels for rows."""
    ways = {label: how for label, how in PYTORCH.items() if how != "fused"}
    for widths in WIDTHS:
        for rows in ROWS:
            name = f"{named(widths)}, {rows:,} row{'s' if rows > 1 else ''}"
            yield Contest("predict", name, everybody({"widths": widths, "rows": rows}, ways))


def single_rows():
    """One row at a time, as a stream brings them."""
    regression = (
        Entrant(OURS, "ours", {"learner": "exact"}),
        Entrant("River, LinearRegression", "riverside", {"learner": "LinearRegression"}),
        Entrant("River, BayesianLinearRegression", "riverside", {"learner": "BayesianLinearRegression"}),
    )
    softmax = (
        Entrant(OURS, "ours", {"learner": "softmax"}),
        Entrant("River, SoftmaxRegression", "riverside", {"learner": "SoftmaxRegression"}),
    )
    yield Contest("rows", "linear regression, 50 features, ours exact", regression)
    yield Contest("rows", "softmax regression, 64-10", softmax)


LARGE = (784, 400, 400, 10)


def serving_domain():
    """Return the names of the methods that can do where every task has the same classes."""
    return [name for name in METHODS if "domain" in method(name).scenarios]


def terms():
    """A step with what each method adds to it."""
    arguments = {"widths": LARGE, "batch": 128, "optimizer": "adam"}
    names = ["none", *(name for name in serving_domain() if method(name).terms)]
    entrants = [Entrant(name, "ours", {**arguments, "method": name}) for name in names]
    yield Contest("terms", f"{named(LARGE)}, Adam, batch 128", tuple(entrants), base="none")


def fishers():
    """The exact Fisher information of 12,000 samples."""
    samples, few, several = 12_000, 8, 128
    entrants = [
        Entrant(OURS, "ours", {"widths": LARGE, "samples": samples}),
        Entrant("PyTorch, loop", "pytorch", {"widths": LARGE, "samples": few}, scale=samples / few),
    ]
    for chunk in (8, 32, 128):
        arguments = {"widths": LARGE, "samples": several, "chunk": chunk}
        entrants.append(
            Entrant(f"torch.func, chunks of {chunk}", "pytorch", arguments, scale=samples / several)
        )
    yield Contest("fisher", f"{named(LARGE)}, {samples:,} samples, 10 classes", tuple(entrants), rounds=7)


def growth():
    """A class more, and the next step of Adam."""
    ways = {label: how for label, how in PYTORCH.items() if how != "compiled"}
    entrants = (
        Entrant(OURS, "ours", {"widths": LARGE}),
        *(Entrant(label, "pytorch", {"widths": LARGE, "how": how}) for label, how in ways.items()),
    )
    yield Contest("growth", f"{named(LARGE)}, Adam", entrants)


def runs():
    """Whole runs of Split MNIST; they need INCRLEARN_DATA."""
    reference = Entrant(REFERENCE, "quoted", {"value": 220.0})
    ways = ("PyTorch", "PyTorch, fused")
    by_hand = [Entrant(label, "pytorch", {"how": PYTORCH[label], "steps": 2000}) for label in ways]
    for name in ("none", "ewc", "lwf"):
        others = (*by_hand, reference) if name == "none" else ()
        entrants = (Entrant(OURS, "ours", {"method": name, "steps": 2000}), *others)
        yield Contest("runs", f"{name}, 5 tasks of 2000 steps", entrants, warm=False, rounds=3, once=True)


def startups():
    """Whole processes, from start to first prediction."""
    others = {"PyTorch": "pytorch", "scikit-learn": "scikit", "JAX": "jaxed"}
    entrants = (
        Entrant("python", "ours", {"what": "python"}),
        Entrant(IMPORT_NUMPY, "ours", {"what": "import numpy"}),
        Entrant("import incrlearn", "ours", {"what": "import incrlearn"}),
        Entrant(FIRST_PREDICTION, "ours", {"what": "predict"}),
        *(Entrant(f"{label}: the same", side, {"what": "predict"}) for label, side in others.items()),
    )
    yield Contest("startup", "64-100-10", entrants, base=IMPORT_NUMPY, warm=False, once=True)


def memories():
    """Peak memory of whole processes."""
    others = {"PyTorch": "pytorch", "scikit-learn": "scikit"}
    entrants = (
        Entrant(IMPORT_NUMPY, "ours", {"what": "import numpy"}),
        Entrant("import incrlearn", "ours", {"what": "import incrlearn"}),
        Entrant(FIRST_PREDICTION, "ours", {"what": "predict"}),
        Entrant(TRAINING, "ours", {"what": "train"}),
        *(
            Entrant(f"{label}: train on the digits", side, {"what": "train"})
            for label, side in others.items()
        ),
    )
    yield Contest("memory", "64-100-10", entrants, IMPORT_NUMPY, "MB", warm=False, rounds=3, once=True)


def sizes():
    """Megabytes on disk."""
    names = ("numpy", "scipy", "scikit-learn", "river", "jax", "jaxlib", "torch")
    entrants = (
        Entrant("incrlearn, the wheel", "ours", {"what": "wheel"}),
        *(Entrant(f"{name}, installed", "ours", {"what": name}) for name in ("incrlearn", *names)),
    )
    yield Contest("size", "files", entrants, unit="MB", warm=False, rounds=1, once=True)


#: methods whose tasks cost more, the more there were; all others claim to be flat
GROWING = {
    "joint": "keeps every sample",
    "cumulative": "keeps every sample",
    "gem": "a gradient for every old task",
    "ogd": "more vectors with every task",
}
#: with 50 vectors a task, or 20 samples a class of each, their defaults, a hundred tasks take many minutes
SMALLER = {"gem": "gem(per_class=1)", "ogd": "ogd(per_task=5)"}


def tasks():
    """What a task costs when there were 90 before, in ratio to when there were ten."""
    said = {name: f"grows: {why}" for name, why in GROWING.items()}
    entrants = [
        Entrant(text, "ours", {"method": text}, remark=said.get(name, "flat"))
        for name in serving_domain()
        for text in [SMALLER.get(name, name)]
    ]
    name = "64-100-10, 256 rows a task, 10 steps, tasks 91–100 over 11–20"
    yield Contest("tasks", name, tuple(entrants), unit="×", warm=False, rounds=5, once=True)


def estimators():
    """A step of the estimator, replay included."""
    for widths, batch in (((64, 100, 10), 32), ((784, 100, 10), 32), ((784, 400, 400, 10), 128)):
        entrant = Entrant(OURS, "ours", {"widths": widths, "batch": batch}, scale=batch / 4096)
        yield Contest("estimator", f"{named(widths)}, batch {batch}", (entrant,))


GROUPS = {
    "step": steps,
    "predict": predictions,
    "rows": single_rows,
    "terms": terms,
    "fisher": fishers,
    "growth": growth,
    "runs": runs,
    "startup": startups,
    "memory": memories,
    "size": sizes,
    "tasks": tasks,
    "estimator": estimators,
}


def contests():
    """Return all that is measured."""
    return [contest for group in GROUPS.values() for contest in group()]


@dataclass(frozen=True)
class Target:
    """A number to meet.

    contest : its group and name; at_most : the number; to : whose number ours is a ratio to, PEER the fastest
    of all. With `of` it is the ratio of that entrant to the base; with `difference` the difference from it.
    """

    contest: str
    at_most: float
    to: str
    of: str | None = None
    difference: bool = False


PEER = "the fastest peer"
TARGETS = (
    Target("step: 784-128-10, SGD, batch 128", 0.60, PEER),
    Target("step: 784-128-10, SGD, batch 128", 1.35, LIMIT),
    Target("step: 784-128-10, Adam, batch 128", 0.70, PEER),
    Target("step: 784-400-400-10, Adam, batch 128", 0.95, PEER),
    Target("step: 784-400-400-10, Adam, batch 128", 1.35, LIMIT),
    Target("step: 784-128-10, SGD, batch 1", 0.30, PEER),
    Target("step: 784-128-10, Adam, batch 1", 0.30, PEER),
    Target("predict: 784-128-10, 1 row", 0.25, PEER),
    Target("predict: 784-400-400-10, 1 row", 0.25, PEER),
    Target("fisher: 784-400-400-10, 12,000 samples, 10 classes", 0.02, "PyTorch, loop"),
    Target("fisher: 784-400-400-10, 12,000 samples, 10 classes", 0.5, PEER),
    Target("runs: none, 5 tasks of 2000 steps", 0.25, REFERENCE),
    Target("startup: 64-100-10", 1.5, IMPORT_NUMPY, FIRST_PREDICTION),
    Target("memory: 64-100-10", 30, IMPORT_NUMPY, TRAINING, difference=True),
)
