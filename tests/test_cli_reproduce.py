"""`incrlearn reproduce`: the tables it prints, how it goes on where it stopped, and how it says no."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from incrlearn import cli
from incrlearn.benchmark import reproduction
from incrlearn.benchmark.datasets import load
from incrlearn.benchmark.reproduction import ROWS, CellsFailed, Row, Settings

QUICK = ["--methods", "none", "joint", "--steps", "2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with digits in MNIST's clothes."""
    folder, digits = tmp_path_factory.mktemp("data"), load("digits")
    images = {f"x_{part}": (255 * x).astype(np.uint8).reshape(-1, 8, 8) for part, x in parts(digits, "x")}
    np.savez(folder / "mnist.npz", **images, **{f"y_{part}": y for part, y in parts(digits, "y")})
    return folder


def parts(dataset, name):
    return ("train", getattr(dataset, name)), ("test", getattr(dataset, f"{name}_test"))


@pytest.fixture(autouse=True)
def environment(monkeypatch, data):
    monkeypatch.setenv("INCRLEARN_DATA", str(data))


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A folder with the cells of QUICK, two seeds; and what was printed when they were run."""
    folder = tmp_path_factory.mktemp("results") / "cells"
    command = [sys.executable, "-m", "incrlearn", "reproduce", "split-mnist", *QUICK, "--seeds", "2"]
    environment = {**os.environ, "INCRLEARN_DATA": str(data)}
    done = subprocess.run(
        [*command, "--results", folder], capture_output=True, text=True, env=environment, check=True
    )
    return folder, done


@pytest.fixture
def results(finished, tmp_path):
    return shutil.copytree(finished[0], tmp_path / "cells")


def reproduce(*options):
    return cli.main(["reproduce", "split-mnist", *map(str, options)])


def refused(capsys, *options):
    """Return the one line with which a wrong call is refused; it has printed nothing else."""
    try:
        status = reproduce(*options)
    except SystemExit as stop:
        status = stop.code
    printed = capsys.readouterr()
    assert status == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    assert printed.err.startswith("incrlearn reproduce split-mnist: ")
    return printed.err


def plain(text):
    """Return the lines, with a single blank where there are several."""
    return [" ".join(line.split()) for line in text.splitlines()]


def nothing_runs(monkeypatch, records=(), stop=None):
    """Let `reproduce` yield these records, and then stop."""

    def instead(settings, on_cell):
        yield from records
        if stop is not None:
            raise stop

    monkeypatch.setattr(cli.reproduce, "reproduce", instead)


def record(name, scenario, seed, accuracy, samples=0, seconds=1.0):
    (cell,) = (cell for cell in Settings((name,), (scenario,), seed + 1).cells() if cell.seed == seed)
    held = {"samples": samples, "other": 0}
    return {
        "cell": reproduction._identity(cell),
        "average_accuracy": accuracy,
        "held_bytes": held,
        "seconds": seconds,
    }


# ---- what it prints ----------------------------------------------------------------------------------


def test_every_scenario_has_a_table_and_every_cell_a_line(finished):
    _, done = finished
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Split MNIST, 5 tasks, 2 steps each, 2 seeds: a quick look, not the protocol")
    assert [line for line in lines if line.endswith("-incremental")] == [
        f"{kind}-incremental" for kind in ("task", "domain", "class")
    ]
    head = "method ours % published % points errors memory seconds seeds"
    assert plain(done.stdout).count(head) == 3
    number = r"[+-]?\d+\.\d+"
    row = rf"none +{number} ± {number} +60\.1 +{number} +{number} +\S+ k?B +{number} +2 *"
    assert sum(bool(re.fullmatch(row, line)) for line in lines) == 1
    assert max(map(len, lines)) <= 100
    told = done.stderr.splitlines()
    assert len(told) == 12
    assert all(re.fullmatch(r"(none|joint), \w+, seed [01]: \d+\.\d\d % after \d+ s", line) for line in told)


def test_finished_cells_are_not_run_again(finished, results, capsys):
    before = {path: path.stat().st_mtime_ns for path in results.iterdir()}
    assert reproduce(*QUICK, "--seeds", 2, "--results", results) == 0
    printed = capsys.readouterr()
    assert printed.out == finished[1].stdout
    assert printed.err == f"12 of 12 cells were found in {results}\n"
    assert {path: path.stat().st_mtime_ns for path in results.iterdir()} == before


def test_a_damaged_file_is_told_in_one_line_and_run_again(results, capsys):
    (file,) = results.glob("none-class-0-*.json")
    content = file.read_bytes()
    file.write_bytes(content[:200])
    assert reproduce("--methods", "none", "--scenarios", "class", "--steps", 2, "--results", results) == 0
    damaged, done = capsys.readouterr().err.splitlines()
    assert damaged == f"{file} is damaged: its cell is run again"
    assert done.startswith("none, class, seed 0: ")
    assert json.loads(file.read_bytes())["accuracy_matrix"] == json.loads(content)["accuracy_matrix"]


def test_the_numbers_of_the_table(monkeypatch, capsys, tmp_path):
    values = (0.821, 0.65, 0.712)
    records = [record("agem", "class", k, x, samples=3_140_000, seconds=61.04) for k, x in enumerate(values)]
    records += [record("none", "class", k, 0.199 + k / 1e3) for k in range(2)]
    nothing_runs(monkeypatch, records)
    options = "--methods", "agem,none", "icarl", "xdg", "--scenarios", "task,class", "--seeds", 3
    assert reproduce(*options, "--results", tmp_path) == 0
    out = capsys.readouterr().out
    assert out.startswith("Split MNIST, 5 tasks, 2000 steps each, 3 seeds\n")
    table = plain(out.split("class-incremental")[1])
    assert "agem 72.77 ± 5.00 65.1 +7.7 +1.5 3.1 MB* 61.0 3" in table
    assert "none 19.95 ± 0.05 19.9 +0.1 +1.0 0 B 1.0 2 of 3" in table
    assert "icarl – 92.5 – – – – 0 of 3" in table
    assert "xdg – – – – – – –" in table
    scatter = out.split("seeds, where they differ by more than 1 point:\n")[1].splitlines()
    assert scatter[0].split() == ["agem", "82.1", "65.0", "71.2"]
    assert scatter[1] == ""


def test_a_single_seed_has_no_error(monkeypatch, capsys, tmp_path):
    nothing_runs(monkeypatch, [record("none", "class", 0, 0.1983)])
    reproduce("--methods", "none", "--scenarios", "class", "--results", tmp_path)
    out = capsys.readouterr().out
    assert "none 19.83 19.9 -0.1 – 0 B 1.0" in plain(out)
    assert "where they differ" not in out


def test_what_is_only_published_stands_in_the_whole_table(monkeypatch, capsys, tmp_path):
    nothing_runs(monkeypatch)
    assert reproduce("--results", tmp_path) == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"^fromp \(published only\) +– +\d\d\.\d", out, re.MULTILINE)) == 3
    assert sum(line.startswith(tuple(ROWS)) for line in out.splitlines()) == 3 * len(ROWS)
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("samples", "other", "text"),
    [
        (0, 0, "0 B "),
        (0, 999, "999 B "),
        (40, 6000, "6.0 kB*"),
        (31_400_000, 0, "31 MB*"),
        (0, 1.5e9, "1.5 GB "),
        (math.nan, math.nan, "– "),
    ],
)
def test_sizes_are_for_people(samples, other, text):
    assert cli.screen.size(samples, other) == text


# ---- what it writes ----------------------------------------------------------------------------------


def test_json_holds_everything(results, tmp_path, capsys):
    file = tmp_path / "all.json"
    assert reproduce(*QUICK, "--seeds", 2, "--results", results, "--json", file) == 0
    read = json.loads(file.read_text())
    assert read["settings"]["steps"] == 2
    assert read["is_protocol"] is False
    assert len(read["cells"]) == 12
    assert all(len(cell["accuracy_matrix"]) == 5 and "numpy" in cell["versions"] for cell in read["cells"])
    assert [line["published"] for line in read["summary"]] == [84.3, 99.7, 60.1, 98.6, 19.9, 98.2]
    assert read["failures"] == []
    assert f"wrote {file}" in capsys.readouterr().out


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_plot_draws_a_picture(results, tmp_path, ending, start):
    file = tmp_path / f"beside.{ending}"
    assert reproduce(*QUICK, "--seeds", 2, "--results", results, "--plot", file) == 0
    assert file.read_bytes().startswith(start)


def test_the_picture_has_a_panel_a_scenario_and_ours_beside_published():
    from incrlearn.benchmark.plot import plot_reproduction
    from incrlearn.benchmark.reproduction import summarize

    settings = Settings(("none", "icarl"), ("domain", "class"), seeds=2)
    records = [record("none", kind, k, 0.2 + k / 10) for kind in ("domain", "class") for k in range(2)]
    figure = plot_reproduction(summarize(settings, records), "title")
    domain, class_ = figure.axes
    assert (domain.get_title(), class_.get_title()) == ("domain-incremental", "class-incremental")
    assert [label.get_text() for label in domain.get_yticklabels()] == ["none", "icarl"]
    published, seeds, ours = class_.get_lines()[:3]
    np.testing.assert_array_equal(published.get_xdata(orig=False), [19.9, 92.5])
    np.testing.assert_allclose(seeds.get_xdata(orig=False), [20, 30])
    np.testing.assert_allclose(ours.get_xdata(orig=False), [25, np.nan])
    np.testing.assert_array_equal(domain.get_lines()[0].get_xdata(orig=False), [60.1, np.nan])


# ---- what goes wrong ---------------------------------------------------------------------------------


def test_cells_that_fail_are_named_at_the_end_with_status_1(monkeypatch, results, tmp_path, capsys):
    monkeypatch.setitem(ROWS, "si", Row("si", "SI", (99.2, 66.9, 21.2), "l2(strength=1e30)"))
    file = tmp_path / "all.json"
    options = ["--methods", "si", "none", "--steps", "2", "--scenarios", "class", "--results", results]
    assert reproduce(*options, "--json", file) == 1
    printed = capsys.readouterr()
    assert re.search(r"^none +\d", printed.out, re.MULTILINE)
    assert re.search(r"^si +– +21.2 ", printed.out, re.MULTILINE)
    assert "failed: 1 of 2 cells\n  si, class, seed 0: FloatingPointError: " in printed.err
    assert len(json.loads(file.read_text())["failures"]) == 1


def test_what_is_finished_is_shown_when_interrupted(monkeypatch, capsys, tmp_path):
    nothing_runs(monkeypatch, [record("none", "class", 0, 0.1983)], KeyboardInterrupt())
    assert reproduce("--methods", "none,joint", "--scenarios", "class", "--results", tmp_path) == 130
    printed = capsys.readouterr()
    assert re.search(r"^none +19\.83", printed.out, re.MULTILINE)
    assert re.search(r"^joint +– +98\.2", printed.out, re.MULTILINE)
    assert printed.err.splitlines() == [
        f"what is finished is kept in {tmp_path}: call again to go on",
        "incrlearn reproduce split-mnist: interrupted",
    ]


def test_failures_do_not_hide_what_is_finished(monkeypatch, capsys, tmp_path):
    (cell,) = Settings(("joint",), ("class",)).cells()
    nothing_runs(monkeypatch, [record("none", "class", 0, 0.2)], CellsFailed([(cell, MemoryError("no"))], 2))
    assert reproduce("--methods", "none,joint", "--scenarios", "class", "--results", tmp_path) == 1
    printed = capsys.readouterr()
    assert re.search(r"^none +20\.00", printed.out, re.MULTILINE)
    assert printed.err.endswith("failed: 1 of 2 cells\n  joint, class, seed 0: MemoryError: no\n")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_a_stop_in_the_middle_keeps_what_is_finished_and_leaves_no_process(sign, tmp_path, monkeypatch):
    if not Path("/proc/self/stat").exists():
        pytest.skip("processes are looked up in /proc")
    folder = tmp_path / "cells"
    options = ["--methods", "none", "--steps", "20", "--seeds", "9", "--workers", "2", "--results", folder]
    command = [sys.executable, "-m", "incrlearn", "reproduce", "split-mnist", *options]
    running = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    try:
        wait_for(lambda: any(folder.glob("none-*.json")))
        workers = children(running.pid)
        running.send_signal(sign)
        _, error = running.communicate(timeout=10)
    finally:
        running.kill()
    assert len(workers) >= 2
    wait_for(lambda: not any(alive(worker) for worker in workers))
    if sign == signal.SIGINT:
        assert running.returncode == 130
        assert error.endswith("incrlearn reproduce split-mnist: interrupted\n")
        assert "Traceback" not in error
    ran = cells_run_in_the_second_call(monkeypatch, folder)
    assert 0 < ran < 27
    assert ran == 27 - len(list(folder.glob("none-*.json")))


def heed_interrupts():
    """Undo what a shell does to what it runs in the background, the tests themselves it may be: no Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def cells_run_in_the_second_call(monkeypatch, folder):
    """Return how many cells an unchanged call would run; all that are kept must be whole."""
    seen = []

    def record_of_nothing(*arguments):
        return iter(())

    monkeypatch.setattr(reproduction, "_records", record_of_nothing)
    settings = Settings(("none",), seeds=9, steps=20, results=folder)
    reproduction.reproduce(settings, on_cell=lambda outcome: seen.append(outcome.status))
    assert set(seen) == {"kept"}
    return len(settings.cells()) - len(seen)


def wait_for(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def children(parent):
    """Return the process ids of a process's children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# ---- how it says no ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--methods", "amnesia"], "method must be one of 'none', .* got 'amnesia'"),
        (["--methods", "fromp"], "fromp is published"),
        (["--methods", "xdg", "--scenarios", "class"], "xdg serves the scenario task, not class"),
        (["--methods", "none", "none"], "twice"),
        (["--scenarios", "episodic"], "scenario must be one of 'task', 'domain', 'class', got 'episodic'"),
        (["--seeds", "0"], "seeds must be a whole number ≥ 1, got 0"),
        (["--workers", "0"], "workers"),
        (["--steps", "many"], "--steps: invalid int value: 'many'"),
        (["--results", "nowhere/at/all"], "--results nowhere/at/all: there is no folder nowhere/at"),
        (["--results", __file__], "is no folder"),
        (["--json", "nowhere/at/all.json"], "--json nowhere/at/all.json: there is no folder"),
        (["--plot", "picture.doc"], "--plot must end in .png, .svg, .pdf, got 'picture.doc'"),
        (["--colour", "red"], "unrecognized arguments: --colour red"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line_with_status_2(capsys, options, message):
    assert re.search(message, refused(capsys, *options))


def test_without_mnist_nothing_begins(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("INCRLEARN_DATA")
    monkeypatch.setattr(reproduction, "ProcessPoolExecutor", None)
    assert "INCRLEARN_DATA" in refused(capsys, "--results", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    monkeypatch.setenv("INCRLEARN_DATA", str(tmp_path))
    assert "mnist.npz" in refused(capsys, "--results", tmp_path / "new")


@pytest.mark.parametrize("package", ["rich", "matplotlib"])
def test_a_missing_extra_is_named(capsys, monkeypatch, package):
    monkeypatch.setattr(cli.screen, "find_spec", lambda name: None if name == package else object())
    assert f"{package} is not installed" in refused(capsys, "--plot", "x.png")


def test_without_a_name_it_says_what_can_be_reproduced(capsys):
    assert cli.main(["reproduce"]) == 2
    assert capsys.readouterr().err == (
        "incrlearn reproduce: say what to reproduce: incrlearn reproduce split-mnist\n"
    )
    with pytest.raises(SystemExit) as stop:
        cli.main(["reproduce", "split-cifar"])
    assert stop.value.code == 2
    assert re.search("split-cifar.*split-mnist", capsys.readouterr().err)


def test_help_names_everything(capsys):
    with pytest.raises(SystemExit) as stop:
        reproduce("--help")
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("--methods", "--workers", "INCRLEARN_DATA", "agem", "(default"))
