"""The benchmark measures what it says: every side does the same work, and the arithmetic is right."""

import importlib
import json
import math
import shutil
import subprocess

import numpy as np
import pytest

from incrlearn.learning import EWC, Learner
from incrlearn.learning.terms import ParameterTerm

from . import __main__ as command
from . import data, report, rounds, works
from .rounds import LIBRARIES, Worker
from .works import LIMIT, OURS, PEER, Contest, Entrant

SMALL = (64, 32, 10)
LEARNING = "ours", "pytorch", "jaxed", "scikit"
WAYS = {"pytorch": {"how": "eager"}}


def side(name, monkeypatch):
    """Return the module of a side; skip where its library is not installed."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    if name in LIBRARIES:
        pytest.importorskip(LIBRARIES[name][0])
    return importlib.import_module(f"tests.benchmarks.sides.{name}")


def steps_by_hand(widths, batch, optimizer, n):
    """Return θ after n steps in float64, written down once more, and without anybody's layers."""
    x, y = data.samples_for(widths)
    pairs = [[part.astype(np.float64) for part in pair] for pair in data.parameters(widths)]
    m = v = 0
    for t, rows in zip(range(1, n + 1), data.batches(len(x), batch), strict=False):
        a = [x[rows].astype(np.float64)]
        for k, (W, b) in enumerate(pairs):
            z = a[-1] @ W.T + b
            a.append(z if k == len(pairs) - 1 else np.maximum(z, 0))
        p = np.exp(a[-1] - a[-1].max(axis=1, keepdims=True))
        delta = (p / p.sum(axis=1, keepdims=True) - np.eye(widths[-1])[y[rows]]) / batch
        gradients = []
        for k in reversed(range(len(pairs))):
            gradients.insert(0, (delta.T @ a[k], delta.sum(axis=0)))
            delta = (delta @ pairs[k][0]) * (a[k] > 0)
        g = data.theta_of(gradients)
        move = 0.01 * g
        if optimizer == "adam":
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            move = 0.001 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        theta, start = data.theta_of(pairs) - move, 0
        for pair in pairs:
            rows = theta[start : start + pair[0].size + pair[1].size].reshape(len(pair[1]), -1)
            pair[:], start = [rows[:, :-1], rows[:, -1]], start + rows.size
    return theta


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize("name", LEARNING)
def test_a_step_of_every_side_learns_the_same(name, batch, optimizer, monkeypatch):
    arguments = {"widths": SMALL, "batch": batch, "optimizer": optimizer, **WAYS.get(name, {})}
    work = side(name, monkeypatch).step(**arguments)
    for _ in range(3):
        work.unit()
    work.finish()
    begun, expected = data.theta_of(data.parameters(SMALL)), steps_by_hand(SMALL, batch, optimizer, 3)
    moved = work.outcome() - begun
    # ε is not everyone's at the same place, which an entry whose gradient is nearly nothing shows
    off = np.abs(moved - (expected - begun))
    assert np.linalg.norm(off) < 1e-2 * np.linalg.norm(expected - begun)


def test_the_limit_takes_the_products_of_a_step_and_no_others(monkeypatch):
    work = side("limit", monkeypatch).step(SMALL, 32, "sgd")
    work.unit()
    a, deltas, gradients = work.outcome()
    for k, (W, _) in enumerate(data.parameters(SMALL)):
        np.testing.assert_allclose(a[k + 1], a[k] @ W.T, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(gradients[k], deltas[k + 1].T @ a[k], rtol=1e-4, atol=1e-4)
        if k:
            np.testing.assert_allclose(deltas[k], deltas[k + 1] @ W, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LEARNING)
def test_every_side_predicts_the_same_labels(name, monkeypatch):
    work = side(name, monkeypatch).predict(widths=SMALL, rows=50, **WAYS.get(name, {}))
    x, _ = data.rows_like_digits(50, 64, 10)
    (W1, b1), (W2, b2) = data.parameters(SMALL)
    labels = (np.maximum(x @ W1.T + b1, 0) @ W2.T + b2).argmax(axis=1)
    assert len(set(labels.tolist())) > 1
    np.testing.assert_array_equal(work.outcome(), labels)


@pytest.mark.parametrize("chunk", [None, 3], ids=["loop", "chunks"])
def test_ours_and_pytorch_find_the_same_fisher_information(chunk, monkeypatch):
    ours, pytorch = side("ours", monkeypatch), side("pytorch", monkeypatch)
    expected = ours.fisher(SMALL, 7).outcome()
    np.testing.assert_allclose(pytorch.fisher(SMALL, 7, chunk).outcome(), expected, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("how", ["eager", "fused"])
def test_a_head_that_has_grown_learns_on_in_pytorch_as_in_ours(how, monkeypatch):
    ours, pytorch = side("ours", monkeypatch), side("pytorch", monkeypatch)
    expected, grown = ours.growth(SMALL).outcome(), pytorch.growth(SMALL, how).outcome()
    old = len(data.theta_of(data.parameters(SMALL)))
    assert len(grown) == len(expected) == old + SMALL[-2] + 1
    np.testing.assert_allclose(grown[:old], expected[:old], rtol=1e-4, atol=1e-6)  # new rows are drawn


def test_the_steps_of_a_method_are_those_of_its_second_task(monkeypatch):
    tasks, ours = [], side("ours", monkeypatch)
    monkeypatch.setattr(
        EWC, "begin_task", lambda term, *rest: tasks.append(term) or ParameterTerm.begin_task(term, *rest)
    )
    work = ours.terms(SMALL, 32, "sgd", "ewc")
    assert (len(tasks), work.unit()[0]) == (1, 1)
    assert len(tasks) == 2


@pytest.mark.parametrize(
    "method", [entrant.label for contest in works.tasks() for entrant in contest.entrants]
)
def test_every_method_that_is_asked_for_its_growth_has_learned_a_hundred_tasks(method, monkeypatch):
    learned, ours = [], side("ours", monkeypatch)
    monkeypatch.setattr(Learner, "learn", lambda learner, x, y: learned.append(len(x)))
    assert 0 < ours.tasks(method).unit() < math.inf
    assert learned == [256] * 100


def test_the_installed_size_is_that_of_the_package_without_what_python_compiles(monkeypatch, tmp_path):
    ours = side("ours", monkeypatch)
    (tmp_path / "__pycache__").mkdir()
    for name, size in (("__init__.py", 3000), ("data.csv", 2000), ("__pycache__/m.pyc", 9000)):
        (tmp_path / name).write_bytes(b" " * size)
    monkeypatch.setattr(ours.incrlearn, "__file__", str(tmp_path / "__init__.py"))
    assert ours.size("incrlearn").unit() == 0.005


# ---- contests and rounds -----------------------------------------------------------------------------


def contest_of(*labels, **options):
    return Contest("step", "small", tuple(Entrant(label, "ours") for label in labels), **options)


def test_ours_is_compared_with_the_peer_that_has_the_smallest_median_round_by_round():
    contest = contest_of(OURS, LIMIT, "a", "b", "c")
    values = {OURS: [2, 4, 6], LIMIT: [1, 1, 1], "a": [4, 4, 100], "b": [5, 5, 5]}
    record = rounds.record(contest, 1, values, {"c": "not installed"})
    assert record["fastest_peer"] == "a"
    assert record["ratios"][PEER] == record["ratios"]["a"] == 0.5  # of 1/2, 1 and 6/100
    assert record["ratios"][LIMIT] == 4
    assert record["entrants"][OURS] == {"median": 4, "quartiles": [3, 5], "rounds": 3}
    assert record["entrants"]["c"] is None


def test_with_a_base_everyone_is_compared_with_it():
    record = rounds.record(contest_of("a", "b", base="a"), 1, {"a": [2, 4], "b": [4, 4]}, {})
    assert record["ratios"] == {"a": 1, "b": 1.5}
    assert "fastest_peer" not in record


def test_without_peers_and_without_ours_there_is_no_ratio():
    assert rounds.record(contest_of(OURS, "a"), 1, {OURS: [1]}, {})["ratios"] == {}
    assert "ratios" not in rounds.record(contest_of(OURS, "a"), 1, {"a": [1]}, {})


def test_a_quoted_number_is_compared_as_if_it_had_been_measured_and_who_is_left_out_is_a_dash():
    contest = Contest(
        "step", "small", (Entrant("a", "ours"), Entrant("b", "quoted", {"value": 220.0})), base="b"
    )
    record = rounds.race(contest, 1, 2, without=("ours",))
    assert record["entrants"] == {"a": None, "b": {"median": 220, "quartiles": [220, 220], "rounds": 2}}
    assert record["dashes"] == {"a": "left out"}


class Runner:
    """Stands for a process that answers at once, and remembers who was asked."""

    def __init__(self, label, asked, fails=False):
        self.entrant, self.asked, self.fails = Entrant(label, "ours", scale=10), asked, fails

    def ask(self, **request):
        self.asked.append(self.entrant.label)
        return {"dash": "it broke"} if self.fails else {"value": 0.5}


def test_everyone_is_first_in_turn_and_who_fails_is_a_dash(monkeypatch):
    monkeypatch.setattr(rounds, "PAUSE_SECONDS", 0)
    asked, dashes = [], {}
    ready = [(Runner("a", asked), 1), (Runner("b", asked), 1), (Runner("c", asked, fails=True), 1)]
    values = rounds.take_turns(ready, 3, dashes, lambda text: None)
    assert asked == ["a", "b", "c", "b", "a", "a", "b"]
    assert values == {"a": [5, 5, 5], "b": [5, 5, 5]}  # scaled
    assert dashes == {"c": "it broke"}


@pytest.mark.parametrize(("seconds", "calls"), [(1e-3, 50), (0.04, 1), (9.0, 1), (0.0, 50_000_000)])
def test_a_turn_is_as_many_calls_as_fill_it_and_at_least_one(seconds, calls):
    assert rounds.calls_of_a_turn(seconds) == calls


def test_the_process_of_an_entrant_prepares_and_measures_and_says_why_it_can_not():
    worker = Worker(Entrant(LIMIT, "limit"), threads=1)
    try:
        nothing = worker.ask(do="prepare", function="dance", arguments={})
        wrong = worker.ask(do="prepare", function="step", arguments={"widths": SMALL})
        ready = worker.ask(
            do="prepare", function="step", arguments={"widths": SMALL, "batch": 1, "optimizer": "sgd"}
        )
        measured = worker.ask(do="measure", calls=2)
    finally:
        worker.close()
    assert nothing["dash"].startswith("AttributeError: ")
    assert wrong["dash"].startswith("TypeError: ")
    assert 0 < ready["seconds"] < math.inf
    assert 0 < measured["value"] < math.inf
    assert worker.process.returncode == 0


def test_every_target_is_one_of_the_contests_and_no_two_contests_have_one_name():
    names = [str(contest) for contest in works.contests()]
    assert len(set(names)) == len(names)
    assert {target.contest for target in works.TARGETS} <= set(names)


# ---- reports -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.00123456, "s", "1.23 ms"),
        (0.0123456, "s", "12.3 ms"),
        (123e-6, "s", "123 µs"),
        (2.0, "s", "2.00 s"),
        (1234.5, "MB", "1,234 MB"),
    ],
)
def test_a_quantity_has_three_digits_and_its_unit(value, unit, said):
    assert report.quantity(value, unit) == said


def record_of(name, values, base=None, dashes=(), **options):
    contest = Contest("step", name, tuple(Entrant(label, "ours") for label in (*values, *dashes)), base)
    return rounds.record(contest, 2, values, dict.fromkeys(dashes, "it broke")) | options


def test_races_stand_in_one_table_and_what_has_no_side_of_ours_in_one_of_its_own():
    race = record_of("race", {OURS: [1, 1], LIMIT: [0.5, 0.5], "a": [4, 4]}, dashes=["b"])
    listed = record_of("list", {"c": [2, 2], "d": [3, 3]}, base="c", remarks={"d": "grows"})
    one, other = report.tables([race, listed])
    assert one == (
        "step, 2 threads",
        ["", OURS, LIMIT, "a", "b", "±", "ours/peer", "ours/limit"],
        [["race", "1.00 s", "500 ms", "4.00 s", "–", "0 %", "0.25", "2.00"]],
    )
    assert other == (
        "step, 2 threads: list",
        ["", "median", "quartiles", "/c", ""],
        [
            ["c", "2.00 s", "2.00 s to 2.00 s", "1.00", ""],
            ["d", "3.00 s", "3.00 s to 3.00 s", "1.50", "grows"],
        ],
    )
    assert report.notes([race, listed]) == ["b: it broke (step: race)"]


def test_a_target_is_met_or_missed_and_a_dash_where_nothing_was_measured(monkeypatch):
    targets = [
        works.Target("step: race", 0.3, PEER),
        works.Target("step: race", 1.5, LIMIT),
        works.Target("step: list", 1.5, "c", "d"),
        works.Target("step: list", 0.9, "c", "d", difference=True),
        works.Target("step: alone", 1, PEER),
    ]
    monkeypatch.setattr(report, "TARGETS", targets)
    records = [
        record_of("race", {OURS: [1], LIMIT: [0.5], "a": [4]}),
        record_of("list", {"c": [2], "d": [3]}, base="c"),
        record_of("alone", {OURS: [1]}),
    ]
    _, rows = report.targets(records)
    measured = [("0.25", "met"), ("2", "missed"), ("1.5", "met"), ("1", "missed"), ("–", "–")]
    assert [tuple(row[-2:]) for row in rows] == measured


def test_a_page_is_given_the_tables_of_the_file_between_its_markers(monkeypatch, tmp_path):
    page, file = tmp_path / "page.md", tmp_path / "performance.json"
    page.write_text(
        "a\n<!-- performance: step -->\nold\n<!-- /performance -->\nb\n"
        "<!-- performance: circumstances -->\n<!-- /performance -->\n"
        "<!-- performance: targets -->\n<!-- /performance -->\n"
    )
    monkeypatch.setattr(report, "FILE", file)
    assert report.rewritten(page) == page.read_text()
    report.write(file, report.circumstances() | {"contests": [record_of("race", {OURS: [1]})]})
    text = report.rewritten(page)
    assert "| race |    1.00 s | 0 % |" in text
    assert "old" not in text
    assert text.startswith("a\n<!-- performance: step -->\n")
    assert f"numpy {np.__version__}" in text
    page.write_text(text)
    assert report.rewritten(page) == text


def test_one_tiny_contest_from_the_command_to_the_file_which_is_gone_on_with(tmp_path, capsys):
    file = tmp_path / "all.json"
    options = ["step", "--only", "64-32-10, SGD, batch 1024", "--threads", "1", "--rounds", "2"]
    options += ["--without", *LIBRARIES, "--json", str(file)]
    command.main(options)
    assert "64-32-10, SGD, batch 1024" in capsys.readouterr().out
    (record,) = json.loads(file.read_text(encoding="utf-8"))["contests"]
    assert record["entrants"][OURS]["rounds"] == 2
    assert record["ratios"][LIMIT] > 0
    assert record["entrants"].keys() - record["dashes"].keys() == {OURS, LIMIT}

    command.main([*options, "--resume"])
    assert json.loads(file.read_text(encoding="utf-8"))["contests"] == [record]


def git(folder, *arguments):
    who = "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no Git")
def test_a_file_is_gone_on_with_until_the_package_has_changed(tmp_path, monkeypatch, capsys):
    package = tmp_path / "incrlearn" / "a.py"
    package.parent.mkdir()
    package.write_text("1")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    monkeypatch.setattr(report, "ROOT", tmp_path)
    before = report.circumstances() | {"contests": []}
    options = command.read_options(["--resume", "--json", str(tmp_path / "all.json")])
    report.write(options.json, before)
    git(tmp_path, "add", ".")  # the file itself
    git(tmp_path, "commit", "-q", "-m", "two")
    now = report.circumstances()
    assert now["commit"] != before["commit"]
    assert command.kept(options, now) == before

    package.write_text("2")
    with pytest.raises(SystemExit, match="incrlearn/ has changed since it was measured, commit"):
        command.kept(options, report.circumstances())


def test_the_command_lists_what_it_would_measure(capsys):
    command.main(["--list", "--targets", "--threads", "1"])
    assert capsys.readouterr().out.count("\n") == len({target.contest for target in works.TARGETS})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dance"], "there is no group 'dance'"),
        (["--threads", "0"], "--threads must be from 1"),
        (["--rounds", "0"], "--rounds must be at least 1"),
        (["--resume"], "--resume needs --json"),
    ],
)
def test_what_can_not_be_asked_for_is_refused_in_a_sentence(arguments, said, capsys):
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("page", report.pages(), ids=lambda page: page.name)
def test_the_pages_say_what_the_file_says(page):
    if not report.FILE.exists():
        pytest.skip("docs/measured/performance.json is not there yet")
    assert page.read_text(encoding="utf-8") == report.rewritten(page), "run python -m tests.benchmarks.report"
