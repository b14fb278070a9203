"""The pages say what is true: their code runs, their links lead somewhere, and nothing is missing."""

import ast
import os
import re
from pathlib import Path
from unittest import mock

import pytest

from incrlearn import analytic, formulas, network
from incrlearn.benchmark import metrics
from incrlearn.learning import METHODS

from . import markdown

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = [page for page in PAGES if markdown.examples(page)]
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
FORMULA = re.compile(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
# accuracies of a few hundred test images: what another processor's rounding may change
TOLERANCE = 0.06


def name_of(path):
    return path.name


def functions_in(path):
    """Return the names of all functions, methods and classes of a source file."""
    kinds = ast.FunctionDef | ast.ClassDef
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def anchors_of(page):
    """Return what stands behind # in links to the headings of a page, as GitHub makes it."""
    headings = [line.lstrip("# ") for line in page.read_text().splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def sections():
    """Return every formula's section of docs/formulas.md by its name."""
    return dict(FORMULA.findall((ROOT / "docs/formulas.md").read_text()))


@pytest.mark.parametrize("page", RUN, ids=name_of)
@mock.patch.dict(METHODS)  # a page may add one of its own
def test_the_code_of_a_page_runs_and_prints_what_the_page_says(page, monkeypatch, tmp_path):
    monkeypatch.delenv("INCRLEARN_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)  # where a page may write what it likes
    names = {}
    for example in markdown.examples(page):
        printed = markdown.run(example, names, page)
        said = example.expected or ""
        where = f"{page.name}, line {example.line}"
        assert markdown.same(printed, said, TOLERANCE), f"{where} prints\n{printed}\nbut says\n{said}"


@pytest.mark.skipif("INCRLEARN_DATA" not in os.environ, reason="INCRLEARN_DATA names no folder with MNIST")
def test_the_tutorial_runs_on_mnist_and_prints_what_it_says_at_its_end():
    page = ROOT / "docs/tutorial.md"
    said = re.search(r"^```console\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)[1]
    printed = markdown.transcript(page)
    assert markdown.same(printed, said, TOLERANCE), printed


def test_the_tutorial_is_run():
    assert ROOT / "docs/tutorial.md" in RUN
    assert ROOT / "README.md" in RUN


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_link_of_a_page_is_broken(page):
    for text, target in LINK.findall(page.read_text()):
        file, _, anchor = target.partition("#")
        if file.startswith(("http:", "https:")):
            continue
        leads_to = page.parent / file if file else page
        assert leads_to.exists(), f"[{text}]({target})"
        if anchor:
            assert anchor in anchors_of(leads_to), f"[{text}]({target})"


def test_every_formula_has_its_place_in_the_list_of_formulas():
    layers = {layer.__name__ for layer in network.Layer.__subclasses__() if layer.__name__ in network.__all__}
    optimizers = {"soft_threshold", *(optimizer.__name__ for optimizer in network.OPTIMIZERS.values())}
    measures = {
        name for name in functions_in(Path(metrics.__file__)) if not name.startswith(("_", "mean_and_error"))
    }
    importances = {"fisher", "sensitivity", "path_integral"}
    wanted = {*formulas.__all__, *layers, *optimizers, *measures, *importances}
    wanted |= {"sum_over_samples", "LinearRegression"}
    wanted |= {"VariationalAutoencoder", "ConditionalAutoencoder"}
    wanted |= {
        "Statistics",
        "RecursiveLeastSquares",
        "ExpertGate",
        "choose_strength",
        "temperature",
        *analytic.SOLVERS,
    }
    assert set(sections()) == wanted


@pytest.mark.parametrize("name", sections())
def test_a_formula_links_its_equation_to_its_code_and_its_tests(name):
    section = sections()[name]
    assert "$$" in section
    code, *tests = LINK.findall(section)
    assert name in functions_in(ROOT / "docs" / code[1])
    assert tests
    for sentence, file in tests:
        assert "test_" + sentence.replace(" ", "_") in functions_in(ROOT / "docs" / file)


def test_numbers_within_the_tolerance_are_the_same_and_words_must_be_equal():
    assert markdown.same("old 0.91  new 0.5\n", "old 0.90 new 0.5", 0.02)
    assert not markdown.same("old 0.91", "old 0.80", 0.02)
    assert not markdown.same("old 0.91", "new 0.91", 0.02)
    assert not markdown.same("0.9 0.9", "0.9", 0.02)
