"""Methods: the named recipes. A method is a list of terms, and maybe a memory, an isolation, a decision.

    L = w L₀ + term + term + …          w = the product of what the terms leave to L₀

`METHODS` is the table of all of them; `method("logits")` makes one, `method("logits(T=4)")` with another
option, `method("replay+logits")` joins two. A recipe of one's own is `Method([term, …], memory)`.
"""

import ast
from dataclasses import dataclass, field

from .. import _checks
from .._recipes import made, parsed
from .decisions import Decision, NearestMean
from .distillation import DistilledBinaryCrossEntropy, Features, Logits, Relations
from .generative import ConditionalGeneratorMemory, GenerativeClassifier, GeneratorMemory
from .ingredient import SCENARIOS
from .isolation import Gating, Isolation, Separate
from .memory import (
    ClassBalancedMemory,
    Everything,
    GreedyMemory,
    HerdingMemory,
    Memory,
    ReservoirMemory,
)
from .projection import AGEM, GEM, OGD
from .regularization import EWC, L1, L2, MAS, SI, ElasticNet
from .replay import AsymmetricCrossEntropy, DarkReplay, Replay, SoftReplay
from .terms import BatchTerm, Projection, Term


@dataclass
class Method:
    """A recipe for learning task after task.

    Parameters
    ----------
    terms : list of Term
        What is added to L₀. The empty list is plain fine-tuning.
    memory : Memory, optional
        Which old samples are kept.
    isolation : Isolation, optional
        Which part of the network, or which network, serves a task; all of it serves all when None.
    decision : Decision, optional
        What answers; the largest logit when None.
    restart : bool
        Whether every task begins with new parameters: what is remembered is in the memory alone.

    Raises
    ------
    TypeError, ValueError
        If a term is not a Term or stands twice, or ingredients do not go together: a term that looks at
        replayed samples needs a memory, one that looks at stored logits a memory that keeps them, and
        isolation goes with terms that look at θ alone.

    Examples
    --------
    >>> Method([L2(0.1, anchored=True)])
    Method([L2])
    >>> Method([Replay()], ClassBalancedMemory(20)) + Method([L2(0.1)])
    Method([Replay, L2], memory=ClassBalancedMemory)
    """

    terms: list = field(default_factory=list)
    memory: Memory | None = None
    isolation: Isolation | None = None
    decision: Decision | None = None
    restart: bool = False

    def __post_init__(self):
        if not isinstance(self.terms, list | tuple):
            raise TypeError(f"terms must be a list of Term, got {self.terms!r}")
        self.terms = list(self.terms)
        for k, term in enumerate(self.terms):
            if not isinstance(term, Term):
                raise TypeError(f"terms[{k}] must be a Term, got {term!r} ({type(term).__name__})")
        if len({id(term) for term in self.terms}) < len(self.terms):
            raise ValueError("terms must not hold the same term twice")
        for name, kind in (("memory", Memory), ("isolation", Isolation), ("decision", Decision)):
            part = getattr(self, name)
            if part is not None and not isinstance(part, kind):
                raise TypeError(f"{name} must be a {kind.__name__}, got {part!r}")
        self._check_company()

    def _check_company(self):
        """Refuse ingredients that do not go together."""
        for term in self.terms:
            name = type(term).__name__
            if term.replayed and self.memory is None:
                raise ValueError(f"memory is missing, but {name}, a term, looks at replayed samples")
            if term.wants_logits and not self.memory.logits:
                raise ValueError(f"memory must keep logits for {name}: ReservoirMemory(logits=True)")
            if term.holds and self._forgets:
                raise ValueError(f"every task begins with parameters of its own, so {name} has none to hold")
            if self.isolation is not None and isinstance(term, BatchTerm | Projection):
                raise ValueError(f"isolation leaves each task its own network, but {name} wants one for all")
        others = self.memory is not None or self.decision is not None or self.restart
        if self.isolation is not None and others:
            raise ValueError("isolation leaves each task its own network: a memory has nobody to remind")
        if isinstance(self.decision, NearestMean) and self.memory is None:
            raise ValueError("memory is missing, but NearestMean takes its means from stored samples")
        for scenario in SCENARIOS:
            if self.refusal(scenario) is None:
                return
        raise ValueError(f"{self!r} serves no scenario: its ingredients have none in common")

    @property
    def _forgets(self):
        """Whether a task begins with other parameters than the last one has left."""
        return self.restart or isinstance(self.isolation, Separate)

    def __repr__(self):
        names = f"[{', '.join(type(term).__name__ for term in self.terms)}]"
        parts = {name: getattr(self, name) for name in ("memory", "isolation", "decision")}
        others = [f"{name}={type(part).__name__}" for name, part in parts.items() if part is not None]
        return f"Method({', '.join([names, *others, *(['restart=True'] if self.restart else [])])})"

    def __add__(self, other):
        if not isinstance(other, Method):
            return NotImplemented
        parts = {}
        for name in ("memory", "isolation", "decision"):
            both = [part for part in (getattr(self, name), getattr(other, name)) if part is not None]
            if len(both) > 1:
                a = "an" if name == "isolation" else "a"
                raise ValueError(f"only one of the methods may have {a} {name}, got {self!r} and {other!r}")
            parts[name] = both[0] if both else None
        return Method(self.terms + other.terms, **parts, restart=self.restart or other.restart)

    @property
    def ingredients(self):
        """Terms, memory, isolation and decision, those that there are."""
        return ingredients_of(self)

    @property
    def scenarios(self):
        """The scenarios that the method serves: those that all its ingredients serve."""
        return tuple(scenario for scenario in SCENARIOS if self.refusal(scenario) is None)

    def refusal(self, scenario):
        """Say in a sentence why a scenario is not served; None where it is.

        Examples
        --------
        >>> print(method("xdg").refusal("class"))
        Gating serves task-incremental learning only: it has to know which part of the network is the task's
        """
        for part in self.ingredients:
            if scenario not in part.scenarios:
                served = " and ".join(f"{name}-incremental" for name in part.scenarios)
                return f"{type(part).__name__} serves {served} learning only: {part.reason}"
        return None


def ingredients_of(whole):
    """Return terms, memory, isolation and decision of a method or a learner, those that there are."""
    parts = whole.memory, whole.isolation, whole.decision
    return [*whole.terms, *(part for part in parts if part is not None)]


def none():
    """Fine-tuning: L = L₀ on the new data, and nothing else. The lower bound."""
    return Method()


def joint():
    """Retrain: new parameters every task, L = L₀ on all data so far. The upper bound; keeps every sample."""
    return Method(memory=Everything(), restart=True)


def cumulative():
    """Train on: L = L₀ on all data so far, from where the last task ended. A bound; keeps every sample."""
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


def ewc(strength=1000.0, labels="exact", online=False, decay=1.0):
    """Elastic weight consolidation: L = L₀ + λ/2 Σₜ Σⱼ Fₜⱼ (θⱼ − θₜⱼ*)². Keeps two vectors of θ's length.

    Kirkpatrick et al., PNAS 114, 2017, eq. 3. Formula sheet: importance-weighted, Importance.
    """
    return Method([EWC(strength, labels, online, decay)])


def si(c=100.0, damping=0.1):
    """Synaptic intelligence: L = L₀ + c Σⱼ Ωⱼ (θⱼ − θⱼ*)². Keeps two vectors of θ's length.

    Zenke, Poole and Ganguli, ICML 2017, eq. 4 and 5. Formula sheet: importance-weighted, Importance.
    """
    return Method([SI(2 * _checks.strength("c", c), damping)])


def mas(strength=1.0):
    """Memory aware synapses: L = L₀ + λ/2 Σⱼ Ωⱼ (θⱼ − θⱼ*)². Keeps two vectors of θ's length.

    Aljundi et al., ECCV 2018, eq. 3 and 4. Formula sheet: importance-weighted, Importance.
    """
    return Method([MAS(strength)])


def logits(alpha=0.5, T=2.0):
    """Distillation by logits, formula 4.2 as it is written: L = α L₀ + (1−α) T² KL(q‖p)."""
    return Method([Logits(alpha, T, "reverse")])


def logits_forward(alpha=0.5, T=2.0):
    """Distillation by logits as Hinton and LwF do it: L = α L₀ + (1−α) T² KL(p‖q)."""
    return Method([Logits(alpha, T, "forward")])


def logits_cross_entropy(alpha=0.5, T=2.0):
    """Distillation by logits as section 3.2.1 has it: L = α L₀ − (1−α) T² Σ p log q."""
    return Method([Logits(alpha, T, "cross_entropy")])


def lwf(alpha="1/k", T=2.0):
    """Learning without forgetting: L = α L₀ + (1−α) T² KL(p‖q), q over all classes. Keeps the last network.

    Li and Hoiem, ECCV 2016, eq. 2 and 3; α = 1/k at task k as in van de Ven et al., 2022. Formula sheet:
    Distillation, forward KL.
    """
    return Method([Logits(alpha, T, "forward", over="all")])


def features(strength=1.0):
    """Distillation by features, section 3.2: L = L₀ + λ/(2n) Σ‖f − g‖²."""
    return Method([Features(strength)])


def relations(distance=1.0, angle=2.0):
    """Distillation by relations, section 3.2: L = L₀ + λ_D RKD-D + λ_A RKD-A."""
    return Method([Relations(distance, angle)])


def replay(per_class=20, alpha="n/N", per_task=False, memory="balanced"):
    """Experience replay: L = α L₀(new) + (1−α) L₀(replayed). Keeps per_class raw samples a class.

    memory="herding" chooses those near the class's mean; memory="reservoir" keeps 10 per_class samples in
    all, by chance. Chaudhry et al., "On tiny episodic memories in continual learning", 2019 (ER).
    """
    memories = {
        "balanced": lambda: ClassBalancedMemory(per_class, per_task),
        "herding": lambda: HerdingMemory(per_class, per_task),
        "reservoir": lambda: ReservoirMemory(10 * per_class),
    }
    return Method([Replay(alpha)], _checks.choice("memory", memory, memories)())


def er_ace(per_class=20, per_task=False):
    """ER-ACE: L = cross entropy(new; its own classes) + L₀(replayed). Keeps per_class raw samples a class.

    Caccia et al., ICLR 2022, eq. 4.
    """
    memory = ClassBalancedMemory(per_class, per_task, at_once=True)  # new classes meet old ones there
    return Method([AsymmetricCrossEntropy(), Replay(0.0)], memory)


def der(alpha=0.3, size=200):
    """Dark experience replay: L = L₀ + α/n Σ‖z − h‖². Keeps `size` raw samples, with their logits h.

    Buzzega et al., NeurIPS 2020, eq. 5.
    """
    return Method([DarkReplay(alpha)], ReservoirMemory(size, logits=True))


def derpp(alpha=0.3, beta=0.5, size=200):
    """DER++: L = L₀ + α/n Σ‖z − h‖² + β L₀(replayed). Keeps `size` raw samples, with their logits h.

    Buzzega et al., NeurIPS 2020, eq. 6.
    """
    return Method([DarkReplay(alpha, beta)], ReservoirMemory(size, logits=True))


def agem(per_class=20, per_task=False):
    """A-GEM: g̃ = g − (g·r)/(r·r) r if g·r < 0, r the memory's gradient. Keeps per_class raw samples a class.

    Chaudhry et al., ICLR 2019, eq. 11. Formula sheet: Constraints on the step.
    """
    return Method([AGEM()], ClassBalancedMemory(per_class, per_task))


def gem(per_class=20):
    """GEM: g̃ = argmin ½‖g̃ − g‖² with g̃·rₜ ≥ 0 for old tasks t. Keeps per_class raw samples a class and task.

    Lopez-Paz and Ranzato, NIPS 2017, section 3. Formula sheet: Constraints on the step.
    """
    return Method([GEM()], ClassBalancedMemory(per_class, per_task=True))


def ogd(per_task=50):
    """OGD: g̃ = g − Bᵀ B g, B a basis of old gradients. Keeps per_task vectors like θ a task, no samples.

    Farajtabar et al., AISTATS 2020, algorithm 1. Formula sheet: Constraints on the step.
    """
    return Method([OGD(per_task)])


def icarl(per_class=20, T=1.0):
    """iCaRL: L = binary cross entropy with targets σ(t/T) for old classes, answer = argmin_c ‖φ(x) − μ_c‖.

    φ are the features, μ_c their mean over the memory, which herds: it keeps per_class raw samples a class.

    Rebuffi et al., CVPR 2017, algorithms 1 to 4. For class-incremental learning.
    """
    return Method(
        [DistilledBinaryCrossEntropy(T)], HerdingMemory(per_class, mixed=True), decision=NearestMean()
    )


def gdumb(size=200):
    """GDumb: L = L₀ on the memory alone, with new parameters every task. Keeps `size` raw samples.

    Prabhu, Torr and Dokania, ECCV 2020.
    """
    return Method(memory=GreedyMemory(size), restart=True)


def generative_replay(hidden=(100,), latent=16, learning_rate=0.003):
    """Deep generative replay: L = 1/k L₀(new) + (1−1/k) L₀(imagined). Keeps a generator, no samples.

    Shin et al., NeurIPS 2017. The generator: Kingma and Welling, ICLR 2014, eq. 10.
    """
    return Method([Replay("1/k")], GeneratorMemory(hidden, latent, learning_rate))


def bir(hidden=(100,), latent=16, learning_rate=0.003, T=2.0):
    """BI-R style: L = 1/k L₀(new) + (1−1/k) T² KL(p‖q)(imagined by class). Keeps a generator, no samples.

    Van de Ven, Siegelmann and Tolias, Nature Communications 11, 2020: brain-inspired replay, of which these
    are conditional replay and distillation. Its gates, feedback and internal replay are left out.
    """
    return Method([SoftReplay("1/k", T)], ConditionalGeneratorMemory(hidden, latent, learning_rate))


def generative_classifier(hidden=(85, 85, 85), latent=5, samples=50, learning_rate=0.001):
    """A generator for every class: answer = argmax_c log p(x|c). Keeps the generators, no samples.

    Van de Ven, Li and Tolias, CVPR Workshops 2021. For class-incremental learning.
    """
    return Method(decision=GenerativeClassifier(hidden, latent, samples, learning_rate))


def xdg(share=0.8):
    """Context-dependent gating: a ← m_t ⊙ a, every task t shuts a share of the hidden units. Keeps which.

    Masse, Grant and Freedman, PNAS 115, 2018. For task-incremental learning.
    """
    return Method(isolation=Gating(share))


def separate():
    """Separate networks: L = L₀ with θ = θ_t, parameters of its own for every task t. Keeps them all.

    Van de Ven, Tuytelaars and Tolias, 2022. For task-incremental learning.
    """
    return Method(isolation=Separate())


METHODS = {
    recipe.__name__: recipe
    for recipe in (
        none,
        joint,
        cumulative,
        l1,
        l1_anchored,
        l2,
        l2_anchored,
        elastic_net,
        elastic_net_anchored,
        ewc,
        si,
        mas,
        logits,
        logits_forward,
        logits_cross_entropy,
        lwf,
        features,
        relations,
        replay,
        er_ace,
        der,
        derpp,
        icarl,
        gdumb,
        agem,
        gem,
        ogd,
        generative_replay,
        bir,
        generative_classifier,
        xdg,
        separate,
    )
}
#: how a method reads
EXAMPLE = "replay+logits(T=4)"
#: what no method can fall below or rise above, more or less
BOUNDS = {"none": "lower bound", "joint": "upper bound", "cumulative": "bound"}


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
    Method([Logits, L2])
    >>> method("logits(T=4, alpha=0.2)").terms[0].T
    4.0
    """
    plain = text.replace("der++", "derpp") if isinstance(text, str) else text
    return _from_tree(parsed("method", plain, EXAMPLE), text)


def _from_tree(tree, text):
    """Make a method from the parsed text: a sum, a name, or a name with options."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        return _from_tree(tree.left, text) + _from_tree(tree.right, text)
    return made("method", tree, text, METHODS, EXAMPLE)
