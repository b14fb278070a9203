"""What is measured, as data: contests, who enters them, and the numbers to meet."""

from dataclasses import dataclass, field

OURS, LIMIT = "incrlearn", "limit"


@dataclass(frozen=True)
class Entrant:
    """Who does some work: a function of a side, with its arguments.

    label : its name in the tables; side : a file in `sides`; function : the group's name when None;
    scale : what its number is multiplied with, where it does only a part of the work.
    """

    label: str
    side: str
    arguments: dict = field(default_factory=dict)
    function: str | None = None
    scale: float = 1.0


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


GROUPS = {"step": steps, "predict": predictions}


def contests():
    """Return all that is measured."""
    return [contest for group in GROUPS.values() for contest in group()]


@dataclass(frozen=True)
class Target:
    """A number to meet.

    contest : its group and name; to : whose number it is a ratio to, PEER
    the fastest of all; at_most : the number. With `of` it is the ratio of that entrant to the base; with
    `difference` the difference from it.
    """

    contest: str
    at_most: float
    to: str | None = None
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
)
