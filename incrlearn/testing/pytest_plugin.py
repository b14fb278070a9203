"""What pytest can do for the kit, for who asks for it. Nothing else here needs pytest.

    pytest_plugins = ["incrlearn.testing.pytest_plugin"]          # in the conftest.py at the top

* A check that fails prints the line of the test that called it and the failure's message, without the kit's
  own lines. Other errors keep theirs.
* A fixture `rng`: a generator of random numbers with the same seed for every test.
* A Hypothesis profile `thorough`, 10,000 examples a test: `pytest --hypothesis-profile=thorough`. One of that
  name that was there before stays.

There is no marker: a check is an ordinary call in an ordinary test.
"""

import sys

import numpy as np
import pytest

from .failure import Failure

EXAMPLES = 10_000


@pytest.fixture
def rng():
    """Return a new `numpy.random.Generator` with seed 0: a test draws the same, whichever ran before."""
    return np.random.default_rng(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call):
    """Leave the kit's own lines out of a Failure's report."""
    failed = call.excinfo is not None and call.excinfo.errisinstance(Failure)
    kit = [module for name, module in sys.modules.items() if name.startswith(f"{__package__}.")]
    for module in kit if failed else []:
        module.__tracebackhide__ = True  # pytest leaves out what such a module does
    try:
        return (yield)
    finally:
        for module in kit:
            vars(module).pop("__tracebackhide__", None)


@pytest.hookimpl(tryfirst=True)
def pytest_configure():
    """Register the profile, before Hypothesis looks for the one that was asked for."""
    try:
        from hypothesis import errors, settings
    except ImportError:
        return
    try:
        settings.get_profile("thorough")
    except errors.InvalidArgument:
        settings.register_profile("thorough", max_examples=EXAMPLES, deadline=None)
