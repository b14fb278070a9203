"""Sparse matrices: of every format, never made dense, and real text."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer

from .helpers import VALUES, Y, classifier, dense, regressor, state
from .helpers import X as FULL

X = FULL * (np.abs(FULL) > 0.7)
FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]
SENTIMENT = Path(__file__).parents[3] / "shared" / "data" / "sentiment"
WIDE = 1_000_000


def wide(x=X, columns=(3, 500_000, 77, WIDE - 1)):
    """Return x in a few of a million columns."""
    rows, places = np.nonzero(x)
    return sparse.csr_array((x[rows, places], (rows, np.array(columns)[places])), shape=(len(x), WIDE))


@pytest.fixture
def never_dense(monkeypatch):
    """Raise wherever more than a few rows of something wide would be made dense."""

    def guarded(method):
        def call(self, *arguments, **options):
            assert self.shape[0] * self.shape[1] <= 4096 * 100, f"{self.shape} is made dense"
            return method(self, *arguments, **options)

        return call

    kinds = [getattr(sparse, f"{name}_{kind}") for name in FORMATS for kind in ("array", "matrix")]
    classes = {base for kind in kinds for base in kind.__mro__}
    for base in classes:
        for name in ("toarray", "todense", "__array__"):
            if name in vars(base):
                monkeypatch.setattr(base, name, guarded(vars(base)[name]))


# ---- formats -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_result_as_csr(name, kind):
    convert = getattr(sparse, f"{name}_{kind}")
    first = sparse.csr_array(X[:30])
    for make, y in ((classifier, Y), (regressor, VALUES)):
        expected = make(n_epochs=1).partial_fit(first, y[:30]).partial_fit(sparse.csr_array(X), y)
        model = make(n_epochs=1).partial_fit(convert(X[:30]), y[:30]).partial_fit(convert(X), y)
        assert state(model) == state(expected)
        assert np.array_equal(model.predict(convert(X)), expected.predict(X))


def test_the_width_of_the_indices_makes_no_difference():
    x = sparse.csr_array(X)
    x.indices, x.indptr = x.indices.astype(np.int64), x.indptr.astype(np.int64)
    expected = classifier().fit(sparse.csr_array(X), Y)
    assert np.array_equal(classifier().fit(x, Y).decision_function(x), expected.decision_function(X))


def test_entries_in_any_order_and_in_several_parts_are_added_up_and_left_as_they_are():
    rows, columns = np.nonzero(X)
    order = np.random.default_rng(0).permutation(2 * len(rows))
    places = np.tile(rows, 2)[order], np.tile(columns, 2)[order]
    x = sparse.coo_array((np.tile(X[rows, columns] / 2, 2)[order], places), shape=X.shape)
    before = x.data.copy()
    expected = classifier().fit(sparse.csr_array(X), Y)
    assert np.array_equal(classifier().fit(x, Y).decision_function(x), expected.decision_function(X))
    assert np.array_equal(x.data, before)


@pytest.mark.parametrize("dtype", [bool, np.int32, np.uint8, np.float32])
def test_entries_may_be_numbers_of_any_kind(dtype):
    x = np.abs(X).round().astype(dtype)
    model = classifier().fit(sparse.csr_array(x), Y)
    expected = classifier().fit(sparse.csr_array(x.astype(np.float32 if dtype == np.float32 else float)), Y)
    assert np.array_equal(model.predict_proba(sparse.csr_matrix(x)), expected.predict_proba(x))


# ---- sparse and dense --------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [np.array, sparse.csr_array])
def test_after_the_first_call_it_makes_no_difference_whether_rows_are_sparse(first):
    a = classifier().fit(first(X[:30]), Y[:30]).partial_fit(sparse.csr_array(X[30:]), Y[30:])
    b = classifier().fit(first(X[:30]), Y[:30]).partial_fit(X[30:], Y[30:])
    assert np.array_equal(a.network_.theta, b.network_.theta)
    assert np.array_equal(a.predict_proba(X), b.predict_proba(sparse.csr_matrix(X)))
    assert a.score(X, Y) > 0.85


@pytest.mark.parametrize("first", [np.array, sparse.csr_array])
def test_samples_that_are_remembered_come_back_as_they_came(first):
    model = classifier().fit(first(X[:30]), Y[:30]).partial_fit(X[30:], Y[30:])
    x, y = model.remembered()
    rows = {(*row, label) for row, label in zip(X.tolist(), Y.tolist(), strict=True) for row in [tuple(row)]}
    assert {
        (*row, label) for row, label in zip(map(tuple, dense(x).tolist()), y.tolist(), strict=True)
    } == rows


def test_columns_that_are_filled_for_the_first_time_are_learned_and_what_was_known_stays():
    model = classifier().partial_fit(wide(X[Y < 2]), Y[Y < 2])
    assert model.network_.layers[1].inputs == 4
    before = model.predict_proba(wide(X[Y < 2]))
    later = wide(X[Y == 2], columns=(4, 5, 6, 7))
    model.partial_fit(later, Y[Y == 2])
    assert model.network_.layers[1].inputs == 8
    assert before.argmax(axis=1).tolist() == Y[Y < 2].tolist()
    assert model.score(wide(X[Y < 2]), Y[Y < 2]) > 0.85
    assert model.score(later, Y[Y == 2]) > 0.85


def test_columns_that_were_never_filled_in_training_change_no_answer():
    model = classifier().fit(wide(), Y)
    elsewhere = sparse.csr_array(([5.0], ([0], [123])), shape=(60, WIDE))
    assert np.array_equal(model.predict_proba(wide() + elsewhere), model.predict_proba(wide()))


@pytest.mark.parametrize("make", [classifier, regressor])
def test_rows_without_any_entry_are_learned_and_answered(make):
    model = make().partial_fit(sparse.csr_array((3, 4)), [0, 1, 0])
    assert model.predict(sparse.csr_array((2, 4))).shape == (2,)
    assert model.predict(sparse.csr_array(X)).shape == (60,)
    assert model.predict(X).shape == (60,)
    model.partial_fit(sparse.csr_array(X), Y)
    assert model.n_samples_seen_ == 63


def test_columns_on_wild_scales_are_learned_as_well():
    scales = 10.0 ** np.array([-6, 6, 0, 3])
    expected = classifier().fit(sparse.csr_array(X), Y)
    model = classifier().fit(sparse.csr_array(X * scales), Y)
    assert np.allclose(model.predict_proba(X * scales), expected.predict_proba(X), rtol=1e-6)
    assert model.score(sparse.csr_array(X * scales), Y) > 0.85


# ---- never dense -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("never_dense")
@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("replay", sparse.csr_array),
        ("replay", sparse.csc_matrix),
        ("joint", sparse.coo_array),
        ("replay+logits", sparse.csr_array),
        ("replay+relations", sparse.csr_array),
        ("l2_anchored", sparse.csr_array),
    ],
)
def test_nothing_is_ever_made_dense(method, kind):
    x = kind(wide())
    model = classifier(method=method, n_epochs=1).partial_fit(x, Y).partial_fit(x, Y + 1)
    model.predict(x), model.predict_proba(x), model.decision_function(x), model.score(x, Y)
    kept = model.remembered()
    assert kept is None or sparse.issparse(kept[0])
    assert regressor(n_epochs=1).partial_fit(x, VALUES).partial_fit(x, VALUES).predict(x).shape == (60,)


@pytest.mark.usefixtures("never_dense")
def test_the_guard_against_making_things_dense_works():
    for kind in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array, sparse.lil_matrix):
        for name in ("toarray", "todense"):
            with pytest.raises(AssertionError, match="is made dense"):
                getattr(kind(wide()), name)()


def test_the_model_is_as_large_as_the_columns_that_were_filled():
    assert classifier().fit(wide(), Y).network_.theta.nbytes < 2000


# ---- text --------------------------------------------------------------------------------------------


@cache
def reviews(domain):
    """Return sentences as sparse rows, their sentiment, and which of them are held out."""
    if not SENTIMENT.is_dir():
        pytest.skip("../shared/data/sentiment is not there")
    lines = (SENTIMENT / f"{domain}.txt").read_text(encoding="utf-8").split("\n")
    pairs = [line.rsplit("\t", 1) for line in lines if line.strip()]
    texts, y = zip(*pairs, strict=True)
    x = HashingVectorizer(n_features=2**18).transform(texts)
    return x, np.array(y, int), np.arange(len(y)) % 4 == 0


def learn_domains(targets, **options):
    """Learn three domains one after another; return the accuracies on each domain's held out quarter."""
    model, held_out = classifier(batch_size=32, n_epochs=3, **options), []
    for domain in ("imdb", "amazon", "yelp"):
        x, y, test = reviews(domain)
        y = targets(domain, y)
        model.partial_fit(x[~test], y[~test])
        held_out.append((x[test], y[test]))
    return [model.score(*pair) for pair in held_out]


@pytest.mark.usefixtures("never_dense")
def test_sentiment_of_one_domain_after_another_is_learned_and_the_first_is_not_forgotten():
    accuracies = learn_domains(lambda domain, y: np.array(["bad", "good"])[y])
    assert min(accuracies) > 0.72


@pytest.mark.parametrize(("method", "low", "high"), [("replay", 0.7, 1), ("none", 0, 0.2)])
def test_where_each_domain_is_a_class_replay_remembers_the_first_and_fine_tuning_does_not(method, low, high):
    accuracies = learn_domains(lambda domain, y: np.full(len(y), domain), method=method)
    assert low <= accuracies[0] <= high


def test_texts_come_from_a_vectorizer_as_they_are():
    good, bad = ["a good film", "good food", "good"], ["a bad film", "bad food", "bad"]
    for vectorizer in (HashingVectorizer(n_features=2**18), TfidfVectorizer()):
        model = classifier().fit(vectorizer.fit_transform(good + bad), ["+"] * 3 + ["-"] * 3)
        assert model.predict(vectorizer.transform(["good", "bad"])).tolist() == ["+", "-"]
