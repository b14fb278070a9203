"""The public kit for gradients: checks that say what is wrong, where, and why it may be.

`check_gradient` and `check_second_order` are for functions; `check_layer`, `check_term`, `check_network` and
`check_optimizer` for what the package is made of, and for what others make in the same form. `strategies`
draws inputs for them with Hypothesis. NumPy is enough for the first two; what searches for inputs needs
Hypothesis, which is imported where it is used. May import `formulas`, `network`, `learning` and `_checks`.
"""

from importlib import import_module

from .blame import CAUSES, likely_cause
from .derivatives import Slope, derivative
from .failure import Checked, Failure, Untold
from .gradients import check_gradient, compare
from .second_order import check_second_order

# module of each name that is loaded when it is first asked for: it needs more than NumPy, or takes time
_LATER = {
    "check_layer": "layers",
    "check_network": "networks",
    "check_optimizer": "optimizers",
    "check_term": "terms",
    "strategies": "strategies",
}

__all__ = [
    "CAUSES",
    "Checked",
    "Failure",
    "Slope",
    "Untold",
    "check_gradient",
    "check_layer",
    "check_network",
    "check_optimizer",
    "check_second_order",
    "check_term",
    "compare",
    "derivative",
    "likely_cause",
    "strategies",
]


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_LATER[name]}")
    return module if name == _LATER[name] else getattr(module, name)


def __dir__():
    return sorted({*globals(), *__all__})
