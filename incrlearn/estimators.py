"""The scikit-learn interface: `fit`, `partial_fit`, `predict`, in scikit-learn's conventions and without it.

An estimator is a `Learner` with a network in front of it that fits the data: it turns what people have into
what a learner takes, and adds nothing to how it learns. scikit-learn is not imported here unless it calls us.
"""

import re
from numbers import Integral

import numpy as np

from . import _checks
from ._estimator import Estimator, OfClasses, OfValues, generator
from .learning import (
    ClassBalancedMemory,
    CrossEntropy,
    HerdingMemory,
    Learner,
    Method,
    ReservoirMemory,
    SharedMemory,
    SquaredError,
    as_method,
)
from .learning.state import StateError, check_learner, try_learner
from .network import ACTIVATIONS, OPTIMIZERS, Linear, Network, Standardize, StandardizeSparse

#: a method's text that says how much its memory holds; what `ogd(per_task=…)` holds is no memory of samples
TOLD = re.compile(r"\b(per_class|size|(?<!ogd\()per_task)\s*=")


class _Incremental(Estimator):
    """What the classifier and the regressor share."""

    def __init__(
        self,
        method="replay",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        optimizer="adam",
        learning_rate=0.003,
        batch_size=32,
        n_epochs=50,
        memory_size=1000,
        standardize=True,
        random_state=None,
    ):
        self.method = method
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.memory_size = memory_size
        self.standardize = standardize
        self.random_state = random_state

    # ---- learning --------------------------------------------------------------------------------

    def fit(self, X, y):
        """Learn from X and y alone: what was learned before is dropped.

        Parameters
        ----------
        X : array_like, frame or sparse matrix of shape (n_samples, n_features)
        y : array_like of shape (n_samples,)

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If X, y or a hyper-parameter is not what is asked for: then everything is as it was.
        FloatingPointError
            If a number becomes NaN or infinite, with its step: everything is as it was, too.
        """
        for part in self._method().ingredients:
            if part.scenarios == ("task",):
                name = type(part).__name__
                raise ValueError(
                    f"{name} must be told the task, as in partial_fit(X, y, task=…): {part.reason}"
                )
        for _ in self._learn(X, y, None, None, fresh=True):
            pass
        return self

    def partial_fit(self, X, y, classes=None, *, task=None):
        """Learn from more data, and keep what was learned before.

        Parameters
        ----------
        X : array_like, frame or sparse matrix of shape (n_samples, n_features)
            One row or many; of one class or many.
        y : array_like of shape (n_samples,)
            May hold classes never seen before.
        classes : array_like, optional
            Classes to be known from now on, as scikit-learn asks for them. Not needed.
        task : hashable, optional
            The task's id, where it is known: then only its own classes compete, here and in
            `predict(X, task=…)`.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            As `fit`.
        """
        for _ in self.partial_fit_steps(X, y, classes, task=task):
            pass
        return self

    def partial_fit_steps(self, X, y, classes=None, *, task=None):
        """Do as `partial_fit`, step by step: for progress bars. A loop left early has changed nothing.

        Parameters
        ----------
        X, y, classes, task :
            As for `partial_fit`.

        Yields
        ------
        step, steps : int
            How many steps of the optimizer have been taken, and how many there are.

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            As `fit`, when the first step is asked for.
        """
        yield from self._learn(X, y, classes, task, fresh=not self.__sklearn_is_fitted__())

    def _learn(self, X, y, classes, task, fresh):
        x, y, names = self._rows(X, y, fresh)
        if classes is not None:
            classes = self._announced(classes, y)
        if fresh:
            learner = self._new_learner(x, y)
        else:
            learner = self._learner
            self._tune(learner)
        yield from learner.learn_steps(x, y, task, classes)
        if fresh:
            self._begin(x.shape[1], names)
        self._take_over(learner, x.shape[0])

    def _taken_apart(self):
        return self.get_params(), self._fitted()

    @staticmethod
    def _put_together(params, learner):
        if not isinstance(learner, Learner):
            raise StateError("it has no learner with a network")
        check_learner(learner)
        return params, learner

    def _could_be(self, learner, n_features):
        return learner.network.inputs == n_features and type(learner.loss) is type(self._loss())

    def _restore(self, learner, **fitted):
        super()._restore(learner, **fitted)
        try_learner(learner)

    def _new_learner(self, x, y):
        """Return a learner whose network fits the data: their width, their precision, sparse or not."""
        rng = generator(self.random_state)
        dtype = np.float32 if x.dtype == np.float32 else np.float64
        learner = Learner(
            Network(self._layers(x, self._outputs(y)), rng, dtype),
            self._method(),
            rng=rng,
            loss=self._loss(),
            optimizer=_checks.choice("optimizer", self.optimizer, OPTIMIZERS)(
                _checks.positive("learning_rate", self.learning_rate)
            ),
        )
        self._tune(learner)
        return learner

    def _layers(self, x, outputs):
        d, standardize = x.shape[1], _checks.flag("standardize", self.standardize)
        activation = _checks.choice("activation", self.activation, ACTIVATIONS)
        if _checks.is_sparse(x):
            front, width = [StandardizeSparse(d, scaled=standardize)], 0
        else:
            front, width = [Standardize(d)] if standardize else [], d
        layers = []
        for hidden in _widths(self.hidden_layer_sizes):
            layers += [Linear(width, hidden), activation()]
            width = hidden
        return [*front, *layers, Linear(width, outputs)]

    def _method(self):
        """Return the recipe, with a memory of `memory_size` samples where it keeps a choice of them."""
        size = _checks.count("memory_size", self.memory_size)
        if isinstance(self.method, Method):
            return self.method
        if isinstance(self.method, list | tuple):
            if any(getattr(term, "wants_logits", False) for term in self.method):
                return Method(self.method, ReservoirMemory(size, logits=True))
            replays = any(getattr(term, "replayed", False) for term in self.method)
            return Method(self.method, self._memory(size) if replays else None)
        recipe = as_method(self.method)
        if not TOLD.search(self.method):  # what is told holds, as in replay(per_class=3)
            recipe.memory = self._of_size(recipe.memory, size)
        return recipe

    def _of_size(self, memory, size):
        """Return the memory of a recipe, holding `size` samples in all where it holds a choice."""
        if isinstance(memory, HerdingMemory):
            return HerdingMemory(at=memory.at, mixed=memory.mixed, size=size)
        if isinstance(memory, ClassBalancedMemory):
            return self._memory(size, memory.at_once)
        if isinstance(memory, ReservoirMemory):
            return type(memory)(size, **({"logits": True} if memory.logits else {}))
        return memory

    def _tune(self, learner):
        """Hand over the hyper-parameters that may change between two calls."""
        learning_rate = _checks.positive("learning_rate", self.learning_rate)
        batch_size = _checks.count("batch_size", self.batch_size)
        epochs = _checks.count("n_epochs", self.n_epochs)
        learner.optimizer.learning_rate = learning_rate
        learner.batch_size, learner.epochs = batch_size, epochs

    # ---- what was learned ------------------------------------------------------------------------

    def remembered(self):
        """Return the samples that the method's memory keeps, as they came.

        Returns
        -------
        (X, y), or None where the method keeps no samples, or imagines them
            X is an array, or a CSR array.

        Raises
        ------
        NotFittedError
            If nothing has been learned yet.
        """
        learner = self._fitted()
        if learner.memory is None or not len(learner.memory):
            return None
        samples = learner.memory.samples
        y = samples.y if learner.classes is None else learner.classes[samples.y]
        return samples.x, y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y

    @property
    def objective_values_(self):
        """The objective at every step of the last call."""
        return self._fitted().objective_values

    @property
    def network_(self):
        """The network."""
        return self._fitted().network


class IncrementalClassifier(OfClasses, _Incremental):
    """A classifier that learns batch after batch, takes new classes as they come, and remembers.

        L(θ) = n/N L₀(new) + (1 − n/N) L₀(replayed)          n new samples among N seen so far

    With the default method, `"replay"`, a sample of what was seen is kept, balanced over the classes, and
    replayed beside new data such that every sample ever seen counts alike. What the first call taught is
    still known after the tenth, and no setting is needed for it.

    Features are standardized by mean and standard deviation of all rows so far. When these move, the first
    layer's weights are compensated, so that what was learned stays what it was. The columns of a sparse
    matrix are divided by the root mean square of their entries and not shifted: zeros stay zeros, and nothing
    is ever made dense. Columns that were always empty cost nothing.

    Computes in float32 where the first X is float32, otherwise in float64.

    Parameters
    ----------
    method : str, list of Term, or Method
        How it keeps what it knows: a name such as "replay" or "replay+logits(T=4)" (`METHODS` lists them), a
        list of terms to add to L₀, or a recipe with a memory of its own. "xdg" and "separate" must be told
        every task, in `partial_fit` and in `predict`; what is to be painted must lie in [0, 1].
    hidden_layer_sizes : sequence of int, or int
        Widths of the hidden layers; () for a linear model.
    activation : {"relu", "tanh", "sigmoid"}
    optimizer : {"adam", "sgd"}
    learning_rate : float
        η > 0.
    batch_size : int
        New rows of a step, and replayed rows of a step, ≥ 1.
    n_epochs : int
        How often a call goes through its rows, ≥ 1.
    memory_size : int
        How many samples are kept, ≥ 1, where the method keeps a choice of them and does not say itself how
        many, as "replay(per_class=20)" or "der(size=500)" do. They are shared among the classes, or a uniform
        choice, as the method has it.
    standardize : bool
        Whether features are standardized.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        The seed of every random draw: the same seed gives the same result, bit for bit. A generator is drawn
        from once in every `fit`. None: another result every time.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels known so far, sorted.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        The column names, where the first X had names that are all strings.
    n_samples_seen_ : int
        Rows learned from.
    n_updates_ : int
        Calls of `fit` and `partial_fit` that it was made by.
    objective_values_ : list of float
        The objective at every step of the last call.
    network_ : Network
    notes_ : dict
        What you want to keep with the model: JSON values, saved with it.

    References
    ----------
    Ratcliff, Psychological Review 97, 1990 (rehearsal); Chaudhry et al., "On tiny episodic memories in
    continual learning", 2019; Chrysakis and Moens, ICML 2020 (a memory balanced over classes).

    Examples
    --------
    Cats and dogs today, a fish tomorrow:

    >>> model = IncrementalClassifier(learning_rate=0.01, random_state=0)
    >>> model.partial_fit([[1.0, 9.0], [2.0, 9.5], [8.0, 1.0], [9.0, 2.0]], ["cat", "cat", "dog", "dog"])
    IncrementalClassifier(learning_rate=0.01, random_state=0)
    >>> _ = model.partial_fit([[-8.0, -7.0], [-9.0, -8.0]], ["fish", "fish"])
    >>> model.predict([[1.5, 9.2], [8.5, 1.5], [-8.5, -7.5]])
    array(['cat', 'dog', 'fish'], dtype='<U4')
    """

    def _outputs(self, y):
        return 0

    def _loss(self):
        return CrossEntropy()

    def _memory(self, size, at_once=False):
        return SharedMemory(size, at_once)


class IncrementalRegressor(OfValues, _Incremental):
    """A regressor that learns batch after batch and remembers.

        L(θ) = n/N L₀(new) + (1 − n/N) L₀(replayed)          L₀ = 1/(2n) Σᵢ ‖zᵢ − (yᵢ − μ)/s‖²

    As `IncrementalClassifier`, for one real number or several. Targets too are standardized, by mean μ and
    standard deviation s of all that were seen; when these move, the head is compensated, so that predictions
    stay what they were.

    Parameters
    ----------
    method : str, list of Term, or Method
        As for `IncrementalClassifier`; those that work with classes are refused by `fit`.
    hidden_layer_sizes, activation, optimizer, learning_rate, batch_size, n_epochs, memory_size :
        As for `IncrementalClassifier`.
    standardize : bool
        Whether features and targets are standardized.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None

    Attributes
    ----------
    n_features_in_, feature_names_in_, n_samples_seen_, n_updates_, objective_values_, network_, notes_ :
        As for `IncrementalClassifier`.

    References
    ----------
    As for `IncrementalClassifier`.

    Examples
    --------
    One half of a line first, then the other:

    >>> x = np.linspace(0, 1, 200)[:, None]
    >>> model = IncrementalRegressor(learning_rate=0.01, random_state=0)
    >>> model.partial_fit(x[:100], 1e6 * x[:100, 0]).partial_fit(x[100:], 1e6 * x[100:, 0])
    IncrementalRegressor(learning_rate=0.01, random_state=0)
    >>> bool(model.score(x, 1e6 * x[:, 0]) > 0.99)
    True
    """

    def _outputs(self, y):
        return y.shape[1]

    def _loss(self):
        return SquaredError(standardized=self.standardize)

    def _memory(self, size, at_once=False):
        return ReservoirMemory(size, at_once=at_once)


def load(path):
    """Return the model that `save` wrote to a file.

    No file, whoever made it, can do more than become a model or be refused; the memory it costs is bounded
    by a few times its size.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    IncrementalClassifier, IncrementalRegressor, AnalyticClassifier or AnalyticRegressor

    Raises
    ------
    OSError
        If there is no such file, or it can not be read.
    incrlearn.storage.ModelFileError
        A ValueError: if the file is damaged, cut short, no model, or of a newer format.

    Examples
    --------
    >>> load("setup.cfg")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    incrlearn.storage.ModelFileError: setup.cfg is not a model that can be read: it is cut short, or no ...
    """
    from . import saving

    return saving.load(path, _named)


def _named(name):
    """Return the estimator of that name, or None; closed forms are imported where one is asked for."""
    if name in ("AnalyticClassifier", "AnalyticRegressor"):
        from . import analytic

        return getattr(analytic, name)
    own = {kind.__name__: kind for kind in (IncrementalClassifier, IncrementalRegressor)}
    return own.get(name)


def _widths(sizes):
    """Return the hidden layers' widths, each ≥ 1."""
    sizes = [sizes] if isinstance(sizes, Integral) else sizes
    try:
        return [_checks.count("hidden_layer_sizes", size) for size in sizes]
    except TypeError:
        raise TypeError(f"hidden_layer_sizes must be whole numbers ≥ 1, got {sizes!r}") from None
