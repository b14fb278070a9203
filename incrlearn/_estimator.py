"""The conventions of scikit-learn, kept without it: what every estimator of ours does in the same way.

An estimator is a learner with a front that takes what people have. scikit-learn is imported nowhere here but
in what only scikit-learn calls.
"""

import inspect

import numpy as np

from . import _checks, _inputs


class Estimator:
    """An estimator whose learner is in `_learner`, once it has learned something.

    A subclass says in its `__init__` which hyper-parameters there are, and mixes in `OfClasses` or
    `OfValues`.
    """

    # ---- what came, and what came before -----------------------------------------------------------

    def _rows(self, X, y, fresh, looked_at=True):
        """Return X and y as a learner takes them, and the names of X's columns; see `_inputs.features`."""
        names = _inputs.column_names(X)
        if not fresh:
            _inputs.same_columns(type(self).__name__, names, getattr(self, "feature_names_in_", None))
        x, y = _inputs.features(X, looked_at=looked_at), self._targets(y)
        if x.shape[0] != len(y):
            raise ValueError(
                f"X has {x.shape[0]} samples, but y has {len(y)}: inconsistent numbers of samples"
            )
        return x if fresh else self._check_width(x), y, names

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
        if not self._could_be(learner, n_features_in_):
            raise ValueError(f"the learner is not one of {type(self).__name__}")
        if names is not None:
            names = np.array(names, object)
        self._begin(n_features_in_, names, notes_)
        self._take_over(learner, n_samples_seen_)

    def _taken_apart(self):
        """Return the hyper-parameters and the learner, as `learning.state` can take them apart."""
        raise NotImplementedError

    @staticmethod
    def _put_together(params, learner):
        """Return hyper-parameters and learner from what was in a file, or raise a StateError."""
        raise NotImplementedError

    def _could_be(self, learner, n_features):
        """Say whether a learner that was read from a file is one of such an estimator."""
        raise NotImplementedError

    # ---- what was learned ------------------------------------------------------------------------

    def save(self, path):
        """Write the model as one file, whole or not at all: `load` brings it back, bit for bit.

        Any NumPy opens it; nothing in it is pickled. It holds all that was learned and all that it takes to
        go on (parameters, stored samples, anchors, teachers, the states of optimizer and random generator, or
        the sums of a closed form): the next `partial_fit` gives what it would have given without saving. What
        stands in `random_state` is kept if it is a number.

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
        >>> from incrlearn import IncrementalClassifier, load
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


class OfClasses:
    """What estimators of labels share."""

    _estimator_type = "classifier"

    def predict_proba(self, X, *, task=None):
        """Return the probability of every class, over those that compete.

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
        """Return a number for every class, the largest for the answer; of two classes the difference.

        Of a network they are the logits, of a closed form ŷ; of a class never seen, the lowest float.

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
        z = np.maximum(z, np.finfo(z.dtype).min)  # −∞ says that a class was announced, and has not come
        return z[:, 1] - z[:, 0] if z.shape[1] == 2 else z

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

    def _take_over(self, learner, n_samples):
        super()._take_over(learner, n_samples)
        self.classes_ = np.sort(learner.classes)

    def _targets(self, y):
        return _inputs.as_labels(y)

    def _announced(self, classes, y):
        return _inputs.as_classes(classes, y)

    def __sklearn_tags__(self):
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.classifier_tags = ClassifierTags()
        return tags


class OfValues:
    """What estimators of real numbers share."""

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

    def __sklearn_tags__(self):
        from sklearn.utils import RegressorTags

        tags = super().__sklearn_tags__()
        tags.regressor_tags = RegressorTags()
        tags.target_tags.multi_output = True
        return tags

    def _more_tags(self):
        return {**super()._more_tags(), "multioutput": True}


def generator(random_state):
    """Return a generator of our own: from a seed, or from one draw of a generator that was passed in."""
    if isinstance(random_state, np.random.Generator):
        return np.random.default_rng(random_state.integers(2**63))
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31))
    if random_state is not None:
        random_state = _checks.count("random_state", random_state, low=0)
    return np.random.default_rng(random_state)
