"""The formulas of the variational autoencoder: what is true of them and of no other."""

from itertools import product

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy import integrate, special, stats

from incrlearn.formulas import (
    binary_cross_entropy,
    kl_between,
    kl_to_normal,
    log_bernoulli,
    log_mean_exp,
    log_normal,
    reparametrize,
    sigmoid,
)
from tests.oracles import agree

from .cases import KL, KL_BETWEEN, LOSSES, REPARAMETRIZE, Drawn, each

BINARY = next(formula for formula in LOSSES if formula.name == "binary_cross_entropy")
RNG = np.random.default_rng
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
normals = KL.drawn()
logits_and_x = BINARY.drawn()
weights = st.composite(lambda draw: Drawn(draw).array(Drawn(draw).size(), Drawn(draw).size()))()


# The divergence


def test_the_divergence_gives_the_numbers_worked_out_by_hand():
    """½(1 + 4 − 1 − log 4) + ½(4 + 1 − 1 − 0), and a row at the prior; n = 2."""
    value, (by_mu, by_log_variance) = kl_to_normal([[1, -2], [0, 0]], [[np.log(4), 0], [0, 0]])
    agree(value, (2 - np.log(2) + 2) / 2, 1e-15)
    agree(by_mu, [[0.5, -1], [0, 0]], 1e-15)
    agree(by_log_variance, [[0.75, 0], [0, 0]], 1e-15)


@pytest.mark.parametrize(("mu", "sigma"), [(0.0, 1.0), (1.5, 0.5), (-0.25, 2.0), (3.0, 0.05)])
def test_the_divergence_is_the_integral_that_it_stands_for(mu, sigma):
    q, p = stats.norm(mu, sigma), stats.norm()
    span = mu - 12 * sigma, mu + 12 * sigma
    expected, _ = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), *span, epsabs=1e-12)
    agree(kl_to_normal([[mu]], [[2 * np.log(sigma)]])[0], expected, 1e-10, floor=1)


@given(normals)
def test_the_divergence_is_positive_away_from_the_prior_and_zero_there(arguments):
    value, _ = kl_to_normal(*arguments)
    assert (value > 0) == any(part.any() for part in arguments)
    assert value >= 0


@given(normals)
def test_the_divergence_has_its_minimum_at_the_prior(arguments):
    mu, log_variance = arguments
    _, (by_mu, by_log_variance) = kl_to_normal(mu, log_variance)
    assert (np.sign(by_mu) == np.sign(mu)).all()
    assert (np.sign(by_log_variance) == np.sign(log_variance)).all()


@given(normals)
def test_the_divergence_is_the_sum_over_the_dimensions_and_does_not_see_the_sign_of_the_mean(arguments):
    mu, log_variance = arguments
    columns = [kl_to_normal(mu[:, [k]], log_variance[:, [k]])[0] for k in range(mu.shape[1])]
    agree(kl_to_normal(-mu, log_variance)[0], sum(columns), 1e-12, floor=1)


@DTYPES
def test_the_divergence_is_exact_a_hair_from_the_prior(dtype):
    """½ · s²/2 where σ² = eˢ, s so small that 1 + s is 1."""
    s = np.full((1, 1), np.finfo(dtype).eps / 4, dtype)
    assert 1 + s == 1
    assert kl_to_normal(0 * s, s)[1][1] == s / 2


@DTYPES
@pytest.mark.parametrize(("mu", "log_variance"), [(0, 1e4), (1e200, 0)], ids=["sigma", "mu"])
def test_a_divergence_beyond_all_numbers_is_reported(dtype, mu, log_variance):
    arguments = np.array([[mu, log_variance]], np.float64).clip(-np.finfo(dtype).max, np.finfo(dtype).max)
    with pytest.raises(FloatingPointError, match="the divergence overflows to inf: mu or log_variance"):
        kl_to_normal(*arguments.astype(dtype).T[..., None])


# The divergence between two normal distributions


def test_the_divergence_between_two_gives_the_numbers_worked_out_by_hand():
    """½(log 9/4 + (4 + 9)/9 − 1), and a row at its prior; n = 2."""
    value, gradients = kl_between([[1], [5]], [[np.log(4)], [1]], [[-2], [5]], [[np.log(9)], [1]])
    agree(value, (np.log(9 / 4) + 13 / 9 - 1) / 4, 1e-15)
    by_mu, by_log_variance, by_prior_mu, by_prior_log_variance = gradients
    agree(by_mu, [[3 / 9 / 2], [0]], 1e-15)
    agree(by_log_variance, [[(4 / 9 - 1) / 4], [0]], 1e-15)
    agree(by_prior_mu, [[-3 / 9 / 2], [0]], 1e-15)
    agree(by_prior_log_variance, [[(1 - 13 / 9) / 4], [0]], 1e-15)


@pytest.mark.parametrize(
    ("q", "p"), [((0.0, 1.0), (1.0, 1.0)), ((1.5, 0.5), (-1.0, 2.0)), ((-0.25, 2.0), (0.0, 0.7))]
)
def test_the_divergence_between_two_is_the_integral_that_it_stands_for(q, p):
    one, other, span = stats.norm(*q), stats.norm(*p), (q[0] - 12 * q[1], q[0] + 12 * q[1])
    expected, _ = integrate.quad(
        lambda z: one.pdf(z) * (one.logpdf(z) - other.logpdf(z)), *span, epsabs=1e-12
    )
    arguments = [[[entry]] for mu, sigma in (q, p) for entry in (mu, 2 * np.log(sigma))]
    agree(kl_between(*arguments)[0], expected, 1e-10, floor=1)


@given(KL_BETWEEN.drawn())
def test_the_divergence_between_two_is_positive_unless_they_are_the_same(arguments):
    value, _ = kl_between(*arguments)
    assert (value > 0) == any((arguments[k] != arguments[k + 2]).any() for k in (0, 1))
    assert value >= 0


@given(normals)
def test_the_divergence_to_a_prior_that_is_standard_normal_is_that_to_the_normal(arguments):
    zero = np.zeros_like(arguments[0])
    value, gradients = kl_between(*arguments, zero, zero)
    expected, expected_gradients = kl_to_normal(*arguments)
    agree(value, expected, 1e-13, floor=1)
    for gradient, wanted in zip(gradients[:2], expected_gradients, strict=True):
        agree(gradient, wanted, 1e-13, floor=1)


@given(KL_BETWEEN.drawn())
def test_the_divergence_between_two_does_not_see_where_they_are_or_on_what_scale(arguments):
    mu, log_variance, prior_mu, prior_log_variance = arguments
    moved = 3 * mu + 5, log_variance + np.log(9), 3 * prior_mu + 5, prior_log_variance + np.log(9)
    agree(kl_between(*moved)[0], kl_between(*arguments)[0], 1e-11, floor=1)


@DTYPES
def test_the_divergence_between_two_is_exact_a_hair_from_the_prior(dtype):
    s = np.full((1, 1), np.finfo(dtype).eps / 4, dtype)
    _, gradients = kl_between(0 * s, s, 0 * s, 0 * s)
    assert gradients[1][0, 0] == s / 2 == -gradients[3][0, 0]
    assert all(gradient.dtype == dtype for gradient in gradients)


@pytest.mark.parametrize("arguments", [(0, 1e4, 0, 0), (1e200, 0, 0, 0), (1, 0, 0, -1e4), (1, 0, 1, -1e4)])
def test_a_divergence_between_two_beyond_all_numbers_is_reported(arguments):
    """The last is 0·∞ + ∞, and is told without a warning as well."""
    with pytest.raises(FloatingPointError, match=r"the divergence overflows to (inf|nan)"):
        kl_between(*([[float(entry)]] for entry in arguments))


# The draw


def test_a_draw_gives_the_numbers_worked_out_by_hand():
    z, slope = reparametrize([[1, -2]], [[np.log(4), np.log(9)]], epsilon=[[0.5, -2]])
    agree(z, [[2, -8]], 1e-15)
    agree(slope, [[0.5, -3]], 1e-15)


@given(REPARAMETRIZE.drawn())
def test_the_slope_of_a_draw_is_half_its_distance_from_the_mean(arguments):
    z, slope = reparametrize(*arguments)
    agree(slope, (z - arguments[0]) / 2, 1e-14, floor=1)


def test_without_noise_a_draw_is_the_mean():
    mu, log_variance = RNG(0).normal(size=(2, 3, 4))
    z, slope = reparametrize(mu, log_variance, np.zeros((3, 4)))
    agree(z, mu, 0)
    agree(slope, np.zeros((3, 4)), 0)


def test_many_draws_have_the_mean_and_the_variance_asked_for():
    epsilon = RNG(0).standard_normal((100_000, 2))
    mu, sigma = np.array([3.0, -1.0]), np.array([0.5, 2.0])
    z, _ = reparametrize(mu + 0 * epsilon, 2 * np.log(sigma) + 0 * epsilon, epsilon)
    agree(z.mean(axis=0), mu, 0.01)
    agree(z.std(axis=0), sigma, 0.01)


@pytest.mark.parametrize(("log_variance", "epsilon"), [(1e4, 1.0), (1e4, 0.0)])
def test_a_draw_beyond_all_numbers_is_reported(log_variance, epsilon):
    with pytest.raises(FloatingPointError, match="z overflows to"):
        reparametrize([[0.0]], [[log_variance]], [[epsilon]])


# The densities


@given(normals, st.data())
def test_the_normal_density_agrees_with_scipy(arguments, data):
    mu, log_variance = arguments
    x = Drawn(data.draw).array(*mu.shape)
    expected = stats.norm.logpdf(x, mu, np.exp(log_variance / 2)).sum(axis=1)
    agree(log_normal(x, mu, log_variance), expected, 1e-12, floor=1)
    agree(log_normal(x), stats.norm.logpdf(x).sum(axis=1), 1e-12, floor=1)


@given(REPARAMETRIZE.drawn())
def test_the_density_of_a_draw_is_that_of_its_noise_over_sigma(arguments):
    """log N(μ + σ ε; μ, σ²) = log N(ε; 0, 1) − Σ log σ."""
    mu, log_variance, epsilon = arguments
    z, _ = reparametrize(mu, log_variance, epsilon)
    expected = log_normal(epsilon) - log_variance.sum(axis=1) / 2
    agree(log_normal(z, mu, log_variance), expected, 1e-12, floor=1)


@given(logits_and_x)
def test_the_mean_of_the_bernoulli_likelihood_is_the_binary_cross_entropy(arguments):
    logits, x = arguments
    agree(-log_bernoulli(x, logits).mean(), binary_cross_entropy(logits, x)[0], 1e-12, floor=1)


def test_the_bernoulli_likelihood_agrees_with_scipy_on_yes_and_no():
    x, logits = RNG(0).integers(2, size=(5, 3)), RNG(1).normal(size=(5, 3))
    expected = stats.bernoulli.logpmf(x, sigmoid(logits)).sum(axis=1)
    agree(log_bernoulli(x, logits), expected, 1e-13)


@given(weights)
def test_the_likelihoods_of_all_that_a_bernoulli_decoder_can_paint_sum_to_one(logits):
    everything = np.array(list(product([0.0, 1.0], repeat=logits.shape[1])))
    agree(np.exp(log_bernoulli(everything, logits[:, None])).sum(axis=1), np.ones(len(logits)), 1e-13)


def test_one_row_may_meet_many():
    rng = RNG(0)
    x, logits, mu, log_variance = (rng.uniform(size=(n, s, 3)) for n, s in [(4, 1), (4, 5), (4, 1), (1, 5)])
    wide = [np.broadcast_to(part, (4, 5, 3)) for part in (x, logits, mu, log_variance)]
    agree(log_bernoulli(x, logits), log_bernoulli(*wide[:2]), 1e-14)
    agree(log_normal(x, mu, log_variance), log_normal(wide[0], *wide[2:]), 1e-14)


def bernoulli(x, logits):
    """Return x log σ(a) + (1 − x) log(1 − σ(a)) entry by entry."""
    return x * np.log(special.expit(logits)) + (1 - x) * np.log(special.expit(-logits))


def test_densities_and_means_of_weights_are_taken_over_the_last_axis_whatever_stands_before_it():
    rng = RNG(0)
    x, mu, log_variance = rng.uniform(size=(3, 2, 5, 4))
    for at in ((), (0,), (0, 0)):
        parts = x[at], mu[at], log_variance[at]
        expected = stats.norm.logpdf(x, mu, np.exp(log_variance / 2)).sum(axis=-1)[at]
        agree(log_normal(*parts), expected, 1e-13)
        agree(log_bernoulli(x[at], mu[at]), bernoulli(x, mu).sum(axis=-1)[at], 1e-13)
        agree(log_mean_exp(mu[at]), np.log(np.exp(mu).mean(axis=-1))[at], 1e-13)


# The mean of weights


@given(weights)
def test_the_mean_of_weights_agrees_with_scipy(log_w):
    expected = special.logsumexp(log_w, axis=1) - np.log(log_w.shape[1])
    agree(log_mean_exp(log_w), expected, 1e-13, floor=1)


@given(weights)
def test_the_mean_of_weights_lies_between_the_mean_of_their_logarithms_and_the_largest(log_w):
    """Jensen: this is why more samples give a tighter bound."""
    mean = log_mean_exp(log_w)
    assert (mean >= log_w.mean(axis=1) - 1e-12).all()
    assert (mean <= log_w.max(axis=1) + 1e-12).all()


@given(weights, st.integers(-80_000, 80_000).map(lambda i: i / 8))
def test_weights_far_from_one_neither_vanish_nor_overflow(log_w, shift):
    agree(log_mean_exp(log_w + shift), log_mean_exp(log_w) + shift, 1e-12, floor=1)


@given(weights)
def test_a_single_weight_is_its_own_mean(log_w):
    agree(log_mean_exp(log_w[..., None]), log_w, 0)


# All of them


@DTYPES
def test_likelihoods_keep_the_dtype_and_stand_extreme_arguments(dtype):
    """A warning would be an error here."""
    x = np.array([[0, 1], [1, 0]], dtype)
    far = np.array([[1e4, -1e4], [1e4, -1e4]], dtype)
    results = log_bernoulli(x, far), log_normal(far), log_normal(far, x, x), log_mean_exp(far)
    expected = [[-2e4, 0], -1e8 - np.log(2 * np.pi) * np.ones(2), None, [1e4 - np.log(2)] * 2]
    for result, wanted in zip(results, expected, strict=True):
        assert result.dtype == dtype
        assert np.isfinite(result).all()
        if wanted is not None:
            agree(result, wanted, 1e-6)


@each([KL, KL_BETWEEN, REPARAMETRIZE])
def test_a_formula_of_normals_refuses_to_broadcast(formula):
    mu, *others = (np.zeros((3, 2)) for _ in formula.rows)
    others[-1] = np.zeros((3, 1))
    with pytest.raises(ValueError, match=r"has shape \(3, 1\), but mu has shape \(3, 2\)"):
        formula.call(mu, *others)
