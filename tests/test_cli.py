"""The command line: what it prints, what it writes, and how it says no."""

import json
import re
import subprocess
import sys
from importlib import metadata

import pytest

from incrlearn import cli

QUICK = ["--tasks", "2", "--epochs", "1", "--hidden", "8", "--methods", "none", "joint"]


def compare(*options):
    return cli.main(["compare", *map(str, options)])


def refused(capsys, *options):
    """Return the one line with which a wrong call is refused; it has changed nothing and printed nothing."""
    try:
        status = compare(*options)
    except SystemExit as stop:
        status = stop.code
    printed = capsys.readouterr()
    assert status == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    assert printed.err.startswith("incrlearn compare: ")
    return printed.err


def test_compare_prints_one_table_with_bounds_marked(capsys):
    assert compare(*QUICK) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == "split digits, class-incremental, 2 tasks"
    (head,) = [i for i, line in enumerate(lines) if line.lstrip().startswith("method")]
    assert lines[head].split() == ["method", "accuracy", "%", "forgetting", "backward", "memory", "seconds"]
    number, size = r"[+-]?\d+\.\d", r"[\d.]+ k?B\*?"
    for line, name in zip(lines[head + 1 :], ("joint (upper bound)", "none (lower bound)"), strict=False):
        assert re.fullmatch(rf"{re.escape(name)} +{number} +{number} +{number} +{size} +{number} *", line)
    assert printed.err == ""  # no progress bar where nobody is looking


def test_the_best_method_stands_first(capsys):
    compare("--tasks", 2, "--epochs", 5, "--methods", "none", "replay", "joint")
    shares = [float(x) for x in re.findall(r"^\w+(?: \(.*?\))? +(\d+\.\d) ", capsys.readouterr().out, re.M)]
    assert len(shares) == 3
    assert shares == sorted(shares, reverse=True)


def test_several_seeds_give_standard_errors(capsys):
    compare(*QUICK, "--seeds", 2)
    assert re.search(r"joint \(upper bound\) +\d+\.\d ± \d+\.\d", capsys.readouterr().out)


def test_a_single_task_has_no_forgetting(capsys):
    assert compare("--tasks", 1, "--epochs", 1, "--methods", "none") == 0
    assert re.search(r"none \(lower bound\) +\d+\.\d +– +– ", capsys.readouterr().out)


def test_no_line_is_wider_than_a_terminal(capsys):
    compare(*QUICK[:-2], "elastic_net_anchored", "none", "--seeds", 2, "--scenario", "domain")
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_json_holds_matrices_settings_and_versions(tmp_path, capsys):
    file = tmp_path / "all.json"
    assert compare(*QUICK, "--json", file) == 0
    read = json.loads(file.read_text())
    assert read["settings"]["tasks"] == 2
    assert read["settings"]["hidden"] == [8]
    assert [len(run["accuracy_matrix"]) for run in read["runs"]] == [2, 2]
    assert f"wrote {file}" in capsys.readouterr().out


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_plot_draws_a_picture(tmp_path, ending, start):
    file = tmp_path / f"forgetting.{ending}"
    assert compare(*QUICK, "--plot", file) == 0
    assert file.read_bytes().startswith(start)


def test_the_picture_has_a_panel_a_method_and_a_line_a_task():
    from incrlearn.benchmark.comparison import Settings, summarize
    from incrlearn.benchmark.comparison import compare as runs_of
    from incrlearn.benchmark.plot import plot

    settings = Settings(methods=("none", "joint"), tasks=3, epochs=1, hidden=(8,), seeds=2)
    runs = list(runs_of(settings))
    figure = plot(summarize(runs), runs, "title", 3)
    assert len(figure.axes) == 2
    for panel, (name, row) in zip(figure.axes, summarize(runs), strict=True):
        assert panel.get_title().split() == [name, f"{100 * row['average_accuracy'][0]:.1f}", "%"]
        assert [len(line.get_xdata()) for line in panel.get_lines()] == [3, 2, 1]
        last = [line.get_ydata()[-1] for line in panel.get_lines()]
        assert sum(last) / 3 == pytest.approx(100 * row["average_accuracy"][0])


def test_methods_take_options_and_may_be_joined_or_separated_by_commas(capsys):
    assert compare(*QUICK[:-3], "--methods", "logits(T=4, alpha=0.2)", "replay+l2,none") == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("logits(T=4, alpha=0.2)", "replay+l2", "none"))


def test_a_table_of_one_s_own_can_be_compared(tmp_path, capsys):
    file = tmp_path / "fruit.csv"
    rows = [f"{i % 7},{i * 1000},{name}" for i in range(20) for name in ("apple", "pear", "plum", "fig")]
    file.write_text("\n".join(["size,weight,label", *rows]))
    assert compare("--data", file, *QUICK) == 0
    assert "fruit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--methods", "xdg"], "xdg can not take part: Gating serves task-incremental learning only"),
        (["--methods", "amnesia"], "method must be one of 'none', .* got 'amnesia'"),
        (["--methods", "logits(T=-1)"], "T must be a finite number > 0, got -1.0"),
        (["--methods", "none", "none"], "twice"),
        (["--scenario", "episodic"], "--scenario: invalid choice: 'episodic'"),
        (["--tasks", "0"], "tasks must be a whole number ≥ 1, got 0"),
        (["--tasks", "11"], "n_tasks must be at most the number of classes, 10, got 11"),
        (["--tasks", "three"], "--tasks: invalid int value: 'three'"),
        (["--tasks", "3", "--scenario", "domain"], "n_tasks=3"),
        (["--seeds", "0"], "seeds"),
        (["--hidden", "a"], "--hidden"),
        (["--hidden", "0"], "hidden"),
        (["--learning-rate", "-1"], "learning_rate"),
        (["--learning-rate", "nan"], "learning_rate"),
        (["--data", "nowhere.csv"], "nowhere.csv"),
        (["--data", "nowhere.npz"], "nowhere.npz"),
        (["--data", "cifar"], "'digits', 'mnist'"),
        (["--json", "nowhere/at/all.json"], "--json nowhere/at/all.json: there is no folder"),
        (["--plot", "nowhere/at/all.png"], "--plot nowhere/at/all.png: there is no folder"),
        (["--plot", "picture.doc"], "--plot must end in .png, .svg, .pdf, got 'picture.doc'"),
        (["--json", "."], "can not be written to"),
        (["--colour", "red"], "unrecognized arguments: --colour red"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line_with_status_2(capsys, options, message):
    assert re.search(message, refused(capsys, *options))


def test_mnist_without_a_folder_says_what_to_set(capsys, monkeypatch):
    monkeypatch.delenv("INCRLEARN_DATA", raising=False)
    assert "INCRLEARN_DATA" in refused(capsys, "--data", "mnist")


def test_a_table_with_a_hole_is_refused_with_its_place(capsys, tmp_path):
    file = tmp_path / "holes.csv"
    file.write_text("a,label\n1,x\n,y\n")
    message = refused(capsys, "--data", file)
    assert "line 3" in message
    assert "'a'" in message


@pytest.mark.parametrize("package", ["rich", "matplotlib"])
def test_a_missing_extra_is_named(capsys, monkeypatch, package):
    monkeypatch.setattr(cli.screen, "find_spec", lambda name: None if name == package else object())
    assert f"{package} is not installed: pip install 'incrlearn[cli]'" in refused(capsys, "--plot", "x.png")


def test_a_run_that_diverges_fails_with_status_1_and_one_line(capsys):
    assert compare(*QUICK, "--learning-rate", "1e30") == 1
    printed = capsys.readouterr()
    assert re.fullmatch(r"incrlearn compare: failed: .* at step \d+ of task 1\n", printed.err)


def test_a_run_that_is_interrupted_says_so_without_a_traceback(capsys, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.compare, "compare", interrupted)
    assert compare(*QUICK) == 130
    assert capsys.readouterr().err == "incrlearn compare: interrupted\n"


def test_a_failed_run_leaves_the_old_file(tmp_path, capsys):
    file = tmp_path / "all.json"
    file.write_text("old")
    assert compare(*QUICK, "--learning-rate", "1e30", "--json", file) == 1
    assert file.read_text() == "old"


def test_the_module_runs_as_the_console_script_does():
    (script,) = [
        entry for entry in metadata.entry_points(group="console_scripts") if entry.name == "incrlearn"
    ]
    assert script.load() is cli.main
    ran = subprocess.run(
        [sys.executable, "-m", "incrlearn", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("incrlearn ")


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"]])
def test_help_names_everything(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    wanted = ["compare"] if len(arguments) == 1 else ["--scenario", "--json", "--plot", "replay", "(default"]
    assert all(word in printed for word in wanted)
