"""Distillation: the student is asked to answer as its teacher, the old model, does.

By the *logits* (sections 3.2.1 and 4.2 of the document), by the *features* of an inner layer, or by the
*relations* between samples (3.2). Throughout, z are the student's logits, t the teacher's, T the
temperature, q = softmax(z/T) the **student** and p = softmax(t/T) the **teacher**, in the document's own
naming; f are the student's features, g the teacher's. What comes from the teacher is a constant.

The document's KL(q‖p) is the *reverse* divergence; Hinton's distillation and LwF use the *forward* one,
KL(p‖q), which differs from the cross entropy of section 3.2.1 by the teacher's entropy, a constant.

Each function returns `(value, gradient)`. NumPy only.
"""

import numpy as np

from .. import _checks
from .losses import cross_entropy, log_softmax


def reverse_kl(z, t, T=1.0):
    """Reverse Kullback–Leibler divergence, the document's formula 4.2: student from teacher.

        T² KL(q‖p) = T²/n Σᵢ Σₖ q (log q − log p)

        ∂/∂z = T/n q [(log q − log p) − KL(q‖p)]          with KL(q‖p) row by row

    Parameters
    ----------
    z : array_like of shape (n, k)
        The student's logits, finite.
    t : array_like of shape (n, k)
        The teacher's logits, finite.
    T : float
        Temperature > 0. The factor T² keeps the gradient's size independent of T.

    Returns
    -------
    value : float
        ≥ 0, and 0 where student and teacher agree.
    gradient : ndarray of shape (n, k), in the dtype of z

    Raises
    ------
    TypeError, ValueError
        If T ≤ 0, the shapes differ, or a number is not finite.

    References
    ----------
    The document, formula 4.2.

    Examples
    --------
    >>> value, gradient = reverse_kl([[0.7, 0.2, 0.1]], [[0.8, 0.1, 0.1]], T=2)
    >>> round(value, 10), gradient.round(6)
    (0.0034825167, array([[-0.036204,  0.033623,  0.002581]]))
    """
    log_q, log_p, n, T, dtype = _tempered(z, t, T)
    q = np.exp(log_q)
    kl = (q * (log_q - log_p)).sum(axis=1, keepdims=True)
    value = T**2 * kl.sum() / n
    gradient = T / n * q * ((log_q - log_p) - kl)
    return max(float(value), 0.0), gradient.astype(dtype)


def forward_kl(z, t, T=1.0):
    """Forward Kullback–Leibler divergence: teacher from student, as Hinton and LwF distil.

        T² KL(p‖q) = T²/n Σᵢ Σₖ p (log p − log q)          ∂/∂z = T/n (q − p)

    Parameters
    ----------
    z : array_like of shape (n, k)
        The student's logits, finite.
    t : array_like of shape (n, k)
        The teacher's logits, finite.
    T : float
        Temperature > 0.

    Returns
    -------
    value : float
        ≥ 0, and 0 where student and teacher agree.
    gradient : ndarray of shape (n, k), in the dtype of z

    Raises
    ------
    TypeError, ValueError
        If T ≤ 0, the shapes differ, or a number is not finite.

    References
    ----------
    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015, eq. 2;
    Li and Hoiem, "Learning without forgetting", ECCV 2016, eq. 2.

    Examples
    --------
    >>> value, gradient = forward_kl([[0.7, 0.2, 0.1]], [[0.8, 0.1, 0.1]], T=2)
    >>> round(value, 10), gradient.round(6)
    (0.003472893, array([[-0.03632 ,  0.033235,  0.003085]]))
    """
    log_q, log_p, n, T, dtype = _tempered(z, t, T)
    q, p = np.exp(log_q), np.exp(log_p)
    value = T**2 * (p * (log_p - log_q)).sum() / n
    gradient = T / n * (q - p)
    return max(float(value), 0.0), gradient.astype(dtype)


def soft_cross_entropy(z, t, T=1.0):
    """Cross entropy of the student under the teacher, step 3 of the document's section 3.2.1.

        −T²/n Σᵢ Σₖ p log q          ∂/∂z = T/n (q − p)

    It is T² KL(p‖q) plus T² times the teacher's entropy, which no student can change.

    Parameters
    ----------
    z : array_like of shape (n, k)
        The student's logits, finite.
    t : array_like of shape (n, k)
        The teacher's logits, finite.
    T : float
        Temperature > 0.

    Returns
    -------
    value : float
    gradient : ndarray of shape (n, k), in the dtype of z

    Raises
    ------
    TypeError, ValueError
        If T ≤ 0, the shapes differ, or a number is not finite.

    References
    ----------
    The document, section 3.2.1; Hinton, Vinyals and Dean, 2015, eq. 2.

    Examples
    --------
    >>> value, gradient = soft_cross_entropy([[0.7, 0.2, 0.1]], [[0.8, 0.1, 0.1]], T=2)
    >>> round(value, 10), gradient.round(6)
    (4.3398810928, array([[-0.03632 ,  0.033235,  0.003085]]))
    """
    log_q, log_p, n, T, dtype = _tempered(z, t, T)
    q, p = np.exp(log_q), np.exp(log_p)
    value = -(T**2) * (p * log_q).sum() / n
    gradient = T / n * (q - p)
    return float(value), gradient.astype(dtype)


def distilled_cross_entropy(z, y, t, alpha, T=1.0, divergence=reverse_kl):
    """The whole of the document's formula 4.2: learn the labels, and stay near the teacher.

        L = α L₀(z, y) + (1 − α) T² KL(q‖p)          ∂L/∂z = α ∂L₀/∂z + (1 − α) ∂(T² KL)/∂z

    Parameters
    ----------
    z : array_like of shape (n, k)
        The student's logits, finite.
    y : array_like of shape (n,) of integers in [0, k), or of shape (n, k)
        Class indices or rows of probabilities.
    t : array_like of shape (n, k)
        The teacher's logits, finite.
    alpha : float
        α in [0, 1]: 1 listens to the labels only, 0 to the teacher only.
    T : float
        Temperature > 0.
    divergence : function
        `reverse_kl` (as the document writes it), `forward_kl` or `soft_cross_entropy`.

    Returns
    -------
    value : float
    gradient : ndarray of shape (n, k), in the dtype of z

    Raises
    ------
    TypeError, ValueError
        If α is outside [0, 1], T ≤ 0, the shapes differ, or a number is not finite.

    References
    ----------
    The document, formula 4.2.

    Examples
    --------
    >>> value, gradient = distilled_cross_entropy(
    ...     [[0.7, 0.2, 0.1]], [0], [[0.8, 0.1, 0.1]], alpha=0.5, T=2)
    >>> round(value, 6), gradient.round(6)
    (0.385716, array([[-0.28612 ,  0.157516,  0.128605]]))
    """
    alpha = _checks.share("alpha", alpha)
    if not callable(divergence):
        raise TypeError(f"divergence must be a function such as reverse_kl, got {divergence!r}")
    loss, loss_gradient = cross_entropy(z, y)
    kl, kl_gradient = divergence(z, t, T)
    value = alpha * loss + (1 - alpha) * kl
    gradient = alpha * loss_gradient + (1 - alpha) * kl_gradient
    return value, gradient


def feature_distance(f, g, R=None):
    """Distillation by features, section 3.2 of the document: an inner layer answers as the teacher's.

        1/(2n) Σᵢ ‖fᵢ − gᵢ‖²              ∂/∂f = (f − g)/n

    and where the widths differ, through a learned matrix R,

        1/(2n) Σᵢ ‖fᵢ R − gᵢ‖²            ∂/∂f = (f R − g) Rᵀ/n          ∂/∂R = fᵀ (f R − g)/n

    Parameters
    ----------
    f : array_like of shape (n, d)
        The student's features, finite.
    g : array_like of shape (n, e)
        The teacher's features, finite; e = d where R is None.
    R : array_like of shape (d, e), optional
        The matrix that maps the student's features onto the teacher's.

    Returns
    -------
    value : float
    gradient : ndarray of shape (n, d), in the dtype of f
        With R, the pair (∂/∂f, ∂/∂R).

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit, or a number is not finite.

    References
    ----------
    Romero et al., "FitNets: hints for thin deep nets", ICLR 2015, eq. 3.

    Examples
    --------
    >>> feature_distance([[1.0, 2.0]], [[1.0, 0.0]])
    (2.0, array([[0., 2.]]))
    >>> value, (df, dR) = feature_distance([[1.0, 2.0]], [[0.0]], R=[[1.0], [1.0]])
    >>> value, df, dR.T
    (4.5, array([[3., 3.]]), array([[3., 6.]]))
    """
    f, g = _checks.rows("f", f), _checks.rows("g", g)
    g = np.asarray(g, f.dtype)
    n = len(f)
    if R is None:
        _checks.same_shape("f", f, "g", g)
        difference = f - g
        return float(np.square(difference).sum() / (2 * n)), difference / n
    R = np.asarray(_checks.rows("R", R), f.dtype)
    if len(g) != n or R.shape != (f.shape[1], g.shape[1]):
        raise ValueError(f"f R must have the shape of g: f {f.shape}, R {R.shape}, g {g.shape}")
    difference = f @ R - g
    value = np.square(difference).sum() / (2 * n)
    return float(value), (difference @ R.T / n, f.T @ difference / n)


def relation_distance(f, g):
    """Distillation by relations, section 3.2: the distances between samples stay as the teacher sees them.

        RKD-D = 1/m Σ_{i≠j} Huber(uᵢⱼ − vᵢⱼ)      uᵢⱼ = ‖fᵢ − fⱼ‖/μ_f      vᵢⱼ = ‖gᵢ − gⱼ‖/μ_g

    over the m = n(n−1) ordered pairs, μ the mean distance over them, Huber(x) = x²/2 for |x| ≤ 1, else
    |x| − 1/2. With D = ‖fᵢ − fⱼ‖ and h = Huber′(u − v), and because μ_f depends on every distance,

        ∂/∂Dᵢⱼ = 1/(m μ_f) [hᵢⱼ − 1/m Σ h u]          ∂/∂fᵢ = Σⱼ 2 ∂/∂Dᵢⱼ (fᵢ − fⱼ)/Dᵢⱼ

    where a pair that coincides (D = 0) contributes 0.

    Parameters
    ----------
    f : array_like of shape (n, d)
        The student's features or outputs, finite.
    g : array_like of shape (n, e)
        The teacher's, finite; any width.

    Returns
    -------
    value : float
        0 for a single row, which has no relations.
    gradient : ndarray of shape (n, d), in the dtype of f

    Raises
    ------
    TypeError, ValueError
        If the numbers of rows differ, or a number is not finite.

    References
    ----------
    Park, Kim, Lu and Cho, "Relational knowledge distillation", CVPR 2019, section 3.2.1.

    Examples
    --------
    >>> value, gradient = relation_distance([[0.0], [1.0], [2.0]], [[0.0], [1.0], [3.0]])
    >>> round(value, 6), gradient.T.round(6)
    (0.020833, array([[-0.0625,  0.125 , -0.0625]]))
    """
    f, g = _paired_rows(f, g)
    n = len(f)
    m = max(n * (n - 1), 1)
    e, D = _directions(f)
    mu = D.sum() / m or 1
    u = D / mu
    _, E = _directions(g)
    v = E / (E.sum() / m or 1)
    value = _huber(u - v).sum() / m
    h = _huber_slope(u - v)
    # ∂/∂D, already doubled: a distance stands for the pair (i, j) and for (j, i)
    slope = 2 / (m * mu) * (h - (h * u).sum() / m)
    # (fᵢ − fⱼ)/Dᵢⱼ = −eᵢⱼ; the unit vectors themselves, because Σⱼ fᵢ − fⱼ taken apart would cancel
    gradient = -np.einsum("ij,ijd->id", slope, e)
    return float(value), gradient


def relation_angle(f, g):
    """Distillation by relations, section 3.2: the angles between samples stay as the teacher sees them.

        RKD-A = 1/n³ Σᵢⱼₖ Huber(cᵢⱼₖ(f) − cᵢⱼₖ(g))      cᵢⱼₖ = ⟨eᵢⱼ, eᵢₖ⟩      eᵢⱼ = (fⱼ − fᵢ)/‖fⱼ − fᵢ‖

    over all ordered triples, e = 0 where two rows coincide. With h = Huber′, symmetric in j and k,

        Gᵢⱼ = ∂/∂eᵢⱼ = 2/n³ Σₖ hᵢⱼₖ eᵢₖ          Pᵢⱼ = [Gᵢⱼ − ⟨Gᵢⱼ, eᵢⱼ⟩ eᵢⱼ]/‖fⱼ − fᵢ‖

        ∂/∂fⱼ = Σᵢ Pᵢⱼ − Σᵢ Pⱼᵢ

    The price is memory and time of the order n³ and n² d: keep batches below a few hundred rows.

    Parameters
    ----------
    f : array_like of shape (n, d)
        The student's features or outputs, finite.
    g : array_like of shape (n, e)
        The teacher's, finite; any width.

    Returns
    -------
    value : float
    gradient : ndarray of shape (n, d), in the dtype of f

    Raises
    ------
    TypeError, ValueError
        If the numbers of rows differ, or a number is not finite.

    References
    ----------
    Park, Kim, Lu and Cho, "Relational knowledge distillation", CVPR 2019, section 3.2.2.

    Examples
    --------
    >>> right_angle, flat = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[0.0], [1.0], [2.0]]
    >>> value, gradient = relation_angle(right_angle, flat)
    >>> round(value, 6)
    0.12963
    >>> bool(np.abs(gradient.sum(axis=0)).max() < 1e-15)    # moving all rows together turns nothing
    True
    """
    f, g = _paired_rows(f, g)
    n = len(f)
    e, D = _directions(f)
    e_g, _ = _directions(g)
    difference = e @ e.transpose(0, 2, 1) - e_g @ e_g.transpose(0, 2, 1)
    value = _huber(difference).sum() / n**3
    h = _huber_slope(difference)
    G = 2 / n**3 * (h @ e)
    along = (G * e).sum(axis=2, keepdims=True)
    P = (G - along * e) / np.where(D > 0, D, np.inf)[:, :, None]
    gradient = P.sum(axis=0) - P.sum(axis=1)
    return float(value), gradient


def _tempered(z, t, T):
    """Return log q, log p, n, T and the dtype of z.

    In float64, because T² magnifies what rounding leaves of log q − log p: at T = 1000 a divergence in
    float32 would be off by a tenth of its value.
    """
    z, t = _checks.rows("z", z), _checks.rows("t", t)
    _checks.same_shape("z", z, "t", t)
    T = _checks.positive("T", T)
    if not 1e-100 <= T <= 1e100:
        raise ValueError(f"T must lie between 1e-100 and 1e100, so that T² is a number, got {T}")
    log_q = log_softmax(np.asarray(z, np.float64) / T)
    log_p = log_softmax(np.asarray(t, np.float64) / T)
    return log_q, log_p, len(z), T, z.dtype


def _paired_rows(f, g):
    """Return the student's and the teacher's features, as many rows of each."""
    f, g = _checks.rows("f", f), _checks.rows("g", g)
    if len(f) != len(g):
        raise ValueError(f"f has {len(f)} rows, but g has {len(g)}: they must be the same samples")
    return f, np.asarray(g, f.dtype)


def _directions(f):
    """Return eᵢⱼ = (fⱼ − fᵢ)/‖fⱼ − fᵢ‖ of shape (n, n, d), 0 where rows coincide, and the distances D."""
    difference = f[None, :, :] - f[:, None, :]
    D = np.sqrt(np.square(difference).sum(axis=2))
    return difference / np.where(D > 0, D, np.inf)[:, :, None], D


def _huber(x):
    """Huber(x) = x²/2 for |x| ≤ 1, else |x| − 1/2."""
    size = np.abs(x)
    return np.where(size <= 1, x * x / 2, size - 0.5)


def _huber_slope(x):
    """Huber′(x) = x for |x| ≤ 1, else sign(x)."""
    return np.clip(x, -1, 1)
