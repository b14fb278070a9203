"""The command line with closed forms, the default: files are gone through in chunks, and no row is kept."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incrlearn import AnalyticClassifier, AnalyticRegressor, IncrementalClassifier, load, tables
from incrlearn.cli.passes import Accuracy, Errors
from incrlearn.tables import read_table

from .processes import run_python
from .test_cli_models import animals, done, incrlearn, line, refused
from .test_tables import long_table

PLAIN = ["--features", "identity"]


@pytest.fixture
def model(tmp_path, capsys):
    """A file with a model of cats and dogs."""
    path = tmp_path / "m.npz"
    done(capsys, "fit", animals(tmp_path / "first.csv"), "--target", "kind", "--model", path)
    return path


@pytest.fixture
def small_chunks(monkeypatch):
    """Files are read in chunks of seven rows."""
    monkeypatch.setattr(tables, "CHUNK_ROWS", 7)


# ---- from the first row to the last ------------------------------------------------------------------


def test_a_closed_form_is_fitted_updated_tested_and_used(tmp_path, capsys, small_chunks):
    path = tmp_path / "m.npz"
    printed = done(capsys, "fit", animals(tmp_path / "first.csv"), "--target", "kind", "--model", path)
    assert printed.startswith("learned 2 classes of 'kind' from 40 rows of first.csv\n")
    assert re.search(r"^method +analytic *$", printed, re.M)
    assert re.search(r"^accuracy +100\.0 % on these rows, which it has learned from *$", printed, re.M)

    printed = done(capsys, "update", path, animals(tmp_path / "more.csv", ["fox"], 40, seed=1))
    assert printed.startswith("learned 40 rows of more.csv; new: fox\n")
    assert re.search(r"^accuracy +100\.0 % on these rows, which it has learned from *$", printed, re.M)
    assert "It keeps no rows and has forgotten none: all rows at once give the same model." in printed

    test = animals(tmp_path / "test.csv", ["cat", "dog", "fox", "[red]owl"], 5, seed=2)
    printed = done(capsys, "evaluate", path, test)
    assert "accuracy  75.0 %" in printed
    assert re.search(r"^cat +5 +5 +100\.0 *$", printed, re.M)
    assert re.search(r"^\[red\]owl +5 +0 +0\.0 +never learned, so counted as wrong", printed, re.M)

    output = tmp_path / "y.csv"
    assert "(20 rows)" in done(capsys, "predict", path, test, "--output", output)
    predicted = output.read_text().splitlines()
    assert predicted[:16] == ["kind", *["cat"] * 5, *["dog"] * 5, *["fox"] * 5]
    assert len(predicted) == 21


def test_the_command_line_learns_what_python_learns_from_all_rows_at_once(tmp_path, capsys, small_chunks):
    path = tmp_path / "m.npz"
    first, more = animals(tmp_path / "first.csv"), animals(tmp_path / "more.csv", ["fox", "dog"], seed=1)
    done(capsys, "fit", first, "--target", "kind", "--model", path)
    done(capsys, "update", path, more)
    one, other = read_table(first, "kind"), read_table(more, "kind")
    x, y = np.vstack([one.values, other.values]), np.append(one.labels(), other.labels())
    ours = AnalyticClassifier(random_state=0).fit(x, y)
    theirs = load(path)
    assert theirs.classes_.tolist() == ["cat", "dog", "fox"]
    assert theirs.n_samples_seen_ == 80
    np.testing.assert_allclose(theirs.predict_proba(other), ours.predict_proba(other.values), atol=1e-6)


def test_update_notes_what_it_learned(tmp_path, capsys, model):
    data = animals(tmp_path / "more.csv", ["fox"])
    done(capsys, "update", model, data)
    new = load(model)
    table = read_table(data, "kind")
    assert new.notes_["target"] == "kind"
    assert new.notes_["history"][1] == {
        "file": str(data),
        "rows": 20,
        "task": None,
        "new_classes": ["fox"],
        "score": new.score(table, table.labels()),
    }


def test_closed_forms_are_the_default_with_the_defaults_of_their_estimators(tmp_path, capsys, model):
    assert isinstance(load(model), AnalyticClassifier)
    assert load(model).get_params() == AnalyticClassifier(random_state=0).get_params()
    data = line(tmp_path / "line.csv")
    done(capsys, "fit", data, "--target", "price", "--model", model, "--regression", "--force")
    assert isinstance(load(model), AnalyticRegressor)
    assert load(model).get_params() == AnalyticRegressor(random_state=0).get_params()


@pytest.mark.parametrize(
    ("method", "solver"), [("analytic", "ridge"), ("streaming_lda", "lda"), ("nearest_mean", "nearest_mean")]
)
def test_every_closed_form_has_a_name(tmp_path, capsys, method, solver):
    path, data = tmp_path / "m.npz", animals(tmp_path / "a.csv")
    fit = ["fit", data, "--target", "kind", "--model", path, "--method", method]
    assert re.search(rf"^method +{method} *$", done(capsys, *fit, *PLAIN), re.M)
    assert load(path).solver == solver
    printed = done(capsys, "show", path)
    pairs = {"method": method, "features": "identity", "solver": solver, "memory": "keeps no rows"}
    for name, value in pairs.items():
        assert re.search(rf"^{name} +{value} *$", printed, re.M), name
    assert ("strength" in printed) == (method != "nearest_mean")
    assert "accuracy  100.0 %" in done(capsys, "evaluate", path, data)


def test_every_option_of_a_closed_form_reaches_the_model(tmp_path, capsys):
    path, data = tmp_path / "m.npz", animals(tmp_path / "a.csv")
    fit = ["fit", data, "--target", "kind", "--model", path, "--features", "relu(units=50)", "--seed", "3"]
    done(capsys, *fit, "--strength", "0.25")
    wanted = dict(features="relu(units=50)", strength=0.25, random_state=3, strength_=0.25)
    assert {name: getattr(load(path), name) for name in wanted} == wanted
    assert re.search(r"^strength +0\.25 *$", done(capsys, "show", path), re.M)
    done(capsys, *fit, "--strength", "auto", "--force")
    assert load(path).strength == "auto"
    assert re.search(r"^strength +\S+, chosen from the rows *$", done(capsys, "show", path), re.M)


def test_show_says_what_a_closed_form_knows_and_how_it_came_to(tmp_path, capsys, model, small_chunks):
    done(capsys, "update", model, animals(tmp_path / "more.csv", ["fox", "[red]owl"], 10, seed=1))
    printed = done(capsys, "show", model)
    assert (
        printed.startswith(f"m.npz: a classifier ({model.stat().st_size / 1e3:.0f} kB)\n") or "MB" in printed
    )
    assert re.search(r"^learned +60 rows *$", printed, re.M)
    assert "hidden" not in printed
    assert "in memory" not in printed
    assert "accuracy in % by every update, of its rows\n" in printed
    assert re.search(r"^first\.csv +cat, dog +40 +100\.0 *$", printed, re.M)
    assert re.search(r"^more\.csv +\[red\]owl, fox +20 +100\.0 *$", printed, re.M)
    assert max(map(len, printed.splitlines())) <= 80


def test_a_model_that_forgets_says_so(tmp_path, capsys, model):
    data = read_table(tmp_path / "first.csv", "kind")
    made = AnalyticClassifier(forgetting=0.99).fit(data, data.labels())
    made.notes_ = {"target": "kind"}
    made.save(model)
    printed = done(capsys, "update", model, tmp_path / "first.csv")
    assert "It keeps no rows, and counts older ones less and less (forgetting 0.99)." in printed


def test_features_of_the_first_rows_are_said_to_be(tmp_path, capsys):
    path, data = tmp_path / "m.npz", tmp_path / "t.npz"
    rng = np.random.default_rng(0)
    np.savez(data, x=rng.random((60, 64)), y=rng.integers(0, 2, 60))
    done(
        capsys,
        "fit",
        data,
        "--model",
        path,
        "--features",
        "patches(filters=5, size=3, cells=2, learned=True)",
    )
    printed = done(capsys, "update", path, data)
    assert "It keeps no rows and has forgotten none; its features are of the first rows." in printed


def test_a_known_task_is_told_to_a_closed_form(tmp_path, capsys, small_chunks):
    path, data = tmp_path / "m.npz", animals(tmp_path / "a.csv")
    done(capsys, "fit", data, "--target", "kind", "--model", path, "--task", "pets")
    wild = animals(tmp_path / "b.csv", ["fox", "[red]owl"])
    done(capsys, "update", path, wild, "--task", "wild")
    predicted = done(capsys, "predict", path, wild, "--task", "pets").split()
    assert set(predicted) == {"kind", "cat", "dog"}
    assert "accuracy  100.0 %" in done(capsys, "evaluate", path, wild, "--task", "wild")
    assert "b.csv (task wild)" in done(capsys, "show", path)
    assert "sea" in refused(capsys, "predict", path, wild, "--task", "sea")


# ---- numbers -------------------------------------------------------------------------------------------


def test_numbers_are_learned_updated_tested_and_predicted(tmp_path, capsys, small_chunks):
    path = tmp_path / "r.npz"
    fit = ["fit", line(tmp_path / "line.csv"), "--target", "price", "--model", path, "--regression"]
    assert "learned the numbers of 'price' from 40 rows of line.csv" in done(capsys, *fit)
    more, test = line(tmp_path / "more.csv", seed=1), line(tmp_path / "test.csv", 15, seed=2)
    printed = done(capsys, "update", path, more)
    assert re.search(r"^R² +1\.000 on these rows", printed, re.M)
    model, table = load(path), read_table(test, "price")
    printed = done(capsys, "evaluate", path, test)
    assert re.search(r"^R² +1\.000 *$", printed, re.M)
    error = np.abs(model.predict(table) - table.numbers()).mean()
    assert re.search(rf"^mean absolute error +{re.escape(f'{error:.6g}')} *$", printed, re.M)
    predicted = done(capsys, "predict", path, test).split()
    assert predicted[0] == "price"
    np.testing.assert_allclose(np.array(predicted[1:], float), model.predict(table), rtol=1e-12)
    printed = done(capsys, "show", path)
    for pattern in ("features +identity *$", "solver +ridge *$", r"more\.csv +40 +1\.000 *$"):
        assert re.search(f"^{pattern}", printed, re.M)


def test_a_closed_form_of_several_numbers_is_refused(tmp_path, capsys):
    path, data = tmp_path / "m.npz", line(tmp_path / "a.csv")
    table = read_table(data, "price")
    AnalyticRegressor().fit(table, np.column_stack([table.numbers()] * 2)).save(path)
    for command in ("predict", "evaluate", "update"):
        error = refused(capsys, command, path, data, "--target", "price")
        assert f"{path} predicts 2 numbers for a row: use it from Python" in error


# ---- labels in chunks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "classes"), [(["1", "2", "x"], ["1", "2", "x"]), (["1.0", "2", "3."], [1, 2, 3])]
)
def test_labels_are_numbers_only_if_all_of_the_file_are(tmp_path, capsys, small_chunks, labels, classes):
    path, names = tmp_path / "m.npz", dict(zip(["cat", "dog", "fox"], labels, strict=True))
    data = animals(tmp_path / "a.csv", list(names), names=names)
    done(capsys, "fit", data, "--target", "kind", "--model", path)
    assert load(path).classes_.tolist() == classes
    assert "accuracy  100.0 %" in done(capsys, "evaluate", path, data)


def test_names_are_refused_by_a_closed_form_of_numbers(tmp_path, capsys, small_chunks):
    path = tmp_path / "m.npz"
    numbers = animals(tmp_path / "a.csv", names={"cat": "1", "dog": "2"})
    done(capsys, "fit", numbers, "--target", "kind", "--model", path)
    before = path.read_bytes()
    mixed = animals(tmp_path / "b.csv", names={"cat": "1", "dog": "dog"})
    error = refused(capsys, "update", path, mixed)
    assert "line 22, column 'kind': must be a whole number, like the labels known, got 'dog'" in error
    assert path.read_bytes() == before


@pytest.mark.parametrize("cell", ["2.5", "1e-3"])
def test_a_late_fraction_is_refused_with_what_to_do(tmp_path, capsys, small_chunks, cell):
    (tmp_path / "a.csv").write_text("a,y\n" + "1,2\n" * 20 + f"1,{cell}\n")
    fit = ["fit", tmp_path / "a.csv", "--target", "y", "--model", tmp_path / "m.npz"]
    error = refused(capsys, *fit)
    assert f"line 22, column 'y': must be a name or a whole number, to be a label, got '{cell}'" in error
    assert error.endswith("; to predict numbers, use --regression\n")
    done(capsys, *fit, "--regression")


# ---- any file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
def test_every_kind_of_file_is_gone_through_in_chunks(tmp_path, capsys, small_chunks, ending):
    source, path, data = animals(tmp_path / "a.csv"), tmp_path / "m.npz", tmp_path / f"t.{ending}"
    table = read_table(source, "kind")
    if ending == "npz":
        np.savez_compressed(data, x=table.values, columns=table.columns, kind=table.labels())
    elif ending == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow.parquet import write_table

        columns = dict(zip(table.columns, table.values.T, strict=True)) | {"kind": table.labels().tolist()}
        write_table(pyarrow.table(columns), data, row_group_size=11)
    else:
        data.write_bytes(source.read_bytes())
    assert "from 40 rows" in done(capsys, "fit", data, "--target", "kind", "--model", path)
    done(capsys, "update", path, data)
    assert load(path).n_samples_seen_ == 80
    assert "accuracy  100.0 %" in done(capsys, "evaluate", path, data)
    assert done(capsys, "predict", path, data) == done(capsys, "predict", path, source)


def test_archives_are_taken_without_names_by_position(tmp_path, capsys, small_chunks):
    path, data = tmp_path / "m.npz", tmp_path / "data.npz"
    table = read_table(animals(tmp_path / "a.csv"), "kind")
    np.savez(data, x=table.values, y=table.labels())
    assert "columns    2" in done(capsys, "fit", data, "--model", path)
    assert "accuracy  100.0 %" in done(capsys, "evaluate", path, tmp_path / "a.csv", "--target", "kind")
    np.savez(data, x=table.values[:, :1], y=table.labels())
    error = refused(capsys, "update", path, data)
    assert f"{data} has 1 column of features, but {path} has learned from 2" in error


@pytest.mark.parametrize("method", ["analytic", "none"])
def test_predictions_in_chunks_are_those_of_the_whole(tmp_path, capsys, monkeypatch, method):
    path, data = tmp_path / "m.npz", animals(tmp_path / "a.csv", ["cat", "dog", "fox"], n=11)
    done(capsys, "fit", data, "--target", "kind", "--model", path, "--method", method)
    whole = done(capsys, "predict", path, data, "--proba"), done(capsys, "evaluate", path, data)
    monkeypatch.setattr(tables, "CHUNK_ROWS", 4)
    printed = done(capsys, "predict", path, data, "--proba"), done(capsys, "evaluate", path, data)
    assert printed[1] == whole[1]
    of_whole, of_chunks = (list(csv.reader(text.splitlines())) for text in (whole[0], printed[0]))
    assert [row[0] for row in of_chunks] == [row[0] for row in of_whole]
    values = [np.array([row[1:] for row in rows[1:]], float) for rows in (of_whole, of_chunks)]
    np.testing.assert_allclose(values[1], values[0], rtol=1e-4, atol=1e-9)


# ---- saying no -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hidden", "8"], "--hidden is for networks, and method analytic has none: leave it out, or"),
        (["--epochs", "3"], "--epochs is for networks, and method analytic has none"),
        (
            ["--batch-size", "3", "--method", "nearest_mean"],
            "--batch-size is for networks, and method nearest_",
        ),
        (["--learning-rate", "1", "--regression"], "--learning-rate is for networks, and method analytic"),
        (["--memory-size", "9"], "has none: leave it out, or try --method replay"),
        (
            ["--features", "relu", "--method", "replay"],
            "--features is for analytic, streaming_lda, nearest_mean, and method replay",
        ),
        (["--strength", "auto", "--method", "none"], "method none is a network's: leave it out"),
        (["--method", "streaming_lda", "--regression"], "--regression: method streaming_lda learns classes"),
        (["--method", "nearest_mean", "--regression"], "of numbers, --method analytic does"),
        (["--strength", "much"], "--strength: invalid strength value: 'much'"),
        (["--strength", "-1"], "strength"),
        (["--strength", "2", "--method", "streaming_lda"], "strength"),
        (["--strength", "nan"], "strength"),
        (["--features", "magic"], "features"),
        (["--seed", "-1"], "random_state"),
    ],
)
def test_options_that_a_method_has_not_are_refused(tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    animals(tmp_path / "a.csv")
    assert message in refused(capsys, "fit", "a.csv", "--target", "kind", "--model", "m.npz", *options)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def late_fault(path, n=50):
    """Write a table whose last row has a name in the place of a number."""
    animals(path, n=n)
    path.write_text(path.read_text() + "1,heavy,cat\n")
    return path


@pytest.mark.parametrize("method", ["analytic", "replay"])
def test_a_fault_in_the_last_row_leaves_nothing_half_done(tmp_path, capsys, small_chunks, method):
    path = tmp_path / "m.npz"
    data, bad = animals(tmp_path / "a.csv"), late_fault(tmp_path / "bad.csv")
    done(capsys, "fit", data, "--target", "kind", "--model", path, "--method", method)
    before, files = path.read_bytes(), {"a.csv", "bad.csv", "m.npz"}
    (tmp_path / "old.csv").write_text("old")
    wrong = f"{bad}, line 102, column 'weight': must be a finite number (float32), got 'heavy'"
    new = tmp_path / "new.npz"
    fit = ["fit", bad, "--target", "kind", "--model", new, "--method", method]
    assert f"{wrong}; --ignore leaves a column out" in refused(capsys, *fit)
    for command in ("update", "evaluate", "predict"):  # of which nothing comes on the screen
        assert wrong in refused(capsys, command, path, bad)
    for output in ("y.csv", "old.csv"):
        assert wrong in refused(capsys, "predict", path, bad, "--output", tmp_path / output)
    assert path.read_bytes() == before
    assert (tmp_path / "old.csv").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == files | {"old.csv"}


def test_an_update_that_is_interrupted_between_chunks_leaves_the_model_as_it_was(
    tmp_path, capsys, monkeypatch, model, small_chunks
):
    learn, calls = AnalyticClassifier.partial_fit, []

    def interrupted(self, *arguments, **options):
        calls.append(learn(self, *arguments, **options))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return self

    monkeypatch.setattr(AnalyticClassifier, "partial_fit", interrupted)
    before = model.read_bytes()
    assert "interrupted" in refused(capsys, "update", model, tmp_path / "first.csv", status=130)
    assert model.read_bytes() == before


def test_features_that_are_too_many_are_refused(tmp_path, capsys):
    fit = ["fit", animals(tmp_path / "a.csv"), "--target", "kind", "--model", tmp_path / "m.npz"]
    assert "20,000 at most" in refused(capsys, *fit, "--features", "relu(units=30000)")


# ---- who is looking ------------------------------------------------------------------------------------


def test_rows_are_counted_where_someone_is_looking(tmp_path, capsys, monkeypatch, model, small_chunks):
    from rich.console import Console

    monkeypatch.setattr(Console, "is_terminal", property(lambda self: self.stderr))
    for command in ("update", "evaluate", "predict"):
        assert incrlearn(command, model, tmp_path / "first.csv") == 0
        printed = capsys.readouterr()
        assert "40/" in printed.err, command
        assert "━" not in printed.out


# ---- files larger than memory ---------------------------------------------------------------------------

COMMANDS = r"""
import contextlib, io, re
from incrlearn import cli, tables
folder, tables.CHUNK_BYTES = {folder!r}, 2**18

def peak():  # in MB; getrusage would begin with what our parent had
    return int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]) / 1024

def run(data):
    model = f"{{folder}}/{{data}}.npz"
    fit = ["fit", f"{{folder}}/{{data}}.csv", "--target", "y", "--model", model, "--features", "identity"]
    with contextlib.redirect_stdout(io.StringIO()):
        assert cli.main(fit) == 0
        for command in (["update"], ["evaluate"], ["predict", "--proba", "--output", f"{{folder}}/p.csv"]):
            assert cli.main([command[0], model, f"{{folder}}/{{data}}.csv", *command[1:]]) == 0

run("small")  # with all that is imported on the way
before = peak()
run("large")
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says what was the most")
def test_the_memory_that_commands_take_does_not_grow_with_the_file(tmp_path):
    long_table(tmp_path / "small.csv", 4000)  # a chunk is full
    long_table(tmp_path / "large.csv", 60_000)  # in memory 10 MB of features, several times, and the labels
    assert float(run_python(COMMANDS.format(folder=str(tmp_path)), OMP_NUM_THREADS="1")) < 6


# ---- what is counted ------------------------------------------------------------------------------------


@given(
    labels=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1, max_size=30),
    cut=st.integers(1, 10),
)
def test_right_ones_are_counted_for_every_class(labels, cut):
    y, predicted = (np.array(column) for column in zip(*labels, strict=True))
    found = Accuracy()
    for start in range(0, len(y), cut):
        found.add(y[start : start + cut], predicted[start : start + cut])
    assert found.rows == len(y)
    assert found.score == (y == predicted).mean()
    assert found.by_class() == [
        (label, int((y == label).sum()), int(((y == label) & (predicted == label)).sum()))
        for label in np.unique(y).tolist()
    ]


@given(
    mean=st.sampled_from([0.0, 1.0, -1e9]),
    n=st.integers(2, 40),
    cut=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_squares_are_added_up_without_losing_digits(mean, n, cut, seed):
    rng = np.random.default_rng(seed)
    y = mean + rng.normal(size=n)
    predicted = y + 0.5 * rng.normal(size=n)
    found = Errors()
    for start in range(0, n, cut):
        found.add(y[start : start + cut], predicted[start : start + cut])
    expected = 1 - np.square(y - predicted).sum() / np.square(y - y.mean()).sum()
    np.testing.assert_allclose(found.score, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.mean_absolute, np.abs(y - predicted).mean(), rtol=1e-9)


def test_numbers_that_are_all_the_same_are_met_or_not():
    for predicted, score in ((0.1, 1.0), (0.2, 0.0)):
        found = Errors()
        for n in (3, 1, 7):
            found.add(np.full(n, 0.1), np.full(n, predicted))
        assert found.score == score


def test_python_and_the_command_line_agree_on_a_network_s_score(tmp_path, capsys):
    path, data = tmp_path / "m.npz", animals(tmp_path / "a.csv", ["cat", "dog"], n=30)
    table = read_table(data, "kind")
    made = IncrementalClassifier("none", 2, n_epochs=1, random_state=0).fit(table, table.labels())
    made.save(path)
    printed = done(capsys, "evaluate", path, data, "--target", "kind")
    assert f"accuracy  {100 * made.score(table, table.labels()):.1f} %" in printed
