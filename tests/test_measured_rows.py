"""The families' pages: every method is described once, and its measured row says what was measured."""

import json
import re

import pytest

from incrlearn import analytic
from incrlearn.benchmark.comparison import Settings as Comparison
from incrlearn.benchmark.comparison import serving
from incrlearn.benchmark.reproduction import ROWS
from incrlearn.benchmark.scenarios import KINDS
from incrlearn.learning import METHODS

from . import measured_rows
from .measured_rows import DOCS, MEASURED, SPLIT_MNIST, UNKNOWN, WIDTH, digits_file, table

PAGES = measured_rows.pages()
#: every method, of networks and in closed form, with the scenarios that it serves
SERVED = {name: [name in serving(kind) for kind in KINDS] for name in (*METHODS, *analytic.METHODS)}
FAMILIES = [page for page in PAGES if page.stem != "reproduction"]
SECTION = re.compile(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
CLASS_LINK = re.compile(r"\[`([A-Z]\w+)[^`]*`\]\((\.\./incrlearn/[\w/]+\.py)\)")
COMMAND = re.compile(r"^`incrlearn compare --methods (.+)`$", re.MULTILINE)


def name_of(path):
    return path.stem


def sections():
    """Return (page, text) of every method's section, by its name."""
    found = {}
    for page in PAGES:
        for name, text in SECTION.findall(page.read_text(encoding="utf-8")):
            found.setdefault(name, []).append((page, text))
    return found


def rows_of(page, name):
    """Return the cells of all rows of a page's tables that begin with a method's name."""
    lines = page.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in cells if row[0] == name]


def methods_named(command):
    """Return the texts of methods in a command line, and the scenario in which they are run."""
    words = [a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', command)]
    options = [k for k, word in enumerate(words) if word.startswith("--")] or [len(words)]
    scenario = words[words.index("--scenario") + 1] if "--scenario" in words else "class"
    return words[: options[0]], scenario


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_pages_say_what_the_files_say(page):
    said = page.read_text(encoding="utf-8")
    assert said == measured_rows.rewritten(page), "run python -m tests.measured_rows"


def test_every_method_stands_on_exactly_one_page():
    found = sections()
    assert sorted(found) == sorted(SERVED)
    assert {name for name, places in found.items() if len(places) > 1} == set()


@pytest.mark.parametrize("name", SERVED)
def test_a_method_s_section_has_its_equation_its_code_its_price_and_a_command_that_can_be_run(name):
    ((_, text),) = sections()[name]
    assert "$$" in text
    assert "Code: " in text
    for word in ("**When:**", "**When not:**", "**Costs:**"):
        assert word in text
    assert re.search(r"\b(19|20)\d\d\b|[Tt]he document|The references of", text), "a reference with its year"
    (command,) = COMMAND.findall(text)
    named, scenario = methods_named(command)
    assert any(name in text.replace("der++", "derpp") for text in named)
    Comparison(methods=tuple(named), scenario=scenario)  # refuses what it can not run


@pytest.mark.parametrize("page", FAMILIES, ids=name_of)
def test_a_class_stands_where_its_link_leads(page):
    links = CLASS_LINK.findall(page.read_text(encoding="utf-8"))
    assert links
    for name, file in links:
        assert re.search(rf"^class {name}\b", (DOCS / file).read_text(encoding="utf-8"), re.MULTILINE), name


@pytest.mark.parametrize("name", SERVED)
def test_a_method_s_row_has_a_number_for_every_scenario_it_serves(name):
    ((page, _),) = sections()[name]
    *split_mnist, digits = rows_of(page, name)
    if all(digits_file(kind).exists() for kind in KINDS):
        _, *accuracies, memory, seconds = digits
        assert [bool(re.fullmatch(r"\d+\.\d ± \d+\.\d", cell)) for cell in accuracies] == SERVED[name]
        assert re.fullmatch(r"\d+(\.\d)? ([kM]?B\*?)", memory)
        assert re.fullmatch(r"\d+\.\d", seconds)
    assert len(split_mnist) == (name in ROWS and ROWS[name].texts is not None)


@pytest.mark.skipif(not SPLIT_MNIST.exists(), reason="split-mnist.json has not been made yet")
@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.texts])
def test_a_published_row_has_a_number_of_ours_wherever_we_serve_the_scenario(name):
    ((page, _),) = sections()[name]
    row = rows_of(page, name)[0]
    for kind, cell in zip(KINDS, row[1:4], strict=True):
        ours = rf"\d+\.\d ± \d+\.\d \({ROWS[name].value(kind)}\)"
        assert re.fullmatch(ours if kind in ROWS[name].scenarios else "", cell), (kind, cell)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_tables_can_be_read_in_a_terminal(page):
    for match in measured_rows.BLOCK.finditer(page.read_text(encoding="utf-8")):
        assert max(map(len, match[0].splitlines()[1:-1])) <= WIDTH


@pytest.mark.parametrize("scenario", KINDS)
def test_the_files_of_the_digits_are_what_the_command_on_the_page_writes(scenario):
    file = digits_file(scenario)
    if not file.exists():
        pytest.skip(f"{file.name} has not been made yet")
    settings = json.loads(file.read_text(encoding="utf-8"))["settings"]
    expected = Comparison(scenario=scenario, seeds=3)
    assert settings == json.loads(json.dumps(vars(expected)))


@pytest.mark.skipif(not SPLIT_MNIST.exists(), reason="split-mnist.json has not been made yet")
def test_the_file_of_split_mnist_is_the_protocol_with_the_settings_of_today():
    report = json.loads(SPLIT_MNIST.read_text(encoding="utf-8"))
    assert report["is_protocol"]
    assert report["failures"] == []
    for record in report["cells"]:
        cell = record["cell"]
        assert cell["text"] == ROWS[cell["method"]].text(cell["scenario"])
        assert cell["seed"] < 3


def test_the_files_are_small():
    for file in MEASURED.glob("*.json"):
        assert file.stat().st_size < 200_000


# ---- the rows themselves -----------------------------------------------------------------------------


def record(name, scenario, seed, accuracy):
    cell = {"method": name, "scenario": scenario, "seed": seed}
    held = {"samples": 300_000, "other": 20_000}
    return {"cell": cell, "average_accuracy": accuracy, "held_bytes": held, "seconds": 12.4}


def test_a_row_is_mean_and_standard_error_of_the_seeds_with_the_published_value(tmp_path, monkeypatch):
    records = [record("replay", "class", seed, accuracy) for seed, accuracy in enumerate((0.88, 0.89, 0.90))]
    monkeypatch.setattr(measured_rows, "SPLIT_MNIST", tmp_path / "split-mnist.json")
    measured_rows.SPLIT_MNIST.write_text(json.dumps({"cells": records}))
    row = measured_rows.split_mnist_table(["replay"]).splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["replay", "– (99.0)", "– (93.8)", "89.0 ± 0.6 (88.8)", "320 kB*", "12"]


def test_what_has_not_been_run_is_a_dash(tmp_path, monkeypatch):
    monkeypatch.setattr(measured_rows, "SPLIT_MNIST", tmp_path / "nothing.json")
    monkeypatch.setattr(measured_rows, "MEASURED", tmp_path)
    assert f"{UNKNOWN} (20.6)" in measured_rows.split_mnist_table(["ewc"])
    assert measured_rows.digits_table(["ewc"]).splitlines()[-1].count(UNKNOWN) == 2


def test_the_columns_of_a_table_stand_under_one_another():
    text = table(["method", "%"], [["a", "100.0"], ["longer", "9.0"]])
    assert text == "| method |     % |\n| ------ | ----: |\n| a      | 100.0 |\n| longer |   9.0 |"


def test_all_pages_of_families_are_found():
    names = {page.stem for page in FAMILIES}
    of_networks = {"regularization", "distillation", "replay", "generative", "projection", "isolation"}
    assert names == {*of_networks, "analytic"}
    assert set(PAGES) - set(FAMILIES) == {DOCS / "reproduction.md"}
