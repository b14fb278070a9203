"""The package as a newcomer meets it: what it installs, what it imports, and what the README promises."""

import ast
import configparser
import re
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

import incrlearn

from .processes import run_python

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "incrlearn"
#: from the ground floor up; a room may import from itself and from rooms that stand before it
FLOORS = ["_allocation", "_checks", "_inputs", "_recipes", "formulas", "network", "storage", "learning"]
FLOORS += ["testing", "saving", "_estimator", "analytic", "estimators", "tables", "benchmark", "cli"]
FLOORS += ["__main__"]
SOURCES = sorted(PACKAGE.rglob("*.py"))


def commands_of_the_readme():
    return re.findall(r"^```bash\n(.*?)\n```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_readme_has_two_commands_of_a_single_line():
    commands = commands_of_the_readme()
    assert len(commands) == 2
    assert not any("\n" in command for command in commands)


def test_ci_runs_the_test_command_as_it_stands_in_the_readme():
    assert commands_of_the_readme()[1] in (ROOT / ".ci/run").read_text().splitlines()


def test_ci_installs_nothing_by_hand():
    others = (ROOT / ".ci/run").read_text().replace(commands_of_the_readme()[1], "")
    assert not re.search(r"\b(pip|apt|apt-get|conda|uv)\b", others)


def test_the_bare_package_brings_numpy_and_scipy_and_nothing_else():
    bare = [line for line in requires("incrlearn") if "extra ==" not in line]
    assert sorted(re.match(r"[\w-]+", line)[0] for line in bare) == ["numpy", "scipy"]


def test_the_oldest_supported_versions_are_the_promised_ones():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["options"]["python_requires"] == ">=3.10"
    assert config["options"]["install_requires"].split() == ["numpy>=1.26", "scipy>=1.11"]


def test_importing_the_package_loads_no_library_but_numpy():
    loaded = run_python(
        "import numpy, sys; before = set(sys.modules); import incrlearn;"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    libraries = set(loaded.split()) - sys.stdlib_module_names - {"incrlearn"}
    assert libraries == set()


def test_importing_the_package_loads_neither_the_benchmark_nor_the_command_line():
    loaded = run_python("import sys, incrlearn; print(*sys.modules)").split()
    assert not {"incrlearn.benchmark", "incrlearn.cli", "argparse", "csv", "json"} & set(loaded)


def test_closed_forms_are_loaded_when_one_is_asked_for():
    code = "import sys, incrlearn; {}; print('incrlearn.analytic' in sys.modules)"
    assert run_python(code.format("incrlearn.IncrementalClassifier")) == "False\n"
    assert run_python(code.format("incrlearn.AnalyticClassifier")) == "True\n"
    assert run_python(code.format("incrlearn.analytic.ridge")) == "True\n"
    assert set(incrlearn.__all__) <= set(dir(incrlearn))


def test_a_name_that_the_package_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'incrlearn' has no attribute 'Nothing'"):
        incrlearn.Nothing  # noqa: B018


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward_only(source):
    parts = source.relative_to(PACKAGE).with_suffix("").parts
    if parts == ("__init__",):
        return
    floor = FLOORS.index(parts[0])
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = parts[: len(parts) - node.level]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                room = (*package, *name.split("."))[0]
                assert room == "__version__" or FLOORS.index(room) <= floor, f"{source} imports {room}"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_function_fits_on_a_screen(source):
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 40, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("name", incrlearn.__all__)
def test_every_public_name_has_a_docstring_with_an_example(name):
    documentation = getattr(incrlearn, name).__doc__
    assert ">>>" in documentation


def test_the_version_is_that_of_the_installed_package():
    from importlib.metadata import version

    assert version("incrlearn") == incrlearn.__version__
