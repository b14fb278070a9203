"""Closed-form learners with scikit-learn's interface."""

import numpy as np

from .. import _inputs
from .._estimator import Estimator, OfClasses, OfValues, generator
from .features import as_features
from .learner import AnalyticLearner
from .state import features_apart, features_together, put_together, taken_apart

#: what is known beside the learner
FITTED = ("n_features_in_", "n_samples_seen_", "feature_names_in_")


class _Analytic(Estimator):
    """What the classifier and the regressor share."""

    def fit(self, X, y, sample_weight=None):
        """Learn from X and y alone: what was learned before is dropped.

        Parameters
        ----------
        X : array_like, frame or sparse matrix of shape (n_samples, n_features)
        y : array_like of shape (n_samples,)
        sample_weight : array_like of shape (n_samples,), optional
            Every row's weight, ≥ 0: 2 is a row that came twice, 0 one that did not come.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If X, y, a weight or a hyper-parameter is not what is asked for: then everything is as it was.
        FloatingPointError
            If features are so large that their squares do not add up to a finite number: likewise.
        """
        return self._learn(X, y, None, None, sample_weight, fresh=True)

    def partial_fit(self, X, y, classes=None, sample_weight=None, *, task=None):
        """Learn from more data: the result is that of all data at once, whatever their order.

        Parameters
        ----------
        X : array_like, frame or sparse matrix of shape (n_samples, n_features)
            One row or many; a `numpy.memmap` is read block by block.
        y : array_like of shape (n_samples,)
            May hold classes never seen before.
        classes : array_like, optional
            Classes to be known from now on, as scikit-learn asks for them. Not needed.
        sample_weight : array_like of shape (n_samples,), optional
            As for `fit`.
        task : hashable, optional
            The task's id, where it is known: `predict(X, task=…)` then chooses among its classes.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            As `fit`.
        """
        return self._learn(X, y, classes, task, sample_weight, fresh=not self.__sklearn_is_fitted__())

    def _learn(self, X, y, classes, task, sample_weight, fresh):
        learner = self._new_learner() if fresh else self._fitted()
        shown = sample_weight is None and learner.features.shows  # then the sums tell what is not finite
        x, y, names = self._rows(X, y, fresh, looked_at=not shown)
        x, y, weight = self._weighed(x, y, sample_weight)
        if classes is not None:
            classes = self._announced(classes, y)
        try:
            learner.learn(x, y, task, classes, weight)
        except FloatingPointError:
            _inputs.finite(x)
            raise
        if fresh:
            self._begin(x.shape[1], names)
        self._take_over(learner, len(y))
        return self

    def unlearn(self, X, y, sample_weight=None):
        """Take rows away that were learned: the model becomes what it would be, had they never come.

        A class of which no row is left is not known any more, and a model of which none is left has learned
        nothing. That a row was learned is checked as far as sums can tell: unlearn what you know to have
        learned.

        Parameters
        ----------
        X, y, sample_weight :
            As they were given to `fit` or `partial_fit`.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError, TypeError, ValueError
            If there are more rows of a class than were learned, or rows fade: then everything is as it was.

        References
        ----------
        Cao and Yang, "Towards making systems forget with machine unlearning", IEEE S&P 2015, section III.

        Examples
        --------
        >>> model = AnalyticRegressor(strength=0.0).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 7.0])
        >>> model.unlearn([[2.0]], [7.0]).predict([[2.0]]).round(6)
        array([2.])
        """
        learner = self._fitted()
        x, y, _ = self._rows(X, y, fresh=False)
        x, y, weight = self._weighed(x, y, sample_weight)
        learner.unlearn(x, y, weight)
        if learner.statistics is None:
            for name in ("_learner", "classes_", "notes_", *FITTED):
                vars(self).pop(name, None)
        else:
            self._take_over(learner, -len(y))
        return self

    def merge(self, other):
        """Add what another model has learned: the result is that of the rows of both.

        Models that learned on different machines, from different rows, become one, in any order. Classes are
        united by their labels.

        Parameters
        ----------
        other : estimator of the same class
            With the same features; it stays as it is. One that has learned nothing adds nothing, and becomes
            what it is merged with.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If the other is of another class, looks at other columns or through other features, or rows fade:
            then everything is as it was.

        Examples
        --------
        >>> a = AnalyticClassifier().fit([[0.0], [1.0]], ["cat", "dog"])
        >>> b = AnalyticClassifier().fit([[2.0]], ["fish"])
        >>> a.merge(b).predict([[0.1], [1.9]])
        array(['cat', 'fish'], dtype='<U4')
        """
        if type(other) is not type(self):
            raise TypeError(f"other must be a {type(self).__name__}, got {other!r}")
        if not other.__sklearn_is_fitted__():
            return self
        if not self.__sklearn_is_fitted__():
            learner = self._new_learner()
            learner.become(other._learner)
            self._begin(other.n_features_in_, getattr(other, "feature_names_in_", None))
        else:
            names = getattr(other, "feature_names_in_", None)
            _inputs.same_columns(type(self).__name__, names, getattr(self, "feature_names_in_", None))
            learner = self._fitted()
            learner.merge(other._learner)
        self._take_over(learner, other.n_samples_seen_)
        return self

    def _weighed(self, x, y, sample_weight):
        """Return the rows that have a weight, and their weights, None where all have 1."""
        if sample_weight is None:
            return x, y, None
        weight = _inputs.weights(sample_weight, len(y))
        some = weight > 0
        if not some.any():
            raise ValueError("sample_weight must not be zero for every row")
        return (x, y, weight) if some.all() else (x[some], y[some], weight[some])

    def _new_learner(self):
        seed = int(generator(self.random_state).integers(2**63))
        solver, strength, standardize, forgetting = self._settings()
        regression = isinstance(self, OfValues)
        features = as_features(self.features)
        return AnalyticLearner(features, solver, strength, standardize, forgetting, seed, regression)

    def _fitted(self):
        """Return the learner with the hyper-parameters as they are now, of those that may change."""
        learner, settings = super()._fitted(), self._settings()
        if settings != learner.settings:
            learner.tune(*settings)
        return learner

    def _settings(self):
        return getattr(self, "solver", "ridge"), self.strength, self.standardize, self.forgetting

    def _taken_apart(self):
        params = self.get_params()
        return params | {"features": features_apart(params["features"])}, taken_apart(self._fitted())

    @staticmethod
    def _put_together(params, learner):
        return params | {"features": features_together(params["features"])}, put_together(learner)

    def _could_be(self, learner, n_features):
        of_values = learner.classes is None
        return learner.features.inputs == n_features and of_values == isinstance(self, OfValues)

    # ---- what was learned ------------------------------------------------------------------------

    def remembered(self):
        """Return None: no row is kept."""
        self._fitted()

    @property
    def strength_(self):
        """The strength λ in use, or the shrinkage; None where there is none."""
        return self._fitted().solution.strength

    @property
    def coef_(self):
        """The weights of the features φ(x), shape (n_outputs, k); of one value (k,)."""
        return self._by_class(self._fitted().solution.weights.T)

    @property
    def intercept_(self):
        """The constant beside the weights, shape (n_outputs,); a number of one value."""
        solution = self._fitted().solution
        return self._by_class(solution.constant - solution.mean @ solution.weights)

    @property
    def features_(self):
        """The features φ in use: hand them to another model, and the two can be merged."""
        return self._fitted().features

    def _by_class(self, of_outputs):
        """Return what there is of every output in the order of `classes_`; of a single value, that."""
        if self._learner.classes is not None:
            return of_outputs[np.argsort(self._learner.classes)]
        return of_outputs[0] if len(of_outputs) == 1 else of_outputs


class AnalyticClassifier(OfClasses, _Analytic):
    """A classifier with a closed form: nothing to forget, the same for every order of the data.

        W = (A + λI)⁻¹ b          A = Σ (φ − φ̄)(φ − φ̄)ᵀ          b = Σ (φ − φ̄)(y − ȳ)ᵀ

    y has a 1 for the row's class and a 0 for every other.

    One pass, no learning rate, no stored rows: of the data it keeps sums over fixed features φ(x). Classes
    come as they like. After the last row it is what one `fit` on all rows would have made it, to rounding; so
    it can `unlearn` rows, and `merge` with models that learned elsewhere.
    Probabilities are softmax(ŷ/T), T from the sums: ½√GCV for ridge, 1 for lda.

    Parameters
    ----------
    features : str or Features
        φ. "relu" are the columns and 1000 random units, the same on every machine for the same
        `random_state`; "identity" the columns alone; "fourier" random waves; "patches" filters, for images;
        or with options, as in "relu(units=3000)", or `NetworkFeatures(network)`.
    solver : {"ridge", "lda", "nearest_mean"}
        Ridge regression on the classes as 0 and 1; linear discriminant analysis; the nearest mean of a class.
    strength : float or "auto"
        λ ≥ 0 of ridge, for features divided by their standard deviation; "auto" chooses it by generalised
        cross-validation, from the sums. The shrinkage of lda, in [0, 1]; "auto" estimates it.
    standardize : bool
        Whether features are divided by their standard deviation, as it is over all rows.
    forgetting : float
        γ in (0, 1]: the weight of a row is multiplied by γ with every row that comes after it. Below 1 for
        data that drift: about 1/(1−γ) rows count. Order matters then, and nothing can be unlearned or merged.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        The seed of the features. It is a number by default, so that models made anywhere can be merged.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels known so far, sorted.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        The column names, where the first X had names that are all strings.
    n_samples_seen_, n_updates_ : int
        Rows learned from, less those unlearned; calls of `fit` and `partial_fit`, those of merged models too.
    strength_ : float
        λ in use.
    coef_, intercept_ : ndarray
        The linear model of φ(x).
    features_ : Features
    notes_ : dict
        What you want to keep with the model: JSON values, saved with it.

    References
    ----------
    Hoerl and Kennard, Technometrics 12, 1970 (ridge); Golub, Heath and Wahba, Technometrics 21, 1979 (λ);
    Zhuang et al., "ACIL", NeurIPS 2022; McDonnell et al., "RanPAC", NeurIPS 2023 (random features for new
    classes).

    Examples
    --------
    Cats and dogs today, a fish tomorrow:

    >>> model = AnalyticClassifier()
    >>> model.partial_fit([[1.0, 9.0], [2.0, 9.5], [8.0, 1.0], [9.0, 2.0]], ["cat", "cat", "dog", "dog"])
    AnalyticClassifier()
    >>> _ = model.partial_fit([[-8.0, -7.0], [-9.0, -8.0]], ["fish", "fish"])
    >>> model.predict([[1.5, 9.2], [8.5, 1.5], [-8.5, -7.5]])
    array(['cat', 'dog', 'fish'], dtype='<U4')
    """

    def __init__(
        self,
        features="relu",
        solver="ridge",
        *,
        strength="auto",
        standardize=True,
        forgetting=1.0,
        random_state=0,
    ):
        self.features = features
        self.solver = solver
        self.strength = strength
        self.standardize = standardize
        self.forgetting = forgetting
        self.random_state = random_state


class AnalyticRegressor(OfValues, _Analytic):
    """Ridge regression that learns batch after batch, and is the same for every order of the data.

        W = (A + λI)⁻¹ b,    A = Σ (φ − φ̄)(φ − φ̄)ᵀ,    b = Σ (φ − φ̄)(y − ȳ)ᵀ

    As `AnalyticClassifier`, for one real number or several.

    Parameters
    ----------
    features : str or Features
        φ. "identity", the columns as they are, makes it linear regression; "relu" and the others as there.
    strength, standardize, forgetting, random_state :
        As for `AnalyticClassifier`.

    Attributes
    ----------
    n_features_in_, feature_names_in_, n_samples_seen_, n_updates_, strength_, coef_, intercept_, features_,
    notes_ :
        As for `AnalyticClassifier`.

    References
    ----------
    As for `AnalyticClassifier`.

    Examples
    --------
    One half of a line first, then the other:

    >>> x = np.linspace(0, 1, 200)[:, None]
    >>> model = AnalyticRegressor()
    >>> model.partial_fit(x[:100], 1e6 * x[:100, 0]).partial_fit(x[100:], 1e6 * x[100:, 0])
    AnalyticRegressor()
    >>> bool(model.score(x, 1e6 * x[:, 0]) > 0.999)
    True
    """

    def __init__(
        self,
        features="identity",
        *,
        strength="auto",
        standardize=True,
        forgetting=1.0,
        random_state=0,
    ):
        self.features = features
        self.strength = strength
        self.standardize = standardize
        self.forgetting = forgetting
        self.random_state = random_state
