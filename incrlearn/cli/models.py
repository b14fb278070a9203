"""`incrlearn fit`, `update`, `predict`, `evaluate`, `show`: one model of one's own data, kept in one file.

The file holds all that is needed to go on: the model, and in its notes what the command line has to know of
the data (which column is the target, which are ignored) and what every update did. It is written at the very
end, whole or not at all: a command that fails leaves it as it was. How files are gone through is in `passes`.
"""

import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .. import analytic
from ..analytic import FEATURES, AnalyticClassifier, AnalyticLearner, AnalyticRegressor, as_features
from ..estimators import IncrementalClassifier, IncrementalRegressor, load
from ..learning import METHODS, method
from ..storage import whole_file
from ..tables import CHUNK_BYTES, Table, column_names, listed
from .passes import Data, is_analytic, is_regressor, learn, measure, predictions
from .screen import CalledWrong, check_writable, progress, require, say_defaults, table_of, widths, wrong_call

_DATA = "a table: .csv with a header, .npz, or .parquet"
#: methods in closed form, and their estimator's solver
_ANALYTIC = {  # those that an estimator is made of
    name: recipe().solver
    for name, recipe in analytic.METHODS.items()
    if isinstance(recipe(), AnalyticLearner)
}
#: options that networks have and closed forms have not, and the other way round: which argument each is
_OF_NETWORKS = {
    "hidden": "hidden_layer_sizes",
    "epochs": "n_epochs",
    "batch_size": "batch_size",
    "learning_rate": "learning_rate",
    "memory_size": "memory_size",
}
_OF_ANALYTIC = {"features": "features", "strength": "strength"}


def add_to(commands):
    """Add the commands to the parser's commands."""
    _add_fit(commands)
    _add_update(commands)
    _add_predict(commands)
    _add_evaluate(commands)
    _add_show(commands)


def _add_fit(commands):
    command, add = _command(commands, "fit", _fit, "learn a new model from a table of your own")
    command.epilog = (
        "Example: incrlearn fit data.csv --target label --model m.npz --ignore id. "
        f"Methods: {', '.join(_ANALYTIC)}, in closed form, from files of any size; networks, from files that "
        f"fit into memory: {', '.join(METHODS)}; see incrlearn compare --help."
    )
    add("data", help=_DATA)
    add("--model", required=True, metavar="FILE", help="where to write it, a file that ends in .npz")
    add("--target", metavar="COLUMN", help="what to learn (in .npz: an array, default y)")
    add(
        "--ignore", action="append", default=[], metavar="COLUMN", help="a column not to use; may be repeated"
    )
    add("--regression", action="store_true", help="learn the target as a number, not as a class")
    add("--method", default="analytic", help="how it learns, and keeps what it knows")
    add("--seed", type=int, default=0, metavar="N", help="of all that is drawn at random")
    add("--task", metavar="NAME", help="these rows belong to a task, which will be known in use, too")
    add("--force", action="store_true", help="overwrite a model that is there already")
    say_defaults(command)
    _add_of_analytic(command.add_argument_group("methods in closed form").add_argument)
    _add_of_networks(command.add_argument_group("methods of networks").add_argument)


def _add_of_analytic(add):
    classes, numbers = AnalyticClassifier(), AnalyticRegressor()
    add(
        "--features",
        metavar="TEXT",
        help=f"what is seen of the columns: {', '.join(FEATURES)} (default {classes.features}, and with "
        f"--regression {numbers.features}), or with settings, as in 'relu(units=3000)'",
    )
    add(
        "--strength",
        type=_strength,
        metavar="X",
        help=f"of ridge, or the shrinkage of streaming_lda (default {classes.strength}: by the data)",
    )


def _add_of_networks(add):
    """Add options whose defaults are the estimator's: None here, to know which were given."""
    defaults = IncrementalClassifier()
    hidden = ",".join(map(str, defaults.hidden_layer_sizes))
    add("--hidden", type=widths, metavar="N,N", help=f"hidden layers' widths (default {hidden})")
    for option, kind, metavar, text in (
        ("epochs", int, "N", "passes over the rows"),
        ("batch_size", int, "N", "rows of a batch"),
        ("learning_rate", float, "X", "Adam's"),
        ("memory_size", int, "N", "old rows to keep"),
    ):
        default = getattr(defaults, _OF_NETWORKS[option])
        add(_dashed(option), type=kind, metavar=metavar, help=f"{text} (default {default})")


def _strength(text):
    return text if text == "auto" else float(text)


_strength.__name__ = "strength"  # argparse says it: invalid strength value


def _dashed(option):
    return f"--{option.replace('_', '-')}"


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
    model = _new_model(options)
    target = _new_target(options)
    _check_new_model(options)
    kind = "n" if options.regression else None
    advice = "; --ignore leaves a column out"
    data, total = Data(options.data, target, options.ignore, kind, advice=advice), None
    with progress(f"reading {_name(options.data)}") as bar, wrong_call():
        if is_analytic(model) and not options.regression:
            data, total = data.with_kind(bar)
        rows, score = learn(model, data, options.task, bar, total)
    entry = {"file": options.data, "rows": rows, "task": options.task, "score": score}
    entry["new_classes"] = [] if options.regression else model.classes_.tolist()
    model.notes_ = {"target": target, "ignore": options.ignore, "history": [entry]}
    model.save(options.model)
    _print_fit(options, model, target, entry)


def _new_model(options):
    """Return the model to fit; refuse options that its method has not."""
    name, closed = options.method, options.method in _ANALYTIC
    if not closed:
        with wrong_call():
            _check_method(name)
    ours, others = (_OF_ANALYTIC, _OF_NETWORKS) if closed else (_OF_NETWORKS, _OF_ANALYTIC)
    foreign = next((option for option in others if getattr(options, option) is not None), None)
    if foreign:
        if closed:
            why = f"is for networks, and method {name} has none: leave it out, or try --method replay"
        else:
            why = f"is for {', '.join(_ANALYTIC)}, and method {name} is a network's: leave it out"
        raise CalledWrong(f"{_dashed(foreign)} {why}")
    given = {argument: getattr(options, option) for option, argument in ours.items()}
    given = {argument: value for argument, value in given.items() if value is not None}
    given["random_state"] = options.seed
    if not closed:
        return (IncrementalRegressor if options.regression else IncrementalClassifier)(name, **given)
    if options.regression and name != "analytic":
        raise CalledWrong(f"--regression: method {name} learns classes; of numbers, --method analytic does")
    solver = {} if options.regression else {"solver": _ANALYTIC[name]}
    model = (AnalyticRegressor if options.regression else AnalyticClassifier)(**solver, **given)
    with wrong_call():  # now, not after a pass over the file
        AnalyticLearner(as_features(model.features), _ANALYTIC[name], model.strength)
    return model


def _check_method(name):
    try:
        method(name)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{error}; or, by itself, {listed(_ANALYTIC)}") from None


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


def _print_fit(options, model, target, entry):
    classes = None if options.regression else model.classes_
    what = "the numbers" if classes is None else _count(len(classes), "class", "classes")
    rows = _count(entry["rows"], "row")
    _print(f"learned {what} of {target!r} from {rows} of {_name(options.data)}\n")
    pairs = [("columns", _columns(model))]
    if classes is not None:
        pairs.append(("classes", _names(classes)))
    pairs.append(("method", options.method))
    pairs.append(_on_these_rows(model, entry))
    _print_pairs(pairs)
    if classes is not None and len(classes) > max(20, entry["rows"] / 5):
        _print(f"\nFew rows for each class: if {target!r} is a number to predict, use --regression.")
    print(f"\nwrote {options.model} ({_size(options.model)})")


def _on_these_rows(model, entry):
    return _measure(model), f"{_score(model, entry['score'])} on these rows, which it has learned from"


# ---- update ------------------------------------------------------------------------------------------


def _update(options):
    model = _load(options.model)
    if options.output:
        _check_output_model(options)
    known = set() if is_regressor(model) else set(model.classes_.tolist())
    with progress(f"reading {_name(options.data)}") as bar, wrong_call():
        data = _data_for(model, options)
        memory = _memory(model)
        before = None if memory is None else model.score(*memory)
        rows, score = learn(model, data, options.task, bar)
        after = None if memory is None else model.score(*memory)
    new = [] if is_regressor(model) else [label for label in model.classes_.tolist() if label not in known]
    entry = {"file": options.data, "rows": rows, "task": options.task, "score": score, "new_classes": new}
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
    if is_analytic(model):
        _print_pairs([_on_these_rows(model, entry)])
        _print(f"\n{_what_it_keeps(model)}")
        return
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


def _what_it_keeps(model):
    if model.forgetting < 1:
        return f"It keeps no rows, and counts older ones less and less (forgetting {model.forgetting:g})."
    if model.features_.looks:
        return "It keeps no rows and has forgotten none; its features are of the first rows."
    return "It keeps no rows and has forgotten none: all rows at once give the same model."


# ---- predict, evaluate -------------------------------------------------------------------------------


def _predict(options):
    model = _load(options.model)
    if options.proba and is_regressor(model):
        raise CalledWrong(f"--proba: {options.model} predicts numbers, not classes")
    if options.output:
        check_writable("output", options.output)
        _check_other("output", options.output, options.data, options.model)
    rows, bar = 0, progress(f"predicting {_name(options.data)}")
    with _whole_output(options.output) as write, bar as update, wrong_call():
        for n, text in predictions(model, _data_for(model, options), options.task, options.proba):
            write(text)
            rows += n
            update(completed=rows)
    if options.output:
        print(f"wrote {options.output} ({_count(rows, 'row')})")


@contextmanager
def _whole_output(path):
    """Yield what writes text to a file, or to the screen: all of it, or nothing where the block fails."""
    if path:
        with whole_file(path) as file:
            yield lambda text: file.write(text.encode())
        return
    # the screen is often a file, too, and who reads it could not tell a half from the whole
    with tempfile.SpooledTemporaryFile(CHUNK_BYTES, "w+", encoding="utf-8", newline="") as file:
        yield file.write
        file.seek(0)
        shutil.copyfileobj(file, sys.stdout)


def _evaluate(options):
    model = _load(options.model)
    with progress(f"measuring {_name(options.data)}") as bar, wrong_call():
        found = measure(model, _data_for(model, options), options.task, bar)
    _print(f"{_name(options.model)} on {_count(found.rows, 'row')} of {_name(options.data)}\n")
    if is_regressor(model):
        _print_pairs([("R²", f"{found.score:.3f}"), ("mean absolute error", f"{found.mean_absolute:.6g}")])
    else:
        _print_accuracies(model, found)


def _print_accuracies(model, found):
    _print(f"accuracy  {100 * found.score:.1f} %\n")
    table = table_of("class", "rows", "right", "accuracy %", "")
    for label, rows, right in found.by_class():
        never = "" if label in model.classes_ else "never learned, so counted as wrong"
        table.add_row(str(label), f"{rows:,}", f"{right:,}", f"{100 * right / rows:.1f}", never)
    _print(table)


# ---- show --------------------------------------------------------------------------------------------


def _show(options):
    model = _load(options.model)
    notes = model.notes_
    kind = "a regressor" if is_regressor(model) else "a classifier"
    _print(f"{_name(options.model)}: {kind} ({_size(options.model)})\n")
    pairs = [] if is_regressor(model) else [("classes", _names(model.classes_))]
    pairs.append(("target", notes.get("target", "not noted")))
    pairs.append(("columns", _columns(model)))
    if notes.get("ignore"):
        pairs.append(("ignored", _names(notes["ignore"])))
    pairs += _analytic_pairs(model) if is_analytic(model) else _network_pairs(model)
    _print_pairs(pairs)
    if notes.get("history"):
        try:
            _print_history(model, notes["history"])
        except (TypeError, KeyError, AttributeError):  # notes are their owner's: they may say anything
            raise CalledWrong(f"{options.model}: the history in its notes was not written here") from None


def _network_pairs(model):
    memory = _memory(model)
    rows = _count(model.n_samples_seen_, "row")
    return [
        ("method", model.method),
        ("hidden", ", ".join(map(str, np.ravel(model.hidden_layer_sizes))) or "none"),
        ("memory", "keeps no rows" if memory is None else _count(len(memory[1]), "row")),
        ("learned", f"{rows} in {_count(model.n_updates_, 'update')}"),
    ]


def _analytic_pairs(model):
    """Say how a closed form learns; into how many updates its rows were cut makes no difference to it."""
    solver = "ridge" if is_regressor(model) else model.solver
    pairs = [("method", next(name for name in _ANALYTIC if _ANALYTIC[name] == solver))]
    pairs += [("features", model.features), ("solver", solver)]
    if model.strength_ is not None:
        chosen = ", chosen from the rows" if model.strength == "auto" else ""
        pairs.append(("strength", f"{model.strength_:.3g}{chosen}"))
    pairs.append(("memory", "keeps no rows"))
    pairs.append(("learned", _count(model.n_samples_seen_, "row")))
    return pairs


def _print_history(model, history):
    kept = not is_analytic(model)
    _print(f"\n{_measure(model, ' in %')} by every update, of its rows{' and of those in memory' * kept}\n")
    words = ["file"] if is_regressor(model) else ["file", "new classes"]
    before_and_after = ["memory before", "after"] * kept
    table = table_of(*words, "rows", "its rows", *before_and_after, left=len(words))
    for entry in history:
        file = _name(entry["file"]) + (f" (task {entry['task']})" if entry["task"] else "")
        keys = ("score", "memory_before", "memory_after")[: None if kept else 1]
        scores = (_score(model, entry[key], "") if key in entry else "–" for key in keys)
        table.add_row(*[file, _names(entry["new_classes"])][: len(words)], f"{entry['rows']:,}", *scores)
    _print(table)


# ---- what they share ---------------------------------------------------------------------------------


def _load(path):
    require("rich")
    with wrong_call():
        return load(path)


def _data_for(model, options):
    """Return the table with the model's columns in its order, and the targets as it knows them."""
    target = options.target or model.notes_.get("target", "y")
    if is_regressor(model):
        kind, numbers = "n", _outputs(model)
        if numbers > 1:
            raise ValueError(f"{options.model} predicts {numbers} numbers for a row: use it from Python")
    else:
        kind = {"U": "U", "b": "b"}.get(model.classes_.dtype.kind, "i")
    names = getattr(model, "feature_names_in_", None)
    names = None if names is None else names.tolist()
    ignore = [*model.notes_.get("ignore", ()), target]
    return Data(options.data, target, ignore, kind, names, model.n_features_in_, options.model)


def _outputs(model):
    """Return how many numbers a regressor predicts for a row."""
    return np.size(model.intercept_) if is_analytic(model) else model.network_.outputs


def _columns(model):
    names = getattr(model, "feature_names_in_", None)
    return model.n_features_in_ if names is None else _names(names, 4)


def _memory(model):
    """Return the rows that the model keeps, as an estimator is given them, and their targets; or None."""
    memory = model.remembered()
    if memory is None or not hasattr(model, "feature_names_in_"):
        return memory
    return Table("memory", model.feature_names_in_.tolist(), memory[0]), memory[1]


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
    return "R²" if is_regressor(model) else f"accuracy{unit}"


def _score(model, score, unit=" %"):
    return f"{score:.3f}" if is_regressor(model) else f"{100 * score:.1f}{unit}"


def _size(path):
    """Say how large a file is."""
    size = Path(path).stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
