"""`incrlearn fit`, `update`, `predict`, `evaluate`, `show`: what they learn, print and refuse.

Here with a network that replays, whose rows in memory are looked at; closed forms: see `test_cli_analytic`.
"""

import csv
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from incrlearn import IncrementalClassifier, IncrementalRegressor, cli, storage
from incrlearn.estimators import load
from incrlearn.tables import Table, read_table

CENTRES = {"cat": (0, 0), "dog": (6, 0), "fox": (0, 60), "[red]owl": (6, 60)}
QUICK = ["--method", "replay", "--hidden", "8", "--epochs", "40", "--learning-rate", "0.01"]


def incrlearn(*arguments):
    return cli.main([str(argument) for argument in arguments])


def done(capsys, *arguments):
    """Return what a command prints that does what it was asked for, and complains about nothing."""
    status = incrlearn(*arguments)
    printed = capsys.readouterr()
    assert status == 0, printed.err
    assert printed.err == ""
    return printed.out


def animals(path, kinds=("cat", "dog"), n=20, seed=0, order=("size", "weight", "kind"), names=None):
    """Write rows of well separated classes as CSV; weight is ten times as large as size."""
    rng = np.random.default_rng(seed)
    rows = []
    for kind in np.repeat(kinds, n):
        size, weight = rng.normal(CENTRES[kind], (0.5, 5.0)).tolist()
        label = kind if names is None else names[kind]
        rows.append({"size": size, "weight": weight, "kind": label, "name": f"no {len(rows)}"})
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, order, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def line(path, n=40, shift=0.0, seed=0):
    """Write rows of a number that depends on two others."""
    x = np.random.default_rng(seed).normal(shift, 1, (n, 2))
    y = 100 + 30 * x[:, 0] - 10 * x[:, 1]
    rows = "\n".join(f"{a!r},{b!r},{t!r}" for (a, b), t in zip(x.tolist(), y.tolist(), strict=True))
    path.write_text(f"a,b,price\n{rows}\n")
    return path


@pytest.fixture
def model(tmp_path, capsys):
    """A file with a model of cats and dogs."""
    path = tmp_path / "m.npz"
    done(capsys, "fit", animals(tmp_path / "first.csv"), "--target", "kind", "--model", path, *QUICK)
    return path


@pytest.fixture
def priced(tmp_path, capsys):
    """A file with a model of numbers."""
    path = tmp_path / "r.npz"
    data = line(tmp_path / "line.csv")
    done(capsys, "fit", data, "--target", "price", "--model", path, "--regression", *QUICK)
    return path


# ---- from the first row to the last ------------------------------------------------------------------


def test_a_model_is_fitted_updated_tested_and_used(tmp_path, capsys, model):
    printed = done(capsys, "update", model, animals(tmp_path / "more.csv", ["fox"], 10, seed=1))
    assert printed.startswith("learned 10 rows of more.csv; new: fox\n")
    assert re.search(r"40 old rows, kept in memory +100\.0 +100\.0", printed)
    assert re.search(r"10 new rows +– +100\.0", printed)
    assert f"wrote {model}" in printed

    test = animals(tmp_path / "test.csv", ["cat", "dog", "fox", "[red]owl"], 5, seed=2)
    printed = done(capsys, "evaluate", model, test)
    assert "accuracy  75.0 %" in printed
    assert re.search(r"^cat +5 +5 +100\.0 *$", printed, re.M)
    assert re.search(r"^\[red\]owl +5 +0 +0\.0 +never learned, so counted as wrong", printed, re.M)

    output = tmp_path / "y.csv"
    assert "wrote" in done(capsys, "predict", model, test, "--output", output)
    predicted = output.read_text().splitlines()
    assert predicted[:16] == ["kind", *["cat"] * 5, *["dog"] * 5, *["fox"] * 5]
    assert len(predicted) == 21


def test_fit_says_what_was_learned_and_from_what(tmp_path, capsys):
    data = animals(tmp_path / "first.csv", order=("name", "size", "weight", "kind"))
    path = tmp_path / "m.npz"
    printed = done(
        capsys,
        "fit",
        data,
        "--target",
        "kind",
        "--ignore",
        "name",
        "--model",
        path,
        *QUICK,
        "--method",
        "none",
    )
    assert printed.startswith("learned 2 classes of 'kind' from 40 rows of first.csv\n")
    for pattern in ("columns +size, weight *$", "classes +cat, dog *$", "method +none *$"):
        assert re.search(pattern, printed, re.M)
    assert "accuracy   100.0 % on these rows, which it has learned from" in printed
    assert f"wrote {path} ({path.stat().st_size / 1e3:.0f} kB)" in printed


def test_the_command_line_learns_what_python_learns(tmp_path, capsys, model):
    data = animals(tmp_path / "more.csv", ["fox", "dog"], seed=1)
    ours = IncrementalClassifier(hidden_layer_sizes=(8,), n_epochs=40, learning_rate=0.01, random_state=0)
    for path in (tmp_path / "first.csv", data):
        table = read_table(path, "kind")
        ours.partial_fit(table, table.labels())
    done(capsys, "update", model, data)
    theirs = load(model)
    assert theirs.classes_.tolist() == ["cat", "dog", "fox"]
    np.testing.assert_array_equal(theirs.predict_proba(table), ours.predict_proba(table))


def test_update_notes_what_it_did_to_the_rows_that_were_in_memory_before(tmp_path, capsys, model):
    old = load(model)
    rows, y = old.remembered()
    rows = Table("memory", ["size", "weight"], rows)
    data = animals(tmp_path / "more.csv", ["fox"], names={"fox": "cat"})
    done(capsys, "update", model, data)
    new = load(model)
    entry = new.notes_["history"][1]
    table = read_table(data, "kind")
    assert entry == {
        "file": str(data),
        "rows": 20,
        "task": None,
        "new_classes": [],
        "score": new.score(table, table.labels()),
        "memory_rows": 40,
        "memory_before": old.score(rows, y),
        "memory_after": new.score(rows, y),
    }


def test_every_option_of_fit_reaches_the_model(tmp_path, capsys):
    path = tmp_path / "m.npz"
    options = ["--method", "replay+l2", "--hidden", "5,3", "--epochs", "2", "--batch-size", "7"]
    options += ["--learning-rate", "0.5", "--memory-size", "11", "--seed", "3"]
    done(capsys, "fit", animals(tmp_path / "a.csv"), "--target", "kind", "--model", path, *options)
    model = load(path)
    wanted = dict(method="replay+l2", hidden_layer_sizes=(5, 3), n_epochs=2, batch_size=7)
    wanted |= dict(learning_rate=0.5, memory_size=11, random_state=3)
    assert {name: getattr(model, name) for name in wanted} == wanted
    assert len(model.remembered()[1]) == 11


def test_the_defaults_of_fit_are_those_of_the_estimator(tmp_path, capsys):
    path, data = tmp_path / "m.npz", animals(tmp_path / "a.csv")
    done(capsys, "fit", data, "--target", "kind", "--model", path, "--method", "replay")
    assert load(path).get_params() == IncrementalClassifier(random_state=0).get_params()


def test_a_method_without_memory_says_so(tmp_path, capsys):
    path = tmp_path / "m.npz"
    done(capsys, "fit", animals(tmp_path / "a.csv"), "--target", "kind", "--model", path, "--method", "none")
    printed = done(capsys, "update", path, animals(tmp_path / "b.csv", ["fox"]))
    assert "Method none keeps no old rows: incrlearn evaluate tells what it forgot." in printed
    assert "in memory" not in printed
    assert re.search("memory +keeps no rows", done(capsys, "show", path))


def test_update_can_leave_the_old_model_and_write_a_new_one(tmp_path, capsys, model):
    before = model.read_bytes()
    new = tmp_path / "new.npz"
    printed = done(capsys, "update", model, animals(tmp_path / "b.csv", ["fox"]), "--output", new)
    assert f"wrote {new}" in printed
    assert model.read_bytes() == before
    assert load(new).classes_.tolist() == ["cat", "dog", "fox"]


def test_force_overwrites_a_model(tmp_path, capsys, model):
    data = animals(tmp_path / "b.csv", ["fox", "dog"])
    done(capsys, "fit", data, "--target", "kind", "--model", model, "--force", *QUICK)
    assert load(model).classes_.tolist() == ["dog", "fox"]


# ---- columns and labels --------------------------------------------------------------------------------


def test_columns_are_matched_by_name(tmp_path, capsys, model):
    one = done(capsys, "predict", model, animals(tmp_path / "a.csv"))
    other = done(capsys, "predict", model, animals(tmp_path / "b.csv", order=("weight", "kind", "size")))
    assert one == other == "\n".join(["kind", *["cat"] * 20, *["dog"] * 20]) + "\n"


def test_what_fit_ignores_the_other_commands_ignore_too(tmp_path, capsys):
    path, named = tmp_path / "m.npz", ("name", "size", "weight", "kind")
    data = animals(tmp_path / "a.csv", order=named)
    done(capsys, "fit", data, "--target", "kind", "--ignore", "name", "--model", path, *QUICK)
    with_names = done(capsys, "predict", path, data)
    assert with_names == done(capsys, "predict", path, animals(tmp_path / "b.csv"))
    done(capsys, "update", path, data)
    assert re.search("ignored +name", done(capsys, "show", path))


def test_labels_that_look_like_numbers_are_names_to_a_model_of_names(tmp_path, capsys, model):
    done(capsys, "update", model, animals(tmp_path / "b.csv", ["fox"], names={"fox": "7"}))
    assert load(model).classes_.tolist() == ["7", "cat", "dog"]


def test_names_are_refused_by_a_model_of_numbers(tmp_path, capsys):
    path = tmp_path / "m.npz"
    numbers = animals(tmp_path / "a.csv", names={"cat": "1.0", "dog": "2.0"})
    done(capsys, "fit", numbers, "--target", "kind", "--model", path, *QUICK)
    assert load(path).classes_.tolist() == [1, 2]
    assert done(capsys, "predict", path, numbers).split()[:2] == ["kind", "1"]
    error = refused(capsys, "update", path, animals(tmp_path / "b.csv"))
    assert "line 2, column 'kind': must be a whole number, like the labels known, got 'cat'" in error


def test_probabilities_are_a_column_for_each_class(tmp_path, capsys, model):
    data = animals(tmp_path / "a.csv")
    rows = list(csv.reader(done(capsys, "predict", model, data, "--proba").splitlines()))
    assert rows[0] == ["kind", "p(cat)", "p(dog)"]
    expected = load(model).predict_proba(read_table(data, "kind"))
    np.testing.assert_allclose(np.array([row[1:] for row in rows[1:]], float), expected, rtol=1e-5, atol=1e-9)


def test_predictions_with_commas_in_them_are_quoted(tmp_path, capsys):
    path, data = tmp_path / "m.npz", animals(tmp_path / "a.csv", names={"cat": 'a,"b"', "dog": "ü"})
    done(capsys, "fit", data, "--target", "kind", "--model", path, *QUICK)
    output = tmp_path / "y.csv"
    done(capsys, "predict", path, data, "--output", output)
    rows = list(csv.reader(output.read_text(encoding="utf-8").splitlines()))
    assert rows == [["kind"], *[['a,"b"']] * 20, *[["ü"]] * 20]


def test_a_known_task_is_told_to_the_model(tmp_path, capsys):
    path = tmp_path / "m.npz"
    data = animals(tmp_path / "a.csv")
    done(capsys, "fit", data, "--target", "kind", "--model", path, "--task", "pets", *QUICK)
    wild = animals(tmp_path / "b.csv", ["fox", "[red]owl"])
    done(capsys, "update", path, wild, "--task", "wild")
    predicted = done(capsys, "predict", path, wild, "--task", "pets").split()
    assert set(predicted) == {"kind", "cat", "dog"}
    assert "accuracy  100.0 %" in done(capsys, "evaluate", path, wild, "--task", "wild")
    assert "b.csv (task wild)" in done(capsys, "show", path)
    assert "sea" in refused(capsys, "predict", path, wild, "--task", "sea")


# ---- numbers -------------------------------------------------------------------------------------------


def test_numbers_are_learned_updated_tested_and_predicted(tmp_path, capsys, priced):
    more, test = line(tmp_path / "more.csv", seed=1), line(tmp_path / "test.csv", 15, seed=2)
    printed = done(capsys, "update", priced, more)
    assert re.search(r"^R² +before +after", printed, re.M)
    assert "new:" not in printed
    model = load(priced)
    table = read_table(test, "price")
    wanted = model.predict(table)
    printed = done(capsys, "evaluate", priced, test)
    assert f"R²                    {model.score(table, table.numbers()):.3f}" in printed
    assert f"mean absolute error   {np.abs(wanted - table.numbers()).mean():.6g}" in printed
    predicted = done(capsys, "predict", priced, test).split()
    assert predicted[0] == "price"
    np.testing.assert_array_equal(np.array(predicted[1:], float), wanted)
    printed = done(capsys, "show", priced)
    assert "a regressor" in printed
    assert "R² by every update" in printed
    assert "new classes" not in printed
    assert re.search(r"^more\.csv +40 +\d\.\d{3} +\d\.\d{3} +\d\.\d{3} *$", printed, re.M)


def test_whole_numbers_of_many_kinds_bring_regression_to_mind(tmp_path, capsys):
    rows = "\n".join(f"{k % 7},{k}" for k in range(60))
    (tmp_path / "a.csv").write_text(f"a,price\n{rows}\n")
    fit = ["fit", tmp_path / "a.csv", "--target", "price", "--model", tmp_path / "m.npz"]
    fit += ["--method", "replay", "--epochs", "1"]
    assert "if 'price' is a number to predict, use --regression" in done(capsys, *fit)
    assert "--regression" not in done(capsys, *fit, "--regression", "--force")


# ---- other files ---------------------------------------------------------------------------------------


def test_archives_are_taken_without_names_by_position(tmp_path, capsys):
    path, data = tmp_path / "m.npz", tmp_path / "data.npz"
    table = read_table(animals(tmp_path / "a.csv"), "kind")
    np.savez(data, x=table.values, y=table.labels())
    assert "columns    2" in done(capsys, "fit", data, "--model", path, *QUICK)
    np.savez(data, X=table.values[:5])
    assert done(capsys, "predict", path, data).split() == ["y", *["cat"] * 5]
    assert "accuracy  100.0 %" in done(capsys, "evaluate", path, tmp_path / "a.csv", "--target", "kind")
    np.savez(data, x=table.values[:, :1], y=table.labels())
    error = refused(capsys, "update", path, data)
    assert f"{data} has 1 column of features, but {path} has learned from 2" in error


def test_archives_with_names_are_matched_by_them(tmp_path, capsys, model):
    data = tmp_path / "data.npz"
    table = read_table(tmp_path / "first.csv", "kind")
    np.savez(data, x=table.values[:, ::-1], columns=["weight", "size"], kind=table.labels())
    assert "accuracy  100.0 %" in done(capsys, "evaluate", model, data)
    np.savez(data, x=table.values, kind=table.labels())
    assert "must hold the array 'columns', to say which are 'size', 'weight'" in refused(
        capsys, "evaluate", model, data
    )


def test_parquet_is_read_where_pyarrow_is_installed(tmp_path, capsys, model):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    table = read_table(tmp_path / "first.csv", "kind")
    columns = {"weight": table.values[:, 1], "size": table.values[:, 0], "kind": table.labels().tolist()}
    write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    assert "accuracy  100.0 %" in done(capsys, "evaluate", model, tmp_path / "t.parquet")


def test_a_model_made_in_python_can_be_used(tmp_path, capsys):
    path, data = tmp_path / "m.npz", animals(tmp_path / "a.csv")
    table = read_table(data, "kind")
    made = IncrementalClassifier("none", 8, n_epochs=40, learning_rate=0.01, random_state=0)
    made.partial_fit(table, table.labels()).save(path)
    assert "accuracy  100.0 %" in done(capsys, "evaluate", path, data, "--target", "kind")
    assert done(capsys, "predict", path, data, "--target", "kind").split()[0] == "kind"
    assert "has no column 'y'" in refused(capsys, "evaluate", path, data)
    assert re.search("target +not noted", done(capsys, "show", path))
    done(capsys, "update", path, data, "--target", "kind")
    assert load(path).n_updates_ == 2


def test_truth_values_learned_in_python_are_read_from_text(tmp_path, capsys):
    path, data = tmp_path / "m.npz", animals(tmp_path / "a.csv", names={"cat": "True", "dog": "False"})
    table = read_table(data, "kind")
    made = IncrementalClassifier("none", 8, n_epochs=40, learning_rate=0.01, random_state=0)
    made.partial_fit(table, table.labels("b")).save(path)
    assert "accuracy  100.0 %" in done(capsys, "evaluate", path, data, "--target", "kind")


def test_a_model_of_several_numbers_is_refused(tmp_path, capsys):
    path, data = tmp_path / "m.npz", line(tmp_path / "a.csv")
    table = read_table(data, "price")
    made = IncrementalRegressor(n_epochs=1, random_state=0)
    made.partial_fit(table, np.column_stack([table.numbers()] * 2)).save(path)
    for command in ("predict", "evaluate", "update"):
        error = refused(capsys, command, path, data, "--target", "price")
        assert f"{path} predicts 2 numbers for a row: use it from Python" in error


# ---- show ----------------------------------------------------------------------------------------------


def test_show_says_what_a_model_knows_and_how_it_came_to(tmp_path, capsys, model):
    done(capsys, "update", model, animals(tmp_path / "more.csv", ["fox", "[red]owl"], 10, seed=1))
    before = model.read_bytes()
    printed = done(capsys, "show", model)
    assert model.read_bytes() == before
    assert printed.startswith(f"m.npz: a classifier ({len(before) / 1e3:.0f} kB)\n")
    pairs = {"classes": r"\[red\]owl, cat, dog, fox", "target": "kind", "columns": "size, weight"}
    pairs |= {"method": "replay", "hidden": "8", "memory": "60 rows", "learned": "60 rows in 2 updates"}
    for name, value in pairs.items():
        assert re.search(rf"^{name} +{value} *$", printed, re.M), name
    assert re.search(r"^first\.csv +cat, dog +40 +100\.0 +– +– *$", printed, re.M)
    assert re.search(r"^more\.csv +\[red\]owl, fox +20 +100\.0 +100\.0 +100\.0 *$", printed, re.M)


def test_no_line_is_wider_than_a_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {kind: f"a rather long name of a class, number {k}" for k, kind in enumerate(CENTRES)}
    animals(tmp_path / "a.csv", list(CENTRES)[:3], names=names)
    animals(tmp_path / "b.csv", list(CENTRES), names=names)
    printed = done(capsys, "fit", "a.csv", "--target", "kind", "--model", "m.npz", *QUICK)
    for command in (["update", "m.npz", "b.csv"], ["evaluate", "m.npz", "b.csv"], ["show", "m.npz"]):
        printed += done(capsys, *command)
    assert "number 3" in printed
    assert max(map(len, printed.splitlines())) <= 80


# ---- saying no -----------------------------------------------------------------------------------------


def refused(capsys, *arguments, status=2):
    """Return the one line with which a call is refused; nothing else is printed."""
    try:
        came = incrlearn(*arguments)
    except SystemExit as stop:
        came = stop.code
    printed = capsys.readouterr()
    assert came == status
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    assert printed.err.startswith(f"incrlearn {arguments[0]}: ")
    return printed.err


NUMBER = "must be a finite number (float32), got"
BAD_TABLES = {
    "size,kind\n1,cat\n": "has no column 'weight', which was learned from",
    "size,weight,age,kind\n1,2,3,cat\n": "has a column 'age', which was not learned from: leave it out",
    "size,weight,kind\n1,2,cat\n1,heavy,cat\n": f"line 3, column 'weight': {NUMBER} 'heavy'",
    "size,weight,kind\n1,2,cat\n,2,cat\n": f"line 3, column 'size': {NUMBER} a missing value",
    "size,weight,kind\n1,NA,cat\n": f"line 2, column 'weight': {NUMBER} 'NA' (a missing value)",
    "size,weight,kind\n1,inf,cat\n": f"line 2, column 'weight': {NUMBER} 'inf'",
    "size,weight,kind\n1,2\n": "line 2: 2 values, but the header names 3 columns",
    "size,weight,kind\n": "must have at least one line after the header",
    "size,size,kind\n1,2,cat\n": "the header names the column 'size' more than once",
    "": "has no column ",
}
BAD_TARGETS = {
    "size,weight,kind\n1,2,cat\n1,2,\n": "line 3, column 'kind': must be a label, got a missing value",
    "size,weight,sort\n1,2,cat\n": "has no column 'kind': there are 'size', 'weight', 'sort'",
}


@pytest.mark.parametrize(
    ("command", "content", "message"),
    [("predict", *item) for item in BAD_TABLES.items()]
    + [(command, *item) for command in ("update", "evaluate") for item in (BAD_TABLES | BAD_TARGETS).items()],
)
def test_a_table_that_does_not_fit_is_refused_and_the_model_is_as_it_was(
    tmp_path, capsys, model, command, content, message
):
    before = model.read_bytes()
    (tmp_path / "bad.csv").write_text(content)
    error = refused(capsys, command, model, tmp_path / "bad.csv")
    assert message in error
    assert "bad.csv" in error
    assert model.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "first.csv", "m.npz"]


@pytest.mark.parametrize("command", ["update", "predict", "evaluate", "show"])
@pytest.mark.parametrize("content", [b"", b"size,kind\n1,cat\n", b"PK\x03\x04 and no more"])
def test_a_file_that_is_no_model_is_refused_by_its_name(tmp_path, capsys, command, content):
    data = animals(tmp_path / "a.csv")
    (tmp_path / "no.npz").write_bytes(content)
    arguments = [command, tmp_path / "no.npz", data][: 2 if command == "show" else 3]
    assert "no.npz" in refused(capsys, *arguments)
    assert (tmp_path / "no.npz").read_bytes() == content
    (tmp_path / "no.npz").unlink()
    assert "no.npz: no such file" in refused(capsys, *arguments)


def test_a_table_in_the_place_of_a_model_is_refused(tmp_path, capsys):
    np.savez(tmp_path / "data.npz", x=np.eye(2), y=["a", "b"])
    assert "data.npz" in refused(capsys, "show", tmp_path / "data.npz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--target is missing, the column to learn: a.csv has 'size', 'weight', 'kind'"),
        (["--target", "sort"], "a.csv has no column 'sort': there are 'size', 'weight', 'kind'"),
        (["--target", "kind", "--ignore", "id"], "--ignore: a.csv has no column 'id': there are 'size'"),
        (["--target", "kind", "--ignore", "kind"], "--ignore kind: this is the target"),
        (["--target", "size"], "(float32), got 'cat'; --ignore leaves a column out"),
        (
            ["--target", "kind", "--regression"],
            "line 2, column 'kind': must be a finite number",
        ),
        (["--target", "kind", "--method", "amnesia"], "method must be one of 'none', "),
        (
            ["--target", "kind", "--method", "analytic+l2"],
            "got 'analytic'; or, by itself, 'analytic', 'streaming_lda', 'nearest_mean'",
        ),
        (["--target", "kind", "--hidden", "0"], "hidden_layer_sizes"),
        (["--target", "kind", "--hidden", "x"], "--hidden: invalid widths value: 'x'"),
        (["--target", "kind", "--epochs", "0"], "n_epochs must be a whole number ≥ 1, got 0"),
        (["--target", "kind", "--batch-size", "0"], "batch_size"),
        (["--target", "kind", "--learning-rate", "-1"], "learning_rate"),
        (["--target", "kind", "--memory-size", "0"], "memory_size"),
        (["--target", "kind", "--seed", "-1"], "random_state"),
        (["--target", "kind", "--model", "m.txt"], "--model must end in .npz, got 'm.txt'"),
        (
            ["--target", "kind", "--model", "nowhere/m.npz"],
            "--model nowhere/m.npz: there is no folder nowhere",
        ),
        (["--target", "kind", "--model", "old.npz"], "old.npz is there already: --force overwrites it"),
        (["--colour", "red"], "unrecognized arguments: --colour red"),
    ],
)
def test_a_wrong_call_of_fit_is_refused_and_writes_nothing(tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    animals(tmp_path / "a.csv")
    (tmp_path / "old.npz").write_text("old")
    assert message in refused(capsys, "fit", "a.csv", "--model", "m.npz", "--method", "replay", *options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "old.npz"]
    assert (tmp_path / "old.npz").read_text() == "old"


@pytest.mark.parametrize("method", ["analytic", "replay"])
def test_fractions_without_regression_are_refused_with_what_to_do(tmp_path, capsys, method):
    path, fit = tmp_path / "m.npz", ["fit", line(tmp_path / "a.csv"), "--target", "price"]
    error = refused(capsys, *fit, "--model", path, "--method", method)
    assert "line 2, column 'price': must be a name or a whole number, to be a label, got '" in error
    assert error.endswith("; to predict numbers, use --regression\n")
    assert not path.exists()


@pytest.mark.parametrize("method", ["analytic", "replay"])
def test_a_missing_label_does_not_bring_regression_to_mind(tmp_path, capsys, method):
    (tmp_path / "a.csv").write_text("a,y\n1,1\n2,\n")
    fit = ["fit", tmp_path / "a.csv", "--target", "y", "--model", tmp_path / "m.npz", "--method", method]
    error = refused(capsys, *fit)
    assert error.endswith("line 3, column 'y': must be a label, got a missing value\n")


def test_what_is_read_is_not_written_over(tmp_path, capsys, model):
    data = tmp_path / "data.npz"
    np.savez(data, x=np.zeros((2, 2)), columns=["size", "weight"], kind=["cat", "dog"])
    before = data.read_bytes(), model.read_bytes()
    assert "would overwrite" in refused(capsys, "predict", model, data, "--output", data)
    assert "would overwrite" in refused(capsys, "predict", model, data, "--output", model)
    assert "would overwrite" in refused(capsys, "fit", data, "--target", "kind", "--model", data, "--force")
    assert "is there already" in refused(capsys, "update", model, data, "--output", data)
    for command in ("predict", "update"):
        assert "there is no folder" in refused(capsys, command, model, data, "--output", "nowhere/y.npz")
    assert (data.read_bytes(), model.read_bytes()) == before


def test_update_writes_over_no_other_model(tmp_path, capsys, model):
    other = tmp_path / "other.npz"
    other.write_text("precious")
    data = animals(tmp_path / "b.csv")
    assert "is there already" in refused(capsys, "update", model, data, "--output", other)
    assert "--output must end in .npz" in refused(capsys, "update", model, data, "--output", "m2")
    assert other.read_text() == "precious"
    done(capsys, "update", model, data, "--output", model)
    assert load(model).n_updates_ == 2


def test_numbers_have_no_probabilities(tmp_path, capsys, priced):
    error = refused(capsys, "predict", priced, tmp_path / "line.csv", "--proba")
    assert f"--proba: {priced} predicts numbers, not classes" in error


def test_parquet_without_pyarrow_is_refused_with_what_to_install(tmp_path, capsys, monkeypatch, model):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"")
    assert "pip install pyarrow" in refused(capsys, "predict", model, tmp_path / "t.parquet")


@pytest.mark.parametrize("command", ["fit", "update", "predict", "evaluate", "show"])
def test_a_missing_extra_is_named(capsys, monkeypatch, command):
    monkeypatch.setattr(cli.screen, "find_spec", lambda name: None)
    arguments = {"fit": ["a.csv", "--model", "m.npz"], "show": ["m.npz"]}.get(command, ["m.npz", "a.csv"])
    assert "rich is not installed: pip install 'incrlearn[cli]'" in refused(capsys, command, *arguments)


# ---- going wrong ---------------------------------------------------------------------------------------


def test_an_update_that_diverges_fails_with_status_1_and_the_model_is_as_it_was(tmp_path, capsys):
    path, data = tmp_path / "m.npz", animals(tmp_path / "a.csv")
    fit = ["fit", data, "--target", "kind", "--model", path, "--method", "replay"]
    assert "failed: " in refused(capsys, *fit, "--learning-rate", "1e300", status=1)
    assert not path.exists()
    done(capsys, *fit, "--epochs", "1")
    model = load(path).set_params(learning_rate=1e300)
    model.save(path)
    before = path.read_bytes()
    assert "failed: " in refused(capsys, "update", path, data, status=1)
    assert path.read_bytes() == before


def test_an_update_that_is_interrupted_says_so_and_the_model_is_as_it_was(
    tmp_path, capsys, monkeypatch, model
):
    steps = IncrementalClassifier.partial_fit_steps

    def interrupted(*arguments, **options):
        yield next(steps(*arguments, **options))
        raise KeyboardInterrupt

    monkeypatch.setattr(IncrementalClassifier, "partial_fit_steps", interrupted)
    before = model.read_bytes()
    assert "interrupted" in refused(capsys, "update", model, tmp_path / "first.csv", status=130)
    assert model.read_bytes() == before


def test_a_disk_that_is_full_fails_with_status_1_and_the_model_is_as_it_was(
    tmp_path, capsys, monkeypatch, model
):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    before = model.read_bytes()
    monkeypatch.setattr(storage.os, "fsync", full)
    data = tmp_path / "first.csv"
    assert "failed: [Errno 28] No space left" in refused(capsys, "update", model, data, status=1)
    assert "No space left" in refused(capsys, "predict", model, data, "--output", tmp_path / "y", status=1)
    assert model.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.csv", "m.npz"]


# ---- who is looking ------------------------------------------------------------------------------------


def test_a_bar_is_shown_where_someone_is_looking(tmp_path, capsys, monkeypatch, model):
    from rich.console import Console

    monkeypatch.setattr(Console, "is_terminal", property(lambda self: self.stderr))
    assert incrlearn("update", model, tmp_path / "first.csv") == 0
    printed = capsys.readouterr()
    assert "learning" in printed.err
    assert "━" in printed.err
    assert "━" not in printed.out


def test_the_commands_run_as_processes_and_are_quiet_when_piped(tmp_path):
    animals(tmp_path / "a.csv")

    def run(command):
        return subprocess.run(
            [sys.executable, "-m", "incrlearn", *command.split()],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )

    fit = run("fit a.csv --target kind --model m.npz --method replay --epochs 20")
    assert (fit.returncode, fit.stderr) == (0, "")
    predict = run("predict m.npz a.csv")
    assert (predict.returncode, predict.stderr) == (0, "")
    assert len(predict.stdout.splitlines()) == 41
    wrong = run("predict m.npz b.csv")
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (
        2,
        "",
        "incrlearn predict: b.csv: no such file\n",
    )


def test_a_reader_that_has_seen_enough_is_no_reason_for_a_traceback(tmp_path, capsys, model):
    data = animals(tmp_path / "a.csv", n=20_000)
    # unbuffered, Python does not notice that only a part was taken
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [sys.executable, "-m", "incrlearn", "predict", str(model), str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize("command", ["fit", "update", "predict", "evaluate", "show"])
def test_help_has_an_example(capsys, command):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"Example: incrlearn {command} " in printed
    if command == "fit":
        assert all(text in printed for text in ("(default analytic)", "(default 100)", "(default 0)"))
