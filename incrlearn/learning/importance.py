"""Importances Ω: how much every parameter matters to what was learned.

`fisher` (EWC) and `sensitivity` (MAS) look at the samples of a task when it ends, `path_integral` (SI) at the
steps that were taken; the penalty that uses them is `formulas.importance_weighted`.

The former two are means over samples of the square, or the absolute value, of *one sample's* gradient. The
square of a batch's mean gradient is something else: there the samples cancel, and at a minimum nothing is
left. For a linear layer the sum over samples is one matrix product, see `Network.sum_over_samples`.
"""

import numpy as np

from .. import _checks
from ..formulas import softmax

#: how many rows go through the network at once: sums over so many are exact enough in float32
ROWS = 1024
#: how many numbers a layer's δ may hold, objectives × rows × units
ENTRIES = 2**22


def fisher(network, batch, labels="exact", rng=None):
    """The diagonal of the Fisher information, the importance of elastic weight consolidation (EWC).

        Ω = 1/n Σᵢ Σ_c p(c|xᵢ) (∂ log p(c|xᵢ)/∂θ)²          ∂ log p(c|x)/∂z = e_c − p          p = softmax(z)

    over the outputs that compete for each row. The sum over classes needs no loop: all c enter the network
    at once, as √p_c (e_c − p). Where the targets are values, p = N(z, 1), and

        Ω = 1/n Σᵢ Σₖ (∂zₖ/∂θ)²          ∂ log p(y|x)/∂z = y − z

    Parameters
    ----------
    network : Network
    batch : Batch
        The samples, n ≥ 1, and which outputs compete for them.
    labels : {"exact", "sampled", "empirical"}
        The expectation over the labels that the network itself gives; one such label drawn for each row,
        which is the same in the mean; or the true label, which is not the Fisher information, but near it
        where the network is right.
    rng : numpy.random.Generator, optional
        Where labels are drawn from, for "sampled".

    Returns
    -------
    ndarray of shape (n_parameters,)
        Ω ≥ 0, in the layout and dtype of `network.theta`.

    Raises
    ------
    TypeError, ValueError
        If labels is unknown, there is no generator to draw from, or no sample.
    FloatingPointError
        If a number overflows.

    References
    ----------
    Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks", PNAS 114, 2017, eq. 3;
    Martens, "New insights and perspectives on the natural gradient method", JMLR 21, 2020 (the Fisher and the
    empirical Fisher); Schwarz et al., "Progress & Compress", ICML 2018 (online EWC).

    Examples
    --------
    >>> from incrlearn.learning.samples import Batch, Part
    >>> from incrlearn.network import Network
    >>> network = Network.mlp(1, 2, rng=np.random.default_rng(0), initialization="zeros")  # p = (½, ½)
    >>> x, y = np.array([[2.0]]), np.array([0])
    >>> batch = Batch(x, y, [Part((slice(None), slice(0, 2)), y, 1.0)], [slice(0, 2)])
    >>> fisher(network, batch).round(3)  # weight and bias of both units: x² p(1 − p) and p(1 − p)
    array([1.  , 0.25, 1.  , 0.25], dtype=float32)
    """
    scores_of_class, scores_of_value = _checks.choice("labels", labels, SCORES)
    if labels == "sampled":
        _checks.generator("rng", rng)
    if np.ndim(batch.y) == 2:
        return _mean(network, batch, np.square, lambda z, y: scores_of_value(z, y, rng))
    return _mean(network, batch, np.square, lambda z, y: scores_of_class(softmax(z), y, rng))


def sensitivity(network, batch):
    """How far the outputs would move: the importance of memory aware synapses (MAS).

        Ω = 1/n Σᵢ |∂‖z(xᵢ)‖²/∂θ|          ∂‖z‖²/∂z = 2z

    over the outputs that compete for each row. No label is needed.

    Parameters
    ----------
    network : Network
    batch : Batch
        The samples, n ≥ 1, and which outputs compete for them.

    Returns
    -------
    ndarray of shape (n_parameters,)
        Ω ≥ 0, in the layout and dtype of `network.theta`.

    Raises
    ------
    ValueError
        If there is no sample.
    FloatingPointError
        If a number overflows.

    References
    ----------
    Aljundi et al., "Memory aware synapses: learning what (not) to forget", ECCV 2018, eq. 3.

    Examples
    --------
    >>> from incrlearn.learning.samples import Batch, Part
    >>> from incrlearn.network import Network
    >>> network = Network.mlp(1, 1, rng=np.random.default_rng(0), dtype="float64")
    >>> network.theta = [3.0, 0.0]  # z = 3x
    >>> x, y = np.array([[2.0], [-2.0]]), np.array([[0.0], [0.0]])
    >>> batch = Batch(x, y, [Part((slice(None), slice(None)), y, 1.0)], [slice(None)])
    >>> sensitivity(network, batch)  # |2z x| and |2z|
    array([24., 12.])
    """
    return _mean(network, batch, np.abs, lambda z, y: 2 * z)


def path_integral(w, delta, damping):
    """What a parameter did to the loss on its way, the importance of synaptic intelligence (SI).

        Ω = max(0, w/(Δ² + ξ))          w = −Σ gradient · step          Δ = θ_end − θ_start

    for one task: w, summed over its steps entry by entry, is by how much each parameter lowered the loss. The
    importances of several tasks are added.

    Parameters
    ----------
    w : array_like of shape (m,)
        −Σ over steps of (gradient of the data's loss) · (the step that was taken).
    delta : array_like of shape (m,)
        Δ, how far each parameter has come.
    damping : float
        ξ > 0.

    Returns
    -------
    ndarray of shape (m,)
        Ω ≥ 0, in the dtype of w.

    Raises
    ------
    TypeError, ValueError
        If ξ ≤ 0, the shapes differ, or a number is not finite.
    FloatingPointError
        If a number overflows.

    References
    ----------
    Zenke, Poole and Ganguli, "Continual learning through synaptic intelligence", ICML 2017, eq. 5.

    Examples
    --------
    >>> path_integral([1.0, -1.0, 0.0], [0.5, 0.5, 0.0], damping=0.25)
    array([2., 0., 0.])
    """
    w = _checks.finite("w", _checks.vector("w", w))
    delta = _checks.finite("delta", _checks.vector("delta", delta))
    _checks.same_shape("w", w, "delta", delta)
    xi = _checks.positive("damping", damping)
    with np.errstate(over="ignore"):  # an infinite Δ² makes 0, as it should; an infinite Ω is found below
        omega = np.maximum(0, w / (np.square(delta, dtype=np.float64) + xi)).astype(w.dtype)
    return _finite(omega)


# ---- ∂ log p/∂z of every row, for one label each or for all at once --------------------------------------


def _of_every_class(p, y, rng):
    """√p_c (e_c − p) for every class c, shape (c, n, k): the sum of their squares is the expectation."""
    return np.sqrt(p).T[:, :, None] * (np.eye(p.shape[1])[:, None] - p)


def _of_a_drawn_class(p, y, rng):
    """e_c − p, with c drawn from p: as many cumulative probabilities as c lie below a uniform number."""
    drawn = (rng.random((len(p), 1)) >= p.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return _of_the_true_class(p, drawn, rng)


def _of_the_true_class(p, y, rng):
    """e_y − p."""
    return np.eye(p.shape[1])[y] - p


def _of_every_direction(z, y, rng):
    """E (y − z)(y − z)ᵀ = I for y from N(z, 1), so its root e_k for every output k, shape (k, n, k)."""
    return np.repeat(np.eye(z.shape[1])[:, None], len(z), axis=1)


def _of_a_drawn_value(z, y, rng):
    """y − z, with y drawn from N(z, 1)."""
    return rng.normal(size=z.shape)


def _of_the_true_value(z, y, rng):
    """y − z."""
    return y - z


#: whose scores they are: of classes, and of values
SCORES = {
    "exact": (_of_every_class, _of_every_direction),
    "sampled": (_of_a_drawn_class, _of_a_drawn_value),
    "empirical": (_of_the_true_class, _of_the_true_value),
}


# ---- means over samples ---------------------------------------------------------------------------------


def _mean(network, batch, of, gradients_at):
    """Return 1/n Σᵢ of(∂Lᵢ/∂θ), with gradients_at(z, y) giving ∂L/∂z of rows z of competing outputs.

    Rows of one part go through the network block by block; sums over blocks are kept in float64.
    """
    n = len(batch)
    if not n:
        raise ValueError("batch must hold at least one sample")
    total = np.zeros(len(network.theta))
    # no warning from somewhere below: what overflows is found in the result
    with np.errstate(over="ignore", invalid="ignore"):
        for part in batch.parts:
            rows = np.arange(n)[part.index[0]].ravel()
            columns = np.arange(network.outputs)[part.index[1]].ravel()
            size = _rows_at_once(network, len(columns))
            for i in range(0, len(rows), size):
                a = network.forward(batch.x[rows[i : i + size]])
                at_columns = gradients_at(np.asarray(a[-1][:, columns], np.float64), part.y[i : i + size])
                gradient = np.zeros((*at_columns.shape[:-1], a[-1].shape[1]), network.dtype)
                gradient[..., columns] = at_columns
                total += network.sum_over_samples(of, a, {-1: gradient})
        omega = (total / n).astype(network.dtype)
    return _finite(omega)


def _rows_at_once(network, objectives):
    """Return how many rows may go through the network at once, with so many objectives each."""
    width, widest = network.inputs or 1, 1
    for layer in network.layers:
        width = layer.connect(width)
        if layer.n_parameters:  # below the first of these no δ is computed
            widest = max(widest, width)
    return min(ROWS, max(1, ENTRIES // (widest * max(1, objectives))))


def _finite(omega):
    """Return Ω, or raise a FloatingPointError if there is NaN or infinity in it."""
    if not np.isfinite(omega.sum(dtype=np.float64)):
        raise FloatingPointError(f"the importances became {omega.max()}")
    return omega
