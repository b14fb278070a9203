"""The scikit-learn interface: `fit`, `partial_fit`, `predict`, in scikit-learn's conventions and without it.

An estimator is a `Learner` with a network in front of it that fits the data: it turns what people have into
what a learner takes, and adds nothing to how it learns. scikit-learn is not imported here unless it calls us.
"""

import inspect
import re
from numbers import Integral

import numpy as np

from . import _checks, _inputs
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
from .network import ACTIVATIONS, OPTIMIZERS, Linear, Network, Standardize, StandardizeSparse

#: a method's text that says how much its memory holds; what `ogd(per_task=…)` holds is no memory of samples
TOLD = re.compile(r"\b(per_class|size|(?<!ogd\()per_task)\s*=")


class _Incremental:
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
        names = _inputs.column_names(X)
        if not fresh:
            _inputs.same_columns(type(self).__name__, names, getattr(self, "feature_names_in_", None))
        x, y = _inputs.features(X), self._targets(y)
        if x.shape[0] != len(y):
            raise ValueError(
                f"X has {x.shape[0]} samples, but y has {len(y)}: inconsistent numbers of samples"
            )
        if classes is not None:
            classes = self._announced(classes, y)
        if fresh:
            learner = self._new_learner(x, y)
        else:
            self._check_width(x)
            learner = self._learner
            self._tune(learner)
        yield from learner.learn_steps(x, y, task, classes)
        if fresh:
            self._begin(x.shape[1], names)
        self._take_over(learner, x.shape[0])

    def _begin(self, n_features, names, notes=None):
        """Take note of what the first X was like."""
        vars(self).pop("feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = names
        self.n_features_in_ = n_features
        self.n_samples_seen_ = 0
        self.notes_ = notes or {}

    def _take_over(self, learner, n_samples):
        """Take over what was learned: nothing here can fail."""
        self._learner = learner
        self.n_samples_seen_ += n_samples

    def _restore(self, learner, n_features_in_, n_samples_seen_, feature_names_in_, notes_):
        """Become what a file says, whose fields are of their kinds, if they fit together."""
        names = feature_names_in_
        if names is not None and len(names) != n_features_in_:
            raise ValueError(f"{len(names)} column names for {n_features_in_} columns")
        if n_features_in_ != learner.network.inputs or type(learner.loss) is not type(self._loss()):
            raise ValueError(f"the learner is not one of {type(self).__name__}")
        if names is not None:
            names = np.array(names, object)
        self._begin(n_features_in_, names, notes_)
        self._take_over(learner, n_samples_seen_)

    def _new_learner(self, x, y):
        """Return a learner whose network fits the data: their width, their precision, sparse or not."""
        rng = _generator(self.random_state)
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

    def predict(self, X, *, task=None):
        """Return the most probable class of every row, or its values.

        Parameters
        ----------
        X : array_like, frame or sparse matrix of shape (n_samples, n_features)
        task : hashable, optional
            The task's id: only its classes compete.

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, n_outputs) for several values

        Raises
        ------
        NotFittedError
            If nothing has been learned yet.
        TypeError, ValueError
            If X is not what is asked for, or the task is unknown.
        """
        return self._fitted().predict(self._features(X), task)

    def score(self, X, y, *, task=None):
        """Return the accuracy of the predictions.

        Parameters
        ----------
        X : array_like, frame or sparse matrix of shape (n_samples, n_features)
        y : array_like of shape (n_samples,)
        task : hashable, optional

        Returns
        -------
        float

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As `predict`; also if y does not fit X.
        """
        return self._fitted().score(self._features(X), self._targets(y), task)

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

    def save(self, path):
        """Write the model as one file, whole or not at all: `load` brings it back, bit for bit.

        Any NumPy opens it; nothing in it is pickled. It holds the parameters of the network, all that the
        method remembers (samples, anchors, teachers), the optimizer's state and the state of the random
        generator: the next `partial_fit` gives what it would have given without saving. What stands in
        `random_state` is kept if it is a number.

        Parameters
        ----------
        path : str or path
            An existing file is replaced.

        Raises
        ------
        NotFittedError
            If nothing has been learned yet.
        TypeError, ValueError
            If the method has a term, or `notes_` a value, that no file brings back, or a number in the model
            is not finite: then an old file is as it was.
        OSError
            If the file can not be written; an old one is as it was.

        Examples
        --------
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/model.npz"
        >>> IncrementalClassifier(random_state=0).fit([[0.0], [1.0]], ["a", "b"]).save(path)
        >>> load(path).classes_
        array(['a', 'b'], dtype='<U1')
        """
        from . import saving

        saving.save(self, path)

    @property
    def n_updates_(self):
        """How many calls of fit and partial_fit it was made by."""
        return self._fitted().n_tasks

    @property
    def objective_values_(self):
        """The objective at every step of the last call."""
        return self._fitted().objective_values

    @property
    def network_(self):
        """The network."""
        return self._fitted().network

    def _features(self, X):
        self._fitted()
        names = _inputs.column_names(X)
        _inputs.same_columns(type(self).__name__, names, getattr(self, "feature_names_in_", None))
        return self._check_width(_inputs.features(X))

    def _check_width(self, x):
        if x.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {x.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input"
            )
        return x

    def _fitted(self):
        if not self.__sklearn_is_fitted__():
            raise _inputs.not_fitted(type(self).__name__)
        return self._learner

    # ---- scikit-learn's conventions --------------------------------------------------------------

    def get_params(self, deep=True):
        """Return the hyper-parameters.

        Parameters
        ----------
        deep : bool
            Makes no difference: no hyper-parameter is an estimator.

        Returns
        -------
        dict
        """
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params):
        """Set hyper-parameters. Those of the network and the method take effect at the next `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such hyper-parameter; then none is set.
        """
        known = inspect.signature(type(self)).parameters
        for name in params:
            if name not in known:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {self}. Valid parameters are: {list(known)}"
                )
        vars(self).update(params)
        return self

    def __repr__(self):
        defaults = inspect.signature(type(self)).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if type(value) is not type(defaults[name].default) or value != defaults[name].default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_is_fitted__(self):
        return "_learner" in vars(self)

    def __sklearn_tags__(self):
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=self._estimator_type,
            target_tags=TargetTags(required=True),
            input_tags=InputTags(sparse=True),
        )

    def _more_tags(self):
        """Say the same to scikit-learn before 1.6."""
        return {"requires_y": True}


class IncrementalClassifier(_Incremental):
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

    _estimator_type = "classifier"

    def predict_proba(self, X, *, task=None):
        """Return the probability of every class: softmax over those that compete.

        Parameters
        ----------
        X : array_like, frame or sparse matrix of shape (n_samples, n_features)
        task : hashable, optional
            The task's id: only its classes compete, the others have probability 0.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As `predict`.
        """
        learner = self._fitted()
        return learner.predict_proba(self._features(X), task)[:, np.argsort(learner.classes)]

    def decision_function(self, X):
        """Return the logits, or for two classes the difference of the two: the log odds of the second.

        Parameters
        ----------
        X : array_like, frame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
            In the order of `classes_`.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As `predict`.
        """
        learner = self._fitted()
        z = learner.logits(self._features(X))[:, np.argsort(learner.classes)]
        return z[:, 1] - z[:, 0] if z.shape[1] == 2 else z

    def _take_over(self, learner, n_samples):
        super()._take_over(learner, n_samples)
        self.classes_ = np.sort(learner.classes)

    def _targets(self, y):
        return _inputs.as_labels(y)

    def _announced(self, classes, y):
        return _inputs.as_classes(classes, y)

    def _outputs(self, y):
        return 0

    def _loss(self):
        return CrossEntropy()

    def _memory(self, size, at_once=False):
        return SharedMemory(size, at_once)

    def __sklearn_tags__(self):
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.classifier_tags = ClassifierTags()
        return tags


class IncrementalRegressor(_Incremental):
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

    _estimator_type = "regressor"

    def score(self, X, y, *, task=None):
        """Return the coefficient of determination R²; of several outputs, the mean of theirs.

        Parameters
        ----------
        X : array_like, frame or sparse matrix of shape (n_samples, n_features)
        y : array_like of shape (n_samples,) or (n_samples, n_outputs)
        task : hashable, optional

        Returns
        -------
        float
            Where an output's targets are all the same, its R² is 1 if they are met exactly, otherwise 0.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As `predict`; also if y does not fit X.
        """
        prediction = self.predict(X, task=task)
        y = self._targets(y)
        prediction = prediction.reshape(len(prediction), -1)
        _checks.same_shape("y", y, "the prediction", prediction)
        error, variation = np.square(y - prediction).sum(axis=0), np.square(y - y.mean(axis=0)).sum(axis=0)
        of_any = variation > 0
        return float(np.where(of_any, 1 - error / np.where(of_any, variation, 1), error == 0).mean())

    def _targets(self, y):
        return _inputs.as_values(y)

    def _announced(self, classes, y):
        return classes  # refused by the learner, whose targets are values

    def _outputs(self, y):
        return y.shape[1]

    def _loss(self):
        return SquaredError(standardized=self.standardize)

    def _memory(self, size, at_once=False):
        return ReservoirMemory(size, at_once=at_once)

    def __sklearn_tags__(self):
        from sklearn.utils import RegressorTags

        tags = super().__sklearn_tags__()
        tags.regressor_tags = RegressorTags()
        tags.target_tags.multi_output = True
        return tags

    def _more_tags(self):
        return {**super()._more_tags(), "multioutput": True}


def load(path):
    """Return the model that `save` wrote to a file.

    No file, whoever made it, can do more than become a model or be refused; the memory it costs is bounded
    by a few times its size.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    IncrementalClassifier or IncrementalRegressor

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

    return saving.load(path, (IncrementalClassifier, IncrementalRegressor))


def _widths(sizes):
    """Return the hidden layers' widths, each ≥ 1."""
    sizes = [sizes] if isinstance(sizes, Integral) else sizes
    try:
        return [_checks.count("hidden_layer_sizes", size) for size in sizes]
    except TypeError:
        raise TypeError(f"hidden_layer_sizes must be whole numbers ≥ 1, got {sizes!r}") from None


def _generator(random_state):
    """Return a generator of our own: from a seed, or from one draw of a generator that was passed in."""
    if isinstance(random_state, np.random.Generator):
        return np.random.default_rng(random_state.integers(2**63))
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31))
    if random_state is not None:
        random_state = _checks.count("random_state", random_state, low=0)
    return np.random.default_rng(random_state)
