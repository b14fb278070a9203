"""`incrlearn fit`, `update`, `predict`, `evaluate`, `show`: one model of one's own data, kept in one file.

The file holds all that is needed to go on: the model, and in its notes what the command line has to know of
the data (which column is the target, which are ignored) and what every update did. It is written at the very
end, whole or not at all: a command that fails leaves it as it was.
"""

import csv
import io
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..estimators import IncrementalClassifier, IncrementalRegressor, load
from ..learning import METHODS
from ..storage import whole_file
from ..tables import BadValue, Table, column_names, listed, read_table
from .screen import CalledWrong, check_writable, progress, require, say_defaults, table_of, widths, wrong_call

_DATA = "a table: .csv with a header, .npz, or .parquet"


def add_to(commands):
    """Add the commands to the parser's commands."""
    _add_fit(commands)
    _add_update(commands)
    _add_predict(commands)
    _add_evaluate(commands)
    _add_show(commands)


def _add_fit(commands):
    defaults = IncrementalClassifier()
    command, add = _command(commands, "fit", _fit, "learn a new model from a table of your own")
    command.epilog = (
        "Example: incrlearn fit data.csv --target label --model m.npz --ignore id. "
        f"Methods: {', '.join(METHODS)}; see incrlearn compare --help."
    )
    add("data", help=_DATA)
    add("--model", required=True, metavar="FILE", help="where to write it, a file that ends in .npz")
    add("--target", metavar="COLUMN", help="what to learn (in .npz: an array, default y)")
    add(
        "--ignore", action="append", default=[], metavar="COLUMN", help="a column not to use; may be repeated"
    )
    add("--regression", action="store_true", help="learn the target as a number, not as a class")
    add("--method", default=defaults.method, help="how it keeps what it knows")
    add(
        "--hidden",
        type=widths,
        default=defaults.hidden_layer_sizes,
        metavar="N,N",
        help="hidden layers' widths",
    )
    add("--epochs", type=int, default=defaults.n_epochs, metavar="N", help="passes over the rows")
    add("--batch-size", type=int, default=defaults.batch_size, metavar="N", help="rows of a batch")
    add("--learning-rate", type=float, default=defaults.learning_rate, metavar="X", help="Adam's")
    add("--memory-size", type=int, default=defaults.memory_size, metavar="N", help="old rows to keep")
    add("--seed", type=int, default=0, metavar="N", help="of all that is drawn at random")
    add("--task", metavar="NAME", help="these rows belong to a task, which will be known in use, too")
    add("--force", action="store_true", help="overwrite a model that is there already")
    say_defaults(command)


def _add_update(commands):
    command, add = _command(commands, "update", _update, "let a model learn more: new rows, new classes")
    command.epilog = "Example: incrlearn update m.npz new.csv"
    add("model", help="the model; it is overwritten, where --output names no other file")
    add("data", help=_DATA)
    _add_target_and_task(add)
    add("--output", metavar="FILE", help="write the new model here, and leave the old as it is")


def _add_predict(commands):
    command, add = _command(commands, "predict", _predict, "write a model's predictions as CSV")
    command.epilog = "Example: incrlearn predict m.npz x.csv --output y.csv"
    add("model", help="the model")
    add("data", help=f"{_DATA}; with the target or without it")
    _add_target_and_task(add)
    add("--proba", action="store_true", help="add a column of probabilities for each class")
    add("--output", metavar="FILE", help="where to write them (default: on the screen)")


def _add_evaluate(commands):
    command, add = _command(commands, "evaluate", _evaluate, "measure a model on rows that it has not seen")
    command.epilog = "Example: incrlearn evaluate m.npz test.csv"
    add("model", help="the model")
    add("data", help=_DATA)
    _add_target_and_task(add)


def _add_show(commands):
    command, add = _command(commands, "show", _show, "say what a model knows and how it came to")
    command.epilog = "Example: incrlearn show m.npz"
    add("model", help="the model")


def _command(commands, name, run, text):
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.set_defaults(run=run, parser=command)
    return command, command.add_argument


def _add_target_and_task(add):
    add("--target", metavar="COLUMN", help="the target, if its name is not that in fit")
    add("--task", metavar="NAME", help="the task that the rows belong to, if the model knows tasks")


# ---- fit ---------------------------------------------------------------------------------------------


def _fit(options):
    require("rich")
    target = _new_target(options)
    _check_new_model(options)
    kind = IncrementalRegressor if options.regression else IncrementalClassifier
    model = kind(
        options.method,
        options.hidden,
        learning_rate=options.learning_rate,
        batch_size=options.batch_size,
        n_epochs=options.epochs,
        memory_size=options.memory_size,
        random_state=options.seed,
    )
    with progress(f"reading {_name(options.data)}") as update:
        table = _first_table(options, target)
        with wrong_call():
            y = table.numbers() if options.regression else _first_labels(table)
        _learn(model, table, y, options.task, update)
        score = model.score(_features(table), y, task=options.task)
    entry = {"file": options.data, "rows": len(table), "task": options.task, "score": float(score)}
    entry["new_classes"] = [] if options.regression else model.classes_.tolist()
    model.notes_ = {"target": target, "ignore": options.ignore, "history": [entry]}
    model.save(options.model)
    _print_fit(options, model, table, score)


def _new_target(options):
    """Return the target's name, if it and what is to be ignored are columns."""
    with wrong_call():
        names = column_names(options.data) or []
    there = listed(names) or "none"
    archive = Path(options.data).suffix.lower() == ".npz"
    target = options.target or ("y" if archive else None)
    if target is None:
        raise CalledWrong(f"--target is missing, the column to learn: {options.data} has {there}")
    wrong = [name for name in options.ignore if name not in names]
    if wrong:
        raise CalledWrong(f"--ignore: {options.data} has no column {listed(wrong)}: there are {there}")
    if target in options.ignore:
        raise CalledWrong(f"--ignore {target}: this is the target")
    return target


def _check_new_model(options):
    """Refuse a path where the model can not be, or where something is already."""
    path = Path(options.model)
    if path.suffix.lower() != ".npz":
        raise CalledWrong(f"--model must end in .npz, got {options.model!r}")
    check_writable("model", options.model)
    _check_other("model", options.model, options.data)
    if path.exists() and not options.force:
        raise CalledWrong(
            f"--model {options.model} is there already: --force overwrites it, update goes on with it"
        )


def _first_table(options, target):
    with wrong_call():
        try:
            return read_table(options.data, target, options.ignore)
        except BadValue as error:
            raise CalledWrong(f"{error}; --ignore leaves a column out") from None


def _first_labels(table):
    try:
        return table.labels()
    except ValueError as error:
        with suppress(ValueError):
            table.numbers()
            raise CalledWrong(f"{error}; to predict numbers, use --regression") from None
        raise


def _learn(model, table, y, task, update):
    """Let the model learn, and show how far it is."""
    update(description=f"learning {_name(table.path)}")
    with wrong_call():
        for done, total in model.partial_fit_steps(_features(table), y, task=task):
            update(completed=done, total=total)


def _print_fit(options, model, table, score):
    what = "the numbers" if options.regression else f"{_count(len(model.classes_), 'class', 'classes')}"
    _print(f"learned {what} of {table.target!r} from {_count(len(table), 'row')} of {_name(options.data)}\n")
    rows = [("columns", _names(table.columns, 4) if table.columns else table.shape[1])]
    if not options.regression:
        rows.append(("classes", _names(model.classes_)))
    rows.append(("method", options.method))
    rows.append((_measure(model), f"{_score(model, score)} on these rows, which it has learned from"))
    _print_pairs(rows)
    if not options.regression and len(model.classes_) > max(20, len(table) / 5):
        _print(f"\nFew rows for each class: if {table.target!r} is a number to predict, use --regression.")
    print(f"\nwrote {options.model} ({_size(options.model)})")


# ---- update ------------------------------------------------------------------------------------------


def _update(options):
    model = _load(options.model)
    if options.output:
        _check_output_model(options)
    known = set() if _is_regressor(model) else set(model.classes_.tolist())
    with progress(f"reading {_name(options.data)}") as update:
        table, y = _table_for(model, options)
        memory = _memory(model)
        before = None if memory is None else model.score(*memory)
        _learn(model, table, y, options.task, update)
        after = None if memory is None else model.score(*memory)
        score = model.score(_features(table), y, task=options.task)
    new = [] if _is_regressor(model) else [label for label in model.classes_.tolist() if label not in known]
    entry = {"file": options.data, "rows": len(table), "task": options.task, "score": float(score)}
    entry |= {"new_classes": new}
    if memory is not None:
        entry |= {"memory_rows": len(memory[1]), "memory_before": float(before), "memory_after": float(after)}
    model.notes_ = model.notes_ | {"history": [*model.notes_.get("history", []), entry]}
    path = options.output or options.model
    model.save(path)
    _print_update(model, entry)
    print(f"\nwrote {path} ({_size(path)})")


def _check_output_model(options):
    if Path(options.output).suffix.lower() != ".npz":
        raise CalledWrong(f"--output must end in .npz, got {options.output!r}")
    check_writable("output", options.output)
    output = Path(options.output)
    if output.exists() and not output.samefile(options.model):
        raise CalledWrong(f"--output {output} is there already: name another file, or remove it")


def _print_update(model, entry):
    new = f"; new: {_names(entry['new_classes'])}" if entry["new_classes"] else ""
    _print(f"learned {_count(entry['rows'], 'row')} of {_name(entry['file'])}{new}\n")
    table = table_of(_measure(model, " %"), "before", "after")
    if "memory_rows" in entry:
        scores = (_score(model, entry[key], "") for key in ("memory_before", "memory_after"))
        table.add_row(f"{_count(entry['memory_rows'], 'old row')}, kept in memory", *scores)
    table.add_row(_count(entry["rows"], "new row"), "–", _score(model, entry["score"], ""))
    _print(table)
    if "memory_rows" in entry:
        _print("\nIt has learned from these rows: incrlearn evaluate measures it on others.")
    else:
        _print(f"\nMethod {model.method} keeps no old rows: incrlearn evaluate tells what it forgot.")


# ---- predict, evaluate -------------------------------------------------------------------------------


def _predict(options):
    model = _load(options.model)
    if options.proba and _is_regressor(model):
        raise CalledWrong(f"--proba: {options.model} predicts numbers, not classes")
    if options.output:
        check_writable("output", options.output)
        _check_other("output", options.output, options.data, options.model)
    with progress(f"reading {_name(options.data)}"):
        table, _ = _table_for(model, options, with_target=False)
        with wrong_call():
            columns = _predictions(model, table, options)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([list(columns), *zip(*columns.values(), strict=True)])
    if not options.output:
        sys.stdout.write(text.getvalue())
        return
    with whole_file(options.output) as file:
        file.write(text.getvalue().encode())
    print(f"wrote {options.output} ({_count(len(table), 'row')})")


def _predictions(model, table, options):
    """Return the columns to write by their names."""
    columns = {_target_of(model, options): model.predict(_features(table), task=options.task).tolist()}
    if options.proba:
        shares = model.predict_proba(_features(table), task=options.task)
        for label, share in zip(model.classes_.tolist(), shares.T.tolist(), strict=True):
            columns[f"p({label})"] = [f"{p:.6g}" for p in share]
    return columns


def _evaluate(options):
    model = _load(options.model)
    with progress(f"reading {_name(options.data)}"):
        table, y = _table_for(model, options)
        with wrong_call():
            predicted = model.predict(_features(table), task=options.task)
    _print(f"{_name(options.model)} on {_count(len(table), 'row')} of {_name(options.data)}\n")
    if _is_regressor(model):
        pairs = [("R²", f"{model.score(_features(table), y, task=options.task):.3f}")]
        pairs.append(("mean absolute error", f"{np.abs(predicted - y).mean():.6g}"))
        _print_pairs(pairs)
    else:
        _print_accuracies(model, y, predicted == y)


def _print_accuracies(model, y, right):
    _print(f"accuracy  {100 * right.mean():.1f} %\n")
    table = table_of("class", "rows", "right", "accuracy %", "")
    for label in np.unique(y):
        rows = y == label
        never = "" if label in model.classes_ else "never learned, so counted as wrong"
        found = right[rows].sum()
        table.add_row(str(label), f"{rows.sum():,}", f"{found:,}", f"{100 * found / rows.sum():.1f}", never)
    _print(table)


# ---- show --------------------------------------------------------------------------------------------


def _show(options):
    model = _load(options.model)
    notes = model.notes_
    kind = "a regressor" if _is_regressor(model) else "a classifier"
    _print(f"{_name(options.model)}: {kind} ({_size(options.model)})\n")
    pairs = [] if _is_regressor(model) else [("classes", _names(model.classes_))]
    names = getattr(model, "feature_names_in_", None)
    pairs.append(("target", notes.get("target", "not noted")))
    pairs.append(("columns", model.n_features_in_ if names is None else _names(names, 4)))
    if notes.get("ignore"):
        pairs.append(("ignored", _names(notes["ignore"])))
    pairs.append(("method", model.method))
    pairs.append(("hidden", ", ".join(map(str, np.ravel(model.hidden_layer_sizes))) or "none"))
    memory = _memory(model)
    pairs.append(("memory", "keeps no rows" if memory is None else _count(len(memory[1]), "row")))
    pairs.append(
        ("learned", f"{_count(model.n_samples_seen_, 'row')} in {_count(model.n_updates_, 'update')}")
    )
    _print_pairs(pairs)
    if notes.get("history"):
        try:
            _print_history(model, notes["history"])
        except (TypeError, KeyError, AttributeError):  # notes are their owner's: they may say anything
            raise CalledWrong(f"{options.model}: the history in its notes was not written here") from None


def _print_history(model, history):
    _print(f"\n{_measure(model, ' in %')} by every update, of its rows and of those in memory\n")
    words = ["file"] if _is_regressor(model) else ["file", "new classes"]
    table = table_of(*words, "rows", "its rows", "memory before", "after", left=len(words))
    for entry in history:
        file = _name(entry["file"]) + (f" (task {entry['task']})" if entry["task"] else "")
        scores = (
            _score(model, entry[key], "") if key in entry else "–"
            for key in ("score", "memory_before", "memory_after")
        )
        table.add_row(*[file, _names(entry["new_classes"])][: len(words)], f"{entry['rows']:,}", *scores)
    _print(table)


# ---- what they share ---------------------------------------------------------------------------------


def _load(path):
    require("rich")
    with wrong_call():
        return load(path)


def _is_regressor(model):
    return isinstance(model, IncrementalRegressor)


def _target_of(model, options):
    return options.target or model.notes_.get("target", "y")


def _table_for(model, options, with_target=True):
    """Return the table with the model's columns in its order, and the targets as it knows them."""
    target = _target_of(model, options)
    names = getattr(model, "feature_names_in_", None)
    ignore = [*model.notes_.get("ignore", ()), target]
    with wrong_call():
        if _is_regressor(model) and model.network_.outputs > 1:
            numbers = model.network_.outputs
            raise ValueError(f"{options.model} predicts {numbers} numbers for a row: use it from Python")
        table = read_table(
            options.data,
            target if with_target else None,
            ignore,
            None if names is None else names.tolist(),
        )
        if table.shape[1] != model.n_features_in_:
            raise ValueError(
                f"{options.data} has {_count(table.shape[1], 'column')} of features, "
                f"but {options.model} has learned from {model.n_features_in_}"
            )
        if names is None:  # by position, whatever they are called here
            table = replace(table, columns=None)
        if not with_target:
            return table, None
        if _is_regressor(model):
            return table, table.numbers()
        return table, table.labels({"U": "U", "b": "b"}.get(model.classes_.dtype.kind, "i"))


def _memory(model):
    """Return the rows that the model keeps, as an estimator is given them, and their targets; or None."""
    memory = model.remembered()
    if memory is None or not hasattr(model, "feature_names_in_"):
        return memory
    return Table("memory", model.feature_names_in_.tolist(), memory[0]), memory[1]


def _features(table):
    """Return what an estimator is given: a frame where the columns have names, otherwise an array."""
    return table if table.columns else table.values


def _check_other(option, path, *inputs):
    """Refuse to write over what is read."""
    for other in inputs:
        if Path(path).exists() and Path(other).exists() and Path(path).samefile(other):
            raise CalledWrong(f"--{option} {path}: this would overwrite {other}")


def _print(text):
    from rich.console import Console

    Console(markup=False, highlight=False, emoji=False).print(text)


def _print_pairs(pairs):
    from rich.table import Table

    table = Table.grid(padding=(0, 3, 0, 0))
    for name, value in pairs:
        table.add_row(name, str(value))
    _print(table)


def _name(path):
    return Path(path).name


def _names(values, most=10):
    """Say names on the screen: a, b, … 7 in all."""
    names = [str(value) for value in values]
    return (
        ", ".join(names) if len(names) <= most else f"{', '.join(names[: most - 1])}, … {len(names)} in all"
    )


def _count(n, one, many=None):
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _measure(model, unit=""):
    return "R²" if _is_regressor(model) else f"accuracy{unit}"


def _score(model, score, unit=" %"):
    return f"{score:.3f}" if _is_regressor(model) else f"{100 * score:.1f}{unit}"


def _size(path):
    """Say how large a file is."""
    size = Path(path).stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
