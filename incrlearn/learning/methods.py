"""Methods: the named recipes. A method is a short list of terms, a memory and a projection.

    L = w L₀ + term + term + …          w = the product of what the terms leave to L₀

`METHODS` is the table of all of them; `method("logits")` makes one, `method("logits(T=4)")` with another
option, `method("replay+logits")` joins two. A recipe of one's own is `Method([term, …], memory)`.
"""

import ast
import inspect
from dataclasses import dataclass, field

from .. import _checks
from .memory import ClassBalancedMemory, Everything, Memory
from .terms import L1, L2, ElasticNet, Features, Logits, Relations, Replay, Term


@dataclass
class Method:
    """A recipe for learning task after task.

    Parameters
    ----------
    terms : list of Term
        What is added to L₀. The empty list is plain fine-tuning.
    memory : Memory, optional
        Which old samples are kept.

    Raises
    ------
    TypeError, ValueError
        If a term is not a Term, stands twice, or looks at replayed samples where there is no memory.

    Examples
    --------
    >>> Method([L2(0.1, anchored=True)])
    Method([L2], memory=None)
    >>> Method([Replay()], ClassBalancedMemory(20)) + Method([L2(0.1)])
    Method([Replay, L2], memory=ClassBalancedMemory)
    """

    terms: list = field(default_factory=list)
    memory: Memory | None = None

    def __post_init__(self):
        if not isinstance(self.terms, list | tuple):
            raise TypeError(f"terms must be a list of Term, got {self.terms!r}")
        self.terms = list(self.terms)
        for k, term in enumerate(self.terms):
            if not isinstance(term, Term):
                raise TypeError(f"terms[{k}] must be a Term, got {term!r} ({type(term).__name__})")
        if len({id(term) for term in self.terms}) < len(self.terms):
            raise ValueError("terms must not hold the same term twice")
        if self.memory is not None and not isinstance(self.memory, Memory):
            raise TypeError(f"memory must be a Memory, got {self.memory!r}")
        if self.memory is None and any(getattr(term, "replayed", False) for term in self.terms):
            raise ValueError("memory is missing, but a term looks at replayed samples")

    def __repr__(self):
        memory = type(self.memory).__name__ if self.memory is not None else None
        return f"Method([{', '.join(type(term).__name__ for term in self.terms)}], memory={memory})"

    def __add__(self, other):
        if not isinstance(other, Method):
            return NotImplemented
        memories = [method.memory for method in (self, other) if method.memory is not None]
        if len(memories) > 1:
            raise ValueError(f"only one of the methods may have a memory, got {self!r} and {other!r}")
        return Method(self.terms + other.terms, *memories)


def none():
    """Fine-tuning: L = L₀ on the new data, and nothing else. The lower bound."""
    return Method()


def joint():
    """Train on all data so far: L = L₀ on the new data and the old. The upper bound; keeps every sample."""
    return Method(memory=Everything())


def l1(strength=0.1):
    """L1 to zero, section 3.1: L = L₀ + λ‖θ‖₁."""
    return Method([L1(strength)])


def l1_anchored(strength=1.0):
    """L1 to the parameters after the last task, section 3.1: L = L₀ + λ‖θ − θ*‖₁."""
    return Method([L1(strength, anchored=True)])


def l2(strength=0.01):
    """L2 to zero, formula 4.1 as it is written: L = L₀ + λ/2 ‖θ‖²."""
    return Method([L2(strength)])


def l2_anchored(strength=0.3):
    """L2 to the parameters after the last task, formula 4.1 as its text asks: L = L₀ + λ/2 ‖θ − θ*‖²."""
    return Method([L2(strength, anchored=True)])


def elastic_net(strength=0.1, ratio=0.5):
    """Elastic Net to zero, section 3.1: L = L₀ + λ[ρ‖θ‖₁ + (1−ρ)/2 ‖θ‖²]."""
    return Method([ElasticNet(strength, ratio)])


def elastic_net_anchored(strength=1.0, ratio=0.5):
    """Elastic Net to the parameters after the last task: L = L₀ + λ[ρ‖θ−θ*‖₁ + (1−ρ)/2 ‖θ−θ*‖²]."""
    return Method([ElasticNet(strength, ratio, anchored=True)])


def logits(alpha=0.5, T=2.0):
    """Distillation by logits, formula 4.2 as it is written: L = α L₀ + (1−α) T² KL(q‖p)."""
    return Method([Logits(alpha, T, "reverse")])


def logits_forward(alpha=0.5, T=2.0):
    """Distillation by logits as Hinton and LwF do it: L = α L₀ + (1−α) T² KL(p‖q)."""
    return Method([Logits(alpha, T, "forward")])


def logits_cross_entropy(alpha=0.5, T=2.0):
    """Distillation by logits as section 3.2.1 has it: L = α L₀ − (1−α) T² Σ p log q."""
    return Method([Logits(alpha, T, "cross_entropy")])


def features(strength=1.0):
    """Distillation by features, section 3.2: L = L₀ + λ/(2n) Σ‖f − g‖²."""
    return Method([Features(strength)])


def relations(distance=1.0, angle=2.0):
    """Distillation by relations, section 3.2: L = L₀ + λ_D RKD-D + λ_A RKD-A."""
    return Method([Relations(distance, angle)])


def replay(per_class=20, alpha="n/N"):
    """Replay from a small memory: L = α L₀(new) + (1−α) L₀(replayed). Keeps per_class samples a class."""
    return Method([Replay(alpha)], ClassBalancedMemory(per_class))


METHODS = {
    recipe.__name__: recipe
    for recipe in (
        none,
        joint,
        l1,
        l1_anchored,
        l2,
        l2_anchored,
        elastic_net,
        elastic_net_anchored,
        logits,
        logits_forward,
        logits_cross_entropy,
        features,
        relations,
        replay,
    )
}
#: what no method can fall below or rise above, more or less
BOUNDS = {"none": "lower bound", "joint": "upper bound"}


def method(text):
    """Make a method from its name, as on the command line: with options, and joined by "+".

    Parameters
    ----------
    text : str
        A key of METHODS, with options in brackets where others than the defaults are wanted; or several
        with "+" between them.

    Returns
    -------
    Method

    Raises
    ------
    TypeError, ValueError
        If there is no such method or option, or an option is out of range.

    Examples
    --------
    >>> method("logits+l2_anchored")
    Method([Logits, L2], memory=None)
    >>> method("logits(T=4, alpha=0.2)").terms[0].T
    4.0
    """
    if not isinstance(text, str):
        raise TypeError(f"method must be a name, got {text!r} ({type(text).__name__})")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise ValueError(f"method must read like replay+logits(T=4), got {text!r}") from None
    return _from_tree(tree, text)


def _from_tree(tree, text):
    """Make a method from the parsed text: a sum, a name, or a name with options."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        return _from_tree(tree.left, text) + _from_tree(tree.right, text)
    call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
    if not isinstance(call.func, ast.Name) or call.args or any(k.arg is None for k in call.keywords):
        raise ValueError(f"method must read like replay+logits(T=4), got {text!r}")
    recipe = _checks.choice("method", call.func.id, METHODS)
    known = inspect.signature(recipe).parameters
    options = {}
    for keyword in call.keywords:
        _checks.choice(f"option of {recipe.__name__}", keyword.arg, known)
        try:
            options[keyword.arg] = ast.literal_eval(keyword.value)
        except ValueError:
            raise ValueError(f"{keyword.arg} must be a number or a quoted word, got {text!r}") from None
    return recipe(**options)
