"""The ground floor: every equation of the documents as one pure function of arrays.

No state, no classes, NumPy only. Losses, penalties and distillation return `(value, gradient)`,
projections return the projected gradient. Nothing here imports from another room.
"""

from .distillation import (
    distilled_cross_entropy,
    feature_distance,
    forward_kl,
    relation_angle,
    relation_distance,
    reverse_kl,
    soft_cross_entropy,
)
from .losses import (
    binary_cross_entropy,
    cross_entropy,
    log_softmax,
    sigmoid,
    softmax,
    squared_error,
)
from .penalties import elastic_net, importance_weighted, l1, l2
from .projections import project_agem, project_gem, project_orthogonal
from .variational import (
    kl_between,
    kl_to_normal,
    log_bernoulli,
    log_mean_exp,
    log_normal,
    reparametrize,
)

__all__ = [
    "binary_cross_entropy",
    "cross_entropy",
    "distilled_cross_entropy",
    "elastic_net",
    "feature_distance",
    "forward_kl",
    "importance_weighted",
    "kl_between",
    "kl_to_normal",
    "l1",
    "l2",
    "log_bernoulli",
    "log_mean_exp",
    "log_normal",
    "log_softmax",
    "project_agem",
    "project_gem",
    "project_orthogonal",
    "relation_angle",
    "relation_distance",
    "reparametrize",
    "reverse_kl",
    "sigmoid",
    "soft_cross_entropy",
    "softmax",
    "squared_error",
]
