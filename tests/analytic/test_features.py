"""Features: what they compute, worked by loops and by hand; what they are drawn from; what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incrlearn import AnalyticClassifier, Network
from incrlearn.analytic import (
    FEATURES,
    Identity,
    NetworkFeatures,
    Patches,
    RandomFourier,
    RandomReLU,
    as_features,
)

IMAGES = np.random.default_rng(0).random((7, 8 * 8))
SMALL = Patches(filters=5, size=3, cells=2, overlap=1, threshold=0.1)
ALL = {
    "identity": Identity(),
    "relu": RandomReLU(6),
    "fourier": RandomFourier(6),
    "patches": SMALL,
    "learned": Patches(filters=5, size=3, cells=2, learned=True),
    "network": NetworkFeatures(Network.mlp(64, 9, 3, rng=np.random.default_rng(0), dtype="float64")),
}


def patches_by_loops(features, image):
    """Return φ of one square image, patch by patch, as the docstring's equations have it."""
    w, size, cells = features.arrays["w"], features.size, features.cells
    side = int(np.sqrt(image.size))
    image, places = image.reshape(side, side), side - size + 1
    patches = {}
    for i in range(places):
        for j in range(places):
            patch = image[i : i + size, j : j + size].ravel()
            patches[i, j] = patch - patch.mean()
    energy = np.mean([patch @ patch for patch in patches.values()])
    found = {
        place: np.maximum(0, w @ (patch / np.sqrt(patch @ patch + energy)) - features.threshold)
        for place, patch in patches.items()
    }
    edges = np.linspace(0, places, cells + 1).round()
    low, high = edges[:-1] - features.overlap, edges[1:] + features.overlap
    sums = []
    for a in range(cells):
        for b in range(cells):
            here = [v for (i, j), v in found.items() if low[a] <= i < high[a] and low[b] <= j < high[b]]
            sums.append(np.sqrt(np.mean(here, axis=0)))
    return np.concatenate(sums)


def test_patches_are_what_loops_find():
    features = SMALL.fixed(IMAGES, seed=3)
    expected = [patches_by_loops(features, image) for image in IMAGES]
    np.testing.assert_allclose(features(IMAGES), expected, rtol=1e-12, atol=1e-12)


def test_a_filter_has_mean_0_and_length_1():
    for features in (SMALL, ALL["learned"]):
        w = features.fixed(IMAGES, seed=3).arrays["w"]
        np.testing.assert_allclose(w.mean(axis=1), 0, atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(w, axis=1), 1)


@given(
    contrast=st.floats(1e-3, 1e3),
    brightness=st.floats(-10, 10),
    seed=st.integers(0, 100),
)
@settings(max_examples=30)
def test_brightness_and_contrast_of_an_image_make_no_difference(contrast, brightness, seed):
    features = SMALL.fixed(IMAGES, seed)
    np.testing.assert_allclose(
        features(contrast * (IMAGES + brightness)), features(IMAGES), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_an_image_of_one_colour_has_nothing_to_be_found(value):
    features = SMALL.fixed(IMAGES, seed=0)
    assert (features(np.full((2, 64), value)) == 0).all()


def test_an_image_moved_by_a_pixel_within_its_cells_is_found_in_the_same_cells():
    features = Patches(filters=8, size=3, cells=1, overlap=0).fixed(np.ones((1, 100)), seed=0)
    image = np.zeros((10, 10))
    image[4:6, 4:7] = 1
    moved = np.roll(image, 1, axis=1)
    np.testing.assert_allclose(features(moved.reshape(1, -1)), features(image.reshape(1, -1)))


def test_colours_are_one_patch():
    rows = np.random.default_rng(0).random((3, 5 * 6 * 3))
    features = Patches(filters=4, size=2, cells=2, shape=(5, 6, 3)).fixed(rows, seed=0)
    assert features.arrays["w"].shape == (4, 2 * 2 * 3)
    assert features(rows).shape == (3, features.outputs) == (3, 16)
    grey = np.repeat(rows[:, ::3], 3, axis=1)  # every pixel's three numbers the same
    one = Patches(filters=4, size=2, cells=2, shape=(5, 6)).fixed(rows[:, ::3], seed=0)
    one.arrays = {"w": features.arrays["w"].reshape(4, 3, 4).sum(axis=1)}
    assert features._patches(grey).shape == (3, 4 * 5, 12)
    np.testing.assert_allclose(
        features._patches(grey)[:, :, :1] * np.sqrt(3), one._patches(rows[:, ::3])[:, :, :1]
    )


def test_centres_of_k_means_are_where_patches_are():
    rng = np.random.default_rng(0)
    strokes = rng.normal(size=(4, 9))
    strokes -= strokes.mean(axis=1, keepdims=True)
    strokes /= np.linalg.norm(strokes, axis=1, keepdims=True)
    x = rng.normal(size=(400, 1)) * strokes[rng.integers(4, size=400)] + 0.01 * rng.normal(size=(400, 9))
    w = Patches(filters=12, size=3, cells=1, learned=True).fixed(x, seed=1).arrays["w"]
    nearest = np.abs(w @ strokes.T).max(axis=0)
    assert (nearest > 0.99).all()


def test_random_units_are_worked_by_hand():
    features = RandomReLU(3).fixed(np.ones((1, 2)), seed=0)
    features.arrays = {
        "W": np.array([[1.0, -1.0, 0.5], [2.0, 1.0, 0.0]]),
        "bias": np.array([0.0, 0.25, -1.0]),
    }
    x = np.sinh([[1.0, 0.5]])
    np.testing.assert_allclose(features(x), [[*x[0], 2.0, 0.0, 0.0]], atol=1e-15)
    np.testing.assert_allclose(features(-x), [[*-x[0], 0.0, 0.75, 0.0]], atol=1e-15)


def test_every_other_unit_has_a_bias():
    bias = RandomReLU(1000).fixed(np.ones((1, 2)), seed=0).arrays["bias"]
    assert (bias[::2] == 0).all()
    assert abs(bias[1::2].std() - 1) < 0.1


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_inner_products_of_waves_are_nearly_the_gaussian_kernel(scale):
    x = np.random.default_rng(0).normal(size=(20, 3))
    found = RandomFourier(40_000, scale).fixed(x, seed=0)(x)
    kernel = np.exp(-np.square(x[:, None] - x[None]).sum(axis=2) / (2 * scale**2))
    np.testing.assert_allclose(found @ found.T, kernel, atol=0.03)


def test_a_network_shows_what_its_head_sees_and_does_not_change_with_it():
    network = Network.mlp(64, 9, 3, rng=np.random.default_rng(0), dtype="float64")
    features = NetworkFeatures(network).fixed(IMAGES, seed=0)
    seen = network.forward(IMAGES)[-2]
    network.theta[:] = 0
    np.testing.assert_array_equal(features(IMAGES), seen)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_features_are_as_wide_as_they_say_look_at_rows_alone_and_change_nothing(name, dtype):
    features = ALL[name].fixed(IMAGES, seed=0)
    x = IMAGES.astype(dtype)
    before = x.copy()
    found = features(x)
    assert found.shape == (7, features.outputs)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(x, before)
    alone = np.concatenate([features(x[k : k + 1]) for k in range(7)])
    np.testing.assert_allclose(found, alone, rtol=1e-5, atol=1e-6)
    if name != "network":  # which computes in its own precision
        assert found.dtype == (np.float64 if name in ("relu", "fourier") else dtype)
        np.testing.assert_allclose(found, features(IMAGES), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_draws_the_same_and_another_another(name):
    features = ALL[name]
    one, same, other = features.fixed(IMAGES, 1), features.fixed(IMAGES, 1), features.fixed(IMAGES, 2)
    assert one.same(same)
    assert not one.same(other) or not one.arrays
    assert not one.same(ALL["fourier" if name != "fourier" else "relu"].fixed(IMAGES, 1))
    assert features.arrays is None  # what was handed over is not fixed itself


@pytest.mark.parametrize("name", ALL)
def test_only_what_is_learned_looks_at_the_rows(name):
    features = ALL[name]
    here, there = features.fixed(IMAGES, 1), features.fixed(IMAGES[::-1] ** 2, 1)
    assert here.same(there) == (not features.looks)
    assert features.looks == (name == "learned")


@pytest.mark.parametrize("text", FEATURES)
def test_features_can_be_written_as_text(text):
    assert as_features(text) == FEATURES[text]()
    assert as_features(Identity()) == Identity()


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("waves", ValueError, "features must be one of 'identity'"),
        ("relu(3)", ValueError, r"features must read like relu\(units=2000\)"),
        ("relu(units=0)", ValueError, "units"),
        ("relu(unit=3)", ValueError, "option of relu must be one of 'units'"),
        ("fourier(scale=-1)", ValueError, "scale must be a finite number > 0"),
        ("patches(size=1)", ValueError, "size"),
        ("patches(cells=0)", ValueError, "cells"),
        ("patches(threshold=-1)", ValueError, "threshold"),
        ("patches(learned=3)", TypeError, "learned must be True or False"),
        ("patches(shape=(0, 3))", ValueError, "shape"),
        ("patches(shape=(28,))", ValueError, r"shape must be \(height, width\) or"),
        ("patches(shape=28)", TypeError, "shape must be a tuple"),
        ("relu(units=3, units=4)", ValueError, "units stands twice"),
        (3, TypeError, "features must be a name, got 3"),
    ],
)
def test_what_can_not_be_features_is_refused(text, error, match):
    with pytest.raises(error, match=match):
        AnalyticClassifier(text).fit(IMAGES, np.arange(7))


@pytest.mark.parametrize(
    ("features", "x", "match"),
    [
        ("patches", np.ones((2, 65)), "X must hold images, a square, a row each, but a row has 65 numbers"),
        ("patches(shape=(3, 4))", np.ones((2, 64)), r"images, \(3, 4\), a row each, but a row has 64"),
        ("patches(size=9)", np.ones((2, 64)), "size=9 and cells=4 are too many for 8 x 8 pixels"),
        ("patches(size=6)", np.ones((2, 64)), "size=6 and cells=4 are too many for 8 x 8 pixels"),
        (
            "relu(units=20001)",
            np.ones((2, 64)),
            "20,065 columns, 20,000 at most: their products are a matrix of 3 GB",
        ),
        (NetworkFeatures(Network.mlp(4, 2, rng=np.random.default_rng(0))), np.ones((2, 5)), "4|5"),
    ],
)
def test_rows_that_features_can_not_look_at_are_refused_and_nothing_has_changed(features, x, match):
    model = AnalyticClassifier(features)
    with pytest.raises(ValueError, match=match):
        model.fit(x, ["a", "b"])
    assert not model.__sklearn_is_fitted__()


def test_a_network_that_is_none_or_an_activation_that_is_not_there_is_refused():
    network = Network.mlp(4, 2, rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match="network must be a Network, got 3"):
        NetworkFeatures(3)
    for at in (9, -9, 1.0):
        with pytest.raises(ValueError, match="at must be the number of an activation"):
            NetworkFeatures(network, at)


@pytest.mark.parametrize("name", ALL)
def test_of_float32_rows_the_features_do_not_depend_on_how_rows_are_cut(name):
    x = np.random.default_rng(1).random((60, 64)).astype(np.float32)
    features = ALL[name].fixed(x, seed=0)
    whole = features(x)
    for cut in (1, 7, 59):
        parts = np.concatenate([features(x[:cut]), features(x[cut:])])
        tolerance = 1e-5 if name == "network" else 1e-14
        np.testing.assert_allclose(parts, whole, rtol=tolerance, atol=tolerance)
