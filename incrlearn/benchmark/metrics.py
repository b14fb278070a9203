"""What a sequence of tasks did to a learner: pure functions of the accuracy matrix R.

R[i, j] is the accuracy on task j after learning task i (both count from 0 here, from 1 in the papers).
What was not measured is NaN, which only the entries above the diagonal, tasks not yet learned, may be.
Measures of transfer and of forgetting compare tasks with one another: of a single task they are NaN.
NumPy only.
"""

import math

import numpy as np

from .. import _checks


def average_accuracy(R):
    """Return how well all tasks are solved in the end.

        ACC = 1/t Σⱼ R[t, j]

    Parameters
    ----------
    R : array_like of shape (t, t)
        Accuracy matrix, in [0, 1]; NaN is allowed above the diagonal.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If R is not such a matrix.

    References
    ----------
    Lopez-Paz and Ranzato, "Gradient episodic memory for continual learning", NeurIPS 2017, eq. 2.

    Examples
    --------
    The mean of the last row, (0.5 + 1.0) / 2:

    >>> average_accuracy([[0.75, np.nan], [0.5, 1.0]])
    0.75
    """
    R = _matrix(R)
    return float(R[-1].mean())


def average_incremental_accuracy(R):
    """Return how well the tasks learned so far are solved, averaged over the whole way.

        A = 1/t Σᵢ (1/i Σⱼ≤ᵢ R[i, j])

    iCaRL counts the samples of all classes so far together; that is the inner mean when every task has
    as many test samples.

    Parameters
    ----------
    R : array_like of shape (t, t)
        Accuracy matrix, in [0, 1]; NaN is allowed above the diagonal.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If R is not such a matrix.

    References
    ----------
    Rebuffi, Kolesnikov, Sperl and Lampert, "iCaRL: Incremental classifier and representation learning",
    CVPR 2017, section 4.

    Examples
    --------
    The mean of 1.0 after the first task and of (0.5 + 1.0) / 2 after the second:

    >>> average_incremental_accuracy([[1.0, np.nan], [0.5, 1.0]])
    0.875
    """
    R = _matrix(R)
    return float(np.mean([R[i, : i + 1].mean() for i in range(len(R))]))


def backward_transfer(R):
    """Return what learning later tasks did to earlier ones: below 0 they were forgotten.

        BWT = 1/(t − 1) Σⱼ₌₁ᵗ⁻¹ R[t, j] − R[j, j]

    Parameters
    ----------
    R : array_like of shape (t, t)
        Accuracy matrix, in [0, 1]; NaN is allowed above the diagonal.

    Returns
    -------
    float
        In [−1, 1]; NaN, undefined, if t = 1.

    Raises
    ------
    TypeError, ValueError
        If R is not such a matrix.

    References
    ----------
    Lopez-Paz and Ranzato, "Gradient episodic memory for continual learning", NeurIPS 2017, eq. 3.

    Examples
    --------
    The first task fell from 0.75 to 0.5:

    >>> backward_transfer([[0.75, np.nan], [0.5, 1.0]])
    -0.25
    """
    R = _matrix(R)
    if len(R) == 1:
        return math.nan
    return float((R[-1] - R.diagonal())[:-1].mean())


def forward_transfer(R, baseline):
    """Return how much earlier tasks help with a task before it is learned.

        FWT = 1/(t − 1) Σⱼ₌₂ᵗ R[j−1, j] − bⱼ

    Parameters
    ----------
    R : array_like of shape (t, t)
        Accuracy matrix, in [0, 1].
    baseline : array_like of shape (t,)
        b: accuracy on each task of a learner that has learned nothing, in [0, 1]. The first entry is
        not used.

    Returns
    -------
    float
        In [−1, 1]; NaN if an R[j−1, j] was not measured, and NaN, undefined, if t = 1.

    Raises
    ------
    TypeError, ValueError
        If R is not such a matrix, or `baseline` not such a vector.

    References
    ----------
    Lopez-Paz and Ranzato, "Gradient episodic memory for continual learning", NeurIPS 2017, eq. 4.

    Examples
    --------
    The second task stood at 0.75 before it was learned, where guessing gives 0.5:

    >>> forward_transfer([[1.0, 0.75], [0.5, 1.0]], [0.5, 0.5])
    0.25
    """
    R = _matrix(R)
    b = _accuracies("baseline", baseline, len(R))
    if len(R) == 1:
        return math.nan
    return float((R.diagonal(offset=1) - b[1:]).mean())


def forgetting(R):
    """Return how far tasks have fallen from the best they ever were.

        F = 1/(t − 1) Σⱼ₌₁ᵗ⁻¹ (max over j ≤ i < t of R[i, j]) − R[t, j]

    The paper's maximum runs over all i < t. A task's accuracy before it is learned is often not measured,
    and is not something it could forget, so here i runs from j on. Forgetting is never below −BWT.

    Parameters
    ----------
    R : array_like of shape (t, t)
        Accuracy matrix, in [0, 1]; NaN is allowed above the diagonal.

    Returns
    -------
    float
        In [−1, 1], below 0 if tasks went on improving; NaN, undefined, if t = 1.

    Raises
    ------
    TypeError, ValueError
        If R is not such a matrix.

    References
    ----------
    Chaudhry, Dokania, Ajanthan and Torr, "Riemannian walk for incremental learning: understanding
    forgetting and intransigence", ECCV 2018, section 5.

    Examples
    --------
    The first task fell from 1.0 to 0.5, the second from 0.75 to 0.5:

    >>> forgetting([[0.75, np.nan, np.nan], [1.0, 0.75, np.nan], [0.5, 0.5, 1.0]])
    0.375
    """
    R = _matrix(R)
    t = len(R)
    if t == 1:
        return math.nan
    best = [R[j:-1, j].max() for j in range(t - 1)]
    return float((best - R[-1, :-1]).mean())


def intransigence(R, reference):
    """Return how much worse new tasks are learned than a learner with all the data at once would.

        I = 1/t Σₖ aₖ* − R[k, k]

    The paper gives one number a task; this is their mean.

    Parameters
    ----------
    R : array_like of shape (t, t)
        Accuracy matrix, in [0, 1]; NaN is allowed above the diagonal.
    reference : array_like of shape (t,)
        a*: accuracy on task k of a learner trained on the data of tasks 1 … k together, in [0, 1].

    Returns
    -------
    float
        In [−1, 1]; below 0 if learning one task after the other was better.

    Raises
    ------
    TypeError, ValueError
        If R is not such a matrix, or `reference` not such a vector.

    References
    ----------
    Chaudhry, Dokania, Ajanthan and Torr, "Riemannian walk for incremental learning: understanding
    forgetting and intransigence", ECCV 2018, section 5.

    Examples
    --------
    The second task reached 0.5, where joint training reaches 1.0:

    >>> intransigence([[1.0, np.nan], [1.0, 0.5]], [1.0, 1.0])
    0.25
    """
    R = _matrix(R)
    a = _accuracies("reference", reference, len(R))
    return float((a - R.diagonal()).mean())


def mean_and_error(values):
    """Return the mean of repeated measurements, and its standard error.

        x̄ = 1/n Σᵢ xᵢ          s = √(1/(n(n − 1)) Σᵢ (xᵢ − x̄)²)

    Parameters
    ----------
    values : array_like of shape (n,)
        One measurement a run. NaN, a measure that is not defined, makes both results NaN.

    Returns
    -------
    mean : float
    error : float
        NaN if there is only one value.

    Raises
    ------
    TypeError, ValueError
        If `values` is not a vector of real numbers, is empty, or holds infinity.

    References
    ----------
    Taylor, An Introduction to Error Analysis, 2nd edition, 1997, eq. 4.14.

    Examples
    --------
    Deviations of −1, 0 and 1, so s = √(2 / (3 · 2)):

    >>> mean, error = mean_and_error([2.0, 3.0, 4.0])
    >>> mean, round(error, 6)
    (3.0, 0.57735)
    """
    x = _checks.vector("values", values).astype(np.float64)
    if np.isinf(x).any():
        raise ValueError(f"values must not hold infinity, got {x[np.isinf(x)][0]}")
    n = len(x)
    error = x.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan
    return float(x.mean()), float(error)


def _matrix(R):
    """Return R as float64, if it is a square matrix in [0, 1] with NaN above the diagonal at most."""
    R = _checks.real_array("R", R).astype(np.float64)
    if R.ndim != 2 or R.shape[0] != R.shape[1] or not R.size:
        raise ValueError(f"R must be square, with shape (t, t) and t ≥ 1, got {_checks.shape_of(R)}")
    unmeasured = np.triu(np.isnan(R), k=1)
    wrong = ~((R >= 0) & (R <= 1) | unmeasured)
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        raise ValueError(f"R must lie in [0, 1], or be NaN above the diagonal, got R[{i}, {j}] = {R[i, j]}")
    return R


def _accuracies(name, values, t):
    """Return `values` as a vector of t accuracies."""
    values = _checks.vector(name, values).astype(np.float64)
    if len(values) != t:
        raise ValueError(f"{name} has {len(values)} entries, but R has {t} tasks")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"{name} must lie in [0, 1], got {values}")
    return values
