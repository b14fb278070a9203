"""VariationalAutoencoder: its gradients, its likelihood, what it learns, and what is refused."""

import copy
import pickle
import tracemalloc

import autograd
import numpy as np
import pytest
from scipy import sparse

from incrlearn.formulas import log_bernoulli, log_mean_exp, log_normal, sigmoid
from incrlearn.network import Adam, ConditionalAutoencoder, ReLU, VariationalAutoencoder, variational
from tests import oracles
from tests.oracles import agree, central_difference

from .cases import activations, same_bits

RNG = np.random.default_rng
SIZES = {
    "two hidden layers": ((5, 3), 2),
    "one hidden layer, one latent": ((6,), 1),
    "no hidden layer": ((), 3),
    "three hidden layers": ((4, 5, 4), 2),
}
each_size = pytest.mark.parametrize(("hidden", "latent"), SIZES.values(), ids=SIZES)


def build(hidden=(5, 3), latent=2, dtype="float64", seed=0, inputs=4, **options):
    return VariationalAutoencoder(inputs, hidden, latent, rng=RNG(seed), dtype=dtype, **options)


def rows_and_noise(vae, n=5):
    """Return x and ε for which no ReLU stands near its kink, where a difference says nothing."""
    rng = RNG(1)
    for _ in range(1000):
        x, epsilon = rng.uniform(size=(n, vae.inputs)), rng.normal(size=(n, vae.latent))
        a, b = forward(vae, vae.encoder.theta, vae.decoder.theta, x, epsilon)
        before = [
            activation
            for network, tape in ((vae.encoder, a), (vae.decoder, b))
            for activation, layer in zip(tape, network.layers, strict=False)
            if isinstance(layer, ReLU)
        ]
        if all(np.abs(activation).min() > 2e-3 for activation in before):
            return x, epsilon
    raise AssertionError("no rows found away from the kinks")


def forward(vae, encoder_theta, decoder_theta, x, epsilon):
    """Return what encoder and decoder compute, a second time."""
    a = activations(vae.encoder, encoder_theta, x)
    mu, log_variance = a[-1][:, : vae.latent], a[-1][:, vae.latent :]
    z = oracles.reparametrize(mu, log_variance, epsilon)
    return a, activations(vae.decoder, decoder_theta, z)


def oracle(vae, encoder_theta, decoder_theta, x, epsilon):
    """The objective a second time, in autograd.numpy and by the oracles of its parts."""
    a, b = forward(vae, encoder_theta, decoder_theta, x, epsilon)
    mu, log_variance = a[-1][:, : vae.latent], a[-1][:, vae.latent :]
    return oracles.binary_cross_entropy(b[-1], x) + oracles.kl_to_normal(mu, log_variance)


# The objective


@each_size
def test_the_objective_and_its_gradients_agree_with_autograd(hidden, latent):
    vae = build(hidden, latent)
    x, epsilon = rows_and_noise(vae)
    value, gradients = vae.objective(x, epsilon)
    thetas = vae.encoder.theta.copy(), vae.decoder.theta.copy()
    agree(value, oracle(vae, *thetas, x, epsilon), 1e-13)
    for position, gradient in enumerate(gradients, 1):
        agree(gradient, autograd.grad(oracle, position)(vae, *thetas, x, epsilon), 1e-10)


@each_size
@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_the_gradients_of_the_objective_agree_with_central_differences(hidden, latent, part):
    vae = build(hidden, latent)
    x, epsilon = rows_and_noise(vae)
    gradient = dict(zip(["encoder", "decoder"], vae.objective(x, epsilon)[1], strict=True))[part]

    def value(theta):
        getattr(vae, part).theta = theta
        return vae.objective(x, epsilon)[0]

    agree(gradient, central_difference(value, getattr(vae, part).theta.copy(), step=1e-4), 1e-8)


def test_the_objective_is_the_mean_over_its_rows():
    vae = build()
    x, epsilon = rows_and_noise(vae)
    singles = [vae.objective(x[[i]], epsilon[[i]]) for i in range(len(x))]
    value, gradients = vae.objective(x, epsilon)
    agree(value, np.mean([single[0] for single in singles]), 1e-13)
    for k, gradient in enumerate(gradients):
        agree(gradient, np.mean([single[1][k] for single in singles], axis=0), 1e-12)


def test_the_objective_changes_nothing_and_takes_lists():
    vae = build()
    x, epsilon = rows_and_noise(vae)
    before = pickle.dumps(vae)
    value, gradients = vae.objective(x, epsilon)
    again, gradients_again = vae.objective(x.tolist(), epsilon.tolist())
    assert pickle.dumps(vae) == before
    assert type(value) is float
    assert value == again
    assert all(same_bits(*pair) for pair in zip(gradients, gradients_again, strict=True))


def test_float32_stays_float32_and_is_close_to_float64():
    single, double = build(dtype="float32"), build(dtype="float64")
    x, epsilon = rows_and_noise(double)
    results = [vae.objective(x.astype(vae.dtype), epsilon) for vae in (single, double)]
    agree(results[0][0], results[1][0], 1e-6)
    for narrow, wide in zip(results[0][1], results[1][1], strict=True):
        assert (narrow.dtype, wide.dtype) == (np.float32, np.float64)
        agree(narrow, wide, 1e-5)
    assert single.sample(3, RNG(0)).dtype == np.float32
    agree(single.sample(3, RNG(0)), double.sample(3, RNG(0)), 1e-5)
    agree(single.log_likelihood(x, 9, RNG(0)), double.log_likelihood(x, 9, RNG(0)), 1e-5)
    assert single.log_likelihood(x, 9, RNG(0)).dtype == np.float64


# A step


def test_a_step_is_adam_s_on_the_weighted_sum_of_the_batches():
    vae, rng = build(learning_rate=0.01), RNG(5)
    new, replayed = RNG(1).uniform(size=(4, 4)), RNG(2).uniform(size=(6, 4))
    expected, noise = vae.copy(), RNG(5)
    adam = Adam(0.01), Adam(0.01)
    for _ in range(3):
        value = vae.step([(0.25, new), (0.75, replayed)], rng)
        (first, first_gradients), (second, second_gradients) = (
            expected.objective(x, noise.standard_normal((len(x), 2))) for x in (new, replayed)
        )
        agree(value, 0.25 * first + 0.75 * second, 1e-13)
        for k, network in enumerate((expected.encoder, expected.decoder)):
            adam[k].step(network.theta, 0.25 * first_gradients[k] + 0.75 * second_gradients[k])
        agree(vae.encoder.theta, expected.encoder.theta, 1e-12)
        agree(vae.decoder.theta, expected.decoder.theta, 1e-12)


def test_a_batch_of_weight_zero_teaches_nothing():
    vae, x = build(), RNG(1).uniform(size=(4, 4))
    theta = vae.encoder.theta.copy(), vae.decoder.theta.copy()
    assert vae.step([(0.0, x)], RNG(0)) == 0
    assert same_bits(vae.encoder.theta, theta[0])
    assert same_bits(vae.decoder.theta, theta[1])


def trained(steps=50, seed=0, **options):
    vae, rng = build(seed=seed, **options), RNG(seed)
    x = RNG(9).uniform(size=(8, 4))
    return vae, rng, [vae.step([(0.5, x), (0.5, x[:3])], rng) for _ in range(steps)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_seed_gives_the_same_bits(dtype):
    (first, rng, values), (second, rng_again, values_again) = (trained(dtype=dtype) for _ in range(2))
    assert values == values_again
    assert same_bits(first.encoder.theta, second.encoder.theta)
    assert same_bits(first.decoder.theta, second.decoder.theta)
    assert same_bits(first.sample(5, rng), second.sample(5, rng_again))
    x = np.full((2, 4), 0.5)
    assert same_bits(first.log_likelihood(x, 5, rng), second.log_likelihood(x, 5, rng_again))
    assert not same_bits(first.sample(5, rng), first.sample(5, rng))


@pytest.mark.parametrize(
    "duplicate",
    [
        VariationalAutoencoder.copy,
        copy.copy,
        copy.deepcopy,
        lambda vae: pickle.loads(pickle.dumps(vae)),
    ],
    ids=["copy()", "copy.copy", "deepcopy", "pickle"],
)
def test_a_copy_goes_on_as_the_original_and_shares_nothing_with_it(duplicate):
    vae, rng, _ = trained()
    x = RNG(9).uniform(size=(8, 4))
    other, before = duplicate(vae), pickle.dumps(vae)
    other_rng = copy.deepcopy(rng)
    values = [other.step([(1.0, x)], other_rng) for _ in range(5)]
    assert pickle.dumps(vae) == before
    assert [vae.step([(1.0, x)], rng) for _ in range(5)] == values
    assert same_bits(vae.encoder.theta, other.encoder.theta)
    assert same_bits(vae.sample(3, RNG(0)), other.sample(3, RNG(0)))


# What it learns

PATTERNS = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [1, 0, 1, 0, 1, 0]], float)


def taught(patterns, steps=600, seed=0, latent=2):
    vae, rng = build((16,), latent, "float32", seed, inputs=6, learning_rate=0.01), RNG(seed)
    x = np.repeat(patterns, 20, axis=0)
    for _ in range(steps):
        vae.step([(1.0, x)], rng)
    return vae


def test_it_paints_what_it_has_seen():
    painted = taught(PATTERNS).sample(300, RNG(1))
    assert ((painted >= 0) & (painted <= 1)).all()
    distance = np.abs(painted[:, None] - PATTERNS).max(axis=2)
    assert (distance.min(axis=1) < 0.2).mean() > 0.8
    assert set(distance.argmin(axis=1)) == {0, 1, 2}


def test_replay_of_what_it_paints_keeps_what_it_knew():
    old, new = taught(PATTERNS[:2]), PATTERNS[2:].repeat(40, axis=0)
    alone, replaying, rng = old.copy(), old.copy(), RNG(3)
    for _ in range(600):
        alone.step([(1.0, new)], rng)
        replaying.step([(1 / 3, new), (2 / 3, old.sample(40, rng))], rng)
    forgotten, kept = (vae.log_likelihood(PATTERNS, 200, RNG(0)) for vae in (alone, replaying))
    assert forgotten[:2].max() < -8
    assert kept.min() > -5


def test_a_model_a_class_tells_the_classes_apart():
    models = [taught(PATTERNS[[k]], steps=200, seed=k, latent=1) for k in range(3)]
    noisy = np.clip(PATTERNS + 0.3 * RNG(0).normal(size=PATTERNS.shape), 0, 1)
    scores = [vae.log_likelihood(noisy, 50, RNG(0)) for vae in models]
    assert np.argmax(scores, axis=0).tolist() == [0, 1, 2]


def test_painting_is_the_decoder_s_answer_to_normal_noise():
    vae = build()
    expected = sigmoid(vae.decoder(RNG(4).standard_normal((7, 2))))
    assert same_bits(vae.sample(7, RNG(4)), expected)


# The likelihood


@pytest.fixture(scope="module")
def one_latent():
    """A model whose log p(x) is an integral over one dimension, and that integral for a few rows."""
    vae, rng = build((8,), 1, learning_rate=0.01), RNG(0)
    x = RNG(1).integers(2, size=(30, 4)) * 1.0
    for _ in range(200):
        vae.step([(1.0, x)], rng)
    z = np.linspace(-12, 12, 20_001)[:, None]
    log_p = log_bernoulli(x[:6, None], vae.decoder(z)) + log_normal(z)
    return vae, x[:6], log_mean_exp(log_p) + np.log(len(z) * (z[1, 0] - z[0, 0]))


def test_the_likelihood_approaches_the_integral_over_the_latent(one_latent):
    vae, x, exact = one_latent
    agree(vae.log_likelihood(x, 100_000, RNG(0)), exact, 1e-3)


def test_the_likelihood_is_a_lower_bound_that_rises_with_the_samples(one_latent):
    vae, x, exact = one_latent
    estimates = [
        np.mean([vae.log_likelihood(x, samples, RNG(seed)).mean() for seed in range(400)])
        for samples in (1, 2, 10)
    ]
    assert estimates[0] < estimates[1] < estimates[2] < exact.mean() + 1e-3


def test_a_single_sample_s_bound_is_the_objective_s_in_expectation(one_latent):
    vae, x, _ = one_latent
    many = x.repeat(20_000, axis=0)
    bound = vae._log_weights(x, RNG(0).standard_normal((20_000, 1))).mean()
    agree(-vae.objective(many, RNG(1).standard_normal((len(many), 1)))[0], bound, 5e-3)


def test_where_the_latent_says_nothing_one_sample_gives_the_likelihood_exactly():
    vae = build()
    vae.encoder.theta = np.zeros_like(vae.encoder.theta)  # q is the prior
    vae.decoder.layers[0].W[:] = 0  # the decoder does not look at z
    x = RNG(0).uniform(size=(5, 4))
    agree(vae.log_likelihood(x, 1, RNG(0)), log_bernoulli(x, vae.decoder(np.zeros((5, 2)))), 1e-14)


@pytest.mark.parametrize("rows", [1, 7, 40, 10**6])
def test_the_likelihood_is_the_same_in_blocks_of_any_size(rows, monkeypatch):
    vae, x = build(), RNG(0).uniform(size=(23, 4))
    expected = vae.log_likelihood(x, 10, RNG(0))
    monkeypatch.setattr(variational, "PAINTED_ROWS", rows)
    agree(vae.log_likelihood(x, 10, RNG(0)), expected, 1e-13)


def test_the_likelihood_of_many_rows_takes_little_memory():
    """All logits at once would be 78 MB."""
    vae, x = build((8,), 2, "float32", inputs=784), np.zeros((500, 784), np.float32)
    tracemalloc.start()
    vae.log_likelihood(x, 50, RNG(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15e6


# What is refused

X = np.full((3, 4), 0.5)
BAD_X = {
    "above 1": (
        X + 1,
        ValueError,
        r"x must lie in \[0, 1\], got values in \[1.5, 1.5\]: a Bernoulli decoder",
    ),
    "below 0": (-X, ValueError, r"x must lie in \[0, 1\], got values in \[-0.5, -0.5\]"),
    "bytes": (np.full((3, 4), 255, np.uint8), ValueError, r"got values in \[255.0, 255.0\]"),
    "NaN": (X * np.nan, ValueError, "x must be finite, got nan"),
    "too wide": (np.zeros((3, 5)), ValueError, "x has 5 features, but the network was built for 4"),
    "a vector": (np.zeros(4), ValueError, "x must have shape"),
    "no rows": (X[:0], ValueError, "x must have at least one row"),
    "words": (X.astype(str), TypeError, "x must hold real numbers"),
    "sparse": (sparse.csr_array(X), (TypeError, ValueError), "x must"),
    "nothing": (None, TypeError, "x must hold real numbers"),
}
USES = {
    "objective": lambda vae, x, rng: vae.objective(x, np.zeros((3, 2))),
    "step": lambda vae, x, rng: vae.step([(1.0, x)], rng),
    "second batch": lambda vae, x, rng: vae.step([(1.0, X), (1.0, x)], rng),
    "log_likelihood": lambda vae, x, rng: vae.log_likelihood(x, 5, rng),
}


def refused(call, error, message):
    """Assert that a call of (vae, rng) raises, and leaves model and generator as they were."""
    vae, rng, _ = trained(3)
    before = pickle.dumps((vae, rng))
    with pytest.raises(error, match=message):
        call(vae, rng)
    assert pickle.dumps((vae, rng)) == before


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize(("x", "error", "message"), BAD_X.values(), ids=BAD_X)
def test_rows_that_cannot_be_painted_are_refused_by_name(use, x, error, message):
    refused(lambda vae, rng: use(vae, x, rng), error, message)


@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        ([], ValueError, "batches must hold at least one pair"),
        (X, TypeError, r"batches must be a list of pairs \(weight, x\), got ndarray"),
        ([X], TypeError, "batches must be a list of pairs"),
        ([(1.0, X), 2.0], TypeError, "batches must be a list of pairs"),
        ([(X, 1.0)], TypeError, "weight must be a finite number"),
        ([(-1.0, X)], ValueError, "weight must be a finite number ≥ 0, got -1.0"),
        ([(1.0, X), (np.nan, X)], ValueError, "weight must be"),
    ],
)
def test_batches_that_are_no_weighted_rows_are_refused(batches, error, message):
    refused(lambda vae, rng: vae.step(batches, rng), error, message)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda vae, rng: vae.objective(X, np.zeros((3, 1))), ValueError, r"epsilon has shape \(3, 1\)"),
        (lambda vae, rng: vae.objective(X, np.full((3, 2), np.inf)), ValueError, "epsilon must be finite"),
        (lambda vae, rng: vae.sample(0, rng), ValueError, "n must be a whole number ≥ 1"),
        (lambda vae, rng: vae.sample(2.0, rng), TypeError, "n must be a whole number"),
        (lambda vae, rng: vae.log_likelihood(X, 0, rng), ValueError, "samples must be"),
        (lambda vae, rng: vae.log_likelihood(X, 5, 0), TypeError, "rng must be a numpy.random.Generator"),
        (lambda vae, rng: vae.sample(5, np.random), TypeError, "rng must be"),
        (lambda vae, rng: vae.step([(1.0, X)], None), TypeError, "rng must be"),
    ],
)
def test_other_arguments_are_refused_by_name(call, error, message):
    refused(call, error, message)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"inputs": 0}, ValueError, "inputs must be a whole number ≥ 1"),
        ({"latent": 0}, ValueError, "latent must be"),
        ({"latent": 1.5}, TypeError, "latent must be"),
        ({"hidden": 400}, TypeError, r"hidden must be a tuple of widths such as \(400, 400\), got 400"),
        ({"hidden": (5, 0)}, ValueError, "hidden must be a whole number ≥ 1"),
        ({"dtype": "float16"}, (TypeError, ValueError), "dtype must be"),
        ({"learning_rate": 0}, ValueError, r"learning_rate must be a number in \(0, 1\]"),
        ({"learning_rate": 1.5}, ValueError, "learning_rate must be"),
        ({"rng": 0}, TypeError, "rng must be"),
    ],
)
def test_a_model_that_cannot_be_is_not_built(options, error, message):
    with pytest.raises(error, match=message):
        VariationalAutoencoder(**{"inputs": 4, "rng": RNG(0), **options})


# Numbers that go bad


def spoiled(part, entries, value):
    """Return a model some of whose parameters are bad, or too large."""
    vae = build(dtype="float32")
    getattr(vae, part).theta[entries] = value
    return vae


STEP = lambda vae, rng: vae.step([(1.0, X)], rng)  # noqa: E731
PAINT = lambda vae, rng: vae.sample(3, rng)  # noqa: E731
WEIGH = lambda vae, rng: vae.log_likelihood(X, 5, rng)  # noqa: E731
BAD_NUMBERS = {
    "encoder, step": (STEP, ("encoder", 0, np.nan), "the encoder's μ or log σ² became nan"),
    "encoder, likelihood": (WEIGH, ("encoder", 0, np.inf), "the encoder's μ or log σ² became"),
    "decoder, step": (STEP, ("decoder", -1, np.nan), "the decoder's logits became nan"),
    "decoder, sample": (PAINT, ("decoder", -1, np.inf), "the decoder's logits became inf"),
    "decoder, likelihood": (WEIGH, ("decoder", -1, np.nan), r"log p\(x\|z\) became nan"),
    "σ² too large": (STEP, ("encoder", -1, 1e4), "the divergence overflows to inf"),
    "σ too large": (WEIGH, ("encoder", -1, 1e4), "z overflows to"),
    "gradient too large": (
        lambda vae, rng: vae.step([(1e30, X)], rng),
        ("decoder", -1, 1.0),
        "the encoder's gradient became inf",
    ),
}


@pytest.mark.parametrize(("call", "spoil", "message"), BAD_NUMBERS.values(), ids=BAD_NUMBERS)
def test_a_number_that_goes_bad_is_named_and_nothing_has_changed(call, spoil, message):
    vae, rng = spoiled(*spoil), RNG(0)
    before = pickle.dumps((vae, rng))
    with pytest.raises(FloatingPointError, match=message):
        call(vae, rng)
    assert pickle.dumps((vae, rng)) == before


def test_the_largest_learning_rate_keeps_every_number_finite():
    vae, rng = build(dtype="float32", learning_rate=1), RNG(0)
    for _ in range(300):
        try:
            vae.step([(1.0, RNG(1).integers(2, size=(8, 4)))], rng)
        except FloatingPointError:
            break
    assert np.isfinite(vae.encoder.theta).all()
    assert np.isfinite(vae.decoder.theta).all()


def test_it_says_what_it_is():
    vae = VariationalAutoencoder(784, rng=RNG(0))
    assert repr(vae) == (
        "VariationalAutoencoder(784, hidden=(400, 400), latent=100), 1,069,784 parameters, float32"
    )
    assert (vae.inputs, vae.latent, vae.dtype) == (784, 100, np.float32)
    assert "hidden=()" in repr(build(()))


def test_the_likelihood_of_a_row_does_not_depend_on_the_rows_beside_it(one_latent):
    vae, x, _ = one_latent
    together = vae.log_likelihood(x, 9, RNG(0))
    alone = np.concatenate([vae.log_likelihood(x[i : i + 1], 9, RNG(0)) for i in range(len(x))])
    agree(alone, together, 1e-6)


# A prior for every class

CLASSES, Y = 3, np.array([0, 2, 2, 0, 0])  # of class 1 there is no row


def conditional(hidden=(5, 3), latent=2, dtype="float64", seed=0, classes=CLASSES, **options):
    """Return a model whose priors are neither standard normal nor alike."""
    vae = ConditionalAutoencoder(4, hidden, latent, classes, rng=RNG(seed), dtype=dtype, **options)
    vae.prior[:] = RNG(seed + 1).normal(size=vae.prior.shape)
    return vae


def conditional_oracle(vae, encoder_theta, decoder_theta, prior, x, epsilon):
    """Row by row: how likely the row, and how far its q is from the Gaussian of its class."""
    a, b = forward(vae, encoder_theta, decoder_theta, x, epsilon)
    k, total = vae.latent, oracles.binary_cross_entropy(b[-1], x)
    for i, c in enumerate(Y):
        q, p = a[-1][i : i + 1], prior[2 * k * c : 2 * k * (c + 1)]
        total = total + oracles.kl_between(q[:, :k], q[:, k:], p[:k], p[k:]) / len(Y)
    return total


@each_size
def test_the_conditional_objective_and_its_gradients_agree_with_autograd(hidden, latent):
    vae = conditional(hidden, latent)
    x, epsilon = rows_and_noise(vae)
    value, gradients = vae.objective(x, epsilon, Y)
    arguments = vae.encoder.theta.copy(), vae.decoder.theta.copy(), vae.prior.reshape(-1).copy(), x, epsilon
    agree(value, conditional_oracle(vae, *arguments), 1e-13)
    assert len(gradients) == 3
    for position, gradient in enumerate(gradients, 1):
        expected = autograd.grad(conditional_oracle, position)(vae, *arguments)
        agree(gradient, expected, 1e-10)
    by_prior = gradients[2].reshape(vae.prior.shape)
    assert by_prior.any(axis=1).tolist() == [True, False, True]


@each_size
def test_the_gradient_of_the_priors_agrees_with_central_differences(hidden, latent):
    vae = conditional(hidden, latent)
    x, epsilon = rows_and_noise(vae)
    gradient = vae.objective(x, epsilon, Y)[1][2]

    def value(prior):
        vae.prior = prior.reshape(vae.prior.shape)
        return vae.objective(x, epsilon, Y)[0]

    agree(gradient, central_difference(value, vae.prior.reshape(-1).copy(), step=1e-4), 1e-8, floor=1e-3)


def test_with_standard_normal_priors_it_is_the_unconditional_model():
    vae, plain = conditional(), build()
    vae.prior[:] = 0
    vae.encoder.theta, vae.decoder.theta = plain.encoder.theta.copy(), plain.decoder.theta.copy()
    x, epsilon = rows_and_noise(plain)
    (value, gradients), (expected, expected_gradients) = (
        vae.objective(x, epsilon, Y),
        plain.objective(x, epsilon),
    )
    agree(value, expected, 1e-13)
    for gradient, wanted in zip(gradients[:2], expected_gradients, strict=True):
        agree(gradient, wanted, 1e-12)
    agree(vae.log_likelihood(x, 9, RNG(0)), plain.log_likelihood(x, 9, RNG(0)), 1e-12)


def test_a_conditional_step_is_adam_s_on_the_weighted_sum_of_the_batches():
    vae, rng = conditional(learning_rate=0.01), RNG(5)
    new, replayed = RNG(1).uniform(size=(4, 4)), RNG(2).uniform(size=(5, 4))
    expected, noise = vae.copy(), RNG(5)
    adams = [Adam(0.01) for _ in range(3)]
    for _ in range(3):
        value = vae.step([(0.25, new, Y[:4]), (0.75, replayed, Y)], rng)
        (first, by_first), (second, by_second) = (
            expected.objective(x, noise.standard_normal((len(x), 2)), y)
            for x, y in ((new, Y[:4]), (replayed, Y))
        )
        agree(value, 0.25 * first + 0.75 * second, 1e-13)
        parameters = expected.encoder.theta, expected.decoder.theta, expected.prior.reshape(-1)
        for adam, theta, *gradients in zip(adams, parameters, by_first, by_second, strict=True):
            adam.step(theta, 0.25 * gradients[0] + 0.75 * gradients[1])
        agree(vae.encoder.theta, expected.encoder.theta, 1e-12)
        agree(vae.decoder.theta, expected.decoder.theta, 1e-12)
        agree(vae.prior, expected.prior, 1e-12)


def test_a_new_class_is_a_row_more_and_what_was_learned_stays():
    vae, rng = conditional(classes=2, dtype="float32"), RNG(0)
    x = RNG(1).uniform(size=(4, 4))
    vae.step([(1.0, x, [0, 1, 1, 0])], rng)
    before, moments = vae.copy(), vae.prior_optimizer.m.copy()
    vae.grow(2, rng)
    assert vae.prior.shape == (4, 4)
    assert vae.prior.dtype == np.float32
    assert same_bits(vae.prior[:2], before.prior)
    assert not vae.prior[2:, 2:].any()  # σ = 1
    assert vae.prior[2:, :2].all()
    assert same_bits(vae.sample_of([1, 0], RNG(3)), before.sample_of([1, 0], RNG(3)))
    assert same_bits(vae.prior_optimizer.m, moments)
    vae.step([(1.0, x, [3, 3, 2, 2])], rng)
    assert len(vae.prior_optimizer.m) == vae.prior.size
    vae.grow(0, rng)
    assert vae.prior.shape == (4, 4)


def test_painting_a_class_is_the_decoder_s_answer_to_its_gaussian():
    vae = conditional()
    y = np.array([2, 0, 1, 2])
    mu, log_variance = vae.prior[y, :2], vae.prior[y, 2:]
    z = mu + np.exp(log_variance / 2) * RNG(4).standard_normal((4, 2))
    agree(vae.sample_of(y, RNG(4)), sigmoid(vae.decoder(z)), 1e-14)
    drawn = RNG(4)
    agree(vae.sample(7, RNG(4)), vae.sample_of(drawn.integers(3, size=7), drawn), 0)


def test_it_paints_the_class_that_is_asked_for():
    vae = ConditionalAutoencoder(6, (16,), 2, 3, rng=RNG(0), learning_rate=0.01)
    rng, y = RNG(0), np.arange(3).repeat(20)
    for _ in range(400):
        vae.step([(1.0, PATTERNS[y], y)], rng)
    painted = vae.sample_of(y, RNG(1))
    distance = np.abs(painted[:, None] - PATTERNS).max(axis=2)
    assert (distance.argmin(axis=1) == y).mean() > 0.95
    likely = vae.log_likelihood(PATTERNS, 200, RNG(0))
    agree(likely, np.full(3, -np.log(3)), 0.3)  # a third each, as all classes are as frequent


def test_the_likelihood_of_a_mixture_approaches_the_integral_over_the_latent():
    vae = conditional((8,), 1)
    x = RNG(1).integers(2, size=(5, 4)) * 1.0
    z = np.linspace(-15, 15, 20_001)[:, None]
    densities = [np.exp(log_normal(z, row[:1], row[1:])) for row in vae.prior]
    log_p = log_bernoulli(x[:, None], vae.decoder(z)) + np.log(np.mean(densities, axis=0))
    exact = log_mean_exp(log_p) + np.log(len(z) * (z[1, 0] - z[0, 0]))
    agree(vae.log_likelihood(x, 100_000, RNG(0)), exact, 5e-3)


@pytest.mark.parametrize(
    "duplicate",
    [ConditionalAutoencoder.copy, copy.copy, lambda vae: pickle.loads(pickle.dumps(vae))],
    ids=["copy()", "copy.copy", "pickle"],
)
def test_a_copy_of_a_conditional_model_goes_on_as_the_original(duplicate):
    vae, x, rngs = conditional(), RNG(9).uniform(size=(5, 4)), (RNG(0), RNG(0))
    vae.step([(1.0, x, Y)], RNG(3))
    other, before = duplicate(vae), pickle.dumps(vae)
    values = [other.step([(1.0, x, Y)], rngs[0]) for _ in range(3)]
    assert pickle.dumps(vae) == before
    assert [vae.step([(1.0, x, Y)], rngs[1]) for _ in range(3)] == values
    assert same_bits(vae.prior, other.prior)


BAD_CLASSES = {
    "too few": ([0, 1], ValueError, "y must hold a class for each of 3 rows, got 2"),
    "unknown": ([0, 3, 1], ValueError, "y must hold classes from 0 to 2, got 0 to 3"),
    "below 0": ([0, -1, 1], ValueError, "y must hold classes from 0 to 2, got -1 to 1"),
    "in rows": ([[0, 1, 2]], ValueError, r"y must be a vector of classes, got shape \(1, 3\)"),
    "words": (["a", "b", "c"], TypeError, "y must hold classes"),
    "fractions": ([0.0, 1.0, 2.0], TypeError, "y must hold classes"),
    "none": ([], ValueError, "y must be a vector of classes"),
}


@pytest.mark.parametrize(("y", "error", "message"), BAD_CLASSES.values(), ids=BAD_CLASSES)
def test_what_are_no_classes_of_the_model_is_refused_and_changes_nothing(y, error, message):
    vae, rng = conditional(), RNG(0)
    before = pickle.dumps((vae, rng))
    uses = [lambda: vae.objective(X, np.zeros((3, 2)), y), lambda: vae.step([(1.0, X, y)], rng)]
    for use in uses if message.endswith("got 2") else [*uses, lambda: vae.sample_of(y, rng)]:
        with pytest.raises(error, match=message):
            use()
    assert pickle.dumps((vae, rng)) == before


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda vae, rng: vae.step([(1.0, X)], rng), TypeError, r"list of triples \(weight, x, y\)"),
        (lambda vae, rng: vae.step([], rng), ValueError, "at least one triple"),
        (lambda vae, rng: vae.objective(X, np.zeros((3, 2)), None), (TypeError, ValueError), "y must"),
        (lambda vae, rng: vae.sample(0, rng), ValueError, "n must be"),
        (lambda vae, rng: vae.grow(-1, rng), ValueError, "n must be a whole number ≥ 0"),
        (lambda vae, rng: vae.grow(1, 0), TypeError, "rng must be"),
        (lambda vae, rng: vae.sample_of([0], None), TypeError, "rng must be"),
        (
            lambda vae, rng: conditional(classes=0).sample(1, rng),
            ValueError,
            "there must be a class to paint",
        ),
        (
            lambda vae, rng: conditional(classes=0).log_likelihood(X, 1, rng),
            ValueError,
            "there must be a class to paint",
        ),
        (lambda vae, rng: conditional(classes=-1), ValueError, "classes must be"),
    ],
)
def test_other_arguments_of_a_conditional_model_are_refused_by_name(call, error, message):
    vae, rng = conditional(), RNG(0)
    before = pickle.dumps((vae, rng))
    with pytest.raises(error, match=message):
        call(vae, rng)
    assert pickle.dumps((vae, rng)) == before


def test_a_prior_that_goes_bad_is_reported_and_nothing_has_changed():
    vae, rng = conditional(), RNG(0)
    vae.prior[2, 3] = 5000.0
    before = pickle.dumps((vae, rng))
    with pytest.raises(FloatingPointError, match="z overflows"):
        vae.sample_of([0, 2], rng)
    vae.prior[2, 3] = -5000.0
    with pytest.raises(FloatingPointError, match="the divergence overflows"):
        vae.step([(1.0, X, [0, 2, 2])], rng)
    vae.prior[2, 3] = 5000.0
    assert pickle.dumps((vae, rng)) == before


def test_a_conditional_model_says_what_it_is():
    vae = ConditionalAutoencoder(4, (5,), 2, 3, rng=RNG(0))
    n = len(vae.encoder.theta) + len(vae.decoder.theta) + 3 * 4
    assert repr(vae) == f"ConditionalAutoencoder(4, hidden=(5,), latent=2), {n} parameters, float32"
