"""The reproduction runs the published table in parallel, every cell once, whatever fails or is stopped."""

import json
import math
import os
import re
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from incrlearn.benchmark import reproduction
from incrlearn.benchmark.reproduction import (
    LONGEST,
    ROWS,
    Cell,
    CellsFailed,
    Row,
    Settings,
    report,
    reproduce,
    run_cell,
    summarize,
    usable_cores,
)
from incrlearn.benchmark.scenarios import KINDS
from incrlearn.learning import method

PAGE = Path(__file__).parents[3] / "shared/reference/split_mnist.md"
SMALL = {"data": "digits", "steps": 3, "batch_size": 8, "hidden": (8,)}
WITH_SAMPLES = ("joint", "replay", "agem", "icarl")
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Here(Executor):
    """An executor that runs every cell at once, in the calling thread; it remembers which."""

    def __init__(self):
        self.cells = []

    def submit(self, run, cell):
        self.cells.append(cell)
        future = Future()
        try:
            future.set_result(run(cell))
        except Exception as error:
            future.set_exception(error)
        return future


def small(methods=("none",), scenarios=("class",), **options):
    return Settings(methods, scenarios, **SMALL | options)


def without_clocks(records):
    """Return what two runs of the same cells have in common, in one order."""
    names = ("cell", "accuracy_matrix", "average_accuracy", "held_bytes", "steps")
    return sorted(json.dumps([record[name] for name in names]) for record in records)


def statuses(settings, executor=None):
    """Return the records, and for every outcome its status and its text."""
    seen = []
    records = list(reproduce(settings, executor or Here(), seen.append))
    return records, [(outcome.status, outcome.text) for outcome in seen]


# ---- the table ---------------------------------------------------------------------------------------


@pytest.mark.skipif(not PAGE.exists(), reason="the reference page is not here")
def test_the_published_values_are_those_of_the_reference_page():
    lines = re.findall(
        r"^\| (?!method|---)(.*?) \| (.*?) \| (.*?) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE
    )
    page = [
        (name, tuple(None if value == "–" else float(value.split()[0]) for value in values))
        for name, *values in lines
    ]
    assert len(page) == 14
    assert [(row.page, row.published) for row in ROWS.values()] == page


@pytest.mark.parametrize(
    ("name", "scenario"), [(row.method, scenario) for row in ROWS.values() for scenario in row.scenarios]
)
def test_every_text_is_a_method_that_serves_the_scenario(name, scenario):
    assert scenario in method(ROWS[name].text(scenario)).scenarios


@pytest.mark.parametrize("scenario", KINDS)
def test_every_method_runs(scenario):
    for cell in small(None, (scenario,), hidden=(8, 8)).cells():
        record = run_cell(cell)
        assert record["accuracy_matrix"][4][0] is not None, str(cell)
        assert (record["held_bytes"]["samples"] > 0) == (cell.method in WITH_SAMPLES), str(cell)


def test_joint_begins_anew_with_all_the_data():
    assert method(ROWS["joint"].text("class")).restart  # so that after the last task it took one task's steps


def test_a_row_serves_the_scenarios_in_which_it_is_published():
    assert ROWS["icarl"].scenarios == ("class",)
    assert ROWS["ewc"].scenarios == KINDS
    assert ROWS["fromp"].scenarios == ()


def test_the_defaults_are_the_protocol():
    settings = Settings()
    assert settings.is_protocol
    assert not small().is_protocol
    assert {(cell.steps, cell.batch_size, cell.learning_rate) for cell in settings.cells()} == {
        (2000, 128, 0.001)
    }
    hidden = {cell.method: cell.hidden for cell in settings.cells()}
    assert hidden.pop("separate") == (100, 100)
    assert set(hidden.values()) == {(400, 400)}


def test_the_whole_table_leaves_out_what_can_not_be_run():
    cells = Settings(seeds=2).cells()
    assert len(cells) == len(set(cells)) == 2 * (11 + 9 + 11)
    assert "fromp" not in {cell.method for cell in cells}


# ---- one cell ----------------------------------------------------------------------------------------


def test_a_cell_is_json_and_holds_everything():
    record = run_cell(small().cells()[0])
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["cell"]["text"] == "none"
    R = record["accuracy_matrix"]
    assert [sum(value is not None for value in row) for row in R] == [1, 2, 3, 4, 5]
    assert record["average_accuracy"] == pytest.approx(sum(R[-1]) / 5)
    assert record["measures"]["average_accuracy"] == record["average_accuracy"]
    assert record["measures"]["forward_transfer"] is None
    assert record["steps"] == 15
    assert record["held_bytes"] == {"samples": 0, "other": 0}
    assert {"incrlearn", "numpy", "scipy", "python", "platform"} <= set(record["versions"])


def test_in_a_domain_scenario_everything_is_measured():
    record = run_cell(small(scenarios=("domain",)).cells()[0])
    assert not any(value is None for row in record["accuracy_matrix"] for value in row)
    assert record["measures"]["forward_transfer"] is not None


def test_stored_samples_are_counted():
    record = run_cell(Cell("replay", "class", 0, "replay(per_class=5)", **SMALL))
    assert record["held_bytes"]["samples"] >= 10 * 5 * 64 * 4


def test_seeds_differ_and_methods_share_the_first_network_and_the_tasks():
    none, other = (run_cell(cell) for cell in small(seeds=2).cells())
    assert none["accuracy_matrix"] != other["accuracy_matrix"]
    l2 = run_cell(Cell("l2", "class", 0, "l2_anchored", **SMALL))
    assert none["accuracy_matrix"][0] == l2["accuracy_matrix"][0]


# ---- where cells are run -----------------------------------------------------------------------------


def test_processes_and_threads_give_the_same_bits_and_processes_share_the_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    settings = small(("none", "joint"), KINDS, workers=2)
    running = reproduce(settings)
    records = [next(running)]
    assert dict(os.environ) == before  # while they work, too
    records += running
    assert dict(os.environ) == before
    assert {record["threads"] for record in records} == {str(max(1, usable_cores() // 2))}
    with ThreadPoolExecutor(2) as threads:
        assert without_clocks(reproduce(settings, threads)) == without_clocks(records)
        assert threads.submit(int).result() == 0  # it stays open


@pytest.mark.parametrize("fails", [False, True])
def test_the_environment_is_put_back(monkeypatch, fails):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    try:
        with reproduction._threads(3):
            assert [os.environ[name] for name in VARIABLES] == ["3"] * 3
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert dict(os.environ) == before


def test_the_longest_cells_begin(monkeypatch):
    monkeypatch.setattr(reproduction, "run_cell", lambda cell: {"average_accuracy": 0.5, "seconds": 1.0})
    here = Here()
    list(reproduce(Settings(data="digits"), here))
    assert [cell.method for cell in here.cells[:4]] == ["generative_classifier", *["bir"] * 3]
    assert set(LONGEST) <= set(ROWS)


def test_a_cell_that_fails_does_not_lose_the_others(monkeypatch, tmp_path):
    monkeypatch.setitem(ROWS, "si", Row("si", "SI", (99.2, 66.9, 21.2), "none(c=1)"))
    settings = small(("si", "none"), ("task", "class"), results=tmp_path, workers=1)
    records, seen = [], []
    running = reproduce(settings, on_cell=lambda outcome: seen.append(outcome.status))
    message = r"2 of 4 cells\n  si, task, seed 0: ValueError: .*c.*\n  si, class"
    with pytest.raises(CellsFailed, match=message) as info:
        records.extend(record["cell"]["method"] for record in running)
    assert records == ["none", "none"]
    assert sorted(seen) == ["failed", "failed", "finished", "finished"]
    assert [cell.method for cell, _ in info.value.failures] == ["si", "si"]
    assert len(list(tmp_path.iterdir())) == 2
    text = json.dumps(report(settings, [], info.value.failures), allow_nan=False)
    assert json.loads(text)["failures"][0]["error"].startswith("ValueError: ")


def test_whoever_stops_early_cancels_what_waits():
    class Later(Here):
        def submit(self, run, cell):
            future = super().submit(run, cell) if not self.cells else Future()
            self.cells.append(future)
            return future

    later = Later()
    running = reproduce(small(seeds=4), later)
    next(running)
    running.close()
    assert [future.cancelled() for future in later.cells[2:]] == [True] * 3


def test_without_data_nothing_begins(monkeypatch, tmp_path):
    monkeypatch.delenv("INCRLEARN_DATA", raising=False)
    with pytest.raises(ValueError, match="INCRLEARN_DATA"):
        reproduce(Settings(("none",), results=tmp_path / "new"), Here())
    assert not (tmp_path / "new").exists()


# ---- what is kept ------------------------------------------------------------------------------------


def test_finished_cells_are_kept_and_not_run_again(tmp_path):
    settings = small(seeds=2, results=tmp_path / "new")
    first, seen = statuses(settings)
    assert [status for status, _ in seen] == ["finished"] * 2
    here = Here()
    again, seen = statuses(settings, here)
    assert here.cells == []
    assert [status for status, _ in seen] == ["kept"] * 2
    assert sorted(map(str, again)) == sorted(map(str, first))  # to the last bit, clocks included
    here = Here()
    records, _ = statuses(small(("none", "joint"), seeds=3, results=tmp_path / "new"), here)
    assert len(here.cells) == 4
    assert len(records) == 6


@pytest.mark.parametrize(
    "other", [{"steps": 4}, {"batch_size": 9}, {"hidden": (9,)}, {"learning_rate": 0.01}]
)
def test_other_settings_are_other_cells_and_neither_takes_the_other_s_place(tmp_path, other):
    list(reproduce(small(results=tmp_path), Here()))
    for settings, status in (
        (small(results=tmp_path, **other), "finished"),
        (small(results=tmp_path), "kept"),
    ):
        _, ((found, _),) = statuses(settings)
        assert found == status


def test_a_table_with_another_text_is_not_served_by_old_cells(monkeypatch, tmp_path):
    list(reproduce(small(results=tmp_path), Here()))
    monkeypatch.setitem(ROWS, "none", Row("none", "none", (84.3, 60.1, 19.9), "l2"))
    _, ((status, _),) = statuses(small(results=tmp_path))
    assert status == "finished"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: text[:-40],
        lambda text: text.replace(b'"seed": 0', b'"seed": 1'),
        lambda text: re.sub(rb'"average_accuracy": [\d.]+', b'"average_accuracy": 0.99', text),
        lambda text: re.sub(rb'"average_accuracy": [\d.]+', b'"average_accuracy": NaN', text),
        lambda text: b"[" * 100_000,
        lambda text: b"[1, 2]",
        lambda text: b"{}",
        lambda text: b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_told_and_run_again(tmp_path, damage):
    settings = small(results=tmp_path)
    first, _ = statuses(settings)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    again, ((damaged, text), (finished, _)) = statuses(settings)
    assert (damaged, finished) == ("damaged", "finished")
    assert text == f"{file} is damaged: its cell is run again"
    assert without_clocks(again) == without_clocks(first)
    assert [status for status, _ in statuses(settings)[1]] == ["kept"]


def test_another_cell_s_file_is_not_mistaken(tmp_path):
    statuses(small(seeds=2, results=tmp_path))
    zero, one = sorted(tmp_path.iterdir())
    zero.write_bytes(one.read_bytes())
    records, seen = statuses(small(results=tmp_path))
    assert [status for status, _ in seen] == ["damaged", "finished"]
    assert records[0]["cell"]["seed"] == 0


# ---- ours beside theirs ------------------------------------------------------------------------------


def a_record(seed, accuracy, name="none", scenario="class"):
    (cell,) = (cell for cell in Settings((name,), (scenario,), seed + 1).cells() if cell.seed == seed)
    held = {"samples": 100 * seed, "other": 50}
    return {
        "cell": reproduction._identity(cell),
        "average_accuracy": accuracy,
        "held_bytes": held,
        "seconds": 3.0,
    }


def test_a_summary_has_ours_beside_theirs():
    settings = Settings(("none",), ("class",), seeds=3)
    (line,) = summarize(settings, [a_record(2, 0.21), a_record(0, 0.20), a_record(1, 0.22)])
    assert line.accuracies == pytest.approx((20, 22, 21))
    assert (line.mean, line.error) == pytest.approx((21, math.sqrt(1 / 3)))
    assert (line.difference, line.errors) == pytest.approx((1.1, 1.1 * math.sqrt(3)))
    assert (line.sample_bytes, line.other_bytes, line.seconds) == (100, 50, 3)


def test_what_is_not_known_is_nan():
    settings = Settings(("none", "joint"), ("class",), seeds=2)
    none, joint = summarize(settings, [a_record(0, 0.2)])
    assert none.mean == pytest.approx(20)
    assert all(
        math.isnan(value) for value in (none.error, none.errors, joint.mean, joint.difference, joint.seconds)
    )
    same, _ = summarize(settings, [a_record(0, 0.2), a_record(1, 0.2)])
    assert same.error == 0
    assert math.isnan(same.errors)


def test_a_summary_of_the_whole_table_has_every_row_in_every_scenario():
    lines = summarize(Settings(), [])
    assert [(line.scenario, line.method) for line in lines] == [
        (kind, name) for kind in KINDS for name in ROWS
    ]
    (xdg,) = (line for line in lines if (line.method, line.scenario) == ("xdg", "class"))
    assert xdg.text is xdg.published is None


def test_a_report_is_json_in_the_order_of_the_cells(tmp_path):
    settings = small(("none", "joint"), seeds=2, results=tmp_path)
    records = list(reproduce(settings, Here()))
    read = json.loads(json.dumps(report(settings, records[::-1]), allow_nan=False))
    assert read["settings"]["methods"] == ["none", "joint"]
    assert read["settings"]["results"] == str(tmp_path)
    assert read["is_protocol"] is False
    assert [(cell["cell"]["method"], cell["cell"]["seed"]) for cell in read["cells"]] == [
        ("none", 0),
        ("none", 1),
        ("joint", 0),
        ("joint", 1),
    ]
    assert [line["published"] for line in read["summary"]] == [19.9, 98.2]
    assert report(settings, records) == report(settings, records[::-1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ("amnesia",)}, "method must be one of 'none', .*, got 'amnesia'"),
        (
            {"methods": ("fromp",)},
            r"fromp is published \(FROMP, .*\), but not among the methods of incrlearn",
        ),
        (
            {"methods": ("xdg",), "scenarios": ("domain", "class")},
            "xdg serves the scenario task, not domain, class",
        ),
        ({"methods": ("none", "none")}, "methods must name at least one, and none twice, got none, none"),
        ({"methods": ()}, "methods"),
        ({"scenarios": ()}, "scenarios"),
        ({"scenarios": ("episodic",)}, "scenario must be one of 'task', 'domain', 'class', got 'episodic'"),
        ({"seeds": 0}, "seeds"),
        ({"workers": 0}, "workers"),
        ({"steps": 0}, "steps"),
        ({"batch_size": 0}, "batch_size"),
        ({"hidden": (0,)}, "hidden"),
        ({"learning_rate": math.inf}, "learning_rate"),
    ],
)
def test_bad_settings_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        Settings(**options)
