"""Closed forms by name, as on the command line: `METHODS` is the table of all of them.

They serve every scenario: what is told of a task only says which classes compete.
"""

from .._recipes import made, parsed
from .expert_gate import ExpertGate
from .features import Identity, as_features
from .learner import AnalyticLearner


def analytic(features="relu", strength="auto", standardize=True, forgetting=1.0):
    """Ridge regression from sums: W = (A + λI)⁻¹ b. Keeps A and b, no samples.

    Hoerl and Kennard, Technometrics 12, 1970; Zhuang et al., "ACIL", NeurIPS 2022. Formula sheet: ridge from
    sufficient statistics.
    """
    return AnalyticLearner(as_features(features), "ridge", strength, standardize, forgetting)


def streaming_lda(features="relu", shrinkage="auto", standardize=True, forgetting=1.0):
    """Linear discriminant analysis from sums: means of classes, one covariance. Keeps these, no samples.

    Hayes and Kanan, CVPR Workshops 2020. Formula sheet: streaming LDA.
    """
    return AnalyticLearner(as_features(features), "lda", shrinkage, standardize, forgetting)


def nearest_mean(features="relu", standardize=True, forgetting=1.0):
    """The class whose mean is nearest. Keeps the same sums, of which it needs the means and variances alone.

    Mensink et al., IEEE Trans. PAMI 35, 2013, eq. 1.
    """
    return AnalyticLearner(as_features(features), "nearest_mean", "auto", standardize, forgetting)


def expert_gate(features="relu", solver="lda", strength="auto", standardize=True):
    """A closed form for every task, and one that tells the task from the row. Keeps sums of every task.

    Aljundi, Chakravarty and Tuytelaars, "Expert Gate", CVPR 2017. The gate is streaming
    LDA of the columns as they come, with tasks for classes.
    """
    expert = AnalyticLearner(as_features(features), solver, strength, standardize)
    return ExpertGate(expert, AnalyticLearner(Identity(), "lda"))


METHODS = {recipe.__name__: recipe for recipe in (analytic, streaming_lda, nearest_mean, expert_gate)}
#: how a method reads
EXAMPLE = "analytic(features='relu(units=2000)')"


def is_analytic(text):
    """Say whether a text names a closed form, with options or without.

    Examples
    --------
    >>> is_analytic("analytic(strength=1.0)"), is_analytic("replay")
    (True, False)
    """
    return isinstance(text, str) and text.split("(")[0].strip() in METHODS


def analytic_method(text):
    """Make a learner from the name of a closed form, with options in brackets where others are wanted.

    Parameters
    ----------
    text : str

    Returns
    -------
    AnalyticLearner

    Raises
    ------
    TypeError, ValueError
        If there is no such method or option, or an option is out of range.

    Examples
    --------
    >>> analytic_method("streaming_lda(shrinkage=0.5)").strength
    0.5
    """
    return made("method", parsed("method", text, EXAMPLE), text, METHODS, EXAMPLE)
