"""The pytest plugin: what a failing check prints, the fixture, and the profile."""

import os
import re
import subprocess
import sys
from pathlib import Path

from hypothesis import settings

from incrlearn.testing import pytest_plugin

pytest_plugins = ["pytester"]

PLUGIN = 'pytest_plugins = ["incrlearn.testing.pytest_plugin"]\n'
FAILING = """
from incrlearn.testing import check_gradient


def test_a_slope():
    check_gradient(lambda x: ((x**3).sum(), 2 * x**2), [1.0, -2.0])
"""


def run(pytester, tests, *arguments, conftest=PLUGIN):
    """Return what pytest prints about the tests."""
    pytester.makeconftest(conftest)
    pytester.makepyfile(test_it=tests)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", *arguments).stdout.str()


def run_python(*arguments, folder):
    """Return what a new Python prints; it must not fail."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=folder, env=environment
    )
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout


def test_a_failing_check_prints_the_line_that_called_it_and_its_message(pytester):
    printed = run(pytester, FAILING)
    assert "> " in printed
    assert "check_gradient(lambda x" in printed
    assert re.search(r"^E .*Failure: the gradient", printed, re.MULTILINE)
    assert "gradients.py" not in printed
    assert "1 failed" in printed


def test_without_the_plugin_the_lines_of_the_kit_are_there(pytester):
    assert "gradients.py" in run(pytester, FAILING, conftest="")


def test_an_error_in_the_function_that_is_checked_keeps_all_its_lines(pytester):
    tests = """
from incrlearn.testing import check_gradient


def broken(x):
    return 1 / 0


def test_it():
    check_gradient(broken, [1.0])
"""
    printed = run(pytester, tests)
    assert "return 1 / 0" in printed
    assert "gradients.py" in printed


def test_the_fixture_is_the_same_generator_for_every_test(pytester):
    tests = """
import numpy as np
import pytest


@pytest.mark.parametrize("time", [1, 2])
def test_it(rng, time):
    assert rng.normal() == np.random.default_rng(0).normal()
"""
    assert "2 passed" in run(pytester, tests)


def test_a_fixture_of_the_same_name_wins(pytester):
    tests = """
import pytest


@pytest.fixture
def rng():
    return "mine"


def test_it(rng):
    assert rng == "mine"
"""
    assert "1 passed" in run(pytester, tests)


def test_the_thorough_profile_draws_many_examples(tmp_path):
    (tmp_path / "conftest.py").write_text(PLUGIN)
    test = """
from hypothesis import settings


def test_it():
    assert settings.default.max_examples == 10_000
"""
    (tmp_path / "test_it.py").write_text(test)
    arguments = ["-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-profile=thorough"]
    assert "1 passed" in run_python("-m", "pytest", *arguments, folder=tmp_path)


def test_a_thorough_profile_that_was_there_before_stays():
    before = settings.get_profile("thorough")
    pytest_plugin.pytest_configure()
    assert settings.get_profile("thorough") is before


def test_the_kit_does_without_pytest(tmp_path):
    code = "import sys; sys.modules['pytest'] = None; import incrlearn.testing as kit; kit.strategies"
    run_python("-c", code, folder=tmp_path)
