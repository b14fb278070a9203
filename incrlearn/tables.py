"""Tables: rows of numbers and what is to be learned from them, out of a CSV file, a NumPy archive or Parquet.

The command line and the benchmark take files that people made, and most files have something wrong with them.
So they are all read here, with one rule for what a good table is: every value is there and is a number, and
whatever is not is named with its file, its row and its column. Nothing is guessed, filled in or left out.

    .csv        text in UTF-8, a header line of column names, then a row a line
    .npz        an array x (or X) of shape (n, d), the targets in another, the names, if any, in `columns`
    .parquet    needs pyarrow
"""

import csv
import math
import re
from array import array
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import _checks

_LARGEST = float(np.finfo(np.float32).max)  # what a network of float32 can take in
_NUMBER = "a finite number (float32)"
_MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "+nan", "-nan", "null"}  # as others write it
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.0*)?")  # 007 is a name, and so is what is too long for int64
_INDEX = re.compile(r"__index_level_[0-9]+__")  # what pandas puts beside the columns of a Parquet file


class BadValue(ValueError):
    """A value that is missing, or not what its column must hold; the message says which."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of features, with the targets where they were asked for. It is read by `read_table`.

    An estimator takes it for a frame: it has `columns` and becomes an array.

    Parameters
    ----------
    path : str or path
        Where it comes from.
    columns : list of str or None
        Names of the features; None where the file has none.
    values : ndarray of shape (n, d), float64
        The features: finite, and within what float32 can hold.
    target : str, optional
        What the targets are called.
    targets : ndarray of shape (n,), optional
        The targets as they came: strings, integers or float64. See `labels` and `numbers`.
    lines : sequence of int, optional
        In which line of a text file each row ends.
    """

    path: str
    columns: list | None
    values: np.ndarray
    target: str | None = None
    targets: np.ndarray | None = None
    lines: array | None = None

    def __len__(self):
        return len(self.values)

    @property
    def shape(self):
        """Return (n, d)."""
        return self.values.shape

    def __array__(self, dtype=None, copy=None):
        values = self.values if dtype is None else self.values.astype(dtype, copy=False)
        return values.copy() if copy else values

    def labels(self, kind=None):
        """Return the targets as labels: int64 if all are whole numbers, otherwise strings.

        Parameters
        ----------
        kind : {"i", "U", "b"}, optional
            What they have to be, where labels are known already: "U" leaves whole numbers strings, and "b"
            asks for True and False.

        Raises
        ------
        ValueError
            If one is missing, or not of that kind; or if all are numbers, but not whole ones.
        """
        self._refuse_missing("a label")
        if kind == "b":
            self._refuse([value not in ("True", "False") for value in self.targets.tolist()], "True or False")
            return self.targets == "True"
        if kind != "U":
            integers = [_integer(value) for value in self.targets.tolist()]
            if None not in integers:
                return np.array(integers, np.int64)
            if kind == "i":
                self._refuse([number is None for number in integers], "a whole number, like the labels known")
            self._refuse(_fractions(self.targets), "a name or a whole number, to be a label")
        return np.array([_text(value) for value in self.targets.tolist()])

    def numbers(self):
        """Return the targets as numbers, float64.

        Raises
        ------
        ValueError
            If one is missing, or is not a finite number that float32 can hold.
        """
        self._refuse_missing(_NUMBER)
        numbers = np.array([_number(value) for value in self.targets.tolist()], np.float64)
        self._refuse(np.isnan(numbers).tolist(), _NUMBER)
        return numbers

    def _refuse_missing(self, wanted):
        if self.targets.dtype.kind in "fU":
            self._refuse([_is_missing(value) for value in self.targets.tolist()], wanted)

    def _refuse(self, bad, wanted):
        """Raise a ValueError that names the first bad target, where there is one."""
        if True in bad:
            row = bad.index(True)
            where = f"line {self.lines[row]}" if self.lines else f"row {row + 1}"
            raise _refusal(f"{self.path}, {where}", self.target, wanted, self.targets[row].item())


def column_names(path):
    """Return the names of all columns of a table, of which no more than these is read.

    Parameters
    ----------
    path : str or path
        A file that ends in .csv, .npz or .parquet.

    Returns
    -------
    list of str or None
        None where an archive has no names.

    Raises
    ------
    FileNotFoundError, ModuleNotFoundError, ValueError
        As in `read_table`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flowers.csv")
    ...     written = path.write_text("length,width,kind\\n5.1,3.5,iris\\n")
    ...     column_names(path)
    ['length', 'width', 'kind']
    """
    return _reader(path)[0](path)


def read_table(path, target=None, ignore=(), features=None):
    """Read a table whose features are all finite numbers.

    Parameters
    ----------
    path : str or path
        A file that ends in .csv, .npz or .parquet. In a CSV file values are separated by commas, or by
        semicolons or tabs if the header has more of those.
    target : str, optional
        The column (in an archive: the array) that holds the targets; it is no feature.
    ignore : iterable of str
        Columns that are no features either. They need not be there.
    features : sequence of str, optional
        The names that the features must have, and the order to bring them into. If None, all columns
        that are left are features.

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModuleNotFoundError
        If the file is Parquet, and pyarrow is not installed.
    ValueError
        If the file is not what its ending says, has no rows, columns without or with equal names, other
        columns than `target` and `features`, or a value that is missing or not a finite number.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flowers.csv")
    ...     written = path.write_text("length,width,kind\\n5.1,3.5,iris\\n7.0,3.2,rose\\n")
    ...     flowers = read_table(path, target="kind", features=["width", "length"])
    >>> flowers.columns, flowers.values.tolist(), flowers.labels().tolist()
    (['width', 'length'], [[3.5, 5.1], [3.2, 7.0]], ['iris', 'rose'])
    """
    return _reader(path)[1](path, target, set(ignore), features)


def listed(names, most=8):
    """Say names in a message: the first and the last, which is often the target.

    Examples
    --------
    >>> listed(["a", "b", "c", "d", "e"], most=3)
    "'a', 'b', …, 'e' (5 in all)"
    """
    shown = [repr(str(name)) for name in names]
    if len(shown) > most:
        shown = [*shown[: most - 1], "…", f"{shown[-1]} ({len(shown)} in all)"]
    return ", ".join(shown)


@contextmanager
def archive(path):
    """Open a NumPy archive to read arrays from: whatever goes wrong is a ValueError that names the file.

    Parameters
    ----------
    path : str or path

    Yields
    ------
    mapping of str to ndarray
        Read without pickle.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "a.npz"), x=np.arange(3))
    ...     with archive(Path(folder, "a.npz")) as arrays:
    ...         arrays["x"]
    array([0, 1, 2])
    """
    with open(path, "rb") as file:
        start = file.read(2)
        if start != b"PK":
            raise ValueError(f"{path} must be an .npz archive and begin with b'PK', but begins with {start}")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as arrays:
                yield arrays
        except Exception as error:  # a damaged zip or array raises any of a dozen kinds
            raise ValueError(f"{path} cannot be read as an .npz archive: {error}") from error


def _reader(path):
    """Return the two functions that read files of this kind: their names, and all of them."""
    ending = Path(path).suffix.lower()
    if ending not in _READERS:
        raise ValueError(f"{path} must end in {', '.join(_READERS)}, to say what kind of table it is")
    return _READERS[ending]


# ---- CSV ---------------------------------------------------------------------------------------------


def _csv_names(path):
    with _csv_lines(path) as lines:
        return _header(path, lines)


def _read_csv(path, target, ignore, features):
    values, targets, numbers_of_lines = array("d"), [], array("q")
    with _csv_lines(path) as lines:
        names = _header(path, lines)
        features = _chosen(path, names, target, ignore, features)
        chosen = [names.index(name) for name in features]
        label = None if target is None else names.index(target)
        for cells in lines:
            if not cells:  # an empty line, as often at a file's end
                continue
            at = f"{path}, line {lines.line_num}"
            if len(cells) != len(names):
                raise ValueError(f"{at}: {len(cells)} values, but the header names {len(names)} columns")
            values.extend(_row(at, features, [cells[index] for index in chosen]))
            numbers_of_lines.append(lines.line_num)
            if label is not None:
                targets.append(cells[label].strip())
    if not numbers_of_lines:
        raise ValueError(f"{path} must have at least one line after the header, got none")
    values = np.frombuffer(values).reshape(len(numbers_of_lines), -1)
    targets = None if target is None else np.array(targets)
    return Table(path, features, values, target, targets, numbers_of_lines)


@contextmanager
def _csv_lines(path):
    """Open a CSV file; what is wrong with its text is a ValueError that names the file."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            header = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=header.count)
            lines = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
            yield lines
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} must be text in UTF-8: {error}") from error
        except csv.Error as error:
            raise ValueError(f"{path}, line {lines.line_num}: {error}") from error


def _header(path, lines):
    return _different(path, [name.strip() for name in next(lines, [])])


def _row(at, features, cells):
    """Return the cells of a line as numbers."""
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        numbers = [math.nan]
    # where the sum is small enough, so is every one of them; and no table means 1000 by 1_000, as Python does
    if sum(map(abs, numbers)) <= _LARGEST and "_" not in "".join(cells):
        return numbers
    numbers = [_number(cell) for cell in cells]
    for name, cell, number in zip(features, cells, numbers, strict=True):
        if math.isnan(number):
            raise _refusal(at, name, _NUMBER, cell)
    return numbers


# ---- NumPy archives ----------------------------------------------------------------------------------


def _npz_names(path):
    with archive(path) as arrays:
        if "columns" not in arrays.files:
            return None
        names = np.asarray(arrays["columns"])
    if names.ndim != 1 or names.dtype.kind != "U":
        raise ValueError(f"columns in {path} must hold strings of shape (d,), got {_said(names)}")
    return _different(path, names.tolist())


def _read_npz(path, target, ignore, features):
    names = _npz_names(path)
    with archive(path) as arrays:
        found = arrays.files
        x = next((np.asarray(arrays[name]) for name in ("x", "X") if name in found), None)
        y = np.asarray(arrays[target]) if target in found else None
    for name, values in (("x", x), (target, y)):
        if name is not None and values is None:
            raise ValueError(f"{path} must hold the array {name!r}, but holds {listed(found) or 'none'}")
    if x.dtype.kind not in "biuf" or x.ndim != 2 or not x.size:
        raise ValueError(f"x in {path} must hold numbers of shape (n, d), got {_said(x)}")
    if names is not None and len(names) != x.shape[1]:
        raise ValueError(f"columns in {path} must name {x.shape[1]} columns of x, but names {len(names)}")
    if names is None and features is not None:
        raise ValueError(f"{path} must hold the array 'columns', to say which are {listed(features)}")
    if names is not None:
        features = _chosen(path, names, None, ignore | {target}, features)
        x = x[:, [names.index(name) for name in features]]
    return Table(path, features, _finite(path, features, x), target, _npz_targets(path, target, y, len(x)))


def _npz_targets(path, target, y, n):
    if y is None:
        return None
    if y.dtype.kind not in "biufU" or y.shape != (n,):
        raise ValueError(
            f"{target} in {path} must hold numbers or strings of shape ({n},), one for each row of x, "
            f"got {_said(y)}"
        )
    return y.astype(str) if y.dtype.kind == "b" else y


def _said(array):
    return f"{_checks.shape_of(array)}, {array.dtype}"


# ---- Parquet -----------------------------------------------------------------------------------------


def _parquet_names(path):
    with _parquet(path) as file:
        names = file.schema_arrow.names
    return _different(path, [name for name in names if not _INDEX.fullmatch(name)])


def _read_parquet(path, target, ignore, features):
    features = _chosen(path, _parquet_names(path), target, ignore, features)
    with _parquet(path) as file:
        columns = file.read()
    if not len(columns):
        raise ValueError(f"{path} must have at least one row, got none")
    x = np.empty((len(columns), len(features)))
    for k, name in enumerate(features):
        x[:, k] = _parquet_numbers(path, name, columns[name])
    y = None if target is None else _parquet_targets(path, target, columns[target])
    return Table(path, features, _finite(path, features, x), target, y)


@contextmanager
def _parquet(path):
    """Open a Parquet file; what is wrong with it is a ValueError that names the file."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ModuleNotFoundError(f"{path}: pyarrow is not installed: pip install pyarrow") from None
    with open(path, "rb") as file:
        try:
            yield ParquetFile(file)
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{path} cannot be read as Parquet: {error}") from error


def _parquet_numbers(path, name, column):
    from pyarrow import float64, types

    _no_nulls(path, name, column, _NUMBER)
    kind = column.type
    numeric = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)
    if not any(is_kind(kind) for is_kind in numeric):
        raise ValueError(f"{path}, column {name!r} must hold numbers, but holds {kind}")
    return column.cast(float64(), safe=False).to_numpy()


def _parquet_targets(path, name, column):
    """Return targets as strings, integers or float64."""
    from pyarrow import types

    _no_nulls(path, name, column, "a label or a number")
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_integer(kind):
        return np.array(column.to_pylist())
    if types.is_floating(kind) or types.is_decimal(kind):
        return np.array(column.to_pylist(), np.float64)
    if types.is_boolean(kind) or kind in _text_types():
        return np.array([str(value) for value in column.to_pylist()])
    raise ValueError(f"{path}, column {name!r} must hold strings or numbers, but holds {kind}")


def _text_types():
    import pyarrow

    return pyarrow.string(), pyarrow.large_string()


def _no_nulls(path, name, column, wanted):
    if column.null_count:
        row = int(column.is_null().to_numpy().argmax())
        raise _refusal(f"{path}, row {row + 1}", name, wanted, "")


# ---- what all of them share --------------------------------------------------------------------------

_READERS = {
    ".csv": (_csv_names, _read_csv),
    ".npz": (_npz_names, _read_npz),
    ".parquet": (_parquet_names, _read_parquet),
}


def _different(path, names):
    """Return column names that are all there and all different."""
    if "" in names:
        raise ValueError(
            f"{path}: column {names.index('') + 1} of the header has no name "
            "(pandas writes such a column, unless told index=False)"
        )
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise ValueError(f"{path}: the header names the column {twice!r} more than once")
    return names


def _chosen(path, names, target, ignore, features):
    """Return the names of the features in the order wanted; refuse a table with other columns."""
    if target is not None and target not in names:
        raise ValueError(f"{path} has no column {target!r}: there are {listed(names) or 'none'}")
    left = [name for name in names if name != target and name not in ignore]
    if features is None:
        if not left:
            raise ValueError(f"{path} must have a column of features, got {names or 'an empty header'}")
        return left
    there, wanted = set(left), set(features)
    missing = [name for name in features if name not in there]
    extra = [name for name in left if name not in wanted]
    if missing:
        but = f", but {listed(extra)}, which was not" if extra else ""
        raise ValueError(f"{path} has no column {listed(missing)}, which was learned from{but}")
    if extra:
        raise ValueError(f"{path} has a column {listed(extra)}, which was not learned from: leave it out")
    return list(features)


def _finite(path, features, values):
    """Return `values` as float64, all finite and within float32."""
    with np.errstate(over="ignore"):  # longdouble; becomes inf, which is refused
        values = values.astype(np.float64, copy=False)
    good = np.abs(values) <= _LARGEST  # NaN is not
    if not good.all():
        row, k = (int(index) for index in np.argwhere(~good)[0])
        column = features[k] if features else k + 1
        raise _refusal(f"{path}, row {row + 1}", column, _NUMBER, values[row, k].item())
    return values


def _refusal(at, column, wanted, came):
    """Return the error that a value at a place is not what was wanted."""
    if _is_missing(came):
        came = f"{came!r} (a missing value)" if str(came).strip() else "a missing value"
    elif isinstance(came, str) and re.fullmatch(r"\s*[+-]?[0-9]+,[0-9]+\s*", came):
        came = f"{came!r} (decimals are written with a point)"
    else:
        came = repr(came)
    return BadValue(f"{at}, column {column!r}: must be {wanted}, got {came}")


def _is_missing(value):
    return str(value).strip().lower() in _MISSING


def _number(value):
    """Return a cell or a number as a float; NaN, where it is none or too large for float32."""
    try:
        number = math.nan if isinstance(value, str) and "_" in value else float(value)
    except ValueError:
        return math.nan
    return number if abs(number) <= _LARGEST else math.nan


def _integer(value):
    """Return a target that is a whole number, as 3, "3" or "3.0" are, as an int; None, where it is none."""
    if isinstance(value, str):
        value = int(value.partition(".")[0]) if _INTEGER.fullmatch(value) and len(value) < 40 else math.nan
    fits = float(value).is_integer() and -(2**63) <= value < 2**63
    return int(value) if fits else None


def _text(value):
    """Return a target as a string; a whole number that came as a float without its decimals."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _fractions(targets):
    """Say which targets are fractions, if all of them are numbers."""
    try:
        return [not float(value).is_integer() for value in targets.tolist()]
    except ValueError:
        return []
